// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where the notes of a dump stand.

use std::cell::{Cell, OnceCell};

use vmcore::bytes::Endian;
use vmcore::note::{HEADER_SIZE, NoteHeader, until_zero};

use crate::error::Error;
use crate::source::Source;
use crate::sparse;

/// How much of an owner's name is read, in bytes. Those in use have a dozen.
pub(crate) const OWNER_MAX: usize = 64;
/// How many bytes of zeros are read at a time, first and at most: notes are close to each
/// other, and fill may be as long as a segment.
const ZEROS: (usize, usize) = (1 << 9, 1 << 17);
/// Zeros that are longer than this are not read twice, in bytes.
const ZEROS_KEPT: u64 = 1 << 20;

/// The most notes that are found by their place.
const BY_PLACE_MAX: usize = 1 << 16;

/// Where a dump's notes stand, and how they are written.
#[derive(Debug)]
pub(crate) struct NoteArea {
    pub endian: Endian,
    pub segments: Vec<NoteSegment>,
    /// What is wrong with the headers that say where notes stand.
    pub problems: Vec<vmcore::Error>,
    /// One of these says that the dump is incomplete.
    pub says_incomplete: bool,
    /// What else says so.
    incompleteness: OnceCell<Option<vmcore::Error>>,
    /// Where the last long run of zeros starts, and what comes after it.
    zeros: Cell<Option<(u64, Option<u64>)>>,
}

impl NoteArea {
    pub fn new(
        endian: Endian,
        segments: Vec<NoteSegment>,
        problems: Vec<vmcore::Error>,
        says_incomplete: bool,
    ) -> Self {
        let (incompleteness, zeros) = (OnceCell::new(), Cell::new(None));
        Self { endian, segments, problems, says_incomplete, incompleteness, zeros }
    }

    /// What of the dump but its notes is not in the file; `find` is called once.
    pub fn incompleteness(
        &self,
        find: impl FnOnce() -> Result<Option<vmcore::Error>, Error>,
    ) -> Result<Option<vmcore::Error>, Error> {
        if let Some(known) = self.incompleteness.get() {
            return Ok(*known);
        }
        let problem = find()?;
        Ok(*self.incompleteness.get_or_init(|| problem))
    }

    /// Where the first byte from `start` on stands that is not zero; `None` when there is
    /// none before `end`, or the file ends.
    pub fn after_zeros(&self, source: &Source, start: u64, end: u64) -> Result<Option<u64>, Error> {
        if let Some((from, after)) = self.zeros.get()
            && from == start
        {
            return Ok(after);
        }
        let (mut size, most) = ZEROS;
        let mut buffer = Vec::new();
        let mut at = start;
        let after = loop {
            if at > start {
                at = source.next_data(at, end);
            }
            let wanted = (end - at).min(size as u64) as usize;
            buffer.resize(wanted, 0);
            let part = source.read(at, &mut buffer)?;
            if part.is_empty() {
                break None;
            }
            if let Some(within) = sparse::first_nonzero(part) {
                break Some(at + within as u64);
            }
            at += part.len() as u64;
            size = most.min(size * 8);
        };
        if at - start > ZEROS_KEPT {
            self.zeros.set(Some((start, after)));
        }
        Ok(after)
    }
}

/// One range of the file with notes; it ends below 2⁶³, if not in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoteSegment {
    /// Where the header that says so stands, in bytes.
    pub header_offset: u64,
    /// Where the notes start, in bytes.
    pub offset: u64,
    /// How many bytes they have, with zero fill after them.
    pub size: u64,
}

impl NoteSegment {
    /// The notes that start at `offset`, where what stands at `header_offset` does not say
    /// so: as far as what stands there looks like notes, for memory comes next.
    pub fn by_place(
        source: &Source,
        endian: Endian,
        header_offset: u64,
        offset: u64,
    ) -> Result<Option<Self>, Error> {
        let mut size = 0_u64;
        for _ in 0..BY_PLACE_MAX {
            let mut buffer = [0; HEADER_SIZE + OWNER_MAX];
            let bytes = source.read(offset.saturating_add(size), &mut buffer)?;
            let Some(header) = NoteHeader::parse(endian, bytes) else { break };
            let owner = bytes.get(HEADER_SIZE..).unwrap_or_default();
            let owner = owner.get(..header.name_size as usize).unwrap_or_default();
            let is_owner = owner.split_last().is_some_and(|(last, name)| {
                let name = until_zero(name);
                *last == 0 && !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
            });
            let end = size.saturating_add(header.size());
            if !is_owner || i64::try_from(offset.saturating_add(end)).is_err() {
                break;
            }
            size = end;
        }
        Ok((size > 0).then_some(Self { header_offset, offset, size }))
    }
}
