// SPDX-License-Identifier: GPL-2.0-only
#include "vmcoredd_driver_module.h"

static const struct pci_device_id ids[] = {
	{ PCI_DEVICE_CLASS(PCI_CLASS_STORAGE_EXPRESS, 0xffffff) },
	{ }
};
vmcoredd_pci_driver(ids);

MODULE_DESCRIPTION("Device dump of the registers of NVMe devices");
MODULE_LICENSE("GPL");
