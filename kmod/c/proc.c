// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries in /proc.
 */
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/stringhash.h>

#include "compat.h"
#include "internal.h"
#include "shim.h"

/* Files only grow: of two sizes that race here, the larger one is newer. */
static void grow(struct inode *inode, loff_t size)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	if (size > i_size_read(inode))
		i_size_write(inode, size);
	spin_unlock(&lock);
}

static int entry_open(struct inode *inode, struct file *file)
{
	int error = 0;

	if (!try_module_get(THIS_MODULE))
		return -ENOENT;
	file->private_data = rust_open((uintptr_t)pde_data(inode), &error);
	if (!file->private_data) {
		module_put(THIS_MODULE);
		return error;
	}
	grow(inode, rust_size(file->private_data));
	return 0;
}

static int entry_release(struct inode *inode, struct file *file)
{
	rust_release(file->private_data);
	module_put(THIS_MODULE);
	return 0;
}

static const struct proc_ops entry_ops = {
	.proc_open	= entry_open,
	.proc_release	= entry_release,
	.proc_read_iter	= served_read,
	.proc_lseek	= served_lseek,
	.proc_mmap	= served_mmap,
};

static const char * const file_names[] = {
	[SHIM_FILE_VMCORE]	= "vmcore",
	[SHIM_FILE_VMCOREDD]	= "vmcoredd",
};

struct proc_dir_entry *shim_proc_create(u32 file)
{
	if (fault())
		return NULL;
	return proc_create_data(file_names[file], 0400, NULL, &entry_ops, (void *)(uintptr_t)file);
}

void shim_proc_remove(struct proc_dir_entry *entry)
{
	proc_remove(entry);
}

/*
 * An inode that is in use has a size of its own, and procfs does not say which inodes an
 * entry has; the one that is looked at is that in /proc. Where this task has no /proc, or
 * is exiting and has no root directory any more, the next open() sets its size.
 */
void shim_proc_set_sizes(struct proc_dir_entry **entries, const loff_t *sizes)
{
	struct path proc;
	u32 file;

	for (file = 0; file < SHIM_FILES; file++)
		if (entries[file])
			proc_set_size(entries[file], sizes[file]);
	if (!current->fs || kern_path("/proc", 0, &proc))
		return;
	for (file = 0; file < SHIM_FILES; file++) {
		struct qstr name = QSTR_INIT(file_names[file], strlen(file_names[file]));
		struct dentry *dentry;

		if (!entries[file] || proc.dentry->d_sb->s_magic != PROC_SUPER_MAGIC)
			continue;
		name.hash = full_name_hash(proc.dentry, name.name, name.len);
		dentry = d_lookup(proc.dentry, &name);
		/* A dentry that is made from now on has the size of the entry. */
		if (dentry && d_really_is_positive(dentry))
			grow(d_inode(dentry), sizes[file]);
		dput(dentry);
	}
	path_put(&proc);
}

void shim_proc_remove_kernels_vmcore(void)
{
	remove_proc_entry("vmcore", NULL);
}
