// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Copies that leave holes where there are zeros.

use crate::source::Source;
use crate::{CopyError, Writable};

/// How many bytes are copied at a time.
const BUFFER: usize = 1 << 18;
/// Size of the blocks that become holes where they are all zero, in bytes.
const BLOCK: usize = 1 << 12;

/// Copies `length` bytes from `start` of `source` to `at` of `to`, which has zeros
/// there, or ends before; `progress` is told how many bytes are done.
pub(crate) fn copy(
    source: &Source,
    start: u64,
    length: u64,
    to: &dyn Writable,
    at: u64,
    mut progress: impl FnMut(u64),
) -> Result<(), CopyError> {
    let end = start + length;
    let mut buffer = vec![0; BUFFER.min(usize::try_from(length).unwrap_or(BUFFER))];
    let mut from = start;
    while from < end {
        from = source.next_data(from, end);
        let data_end = source.next_hole(from, end);
        while from < data_end {
            let wanted = (data_end - from).min(buffer.len() as u64) as usize;
            let part = buffer.get_mut(..wanted).unwrap_or_default();
            source.read_whole(from, part, "bytes to copy")?;
            write(to, at + (from - start), part).map_err(CopyError::Write)?;
            from += wanted as u64;
            progress(from - start);
        }
        progress(from - start);
    }
    let there = to.length().map_err(CopyError::Write)?;
    if there < at + length {
        to.set_length(at + length).map_err(CopyError::Write)?;
    }
    Ok(())
}

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
