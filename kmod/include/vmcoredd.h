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

struct vmcoredd_writer;

/* Implemented in C. */

/**
 * Collects a device dump.
 * @name: name of the dump, 1 to 43 bytes, not necessarily terminated; a name
 *	  that is taken gets a number
 * @length: length of @name, in bytes
 * @collect: called once with @context; writes the dump with vmcoredd_write()
 *	     and returns 0, or a negative errno that makes the dump fail
 * @context: handed to @collect
 *
 * Context: process context; may sleep. @collect is called in the context of
 * the caller, without a lock held.
 * Return: 0; -EINVAL for bad arguments, or when novmcoredd is given; -ENOMEM;
 * -EFBIG for more than a note can hold; or what @collect returned. Every
 * failure is in the log, too.
 */
int vmcoredd_collect(const char *name, size_t length,
		     int (*collect)(void *context, struct vmcoredd_writer *writer),
		     void *context);

/**
 * Puts @length bytes behind what was written to the dump before.
 * @writer: the writer that a collector was given
 * @data: the bytes
 * @length: how many they are
 *
 * Context: within the collector that was given @writer; may sleep.
 * Return: 0, -ENOMEM, or -EFBIG for more than a note can hold.
 */
int vmcoredd_write(struct vmcoredd_writer *writer, const void *data, size_t length);

#endif /* VMCOREDD_H */
