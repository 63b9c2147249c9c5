// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI functions that are made of memory, after a PCI root bus of their own.
 *
 * Each function is 256 KiB of physical memory that no kernel uses, which the host fills
 * (struct function): the image of its config space, a mask of the bits in it that can be
 * written, and BAR 0. What is mapped of a BAR is that memory and nothing else: a register
 * keeps what was last written to it. A BAR may also be elsewhere: the host writes its
 * address into the image.
 *
 * The log is the one thing that says, before it is done, what a collector is about to do.
 * So with each of its lines, a function moves its window to where the base register says,
 * if it has one; and it dies when the log has a certain text: all of its BAR becomes ones.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/console.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/string.h>

#define FUNCTION_SIZE	SZ_256K
#define MAX_FUNCTIONS	16
#define PAGES		2

/* Beyond what firmware can number. */
#define DOMAIN		0x10001

/* Little-endian, as the machine is. */
struct function {
	u32 config[PCI_CFG_SPACE_EXP_SIZE / 4];
	u32 writable[PCI_CFG_SPACE_EXP_SIZE / 4];
	/* Of the root bus, or of what the config space of a bridge says. */
	u32 bus;
	u32 devfn;
	/* The text at which it dies, if there is one. */
	char dies_at[128];
	/* Where in the BAR the base of a window is, and the window; none if that is 0. */
	u32 base_at;
	u32 window_at;
	/* What is seen in the window, and for which bases. */
	u32 page_bases[PAGES];
	u8 unused[SZ_64K - 2 * PCI_CFG_SPACE_EXP_SIZE - 144 - 4 * PAGES];
	u8 bar[SZ_64K];
	u8 pages[PAGES][SZ_4K];
};

static ulong base;
module_param(base, ulong, 0444);
MODULE_PARM_DESC(base, "Physical address of the first function; the others follow it");

static uint count;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "How many functions there are");

static uint address_bits;
module_param(address_bits, uint, 0444);
MODULE_PARM_DESC(address_bits,
		 "The kernel maps addresses of so many bits; those that the processor lacks fault");

static struct function __iomem *functions[MAX_FUNCTIONS];
static struct pci_bus *root_bus;

/* A config access never crosses a dword. */
static u32 lane(int where, int size)
{
	return GENMASK(8 * size - 1, 0) << 8 * (where % 4);
}

static struct function __iomem *function_at(struct pci_bus *bus, unsigned int devfn, int where)
{
	uint i;

	if (where >= PCI_CFG_SPACE_EXP_SIZE)
		return NULL;
	for (i = 0; i < count; i++) {
		if (readl(&functions[i]->bus) == bus->number &&
		    readl(&functions[i]->devfn) == devfn)
			return functions[i];
	}
	return NULL;
}

static int read_config(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	struct function __iomem *function = function_at(bus, devfn, where);

	if (!function) {
		PCI_SET_ERROR_RESPONSE(value);
		return PCIBIOS_DEVICE_NOT_FOUND;
	}
	*value = (readl(&function->config[where / 4]) & lane(where, size)) >> 8 * (where % 4);
	return PCIBIOS_SUCCESSFUL;
}

static int write_config(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	struct function __iomem *function = function_at(bus, devfn, where);
	u32 config, written;

	if (!function)
		return PCIBIOS_DEVICE_NOT_FOUND;
	config = readl(&function->config[where / 4]);
	written = readl(&function->writable[where / 4]) & lane(where, size);
	config = (config & ~written) | (value << 8 * (where % 4) & written);
	writel(config, &function->config[where / 4]);
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops config_ops = {
	.read	= read_config,
	.write	= write_config,
};

static struct pci_sysdata sysdata = {
	.domain	= DOMAIN,
	.node	= NUMA_NO_NODE,
};

static struct resource bus_numbers = {
	.name	= KBUILD_MODNAME,
	.end	= 0xff,
	.flags	= IORESOURCE_BUS,
};

/*
 * All addresses there are: BARs are where the host wants them. It is not for the kernel's
 * tree of resources, where other devices' memory would become its child.
 */
static struct resource window = {
	.name	= KBUILD_MODNAME,
	.start	= SZ_1M,
	.end	= GENMASK_ULL(51, 0),
	.flags	= IORESOURCE_MEM | IORESOURCE_MEM_64,
};

static void move_window(struct function __iomem *function)
{
	u32 window = readl(&function->window_at), base;
	u8 page[SZ_64];
	uint i, at;

	if (!window)
		return;
	base = readl(&function->bar[readl(&function->base_at)]);
	for (i = 0; i < PAGES && readl(&function->page_bases[i]) != base; i++)
		;
	for (at = 0; at < SZ_4K; at += sizeof(page)) {
		memset(page, 0xff, sizeof(page));
		if (i < PAGES)
			memcpy_fromio(page, &function->pages[i][at], sizeof(page));
		memcpy_toio(&function->bar[window + at], page, sizeof(page));
	}
}

static void watch_log(struct console *console, const char *text, unsigned int length)
{
	char dies_at[sizeof_field(struct function, dies_at)];
	uint i;

	for (i = 0; i < count; i++) {
		move_window(functions[i]);
		memcpy_fromio(dies_at, functions[i]->dies_at, sizeof(dies_at));
		dies_at[sizeof(dies_at) - 1] = '\0';
		if (dies_at[0] && strnstr(text, dies_at, length))
			memset_io(functions[i]->bar, 0xff, sizeof(functions[i]->bar));
	}
}

/* No command line names it, so it says itself that it is enabled. */
static struct console log_watcher = {
	.name	= "soft",
	.write	= watch_log,
	.flags	= CON_ENABLED,
	.index	= -1,
};

static void unmap_functions(void)
{
	uint i;

	for (i = 0; i < count && functions[i]; i++)
		iounmap(functions[i]);
}

static int __init softfunctions_init(void)
{
	LIST_HEAD(resources);
	uint i;

	BUILD_BUG_ON(offsetof(struct function, bar) != SZ_64K);
	BUILD_BUG_ON(sizeof(struct function) > FUNCTION_SIZE);
	if (!base || base % FUNCTION_SIZE || !count || count > MAX_FUNCTIONS)
		return -EINVAL;
	for (i = 0; i < count; i++) {
		functions[i] = ioremap(base + i * FUNCTION_SIZE, sizeof(struct function));
		if (!functions[i]) {
			unmap_functions();
			return -ENOMEM;
		}
	}
	/* A mapping of an address that the processor lacks faults when it is used. */
	if (address_bits)
		boot_cpu_data.x86_phys_bits = address_bits;

	pci_add_resource(&resources, &bus_numbers);
	pci_add_resource(&resources, &window);
	pci_lock_rescan_remove();
	root_bus = pci_create_root_bus(NULL, 0, &config_ops, &sysdata, &resources);
	if (root_bus) {
		pci_scan_child_bus(root_bus);
		pci_bus_claim_resources(root_bus);
		pci_bus_add_devices(root_bus);
	}
	pci_unlock_rescan_remove();
	if (!root_bus) {
		pci_free_resource_list(&resources);
		unmap_functions();
		return -ENODEV;
	}
	register_console(&log_watcher);
	return 0;
}
module_init(softfunctions_init);

static void __exit softfunctions_exit(void)
{
	unregister_console(&log_watcher);
	pci_lock_rescan_remove();
	pci_stop_root_bus(root_bus);
	pci_remove_root_bus(root_bus);
	pci_unlock_rescan_remove();
	unmap_functions();
}
module_exit(softfunctions_exit);

MODULE_DESCRIPTION("PCI functions that are made of memory, for tests");
MODULE_LICENSE("GPL");
