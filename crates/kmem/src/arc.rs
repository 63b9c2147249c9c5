// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A value with several owners.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem::forget;
use core::ops::Deref;
use core::ptr::{NonNull, drop_in_place};

use crate::alloc::{Allocator, NoMemory};
use crate::buffer::Buffer;
use crate::sync::{AtomicUsize, Ordering, fence};

/// So many owners cannot be made in the life of a machine, even of ones that are
/// forgotten, so that their count needs no check.
const _: () = assert!(usize::BITS >= 64);

struct Inner<T> {
    owners: AtomicUsize,
    value: T,
}

/// A value with several owners, dropped and freed with the last of them.
///
/// # Invariants
/// `inner` is the start of a [`Buffer`] of one value, initialised, which the owners have
/// together; `owners` counts them: the `Arc` values that point to it, and the pointers
/// of [`Arc::into_raw`].
pub struct Arc<T, A: Allocator> {
    inner: NonNull<Inner<T>>,
    _owned: PhantomData<(Inner<T>, A)>,
}

// SAFETY: an `Arc` lends its value to all threads that have an owner, for which `T` must
// be `Sync`, and the last one, on any thread, drops it, for which `T` must be `Send`.
// Any thread may free memory of `A`.
unsafe impl<T: Send + Sync, A: Allocator> Send for Arc<T, A> {}
// SAFETY: a shared `Arc` can be cloned, so that all of the above holds here, too.
unsafe impl<T: Send + Sync, A: Allocator> Sync for Arc<T, A> {}

impl<T, A: Allocator> Arc<T, A> {
    /// `value` with its first owner.
    ///
    /// # Errors
    /// [`NoMemory`]; `value` is dropped.
    pub fn new(value: T) -> Result<Self, NoMemory> {
        let buffer = Buffer::<Inner<T>, A>::new(1)?;
        let inner = buffer.start();
        // SAFETY: the buffer has room for one value, and is nobody else's.
        unsafe { inner.write(Inner { owners: AtomicUsize::new(1), value }) };
        forget(buffer);
        // INVARIANT: the buffer is initialised, and has this as its one owner.
        Ok(Self { inner, _owned: PhantomData })
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: by the invariant it is initialised, and lives while this owner does.
        unsafe { self.inner.as_ref() }
    }

    /// The value, where this is its only owner.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        // Acquire: what owners did with the value that are gone is before this.
        if self.inner().owners.load(Ordering::Acquire) != 1 {
            return None;
        }
        // SAFETY: this is the only owner, by the invariant, and no other can be made
        // while `&mut self` is borrowed.
        Some(unsafe { &mut self.inner.as_mut().value })
    }
}

/// C may use a value from any thread.
impl<T: Send + Sync, A: Allocator> Arc<T, A> {
    /// Hands this owner to C as a pointer that is not null.
    #[must_use]
    pub fn into_raw(self) -> *mut c_void {
        let raw = self.inner.as_ptr().cast();
        forget(self);
        raw
    }

    /// The owner that [`Arc::into_raw`] handed to C.
    ///
    /// # Safety
    /// `raw` came from [`Arc::into_raw`] of this very type, and is not used again.
    pub unsafe fn from_raw(raw: *mut c_void) -> Self {
        // SAFETY: `into_raw` gives no null, and the caller promises that it is of that.
        let inner = unsafe { NonNull::new_unchecked(raw.cast()) };
        // INVARIANT: the owner is counted since it was made.
        Self { inner, _owned: PhantomData }
    }

    /// The value of an owner that C holds.
    ///
    /// # Safety
    /// `raw` came from [`Arc::into_raw`] of this very type, and C does not give it back
    /// during `'a`.
    pub unsafe fn borrow<'a>(raw: *const c_void) -> &'a T
    where
        A: 'a,
    {
        // SAFETY: the caller promises that there is an owner during `'a`, so that it
        // points to a live `Inner<T>`.
        unsafe { &(*raw.cast::<Inner<T>>()).value }
    }
}

impl<T, A: Allocator> Deref for Arc<T, A> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T, A: Allocator> Clone for Arc<T, A> {
    fn clone(&self) -> Self {
        // Relaxed: a new owner comes from one that is there.
        self.inner().owners.fetch_add(1, Ordering::Relaxed);
        // INVARIANT: just counted.
        Self { inner: self.inner, _owned: PhantomData }
    }
}

impl<T, A: Allocator> Drop for Arc<T, A> {
    fn drop(&mut self) {
        // Release: what this owner did with the value is before its end.
        if self.inner().owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // What the others did, likewise.
        fence(Ordering::Acquire);
        // SAFETY: by the invariant this was the last owner of the buffer, which is of one
        // value; the buffer frees its memory, even where dropping the value unwinds.
        let _buffer = unsafe { Buffer::<Inner<T>, A>::from_start(self.inner, 1) };
        // SAFETY: by the invariant it is initialised; nobody uses it again.
        unsafe { drop_in_place(self.inner.as_ptr()) };
    }
}
