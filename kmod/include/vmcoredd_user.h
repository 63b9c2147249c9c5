/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/vmcoredd, for user space: opened for reading, it is the file that
 * /proc/vmcoredd is; opened for writing, it takes one device dump:
 *
 *	VMCOREDD_IOC_NAME, any number of write()s, VMCOREDD_IOC_COMMIT, close()
 *
 * What is closed without a commit, by a process that dies, too, is discarded; the
 * manifest says that it was there. The layout of both arguments is the same for
 * 32-bit and 64-bit processes, their byte order is that of the machine.
 */
#ifndef VMCOREDD_USER_H
#define VMCOREDD_USER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/** Size of the field for a name, which ends in a zero byte. */
#define VMCOREDD_NAME_SIZE	44

/**
 * struct vmcoredd_name - a device dump that a process is about to write
 * @size: how many bytes it will be, or 0 when it is not known
 * @name: its name, 1 to 43 bytes and a zero; one that is taken gets a number
 * @reserved: 0
 */
struct vmcoredd_name {
	__u64 size;
	char name[VMCOREDD_NAME_SIZE];
	__u32 reserved;
};

/*
 * Names what is written, before anything else. EBUSY when it has a name, EINVAL for
 * one that cannot be or when device dumps are switched off, ENOMEM.
 */
#define VMCOREDD_IOC_NAME	_IOW(0xdc, 0, struct vmcoredd_name)

/*
 * Makes what was written a device dump, which is complete if the argument is 0. It is
 * partial, and the manifest says why, when that is a negative errno, ETIMEDOUT for
 * a producer that ran out of time, or a command's exit status, 1 to 255. Any other
 * argument is EINVAL.
 *
 * 0 when all that was written is kept; ENOSPC, EFBIG, ENOMEM, EFAULT when a part of it
 * is, as write() has told; EINVAL when nothing was written.
 */
#define VMCOREDD_IOC_COMMIT	_IOW(0xdc, 1, __s32)

/* Flags of struct vmcoredd_devices. */
#define VMCOREDD_BUILT_IN	0x1U	/* by the plans that the module has, too */
#define VMCOREDD_TOUCHES	0x2U	/* windows of devices may be moved */
#define VMCOREDD_CLEARS		0x4U	/* registers may be read that change by it */
#define VMCOREDD_ONLY		0x8U	/* the words are what is wanted, and nothing else */

/**
 * struct vmcoredd_devices - which devices to read, and how
 * @plans: address of plans, one after the other, that come before those of the module
 * @words: address of words, each with a zero byte after it: names of profiles, of dumps,
 *	or slots of PCI functions (0000:01:00.0), that are left out or, with VMCOREDD_ONLY,
 *	the only ones
 * @plans_length: how many bytes @plans has, 1 MiB at most, or 0
 * @words_length: how many bytes @words has, 64 KiB at most, or 0
 * @flags: VMCOREDD_BUILT_IN and so on
 * @deadline_ms: the time for one device, or 0 for what the module finds right
 */
struct vmcoredd_devices {
	__u64 plans;
	__u64 words;
	__u32 plans_length;
	__u32 words_length;
	__u32 flags;
	__u32 deadline_ms;
};

/*
 * Reads devices; each becomes a device dump of its own, and the manifest says what became
 * of it. EPERM where the kernel is locked down and a plan is not one of the module's,
 * EINVAL for what is no plan, an unknown flag, or when device dumps are switched off,
 * EFAULT, EFBIG, ENOMEM.
 */
#define VMCOREDD_IOC_DEVICES	_IOW(0xdc, 2, struct vmcoredd_devices)

#endif /* VMCOREDD_USER_H */
