// SPDX-License-Identifier: GPL-2.0-only
//! The one value that every entry from C finds.

use super::memory::Shared;
use super::slot::Slot;

/// A static that is empty until a value is put there.
pub struct Global<T: Send + Sync> {
    slot: Slot<T>,
}

impl<T: Send + Sync + 'static> Global<T> {
    /// Nothing yet.
    #[must_use]
    pub const fn empty() -> Self {
        Self { slot: Slot::empty() }
    }

    /// Puts `value` there, where nothing was before.
    pub fn set(&self, value: Shared<T>) {
        self.slot.put(value);
    }

    /// An owner of the value.
    #[must_use]
    pub fn get(&self) -> Option<Shared<T>> {
        // SAFETY: the module's use count keeps `take` from running, which alone gives
        // the owner back, while C calls us.
        unsafe { self.slot.get() }
    }

    /// Takes the value away.
    pub fn take(&self) -> Option<Shared<T>> {
        self.slot.take()
    }
}
