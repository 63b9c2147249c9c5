// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Adding device dumps to a dump that is a file already.
//!
//! The file grows: behind its end come a copy of its notes, the new ones, and a
//! manifest of these. Then its header is made to point there, first to the start, then
//! to the new size. As the copy comes first, the file is whole at each moment: with the
//! old size the new place has the old notes. Fill behind these is taken off that size
//! before.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use vmcore::device_dump::{HEADER_SIZE, LENGTH_MAX, Name};
use vmcore::elf::{Class, Endian};
use vmcore::manifest;
use vmcore::note;

use crate::format::Layout;
use crate::{CopyError, DeviceDump, Dump, Error, Record, sparse};

/// The new notes start on a page, in bytes.
const ALIGN: u64 = 4096;
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
    #[error("{name}: cannot read: {error}")]
    Payload {
        /// The dump.
        name: Name,
        /// What the system says.
        error: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write: {0}")]
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

/// The fields of a file that say where its notes are.
struct Pointer {
    endian: Endian,
    /// Where the offset is written, and in how many bytes.
    offset: (u64, usize),
    /// Where the size is written, and in how many bytes: once or twice.
    sizes: Vec<(u64, usize)>,
}

impl Dump {
    /// Copies all of it to `to`, an empty file, with holes where there are zeros; a
    /// flattened stream is put in order. `progress` is told how many bytes are done.
    ///
    /// # Errors
    /// [`CopyError`], by which side failed.
    pub fn copy_to_file(&self, to: &File, progress: impl FnMut(u64)) -> Result<(), CopyError> {
        sparse::copy(&self.source, 0, self.source.stated_length(), to, 0, progress)
    }

    /// Adds device dumps to `file`, which is what `self` was opened from, or a copy of it
    /// made by [`copy_to_file`](Self::copy_to_file), open for reading and writing.
    ///
    /// The file is a whole dump at each moment: without the new dumps until the last
    /// write, of a few bytes, has been done. Data are on disk before what points to them
    /// is written. Memory is not read, and the old notes stay where they were, as bytes
    /// that nothing points to. `progress` is told how many bytes were written.
    ///
    /// # Errors
    /// [`AttachError`]; when the dump is damaged, has no place to point to notes, or the
    /// numbers of its headers are too narrow, nothing was written.
    pub fn attach(
        &self,
        file: &File,
        new: Vec<NewDump<'_>>,
        progress: impl FnMut(u64),
    ) -> Result<Vec<Attached>, AttachError> {
        let pointer = self.pointer()?;
        let length = file.metadata().map_err(AttachError::Write)?.len();
        let added = self.add(file, length, &pointer, new, progress);
        if !matches!(&added, Ok(attached) if attached.iter().any(|attached| !attached.was_there)) {
            // Nothing points to what was written.
            file.set_len(length).map_err(AttachError::Write)?;
        }
        added
    }

    /// Adds dumps behind the first `length` bytes of `file`.
    fn add(
        &self,
        file: &File,
        length: u64,
        pointer: &Pointer,
        new: Vec<NewDump<'_>>,
        progress: impl FnMut(u64),
    ) -> Result<Vec<Attached>, AttachError> {
        let (old_start, old_size) = self.old_notes()?;
        let manifest = self.manifest()?.unwrap_or_default();
        let there = self.device_dumps().collect::<Result<Vec<_>, _>>()?;
        let records = manifest.matched(&there).others;
        let start = length.max(self.source.stated_length()).next_multiple_of(ALIGN);
        let mut writer = Writer { file, at: start, done: 0, progress };
        sparse::copy(&self.source, old_start, old_size, file, start, |_| {})?;
        writer.at += note::align(old_size);

        let mut taken = Taken::new(&there);
        let mut attached = Vec::new();
        let mut text = String::from("VERSION=1\n");
        for NewDump { name, payload } in new {
            if let NewPayload::Dump(dump, _) = &payload
                && let Some(length) = was_there(&there, name, dump)?
            {
                attached.push(Attached { name, length, was_there: true });
                continue;
            }
            let wanted = name;
            let name = taken.free(name);
            let (length, crc) = writer.dump(pointer.endian, &name, &payload)?;
            let has_record = records.iter().any(|record| {
                record.name() == name.as_bytes()
                    && (record.length(), record.crc32c()) == (Some(length), Some(crc))
            });
            if !has_record {
                text += &record(&name, name != wanted, length, crc, &payload);
            }
            attached.push(Attached { name, length, was_there: false });
        }
        if attached.iter().any(|attached| !attached.was_there) {
            writer.manifest(pointer.endian, &text)?;
            self.point(file, pointer, start, old_size, writer.at - start)?;
        }
        Ok(attached)
    }

    /// Where the notes are that the new ones come behind, without fill.
    fn old_notes(&self) -> Result<(u64, u64), Error> {
        let Some(segment) = self.notes.segments.first() else {
            return Ok((0, 0));
        };
        let mut end = segment.offset;
        for note in self.notes() {
            let note = note?;
            if (segment.offset..segment.offset + segment.size).contains(&note.offset) {
                end = note.offset + note.header.size();
            }
        }
        // The padding of the last one may not have been counted.
        Ok((segment.offset, (end - segment.offset).min(segment.size)))
    }

    /// Which fields say where notes are.
    fn pointer(&self) -> Result<Pointer, Error> {
        match &self.layout {
            Layout::Compressed(compressed) => match compressed.header.note_fields {
                Some((offset, size, width)) => Ok(Pointer {
                    endian: compressed.header.endian,
                    offset: (offset, 8),
                    sizes: vec![(size, width)],
                }),
                None => {
                    let expected = "4 to 6, which can have notes";
                    let found = compressed.header.version.into();
                    Err(self.source.wrong(8, "header_version", expected, found))
                }
            },
            Layout::Elf(elf) => {
                let Some(segment) = self.notes.segments.first() else {
                    let at = elf.header.program_headers_offset;
                    return Err(self.source.wrong(
                        at,
                        "program headers",
                        "a PT_NOTE among them",
                        0,
                    ));
                };
                // `p_offset`, `p_filesz` and `p_memsz`.
                let (fields, width) = match elf.header.encoding.class {
                    Class::Elf32 => ([4, 16, 20], 4),
                    Class::Elf64 => ([8, 32, 40], 8),
                };
                let [offset, file_size, memory_size] =
                    fields.map(|field| (segment.header_offset + field, width));
                let endian = elf.header.encoding.endian;
                Ok(Pointer { endian, offset, sizes: vec![file_size, memory_size] })
            }
        }
    }

    /// Makes the file point to its new notes, whose first `old_size` bytes are the old
    /// ones.
    fn point(
        &self,
        file: &File,
        pointer: &Pointer,
        start: u64,
        old_size: u64,
        size: u64,
    ) -> Result<(), AttachError> {
        let fits =
            |(_, width): (u64, usize), value: u64| width == 8 || u32::try_from(value).is_ok();
        let (offset_at, _) = pointer.offset;
        if !fits(pointer.offset, start) || pointer.sizes.iter().any(|size_at| !fits(*size_at, size))
        {
            let expected = "a place and a size below 4 GiB";
            return Err(self.source.wrong(offset_at, "32 bit header", expected, start).into());
        }
        let put = |(at, width): (u64, usize), value: u64| {
            let bytes = match pointer.endian {
                Endian::Little => value.to_le_bytes(),
                Endian::Big => value.to_be_bytes(),
            };
            let from = if pointer.endian == Endian::Big { 8 - width } else { 0 };
            file.write_all_at(bytes.get(from..from + width).unwrap_or_default(), at)
        };
        let put_size = |size: u64| {
            pointer.sizes.iter().try_for_each(|size_at| put(*size_at, size))?;
            file.sync_data()
        };
        let stated = self.notes.segments.first().map_or(0, |segment| segment.size);
        let write = || {
            file.sync_all()?;
            if old_size < stated {
                put_size(old_size)?;
            }
            put(pointer.offset, start)?;
            file.sync_data()?;
            put_size(size)
        };
        write().map_err(AttachError::Write)
    }
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
