// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A host of the store for tests: the allocator of kmem's tests, LZ4 and CRC-32C of
//! other crates, and a clock that moves when a test says so. Each thread has its own.

use std::cell::Cell;

use devdump::{Clock, Codec, Host, Lock, OldMemory, Sink};
use kmem::{Block, NoMemory};

#[allow(dead_code, reason = "kmem's tests use all of it")]
#[path = "../../../kmem/tests/host/mod.rs"]
mod memory;

pub use memory::Limited;

thread_local! {
    static AFFORDS: Cell<bool> = const { Cell::new(true) };
    static MILLISECONDS: Cell<u64> = const { Cell::new(0) };
    /// How many blocks were decompressed.
    static DECOMPRESSED: Cell<u64> = const { Cell::new(0) };
}

impl Limited {
    /// The host of this thread as it is at first, with memory for anything.
    pub fn unlimited() -> Self {
        AFFORDS.set(true);
        MILLISECONDS.set(0);
        DECOMPRESSED.set(0);
        Self::start()
    }

    /// What [`Host::affords`] says from now on.
    pub fn set_affords(&self, affords: bool) {
        AFFORDS.set(affords);
    }

    pub fn advance(&self, milliseconds: u64) {
        MILLISECONDS.set(MILLISECONDS.get() + milliseconds);
    }

    /// How many blocks were decompressed.
    pub fn decompressed(&self) -> u64 {
        DECOMPRESSED.get()
    }
}

impl Codec for Limited {
    type Workspace = Block<Self>;

    fn workspace() -> Result<Block<Self>, NoMemory> {
        Block::new(16 * 1024)
    }

    fn bound(length: usize) -> usize {
        lz4_flex::block::get_maximum_output_size(length)
    }

    fn compress(_workspace: &mut Block<Self>, from: &[u8], to: &mut [u8]) -> Option<usize> {
        lz4_flex::block::compress_into(from, to).ok()
    }

    fn decompress(from: &[u8], to: &mut [u8]) -> bool {
        DECOMPRESSED.set(DECOMPRESSED.get() + 1);
        lz4_flex::block::decompress_into(from, to).is_ok_and(|length| length == to.len())
    }

    fn crc32c(crc: u32, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc, bytes)
    }
}

impl Clock for Limited {
    fn milliseconds() -> u64 {
        MILLISECONDS.get()
    }
}

impl Host for Limited {
    type Lock = memory::Lock;

    fn lock(_which: Lock) -> Result<memory::Lock, NoMemory> {
        memory::Lock::new()
    }

    fn affords(_bytes: u64) -> bool {
        AFFORDS.get()
    }
}

/// Old memory whose byte at an address can be told from the address.
pub struct Pattern;

impl Pattern {
    pub fn byte(physical: u64) -> u8 {
        (physical ^ (physical >> 8) ^ (physical >> 16)) as u8
    }
}

impl<S: Sink> OldMemory<S> for Pattern {
    type Error = NoMemory;

    fn read(&self, physical: u64, length: usize, sink: &mut S) -> Result<usize, NoMemory> {
        let bytes: Vec<u8> = (physical..physical + length as u64).map(Self::byte).collect();
        Ok(sink.bytes(&bytes))
    }
}
