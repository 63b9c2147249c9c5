// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files that readers see, /proc/vmcore and /proc/vmcoredd, and /dev/vmcoredd for a
 * reader. An open file holds a snapshot, and counts as a use of the module, whose code
 * its mappings fault into.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/uio.h>

#include "compat.h"
#include "internal.h"
#include "shim.h"

ssize_t served_read(struct kiocb *iocb, struct iov_iter *to)
{
	ssize_t read = rust_read(iocb->ki_filp->private_data, iocb->ki_pos, to);

	if (read > 0)
		iocb->ki_pos += read;
	return read;
}

loff_t served_lseek(struct file *file, loff_t offset, int whence)
{
	/* As in the kernel's own file, a position may lie after the end. */
	return generic_file_llseek_size(file, offset, whence, MAX_LFS_FILESIZE,
					rust_size(file->private_data));
}

static vm_fault_t served_fault(struct vm_fault *vmf)
{
	struct page *page = alloc_page(GFP_MODEST);
	struct iov_iter to;
	struct kvec whole;

	/* VM_FAULT_OOM would make the fault come back for ever. */
	if (!page)
		return VM_FAULT_SIGBUS;
	whole.iov_base = page_address(page);
	whole.iov_len = PAGE_SIZE;
	iov_iter_kvec(&to, READ, &whole, 1, PAGE_SIZE);
	if (rust_read(vmf->vma->vm_file->private_data, (loff_t)vmf->pgoff << PAGE_SHIFT,
		      &to) != PAGE_SIZE) {
		__free_page(page);
		return VM_FAULT_SIGBUS;
	}
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct served_vm_ops = {
	.fault	= served_fault,
};

int served_mmap(struct file *file, struct vm_area_struct *vma)
{
	const void *snapshot = file->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 size = vma->vm_end - vma->vm_start;
	u64 end;

	if (check_add_overflow(offset, size, &end) || end > rust_size(snapshot))
		return -EINVAL;
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EPERM;
	vma_flags_change(vma, VM_MIXEDMAP, VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_ops = &served_vm_ops;
	return rust_mmap(snapshot, offset, size, vma);
}
