// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Hashes of the memory of each PT_LOAD.
//!
//! The lines say nothing about offsets in the file, so that they stay the same
//! when the notes before the memory grow.

use std::fmt::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use crate::elf::{Core, Segment, page_down, page_size};
use crate::error::{Error, Result};

const BUFFER: usize = 1 << 20;

pub fn digest(path: &Path) -> Result<String> {
    of(&Core::open(path)?)
}

/// The lines for a file that is open.
pub fn of(core: &Core) -> Result<String> {
    let mut buffer = vec![0; BUFFER];
    let mut lines = String::new();
    for load in &core.loads {
        let (length, hash) = hash_pages(core, load, &mut buffer)?;
        let address = load.physical_address;
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{address:#018x} {length:#x} {hash:032x}");
    }
    Ok(lines)
}

fn hash_pages(core: &Core, load: &Segment, buffer: &mut [u8]) -> Result<(u64, u128)> {
    let start = page_down(load.offset);
    let end = (load.offset + load.memory_size).next_multiple_of(page_size());
    let mut hash = Xxh3::new();
    let mut offset = start;
    while offset < end {
        let wanted = (end - offset).min(BUFFER as u64) as usize;
        let read = core.file.read_at(&mut buffer[..wanted], offset);
        let read = read.map_err(Error::file("read", &core.path, offset))?;
        if read == 0 {
            return Err(Error::Short {
                path: core.path.clone(),
                offset: start,
                length: end - start,
                end: offset,
            });
        }
        hash.update(&buffer[..read]);
        offset += read as u64;
    }
    Ok((end - start, hash.digest128()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use xxhash_rust::xxh3::xxh3_128;

    #[test]
    fn hashes_whole_pages() {
        let path = sample::file("digest-pages", 0);
        let bytes = std::fs::read(&path).unwrap();
        let expected = format!(
            "0x0000000010000000 0x3000 {:032x}\n0x0000000020000000 0x2000 {:032x}\n",
            xxh3_128(&bytes[0x2000..0x5000]),
            xxh3_128(&bytes[0x5000..0x7000]),
        );
        assert_eq!(digest(&path).unwrap(), expected);
    }

    #[test]
    fn stays_when_the_notes_grow() {
        let before = digest(&sample::file("digest-before", 0)).unwrap();
        let after = digest(&sample::file("digest-after", 0x5000)).unwrap();
        assert_eq!(before, after);
    }

    #[test]
    fn a_cut_file_is_an_error() {
        let path = sample::file("digest-cut", 0);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..0x6100]).unwrap();
        let error = digest(&path).unwrap_err().to_string();
        assert!(error.contains("ends at 0x6100"), "{error}");
    }
}
