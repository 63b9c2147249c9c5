// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Reading in three ways must give the same bytes, above all around the borders
//! between parts of the file, where an off-by-one would show.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

use crate::elf::{Core, Note, page_size};
use crate::error::{Error, Result};
use crate::mapping::{Mapping, copy_mapped};
use crate::random::XorShift;

/// Distances from a border to where a range starts, in both directions.
const DISTANCES: [u64; 9] = [0, 1, 3, 63, 64, 65, 4095, 4096, 4097];
const LENGTHS: [usize; 5] = [1, 4, 4096, 4097, 70000];

/// Notes whose borders are looked at when there are more than that many.
const NOTES: usize = 64;

/// Random lengths are below a power of two that is itself random, so that most
/// are short; this is the greatest exponent.
const RANDOM_LENGTH_BITS: u64 = 20;

pub fn agree(path: &Path, random_ranges: u64, seed: u64) -> Result<String> {
    let core = Core::open(path)?;
    let end = core.end_of_file()?;
    let borders = borders(&core, end)?;
    let mut reader = Reader::new(&core, end)?;
    let mut count = 0;
    for offset in around(&borders) {
        for length in LENGTHS {
            reader.compare(offset, length)?;
            count += 1;
        }
    }
    let mut random = XorShift::new(seed);
    for _ in 0..random_ranges {
        let bits = random.below(RANDOM_LENGTH_BITS + 1);
        let length = random.below(1 << bits) as usize + 1;
        reader.compare(random.below(end), length)?;
    }
    refuses_to_map_past(&core, end)?;
    Ok(format!(
        "{count} ranges at {} borders, {random_ranges} random ranges with seed {seed}\nagree: ok\n",
        borders.len()
    ))
}

fn borders(core: &Core, end: u64) -> Result<BTreeSet<u64>> {
    let mut borders = BTreeSet::from([0, core.header_end, end]);
    for segment in &core.note_segments {
        borders.insert(segment.offset + segment.file_size);
        for note in spread(&core.notes(segment)?) {
            borders.extend([note.start, note.desc_start, note.desc_end]);
        }
    }
    for load in &core.loads {
        borders.extend([load.offset, load.offset + load.memory_size]);
    }
    Ok(borders)
}

/// All notes, or so many from the first to the last that a check takes no hours.
fn spread(notes: &[Note]) -> impl Iterator<Item = &Note> {
    let last = notes.len().saturating_sub(1);
    let taken = notes.len().min(NOTES);
    (0..taken).map(move |index| &notes[index * last / (taken - 1).max(1)])
}

fn around(borders: &BTreeSet<u64>) -> BTreeSet<u64> {
    let mut offsets = BTreeSet::new();
    for border in borders {
        for distance in DISTANCES {
            offsets.extend(border.checked_sub(distance));
            offsets.insert(border + distance);
        }
    }
    offsets
}

/// Reads a range in each way and compares.
struct Reader<'a> {
    core: &'a Core,
    /// A second open file, so that its position is nobody else's.
    positioned: File,
    end: u64,
    buffers: [Vec<u8>; 3],
    next_is_shared: bool,
}

impl<'a> Reader<'a> {
    fn new(core: &'a Core, end: u64) -> Result<Self> {
        let positioned = File::open(&core.path).map_err(Error::file("open", &core.path, 0))?;
        Ok(Self { core, positioned, end, buffers: Default::default(), next_is_shared: false })
    }

    fn compare(&mut self, offset: u64, length: usize) -> Result<()> {
        let path = &self.core.path;
        let inside = self.end.saturating_sub(offset).min(length as u64) as usize;
        let [read, pread, mapped] = &mut self.buffers;
        for buffer in [&mut *read, &mut *pread] {
            buffer.clear();
            buffer.resize(length, 0);
        }
        self.positioned.seek(SeekFrom::Start(offset)).map_err(Error::file("seek", path, offset))?;
        let count = fill(read, |rest, _| self.positioned.read(rest))
            .map_err(Error::file("read", path, offset))?;
        read.truncate(count);
        let count = fill(pread, |rest, done| self.core.file.read_at(rest, offset + done as u64))
            .map_err(Error::file("pread", path, offset))?;
        pread.truncate(count);
        mapped.clear();
        mapped.resize(inside, 0);
        self.next_is_shared = !self.next_is_shared;
        copy_mapped(&self.core.file, offset, mapped, self.next_is_shared)
            .map_err(Error::file("mmap", path, offset))?;

        let [read, pread, mapped] = &self.buffers;
        for (way, bytes) in [("lseek and read", read), ("pread", pread)] {
            if bytes != mapped {
                return Err(Error::Disagree {
                    path: path.clone(),
                    way,
                    offset,
                    length,
                    difference: difference(offset, bytes, mapped),
                });
            }
        }
        Ok(())
    }
}

/// Reads until the buffer is full or nothing comes any more.
fn fill(
    buffer: &mut [u8],
    mut read: impl FnMut(&mut [u8], usize) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match read(&mut buffer[done..], done)? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}

fn difference(offset: u64, bytes: &[u8], mapped: &[u8]) -> String {
    if bytes.len() != mapped.len() {
        let (got, expected) = (bytes.len(), mapped.len());
        return format!("gives {got} bytes where the file has {expected}");
    }
    let at = bytes.iter().zip(mapped).take_while(|(a, b)| a == b).count();
    format!(
        "has {:#04x} at {:#x} where the mapping has {:#04x}",
        bytes[at],
        offset + at as u64,
        mapped[at]
    )
}

/// Only a file in /proc is held to this: an ordinary one may be mapped past its end.
fn refuses_to_map_past(core: &Core, end: u64) -> Result<()> {
    let filesystem = fstatfs(&core.file).map_err(Error::file("statfs", &core.path, 0))?;
    if filesystem.f_type != PROC_SUPER_MAGIC {
        return Ok(());
    }
    let after = end.next_multiple_of(page_size());
    let page = page_size() as usize;
    let windows = [(after, page), (after - page_size(), 2 * page), (after + page_size(), page)];
    for (offset, length) in windows {
        for sharing in [MapFlags::PRIVATE, MapFlags::SHARED] {
            let mapping = Mapping::new(&core.file, offset, length, ProtFlags::READ, sharing);
            let difference = match mapping {
                Err(Errno::INVAL) => continue,
                Err(error) => format!("past the end fails with {error}, not EINVAL"),
                Ok(_) => "past the end is granted".to_owned(),
            };
            return Err(Error::Disagree {
                path: core.path.clone(),
                way: "mmap",
                offset,
                length,
                difference,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn an_ordinary_file_agrees() {
        let path = sample::file("agree", 0);
        let lines = agree(&path, 300, 42).unwrap();
        assert!(lines.contains(" 11 borders, 300 random"), "{lines}");
        assert!(lines.ends_with("\nagree: ok\n"), "{lines}");
    }

    #[test]
    fn differences_are_named() {
        assert_eq!(
            difference(0x1000, &[1, 2, 3], &[1, 9, 3]),
            "has 0x02 at 0x1001 where the mapping has 0x09"
        );
        assert_eq!(difference(0, &[1], &[1, 2]), "gives 1 bytes where the file has 2");
    }

    #[test]
    fn spread_keeps_the_first_and_the_last() {
        let note = |start| Note {
            owner: Vec::new(),
            note_type: 0,
            start,
            desc_start: start,
            desc_end: start,
        };
        let notes: Vec<Note> = (0..1000).map(note).collect();
        let starts =
            |count: usize| -> Vec<u64> { spread(&notes[..count]).map(|note| note.start).collect() };
        assert_eq!(starts(0), []);
        assert_eq!(starts(1), [0]);
        assert_eq!(starts(3), [0, 1, 2]);
        let many = starts(1000);
        assert_eq!((many.len(), many[0], many[63]), (64, 0, 999));
    }
}
