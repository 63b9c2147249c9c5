// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The configuration spaces of a register dump.

use std::fmt::Write;
use std::ops::Range;

use plan::dump::{self, Status};
use plan::place::Space as Kind;
use profile::{Device, Segment};

use super::names::{class_name, function_name};
use crate::model::{Bytes, Missing};

/// How large a configuration space is at most, in bytes.
pub const SIZE: usize = 4096;

/// The configuration space of one function.
pub struct Function<'a> {
    /// Its record in the dump.
    pub about: dump::Device,
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

impl<'a> Function<'a> {
    /// The configuration space of the PCI function `device`, of which this was read.
    pub fn new(device: &Device<'a>) -> Self {
        let mut function = Self { about: device.about, parts: Vec::new(), missing: Vec::new() };
        for segment in &device.segments {
            let Segment { head, bytes, position } = segment;
            let start = usize::try_from(head.offset).ok().filter(|start| *start < SIZE);
            let Some(start) = start.filter(|_| head.space == Kind::Config) else { continue };
            if head.status != Status::Complete {
                let at = start.saturating_add(bytes.len());
                function.missing.push(Missing {
                    what: format!("configuration space from {at:#x} on"),
                    why: head.status.words().to_owned(),
                });
            }
            let bytes = bytes.get(..SIZE - start).unwrap_or(bytes);
            if !bytes.is_empty() {
                function.parts.push((start, Bytes::at(bytes, *position as u64)));
            }
        }
        function.parts.sort_by_key(|(start, _)| *start);
        function
    }
}

/// The functions of the register dump `bytes` as `lspci -F` reads them, in the form of
/// `lspci -x`. A function ends with the first byte that was not read.
#[must_use]
pub fn lspci(bytes: &[u8]) -> String {
    let mut text = String::new();
    let Ok(devices) = profile::devices(bytes) else { return text };
    let is_function = |device: &Device<'_>| device.about.kind == plan::plan::Kind::Pci;
    for device in devices.flatten().filter(is_function) {
        let function = Function::new(&device);
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
