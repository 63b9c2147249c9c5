// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that the module itself reads.
 */
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "shim.h"

struct file *shim_file_open(const char *path, int *error)
{
	struct file *file = fault() ? ERR_PTR(-EMFILE) : filp_open(path, O_RDONLY, 0);

	*error = PTR_ERR_OR_ZERO(file);
	return IS_ERR(file) ? NULL : file;
}

/*
 * Reads a file that can only be read to the memory of a process, by way of that of the one
 * that inserts the module.
 */
static ssize_t read_as_process(struct file *file, loff_t offset, void *to, size_t length)
{
	size_t part = min_t(size_t, length, SZ_1M);
	unsigned long between;
	ssize_t got;

	if (!current->mm)
		return -EFAULT;
	between = vm_mmap(NULL, 0, PAGE_ALIGN(part), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(between))
		return between;
	got = file->f_op->read(file, (char __user *)between, part, &offset);
	if (got > 0 && copy_from_user(to, (const char __user *)between, got))
		got = -EFAULT;
	vm_munmap(between, PAGE_ALIGN(part));
	return got;
}

ssize_t shim_file_read(struct file *file, loff_t offset, void *to, size_t length)
{
	if (fault())
		return -EIO;
	/* Of such a file, as /proc/vmcore was before Linux 5.19, kernel_read() reads nothing. */
	if (file->f_op->read)
		return read_as_process(file, offset, to, length);
	return kernel_read(file, to, length, &offset);
}

loff_t shim_file_size(struct file *file)
{
	return fault() ? -EIO : vfs_llseek(file, 0, SEEK_END);
}

bool shim_file_is_shared(struct file *file)
{
	return d_count(file->f_path.dentry) > 1;
}

void shim_file_close(struct file *file)
{
	filp_close(file, NULL);
}
