/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the C files use by its newest name or in its newest form, for kernels that have
 * another one. The oldest that it was tried on is Linux 5.10.
 *
 * Only what is the same but for a name or a type is here. Where kernels behave
 * differently, the code says so where it is used, and asks for the behaviour and not for
 * the version if it can.
 */
#ifndef VMCOREDD_COMPAT_H
#define VMCOREDD_COMPAT_H

#include <linux/crc32.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/proc_fs.h>
#include <linux/types.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
#define _printk			printk
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
#define pde_data		PDE_DATA
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define rdmsrq_safe_on_cpu	rdmsrl_safe_on_cpu
#endif

/* Pages that a processor keeps of a zone. */
static inline int zone_cached_pages(struct zone *zone, int cpu)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 14, 0)
	return READ_ONCE(per_cpu_ptr(zone->pageset, cpu)->pcp.count);
#else
	return READ_ONCE(per_cpu_ptr(zone->per_cpu_pageset, cpu)->count);
#endif
}

static inline void vma_flags_change(struct vm_area_struct *vma, unsigned long set,
				    unsigned long clear)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#else
	vm_flags_mod(vma, set, clear);
#endif
}

/*
 * Without the inversions at its start and end. Before Linux 6.15, crc32c() is in a module
 * of its own, which a crash kernel may not have.
 */
static inline u32 crc32c_table(u32 crc, const void *data, size_t length)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
	return __crc32c_le(crc, data, length);
#else
	return crc32c(crc, data, length);
#endif
}

#endif /* VMCOREDD_COMPAT_H */
