// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Memory for a number of values, which the other types put there.

use core::marker::PhantomData;
use core::num::NonZeroUsize;
use core::ptr::NonNull;

use crate::alloc::{Allocator, NoMemory};

/// Memory for `capacity` values of `T`, freed with this value. The values are its
/// owner's concern: this one neither initialises nor drops them.
///
/// # Invariants
/// `start` is aligned for `T`. It is memory of `A` for `capacity` values, which this
/// value owns; or it is dangling, where they have no size.
pub(crate) struct Buffer<T, A: Allocator> {
    start: NonNull<T>,
    capacity: usize,
    _owned: PhantomData<(T, A)>,
}

// SAFETY: it owns its memory, which any thread may use and free, by the contract of
// `Allocator`. What is done with the values in it depends on `T`.
unsafe impl<T: Send, A: Allocator> Send for Buffer<T, A> {}
// SAFETY: a shared one only gives a pointer and a number.
unsafe impl<T: Sync, A: Allocator> Sync for Buffer<T, A> {}

impl<T, A: Allocator> Buffer<T, A> {
    /// Memory for no value, which is no allocation.
    pub const fn empty() -> Self {
        // INVARIANT: no value has no size.
        Self { start: NonNull::dangling(), capacity: 0, _owned: PhantomData }
    }

    /// Zero-filled memory for `capacity` values.
    pub fn new(capacity: usize) -> Result<Self, NoMemory> {
        const { assert!(align_of::<T>() <= A::ALIGN) }
        let size = size_of::<T>().checked_mul(capacity).ok_or(NoMemory)?;
        let start = match NonZeroUsize::new(size) {
            Some(size) => A::allocate(size)?.cast(),
            None => NonNull::dangling(),
        };
        // INVARIANT: just allocated, with an alignment that `T` accepts; dangling where
        // the values have no size.
        Ok(Self { start, capacity, _owned: PhantomData })
    }

    /// The buffer of `capacity` values whose [`Buffer::start`] is `start`.
    ///
    /// # Safety
    /// There is such a buffer, which was forgotten, and is made of its start only once.
    pub unsafe fn from_start(start: NonNull<T>, capacity: usize) -> Self {
        // INVARIANT: that of the other buffer, which owns the memory no longer.
        Self { start, capacity, _owned: PhantomData }
    }

    /// Where the values are, or will be; valid as long as this value lives.
    pub fn start(&self) -> NonNull<T> {
        self.start
    }

    /// For how many values there is room.
    pub fn capacity(&self) -> usize {
        self.capacity
    }
}

impl<T, A: Allocator> Drop for Buffer<T, A> {
    fn drop(&mut self) {
        if size_of::<T>() == 0 || self.capacity == 0 {
            return;
        }
        // SAFETY: neither is 0, and the product does not wrap, for there is an allocation
        // of that size.
        let size =
            unsafe { NonZeroUsize::new_unchecked(size_of::<T>().unchecked_mul(self.capacity)) };
        // SAFETY: by the invariant, it is memory of `A` of this size, and this was its
        // only owner.
        unsafe { A::free(self.start.cast(), size) }
    }
}
