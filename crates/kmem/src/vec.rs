// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A growable array.

use core::ops::{Deref, DerefMut};
use core::ptr::{drop_in_place, slice_from_raw_parts_mut};
use core::slice;

use crate::alloc::{Allocator, NoMemory};
use crate::buffer::Buffer;

/// For how many values there is room when the first one comes.
const CAPACITY_LEAST: usize = 4;

/// A growable array whose growth may fail.
///
/// # Invariants
/// `length` is not above the capacity of `buffer`; so many values are initialised at its
/// start, and owned by this value.
pub struct Vec<T, A: Allocator> {
    buffer: Buffer<T, A>,
    length: usize,
}

impl<T, A: Allocator> Vec<T, A> {
    /// An empty array, which allocates nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        // INVARIANT: it has no value.
        Self { buffer: Buffer::empty(), length: 0 }
    }

    /// An empty array with room for exactly `capacity` values.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn with_capacity(capacity: usize) -> Result<Self, NoMemory> {
        // INVARIANT: it has no value.
        Ok(Self { buffer: Buffer::new(capacity)?, length: 0 })
    }

    /// Puts `value` at the end.
    ///
    /// # Errors
    /// [`NoMemory`]; the array is as before and `value` is dropped.
    pub fn push(&mut self, value: T) -> Result<(), NoMemory> {
        let capacity = self.buffer.capacity();
        if self.length == capacity {
            self.move_to(capacity.checked_mul(2).ok_or(NoMemory)?.max(CAPACITY_LEAST))?;
        }
        // SAFETY: `length` is below the capacity now, so the place is within the buffer,
        // and no value is there yet.
        unsafe { self.buffer.start().add(self.length).write(value) };
        // INVARIANT: one more value is initialised.
        self.length += 1;
        Ok(())
    }

    /// Takes the last value.
    pub fn pop(&mut self) -> Option<T> {
        let last = self.length.checked_sub(1)?;
        // INVARIANT: the last value is not counted any more.
        self.length = last;
        // SAFETY: by the invariant a value was there; it is moved out, and read no more.
        Some(unsafe { self.buffer.start().add(last).read() })
    }

    /// Gives back memory that it has no values for, if it can.
    pub fn shrink_to_fit(&mut self) {
        if self.length == 0 {
            self.buffer = Buffer::empty();
        } else if self.length < self.buffer.capacity() {
            // It stays as it is where there is no memory to move it to.
            let _ = self.move_to(self.length);
        }
    }

    /// Moves the values to memory for `capacity` of them, or for all there are.
    fn move_to(&mut self, capacity: usize) -> Result<(), NoMemory> {
        let buffer = Buffer::new(capacity.max(self.length))?;
        // SAFETY: `length` values are initialised at the old place, and the new one has
        // room for them; two buffers do not overlap. The values move: the old buffer is
        // freed without dropping them.
        unsafe { buffer.start().copy_from_nonoverlapping(self.buffer.start(), self.length) };
        // INVARIANT: the values are in this one now.
        self.buffer = buffer;
        Ok(())
    }
}

impl<T, A: Allocator> Default for Vec<T, A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, A: Allocator> Deref for Vec<T, A> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: by the invariant, so many values are initialised there; they are
        // borrowed from this value, which is not changed meanwhile.
        unsafe { slice::from_raw_parts(self.buffer.start().as_ptr(), self.length) }
    }
}

impl<T, A: Allocator> DerefMut for Vec<T, A> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: by the invariant, so many values are initialised there; `&mut self`
        // makes it the only access.
        unsafe { slice::from_raw_parts_mut(self.buffer.start().as_ptr(), self.length) }
    }
}

impl<T, A: Allocator> Drop for Vec<T, A> {
    fn drop(&mut self) {
        let values = slice_from_raw_parts_mut(self.buffer.start().as_ptr(), self.length);
        // SAFETY: by the invariant, so many values are initialised there; nobody uses
        // them again, and the buffer frees its memory after that.
        unsafe { drop_in_place(values) }
    }
}
