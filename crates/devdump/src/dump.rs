// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One device dump: written piece by piece, then immutable.

use vmcore::device_dump::{self, LENGTH_MAX, Name};
use vmcore::elf::Endian;

use crate::memory::{List, Memory, NoMemory};
use crate::snapshot::Sink;

/// How much of a dump is kept as one piece, in bytes.
pub const CHUNK_SIZE: usize = 64 * 1024;

/// A part of a dump's payload, [`CHUNK_SIZE`] bytes but for the last one.
enum Chunk<M: Memory> {
    /// Nothing but zeros, which cost no memory.
    Zeros,
    /// The bytes as they are.
    Raw(M::Block),
}

/// Why a [`DumpWriter`] takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteError {
    /// No memory is left; what was written before stays.
    NoMemory,
    /// The dump would be longer than [`LENGTH_MAX`], what a note can say.
    TooLong,
}

impl From<NoMemory> for WriteError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// Takes what a collector writes.
pub struct DumpWriter<M: Memory> {
    memory: M,
    name: Name,
    chunks: M::List<Chunk<M>>,
    /// The chunk being filled, [`CHUNK_SIZE`] bytes.
    open: M::Block,
    /// How much of it is filled, in bytes; below [`CHUNK_SIZE`].
    filled: usize,
    length: u64,
}

impl<M: Memory> DumpWriter<M> {
    /// A writer of the dump `name`.
    ///
    /// # Errors
    /// [`NoMemory`] for the first chunk.
    pub fn new(memory: M, name: Name) -> Result<Self, NoMemory> {
        let open = memory.block(CHUNK_SIZE)?;
        let chunks = memory.list();
        Ok(Self { memory, name, chunks, open, filled: 0, length: 0 })
    }

    /// How many bytes were written so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Puts `data` behind what was written before.
    ///
    /// # Errors
    /// [`WriteError`]. The dump may have taken a part of `data`, whole chunks
    /// of it; [`DumpWriter::length`] says how far it reaches.
    pub fn write(&mut self, data: &[u8]) -> Result<(), WriteError> {
        let total = self.length.checked_add(data.len() as u64);
        if total.is_none_or(|total| total > LENGTH_MAX) {
            return Err(WriteError::TooLong);
        }
        let mut rest = data;
        while !rest.is_empty() {
            let space = self.open.get_mut(self.filled..).unwrap_or_default();
            let (now, later) = rest.split_at(rest.len().min(space.len()));
            space.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            self.filled += now.len();
            self.length += now.len() as u64;
            if self.filled == CHUNK_SIZE {
                self.close_chunk()?;
            }
            rest = later;
        }
        Ok(())
    }

    /// Stores the open chunk, and forgets its bytes when there is no memory.
    fn close_chunk(&mut self) -> Result<(), NoMemory> {
        let filled = self.open.get(..self.filled).unwrap_or_default();
        let kept = keep(&self.memory, filled).and_then(|chunk| self.chunks.push(chunk));
        if kept.is_err() {
            self.length = self.length.saturating_sub(self.filled as u64);
        }
        self.filled = 0;
        kept
    }

    /// Ends the dump: what was written is now immutable.
    ///
    /// # Errors
    /// [`NoMemory`] for the last chunk.
    pub fn finish(mut self) -> Result<Dump<M>, NoMemory> {
        if self.filled > 0 {
            self.close_chunk()?;
        }
        Ok(Dump { name: self.name, length: self.length, chunks: self.chunks })
    }
}

fn keep<M: Memory>(memory: &M, bytes: &[u8]) -> Result<Chunk<M>, NoMemory> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(Chunk::Zeros);
    }
    let mut block = memory.block(bytes.len())?;
    block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    Ok(Chunk::Raw(block))
}

/// A finished dump.
pub struct Dump<M: Memory> {
    name: Name,
    length: u64,
    chunks: M::List<Chunk<M>>,
}

impl<M: Memory> Dump<M> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Gives it another name.
    pub(crate) fn rename(&mut self, name: Name) {
        self.name = name;
    }

    /// Length of the payload, in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Puts the dump's note from byte `within` on into `sink`, at most `limit`
    /// bytes: header, payload and padding. Gives how many bytes `sink` took.
    pub(crate) fn read_note<S: Sink>(
        &self,
        endian: Endian,
        within: u64,
        limit: usize,
        sink: &mut S,
    ) -> usize {
        let header_size = device_dump::HEADER_SIZE as u64;
        if within < header_size {
            let Some(header) = device_dump::header(endian, &self.name, self.length) else {
                return 0;
            };
            let rest = header.get(within as usize..).unwrap_or_default();
            return sink.bytes(rest.get(..limit).unwrap_or(rest));
        }
        let offset = within - header_size;
        if offset < self.length {
            return self.read_payload(offset, limit, sink);
        }
        sink.zeros(limit)
    }

    /// Puts what one chunk has from `offset` of the payload on into `sink`.
    fn read_payload<S: Sink>(&self, offset: u64, limit: usize, sink: &mut S) -> usize {
        let index = offset / CHUNK_SIZE as u64;
        let within = (offset % CHUNK_SIZE as u64) as usize;
        let left = usize::try_from(self.length - offset).unwrap_or(usize::MAX);
        let limit = limit.min(left).min(CHUNK_SIZE - within);
        match usize::try_from(index).ok().and_then(|index| self.chunks.get(index)) {
            Some(Chunk::Raw(block)) => {
                let rest = block.get(within..).unwrap_or_default();
                sink.bytes(rest.get(..limit).unwrap_or(rest))
            }
            Some(Chunk::Zeros) => sink.zeros(limit),
            None => 0,
        }
    }
}
