/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the C files of vmcoredd.ko use of one another. Rust knows nothing of it.
 */
#ifndef VMCOREDD_INTERNAL_H
#define VMCOREDD_INTERNAL_H

#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/types.h>

/* Reclaim, then fail: the OOM killer might take the process that saves the vmcore. */
#define GFP_MODEST	(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Whether this call of something that may fail is to fail, in a build for tests. */
#ifdef VMCOREDD_FAULTS
bool fault(void);
#else
static inline bool fault(void)
{
	return false;
}
#endif

/* Ends the thread that is kept for the next collector; nobody starts one any more. */
void thread_end_kept(void);

/* Operations of a file whose private_data is a snapshot of rust_open(). */
ssize_t served_read(struct kiocb *iocb, struct iov_iter *to);
loff_t served_lseek(struct file *file, loff_t offset, int whence);
int served_mmap(struct file *file, struct vm_area_struct *vma);

#endif /* VMCOREDD_INTERNAL_H */
