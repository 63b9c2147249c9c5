// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's sleeping lock.

use core::ptr::NonNull;

use kmem::{NoMemory, RawLock};

use super::shim;

/// A value that one thread at a time may use. Process context only.
pub type Mutex<T> = kmem::Mutex<T, KernelLock>;

/// Which lock it is, for lock validators.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub enum Lock {
    /// The store of dumps.
    Store = shim::SHIM_LOCK_STORE,
    /// The entries in `/proc`; the store may be locked while it is held.
    Entries = shim::SHIM_LOCK_ENTRIES,
    /// The windows to old memory; no other lock is taken while it is held.
    Windows = shim::SHIM_LOCK_WINDOWS,
    /// The writer of one collector; the store may be locked while it is held.
    Writer = shim::SHIM_LOCK_WRITER,
    /// The decompressed chunk of one reader; no other lock is taken while it is
    /// held.
    Cache = shim::SHIM_LOCK_CACHE,
    /// What one process writes; the entries and the store may be locked while it is
    /// held, and pages be faulted in.
    Producer = shim::SHIM_LOCK_PRODUCER,
}

/// A mutex of the kernel.
///
/// # Invariants
/// `raw` is a mutex of `shim_mutex_create` that this value owns.
pub struct KernelLock {
    raw: NonNull<shim::mutex>,
}

// SAFETY: any thread may take and free it.
unsafe impl Send for KernelLock {}
// SAFETY: any thread may take it at any time.
unsafe impl Sync for KernelLock {}

impl KernelLock {
    /// A mutex that nobody holds.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn new(lock: Lock) -> Result<Self, NoMemory> {
        // SAFETY: the number is one of `shim.h`.
        let raw = unsafe { shim::shim_mutex_create(lock as u32) };
        // INVARIANT: just created.
        Ok(Self { raw: NonNull::new(raw).ok_or(NoMemory)? })
    }
}

// SAFETY: the kernel lets one task at a time hold a mutex, which has its place in memory
// of its own. A guard is made by the task that has it, and gives it back once.
unsafe impl RawLock for KernelLock {
    type Guard<'a> = KernelGuard<'a>;

    fn lock(&self) -> KernelGuard<'_> {
        // SAFETY: by the invariant.
        unsafe { shim::shim_mutex_lock(self.raw.as_ptr()) };
        // INVARIANT: this task holds it now.
        KernelGuard { lock: self }
    }
}

impl Drop for KernelLock {
    fn drop(&mut self) {
        // SAFETY: by the invariant; every guard borrows `self`, so none is left.
        unsafe { shim::shim_mutex_destroy(self.raw.as_ptr()) }
    }
}

/// A mutex of the kernel, held.
///
/// # Invariants
/// The task that made this value holds `lock`. A [`kmem::Guard`] stays with it.
pub struct KernelGuard<'a> {
    lock: &'a KernelLock,
}

impl Drop for KernelGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: by the invariant.
        unsafe { shim::shim_mutex_unlock(self.lock.raw.as_ptr()) }
    }
}
