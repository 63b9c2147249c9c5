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

/// `chip_ver` of the first Terminator 5.
pub const T5: u8 = 0x50;
/// `chip_ver` of the second Terminator 6.
pub const T6: u8 = 0x61;

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

/// A dump with each entity that is decoded.
#[must_use]
pub fn adapter(compressed: bool) -> Vec<u8> {
    entities()
        .into_iter()
        .fold(Collection::new(T6, compressed), |collection, (number, content)| {
            collection.entity(number, &content)
        })
        .failed(3, -29, -110)
        .failed(19, -24, 0)
        .finished(0)
}

/// The same with few registers, for tests that decode it often.
#[must_use]
pub fn small(compressed: bool) -> Vec<u8> {
    entities()
        .into_iter()
        .fold(Collection::new(T6, compressed), |collection, (number, mut content)| {
            content.truncate(0x1100);
            collection.entity(number, &content)
        })
        .failed(3, -29, -110)
        .finished(0)
}

/// The entities of [`adapter`].
#[must_use]
pub fn entities() -> Vec<(u32, Vec<u8>)> {
    let log = [
        log_entry(12, 4, 0x18, "port %u link up, speed %uGbps\n", &[1, 25]),
        vec![0; 256],
        log_entry(10, 2, 8, "uncorrectable error in bank %u, syndrome 0x%08x\n", &[3, 0xbeef]),
        log_entry(11, 1, 0, "watchdog\n", &[]),
    ]
    .concat();
    let commands = [
        command(1, [0x0480_0000_0000_0002, 1, 0, 0, 0, 0, 0, 0], 2),
        command(2, [0x0880_0000_0000_1602, 0, 0, 0, 0, 0, 0, 0], 3),
        command(3, [0x1380_0000_0000_0002, 0, 0, 0, 0, 0, 0, 0], -110),
        vec![0; 144],
    ]
    .concat();
    let registers = registers(&[
        (0x1008, 0x8000_1401),
        (0x1024, 1 << 22),
        (0x306c, 0x1_0004),
        (0x30b8, 0xc500_b000),
        (0x1_940c, 0x10),
        (0x1_e28c, 0xffff_ffff),
        (0x5_2ffc, 7),
    ]);
    let mut all = vec![(1, registers), (2, log), (66, commands), (6, (0..=255).collect())];
    all.extend(structures().into_iter().map(|(number, raw)| (number, raw.into_bytes())));
    // The driver collects memory after all else.
    all.push((18, vec![7; 100_000]));
    all
}

/// Those that are structures, each value at its offset in the driver's.
fn structures() -> Vec<(u32, Raw)> {
    let versioned = |length| Raw::new(length).at(0, 4, 0xcced_b001).at(4, 2, 1);
    let group = |raw: Raw, at, data, first, count| {
        raw.at(at, 4, data - 4).at(at + 4, 4, data).at(at + 8, 4, first).at(at + 12, 4, count)
    };
    vec![
        // The inbound queue ULP, and the outbound one to the SGE.
        (
            5,
            Raw::new(360)
                .at(2 + 2 * 2, 2, 0x800)
                .at(30 + 2 * 2, 2, 0x400)
                .at(58 + 2 * 2, 2, 0x80)
                .at(136 + 16 * 2, 4, 0xffff_f123)
                .at(136 + 16 * 2 + 4, 4, 0x124)
                .at(136 + 16 * 2 + 8, 4, 0x10)
                .at(136 + 16 * 2 + 12, 4, 0x0003_0002)
                .at(2 + 2 * 10, 2, 0x1c00)
                .at(72 + 8 * 4, 4, 0x1c40)
                .at(136 + 16 * 10, 4, 0x1c20),
        ),
        (22, Raw::new(4096).at(2 * 17, 2, 0x123)),
        (25, Raw::new(16).at(12, 4, 0xabcd)),
        (27, Raw::new(32).at(2, 2, 1500)),
        (30, Raw::new(168).at(4 * 6, 4, 5).at(28, 4, 9).at(56 + 8 * 6, 8, 1 << 40).at(112, 8, 77)),
        (31, Raw::new(104).at(4, 4, 10_000).at(32 + 4, 4, 12).at(64 + 4, 4, 34).at(100, 4, 0xe4)),
        (
            36,
            group(group(Raw::new(288), 0, 0x7e44, 0x20, 28), 144, 0x7e54, 0x68, 2).at(
                16 + 4 * 3,
                4,
                6,
            ),
        ),
        (
            37,
            group(group(Raw::new(288 + 4248), 0, 0x10d0, 0, 16), 144, 0x10d4, 0, 16)
                .at(288, 4, 0x1250)
                .at(288 + 20 + 16 * 7 + 4, 4, 0x77)
                .at(288 + 20 + 16 * 9 + 12, 4, 0x99)
                .at(288 + 4244, 4, 2),
        ),
        (
            44,
            versioned(560)
                .at(8 + 4, 4, 0x10_0000)
                .at(8 + 12, 4, 0x10_0000)
                .at(8 + 16, 4, 0x30_0000)
                .at(8 + 20, 4, 2)
                .at(8 + 48, 4, 0x1000)
                .at(8 + 48 + 8, 4, 3)
                .at(8 + 60, 4, 0x2000)
                .at(8 + 60 + 4, 4, 0x2fff)
                .at(8 + 60 + 8, 4, 9)
                .at(8 + 72 + 8, 4, 24)
                .at(8 + 372, 4, 2)
                .at(8 + 376, 4, 3)
                .at(8 + 380 + 4 * 4, 4, 4096)
                .at(8 + 380 + 4 * 11, 4, 555)
                .at(8 + 476 + 16 + 8, 4, 21)
                .at(8 + 540 + 8, 4, 33),
        ),
        (46, Raw::new(88).at(8, 8, 64_000_000).at(64, 4, 10).at(72, 4, 4000).at(80, 4, 7)),
        (50, group(Raw::new(144), 0, 0x5a0c, 0x21, 32).at(16 + 4 * 31, 4, 0x40)),
        (54, versioned(160).at(8, 4, 2048).at(8 + 4 * 13, 4, 96).at(8 + 4 * 20, 4, 3)),
        (55, Raw::new(4 * 0x61).at(0, 4, 0x6401_1425).at(4 * 36, 4, 0x1482_0001)),
        (
            56,
            Raw::new(96).at(4, 4, 3).at(8, 4, 0xaa).at(32, 4, 2).at(36, 4, 5).at(40 + 20, 4, 0xbb),
        ),
        (
            57,
            Raw::new(176)
                .at(88, 8, 0xffff_ffff_ffff)
                .at(88 + 40, 4, 1)
                .at(88 + 44, 4, 0x2000 | 3 << 9 | 0x100 | 0x21)
                .at(88 + 48, 4, 2)
                .bytes(88 + 78, &[0, 7, 0x43, 0xaa, 0xbb, 0xcc]),
        ),
        (
            58,
            Raw::new(88)
                .bytes(0, b"PT00112233")
                .bytes(25, b"110123450A0")
                .bytes(42, b"000743AABBCC")
                .bytes(55, b"T62100-LP-CR    ")
                .at(72, 2, 1)
                .at(74, 2, 27)
                .at(80, 4, 0x1001)
                .at(84, 4, 2),
        ),
        (
            59,
            Raw::new(24 + 3 * 84)
                .at(0, 4, 96)
                .at(4, 4, 64)
                .at(8, 4, 128)
                .at(20, 4, 1024)
                .at(24 + 16, 4, 0x11)
                .at(24 + 84, 4, 70)
                .at(24 + 84 + 16 + 64, 4, 0x8000),
        ),
        (60, Raw::new(1024).at(64 + 2 * 31, 2, 0x123)),
        (
            61,
            group(group(Raw::new(288), 0, 0x78fc, 0xa000, 23), 144, 0x78fc, 0xe640 + 13 * 0x20, 0)
                .at(144 + 16 + 4 * 12, 4, 0xcc),
        ),
        (
            64,
            group(group(Raw::new(288), 0, 0x7b54, 0x2000, 32), 144, 0x7b54, 0x4924, 16)
                .at(16 + 4, 4, 0x11)
                .at(144 + 16 + 4, 4, 0x22),
        ),
        (
            70,
            versioned(16 + 20 + 64 + 20)
                .at(12, 4, 2)
                .at(16, 4, 64)
                .at(20, 4, 1)
                .at(24, 4, 12)
                .at(28, 4, 64)
                .at(32, 4, 1)
                .at(100 + 4, 4, 4)
                .at(100 + 8, 4, 13),
        ),
    ]
}
