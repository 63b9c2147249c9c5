// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps the registers of QEMU's "edu" device with nothing but the API that
 * mainline has: a model for any C driver.
 *
 * The snapshot is taken first in probe, before anything resets the device.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/crash_dump.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>

#define EDU_VENDOR_ID	0x1234
#define EDU_DEVICE_ID	0x11e8

/* Registers up to the DMA command, docs/specs/edu.txt of QEMU. */
#define EDU_REGISTERS	0xa0
/* From here on they are 64 bits wide; before it, 32. */
#define EDU_DMA_SOURCE	0x80

struct edu {
	struct pci_dev *pdev;
	void __iomem *registers;
	struct vmcoredd_data dump;
};

static int edu_collect(struct vmcoredd_data *data, void *buffer)
{
	struct edu *edu = container_of(data, struct edu, dump);
	unsigned int offset;

	for (offset = 0; offset < EDU_DMA_SOURCE; offset += sizeof(u32))
		*(__le32 *)(buffer + offset) = cpu_to_le32(readl(edu->registers + offset));
	for (; offset < EDU_REGISTERS; offset += sizeof(u64))
		*(__le64 *)(buffer + offset) = cpu_to_le64(readq(edu->registers + offset));
	return 0;
}

static int edu_add_dump(struct edu *edu)
{
	edu->dump.size = EDU_REGISTERS;
	edu->dump.vmcoredd_callback = edu_collect;
	snprintf(edu->dump.dump_name, sizeof(edu->dump.dump_name), "edu_%s",
		 pci_name(edu->pdev));
	return vmcore_add_device_dump(&edu->dump);
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu *edu;
	int error;

	edu = devm_kzalloc(&pdev->dev, sizeof(*edu), GFP_KERNEL);
	if (!edu)
		return -ENOMEM;
	edu->pdev = pdev;

	error = pcim_enable_device(pdev);
	if (error)
		return error;
	edu->registers = pcim_iomap(pdev, 0, 0);
	if (!edu->registers)
		return -ENOMEM;

	if (is_kdump_kernel()) {
		error = edu_add_dump(edu);
		/* A device without its dump is still a device. */
		if (error)
			dev_warn(&pdev->dev, "no device dump: %d\n", error);
	}
	return 0;
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(EDU_VENDOR_ID, EDU_DEVICE_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_driver = {
	.name		= KBUILD_MODNAME,
	.id_table	= edu_ids,
	.probe		= edu_probe,
};
module_pci_driver(edu_driver);

MODULE_DESCRIPTION("Device dump of QEMU's edu device");
MODULE_LICENSE("GPL");
