// SPDX-License-Identifier: GPL-2.0-only
//! What a driver module in Rust needs to hand over a device dump: implement
//! [`Collector`], [`register`] it.
//!
//! `drivers/nvme-regs` of the vmcoredd sources, whole:
//!
//! ```ignore
#![doc = include_str!("../../../drivers/nvme-regs/nvme_regs.rs")]
//! ```
//!
//! and its C file, which has what are macros of C:
//!
//! ```c
#![doc = include_str!("../../../drivers/nvme-regs/module.c")]
//! ```
//!
//! vmcoredd.ko logs the outcome of every collection, so a driver need not.
#![no_std]

use core::ffi::c_int;
use core::ptr::NonNull;

pub mod pci;
#[allow(missing_docs, reason = "the headers have it")]
#[allow(non_camel_case_types, reason = "the names of C")]
#[doc(hidden)]
pub mod shim;

/// A negative errno, as the kernel's functions return it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub c_int);

impl Errno {
    /// A constant of C, which is positive.
    const fn from_c(errno: u32) -> Self {
        Self(-(errno as c_int))
    }
}

/// Out of memory, or of address space.
pub const ENOMEM: Errno = Errno::from_c(shim::DRIVER_ENOMEM);
/// No such device: this driver leaves it to others.
pub const ENODEV: Errno = Errno::from_c(shim::DRIVER_ENODEV);
/// Invalid argument.
pub const EINVAL: Errno = Errno::from_c(shim::DRIVER_EINVAL);

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
    /// With a zero after it.
    bytes: [u8; NAME_MAX + 1],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; NAME_MAX + 1], length: 0 }
    }
}

impl Name {
    /// An empty name, for [`Name::text`] to be put after it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The name with `text` at its end.
    #[must_use]
    pub fn text(mut self, text: &[u8]) -> Self {
        let Text { bytes, length } = &mut self.text;
        for (to, from) in bytes.iter_mut().take(NAME_MAX).skip(*length).zip(text) {
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
    writer: &'a mut shim::vmcoredd_writer,
}

impl DumpWriter<'_> {
    /// Puts `data` after what was written before. May sleep.
    ///
    /// # Errors
    /// [`ENOMEM`], or the errno of a dump that is longer than the limits allow or
    /// than a note can say, or of a collector whose time is over. Then nothing
    /// more is taken; what was written before is kept.
    pub fn write(&mut self, data: &[u8]) -> Result<(), Errno> {
        // SAFETY: the writer is the one that the running collector was given,
        // and `&mut self` makes this its only use; `data` is what it says.
        check(unsafe { shim::vmcoredd_write(self.writer, data.as_ptr().cast(), data.len()) })
    }

    /// For how many milliseconds it still takes something: what is slow to read can be
    /// left out in time.
    pub fn time_left(&mut self) -> u32 {
        // SAFETY: the writer is the one that the running collector was given.
        unsafe { shim::vmcoredd_time_left(self.writer) }
    }
}

/// What makes one device dump.
pub trait Collector: Send + 'static {
    /// Name of the dump; one that is taken gets a number.
    fn name(&self) -> Name;

    /// How many bytes [`collect`](Self::collect) will write, or 0 where it does not
    /// know. What it does write counts; the manifest says the difference.
    fn size_hint(&self) -> u64 {
        0
    }

    /// How long it may take, in milliseconds, or 0 for 30 seconds. An operator may have
    /// set a shorter time.
    fn deadline(&self) -> u32 {
        0
    }

    /// Writes the dump. It runs in a thread of its own, and may sleep.
    ///
    /// # Errors
    /// Why that is not all: what was written before is kept, as a partial dump.
    fn collect(&mut self, writer: &mut DumpWriter<'_>) -> Result<(), Errno>;
}

/// Lets `collector` write its dump, and waits for that. Process context; may sleep.
///
/// Where it does not end in time this returns without it, and it lives until it ends.
/// Where it crashes, it is never dropped.
///
/// # Errors
/// What [`Collector::collect`] gave; [`EINVAL`] for an empty name, when nothing was
/// written, or when device dumps are switched off; [`ENOMEM`]; or why not all is kept.
/// The reason is in the log and in the manifest.
pub fn register<C: Collector>(collector: C) -> Result<(), Errno> {
    let shown = shim::vmcoredd_collector {
        // SAFETY: may be called at any time.
        owner: unsafe { shim::driver_module() },
        name: core::ptr::null(),
        size: collector.size_hint(),
        deadline_ms: collector.deadline(),
        collect: Some(collect::<C>),
        release: Some(release::<C>),
    };
    let name = collector.name();
    let registered = Registered::allocate(Registered { shown, name, collector })?;
    // SAFETY: it was just allocated, and is not used here any more; `collect` and
    // `release` get it back.
    check(unsafe { shim::vmcoredd_register(registered.as_ptr().cast()) })
}

/// What the kernel's allocator aligns every allocation to, at least.
const ALIGN: usize = 8;

/// A collector as C sees it, and what only Rust knows of it, in memory of its own.
#[repr(C)]
struct Registered<C> {
    /// The first field: a pointer to it is one to all.
    shown: shim::vmcoredd_collector,
    name: Name,
    collector: C,
}

impl<C> Registered<C> {
    /// Puts `this` into memory that [`release`] frees.
    fn allocate(this: Self) -> Result<NonNull<Self>, Errno> {
        const { assert!(align_of::<Self>() <= ALIGN) }
        // SAFETY: any size may be asked for.
        let memory = unsafe { shim::driver_alloc(size_of::<Self>()) };
        let memory = NonNull::new(memory.cast::<Self>()).ok_or(ENOMEM)?;
        // SAFETY: just allocated for it; nobody else has it.
        unsafe {
            memory.write(this);
            let name = (&raw const (*memory.as_ptr()).name.text.bytes).cast();
            (*memory.as_ptr()).shown.name = name;
        }
        Ok(memory)
    }
}

/// Calls the collector.
///
/// # Safety
/// `registered` is the first field of a `Registered<C>` that nobody else uses; `writer`
/// is valid while this runs.
unsafe extern "C" fn collect<C: Collector>(
    registered: *mut shim::vmcoredd_collector,
    writer: *mut shim::vmcoredd_writer,
) -> c_int {
    // SAFETY: the caller promises it.
    let (registered, writer) =
        unsafe { (registered.cast::<Registered<C>>().as_mut(), writer.as_mut()) };
    match (registered, writer) {
        (Some(registered), Some(writer)) => {
            to_c(registered.collector.collect(&mut DumpWriter { writer }))
        }
        _ => EINVAL.0,
    }
}

/// Frees the collector and its memory.
///
/// # Safety
/// `registered` is the first field of a `Registered<C>` that nobody uses any more.
unsafe extern "C" fn release<C>(registered: *mut shim::vmcoredd_collector) {
    // SAFETY: the caller promises it; it is from `driver_alloc`.
    unsafe {
        registered.cast::<Registered<C>>().drop_in_place();
        shim::driver_free(registered.cast());
    }
}

/// Whether device dumps are wanted: in a crash kernel, unless they are switched off, and in
/// a running system where `vmcoredd.ko` was loaded with `live=1`.
#[must_use]
pub fn dumps_are_wanted() -> bool {
    // SAFETY: may be called at any time.
    unsafe { shim::vmcoredd_wanted() }
}

/// The linked module has no path to this: the build refuses it otherwise.
#[cfg(vmcoredd_module)]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
