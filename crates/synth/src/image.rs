// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A made file, not yet written anywhere.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::encode::Encoder;
use crate::{Class, Content, Endian};

/// Bytes generated at a time where a large piece is written to disk.
const CHUNK: usize = 1 << 20;

/// A made file: pieces one after the other, and damage on top.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// Where each piece starts; later ones cover earlier ones.
    pieces: Vec<(u64, Content)>,
    length: u64,
}

impl Image {
    pub(crate) fn push(&mut self, content: Content) {
        let start = self.length;
        self.length += content.length();
        self.pieces.push((start, content));
    }

    /// Size of the file, in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Damage: the file ends before byte `length`.
    #[must_use]
    pub fn truncated(mut self, length: u64) -> Self {
        self.length = self.length.min(length);
        self
    }

    /// Damage: `bytes` stand at `offset`, whatever belongs there.
    ///
    /// # Panics
    /// When they would end after the file.
    #[must_use]
    pub fn overwritten(mut self, offset: u64, bytes: &[u8]) -> Self {
        assert!(offset + bytes.len() as u64 <= self.length, "after the end");
        self.pieces.push((offset, bytes.to_vec().into()));
        self
    }

    /// As a flattened stream (`makedumpfile -F`), in records of `record` bytes at most.
    ///
    /// As makedumpfile does it, the start is written twice: first as zeros, and at the
    /// end as it is. What is on top of the rest (damage) is in it.
    #[must_use]
    pub fn flattened(&self, record: usize) -> Self {
        let file = self.to_vec();
        let mut stream = Self::default();
        let mut start = Encoder::new(Class::Elf64, Endian::Big);
        start.raw(b"makedumpfile").zeros_to(16).wide(1).wide(1).zeros_to(4096);
        stream.push(start.bytes.into());
        let mut put = |offset: u64, data: &[u8]| {
            let mut header = Encoder::new(Class::Elf64, Endian::Big);
            header.wide(offset).wide(data.len() as u64).raw(data);
            stream.push(header.bytes.into());
        };
        let first = record.min(file.len());
        put(0, &vec![0; first]);
        for (index, data) in file[first..].chunks(record).enumerate() {
            put((first + index * record) as u64, data);
        }
        // In two parts, which are not those in which it was zero.
        let (one, other) = file[..first].split_at(first / 3);
        put(one.len() as u64, other);
        if !one.is_empty() {
            put(0, one);
        }
        let mut end = Encoder::new(Class::Elf64, Endian::Big);
        end.wide(u64::MAX).wide(u64::MAX);
        stream.push(end.bytes.into());
        stream
    }

    /// The whole file in memory.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut file = vec![0; self.length as usize];
        for (start, content) in &self.pieces {
            let start = (*start).min(self.length) as usize;
            let end = (start as u64 + content.length()).min(self.length) as usize;
            content.read(0, &mut file[start..end]);
        }
        file
    }

    /// Writes the file to `path`, with holes where there are [`Content::Zeros`].
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let file = File::create(path)?;
        let mut buffer = vec![0; CHUNK];
        for (start, content) in &self.pieces {
            if matches!(content, Content::Zeros(_)) {
                continue;
            }
            let length = content.length().min(self.length.saturating_sub(*start));
            let mut done = 0;
            while done < length {
                let part = (length - done).min(CHUNK as u64) as usize;
                content.read(done, &mut buffer[..part]);
                file.write_all_at(&buffer[..part], start + done)?;
                done += part as u64;
            }
        }
        file.set_len(self.length)
    }
}
