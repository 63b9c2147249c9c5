// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading devices without a driver: PCI functions, registers in memory, I/O ports,
 * model-specific registers, ACPI tables. Nothing here binds a device or enables anything
 * of it.
 */
#include <linux/acpi.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/pci.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#ifdef CONFIG_X86
#include <asm/msr.h>
#include <asm/processor.h>
#endif

#include "compat.h"
#include "internal.h"
#include "shim.h"

struct pci_dev *shim_pci_next(struct pci_dev *after)
{
	/* pci_get_device() gives up the reference to @after, which the caller keeps. */
	return pci_get_device(PCI_ANY_ID, PCI_ANY_ID, pci_dev_get(after));
}

void shim_pci_put(struct pci_dev *device)
{
	pci_dev_put(device);
}

struct pci_dev *shim_pci_bridge(struct pci_dev *device)
{
	return pci_dev_get(pci_upstream_bridge(device));
}

void shim_pci_about(struct pci_dev *device, struct shim_pci *about)
{
	memset(about, 0, sizeof(*about));
	about->domain = pci_domain_nr(device->bus);
	about->bus = device->bus->number;
	about->devfn = device->devfn;
	about->revision = device->revision;
	about->vendor = device->vendor;
	about->device = device->device;
	about->sub_vendor = device->subsystem_vendor;
	about->sub_device = device->subsystem_device;
	about->class = device->class;
	/* Reading any register of a function without power may stall the processor. */
	about->unpowered = device->current_state == PCI_D3cold;
	about->disconnected = device->error_state == pci_channel_io_perm_failure;
	if (READ_ONCE(device->dev.driver)) {
		about->bound = 1;
		strscpy(about->driver, dev_driver_string(&device->dev), sizeof(about->driver));
	}
}

bool shim_pci_read(struct pci_dev *device, u32 offset, u32 width, u32 *value)
{
	int failed = PCIBIOS_BAD_REGISTER_NUMBER;
	u16 word;
	u8 byte;

	if (offset >= (u32)device->cfg_size || width > (u32)device->cfg_size - offset)
		return false;
	switch (width) {
	case 1:
		failed = pci_read_config_byte(device, offset, &byte);
		*value = byte;
		break;
	case 2:
		failed = pci_read_config_word(device, offset, &word);
		*value = word;
		break;
	case 4:
		failed = pci_read_config_dword(device, offset, value);
		break;
	}
	return !failed;
}

bool shim_pci_write(struct pci_dev *device, u32 offset, u32 width, u32 value)
{
	if (offset >= (u32)device->cfg_size || width > (u32)device->cfg_size - offset)
		return false;
	switch (width) {
	case 1:
		return !pci_write_config_byte(device, offset, value);
	case 2:
		return !pci_write_config_word(device, offset, value);
	case 4:
		return !pci_write_config_dword(device, offset, value);
	}
	return false;
}

bool shim_pci_bar(struct pci_dev *device, u32 index, struct shim_bar *bar)
{
	const struct resource *resource;

	if (index >= PCI_STD_NUM_BARS)
		return false;
	resource = &device->resource[index];
	if (!(resource->flags & (IORESOURCE_IO | IORESOURCE_MEM)) ||
	    (resource->flags & IORESOURCE_UNSET) || !resource->start)
		return false;
	bar->start = resource->start;
	bar->size = resource_size(resource);
	bar->io = resource->flags & IORESOURCE_IO ? 1 : 0;
	return bar->size;
}

void *shim_registers_map(u64 physical, size_t size)
{
	return fault() ? NULL : (void __force *)ioremap(physical, size);
}

void shim_registers_unmap(void *registers)
{
	iounmap((void __iomem __force *)registers);
}

u64 shim_registers_read(const void *at, u32 width)
{
	const void __iomem *address = (const void __iomem __force *)at;

	switch (width) {
	case 1:
		return readb(address);
	case 2:
		return readw(address);
	case 4:
		return readl(address);
	default:
		return readq(address);
	}
}

void shim_registers_write(void *at, u32 width, u64 value)
{
	void __iomem *address = (void __iomem __force *)at;

	switch (width) {
	case 1:
		writeb(value, address);
		break;
	case 2:
		writew(value, address);
		break;
	case 4:
		writel(value, address);
		break;
	default:
		writeq(value, address);
	}
}

u32 shim_port_read(u32 port, u32 width)
{
	switch (width) {
	case 1:
		return inb(port);
	case 2:
		return inw(port);
	default:
		return inl(port);
	}
}

void shim_port_write(u32 port, u32 width, u32 value)
{
	switch (width) {
	case 1:
		outb(value, port);
		break;
	case 2:
		outw(value, port);
		break;
	default:
		outl(value, port);
	}
}

#ifdef CONFIG_X86
u32 shim_cpu_next(u32 from)
{
	u32 cpu = cpumask_next((int)from - 1, cpu_online_mask);

	return cpu < nr_cpu_ids ? cpu : U32_MAX;
}

bool shim_msr_read(u32 cpu, u32 number, u64 *value)
{
	return !rdmsrq_safe_on_cpu(cpu, number, value);
}

void shim_cpu_about(struct shim_cpu *about)
{
	about->vendor = boot_cpu_data.x86_vendor == X86_VENDOR_INTEL ? 1 :
			boot_cpu_data.x86_vendor == X86_VENDOR_AMD ? 2 : 0;
	about->family = boot_cpu_data.x86;
	about->model = boot_cpu_data.x86_model;
}

#else
/* No other architecture has model-specific registers, for which alone processors are read. */
u32 shim_cpu_next(u32 from)
{
	return U32_MAX;
}

bool shim_msr_read(u32 cpu, u32 number, u64 *value)
{
	return false;
}

void shim_cpu_about(struct shim_cpu *about)
{
	memset(about, 0, sizeof(*about));
}
#endif

void *shim_acpi_table(const char *signature, u32 *length)
{
	struct acpi_table_header *table;
	void *copy;

	if (ACPI_FAILURE(acpi_get_table((char *)signature, 1, &table)))
		return NULL;
	copy = shim_alloc(table->length);
	if (copy) {
		memcpy(copy, table, table->length);
		*length = table->length;
	}
	acpi_put_table(table);
	return copy;
}

bool shim_is_locked_down(void)
{
	return security_locked_down(LOCKDOWN_PCI_ACCESS);
}

void shim_pause(void)
{
	usleep_range(20, 60);
}

bool shim_user_copy(void *to, u64 from, size_t length)
{
	return !copy_from_user(to, (const void __user *)(unsigned long)from, length);
}
