// SPDX-License-Identifier: GPL-2.0-only
#include "vmcoredd_driver_module.h"

static const struct pci_device_id ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x1110) },
	{ }
};
vmcoredd_pci_driver(ids);

MODULE_DESCRIPTION("Device dump of QEMU's shared memory device");
MODULE_LICENSE("GPL");
