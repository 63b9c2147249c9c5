// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vmcoredd: for a reader, the file that /proc/vmcoredd is; for a writer, the producer
 * of a dump. The VFS counts who has it open, by the owner of the operations.
 */
#include <linux/build_bug.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "shim.h"
#include "vmcoredd_user.h"

static_assert(sizeof(struct vmcoredd_name) == 56);
static_assert(sizeof(struct vmcoredd_devices) == sizeof(struct shim_request));
static_assert(offsetof(struct vmcoredd_devices, plans) ==
	      offsetof(struct shim_request, plans));
static_assert(offsetof(struct vmcoredd_devices, words) ==
	      offsetof(struct shim_request, words));
static_assert(offsetof(struct vmcoredd_devices, plans_length) ==
	      offsetof(struct shim_request, plans_length));
static_assert(offsetof(struct vmcoredd_devices, words_length) ==
	      offsetof(struct shim_request, words_length));
static_assert(offsetof(struct vmcoredd_devices, flags) ==
	      offsetof(struct shim_request, flags));
static_assert(offsetof(struct vmcoredd_devices, deadline_ms) ==
	      offsetof(struct shim_request, deadline_ms));

static int producer_release(struct inode *inode, struct file *file)
{
	rust_producer_release(file->private_data);
	return 0;
}

static ssize_t producer_write(struct kiocb *iocb, struct iov_iter *from)
{
	return rust_producer_write(iocb->ki_filp->private_data, from);
}

static long producer_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	void __user *from = (void __user *)argument;
	struct shim_request request;
	struct vmcoredd_name name;
	s32 status;

	switch (command) {
	case VMCOREDD_IOC_NAME:
		if (copy_from_user(&name, from, sizeof(name)))
			return -EFAULT;
		if (name.reserved)
			return -EINVAL;
		return rust_producer_name(file->private_data, name.name, name.size);
	case VMCOREDD_IOC_COMMIT:
		if (copy_from_user(&status, from, sizeof(status)))
			return -EFAULT;
		return rust_producer_commit(file->private_data, status);
	case VMCOREDD_IOC_DEVICES:
		if (copy_from_user(&request, from, sizeof(request)))
			return -EFAULT;
		return rust_devices(&request);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations producer_ops = {
	.owner		= THIS_MODULE,
	.release	= producer_release,
	.write_iter	= producer_write,
	.unlocked_ioctl	= producer_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static int device_open(struct inode *inode, struct file *file)
{
	const struct file_operations *ops = &producer_ops;
	int error = -ENOMEM;

	switch (file->f_mode & (FMODE_READ | FMODE_WRITE)) {
	case FMODE_READ:
		file->private_data = rust_open(SHIM_FILE_VMCOREDD, &error);
		return file->private_data ? 0 : error;
	case FMODE_WRITE:
		file->private_data = rust_producer_create();
		if (!file->private_data)
			return -ENOMEM;
		replace_fops(file, fops_get(ops));
		return stream_open(inode, file);
	default:
		return -EINVAL;
	}
}

static int device_release(struct inode *inode, struct file *file)
{
	rust_release(file->private_data);
	return 0;
}

static const struct file_operations device_ops = {
	.owner		= THIS_MODULE,
	.open		= device_open,
	.release	= device_release,
	.read_iter	= served_read,
	.llseek		= served_lseek,
	.mmap		= served_mmap,
};

static struct miscdevice device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= KBUILD_MODNAME,
	.fops	= &device_ops,
	.mode	= 0600,
};

int shim_device_create(void)
{
	return fault() ? -ENOMEM : misc_register(&device);
}

void shim_device_remove(void)
{
	misc_deregister(&device);
}
