// SPDX-License-Identifier: GPL-2.0-only
//! A place for one owner of a value, without a lock.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::memory::Shared;

/// A place where one owner of a value can be left for another thread to take.
///
/// # Invariants
/// `raw` is null or an owner of [`Shared::into_raw`], which is this value's.
pub struct Slot<T: Send + Sync> {
    raw: AtomicPtr<c_void>,
    _value: PhantomData<Shared<T>>,
}

impl<T: Send + Sync> Slot<T> {
    /// Nothing yet.
    #[must_use]
    pub const fn empty() -> Self {
        Self { raw: AtomicPtr::new(null_mut()), _value: PhantomData }
    }

    /// Leaves `owner` there; drops the one that was.
    pub fn put(&self, owner: Shared<T>) {
        self.swap(owner.into_raw());
    }

    /// Leaves `owner` there, or drops it where there is one already.
    pub fn put_if_empty(&self, owner: Shared<T>) {
        let raw = owner.into_raw();
        let put = self.raw.compare_exchange(null_mut(), raw, Ordering::Release, Ordering::Relaxed);
        if put.is_err() {
            // SAFETY: just made of an owner, and it is not there.
            drop(unsafe { Shared::<T>::from_raw(raw) });
        }
    }

    /// Takes the owner that is there.
    pub fn take(&self) -> Option<Shared<T>> {
        self.swap(null_mut())
    }

    fn swap(&self, raw: *mut c_void) -> Option<Shared<T>> {
        let old = self.raw.swap(raw, Ordering::AcqRel);
        // SAFETY: by the invariant; it is not there any more.
        (!old.is_null()).then(|| unsafe { Shared::from_raw(old) })
    }

    /// Another owner of the value that is there.
    ///
    /// # Safety
    /// Nobody takes or replaces the one that is there meanwhile.
    pub unsafe fn get(&self) -> Option<Shared<T>> {
        let raw = self.raw.load(Ordering::Acquire);
        // SAFETY: by the invariant; the caller promises that it stays there.
        let owner = (!raw.is_null()).then(|| unsafe { Shared::from_raw(raw) });
        let another = owner.clone();
        core::mem::forget(owner);
        another
    }
}

impl<T: Send + Sync> Drop for Slot<T> {
    fn drop(&mut self) {
        self.take();
    }
}
