// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Plans that a process gives to the module, for devices to be read by them.

use std::fs::{self, OpenOptions};
use std::path::Path;

use rustix::ioctl::{IntegerSetter, ioctl};

use crate::error::{Error, Result};

/// `VMCOREDD_IOC_DEVICES` of `vmcoredd_user.h`.
const DEVICES: u32 = 0x4020_dc02;

/// Has devices read by the plans in a file, and by none of the module's; says what the
/// module said.
pub fn plans(device: &Path, file: &Path) -> Result<String> {
    let plans = fs::read(file).map_err(Error::file("read", file, 0))?;
    let device_file =
        OpenOptions::new().write(true).open(device).map_err(Error::file("open", device, 0))?;
    let mut argument = [0; 32];
    argument[..8].copy_from_slice(&(plans.as_ptr().addr() as u64).to_le_bytes());
    argument[16..20].copy_from_slice(&(plans.len() as u32).to_le_bytes());
    let address = argument.as_ptr().addr();
    // SAFETY: the device reads what the argument points to, and the plans, both of which
    // live until this returns.
    let done = unsafe { ioctl(&device_file, IntegerSetter::<DEVICES>::new_usize(address)) };
    Ok(match done {
        Ok(()) => "taken\n".to_owned(),
        Err(error) => format!("refused: {error:?}\n"),
    })
}
