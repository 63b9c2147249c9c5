// SPDX-License-Identifier: GPL-2.0-only
//! What the C headers declare, as bindgen writes it.

pub type __u8 = ::core::ffi::c_uchar;
pub type __u16 = ::core::ffi::c_ushort;
pub type __s32 = ::core::ffi::c_int;
pub type __u32 = ::core::ffi::c_uint;
pub type __u64 = ::core::ffi::c_ulonglong;
pub type u8_ = __u8;
pub type u16_ = __u16;
pub type s32 = __s32;
pub type u32_ = __u32;
pub type u64_ = __u64;
pub type __kernel_loff_t = ::core::ffi::c_longlong;
pub type bool_ = bool;
pub type loff_t = __kernel_loff_t;
#[repr(C)]
pub struct file {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct iov_iter {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct module {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct mutex {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct page {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct pci_dev {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct proc_dir_entry {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct shim_thread {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct vm_area_struct {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct vmcoredd_collector {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct vmcoredd_data {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct vmcoredd_writer {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct shim_parameters {
    pub budget_kib: u64_,
    pub dump_kib: u64_,
    pub inline_kib: u64_,
    pub deadline_ms: u32_,
    pub callback_deadline_ms: u32_,
    pub live: u32_,
    pub off: u32_,
}
#[repr(C)]
pub struct shim_pci {
    pub domain: u32_,
    pub class: u32_,
    pub vendor: u16_,
    pub device: u16_,
    pub sub_vendor: u16_,
    pub sub_device: u16_,
    pub bus: u8_,
    pub devfn: u8_,
    pub revision: u8_,
    pub unpowered: u8_,
    pub disconnected: u8_,
    pub bound: u8_,
    pub driver: [u8_; 32usize],
}
#[repr(C)]
pub struct shim_bar {
    pub start: u64_,
    pub size: u64_,
    pub io: u32_,
}
#[repr(C)]
pub struct shim_cpu {
    pub vendor: u32_,
    pub family: u32_,
    pub model: u32_,
}
#[repr(C)]
pub struct shim_request {
    pub plans: u64_,
    pub words: u64_,
    pub plans_length: u32_,
    pub words_length: u32_,
    pub flags: u32_,
    pub deadline_ms: u32_,
}
pub const SHIM_LOG_ERR: u32 = 3;
pub const SHIM_LOG_WARN: u32 = 4;
pub const SHIM_LOG_INFO: u32 = 6;
pub const SHIM_EPERM: u32 = 1;
pub const SHIM_EIO: u32 = 5;
pub const SHIM_ENOMEM: u32 = 12;
pub const SHIM_EFAULT: u32 = 14;
pub const SHIM_EBUSY: u32 = 16;
pub const SHIM_EINVAL: u32 = 22;
pub const SHIM_EFBIG: u32 = 27;
pub const SHIM_ENOSPC: u32 = 28;
pub const SHIM_ETIMEDOUT: u32 = 110;
pub const SHIM_ENV_ENCRYPTED: u32 = 1;
pub const SHIM_ENV_XEN: u32 = 2;
pub const SHIM_ENV_VIRTIO_MEM: u32 = 4;
pub const SHIM_ENV_CALLBACK: u32 = 8;
pub const SHIM_LOCK_STORE: u32 = 0;
pub const SHIM_LOCK_ENTRIES: u32 = 1;
pub const SHIM_LOCK_WINDOWS: u32 = 2;
pub const SHIM_LOCK_WRITER: u32 = 3;
pub const SHIM_LOCK_CACHE: u32 = 4;
pub const SHIM_LOCK_PRODUCER: u32 = 5;
pub const SHIM_THREAD_ENDED: u32 = 0;
pub const SHIM_THREAD_CRASHED: u32 = 1;
pub const SHIM_THREAD_LATE: u32 = 2;
pub const SHIM_COMPRESS_WORKSPACE: u32 = 16384;
pub const SHIM_OWN_DUMPS_NONE: u32 = 0;
pub const SHIM_OWN_DUMPS_OFF: u32 = 1;
pub const SHIM_OWN_DUMPS_ON: u32 = 2;
pub const SHIM_FILE_VMCORE: u32 = 0;
pub const SHIM_FILE_VMCOREDD: u32 = 1;
pub const SHIM_FILES: u32 = 2;
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of shim_parameters"][::core::mem::size_of::<shim_parameters>() - 40usize];
    ["Alignment of shim_parameters"][::core::mem::align_of::<shim_parameters>() - 8usize];
    ["Offset of field: shim_parameters::budget_kib"]
        [::core::mem::offset_of!(shim_parameters, budget_kib) - 0usize];
    ["Offset of field: shim_parameters::dump_kib"]
        [::core::mem::offset_of!(shim_parameters, dump_kib) - 8usize];
    ["Offset of field: shim_parameters::inline_kib"]
        [::core::mem::offset_of!(shim_parameters, inline_kib) - 16usize];
    ["Offset of field: shim_parameters::deadline_ms"]
        [::core::mem::offset_of!(shim_parameters, deadline_ms) - 24usize];
    ["Offset of field: shim_parameters::callback_deadline_ms"]
        [::core::mem::offset_of!(shim_parameters, callback_deadline_ms) - 28usize];
    ["Offset of field: shim_parameters::live"]
        [::core::mem::offset_of!(shim_parameters, live) - 32usize];
    ["Offset of field: shim_parameters::off"]
        [::core::mem::offset_of!(shim_parameters, off) - 36usize];
};
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of shim_pci"][::core::mem::size_of::<shim_pci>() - 56usize];
    ["Alignment of shim_pci"][::core::mem::align_of::<shim_pci>() - 4usize];
    ["Offset of field: shim_pci::domain"][::core::mem::offset_of!(shim_pci, domain) - 0usize];
    ["Offset of field: shim_pci::class"][::core::mem::offset_of!(shim_pci, class) - 4usize];
    ["Offset of field: shim_pci::vendor"][::core::mem::offset_of!(shim_pci, vendor) - 8usize];
    ["Offset of field: shim_pci::device"][::core::mem::offset_of!(shim_pci, device) - 10usize];
    ["Offset of field: shim_pci::sub_vendor"]
        [::core::mem::offset_of!(shim_pci, sub_vendor) - 12usize];
    ["Offset of field: shim_pci::sub_device"]
        [::core::mem::offset_of!(shim_pci, sub_device) - 14usize];
    ["Offset of field: shim_pci::bus"][::core::mem::offset_of!(shim_pci, bus) - 16usize];
    ["Offset of field: shim_pci::devfn"][::core::mem::offset_of!(shim_pci, devfn) - 17usize];
    ["Offset of field: shim_pci::revision"][::core::mem::offset_of!(shim_pci, revision) - 18usize];
    ["Offset of field: shim_pci::unpowered"]
        [::core::mem::offset_of!(shim_pci, unpowered) - 19usize];
    ["Offset of field: shim_pci::disconnected"]
        [::core::mem::offset_of!(shim_pci, disconnected) - 20usize];
    ["Offset of field: shim_pci::bound"][::core::mem::offset_of!(shim_pci, bound) - 21usize];
    ["Offset of field: shim_pci::driver"][::core::mem::offset_of!(shim_pci, driver) - 22usize];
};
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of shim_bar"][::core::mem::size_of::<shim_bar>() - 24usize];
    ["Alignment of shim_bar"][::core::mem::align_of::<shim_bar>() - 8usize];
    ["Offset of field: shim_bar::start"][::core::mem::offset_of!(shim_bar, start) - 0usize];
    ["Offset of field: shim_bar::size"][::core::mem::offset_of!(shim_bar, size) - 8usize];
    ["Offset of field: shim_bar::io"][::core::mem::offset_of!(shim_bar, io) - 16usize];
};
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of shim_cpu"][::core::mem::size_of::<shim_cpu>() - 12usize];
    ["Alignment of shim_cpu"][::core::mem::align_of::<shim_cpu>() - 4usize];
    ["Offset of field: shim_cpu::vendor"][::core::mem::offset_of!(shim_cpu, vendor) - 0usize];
    ["Offset of field: shim_cpu::family"][::core::mem::offset_of!(shim_cpu, family) - 4usize];
    ["Offset of field: shim_cpu::model"][::core::mem::offset_of!(shim_cpu, model) - 8usize];
};
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of shim_request"][::core::mem::size_of::<shim_request>() - 32usize];
    ["Alignment of shim_request"][::core::mem::align_of::<shim_request>() - 8usize];
    ["Offset of field: shim_request::plans"][::core::mem::offset_of!(shim_request, plans) - 0usize];
    ["Offset of field: shim_request::words"][::core::mem::offset_of!(shim_request, words) - 8usize];
    ["Offset of field: shim_request::plans_length"]
        [::core::mem::offset_of!(shim_request, plans_length) - 16usize];
    ["Offset of field: shim_request::words_length"]
        [::core::mem::offset_of!(shim_request, words_length) - 20usize];
    ["Offset of field: shim_request::flags"]
        [::core::mem::offset_of!(shim_request, flags) - 24usize];
    ["Offset of field: shim_request::deadline_ms"]
        [::core::mem::offset_of!(shim_request, deadline_ms) - 28usize];
};
unsafe extern "C" {
    pub fn shim_parameters(parameters: *mut shim_parameters);
    pub fn shim_log(level: u32_, text: *const ::core::ffi::c_char, length: usize);
    pub fn shim_is_crash_kernel() -> bool_;
    pub fn shim_environment() -> u32_;
    pub fn shim_elfcorehdr(address: *mut u64_) -> bool_;
    pub fn shim_own_dumps() -> u32_;
    pub fn shim_memory_available() -> u64_;
    pub fn shim_memory_cached() -> u64_;
    pub fn shim_alloc(size: usize) -> *mut ::core::ffi::c_void;
    pub fn shim_free(memory: *const ::core::ffi::c_void);
    pub fn shim_pages_alloc(order: u32_) -> *mut page;
    pub fn shim_pages_free(pages: *mut page, order: u32_);
    pub fn shim_pages_at(pages: *mut page, index: u32_) -> *mut page;
    pub fn shim_pages_address(pages: *mut page) -> *const ::core::ffi::c_void;
    pub fn shim_pages_map(pages: *mut *mut page, count: u32_) -> *mut ::core::ffi::c_void;
    pub fn shim_pages_unmap(map: *mut ::core::ffi::c_void);
    pub fn shim_copy(
        to: *mut ::core::ffi::c_void,
        from: *const ::core::ffi::c_void,
        length: usize,
    ) -> bool_;
    pub fn shim_compress_bound(length: usize) -> usize;
    pub fn shim_compress(
        workspace: *mut ::core::ffi::c_void,
        from: *const ::core::ffi::c_void,
        length: usize,
        to: *mut ::core::ffi::c_void,
    ) -> usize;
    pub fn shim_decompress(
        from: *const ::core::ffi::c_void,
        length: usize,
        to: *mut ::core::ffi::c_void,
        to_length: usize,
    ) -> bool_;
    pub fn shim_crc32c(crc: u32_, data: *const ::core::ffi::c_void, length: usize) -> u32_;
    pub fn shim_milliseconds() -> u64_;
    pub fn shim_thread_start(
        owner: *mut module,
        run: ::core::option::Option<unsafe extern "C" fn(work: *mut ::core::ffi::c_void)>,
        drop: ::core::option::Option<unsafe extern "C" fn(work: *mut ::core::ffi::c_void)>,
        work: *mut ::core::ffi::c_void,
        error: *mut ::core::ffi::c_int,
    ) -> *mut shim_thread;
    pub fn shim_thread_wait(thread: *mut shim_thread, milliseconds: u32_) -> u32_;
    pub fn shim_thread_free(thread: *mut shim_thread, crashed: bool_);
    pub fn shim_thread_abandon(thread: *mut shim_thread) -> bool_;
    pub fn shim_mutex_create(lock: u32_) -> *mut mutex;
    pub fn shim_mutex_destroy(mutex: *mut mutex);
    pub fn shim_mutex_lock(mutex: *mut mutex);
    pub fn shim_mutex_unlock(mutex: *mut mutex);
    pub fn shim_resched();
    pub fn shim_sleep(milliseconds: u32_);
    pub fn shim_file_open(
        path: *const ::core::ffi::c_char,
        error: *mut ::core::ffi::c_int,
    ) -> *mut file;
    pub fn shim_file_read(
        file: *mut file,
        offset: loff_t,
        to: *mut ::core::ffi::c_void,
        length: usize,
    ) -> isize;
    pub fn shim_file_size(file: *mut file) -> loff_t;
    pub fn shim_file_is_shared(file: *mut file) -> bool_;
    pub fn shim_file_close(file: *mut file);
    pub fn shim_proc_create(file: u32_) -> *mut proc_dir_entry;
    pub fn shim_proc_remove(entry: *mut proc_dir_entry);
    pub fn shim_proc_set_sizes(entries: *mut *mut proc_dir_entry, sizes: *const loff_t);
    pub fn shim_device_create() -> ::core::ffi::c_int;
    pub fn shim_device_remove();
    pub fn shim_proc_remove_kernels_vmcore();
    pub fn shim_pin_module();
    pub fn shim_map_window(physical: u64_, size: usize) -> *mut ::core::ffi::c_void;
    pub fn shim_unmap_window(window: *mut ::core::ffi::c_void);
    pub fn shim_map_page(physical: u64_) -> *mut ::core::ffi::c_void;
    pub fn shim_unmap_page(page: *mut ::core::ffi::c_void);
    pub fn shim_map_user(
        vma: *mut vm_area_struct,
        offset: u64_,
        physical: u64_,
        size: u64_,
    ) -> ::core::ffi::c_int;
    pub fn shim_iter_left(iter: *const iov_iter) -> usize;
    pub fn shim_iter_copy(
        to: *mut iov_iter,
        from: *const ::core::ffi::c_void,
        length: usize,
    ) -> usize;
    pub fn shim_iter_zero(to: *mut iov_iter, length: usize) -> usize;
    pub fn shim_iter_take(
        from: *mut iov_iter,
        to: *mut ::core::ffi::c_void,
        length: usize,
    ) -> bool_;
    pub fn shim_collector_owner(data: *mut vmcoredd_data) -> *mut module;
    pub fn shim_call_collector(
        data: *mut vmcoredd_data,
        buffer: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn shim_pci_next(after: *mut pci_dev) -> *mut pci_dev;
    pub fn shim_pci_put(device: *mut pci_dev);
    pub fn shim_pci_bridge(device: *mut pci_dev) -> *mut pci_dev;
    pub fn shim_pci_about(device: *mut pci_dev, about: *mut shim_pci);
    pub fn shim_pci_read(
        device: *mut pci_dev,
        offset: u32_,
        width: u32_,
        value: *mut u32_,
    ) -> bool_;
    pub fn shim_pci_write(device: *mut pci_dev, offset: u32_, width: u32_, value: u32_) -> bool_;
    pub fn shim_pci_bar(device: *mut pci_dev, index: u32_, bar: *mut shim_bar) -> bool_;
    pub fn shim_registers_map(physical: u64_, size: usize) -> *mut ::core::ffi::c_void;
    pub fn shim_registers_unmap(registers: *mut ::core::ffi::c_void);
    pub fn shim_registers_read(at: *const ::core::ffi::c_void, width: u32_) -> u64_;
    pub fn shim_registers_write(at: *mut ::core::ffi::c_void, width: u32_, value: u64_);
    pub fn shim_port_read(port: u32_, width: u32_) -> u32_;
    pub fn shim_port_write(port: u32_, width: u32_, value: u32_);
    pub fn shim_cpu_next(from: u32_) -> u32_;
    pub fn shim_msr_read(cpu: u32_, number: u32_, value: *mut u64_) -> bool_;
    pub fn shim_cpu_about(about: *mut shim_cpu);
    pub fn shim_acpi_table(
        signature: *const ::core::ffi::c_char,
        length: *mut u32_,
    ) -> *mut ::core::ffi::c_void;
    pub fn shim_is_locked_down() -> bool_;
    pub fn shim_pause();
    pub fn shim_user_copy(to: *mut ::core::ffi::c_void, from: u64_, length: usize) -> bool_;
    pub fn rust_load() -> ::core::ffi::c_int;
    pub fn rust_unload();
    pub fn rust_open(file: u32_, error: *mut ::core::ffi::c_int) -> *mut ::core::ffi::c_void;
    pub fn rust_release(snapshot: *mut ::core::ffi::c_void);
    pub fn rust_size(snapshot: *const ::core::ffi::c_void) -> loff_t;
    pub fn rust_read(
        snapshot: *const ::core::ffi::c_void,
        offset: loff_t,
        to: *mut iov_iter,
    ) -> isize;
    pub fn rust_mmap(
        snapshot: *const ::core::ffi::c_void,
        offset: u64_,
        size: u64_,
        vma: *mut vm_area_struct,
    ) -> ::core::ffi::c_int;
    pub fn rust_add(
        data: *mut vmcoredd_data,
        name: *const ::core::ffi::c_char,
        size: u32_,
        has_callback: bool_,
    ) -> ::core::ffi::c_int;
    pub fn rust_wanted() -> bool_;
    pub fn rust_register(
        owner: *mut module,
        name: *const ::core::ffi::c_char,
        length: usize,
        size: u64_,
        deadline_ms: u32_,
        collect: ::core::option::Option<
            unsafe extern "C" fn(
                collector: *mut vmcoredd_collector,
                writer: *mut vmcoredd_writer,
            ) -> ::core::ffi::c_int,
        >,
        release: ::core::option::Option<unsafe extern "C" fn(collector: *mut vmcoredd_collector)>,
        collector: *mut vmcoredd_collector,
    ) -> ::core::ffi::c_int;
    pub fn rust_write(
        writer: *mut vmcoredd_writer,
        data: *const ::core::ffi::c_void,
        length: usize,
    ) -> ::core::ffi::c_int;
    pub fn rust_time_left(writer: *mut vmcoredd_writer) -> u32_;
    pub fn rust_producer_create() -> *mut ::core::ffi::c_void;
    pub fn rust_producer_release(producer: *mut ::core::ffi::c_void);
    pub fn rust_producer_name(
        producer: *const ::core::ffi::c_void,
        name: *const ::core::ffi::c_char,
        size: u64_,
    ) -> ::core::ffi::c_int;
    pub fn rust_producer_write(producer: *const ::core::ffi::c_void, from: *mut iov_iter) -> isize;
    pub fn rust_producer_commit(
        producer: *const ::core::ffi::c_void,
        status: s32,
    ) -> ::core::ffi::c_int;
    pub fn rust_devices(request: *const shim_request) -> ::core::ffi::c_int;
}
