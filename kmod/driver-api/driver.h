/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the C and the Rust side of a driver module in Rust.
 * vmcoredd_driver_module.h has the macros that a driver's own C file needs.
 */
#ifndef VMCOREDD_DRIVER_H
#define VMCOREDD_DRIVER_H

#include <linux/types.h>

/* Errors, as in <linux/errno.h>. */
#define DRIVER_ENOMEM	12
#define DRIVER_ENODEV	19
#define DRIVER_EINVAL	22

struct module;
struct pci_dev;

/* Implemented in C. */

/** The driver's own module. */
struct module *driver_module(void);

/** @size bytes, or NULL. May sleep. Freed with driver_free(). */
void *driver_alloc(size_t size);

/** Frees what driver_alloc() gave. */
void driver_free(void *memory);

/** Keeps @pdev from being freed. */
void driver_pci_get(struct pci_dev *pdev);

/** Undoes driver_pci_get(). May sleep. */
void driver_pci_put(struct pci_dev *pdev);

/** Name of @pdev, terminated, which lives as long as it. */
const char *driver_pci_name(const struct pci_dev *pdev);

/** Enables @pdev's memory; 0 or a negative errno. May sleep. */
int driver_pci_enable(struct pci_dev *pdev);

/** Undoes driver_pci_enable(). */
void driver_pci_disable(struct pci_dev *pdev);

/**
 * Maps BAR @index of @pdev, whole, and puts its size into @size, in bytes. NULL
 * when there is no such BAR, or no address space. May sleep.
 */
void *driver_map_bar(struct pci_dev *pdev, int index, size_t *size);

/** Undoes driver_map_bar(). */
void driver_unmap_bar(struct pci_dev *pdev, void *bar);

/** Copies @length bytes from @from, which is in a mapped BAR of memory. */
void driver_copy_from_bar(void *to, const void *from, size_t length);

/** The 32-bit register at @from, which is in a mapped BAR, with one access. */
u32 driver_read_register(const void *from);

/* Implemented in Rust. */

/**
 * A device was found: 0 or a negative errno. May sleep.
 */
int rust_probe(struct pci_dev *pdev);

#endif /* VMCOREDD_DRIVER_H */
