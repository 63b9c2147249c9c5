// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The one value that every entry from C finds.

use crate::alloc::Allocator;
use crate::arc::Arc;
use crate::slot::Slot;

/// A static that is empty until a value is put there.
///
/// There is no lock, since it is read in any context: a value that is there stays until
/// [`Global::take`], whose caller promises that nobody reads it any more.
///
/// # Invariants
/// While [`Global::get`] may run, the owner in `slot` is neither taken nor replaced.
pub struct Global<T: Send + Sync, A: Allocator> {
    slot: Slot<T, A>,
}

impl<T: Send + Sync, A: Allocator> Global<T, A> {
    /// Nothing yet.
    #[must_use]
    pub const fn empty() -> Self {
        // INVARIANT: there is no owner.
        Self { slot: Slot::empty() }
    }

    /// Puts `value` there; drops it where there is one already.
    pub fn set(&self, value: Arc<T, A>) {
        // INVARIANT: an owner that is there stays.
        self.slot.put_if_empty(value);
    }

    /// An owner of the value.
    #[must_use]
    pub fn get(&self) -> Option<Arc<T, A>> {
        // SAFETY: by the invariant.
        unsafe { self.slot.get() }
    }

    /// Takes the value away.
    ///
    /// # Safety
    /// No thread calls [`Global::get`] meanwhile.
    pub unsafe fn take(&self) -> Option<Arc<T, A>> {
        // INVARIANT: as the caller promises.
        self.slot.take()
    }
}
