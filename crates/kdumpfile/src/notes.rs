// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Walking notes without reading their descs.

use vmcore::bytes;
use vmcore::device_dump::NAME_SIZE;
use vmcore::note::{HEADER_SIZE, NoteHeader, Step, step, until_zero};

use crate::error::{Error, Fault};
use crate::format::Layout;
use crate::note_area::{NoteArea, NoteSegment, OWNER_MAX};
use crate::source::Source;

/// How much of a desc is read with the note's header, in bytes: the name of a device
/// dump, so that one read finds all there is to know of it.
const DESC_START: usize = NAME_SIZE;
/// How much is read of each note.
const NOTE_START: usize = HEADER_SIZE + OWNER_MAX + DESC_START;
/// The most that is read at a time of small notes in a row, in bytes.
const WINDOW_MAX: usize = 1 << 16;

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
/// A segment ends where it says, or with zero fill; where there is something after zeros,
/// an error comes, and then the notes there. Where a note is damaged, it comes,
/// if there is enough of it, and then the error; the rest of its segment cannot be
/// found, the next segments can. What is wrong with the dump's headers comes first, and
/// last that the file has not all of the dump. That it ends too early is said once.
#[derive(Debug, Clone)]
pub struct Notes<'a> {
    source: &'a Source,
    area: &'a NoteArea,
    /// What says whether the file has all of the dump, until that was looked at.
    layout: Option<&'a Layout>,
    /// An error said that the file ends too early.
    is_cut: bool,
    /// The segments that are not yet walked.
    segments: &'a [NoteSegment],
    /// Where in the first of them the next note starts, in bytes.
    within: u64,
    /// The error after a damaged note.
    pending: Option<vmcore::Error>,
    problems: [&'a [vmcore::Error]; 2],
    /// It was said why a stream ended too early.
    has_faulted: bool,
    window: Window,
}

/// The bytes that were read last. Notes that are small stand in a row, and to read each by
/// itself takes longer than all else; of large ones only the start is wanted.
#[derive(Debug, Clone, Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// The bytes at `offset`: as many as fit into `to`, or fewer where the dump ends.
    fn read<'b>(
        &mut self,
        source: &Source,
        offset: u64,
        to: &'b mut [u8],
    ) -> Result<&'b [u8], Error> {
        let end = self.start + self.bytes.len() as u64;
        let is_inside = offset >= self.start && offset + to.len() as u64 <= end;
        if !is_inside {
            // Where the one before was of use, the next one is larger.
            let is_next = (self.start..=end).contains(&offset);
            let size = if is_next { self.bytes.len() * 2 } else { 0 };
            self.bytes.resize(size.clamp(to.len(), WINDOW_MAX), 0);
            let length = source.read(offset, &mut self.bytes)?.len();
            self.bytes.truncate(length);
            self.start = offset;
        }
        let within = (offset - self.start) as usize;
        let there = self.bytes.get(within..).unwrap_or_default();
        let length = bytes::copy(to, there);
        Ok(to.get(..length).unwrap_or_default())
    }
}

/// What stands at a place of a segment.
enum Found {
    /// A note.
    Note(Note),
    /// A note, why it is not whole, and whether that is because the file ends.
    Damaged(Note, vmcore::Error, bool),
    /// The file ends where there should be more.
    Missing(Error),
    /// Zeros, and something after them, so many bytes after the segment's start.
    Zeros(u64),
    /// Zero fill, or nothing.
    End,
}

impl<'a> Notes<'a> {
    pub(crate) fn new(source: &'a Source, area: &'a NoteArea, layout: &'a Layout) -> Self {
        Self {
            source,
            area,
            layout: Some(layout),
            is_cut: area.says_incomplete || !source.problems.is_empty(),
            segments: &area.segments,
            within: 0,
            pending: None,
            problems: [&area.problems, &source.problems],
            has_faulted: false,
            window: Window::default(),
        }
    }

    /// What stands next in `segment`.
    fn read(&mut self, segment: &NoteSegment) -> Result<Found, Error> {
        let left = segment.size.saturating_sub(self.within);
        let offset = segment.offset + self.within;
        let mut buffer = [0; NOTE_START];
        let wanted = left.min(buffer.len() as u64) as usize;
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        let bytes = self.window.read(self.source, offset, buffer)?;

        let (header, inside, damage) = match step(self.area.endian, offset, bytes, left) {
            Ok(Step::End) => return self.end(segment),
            Ok(Step::Fill) => {
                let end = segment.offset + segment.size;
                return match self.area.after_zeros(self.source, offset, end)? {
                    // All that is in a note's header has four bytes.
                    Some(next) => Ok(Found::Zeros((next - segment.offset) / 4 * 4)),
                    None => self.end(segment),
                };
            }
            Ok(Step::Note(header)) => (header, header.desc_size.into(), None),
            Ok(Step::Cut { header, inside, damage }) => (header, inside, Some(damage)),
            Err(error) => {
                let error = self.source.error(Fault::Content(error));
                return match bytes.len() {
                    HEADER_SIZE.. => Err(error),
                    there if there < wanted => Ok(Found::Missing(error)),
                    // Fill that is shorter than a header.
                    _ if bytes.iter().all(|byte| *byte == 0) => self.end(segment),
                    _ => Err(error),
                };
            }
        };
        let name_end = HEADER_SIZE as u64 + u64::from(header.name_size);
        let desc = header.desc_offset();
        let available = self.source.available(offset + desc, inside)?;

        let mut note =
            Note { offset, header, owner: [0; OWNER_MAX], desc_start: [0; DESC_START], available };
        let owner = bytes.get(HEADER_SIZE..).unwrap_or_default();
        bytes::copy(&mut note.owner, owner);
        let desc_start = note.desc_start.len().min(available as usize);
        let to = note.desc_start.get_mut(..desc_start).unwrap_or_default();
        let read_already = usize::try_from(desc).ok().and_then(|desc| bytes.get(desc..));
        // Only the names of device dumps are asked for, and their owner is short.
        if let Some(read) = read_already.filter(|read| read.len() >= to.len()) {
            bytes::copy(to, read);
        }
        Ok(if let Some(damage) = damage {
            Found::Damaged(note, damage, false)
        } else if available < inside || !self.source.reaches(offset + name_end)? {
            let (expected, found) = ("a desc inside the file", header.desc_size.into());
            let damage = vmcore::Error::new(offset + 4, "n_descsz", expected, found);
            Found::Damaged(note, damage, true)
        } else {
            Found::Note(note)
        })
    }

    /// The end of `segment`, which must be in the file too.
    fn end(&self, segment: &NoteSegment) -> Result<Found, Error> {
        if self.source.reaches(segment.offset + segment.size)? {
            return Ok(Found::End);
        }
        let at = segment.header_offset;
        let expected = "an end inside the file";
        Ok(Found::Missing(self.source.wrong(at, "p_filesz of PT_NOTE", expected, segment.size)))
    }

    /// `damage`, or what caused it: where a stream ends too early, or has wrong bytes before
    /// that, its own error says more. That is said once.
    fn cause(&mut self, damage: Error) -> Option<Error> {
        self.source.look_ahead();
        match self.source.end_fault() {
            Some(fault) => self.fault(fault),
            None => Some(damage),
        }
    }

    fn fault(&mut self, fault: Error) -> Option<Error> {
        self.is_cut = true;
        (!std::mem::replace(&mut self.has_faulted, true)).then_some(fault)
    }

    /// What is wrong with the end of the dump.
    fn at_end(&mut self) -> Option<Error> {
        let layout = self.layout.take()?;
        self.source.look_ahead();
        if let Some(fault) = self.source.end_fault() {
            return self.fault(fault);
        }
        if self.is_cut {
            return None;
        }
        match self.area.incompleteness(|| layout.incompleteness(self.source)) {
            Ok(problem) => problem.map(|problem| self.source.error(Fault::Content(problem))),
            Err(error) => Some(error),
        }
    }

    fn skip_segment(&mut self) {
        self.segments = self.segments.get(1..).unwrap_or_default();
        self.within = 0;
    }

    /// Whether this is the first that says that the file ends too early, which is said once.
    fn is_first_cut(&mut self) -> bool {
        !std::mem::replace(&mut self.is_cut, true)
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

impl Iterator for Notes<'_> {
    type Item = Result<Note, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(error) = self.problem().or_else(|| self.pending.take()) {
            let error = self.source.error(Fault::Content(error));
            if let Some(error) = self.cause(error) {
                return Some(Err(error));
            }
        }
        while let Some(segment) = self.segments.first().copied() {
            let error = match self.read(&segment) {
                Ok(Found::Note(note)) => {
                    self.within += note.header.size();
                    return Some(Ok(note));
                }
                Ok(Found::Damaged(note, damage, is_cut)) => {
                    let is_new = !is_cut || self.is_first_cut();
                    self.pending = is_new.then_some(damage);
                    self.skip_segment();
                    return Some(Ok(note));
                }
                Ok(Found::Missing(error)) => {
                    self.skip_segment();
                    Some(error).filter(|_| self.is_first_cut())
                }
                Ok(Found::Zeros(next)) => {
                    let (at, found) = (segment.offset + self.within, next - self.within);
                    self.within = next;
                    Some(self.source.wrong(at, "zeros between notes", "none", found))
                }
                Ok(Found::End) => {
                    self.skip_segment();
                    None
                }
                Err(error) => {
                    self.skip_segment();
                    Some(error)
                }
            };
            if let Some(error) = error.and_then(|error| self.cause(error)) {
                return Some(Err(error));
            }
        }
        self.at_end().map(Err)
    }
}
