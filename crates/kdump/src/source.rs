// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a dump is read from: a file, read here and there.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::flattened::{self, Pieces};
use crate::{Error, Fault};

/// The bytes of a dump.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    file: File,
    /// Where the bytes stand in `file`, if that is a flattened stream.
    pieces: Option<Pieces>,
    /// Whether it was one, although `file` is none.
    unflattened: bool,
    /// How long it was said to be when it was opened, in bytes.
    stated_length: u64,
    /// What is wrong with the stream.
    pub problems: Vec<vmcore::Error>,
}

impl Source {
    /// Opens a file; a pipe is copied to a temporary file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error { path: path.to_owned(), fault: Fault::Open(error) };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.file_type().is_fifo() || metadata.file_type().is_socket() {
            return Self::spool(path, file);
        }
        let mut source = Self::plain(path, file, metadata.len());
        let mut start = [0; flattened::SIGNATURE.len()];
        if source.read(0, &mut start)? == flattened::SIGNATURE {
            let (pieces, problem) = Pieces::find(&source)?;
            source.stated_length = pieces.end();
            source.problems.extend(problem);
            source.pieces = Some(pieces);
        }
        Ok(source)
    }

    /// Reads `from` to its end; `path` is what messages call it.
    pub fn spool(path: &Path, from: impl Read) -> Result<Self, Error> {
        let failed = |error| Error { path: path.to_owned(), fault: Fault::Spool(error) };
        let file = tempfile::tempfile().map_err(failed)?;
        let spooled = flattened::spool(from, &file).map_err(failed)?;
        let mut source = Self::plain(path, file, spooled.length);
        source.unflattened = spooled.was_flattened;
        source.problems.extend(spooled.problem);
        Ok(source)
    }

    fn plain(path: &Path, file: File, stated_length: u64) -> Self {
        let path = path.to_owned();
        Self { path, file, pieces: None, unflattened: false, stated_length, problems: Vec::new() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a flattened stream.
    pub fn is_flattened(&self) -> bool {
        self.pieces.is_some() || self.unflattened
    }

    pub fn error(&self, fault: Fault) -> Error {
        Error { path: self.path.clone(), fault }
    }

    /// What stands in the dump is not what it must be.
    pub fn wrong(
        &self,
        offset: u64,
        field: &'static str,
        expected: &'static str,
        found: u64,
    ) -> Error {
        self.error(Fault::Content(vmcore::Error::new(offset, field, expected, found)))
    }

    /// The bytes at `offset`: as many as fit into `to`, or fewer where the dump ends.
    pub fn read<'b>(&self, offset: u64, to: &'b mut [u8]) -> Result<&'b [u8], Error> {
        match &self.pieces {
            Some(pieces) => pieces.read(offset, to, |at, to| self.read_file(at, to)),
            None => {
                let length = self.read_file(offset, to)?;
                Ok(to.get(..length).unwrap_or_default())
            }
        }
    }

    /// All of `to` from `offset` on, which is `field`.
    pub fn read_whole(&self, offset: u64, to: &mut [u8], field: &'static str) -> Result<(), Error> {
        let length = self.read(offset, to)?.len();
        if length == to.len() {
            return Ok(());
        }
        let left = (to.len() - length) as u64;
        Err(self.wrong(offset.saturating_add(length as u64), field, "more bytes", left))
    }

    /// Reads the file itself; how many bytes there were.
    pub fn read_file(&self, offset: u64, to: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while let Some(rest) = to.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(filled as u64);
            match read_once(&self.file, at, rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(Fault::Read { offset: at, error })),
            }
        }
        Ok(filled)
    }

    /// How long the dump is said to be, in bytes.
    pub fn stated_length(&self) -> u64 {
        self.stated_length
    }

    /// Whether the dump has all bytes before `end`.
    ///
    /// A device has no stated length, and that of `/proc/vmcore` lags behind
    /// its device dumps: beyond it only reading tells.
    pub fn reaches(&self, end: u64) -> Result<bool, Error> {
        let Some(last) = end.checked_sub(1) else {
            return Ok(true);
        };
        if end <= self.stated_length {
            return Ok(true);
        }
        Ok(!self.read(last, &mut [0])?.is_empty())
    }

    /// How many of the `length` bytes from `start` on the dump has.
    pub fn available(&self, start: u64, length: u64) -> Result<u64, Error> {
        let end = start.saturating_add(length);
        if self.reaches(end)? {
            return Ok(length);
        }
        let (mut there, mut missing) = (start.max(self.stated_length).min(end), end);
        while there < missing {
            let middle = there + (missing - there).div_ceil(2);
            if self.reaches(middle)? {
                there = middle;
            } else {
                missing = middle - 1;
            }
        }
        Ok(if self.reaches(there)? { there - start } else { 0 })
    }

    /// Where the first byte at or behind `offset` stands that may not be zero; `end` at
    /// most. Where the file system does not tell, `offset`.
    pub fn next_data(&self, offset: u64, end: u64) -> u64 {
        let next = match &self.pieces {
            Some(pieces) => pieces.next(offset),
            None => match seek(&self.file, SeekFrom::Data(offset)) {
                Ok(next) => Some(next),
                Err(Errno::NXIO) => None,
                Err(_) => return offset.min(end),
            },
        };
        next.map_or(end, |next| next.max(offset).min(end))
    }

    /// Where the data that begin at `offset` end, and a hole starts; `end` at most.
    pub fn next_hole(&self, offset: u64, end: u64) -> u64 {
        if self.pieces.is_some() {
            return end;
        }
        seek(&self.file, SeekFrom::Hole(offset)).map_or(end, |hole| hole.max(offset).min(end))
    }
}

fn read_once(file: &File, offset: u64, to: &mut [u8]) -> io::Result<usize> {
    // Offsets of files are signed; behind the largest there is no byte.
    match i64::try_from(offset) {
        Ok(_) => file.read_at(to, offset),
        Err(_) => Ok(0),
    }
}
