// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which names are free, without a look at every dump.

use kmem::{Block, NoMemory};

use crate::host::Host;

/// A Bloom filter of the names of all dumps.
///
/// Without it, each new name is compared with all others. With 8,000 of them that takes
/// 200,000 instructions; what else the store does for a small dump takes 6,000, without
/// the codec. The filter recognises some 19 of 20 new names as new; only the rest are
/// compared. A set of the hashes would recognise all of them, but would take 64 KiB where
/// this takes 8, in more code, and its growth could fail.
pub(crate) struct Names<H: Host> {
    /// A bit for each value of half a hash.
    bits: Block<H>,
}

impl<H: Host> Names<H> {
    pub fn new() -> Result<Self, NoMemory> {
        Ok(Self { bits: Block::new((1 << u16::BITS) / 8)? })
    }

    /// Whether a name with `hash` may be there.
    pub fn may_have(&self, hash: u32) -> bool {
        places(hash).all(|(index, bit)| self.bits.get(index).is_none_or(|byte| byte & bit != 0))
    }

    /// Adds a name with `hash`.
    pub fn add(&mut self, hash: u32) {
        for (index, bit) in places(hash) {
            if let Some(byte) = self.bits.get_mut(index) {
                *byte |= bit;
            }
        }
    }
}

/// The byte and the bit in it for each half of `hash`.
fn places(hash: u32) -> impl Iterator<Item = (usize, u8)> {
    [hash as u16, (hash >> 16) as u16]
        .into_iter()
        .map(|half| (usize::from(half / 8), 1 << (half % 8)))
}
