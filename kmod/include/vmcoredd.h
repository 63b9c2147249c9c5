/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device dumps that are written in pieces.
 *
 * Drivers that know mainline's vmcore_add_device_dump() from
 * <linux/crash_dump.h> need nothing of this: vmcoredd.ko exports that symbol,
 * too.
 */
#ifndef VMCOREDD_H
#define VMCOREDD_H

#include <linux/types.h>

struct module;
struct vmcoredd_writer;

/* Implemented in C. */

/**
 * Collects a device dump.
 * @owner: the module that @collect is in, THIS_MODULE; it stays loaded while
 *	   @collect runs
 * @name: name of the dump, 1 to 43 bytes, not necessarily terminated; a name
 *	  that is taken gets a number
 * @length: length of @name, in bytes
 * @size: how many bytes @collect will write, or 0; what it does write counts,
 *	  the manifest tells the difference
 * @collect: called once with @context; writes the dump with vmcoredd_write()
 *	     and returns 0, or a negative errno; what it wrote before is kept
 * @release: NULL, or called once with @context when @collect has ended, or when
 *	     it is not called at all; not after it crashed
 * @context: handed to @collect and @release
 *
 * @collect runs in a thread of its own, so that it may crash without harm, and
 * has as long as the module's parameter deadline_ms says. One that has not ended
 * by then is left to itself: it may still use @context after this function has
 * returned -ETIMEDOUT, until @release is called.
 *
 * Context: process context; may sleep. @collect and @release are called without
 * a lock of this module held.
 * Return: 0 when all that @collect wrote is kept; -EINVAL for bad arguments,
 * when nothing was written, or when novmcoredd is given; -ENOMEM; -EFBIG for
 * more than a note can hold; -ENOSPC for more than the limits allow; -EFAULT
 * when @collect crashed; -ETIMEDOUT; or what @collect returned. Every outcome is
 * in the log and in the manifest.
 */
int vmcoredd_collect(struct module *owner, const char *name, size_t length, u64 size,
		     int (*collect)(void *context, struct vmcoredd_writer *writer),
		     void (*release)(void *context), void *context);

/**
 * Puts @length bytes behind what was written to the dump before.
 * @writer: the writer that a collector was given
 * @data: the bytes
 * @length: how many they are
 *
 * Once it has failed it fails on every call: what was written before is kept.
 *
 * Context: within the collector that was given @writer, one thread at a time; may
 * sleep.
 * Return: 0, -ENOMEM, -ENOSPC for more than the limits allow, -EFBIG for more
 * than a note can hold, -EFAULT when there are no such bytes, -ETIMEDOUT when
 * the collector's time is over, or -EINVAL for a NULL pointer.
 */
int vmcoredd_write(struct vmcoredd_writer *writer, const void *data, size_t length);

#endif /* VMCOREDD_H */
