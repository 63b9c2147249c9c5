// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What `--json` prints: see docs/json.md.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use kdumpfile::{DeviceDump, Dump, Endian, Error, Escaped, EscapedPath, Format, Kind, Record};
use serde::{Serialize, Serializer};

use crate::list;
use crate::read::{Contents, DUMPS_MAX};
use crate::{account, failure::Failure};

/// Version of the schema.
pub const VERSION: u32 = 1;

#[derive(Debug, Serialize)]
struct File<D, L> {
    version: u32,
    file: String,
    format: Option<&'static str>,
    flattened: bool,
    bits: Option<u32>,
    byte_order: Option<&'static str>,
    machine: Option<String>,
    dumps: D,
    lost: L,
    more_lost: usize,
    unrecorded: u64,
    errors: Vec<ErrorEntry>,
}

/// An array whose entries are made when they are written: none is kept.
struct Each<F>(F);

impl<F: Fn() -> I, I: Iterator<Item: Serialize>> Serialize for Each<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(entries) = self;
        serializer.collect_seq(entries())
    }
}

#[derive(Debug, Serialize)]
struct DumpEntry {
    index: usize,
    name: String,
    length: u64,
    offset: u64,
    available: u64,
    status: &'static str,
    reason: Option<String>,
    #[serde(flatten)]
    of_record: OfRecord,
}

/// A collection without a dump in this file.
#[derive(Debug, Serialize)]
struct LostEntry {
    name: String,
    status: &'static str,
    reason: Option<String>,
    length: Option<u64>,
    #[serde(flatten)]
    of_record: OfRecord,
}

#[derive(Debug, Default, Serialize)]
struct OfRecord {
    crc32c: Option<String>,
    declared: Option<u64>,
    stored: Option<u64>,
    milliseconds: Option<u64>,
    errno: Option<i32>,
    exit: Option<u8>,
}

/// What is wrong with a file.
#[derive(Debug, Serialize)]
pub struct ErrorEntry {
    offset: Option<u64>,
    message: String,
}

impl DumpEntry {
    fn new(dump: &DeviceDump<'_>, record: Option<&Record<'_>>) -> Self {
        Self {
            index: dump.index(),
            name: Escaped(dump.name()).to_string(),
            length: dump.length(),
            offset: dump.offset(),
            available: dump.available(),
            status: list::status(dump, record),
            reason: list::reason(dump, record),
            of_record: record.map(OfRecord::new).unwrap_or_default(),
        }
    }
}

impl LostEntry {
    fn new(record: &Record<'_>) -> Self {
        Self {
            name: account::cut(record.name()),
            status: record.status().word(),
            reason: account::reason(record),
            length: record.length(),
            of_record: OfRecord::new(record),
        }
    }
}

impl OfRecord {
    fn new(record: &Record<'_>) -> Self {
        Self {
            crc32c: record.crc32c().map(|crc| format!("{crc:08x}")),
            declared: record.declared(),
            stored: record.stored(),
            milliseconds: record.milliseconds(),
            errno: record.errno(),
            exit: record.exit(),
        }
    }
}

impl ErrorEntry {
    pub fn new(error: &Error) -> Self {
        Self { offset: error.offset(), message: error.fault.to_string() }
    }

    fn told(message: String) -> Self {
        Self { offset: None, message }
    }
}

/// All that is wrong with a file.
pub fn errors(contents: &Contents<'_>) -> Vec<ErrorEntry> {
    let mut errors: Vec<_> = contents.errors.iter().map(ErrorEntry::new).collect();
    if contents.more_errors > 0 {
        errors.push(ErrorEntry::told(format!("{} more errors", contents.more_errors)));
    }
    if contents.has_more {
        errors.push(ErrorEntry::told(format!("more than {DUMPS_MAX} device dumps")));
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

/// The name of its byte order.
pub fn byte_order(format: Format) -> &'static str {
    match format.endian {
        Endian::Little => "little",
        Endian::Big => "big",
    }
}

/// Prints what a file has.
pub fn print(to: &mut impl Write, dump: &Dump, contents: &Contents<'_>) -> Result<(), Failure> {
    let format = dump.format();
    let matched = contents.manifest.matched(&contents.device_dumps);
    let dumps = || contents.device_dumps.iter().zip(&matched.of_dumps);
    let lost = || matched.others().take(account::OTHERS_SHOWN);
    let file = File {
        version: VERSION,
        file: EscapedPath(dump.path()).to_string(),
        format: Some(format_name(format)),
        flattened: format.flattened,
        bits: Some(format.bits),
        byte_order: Some(byte_order(format)),
        machine: dump.machine().map(|machine| Escaped(&machine).to_string()),
        dumps: Each(|| dumps().map(|(dump, record)| DumpEntry::new(dump, record.as_ref()))),
        lost: Each(|| lost().map(|record| LostEntry::new(&record))),
        more_lost: account::not_shown(&matched),
        unrecorded: contents.manifest.unrecorded().unwrap_or_default(),
        errors: errors(contents),
    };
    line(to, &file)
}

/// Prints that nothing of the file at `path` can be read.
pub fn print_unreadable(to: &mut impl Write, path: &Path, error: &Error) -> Result<(), Failure> {
    let file = File {
        version: VERSION,
        file: EscapedPath(path).to_string(),
        format: None,
        flattened: false,
        bits: None,
        byte_order: None,
        machine: None,
        dumps: Vec::<DumpEntry>::new(),
        lost: Vec::<LostEntry>::new(),
        more_lost: 0,
        unrecorded: 0,
        errors: vec![ErrorEntry::new(error)],
    };
    line(to, &file)
}

/// Prints one object on a line of its own.
pub fn line(to: &mut impl Write, object: &impl Serialize) -> Result<(), Failure> {
    let mut to = BufWriter::new(to);
    serde_json::to_writer(&mut to, object).map_err(io::Error::from)?;
    to.write_all(b"\n")?;
    Ok(to.flush()?)
}
