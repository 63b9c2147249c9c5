// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A value that is given away once.

use core::cell::UnsafeCell;
use core::mem::ManuallyDrop;

use crate::sync::{AtomicBool, Ordering};

/// A value that many threads can reach, and that the first one to ask for it gets.
///
/// # Invariants
/// Until `taken` is set, `value` is initialised, and nobody uses it; then it belongs to
/// the one thread that set it.
pub struct TakeOnce<T> {
    taken: AtomicBool,
    value: UnsafeCell<ManuallyDrop<T>>,
}

// SAFETY: a shared one gives the value to one thread and lends it to none, so that `T`
// need not be `Sync`.
unsafe impl<T: Send> Sync for TakeOnce<T> {}

impl<T> TakeOnce<T> {
    /// `value`, which nobody has taken yet.
    #[must_use]
    pub fn new(value: T) -> Self {
        // INVARIANT: nobody has a reference to it yet.
        let value = UnsafeCell::new(ManuallyDrop::new(value));
        Self { taken: AtomicBool::new(false), value }
    }

    /// Takes the value; `None` when it was taken before.
    pub fn take(&self) -> Option<T> {
        // Whoever has a reference sees the value, so that only the order of the takers
        // counts.
        let taken = self.taken.swap(true, Ordering::Relaxed);
        // SAFETY: by the invariant: this call has set `taken`, which is never reset, so
        // that the value is initialised, and nobody else reads it before or after.
        (!taken).then(|| unsafe { ManuallyDrop::take(&mut *self.value.get()) })
    }
}

impl<T> Drop for TakeOnce<T> {
    fn drop(&mut self) {
        self.take();
    }
}
