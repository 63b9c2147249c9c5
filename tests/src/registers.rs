// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads a register dump, what the module reads of a device by its profile; and PCI
//! configuration spaces. Numbers are little-endian, but for those of a big-endian device,
//! which are as they are on the bus.

use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"VMCDREGS";
const HEADER: usize = 16;
const RECORD: usize = 8;
const DEVICE: u16 = 1;
const DEVICE_SIZE: usize = 136;
const SEGMENT: u16 = 2;
const SEGMENT_SIZE: usize = 24;
const END: u16 = 3;

/// Configuration space.
pub const CONFIG: u8 = 1;
/// The memory or I/O ports of a BAR.
pub const BAR: u8 = 2;
/// I/O ports.
pub const PORT: u8 = 3;
/// Model-specific registers of a processor.
pub const MSR: u8 = 4;
/// What is seen through a window.
pub const WINDOW: u8 = 7;
/// Registers of an IOMMU.
pub const UNIT: u8 = 6;

/// Status of a segment: all of it was read.
pub const COMPLETE: u8 = 0;
/// Status of a segment: its device did not answer.
pub const NOT_ANSWERED: u8 = 1;
/// Status of a segment: to read it was not asked for.
pub const LEFT_OUT: u8 = 2;

/// A device in a dump.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// 1 PCI, 2 processor, 3 Intel's IOMMU, 4 AMD's.
    pub kind: u16,
    /// 0 D0 to 3 D3hot, 4 D3cold, 255 not known.
    pub power: u8,
    /// 1 its driver is bound, 2 its link is down, 4 it does not decode memory.
    pub flags: u8,
    /// As in `0000:01:00.0`, for a PCI device.
    pub slot: String,
    /// Vendor, device, subsystem vendor, subsystem.
    pub ids: [u16; 4],
    /// 24 bits.
    pub class: u32,
    /// The number of a processor, the physical address of a unit.
    pub address: u64,
    /// The name of its profile.
    pub profile: String,
    /// The name of its driver; empty if there is none.
    pub driver: String,
    /// What was read, in that order.
    pub segments: Vec<Segment>,
    /// How it ended, if it did.
    pub end: Option<End>,
}

/// A range of registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// [`CONFIG`], [`BAR`] and so on.
    pub space: u8,
    /// Which BAR, or window.
    pub index: u8,
    /// Of a register, in bytes.
    pub width: u8,
    /// 1 big-endian, 2 its driver had it.
    pub flags: u8,
    /// [`COMPLETE`] or why not.
    pub status: u8,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes were wanted.
    pub wanted: u64,
    /// Those that there are.
    pub bytes: Vec<u8>,
}

/// The end of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// 0 complete, 1 partial, 2 left alone.
    pub status: u8,
    /// Why.
    pub reason: u8,
}

/// Reads all devices of a dump.
///
/// # Errors
/// [`Error::Different`] when it is not as it must be.
pub fn read(dump: &[u8]) -> Result<Vec<Device>> {
    expect("magic", part(dump, 0, 8)?, MAGIC)?;
    expect("version and size of the header", number(part(dump, 8, 4)?), 1 | (HEADER as u64) << 16)?;
    let mut devices: Vec<Device> = Vec::new();
    let mut at = HEADER;
    while at < dump.len() {
        let header = part(dump, at, RECORD)?;
        let length = number(&header[4..8]) as usize;
        let body = part(dump, at + RECORD, length)?;
        expect("flags of a record", number(&header[2..4]), 0)?;
        match number(&header[..2]) as u16 {
            DEVICE => devices.push(device(body)?),
            SEGMENT => last(&mut devices)?.segments.push(segment(body)?),
            END => {
                let device = last(&mut devices)?;
                let segments = number(part(body, 4, 4)?) as usize;
                expect("number of segments", segments, device.segments.len())?;
                device.end = Some(End { status: body[0], reason: body[1] });
            }
            other => return Err(different(format!("record of type {other} at {at}"))),
        }
        at = (at + RECORD + length).next_multiple_of(8);
    }
    Ok(devices)
}

/// The one device of a dump.
///
/// # Errors
/// [`Error::Different`] when there is another number of them.
pub fn one(dump: &[u8]) -> Result<Device> {
    let mut devices = read(dump)?;
    match (devices.pop(), devices.len()) {
        (Some(device), 0) => Ok(device),
        (_, others) => Err(different(format!("{others} more devices than one"))),
    }
}

impl Device {
    /// The bytes at `offset` of a space, which may be in several segments.
    ///
    /// # Panics
    /// When they were not all read, with what was.
    #[must_use]
    pub fn bytes(&self, space: u8, index: u8, offset: u64, length: usize) -> Vec<u8> {
        let wanted = offset..offset + length as u64;
        wanted.map(|at| self.byte(space, index, at)).collect()
    }

    /// Whether the byte at `offset` of a space was read.
    #[must_use]
    pub fn has(&self, space: u8, index: u8, offset: u64) -> bool {
        self.find(space, index, offset).is_some()
    }

    /// A register of up to 8 bytes, least significant byte first.
    ///
    /// # Panics
    /// As [`Device::bytes`].
    #[must_use]
    pub fn register(&self, space: u8, index: u8, offset: u64, width: usize) -> u64 {
        number(&self.bytes(space, index, offset, width))
    }

    /// A model-specific register.
    ///
    /// # Panics
    /// When it was not read.
    #[must_use]
    pub fn msr(&self, index: u64) -> u64 {
        let segments = self.segments.iter().filter(|segment| segment.space == MSR);
        for segment in segments {
            let Some(skipped) = index.checked_sub(segment.offset) else { continue };
            if let Some(bytes) = segment.bytes.chunks_exact(8).nth(skipped as usize) {
                return number(bytes);
            }
        }
        panic!("MSR {index:#x} is not in {self:x?}");
    }

    /// What there is in place of a recorded register.
    ///
    /// # Panics
    /// When it was not read.
    #[must_use]
    pub fn now(&self, recorded: &Recorded) -> u64 {
        self.register(BAR, recorded.bar, recorded.offset, recorded.width)
    }

    fn byte(&self, space: u8, index: u8, offset: u64) -> u8 {
        let found = self.find(space, index, offset);
        found.unwrap_or_else(|| {
            let segments = self.segments.iter();
            let ranges: Vec<_> = segments
                .map(|s| (s.space, s.index, s.offset, s.bytes.len(), s.wanted, s.status))
                .collect();
            panic!("{}: {offset:#x} of {space}, {index} is not in {ranges:x?}", self.slot)
        })
    }

    fn find(&self, space: u8, index: u8, offset: u64) -> Option<u8> {
        self.segments.iter().find_map(|segment| {
            let here = segment.space == space && segment.index == index;
            let at = offset.checked_sub(segment.offset)?;
            segment.bytes.get(usize::try_from(at).ok()?).copied().filter(|_| here)
        })
    }
}

fn device(body: &[u8]) -> Result<Device> {
    part(body, 0, DEVICE_SIZE)?;
    let half = |at: usize| number(&body[at..at + 2]) as u16;
    let (domain, bus, devfn) = (number(&body[4..8]), body[8], body[9]);
    Ok(Device {
        kind: half(0),
        power: body[2],
        flags: body[3],
        slot: format!("{domain:04x}:{bus:02x}:{:02x}.{}", devfn >> 3, devfn & 7),
        ids: [half(12), half(14), half(16), half(18)],
        class: number(&body[20..24]) as u32,
        address: number(&body[24..32]),
        profile: text(&body[72..104]),
        driver: text(&body[104..136]),
        segments: Vec::new(),
        end: None,
    })
}

fn segment(body: &[u8]) -> Result<Segment> {
    let header = part(body, 0, SEGMENT_SIZE)?;
    let bytes = body[SEGMENT_SIZE..].to_vec();
    let wanted = number(&header[16..24]);
    let (status, width) = (header[4], header[2]);
    expect("width of a register", [1, 2, 4, 8].contains(&width), true)?;
    expect("whole, if complete", status != COMPLETE || bytes.len() as u64 == wanted, true)?;
    expect("no more than wanted", bytes.len() as u64 <= wanted, true)?;
    Ok(Segment {
        space: header[0],
        index: header[1],
        width,
        flags: header[3],
        status,
        offset: number(&header[8..16]),
        wanted,
        bytes,
    })
}

fn last(devices: &mut [Device]) -> Result<&mut Device> {
    let device = devices.last_mut().filter(|device| device.end.is_none());
    device.ok_or_else(|| different("a record that no device has".to_owned()))
}

fn text(padded: &[u8]) -> String {
    let end = padded.iter().position(|byte| *byte == 0).unwrap_or(padded.len());
    String::from_utf8_lossy(&padded[..end]).into_owned()
}

/// Up to 8 bytes, the least significant one first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn part(bytes: &[u8], at: usize, length: usize) -> Result<&[u8]> {
    let part = at.checked_add(length).and_then(|end| bytes.get(at..end));
    part.ok_or_else(|| different(format!("{length} bytes at {at} of {}", bytes.len())))
}

fn different(what: String) -> Error {
    Error::Different(format!("register dump: {what}"))
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(different(format!("{what}: expected {expected:x?}, found {found:x?}")))
}

/// A register that a script has looked at, past the device's driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The slot of its device.
    pub slot: String,
    /// The BAR that it is in.
    pub bar: u8,
    /// Where in it.
    pub offset: u64,
    /// Of the register, in bytes.
    pub width: usize,
    /// What it had.
    pub value: u64,
}

/// A shell function `look SLOT BAR OFFSET/BITS …` that prints registers in memory, for
/// [`recorded`]. It needs a kernel that has `iomem=relaxed` where a driver has the device.
pub const LOOK: &str = "
    look() {
        slot=$1 bar=$2
        base=$(sed -n \"$((bar + 1))s/ .*//p\" /sys/bus/pci/devices/$slot/resource)
        shift 2
        for register; do
            value=$(devmem $(printf %#x $((base + ${register%/*}))) ${register#*/})
            echo $slot $bar $((${register%/*})) ${register#*/} $value
        done
    }
";

/// What [`LOOK`] printed.
///
/// # Errors
/// [`Error::Different`] when it is something else.
pub fn recorded(printed: &str) -> Result<Vec<Recorded>> {
    let line = |line: &str| {
        let [slot, bar, offset, bits, value] = line.split(' ').collect::<Vec<_>>()[..] else {
            return None;
        };
        let bits: usize = bits.parse().ok()?;
        Some(Recorded {
            slot: slot.to_owned(),
            bar: bar.parse().ok()?,
            offset: offset.parse().ok()?,
            width: bits / 8,
            value: u64::from_str_radix(value.strip_prefix("0x")?, 16).ok()?,
        })
    };
    let lines = printed.lines();
    lines
        .map(|text| line(text).ok_or_else(|| different(format!("{text:?} among registers"))))
        .collect()
}

/// The configuration space of a function, as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// As in `0000:01:00.0`.
    pub slot: String,
    /// 256 or 4096 bytes.
    pub bytes: Vec<u8>,
}

/// Shell lines that print the configuration space of all functions, for [`configs`].
pub const PRINT_CONFIGS: &str = "
    for device in /sys/bus/pci/devices/*; do
        echo ${device##*/} $(wc -c <$device/config)
        cat $device/config
    done
";

/// What [`PRINT_CONFIGS`] printed.
///
/// # Errors
/// [`Error::Different`] when it is something else.
pub fn configs(printed: &[u8]) -> Result<Vec<Config>> {
    let mut configs = Vec::new();
    let mut rest = printed;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| different("a line that does not end".to_owned()))?;
        let line = String::from_utf8_lossy(&rest[..end]);
        let (slot, length) = line
            .split_once(' ')
            .and_then(|(slot, length)| Some((slot.to_owned(), length.parse().ok()?)))
            .ok_or_else(|| different(format!("{line:?} among config spaces")))?;
        let bytes = part(rest, end + 1, length)?.to_vec();
        configs.push(Config { slot, bytes });
        rest = &rest[end + 1 + length..];
    }
    Ok(configs)
}

/// The registers of an extended capability for Advanced Error Reporting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aer {
    /// Uncorrectable errors.
    pub uncorrectable: u32,
    /// Correctable errors.
    pub correctable: u32,
    /// The header of the packet with the first error, as the device has its bytes.
    pub header: [u32; 4],
    /// What a root port was told.
    pub root: u32,
    /// By whom: correctable in the lower, uncorrectable in the upper half.
    pub source: u32,
}

/// The [`Aer`] in a configuration space, if it has one.
#[must_use]
pub fn aer(config: &[u8]) -> Option<Aer> {
    let word = |at: usize| config.get(at..at + 4).map(|bytes| number(bytes) as u32);
    let mut at = 0x100;
    while at != 0 {
        let header = word(at)?;
        if header & 0xffff == 1 {
            let mut packet = [0; 4];
            for (index, part) in packet.iter_mut().enumerate() {
                *part = word(at + 0x1c + 4 * index)?;
            }
            return Some(Aer {
                uncorrectable: word(at + 0x04)?,
                correctable: word(at + 0x10)?,
                header: packet,
                root: word(at + 0x30)?,
                source: word(at + 0x34)?,
            });
        }
        at = (header >> 20) as usize;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut record = kind.to_le_bytes().to_vec();
        record.extend([0, 0]);
        record.extend((body.len() as u32).to_le_bytes());
        record.extend(body);
        record.resize(record.len().next_multiple_of(8), 0);
        record
    }

    fn dump() -> Vec<u8> {
        let mut body = vec![0; 136];
        body[0] = 1;
        body[2] = 3;
        body[3] = 4;
        body[8] = 0x81;
        body[9] = 0x0a;
        body[12..16].copy_from_slice(&[0x86, 0x80, 0xd3, 0x10]);
        body[72..76].copy_from_slice(b"nvme");
        let mut dump = b"VMCDREGS\x01\x00\x10\x00\x00\x00\x00\x00".to_vec();
        dump.extend(record(1, &body));
        let segment = |status: u8, bytes: &[u8]| {
            let mut body = vec![2, 0, 4, 0, status, 7, 0, 0];
            body.extend(0x10_u64.to_le_bytes());
            body.extend(8_u64.to_le_bytes());
            body.extend(bytes);
            record(2, &body)
        };
        dump.extend(segment(0, &[1, 2, 3, 4, 5, 6, 7, 8]));
        dump.extend(segment(1, &[9, 9, 9, 9]));
        dump.extend(record(3, &[1, 5, 0, 0, 2, 0, 0, 0]));
        dump
    }

    #[test]
    fn a_dump_by_hand() {
        let device = one(&dump()).unwrap();
        assert_eq!((device.slot.as_str(), device.power, device.flags), ("0000:81:01.2", 3, 4));
        assert_eq!((device.ids, device.profile.as_str()), ([0x8086, 0x10d3, 0, 0], "nvme"));
        assert_eq!(device.register(BAR, 0, 0x14, 4), 0x0807_0605);
        assert!(
            device.has(BAR, 0, 0x17) && !device.has(BAR, 0, 0x18) && !device.has(CONFIG, 0, 0x10)
        );
        assert_eq!(device.end, Some(End { status: 1, reason: 5 }));
        assert_eq!(device.segments[1].status, NOT_ANSWERED);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        let whole = dump();
        for length in 0..whole.len() {
            match read(&whole[..length]) {
                Ok(devices) => {
                    assert!(devices.iter().all(|device| device.end.is_none()), "{length}")
                }
                Err(Error::Different(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
        let mut wrong = whole.clone();
        let of_the_end = wrong.len() - 4;
        wrong[of_the_end] = 3;
        assert!(read(&wrong).is_err());
    }
}
