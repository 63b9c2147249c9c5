// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Memory mappings of a file.

use std::ffi::c_void;
use std::fs::File;
use std::ptr;
use std::slice;

use rustix::io::Errno;
use rustix::mm::{self, MapFlags, MprotectFlags, ProtFlags};

use crate::elf::{page_down, page_size};

/// A mapped window of a file, unmapped on drop.
///
/// # Invariants
/// `start` is what `mmap` returned for `length` bytes, and nothing else knows it.
pub struct Mapping {
    start: *mut c_void,
    length: usize,
}

// SAFETY: any thread may read the mapped bytes, and unmap them.
unsafe impl Send for Mapping {}
// SAFETY: a shared reference only lets bytes be copied, and protections be changed,
// which the kernel orders.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub fn new(
        file: &File,
        offset: u64,
        length: usize,
        protection: ProtFlags,
        sharing: MapFlags,
    ) -> Result<Self, Errno> {
        // SAFETY: Without MAP_FIXED the kernel takes an unused range of addresses.
        let start =
            unsafe { mm::mmap(ptr::null_mut(), length, protection, sharing, file, offset) }?;
        // INVARIANT: `start` and `length` are those of the call above.
        Ok(Self { start, length })
    }

    /// Copies the bytes from `offset` on out of a readable mapping.
    ///
    /// # Panics
    /// If they are not all inside the mapping.
    pub fn copy_to(&self, offset: usize, buffer: &mut [u8]) {
        let end = offset.checked_add(buffer.len());
        assert!(end.is_some_and(|end| end <= self.length));
        // SAFETY: The source is inside the mapping, which lives as long as `self`;
        // `buffer` is memory of the caller's and cannot overlap it. The bytes are
        // copied and never referred to, so that others may change them meanwhile.
        unsafe {
            let source = self.start.cast::<u8>().add(offset);
            ptr::copy_nonoverlapping(source, buffer.as_mut_ptr(), buffer.len());
        }
    }

    /// Hands all of it to one `write()`; returns how many bytes that took.
    pub fn write_to(&self, file: &File) -> Result<usize, Errno> {
        // SAFETY: The range is this mapping. Only the kernel looks at it, and copes with
        // what changes or is not there.
        let bytes = unsafe { slice::from_raw_parts(self.start.cast::<u8>(), self.length) };
        rustix::io::write(file, bytes)
    }

    pub fn protect(&self, protection: MprotectFlags) -> Result<(), Errno> {
        // SAFETY: The range is this mapping and no reference into it exists.
        unsafe { mm::mprotect(self.start, self.length, protection) }
    }
}

/// Fills `buffer` from a mapping of what is at `offset`, made for that alone.
pub fn copy_mapped(file: &File, offset: u64, buffer: &mut [u8], shared: bool) -> Result<(), Errno> {
    if buffer.is_empty() {
        return Ok(());
    }
    let start = page_down(offset);
    let skipped = (offset - start) as usize;
    let length = (skipped + buffer.len()).next_multiple_of(page_size() as usize);
    let sharing = if shared { MapFlags::SHARED } else { MapFlags::PRIVATE };
    Mapping::new(file, start, length, ProtFlags::READ, sharing)?.copy_to(skipped, buffer);
    Ok(())
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: The range is this mapping, and nothing can use it any more.
        let unmapped = unsafe { mm::munmap(self.start, self.length) };
        debug_assert!(unmapped.is_ok());
    }
}
