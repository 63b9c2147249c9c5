// SPDX-License-Identifier: GPL-2.0-only
/*
 * The C side of vmcoredd.ko: the kernel's macros, inline functions and struct
 * layouts, as shim.h says. Everything that decides something is in Rust.
 */

/*
 * With the option set, <linux/crash_dump.h> declares vmcore_add_device_dump()
 * instead of defining a stub, for us as for every driver that calls us.
 */
#include <linux/kconfig.h>
#ifdef CONFIG_PROC_VMCORE_DEVICE_DUMP
#define KERNEL_HAS_DEVICE_DUMPS 1
#else
#define KERNEL_HAS_DEVICE_DUMPS 0
#define CONFIG_PROC_VMCORE_DEVICE_DUMP 1
#endif

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cc_platform.h>
#include <linux/crash_dump.h>
#include <linux/dcache.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include <asm/hypervisor.h>

#include "shim.h"
#include "vmcoredd.h"

/* Reclaim, then fail: the OOM killer might take the saver of the vmcore. */
#define GFP_MODEST	(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

#define PCI_DEVICE_ID_VIRTIO_MEM	0x1058

static_assert(SHIM_LOG_ERR == LOGLEVEL_ERR);
static_assert(SHIM_LOG_WARN == LOGLEVEL_WARNING);
static_assert(SHIM_LOG_INFO == LOGLEVEL_INFO);
static_assert(SHIM_EIO == EIO);
static_assert(SHIM_ENOMEM == ENOMEM);
static_assert(SHIM_EFAULT == EFAULT);
static_assert(SHIM_EINVAL == EINVAL);
static_assert(SHIM_EFBIG == EFBIG);
static_assert(sizeof_field(struct vmcoredd_data, dump_name) == 44);
static_assert(sizeof_field(struct vmcoredd_data, size) == sizeof(u32));
static_assert(PAGE_SIZE == 4096);

void shim_log(int level, const char *text, size_t length)
{
	switch (level) {
	case SHIM_LOG_ERR:
		pr_err("%.*s\n", (int)length, text);
		break;
	case SHIM_LOG_WARN:
		pr_warn("%.*s\n", (int)length, text);
		break;
	default:
		pr_info("%.*s\n", (int)length, text);
	}
}

/* virtio-mem unplugs memory that must not be read; its driver may come later. */
static bool has_virtio_mem(void)
{
	struct pci_dev *device = pci_get_device(PCI_VENDOR_ID_REDHAT_QUMRANET,
						PCI_DEVICE_ID_VIRTIO_MEM, NULL);

	pci_dev_put(device);
	return device;
}

/*
 * The callback of unaccepted memory is always registered where it is built in;
 * it says something in encrypted guests alone, which have their own bit.
 */
#if IS_ENABLED(CONFIG_UNACCEPTED_MEMORY) && LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define HARMLESS_CALLBACKS	1
#else
#define HARMLESS_CALLBACKS	0
#endif

/*
 * Whether other code says which pages of old memory must not be read: Xen, the
 * GART, virtio-mem. The kernel asks it on every read, and nobody else can.
 */
static bool has_vmcore_callback(void)
{
	struct vmcore_cb own = { };
	struct list_head *node;
	unsigned int others = 0;

	register_vmcore_cb(&own);
	list_for_each(node, &own.next)
		others++;
	unregister_vmcore_cb(&own);
	/* The head of the list was counted, too. */
	return others > 1 + HARMLESS_CALLBACKS;
}

u32 shim_environment(void)
{
	u32 found = 0;

	if (is_kdump_kernel())
		found |= SHIM_ENV_CRASH_KERNEL;
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		found |= SHIM_ENV_ENCRYPTED;
	if (hypervisor_is_type(X86_HYPER_XEN_PV) || hypervisor_is_type(X86_HYPER_XEN_HVM))
		found |= SHIM_ENV_XEN;
	if (has_virtio_mem())
		found |= SHIM_ENV_VIRTIO_MEM;
	if (has_vmcore_callback())
		found |= SHIM_ENV_CALLBACK;
	return found;
}

u64 shim_memory_available(void)
{
	return (u64)max(si_mem_available(), 0L) << PAGE_SHIFT;
}

void *shim_alloc(size_t size)
{
	return kvzalloc(size, GFP_MODEST);
}

void shim_free(const void *memory)
{
	kvfree(memory);
}

void *shim_alloc_pages(size_t size)
{
	return __vmalloc(size, GFP_MODEST | __GFP_ZERO);
}

struct mutex *shim_mutex_create(u32 lock)
{
	static const char * const names[] = {
		[SHIM_LOCK_STORE]	= "vmcoredd_store",
		[SHIM_LOCK_ENTRIES]	= "vmcoredd_entries",
		[SHIM_LOCK_WINDOWS]	= "vmcoredd_windows",
	};
	static struct lock_class_key keys[ARRAY_SIZE(names)];
	struct mutex *mutex = kmalloc(sizeof(*mutex), GFP_MODEST);

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

struct file *shim_file_open(const char *path, int *error)
{
	struct file *file = filp_open(path, O_RDONLY, 0);

	*error = PTR_ERR_OR_ZERO(file);
	return IS_ERR(file) ? NULL : file;
}

ssize_t shim_file_read(struct file *file, loff_t offset, void *to, size_t length)
{
	return kernel_read(file, to, length, &offset);
}

loff_t shim_file_size(struct file *file)
{
	return vfs_llseek(file, 0, SEEK_END);
}

bool shim_file_is_shared(struct file *file)
{
	return d_count(file->f_path.dentry) > 1;
}

void shim_file_close(struct file *file)
{
	filp_close(file, NULL);
}

void *shim_map_window(u64 physical, size_t size)
{
	/*
	 * Where there is any memory of this kernel, memremap() gives the direct
	 * map, in which the holes around that memory are not mapped.
	 */
	if (region_intersects(physical, size, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT)
		return NULL;
	return memremap(physical, size, MEMREMAP_WB);
}

void shim_unmap_window(void *window)
{
	memunmap(window);
}

void *shim_map_page(u64 physical)
{
	return (__force void *)ioremap_cache(physical, PAGE_SIZE);
}

void shim_unmap_page(void *page)
{
	iounmap((__force void __iomem *)page);
}

int shim_map_user(struct vm_area_struct *vma, u64 offset, u64 physical, u64 size)
{
	return remap_pfn_range(vma, vma->vm_start + offset, PHYS_PFN(physical), size,
			       vma->vm_page_prot);
}

size_t shim_iter_space(const struct iov_iter *to)
{
	return iov_iter_count(to);
}

size_t shim_iter_copy(struct iov_iter *to, const void *from, size_t length)
{
	return copy_to_iter(from, length, to);
}

size_t shim_iter_zero(struct iov_iter *to, size_t length)
{
	return iov_iter_zero(length, to);
}

int shim_call_collector(struct vmcoredd_data *data, void *buffer)
{
	return data->vmcoredd_callback(data, buffer);
}

/*
 * The files. An open file holds a snapshot and, through the module's use
 * count, the code that its mappings fault into.
 */
static int file_open(struct inode *inode, struct file *file)
{
	loff_t size;
	int error = 0;

	if (!try_module_get(THIS_MODULE))
		return -ENOENT;
	file->private_data = rust_open((uintptr_t)pde_data(inode), &error);
	if (!file->private_data) {
		module_put(THIS_MODULE);
		return error;
	}
	/* Files only grow; of two that race here, the larger one is newer. */
	size = rust_size(file->private_data);
	if (size > i_size_read(inode))
		i_size_write(inode, size);
	return 0;
}

static int file_release(struct inode *inode, struct file *file)
{
	rust_release(file->private_data);
	module_put(THIS_MODULE);
	return 0;
}

static ssize_t file_read(struct kiocb *iocb, struct iov_iter *to)
{
	ssize_t read = rust_read(iocb->ki_filp->private_data, iocb->ki_pos, to);

	if (read > 0)
		iocb->ki_pos += read;
	return read;
}

static loff_t file_lseek(struct file *file, loff_t offset, int whence)
{
	/* As in the kernel's own file, a position may lie behind the end. */
	return generic_file_llseek_size(file, offset, whence, MAX_LFS_FILESIZE,
					rust_size(file->private_data));
}

static vm_fault_t file_fault(struct vm_fault *vmf)
{
	struct page *page = alloc_page(GFP_MODEST);
	int error;

	/* VM_FAULT_OOM would make the fault come back for ever. */
	if (!page)
		return VM_FAULT_SIGBUS;
	error = rust_fill_page(vmf->vma->vm_file->private_data,
			       (u64)vmf->pgoff << PAGE_SHIFT, page_address(page));
	if (error) {
		__free_page(page);
		return VM_FAULT_SIGBUS;
	}
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct file_vm_ops = {
	.fault	= file_fault,
};

static int file_mmap(struct file *file, struct vm_area_struct *vma)
{
	const void *snapshot = file->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 size = vma->vm_end - vma->vm_start;
	u64 end;

	if (check_add_overflow(offset, size, &end) || end > rust_size(snapshot))
		return -EINVAL;
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EPERM;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, VM_MIXEDMAP, VM_MAYWRITE | VM_MAYEXEC);
#else
	vma->vm_flags |= VM_MIXEDMAP;
	vma->vm_flags &= ~(VM_MAYWRITE | VM_MAYEXEC);
#endif
	vma->vm_ops = &file_vm_ops;
	return rust_mmap(snapshot, offset, size, vma);
}

static const struct proc_ops file_ops = {
	.proc_open	= file_open,
	.proc_release	= file_release,
	.proc_read_iter	= file_read,
	.proc_lseek	= file_lseek,
	.proc_mmap	= file_mmap,
};

struct proc_dir_entry *shim_proc_create(u32 file)
{
	static const char * const names[] = {
		[SHIM_FILE_VMCORE]	= "vmcore",
		[SHIM_FILE_VMCOREDD]	= "vmcoredd",
	};

	return proc_create_data(names[file], 0400, NULL, &file_ops, (void *)(uintptr_t)file);
}

void shim_proc_remove(struct proc_dir_entry *entry)
{
	proc_remove(entry);
}

void shim_proc_set_size(struct proc_dir_entry *entry, loff_t size)
{
	proc_set_size(entry, size);
}

void shim_proc_remove_kernels_vmcore(void)
{
	remove_proc_entry("vmcore", NULL);
}

void shim_pin_module(void)
{
	__module_get(THIS_MODULE);
}

#if !KERNEL_HAS_DEVICE_DUMPS
/**
 * vmcore_add_device_dump() - add a device dump to the vmcore
 * @data: name, size and callback of the dump, as in mainline
 *
 * Calls the callback with a zero-filled buffer of the size that it asked for
 * and keeps what it left there.
 *
 * Context: process context; may sleep. The callback is called in the context
 * of the caller, without a lock held.
 * Return: 0; -EINVAL for bad arguments, or when novmcoredd is given; -ENOMEM;
 * -EFBIG when the vmcore's header has no room for it; or what the callback
 * returned. Every failure is in the log, too.
 */
int vmcore_add_device_dump(struct vmcoredd_data *data)
{
	if (!data)
		return rust_add(NULL, NULL, 0, false);
	return rust_add(data, data->dump_name, data->size, data->vmcoredd_callback);
}
EXPORT_SYMBOL(vmcore_add_device_dump);
#endif

int vmcoredd_collect(const char *name, size_t length,
		     int (*collect)(void *context, struct vmcoredd_writer *writer),
		     void *context)
{
	return rust_collect(name, length, collect, context);
}
EXPORT_SYMBOL_GPL(vmcoredd_collect);

int vmcoredd_write(struct vmcoredd_writer *writer, const void *data, size_t length)
{
	return rust_write(writer, data, length);
}
EXPORT_SYMBOL_GPL(vmcoredd_write);

static int __init vmcoredd_init(void)
{
	if (KERNEL_HAS_DEVICE_DUMPS) {
		pr_info("this kernel has vmcore device dumps of its own; /proc/vmcore is left alone\n");
		return -EEXIST;
	}
	return rust_load();
}

static void __exit vmcoredd_exit(void)
{
	rust_unload();
}

module_init(vmcoredd_init);
module_exit(vmcoredd_exit);

MODULE_DESCRIPTION("vmcore device dumps for stock kernels");
MODULE_LICENSE("GPL");
