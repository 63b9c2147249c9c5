/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the C file of a driver module in Rust needs: a table of its devices,
 * and this macro with its name.
 */
#ifndef VMCOREDD_DRIVER_MODULE_H
#define VMCOREDD_DRIVER_MODULE_H

#include <linux/module.h>
#include <linux/pci.h>

#include "driver.h"

/**
 * vmcoredd_driver_register() - register a PCI driver whose probe is in Rust
 * @driver: the driver
 *
 * Where dumps are wanted in a running system, devices that other drivers have are
 * probed, too, and stay theirs.
 *
 * Context: process context; sleeps.
 * Return: 0 or a negative errno.
 */
int vmcoredd_driver_register(struct pci_driver *driver);

/**
 * vmcoredd_pci_driver() - define a PCI driver whose probe is in Rust
 * @ids: its table of struct pci_device_id
 */
#define vmcoredd_pci_driver(ids)					\
	MODULE_DEVICE_TABLE(pci, ids);					\
	static int vmcoredd_probe(struct pci_dev *pdev,			\
				  const struct pci_device_id *id)	\
	{								\
		return rust_probe(pdev);				\
	}								\
	static struct pci_driver vmcoredd_driver = {			\
		.name		= KBUILD_MODNAME,			\
		.id_table	= (ids),				\
		.probe		= vmcoredd_probe,			\
	};								\
	module_driver(vmcoredd_driver, vmcoredd_driver_register, pci_unregister_driver)

#endif /* VMCOREDD_DRIVER_MODULE_H */
