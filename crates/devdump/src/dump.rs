// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One collection that has ended: its record, and the payload if there is one.

use kmem::{NoMemory, Vec};
use vmcore::bytes::Endian;
use vmcore::device_dump;
use vmcore::manifest::Record;

use crate::cache::Cache;
use crate::chunk::{CHUNK_SIZE, Chunk};
use crate::host::Host;
use crate::sink::{Sink, part};

/// One collection that has ended.
pub struct Dump<H: Host> {
    record: Record,
    chunks: Vec<Chunk<H>, H>,
}

impl<H: Host> Dump<H> {
    pub(crate) fn new(record: Record, chunks: Vec<Chunk<H>, H>) -> Self {
        Self { record, chunks }
    }

    /// What became of it.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    pub(crate) fn record_mut(&mut self) -> &mut Record {
        &mut self.record
    }

    /// Size of what it takes beside its payload, in bytes.
    pub(crate) fn overhead(&self) -> u64 {
        (size_of::<Self>() + self.chunks.len() * size_of::<Chunk<H>>()) as u64
    }

    /// Puts the dump's note from byte `within` on into `sink`, at most `limit`
    /// bytes: header, payload and padding. Gives how many bytes `sink` took.
    ///
    /// # Errors
    /// [`NoMemory`] when others read at the same time.
    pub(crate) fn read_note<S: Sink>(
        &self,
        endian: Endian,
        within: u64,
        limit: usize,
        cache: &Cache<H>,
        sink: &mut S,
    ) -> Result<usize, NoMemory> {
        let header_size = device_dump::HEADER_SIZE as u64;
        let length = u64::from(self.record.length);
        if within < header_size {
            let name = self.record.name.as_ref();
            let header = name.and_then(|name| device_dump::header(endian, name, length));
            return Ok(header.map_or(0, |header| sink.bytes(part(&header, within, limit))));
        }
        let offset = within - header_size;
        if offset < length {
            return self.read_payload(offset, limit, cache, sink);
        }
        Ok(sink.zeros(limit))
    }

    /// Puts what one chunk has from `offset` of the payload on into `sink`.
    fn read_payload<S: Sink>(
        &self,
        offset: u64,
        limit: usize,
        cache: &Cache<H>,
        sink: &mut S,
    ) -> Result<usize, NoMemory> {
        let index = offset / CHUNK_SIZE as u64;
        let within = offset % CHUNK_SIZE as u64;
        let start = offset - within;
        let left = u64::from(self.record.length).saturating_sub(start);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_SIZE);
        let limit = limit.min(length.saturating_sub(within as usize));
        Ok(match usize::try_from(index).ok().and_then(|index| self.chunks.get(index)) {
            Some(Chunk::Raw(block)) => sink.bytes(part(block, within, limit)),
            Some(Chunk::Zeros) => sink.zeros(limit),
            Some(Chunk::Compressed(block)) => {
                sink.bytes(part(&cache.chunk(block, length)?, within, limit))
            }
            None => 0,
        })
    }
}
