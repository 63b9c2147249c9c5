// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/plain: 16 MiB of plain kernel memory. How fast that can be read is the limit of
 * what is copied to user space.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#define SIZE	(16 << 20)

static u8 *memory;

static ssize_t plain_read(struct file *file, char __user *to, size_t length, loff_t *at)
{
	return simple_read_from_buffer(to, length, at, memory, SIZE);
}

static const struct proc_ops plain_ops = {
	.proc_read	= plain_read,
	.proc_lseek	= default_llseek,
};

static int __init plain_init(void)
{
	struct proc_dir_entry *entry;

	memory = vmalloc(SIZE);
	if (!memory)
		return -ENOMEM;
	memset(memory, 0x5a, SIZE);
	entry = proc_create("plain", 0400, NULL, &plain_ops);
	if (!entry) {
		vfree(memory);
		return -ENOMEM;
	}
	proc_set_size(entry, SIZE);
	return 0;
}
module_init(plain_init);

static void __exit plain_exit(void)
{
	remove_proc_entry("plain", NULL);
	vfree(memory);
}
module_exit(plain_exit);

MODULE_DESCRIPTION("Plain kernel memory to be read");
MODULE_LICENSE("GPL");
