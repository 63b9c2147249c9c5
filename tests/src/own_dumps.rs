// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Kernels that have device dumps of their own: those of RHEL, Fedora, Ubuntu and SUSE are
//! built with `CONFIG_PROC_VMCORE_DEVICE_DUMP`, and Debian's are not.

use vmtest::{Kernel, Series};

use crate::Result;

/// What built kernels have in common, beyond the smallest configuration.
const CONFIG: &str = include_str!("kernel.config");
const OWN_DUMPS: &str = "CONFIG_PROC_VMCORE_DEVICE_DUMP=y\n";
/// The older system call of kexec has kexec-tools look for the kernel there.
const KCORE: &str = "CONFIG_PROC_KCORE=y\n";
/// KASAN needs the allocator that is not the smallest one.
const KASAN: &str = "\
# CONFIG_SLUB_TINY is not set
CONFIG_KASAN=y
CONFIG_KASAN_GENERIC=y
CONFIG_KASAN_INLINE=y
CONFIG_KASAN_VMALLOC=y
";

/// Builds a kernel without them, once; as [`Kernel::build`], which says what that needs.
///
/// # Errors
/// [`Error::Vm`](crate::Error::Vm).
pub fn kernel_without(report: impl FnMut(&str)) -> Result<Kernel> {
    Ok(Kernel::fetch(Series::V6_12)?.build("bench", CONFIG, None, report)?)
}

/// Builds one that has them, and is configured like the other in all else; once.
///
/// # Errors
/// [`Error::Vm`](crate::Error::Vm).
pub fn kernel_with(mut report: impl FnMut(&str)) -> Result<Kernel> {
    let like = kernel_without(&mut report)?;
    let config = format!("{CONFIG}{OWN_DUMPS}");
    Ok(Kernel::fetch(Series::V6_12)?.build("bench-c", &config, Some(&like), report)?)
}

/// Builds one that has them and can be loaded by either call of kexec; once.
///
/// # Errors
/// [`Error::Vm`](crate::Error::Vm).
pub fn kernel_for_kexec_load(mut report: impl FnMut(&str)) -> Result<Kernel> {
    let like = kernel_without(&mut report)?;
    let config = format!("{CONFIG}{OWN_DUMPS}{KCORE}");
    Ok(Kernel::fetch(Series::V6_12)?.build("own-dumps", &config, Some(&like), report)?)
}

/// Builds one that has them and checks each access to memory, by KASAN; once.
///
/// # Errors
/// [`Error::Vm`](crate::Error::Vm).
pub fn kernel_with_kasan(mut report: impl FnMut(&str)) -> Result<Kernel> {
    let like = kernel_without(&mut report)?;
    let config = format!("{CONFIG}{OWN_DUMPS}{KASAN}");
    Ok(Kernel::fetch(Series::V6_12)?.build("kasan", &config, Some(&like), report)?)
}
