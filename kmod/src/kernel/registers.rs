// SPDX-License-Identifier: GPL-2.0-only
//! Registers: in memory, at I/O ports, of processors.

use core::ffi::c_void;
use core::ptr::NonNull;

use super::shim;

/// Registers of a device, mapped uncached until this value is dropped.
///
/// # Invariants
/// `size` bytes from `start` on are a mapping of `shim_registers_map()`, which are no
/// memory of this kernel.
pub struct Registers {
    start: NonNull<c_void>,
    size: usize,
}

// SAFETY: any thread may read, write and unmap it.
unsafe impl Send for Registers {}

impl Registers {
    /// Maps `size` bytes of registers at a physical address; `None` where they cannot be,
    /// or are memory of this kernel. Sleeps.
    #[must_use]
    pub fn map(physical: u64, size: usize) -> Option<Self> {
        if size == 0 {
            return None;
        }
        // SAFETY: any address may be asked for, in process context.
        let start = NonNull::new(unsafe { shim::shim_registers_map(physical, size) })?;
        // INVARIANT: just mapped.
        Some(Self { start, size })
    }

    /// Where the register of `width` bytes at `offset` is; `None` where it is not within
    /// the mapping, or not aligned.
    fn at(&self, offset: usize, width: u8) -> Option<*mut c_void> {
        let end = offset.checked_add(width.into())?;
        let fits = end <= self.size && matches!(width, 1 | 2 | 4 | 8);
        fits.then(|| self.start.as_ptr().wrapping_byte_add(offset))
    }

    /// The register of `width` bytes, 1, 2, 4 or 8, at `offset`; `None` where it is not
    /// within the mapping.
    #[must_use]
    pub fn read(&self, offset: usize, width: u8) -> Option<u64> {
        let at = self.at(offset, width)?;
        // SAFETY: within the mapping, by the invariant; no reference to it exists.
        Some(unsafe { shim::shim_registers_read(at, width.into()) })
    }

    /// Writes a register; `None` where it is not within the mapping. The device does what
    /// it is told.
    #[must_use]
    pub fn write(&self, offset: usize, width: u8, value: u64) -> Option<()> {
        let at = self.at(offset, width)?;
        // SAFETY: within the mapping, by the invariant; no reference to it exists, and it
        // is no memory of this kernel.
        unsafe { shim::shim_registers_write(at, width.into(), value) };
        Some(())
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        // SAFETY: by the invariant; it is not used again.
        unsafe { shim::shim_registers_unmap(self.start.as_ptr()) };
    }
}

/// The I/O port of `width` bytes: 1, 2 or 4.
#[must_use]
pub fn read_port(port: u16, width: u8) -> u32 {
    // SAFETY: any port may be read; one that is not there has ones.
    unsafe { shim::shim_port_read(port.into(), width.into()) }
}

/// Writes an I/O port. The device does what it is told.
pub fn write_port(port: u16, width: u8, value: u32) {
    // SAFETY: a port is no memory of this kernel.
    unsafe { shim::shim_port_write(port.into(), width.into(), value) }
}

/// The model-specific register `number` of the processor `cpu`; `None` where there is
/// none. Sleeps.
#[must_use]
pub fn read_msr(cpu: u32, number: u32) -> Option<u64> {
    let mut value = 0;
    // SAFETY: a register that is not there causes a fault that is caught; `value` takes it.
    unsafe { shim::shim_msr_read(cpu, number, &raw mut value) }.then_some(value)
}

/// The numbers of the processors that are online.
pub fn online() -> impl Iterator<Item = u32> {
    // SAFETY: may be called at any time.
    let from = |from: u32| Some(unsafe { shim::shim_cpu_next(from) }).filter(|cpu| *cpu < u32::MAX);
    core::iter::successors(from(0), move |cpu| from(cpu.checked_add(1)?))
}

/// The processor that this kernel was booted on.
#[must_use]
pub fn cpu() -> plan::device::Cpu {
    let mut about = shim::shim_cpu { vendor: 0, family: 0, model: 0 };
    // SAFETY: `about` takes it all.
    unsafe { shim::shim_cpu_about(&raw mut about) };
    plan::device::Cpu {
        vendor: u8::try_from(about.vendor).unwrap_or(0),
        family: about.family,
        model: about.model,
    }
}

/// Waits for some tens of microseconds. Sleeps.
pub fn pause() {
    // SAFETY: only process context calls into this module.
    unsafe { shim::shim_pause() }
}

/// Whether the kernel is locked down against access to devices.
#[must_use]
pub fn is_locked_down() -> bool {
    // SAFETY: may be called at any time.
    unsafe { shim::shim_is_locked_down() }
}
