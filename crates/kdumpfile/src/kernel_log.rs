// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The dead kernel's log, in its memory (`kernel/printk/printk_ringbuffer.h`).

use std::collections::VecDeque;

use crate::error::{Error, Fault};
use crate::memory::Memory;
use crate::virtual_memory::{Near, Virtual};
use crate::vmcoreinfo::VmcoreInfo;

/// How many records are looked at: the newest ones.
const RECORDS_MAX: u64 = 1 << 18;
/// How many bytes they have at most, with what is kept of each besides its text.
const BYTES_MAX: usize = 16 << 20;
/// The largest ring, by its binary logarithm: the kernel's `LOG_BUF_LEN_MAX` is 2 GiB.
const BITS_MAX: u32 = 31;
/// How long the name of a device is at most (`PRINTK_INFO_DEVICE_LEN` is 48).
const DEVICE_MAX: u64 = 256;

/// The log of the dead kernel. See [`Memory::kernel_log`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KernelLog {
    /// The records, the oldest first.
    pub records: Vec<LogRecord>,
    /// How many records more there were that the dump does not have whole.
    pub unread: u64,
    /// How many of the oldest were not looked at, as there are too many.
    pub left_out: u64,
}

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Its number since the boot.
    pub sequence: u64,
    /// When it was written, in nanoseconds since the boot.
    pub time: u64,
    /// How important it is, from 0, an emergency, to 7, debugging.
    pub level: u8,
    /// Who wrote it, as `syslog(3)` numbers them: 0 is the kernel.
    pub facility: u8,
    /// The device that it is about, as `+pci:0000:01:00.0`; empty where it names none.
    pub device: Vec<u8>,
    /// The text, without a newline at its end. It may have several lines.
    pub text: Vec<u8>,
}

/// Where things are in the structures of the ring, in bytes.
struct Places {
    /// Of `prb_desc`, and in it.
    desc_size: u64,
    state: u64,
    begin: u64,
    next: u64,
    /// Of `printk_info`, and in it.
    info_size: u64,
    sequence: u64,
    time: u64,
    text_length: u64,
    device: Option<(u64, u64)>,
}

/// A ring: where its elements are, and how many there are, by their binary logarithm.
struct Ring {
    at: u64,
    bits: u32,
}

/// State of a descriptor: its record is complete, or could still be continued.
const COMMITTED: u64 = 1;
const FINALIZED: u64 = 2;
/// The bits of a descriptor's number; those above are its state.
const ID: u64 = u64::MAX >> 2;
/// Both ends of a block that is an empty line.
const EMPTY_LINE: u64 = 3;

impl Memory<'_> {
    /// The log of the dead kernel: the newest records, of which there are at most 262,144
    /// in 16 MiB.
    ///
    /// # Errors
    /// [`Fault::NoLog`] where VMCOREINFO does not say where it is, as before Linux 5.10
    /// and of kernels of 32 bits; [`Fault::NoMapping`] and [`Fault::NoMemory`] where the
    /// dump does not have it; others when the dump cannot be read. That the dump lacks a
    /// part of it is no error.
    pub fn kernel_log(self) -> Result<KernelLog, Error> {
        let error = |fault| self.first().source.error(fault);
        let no_log = |expected: &str| error(Fault::NoLog { expected: expected.to_owned() });
        let info = self.first().vmcoreinfo()?.ok_or_else(|| no_log("VMCOREINFO"))?;
        let log = Info { info: &info };
        let Some(symbol) = info.hexadecimal("SYMBOL(prb)") else {
            return Err(no_log("SYMBOL(prb) in VMCOREINFO, which Linux has from 5.10 on"));
        };
        if log.number("SIZE(atomic_long_t)").map_err(error)? != 8 {
            return Err(no_log("a kernel of 64 bits"));
        }
        let memory = self.virtual_addresses()?;
        let mut near = Near::new(&memory, self.first().format().endian);
        let prb = near.wide(symbol)?;
        let desc_ring =
            prb.wrapping_add(log.number("OFFSET(printk_ringbuffer.desc_ring)").map_err(error)?);
        let text_ring = prb
            .wrapping_add(log.number("OFFSET(printk_ringbuffer.text_data_ring)").map_err(error)?);
        let field = |ring: u64, name: &str| {
            log.number(&format!("OFFSET({name})"))
                .map(|offset| ring.wrapping_add(offset))
                .map_err(error)
        };
        let bits = |bits: u32, what: &str| match bits {
            0..=BITS_MAX => Ok(bits),
            _ => Err(no_log(&format!("{what} of at most {BITS_MAX}, not {bits}"))),
        };
        let descs = Ring {
            bits: bits(near.word(field(desc_ring, "prb_desc_ring.count_bits")?)?, "count_bits")?,
            at: near.wide(field(desc_ring, "prb_desc_ring.descs")?)?,
        };
        let infos = near.wide(field(desc_ring, "prb_desc_ring.infos")?)?;
        let head = near.wide(field(desc_ring, "prb_desc_ring.head_id")?)? & ID;
        let tail = near.wide(field(desc_ring, "prb_desc_ring.tail_id")?)? & ID;
        let text = Ring {
            bits: bits(near.word(field(text_ring, "prb_data_ring.size_bits")?)?, "size_bits")?,
            at: near.wide(field(text_ring, "prb_data_ring.data")?)?,
        };
        let places = log.places().map_err(error)?;
        let count = (head.wrapping_sub(tail) & ID).saturating_add(1).min(1 << descs.bits);
        let mut reader = Reader::new(&memory, self.first().format().endian, places);
        reader.read(head, count, &descs, infos, &text)
    }
}

/// VMCOREINFO, as this module asks it.
struct Info<'a> {
    info: &'a VmcoreInfo,
}

impl Info<'_> {
    /// An offset, a size or a length, which are of structures and so not large.
    fn number(&self, key: &str) -> Result<u64, Fault> {
        let found = self.info.number(key).filter(|number| *number < 1 << 16);
        found.ok_or_else(|| Fault::NoLog { expected: format!("{key} in VMCOREINFO") })
    }

    fn places(&self) -> Result<Places, Fault> {
        let block = self.number("OFFSET(prb_desc.text_blk_lpos)")?;
        let info_of_device = self.number("OFFSET(printk_info.dev_info)");
        let device = info_of_device.and_then(|at| {
            let within = self.number("OFFSET(dev_printk_info.device)")?;
            Ok((at + within, self.number("LENGTH(printk_info_device)")?.min(DEVICE_MAX)))
        });
        Ok(Places {
            desc_size: self.number("SIZE(prb_desc)")?,
            state: self.number("OFFSET(prb_desc.state_var)")?
                + self.number("OFFSET(atomic_long_t.counter)")?,
            begin: block + self.number("OFFSET(prb_data_blk_lpos.begin)")?,
            next: block + self.number("OFFSET(prb_data_blk_lpos.next)")?,
            info_size: self.number("SIZE(printk_info)")?,
            sequence: self.number("OFFSET(printk_info.seq)")?,
            time: self.number("OFFSET(printk_info.ts_nsec)")?,
            text_length: self.number("OFFSET(printk_info.text_len)")?,
            device: device.ok(),
        })
    }
}

/// What reads the records. Descriptors, their infos and texts are in three places, of each
/// of which a page is held.
struct Reader<'a> {
    descs: Near<'a>,
    infos: Near<'a>,
    texts: Near<'a>,
    places: Places,
}

impl<'a> Reader<'a> {
    fn new(memory: &'a Virtual<'a>, endian: vmcore::bytes::Endian, places: Places) -> Self {
        let near = || Near::new(memory, endian);
        Self { descs: near(), infos: near(), texts: near(), places }
    }

    /// The `count` records that end with number `head`.
    fn read(
        &mut self,
        head: u64,
        count: u64,
        descs: &Ring,
        infos: u64,
        text: &Ring,
    ) -> Result<KernelLog, Error> {
        let mut records = VecDeque::new();
        let (mut unread, mut bytes, mut done) = (0, 0_usize, 0);
        while done < count.min(RECORDS_MAX) && bytes < BYTES_MAX {
            let id = head.wrapping_sub(done) & ID;
            done += 1;
            match self.record(id, descs, infos, text) {
                Ok(Some(record)) => {
                    bytes += record.text.len() + record.device.len() + size_of::<LogRecord>();
                    records.push_front(record);
                }
                Ok(None) => {}
                Err(error) if is_absent(&error) => unread += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(KernelLog { records: records.into(), unread, left_out: count - done })
    }

    /// The record `id`; nothing where it has no text, as it is being written or is gone.
    fn record(
        &mut self,
        id: u64,
        descs: &Ring,
        infos: u64,
        text: &Ring,
    ) -> Result<Option<LogRecord>, Error> {
        let Places { desc_size, state, begin, next, info_size, .. } = self.places;
        let index = id & ((1 << descs.bits) - 1);
        let desc = descs.at.wrapping_add(index.wrapping_mul(desc_size));
        let state = self.descs.wide(desc.wrapping_add(state))?;
        if state & ID != id || !matches!(state >> 62, COMMITTED | FINALIZED) {
            return Ok(None);
        }
        let begin = self.descs.wide(desc.wrapping_add(begin))?;
        let next = self.descs.wide(desc.wrapping_add(next))?;
        let info = infos.wrapping_add(index.wrapping_mul(info_size));
        let length = self.infos.half(info.wrapping_add(self.places.text_length))?;
        let Some(text) = self.text(begin, next, length, text)? else { return Ok(None) };
        // The facility, and flags with the level above them, follow the length of the text.
        let mut tail = [0; 2];
        self.infos.read(info.wrapping_add(self.places.text_length + 2), &mut tail)?;
        let [facility, flags] = tail;
        Ok(Some(LogRecord {
            sequence: self.infos.wide(info.wrapping_add(self.places.sequence))?,
            time: self.infos.wide(info.wrapping_add(self.places.time))?,
            level: flags >> 5,
            facility,
            device: self.device(info)?,
            text,
        }))
    }

    /// The text of the block from `begin` to `next`, of which `length` bytes are used.
    fn text(
        &mut self,
        begin: u64,
        next: u64,
        length: u16,
        ring: &Ring,
    ) -> Result<Option<Vec<u8>>, Error> {
        if begin & next & 1 == 1 {
            return Ok((begin == EMPTY_LINE && next == EMPTY_LINE).then(Vec::new));
        }
        let size = 1_u64 << ring.bits;
        // A block that would go across the end of the ring is at its start.
        let is_wrapped = begin >> ring.bits != next.wrapping_sub(1) >> ring.bits;
        let start = if is_wrapped { 0 } else { begin & (size - 1) };
        let end = (next.wrapping_sub(1) & (size - 1)) + 1;
        // Its first number is that of its descriptor.
        let Some(room) = end.checked_sub(start + 8) else { return Ok(None) };
        let mut text = vec![0; u64::from(length).min(room) as usize];
        self.texts.read(ring.at.wrapping_add(start + 8), &mut text)?;
        Ok(Some(text))
    }

    fn device(&mut self, info: u64) -> Result<Vec<u8>, Error> {
        let Some((at, length)) = self.places.device else { return Ok(Vec::new()) };
        let mut device = vec![0; length as usize];
        self.infos.read(info.wrapping_add(at), &mut device)?;
        device.truncate(device.iter().position(|byte| *byte == 0).unwrap_or(device.len()));
        Ok(device)
    }
}

/// Whether it is a part of the memory that is not there.
fn is_absent(error: &Error) -> bool {
    matches!(error.fault, Fault::NoMemory { .. } | Fault::NoMapping { .. })
}
