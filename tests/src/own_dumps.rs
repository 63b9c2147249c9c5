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
/// What a whole machine needs: a disk, and what systemd asks for. What the disk needs is in
/// modules, as on RHEL, so that the initramfs has to load it.
const MACHINE: &str = "\
CONFIG_BLOCK=y
CONFIG_BLK_DEV=y
CONFIG_VIRTIO_BLK=m
CONFIG_EXT4_FS=m
CONFIG_EXT4_FS_POSIX_ACL=y
CONFIG_RD_ZSTD=y
CONFIG_DEVTMPFS_MOUNT=y
CONFIG_TMPFS_POSIX_ACL=y
CONFIG_TMPFS_XATTR=y
CONFIG_NET=y
CONFIG_UNIX=y
CONFIG_CGROUPS=y
CONFIG_NAMESPACES=y
CONFIG_SIGNALFD=y
CONFIG_TIMERFD=y
CONFIG_EVENTFD=y
CONFIG_INOTIFY_USER=y
CONFIG_FHANDLE=y
CONFIG_AUTOFS_FS=y
CONFIG_SECCOMP=y
CONFIG_KEYS=y
CONFIG_BLK_DEV_LOOP=m
CONFIG_MISC_FILESYSTEMS=y
CONFIG_SQUASHFS=m
CONFIG_SQUASHFS_ZSTD=y
CONFIG_OVERLAY_FS=m
CONFIG_PRINTK_TIME=y
";
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

/// Builds one that has them and that a whole machine can boot; once.
///
/// # Errors
/// [`Error::Vm`](crate::Error::Vm).
pub fn kernel_for_machine(mut report: impl FnMut(&str)) -> Result<Kernel> {
    let like = kernel_without(&mut report)?;
    let config = format!("{CONFIG}{OWN_DUMPS}{KCORE}{MACHINE}");
    Ok(Kernel::fetch(Series::V6_12)?.build("own-dumps-machine", &config, Some(&like), report)?)
}
