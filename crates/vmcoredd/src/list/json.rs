// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What `list --json` prints: see docs/json.md.

use std::io::Write;
use std::path::Path;

use kdumpfile::{DeviceDump, Dump, Error, Escaped, EscapedPath, Record};
use serde::{Serialize, Serializer};

use crate::failure::Failure;
use crate::json::{self, ErrorEntry};
use crate::outcome;
use crate::read::Contents;

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

/// An array whose entries are made while they are written: a file may have many, and none
/// is kept.
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
    recorded: Recorded,
}

/// A collection without a dump in this file.
#[derive(Debug, Serialize)]
struct LostEntry {
    name: String,
    status: &'static str,
    reason: Option<String>,
    length: Option<u64>,
    #[serde(flatten)]
    recorded: Recorded,
}

/// What only a record says.
#[derive(Debug, Default, Serialize)]
struct Recorded {
    crc32c: Option<String>,
    declared: Option<u64>,
    stored: Option<u64>,
    milliseconds: Option<u64>,
    errno: Option<i32>,
    exit: Option<u8>,
}

impl DumpEntry {
    fn new(dump: &DeviceDump<'_>, record: Option<&Record<'_>>) -> Self {
        Self {
            index: dump.index(),
            name: Escaped(dump.name()).to_string(),
            length: dump.length(),
            offset: dump.offset(),
            available: dump.available(),
            status: outcome::status(dump, record),
            reason: outcome::reason(dump, record),
            recorded: record.map(Recorded::new).unwrap_or_default(),
        }
    }
}

impl LostEntry {
    fn new(record: &Record<'_>) -> Self {
        Self {
            name: outcome::cut(record.name()),
            status: kdumpfile::status_word(record.status()),
            reason: outcome::recorded_reason(record),
            length: record.length(),
            recorded: Recorded::new(record),
        }
    }
}

impl Recorded {
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

/// Prints the device dumps of a file.
pub fn print(to: &mut impl Write, dump: &Dump, contents: &Contents<'_>) -> Result<(), Failure> {
    let format = dump.format();
    let matched = contents.manifest.matched(&contents.device_dumps);
    let dumps = || contents.device_dumps.iter().zip(&matched.of_dumps);
    let lost = || matched.others().take(outcome::OTHERS_SHOWN);
    let file = File {
        version: json::VERSION,
        file: EscapedPath(dump.path()).to_string(),
        format: Some(json::format_name(format)),
        flattened: format.flattened,
        bits: Some(format.bits),
        byte_order: Some(json::byte_order(format)),
        machine: dump.machine().map(|machine| Escaped(&machine).to_string()),
        dumps: Each(|| dumps().map(|(dump, record)| DumpEntry::new(dump, record.as_ref()))),
        lost: Each(|| lost().map(|record| LostEntry::new(&record))),
        more_lost: outcome::not_shown(&matched),
        unrecorded: contents.manifest.unrecorded().unwrap_or_default(),
        errors: json::errors(contents),
    };
    json::line(to, &file)
}

/// Prints why nothing of the file at `path` can be read.
pub fn print_unreadable(to: &mut impl Write, path: &Path, error: &Error) -> Result<(), Failure> {
    let file = File {
        version: json::VERSION,
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
    json::line(to, &file)
}
