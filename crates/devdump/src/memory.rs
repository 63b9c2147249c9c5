// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a host brings: memory whose allocation may fail, and locks.

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
    type Block: Block;
    /// A growable array.
    type List<T>: List<T>;
    /// A value with several owners, freed with the last of them.
    type Shared<T>: Shared<T>;
    /// A value that one thread at a time may use.
    type Mutex<T>: Mutex<T>;

    /// A zero-filled buffer of `size` bytes.
    ///
    /// # Errors
    /// [`NoMemory`].
    fn block(&self, size: usize) -> Result<Self::Block, NoMemory>;

    /// An empty array, which allocates nothing yet.
    fn list<T>(&self) -> Self::List<T>;

    /// An empty array with room for exactly `capacity` values.
    ///
    /// # Errors
    /// [`NoMemory`].
    fn list_of<T>(&self, capacity: usize) -> Result<Self::List<T>, NoMemory>;

    /// `value` with its first owner.
    ///
    /// # Errors
    /// [`NoMemory`]; `value` is dropped.
    fn share<T>(&self, value: T) -> Result<Self::Shared<T>, NoMemory>;

    /// `value` behind the lock `lock`.
    ///
    /// # Errors
    /// [`NoMemory`]; `value` is dropped.
    fn mutex<T>(&self, lock: Lock, value: T) -> Result<Self::Mutex<T>, NoMemory>;

    /// Whether `bytes` more can be taken for dumps, with enough left for whoever
    /// saves the vmcore.
    fn affords(&self, bytes: u64) -> bool;
}

/// A byte buffer of fixed size.
pub trait Block: Deref<Target = [u8]> + DerefMut {
    /// Cuts the first `at` bytes off, which become a buffer of their own; all of
    /// them where there are fewer. Both share one allocation, which is freed
    /// with the last part of it.
    #[must_use]
    fn split_to(&mut self, at: usize) -> Self;
}

/// A growable array whose growth may fail.
pub trait List<T>: Deref<Target = [T]> + DerefMut {
    /// Puts `value` at the end.
    ///
    /// # Errors
    /// [`NoMemory`]; the array is as before and `value` is dropped.
    fn push(&mut self, value: T) -> Result<(), NoMemory>;

    /// Takes the last value.
    fn pop(&mut self) -> Option<T>;

    /// Gives back memory that it has no values for, if it can.
    fn shrink(&mut self);
}

/// A value with several owners.
pub trait Shared<T>: Clone + Deref<Target = T> {
    /// The value, where this is its only owner.
    fn unique(&mut self) -> Option<&mut T>;
}

/// Which lock it is: one may be taken while an earlier one is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// The writer of one collector.
    Writer,
    /// The store.
    Store,
    /// The decompressed chunk of one open file.
    Cache,
}

/// A value that one thread at a time may use.
pub trait Mutex<T> {
    /// Lets `use_value` have the value, once nobody else has it. May sleep.
    fn with<R>(&self, use_value: impl FnOnce(&mut T) -> R) -> R;
}
