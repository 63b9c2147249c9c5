// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks, the clock and the scheduler.
 */
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "internal.h"
#include "shim.h"

u64 shim_milliseconds(void)
{
	return ktime_to_ms(ktime_get());
}

struct mutex *shim_mutex_create(u32 lock)
{
	static const char * const names[] = {
		[SHIM_LOCK_STORE]	= "vmcoredd_store",
		[SHIM_LOCK_ENTRIES]	= "vmcoredd_entries",
		[SHIM_LOCK_WINDOWS]	= "vmcoredd_windows",
		[SHIM_LOCK_WRITER]	= "vmcoredd_writer",
		[SHIM_LOCK_CACHE]	= "vmcoredd_cache",
		[SHIM_LOCK_PRODUCER]	= "vmcoredd_producer",
	};
	static struct lock_class_key keys[ARRAY_SIZE(names)];
	struct mutex *mutex = fault() ? NULL : kmalloc(sizeof(*mutex), GFP_MODEST);

	if (mutex)
		__mutex_init(mutex, names[lock], &keys[lock]);
	return mutex;
}

void shim_mutex_destroy(struct mutex *mutex)
{
	mutex_destroy(mutex);
	kfree(mutex);
}

void shim_mutex_lock(struct mutex *mutex)
{
	mutex_lock(mutex);
}

void shim_mutex_unlock(struct mutex *mutex)
{
	mutex_unlock(mutex);
}

void shim_resched(void)
{
	cond_resched();
}

void shim_sleep(u32 milliseconds)
{
	msleep(milliseconds);
}
