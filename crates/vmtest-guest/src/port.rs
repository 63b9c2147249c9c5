// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! I/O ports, 16 bits at once: `/dev/port` knows single bytes only, and registers of
//! chipsets do not take their halves one after the other.

use std::arch::asm;
use std::io;
use std::path::Path;

use crate::error::{Error, Result};

/// The level at which a process may use ports.
const ALL_PORTS: libc::c_int = 3;

/// Writes `value` to the port, if there is one; otherwise reads the port.
pub fn port(port: u16, value: Option<u16>) -> Result<String> {
    // SAFETY: it changes what this process may do, and no memory.
    if unsafe { libc::iopl(ALL_PORTS) } != 0 {
        let failed = Error::file("use", Path::new("I/O ports"), port.into());
        return Err(failed(io::Error::last_os_error()));
    }
    if let Some(value) = value {
        // SAFETY: it changes no memory of this process; what it does to the machine is the
        // caller's wish.
        unsafe { asm!("out dx, ax", in("dx") port, in("ax") value, options(nomem, nostack)) };
        return Ok(String::new());
    }
    let value: u16;
    // SAFETY: as above.
    unsafe { asm!("in ax, dx", in("dx") port, out("ax") value, options(nomem, nostack)) };
    Ok(format!("{value:#x}\n"))
}
