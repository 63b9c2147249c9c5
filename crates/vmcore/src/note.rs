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

    /// Whether this is no note but the zero fill after the last one.
    #[must_use]
    pub const fn is_fill(&self) -> bool {
        self.name_size == 0 && self.desc_size == 0 && self.note_type == 0
    }
}

/// What is at a place of a segment of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The end of the segment.
    End,
    /// Zeros where a header would be. Notes end with them, in most files.
    Fill,
    /// A note, which is in the segment as a whole. The next place is
    /// [`NoteHeader::size`] bytes on.
    Note(NoteHeader),
    /// A note whose desc is longer than the segment. After it there is nothing.
    Cut {
        /// Its header.
        header: NoteHeader,
        /// How many bytes of the desc are in the segment.
        inside: u64,
        /// What is wrong.
        damage: Error,
    },
}

/// Takes a step of a walk of notes, by a header alone: who walks reads the bytes, and as
/// many as it likes.
///
/// `start` has what was read at the place that errors call `offset`: [`HEADER_SIZE`]
/// bytes at least, or fewer where there are no more. `left` bytes of the segment come from
/// there on.
///
/// # Errors
/// Where there is no whole header, or the name of the owner leads out of the segment: then
/// it is not known where anything is.
pub fn step(endian: Endian, offset: u64, start: &[u8], left: u64) -> Result<Step, Error> {
    if left == 0 {
        return Ok(Step::End);
    }
    let there = start.len() as u64;
    let header = NoteHeader::parse(endian, start);
    let header = header.ok_or(Error::new(offset, "note header", "12 bytes", there))?;
    if header.is_fill() {
        return Ok(Step::Fill);
    }
    let name_size = header.name_size.into();
    if name_size > left.saturating_sub(HEADER_SIZE as u64) {
        let expected = "a name inside the note segment";
        return Err(Error::new(offset, "n_namesz", expected, name_size));
    }
    let desc_size = header.desc_size.into();
    let inside = left.saturating_sub(header.desc_offset()).min(desc_size);
    if inside < desc_size {
        let expected = "a desc inside the note segment";
        let damage = Error::new(offset.saturating_add(4), "n_descsz", expected, desc_size);
        return Ok(Step::Cut { header, inside, damage });
    }
    Ok(Step::Note(header))
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
/// Ends at the end of the segment, at zero fill, or after the first error.
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
        let header = match step(self.endian, self.offset, rest, rest.len() as u64)? {
            Step::End | Step::Fill => return Ok(None),
            Step::Note(header) => header,
            Step::Cut { damage, .. } => return Err(damage),
        };
        let name = slice(rest, HEADER_SIZE as u64, header.name_size.into()).unwrap_or_default();
        let desc = slice(rest, header.desc_offset(), header.desc_size.into()).unwrap_or_default();
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
