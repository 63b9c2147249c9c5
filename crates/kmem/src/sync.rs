// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The atomics of `core`, or those that the model checker watches.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
