// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Memory of the dead kernel by its physical address.

use std::fmt::Write;
use std::path::Path;

use crate::elf::Core;
use crate::error::Result;

/// Prints `length` bytes of memory at a physical address, in lines of 64 bytes as
/// hexadecimal digits.
pub fn physical(path: &Path, address: u64, length: u64) -> Result<String> {
    let core = Core::open(path)?;
    let load = core.loads.iter().find_map(|load| {
        let skipped = address.checked_sub(load.physical_address)?;
        let end = skipped.checked_add(length)?;
        (end <= load.file_size).then_some(load.offset + skipped)
    });
    let offset = load.ok_or_else(|| {
        core.wrong(
            0,
            format!("no memory of {length:#x} bytes at the physical address {address:#x}"),
        )
    })?;
    let mut bytes = vec![0; length as usize];
    core.read_exact(offset, &mut bytes)?;
    let mut lines = String::new();
    for line in bytes.chunks(64) {
        for byte in line {
            // A string takes all.
            let _ = write!(lines, "{byte:02x}");
        }
        lines.push('\n');
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_is_in_no_segment_is_an_error() {
        let path = sample::dumps("physical", &[("a", vec![1; 5000])]);
        let error = physical(&path, 0xffff_ffff_ffff_fff0, 0x20).unwrap_err().to_string();
        assert!(error.contains("at the physical address 0xfffffffffffffff0"), "{error}");
    }
}
