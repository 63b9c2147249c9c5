// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The device dumps of a dump.

use std::io::{self, Read, Write};

use vmcore::device_dump::{NAME_SIZE, is_device_dump};
use vmcore::note::until_zero;

use crate::source::Source;
use crate::{Error, Fault, Note, Notes};

/// How many bytes are copied at a time.
const BUFFER_SIZE: usize = 1 << 16;

/// The device dumps of a dump, in the order of the file.
///
/// Ends behind the first error.
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

    fn read(&self, note: &Note) -> Result<DeviceDump<'a>, Error> {
        let mut name = [0; NAME_SIZE];
        self.source.read(note.desc_offset(), &mut name)?;
        Ok(DeviceDump {
            source: self.source,
            index: self.count,
            name,
            offset: note.desc_offset() + NAME_SIZE as u64,
            length: u64::from(note.header.desc_size).saturating_sub(NAME_SIZE as u64),
        })
    }
}

impl<'a> Iterator for DeviceDumps<'a> {
    type Item = Result<DeviceDump<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let wanted = |note: &Result<Note, Error>| !matches!(note, Ok(note) if !is_device_dump(&note.header, note.owner()));
        let note = self.notes.find(wanted)?;
        let device_dump = note.and_then(|note| self.read(&note));
        self.count += 1;
        if device_dump.is_err() {
            self.notes.stop();
        }
        Some(device_dump)
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

    /// Its payload, to be read from the start.
    #[must_use]
    pub fn reader(&self) -> Payload<'a> {
        Payload { source: self.source, offset: self.offset, left: self.length }
    }

    /// Writes its payload to `to`.
    ///
    /// # Errors
    /// [`CopyError`], by which side failed.
    pub fn copy_to(&self, to: &mut impl Write) -> Result<(), CopyError> {
        self.read_all(|part| to.write_all(part).map_err(CopyError::Write))
    }

    /// CRC-32C of its payload, as [`Record::crc32c`](crate::Record::crc32c) has it:
    /// that of iSCSI, RFC 3720.
    ///
    /// # Errors
    /// [`Error`] when the payload cannot be read.
    pub fn crc32c(&self) -> Result<u32, Error> {
        let mut crc = 0;
        self.read_all(|part| {
            crc = crc32c::crc32c_append(crc, part);
            Ok::<_, Error>(())
        })?;
        Ok(crc)
    }

    /// Gives its payload to `take`, part by part.
    fn read_all<E: From<Error>>(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut payload = self.reader();
        let mut buffer = vec![0; BUFFER_SIZE];
        loop {
            let part = payload.next(&mut buffer)?;
            if part.is_empty() {
                return Ok(());
            }
            take(part)?;
        }
    }
}

/// Which side of a copy failed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The dump cannot be read.
    #[error(transparent)]
    Read(#[from] Error),
    /// What it is copied to cannot be written.
    #[error(transparent)]
    Write(io::Error),
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
    /// The next bytes, as many as fit into `to`; none at the end.
    fn next<'b>(&mut self, to: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let wanted = self.left.min(to.len() as u64);
        let to = to.get_mut(..wanted as usize).unwrap_or_default();
        let part = self.source.read(self.offset, to)?;
        let length = part.len() as u64;
        if length < wanted {
            let at = self.offset + length;
            let error = vmcore::Error::new(at, "payload", "more bytes", self.left - length);
            return Err(self.source.error(Fault::Content(error)));
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
