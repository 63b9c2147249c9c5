// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Dumps that come as a stream: from a pipe, or out of a decompressor. What was read
//! stands in a temporary file, since questions go back and forth; the rest of the stream
//! is left alone until one asks for it.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use vmcore::bytes;

use crate::compression::{Compression, Decompressor, Ended};
use crate::error::Fault;
use crate::retry::retry;
use crate::sparse;

/// How many bytes are read of a stream at a time.
const STEP: usize = 1 << 17;

/// Bytes that come one after the other.
pub(crate) struct Stream {
    from: From,
    /// What was looked at and is still to come.
    ahead: Vec<u8>,
    /// How many bytes came.
    at: u64,
    /// Why no more come, if that is not the end.
    fault: Option<Fault>,
    ended: bool,
}

enum From {
    Plain(Box<dyn Read + Send>),
    Compressed(Box<Decompressor>),
}

impl Stream {
    /// What comes out of `from`, decompressed if it is compressed.
    pub fn new(from: Box<dyn Read + Send>) -> Self {
        let mut plain = Self::of(From::Plain(from));
        let Some(compression) = Compression::of(plain.peek(Compression::START)) else {
            return plain;
        };
        let whole = Plain(plain);
        Self::compressed(Decompressor::new(compression, Box::new(whole)))
    }

    /// What comes out of `decompressor`.
    pub fn compressed(decompressor: Decompressor) -> Self {
        Self::of(From::Compressed(Box::new(decompressor)))
    }

    fn of(from: From) -> Self {
        Self { from, ahead: Vec::new(), at: 0, fault: None, ended: false }
    }

    /// The next `length` bytes, or fewer at the end.
    pub fn peek(&mut self, length: usize) -> &[u8] {
        let mut ahead = vec![0; length];
        let filled = self.fill(&mut ahead);
        ahead.truncate(filled);
        self.ahead = ahead;
        &self.ahead
    }

    /// Fills `to`, or as much of it as there is; how much.
    pub fn fill(&mut self, to: &mut [u8]) -> usize {
        let mut filled = bytes::copy(to, &self.ahead);
        self.ahead.drain(..filled);
        while let Some(rest) = to.get_mut(filled..).filter(|rest| !rest.is_empty() && !self.ended) {
            match self.read(rest) {
                Ok(0) => self.ended = true,
                Ok(length) => {
                    filled += length;
                    self.at += length as u64;
                }
                Err(fault) => {
                    self.ended = true;
                    self.fault = Some(fault);
                }
            }
        }
        filled
    }

    fn read(&mut self, to: &mut [u8]) -> Result<usize, Fault> {
        match &mut self.from {
            From::Plain(from) => retry(|| from.read(to))
                .map_err(|error| Fault::Read { offset: self.at, error: error.into() }),
            From::Compressed(decompressor) => {
                let ended = decompressor.read(to);
                ended.map_err(|ended| {
                    let offset = decompressor.consumed();
                    match ended {
                        Ended::Read(error) => Fault::Read { offset, error },
                        Ended::Damaged { expected, found } => Fault::Compressed {
                            offset,
                            format: decompressor.compression().name(),
                            expected,
                            found,
                            given: self.at,
                        },
                    }
                })
            }
        }
    }
}

/// A stream that is not compressed, as a reader.
struct Plain(Stream);

impl Read for Plain {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let length = self.0.fill(to);
        match self.0.fault.take() {
            Some(Fault::Read { error, .. }) if length == 0 => {
                Err(io::Error::new(error.kind(), error))
            }
            fault => {
                self.0.fault = fault;
                Ok(length)
            }
        }
    }
}

/// Whether a file would have become larger than its file system allows.
fn is_too_large(fault: &Fault) -> bool {
    matches!(fault, Fault::Spool { error, .. } if error.kind() == ErrorKind::FileTooLarge)
}

/// A stream, and a temporary file with what was read of it.
pub(crate) struct Spool {
    stream: Stream,
    file: File,
    directory: PathBuf,
    /// How many bytes of the dump are in the file.
    length: u64,
    buffer: Vec<u8>,
    fault: Option<Fault>,
    ended: bool,
    /// [`look_ahead`](Self::look_ahead) was done.
    has_looked: bool,
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool")
            .field("length", &self.length)
            .field("ended", &self.ended)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

impl Spool {
    /// Nothing of `stream` yet; the file is in `TMPDIR`.
    pub fn new(stream: Stream) -> Result<Self, Fault> {
        let directory = std::env::temp_dir();
        match tempfile::tempfile_in(&directory) {
            Ok(file) => Ok(Self {
                stream,
                file,
                directory,
                length: 0,
                buffer: vec![0; STEP],
                fault: None,
                ended: false,
                has_looked: false,
            }),
            Err(error) => Err(Fault::Spool { directory, error: error.into() }),
        }
    }

    /// Reads on until the dump's bytes before `until` are in the file, or it ends; how many
    /// bytes of it are there then.
    pub fn advance(&mut self, until: u64) -> u64 {
        if self.length >= until || self.ended {
            return self.length;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        while self.length < until && !self.ended {
            let filled = self.stream.fill(&mut buffer);
            self.put(self.length, buffer.get(..filled).unwrap_or_default());
            if filled < buffer.len() {
                self.end();
            }
        }
        self.buffer = buffer;
        self.grow();
        self.length
    }

    /// Reads `more` bytes than there are, but not a second time.
    pub fn look_ahead(&mut self, more: u64) {
        if !std::mem::replace(&mut self.has_looked, true) {
            self.advance(self.length.saturating_add(more));
        }
    }

    /// Puts `bytes` at `offset` of the dump, over those that stand there already.
    pub fn put(&mut self, offset: u64, bytes: &[u8]) {
        let written = if offset < self.length {
            self.file.write_all_at(bytes, offset)
        } else {
            sparse::write(&self.file, offset, bytes)
        };
        match written {
            Ok(()) => self.length = self.length.max(offset + bytes.len() as u64),
            Err(error) => self.stop(error),
        }
    }

    /// Makes the file as long as the dump, where zeros at its end are a hole.
    pub fn grow(&mut self) {
        if let Err(error) = self.file.set_len(self.length) {
            self.stop(error);
        }
    }

    fn stop(&mut self, error: io::Error) {
        self.ended = true;
        self.fault = Some(Fault::Spool { directory: self.directory.clone(), error: error.into() });
    }

    /// Reads at most so many bytes after the dump, which nobody wants: at the end of what
    /// is compressed stands whether all before was right.
    pub fn skip_rest(&mut self, most: u64) {
        let mut left = most;
        while left > 0 && !self.stream.ended {
            left = left.saturating_sub(self.stream.fill(&mut self.buffer) as u64);
        }
    }

    /// No more is to be read.
    pub fn end(&mut self) {
        self.ended = true;
        let of_stream = self.stream.fault.take();
        // Where that has wrong bytes, they may be what had the file become too large.
        let says_more = |of_file: &Fault| of_stream.is_none() || !is_too_large(of_file);
        self.fault = self.fault.take().filter(says_more).or(of_stream);
    }

    /// The next bytes of the stream, for a caller who knows where in the dump they stand.
    pub fn fill(&mut self, to: &mut [u8]) -> usize {
        self.stream.fill(to)
    }

    /// Whether nothing more is to be read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    pub fn compression(&self) -> Option<Compression> {
        match &self.stream.from {
            From::Plain(_) => None,
            From::Compressed(decompressor) => Some(decompressor.compression()),
        }
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// How many bytes of the dump were read.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The length of the dump, once it was read to its end.
    pub fn known_length(&self) -> Option<u64> {
        self.ended.then_some(self.length)
    }

    /// Why reading ended before the end.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }
}
