// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Blocks of zeros: found, and left out where they become holes.

use crate::writable::Writable;

/// Size of the blocks that become holes where they are all zero, in bytes.
const BLOCK: usize = 1 << 12;

/// Writes `bytes` at `at`, but for blocks of zeros.
pub(crate) fn write(to: &dyn Writable, at: u64, bytes: &[u8]) -> std::io::Result<()> {
    let mut start = 0;
    let mut written = 0;
    for block in bytes.chunks(BLOCK) {
        let end = start + block.len();
        if is_zero(block) {
            write_range(to, at, bytes, written, start)?;
            written = end;
        }
        start = end;
    }
    write_range(to, at, bytes, written, start)
}

fn write_range(
    to: &dyn Writable,
    at: u64,
    bytes: &[u8],
    start: usize,
    end: usize,
) -> std::io::Result<()> {
    match bytes.get(start..end) {
        Some(part) if !part.is_empty() => to.write_all_at(part, at + start as u64),
        _ => Ok(()),
    }
}

/// Where the first byte stands that is not zero.
pub(crate) fn first_nonzero(bytes: &[u8]) -> Option<usize> {
    let block = bytes.chunks(BLOCK).position(|block| !is_zero(block))?;
    let rest = bytes.get(block * BLOCK..)?;
    Some(block * BLOCK + rest.iter().position(|byte| *byte != 0)?)
}

fn is_zero(block: &[u8]) -> bool {
    // Most blocks end at their first word; of the others the compiler makes wide loads.
    let (words, rest) = block.as_chunks::<16>();
    words.first().is_none_or(|word| *word == [0; 16])
        && words.iter().all(|word| u128::from_ne_bytes(*word) == 0)
        && rest.iter().all(|byte| *byte == 0)
}
