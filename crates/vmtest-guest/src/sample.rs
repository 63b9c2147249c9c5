// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A small core file for the unit tests.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::random::XorShift;

/// Header page, note page, then two segments of memory.
pub const LENGTH: u64 = 0x2000 + 0x3000 + 0x2000;

/// A file that is removed with this value.
pub struct Sample(PathBuf);

impl Sample {
    /// Takes the place of the file at `path`, but not in what has that one open.
    pub fn rename(self, path: &Path) {
        std::fs::rename(&self.0, path).unwrap();
    }
}

impl Deref for Sample {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for Sample {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Writes the sample to a file that only the test `name` uses. With `growth`,
/// a multiple of the page size, everything after the header moves by as much.
pub fn file(name: &str, growth: u64) -> Sample {
    let notes = 0x1000;
    let memory = 0x2000 + growth;
    let mut bytes = vec![0; (LENGTH + growth) as usize];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    put(&mut bytes, 32, &64_u64.to_le_bytes());
    put(&mut bytes, 54, &56_u16.to_le_bytes());
    put(&mut bytes, 56, &3_u16.to_le_bytes());
    segment(&mut bytes, 64, 4, notes, 0, 0x1000);
    segment(&mut bytes, 120, 1, memory, 0x1000_0000, 0x3000);
    segment(&mut bytes, 176, 1, memory + 0x3000, 0x2000_0000, 0x1e00);
    note(&mut bytes, notes as usize, 100);
    note(&mut bytes, notes as usize + 12 + 8 + 100, 7);
    let mut random = XorShift::new(7);
    for byte in &mut bytes[memory as usize..] {
        *byte = random.next() as u8;
    }
    write(name, &bytes)
}

/// Writes device dumps and a manifest of them, as /proc/vmcoredd has them, to a
/// file that only the test `name` uses.
pub fn dumps(name: &str, dumps: &[(&str, Vec<u8>)]) -> Sample {
    let mut records = String::new();
    for (name, payload) in dumps {
        let (length, crc32c) = (payload.len(), crc32c::crc32c(payload));
        records += &format!("NAME={name}\nSTATUS=complete\nIN=vmcore\n");
        records += &format!("LENGTH={length}\nCRC32C={crc32c:08x}\n");
    }
    write(name, &dumps_with(dumps, &records))
}

/// As [`dumps`], with a manifest of other records.
pub fn dumps_with(dumps: &[(&str, Vec<u8>)], records: &str) -> Vec<u8> {
    let mut notes = Vec::new();
    for (name, payload) in dumps {
        let mut desc = name.as_bytes().to_vec();
        desc.resize(44, 0);
        desc.extend(payload);
        add_note(&mut notes, b"LINUX\0", 0x700, &desc);
    }
    let manifest = format!("VERSION=1\n{records}");
    add_note(&mut notes, b"VMCOREDD\0", 0x701, manifest.as_bytes());
    add_note(&mut notes, b"CORE\0", 1, &[3; 336]);
    let mut bytes = vec![0; 0x1000];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    put(&mut bytes, 32, &64_u64.to_le_bytes());
    put(&mut bytes, 54, &56_u16.to_le_bytes());
    put(&mut bytes, 56, &1_u16.to_le_bytes());
    segment(&mut bytes, 64, 4, 0x1000, 0, notes.len() as u64);
    bytes.extend(notes);
    bytes.resize(bytes.len().next_multiple_of(0x1000), 0);
    bytes
}

/// Writes `bytes` to a file that only the test `name` uses.
pub fn write(name: &str, bytes: &[u8]) -> Sample {
    let path = std::env::temp_dir().join(format!("vmtest-guest-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    Sample(path)
}

fn add_note(notes: &mut Vec<u8>, owner: &[u8], note_type: u32, desc: &[u8]) {
    for number in [owner.len() as u32, desc.len() as u32, note_type] {
        notes.extend(number.to_le_bytes());
    }
    for part in [owner, desc] {
        notes.extend(part);
        notes.resize(notes.len().next_multiple_of(4), 0);
    }
}

fn segment(bytes: &mut [u8], at: usize, kind: u32, offset: u64, physical: u64, size: u64) {
    put(bytes, at, &kind.to_le_bytes());
    put(bytes, at + 8, &offset.to_le_bytes());
    put(bytes, at + 24, &physical.to_le_bytes());
    put(bytes, at + 32, &size.to_le_bytes());
    put(bytes, at + 40, &size.to_le_bytes());
}

fn note(bytes: &mut [u8], at: usize, desc_size: u32) {
    put(bytes, at, &6_u32.to_le_bytes());
    put(bytes, at + 4, &desc_size.to_le_bytes());
    put(bytes, at + 8, &0x700_u32.to_le_bytes());
    put(bytes, at + 12, b"LINUX\0");
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}
