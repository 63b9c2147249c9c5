// SPDX-License-Identifier: GPL-2.0-only
//! ACPI tables.

use core::ops::Deref;
use core::ptr::NonNull;
use core::slice;

use super::shim;

/// A copy of an ACPI table.
///
/// # Invariants
/// `length` bytes from `start` on are initialised memory of `shim_alloc()` that this value
/// owns.
pub struct AcpiTable {
    start: NonNull<u8>,
    length: usize,
}

impl AcpiTable {
    /// The first table with this signature; `None` where there is none, or no memory for
    /// it. Sleeps.
    #[must_use]
    pub fn get(signature: &[u8; 4]) -> Option<Self> {
        let mut length = 0;
        // SAFETY: four bytes of signature; `length` takes the length.
        let start = unsafe { shim::shim_acpi_table(signature.as_ptr().cast(), &raw mut length) };
        // INVARIANT: just copied for us.
        NonNull::new(start.cast()).map(|start| Self { start, length: length as usize })
    }
}

impl Deref for AcpiTable {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: by the invariant; they are borrowed from this value.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for AcpiTable {
    fn drop(&mut self) {
        // SAFETY: by the invariant; it is not used again.
        unsafe { shim::shim_free(self.start.as_ptr().cast_const().cast()) }
    }
}
