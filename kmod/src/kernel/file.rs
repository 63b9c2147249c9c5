// SPDX-License-Identifier: GPL-2.0-only
//! Files that the kernel itself reads.

use core::ffi::{CStr, c_int};
use core::ptr::NonNull;

use super::error::{EIO, Errno};
use super::shim;

/// A file opened for reading.
///
/// # Invariants
/// `file` is open and owned by this value.
pub struct File {
    file: NonNull<shim::file>,
}

impl File {
    /// Opens `path` as the current task sees it. Sleeps.
    ///
    /// # Errors
    /// What opening it returned.
    pub fn open(path: &CStr) -> Result<Self, Errno> {
        let mut error = 0;
        // SAFETY: `path` ends in a zero, `error` takes an int.
        let file = unsafe { shim::shim_file_open(path.as_ptr(), &raw mut error) };
        // INVARIANT: not null means open.
        Ok(Self { file: NonNull::new(file).ok_or(Errno(error))? })
    }

    /// Its size in bytes, as `SEEK_END` says it.
    ///
    /// # Errors
    /// What seeking returned.
    pub fn size(&self) -> Result<u64, Errno> {
        // SAFETY: by the invariant.
        let size = unsafe { shim::shim_file_size(self.file.as_ptr()) };
        u64::try_from(size).map_err(|_| Errno(size as c_int))
    }

    /// Reads from `offset` until `to` is full or the file ends; gives how many
    /// bytes. Sleeps.
    ///
    /// # Errors
    /// What reading returned.
    pub fn read(&self, offset: u64, to: &mut [u8]) -> Result<usize, Errno> {
        let mut done = 0;
        while let Some(rest) = to.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.checked_add(done as u64).and_then(|at| i64::try_from(at).ok());
            let at = at.ok_or(EIO)?;
            // SAFETY: by the invariant; `rest` takes as many bytes as it has.
            let read = unsafe {
                shim::shim_file_read(self.file.as_ptr(), at, rest.as_mut_ptr().cast(), rest.len())
            };
            match usize::try_from(read) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(_) => return Err(Errno(read as c_int)),
            }
        }
        Ok(done)
    }

    /// Fills `to` from `offset` on. Sleeps.
    ///
    /// # Errors
    /// What reading returned, or [`EIO`] where the file ends early.
    pub fn read_exact(&self, offset: u64, to: &mut [u8]) -> Result<(), Errno> {
        let wanted = to.len();
        if self.read(offset, to)? == wanted { Ok(()) } else { Err(EIO) }
    }
}

impl File {
    /// Whether somebody else has the file open or mapped, or is just looking
    /// its name up.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        // SAFETY: by the invariant.
        unsafe { shim::shim_file_is_shared(self.file.as_ptr()) }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: by the invariant, and it is not used again.
        unsafe { shim::shim_file_close(self.file.as_ptr()) }
    }
}
