// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A place for one owner of a value, without a lock.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::alloc::Allocator;
use crate::arc::Arc;

/// A place where one owner of a value can be left for another thread to take.
///
/// # Invariants
/// `raw` is null or an owner of [`Arc::into_raw`], which is this value's.
pub struct Slot<T: Send + Sync, A: Allocator> {
    raw: AtomicPtr<c_void>,
    _value: PhantomData<Arc<T, A>>,
}

impl<T: Send + Sync, A: Allocator> Slot<T, A> {
    /// Nothing yet.
    #[must_use]
    pub const fn empty() -> Self {
        Self { raw: AtomicPtr::new(null_mut()), _value: PhantomData }
    }

    /// Leaves `owner` there; drops the one that was.
    pub fn put(&self, owner: Arc<T, A>) {
        self.swap(owner.into_raw());
    }

    /// Leaves `owner` there, or drops it where there is one already.
    pub fn put_if_empty(&self, owner: Arc<T, A>) {
        let raw = owner.into_raw();
        let put = self.raw.compare_exchange(null_mut(), raw, Ordering::Release, Ordering::Relaxed);
        if put.is_err() {
            // SAFETY: just made of an owner, and it is not there.
            drop(unsafe { Arc::<T, A>::from_raw(raw) });
        }
    }

    /// Takes the owner that is there.
    pub fn take(&self) -> Option<Arc<T, A>> {
        self.swap(null_mut())
    }

    fn swap(&self, raw: *mut c_void) -> Option<Arc<T, A>> {
        let old = self.raw.swap(raw, Ordering::AcqRel);
        // SAFETY: by the invariant; it is not there any more.
        (!old.is_null()).then(|| unsafe { Arc::from_raw(old) })
    }

    /// Another owner of the value that is there.
    ///
    /// # Safety
    /// Nobody takes or replaces the one that is there meanwhile.
    pub unsafe fn get(&self) -> Option<Arc<T, A>> {
        let raw = self.raw.load(Ordering::Acquire);
        // SAFETY: by the invariant; the caller promises that it stays there.
        let owner = (!raw.is_null()).then(|| unsafe { Arc::from_raw(raw) });
        let another = owner.clone();
        core::mem::forget(owner);
        another
    }
}

impl<T: Send + Sync, A: Allocator> Drop for Slot<T, A> {
    fn drop(&mut self) {
        self.take();
    }
}
