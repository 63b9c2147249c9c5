// SPDX-License-Identifier: GPL-2.0-only
//! What the C headers declare, as bindgen writes it.

pub type __u32 = ::core::ffi::c_uint;
pub type __u64 = ::core::ffi::c_ulonglong;
pub type u32_ = __u32;
pub type u64_ = __u64;
pub type bool_ = bool;
#[repr(C)]
pub struct module {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct pci_dev {
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
pub struct vmcoredd_collector {
    pub owner: *mut module,
    pub name: *const ::core::ffi::c_char,
    pub size: u64_,
    pub deadline_ms: u32_,
    pub collect: ::core::option::Option<
        unsafe extern "C" fn(
            collector: *mut vmcoredd_collector,
            writer: *mut vmcoredd_writer,
        ) -> ::core::ffi::c_int,
    >,
    pub release: ::core::option::Option<unsafe extern "C" fn(collector: *mut vmcoredd_collector)>,
}
pub const DRIVER_ENOMEM: u32 = 12;
pub const DRIVER_ENODEV: u32 = 19;
pub const DRIVER_EINVAL: u32 = 22;
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of vmcoredd_collector"][::core::mem::size_of::<vmcoredd_collector>() - 48usize];
    ["Alignment of vmcoredd_collector"][::core::mem::align_of::<vmcoredd_collector>() - 8usize];
    ["Offset of field: vmcoredd_collector::owner"]
        [::core::mem::offset_of!(vmcoredd_collector, owner) - 0usize];
    ["Offset of field: vmcoredd_collector::name"]
        [::core::mem::offset_of!(vmcoredd_collector, name) - 8usize];
    ["Offset of field: vmcoredd_collector::size"]
        [::core::mem::offset_of!(vmcoredd_collector, size) - 16usize];
    ["Offset of field: vmcoredd_collector::deadline_ms"]
        [::core::mem::offset_of!(vmcoredd_collector, deadline_ms) - 24usize];
    ["Offset of field: vmcoredd_collector::collect"]
        [::core::mem::offset_of!(vmcoredd_collector, collect) - 32usize];
    ["Offset of field: vmcoredd_collector::release"]
        [::core::mem::offset_of!(vmcoredd_collector, release) - 40usize];
};
unsafe extern "C" {
    pub fn driver_module() -> *mut module;
    pub fn driver_alloc(size: usize) -> *mut ::core::ffi::c_void;
    pub fn driver_free(memory: *mut ::core::ffi::c_void);
    pub fn driver_pci_get(pdev: *mut pci_dev);
    pub fn driver_pci_put(pdev: *mut pci_dev);
    pub fn driver_pci_name(pdev: *const pci_dev) -> *const ::core::ffi::c_char;
    pub fn driver_pci_enable(pdev: *mut pci_dev) -> ::core::ffi::c_int;
    pub fn driver_pci_disable(pdev: *mut pci_dev);
    pub fn driver_map_bar(
        pdev: *mut pci_dev,
        index: ::core::ffi::c_int,
        size: *mut usize,
    ) -> *mut ::core::ffi::c_void;
    pub fn driver_unmap_bar(pdev: *mut pci_dev, bar: *mut ::core::ffi::c_void);
    pub fn driver_copy_from_bar(
        to: *mut ::core::ffi::c_void,
        from: *const ::core::ffi::c_void,
        length: usize,
    );
    pub fn driver_read_register(from: *const ::core::ffi::c_void) -> u32_;
    pub fn rust_probe(pdev: *mut pci_dev) -> ::core::ffi::c_int;
    pub fn vmcoredd_add_device_dump(data: *mut vmcoredd_data) -> ::core::ffi::c_int;
    pub fn vmcoredd_wanted() -> bool_;
    pub fn vmcoredd_register(collector: *mut vmcoredd_collector) -> ::core::ffi::c_int;
    pub fn vmcoredd_write(
        writer: *mut vmcoredd_writer,
        data: *const ::core::ffi::c_void,
        length: usize,
    ) -> ::core::ffi::c_int;
    pub fn vmcoredd_time_left(writer: *mut vmcoredd_writer) -> u32_;
}
