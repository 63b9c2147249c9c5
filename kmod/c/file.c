// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that the module itself reads.
 */
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fs.h>

#include "internal.h"
#include "shim.h"

struct file *shim_file_open(const char *path, int *error)
{
	struct file *file = fault() ? ERR_PTR(-EMFILE) : filp_open(path, O_RDONLY, 0);

	*error = PTR_ERR_OR_ZERO(file);
	return IS_ERR(file) ? NULL : file;
}

ssize_t shim_file_read(struct file *file, loff_t offset, void *to, size_t length)
{
	return fault() ? -EIO : kernel_read(file, to, length, &offset);
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
