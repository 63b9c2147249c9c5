// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Adding to copies of ELF vmcores.
//!
//! The new notes come after the old ones, in the same segment; all that stands after
//! that moves by whole pages, and the headers follow.

use std::fs::File;
use std::os::unix::fs::FileExt;

use vmcore::elf::PT_LOAD;
use vmcore::note;

use super::additions::{Additions, AttachError, Attached, NOTES_MAX};
use super::plan::{Old, Plan, Writer};
use crate::copy;
use crate::dump::Dump;
use crate::elf::Elf;
use crate::error::Error;
use crate::note_area::NoteSegment;
use crate::source::Source;

/// What moves does so by a multiple of this, in bytes: a page, so that it can still be
/// mapped.
const ALIGN: u64 = 4096;
/// The most that `p_align` is heeded, in bytes; no machine has larger pages.
const ALIGN_MAX: u64 = 1 << 20;

/// Copies `dump` to the empty file `to`, with the additions in it.
pub(super) fn attach(
    dump: &Dump,
    elf: &Elf,
    to: &File,
    additions: Additions<'_>,
    mut progress: impl FnMut(u64),
) -> Result<Vec<Attached>, AttachError> {
    let force = additions.force;
    let old = Old::of(dump, force)?;
    let place = Place::find(dump, elf, force)?;
    let plan = Plan::new(&old, additions.dumps)?;
    // Where there are more already, it does not read them as it is.
    let check_size = |size| match size > NOTES_MAX && place.old_size <= NOTES_MAX && !force {
        true => Err(AttachError::NotesTooLarge { path: dump.path().to_owned(), size }),
        false => Ok(()),
    };
    let has_new = plan.has_new();
    let old_end = place.start + place.old_size;
    if has_new {
        check_size(place.old_size.saturating_add(plan.least_size()))?;
    }
    copy::copy(&dump.source, 0, old_end, to, 0, |_| {})?;
    let mut writer = Writer::new(to, note::align(old_end), &mut progress);
    let attached = plan.write(dump, elf.header.encoding.endian, &mut writer)?;
    let (new_end, written) = (writer.at, writer.done);
    let (rest, by) = if has_new {
        check_size(new_end - place.start)?;
        (place.behind, new_end.saturating_sub(place.behind).next_multiple_of(place.align))
    } else {
        (old_end, 0)
    };
    let left = dump.source.stated_length().saturating_sub(rest);
    copy::copy(&dump.source, rest, left, to, rest + by, |done| progress(written + done))?;
    if has_new {
        let headers = Headers { source: &dump.source, elf, to, by };
        headers.rewrite(&place, new_end - place.start)?;
    }
    to.sync_all().map_err(AttachError::Write)?;
    Ok(attached)
}

/// Where the new notes go.
struct Place {
    /// Where the program header of the segment is that they are added to, in bytes.
    header: u64,
    /// Where that starts, in bytes.
    start: u64,
    /// How many bytes of it its notes have.
    old_size: u64,
    /// What stands here or after moves, in bytes.
    behind: u64,
    /// By a multiple of this, in bytes.
    align: u64,
}

impl Place {
    fn find(dump: &Dump, elf: &Elf, force: bool) -> Result<Self, AttachError> {
        let source = &dump.source;
        let (mut memory, mut align) = (source.stated_length(), ALIGN);
        elf.each_program_header(source, |_, header| {
            if header.segment_type == PT_LOAD {
                if header.file_size > 0 {
                    memory = memory.min(header.offset);
                }
                if header.align.is_power_of_two() && header.align <= ALIGN_MAX {
                    align = align.max(header.align);
                }
            }
        })?
        .ok();
        let segments = &dump.notes.segments;
        let before_memory =
            |segment: &&NoteSegment| segment.size > 0 && segment.offset + segment.size <= memory;
        let found = segments.iter().find(before_memory).or(segments.first());
        let Some(segment) = found.copied() else {
            let at = elf.header.program_headers_offset;
            return Err(source.missing(at, "program headers", "a PT_NOTE among them").into());
        };
        let old_size = dump.notes_size(segment, force)?;
        let header = segment.header_offset;
        // An empty segment may stand anywhere.
        let place = if segment.size == 0 {
            Self { header, start: note::align(memory), old_size, behind: memory, align }
        } else {
            let behind = segment.offset + segment.size;
            Self { header, start: segment.offset, old_size, behind, align }
        };
        if !place.start.is_multiple_of(4) {
            let expected = "a multiple of 4";
            let found = place.start;
            return Err(source.wrong(header, "p_offset of PT_NOTE", expected, found).into());
        }
        place.check(source, elf)?;
        Ok(place)
    }

    /// Nothing else stands where the notes do, nor across the place where they end; and
    /// what is written to one header is not in another.
    fn check(&self, source: &Source, elf: &Elf) -> Result<(), Error> {
        let is_over = |offset: u64, size: u64| {
            size > 0 && offset < self.behind && offset.saturating_add(size) > self.start
        };
        let aside = "a place before or after the notes";
        let header = &elf.header;
        let file_header = header.encoding.file_header_size() as u64;
        let (table, sections) = (header.program_headers_offset, header.section_headers_offset);
        let sections_size = section_count(source, elf)? * section_header_size(elf);
        let is_over_table = sections < table.saturating_add(elf.table_size())
            && table < sections.saturating_add(sections_size);
        let mut over = if self.start < file_header {
            Some((self.header, "place of notes", aside, self.start))
        } else if table < file_header {
            Some((0, "e_phoff", "a place after the ELF header", table))
        } else if is_over(table, elf.table_size()) {
            Some((0, "e_phoff", aside, table))
        } else if sections_size > 0 && (sections < file_header || is_over_table) {
            Some((0, "e_shoff", "a place after the other headers", sections))
        } else {
            is_over(sections, sections_size).then_some((0, "e_shoff", aside, sections))
        };
        elf.each_program_header(source, |at, header| {
            if at != self.header && is_over(header.offset, header.file_size) {
                over = over.or(Some((at, "p_offset", aside, header.offset)));
            }
        })?
        .ok();
        match over {
            Some((at, field, expected, found)) => Err(source.wrong(at, field, expected, found)),
            None => Ok(()),
        }
    }
}

/// How many section headers there are.
fn section_count(source: &Source, elf: &Elf) -> Result<u64, Error> {
    if elf.header.section_headers_offset == 0 {
        return Ok(0);
    }
    let mut count = [0; 2];
    let at = elf.header.encoding.fields().e_shnum as u64;
    source.read_whole(at, &mut count, "e_shnum")?;
    Ok(elf.header.encoding.endian.u16(&count, 0).unwrap_or_default().into())
}

/// Size of each, in bytes.
fn section_header_size(elf: &Elf) -> u64 {
    elf.header.encoding.section_header_size() as u64
}

/// The headers of a copy in which a part has moved.
struct Headers<'a> {
    source: &'a Source,
    elf: &'a Elf,
    to: &'a File,
    /// By how many bytes.
    by: u64,
}

impl Headers<'_> {
    /// Has them say where all is now, and that the notes have `size` bytes.
    fn rewrite(&self, place: &Place, size: u64) -> Result<(), AttachError> {
        let header = &self.elf.header;
        let fields = header.encoding.fields();
        let by = |offset| if offset < place.behind { 0 } else { self.by };
        let moved = |offset: u64| offset.saturating_add(by(offset));
        let mut done = Ok(());
        let all = self.elf.each_program_header(self.source, |at, header| {
            if at != place.header && moved(header.offset) != header.offset && done.is_ok() {
                done = self.put(moved(at), fields.p_offset, "p_offset", moved(header.offset));
            }
        });
        all?.ok();
        done?;
        let notes = moved(place.header);
        self.put(notes, fields.p_offset, "p_offset", place.start)?;
        self.put(notes, fields.p_filesz, "p_filesz", size)?;
        self.put(notes, fields.p_memsz, "p_memsz", size)?;

        let sections = header.section_headers_offset;
        if sections != 0 {
            for number in 0..section_count(self.source, self.elf)? {
                let at = sections.saturating_add(number * section_header_size(self.elf));
                let mut bytes = [0; 8];
                let wanted = bytes.get_mut(..fields.address).unwrap_or_default();
                let offset_at = at.saturating_add(fields.sh_offset as u64);
                self.source.read_whole(offset_at, wanted, "sh_offset")?;
                let offset = header.encoding.address(&bytes, 0).unwrap_or_default();
                if moved(offset) != offset {
                    self.put(moved(at), fields.sh_offset, "sh_offset", moved(offset))?;
                }
            }
            self.put(0, fields.e_shoff, "e_shoff", moved(sections))?;
        }
        let table = header.program_headers_offset;
        self.put(0, fields.e_phoff, "e_phoff", moved(table))
    }

    /// Writes `value` to the field `name`, which stands at byte `within` of the header at
    /// `header`.
    fn put(
        &self,
        header: u64,
        within: usize,
        name: &'static str,
        value: u64,
    ) -> Result<(), AttachError> {
        let at = header.saturating_add(within as u64);
        let mut bytes = [0; 8];
        if self.elf.header.encoding.put_address(&mut bytes, 0, value).is_none() {
            let expected = "a place and a size below 4 GiB";
            return Err(self.source.wrong(at, name, expected, value).into());
        }
        let written = bytes.get(..self.elf.header.encoding.fields().address).unwrap_or_default();
        self.to.write_all_at(written, at).map_err(AttachError::Write)
    }
}
