// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's sleeping lock.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use devdump::NoMemory;

use super::shim;

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

/// A value that one thread at a time may use. Process context only.
///
/// # Invariants
/// `raw` is a mutex of `shim_mutex_create` that this value owns.
pub struct Mutex<T> {
    raw: NonNull<shim::mutex>,
    value: UnsafeCell<T>,
}

// SAFETY: the lock may be used and freed by any thread, and so may the value.
unsafe impl<T: Send> Send for Mutex<T> {}
// SAFETY: the lock lets one thread at a time to the value.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// `value` behind `lock`.
    ///
    /// # Errors
    /// [`NoMemory`]; `value` is dropped.
    pub fn new(lock: Lock, value: T) -> Result<Self, NoMemory> {
        // SAFETY: the number is one of `shim.h`.
        let raw = unsafe { shim::shim_mutex_create(lock as u32) };
        let raw = NonNull::new(raw).ok_or(NoMemory)?;
        // INVARIANT: just created.
        Ok(Self { raw, value: UnsafeCell::new(value) })
    }

    /// Waits for the lock. Sleeps.
    pub fn lock(&self) -> Guard<'_, T> {
        // SAFETY: by the invariant.
        unsafe { shim::shim_mutex_lock(self.raw.as_ptr()) };
        // INVARIANT: this thread holds the lock now.
        Guard { mutex: self, _same_thread: PhantomData }
    }
}

impl<T> devdump::Mutex<T> for Mutex<T> {
    fn with<R>(&self, use_value: impl FnOnce(&mut T) -> R) -> R {
        use_value(&mut self.lock())
    }
}

impl<T> Drop for Mutex<T> {
    fn drop(&mut self) {
        // SAFETY: by the invariant; every guard borrows `self`, so none is left.
        unsafe { shim::shim_mutex_destroy(self.raw.as_ptr()) }
    }
}

/// The lock, held.
///
/// # Invariants
/// The thread that owns this value holds the lock.
pub struct Guard<'a, T> {
    mutex: &'a Mutex<T>,
    /// A kernel mutex is given back by the task that took it.
    _same_thread: PhantomData<*mut ()>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held, so nobody else has the value.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, and `&mut self` is the only way through it.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: the lock is held.
        unsafe { shim::shim_mutex_unlock(self.mutex.raw.as_ptr()) }
    }
}
