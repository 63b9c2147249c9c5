// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a host brings: memory whose allocation may fail.

use core::ops::{Deref, DerefMut};

/// There is no memory for what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemory;

/// Where the store's memory comes from.
///
/// In the kernel that is `kvmalloc` with flags that fail instead of invoking the
/// OOM killer; elsewhere it is the global allocator.
pub trait Memory: Clone {
    /// A byte buffer of fixed size.
    type Block: Deref<Target = [u8]> + DerefMut;
    /// A growable array.
    type List<T>: List<T>;
    /// A value with several owners, freed with the last of them.
    type Shared<T>: Clone + Deref<Target = T>;

    /// A zero-filled buffer of `size` bytes.
    ///
    /// # Errors
    /// [`NoMemory`].
    fn block(&self, size: usize) -> Result<Self::Block, NoMemory>;

    /// An empty array, which allocates nothing yet.
    fn list<T>(&self) -> Self::List<T>;

    /// `value` with its first owner.
    ///
    /// # Errors
    /// [`NoMemory`]; `value` is dropped.
    fn share<T>(&self, value: T) -> Result<Self::Shared<T>, NoMemory>;
}

/// A growable array whose growth may fail.
pub trait List<T>: Deref<Target = [T]> + DerefMut {
    /// Puts `value` at the end.
    ///
    /// # Errors
    /// [`NoMemory`]; the array is as before and `value` is dropped.
    fn push(&mut self, value: T) -> Result<(), NoMemory>;
}
