// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is read of a device, compiled, and the dump that it makes.
//!
//! A device profile says in text what may be read of a device. Compiled it is a [`Plan`]:
//! numbers only, bounded, without names of registers. The kernel module carries plans and
//! interprets them in the crash kernel; user space compiles them, decodes what they made,
//! and tests them on emulated devices. All of them use this crate, which allocates nothing
//! and has no operation that panics.
//!
//! | module | what it holds |
//! |---|---|
//! | [`place`] | where a register is: a space, an address, a width, a byte order |
//! | [`code`] | the instructions of a plan |
//! | [`plan`] | a whole plan: what it is for, what it must never touch, its instructions, verified |
//! | [`dump`] | the register dump: its records, written and read |
//! | [`device`] | what a host brings: a device, a place for the dump, a clock |
//! | [`pci`] | configuration space: capabilities, power state, link |
//! | [`run`] | the interpreter |
//!
//! Every number in a plan and in a dump is little-endian, as the processors are on which
//! devices are read.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod code;
pub mod device;
pub mod dump;
pub mod pci;
pub mod place;
pub mod plan;
pub mod run;

pub use plan::Plan;
