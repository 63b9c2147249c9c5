// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a host brings beside memory: a codec and a clock.

use crate::memory::{Memory, NoMemory};

/// How chunks are compressed and checked.
pub trait Codec {
    /// What compressing needs beside its input and output.
    type Workspace;

    /// A workspace, for one thread at a time.
    ///
    /// # Errors
    /// [`NoMemory`].
    fn workspace(&self) -> Result<Self::Workspace, NoMemory>;

    /// How large the output must be that `length` bytes are compressed to, in
    /// bytes, however badly they compress.
    fn bound(&self, length: usize) -> usize;

    /// Compresses `from` into `to`, which has [`Codec::bound`] bytes; gives how
    /// many of them it took, `None` where it could not.
    fn compress(
        &self,
        workspace: &mut Self::Workspace,
        from: &[u8],
        to: &mut [u8],
    ) -> Option<usize>;

    /// Fills `to` with what was compressed to `from`; `false` when that is not
    /// so many bytes, or no such thing.
    fn decompress(&self, from: &[u8], to: &mut [u8]) -> bool;

    /// CRC-32C (Castagnoli) of the bytes whose CRC is `crc`, 0 for none, and of
    /// `bytes` behind them.
    fn crc32c(&self, crc: u32, bytes: &[u8]) -> u32;
}

/// What time it is.
pub trait Clock {
    /// Milliseconds since some moment; never runs backwards.
    fn milliseconds(&self) -> u64;
}

/// All that a host brings.
pub trait Host: Memory + Codec + Clock {}

impl<T: Memory + Codec + Clock> Host for T {}
