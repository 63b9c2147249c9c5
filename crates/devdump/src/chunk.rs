// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The pieces in which a dump's payload is kept.

use crate::host::Host;
use crate::memory::NoMemory;

/// How much of a dump is kept as one piece, in bytes.
pub const CHUNK_SIZE: usize = 32 * 1024;

/// Compressing must save this part of a chunk, else its bytes are kept as they
/// are: reading them costs nothing then.
const WORTHWHILE: usize = 16;

/// A part of a dump's payload, [`CHUNK_SIZE`] bytes but for the last one.
pub(crate) enum Chunk<H: Host> {
    /// Nothing but zeros, which cost no memory.
    Zeros,
    /// The bytes as they are.
    Raw(H::Block),
    /// What the codec made of them.
    Compressed(H::Block),
}

/// A chunk that is not kept yet.
pub(crate) enum Packed<'a> {
    Zeros,
    Raw(&'a [u8]),
    Compressed(&'a [u8]),
}

impl Packed<'_> {
    /// How much is to be kept, in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Zeros => 0,
            Self::Raw(bytes) | Self::Compressed(bytes) => bytes.len() as u64,
        }
    }
}

/// What a writer needs while it writes; used again by the next one.
pub(crate) struct Workspace<H: Host> {
    /// The chunk being filled, [`CHUNK_SIZE`] bytes.
    pub open: H::Block,
    compressed: H::Block,
    codec: H::Workspace,
}

impl<H: Host> Workspace<H> {
    pub fn new(host: &H) -> Result<Self, NoMemory> {
        Ok(Self {
            open: host.block(CHUNK_SIZE)?,
            compressed: host.block(host.bound(CHUNK_SIZE))?,
            codec: host.workspace()?,
        })
    }

    /// What is to be kept of the first `filled` bytes of the open chunk.
    pub fn pack(&mut self, host: &H, filled: usize) -> Packed<'_> {
        let bytes = self.open.get(..filled).unwrap_or_default();
        if is_zero(bytes) {
            return Packed::Zeros;
        }
        let size = host.compress(&mut self.codec, bytes, &mut self.compressed);
        let compressed = size.and_then(|size| self.compressed.get(..size));
        let saved = (filled / WORTHWHILE).max(1);
        match compressed.filter(|small| small.len().saturating_add(saved) <= filled) {
            Some(compressed) => Packed::Compressed(compressed),
            None => Packed::Raw(bytes),
        }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}
