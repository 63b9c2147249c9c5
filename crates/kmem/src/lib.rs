// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Owned memory and locks for code that runs in a kernel.
//!
//! Every allocation may fail, as in rust/kernel's `alloc`. The memory comes from an
//! [`Allocator`] and the mutual exclusion from a [`RawLock`], which are types without
//! state: the kernel module, the tests and the model checker each bring their own, and
//! run the same [`Vec`], [`Arc`], [`Block`] and [`Mutex`]. [`TakeOnce`], [`Slot`] and
//! [`Global`] pass a value from one thread to another without a lock; a [`VolatileSlice`]
//! is memory that others write to.
//!
//! Rust's own `alloc` is no alternative: its stable collections abort when memory is
//! short.
#![no_std]

mod alloc;
mod arc;
mod block;
mod buffer;
mod global;
mod mutex;
mod slot;
mod sync;
mod take_once;
mod vec;
mod volatile;

pub use alloc::{Allocator, NoMemory};
pub use arc::Arc;
pub use block::Block;
pub use global::Global;
pub use mutex::{Guard, Mutex, RawLock};
pub use slot::Slot;
pub use take_once::TakeOnce;
pub use vec::Vec;
pub use volatile::VolatileSlice;
