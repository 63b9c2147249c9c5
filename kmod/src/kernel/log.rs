// SPDX-License-Identifier: GPL-2.0-only
//! The kernel log, without `core::fmt`, whose code can panic and is larger
//! than all of this module.

use core::ffi::c_int;

use vmcore::device_dump::Name;

use super::error::Errno;
use super::shim;

/// How serious a line is.
#[derive(Debug, Clone, Copy)]
pub enum Level {
    /// Something is lost.
    Error,
    /// Something is not as it should be.
    Warning,
    /// What was done.
    Info,
}

impl Level {
    const fn number(self) -> c_int {
        match self {
            Self::Error => shim::SHIM_LOG_ERR,
            Self::Warning => shim::SHIM_LOG_WARN,
            Self::Info => shim::SHIM_LOG_INFO,
        }
    }
}

/// A line being put together; what is longer than it is cut.
pub struct Line {
    text: [u8; 256],
    length: usize,
}

impl Line {
    /// An empty line.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: [0; 256], length: 0 }
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    fn digits(&mut self, number: u64, base: u64) {
        let mut place = 1_u64;
        while let Some(next) = place.checked_mul(base).filter(|next| *next <= number) {
            place = next;
        }
        while place > 0 {
            let digit = number.checked_div(place).unwrap_or_default() % base;
            let first = if digit < 10 { b'0' } else { b'a' - 10 };
            self.push(first + digit as u8);
            place /= base;
        }
    }

    /// Writes the line to the log.
    pub fn write(&self, level: Level) {
        // SAFETY: the first `length` bytes of `text` are initialised and live
        // during the call, which only reads them.
        unsafe { shim::shim_log(level.number(), self.text.as_ptr(), self.length) }
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

/// What can stand in a line.
pub trait Show {
    /// Puts it at the end of `line`.
    fn show(&self, line: &mut Line);
}

impl Show for &str {
    fn show(&self, line: &mut Line) {
        self.bytes().for_each(|byte| line.push(byte));
    }
}

impl Show for u64 {
    fn show(&self, line: &mut Line) {
        line.digits(*self, 10);
    }
}

impl Show for Name {
    fn show(&self, line: &mut Line) {
        self.as_bytes().iter().for_each(|byte| line.push(*byte));
    }
}

impl Show for Errno {
    fn show(&self, line: &mut Line) {
        "error ".show(line);
        if self.0 < 0 {
            "-".show(line);
        }
        line.digits(self.0.unsigned_abs().into(), 10);
    }
}

/// A number in hexadecimal digits, behind `0x`.
pub struct Hex(
    /// The number.
    pub u64,
);

impl Show for Hex {
    fn show(&self, line: &mut Line) {
        "0x".show(line);
        line.digits(self.0, 16);
    }
}

impl Show for vmcore::Error {
    fn show(&self, line: &mut Line) {
        "offset ".show(line);
        Hex(self.offset).show(line);
        ": ".show(line);
        self.field.show(line);
        ": expected ".show(line);
        self.expected.show(line);
        ", found ".show(line);
        Hex(self.found).show(line);
    }
}

/// Logs a line put together from parts that can be [`Show`]n.
macro_rules! log {
    ($level:ident, $($part:expr),+ $(,)?) => {{
        let mut line = $crate::kernel::log::Line::new();
        $($crate::kernel::log::Show::show(&$part, &mut line);)+
        line.write($crate::kernel::log::Level::$level);
    }};
}
pub(crate) use log;
