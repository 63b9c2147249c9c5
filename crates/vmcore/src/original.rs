// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The header of the kernel's own `/proc/vmcore`: checked to be exactly what
//! `fs/proc/vmcore.c` writes, and rewritten with room for device dumps.
//!
//! That file is: the ELF header and one merged `PT_NOTE` followed by the
//! `PT_LOAD`s, zero-filled to a page; the notes, zero-filled to a page; the
//! memory of each `PT_LOAD`, widened to whole pages, one after the other.
//! Anything else that would move a byte is an [`Error`]: whoever wants to serve
//! the file in the kernel's place must not guess. What only stands in the header
//! is copied as it is.

use crate::elf::{ET_CORE, Encoding, FileHeader, PN_XNUM, PT_LOAD, PT_NOTE, ProgramHeader};
use crate::layout::Load;
use crate::{Error, PAGE_SIZE, bytes, page_align_down, page_align_up};

/// The kernel's own header, checked.
#[derive(Debug, Clone, Copy)]
pub struct Original<'a> {
    /// The header pages.
    header: &'a [u8],
    file: FileHeader,
    notes_size: u64,
    memory_start: u64,
    size: u64,
}

impl<'a> Original<'a> {
    /// Size of the header pages of the file that starts with `start`, in bytes;
    /// `start` must have at least [`crate::elf::FILE_HEADER_MAX`] bytes.
    ///
    /// # Errors
    /// [`Error`] when this is no core file, or its program headers do not
    /// follow the file header.
    pub fn header_size(start: &[u8]) -> Result<u64, Error> {
        let file = FileHeader::parse(start)?;
        let encoding = file.encoding;
        if file.file_type != ET_CORE {
            return Err(Error::new(16, "e_type", "4 (ET_CORE)", file.file_type.into()));
        }
        if file.program_headers == 0 || file.program_headers == PN_XNUM {
            let found = file.program_headers.into();
            return Err(Error::new(0, "e_phnum", "1 to 65534", found));
        }
        if file.program_headers_offset != encoding.file_header_size() as u64 {
            let found = file.program_headers_offset;
            return Err(Error::new(0, "e_phoff", "the end of the file header", found));
        }
        let end = file.program_headers_end();
        let found = file.program_headers.into();
        end.and_then(page_align_up).ok_or(Error::new(0, "e_phnum", "an end below 2^64", found))
    }

    /// Checks the header pages `header`, whole, as [`Original::header_size`]
    /// counts them.
    ///
    /// # Errors
    /// [`Error`] with the first thing that is not as the kernel writes it.
    pub fn parse(header: &'a [u8]) -> Result<Self, Error> {
        let size = Self::header_size(header)?;
        let file = FileHeader::parse(header)?;
        let available = header.len() as u64;
        if available != size {
            return Err(Error::new(0, "header", "as many bytes as e_phnum says", available));
        }
        let mut parsed = Self { header, file, notes_size: 0, memory_start: 0, size: 0 };
        parsed.check_segments()?;
        Ok(parsed)
    }

    fn check_segments(&mut self) -> Result<(), Error> {
        let header_size = self.header.len() as u64;
        let mut end = None;
        for (at, segment) in self.segments() {
            let previous = match end {
                None => {
                    end = Some(self.check_note(at, &segment, header_size)?);
                    self.memory_start = end.unwrap_or_default();
                    continue;
                }
                Some(previous) => previous,
            };
            let load = check_load(at, &segment)?;
            if page_align_down(segment.offset) != previous {
                let expected = "the end of the segment before it";
                return Err(Error::new(at, "p_offset", expected, segment.offset));
            }
            let too_large = Error::new(at, "p_memsz", "an end below 2^63", segment.memory_size);
            end = Some(below_file_max(previous.checked_add(load.size)).ok_or(too_large)?);
        }
        self.size = end.ok_or(Error::missing(0, "program headers", "a PT_NOTE first"))?;
        Ok(())
    }

    /// Checks the merged `PT_NOTE` and gives the end of its pages.
    fn check_note(&mut self, at: u64, note: &ProgramHeader, start: u64) -> Result<u64, Error> {
        if note.segment_type != PT_NOTE {
            let found = note.segment_type.into();
            return Err(Error::new(at, "p_type", "4 (PT_NOTE) first", found));
        }
        if note.offset != start {
            return Err(Error::new(at, "p_offset", "the end of the header pages", note.offset));
        }
        if note.file_size != note.memory_size {
            return Err(Error::new(at, "p_filesz", "the same as p_memsz", note.file_size));
        }
        self.notes_size = note.file_size;
        let end = note.offset.checked_add(note.file_size).and_then(page_align_up);
        let too_large = Error::new(at, "p_filesz", "an end below 2^63", note.file_size);
        below_file_max(end).ok_or(too_large)
    }

    fn segments(&self) -> impl Iterator<Item = (u64, ProgramHeader)> + use<'a> {
        self.file.segments(self.header)
    }

    /// How the file writes its numbers.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.file.encoding
    }

    /// Instruction set of the dead kernel (`e_machine`).
    #[must_use]
    pub const fn machine(&self) -> u16 {
        self.file.machine
    }

    /// Where the notes start, in bytes.
    #[must_use]
    pub const fn notes_offset(&self) -> u64 {
        self.header.len() as u64
    }

    /// Size of the dead kernel's own notes, without zero fill, in bytes.
    #[must_use]
    pub const fn notes_size(&self) -> u64 {
        self.notes_size
    }

    /// Size of the whole file, in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Where old memory starts in the kernel's own file, in bytes.
    #[must_use]
    pub const fn memory_start(&self) -> u64 {
        self.memory_start
    }

    /// The ranges of old memory, in the order in which they stand in the file,
    /// each where its physical address says.
    pub fn loads(&self) -> impl Iterator<Item = Load> + use<'a> {
        let memory_start = self.memory_start;
        self.segments().skip(1).filter_map(move |(at, segment)| {
            let mut load = check_load(at, &segment).ok()?;
            load.start = page_align_down(segment.offset).checked_sub(memory_start)?;
            Some(load)
        })
    }

    /// The ranges of old memory, each where the kernel reads it.
    ///
    /// `elfcorehdr` are the headers that the dead kernel left for this one, of
    /// which the kernel made its own: there, `p_offset` is a physical address.
    /// It is not `p_paddr` where purgatory moved memory out of the crash
    /// kernel's way, as kexec-tools has it done with the lowest 640 KiB.
    ///
    /// # Errors
    /// [`Error`], with an offset in `elfcorehdr`, when that has not the very
    /// segments of this header.
    pub fn loads_of<'b>(
        &self,
        elfcorehdr: &'b [u8],
    ) -> Result<impl Iterator<Item = Load> + use<'a, 'b>, Error> {
        let file = FileHeader::parse(elfcorehdr)?;
        let sources = move || {
            let loads = file.segments(elfcorehdr);
            loads.filter(|(_, segment)| segment.segment_type == PT_LOAD)
        };
        let ours = || self.segments().skip(1);
        if sources().count() != ours().count() {
            let found = sources().count() as u64;
            return Err(Error::new(0, "elfcorehdr", "the PT_LOADs of /proc/vmcore", found));
        }
        for ((at, source), (_, ours)) in sources().zip(ours()) {
            let moved = ProgramHeader { offset: ours.offset, ..source };
            // check_load() sees to the end of the memory, here of where it is read.
            let read = ProgramHeader { physical_address: source.offset, ..ours };
            if moved != ours || check_load(at, &read).is_err() {
                let found = source.physical_address;
                return Err(Error::new(at, "elfcorehdr", "the PT_LOAD of /proc/vmcore", found));
            }
        }
        Ok(self
            .loads()
            .zip(sources())
            .map(|(load, (_, source))| Load { physical: page_align_down(source.offset), ..load }))
    }

    /// The most bytes of device dumps that can be put in before the other notes
    /// without any number of the header leaving its field.
    #[must_use]
    pub fn room(&self) -> u64 {
        let limit = self.encoding().address_max().min(i64::MAX as u64);
        limit.saturating_sub(self.size).saturating_sub(PAGE_SIZE)
    }

    /// Writes the header pages of the same file with `dumps_size` bytes of
    /// device dumps before the other notes to `to`, which must be as long.
    ///
    /// `None` when `to` has another length or `dumps_size` is above
    /// [`Original::room`].
    pub fn write_header(&self, dumps_size: u64, to: &mut [u8]) -> Option<()> {
        if to.len() != self.header.len() || dumps_size > self.room() {
            return None;
        }
        bytes::copy(to, self.header);
        let notes_size = self.notes_size.checked_add(dumps_size)?;
        let memory_start = page_align_up(self.notes_offset().checked_add(notes_size)?)?;
        for (at, mut segment) in self.segments() {
            if segment.segment_type == PT_NOTE {
                segment.file_size = notes_size;
                segment.memory_size = notes_size;
            } else {
                let from_start = segment.offset.checked_sub(self.memory_start)?;
                segment.offset = from_start.checked_add(memory_start)?;
            }
            segment.write(self.encoding(), to.get_mut(usize::try_from(at).ok()?..)?)?;
        }
        Some(())
    }
}

/// Writes header pages with `notes_size` bytes of notes after them and no
/// memory to `to`, which must be one page.
///
/// `encoding` and `machine` are those of the dead kernel's core file. `None`
/// when `to` is not a page or `notes_size` does not fit the class.
pub fn write_notes_header(
    encoding: Encoding,
    machine: u16,
    notes_size: u64,
    to: &mut [u8],
) -> Option<()> {
    if to.len() as u64 != PAGE_SIZE {
        return None;
    }
    to.fill(0);
    let start = encoding.file_header_size();
    let file = FileHeader {
        encoding,
        file_type: ET_CORE,
        machine,
        flags: 0,
        entry: 0,
        program_headers_offset: start as u64,
        program_headers: 1,
        section_headers_offset: 0,
    };
    file.write(to)?;
    let note = ProgramHeader {
        segment_type: PT_NOTE,
        offset: PAGE_SIZE,
        file_size: notes_size,
        memory_size: notes_size,
        align: 4,
        ..ProgramHeader::default()
    };
    note.write(encoding, to.get_mut(start..)?)
}

/// Checks one `PT_LOAD`; its place in the file is left 0.
fn check_load(at: u64, segment: &ProgramHeader) -> Result<Load, Error> {
    if segment.segment_type != PT_LOAD {
        let found = segment.segment_type.into();
        return Err(Error::new(at, "p_type", "1 (PT_LOAD) after the PT_NOTE", found));
    }
    if segment.file_size != segment.memory_size {
        return Err(Error::new(at, "p_filesz", "the same as p_memsz", segment.file_size));
    }
    if segment.memory_size == 0 {
        return Err(Error::new(at, "p_memsz", "more than 0", 0));
    }
    let physical = segment.physical_address;
    if !same_place_in_page(physical, segment.offset) {
        return Err(Error::new(at, "p_paddr", "the same place in its page as p_offset", physical));
    }
    let end = physical.checked_add(segment.memory_size).and_then(page_align_up);
    let too_large = Error::new(at, "p_memsz", "an end below 2^64", segment.memory_size);
    let first = page_align_down(physical);
    let size = end.and_then(|end| end.checked_sub(first)).ok_or(too_large)?;
    Ok(Load { start: 0, physical: first, size })
}

fn same_place_in_page(one: u64, other: u64) -> bool {
    one % PAGE_SIZE == other % PAGE_SIZE
}

fn below_file_max(end: Option<u64>) -> Option<u64> {
    end.filter(|end| i64::try_from(*end).is_ok())
}
