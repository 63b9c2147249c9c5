// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module: its parameters, its lines in the kernel log, loading and unloading.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kconfig.h>
#include <linux/kern_levels.h>
#include <linux/module.h>
#include <linux/printk.h>

#include "compat.h"
#include "internal.h"
#include "shim.h"

#if !IS_ENABLED(CONFIG_PROC_VMCORE)
#error "vmcoredd: the kernel has no /proc/vmcore (CONFIG_PROC_VMCORE)"
#endif
#if !IS_ENABLED(CONFIG_LZO_COMPRESS) || !IS_ENABLED(CONFIG_LZO_DECOMPRESS)
#error "vmcoredd: the kernel has no LZO (CONFIG_LZO_COMPRESS, CONFIG_LZO_DECOMPRESS)"
#endif
#if !IS_ENABLED(CONFIG_CRC32)
#error "vmcoredd: the kernel has no check sums (CONFIG_CRC32)"
#endif
#if !IS_ENABLED(CONFIG_PCI) || !IS_ENABLED(CONFIG_ACPI)
#error "vmcoredd: the kernel has no PCI or no ACPI (CONFIG_PCI, CONFIG_ACPI)"
#endif

static_assert(SHIM_LOG_ERR == LOGLEVEL_ERR);
static_assert(SHIM_LOG_WARN == LOGLEVEL_WARNING);
static_assert(SHIM_LOG_INFO == LOGLEVEL_INFO);
static_assert(SHIM_EPERM == EPERM);
static_assert(SHIM_EIO == EIO);
static_assert(SHIM_ENOMEM == ENOMEM);
static_assert(SHIM_EFAULT == EFAULT);
static_assert(SHIM_EBUSY == EBUSY);
static_assert(SHIM_EINVAL == EINVAL);
static_assert(SHIM_EFBIG == EFBIG);
static_assert(SHIM_ENOSPC == ENOSPC);
static_assert(SHIM_ETIMEDOUT == ETIMEDOUT);

static ulong budget_kib;
module_param(budget_kib, ulong, 0444);
MODULE_PARM_DESC(budget_kib, "Memory that dumps may take, in KiB (default: 9/16 of what is available, 1/16 in a running system)");

static ulong dump_kib;
module_param(dump_kib, ulong, 0444);
MODULE_PARM_DESC(dump_kib, "Memory that one dump may take, in KiB (default: the budget)");

static ulong inline_kib;
module_param(inline_kib, ulong, 0444);
MODULE_PARM_DESC(inline_kib, "Size of dumps in /proc/vmcore, in KiB (default: an eighth of what is available)");

static uint deadline_ms;
module_param(deadline_ms, uint, 0444);
MODULE_PARM_DESC(deadline_ms, "Most time for a collector of vmcoredd_register(), in ms (default: 30000)");

/*
 * To read a whole adapter takes seconds; a probe that never ends would cost the vmcore.
 */
static uint callback_deadline_ms = 60000;
module_param(callback_deadline_ms, uint, 0444);
MODULE_PARM_DESC(callback_deadline_ms, "Time for a callback of vmcore_add_device_dump(), in ms, or 0 for any time (default: 60000)");

static bool live;
module_param(live, bool, 0444);
MODULE_PARM_DESC(live, "In a running system, ask drivers for device dumps (default: no)");

static bool off;
module_param(off, bool, 0444);
MODULE_PARM_DESC(off, "Take no device dumps, and leave /proc/vmcore alone (default: no)");

void shim_parameters(struct shim_parameters *parameters)
{
	parameters->budget_kib = budget_kib;
	parameters->dump_kib = dump_kib;
	parameters->inline_kib = inline_kib;
	parameters->deadline_ms = deadline_ms;
	parameters->callback_deadline_ms = callback_deadline_ms;
	parameters->live = live;
	parameters->off = off;
}

#ifdef VMCOREDD_FAULTS
static uint calls;
module_param(calls, uint, 0644);
MODULE_PARM_DESC(calls, "Test only: how many calls of the kernel could have failed so far");

static uint fail_at;
module_param(fail_at, uint, 0644);
MODULE_PARM_DESC(fail_at, "Test only: which of these calls fails, counted from 1");

static uint fail_count = 1;
module_param(fail_count, uint, 0644);
MODULE_PARM_DESC(fail_count, "Test only: how many of them fail from there on");

bool fault(void)
{
	calls++;
	return fail_at && calls >= fail_at && calls - fail_at < fail_count;
}
#endif

/* Not printk(): to index this one format, which says nothing, takes more than its code. */
void shim_log(u32 level, const char *text, size_t length)
{
	_printk(KERN_SOH "%u" pr_fmt("%.*s\n"), level, (int)length, text);
}

void shim_pin_module(void)
{
	__module_get(THIS_MODULE);
}

static int __init vmcoredd_init(void)
{
	return rust_load();
}

static void __exit vmcoredd_exit(void)
{
	thread_end_kept();
	rust_unload();
}

module_init(vmcoredd_init);
module_exit(vmcoredd_exit);

MODULE_DESCRIPTION("vmcore device dumps for stock kernels");
MODULE_LICENSE("GPL");
