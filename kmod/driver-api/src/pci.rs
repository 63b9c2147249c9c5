// SPDX-License-Identifier: GPL-2.0-only
//! PCI devices, as far as a collector needs them.

use core::ffi::CStr;
use core::ops::Range;
use core::ptr::NonNull;

use crate::{DumpWriter, EINVAL, ENOMEM, Errno, check, shim};

/// A device; it is not freed while this value lives.
///
/// # Invariants
/// `pdev` is valid, and counted once for this value.
pub struct Device {
    pdev: NonNull<shim::pci_dev>,
}

// SAFETY: any thread may use a device that is counted for it.
unsafe impl Send for Device {}
// SAFETY: the kernel takes care of those who use a device at once.
unsafe impl Sync for Device {}

impl Device {
    /// The device `pdev`; `None` when that is null.
    ///
    /// # Safety
    /// `pdev` is null or valid.
    #[doc(hidden)]
    #[must_use]
    pub unsafe fn new(pdev: *mut shim::pci_dev) -> Option<Self> {
        let pdev = NonNull::new(pdev)?;
        // SAFETY: the caller promises it.
        unsafe { shim::driver_pci_get(pdev.as_ptr()) };
        // INVARIANT: just counted.
        Some(Self { pdev })
    }

    /// Its name, as in `0000:00:04.0`.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        // SAFETY: by the invariant; the name ends in a zero and lives as long
        // as the device.
        unsafe { CStr::from_ptr(shim::driver_pci_name(self.pdev.as_ptr()).cast()) }.to_bytes()
    }

    /// Enables the device's memory and maps BAR `index`, whole. May sleep.
    ///
    /// # Errors
    /// [`EINVAL`] when there is no such BAR, or what enabling the device gave.
    pub fn bar(&self, index: i32) -> Result<Bar, Errno> {
        // SAFETY: by the invariant.
        check(unsafe { shim::driver_pci_enable(self.pdev.as_ptr()) })?;
        let mut size = 0;
        // SAFETY: by the invariant; `size` takes a size.
        let start = unsafe { shim::driver_map_bar(self.pdev.as_ptr(), index, &raw mut size) };
        match NonNull::new(start.cast()) {
            // INVARIANT: just enabled and mapped.
            Some(start) => Ok(Bar { device: self.clone(), start, size }),
            None => {
                // SAFETY: by the invariant; it was enabled above.
                unsafe { shim::driver_pci_disable(self.pdev.as_ptr()) };
                Err(if size == 0 { EINVAL } else { ENOMEM })
            }
        }
    }
}

impl Clone for Device {
    fn clone(&self) -> Self {
        // SAFETY: by the invariant.
        unsafe { shim::driver_pci_get(self.pdev.as_ptr()) };
        Self { pdev: self.pdev }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: by the invariant.
        unsafe { shim::driver_pci_put(self.pdev.as_ptr()) };
    }
}

/// Size of a register, in bytes.
const REGISTER: usize = 4;

/// A mapped BAR, which any thread may read.
///
/// # Invariants
/// `start` is a mapping of `size` bytes of `driver_map_bar` of `device`, which
/// is enabled once for it.
pub struct Bar {
    device: Device,
    start: NonNull<u8>,
    size: usize,
}

// SAFETY: the mapping is valid on every CPU, and any thread may undo it.
unsafe impl Send for Bar {}
// SAFETY: a shared mapping is only read.
unsafe impl Sync for Bar {}

impl Bar {
    /// The device whose BAR it is.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Its size, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Where `length` bytes at `offset` are mapped.
    fn at(&self, offset: usize, length: usize) -> Result<*const u8, Errno> {
        match offset.checked_add(length) {
            Some(end) if end <= self.size => {
                Ok(self.start.as_ptr().wrapping_add(offset).cast_const())
            }
            _ => Err(EINVAL),
        }
    }

    /// Fills `to` with the memory at `offset`, by accesses of any width.
    ///
    /// # Errors
    /// [`EINVAL`] when the BAR does not reach so far.
    pub fn read_memory(&self, offset: usize, to: &mut [u8]) -> Result<(), Errno> {
        let from = self.at(offset, to.len())?;
        // SAFETY: by the invariant, and the range lies within the mapping.
        unsafe { shim::driver_copy_from_bar(to.as_mut_ptr().cast(), from.cast(), to.len()) };
        Ok(())
    }

    /// The 32-bit register at `offset`, by one access.
    ///
    /// # Errors
    /// [`EINVAL`] when the BAR does not reach so far, or `offset` is no multiple of 4.
    pub fn read_register(&self, offset: usize) -> Result<u32, Errno> {
        if !offset.is_multiple_of(REGISTER) {
            return Err(EINVAL);
        }
        let from = self.at(offset, REGISTER)?;
        // SAFETY: by the invariant, and the register lies within the mapping.
        Ok(unsafe { shim::driver_read_register(from.cast()) })
    }

    /// Writes the memory at `range` to `writer`.
    ///
    /// # Errors
    /// [`EINVAL`] when the BAR does not reach so far, or that of the writer.
    pub fn dump_memory(
        &self,
        range: Range<usize>,
        writer: &mut DumpWriter<'_>,
    ) -> Result<(), Errno> {
        // A part of the kernel's small stack.
        let mut bytes = [0; 1024];
        let mut offset = range.start;
        while offset < range.end {
            let length = bytes.len().min(range.end - offset);
            let part = bytes.get_mut(..length).unwrap_or_default();
            self.read_memory(offset, part)?;
            writer.write(part)?;
            offset += length;
        }
        Ok(())
    }

    /// Writes the 32-bit registers at `range` to `writer`, as the device has them:
    /// little-endian.
    ///
    /// # Errors
    /// [`EINVAL`] when the BAR does not reach so far, or `range` starts at no multiple
    /// of 4, or that of the writer.
    pub fn dump_registers(
        &self,
        range: Range<usize>,
        writer: &mut DumpWriter<'_>,
    ) -> Result<(), Errno> {
        for offset in range.step_by(REGISTER) {
            writer.write(&self.read_register(offset)?.to_le_bytes())?;
        }
        Ok(())
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        // SAFETY: by the invariant.
        unsafe {
            shim::driver_unmap_bar(self.device.pdev.as_ptr(), self.start.as_ptr().cast());
            shim::driver_pci_disable(self.device.pdev.as_ptr());
        }
    }
}

/// Makes `$probe`, a `fn(&pci::Device) -> Result<(), Errno>`, the probe of the
/// driver whose C file has `vmcoredd_pci_driver()`.
#[macro_export]
macro_rules! pci_driver {
    ($probe:path) => {
        /// Called by C for each device that is found.
        ///
        /// # Safety
        /// `pdev` is valid during the call.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn rust_probe(
            pdev: *mut $crate::shim::pci_dev,
        ) -> ::core::ffi::c_int {
            // SAFETY: the caller promises it.
            match unsafe { $crate::pci::Device::new(pdev) } {
                Some(device) => $crate::to_c($probe(&device)),
                None => $crate::EINVAL.0,
            }
        }

        // Both branches have one type: this one is what `driver.h` declares.
        const _: () = {
            if true {
                $crate::shim::rust_probe
            } else {
                rust_probe
            };
        };
    };
}
