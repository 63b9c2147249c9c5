// SPDX-License-Identifier: GPL-2.0-only
//! A PCI function of the host, which counts who has it, and whose registers can end the
//! thread that reads them.

use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};

use vmcoredd_kmod::kernel::shim;

/// Size of what its first base address register decodes, in bytes.
pub const BAR_SIZE: u64 = 0x3000;

/// The function; there are no others.
pub struct Function {
    /// How many references to it there are.
    pub references: AtomicI32,
    /// How many mappings of its registers there are.
    pub mappings: AtomicI32,
    /// Whether its registers end who reads more than 1,536 of them.
    pub crashes: AtomicBool,
    /// How many were read meanwhile.
    pub reads: AtomicI32,
}

impl Function {
    /// One that nobody has yet.
    pub const fn new() -> Self {
        Self {
            references: AtomicI32::new(0),
            mappings: AtomicI32::new(0),
            crashes: AtomicBool::new(false),
            reads: AtomicI32::new(0),
        }
    }
}

thread_local! {
    /// The function that this thread finds.
    static FOUND: Cell<Option<&'static Function>> = const { Cell::new(None) };
}

/// The function that whoever reads registers at a physical address of it means; one a
/// process is enough for a test.
static MAPPED: std::sync::Mutex<Option<&'static Function>> = std::sync::Mutex::new(None);

/// This thread finds `function`, whose registers are the ones that are mapped.
pub fn found(function: &'static Function) {
    FOUND.set(Some(function));
    *MAPPED.lock().unwrap() = Some(function);
}

fn mapped() -> &'static Function {
    MAPPED.lock().unwrap().unwrap()
}

fn function(device: *mut shim::pci_dev) -> &'static Function {
    // SAFETY: `shim_pci_next` gave it away, which is of a static.
    let function: &'static Function = unsafe { &*device.cast::<Function>() };
    assert!(function.references.load(SeqCst) > 0, "used after it was given back");
    function
}

#[unsafe(no_mangle)]
extern "C" fn shim_pci_next(after: *mut shim::pci_dev) -> *mut shim::pci_dev {
    match FOUND.get() {
        Some(function) if after.is_null() => {
            function.references.fetch_add(1, SeqCst);
            std::ptr::from_ref(function).cast_mut().cast()
        }
        _ => null_mut(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn shim_pci_put(device: *mut shim::pci_dev) {
    function(device).references.fetch_sub(1, SeqCst);
}

#[unsafe(no_mangle)]
extern "C" fn shim_pci_bridge(_device: *mut shim::pci_dev) -> *mut shim::pci_dev {
    null_mut()
}

#[unsafe(no_mangle)]
extern "C" fn shim_pci_about(device: *mut shim::pci_dev, about: *mut shim::shim_pci) {
    function(device);
    // SAFETY: `about` takes it, and is initialised.
    let about = unsafe { &mut *about };
    (about.vendor, about.device, about.bus, about.devfn) = (0x1234, 0x5678, 1, 0x19);
}

/// A vendor id, memory is decoded, no capabilities.
#[unsafe(no_mangle)]
extern "C" fn shim_pci_read(
    device: *mut shim::pci_dev,
    offset: u32,
    width: u32,
    value: *mut u32,
) -> bool {
    function(device);
    let found = match offset {
        0 => 0x5678_1234,
        4 => 2,
        _ => 0,
    };
    let there = offset + width <= 256;
    if there {
        // SAFETY: `value` takes it.
        unsafe { value.write(if width == 2 { found & 0xffff } else { found }) };
    }
    there
}

#[unsafe(no_mangle)]
extern "C" fn shim_pci_write(
    _device: *mut shim::pci_dev,
    _offset: u32,
    _width: u32,
    _value: u32,
) -> bool {
    false
}

#[unsafe(no_mangle)]
extern "C" fn shim_pci_bar(
    device: *mut shim::pci_dev,
    index: u32,
    bar: *mut shim::shim_bar,
) -> bool {
    function(device);
    // SAFETY: `bar` takes it.
    unsafe { bar.write(shim::shim_bar { start: 0xfe00_0000, size: BAR_SIZE, io: 0 }) };
    index == 0
}

#[unsafe(no_mangle)]
extern "C" fn shim_registers_map(physical: u64, size: usize) -> *mut c_void {
    assert_eq!((physical, size as u64), (0xfe00_0000, BAR_SIZE));
    mapped().mappings.fetch_add(1, SeqCst);
    Box::into_raw(Box::new([0x5a_u8; BAR_SIZE as usize])).cast()
}

#[unsafe(no_mangle)]
extern "C" fn shim_registers_unmap(registers: *mut c_void) {
    mapped().mappings.fetch_sub(1, SeqCst);
    // SAFETY: it is of `shim_registers_map`, and is unmapped once.
    drop(unsafe { Box::from_raw(registers.cast::<[u8; BAR_SIZE as usize]>()) });
}

#[unsafe(no_mangle)]
extern "C" fn shim_registers_read(at: *const c_void, width: u32) -> u64 {
    if mapped().crashes.load(SeqCst) {
        // The first page and a half are fine.
        if mapped().reads.fetch_add(1, SeqCst) >= 1536 {
            super::crash();
        }
    }
    (0..width).fold(0, |value, byte| {
        // SAFETY: within the mapping, which is checked by AddressSanitizer.
        value | u64::from(unsafe { at.cast::<u8>().add(byte as usize).read() }) << (8 * byte)
    })
}

#[unsafe(no_mangle)]
extern "C" fn shim_registers_write(_at: *mut c_void, _width: u32, _value: u64) {
    panic!("nothing is to be written");
}

#[unsafe(no_mangle)]
extern "C" fn shim_port_read(_port: u32, _width: u32) -> u32 {
    u32::MAX
}

#[unsafe(no_mangle)]
extern "C" fn shim_port_write(_port: u32, _width: u32, _value: u32) {
    panic!("nothing is to be written");
}

#[unsafe(no_mangle)]
extern "C" fn shim_cpu_next(_from: u32) -> u32 {
    u32::MAX
}

#[unsafe(no_mangle)]
extern "C" fn shim_msr_read(_cpu: u32, _number: u32, _value: *mut u64) -> bool {
    false
}

#[unsafe(no_mangle)]
extern "C" fn shim_cpu_about(_about: *mut shim::shim_cpu) {}

#[unsafe(no_mangle)]
extern "C" fn shim_acpi_table(_signature: *const c_char, _length: *mut u32) -> *mut c_void {
    null_mut()
}

#[unsafe(no_mangle)]
extern "C" fn shim_is_locked_down() -> bool {
    false
}

#[unsafe(no_mangle)]
extern "C" fn shim_pause() {}

#[unsafe(no_mangle)]
extern "C" fn shim_user_copy(_to: *mut c_void, _from: u64, _length: usize) -> bool {
    false
}

/// The log is not looked at.
#[unsafe(no_mangle)]
extern "C" fn shim_log(_level: u32, _text: *const c_char, _length: usize) {}
