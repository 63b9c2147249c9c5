// SPDX-License-Identifier: GPL-2.0-only
//! Entries in `/proc`.

use core::ptr::NonNull;

use devdump::NoMemory;

use super::shim;

/// Which file an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// `/proc/vmcore`: memory and device dumps.
    Vmcore,
    /// `/proc/vmcoredd`: the same without memory.
    Vmcoredd,
}

impl Which {
    /// The file with the number that C gives it.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Vmcore, Self::Vmcoredd].into_iter().find(|which| which.number() == number)
    }

    const fn number(self) -> u32 {
        match self {
            Self::Vmcore => shim::SHIM_FILE_VMCORE,
            Self::Vmcoredd => shim::SHIM_FILE_VMCOREDD,
        }
    }
}

/// An entry in `/proc` that is there until this value is dropped. Dropping it
/// waits for its users, and sleeps.
///
/// # Invariants
/// `entry` is of `shim_proc_create` for `which` and owned by this value.
pub struct Entry {
    entry: NonNull<shim::proc_dir_entry>,
    which: Which,
}

// SAFETY: any thread may change or remove an entry that it alone has.
unsafe impl Send for Entry {}

impl Entry {
    /// Creates the entry of `which`, mode 0400. Readers may come at once. Sleeps.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn create(which: Which) -> Result<Self, NoMemory> {
        // SAFETY: the number is one of `shim.h`.
        let entry = unsafe { shim::shim_proc_create(which.number()) };
        // INVARIANT: not null means created.
        Ok(Self { entry: NonNull::new(entry).ok_or(NoMemory)?, which })
    }

    /// Sets the size that `stat()` shows, in bytes. Sleeps.
    pub fn set_size(&mut self, size: u64) {
        // SAFETY: by the invariant.
        unsafe {
            shim::shim_proc_set_size(self.entry.as_ptr(), self.which.number(), size as i64);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: by the invariant.
        unsafe { shim::shim_proc_remove(self.entry.as_ptr()) }
    }
}

/// Removes the kernel's own `/proc/vmcore`; whoever still has it open gets errors.
/// Sleeps.
pub fn remove_kernels_vmcore() {
    // SAFETY: procfs waits for calls that are under way.
    unsafe { shim::shim_proc_remove_kernels_vmcore() }
}
