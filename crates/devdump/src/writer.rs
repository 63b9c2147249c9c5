// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Takes what a collector writes.

use kmem::{Arc, Block, NoMemory, Vec};
use vmcore::bytes::copy;
use vmcore::device_dump::LENGTH_MAX;
use vmcore::manifest::Reason;

use crate::chunk::{CHUNK_SIZE, Chunk, Packed, Packer, Workspace};
use crate::host::Host;
use crate::store::Store;

/// Takes what a collector writes, in pieces of any size.
///
/// Once something did not fit, or came too late, the dump is cut: nothing more is
/// taken, what came before stays.
pub struct DumpWriter<H: Host> {
    store: Arc<Store<H>, H>,
    /// When it takes no more, as the host's clock says it.
    deadline: Option<u64>,
    /// `None` once it is with the store again.
    workspace: Option<Workspace<H>>,
    /// Where chunks are kept; what is left of it.
    segment: Option<Block<H>>,
    chunks: Vec<Chunk<H>, H>,
    /// How much of the open chunk is filled, in bytes; below [`CHUNK_SIZE`].
    filled: usize,
    /// What is kept, in bytes of payload; without the open chunk.
    length: u64,
    stored: u64,
    crc32c: u32,
    cut: Option<Reason>,
}

/// What was written, all of it kept.
pub(crate) struct Written<H: Host> {
    pub chunks: Vec<Chunk<H>, H>,
    pub length: u32,
    pub stored: u32,
    pub crc32c: u32,
    /// Why it is not more.
    pub cut: Option<Reason>,
}

impl<H: Host> DumpWriter<H> {
    pub(crate) fn new(store: &Arc<Store<H>, H>, deadline: Option<u64>) -> Result<Self, NoMemory> {
        let workspace = Some(store.workspace()?);
        Ok(Self {
            store: store.clone(),
            deadline,
            workspace,
            segment: None,
            chunks: Vec::new(),
            filled: 0,
            length: 0,
            stored: 0,
            crc32c: 0,
            cut: None,
        })
    }

    /// How many bytes were taken so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length + self.filled as u64
    }

    /// For how many milliseconds it still takes something; `None` where it has no
    /// deadline.
    #[must_use]
    pub fn time_left(&self) -> Option<u64> {
        let now = H::milliseconds();
        self.deadline.map(|deadline| deadline.saturating_sub(now))
    }

    /// Puts `data` after what was written before. May sleep where memory is
    /// allocated.
    ///
    /// # Errors
    /// The [`Reason`] why the dump is cut, from now on on every call. It may have
    /// taken a part of `data`.
    pub fn write(&mut self, data: &[u8]) -> Result<(), Reason> {
        self.check_length(data.len() as u64);
        let mut rest = data;
        while self.filled == 0
            && let Some((chunk, behind)) = rest.split_at_checked(CHUNK_SIZE)
        {
            self.check()?;
            self.keep_all(chunk);
            rest = behind;
        }
        self.write_with(rest.len() as u64, |to| {
            let (now, later) = rest.split_at_checked(to.len()).unwrap_or((rest, &[]));
            copy(to, now);
            rest = later;
            true
        })
    }

    /// Puts `length` bytes after what was written before; `copy` fills one part
    /// after the other, and says `false` where it cannot.
    ///
    /// # Errors
    /// As [`DumpWriter::write`], and [`Reason::BadAddress`] where `copy` could
    /// not.
    pub fn write_with(
        &mut self,
        length: u64,
        mut copy: impl FnMut(&mut [u8]) -> bool,
    ) -> Result<(), Reason> {
        self.check_length(length);
        let mut left = length;
        while left > 0 {
            let space = self.space(left)?;
            let filled = space.len();
            if !copy(space) {
                self.cut = Some(Reason::BadAddress);
                break;
            }
            self.filled(filled);
            left = left.saturating_sub(filled as u64);
        }
        self.cut.map_or(Ok(()), Err)
    }

    /// Cuts the dump where `length` bytes more are more than it can have.
    fn check_length(&mut self, length: u64) {
        let total = self.length().checked_add(length);
        if self.cut.is_none() && total.is_none_or(|total| total > LENGTH_MAX) {
            self.cut = Some(Reason::TooLong);
        }
    }

    /// Why the dump is cut, if it is by now.
    fn check(&mut self) -> Result<(), Reason> {
        let late = |deadline| H::milliseconds() >= deadline;
        if self.cut.is_none() && self.deadline.is_some_and(late) {
            self.cut = Some(Reason::Deadline);
        }
        self.cut.map_or(Ok(()), Err)
    }

    /// Where the next bytes go, of `left` that are to come: in the open chunk.
    fn space(&mut self, left: u64) -> Result<&mut [u8], Reason> {
        self.check()?;
        let wanted = usize::try_from(left).unwrap_or(usize::MAX);
        let workspace = self.workspace.as_mut().ok_or(Reason::NoMemory)?;
        let space = workspace.open.get_mut(self.filled..).unwrap_or_default();
        let length = wanted.min(space.len());
        Ok(space.get_mut(..length).unwrap_or_default())
    }

    /// Takes `count` bytes, which are in the open chunk now.
    fn filled(&mut self, count: usize) {
        self.filled += count;
        if self.filled >= CHUNK_SIZE {
            self.close_chunk();
        }
    }

    /// Keeps the open chunk; forgets its bytes, and cuts the dump, when there is
    /// no place for them.
    fn close_chunk(&mut self) {
        let filled = core::mem::take(&mut self.filled);
        self.with_workspace(|writer, Workspace { open, packer }| {
            writer.keep(packer, open.get(..filled).unwrap_or_default())
        });
    }

    /// As [`DumpWriter::close_chunk`], of a chunk that is not in the open one.
    fn keep_all(&mut self, chunk: &[u8]) {
        self.with_workspace(|writer, Workspace { packer, .. }| writer.keep(packer, chunk));
    }

    fn with_workspace(
        &mut self,
        keep: impl FnOnce(&mut Self, &mut Workspace<H>) -> Result<(), Reason>,
    ) {
        let mut workspace = self.workspace.take();
        let kept = workspace.as_mut().map_or(Err(Reason::NoMemory), |own| keep(self, own));
        self.workspace = workspace;
        if let Err(reason) = kept {
            self.cut = Some(reason);
        }
    }

    fn keep(&mut self, packer: &mut Packer<H>, bytes: &[u8]) -> Result<(), Reason> {
        let packed = packer.pack(bytes);
        let size = packed.size();
        self.store.reserve(self.stored, size)?;
        let chunk = match packed {
            Packed::Zeros => Ok(Chunk::Zeros),
            Packed::Raw(raw) => place(&self.store, &mut self.segment, raw).map(Chunk::Raw),
            Packed::Compressed(small) => {
                place(&self.store, &mut self.segment, small).map(Chunk::Compressed)
            }
        };
        if chunk.and_then(|chunk| self.chunks.push(chunk)).is_err() {
            self.store.release(size);
            return Err(Reason::NoMemory);
        }
        self.crc32c = H::crc32c(self.crc32c, bytes);
        self.length += bytes.len() as u64;
        self.stored += size;
        Ok(())
    }

    /// Ends the dump: what was written is now immutable.
    pub(crate) fn finish(mut self) -> Written<H> {
        if self.filled > 0 {
            self.close_chunk();
        }
        let mut chunks = core::mem::take(&mut self.chunks);
        chunks.shrink_to_fit();
        Written {
            chunks,
            // At most what a note can say.
            length: u32::try_from(self.length).unwrap_or(u32::MAX),
            stored: u32::try_from(core::mem::take(&mut self.stored)).unwrap_or(u32::MAX),
            crc32c: self.crc32c,
            cut: self.cut,
        }
    }
}

/// Copies `bytes` to `segment`, or to a new one where that has no room.
fn place<H: Host>(
    store: &Store<H>,
    segment: &mut Option<Block<H>>,
    bytes: &[u8],
) -> Result<Block<H>, NoMemory> {
    if segment.as_ref().is_none_or(|segment| segment.len() < bytes.len()) {
        let fresh = store.segment(bytes.len())?;
        if let Some(rest) = segment.replace(fresh) {
            store.give_segment(rest);
        }
    }
    let mut block = segment.as_mut().ok_or(NoMemory)?.split_to(bytes.len());
    copy(&mut block, bytes);
    Ok(block)
}

impl<H: Host> Drop for DumpWriter<H> {
    fn drop(&mut self) {
        // Of a dump that was not finished, nothing is kept.
        self.store.release(self.stored);
        if let Some(workspace) = self.workspace.take() {
            self.store.give_workspace(workspace);
        }
        if let Some(segment) = self.segment.take() {
            self.store.give_segment(segment);
        }
    }
}
