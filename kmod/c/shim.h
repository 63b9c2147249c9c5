/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one contract between the C and the Rust side of vmcoredd.ko.
 *
 * The C side, the files beside this one, calls the kernel where that takes its macros,
 * inline functions and struct layouts. Rust sees scalars and opaque pointers. Their sizes
 * are the same in every kernel for x86_64, and so are the Rust declarations, which
 * src/kernel/shim.rs has: bindgen wrote them from this header, and tests/tests/bindings.rs
 * fails when it would write something else. src/entry.rs compares each function that is
 * implemented in Rust with its declaration.
 */
#ifndef VMCOREDD_SHIM_H
#define VMCOREDD_SHIM_H

#include <linux/types.h>

/* Levels of shim_log(). */
#define SHIM_LOG_ERR	3U
#define SHIM_LOG_WARN	4U
#define SHIM_LOG_INFO	6U

/* Errors, as in <linux/errno.h>. */
#define SHIM_EPERM	1U
#define SHIM_EIO	5U
#define SHIM_ENOMEM	12U
#define SHIM_EFAULT	14U
#define SHIM_EBUSY	16U
#define SHIM_EINVAL	22U
#define SHIM_EFBIG	27U
#define SHIM_ENOSPC	28U
#define SHIM_ETIMEDOUT	110U

/* What shim_environment() finds. */
#define SHIM_ENV_ENCRYPTED	0x1U
#define SHIM_ENV_XEN		0x2U
#define SHIM_ENV_VIRTIO_MEM	0x4U
#define SHIM_ENV_CALLBACK	0x8U

/* The locks, which lock validators tell apart. */
#define SHIM_LOCK_STORE		0U
#define SHIM_LOCK_ENTRIES	1U
#define SHIM_LOCK_WINDOWS	2U
#define SHIM_LOCK_WRITER	3U
#define SHIM_LOCK_CACHE		4U
#define SHIM_LOCK_PRODUCER	5U

/* What shim_thread_wait() finds. */
#define SHIM_THREAD_ENDED	0U
#define SHIM_THREAD_CRASHED	1U
#define SHIM_THREAD_LATE	2U

/* How large a workspace shim_compress() needs, in bytes. */
#define SHIM_COMPRESS_WORKSPACE	16384U

/* What shim_own_dumps() finds. */
#define SHIM_OWN_DUMPS_NONE	0U
#define SHIM_OWN_DUMPS_OFF	1U
#define SHIM_OWN_DUMPS_ON	2U

/* The files that are served. */
#define SHIM_FILE_VMCORE	0U
#define SHIM_FILE_VMCOREDD	1U
#define SHIM_FILES		2U

struct file;
struct iov_iter;
struct module;
struct mutex;
struct page;
struct pci_dev;
struct proc_dir_entry;
struct shim_thread;
struct vm_area_struct;
struct vmcoredd_collector;
struct vmcoredd_data;
struct vmcoredd_writer;

/**
 * What the operator set; 0 stands for what the module finds right, but for
 * callback_deadline_ms, where it stands for any time.
 */
struct shim_parameters {
	u64 budget_kib;
	u64 dump_kib;
	u64 inline_kib;
	u32 deadline_ms;
	u32 callback_deadline_ms;
	u32 live;
	u32 off;
};

/** What is known of a PCI function before it is read; the text ends in a zero byte. */
struct shim_pci {
	u32 domain;
	u32 class;
	u16 vendor;
	u16 device;
	u16 sub_vendor;
	u16 sub_device;
	u8 bus;
	u8 devfn;
	u8 revision;
	u8 unpowered;
	u8 disconnected;
	u8 bound;
	u8 driver[32];
};

/** What a base address register decodes: ports if @io. */
struct shim_bar {
	u64 start;
	u64 size;
	u32 io;
};

/** The processor: @vendor is 1 for Intel, 2 for AMD, 0 for others. */
struct shim_cpu {
	u32 vendor;
	u32 family;
	u32 model;
};

/** The argument of VMCOREDD_IOC_DEVICES, as vmcoredd_user.h describes it. */
struct shim_request {
	u64 plans;
	u64 words;
	u32 plans_length;
	u32 words_length;
	u32 flags;
	u32 deadline_ms;
};

/* Implemented in C. */

/** The module's parameters. */
void shim_parameters(struct shim_parameters *parameters);

/** Logs a line of @length bytes without its end. Any context. */
void shim_log(u32 level, const char *text, size_t length);

/** Whether this is a crash kernel. Any context. */
bool shim_is_crash_kernel(void);

/** What this kernel runs on: SHIM_ENV bits. May sleep. */
u32 shim_environment(void);

/**
 * Gives the physical address of the headers that the dead kernel left, where the device tree
 * has it, as on arm64. Any context.
 */
bool shim_elfcorehdr(u64 *address);

/**
 * Whether this kernel was built with device dumps of its own, and takes them. Writes a line
 * to the log, once, where it does not. Sleeps.
 */
u32 shim_own_dumps(void);

/** How much memory could be had without swapping, in bytes. Any context. */
u64 shim_memory_available(void);

/**
 * How much free memory processors keep for themselves, in bytes. The kernel counts
 * it as used, and takes it back before an allocation fails. Any context.
 */
u64 shim_memory_cached(void);

/**
 * @size zero-filled bytes, or NULL. Reclaims what it can and fails then, instead
 * of invoking the OOM killer. May sleep. Freed with shim_free().
 */
void *shim_alloc(size_t size);

/** Frees what shim_alloc() gave, or nothing if that was NULL. May sleep. */
void shim_free(const void *memory);

/**
 * 1 << @order zero-filled pages in a row, or NULL; as shim_alloc(),
 * but does not try hard for more than one. May sleep.
 */
struct page *shim_pages_alloc(u32 order);

/** Frees what shim_pages_alloc() gave for @order. */
void shim_pages_free(struct page *pages, u32 order);

/** The page @index pages after @pages. */
struct page *shim_pages_at(struct page *pages, u32 index);

/** Where pages of shim_pages_alloc() are in the kernel's own map of memory. */
const void *shim_pages_address(struct page *pages);

/** Maps @count pages in a row, or gives NULL. Sleeps. */
void *shim_pages_map(struct page **pages, u32 count);

/** Undoes shim_pages_map(). Sleeps. */
void shim_pages_unmap(void *map);

/** Copies @length bytes, which may be anywhere in the kernel; false if they are not there. */
bool shim_copy(void *to, const void *from, size_t length);

/** How large the output of shim_compress() may get for @length bytes. */
size_t shim_compress_bound(size_t length);

/** Compresses @length bytes; how many they became, or 0. */
size_t shim_compress(void *workspace, const void *from, size_t length, void *to);

/** Fills @to with what was compressed to @from; false if that is something else. */
bool shim_decompress(const void *from, size_t length, void *to, size_t to_length);

/** CRC-32C of what has the CRC-32C @crc and @length bytes after it. */
u32 shim_crc32c(u32 crc, const void *data, size_t length);

/** Milliseconds since the kernel started. Any context. */
u64 shim_milliseconds(void);

/**
 * Starts a thread, or the one that was kept, which calls @run with @work, and keeps
 * @owner, if that is not NULL, loaded meanwhile. If the thread is left to itself, it
 * calls @drop with @work after that; otherwise @work stays the caller's. NULL with a
 * negative errno in @error, also where @owner is being unloaded; then nothing is
 * called. Sleeps.
 */
struct shim_thread *shim_thread_start(struct module *owner, void (*run)(void *work),
				      void (*drop)(void *work), void *work, int *error);

/**
 * Waits for @thread, @milliseconds at most or, if that is 0, for ever:
 * SHIM_THREAD_ENDED, SHIM_THREAD_CRASHED or SHIM_THREAD_LATE. Sleeps.
 */
u32 shim_thread_wait(struct shim_thread *thread, u32 milliseconds);

/**
 * Frees @thread, which has ended its work or, if @crashed, died; or keeps it for the
 * next one. Sleeps.
 */
void shim_thread_free(struct shim_thread *thread, bool crashed);

/**
 * Leaves @thread to itself: when it ends, it drops its work and frees itself. False,
 * and nothing is done, if it has just ended.
 */
bool shim_thread_abandon(struct shim_thread *thread);

/** A new mutex for SHIM_LOCK_@lock, or NULL. May sleep. */
struct mutex *shim_mutex_create(u32 lock);

/** Frees a mutex that nobody holds. */
void shim_mutex_destroy(struct mutex *mutex);

/** Takes @mutex. Sleeps. */
void shim_mutex_lock(struct mutex *mutex);

/** Releases @mutex. */
void shim_mutex_unlock(struct mutex *mutex);

/** Lets others run where the kernel does not do so by itself. May sleep. */
void shim_resched(void);

/** Sleeps for @milliseconds. */
void shim_sleep(u32 milliseconds);

/**
 * Opens @path for reading, in the caller's mount namespace. NULL on failure,
 * with a negative errno in @error. Sleeps.
 */
struct file *shim_file_open(const char *path, int *error);

/** Reads up to @length bytes at @offset; how many, or a negative errno. Sleeps. */
ssize_t shim_file_read(struct file *file, loff_t offset, void *to, size_t length);

/** The size of @file in bytes, as SEEK_END gives it, or a negative errno. */
loff_t shim_file_size(struct file *file);

/** Whether @file's name is in use by somebody else: open, mapped, walked over. */
bool shim_file_is_shared(struct file *file);

/** Closes @file. Sleeps. */
void shim_file_close(struct file *file);

/**
 * Creates the entry of SHIM_FILE_@file in /proc, mode 0400, or gives NULL.
 * Readers may open it at once. Sleeps.
 */
struct proc_dir_entry *shim_proc_create(u32 file);

/** Removes an entry that shim_proc_create() gave; waits for its users. Sleeps. */
void shim_proc_remove(struct proc_dir_entry *entry);

/**
 * Sets the sizes of the entries, in bytes, as stat() shows them: @entries and @sizes
 * have one for each SHIM_FILE_, NULL where it is not there. Sleeps.
 */
void shim_proc_set_sizes(struct proc_dir_entry **entries, const loff_t *sizes);

/** Creates /dev/vmcoredd, mode 0600; 0 or a negative errno. Sleeps. */
int shim_device_create(void);

/** Removes /dev/vmcoredd, which nobody has open. Sleeps. */
void shim_device_remove(void);

/** Removes the kernel's own /proc/vmcore; closes whoever has it open. Sleeps. */
void shim_proc_remove_kernels_vmcore(void);

/** Keeps this module loaded for good. */
void shim_pin_module(void);

/**
 * Maps old memory, write-back, or gives NULL: for lack of address space, or
 * because any of it is memory of this kernel. Sleeps.
 */
void *shim_map_window(u64 physical, size_t size);

/** Undoes shim_map_window(). Sleeps. */
void shim_unmap_window(void *window);

/**
 * Maps one page of old memory as the kernel's own /proc/vmcore does it,
 * wherever it lies, or gives NULL. Sleeps.
 */
void *shim_map_page(u64 physical);

/** Undoes shim_map_page(). Sleeps. */
void shim_unmap_page(void *page);

/**
 * Maps old memory to user space, @offset bytes after the start of @vma; all
 * three in whole pages. 0 or a negative errno. Sleeps; mmap_lock is held.
 */
int shim_map_user(struct vm_area_struct *vma, u64 offset, u64 physical, u64 size);

/** How many bytes @iter still takes, or has. */
size_t shim_iter_left(const struct iov_iter *iter);

/** Copies @length bytes to @to; how many it took. May fault and sleep. */
size_t shim_iter_copy(struct iov_iter *to, const void *from, size_t length);

/** Puts @length zeros into @to; how many it took. May fault and sleep. */
size_t shim_iter_zero(struct iov_iter *to, size_t length);

/**
 * Fills @to with @length bytes from @from; false if they are not there, or if the
 * thread is being killed. May fault and sleep.
 */
bool shim_iter_take(struct iov_iter *from, void *to, size_t length);

/**
 * The module that has the callback of @data, which is running; NULL where none has, or
 * where it is being unloaded. Any context.
 */
struct module *shim_collector_owner(struct vmcoredd_data *data);

/** Calls the callback of @data, as its driver expects it. May sleep. */
int shim_call_collector(struct vmcoredd_data *data, void *buffer);

/**
 * The PCI function after @after, or the first one where that is NULL; NULL after the
 * last. Given back with shim_pci_put(); @after stays the caller's. Sleeps.
 */
struct pci_dev *shim_pci_next(struct pci_dev *after);

/** Gives a PCI function back, or nothing if that is NULL. Sleeps. */
void shim_pci_put(struct pci_dev *device);

/** The bridge above @device, or NULL. Given back with shim_pci_put(). */
struct pci_dev *shim_pci_bridge(struct pci_dev *device);

/** Fills @about. Reads nothing of the device. */
void shim_pci_about(struct pci_dev *device, struct shim_pci *about);

/** Reads @width bytes of configuration space: 1, 2 or 4; false where they are not there. */
bool shim_pci_read(struct pci_dev *device, u32 offset, u32 width, u32 *value);

/** Writes @width bytes of configuration space; false where they are not there. */
bool shim_pci_write(struct pci_dev *device, u32 offset, u32 width, u32 value);

/** What base address register @index decodes; false where it decodes nothing. */
bool shim_pci_bar(struct pci_dev *device, u32 index, struct shim_bar *bar);

/**
 * Maps @size bytes of a device's registers, or gives NULL: for lack of address space,
 * or because they are memory of this kernel. Sleeps.
 */
void *shim_registers_map(u64 physical, size_t size);

/** Undoes shim_registers_map(). Sleeps. */
void shim_registers_unmap(void *registers);

/** Reads the register of @width bytes, 1, 2, 4 or 8, at @at of shim_registers_map(). */
u64 shim_registers_read(const void *at, u32 width);

/** Writes a register. */
void shim_registers_write(void *at, u32 width, u64 value);

/** Reads the I/O port of @width bytes: 1, 2 or 4. */
u32 shim_port_read(u32 port, u32 width);

/** Writes an I/O port. */
void shim_port_write(u32 port, u32 width, u32 value);

/** The first processor from number @from on that is online, or U32_MAX. */
u32 shim_cpu_next(u32 from);

/** Reads a model-specific register of @cpu; false where that causes a fault. Sleeps. */
bool shim_msr_read(u32 cpu, u32 number, u64 *value);

/** Fills @about. */
void shim_cpu_about(struct shim_cpu *about);

/**
 * A copy of the ACPI table with @signature, four bytes, and its @length in bytes, or
 * NULL. Freed with shim_free(). May sleep.
 */
void *shim_acpi_table(const char *signature, u32 *length);

/** Whether the kernel is locked down against access to PCI devices. */
bool shim_is_locked_down(void);

/** Waits for some tens of microseconds. Sleeps. */
void shim_pause(void);

/** Copies @length bytes from the calling process; false if they are not there. Sleeps. */
bool shim_user_copy(void *to, u64 from, size_t length);

/* Implemented in Rust. */

/** Module load: 0 or a negative errno. Sleeps. */
int rust_load(void);

/** Module unload, when nobody uses the module. Sleeps. */
void rust_unload(void);

/**
 * Opens SHIM_FILE_@file: a snapshot of it, or NULL with a negative errno in
 * @error. Sleeps. Freed with rust_release().
 */
void *rust_open(u32 file, int *error);

/** Frees a snapshot. Sleeps. */
void rust_release(void *snapshot);

/** Size of the file that @snapshot shows, in bytes. */
loff_t rust_size(const void *snapshot);

/**
 * Copies from @offset of the file on to @to, until that is full or the file
 * ends; how many bytes, or a negative errno. Sleeps.
 */
ssize_t rust_read(const void *snapshot, loff_t offset, struct iov_iter *to);

/**
 * Maps the old memory among @size bytes at @offset of the file to @vma; all
 * else is left to rust_read(). 0 or a negative errno. Sleeps.
 */
int rust_mmap(const void *snapshot, u64 offset, u64 size, struct vm_area_struct *vma);

/**
 * The body of vmcore_add_device_dump(): @name is the field of 44 bytes in
 * @data, or all are as given when @data is NULL. Sleeps.
 */
int rust_add(struct vmcoredd_data *data, const char *name, u32 size, bool has_callback);

/** The body of vmcoredd_wanted(). Any context. */
bool rust_wanted(void);

/**
 * The body of vmcoredd_register(): what stands in @collector; @name has @length
 * bytes. Sleeps.
 */
int rust_register(struct module *owner, const char *name, size_t length, u64 size,
		  u32 deadline_ms,
		  int (*collect)(struct vmcoredd_collector *collector,
				 struct vmcoredd_writer *writer),
		  void (*release)(struct vmcoredd_collector *collector),
		  struct vmcoredd_collector *collector);

/** The body of vmcoredd_write(). May sleep. */
int rust_write(struct vmcoredd_writer *writer, const void *data, size_t length);

/** The body of vmcoredd_time_left(). May sleep. */
u32 rust_time_left(struct vmcoredd_writer *writer);

/**
 * A process opens /dev/vmcoredd for writing: what it writes to, or NULL without
 * memory. May sleep. Freed with rust_producer_release().
 */
void *rust_producer_create(void);

/**
 * Frees a producer; what was written to it without a commit is discarded, and that
 * is recorded. Sleeps.
 */
void rust_producer_release(void *producer);

/**
 * VMCOREDD_IOC_NAME: @name is the field of 44 bytes, and @size bytes, or any
 * number where that is 0, will be written. 0 or a negative errno. Sleeps.
 */
int rust_producer_name(const void *producer, const char *name, u64 size);

/** Takes all of @from; how many bytes it took, or a negative errno. Sleeps. */
ssize_t rust_producer_write(const void *producer, struct iov_iter *from);

/** VMCOREDD_IOC_COMMIT, with its argument. 0 or a negative errno. Sleeps. */
int rust_producer_commit(const void *producer, s32 status);

/** VMCOREDD_IOC_DEVICES, with its argument. 0 or a negative errno. Sleeps. */
int rust_devices(const struct shim_request *request);

#endif /* VMCOREDD_SHIM_H */
