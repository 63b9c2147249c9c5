// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! As much of a 64-bit little-endian ELF core file as the checks need.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

const HEADER_SIZE: u64 = 64;
const PROGRAM_HEADER_SIZE: u64 = 56;
const NOTE_HEADER_SIZE: u64 = 12;
/// As much of an owner as is looked at.
const OWNER_MAX: u64 = 16;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;

pub struct Core {
    pub path: PathBuf,
    pub file: File,
    /// The end of the ELF header and the program headers.
    pub header_end: u64,
    pub loads: Vec<Segment>,
    pub note_segments: Vec<Segment>,
}

#[derive(Clone, Copy)]
pub struct Segment {
    pub offset: u64,
    pub physical_address: u64,
    pub file_size: u64,
    pub memory_size: u64,
}

/// A note, and where its parts are in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Without what fills it up, and no more than its first 16 bytes.
    pub owner: Vec<u8>,
    pub note_type: u32,
    pub start: u64,
    pub desc_start: u64,
    pub desc_end: u64,
}

impl Core {
    pub fn open(path: &Path) -> Result<Self> {
        Self::of(path, File::open(path).map_err(Error::file("open", path, 0))?)
    }

    /// What is in `file`, just opened at `path`.
    pub fn of(path: &Path, file: File) -> Result<Self> {
        let mut core = Self {
            path: path.to_path_buf(),
            file,
            header_end: 0,
            loads: Vec::new(),
            note_segments: Vec::new(),
        };
        core.read_headers()?;
        Ok(core)
    }

    /// The notes of a segment, up to its end or the zeros that fill it up.
    pub fn notes(&self, segment: &Segment) -> Result<Vec<Note>> {
        let end = segment.offset + segment.file_size;
        let mut notes = Vec::new();
        let mut start = segment.offset;
        while start + NOTE_HEADER_SIZE <= end {
            let mut bytes = [0; (NOTE_HEADER_SIZE + OWNER_MAX) as usize];
            let read = (end - start).min(bytes.len() as u64) as usize;
            self.read_exact(start, &mut bytes[..read])?;
            let (header, owner) = bytes.split_at(NOTE_HEADER_SIZE as usize);
            if header == [0; NOTE_HEADER_SIZE as usize] {
                break;
            }
            let name_size = u64::from(u32_at(header, 0));
            let desc_size = u64::from(u32_at(header, 4));
            let desc_start = start + NOTE_HEADER_SIZE + name_size.next_multiple_of(4);
            let desc_end = desc_start + desc_size;
            if desc_end > end {
                return Err(self.malformed(start, "a note inside its segment"));
            }
            let owner = &owner[..name_size.min(OWNER_MAX) as usize];
            let owner_end = owner.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let owner = owner[..owner_end].to_vec();
            let note_type = u32_at(header, 8);
            notes.push(Note { owner, note_type, start, desc_start, desc_end });
            start = desc_end.next_multiple_of(4);
        }
        Ok(notes)
    }

    /// The first offset from which nothing can be read, found without `SEEK_END`.
    pub fn end_of_file(&self) -> Result<u64> {
        let readable = |offset| {
            let read = self.file.read_at(&mut [0], offset);
            read.map_err(Error::file("read", &self.path, offset))
        };
        let mut bit = 1 << 62;
        let mut end = 0;
        // Every bit of the greatest readable offset, from the highest down.
        while bit > 0 {
            if readable(end + bit - 1)? == 1 {
                end += bit;
            }
            bit >>= 1;
        }
        Ok(end)
    }

    fn read_headers(&mut self) -> Result<()> {
        let mut header = [0; HEADER_SIZE as usize];
        self.read_exact(0, &mut header)?;
        if header[..6] != *b"\x7fELF\x02\x01" {
            return Err(self.malformed(0, "a 64-bit little-endian ELF file"));
        }
        let table = u64_at(&header, 32);
        if u64::from(u16_at(&header, 54)) != PROGRAM_HEADER_SIZE {
            return Err(self.malformed(54, "56 bytes per program header"));
        }
        let count = u64::from(u16_at(&header, 56));
        self.header_end = table + count * PROGRAM_HEADER_SIZE;
        for index in 0..count {
            let mut entry = [0; PROGRAM_HEADER_SIZE as usize];
            self.read_exact(table + index * PROGRAM_HEADER_SIZE, &mut entry)?;
            let segment = Segment {
                offset: u64_at(&entry, 8),
                physical_address: u64_at(&entry, 24),
                file_size: u64_at(&entry, 32),
                memory_size: u64_at(&entry, 40),
            };
            match u32_at(&entry, 0) {
                PT_LOAD => self.loads.push(segment),
                PT_NOTE => self.note_segments.push(segment),
                _ => {}
            }
        }
        Ok(())
    }

    /// Where the header says that the file ends: with the last page of a segment.
    pub fn end_in_header(&self) -> u64 {
        let segments = self.note_segments.iter().chain(&self.loads);
        let ends = segments.map(|segment| segment.offset + segment.file_size);
        ends.max().unwrap_or(0).next_multiple_of(page_size())
    }

    pub fn read_exact(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let read: io::Result<()> = self.file.read_exact_at(buffer, offset);
        read.map_err(Error::file("read", &self.path, offset))
    }

    pub fn wrong(&self, offset: u64, fault: impl Into<String>) -> Error {
        Error::Wrong { path: self.path.clone(), offset, fault: fault.into() }
    }

    fn malformed(&self, offset: u64, expected: &'static str) -> Error {
        Error::Malformed { path: self.path.clone(), offset, expected }
    }
}

/// The size of a page of this kernel, in bytes.
pub fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

pub fn page_down(offset: u64) -> u64 {
    offset / page_size() * page_size()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn finds_the_parts_of_the_sample() {
        let core = Core::open(&sample::file("elf", 0)).unwrap();
        assert_eq!(core.header_end, 64 + 3 * 56);
        assert_eq!(core.loads.len(), 2);
        let notes = core.notes(&core.note_segments[0]).unwrap();
        let starts: Vec<_> = notes.iter().map(|note| note.start).collect();
        assert_eq!(starts, [0x1000, 0x1000 + 12 + 8 + 100]);
        assert_eq!(notes[1].desc_end - notes[1].desc_start, 7);
        assert_eq!((notes[1].owner.as_slice(), notes[1].note_type), (&b"LINUX"[..], 0x700));
        assert_eq!(core.end_of_file().unwrap(), sample::LENGTH);
        assert_eq!(core.end_in_header(), sample::LENGTH);
    }

    #[test]
    fn another_file_is_refused() {
        let error = Core::open(&std::env::current_exe().unwrap().with_extension("d"));
        assert!(error.is_err());
    }
}
