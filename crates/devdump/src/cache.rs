// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The chunk that a reader is in, decompressed once.

use crate::chunk::CHUNK_SIZE;
use crate::host::Host;
use crate::memory::{Lock, Mutex as _, NoMemory, Shared as _};

/// The decompressed chunk of one open file.
///
/// Reads of 4 KiB one after the other decompress a chunk once instead of eight times.
/// A reader shares the chunk while it copies from it, without the lock: copying to a user
/// may take any time. A second thread that needs another chunk meanwhile gets memory of
/// its own.
pub(crate) struct Cache<H: Host> {
    host: H,
    last: H::Mutex<Last<H>>,
}

struct Last<H: Host> {
    /// Address and size of what the chunk was decompressed from. That is a block of an
    /// immutable dump, which the owner of this cache keeps alive: no other block can
    /// have the same address.
    from: Option<(usize, usize)>,
    chunk: H::Shared<H::Block>,
}

impl<H: Host> Cache<H> {
    /// An empty cache, with all memory that one reader needs.
    pub fn new(host: &H) -> Result<Self, NoMemory> {
        let chunk = host.share(host.block(CHUNK_SIZE)?)?;
        Ok(Self { host: host.clone(), last: host.mutex(Lock::Cache, Last { from: None, chunk })? })
    }

    /// Decompresses `compressed` to the first `length` bytes of a chunk; they are zeros
    /// where it is damaged, which the checksum shows.
    ///
    /// # Errors
    /// [`NoMemory`] when several threads read at once and there is no memory for that.
    pub fn chunk(
        &self,
        compressed: &H::Block,
        length: usize,
    ) -> Result<H::Shared<H::Block>, NoMemory> {
        let key = (compressed.as_ptr() as usize, compressed.len());
        self.last.with(|last| {
            if last.from == Some(key) {
                return Ok(last.chunk.clone());
            }
            if last.chunk.unique().is_none() {
                last.chunk = self.host.share(self.host.block(CHUNK_SIZE)?)?;
            }
            last.from = None;
            // No other reader has it now, and `length` is at most its size.
            let chunk = last.chunk.unique().ok_or(NoMemory)?;
            let to = chunk.get_mut(..length).ok_or(NoMemory)?;
            if !self.host.decompress(compressed, to) {
                to.fill(0);
            }
            last.from = Some(key);
            Ok(last.chunk.clone())
        })
    }
}
