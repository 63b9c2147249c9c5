// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads what cxgb4 collects of an adapter: a header, a table with a slot for each
//! entity that a driver can know, and the entities, compressed in chunks.
//!
//! The format is that of the driver's `cudbg_if.h`, `cudbg_lib_common.h` and
//! `cudbg_zlib.h`, in the byte order of the machine.

use std::io::Read;

use flate2::bufread::ZlibDecoder;

use crate::{Error, Result};

/// `CUDBG_SIGNATURE`.
const SIGNATURE: u32 = 0x040b_69e2;
/// `sizeof(struct cudbg_hdr)`.
const HEADER: usize = 56;
/// `sizeof(struct cudbg_entity_hdr)`.
const ENTITY_HEADER: usize = 52;
/// `sizeof(struct cudbg_compress_hdr)`.
const CHUNK_HEADER: usize = 280;
/// `CUDBG_ZLIB_COMPRESS_ID`.
const CHUNK_ID: u32 = 17;
/// `CUDBG_COMPRESSION_ZLIB`.
const ZLIB: u8 = 2;
/// How a zlib stream with a window of 12 bits begins, `CUDBG_ZLIB_WIN_BITS`.
const WINDOW_OF_12_BITS: u8 = 0x48;

/// `CUDBG_REG_DUMP`: the registers.
pub const REG_DUMP: u32 = 1;
/// `CUDBG_DEV_LOG`: the firmware's log.
pub const DEV_LOG: u32 = 2;
/// `CUDBG_CIM_LA`: what a logic analyser has recorded.
pub const CIM_LA: u32 = 3;
/// `CUDBG_EDC0`: the first memory.
pub const EDC0: u32 = 18;
/// `CUDBG_EDC1`: the second memory.
pub const EDC1: u32 = 19;
/// `CUDBG_MC0`: the first external memory.
pub const MC0: u32 = 20;
/// `CUDBG_MC1`: the second external memory.
pub const MC1: u32 = 21;
/// `CUDBG_SGE_INDIRECT`: registers of the queues that are read through others.
pub const SGE_INDIRECT: u32 = 37;
/// `CUDBG_VPD_DATA`: the vital product data.
pub const VPD_DATA: u32 = 58;
/// `CUDBG_MA_INDIRECT`: registers of the memory arbiter.
pub const MA_INDIRECT: u32 = 61;
/// `CUDBG_HMA_INDIRECT`: registers for the host's memory.
pub const HMA_INDIRECT: u32 = 67;
/// `CUDBG_HMA`: the host's memory that the adapter uses.
pub const HMA: u32 = 68;

/// `CUDBG_STATUS_ENTITY_NOT_FOUND`.
pub const NOT_FOUND: i32 = -24;
/// `CUDBG_SYSTEM_ERROR`: [`Entity::system_error`] says which.
pub const SYSTEM_ERROR: i32 = -29;

/// A collection of one adapter.
#[derive(Debug)]
pub struct Collection<'a> {
    /// `cudbg_hdr.major_ver` and `minor_ver`.
    pub version: (u16, u16),
    /// `cudbg_hdr.data_len`: the length of it all, which the driver writes last.
    pub length: u32,
    /// `cudbg_hdr.chip_ver`: the generation in the upper, the revision in the lower
    /// half.
    pub chip: u8,
    /// Each entity that the driver has begun with, in the order of their numbers.
    pub entities: Vec<Entity<'a>>,
}

/// An entity, `struct cudbg_entity_hdr`.
#[derive(Debug)]
pub struct Entity<'a> {
    /// `entity_type`.
    pub number: u32,
    /// `hdr_flags`: 0, or an error of the driver's or the kernel's.
    pub error: i32,
    /// `sys_err`: 0, or an error of the driver's or the kernel's.
    pub system_error: i32,
    /// `start_offset` and `size`: where it ends in the collection.
    pub end: usize,
    /// What there is of it, compressed and without `num_pad`; nothing after an error.
    compressed: &'a [u8],
}

impl<'a> Collection<'a> {
    /// Reads the header and the table of entities.
    ///
    /// # Errors
    /// [`Error::Different`] when they are not as the driver writes them.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let header = part(bytes, 0, HEADER)?;
        expect("signature", word(header, 0), SIGNATURE)?;
        expect("length of the header", word(header, 4), HEADER as u32)?;
        expect("compression", header[23] >> 4, ZLIB)?;
        let slots = half(header, 20);
        let mut entities = Vec::new();
        for slot in 0..usize::from(slots) {
            let header = part(bytes, HEADER + slot * ENTITY_HEADER, ENTITY_HEADER)?;
            let number = word(header, 0);
            if number == 0 {
                expect("slot of no entity", header, &[0; ENTITY_HEADER])?;
                continue;
            }
            expect("number of an entity", number as usize, slot + 1)?;
            let (start, size) = (word(header, 4) as usize, word(header, 8) as usize);
            let with_padding = part(bytes, start, size)?;
            let length = with_padding.len().checked_sub(header[24].into());
            let length = length.ok_or_else(|| different(format!("entity {number}: padding")))?;
            let (compressed, padding) = with_padding.split_at(length);
            expect("padding", padding.iter().all(|byte| *byte == 0), true)?;
            entities.push(Entity {
                number,
                error: word(header, 12).cast_signed(),
                system_error: word(header, 20).cast_signed(),
                end: start + size,
                compressed,
            });
        }
        Ok(Self {
            version: (half(header, 8), half(header, 10)),
            length: word(header, 12),
            chip: header[22],
            entities,
        })
    }

    /// The entity of this number.
    ///
    /// # Errors
    /// [`Error::Different`] when the driver has not begun with it.
    pub fn entity(&self, number: u32) -> Result<&Entity<'a>> {
        let found = self.entities.iter().find(|entity| entity.number == number);
        found.ok_or_else(|| different(format!("no entity {number}")))
    }
}

impl Entity<'_> {
    /// Whether the driver has come to its end and got it.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.error == 0 && !self.compressed.is_empty()
    }

    /// Its content.
    ///
    /// # Errors
    /// [`Error::Different`] when a chunk is not what its header says.
    pub fn content(&self) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let mut rest = self.compressed;
        while !rest.is_empty() {
            let header = part(rest, 0, CHUNK_HEADER)?;
            expect("chunk", word(header, 0), CHUNK_ID)?;
            let stream = part(rest, CHUNK_HEADER, long(header, 16))?;
            expect("window", stream.first(), Some(&WINDOW_OF_12_BITS))?;
            let mut decoder = ZlibDecoder::new(stream);
            let length = decoder
                .read_to_end(&mut content)
                .map_err(|error| different(format!("entity {}: {error}", self.number)))?;
            expect("length of a chunk", length, long(header, 8))?;
            expect("length of a stream", decoder.total_in(), stream.len() as u64)?;
            rest = &rest[CHUNK_HEADER + stream.len()..];
        }
        Ok(content)
    }
}

fn different(what: String) -> Error {
    Error::Different(format!("cudbg: {what}"))
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(different(format!("{what}: expected {expected:x?}, found {found:x?}")))
}

fn part(bytes: &[u8], at: usize, length: usize) -> Result<&[u8]> {
    let part = at.checked_add(length).and_then(|end| bytes.get(at..end));
    part.ok_or_else(|| different(format!("{length} bytes at {at} of {}", bytes.len())))
}

/// The 16 bits at `at`.
fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The 32 bits at `at`, which are a register's in an adapter's memory, too.
///
/// # Panics
/// When they are not there.
#[must_use]
pub fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(half(bytes, at)) | u32::from(half(bytes, at + 2)) << 16
}

fn long(bytes: &[u8], at: usize) -> usize {
    word(bytes, at) as usize | (word(bytes, at + 4) as usize) << 32
}
