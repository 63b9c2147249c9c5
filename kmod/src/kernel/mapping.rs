// SPDX-License-Identifier: GPL-2.0-only
//! Old memory in the kernel's address space, and in a user's.

use core::ptr::NonNull;

use kmem::VolatileSlice;
use vmcore::PAGE_SIZE;

use super::error::{ENOMEM, Errno, check};
use super::shim;

enum Kind {
    /// Many pages, by `memremap()`.
    Window,
    /// One page, as the kernel's own `/proc/vmcore` maps it.
    Page,
}

/// A range of old memory in the kernel's address space. Making and dropping
/// one sleeps.
///
/// # Invariants
/// `start` is a mapping of `size` bytes, of `shim_map_window` or
/// `shim_map_page` as `kind` says, and owned by this value.
pub struct Mapping {
    start: NonNull<u8>,
    size: usize,
    kind: Kind,
}

// SAFETY: the mapping is valid on every CPU, and any thread may undo it.
unsafe impl Send for Mapping {}
// SAFETY: a shared mapping is only copied from.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `size` bytes from `physical` on.
    ///
    /// # Errors
    /// [`ENOMEM`] for lack of address space, or where memory of this kernel
    /// and old memory mix.
    pub fn window(physical: u64, size: usize) -> Result<Self, Errno> {
        // SAFETY: any range may be asked for.
        let start = unsafe { shim::shim_map_window(physical, size) };
        // INVARIANT: not null means mapped.
        Ok(Self { start: NonNull::new(start.cast()).ok_or(ENOMEM)?, size, kind: Kind::Window })
    }

    /// Maps the one page at `physical`.
    ///
    /// # Errors
    /// [`ENOMEM`].
    pub fn page(physical: u64) -> Result<Self, Errno> {
        // SAFETY: any page may be asked for.
        let start = unsafe { shim::shim_map_page(physical) };
        let size = PAGE_SIZE as usize;
        // INVARIANT: not null means mapped.
        Ok(Self { start: NonNull::new(start.cast()).ok_or(ENOMEM)?, size, kind: Kind::Page })
    }

    /// What is there. This kernel never writes to old memory; a device that the dead
    /// kernel left running may.
    #[must_use]
    pub fn bytes(&self) -> VolatileSlice<'_> {
        // SAFETY: by the invariant, they are mapped as long as this value is borrowed.
        unsafe { VolatileSlice::new(self.start.as_ptr(), self.size) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let start = self.start.as_ptr().cast();
        // SAFETY: by the invariant; nobody uses it any more.
        unsafe {
            match self.kind {
                Kind::Window => shim::shim_unmap_window(start),
                Kind::Page => shim::shim_unmap_page(start),
            }
        }
    }
}

/// The user mapping that a `mmap()` sets up.
///
/// # Invariants
/// `vma` is valid and its `mmap_lock` is held while this value lives.
pub struct UserMapping {
    vma: NonNull<shim::vm_area_struct>,
}

impl UserMapping {
    /// The mapping `vma`; `None` when that is null.
    ///
    /// # Safety
    /// `vma` is null, or valid with its `mmap_lock` held while the value lives.
    #[must_use]
    pub unsafe fn new(vma: *mut shim::vm_area_struct) -> Option<Self> {
        // INVARIANT: as the caller promises.
        Some(Self { vma: NonNull::new(vma)? })
    }

    /// Maps `size` bytes of old memory from `physical` on, read-only, `offset`
    /// bytes after the start of the mapping; all in whole pages.
    ///
    /// # Errors
    /// What mapping them returned.
    pub fn map(&mut self, offset: u64, physical: u64, size: u64) -> Result<(), Errno> {
        // SAFETY: by the invariant. C refuses mappings for writing, so that
        // the memory is only read.
        check(unsafe { shim::shim_map_user(self.vma.as_ptr(), offset, physical, size) })
    }
}
