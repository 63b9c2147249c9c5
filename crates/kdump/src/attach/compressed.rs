// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Adding to kdump-compressed dumps.
//!
//! Behind the end of the file come a copy of its notes, the new ones, and a manifest of
//! these. Then the sub header is made to point there, first to the start, then to the new
//! size. As the copy comes first, the file is whole at each moment: with the old size the
//! new place has the old notes. Fill behind these is taken off that size before.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use vmcore::elf::Endian;
use vmcore::note;

use super::{Adding, AttachError, Attached, NewDump, has_new};
use crate::compressed::Compressed;
use crate::{Dump, sparse};

/// The new notes start on a page, in bytes.
const ALIGN: u64 = 4096;

/// Adds `new` to `file`, which is `dump` or a copy of it.
pub(super) fn attach(
    dump: &Dump,
    compressed: &Compressed,
    file: &File,
    new: Vec<NewDump<'_>>,
    progress: impl FnMut(u64),
) -> Result<Vec<Attached>, AttachError> {
    let Some(fields) = compressed.header.note_fields else {
        let expected = "4 to 6, which can have notes";
        let found = compressed.header.version.into();
        return Err(dump.source.wrong(8, "header_version", expected, found).into());
    };
    // How numbers are aligned is told by what is in the file, which is to grow.
    let header = &compressed.header;
    if !header.makes_sense {
        let expected = "VMCOREINFO and notes in the file";
        return Err(dump.source.wrong(header.block_size, "kdump_sub_header", expected, 0).into());
    }
    let length = file.metadata().map_err(AttachError::Write)?.len();
    let added = add(dump, compressed, fields, file, length, new, progress);
    if !matches!(&added, Ok(attached) if has_new(attached)) {
        // Nothing points to what was written.
        file.set_len(length).map_err(AttachError::Write)?;
    }
    added
}

/// Adds dumps behind the first `length` bytes of `file`; `fields` are where the offset
/// and the size of the notes stand, and the width of the latter.
fn add(
    dump: &Dump,
    compressed: &Compressed,
    fields: (u64, u64, usize),
    file: &File,
    length: u64,
    new: Vec<NewDump<'_>>,
    progress: impl FnMut(u64),
) -> Result<Vec<Attached>, AttachError> {
    let (offset_at, size_at, width) = fields;
    let endian = compressed.header.endian;
    let old = dump.notes.segments.first().copied();
    let old_size = old.map_or(Ok(0), |segment| dump.notes_size(segment))?;
    let start = length.max(dump.source.stated_length()).next_multiple_of(ALIGN);
    if let Some(old) = old {
        sparse::copy(&dump.source, old.offset, old_size, file, start, |_| {})?;
    }
    let mut adding = Adding::new(dump, file, start + note::align(old_size), progress)?;
    let attached = adding.add(endian, new)?;
    if !has_new(&attached) {
        return Ok(attached);
    }
    let size = adding.writer.at - start;
    if !fits(width, size) {
        let expected = "a size below 4 GiB";
        return Err(dump.source.wrong(size_at, "size_note", expected, size).into());
    }
    let put_size = |size| {
        put(file, endian, size_at, width, size)?;
        file.sync_data()
    };
    let point = || {
        file.sync_all()?;
        if old.is_some_and(|old| old_size < old.size) {
            put_size(old_size)?;
        }
        put(file, endian, offset_at, 8, start)?;
        file.sync_data()?;
        put_size(size)
    };
    point().map_err(AttachError::Write)?;
    Ok(attached)
}

/// Writes `value` in so many bytes, 4 or 8.
fn put(file: &File, endian: Endian, at: u64, width: usize, value: u64) -> io::Result<()> {
    let bytes = match endian {
        Endian::Little => value.to_le_bytes(),
        Endian::Big => value.to_be_bytes(),
    };
    let from = if endian == Endian::Big { 8 - width } else { 0 };
    file.write_all_at(bytes.get(from..from + width).unwrap_or_default(), at)
}

/// Whether `value` can be written in so many bytes, 4 or 8.
fn fits(width: usize, value: u64) -> bool {
    width == 8 || u32::try_from(value).is_ok()
}
