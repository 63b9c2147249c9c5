// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The one error of this crate: what stands where something else was expected.

use core::fmt;

/// Something in a vmcore is not as it must be.
///
/// Plain data, so that a host without formatting (the kernel module) can print
/// it in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// Where in the file, in bytes from its start.
    pub offset: u64,
    /// The part or field that is wrong, in the words of the format.
    pub field: &'static str,
    /// What it must be.
    pub expected: &'static str,
    /// What was found; `None` where nothing was.
    pub found: Option<u64>,
}

impl Error {
    /// An error in `field` at `offset`, where `expected` was due.
    #[must_use]
    pub const fn new(offset: u64, field: &'static str, expected: &'static str, found: u64) -> Self {
        Self { offset, field, expected, found: Some(found) }
    }

    /// The same, where nothing was found instead.
    #[must_use]
    pub const fn missing(offset: u64, field: &'static str, expected: &'static str) -> Self {
        Self { offset, field, expected, found: None }
    }

    /// The same error, seen from a file in which these bytes start at `base`.
    #[must_use]
    pub const fn moved(mut self, base: u64) -> Self {
        self.offset = self.offset.saturating_add(base);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {:#x}: {}: expected {}", self.offset, self.field, self.expected)?;
        self.found.map_or(Ok(()), |found| write!(f, ", found {found:#x}"))
    }
}

impl core::error::Error for Error {}
