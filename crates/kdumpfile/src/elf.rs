// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! ELF vmcores: where their notes and their memory stand.

use std::cell::OnceCell;
use std::ops::Range;

use vmcore::elf::{ET_CORE, FileHeader, PN_XNUM, PT_LOAD, PT_NOTE, PT_NULL, ProgramHeader};

use crate::error::{Error, Fault};
use crate::note_area::{NoteArea, NoteSegment};
use crate::source::Source;

/// Size of the longest program header, in bytes.
const PROGRAM_HEADER_MAX: usize = 56;
/// Size of the longest section header, in bytes.
const SECTION_HEADER_MAX: usize = 64;
/// How many program headers are read at a time.
const BATCH: usize = 64;
/// The most program headers that are read; a kernel writes fewer than 65,536.
const PROGRAM_HEADERS_MAX: u32 = 1 << 20;
/// The most note segments that are kept in mind; the kernel makes one of all.
const NOTE_SEGMENTS_MAX: usize = 1 << 16;

/// An ELF vmcore.
#[derive(Debug)]
pub(crate) struct Elf {
    pub header: FileHeader,
    /// How many program headers there are, or are read.
    count: u32,
    /// The range of memory that ends last in the file.
    last_load: Option<LastLoad>,
    loads: OnceCell<Vec<Load>>,
}

/// Bit of `e_flags` in a dump that was not written to its end, for want of space
/// (makedumpfile's `DUMP_ELF_INCOMPLETE`). Kernels leave `e_flags` of a vmcore 0.
const INCOMPLETE: u32 = 1;

/// The range of memory that ends last in the file.
#[derive(Debug, Clone, Copy)]
struct LastLoad {
    header_offset: u64,
    file_size: u64,
    end: u64,
}

/// A range of memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Where it starts (`p_paddr`), in bytes.
    pub physical: u64,
    /// Where the dead kernel had it (`p_vaddr`).
    pub virtual_address: u64,
    /// How many bytes of it stand in the file.
    pub file_size: u64,
    /// How many there were; what is not in the file was left out.
    pub memory_size: u64,
    /// Where it stands in the file, in bytes.
    pub offset: u64,
}

impl Elf {
    /// Reads the headers of the ELF vmcore that begins with `start`.
    pub fn open(source: &Source, start: &[u8]) -> Result<(Self, NoteArea), Error> {
        let header =
            FileHeader::parse(start).map_err(|error| source.error(Fault::Content(error)))?;
        if header.file_type != ET_CORE {
            let found = header.file_type.into();
            return Err(source.wrong(16, "e_type", "4 (ET_CORE)", found));
        }
        let mut problems = Vec::new();
        let mut says_incomplete = false;
        if header.flags & INCOMPLETE != 0 {
            let at = header.encoding.fields().e_flags as u64;
            let expected = "a dump that was written to its end";
            problems.push(vmcore::Error::new(at, "e_flags", expected, header.flags.into()));
            says_incomplete = true;
        }
        let count = match program_headers(source, &header)? {
            Ok(count) if count > PROGRAM_HEADERS_MAX => {
                let expected = "at most 1,048,576";
                let at = header.section_headers_offset;
                problems.push(vmcore::Error::new(at, "program headers", expected, count.into()));
                PROGRAM_HEADERS_MAX
            }
            Ok(count) => count,
            Err(problem) => {
                problems.push(problem);
                says_incomplete = true;
                0
            }
        };
        let mut elf = Self { header, count, last_load: None, loads: OnceCell::new() };
        let mut segments = Vec::new();
        let mut last_load = None::<LastLoad>;
        let mut is_empty = true;
        let table = elf.each_program_header(source, |at, header| {
            is_empty &= header.segment_type == PT_NULL;
            let end = header.offset.saturating_add(header.file_size);
            if header.segment_type == PT_LOAD
                && header.file_size > 0
                && last_load.is_none_or(|last| last.end < end)
            {
                last_load = Some(LastLoad { header_offset: at, file_size: header.file_size, end });
            }
            if header.segment_type == PT_NOTE {
                match note_segment(at, header, segments.len()) {
                    Ok(segment) => segments.push(segment),
                    Err(problem) if problems.len() < NOTE_SEGMENTS_MAX => problems.push(problem),
                    Err(_) => {}
                }
            }
        })?;
        if let Err((there, problem)) = table {
            elf.count = there;
            problems.push(problem);
            says_incomplete = true;
        } else if is_empty && elf.count > 0 {
            // makedumpfile writes zeros there first, then notes and memory, then the headers.
            let at = header.program_headers_offset;
            let expected = "headers, not zeros; notes are looked for after them";
            problems.push(vmcore::Error::missing(at, "program headers", expected));
            let after = at.saturating_add(elf.table_size());
            let endian = elf.header.encoding.endian;
            segments.extend(NoteSegment::by_place(source, endian, at, after)?);
            says_incomplete = true;
        }
        elf.last_load = last_load;
        drop_overlapping(&mut segments, &mut problems);
        let endian = header.encoding.endian;
        Ok((elf, NoteArea::new(endian, segments, problems, says_incomplete)))
    }

    /// What memory is not in the file, which has a length.
    pub fn incompleteness(&self, source: &Source) -> Result<Option<vmcore::Error>, Error> {
        let Some(LastLoad { header_offset, file_size, end }) = self.last_load else {
            return Ok(None);
        };
        if source.reaches(end)? {
            return Ok(None);
        }
        let expected = "an end inside the file, which is incomplete";
        Ok(Some(vmcore::Error::new(header_offset, "p_filesz of PT_LOAD", expected, file_size)))
    }

    /// How many bytes its program headers have.
    pub fn table_size(&self) -> u64 {
        u64::from(self.count) * self.header.encoding.program_header_size() as u64
    }

    /// Gives each program header to `take`, with its offset; where the table ends too
    /// early, how many there are.
    pub fn each_program_header(
        &self,
        source: &Source,
        mut take: impl FnMut(u64, &ProgramHeader),
    ) -> Result<Result<(), (u32, vmcore::Error)>, Error> {
        let size = self.header.encoding.program_header_size();
        let mut buffer = [0; BATCH * PROGRAM_HEADER_MAX];
        let mut first = 0;
        while first < self.count {
            let batch = BATCH.min((self.count - first) as usize);
            let before = u64::from(first) * size as u64;
            let start = self.header.program_headers_offset.saturating_add(before);
            let wanted = buffer.get_mut(..batch * size).unwrap_or_default();
            let table = source.read(start, wanted)?;
            for (index, bytes) in (0_u32..).zip(table.chunks_exact(size)) {
                let at = start.saturating_add(u64::from(index) * size as u64);
                if let Some(header) = ProgramHeader::parse(self.header.encoding, bytes) {
                    take(at, &header);
                }
            }
            let there = table.len() / size;
            if there < batch {
                let there = first + there as u32;
                let at = start.saturating_add((table.len() / size * size) as u64);
                let expected = "as many as the file header counts";
                let problem = vmcore::Error::new(at, "program headers", expected, there.into());
                return Ok(Err((there, problem)));
            }
            first += batch as u32;
        }
        Ok(Ok(()))
    }

    /// Its ranges of memory, by address; they are read when they are first asked for.
    pub fn loads(&self, source: &Source) -> Result<&[Load], Error> {
        if let Some(loads) = self.loads.get() {
            return Ok(loads);
        }
        let mut loads = Vec::new();
        let all = self.each_program_header(source, |_, header| {
            if header.segment_type == PT_LOAD {
                loads.push(Load {
                    physical: header.physical_address,
                    virtual_address: header.virtual_address,
                    file_size: header.file_size,
                    memory_size: header.memory_size.max(header.file_size),
                    offset: header.offset,
                });
            }
        })?;
        // How many there are was looked at when it was opened.
        debug_assert!(all.is_ok());
        loads.sort_by_key(|load| load.physical);
        Ok(self.loads.get_or_init(|| loads))
    }

    /// Where the `length` bytes at `physical` stand in the file: those that do in a
    /// row; `None` when the first does not.
    pub fn find(
        &self,
        source: &Source,
        physical: u64,
        length: u64,
    ) -> Result<Option<Range<u64>>, Error> {
        let loads = self.loads(source)?;
        let behind = loads.partition_point(|load| load.physical <= physical);
        // Of ranges that overlap, any that has it.
        for load in loads.get(..behind).unwrap_or_default().iter().rev().take(16) {
            let within = physical - load.physical;
            if within < load.file_size {
                let offset = load.offset.saturating_add(within);
                let length = length.min(load.file_size - within);
                return Ok(Some(offset..offset.saturating_add(length)));
            }
        }
        Ok(None)
    }
}

/// Notes that stand in many segments at once would be walked as often: of segments that
/// overlap, the first in the file is kept.
fn drop_overlapping(segments: &mut Vec<NoteSegment>, problems: &mut Vec<vmcore::Error>) {
    let mut sorted: Vec<NoteSegment> =
        segments.iter().filter(|segment| segment.size > 0).copied().collect();
    sorted.sort_by_key(|segment| segment.offset);
    let mut end = 0;
    let mut dropped = Vec::new();
    for segment in sorted {
        if segment.offset < end {
            let expected = "the end of the PT_NOTE before it, or after";
            let at = segment.header_offset;
            problems.push(vmcore::Error::new(at, "p_offset of PT_NOTE", expected, segment.offset));
            dropped.push(segment.header_offset);
        } else {
            end = segment.offset + segment.size;
        }
    }
    dropped.sort_unstable();
    segments.retain(|segment| dropped.binary_search(&segment.header_offset).is_err());
}

/// How many program headers there are.
fn program_headers(
    source: &Source,
    file: &FileHeader,
) -> Result<Result<u32, vmcore::Error>, Error> {
    if file.program_headers != PN_XNUM {
        return Ok(Ok(file.program_headers.into()));
    }
    let offset = file.section_headers_offset;
    let mut buffer = [0; SECTION_HEADER_MAX];
    let header = source.read(offset, &mut buffer)?;
    let missing = vmcore::Error::new(
        offset,
        "first section header",
        "the number of program headers in it (e_phnum is PN_XNUM)",
        header.len() as u64,
    );
    Ok(file.encoding.section_info(header).filter(|_| offset != 0).ok_or(missing))
}

/// The note segment of the program header that stands at `header_offset`, after
/// `before` others.
fn note_segment(
    header_offset: u64,
    header: &ProgramHeader,
    before: usize,
) -> Result<NoteSegment, vmcore::Error> {
    if before == NOTE_SEGMENTS_MAX {
        let found = before as u64 + 1;
        return Err(vmcore::Error::new(header_offset, "PT_NOTEs", "at most 65,536", found));
    }
    let end = header.offset.checked_add(header.file_size);
    match end.filter(|end| i64::try_from(*end).is_ok()) {
        Some(_) => Ok(NoteSegment { header_offset, offset: header.offset, size: header.file_size }),
        None => Err(vmcore::Error::new(
            header_offset,
            "p_filesz of PT_NOTE",
            "an end below 2^63",
            header.file_size,
        )),
    }
}
