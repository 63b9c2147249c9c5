// SPDX-License-Identifier: GPL-2.0-only
//! The dead kernel's VMCOREINFO, from the kernel's own `/proc/vmcore`.
//!
//! It says which crash the device dumps are of, so `/proc/vmcoredd` has it even where that
//! file is left alone. Only the headers are trusted that are needed to find it: whatever else
//! is wrong with the file is why it is left alone.

use core::ffi::CStr;

use kmem::NoMemory;
use vmcore::bytes::Endian;
use vmcore::elf::{FILE_HEADER_MAX, FileHeader, PT_NOTE, ProgramHeader};
use vmcore::note::{HEADER_SIZE, NoteHeader, Step, step, until_zero};

use crate::kernel::file::File;
use crate::kernel::memory::Block;

const OWNER: &[u8] = b"VMCOREINFO";
/// A note's header and the longest owner that is looked for, in bytes.
const START_SIZE: usize = HEADER_SIZE + 12;
/// The longest note, in bytes: the text fills a page at most, and the largest page is 64 KiB.
const NOTE_MAX: u64 = (1 << 16) + START_SIZE as u64;
/// How many notes are looked at: it comes after one of each CPU, and after the dumps that the
/// kernel adds itself.
const NOTES_MAX: usize = 1 << 16;

/// The note in the file at `path`, with its header; empty where there is none, or it cannot be
/// read. Sleeps.
///
/// # Errors
/// [`NoMemory`].
pub fn note(path: &CStr) -> Result<Block, NoMemory> {
    let Some(file) = File::open(path).ok() else { return Block::new(0) };
    let Some((offset, start, header)) = find(&file) else { return Block::new(0) };
    let mut note = Block::new(usize::try_from(header.size()).unwrap_or_default())?;
    let read = file.read_exact(offset, &mut note);
    // The kernel moves the note when it adds a dump itself.
    if read.is_err() || !note.starts_with(&start) { Block::new(0) } else { Ok(note) }
}

/// Where the note is in the file, what it starts with, and its header.
fn find(file: &File) -> Option<(u64, [u8; START_SIZE], NoteHeader)> {
    let (endian, mut offset, mut left) = segment(file)?;
    for _ in 0..NOTES_MAX {
        let mut start = [0; START_SIZE];
        file.read_exact(offset, &mut start).ok()?;
        let Ok(Step::Note(header)) = step(endian, offset, &start, left) else { return None };
        let is_it = header.name_size as usize == OWNER.len() + 1
            && until_zero(start.get(HEADER_SIZE..)?) == OWNER;
        if is_it {
            return (header.size() <= NOTE_MAX).then_some((offset, start, header));
        }
        offset = offset.checked_add(header.size())?;
        left = left.checked_sub(header.size())?;
    }
    None
}

/// Byte order of the file, where its notes start, and how many bytes they have.
fn segment(file: &File) -> Option<(Endian, u64, u64)> {
    let mut start = [0; FILE_HEADER_MAX];
    file.read_exact(0, &mut start).ok()?;
    let header = FileHeader::parse(&start).ok()?;
    // The kernel makes one segment of notes, the first.
    let mut segment = [0; FILE_HEADER_MAX];
    file.read_exact(header.program_headers_offset, &mut segment).ok()?;
    let segment = ProgramHeader::parse(header.encoding, &segment)?;
    let is_notes = segment.segment_type == PT_NOTE;
    is_notes.then_some((header.encoding.endian, segment.offset, segment.file_size))
}
