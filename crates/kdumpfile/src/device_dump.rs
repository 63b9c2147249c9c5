// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The device dumps of a dump.

use std::fs::File;
use std::io::{self, Read, Write};

use vmcore::bytes;
use vmcore::device_dump::{NAME_SIZE, NT_VMCOREDD, is_device_dump};
use vmcore::note::until_zero;

use crate::copy;
use crate::error::{CopyError, Error};
use crate::notes::{Note, Notes};
use crate::source::Source;

/// What the owner of a device dump starts with, and its name follows, as the fourth version
/// of the kernel's series wrote it.
const OLD_OWNER: &[u8] = b"VMCOREDD_";
/// How many bytes are copied at a time.
const BUFFER_SIZE: usize = 1 << 16;

/// The device dumps of a dump, in the order of the file.
///
/// Errors come in between, after a damaged dump if it is one of these; see
/// [`Notes`].
#[derive(Debug, Clone)]
pub struct DeviceDumps<'a> {
    source: &'a Source,
    notes: Notes<'a>,
    /// How many there have been.
    count: usize,
}

impl<'a> DeviceDumps<'a> {
    pub(crate) fn new(source: &'a Source, notes: Notes<'a>) -> Self {
        Self { source, notes, count: 0 }
    }

    /// The device dump in `note`, if that is one.
    fn found(&mut self, note: &Note) -> Option<DeviceDump<'a>> {
        let (name, before) = name(note)?;
        let index = self.count;
        self.count += 1;
        Some(DeviceDump {
            source: self.source,
            index,
            name,
            offset: note.desc_offset() + before,
            length: u64::from(note.header.desc_size).saturating_sub(before),
            available: note.available().saturating_sub(before),
        })
    }
}

/// The name of the device dump in `note`, and how many bytes of its desc are no payload;
/// `None` when it is no device dump, or its name is cut off: there is nothing to show.
fn name(note: &Note) -> Option<([u8; NAME_SIZE], u64)> {
    let owner = note.owner();
    if is_device_dump(&note.header, owner) {
        return (note.available() >= NAME_SIZE as u64)
            .then_some((note.desc_start(), NAME_SIZE as u64));
    }
    if note.header.note_type != NT_VMCOREDD || (note.available() == 0 && !note.is_whole()) {
        return None;
    }
    let mut name = [0; NAME_SIZE];
    bytes::copy(&mut name, owner.strip_prefix(OLD_OWNER)?);
    Some((name, 0))
}

/// Whether `note` says that it is a device dump, and has no room for the name of one.
fn is_too_short(note: &Note) -> bool {
    note.header.note_type == NT_VMCOREDD
        && note.owner() == b"LINUX"
        && (note.header.desc_size as usize) < NAME_SIZE
        // Of a damaged one the error comes next.
        && note.is_whole()
}

impl<'a> Iterator for DeviceDumps<'a> {
    type Item = Result<DeviceDump<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.notes.next()? {
                Err(error) => return Some(Err(error)),
                Ok(note) if is_too_short(&note) => {
                    let (at, found) = (note.offset + 4, note.header.desc_size.into());
                    let expected = "44 bytes or more, as a device dump has";
                    return Some(Err(self.source.wrong(at, "n_descsz", expected, found)));
                }
                Ok(note) => {
                    if let Some(device_dump) = self.found(&note) {
                        return Some(Ok(device_dump));
                    }
                }
            }
        }
    }
}

/// What a driver knew of its device when the kernel had crashed.
#[derive(Debug, Clone, Copy)]
pub struct DeviceDump<'a> {
    source: &'a Source,
    index: usize,
    name: [u8; NAME_SIZE],
    offset: u64,
    length: u64,
    available: u64,
}

impl<'a> DeviceDump<'a> {
    /// Its number, from 0 in the order of the file.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its name, as the file has it: possibly empty, long or unprintable. See
    /// [`Escaped`](crate::Escaped).
    #[must_use]
    pub fn name(&self) -> &[u8] {
        until_zero(&self.name)
    }

    /// Where its payload starts in the file, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Length of its payload in bytes, as the note says. The kernel's own
    /// implementation counts zeros up to a page as payload.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many bytes of its payload stand in the file: fewer than
    /// [`length`](Self::length) when it is damaged.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.available
    }

    /// Whether the file has all of its payload.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.available == self.length
    }

    /// As much of its payload as there is, to be read from the start.
    #[must_use]
    pub fn reader(&self) -> Payload<'a> {
        self.part(0, self.available)
    }

    /// `length` bytes of its payload from `start` on, or as many as there are.
    #[must_use]
    pub fn part(&self, start: u64, length: u64) -> Payload<'a> {
        let start = start.min(self.available);
        let left = length.min(self.available - start);
        Payload { source: self.source, offset: self.offset + start, left }
    }

    /// Writes as much of its payload as there is to `to`.
    ///
    /// # Errors
    /// [`CopyError`], by which side failed.
    pub fn copy_to(&self, to: &mut impl Write) -> Result<(), CopyError> {
        self.reader().for_each(|part| to.write_all(part).map_err(CopyError::Write))
    }

    /// Writes as much of its payload as there is to `to`, an empty file, with holes
    /// where there are blocks of zeros; `progress` is told how many bytes are done.
    ///
    /// # Errors
    /// [`CopyError`], by which side failed.
    pub fn copy_to_file(&self, to: &File, progress: impl FnMut(u64)) -> Result<(), CopyError> {
        copy::copy(self.source, self.offset, self.available, to, 0, progress)
    }

    /// CRC-32C of its payload, as [`Record::crc32c`](crate::Record::crc32c) has it:
    /// that of iSCSI, RFC 3720.
    ///
    /// # Errors
    /// [`Error`] when the payload cannot be read.
    pub fn crc32c(&self) -> Result<u32, Error> {
        self.crc32c_with_progress(|_| {})
    }

    /// As [`crc32c`](Self::crc32c); `progress` is told how many bytes are done.
    ///
    /// # Errors
    /// [`Error`] when the payload cannot be read.
    pub fn crc32c_with_progress(&self, mut progress: impl FnMut(u64)) -> Result<u32, Error> {
        let (mut crc, mut done) = (0, 0);
        self.reader().for_each(|part| {
            crc = crc32c::crc32c_append(crc, part);
            done += part.len() as u64;
            progress(done);
            Ok::<_, Error>(())
        })?;
        Ok(crc)
    }
}

/// The payload of a device dump, read from the file as it is asked for.
///
/// Its errors of [`Read`] are [`Error`]s inside an [`io::Error`].
#[derive(Debug, Clone)]
pub struct Payload<'a> {
    source: &'a Source,
    offset: u64,
    left: u64,
}

impl Payload<'_> {
    /// Gives what is left to `take`, part by part.
    fn for_each<E: From<Error>>(
        mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut buffer = vec![0; BUFFER_SIZE];
        loop {
            let part = self.next(&mut buffer)?;
            if part.is_empty() {
                return Ok(());
            }
            take(part)?;
        }
    }

    /// The next bytes, as many as fit into `to`; none at the end.
    fn next<'b>(&mut self, to: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let wanted = self.left.min(to.len() as u64);
        let to = to.get_mut(..wanted as usize).unwrap_or_default();
        let part = self.source.read(self.offset, to)?;
        let length = part.len() as u64;
        if length < wanted {
            let at = self.offset + length;
            return Err(self.source.wrong(at, "payload", "more bytes", self.left - length));
        }
        self.offset += length;
        self.left -= length;
        Ok(part)
    }
}

impl Read for Payload<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.next(to).map(<[u8]>::len).map_err(io::Error::other)
    }
}
