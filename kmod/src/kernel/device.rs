// SPDX-License-Identifier: GPL-2.0-only
//! `/dev/vmcoredd`.

use core::sync::atomic::{AtomicBool, Ordering};

use super::error::{EBUSY, Errno, check};
use super::shim;

static IS_THERE: AtomicBool = AtomicBool::new(false);

/// `/dev/vmcoredd`, which is there until this value is dropped. Dropping it sleeps.
///
/// # Invariants
/// There is one such value at most, and the device is there.
pub struct Device(());

impl Device {
    /// Creates the device, mode 0600. Processes may open it at once. Sleeps.
    ///
    /// # Errors
    /// [`EBUSY`] when it is there, or an errno when the kernel could not.
    pub fn create() -> Result<Self, Errno> {
        if IS_THERE.swap(true, Ordering::AcqRel) {
            return Err(EBUSY);
        }
        // SAFETY: it is not there.
        let created = check(unsafe { shim::shim_device_create() });
        // INVARIANT: just created, and nobody else came here.
        created.map(|()| Self(())).inspect_err(|_| IS_THERE.store(false, Ordering::Release))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: by the invariant; whoever has it open keeps this module loaded.
        unsafe { shim::shim_device_remove() };
        IS_THERE.store(false, Ordering::Release);
    }
}
