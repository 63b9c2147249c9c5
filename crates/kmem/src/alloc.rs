// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where memory comes from.

use core::num::NonZeroUsize;
use core::ptr::NonNull;

/// There is no memory for what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemory;

/// An allocator without state, so that what it allocated can be freed without a
/// reference to it.
///
/// # Safety
/// Memory of [`Allocator::allocate`] has the size that was asked for and the alignment
/// [`Allocator::ALIGN`], is filled with zeros, and is of nobody else until it is given
/// to [`Allocator::free`]. Any thread may use and free it.
pub unsafe trait Allocator {
    /// The alignment of all memory that it allocates, in bytes; a power of two. What
    /// needs a larger one does not compile.
    const ALIGN: usize;

    /// Zero-filled memory of `size` bytes. May sleep.
    ///
    /// # Errors
    /// [`NoMemory`].
    fn allocate(size: NonZeroUsize) -> Result<NonNull<u8>, NoMemory>;

    /// Frees `memory`, which has `size` bytes. May sleep.
    ///
    /// # Safety
    /// `memory` came from [`Allocator::allocate`] of this very allocator, with this
    /// `size`, and is not used again.
    unsafe fn free(memory: NonNull<u8>, size: NonZeroUsize);
}
