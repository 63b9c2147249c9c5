// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What cxgb4 collects of an adapter, as its `cudbg_lib_common.h`, `cudbg_zlib.h` and
//! `cxgb4_cudbg.c` lay it out.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::records::Raw;

/// How many slots the driver's table has.
const SLOTS: usize = 72;
/// How much the driver compresses at once.
const CHUNK: usize = 63 << 10;

/// A collection.
#[derive(Debug, Clone)]
pub struct Collection {
    raw: Vec<u8>,
    compressed: bool,
}

impl Collection {
    /// One of the chip with this version (generation in the upper, revision in the lower
    /// half), without entities.
    #[must_use]
    pub fn new(chip: u8, compressed: bool) -> Self {
        let raw = Raw::new(56 + 52 * SLOTS)
            .at(0, 4, 67_856_866)
            .at(4, 4, 56)
            .at(8, 2, 1)
            .at(10, 2, 14)
            .at(20, 2, SLOTS as u128)
            .at(22, 1, chip.into())
            .at(23, 1, if compressed { 0x21 } else { 0x11 });
        Self { raw: raw.into_bytes(), compressed }
    }

    fn slot(mut self, number: u32, fields: &[(usize, u32)]) -> Self {
        let at = 56 + 52 * (number as usize - 1);
        for (offset, value) in [&[(0, number)], fields].concat() {
            self.raw[at + offset..][..4].copy_from_slice(&value.to_le_bytes());
        }
        self
    }

    /// The same with the entity `number`.
    ///
    /// # Panics
    /// If the table has no slot for it.
    #[must_use]
    pub fn entity(mut self, number: u32, content: &[u8]) -> Self {
        let start = self.raw.len();
        if self.compressed {
            for chunk in content.chunks(CHUNK) {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(chunk).expect("memory takes it");
                let stream = encoder.finish().expect("memory takes it");
                let header = Raw::new(280).at(0, 4, 17).at(8, 8, chunk.len() as u128).at(
                    16,
                    8,
                    stream.len() as u128,
                );
                self.raw.extend(header.into_bytes());
                self.raw.extend(stream);
            }
        } else {
            self.raw.extend(content);
        }
        let padding = (self.raw.len() - start).next_multiple_of(4) - (self.raw.len() - start);
        self.raw.resize(self.raw.len() + padding, 0);
        let size = (self.raw.len() - start) as u32;
        self.slot(number, &[(4, start as u32), (8, size), (24, padding as u32)])
    }

    /// The same with the entity `number`, which the driver could not collect: `hdr_flags`
    /// and `sys_err`.
    #[must_use]
    pub fn failed(self, number: u32, flags: i32, system: i32) -> Self {
        let start = self.raw.len() as u32;
        let fields = [(4, start), (12, flags.cast_unsigned()), (20, system.cast_unsigned())];
        self.slot(number, &fields)
    }

    /// The same with the entity `number`, in which the driver was when it crashed.
    #[must_use]
    pub fn begun(self, number: u32) -> Self {
        let start = self.raw.len() as u32;
        self.slot(number, &[(4, start)])
    }

    /// The bytes, in a buffer of at least `length` bytes, of a driver that came to its end.
    #[must_use]
    pub fn finished(mut self, length: usize) -> Vec<u8> {
        let end = self.raw.len() as u32;
        self.raw[12..16].copy_from_slice(&end.to_le_bytes());
        self.crashed(length)
    }

    /// The same, of a driver that crashed.
    #[must_use]
    pub fn crashed(mut self, length: usize) -> Vec<u8> {
        self.raw.resize(self.raw.len().max(length), 0);
        self.raw
    }
}

/// `REG_DUMP`, with these registers.
#[must_use]
pub fn registers(values: &[(usize, u32)]) -> Vec<u8> {
    let raw = Raw::new(332 << 10);
    values.iter().fold(raw, |raw, (at, value)| raw.at(*at, 4, u128::from(*value))).into_bytes()
}

/// An entry of `DEV_LOG` (`struct fw_devlog_e`).
#[must_use]
pub fn log_entry(number: u32, level: u8, facility: u8, format: &str, values: &[u32]) -> Vec<u8> {
    let mut entry = vec![0; 256];
    entry[..8].copy_from_slice(&(1000 + u64::from(number) * 7).to_be_bytes());
    entry[8..12].copy_from_slice(&number.to_be_bytes());
    entry[14..16].copy_from_slice(&[level, facility]);
    entry[16..][..format.len()].copy_from_slice(format.as_bytes());
    for (index, value) in values.iter().enumerate() {
        entry[208 + index * 4..][..4].copy_from_slice(&value.to_be_bytes());
    }
    entry
}

/// An entry of `MBOX_LOG` (`struct cudbg_mbox_log`): the command's words of 64 bits, and how
/// long it took, or its error.
#[must_use]
pub fn command(number: u32, words: [u64; 8], execute: i16) -> Vec<u8> {
    let mut raw = Raw::new(144)
        .at(64, 8, u128::from(4_294_900_000 + u64::from(number)))
        .at(72, 4, number.into())
        .at(76, 2, 1)
        .at(78, 2, execute.cast_unsigned().into());
    for (index, word) in words.into_iter().enumerate() {
        raw = raw.at(index * 8, 8, word.into()).at(80 + index * 4, 4, (word >> 32).into()).at(
            112 + index * 4,
            4,
            (word & 0xffff_ffff).into(),
        );
    }
    raw.into_bytes()
}
