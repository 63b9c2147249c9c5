// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network adapters of Chelsio's that are made of memory, after a PCI root bus
 * of their own.
 *
 * Each adapter is 1 MiB of physical memory that no kernel uses (memmap=1M$BASE).
 * The host fills it; what a dead kernel has left in it, the crash kernel's driver
 * finds, as in a real device. Only the config space is emulated. After a BAR is
 * memory and nothing else: a register keeps what was last written to it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>

/* What an adapter's memory is */
#define REGISTERS	0		/* BAR 0 */
#define REGISTERS_SIZE	SZ_512K
#define DOORBELLS	0x80000		/* BAR 2 */
#define DOORBELLS_SIZE	SZ_256K
#define VPD		0xc0000		/* the vital product data */
#define VPD_SIZE	SZ_2K
#define ADAPTER_SIZE	SZ_1M

#define MAX_ADAPTERS	4

/* The driver takes an adapter over from this function only. */
#define FUNCTION	4

/* Beyond what firmware can number. */
#define DOMAIN		0x10000

static ulong base;
module_param(base, ulong, 0444);
MODULE_PARM_DESC(base, "Physical address of the first adapter; the others follow it");

static ushort device[MAX_ADAPTERS];
static uint adapter_count;
module_param_array(device, ushort, &adapter_count, 0444);
MODULE_PARM_DESC(device, "PCI device number of each adapter");

#define PCIE_CAP	0x40
#define VPD_CAP		0x80

/* Capability registers, as dwords */
#define PCIE_FLAGS(next) \
	(PCI_CAP_ID_EXP | (next) << 8 | (2 | PCI_EXP_TYPE_ENDPOINT << 4) << 16)
#define PCIE_LINK	(PCI_EXP_LNKSTA_CLS_8_0GB | PCI_EXP_LNKSTA_NLW_X8)
#define VPD_FLAG	((u32)PCI_VPD_ADDR_F << 16)

/* The config space, but for zeros that stay zeros */
static const struct config_register {
	int at;
	u32 value;
	u32 writable;
} config_registers[] = {
	{ PCI_VENDOR_ID, PCI_VENDOR_ID_CHELSIO },
	{ PCI_COMMAND, PCI_STATUS_CAP_LIST << 16,
	  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE },
	{ PCI_CLASS_REVISION, PCI_CLASS_NETWORK_ETHERNET << 16 },
	{ PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_MEM_TYPE_64, ~(REGISTERS_SIZE - 1) },
	{ PCI_BASE_ADDRESS_1, 0, ~0 },
	{ PCI_BASE_ADDRESS_2, PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH,
	  ~(DOORBELLS_SIZE - 1) },
	{ PCI_BASE_ADDRESS_3, 0, ~0 },
	{ PCI_SUBSYSTEM_VENDOR_ID, PCI_VENDOR_ID_CHELSIO },
	{ PCI_CAPABILITY_LIST, PCIE_CAP },
	{ PCIE_CAP, PCIE_FLAGS(VPD_CAP) },
	{ PCIE_CAP + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER },
	{ PCIE_CAP + PCI_EXP_DEVCTL, 0, 0x7fff },
	{ PCIE_CAP + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_8_0GB | 8 << 4 },
	{ PCIE_CAP + PCI_EXP_LNKCTL, PCIE_LINK << 16, 0x0fff },
	{ PCIE_CAP + PCI_EXP_DEVCTL2, 0, 0xffff },
	{ VPD_CAP, PCI_CAP_ID_VPD, 0xffff0000 },
	{ VPD_CAP + PCI_VPD_DATA, 0, ~0 },
};

struct adapter {
	u32 config[PCI_CFG_SPACE_SIZE / 4];
	u32 writable[PCI_CFG_SPACE_SIZE / 4];
	void __iomem *vpd;
};

static struct adapter adapters[MAX_ADAPTERS];
static struct pci_bus *root_bus;

/* A config access never crosses a dword. */
static u32 lane(int where, int size)
{
	return GENMASK(8 * size - 1, 0) << 8 * (where % 4);
}

static struct adapter *adapter_at(unsigned int devfn, int where)
{
	unsigned int slot = PCI_SLOT(devfn);

	if (PCI_FUNC(devfn) != FUNCTION || slot >= adapter_count || where >= PCI_CFG_SPACE_SIZE)
		return NULL;
	return &adapters[slot];
}

/* An address without the flag asks for a dword; the flag says that it is there. */
static void read_vpd(struct adapter *adapter)
{
	u32 address = adapter->config[VPD_CAP / 4];

	if (address & VPD_FLAG)
		return;
	address >>= 16;
	adapter->config[(VPD_CAP + PCI_VPD_DATA) / 4] =
		address + 4 <= VPD_SIZE ? readl(adapter->vpd + address) : ~0;
	adapter->config[VPD_CAP / 4] |= VPD_FLAG;
}

static int read_config(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	struct adapter *adapter = adapter_at(devfn, where);

	if (!adapter) {
		PCI_SET_ERROR_RESPONSE(value);
		return PCIBIOS_DEVICE_NOT_FOUND;
	}
	*value = (adapter->config[where / 4] & lane(where, size)) >> 8 * (where % 4);
	return PCIBIOS_SUCCESSFUL;
}

static int write_config(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	struct adapter *adapter = adapter_at(devfn, where);
	u32 *config, written;

	if (!adapter)
		return PCIBIOS_DEVICE_NOT_FOUND;
	config = &adapter->config[where / 4];
	written = adapter->writable[where / 4] & lane(where, size);
	*config = (*config & ~written) | (value << 8 * (where % 4) & written);
	if (where / 4 == VPD_CAP / 4)
		read_vpd(adapter);
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
	.flags	= IORESOURCE_BUS | IORESOURCE_PCI_FIXED,
};

/*
 * One window for all: the kernel would merge several. It is not for the kernel's
 * tree of resources, where the reserved memory would become its child, and stand
 * in the way of the BARs.
 */
static struct resource window = {
	.name	= KBUILD_MODNAME,
	.flags	= IORESOURCE_MEM,
};

static int __init make_adapter(unsigned int slot)
{
	struct adapter *adapter = &adapters[slot];
	resource_size_t memory = base + slot * ADAPTER_SIZE;
	const struct config_register *reg;

	for (reg = config_registers; reg < config_registers + ARRAY_SIZE(config_registers); reg++) {
		adapter->config[reg->at / 4] = reg->value;
		adapter->writable[reg->at / 4] = reg->writable;
	}
	adapter->config[PCI_VENDOR_ID / 4] |= device[slot] << 16;
	adapter->config[PCI_BASE_ADDRESS_0 / 4] |= memory + REGISTERS;
	adapter->config[PCI_BASE_ADDRESS_2 / 4] |= memory + DOORBELLS;
	adapter->vpd = ioremap(memory + VPD, VPD_SIZE);
	return adapter->vpd ? 0 : -ENOMEM;
}

static void unmap_adapters(void)
{
	unsigned int slot;

	for (slot = 0; slot < adapter_count && adapters[slot].vpd; slot++)
		iounmap(adapters[slot].vpd);
}

static int __init softadapter_init(void)
{
	LIST_HEAD(resources);
	unsigned int slot;
	int error;

	if (!base || base % ADAPTER_SIZE || base + MAX_ADAPTERS * ADAPTER_SIZE > SZ_4G ||
	    !adapter_count)
		return -EINVAL;
	for (slot = 0; slot < adapter_count; slot++) {
		error = make_adapter(slot);
		if (error)
			goto unmap;
	}
	window.start = base;
	window.end = base + adapter_count * ADAPTER_SIZE - 1;
	pci_add_resource(&resources, &bus_numbers);
	pci_add_resource(&resources, &window);

	pci_lock_rescan_remove();
	root_bus = pci_create_root_bus(NULL, 0, &config_ops, &sysdata, &resources);
	if (root_bus) {
		/* Nobody looks for a function 4 where there is no function 0. */
		for (slot = 0; slot < adapter_count; slot++)
			pci_scan_single_device(root_bus, PCI_DEVFN(slot, FUNCTION));
		pci_bus_claim_resources(root_bus);
		pci_bus_add_devices(root_bus);
	}
	pci_unlock_rescan_remove();
	if (root_bus)
		return 0;
	pci_free_resource_list(&resources);
	error = -ENODEV;
unmap:
	unmap_adapters();
	return error;
}
module_init(softadapter_init);

static void __exit softadapter_exit(void)
{
	pci_lock_rescan_remove();
	pci_stop_root_bus(root_bus);
	pci_remove_root_bus(root_bus);
	pci_unlock_rescan_remove();
	unmap_adapters();
}
module_exit(softadapter_exit);

MODULE_DESCRIPTION("Chelsio adapters that are made of memory, for tests");
MODULE_LICENSE("GPL");
