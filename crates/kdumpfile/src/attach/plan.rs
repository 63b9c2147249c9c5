// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is to be written: the notes of device dumps, and a manifest of them.

use std::fmt;
use std::io::{self, Read};

use vmcore::bytes::Endian;
use vmcore::device_dump::{HEADER_SIZE, LENGTH_MAX, Name};
use vmcore::manifest::{self as model, Status, Whereabouts, head, key};
use vmcore::note;

use super::additions::{AttachError, Attached, Collected, NewDump, NewPayload};
use super::index::{Names, There};
use crate::device_dump::DeviceDump;
use crate::dump::Dump;
use crate::error::{Error, Fault};
use crate::manifest::{self, Manifest, Record, TEXT_MAX};
use crate::note_area::NoteSegment;
use crate::sparse;
use crate::writable::Writable;

/// How many bytes of a payload are read at a time.
const BUFFER: usize = 1 << 18;

impl Dump {
    pub(super) fn not_in_place(&self) -> AttachError {
        let expected = "kdump-compressed, to which notes can be added in place";
        self.source.missing(0, "file format", expected).into()
    }

    /// How many bytes of the `segment` its notes have: without fill.
    pub(super) fn notes_size(&self, segment: NoteSegment, force: bool) -> Result<u64, AttachError> {
        let mut end = segment.offset;
        for note in self.notes().filter_map(|note| self.needed(note, force)) {
            let note = note?;
            if (segment.offset..segment.offset + segment.size).contains(&note.offset) {
                end = note.offset + note.header.size();
            }
        }
        // The padding of the last one may not have been counted.
        Ok((end - segment.offset).min(segment.size))
    }

    /// What a walk of the notes gave, or why nothing can be added. Where notes are
    /// damaged, or cannot be read this time, those after would be lost; to what is not
    /// whole otherwise, something is added by `force`.
    pub(super) fn needed<T>(
        &self,
        of_walk: Result<T, Error>,
        force: bool,
    ) -> Option<Result<T, AttachError>> {
        match of_walk {
            Ok(item) => Some(Ok(item)),
            Err(error) if self.is_of_notes(&error) => Some(Err(AttachError::Read(error))),
            Err(_) if force => None,
            Err(error) => Some(Err(AttachError::Incomplete(error))),
        }
    }

    /// Whether `error` is one of the notes, or of what says where these are.
    fn is_of_notes(&self, error: &Error) -> bool {
        let Fault::Content(content) = &error.fault else {
            return true;
        };
        let is_in = |segment: &NoteSegment| {
            content.offset == segment.header_offset
                || (segment.offset..segment.offset + segment.size).contains(&content.offset)
        };
        let of_headers = ["NOTE", "note", "program headers", "first section header"];
        self.notes.segments.iter().any(is_in)
            || of_headers.iter().any(|part| content.field.contains(part))
    }
}

/// What is to be added to a dump, beside what that has.
pub(super) struct Plan<'a> {
    names: Names<'a>,
    /// Those that are new, and those that were there.
    dumps: Vec<Planned<'a>>,
    /// How many bytes of manifest there are.
    manifest_size: u64,
}

/// What is to become of a [`NewDump`].
enum Planned<'a> {
    Add(NewDump<'a>),
    WasThere(Attached),
}

/// What stands in the file, from which a plan is made.
pub(super) struct Old<'a> {
    there: Vec<DeviceDump<'a>>,
    manifest: Manifest,
    manifest_size: u64,
}

impl<'a> Old<'a> {
    /// What `dump` has, if anything may be added to it.
    pub(super) fn of(dump: &'a Dump, force: bool) -> Result<Self, AttachError> {
        match dump.split_pages() {
            Some((first_page, _)) if first_page > 0 && !force => {
                let path = dump.path().to_owned();
                return Err(AttachError::NotFirstPart { path, first_page });
            }
            _ => {}
        }
        let there = dump.device_dumps().filter_map(|each| dump.needed(each, force));
        let there = there.collect::<Result<_, _>>()?;
        let mut manifest_size = 0;
        let notes = dump.notes().filter_map(|note| dump.needed(note, force));
        let notes = notes.inspect(|note| {
            if let Ok(note) = note
                && manifest::is_manifest(note)
            {
                manifest_size += u64::from(note.header.desc_size);
            }
        });
        let manifest = Manifest::find(&dump.source, notes)?.unwrap_or_default();
        Ok(Self { there, manifest, manifest_size })
    }
}

impl<'a> Plan<'a> {
    /// Finds out which of `dumps` are new.
    pub(super) fn new(old: &'a Old<'a>, dumps: Vec<NewDump<'a>>) -> Result<Self, AttachError> {
        let matched = old.manifest.matched(&old.there);
        let mut there = There::new(&old.there, &matched.of_dumps);
        let dumps = dumps.into_iter().map(|new| {
            if new.payload.length() > LENGTH_MAX {
                return Err(too_long(&new.name));
            }
            if let NewPayload::Dump(dump, _) = &new.payload
                && let Some(there) = there.find(new.name, dump)?
            {
                let name = Name::new(there.name()).unwrap_or(new.name);
                let length = dump.available();
                return Ok(Planned::WasThere(Attached { name, length, was_there: true }));
            }
            Ok(Planned::Add(new))
        });
        let dumps = dumps.collect::<Result<_, AttachError>>()?;
        let names = Names::new(&old.there, matched.others().collect());
        Ok(Self { names, dumps, manifest_size: old.manifest_size })
    }

    pub(super) fn has_new(&self) -> bool {
        self.dumps.iter().any(|planned| matches!(planned, Planned::Add(_)))
    }

    /// Those that were there.
    pub(super) fn were_there(self) -> Vec<Attached> {
        let was_there = |planned| match planned {
            Planned::WasThere(attached) => Some(attached),
            Planned::Add(_) => None,
        };
        self.dumps.into_iter().filter_map(was_there).collect()
    }

    /// How many bytes the new notes have at least, as far as that is known.
    pub(super) fn least_size(&self) -> u64 {
        let size = |planned: &Planned<'_>| match planned {
            Planned::Add(new) => HEADER_SIZE as u64 + new.payload.length(),
            Planned::WasThere(_) => 0,
        };
        self.dumps.iter().map(size).fold(0, u64::saturating_add)
    }

    /// Writes the notes of all that is new, and a manifest of them.
    pub(super) fn write<P: FnMut(u64)>(
        mut self,
        dump: &Dump,
        endian: Endian,
        writer: &mut Writer<'_, P>,
    ) -> Result<Vec<Attached>, AttachError> {
        let mut attached = Vec::new();
        let mut has_records = false;
        let mut text = String::from_utf8_lossy(head(0).as_bytes()).into_owned();
        for planned in self.dumps {
            let new = match planned {
                Planned::Add(new) => new,
                Planned::WasThere(was_there) => {
                    attached.push(was_there);
                    continue;
                }
            };
            if let NewPayload::Nothing(collected) = &new.payload {
                text += &format!("{}={}\n", key::NAME, new.name);
                collected.lines(Status::Failed, &mut |key, value| {
                    text += &format!("{key}={value}\n");
                });
                has_records = true;
                continue;
            }
            // The name may depend on the payload, which is read once: so it comes last.
            let header_at = writer.at;
            let (length, crc) = writer.payload_of(&new)?;
            let from_record = match &new.payload {
                NewPayload::Dump(dump, record) if dump.is_whole() => *record,
                _ => None,
            };
            let (name, is_recorded) = self.names.take(new.name, length, crc, from_record);
            writer.header(endian, header_at, &name, length)?;
            if !is_recorded {
                text += &record(&name, &new, length, crc);
            }
            attached.push(Attached { name, length, was_there: false });
        }
        if !has_records && attached.iter().all(|attached| attached.was_there) {
            return Ok(attached);
        }
        let size = self.manifest_size.saturating_add(text.len() as u64);
        if size > TEXT_MAX {
            let expected = "at most 16 MiB, with the records of what is added";
            return Err(dump.source.wrong(0, "size of the manifest", expected, size).into());
        }
        writer.manifest(endian, &text)?;
        Ok(attached)
    }
}

/// The record of a dump that is added under this `name`.
fn record(name: &Name, new: &NewDump<'_>, length: u64, crc: u32) -> String {
    let (dump, old, collected) = match &new.payload {
        NewPayload::Dump(dump, record) => (Some(dump), record.as_ref(), None),
        NewPayload::Collected(_, collected) | NewPayload::Nothing(collected) => {
            (None, None, Some(collected))
        }
        NewPayload::File(_) => (None, None, None),
    };
    let is_renamed = *name != new.name;
    let cut = dump.filter(|dump| !dump.is_whole());
    let mut text = String::new();
    let mut line = |key: &str, value: &dyn fmt::Display| text += &format!("{key}={value}\n");
    line(key::NAME, name);
    let mut renamed = old.map(Record::renamed).unwrap_or_default();
    renamed.taken |= is_renamed;
    if let Some(words) = renamed.words() {
        line(key::RENAMED, &words);
    }
    if is_renamed {
        // So that it is found when it is to be attached again.
        line(key::WANTED, &new.name);
    }
    match (cut, dump) {
        _ if let Some(collected) = collected => {
            let status =
                if collected.reason.is_some() { Status::Partial } else { Status::Complete };
            collected.lines(status, &mut line);
        }
        (Some(_), _) => {
            line(key::STATUS, &Status::Partial.word());
            line(key::REASON, &model::Reason::Cut.words());
        }
        // What became of a collection without a record is not known.
        (None, Some(_)) => {}
        (None, None) => line(key::STATUS, &Status::Complete.word()),
    }
    let mut written = vec![key::NAME, key::RENAMED, key::WANTED, key::IN];
    if cut.is_some() {
        written.extend([key::STATUS, key::REASON, key::ERRNO, key::EXIT]);
        written.extend([key::LENGTH, key::DECLARED, key::CRC32C]);
    }
    for (key, value) in old.into_iter().flat_map(Record::lines) {
        if !written.iter().any(|written| written.as_bytes() == key) {
            line(&String::from_utf8_lossy(key), &String::from_utf8_lossy(value));
        }
    }
    line(key::IN, &Whereabouts::Inline.word().unwrap_or_default());
    if cut.is_some() || old.is_none() {
        line(key::LENGTH, &length);
        if let Some(cut) = cut {
            line(key::DECLARED, &cut.length());
        }
        line(key::CRC32C, &format_args!("{crc:08x}"));
    }
    text
}

impl Collected {
    /// The lines of its record that say how it ended.
    fn lines(&self, status: Status, line: &mut dyn FnMut(&str, &dyn fmt::Display)) {
        line(key::STATUS, &status.word());
        if let Some(reason) = self.reason {
            line(key::REASON, &reason.words());
            match reason {
                model::Reason::Errno(errno) => line(key::ERRNO, &errno),
                model::Reason::Exit(status) => line(key::EXIT, &status),
                _ => {}
            }
        }
        line(key::MILLISECONDS, &self.milliseconds);
    }
}

/// Appends notes to a file.
pub(super) struct Writer<'a, P> {
    file: &'a dyn Writable,
    /// Where the next byte goes, in bytes.
    pub(super) at: u64,
    /// How many bytes were written.
    pub(super) done: u64,
    progress: P,
}

impl<'a, P: FnMut(u64)> Writer<'a, P> {
    /// Writes from `at` on.
    pub(super) fn new(file: &'a dyn Writable, at: u64, progress: P) -> Self {
        Self { file, at, done: 0, progress }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), AttachError> {
        self.file.write_all_at(bytes, self.at).map_err(AttachError::Write)?;
        self.advance(bytes.len() as u64);
        Ok(())
    }

    fn advance(&mut self, length: u64) {
        self.at += length;
        self.done += length;
        (self.progress)(self.done);
    }

    /// Appends a dump, but for its header; gives its length and CRC-32C.
    fn payload_of(&mut self, new: &NewDump<'_>) -> Result<(u64, u32), AttachError> {
        self.at += HEADER_SIZE as u64;
        let written = match &new.payload {
            NewPayload::Dump(dump, _) => self.payload(&new.name, dump.reader())?,
            NewPayload::File(file) | NewPayload::Collected(file, _) => {
                self.payload(&new.name, file)?
            }
            NewPayload::Nothing(_) => (0, 0),
        };
        self.pad()?;
        Ok(written)
    }

    /// Writes the header of a dump.
    fn header(&self, endian: Endian, at: u64, name: &Name, length: u64) -> Result<(), AttachError> {
        let header = vmcore::device_dump::header(endian, name, length);
        let header = header.ok_or_else(|| too_long(name))?;
        self.file.write_all_at(&header, at).map_err(AttachError::Write)
    }

    fn payload(&mut self, name: &Name, mut from: impl Read) -> Result<(u64, u32), AttachError> {
        let mut buffer = vec![0; BUFFER];
        let (mut length, mut crc) = (0, 0);
        loop {
            let part = match from.read(&mut buffer) {
                Ok(0) => return Ok((length, crc)),
                Ok(count) => buffer.get(..count).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(AttachError::Payload { name: *name, error }),
            };
            length += part.len() as u64;
            if length > LENGTH_MAX {
                return Err(too_long(name));
            }
            crc = crc32c::crc32c_append(crc, part);
            // After the end of the file there are zeros already.
            sparse::write(self.file, self.at, part).map_err(AttachError::Write)?;
            self.advance(part.len() as u64);
        }
    }

    fn manifest(&mut self, endian: Endian, text: &str) -> Result<(), AttachError> {
        let too_long = || AttachError::Write(io::Error::from(io::ErrorKind::FileTooLarge));
        let header = vmcore::manifest::header(endian, text.len() as u64).ok_or_else(too_long)?;
        self.put(&header)?;
        self.put(text.as_bytes())?;
        self.pad()
    }

    fn pad(&mut self) -> Result<(), AttachError> {
        let padding = note::align(self.at) - self.at;
        self.put([0; 3].get(..padding as usize).unwrap_or_default())
    }
}

fn too_long(name: &Name) -> AttachError {
    let expected = format!("expected {LENGTH_MAX} bytes at most, as a note can say");
    AttachError::Payload { name: *name, error: io::Error::other(expected) }
}
