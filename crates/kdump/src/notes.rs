// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Walking notes without reading their descs.

use vmcore::device_dump::NAME_SIZE;
use vmcore::elf::Endian;
use vmcore::note::{HEADER_SIZE, NoteHeader, until_zero};

use crate::source::Source;
use crate::{Error, Fault};

/// How much of an owner's name is read, in bytes. Those in use have a dozen.
const OWNER_MAX: usize = 64;
/// How much of a desc is read with the note's header, in bytes: the name of a device
/// dump, so that one read finds all there is to know of it.
const DESC_START: usize = NAME_SIZE;

/// Where a dump's notes stand, and how they are written.
#[derive(Debug)]
pub(crate) struct NoteArea {
    pub endian: Endian,
    pub segments: Vec<NoteSegment>,
    /// What is wrong with the headers that say where notes stand.
    pub problems: Vec<vmcore::Error>,
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

/// A note, without its desc.
#[derive(Debug, Clone, Copy)]
pub struct Note {
    /// Where the note starts in the file, in bytes.
    pub offset: u64,
    /// Its header.
    pub header: NoteHeader,
    owner: [u8; OWNER_MAX],
    desc_start: [u8; DESC_START],
    available: u64,
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

    /// How many bytes of the desc stand in its segment and in the file; fewer than the
    /// header says when the note is damaged.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.available
    }

    /// Whether all of it is there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.available == u64::from(self.header.desc_size)
    }

    /// The first 44 bytes of the desc, zero where it is shorter.
    pub(crate) fn desc_start(&self) -> [u8; DESC_START] {
        self.desc_start
    }
}

/// The notes of a dump, segment by segment.
///
/// A segment ends where it says, or at zero fill. Where a note is damaged, it comes,
/// if there is enough of it, and then the error; the rest of its segment cannot be
/// found, the next segments can. What is wrong with the dump's headers comes first.
#[derive(Debug, Clone)]
pub struct Notes<'a> {
    source: &'a Source,
    endian: Endian,
    /// The segments that are not yet walked.
    segments: &'a [NoteSegment],
    /// Where in the first of them the next note starts, in bytes.
    within: u64,
    /// The error behind a damaged note.
    pending: Option<vmcore::Error>,
    problems: [&'a [vmcore::Error]; 2],
    /// The end was reported, or what there is to say of it.
    has_ended: bool,
}

/// What stands at a place of a segment.
enum Found {
    /// A note, and why it is not whole.
    Note(Note, Option<vmcore::Error>),
    /// Zero fill, or nothing.
    End,
}

impl<'a> Notes<'a> {
    pub(crate) fn new(source: &'a Source, area: &'a NoteArea) -> Self {
        Self {
            source,
            endian: area.endian,
            segments: &area.segments,
            within: 0,
            pending: None,
            problems: [&area.problems, &source.problems],
            has_ended: false,
        }
    }

    /// What stands next in `segment`.
    fn read(&self, segment: &NoteSegment) -> Result<Found, Error> {
        let left = segment.size.saturating_sub(self.within);
        if left == 0 {
            return self.end(segment);
        }
        let offset = segment.offset + self.within;
        let mut buffer = [0; HEADER_SIZE + OWNER_MAX + DESC_START];
        let wanted = left.min(buffer.len() as u64) as usize;
        let bytes = self.source.read(offset, buffer.get_mut(..wanted).unwrap_or_default())?;

        let Some(header) = NoteHeader::parse(self.endian, bytes) else {
            let fill = bytes.len() == wanted && bytes.iter().all(|byte| *byte == 0);
            let found = bytes.len() as u64;
            return if fill {
                self.end(segment)
            } else {
                Err(self.source.wrong(offset, "note header", "12 bytes", found))
            };
        };
        if header.is_fill() {
            return self.end(segment);
        }
        let name_end = HEADER_SIZE as u64 + u64::from(header.name_size);
        if name_end > left {
            let expected = "a name inside the note segment";
            return Err(self.source.wrong(offset, "n_namesz", expected, header.name_size.into()));
        }
        let desc = header.desc_offset();
        let inside = u64::from(header.desc_size).min(left.saturating_sub(desc));
        let available = self.source.available(offset + desc, inside)?;
        let expected = if inside < u64::from(header.desc_size) {
            Some("a desc inside the note segment")
        } else if available < inside || !self.source.reaches(offset + name_end)? {
            Some("a desc inside the file")
        } else {
            None
        };
        let damage = expected.map(|expected| {
            vmcore::Error::new(offset + 4, "n_descsz", expected, header.desc_size.into())
        });

        let mut note =
            Note { offset, header, owner: [0; OWNER_MAX], desc_start: [0; DESC_START], available };
        let owner = bytes.get(HEADER_SIZE..).unwrap_or_default();
        copy(&mut note.owner, owner);
        let desc_start = note.desc_start.len().min(available as usize);
        let to = note.desc_start.get_mut(..desc_start).unwrap_or_default();
        let read_already = usize::try_from(desc).ok().and_then(|desc| bytes.get(desc..));
        // Only the names of device dumps are asked for, and their owner is short.
        if let Some(read) = read_already.filter(|read| read.len() >= to.len()) {
            copy(to, read);
        }
        Ok(Found::Note(note, damage))
    }

    /// The end of `segment`, which must be in the file too.
    fn end(&self, segment: &NoteSegment) -> Result<Found, Error> {
        if self.source.reaches(segment.offset + segment.size)? {
            return Ok(Found::End);
        }
        let at = segment.header_offset;
        let expected = "an end inside the file";
        Err(self.source.wrong(at, "p_filesz of PT_NOTE", expected, segment.size))
    }

    /// The cause of `damage`: where a stream ends too early, or has wrong bytes before that,
    /// its own error says more.
    fn cause(&mut self, damage: Error) -> Error {
        self.source.look_ahead();
        match self.source.end_fault() {
            Some(fault) if !self.has_ended => {
                self.has_ended = true;
                fault
            }
            _ => damage,
        }
    }

    /// What is wrong with the end of the dump.
    fn end_of_dump(&mut self) -> Option<Error> {
        if std::mem::replace(&mut self.has_ended, true) {
            return None;
        }
        self.source.look_ahead();
        self.source.end_fault()
    }

    fn skip_segment(&mut self) {
        self.segments = self.segments.get(1..).unwrap_or_default();
        self.within = 0;
    }

    /// The next of the problems with the headers.
    fn problem(&mut self) -> Option<vmcore::Error> {
        self.problems.iter_mut().find_map(|problems| {
            let (first, rest) = problems.split_first()?;
            *problems = rest;
            Some(*first)
        })
    }
}

/// Copies as much as both have.
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

impl Iterator for Notes<'_> {
    type Item = Result<Note, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.problem().or_else(|| self.pending.take()) {
            let error = self.source.error(Fault::Content(error));
            return Some(Err(self.cause(error)));
        }
        while let Some(segment) = self.segments.first() {
            match self.read(segment) {
                Ok(Found::Note(note, None)) => {
                    self.within += note.header.size();
                    return Some(Ok(note));
                }
                Ok(Found::Note(note, Some(damage))) => {
                    self.pending = Some(damage);
                    self.skip_segment();
                    return Some(Ok(note));
                }
                Ok(Found::End) => self.skip_segment(),
                Err(error) => {
                    self.skip_segment();
                    return Some(Err(self.cause(error)));
                }
            }
        }
        self.end_of_dump().map(Err)
    }
}
