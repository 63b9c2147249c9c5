// SPDX-License-Identifier: GPL-2.0-only
//! Entries in `/proc`.

use core::ptr::{NonNull, null_mut};

use kmem::NoMemory;

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
}

/// Sets the sizes that `stat()` shows, in bytes, of the entries that are there. Sleeps.
pub fn set_sizes(files: [Option<(&mut Entry, u64)>; shim::SHIM_FILES as usize]) {
    let mut entries = [null_mut(); shim::SHIM_FILES as usize];
    let mut sizes = [0; shim::SHIM_FILES as usize];
    for (entry, size) in files.into_iter().flatten() {
        let file = entry.which.number() as usize;
        if let (Some(place), Some(bytes)) = (entries.get_mut(file), sizes.get_mut(file)) {
            *place = entry.entry.as_ptr();
            *bytes = size as i64;
        }
    }
    // SAFETY: both are as long as they must be, and each entry is there.
    unsafe { shim::shim_proc_set_sizes(entries.as_mut_ptr(), sizes.as_ptr()) }
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
