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
    pub packer: Packer<H>,
}

/// Makes of bytes what is kept of them.
pub(crate) struct Packer<H: Host> {
    compressed: H::Block,
    codec: H::Workspace,
}

impl<H: Host> Workspace<H> {
    pub fn new(host: &H) -> Result<Self, NoMemory> {
        let compressed = host.block(host.bound(CHUNK_SIZE))?;
        let packer = Packer { compressed, codec: host.workspace()? };
        Ok(Self { open: host.block(CHUNK_SIZE)?, packer })
    }
}

impl<H: Host> Packer<H> {
    /// What is to be kept of `bytes`, which are at most a chunk.
    pub fn pack<'a>(&'a mut self, host: &H, bytes: &'a [u8]) -> Packed<'a> {
        if is_zero(bytes) {
            return Packed::Zeros;
        }
        let size = host.compress(&mut self.codec, bytes, &mut self.compressed);
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

/// Four words at once: a loop over them would take longer than they do.
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
