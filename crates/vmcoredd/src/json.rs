// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the JSON objects of several subcommands have in common: see docs/json.md.

use std::io::{self, BufWriter, Write};

use kdumpfile::{Endian, Error, Format, Kind};
use serde::Serialize;

use crate::failure::Failure;
use crate::read::{Contents, DUMPS_MAX};

/// Version of the schema.
pub const VERSION: u32 = 1;

/// Something that is wrong with a file.
#[derive(Debug, Serialize)]
pub struct ErrorEntry {
    offset: Option<u64>,
    message: String,
}

impl ErrorEntry {
    pub fn new(error: &Error) -> Self {
        Self { offset: error.offset(), message: error.fault.to_string() }
    }

    fn without_offset(message: String) -> Self {
        Self { offset: None, message }
    }
}

/// The entries for everything that is wrong with a file.
pub fn errors(contents: &Contents<'_>) -> Vec<ErrorEntry> {
    let mut errors: Vec<_> = contents.errors.iter().map(ErrorEntry::new).collect();
    if contents.more_errors > 0 {
        errors.push(ErrorEntry::without_offset(format!("{} more errors", contents.more_errors)));
    }
    if contents.has_more {
        errors.push(ErrorEntry::without_offset(format!("more than {DUMPS_MAX} device dumps")));
    }
    errors
}

/// The name of a format.
pub fn format_name(format: Format) -> &'static str {
    match format.kind {
        Kind::Elf => "elf",
        Kind::Compressed { .. } => "kdump-compressed",
    }
}

/// The name of the byte order of a format.
pub fn byte_order(format: Format) -> &'static str {
    match format.endian {
        Endian::Little => "little",
        Endian::Big => "big",
    }
}

/// Prints one object on a line of its own.
pub fn line(to: &mut impl Write, object: &impl Serialize) -> Result<(), Failure> {
    let mut to = BufWriter::new(to);
    serde_json::to_writer(&mut to, object).map_err(io::Error::from)?;
    to.write_all(b"\n")?;
    Ok(to.flush()?)
}
