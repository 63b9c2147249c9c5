// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The configuration spaces of a register dump.

use std::fmt::Write;
use std::ops::Range;

use plan::dump::{
    Damage, Device, End, Outcome, RECORD_SIZE, Record, Records, SEGMENT_SIZE, Status,
};
use plan::place::Space as Kind;

use super::names::{class_name, function_name};
use crate::model::{Bytes, Missing};
use crate::registers::slot;

/// How large a configuration space is at most, in bytes.
pub const SIZE: usize = 4096;

/// The configuration space of one function.
pub struct Function<'a> {
    /// Its record in the dump.
    pub about: Device,
    /// How it ended; `None` where its collector was cut off.
    pub end: Option<End>,
    /// What was read, by its offset in configuration space, in ascending order.
    parts: Vec<(usize, Bytes<'a>)>,
    /// What was not read.
    pub missing: Vec<Missing>,
}

impl Function<'_> {
    fn part(&self, at: usize, size: usize) -> Option<(usize, Bytes<'_>)> {
        let after = self.parts.partition_point(|(start, _)| *start <= at);
        let (start, bytes) = self.parts.get(after.checked_sub(1)?)?;
        let at = at.checked_sub(*start)?;
        (at.checked_add(size)? <= bytes.length()).then_some((at, *bytes))
    }

    /// The number of `size` bytes at `at`, where all of them were read.
    pub fn read(&self, at: usize, size: usize) -> Option<u64> {
        let (at, bytes) = self.part(at, size)?;
        bytes.little(at, size)
    }

    /// Where that is in the dump, in bytes.
    pub fn place(&self, at: usize, size: usize) -> Option<Range<u64>> {
        let (at, bytes) = self.part(at, size)?;
        Some(bytes.place(at, size))
    }

    /// Where what was read ends, in bytes.
    pub fn end_of_read(&self) -> usize {
        self.parts.last().map_or(0, |(start, bytes)| start.saturating_add(bytes.length()))
    }

    /// Its bus, device and function as one number.
    pub fn id(&self) -> u64 {
        u64::from(self.about.bus) << 8 | u64::from(self.about.devfn)
    }

    /// Its name, as `0000:01:00.0`.
    pub fn name(&self) -> String {
        function_name(self.about.domain, self.id())
    }
}

/// The functions of the register dump `bytes` that have a configuration space or ought to
/// have one, and why the dump ends early where it does.
pub fn functions(bytes: &[u8]) -> (Vec<Function<'_>>, Option<Damage>) {
    let records = match Records::new(bytes) {
        Ok(records) => records,
        Err(damage) => return (Vec::new(), Some(damage)),
    };
    let mut functions: Vec<Function<'_>> = Vec::new();
    let mut is_pci = false;
    let mut damage = None;
    for record in records {
        match record {
            Ok((_, Record::Device(about))) => {
                is_pci = slot(&about).is_some();
                if is_pci {
                    let (parts, missing) = (Vec::new(), Vec::new());
                    functions.push(Function { about, end: None, parts, missing });
                }
            }
            Ok((at, Record::Segment(segment, registers))) => {
                let Some(function) = functions.last_mut().filter(|_| is_pci) else { continue };
                let start = usize::try_from(segment.offset).ok().filter(|start| *start < SIZE);
                let Some(start) = start.filter(|_| segment.space == Kind::Config) else { continue };
                if segment.status != Status::Complete {
                    let at = start.saturating_add(registers.len());
                    function.missing.push(Missing {
                        what: format!("configuration space from {at:#x} on"),
                        why: segment.status.words().to_owned(),
                    });
                }
                let from = at.saturating_add(RECORD_SIZE + SEGMENT_SIZE);
                let length = registers.len().min(SIZE - start);
                let part = Bytes::new(bytes).part(from..from.saturating_add(length));
                if let Some(part) = part.filter(|part| part.length() > 0) {
                    function.parts.push((start, part));
                }
            }
            Ok((_, Record::End(end))) => {
                if let Some(function) = functions.last_mut().filter(|_| is_pci) {
                    function.end = Some(end);
                }
                is_pci = false;
            }
            Ok((_, Record::Unknown(_))) => {}
            Err(found) => damage = Some(found),
        }
    }
    for function in &mut functions {
        function.parts.sort_by_key(|(start, _)| *start);
        let why = match function.end {
            None => "its collector was cut off",
            Some(end) if end.outcome != Outcome::Complete => end.reason.words(),
            Some(_) => continue,
        };
        let what = if function.parts.is_empty() { "the function" } else { "the rest" };
        function.missing.push(Missing { what: what.to_owned(), why: why.to_owned() });
    }
    (functions, damage)
}

/// The functions of the register dump `bytes` as `lspci -F` reads them, in the form of
/// `lspci -x`. A function ends with the first byte that was not read.
#[must_use]
pub fn lspci(bytes: &[u8]) -> String {
    let mut text = String::new();
    for function in functions(bytes).0 {
        let class = u64::from(function.about.class >> 8);
        let _ = writeln!(text, "{} {}", function.name(), class_name(class));
        for row in (0..SIZE).step_by(16) {
            let bytes: String = (row..row + 16)
                .map_while(|at| function.read(at, 1))
                .map(|byte| format!(" {byte:02x}"))
                .collect();
            if !bytes.is_empty() {
                let _ = writeln!(text, "{row:02x}:{bytes}");
            }
            if bytes.len() < 3 * 16 {
                break;
            }
        }
        text.push('\n');
    }
    text
}
