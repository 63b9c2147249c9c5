// SPDX-License-Identifier: GPL-2.0-only
//! vmcore device dumps for stock kernels: the kernel module.
//!
//! `c` has the C side and `c/shim.h` the contract with it; [`entry`] is what
//! C calls, [`kernel`] the safe face of what it offers. [`load`] decides whether
//! the kernel's own `/proc/vmcore` is replaced, [`served`] is a file as readers
//! see it, [`collect`] takes a driver's dump, [`job`] is what its collector's own
//! thread does, [`producer`] takes the dump of a process. [`devices`] says which devices are
//! read by which plans, [`reading`] reads them, as [`hardware`] gets at them, and [`module`] holds it all together.
#![no_std]

pub mod collect;
pub mod devices;
pub mod entry;
pub mod hardware;
pub mod job;
pub mod kernel;
pub mod load;
pub mod module;
pub mod old_memory;
pub mod producer;
pub mod reading;
pub mod served;
pub mod vmcoreinfo;

/// The linked module has no path to this: the build refuses it otherwise.
#[cfg(vmcoredd_module)]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
