// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A byte buffer that can be cut.

use core::ops::{Deref, DerefMut};
use core::slice;

use crate::alloc::{Allocator, NoMemory};
use crate::arc::Arc;
use crate::buffer::Buffer;

/// A byte buffer of fixed size, below 4 GiB.
///
/// # Invariants
/// The `length` bytes from `offset` on are within `buffer`, initialised, and of no other
/// `Block`.
pub struct Block<A: Allocator> {
    buffer: Arc<Buffer<u8, A>, A>,
    offset: u32,
    length: u32,
}

impl<A: Allocator> Block<A> {
    /// A zero-filled buffer of `size` bytes.
    ///
    /// # Errors
    /// [`NoMemory`], also for 4 GiB and more.
    pub fn new(size: usize) -> Result<Self, NoMemory> {
        let length = u32::try_from(size).map_err(|_| NoMemory)?;
        // INVARIANT: just allocated, zero-filled.
        Ok(Self { buffer: Arc::new(Buffer::new(size)?)?, offset: 0, length })
    }

    /// Cuts the first `at` bytes off, which become a buffer of their own; all of them
    /// where there are fewer. Both share one allocation, which is freed with the last
    /// part of it.
    #[must_use]
    pub fn split_to(&mut self, at: usize) -> Self {
        let length = u32::try_from(at).unwrap_or(u32::MAX).min(self.length);
        // INVARIANT: the first bytes become the other block's, the rest stays.
        let first = Self { buffer: self.buffer.clone(), offset: self.offset, length };
        self.offset += length;
        self.length -= length;
        first
    }

    fn start(&self) -> *mut u8 {
        self.buffer.start().as_ptr().wrapping_add(self.offset as usize)
    }
}

impl<A: Allocator> Deref for Block<A> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: by the invariant, so many bytes are initialised there, and only this
        // block lends them, which is not changed meanwhile.
        unsafe { slice::from_raw_parts(self.start(), self.length as usize) }
    }
}

impl<A: Allocator> DerefMut for Block<A> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: by the invariant, so many bytes are initialised there, and only this
        // block lends them; `&mut self` makes it the only access.
        unsafe { slice::from_raw_parts_mut(self.start(), self.length as usize) }
    }
}
