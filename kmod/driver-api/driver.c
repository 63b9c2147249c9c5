// SPDX-License-Identifier: GPL-2.0-only
/*
 * The C side of a driver module in Rust, as driver.h says.
 */
#include <linux/crash_dump.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "driver.h"

static_assert(DRIVER_ENOMEM == ENOMEM);
static_assert(DRIVER_ENODEV == ENODEV);
static_assert(DRIVER_EINVAL == EINVAL);

struct module *driver_module(void)
{
	return THIS_MODULE;
}

void *driver_alloc(size_t size)
{
	return kmalloc(size, GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
}

void driver_free(void *memory)
{
	kfree(memory);
}

bool driver_in_crash_kernel(void)
{
	return is_kdump_kernel();
}

void driver_pci_get(struct pci_dev *pdev)
{
	pci_dev_get(pdev);
}

void driver_pci_put(struct pci_dev *pdev)
{
	pci_dev_put(pdev);
}

const char *driver_pci_name(const struct pci_dev *pdev)
{
	return pci_name(pdev);
}

int driver_pci_enable(struct pci_dev *pdev)
{
	return pci_enable_device_mem(pdev);
}

void driver_pci_disable(struct pci_dev *pdev)
{
	pci_disable_device(pdev);
}

void *driver_map_bar(struct pci_dev *pdev, int index, size_t *size)
{
	if (index < 0 || index >= PCI_STD_NUM_BARS || !pci_resource_len(pdev, index))
		return NULL;
	if (!(pci_resource_flags(pdev, index) & IORESOURCE_MEM))
		return NULL;
	*size = pci_resource_len(pdev, index);
	return (__force void *)pci_iomap(pdev, index, 0);
}

void driver_unmap_bar(struct pci_dev *pdev, void *bar)
{
	pci_iounmap(pdev, (__force void __iomem *)bar);
}

void driver_copy_from_bar(void *to, const void *from, size_t length)
{
	memcpy_fromio(to, (__force const void __iomem *)from, length);
}
