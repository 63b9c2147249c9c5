// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a host brings: a device, a place for the dump, a clock.

use crate::place::Place;

/// Why there is no value of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// There is no such register: a base address register that is not there, an address
    /// after its end.
    Absent,
    /// The processor reported a fault.
    Fault,
}

/// The dump takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

/// What a base address register decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// How much, in bytes.
    pub size: u64,
    /// Whether these are I/O ports, and not memory.
    pub io: bool,
}

/// The processor that reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cpu {
    /// 1 Intel, 2 AMD, 0 somebody else.
    pub vendor: u8,
    /// As Linux numbers it.
    pub family: u32,
    /// As Linux numbers it.
    pub model: u32,
}

/// A device that is read, and what its dump is written to.
///
/// An address was checked to be a multiple of the width, and not to be one that the plan
/// never touches. A value has the byte order of the processor; the interpreter swaps it
/// where the device has the other one.
pub trait Host {
    /// Reads a register.
    ///
    /// # Errors
    /// [`Missed`].
    fn read(&mut self, place: Place, address: u64) -> Result<u64, Missed>;

    /// Writes `value` to a register.
    ///
    /// # Errors
    /// [`Missed`].
    fn write(&mut self, place: Place, address: u64, value: u64) -> Result<(), Missed>;

    /// What base address register `index`, below 6, decodes.
    fn bar(&mut self, index: u8) -> Option<Bar>;

    /// The processor that reads.
    fn cpu(&mut self) -> Cpu;

    /// Says that `length` bytes from `address` on are about to be read: if the machine dies
    /// of it, the last line of the log says of what.
    fn about_to_read(&mut self, block: u8, place: Place, address: u64, length: u64);

    /// Puts `bytes` into the dump.
    ///
    /// # Errors
    /// [`NoRoom`], and then every time.
    fn put(&mut self, bytes: &[u8]) -> Result<(), NoRoom>;

    /// Whether the time for this device is over.
    fn is_late(&mut self) -> bool;

    /// Milliseconds since some moment.
    fn milliseconds(&mut self) -> u64;

    /// Waits for a moment much shorter than a millisecond.
    fn pause(&mut self);
}

/// What may be done to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Whether windows may be moved: [`Class::Touches`](crate::place::Class::Touches).
    pub touches: bool,
    /// Whether registers may be read that change by it:
    /// [`Class::Clears`](crate::place::Class::Clears).
    pub clears: bool,
}
