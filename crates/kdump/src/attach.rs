// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Adding device dumps to a dump that is a file already.
//!
//! Where readers look for notes is not the same in all formats. The header of a
//! kdump-compressed dump says where they are, and they can be anywhere: so the notes are
//! written anew behind its end. Of an ELF vmcore `crash` holds what stands before the
//! memory, and finds notes there alone: so its memory has to move, into a copy.

mod compressed;
mod elf;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use vmcore::device_dump::{HEADER_SIZE, LENGTH_MAX, Name};
use vmcore::elf::Endian;
use vmcore::manifest;
use vmcore::note;

use crate::format::Layout;
use crate::notes::NoteSegment;
use crate::{CopyError, DeviceDump, Dump, Error, Reason, Record, sparse};

/// How many bytes are copied at a time.
const BUFFER: usize = 1 << 18;

/// A device dump to be added to a file.
#[derive(Debug)]
pub struct NewDump<'a> {
    /// Its name; where that is taken, it gets a number.
    pub name: Name,
    /// What is in it.
    pub payload: NewPayload<'a>,
}

/// Where the payload of a new device dump comes from.
#[derive(Debug)]
pub enum NewPayload<'a> {
    /// Another dump, and what its manifest tells. What is there already, by the same
    /// name and with the same content, is not added twice.
    Dump(DeviceDump<'a>, Option<Record<'a>>),
    /// A file, from its start on.
    File(File),
}

/// What became of one [`NewDump`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The name in the file.
    pub name: Name,
    /// Length of its payload, in bytes.
    pub length: u64,
    /// It was there before, and not added again.
    pub was_there: bool,
}

/// Why dumps cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// What is copied cannot be read.
    #[error(transparent)]
    Read(#[from] Error),
    /// The payload of this dump cannot be read.
    #[error("{name}: cannot read: {}", Reason(error))]
    Payload {
        /// The dump.
        name: Name,
        /// What the system says.
        error: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write: {}", Reason(.0))]
    Write(io::Error),
}

impl From<CopyError> for AttachError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Read(error) => Self::Read(error),
            CopyError::Write(error) => Self::Write(error),
        }
    }
}

impl Dump {
    /// Whether [`attach_in_place`](Self::attach_in_place) can do it: it is a
    /// kdump-compressed dump, and no stream of one.
    #[must_use]
    pub fn attaches_in_place(&self) -> bool {
        matches!(self.layout, Layout::Compressed(_)) && self.source.is_plain_file()
    }

    /// Adds device dumps to `file`, which is what `self` was opened from, open for reading
    /// and writing.
    ///
    /// The file is a whole dump at each moment: without the new dumps until the last
    /// write, of a few bytes, has been done. Data are on disk before what points to them
    /// is written. Memory is not read, and the old notes stay where they were, as bytes
    /// that nothing points to. `progress` is told how many bytes were written.
    ///
    /// # Errors
    /// [`AttachError`]; when this cannot be done in place, the dump is damaged, has no
    /// place to point to notes, or the numbers of its headers are too narrow, nothing was
    /// written.
    pub fn attach_in_place(
        &self,
        file: &File,
        new: Vec<NewDump<'_>>,
        progress: impl FnMut(u64),
    ) -> Result<Vec<Attached>, AttachError> {
        match &self.layout {
            Layout::Compressed(compressed) if self.attaches_in_place() => {
                compressed::attach(self, compressed, file, new, progress)
            }
            _ => {
                let expected = "kdump-compressed, to which notes can be added in place";
                Err(self.source.wrong(0, "file format", expected, 0).into())
            }
        }
    }

    /// Copies the dump to `to`, an empty file open for reading and writing, and adds
    /// device dumps to that; a flattened stream is put in order. There are holes where
    /// there are zeros.
    ///
    /// All of it is on disk when this is done. `progress` is told how many bytes are.
    ///
    /// # Errors
    /// [`AttachError`]; when the dump is damaged, has no place for notes, or the numbers
    /// of its headers are too narrow.
    pub fn attach_to_copy(
        &self,
        to: &File,
        new: Vec<NewDump<'_>>,
        mut progress: impl FnMut(u64),
    ) -> Result<Vec<Attached>, AttachError> {
        match &self.layout {
            Layout::Elf(elf) => elf::attach(self, elf, to, new, progress),
            Layout::Compressed(compressed) => {
                self.copy_to_file(to, &mut progress)?;
                let progress = |done| progress(self.size() + done);
                compressed::attach(self, compressed, to, new, progress)
            }
        }
    }

    /// How many bytes of the `segment` its notes have: without fill.
    fn notes_size(&self, segment: NoteSegment) -> Result<u64, Error> {
        let mut end = segment.offset;
        for note in self.notes() {
            let note = note?;
            if (segment.offset..segment.offset + segment.size).contains(&note.offset) {
                end = note.offset + note.header.size();
            }
        }
        // The padding of the last one may not have been counted.
        Ok((end - segment.offset).min(segment.size))
    }
}

/// What is new, written behind what there is.
struct Adding<'a, P> {
    dump: &'a Dump,
    there: Vec<DeviceDump<'a>>,
    writer: Writer<'a, P>,
}

impl<'a, P: FnMut(u64)> Adding<'a, P> {
    /// Adds to `file` from `at` on; `dump` tells what there is.
    fn new(dump: &'a Dump, file: &'a File, at: u64, progress: P) -> Result<Self, Error> {
        let there = dump.device_dumps().collect::<Result<_, _>>()?;
        Ok(Self { dump, there, writer: Writer { file, at, done: 0, progress } })
    }

    /// Writes the notes of all that is new, and a manifest of them.
    fn add(&mut self, endian: Endian, new: Vec<NewDump<'_>>) -> Result<Vec<Attached>, AttachError> {
        let manifest = self.dump.manifest()?.unwrap_or_default();
        let records: Vec<_> = manifest.matched(&self.there).others().collect();
        let mut taken = Taken::new(&self.there);
        let mut attached = Vec::new();
        let mut text = String::from("VERSION=1\n");
        for NewDump { name, payload } in new {
            if let NewPayload::Dump(dump, _) = &payload
                && let Some(length) = was_there(&self.there, name, dump)?
            {
                attached.push(Attached { name, length, was_there: true });
                continue;
            }
            let wanted = name;
            let name = taken.free(name);
            let (length, crc) = self.writer.dump(endian, &name, &payload)?;
            let has_record = records.iter().any(|record| {
                record.name() == name.as_bytes()
                    && (record.length(), record.crc32c()) == (Some(length), Some(crc))
            });
            if !has_record {
                text += &record(&name, name != wanted, length, crc, &payload);
            }
            attached.push(Attached { name, length, was_there: false });
        }
        if has_new(&attached) {
            self.writer.manifest(endian, &text)?;
        }
        Ok(attached)
    }
}

fn has_new(attached: &[Attached]) -> bool {
    attached.iter().any(|attached| !attached.was_there)
}

/// The length of the dump among `there` that has the name and the content of `dump`.
fn was_there(
    there: &[DeviceDump<'_>],
    name: Name,
    dump: &DeviceDump<'_>,
) -> Result<Option<u64>, Error> {
    for other in there {
        if other.name() == name.as_bytes()
            && other.length() == dump.length()
            && other.crc32c()? == dump.crc32c()?
        {
            return Ok(Some(other.length()));
        }
    }
    Ok(None)
}

/// The record of an added dump; `renamed` when its name had been taken.
fn record(name: &Name, renamed: bool, length: u64, crc: u32, payload: &NewPayload<'_>) -> String {
    let mut text = format!("NAME={name}\n");
    if renamed {
        text += "RENAMED=taken\n";
    }
    if let NewPayload::Dump(_, Some(record)) = payload {
        for (key, value) in record.lines() {
            if ![&b"NAME"[..], b"RENAMED", b"IN"].contains(&key) {
                let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
                text += &format!("{key}={value}\n");
            }
        }
        return text + "IN=vmcore\n";
    }
    if matches!(payload, NewPayload::File(_)) {
        text += "STATUS=complete\n";
    }
    text + &format!("IN=vmcore\nLENGTH={length}\nCRC32C={crc:08x}\n")
}

/// The names that dumps have already.
struct Taken {
    /// Each name, and the last number that was given to it.
    names: HashMap<Vec<u8>, u32>,
}

impl Taken {
    fn new(there: &[DeviceDump<'_>]) -> Self {
        Self { names: there.iter().map(|dump| (dump.name().to_vec(), 1)).collect() }
    }

    /// `name`, or with a number, which is then taken.
    fn free(&mut self, name: Name) -> Name {
        let mut free = name;
        let mut number = self.names.get(name.as_bytes()).copied().unwrap_or_default();
        while self.names.contains_key(free.as_bytes()) {
            number += 1;
            free = name.numbered(number);
        }
        self.names.insert(name.as_bytes().to_vec(), number.max(1));
        self.names.insert(free.as_bytes().to_vec(), 1);
        free
    }
}

/// Appends notes to a file.
struct Writer<'a, P> {
    file: &'a File,
    at: u64,
    done: u64,
    progress: P,
}

impl<P: FnMut(u64)> Writer<'_, P> {
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

    /// Appends a dump; gives its length and CRC-32C.
    fn dump(
        &mut self,
        endian: Endian,
        name: &Name,
        payload: &NewPayload<'_>,
    ) -> Result<(u64, u32), AttachError> {
        let header_at = self.at;
        self.at += HEADER_SIZE as u64;
        let (length, crc) = match payload {
            NewPayload::Dump(dump, _) => self.payload(name, dump.reader())?,
            NewPayload::File(file) => {
                let stated = file.metadata().map_or(0, |metadata| metadata.len());
                if stated > LENGTH_MAX {
                    return Err(too_long(name));
                }
                self.payload(name, file)?
            }
        };
        let header = vmcore::device_dump::header(endian, name, length);
        let header = header.ok_or_else(|| too_long(name))?;
        self.file.write_all_at(&header, header_at).map_err(AttachError::Write)?;
        self.pad()?;
        Ok((length, crc))
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
            // Behind the end of the file there are zeros already.
            sparse::write(self.file, self.at, part).map_err(AttachError::Write)?;
            self.advance(part.len() as u64);
        }
    }

    fn manifest(&mut self, endian: Endian, text: &str) -> Result<(), AttachError> {
        let too_long = || AttachError::Write(io::Error::from(io::ErrorKind::FileTooLarge));
        let header = manifest::header(endian, text.len() as u64).ok_or_else(too_long)?;
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
