// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The content of entities: chunks, each of them a header and a zlib stream.

use flate2::{Decompress, FlushDecompress, Status};

use crate::model::Bytes;

/// `sizeof(struct cudbg_compress_hdr)`.
const HEADER: usize = 280;
/// `CUDBG_ZLIB_COMPRESS_ID`.
const CHUNK: u64 = 17;
/// The most that is inflated of one entity: `CUDBG_COMPRESS_BUFF_SIZE`, in which the driver
/// collects all but queue descriptors.
pub(super) const ENTITY_MAX: usize = 4 << 20;
/// The most that is inflated of all, so that entities that share a part of the dump do not
/// take long.
const ALL_MAX: usize = 32 << 20;

/// How much of that a chunk takes at least: the driver's chunks but the last of an entity
/// have about this size, and each takes some time whatever is in it.
const CHUNK_MIN: usize = 1 << 16;

/// Inflates entities.
pub(super) struct Inflate {
    stream: Decompress,
    left: usize,
}

/// Why there is not all of an entity.
pub(super) enum Cut {
    /// More of it is not inflated.
    Limit(String),
    /// A chunk is not what it should be.
    Damage(String),
}

/// What the header of a chunk says.
struct Header {
    inflated: u64,
    stream: usize,
}

impl Header {
    fn read(body: &Bytes<'_>, at: usize) -> Result<Self, String> {
        let place = body.place(at, 0).start;
        let part = at.checked_add(HEADER).and_then(|end| body.part(at..end));
        let read = |at| part.as_ref().and_then(|part| part.little(at, 8));
        let (Some(id), Some(inflated), Some(stream)) = (read(0), read(8), read(16)) else {
            return Err(format!("offset {place:#x}: expected {HEADER} bytes, found fewer"));
        };
        let id = id & 0xffff_ffff;
        if id != CHUNK {
            return Err(format!("offset {place:#x}: expected chunk {CHUNK}, found {id}"));
        }
        Ok(Self { inflated, stream: usize::try_from(stream).unwrap_or(usize::MAX) })
    }
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self { stream: Decompress::new(true), left: ALL_MAX }
    }

    /// What the chunks of `body` contain, `most` bytes of it, and why that is not all, if so.
    pub(super) fn content(&mut self, body: &Bytes<'_>, most: usize) -> (Vec<u8>, Option<Cut>) {
        let mut content = Vec::new();
        let mut at = 0;
        while at < body.length() {
            match self.chunk(body, at, most, &mut content) {
                Ok(next) => at = next,
                Err(why) => return (content, Some(why)),
            }
        }
        (content, None)
    }

    /// Inflates the chunk at `at`, and says where the next one is.
    fn chunk(
        &mut self,
        body: &Bytes<'_>,
        at: usize,
        most: usize,
        content: &mut Vec<u8>,
    ) -> Result<usize, Cut> {
        let header = Header::read(body, at).map_err(Cut::Damage)?;
        let start = at.saturating_add(HEADER);
        let end = start.saturating_add(header.stream).min(body.length());
        let stream = body.part(start..end).map(|part| part.raw()).unwrap_or_default();
        let before = content.len();
        let declared = usize::try_from(header.inflated).unwrap_or(usize::MAX);
        let length = declared.min(self.left).min(most.saturating_sub(before));
        self.left = self.left.saturating_sub(length.max(CHUNK_MIN));
        if length == 0 && declared > 0 {
            return Err(Cut::Limit(format!("more than {before} bytes are not inflated")));
        }
        content.resize(before.saturating_add(length), 0);
        self.stream.reset(true);
        let buffer = content.get_mut(before..).unwrap_or_default();
        let status = self.stream.decompress(stream, buffer, FlushDecompress::Finish);
        let found = usize::try_from(self.stream.total_out()).unwrap_or(usize::MAX).min(length);
        content.truncate(before.saturating_add(found));
        if length < declared {
            return Err(Cut::Limit(format!("more than {} bytes are not inflated", content.len())));
        }
        let place = body.place(at, 0).start;
        if !matches!(status, Ok(Status::StreamEnd)) || found < length {
            return Err(Cut::Damage(format!(
                "offset {place:#x}: expected a zlib stream of {declared} bytes, found {found}"
            )));
        }
        Ok(end)
    }
}

/// How much `body` says that it contains.
pub(super) fn declared(body: &Bytes<'_>) -> String {
    let (mut at, mut inflated) = (0, 0u64);
    while at < body.length() {
        let Ok(header) = Header::read(body, at) else { break };
        inflated = inflated.saturating_add(header.inflated);
        at = at.saturating_add(HEADER).saturating_add(header.stream);
    }
    format!("{inflated} bytes, compressed to {}", body.length())
}
