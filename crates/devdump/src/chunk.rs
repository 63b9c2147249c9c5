// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The pieces in which a dump's payload is kept.

use kmem::{Block, NoMemory};

use crate::host::Host;

/// How much of a dump is kept as one piece, in bytes.
///
/// A reader holds one chunk in memory and decompresses all of it even for one byte. By
/// the measurements in `docs/performance.md`, dumps would take no less memory with twice
/// as much, and half as much would be decompressed a fifth slower.
pub const CHUNK_SIZE: usize = 32 * 1024;

/// Compressing must save at least one byte of so many; otherwise the bytes are kept as
/// they are, and need not be decompressed to be read.
const WORTHWHILE: usize = 16;

/// A part of a dump's payload, [`CHUNK_SIZE`] bytes but for the last one.
pub(crate) enum Chunk<H: Host> {
    /// Nothing but zeros, which take no memory.
    Zeros,
    /// The bytes as they are.
    Raw(Block<H>),
    /// The bytes as the codec compressed them.
    Compressed(Block<H>),
}

/// A chunk that is not kept yet, because its size must be taken from the budget first.
pub(crate) enum Packed<'a> {
    Zeros,
    Raw(&'a [u8]),
    Compressed(&'a [u8]),
}

impl Packed<'_> {
    /// How much memory it takes to keep it, in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Zeros => 0,
            Self::Raw(bytes) | Self::Compressed(bytes) => bytes.len() as u64,
        }
    }
}

/// What a writer needs while it writes. The store keeps it for the next writer, which
/// would otherwise allocate and zero 80 KiB, however small its dump is.
pub(crate) struct Workspace<H: Host> {
    /// The chunk being filled, [`CHUNK_SIZE`] bytes.
    pub open: Block<H>,
    pub packer: Packer<H>,
}

/// Compresses the bytes of a chunk.
pub(crate) struct Packer<H: Host> {
    compressed: Block<H>,
    codec: H::Workspace,
}

impl<H: Host> Workspace<H> {
    pub fn new() -> Result<Self, NoMemory> {
        let compressed = Block::new(H::bound(CHUNK_SIZE))?;
        let packer = Packer { compressed, codec: H::workspace()? };
        Ok(Self { open: Block::new(CHUNK_SIZE)?, packer })
    }
}

impl<H: Host> Packer<H> {
    /// Compresses `bytes`, which are at most a chunk, where that is worthwhile.
    pub fn pack<'a>(&'a mut self, bytes: &'a [u8]) -> Packed<'a> {
        if is_zero(bytes) {
            return Packed::Zeros;
        }
        let size = H::compress(&mut self.codec, bytes, &mut self.compressed);
        let compressed = size.and_then(|size| self.compressed.get(..size));
        let saved = (bytes.len() / WORTHWHILE).max(1);
        match compressed.filter(|small| small.len().saturating_add(saved) <= bytes.len()) {
            Some(compressed) => Packed::Compressed(compressed),
            None => Packed::Raw(bytes),
        }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    let (lines, rest) = bytes.as_chunks::<64>();
    lines.iter().all(is_zero_line) && rest.iter().all(|byte| *byte == 0)
}

/// Compares four words at once: every byte of a dump goes through here, and a loop over
/// the words would take longer than the comparisons.
fn is_zero_line(line: &[u8; 64]) -> bool {
    let (words, _) = line.as_chunks::<16>();
    let [a, b, c, d] = words else {
        return false;
    };
    u128::from_ne_bytes(*a)
        | u128::from_ne_bytes(*b)
        | u128::from_ne_bytes(*c)
        | u128::from_ne_bytes(*d)
        == 0
}
