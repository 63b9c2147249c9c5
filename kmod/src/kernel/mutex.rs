// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's sleeping lock.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use devdump::NoMemory;

use super::shim;

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
    /// `value` behind a lock.
    ///
    /// # Errors
    /// [`NoMemory`]; `value` is dropped.
    pub fn new(value: T) -> Result<Self, NoMemory> {
        // SAFETY: may be called in process context.
        let raw = NonNull::new(unsafe { shim::shim_mutex_create() }).ok_or(NoMemory)?;
        // INVARIANT: just created.
        Ok(Self { raw, value: UnsafeCell::new(value) })
    }

    /// Waits for the lock. Sleeps.
    pub fn lock(&self) -> Guard<'_, T> {
        // SAFETY: by the invariant.
        unsafe { shim::shim_mutex_lock(self.raw.as_ptr()) };
        // INVARIANT: this thread holds the lock now.
        Guard { mutex: self }
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
