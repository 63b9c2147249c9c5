// SPDX-License-Identifier: GPL-2.0-only
//! What a driver module in Rust needs to hand over a device dump.
//!
//! In the crash kernel, before anything re-initialises the device:
//!
//! ```ignore
//! fn probe(device: &pci::Device) -> Result<(), Errno> {
//!     let registers = device.bar(0)?;
//!     let name = Name::new().text(b"nic_").text(device.name());
//!     collect(&name, 256, move |writer| {
//!         let mut part = [0; 256];
//!         registers.read(0, &mut part)?;
//!         writer.write(&part)
//!     })
//! }
//! pci_driver!(probe);
//! ```
//!
//! vmcoredd.ko logs the outcome of every collection, so a driver need not.
#![no_std]

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

pub mod pci;
#[allow(missing_docs, reason = "generated from the headers, which say it")]
#[allow(non_camel_case_types, reason = "the names of the kernel's structs")]
#[allow(unused_macros, reason = "the entry is in the driver's crate, as `pci_driver` types it")]
#[doc(hidden)]
pub mod shim {
    /// `include/vmcoredd.h`
    pub mod vmcoredd {
        include!(concat!(env!("OUT_DIR"), "/vmcoredd.rs"));
    }
    include!(concat!(env!("OUT_DIR"), "/driver.rs"));
}

/// A negative errno, as the kernel's functions return it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub c_int);

/// Out of memory, or of address space.
pub const ENOMEM: Errno = Errno(-shim::DRIVER_ENOMEM);
/// No such device: this driver leaves it to others.
pub const ENODEV: Errno = Errno(-shim::DRIVER_ENODEV);
/// Invalid argument.
pub const EINVAL: Errno = Errno(-shim::DRIVER_EINVAL);

fn check(returned: c_int) -> Result<(), Errno> {
    if returned == 0 { Ok(()) } else { Err(Errno(returned)) }
}

/// 0 or the errno, as C expects it.
#[doc(hidden)]
#[must_use]
pub fn to_c(result: Result<(), Errno>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(Errno(errno)) => errno,
    }
}

/// The longest name of a dump, in bytes.
pub const NAME_MAX: usize = 43;

/// The name of a dump; what is longer than [`NAME_MAX`] is cut.
#[derive(Debug, Clone, Copy, Default)]
pub struct Name {
    text: Text,
}

#[derive(Debug, Clone, Copy)]
struct Text {
    bytes: [u8; NAME_MAX],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; NAME_MAX], length: 0 }
    }
}

impl Name {
    /// An empty name, for [`Name::text`] to be put behind it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The name with `text` at its end.
    #[must_use]
    pub fn text(mut self, text: &[u8]) -> Self {
        let Text { bytes, length } = &mut self.text;
        for (to, from) in bytes.iter_mut().skip(*length).zip(text) {
            *to = *from;
            *length += 1;
        }
        self
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.bytes.get(..self.text.length).unwrap_or_default()
    }
}

/// Takes what a collector writes.
pub struct DumpWriter<'a> {
    writer: &'a mut shim::vmcoredd::vmcoredd_writer,
}

impl DumpWriter<'_> {
    /// Puts `data` behind what was written before. May sleep.
    ///
    /// # Errors
    /// [`ENOMEM`], or the errno of a dump that is longer than the limits allow or
    /// than a note can say, or of a collector whose time is over. Then nothing
    /// more is taken; what was written before is kept.
    pub fn write(&mut self, data: &[u8]) -> Result<(), Errno> {
        // SAFETY: the writer is the one that the running collector was given,
        // and `&mut self` makes this its only use; `data` is what it says.
        check(unsafe {
            shim::vmcoredd::vmcoredd_write(self.writer, data.as_ptr().cast(), data.len())
        })
    }
}

/// Lets `collect` write the dump `name`, `size` bytes or, where that is 0, any number,
/// and adds it to the vmcore. A name that is taken gets a number. Process context;
/// may sleep.
///
/// `collect` runs in a thread of its own. Where it does not end in time this returns
/// without it, and what it owns lives until it ends: hence `'static`. Where it
/// crashes, that is lost.
///
/// # Errors
/// What `collect` gave; [`EINVAL`] for an empty name, when nothing was written, or
/// when `novmcoredd` is given; [`ENOMEM`]; or why not all is kept. The reason is in
/// the log and in the manifest.
pub fn collect<F>(name: &Name, size: u64, collect: F) -> Result<(), Errno>
where
    F: FnOnce(&mut DumpWriter<'_>) -> Result<(), Errno> + Send + 'static,
{
    let context = Held::allocate(collect)?;
    let name = name.as_bytes();
    // SAFETY: the module is loaded, as this is its code; `name` is what it says;
    // `call` and `release` get a `context` of their very type, once each.
    check(unsafe {
        shim::vmcoredd::vmcoredd_collect(
            shim::driver_module().cast(),
            name.as_ptr(),
            name.len(),
            size,
            Some(call::<F>),
            Some(release::<F>),
            context,
        )
    })
}

/// What the kernel's allocator aligns every allocation to, at least.
const ALIGN: usize = 8;

/// A collector, in memory of its own, until it is called.
struct Held<F>(Option<F>);

impl<F> Held<F> {
    /// Puts `collect` into memory that [`release`] frees.
    fn allocate(collect: F) -> Result<*mut c_void, Errno> {
        const { assert!(align_of::<Self>() <= ALIGN) }
        // SAFETY: any size may be asked for.
        let memory = unsafe { shim::driver_alloc(size_of::<Self>().max(1)) };
        let held = NonNull::new(memory.cast::<Self>()).ok_or(ENOMEM)?;
        // SAFETY: just allocated for it.
        unsafe { held.write(Self(Some(collect))) };
        Ok(memory)
    }
}

/// Calls the collector that `context` holds.
///
/// # Safety
/// `context` is a `Held<F>` that nobody else uses; `writer` is valid while this
/// runs.
unsafe extern "C" fn call<F>(
    context: *mut c_void,
    writer: *mut shim::vmcoredd::vmcoredd_writer,
) -> c_int
where
    F: FnOnce(&mut DumpWriter<'_>) -> Result<(), Errno>,
{
    // SAFETY: the caller promises it.
    let (collect, writer) = unsafe { ((*context.cast::<Held<F>>()).0.take(), writer.as_mut()) };
    match (collect, writer) {
        (Some(collect), Some(writer)) => to_c(collect(&mut DumpWriter { writer })),
        _ => EINVAL.0,
    }
}

/// Frees the memory of a collector.
///
/// # Safety
/// `context` is a `Held<F>` that nobody uses any more.
unsafe extern "C" fn release<F>(context: *mut c_void) {
    // SAFETY: the caller promises it; it is from `driver_alloc`.
    unsafe {
        context.cast::<Held<F>>().drop_in_place();
        shim::driver_free(context);
    }
}

/// Whether this is a crash kernel, where device dumps are wanted.
#[must_use]
pub fn in_crash_kernel() -> bool {
    // SAFETY: may be called at any time.
    unsafe { shim::driver_in_crash_kernel() }
}

/// The linked module has no path to this: the build refuses it otherwise.
#[cfg(vmcoredd_module)]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
