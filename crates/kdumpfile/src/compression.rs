// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Dumps that a general compressor made smaller: kdump-tools' `KDUMP_COMPRESSION`,
//! `vmcoredd.*.zst`, and what people do before they attach a dump to a report.
//!
//! A compressed file is a row of members: gzip, bzip2 and xz allow several, pzstd and
//! `zstd --long` write several frames, some of which are to be skipped. gzip and xz allow
//! zeros after the last member, which tapes and `dd` add.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::XzReader;

use crate::retry::retry;

/// How many bytes of compressed data are read at a time.
const BUFFER: usize = 1 << 17;
/// The most that a member may ask for to look back, in KiB and as a power of two: what
/// the programs `xz` and `zstd` allow unless told otherwise is less or as much.
const XZ_MEMORY_KIB: u32 = 128 << 10;
const ZSTD_WINDOW_LOG: u32 = 27;

/// How a whole file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// gzip (RFC 1952).
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz (The .xz File Format, 1.2.1).
    Xz,
    /// LZ4 frames, or the older frames of `lz4 -l`.
    Lz4,
    /// Zstandard (RFC 8878).
    Zstd,
}

/// The first byte of LZ4's frames, other than of the older ones.
const LZ4_FRAME: u8 = 0x04;
/// What the members of each format start with.
const MAGIC: [(&[u8], Compression); 6] = [
    (&[0x1f, 0x8b, 0x08], Compression::Gzip),
    (b"BZh", Compression::Bzip2),
    (b"\xfd7zXZ\0", Compression::Xz),
    (&[LZ4_FRAME, 0x22, 0x4d, 0x18], Compression::Lz4),
    (&[0x02, 0x21, 0x4c, 0x18], Compression::Lz4),
    (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
];
/// Magic number of a frame of LZ4 or Zstandard that decoders skip, whose last four bits
/// may be anything.
const SKIPPABLE: u32 = 0x184d_2a50;
/// Size of the header of such a frame: the magic number and the length, in bytes.
const SKIPPABLE_HEADER: usize = 8;

impl Compression {
    /// How many bytes of a file's start decide.
    pub(crate) const START: usize = SKIPPABLE_HEADER;

    /// The compression of a file that starts with `start`.
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        let found = MAGIC.iter().find(|(magic, _)| start.starts_with(magic));
        found.map(|(_, compression)| *compression).or_else(|| {
            // pzstd starts with one; LZ4 allows them, and no program writes them first.
            skippable_length(start).map(|_| Self::Zstd)
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// The length of the skippable frame that starts so, without its header, in bytes.
fn skippable_length(start: &[u8]) -> Option<u64> {
    let (magic, rest) = start.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*magic) & !0xf != SKIPPABLE {
        return None;
    }
    Some(u32::from_le_bytes(*rest.first_chunk()?).into())
}

/// Why decompressing ended before the end of the file.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The compressed data cannot be read.
    Read(Arc<io::Error>),
    /// The compressed data are not as they must be: what was expected, and what was found.
    Damaged { expected: &'static str, found: String },
}

/// The decompressed bytes of a file.
pub(crate) struct Decompressor {
    compression: Compression,
    state: State,
    progress: Arc<Progress>,
}

enum State {
    /// Where a member may start; whether there was one before.
    Between(Input, bool),
    Inside(Member),
    Ended,
}

impl Decompressor {
    /// Decompresses `from`, which starts with a member of `compression`.
    pub fn new(compression: Compression, from: Box<dyn Read + Send>) -> Self {
        let progress = Arc::<Progress>::default();
        let input = Input::new(from, Arc::clone(&progress));
        Self { compression, state: State::Between(input, false), progress }
    }

    /// How it is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// How many compressed bytes were used up.
    pub fn consumed(&self) -> u64 {
        self.progress.consumed.load(Ordering::Relaxed)
    }

    /// Fills `to` with some of the next bytes; 0 at the end of the last member.
    pub fn read(&mut self, to: &mut [u8]) -> Result<usize, Ended> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Between(input, had_one) => {
                    if !self.start_member(input, had_one)? {
                        return Ok(0);
                    }
                }
                State::Inside(mut member) => {
                    self.progress.at_end.store(false, Ordering::Relaxed);
                    let length = member.read(to).map_err(|error| self.ended(&error))?;
                    if length > 0 {
                        self.state = State::Inside(member);
                        return Ok(length);
                    }
                    // The decoder takes an end between blocks for the end of the frame.
                    if member.ends_early() && self.progress.at_end.load(Ordering::Relaxed) {
                        return Err(cut());
                    }
                    self.state = State::Between(member.into_input(), true);
                }
            }
        }
    }

    /// Starts with the next member, or at the end returns false.
    fn start_member(&mut self, mut input: Input, had_one: bool) -> Result<bool, Ended> {
        loop {
            let start = input.peek(Compression::START).map_err(|error| self.ended(&error))?;
            if start.is_empty() {
                return Ok(false);
            }
            let takes_skippable = matches!(self.compression, Compression::Zstd | Compression::Lz4);
            if let Some(length) = skippable_length(start).filter(|_| takes_skippable) {
                let length = length + SKIPPABLE_HEADER as u64;
                if input.skip(length).map_err(|error| self.ended(&error))? < length {
                    return Err(cut());
                }
            } else if Compression::of(start) == Some(self.compression) {
                let has_end_mark = start.first() == Some(&LZ4_FRAME);
                let member = Member::new(self.compression, has_end_mark, input);
                self.state = State::Inside(member.map_err(|error| self.ended(&error))?);
                return Ok(true);
            } else if had_one && start.first() == Some(&0) {
                input.skip_zeros().map_err(|error| self.ended(&error))?;
            } else {
                let found = start.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                let expected = "the end, zeros, or more of the same format";
                return Err(Ended::Damaged { expected, found });
            }
        }
    }

    /// What an error of a decoder is about: what it reads, or how that is compressed.
    fn ended(&self, error: &io::Error) -> Ended {
        if let Some(failed) = self.progress.failed.get() {
            return Ended::Read(Arc::clone(failed));
        }
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return cut();
        }
        Ended::Damaged { expected: "data that decompress", found: error.to_string() }
    }
}

/// The compressed data end before they are complete.
fn cut() -> Ended {
    Ended::Damaged { expected: "more data", found: "the end of the file".to_owned() }
}

/// A member, or a frame, that is being decompressed.
enum Member {
    Gzip(GzDecoder<Input>),
    Bzip2(BzDecoder<Input>),
    Xz(Box<XzReader<Input>>),
    Lz4 { decoder: Box<FrameDecoder<Input>>, has_end_mark: bool },
    Zstd(zstd::stream::read::Decoder<'static, Input>),
}

impl Member {
    /// The member that `input` starts with; an older frame of LZ4 ends without a mark.
    fn new(compression: Compression, has_end_mark: bool, input: Input) -> io::Result<Self> {
        Ok(match compression {
            Compression::Gzip => Self::Gzip(GzDecoder::new(input)),
            Compression::Bzip2 => Self::Bzip2(BzDecoder::new(input)),
            Compression::Xz => {
                Self::Xz(Box::new(XzReader::new_mem_limit(input, false, XZ_MEMORY_KIB)))
            }
            Compression::Lz4 => {
                Self::Lz4 { decoder: Box::new(FrameDecoder::new(input)), has_end_mark }
            }
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?.single_frame();
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Self::Zstd(decoder)
            }
        })
    }

    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        retry(|| match self {
            Self::Gzip(decoder) => decoder.read(to),
            Self::Bzip2(decoder) => decoder.read(to),
            Self::Xz(decoder) => decoder.read(to),
            Self::Lz4 { decoder, .. } => decoder.read(to),
            Self::Zstd(decoder) => decoder.read(to),
        })
    }

    /// Whether its decoder returns 0 where the data end in the middle.
    fn ends_early(&self) -> bool {
        matches!(self, Self::Lz4 { has_end_mark: true, .. })
    }

    /// What comes after it.
    fn into_input(self) -> Input {
        match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Bzip2(decoder) => decoder.into_inner(),
            Self::Xz(decoder) => decoder.into_inner(),
            Self::Lz4 { decoder, .. } => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
        }
    }
}

/// What became of the compressed data, which decoders do not pass on.
#[derive(Debug, Default)]
struct Progress {
    consumed: AtomicU64,
    /// There was no more when the decoder asked for some.
    at_end: AtomicBool,
    failed: OnceLock<Arc<io::Error>>,
}

/// Compressed data, of which the next bytes can be looked at.
struct Input {
    from: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// Where in the buffer those bytes start and end that are not yet used up.
    start: usize,
    end: usize,
    progress: Arc<Progress>,
}

impl Input {
    fn new(from: Box<dyn Read + Send>, progress: Arc<Progress>) -> Self {
        Self { from, buffer: vec![0; BUFFER], start: 0, end: 0, progress }
    }

    fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads more into the buffer; how many bytes.
    fn refill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let free = self.buffer.get_mut(self.end..).unwrap_or_default();
        let length = retry(|| self.from.read(free)).map_err(|error| {
            let kind = error.kind();
            let _ = self.progress.failed.set(error.into());
            io::Error::from(kind)
        })?;
        self.end += length;
        Ok(length)
    }

    /// The next `length` bytes, fewer at the end; at most [`BUFFER`].
    fn peek(&mut self, length: usize) -> io::Result<&[u8]> {
        while self.end - self.start < length && self.refill()? > 0 {}
        let there = self.buffered();
        Ok(there.get(..length.min(there.len())).unwrap_or_default())
    }

    /// Skips `length` bytes; how many there were.
    fn skip(&mut self, length: u64) -> io::Result<u64> {
        let mut left = length;
        while left > 0 {
            let there = self.fill_buf()?.len() as u64;
            if there == 0 {
                break;
            }
            let part = there.min(left);
            self.consume(part as usize);
            left -= part;
        }
        Ok(length - left)
    }

    fn skip_zeros(&mut self) -> io::Result<()> {
        loop {
            let there = self.fill_buf()?;
            let zeros = there.iter().take_while(|byte| **byte == 0).count();
            let is_all = zeros == there.len();
            self.consume(zeros);
            if zeros == 0 || !is_all {
                return Ok(());
            }
        }
    }
}

impl Read for Input {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(to)?;
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end && self.refill()? == 0 {
            self.progress.at_end.store(true, Ordering::Relaxed);
        }
        Ok(self.buffered())
    }

    fn consume(&mut self, amount: usize) {
        let amount = amount.min(self.end - self.start);
        self.start += amount;
        self.progress.consumed.fetch_add(amount as u64, Ordering::Relaxed);
    }
}
