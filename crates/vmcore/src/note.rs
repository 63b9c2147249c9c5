// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Notes: `Elf32_Nhdr`/`Elf64_Nhdr` of `include/uapi/linux/elf.h`, which are the
//! same twelve bytes in both classes, an owner name and a desc, each padded to
//! four bytes.

use crate::Error;
use crate::bytes::Endian;

/// Size of a note's header, in bytes.
pub const HEADER_SIZE: usize = 12;

/// Rounds a name's or desc's size up to the four bytes that notes are padded to.
#[must_use]
pub const fn align(size: u64) -> u64 {
    size.saturating_add(3) & !3
}

/// The header of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoteHeader {
    /// Size of the owner's name with its terminating zero, in bytes, without
    /// padding (`n_namesz`).
    pub name_size: u32,
    /// Size of the desc, in bytes, without padding (`n_descsz`).
    pub desc_size: u32,
    /// What the desc holds, as its owner counts (`n_type`).
    pub note_type: u32,
}

impl NoteHeader {
    /// Reads the header at the start of `bytes`; `None` when they end too early.
    #[must_use]
    pub fn parse(endian: Endian, bytes: &[u8]) -> Option<Self> {
        Some(Self {
            name_size: endian.u32(bytes, 0)?,
            desc_size: endian.u32(bytes, 4)?,
            note_type: endian.u32(bytes, 8)?,
        })
    }

    /// Writes the header to the start of `to`; `None` when that is too short.
    pub fn write(&self, endian: Endian, to: &mut [u8]) -> Option<()> {
        endian.put_u32(to, 0, self.name_size)?;
        endian.put_u32(to, 4, self.desc_size)?;
        endian.put_u32(to, 8, self.note_type)
    }

    /// Where the desc starts, in bytes from the start of the note.
    #[must_use]
    pub const fn desc_offset(&self) -> u64 {
        HEADER_SIZE as u64 + align(self.name_size as u64)
    }

    /// Size of the whole note with padding, in bytes: where the next one starts.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.desc_offset() + align(self.desc_size as u64)
    }

    /// Whether this is no note but the zero fill behind the last one.
    #[must_use]
    pub const fn is_fill(&self) -> bool {
        self.name_size == 0 && self.desc_size == 0 && self.note_type == 0
    }
}

/// A note whose bytes are in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoteBytes<'a> {
    /// Where the note starts, in bytes from the start of the segment.
    pub offset: u64,
    /// Its header.
    pub header: NoteHeader,
    /// The owner's name without its terminating zero.
    pub name: &'a [u8],
    /// The desc, without padding.
    pub desc: &'a [u8],
}

/// Walks the notes of a segment that is in memory.
///
/// Ends at the end of the segment, at zero fill, or behind the first error.
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    segment: &'a [u8],
    endian: Endian,
    offset: u64,
}

impl<'a> Walk<'a> {
    /// The notes of `segment`.
    #[must_use]
    pub const fn new(endian: Endian, segment: &'a [u8]) -> Self {
        Self { segment, endian, offset: 0 }
    }

    fn parse(&self, rest: &'a [u8]) -> Result<Option<NoteBytes<'a>>, Error> {
        let left = rest.len() as u64;
        let header = NoteHeader::parse(self.endian, rest).ok_or(Error::new(
            self.offset,
            "note header",
            "12 bytes",
            left,
        ))?;
        if header.is_fill() {
            return Ok(None);
        }
        let name = slice(rest, HEADER_SIZE as u64, header.name_size.into()).ok_or(Error::new(
            self.offset,
            "n_namesz",
            "a name inside the note segment",
            header.name_size.into(),
        ))?;
        let desc = slice(rest, header.desc_offset(), header.desc_size.into()).ok_or(Error::new(
            self.offset.saturating_add(4),
            "n_descsz",
            "a desc inside the note segment",
            header.desc_size.into(),
        ))?;
        Ok(Some(NoteBytes { offset: self.offset, header, name: until_zero(name), desc }))
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<NoteBytes<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.segment.get(usize::try_from(self.offset).ok()?..)?;
        if rest.is_empty() {
            return None;
        }
        let note = self.parse(rest).transpose();
        self.offset = match &note {
            Some(Ok(note)) => self.offset.saturating_add(note.header.size()),
            _ => u64::MAX,
        };
        note
    }
}

fn slice(bytes: &[u8], start: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(start).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)
}

/// The bytes before the first zero.
#[must_use]
pub fn until_zero(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == 0).next().unwrap_or(name)
}
