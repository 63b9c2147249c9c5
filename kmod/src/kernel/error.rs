// SPDX-License-Identifier: GPL-2.0-only
//! Error numbers.

use core::ffi::c_int;

use devdump::BuildError;
use kmem::NoMemory;
use vmcore::manifest::Reason;

use super::shim;

/// A negative errno, as the kernel's functions return it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub c_int);

impl Errno {
    /// A constant of C, which is positive.
    const fn from_c(errno: u32) -> Self {
        Self(-(errno as c_int))
    }
}

/// Not permitted.
pub const EPERM: Errno = Errno::from_c(shim::SHIM_EPERM);
/// Input/output error.
pub const EIO: Errno = Errno::from_c(shim::SHIM_EIO);
/// Out of memory.
pub const ENOMEM: Errno = Errno::from_c(shim::SHIM_ENOMEM);
/// Bad address.
pub const EFAULT: Errno = Errno::from_c(shim::SHIM_EFAULT);
/// In use.
pub const EBUSY: Errno = Errno::from_c(shim::SHIM_EBUSY);
/// Invalid argument.
pub const EINVAL: Errno = Errno::from_c(shim::SHIM_EINVAL);
/// Too large.
pub const EFBIG: Errno = Errno::from_c(shim::SHIM_EFBIG);
/// No space left.
pub const ENOSPC: Errno = Errno::from_c(shim::SHIM_ENOSPC);
/// Time is over.
pub const ETIMEDOUT: Errno = Errno::from_c(shim::SHIM_ETIMEDOUT);

/// What a function that returns 0 or a negative errno returned.
///
/// # Errors
/// The errno.
pub fn check(returned: c_int) -> Result<(), Errno> {
    if returned == 0 { Ok(()) } else { Err(Errno(returned)) }
}

/// 0 or the errno, as C expects it.
#[must_use]
pub fn to_c(result: Result<(), Errno>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(Errno(errno)) => errno,
    }
}

impl From<NoMemory> for Errno {
    fn from(_: NoMemory) -> Self {
        ENOMEM
    }
}

impl From<Reason> for Errno {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Budget | Reason::DumpLimit => ENOSPC,
            Reason::NoMemory => ENOMEM,
            Reason::TooLong => EFBIG,
            Reason::Deadline => ETIMEDOUT,
            Reason::Crashed | Reason::BadAddress => EFAULT,
            Reason::Exit(_)
            | Reason::NotCommitted
            | Reason::NoAnswer
            | Reason::Stopped
            | Reason::NoPower
            | Reason::LinkDown
            | Reason::NoDecode => EIO,
            Reason::Errno(errno) | Reason::NotStarted(errno) => Self(errno),
            Reason::Shorter
            | Reason::Longer
            | Reason::Empty
            | Reason::NoData
            | Reason::NoName
            | Reason::NameTooLong
            | Reason::NoSize
            | Reason::NoCallback
            | Reason::NoOwner
            | Reason::SwitchedOff
            | Reason::LeftOut
            | Reason::BadPlan
            | Reason::Cut => EINVAL,
        }
    }
}

impl From<BuildError> for Errno {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::NoMemory => ENOMEM,
            BuildError::NoRoom => EFBIG,
            BuildError::Header(_) => EIO,
        }
    }
}
