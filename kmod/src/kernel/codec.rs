// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's LZO with run lengths (LZO-RLE), CRC-32C and clock.

use devdump::{Clock, Codec, Memory, NoMemory};

use super::memory::{Block, KernelMemory};
use super::shim;

impl Codec for KernelMemory {
    type Workspace = Block;

    fn workspace(&self) -> Result<Block, NoMemory> {
        self.block(shim::SHIM_COMPRESS_WORKSPACE as usize)
    }

    fn bound(&self, length: usize) -> usize {
        // SAFETY: a number of any size.
        unsafe { shim::shim_compress_bound(length) }
    }

    fn compress(&self, workspace: &mut Block, from: &[u8], to: &mut [u8]) -> Option<usize> {
        let fits = to.len() >= self.bound(from.len());
        if !fits || workspace.len() < shim::SHIM_COMPRESS_WORKSPACE as usize {
            return None;
        }
        // SAFETY: the workspace and the output are as large as they must be.
        let size = unsafe {
            shim::shim_compress(
                workspace.as_mut_ptr().cast(),
                from.as_ptr().cast(),
                from.len(),
                to.as_mut_ptr().cast(),
            )
        };
        (size > 0).then_some(size)
    }

    fn decompress(&self, from: &[u8], to: &mut [u8]) -> bool {
        // SAFETY: LZO's safe decompressor stays within both.
        unsafe {
            shim::shim_decompress(
                from.as_ptr().cast(),
                from.len(),
                to.as_mut_ptr().cast(),
                to.len(),
            )
        }
    }

    fn crc32c(&self, crc: u32, bytes: &[u8]) -> u32 {
        // SAFETY: `bytes` are only read.
        unsafe { shim::shim_crc32c(crc, bytes.as_ptr().cast(), bytes.len()) }
    }
}

impl Clock for KernelMemory {
    fn milliseconds(&self) -> u64 {
        // SAFETY: may be called at any time.
        unsafe { shim::shim_milliseconds() }
    }
}
