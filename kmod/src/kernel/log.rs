// SPDX-License-Identifier: GPL-2.0-only
//! The kernel log, without `core::fmt`, whose code can panic and is larger
//! than all of this module.

use vmcore::device_dump::Name;
use vmcore::manifest::{Reason, Record, Status, Text, Whereabouts};

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
    const fn number(self) -> u32 {
        match self {
            Self::Error => shim::SHIM_LOG_ERR,
            Self::Warning => shim::SHIM_LOG_WARN,
            Self::Info => shim::SHIM_LOG_INFO,
        }
    }
}

/// A line being put together; what is longer than it is cut.
pub struct Line {
    text: Text<256>,
}

impl Line {
    /// An empty line.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: Text::new() }
    }

    /// Writes the line to the log.
    pub fn write(&self, level: Level) {
        let text = self.text.as_bytes();
        // SAFETY: `text` lives during the call, which only reads it.
        unsafe { shim::shim_log(level.number(), text.as_ptr().cast(), text.len()) }
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
        line.text.push(self.as_bytes());
    }
}

impl<const N: usize> Show for Text<N> {
    fn show(&self, line: &mut Line) {
        line.text.push(self.as_bytes());
    }
}

impl Show for u64 {
    fn show(&self, line: &mut Line) {
        line.text.digits(*self, 10, 1);
    }
}

impl Show for Name {
    fn show(&self, line: &mut Line) {
        line.text.push(self.as_bytes());
    }
}

impl Show for Errno {
    fn show(&self, line: &mut Line) {
        "error ".show(line);
        if self.0 < 0 {
            "-".show(line);
        }
        line.text.digits(self.0.unsigned_abs().into(), 10, 1);
    }
}

/// A number in hexadecimal digits, after `0x`.
pub struct Hex(
    /// The number.
    pub u64,
);

impl Show for Hex {
    fn show(&self, line: &mut Line) {
        "0x".show(line);
        line.text.digits(self.0, 16, 1);
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
        if let Some(found) = self.found {
            ", found ".show(line);
            Hex(found).show(line);
        }
    }
}

impl Show for Record {
    fn show(&self, line: &mut Line) {
        match self.name {
            Some(name) => name.show(line),
            None => "a device dump".show(line),
        }
        ": ".show(line);
        self.status.word().show(line);
        if let Some(reason) = self.reason {
            ", ".show(line);
            match reason {
                Reason::Errno(errno) => {
                    "its collector gave ".show(line);
                    Errno(errno).show(line);
                }
                Reason::Exit(status) => {
                    "its command ended with status ".show(line);
                    u64::from(status).show(line);
                }
                _ => reason.words().show(line),
            }
        }
        if self.whereabouts != Whereabouts::Nowhere {
            ", ".show(line);
            u64::from(self.length).show(line);
            " bytes, ".show(line);
            u64::from(self.stored).show(line);
            " stored".show(line);
        }
        if !matches!(self.status, Status::Refused | Status::Running) {
            ", ".show(line);
            u64::from(self.milliseconds).show(line);
            " ms".show(line);
        }
        if self.whereabouts == Whereabouts::Vmcoredd {
            ", in /proc/vmcoredd alone".show(line);
        }
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
