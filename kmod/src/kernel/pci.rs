// SPDX-License-Identifier: GPL-2.0-only
//! PCI functions, without a driver for them.

use core::ptr::{NonNull, null_mut};

use kmem::NoMemory;

use super::memory::Vec;
use super::shim;

/// A PCI function, which the kernel keeps while this value lives.
///
/// # Invariants
/// It is a valid `struct pci_dev`, of which this value owns a reference.
pub struct PciDevice(NonNull<shim::pci_dev>);

// SAFETY: the kernel counts references, and serialises access to configuration space, so
// that any thread may use and drop it.
unsafe impl Send for PciDevice {}
// SAFETY: as above.
unsafe impl Sync for PciDevice {}

/// What a base address register decodes.
#[derive(Debug, Clone, Copy)]
pub struct Bar {
    /// Where it starts, as the processor addresses it.
    pub start: u64,
    /// Its size in bytes, above 0.
    pub size: u64,
    /// Whether these are I/O ports.
    pub io: bool,
}

impl PciDevice {
    /// All functions that the kernel knows. Sleeps.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn all() -> Result<Vec<Self>, NoMemory> {
        let mut all = Vec::<Self>::new();
        loop {
            let last = all.last().map_or(null_mut(), |last| last.0.as_ptr());
            // SAFETY: null, or valid by the invariant, in process context.
            let next = unsafe { shim::shim_pci_next(last) };
            // INVARIANT: it was just given to us.
            match NonNull::new(next).map(Self) {
                Some(next) => all.push(next)?,
                None => return Ok(all),
            }
        }
    }

    /// The bridge above it.
    #[must_use]
    pub fn bridge(&self) -> Option<Self> {
        // SAFETY: valid by the invariant.
        let bridge = unsafe { shim::shim_pci_bridge(self.0.as_ptr()) };
        // INVARIANT: it was just given to us.
        NonNull::new(bridge).map(Self)
    }

    /// What the kernel knows of it. Reads nothing of the device.
    #[must_use]
    pub fn about(&self) -> shim::shim_pci {
        let mut about = shim::shim_pci {
            domain: 0,
            class: 0,
            vendor: 0,
            device: 0,
            sub_vendor: 0,
            sub_device: 0,
            bus: 0,
            devfn: 0,
            revision: 0,
            unpowered: 0,
            disconnected: 0,
            bound: 0,
            driver: [0; 32],
        };
        // SAFETY: valid by the invariant; `about` takes it all.
        unsafe { shim::shim_pci_about(self.0.as_ptr(), &raw mut about) };
        about
    }

    /// The `width` bytes, 1, 2 or 4, at `offset` of its configuration space; `None` where
    /// they are not there.
    #[must_use]
    pub fn read(&self, offset: u32, width: u8) -> Option<u32> {
        let mut value = 0;
        // SAFETY: valid by the invariant; `value` takes it; the range is checked in C.
        let read =
            unsafe { shim::shim_pci_read(self.0.as_ptr(), offset, width.into(), &raw mut value) };
        read.then_some(value)
    }

    /// Writes to its configuration space; `None` where that is not there. The device does
    /// what it is told.
    #[must_use]
    pub fn write(&self, offset: u32, width: u8, value: u32) -> Option<()> {
        // SAFETY: valid by the invariant; the range is checked in C.
        let written = unsafe { shim::shim_pci_write(self.0.as_ptr(), offset, width.into(), value) };
        written.then_some(())
    }

    /// What base address register `index` decodes.
    #[must_use]
    pub fn bar(&self, index: u8) -> Option<Bar> {
        let mut bar = shim::shim_bar { start: 0, size: 0, io: 0 };
        // SAFETY: valid by the invariant; `bar` takes it; the index is checked in C.
        let there = unsafe { shim::shim_pci_bar(self.0.as_ptr(), index.into(), &raw mut bar) };
        there.then_some(Bar { start: bar.start, size: bar.size, io: bar.io != 0 })
    }
}

impl Drop for PciDevice {
    fn drop(&mut self) {
        // SAFETY: by the invariant, the reference is ours; it is not used again.
        unsafe { shim::shim_pci_put(self.0.as_ptr()) };
    }
}
