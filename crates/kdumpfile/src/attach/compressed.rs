// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Adding to kdump-compressed dumps.
//!
//! Where the notes end the file, the new ones, and a manifest of these, are written
//! after them, and then the size in the sub header. That is the one write that counts:
//! before it, nothing points to what is new.
//!
//! Elsewhere the notes cannot grow. Then a copy of them comes first after the end of the
//! file, and the sub header is made to point there: first to the start, then to the new
//! size. As the copy comes first, the file is whole at each moment: with the old size the
//! new place has the old notes. Fill after these is taken off that size before. Offset
//! and size are neighbours, and one write of both would be one step less; but a write
//! that is torn could leave the old offset with the new size, which is no dump.
//!
//! When something fails before the first of these writes, the file gets its old length
//! back. After that it keeps what was written: the header may point to it already, even
//! where the write of the header was said to have failed.

use std::io;

use vmcore::bytes::Endian;
use vmcore::note;

use super::additions::{Additions, AttachError, Attached};
use super::plan::{Old, Plan, Writer};
use crate::compressed::{Compressed, Header};
use crate::copy;
use crate::dump::Dump;
use crate::note_area::NoteSegment;
use crate::writable::Writable;

/// Where notes are moved to, they start on a page, in bytes.
const ALIGN: u64 = 4096;

/// Adds to `file`, which is `dump` or a copy of it.
pub(super) fn attach(
    dump: &Dump,
    compressed: &Compressed,
    file: &dyn Writable,
    additions: Additions<'_>,
    progress: impl FnMut(u64),
) -> Result<Vec<Attached>, AttachError> {
    let Some((offset_at, size_at, width)) = compressed.header.note_fields else {
        let expected = "4 to 6, which can have notes";
        let found = compressed.header.version.into();
        return Err(dump.source.wrong(8, "header_version", expected, found).into());
    };
    let header = &compressed.header;
    let old = Old::of(dump, additions.force)?;
    // How numbers are aligned is told by what is in the file, which is to grow.
    if header.places_end.is_none_or(|end| end > dump.source.stated_length()) {
        let expected = "VMCOREINFO and notes in the file";
        return Err(dump.source.missing(header.block_size, "kdump_sub_header", expected).into());
    }
    let mut behind = dump.source.stated_length();
    if additions.force {
        // What a cut dump does not have must not be found in its new notes.
        behind = behind.max(header.page_descs());
    }
    let plan = Plan::new(&old, additions.dumps)?;
    if !plan.has_new() {
        return Ok(plan.were_there());
    }
    let length = file.length().map_err(AttachError::Write)?;
    let segment = dump.notes.segments.first().copied();
    let fields = Fields { file, endian: header.endian, offset_at, size_at, width };
    let added = Place::find(dump, segment, length, behind, additions.force)
        .and_then(|place| Ok((place.write(dump, plan, header, &fields, progress)?, place)));
    match added {
        Ok(((attached, size), place)) => {
            place.point(&fields, size).map_err(AttachError::Write)?;
            Ok(attached)
        }
        Err(error) => {
            // Nothing points after the old end. Where this fails, too, there are bytes
            // that nobody reads; what failed first is what there is to say.
            let _ = file.set_length(length);
            Err(error)
        }
    }
}

/// Where the notes are to stand.
struct Place {
    /// Where they stood.
    old: Option<NoteSegment>,
    /// How many bytes these have, without fill.
    old_size: u64,
    /// Where they will start, in bytes.
    start: u64,
}

impl Place {
    /// In a file of `length` bytes, of which the dump uses what stands before `after`.
    fn find(
        dump: &Dump,
        old: Option<NoteSegment>,
        length: u64,
        behind: u64,
        force: bool,
    ) -> Result<Self, AttachError> {
        let old_size = old.map_or(Ok(0), |segment| dump.notes_size(segment, force))?;
        let moved = length.max(behind).next_multiple_of(ALIGN);
        let start = match old {
            Some(old) if ends_file(old, old_size, length) && behind <= length => old.offset,
            _ => moved,
        };
        Ok(Self { old, old_size, start })
    }

    fn moves(&self) -> bool {
        self.old.is_none_or(|old| old.offset != self.start)
    }

    /// Writes all that nothing points to yet; gives the new size of the notes, too.
    fn write(
        &self,
        dump: &Dump,
        plan: Plan<'_>,
        header: &Header,
        fields: &Fields<'_>,
        progress: impl FnMut(u64),
    ) -> Result<(Vec<Attached>, u64), AttachError> {
        if let Some(old) = self.old.filter(|_| self.moves()) {
            let (size, to) = (self.old_size, self.start);
            copy::copy(&dump.source, old.offset, size, fields.file, to, |_| {})?;
        }
        let at = self.start + note::align(self.old_size);
        let mut writer = Writer::new(fields.file, at, progress);
        let attached = plan.write(dump, fields.endian, &mut writer)?;
        let size = writer.at - self.start;
        if fields.width < 8 && u32::try_from(size).is_err() {
            let expected = "a size below 4 GiB";
            return Err(dump.source.wrong(fields.size_at, "size_note", expected, size).into());
        }
        // How numbers are aligned is told by where the notes are, at each moment.
        let at = [(self.start, self.old_size), (self.start, size)];
        let old = self.old.map(|old| (old.offset, self.old_size));
        if !at.into_iter().chain(old).all(|(offset, size)| header.keeps_layout(offset, size)) {
            let expected = "places that tell how numbers are aligned, with the new notes, too";
            return Err(dump
                .source
                .missing(header.block_size, "kdump_sub_header", expected)
                .into());
        }
        fields.file.sync().map_err(AttachError::Write)?;
        Ok((attached, size))
    }

    /// Has the sub header point to what was written.
    fn point(&self, fields: &Fields<'_>, size: u64) -> io::Result<()> {
        if self.moves() {
            if self.old.is_some_and(|old| self.old_size < old.size) {
                fields.put_size(self.old_size)?;
            }
            fields.put_offset(self.start)?;
        }
        fields.put_size(size)
    }
}

/// Whether notes can be written after those of `segment`, of which the first `size`
/// bytes are notes: nothing stands there, not even fill that is counted as theirs.
fn ends_file(segment: NoteSegment, size: u64, length: u64) -> bool {
    let end = segment.offset + segment.size;
    end == length && segment.offset.is_multiple_of(4) && note::align(size) >= segment.size
}

/// The fields of the sub header that say where the notes are.
struct Fields<'a> {
    file: &'a dyn Writable,
    endian: Endian,
    offset_at: u64,
    size_at: u64,
    /// How many bytes the size has, 4 or 8.
    width: usize,
}

impl Fields<'_> {
    fn put_offset(&self, offset: u64) -> io::Result<()> {
        self.put(self.offset_at, 8, offset)
    }

    fn put_size(&self, size: u64) -> io::Result<()> {
        self.put(self.size_at, self.width, size)
    }

    /// Writes `value` in so many bytes, and has it on disk.
    fn put(&self, at: u64, width: usize, value: u64) -> io::Result<()> {
        let bytes = match self.endian {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        };
        let from = if self.endian == Endian::Big { 8 - width } else { 0 };
        self.file.write_all_at(bytes.get(from..from + width).unwrap_or_default(), at)?;
        self.file.sync()
    }
}
