// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! From lists of registers with commas, in which tools of makers of adapters have what they
//! read.
//!
//! One whose first line has the names `name` and `offset` (and `width` in bits, `title`) has
//! registers, and those without a gap between them become a block. Any other has an address
//! and a count of registers of 32 bits on each line, as the lists of mstdump do; in their
//! third column is the address of a register that says whether the range may be read, if it
//! is not 0.

use csv::{ReaderBuilder, StringRecord};

use crate::expression::number;
use crate::skeleton::{self, Known, Run};
use crate::syntax::SIZE_MAX;

/// The longest range, in registers.
const COUNT_MAX: u64 = 1 << 22;

/// A profile to be completed, of the list that has `text`; `source` names it.
///
/// # Errors
/// The line that cannot be understood, and why.
pub fn from_csv(name: &str, source: &str, text: &str) -> Result<String, String> {
    if text.len() > SIZE_MAX {
        return Err(format!("expected {SIZE_MAX} bytes at most, found {}", text.len()));
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut lines = Vec::new();
    for record in reader.records() {
        lines.push(record.map_err(|error| error.to_string())?);
    }
    let column = |line: &StringRecord, wanted: &str| {
        line.iter().position(|each| each.eq_ignore_ascii_case(wanted))
    };
    let first = lines.first().ok_or("expected a list, found nothing")?;
    let runs = match (column(first, "name"), column(first, "offset")) {
        (Some(name), Some(offset)) => {
            let more = [column(first, "width"), column(first, "title")];
            named(&lines, name, offset, more)?
        }
        _ => ranges(&lines)?,
    };
    let title = format!("device of the list {source}");
    skeleton::text(name, &title, source, &runs)
}

/// The line that a record is on.
fn line(record: &StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

fn field(record: &StringRecord, at: usize, most: u64) -> Result<u64, String> {
    let found = record.get(at).unwrap_or_default();
    let value = number(found).filter(|value| *value <= most);
    value.ok_or_else(|| {
        let (line, column) = (line(record), at + 1);
        format!("line {line}, column {column}: expected a number up to {most:#x}, found {found}")
    })
}

/// The registers that have names, in runs without gaps.
fn named(
    lines: &[StringRecord],
    name: usize,
    offset: usize,
    [width, title]: [Option<usize>; 2],
) -> Result<Vec<Run>, String> {
    let mut registers = Vec::new();
    for record in lines.iter().skip(1) {
        let bits = width.map_or(Ok(32), |width| field(record, width, 64))?;
        if ![8, 16, 32, 64].contains(&bits) {
            let line = line(record);
            return Err(format!("line {line}: expected a width of 8, 16, 32 or 64, found {bits}"));
        }
        let words = title.and_then(|title| record.get(title)).filter(|title| !title.is_empty());
        registers.push(Known {
            name: record.get(name).unwrap_or_default().to_owned(),
            title: words.map(str::to_owned),
            at: field(record, offset, 1 << 48)?,
            bits: bits as u32,
            more: "",
            fields: Vec::new(),
        });
    }
    Ok(skeleton::runs(registers, 0, None, |first| first.name.to_lowercase()))
}

/// Ranges without names.
fn ranges(lines: &[StringRecord]) -> Result<Vec<Run>, String> {
    let mut runs = Vec::new();
    for record in lines {
        let at = field(record, 0, 1 << 48)?;
        let count = field(record, 1, COUNT_MAX)?;
        let enable = match record.get(2).unwrap_or_default() {
            "" => 0,
            _ => field(record, 2, u64::MAX)?,
        };
        // A range that may be off is for its author to add, with if=.
        if enable == 0 && count > 0 {
            let name = format!("range_{at:x}");
            runs.push(Run { name, title: None, at, length: count * 4, registers: Vec::new() });
        }
    }
    if runs.is_empty() {
        return Err("expected ranges that can always be read, found none".to_owned());
    }
    Ok(runs)
}
