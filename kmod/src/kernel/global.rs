// SPDX-License-Identifier: GPL-2.0-only
//! The one value that every entry from C finds.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::memory::Shared;

/// A static that is empty until a value is put there.
///
/// # Invariants
/// `raw` is null or an owner of [`Shared::into_raw`].
pub struct Global<T> {
    raw: AtomicPtr<c_void>,
    _value: PhantomData<T>,
}

// SAFETY: it lends its value to all threads, and any may take it away.
unsafe impl<T: Send + Sync> Sync for Global<T> {}

impl<T: Send + Sync + 'static> Global<T> {
    /// Nothing yet.
    #[must_use]
    pub const fn empty() -> Self {
        Self { raw: AtomicPtr::new(null_mut()), _value: PhantomData }
    }

    /// Puts `value` there, where nothing was before.
    pub fn set(&self, value: Shared<T>) {
        // INVARIANT: it is an owner.
        self.raw.store(value.into_raw(), Ordering::Release);
    }

    /// An owner of the value.
    #[must_use]
    pub fn get(&self) -> Option<Shared<T>> {
        let raw = self.raw.load(Ordering::Acquire);
        if raw.is_null() {
            return None;
        }
        // SAFETY: by the invariant; the module's use count keeps `take` from
        // running, which alone gives the owner back, while C calls us.
        let owner: Shared<T> = unsafe { Shared::from_raw(raw) };
        let another = owner.clone();
        core::mem::forget(owner);
        Some(another)
    }

    /// Takes the value away.
    pub fn take(&self) -> Option<Shared<T>> {
        let raw = self.raw.swap(null_mut(), Ordering::AcqRel);
        // SAFETY: by the invariant; it is not there any more.
        (!raw.is_null()).then(|| unsafe { Shared::from_raw(raw) })
    }
}
