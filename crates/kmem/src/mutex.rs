// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A value that one thread at a time may use.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};

/// A lock, without what it protects.
///
/// # Safety
/// While a guard of [`RawLock::lock`] lives, no other one of the same lock does; what a
/// thread did before it dropped one is seen by whoever has the next one. The lock may be
/// moved while no guard of it lives.
pub unsafe trait RawLock {
    /// The lock, held until this is dropped.
    type Guard<'a>
    where
        Self: 'a;

    /// Waits for the lock. May sleep.
    fn lock(&self) -> Self::Guard<'_>;
}

/// A value that one thread at a time may use.
///
/// # Invariants
/// Nobody uses `value` without a guard of `lock`, unless nobody else has this value.
pub struct Mutex<T, L> {
    lock: L,
    value: UnsafeCell<T>,
}

// SAFETY: the lock lets one thread at a time to the value, and gives it from one to the
// next, so that `T` need not be `Sync`.
unsafe impl<T: Send, L: Sync> Sync for Mutex<T, L> {}

impl<T, L: RawLock> Mutex<T, L> {
    /// `value` after `lock`.
    #[must_use]
    pub const fn new(lock: L, value: T) -> Self {
        // INVARIANT: nobody has a reference to it yet.
        Self { lock, value: UnsafeCell::new(value) }
    }

    /// Waits for the lock. May sleep.
    pub fn lock(&self) -> Guard<'_, T, L> {
        // INVARIANT: the guard is of the lock of this value.
        Guard { _held: self.lock.lock(), value: &self.value }
    }
}

/// The value of a [`Mutex`], locked until this is dropped, by the thread that locked it:
/// a reference to an `UnsafeCell` is not `Send`.
///
/// # Invariants
/// `value` is that of a mutex, and `_held` is of its lock.
pub struct Guard<'a, T, L: RawLock + 'a> {
    value: &'a UnsafeCell<T>,
    _held: L::Guard<'a>,
}

impl<T, L: RawLock> Deref for Guard<'_, T, L> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: by the invariant the lock is held, so that nobody else uses the value.
        unsafe { &*self.value.get() }
    }
}

impl<T, L: RawLock> DerefMut for Guard<'_, T, L> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: by the invariant the lock is held, so that nobody else uses the value;
        // `&mut self` makes this the only use through the guard.
        unsafe { &mut *self.value.get() }
    }
}
