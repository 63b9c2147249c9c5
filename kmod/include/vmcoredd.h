/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device dumps that a driver writes in pieces.
 *
 * Drivers that know mainline's vmcore_add_device_dump() from <linux/crash_dump.h> need
 * nothing of this: vmcoredd.ko exports that symbol, too, for kernels that do not, and
 * vmcoredd_add_device_dump() for all.
 */
#ifndef VMCOREDD_H
#define VMCOREDD_H

#include <linux/types.h>

struct module;
struct vmcoredd_data;
struct vmcoredd_writer;
struct vmcoredd_collector;

/**
 * struct vmcoredd_collector - what makes one device dump
 * @owner: the module that @collect and @release are in, THIS_MODULE; it stays
 *	   loaded while they run
 * @name: name of the dump, 1 to 43 bytes and a zero; a name that is taken gets
 *	  a number
 * @size: how many bytes @collect will write, or 0 when it does not know; what it
 *	  does write counts, and the manifest says the difference
 * @deadline_ms: how long @collect may take, in milliseconds, or 0 for 30 seconds;
 *	  an operator may have set a shorter time
 * @collect: called once, in a thread of its own, so that it may crash without harm;
 *	  writes the dump with vmcoredd_write() and returns 0, or a negative errno
 *	  when that is not all: what it wrote before is kept, as a partial dump
 * @release: NULL, or called once, when @collect has ended or is not called at all;
 *	  not after it crashed
 *
 * All of it belongs to the driver, and must stay there until @release is called.
 */
struct vmcoredd_collector {
	struct module *owner;
	const char *name;
	u64 size;
	u32 deadline_ms;
	int (*collect)(struct vmcoredd_collector *collector, struct vmcoredd_writer *writer);
	void (*release)(struct vmcoredd_collector *collector);
};

/* Implemented in C. */

/**
 * vmcoredd_add_device_dump() - add a device dump to the vmcore
 * @data: name, size and callback of the dump, as in mainline
 *
 * Calls the callback with a zero-filled buffer of the size that it asked for
 * and keeps what it left there, compressed. On a kernel that has device dumps of its
 * own, vmcore_add_device_dump() is the kernel's function, and this one is ours.
 *
 * Context: process context; may sleep. The callback is called in a thread of its
 * own, while this one waits, so that it may crash without harm to its driver.
 * Return: 0; -EINVAL for bad arguments, or when device dumps are switched off; -ENOMEM;
 * -EFBIG for more than a note can hold; -ENOSPC when not all of it was kept;
 * -EFAULT when the callback crashed; -ETIMEDOUT when it did not end within
 * callback_deadline_ms; or what it returned. Every outcome is in the log and in
 * the manifest.
 */
int vmcoredd_add_device_dump(struct vmcoredd_data *data);

/**
 * vmcoredd_wanted() - whether drivers are to hand over device dumps
 *
 * They are in a crash kernel, unless device dumps are switched off, and in a running
 * system where the module's parameter live is set.
 *
 * Context: any.
 * Return: true when they are.
 */
bool vmcoredd_wanted(void);

/**
 * vmcoredd_register() - make a device dump
 * @collector: what makes it
 *
 * Lets the collector write its dump, and waits for that. One that does not end in
 * time is left to itself: it may still run after this function has returned
 * -ETIMEDOUT, until it calls its release function.
 *
 * Context: process context; may sleep. The collector's functions are called without
 * a lock of this module held.
 * Return: 0 when all that was written is kept; -EINVAL when the collector is not
 * as described, wrote nothing, or device dumps are switched off; -ENOMEM; -EFBIG for more
 * than a note can hold; -ENOSPC for more than the limits allow; -EFAULT when it
 * crashed; -ETIMEDOUT; or what it returned. Every outcome is in the log and in the
 * manifest.
 */
int vmcoredd_register(struct vmcoredd_collector *collector);

/**
 * vmcoredd_write() - put bytes after what was written to a dump before
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

/**
 * vmcoredd_time_left() - how long a collector may still write
 * @writer: the writer that it was given
 *
 * What is slow to read can be left out in time, and an errno be returned for it.
 *
 * Context: within the collector that was given @writer; may sleep.
 * Return: milliseconds; 0 when its time is over.
 */
u32 vmcoredd_time_left(struct vmcoredd_writer *writer);

#endif /* VMCOREDD_H */
