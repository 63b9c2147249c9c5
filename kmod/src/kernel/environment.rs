// SPDX-License-Identifier: GPL-2.0-only
//! What this kernel runs on, and this module's place in it.

use super::file::File;
use super::shim;

/// The kernel's own implementation of device dumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnDumps {
    /// It was built without.
    Absent,
    /// `novmcoredd` switches it off.
    Off,
    /// It takes dumps, and changes the size of its file for them.
    On,
}

/// Asks the kernel for its own device dumps. Sleeps.
#[must_use]
pub fn own_dumps() -> OwnDumps {
    // SAFETY: modules are loaded in process context.
    let found = unsafe { shim::shim_own_dumps() };
    let known = [
        (shim::SHIM_OWN_DUMPS_NONE, OwnDumps::Absent),
        (shim::SHIM_OWN_DUMPS_OFF, OwnDumps::Off),
        (shim::SHIM_OWN_DUMPS_ON, OwnDumps::On),
    ];
    known.into_iter().find(|(number, _)| *number == found).map_or(OwnDumps::On, |(_, own)| own)
}

/// What makes serving old memory impossible, or unwanted.
///
/// # Errors
/// The first of them, in words.
pub fn check(own_dumps: OwnDumps) -> Result<(), &'static str> {
    // SAFETY: modules are loaded in process context.
    let found = unsafe { shim::shim_environment() };
    let doubts = [
        (!is_crash_kernel(), "this is not a crash kernel"),
        // Its entry in /proc must stay: the next dump of a driver writes to it.
        (own_dumps == OwnDumps::On, "this kernel adds device dumps itself"),
        (found & shim::SHIM_ENV_ENCRYPTED != 0, "memory is encrypted"),
        (found & shim::SHIM_ENV_XEN != 0, "the kernel runs on Xen"),
        (found & shim::SHIM_ENV_VIRTIO_MEM != 0, "there is a virtio-mem device"),
        (found & shim::SHIM_ENV_CALLBACK != 0, "a driver forbids reading a part of old memory"),
    ];
    match doubts.into_iter().find(|(doubtful, _)| *doubtful) {
        Some((_, reason)) => Err(reason),
        None => Ok(()),
    }
}

/// Whether this is a crash kernel.
#[must_use]
pub fn is_crash_kernel() -> bool {
    // SAFETY: may be called at any time.
    unsafe { shim::shim_is_crash_kernel() }
}

/// The physical address of the headers that the dead kernel left, where the device tree has
/// it: kexec puts it there on arm64, and on the command line elsewhere.
#[must_use]
pub fn elfcorehdr() -> Option<u64> {
    let mut address = 0;
    // SAFETY: may be called at any time; `address` takes it.
    unsafe { shim::shim_elfcorehdr(&raw mut address) }.then_some(address)
}

/// Whether a thread that crashes takes the kernel along, as far as can be told:
/// the kernel's own variable is not exported to modules. Sleeps.
#[must_use]
pub fn panics_on_oops() -> bool {
    let mut text = [0];
    let read = File::open(c"/proc/sys/kernel/panic_on_oops").map(|file| file.read(0, &mut text));
    read.is_ok() && text != *b"0" && text != [0]
}

/// How much memory could be had without swapping, in bytes.
#[must_use]
pub fn memory_available() -> u64 {
    // SAFETY: may be called at any time.
    unsafe { shim::shim_memory_available() }
}

/// How much free memory processors keep for themselves, in bytes: up to an eighth
/// of a small machine's. [`memory_available()`] does not count it.
#[must_use]
pub fn memory_cached() -> u64 {
    // SAFETY: may be called at any time.
    unsafe { shim::shim_memory_cached() }
}

/// Keeps this module loaded for good.
pub fn pin_module() {
    // SAFETY: may be called while the module is loading or loaded.
    unsafe { shim::shim_pin_module() }
}

/// Sleeps.
pub fn sleep(milliseconds: u32) {
    // SAFETY: only process context calls into this module.
    unsafe { shim::shim_sleep(milliseconds) }
}
