// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Copies a part of a dump to a file, with holes where there are zeros.

use crate::error::CopyError;
use crate::source::Source;
use crate::sparse;
use crate::writable::Writable;

/// How many bytes are copied at a time.
const BUFFER: usize = 1 << 18;

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
            sparse::write(to, at + (from - start), part).map_err(CopyError::Write)?;
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
