// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! ELF vmcores: where their note segments stand.

use vmcore::elf::{ET_CORE, FileHeader, PN_XNUM, PT_NOTE, ProgramHeader};

use crate::notes::{NoteArea, NoteSegment};
use crate::source::Source;
use crate::{Error, Fault};

/// Size of the longest program header, in bytes.
const PROGRAM_HEADER_MAX: usize = 56;
/// Size of the longest section header, in bytes.
const SECTION_HEADER_MAX: usize = 64;
/// How many program headers are read at a time.
const BATCH: usize = 64;
/// The most note segments that are kept in mind; the kernel makes one of all.
const NOTE_SEGMENTS_MAX: usize = 1 << 16;

/// Where the notes of the ELF vmcore stand that begins with `start`.
pub(crate) fn notes(source: &Source, start: &[u8]) -> Result<NoteArea, Error> {
    let wrong = |error| source.error(Fault::Content(error));
    let file = FileHeader::parse(start).map_err(wrong)?;
    if file.file_type != ET_CORE {
        let found = file.file_type.into();
        let error = vmcore::Error::new(16, "e_type", "4 (ET_CORE)", found);
        return Err(wrong(error));
    }
    let count = program_headers(source, &file)?;
    let mut segments = Vec::new();
    let mut first = 0;
    while first < count {
        let batch = BATCH.min((count - first) as usize);
        collect(source, &file, first, batch, &mut segments)?;
        first += batch as u32;
    }
    check_apart(&segments).map_err(wrong)?;
    Ok(NoteArea { endian: file.encoding.endian, segments })
}

/// Notes that stand in many segments at once would be walked as often.
fn check_apart(segments: &[NoteSegment]) -> Result<(), vmcore::Error> {
    let mut sorted: Vec<&NoteSegment> =
        segments.iter().filter(|segment| segment.size > 0).collect();
    sorted.sort_by_key(|segment| segment.offset);
    for pair in sorted.windows(2) {
        let [before, segment] = pair else { continue };
        if before.offset + before.size > segment.offset {
            let expected = "the end of the PT_NOTE before it, or behind";
            let at = segment.header_offset;
            return Err(vmcore::Error::new(at, "p_offset of PT_NOTE", expected, segment.offset));
        }
    }
    Ok(())
}

/// How many program headers there are.
fn program_headers(source: &Source, file: &FileHeader) -> Result<u32, Error> {
    if file.program_headers != PN_XNUM {
        return Ok(file.program_headers.into());
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
    file.encoding
        .section_info(header)
        .filter(|_| offset != 0)
        .ok_or_else(|| source.error(Fault::Content(missing)))
}

/// Appends the note segments among the `count` program headers from `first` on.
fn collect(
    source: &Source,
    file: &FileHeader,
    first: u32,
    count: usize,
    segments: &mut Vec<NoteSegment>,
) -> Result<(), Error> {
    let wrong = |error| source.error(Fault::Content(error));
    let size = file.encoding.program_header_size();
    let offset_of = |index: usize| {
        let before = (u64::from(first) + index as u64) * size as u64;
        file.program_headers_offset.saturating_add(before)
    };
    let mut buffer = [0; BATCH * PROGRAM_HEADER_MAX];
    let wanted = buffer.get_mut(..count * size).unwrap_or_default();
    let table = source.read(offset_of(0), wanted)?;

    for index in 0..count {
        let offset = offset_of(index);
        let bytes = table.get(index * size..).unwrap_or_default();
        let header = ProgramHeader::parse(file.encoding, bytes).ok_or_else(|| {
            let expected = "as many as the file header counts";
            let found = u64::from(first) + index as u64;
            wrong(vmcore::Error::new(offset, "program headers", expected, found))
        })?;
        if header.segment_type == PT_NOTE {
            if segments.len() == NOTE_SEGMENTS_MAX {
                let found = segments.len() as u64 + 1;
                let error = vmcore::Error::new(offset, "PT_NOTEs", "at most 65,536", found);
                return Err(wrong(error));
            }
            segments.push(note_segment(offset, &header).map_err(wrong)?);
        }
    }
    Ok(())
}

/// The note segment of the program header that stands at `header_offset`.
fn note_segment(header_offset: u64, header: &ProgramHeader) -> Result<NoteSegment, vmcore::Error> {
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
