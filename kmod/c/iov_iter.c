// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a read() goes, and what a write() brings: memory of a process, most of the time.
 */
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "shim.h"

size_t shim_iter_left(const struct iov_iter *iter)
{
	return iov_iter_count(iter);
}

size_t shim_iter_copy(struct iov_iter *to, const void *from, size_t length)
{
	/*
	 * copy_to_iter() would look for the window that @from is in, among all that
	 * the kernel has mapped; Rust knows its bounds.
	 */
	return _copy_to_iter(from, length, to);
}

size_t shim_iter_zero(struct iov_iter *to, size_t length)
{
	return iov_iter_zero(length, to);
}

bool shim_iter_take(struct iov_iter *from, void *to, size_t length)
{
	cond_resched();
	return !fatal_signal_pending(current) && copy_from_iter_full(to, length, from);
}
