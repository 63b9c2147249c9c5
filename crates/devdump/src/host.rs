// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a host brings: memory and locks, a codec and a clock.

use kmem::{Allocator, NoMemory, RawLock};

/// How chunks are compressed and checked.
pub trait Codec {
    /// What compressing needs beside its input and output.
    type Workspace;

    /// A workspace, for one thread at a time.
    ///
    /// # Errors
    /// [`NoMemory`].
    fn workspace() -> Result<Self::Workspace, NoMemory>;

    /// How large the output must be that `length` bytes are compressed to, in
    /// bytes, however badly they compress.
    fn bound(length: usize) -> usize;

    /// Compresses `from` into `to`, which has [`Codec::bound`] bytes; gives how
    /// many of them it took, `None` where it could not.
    fn compress(workspace: &mut Self::Workspace, from: &[u8], to: &mut [u8]) -> Option<usize>;

    /// Fills `to` with what was compressed to `from`; `false` when that is not
    /// so many bytes, or no such thing.
    fn decompress(from: &[u8], to: &mut [u8]) -> bool;

    /// CRC-32C (Castagnoli) of the bytes whose CRC is `crc`, 0 for none, and of
    /// `bytes` after them.
    fn crc32c(crc: u32, bytes: &[u8]) -> u32;
}

/// What time it is.
pub trait Clock {
    /// Milliseconds since some moment; never runs backwards.
    fn milliseconds() -> u64;
}

/// Which lock it is: one may be taken while an earlier one is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// The writer of one collector.
    Writer,
    /// The store.
    Store,
    /// The decompressed chunk of one open file.
    Cache,
}

/// All that a host brings. It is a type without state, as its allocator is: in the
/// kernel there is one of each, and a test has one for each of its threads.
pub trait Host: Allocator + Codec + Clock {
    /// What lets one thread at a time to a value.
    type Lock: RawLock;

    /// A lock that nobody holds.
    ///
    /// # Errors
    /// [`NoMemory`].
    fn lock(which: Lock) -> Result<Self::Lock, NoMemory>;

    /// Whether `bytes` more can be taken for dumps, with enough left for whoever
    /// saves the vmcore.
    fn affords(bytes: u64) -> bool;
}
