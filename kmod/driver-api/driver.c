// SPDX-License-Identifier: GPL-2.0-only
/*
 * The C side of a driver module in Rust, as driver.h says.
 */
#include <linux/crash_dump.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "vmcoredd.h"
#include "vmcoredd_driver_module.h"

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

u32 driver_read_register(const void *from)
{
	return readl((__force const void __iomem *)from);
}

/*
 * A device that another driver has is not probed. In a running system it stays with
 * that driver, and is read under its eyes; in a crash kernel that driver has
 * initialised it, and what was to be saved is lost.
 */
static void visit_taken_device(struct pci_driver *driver, struct pci_dev *pdev)
{
	struct device_driver *other;

	device_lock(&pdev->dev);
	other = pdev->dev.driver;
	if (other && other != &driver->driver) {
		if (is_kdump_kernel())
			pci_warn(pdev, "no device dump: %s has initialised it\n", other->name);
		else if (vmcoredd_wanted())
			rust_probe(pdev);
	}
	device_unlock(&pdev->dev);
}

int vmcoredd_driver_register(struct pci_driver *driver)
{
	struct pci_dev *pdev = NULL;
	int error = pci_register_driver(driver);

	if (error)
		return error;
	while ((pdev = pci_get_device(PCI_ANY_ID, PCI_ANY_ID, pdev)))
		if (pci_match_id(driver->id_table, pdev))
			visit_taken_device(driver, pdev);
	return 0;
}
