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
 * one that cannot be or when novmcoredd is given, ENOMEM.
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

#endif /* VMCOREDD_USER_H */
