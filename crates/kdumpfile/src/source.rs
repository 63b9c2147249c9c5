// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a dump is read from: a file, read here and there, or a stream, of which as much
//! is read as the questions asked need.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::compression::{Compression, Decompressor};
use crate::error::{Error, Fault};
use crate::file::{self, DumpFile};
use crate::flattened::{self, Pieces};
use crate::stream::{Spool, Stream};

/// So many bytes more than a question needs are read of a stream, at most, to learn
/// whether it ends as it should: a second's work at most.
const LOOK_AHEAD: u64 = 64 << 20;

/// The bytes of a dump.
#[derive(Debug)]
pub(crate) struct Source {
    bytes: Bytes,
    /// What is wrong with a flattened stream.
    pub problems: Vec<vmcore::Error>,
}

/// Where the bytes of a dump stand.
#[derive(Debug)]
enum Bytes {
    /// In a file.
    File(DumpFile),
    /// In a flattened stream in a file.
    Flattened { file: DumpFile, pieces: Pieces },
    /// In a stream, and in a temporary file as far as it was read.
    Stream { path: PathBuf, spool: Box<RefCell<Spool>>, was_flattened: bool },
}

impl Source {
    /// Opens a file; of a pipe and of what is compressed, as much as is needed is copied
    /// to a temporary file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::of_file(path, File::open(path).map_err(|error| Error::open(path, error))?)
    }

    /// The dump in `file`, from its start on; `path` is what messages call it.
    pub fn of_file(path: &Path, file: File) -> Result<Self, Error> {
        let file = match DumpFile::new(path, file)? {
            Ok(file) => file,
            Err(pipe) => return Self::spool(path, Box::new(pipe)),
        };
        let mut start = [0; flattened::SIGNATURE.len()];
        let length = file.read(0, &mut start)?;
        if start == flattened::SIGNATURE {
            let (pieces, problem) = Pieces::find(&file)?;
            let problems = problem.into_iter().collect();
            return Ok(Self { bytes: Bytes::Flattened { file, pieces }, problems });
        }
        match Compression::of(start.get(..length).unwrap_or_default()) {
            Some(compression) => {
                let from = FromStart { file: file.into_file(), at: 0 };
                let decompressor = Decompressor::new(compression, Box::new(from));
                Self::of_stream(path, Stream::compressed(decompressor))
            }
            None => Ok(Self { bytes: Bytes::File(file), problems: Vec::new() }),
        }
    }

    /// The dump that comes out of `from`, compressed or not; `path` is what messages call
    /// it.
    pub fn spool(path: &Path, from: Box<dyn Read + Send>) -> Result<Self, Error> {
        Self::of_stream(path, Stream::new(from))
    }

    fn of_stream(path: &Path, mut stream: Stream) -> Result<Self, Error> {
        let was_flattened = stream.peek(flattened::SIGNATURE.len()) == flattened::SIGNATURE;
        let failed = |fault| Error { path: path.to_owned(), fault };
        let mut spool = Spool::new(stream).map_err(failed)?;
        let mut problems = Vec::new();
        if was_flattened {
            // Any record may be the one that is asked for.
            problems.extend(flattened::unflatten(&mut spool, LOOK_AHEAD));
        }
        let (path, spool) = (path.to_owned(), Box::new(RefCell::new(spool)));
        Ok(Self { bytes: Bytes::Stream { path, spool, was_flattened }, problems })
    }

    pub fn path(&self) -> &Path {
        match &self.bytes {
            Bytes::File(file) | Bytes::Flattened { file, .. } => file.path(),
            Bytes::Stream { path, .. } => path,
        }
    }

    /// The file, where the dump is one as it is: see [`is_plain_file`](Self::is_plain_file).
    pub fn plain_file(&self) -> Option<&File> {
        match &self.bytes {
            Bytes::File(file) => Some(file.file()),
            Bytes::Flattened { .. } | Bytes::Stream { .. } => None,
        }
    }

    /// Whether it is a flattened stream.
    pub fn is_flattened(&self) -> bool {
        match &self.bytes {
            Bytes::File(_) => false,
            Bytes::Flattened { .. } => true,
            Bytes::Stream { was_flattened, .. } => *was_flattened,
        }
    }

    /// Whether the dump is a file as it is: neither flattened, nor compressed, nor from a
    /// pipe.
    pub fn is_plain_file(&self) -> bool {
        self.plain_file().is_some()
    }

    /// How all of it is compressed.
    pub fn compression(&self) -> Option<Compression> {
        match &self.bytes {
            Bytes::File(_) | Bytes::Flattened { .. } => None,
            Bytes::Stream { spool, .. } => spool.borrow().compression(),
        }
    }

    pub fn error(&self, fault: Fault) -> Error {
        Error { path: self.path().to_owned(), fault }
    }

    /// What must be in the dump is not there.
    pub fn missing(&self, offset: u64, field: &'static str, expected: &'static str) -> Error {
        self.error(Fault::Content(vmcore::Error::missing(offset, field, expected)))
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
        match &self.bytes {
            Bytes::File(file) => {
                let length = file.read(offset, to)?;
                Ok(to.get(..length).unwrap_or_default())
            }
            Bytes::Flattened { file, pieces } => {
                pieces.read(offset, to, |at, to| file.read(at, to))
            }
            Bytes::Stream { spool, .. } => {
                let mut spool = spool.borrow_mut();
                let there = spool.advance(offset.saturating_add(to.len() as u64));
                let length = there.saturating_sub(offset).min(to.len() as u64) as usize;
                let to = to.get_mut(..length).unwrap_or_default();
                let length = file::read_at(spool.file(), offset, to);
                let length = length.map_err(|fault| self.error(fault))?;
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
        let missing =
            || self.wrong(offset.saturating_add(length as u64), field, "more bytes", left);
        // Why a stream ended says more than that it did.
        Err(self.end_fault().unwrap_or_else(missing))
    }

    /// How long the dump is said to be, in bytes; a stream is read to its end for that.
    pub fn stated_length(&self) -> u64 {
        match &self.bytes {
            Bytes::File(file) => file.stated_length(),
            Bytes::Flattened { pieces, .. } => pieces.end(),
            Bytes::Stream { spool, .. } => spool.borrow_mut().advance(u64::MAX),
        }
    }

    /// How long the dump is said to be, in bytes; `None` of a stream that was not read to
    /// its end.
    pub fn stated_so_far(&self) -> Option<u64> {
        match &self.bytes {
            Bytes::Stream { spool, .. } => spool.borrow().known_length(),
            Bytes::File(_) | Bytes::Flattened { .. } => Some(self.stated_length()),
        }
    }

    /// How long the dump is, in bytes, where that is known: not of a pseudo file, nor of
    /// a stream that was not read to its end.
    pub fn known_length(&self) -> Option<u64> {
        match &self.bytes {
            Bytes::File(file) => file.known_length(),
            Bytes::Flattened { pieces, .. } => Some(pieces.end()),
            Bytes::Stream { spool, .. } => spool.borrow().known_length(),
        }
    }

    /// Reads a stream a little further: a small one to its end, once, so that it is
    /// known whether it ends as it should.
    pub fn look_ahead(&self) {
        if let Bytes::Stream { spool, .. } = &self.bytes {
            spool.borrow_mut().look_ahead(LOOK_AHEAD);
        }
    }

    /// Why a stream ended, as far as it was read, before its end.
    pub fn end_fault(&self) -> Option<Error> {
        match &self.bytes {
            Bytes::File(_) | Bytes::Flattened { .. } => None,
            Bytes::Stream { spool, .. } => {
                spool.borrow().fault().map(|fault| self.error(fault.clone()))
            }
        }
    }

    /// Whether the dump has all bytes before `end`.
    ///
    /// A pseudo file may have more than it states, a file may have grown: beyond what was
    /// stated only reading says.
    pub fn reaches(&self, end: u64) -> Result<bool, Error> {
        let Some(last) = end.checked_sub(1) else {
            return Ok(true);
        };
        match &self.bytes {
            Bytes::File(file) => Ok(end <= file.stated_length() || file.read(last, &mut [0])? > 0),
            Bytes::Flattened { pieces, .. } => Ok(end <= pieces.end()),
            Bytes::Stream { spool, .. } => Ok(end <= spool.borrow_mut().advance(end)),
        }
    }

    /// How many of the `length` bytes from `start` on the dump has.
    pub fn available(&self, start: u64, length: u64) -> Result<u64, Error> {
        let end = start.saturating_add(length);
        if self.reaches(end)? {
            return Ok(length);
        }
        let least = self.known_length().unwrap_or_default();
        let (mut there, mut missing) = (start.max(least).min(end), end);
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

    /// Where the first byte at or after `offset` stands that may not be zero; `end` at
    /// most. Where the file system does not tell, `offset`.
    pub fn next_data(&self, offset: u64, end: u64) -> u64 {
        let next = match &self.bytes {
            Bytes::Flattened { pieces, .. } => pieces.next(offset),
            Bytes::File(file) => match file::next_data(file.file(), offset) {
                Some(next) => next,
                None => return offset.min(end),
            },
            Bytes::Stream { spool, .. } => {
                let mut spool = spool.borrow_mut();
                // Where holes are is known of what was read.
                spool.advance(offset.saturating_add(1));
                match file::next_data(spool.file(), offset) {
                    Some(next) => Some(next.unwrap_or(spool.length())),
                    None => return offset.min(end),
                }
            }
        };
        next.map_or(end, |next| next.max(offset).min(end))
    }

    /// Where the data that begin at `offset` end, and a hole starts; `end` at most.
    pub fn next_hole(&self, offset: u64, end: u64) -> u64 {
        match &self.bytes {
            Bytes::File(file) => file::next_hole(file.file(), offset, end),
            Bytes::Flattened { pieces, .. } => pieces.next_hole(offset).min(end),
            Bytes::Stream { spool, .. } => {
                let spool = spool.borrow();
                // After what was read so far there is no hole, only nothing yet.
                match spool.known_length() {
                    Some(_) => file::next_hole(spool.file(), offset, end),
                    None => end,
                }
            }
        }
    }
}

/// A file from its start on, wherever others who have it open are.
struct FromStart {
    file: File,
    at: u64,
}

impl Read for FromStart {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(to, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_procfs_says_of_lengths_is_not_heeded() {
        let source = Source::open(Path::new("/proc/version")).expect("there");
        assert_eq!((source.stated_length(), source.known_length()), (0, None));
        assert!(source.reaches(1).expect("readable"));
        let file = tempfile::NamedTempFile::new().expect("created");
        file.as_file().set_len(4711).expect("extended");
        let source = Source::open(file.path()).expect("there");
        assert_eq!(source.known_length(), Some(4711));
    }
}
