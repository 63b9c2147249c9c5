// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The notes of a file with device dumps, in the order in which they must be.

use std::ops::Range;

use crate::elf::{Core, Note, Segment};
use crate::error::Result;
use crate::manifest::{self, Record};

const DEVICE_DUMP: (&[u8], u32) = (b"LINUX", 0x700);
const MANIFEST: (&[u8], u32) = (b"VMCOREDD", 0x701);
/// Size of the name at the start of a device dump's desc.
const NAME_SIZE: usize = 44;

pub struct Contents {
    pub dumps: Vec<Dump>,
    /// Empty where there is no manifest.
    pub records: Vec<Record>,
    /// Where the dead kernel's own notes are.
    pub others: Range<u64>,
}

/// A device dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    pub name: String,
    pub note_start: u64,
    pub start: u64,
    pub length: u64,
}

impl Contents {
    pub fn read(core: &Core) -> Result<Self> {
        let [segment] = core.note_segments.as_slice() else {
            return Err(core.wrong(0, "there is not one PT_NOTE"));
        };
        let notes = notes(core, segment)?;
        let mut rest = notes.as_slice();
        let mut dumps = Vec::new();
        while let Some(note) = take(&mut rest, DEVICE_DUMP) {
            dumps.push(dump(core, note)?);
        }
        let records = match take(&mut rest, MANIFEST) {
            Some(note) => records(core, note)?,
            None => Vec::new(),
        };
        let end = segment.offset + segment.file_size;
        let start = rest.first().map_or(end, |note| note.start);
        for note in rest {
            if [DEVICE_DUMP, MANIFEST].iter().any(|kind| is(note, *kind)) {
                return Err(core.wrong(note.start, "a note of ours comes after others"));
            }
        }
        Ok(Self { dumps, records, others: start..end })
    }
}

/// The notes, which must fill the segment.
fn notes(core: &Core, segment: &Segment) -> Result<Vec<Note>> {
    let notes = core.notes(segment)?;
    let end = notes.last().map_or(segment.offset, |note| note.desc_end.next_multiple_of(4));
    if end != segment.offset + segment.file_size {
        return Err(core.wrong(end, "the notes do not fill their segment"));
    }
    Ok(notes)
}

fn take<'a>(notes: &mut &'a [Note], kind: (&[u8], u32)) -> Option<&'a Note> {
    let (first, rest) = notes.split_first()?;
    if !is(first, kind) {
        return None;
    }
    *notes = rest;
    Some(first)
}

fn is(note: &Note, (owner, note_type): (&[u8], u32)) -> bool {
    note.owner == owner && note.note_type == note_type
}

fn dump(core: &Core, note: &Note) -> Result<Dump> {
    let start = note.desc_start + NAME_SIZE as u64;
    if start > note.desc_end {
        return Err(core.wrong(note.start, "a device dump is shorter than its name"));
    }
    let mut name = [0; NAME_SIZE];
    core.read_exact(note.desc_start, &mut name)?;
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(NAME_SIZE);
    let is_name = (1..NAME_SIZE).contains(&length)
        && name[..length].iter().all(|byte| (b' '..=b'~').contains(byte))
        && name[length..].iter().all(|byte| *byte == 0);
    if !is_name {
        return Err(core.wrong(note.desc_start, "a device dump has no good name"));
    }
    Ok(Dump {
        name: String::from_utf8_lossy(&name[..length]).into_owned(),
        note_start: note.start,
        start,
        length: note.desc_end - start,
    })
}

fn records(core: &Core, note: &Note) -> Result<Vec<Record>> {
    let mut text = vec![0; (note.desc_end - note.desc_start) as usize];
    core.read_exact(note.desc_start, &mut text)?;
    let text = String::from_utf8_lossy(&text);
    manifest::records(&text).map_err(|fault| core.wrong(note.start, fault))
}
