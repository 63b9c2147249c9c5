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

#include <linux/atomic.h>
#include <linux/cc_platform.h>
#include <linux/completion.h>
#include <linux/crash_dump.h>
#include <linux/crc32.h>
#include <linux/dcache.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/lzo.h>
#include <linux/magic.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/pci.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include <asm/cpufeature.h>
#include <asm/hypervisor.h>

#include "shim.h"
#include "vmcoredd.h"
#include "vmcoredd_user.h"

/* Reclaim, then fail: the OOM killer might take the saver of the vmcore. */
#define GFP_MODEST	(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

#define PCI_DEVICE_ID_VIRTIO_MEM	0x1058

static_assert(SHIM_LOG_ERR == LOGLEVEL_ERR);
static_assert(SHIM_LOG_WARN == LOGLEVEL_WARNING);
static_assert(SHIM_LOG_INFO == LOGLEVEL_INFO);
static_assert(SHIM_EIO == EIO);
static_assert(SHIM_ENOMEM == ENOMEM);
static_assert(SHIM_EFAULT == EFAULT);
static_assert(SHIM_EBUSY == EBUSY);
static_assert(SHIM_EINVAL == EINVAL);
static_assert(SHIM_EFBIG == EFBIG);
static_assert(SHIM_ENOSPC == ENOSPC);
static_assert(SHIM_ETIMEDOUT == ETIMEDOUT);
static_assert(SHIM_COMPRESS_WORKSPACE == LZO1X_MEM_COMPRESS);
static_assert(sizeof_field(struct vmcoredd_data, dump_name) == 44);
static_assert(sizeof_field(struct vmcoredd_data, size) == sizeof(u32));
static_assert(VMCOREDD_NAME_SIZE == sizeof_field(struct vmcoredd_data, dump_name));
static_assert(sizeof(struct vmcoredd_name) == 56);
static_assert(PAGE_SIZE == 4096);

static ulong budget_kib;
module_param(budget_kib, ulong, 0444);
MODULE_PARM_DESC(budget_kib, "Memory that dumps may take, in KiB (default: 9/16 of what is available, 1/16 in a running system)");

static ulong dump_kib;
module_param(dump_kib, ulong, 0444);
MODULE_PARM_DESC(dump_kib, "Memory that one dump may take, in KiB (default: the budget)");

static ulong inline_kib;
module_param(inline_kib, ulong, 0444);
MODULE_PARM_DESC(inline_kib, "Size of dumps in /proc/vmcore, in KiB (default: an eighth of what is available)");

static uint deadline_ms;
module_param(deadline_ms, uint, 0444);
MODULE_PARM_DESC(deadline_ms, "Most time for a collector of vmcoredd_register(), in ms (default: 30000)");

/* A whole adapter takes seconds; a driver that never gets its probe back, the vmcore. */
static uint callback_deadline_ms = 60000;
module_param(callback_deadline_ms, uint, 0444);
MODULE_PARM_DESC(callback_deadline_ms, "Time for a callback of vmcore_add_device_dump(), in ms, or 0 for any time (default: 60000)");

static bool live;
module_param(live, bool, 0444);
MODULE_PARM_DESC(live, "In a running system, ask drivers for device dumps (default: no)");

void shim_parameters(struct shim_parameters *parameters)
{
	parameters->budget_kib = budget_kib;
	parameters->dump_kib = dump_kib;
	parameters->inline_kib = inline_kib;
	parameters->deadline_ms = deadline_ms;
	parameters->callback_deadline_ms = callback_deadline_ms;
	parameters->live = live;
}

#ifdef VMCOREDD_FAULTS
static uint calls;
module_param(calls, uint, 0644);
MODULE_PARM_DESC(calls, "Test only: how many calls of the kernel could have failed so far");

static uint fail_at;
module_param(fail_at, uint, 0644);
MODULE_PARM_DESC(fail_at, "Test only: which of these calls fails, counted from 1");

static uint fail_count = 1;
module_param(fail_count, uint, 0644);
MODULE_PARM_DESC(fail_count, "Test only: how many of them fail from there on");

/* Whether this call of something that may fail is to fail. */
static bool fault(void)
{
	calls++;
	return fail_at && calls >= fail_at && calls - fail_at < fail_count;
}
#else
static inline bool fault(void)
{
	return false;
}
#endif

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

bool shim_is_crash_kernel(void)
{
	return is_kdump_kernel();
}

u32 shim_environment(void)
{
	u32 found = 0;

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

u64 shim_memory_cached(void)
{
	u64 pages = 0;
	int node, index, cpu;

	for_each_online_node(node) {
		for (index = 0; index < MAX_NR_ZONES; index++) {
			struct zone *zone = &NODE_DATA(node)->node_zones[index];

			if (!populated_zone(zone))
				continue;
			for_each_online_cpu(cpu)
				pages += READ_ONCE(per_cpu_ptr(zone->per_cpu_pageset, cpu)->count);
		}
	}
	return pages << PAGE_SHIFT;
}

void *shim_alloc(size_t size)
{
	return fault() ? NULL : kvzalloc(size, GFP_MODEST);
}

void shim_free(const void *memory)
{
	kvfree(memory);
}

struct page *shim_pages_alloc(u32 order)
{
	gfp_t flags = order ? GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN : GFP_MODEST;

	return fault() ? NULL : alloc_pages(flags | __GFP_ZERO, order);
}

void shim_pages_free(struct page *pages, u32 order)
{
	__free_pages(pages, order);
}

struct page *shim_pages_at(struct page *pages, u32 index)
{
	return pages + index;
}

const void *shim_pages_address(struct page *pages)
{
	return page_address(pages);
}

void *shim_pages_map(struct page **pages, u32 count)
{
	return fault() ? NULL : vmap(pages, count, VM_MAP, PAGE_KERNEL);
}

void shim_pages_unmap(void *map)
{
	vunmap(map);
}

void shim_read(void *to, const void *from, size_t length)
{
	memcpy(to, from, length);
}

bool shim_copy(void *to, const void *from, size_t length)
{
	return !copy_from_kernel_nofault(to, from, length);
}

size_t shim_compress_bound(size_t length)
{
	return lzo1x_worst_compress(length);
}

size_t shim_compress(void *workspace, const void *from, size_t length, void *to)
{
	size_t size = 0;

	if (lzorle1x_1_compress(from, length, to, &size, workspace) != LZO_E_OK)
		return 0;
	return size;
}

bool shim_decompress(const void *from, size_t length, void *to, size_t to_length)
{
	size_t size = to_length;

	return lzo1x_decompress_safe(from, length, to, &size) == LZO_E_OK && size == to_length;
}

/* SSE 4.2 has an instruction for it that needs no vector registers. */
static u32 crc32c_by_instruction(u32 crc, const u8 *data, size_t length)
{
	u64 state = crc;

	for (; length >= 32; length -= 32, data += 32) {
		asm("crc32q %1, %0\n\t"
		    "crc32q 8+%1, %0\n\t"
		    "crc32q 16+%1, %0\n\t"
		    "crc32q 24+%1, %0" : "+r" (state) : "m" (*(const u8 (*)[32])data));
	}
	crc = state;
	for (; length; length--, data++)
		asm("crc32b %1, %0" : "+r" (crc) : "rm" (*data));
	return crc;
}

u32 shim_crc32c(u32 crc, const void *data, size_t length)
{
	if (static_cpu_has(X86_FEATURE_XMM4_2))
		return ~crc32c_by_instruction(~crc, data, length);
	return ~__crc32c_le(~crc, data, length);
}

u64 shim_milliseconds(void)
{
	return ktime_to_ms(ktime_get());
}

/*
 * A thread for one collector at a time: whatever becomes of it, its starter goes on.
 * One that has ended as it should is kept for the next collector; a thread takes much
 * longer to make than most dumps.
 */
struct shim_thread {
	struct task_struct *task;
	struct module *owner;
	void (*run)(void *work);
	void (*drop)(void *work);
	/* Set by the starter when there is any, and reset by the thread. */
	void *work;
	struct completion ended;
	atomic_t state;
	/* What the collector did to it is nothing that the next one would notice. */
	bool as_new;
};

enum { THREAD_RUNS, THREAD_ENDED, THREAD_ABANDONED };

/* How often a thread that died is looked for, which tells nobody. */
#define THREAD_LOOK	msecs_to_jiffies(20)

/* The thread that is kept, waiting for work; or NULL. */
static struct shim_thread *kept_thread;

/* The next work; NULL when the thread is to end. */
static void *thread_work(struct shim_thread *thread)
{
	void *work;

	for (;;) {
		set_current_state(TASK_IDLE);
		/* With all that the starter set before. */
		work = smp_load_acquire(&thread->work);
		if (work || kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return work;
}

static int thread_main(void *data)
{
	struct shim_thread *thread = data;
	bool as_new;
	void *work;

	while ((work = thread_work(thread))) {
		/*
		 * An allocation for which there is no memory is to fail, not to invoke
		 * the OOM killer: a dump is not worth a process, which may be the one
		 * that saves.
		 */
		current->flags |= PF_DUMPCORE;
		thread->run(work);
		as_new = !preempt_count() && !irqs_disabled() && !signal_pending(current);
		thread->as_new = as_new;
		WRITE_ONCE(thread->work, NULL);
		if (atomic_cmpxchg(&thread->state, THREAD_RUNS, THREAD_ENDED) != THREAD_RUNS) {
			thread->drop(work);
			module_put(thread->owner);
			put_task_struct(thread->task);
			kfree(thread);
			module_put_and_kthread_exit(0);
		}
		complete(&thread->ended);
		/* One that is not kept is waited for until this function has returned. */
		if (!as_new)
			break;
	}
	return 0;
}

static struct shim_thread *thread_new(int *error)
{
	struct shim_thread *thread = kzalloc(sizeof(*thread), GFP_MODEST);

	if (!thread)
		return NULL;
	init_completion(&thread->ended);
	thread->task = kthread_create(thread_main, thread, "vmcoredd");
	if (IS_ERR(thread->task)) {
		*error = PTR_ERR(thread->task);
		kfree(thread);
		return NULL;
	}
	get_task_struct(thread->task);
	return thread;
}

static void thread_end(struct shim_thread *thread)
{
	kthread_stop(thread->task);
	put_task_struct(thread->task);
	kfree(thread);
}

struct shim_thread *shim_thread_start(struct module *owner, void (*run)(void *work),
				      void (*drop)(void *work), void *work, int *error)
{
	struct shim_thread *thread;

	*error = -ENOMEM;
	if (fault())
		return NULL;
	if (!try_module_get(owner)) {
		*error = -ENOENT;
		return NULL;
	}
	thread = xchg(&kept_thread, NULL);
	if (!thread)
		thread = thread_new(error);
	if (!thread) {
		module_put(owner);
		return NULL;
	}
	thread->owner = owner;
	thread->run = run;
	thread->drop = drop;
	atomic_set(&thread->state, THREAD_RUNS);
	reinit_completion(&thread->ended);
	/* With all that was set above. */
	smp_store_release(&thread->work, work);
	wake_up_process(thread->task);
	return thread;
}

int shim_thread_wait(struct shim_thread *thread, u32 milliseconds)
{
	unsigned long end = jiffies + msecs_to_jiffies(milliseconds);
	unsigned long pause = THREAD_LOOK;

	for (;;) {
		if (milliseconds) {
			if (time_after_eq(jiffies, end))
				return SHIM_THREAD_LATE;
			pause = min(THREAD_LOOK, end - jiffies);
		}
		if (wait_for_completion_timeout(&thread->ended, pause))
			return SHIM_THREAD_ENDED;
		if (READ_ONCE(thread->task->exit_state))
			return try_wait_for_completion(&thread->ended) ?
				SHIM_THREAD_ENDED : SHIM_THREAD_CRASHED;
	}
}

void shim_thread_free(struct shim_thread *thread, bool crashed)
{
	module_put(thread->owner);
	if (crashed) {
		/* It may never come to its end. */
		put_task_struct(thread->task);
		kfree(thread);
	} else if (!thread->as_new || cmpxchg(&kept_thread, NULL, thread)) {
		thread_end(thread);
	}
}

bool shim_thread_abandon(struct shim_thread *thread)
{
	/* Its last steps are in this module. */
	__module_get(THIS_MODULE);
	if (atomic_cmpxchg(&thread->state, THREAD_RUNS, THREAD_ABANDONED) == THREAD_RUNS)
		return true;
	module_put(THIS_MODULE);
	return false;
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

void *shim_map_window(u64 physical, size_t size)
{
	/*
	 * Where there is any memory of this kernel, memremap() gives the direct
	 * map, in which the holes around that memory are not mapped.
	 */
	if (fault() ||
	    region_intersects(physical, size, IORESOURCE_SYSTEM_RAM,
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
	return fault() ? NULL : (__force void *)ioremap_cache(physical, PAGE_SIZE);
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

/*
 * The kernel exports neither this question nor its list of modules, but this module
 * is in that list. The list's head is in the kernel's own memory, where no module is.
 */
struct module *shim_collector_owner(struct vmcoredd_data *data)
{
	unsigned long callback = (unsigned long)data->vmcoredd_callback;
	struct module *owner = NULL;
	struct module *module;

	rcu_read_lock();
	list_for_each_entry_rcu(module, &THIS_MODULE->list, list) {
		unsigned long address = (unsigned long)module;

		if (address < MODULES_VADDR || address >= MODULES_END ||
		    !within_module(callback, module))
			continue;
		/* One that is being unloaded waits for its probes by itself. */
		if (module_is_live(module))
			owner = module;
		break;
	}
	rcu_read_unlock();
	return owner;
}

int shim_call_collector(struct vmcoredd_data *data, void *buffer)
{
	return data->vmcoredd_callback(data, buffer);
}

/* Files only grow: of two sizes that race here, the larger one is newer. */
static void grow(struct inode *inode, loff_t size)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	if (size > i_size_read(inode))
		i_size_write(inode, size);
	spin_unlock(&lock);
}

/*
 * The files. An open file holds a snapshot and, through the module's use
 * count, the code that its mappings fault into.
 */
static int file_open(struct inode *inode, struct file *file)
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

static const char * const file_names[] = {
	[SHIM_FILE_VMCORE]	= "vmcore",
	[SHIM_FILE_VMCOREDD]	= "vmcoredd",
};

struct proc_dir_entry *shim_proc_create(u32 file)
{
	if (fault())
		return NULL;
	return proc_create_data(file_names[file], 0400, NULL, &file_ops, (void *)(uintptr_t)file);
}

void shim_proc_remove(struct proc_dir_entry *entry)
{
	proc_remove(entry);
}

/*
 * An inode that is in use has a size of its own, and procfs tells nobody which
 * inodes an entry has; that of /proc is the one that is looked at. Where /proc is
 * not there for this task, or the task is exiting and has no root directory any
 * more, the next open() does it.
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
		/* Who looks for it from now on finds the size of the entry. */
		if (dentry && d_really_is_positive(dentry))
			grow(d_inode(dentry), sizes[file]);
		dput(dentry);
	}
	path_put(&proc);
}

/*
 * /dev/vmcoredd: for a reader the file that /proc/vmcoredd is, for a writer, the
 * producer of a dump. Its owner is counted by the VFS.
 */
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
	.read_iter	= file_read,
	.llseek		= file_lseek,
	.mmap		= file_mmap,
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
 * and keeps what it left there, compressed.
 *
 * Context: process context; may sleep. The callback is called in a thread of its
 * own, while this one waits, so that it may crash without harm to its driver.
 * Return: 0; -EINVAL for bad arguments, or when novmcoredd is given; -ENOMEM;
 * -EFBIG for more than a note can hold; -ENOSPC when not all of it was kept;
 * -EFAULT when the callback crashed; -ETIMEDOUT when it did not end within
 * callback_deadline_ms; or what it returned. Every outcome is in the log and in
 * the manifest.
 */
int vmcore_add_device_dump(struct vmcoredd_data *data)
{
	if (!data)
		return rust_add(NULL, NULL, 0, false);
	return rust_add(data, data->dump_name, data->size, data->vmcoredd_callback);
}
EXPORT_SYMBOL(vmcore_add_device_dump);
#endif

bool vmcoredd_wanted(void)
{
	return rust_wanted();
}
EXPORT_SYMBOL_GPL(vmcoredd_wanted);

int vmcoredd_register(struct vmcoredd_collector *collector)
{
	const char *name;

	if (!collector)
		return rust_register(NULL, NULL, 0, 0, 0, NULL, NULL, NULL);
	name = collector->name;
	return rust_register(collector->owner, name, name ? strnlen(name, VMCOREDD_NAME_SIZE) : 0,
			     collector->size, collector->deadline_ms, collector->collect,
			     collector->release, collector);
}
EXPORT_SYMBOL_GPL(vmcoredd_register);

int vmcoredd_write(struct vmcoredd_writer *writer, const void *data, size_t length)
{
	return rust_write(writer, data, length);
}
EXPORT_SYMBOL_GPL(vmcoredd_write);

u32 vmcoredd_time_left(struct vmcoredd_writer *writer)
{
	return rust_time_left(writer);
}
EXPORT_SYMBOL_GPL(vmcoredd_time_left);

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
	struct shim_thread *thread = xchg(&kept_thread, NULL);

	/* Nobody starts one any more: whoever does keeps this module loaded. */
	if (thread)
		thread_end(thread);
	rust_unload();
}

module_init(vmcoredd_init);
module_exit(vmcoredd_exit);

MODULE_DESCRIPTION("vmcore device dumps for stock kernels");
MODULE_LICENSE("GPL");
