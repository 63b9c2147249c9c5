// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Memory that others write to.

use core::ffi::c_void;
use core::marker::PhantomData;

/// Bytes that may change at any time, which a `&[u8]` must not: of old memory, to which
/// a device that the dead kernel left running writes, or of a buffer that a late
/// collector still fills. They can only be copied; each byte of a copy is an old one or
/// a new one.
///
/// # Invariants
/// The `length` bytes from `start` on can be read during `'a`.
#[derive(Clone, Copy)]
pub struct VolatileSlice<'a> {
    start: *const u8,
    length: usize,
    _memory: PhantomData<&'a ()>,
}

impl<'a> VolatileSlice<'a> {
    /// The `length` bytes from `start` on.
    ///
    /// # Safety
    /// They can be read during `'a`, and nobody has a `&mut` to them meanwhile.
    #[must_use]
    pub unsafe fn new(start: *const u8, length: usize) -> Self {
        // INVARIANT: as the caller promises.
        Self { start, length, _memory: PhantomData }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(self) -> usize {
        self.length
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// What is after the first `within` bytes; `None` where there are not so many.
    #[must_use]
    pub fn after(self, within: usize) -> Option<Self> {
        let length = self.length.checked_sub(within)?;
        // INVARIANT: the last bytes of those that can be read.
        Some(Self { start: self.start.wrapping_add(within), length, ..self })
    }

    /// The first `limit` bytes; all where there are fewer.
    #[must_use]
    pub fn first(self, limit: usize) -> Self {
        // INVARIANT: the first bytes of those that can be read.
        Self { length: self.length.min(limit), ..self }
    }

    /// Where they are, for C that copies them.
    #[must_use]
    pub fn as_ptr(self) -> *const c_void {
        self.start.cast()
    }

    /// Copies them to the start of `to`, as many as it takes; returns how many.
    pub fn copy_to(self, to: &mut [u8]) -> usize {
        let length = self.length.min(to.len());
        // SAFETY: `length` bytes can be read from `start` by the invariant, and `to` has as
        // many. They do not overlap, for nobody else has a reference to what `to` is.
        unsafe { copy(self.start, to.as_mut_ptr(), length) };
        length
    }
}

impl<'a> From<&'a [u8]> for VolatileSlice<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        // INVARIANT: they can be read as long as they are borrowed.
        Self { start: bytes.as_ptr(), length: bytes.len(), _memory: PhantomData }
    }
}

/// Copies `length` bytes from memory that others write to.
///
/// `copy_nonoverlapping()` may assume that nobody writes meanwhile, and stable Rust has no
/// volatile one. The compiler does not look into this instruction, with which the kernel's
/// own `memcpy()` copies, too.
///
/// # Safety
/// `from` can be read and `to` be written for `length` bytes, which do not overlap.
#[cfg(target_arch = "x86_64")]
unsafe fn copy(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: it reads and writes what the caller says, and no other memory. The direction
    // flag is clear, as the ABI has it.
    unsafe {
        core::arch::asm!(
            "rep movsb",
            inout("rcx") length => _,
            inout("rsi") from => _,
            inout("rdi") to => _,
            options(nostack, preserves_flags),
        );
    }
}

/// The same, byte by byte.
///
/// # Safety
/// As above.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn copy(from: *const u8, to: *mut u8, length: usize) {
    for at in 0..length {
        // SAFETY: `at` is below `length`.
        unsafe { to.add(at).write(from.add(at).read_volatile()) };
    }
}
