// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The chunk that a reader is in, decompressed once.

use kmem::{Arc, Block, Mutex, NoMemory};

use crate::chunk::CHUNK_SIZE;
use crate::host::{Host, Lock};

/// The decompressed chunk of one open file.
///
/// Reads of 4 KiB one after the other decompress a chunk once instead of eight times.
/// A reader shares the chunk while it copies from it, without the lock: copying to a user
/// may take any time. A second thread that needs another chunk meanwhile gets memory of
/// its own.
pub(crate) struct Cache<H: Host> {
    last: Mutex<Last<H>, H::Lock>,
}

struct Last<H: Host> {
    /// Address and size of what the chunk was decompressed from. That is a block of an
    /// immutable dump, which the owner of this cache keeps alive: no other block can
    /// have the same address.
    from: Option<(usize, usize)>,
    chunk: Arc<Block<H>, H>,
}

impl<H: Host> Cache<H> {
    /// An empty cache, with all memory that one reader needs.
    pub fn new() -> Result<Self, NoMemory> {
        let chunk = Arc::new(Block::new(CHUNK_SIZE)?)?;
        Ok(Self { last: Mutex::new(H::lock(Lock::Cache)?, Last { from: None, chunk }) })
    }

    /// Decompresses `compressed` to the first `length` bytes of a chunk; they are zeros
    /// where it is damaged, which the checksum shows.
    ///
    /// # Errors
    /// [`NoMemory`] when several threads read at once and there is no memory for that.
    pub fn chunk(
        &self,
        compressed: &Block<H>,
        length: usize,
    ) -> Result<Arc<Block<H>, H>, NoMemory> {
        self.last.lock().chunk(compressed, length)
    }
}

impl<H: Host> Last<H> {
    /// As [`Cache::chunk`].
    fn chunk(
        &mut self,
        compressed: &Block<H>,
        length: usize,
    ) -> Result<Arc<Block<H>, H>, NoMemory> {
        let key = (compressed.as_ptr() as usize, compressed.len());
        if self.from != Some(key) {
            if self.chunk.get_mut().is_none() {
                self.chunk = Arc::new(Block::new(CHUNK_SIZE)?)?;
            }
            self.from = None;
            // No other reader has it now, and `length` is at most its size.
            let chunk = self.chunk.get_mut().ok_or(NoMemory)?;
            let to = chunk.get_mut(..length).ok_or(NoMemory)?;
            if !H::decompress(compressed, to) {
                to.fill(0);
            }
            self.from = Some(key);
        }
        Ok(self.chunk.clone())
    }
}
