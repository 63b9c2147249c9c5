// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's LZO with run lengths (LZO-RLE), CRC-32C and clock.

use devdump::{Clock, Codec};
use kmem::NoMemory;

use super::memory::{Block, KernelMemory};
use super::shim;

impl Codec for KernelMemory {
    type Workspace = Block;

    fn workspace() -> Result<Block, NoMemory> {
        Block::new(shim::SHIM_COMPRESS_WORKSPACE as usize)
    }

    fn bound(length: usize) -> usize {
        // SAFETY: a number of any size.
        unsafe { shim::shim_compress_bound(length) }
    }

    fn compress(workspace: &mut Block, from: &[u8], to: &mut [u8]) -> Option<usize> {
        let fits = to.len() >= Self::bound(from.len());
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

    fn decompress(from: &[u8], to: &mut [u8]) -> bool {
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

    fn crc32c(crc: u32, bytes: &[u8]) -> u32 {
        // SAFETY: `bytes` are only read.
        unsafe { shim::shim_crc32c(crc, bytes.as_ptr().cast(), bytes.len()) }
    }
}

impl Clock for KernelMemory {
    fn milliseconds() -> u64 {
        // SAFETY: may be called at any time.
        unsafe { shim::shim_milliseconds() }
    }
}
