// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Walking notes without reading their descs.

use vmcore::elf::Endian;
use vmcore::note::{HEADER_SIZE, NoteHeader, until_zero};

use crate::source::Source;
use crate::{Error, Fault};

/// How much of an owner's name is read, in bytes. Those in use have a dozen.
const OWNER_MAX: usize = 64;

/// Where a dump's notes stand, and how they are written.
#[derive(Debug)]
pub(crate) struct NoteArea {
    pub endian: Endian,
    pub segments: Vec<NoteSegment>,
}

/// One range of the file with notes; it ends below 2⁶³, if not in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoteSegment {
    /// Where the header that says so stands, in bytes.
    pub header_offset: u64,
    /// Where the notes start, in bytes.
    pub offset: u64,
    /// How many bytes they have, with zero fill behind them.
    pub size: u64,
}

/// A note, without its desc. The desc is known to lie in the file.
#[derive(Debug, Clone, Copy)]
pub struct Note {
    /// Where the note starts in the file, in bytes.
    pub offset: u64,
    /// Its header.
    pub header: NoteHeader,
    owner: [u8; OWNER_MAX],
}

impl Note {
    /// The owner's name without its terminating zero; of a name longer than 64
    /// bytes, the first 64.
    #[must_use]
    pub fn owner(&self) -> &[u8] {
        let size = self.header.name_size as usize;
        until_zero(self.owner.get(..size).unwrap_or(&self.owner))
    }

    /// Where the desc starts in the file, in bytes.
    #[must_use]
    pub fn desc_offset(&self) -> u64 {
        self.offset + self.header.desc_offset()
    }
}

/// The notes of a dump, segment by segment.
///
/// A segment ends where it says, or at zero fill. Ends behind the first error.
#[derive(Debug, Clone)]
pub struct Notes<'a> {
    source: &'a Source,
    endian: Endian,
    /// The segments that are not yet walked.
    segments: &'a [NoteSegment],
    /// Where in the first of them the next note starts, in bytes.
    within: u64,
}

impl<'a> Notes<'a> {
    pub(crate) fn new(source: &'a Source, area: &'a NoteArea) -> Self {
        Self { source, endian: area.endian, segments: &area.segments, within: 0 }
    }

    /// Makes this the end.
    pub(crate) fn stop(&mut self) {
        self.segments = &[];
    }

    /// The next note of `segment`; `None` at its end.
    fn read(&self, segment: &NoteSegment) -> Result<Option<Note>, Error> {
        let left = segment.size.saturating_sub(self.within);
        if left == 0 {
            return self.end(segment);
        }
        let offset = segment.offset + self.within;
        let mut buffer = [0; HEADER_SIZE + OWNER_MAX];
        let wanted = left.min(buffer.len() as u64) as usize;
        let bytes = self.source.read(offset, buffer.get_mut(..wanted).unwrap_or_default())?;

        let Some(header) = NoteHeader::parse(self.endian, bytes) else {
            let fill = bytes.len() == wanted && bytes.iter().all(|byte| *byte == 0);
            let found = bytes.len() as u64;
            return if fill {
                self.end(segment)
            } else {
                Err(self.wrong(offset, "note header", "12 bytes", found))
            };
        };
        if header.is_fill() {
            return self.end(segment);
        }
        self.check_bounds(offset, &header, left)?;
        let mut owner = [0; OWNER_MAX];
        for (to, from) in owner.iter_mut().zip(bytes.iter().skip(HEADER_SIZE)) {
            *to = *from;
        }
        Ok(Some(Note { offset, header, owner }))
    }

    /// Checks that the note at `offset` lies in the `left` bytes of its segment
    /// and in the file.
    fn check_bounds(&self, offset: u64, header: &NoteHeader, left: u64) -> Result<(), Error> {
        if HEADER_SIZE as u64 + u64::from(header.name_size) > left {
            let expected = "a name inside the note segment";
            return Err(self.wrong(offset, "n_namesz", expected, header.name_size.into()));
        }
        let end = header.desc_offset() + u64::from(header.desc_size);
        let expected = if end > left {
            "a desc inside the note segment"
        } else if !self.source.reaches(offset + end)? {
            "a desc inside the file"
        } else {
            return Ok(());
        };
        Err(self.wrong(offset + 4, "n_descsz", expected, header.desc_size.into()))
    }

    /// The end of `segment`, which must be in the file too.
    fn end(&self, segment: &NoteSegment) -> Result<Option<Note>, Error> {
        if self.source.reaches(segment.offset + segment.size)? {
            return Ok(None);
        }
        let at = segment.header_offset;
        let expected = "an end inside the file";
        Err(self.wrong(at, "p_filesz of PT_NOTE", expected, segment.size))
    }

    fn wrong(&self, offset: u64, field: &'static str, expected: &'static str, found: u64) -> Error {
        let error = vmcore::Error::new(offset, field, expected, found);
        self.source.error(Fault::Content(error))
    }
}

impl Iterator for Notes<'_> {
    type Item = Result<Note, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((segment, rest)) = self.segments.split_first() {
            match self.read(segment) {
                Ok(Some(note)) => {
                    self.within += note.header.size();
                    return Some(Ok(note));
                }
                Ok(None) => {
                    self.segments = rest;
                    self.within = 0;
                }
                Err(error) => {
                    self.stop();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}
