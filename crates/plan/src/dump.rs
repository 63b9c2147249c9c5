// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The register dump.
//!
//! It is made of records, so that what was written before its collector was cut off can be
//! read. First a header of [`HEADER_SIZE`] bytes: [`MAGIC`], [`VERSION`] and its own size
//! (16 bits each), 4 zero bytes. Then records: type and 0 (16 bits each), how many bytes
//! follow (32 bits), these bytes, and zero bytes up to a multiple of 8. A reader skips types
//! that it does not know, and what follows in a record after what it knows.
//!
//! Each device is a record of type 1, its segments of type 2, and an end of type 3. A dump
//! may have several devices.
//!
//! | device: offset | size | what |
//! |---|---|---|
//! | 0 | 2 | [`Kind`] |
//! | 2 | 1 | power state: 0 D0 to 3 D3hot, 4 D3cold, 255 not known |
//! | 3 | 1 | 1 a driver is bound to it, 2 its link is down, 4 it does not decode memory |
//! | 4 | 4 | PCI domain |
//! | 8 | 1 | PCI bus |
//! | 9 | 1 | device (five bits) and function (three) |
//! | 10 | 1 | revision |
//! | 11 | 1 | 0 |
//! | 12 | 8 | vendor, device, subsystem vendor, subsystem, 16 bits each |
//! | 20 | 4 | class, subclass, programming interface |
//! | 24 | 8 | number of the processor, or physical address of the unit |
//! | 32 | 4 | version of the profile |
//! | 36 | 4 | 0 |
//! | 40 | 32 | SHA-256 of the profile's file |
//! | 72 | 32 | name of the profile, padded with zero bytes |
//! | 104 | 32 | name of the driver, padded with zero bytes |
//!
//! | segment: offset | size | what |
//! |---|---|---|
//! | 0 | 1 | [`Space`] |
//! | 1 | 1 | which base address register or window |
//! | 2 | 1 | width of a register in bytes |
//! | 3 | 1 | 1 its numbers have the most significant byte first, 2 its driver had the device |
//! | 4 | 1 | [`Status`] |
//! | 5 | 1 | number of the block in the profile |
//! | 6 | 2 | 0 |
//! | 8 | 8 | address of the first register |
//! | 16 | 8 | how many bytes were wanted |
//! | 24 | | the bytes, as they are on the bus: a register of a little-endian device has its least significant byte first |
//!
//! | end: offset | size | what |
//! |---|---|---|
//! | 0 | 1 | [`Outcome`] |
//! | 1 | 1 | [`Reason`] |
//! | 2 | 2 | 0 |
//! | 4 | 4 | how many segments |

use vmcore::bytes::Endian::Little;
use vmcore::bytes::copy;

use crate::place::{Place, Space, Width};
use crate::plan::{DIGEST_SIZE, Kind, NAME_SIZE};

/// The first bytes of a register dump.
pub const MAGIC: [u8; 8] = *b"VMCDREGS";
/// The version of this form.
pub const VERSION: u16 = 1;
/// Size of what stands before the records, in bytes.
pub const HEADER_SIZE: usize = 16;
/// Size of what stands before the bytes of a record, in bytes.
pub const RECORD_SIZE: usize = 8;
/// Size of the bytes of a device, in bytes.
pub const DEVICE_SIZE: usize = 136;
/// Size of what stands before the registers of a segment, in bytes.
pub const SEGMENT_SIZE: usize = 24;
/// Size of the bytes of an end, in bytes.
pub const END_SIZE: usize = 8;

/// Type of a device's record.
const DEVICE: u16 = 1;
/// Type of a segment's.
const SEGMENT: u16 = 2;
/// Type of an end's.
const END: u16 = 3;

/// Flag of a segment: big-endian.
const SEGMENT_BIG: u8 = 1;
/// Flag of a segment: a driver was bound to the device.
const SEGMENT_BOUND: u8 = 2;

/// Defines an enum whose members have numbers in a dump, and words.
macro_rules! worded {
    ($(#[$attribute:meta])* $name:ident: $($(#[$doc:meta])* $member:ident = $number:literal, $words:literal;)+) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$doc])* $member = $number,)+
        }

        impl $name {
            /// The one with this number in a dump.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$member),)+
                    _ => None,
                }
            }

            /// Its number in a dump.
            #[must_use]
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// In words.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$member => $words,)+
                }
            }
        }
    };
}

worded! {
    /// What became of a segment.
    Status:
    /// All of it was read.
    Complete = 0, "complete";
    /// The device did not answer.
    NoAnswer = 1, "the device did not answer";
    /// To read it is more than a pure read, which was not asked for.
    LeftOut = 2, "left out, since to read it is not free of effects";
    /// There is no such place.
    Absent = 3, "it is not there";
    /// The dump had no room for it.
    NoRoom = 4, "there was no room left";
    /// The processor reported a fault.
    Fault = 5, "to read it causes a fault";
    /// The profile says that it is never to be read.
    Never = 6, "the profile says never to read it";
    /// The time was over.
    Deadline = 7, "the time was over";
}

worded! {
    /// What became of a device.
    Outcome:
    /// Its plan was carried out.
    Complete = 0, "complete";
    /// Its plan ended early.
    Partial = 1, "partial";
    /// It was not read.
    LeftAlone = 2, "left alone";
}

worded! {
    /// Why a device is not [`Outcome::Complete`].
    Reason:
    /// It is.
    None = 0, "";
    /// It has ones where it cannot have them.
    NoAnswer = 1, "it does not answer";
    /// It is in a state of low power.
    Power = 2, "it is not in power state D0";
    /// Its link is down.
    Link = 3, "its link is down";
    /// It does not decode memory or I/O, so that only its configuration space was read.
    Decode = 4, "it does not decode memory or I/O";
    /// It answered, and then no more.
    Stopped = 5, "it stopped answering";
    /// The time was over.
    Deadline = 6, "the time was over";
    /// The dump had no room left.
    NoRoom = 7, "there was no room left";
    /// The operator wants it left out.
    Excluded = 8, "the configuration leaves it out";
    /// The plan does what it may not.
    Plan = 9, "the plan of its profile is at fault";
}

/// A device of a dump, and the profile it was read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// What kind of device it is.
    pub kind: Kind,
    /// Power state: 0 D0 to 3 D3hot, 4 D3cold, 255 not known.
    pub power: u8,
    /// Whether a driver was bound to it.
    pub bound: bool,
    /// Whether its link was down.
    pub link_down: bool,
    /// Whether it did not decode memory.
    pub no_decode: bool,
    /// PCI domain.
    pub domain: u32,
    /// PCI bus.
    pub bus: u8,
    /// PCI device (five bits) and function (three).
    pub devfn: u8,
    /// Revision.
    pub revision: u8,
    /// Vendor id; for a processor 1 Intel, 2 AMD, 0 somebody else.
    pub vendor: u16,
    /// Device id.
    pub device: u16,
    /// Subsystem vendor id.
    pub sub_vendor: u16,
    /// Subsystem id.
    pub sub_device: u16,
    /// Class, subclass and programming interface, 24 bits.
    pub class: u32,
    /// Number of a processor, physical address of a unit, or 0.
    pub address: u64,
    /// Version of the profile.
    pub profile_version: u32,
    /// SHA-256 of the profile's file.
    pub digest: [u8; DIGEST_SIZE],
    /// Name of the profile, padded with zero bytes.
    pub profile: [u8; NAME_SIZE],
    /// Name of the driver, padded with zero bytes.
    pub driver: [u8; NAME_SIZE],
}

/// Flag of a device: a driver is bound to it.
const DEVICE_BOUND: u8 = 1;
/// Flag of a device: its link is down.
const DEVICE_LINK_DOWN: u8 = 2;
/// Flag of a device: it does not decode memory.
const DEVICE_NO_DECODE: u8 = 4;

impl Device {
    /// Its record.
    #[must_use]
    pub fn record(&self) -> [u8; RECORD_SIZE + DEVICE_SIZE] {
        let mut bytes = [0; RECORD_SIZE + DEVICE_SIZE];
        put_head(&mut bytes, DEVICE, DEVICE_SIZE);
        if let Some(body) = bytes.get_mut(RECORD_SIZE..) {
            self.put(body);
        }
        bytes
    }

    fn put(&self, body: &mut [u8]) -> Option<()> {
        let mut flags = 0;
        for (flag, is) in [
            (DEVICE_BOUND, self.bound),
            (DEVICE_LINK_DOWN, self.link_down),
            (DEVICE_NO_DECODE, self.no_decode),
        ] {
            flags |= if is { flag } else { 0 };
        }
        Little.put_u16(body, 0, self.kind.number().into())?;
        copy(body.get_mut(2..)?, &[self.power, flags]);
        Little.put_u32(body, 4, self.domain)?;
        copy(body.get_mut(8..)?, &[self.bus, self.devfn, self.revision]);
        for (at, id) in
            (12..).step_by(2).zip([self.vendor, self.device, self.sub_vendor, self.sub_device])
        {
            Little.put_u16(body, at, id)?;
        }
        Little.put_u32(body, 20, self.class)?;
        Little.put_u64(body, 24, self.address)?;
        Little.put_u32(body, 32, self.profile_version)?;
        copy(body.get_mut(40..)?, &self.digest);
        copy(body.get_mut(72..)?, &self.profile);
        copy(body.get_mut(104..)?, &self.driver);
        Some(())
    }

    fn get(body: &[u8]) -> Option<Self> {
        let flags = *body.get(3)?;
        let u16_at = |at| Little.u16(body, at);
        Some(Self {
            kind: Kind::from_number(u8::try_from(u16_at(0)?).ok()?)?,
            power: *body.get(2)?,
            bound: flags & DEVICE_BOUND != 0,
            link_down: flags & DEVICE_LINK_DOWN != 0,
            no_decode: flags & DEVICE_NO_DECODE != 0,
            domain: Little.u32(body, 4)?,
            bus: *body.get(8)?,
            devfn: *body.get(9)?,
            revision: *body.get(10)?,
            vendor: u16_at(12)?,
            device: u16_at(14)?,
            sub_vendor: u16_at(16)?,
            sub_device: u16_at(18)?,
            class: Little.u32(body, 20)?,
            address: Little.u64(body, 24)?,
            profile_version: Little.u32(body, 32)?,
            digest: *body.get(40..)?.first_chunk()?,
            profile: *body.get(72..)?.first_chunk()?,
            driver: *body.get(104..)?.first_chunk()?,
        })
    }
}

/// What stands before the registers of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The space.
    pub space: Space,
    /// Which base address register or window.
    pub index: u8,
    /// How many bits were read at once.
    pub width: Width,
    /// Whether its numbers have the most significant byte first.
    pub big: bool,
    /// Whether a driver was bound to the device, and may have changed what was read.
    pub bound: bool,
    /// What became of it.
    pub status: Status,
    /// The number of the block in the profile.
    pub block: u8,
    /// The address of its first register.
    pub offset: u64,
    /// How many bytes were wanted.
    pub wanted: u64,
}

impl Segment {
    /// A segment of registers of `place` from `offset` on, of the block `block`.
    #[must_use]
    pub const fn new(place: Place, offset: u64, wanted: u64, block: u8, status: Status) -> Self {
        Self {
            space: place.space,
            index: place.index,
            width: place.width,
            big: place.big,
            bound: false,
            status,
            block,
            offset,
            wanted,
        }
    }

    /// What of it is after its first `registers` registers.
    #[must_use]
    pub fn after(self, registers: u64) -> Self {
        let bytes = registers.saturating_mul(self.width.bytes().into());
        let addresses = registers.wrapping_mul(self.space.step(self.width));
        Self {
            offset: self.offset.wrapping_add(addresses),
            wanted: self.wanted.saturating_sub(bytes),
            ..self
        }
    }

    /// Its record up to its registers, of which `length` bytes follow, and then
    /// [`padding`].
    #[must_use]
    pub fn head(&self, length: usize) -> [u8; RECORD_SIZE + SEGMENT_SIZE] {
        let mut bytes = [0; RECORD_SIZE + SEGMENT_SIZE];
        put_head(&mut bytes, SEGMENT, SEGMENT_SIZE.saturating_add(length));
        let mut flags = if self.big { SEGMENT_BIG } else { 0 };
        flags |= if self.bound { SEGMENT_BOUND } else { 0 };
        if let Some(body) = bytes.get_mut(RECORD_SIZE..) {
            let small = [
                self.space.number(),
                self.index,
                self.width.bytes(),
                flags,
                self.status.number(),
                self.block,
            ];
            copy(body, &small);
            Little.put_u64(body, 8, self.offset);
            Little.put_u64(body, 16, self.wanted);
        }
        bytes
    }

    fn get(body: &[u8]) -> Option<(Self, &[u8])> {
        let (head, registers) = body.split_first_chunk::<SEGMENT_SIZE>()?;
        let [space, index, width, flags, status, block, ..] = *head;
        let segment = Self {
            space: Space::from_number(space)?,
            index,
            width: Width::from_bytes(width)?,
            big: flags & SEGMENT_BIG != 0,
            bound: flags & SEGMENT_BOUND != 0,
            status: Status::from_number(status)?,
            block,
            offset: Little.u64(head, 8)?,
            wanted: Little.u64(head, 16)?,
        };
        Some((segment, registers))
    }
}

/// What stands after the segments of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// What became of the device.
    pub outcome: Outcome,
    /// Why it is not complete.
    pub reason: Reason,
    /// How many segments it has.
    pub segments: u32,
}

impl End {
    /// Its record.
    #[must_use]
    pub fn record(&self) -> [u8; RECORD_SIZE + END_SIZE] {
        let mut bytes = [0; RECORD_SIZE + END_SIZE];
        put_head(&mut bytes, END, END_SIZE);
        if let Some(body) = bytes.get_mut(RECORD_SIZE..) {
            copy(body, &[self.outcome.number(), self.reason.number()]);
            Little.put_u32(body, 4, self.segments);
        }
        bytes
    }

    fn get(body: &[u8]) -> Option<Self> {
        Some(Self {
            outcome: Outcome::from_number(*body.first()?)?,
            reason: Reason::from_number(*body.get(1)?)?,
            segments: Little.u32(body, 4)?,
        })
    }
}

/// What stands before the records.
#[must_use]
pub fn header() -> [u8; HEADER_SIZE] {
    let mut bytes = [0; HEADER_SIZE];
    copy(&mut bytes, &MAGIC);
    Little.put_u16(&mut bytes, 8, VERSION);
    Little.put_u16(&mut bytes, 10, HEADER_SIZE as u16);
    bytes
}

fn put_head(bytes: &mut [u8], record_type: u16, length: usize) {
    Little.put_u16(bytes, 0, record_type);
    Little.put_u32(bytes, 4, u32::try_from(length).unwrap_or(u32::MAX));
}

/// The zero bytes after `length` bytes of a record.
#[must_use]
pub fn padding(length: usize) -> &'static [u8] {
    let wanted = length.wrapping_neg() % 8;
    ZEROS.get(..wanted).unwrap_or(&[])
}

/// Padding.
static ZEROS: [u8; 8] = [0; 8];

/// A record of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// A device starts.
    Device(Device),
    /// Registers of the device.
    Segment(Segment, &'a [u8]),
    /// The device ends.
    End(End),
    /// A record of this type, which is unknown here or has unknown numbers.
    Unknown(u16),
}

/// Why a dump ends before its bytes do, or cannot be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// It does not begin as a register dump.
    Magic,
    /// It is of another version.
    Version(u16),
    /// A record at this offset ends after the dump, whose end is at the second.
    Cut(usize, usize),
}

/// The records of a register dump, each with its offset in bytes; after the first
/// [`Damage`] there are none.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    /// Those of the dump in `bytes`.
    ///
    /// # Errors
    /// [`Damage::Magic`], [`Damage::Version`], [`Damage::Cut`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Damage> {
        if !bytes.starts_with(&MAGIC) {
            return Err(Damage::Magic);
        }
        let cut = Damage::Cut(0, bytes.len());
        let version = Little.u16(bytes, 8).ok_or(cut)?;
        if version != VERSION {
            return Err(Damage::Version(version));
        }
        let at = usize::from(Little.u16(bytes, 10).ok_or(cut)?);
        if at < HEADER_SIZE || at > bytes.len() {
            return Err(cut);
        }
        Ok(Self { bytes, at })
    }

    fn read(&mut self) -> Result<(usize, Record<'a>), Damage> {
        let start = self.at;
        let cut = Damage::Cut(start, self.bytes.len());
        let left = self.bytes.get(start..).ok_or(cut)?;
        let record_type = Little.u16(left, 0).ok_or(cut)?;
        let length = Little.u32(left, 4).ok_or(cut)? as usize;
        let end = RECORD_SIZE.checked_add(length).ok_or(cut)?;
        let body = left.get(RECORD_SIZE..end).ok_or(cut)?;
        self.at = start.saturating_add(end).saturating_add(padding(length).len());
        let record = match record_type {
            DEVICE => Device::get(body).map(Record::Device),
            SEGMENT => {
                Segment::get(body).map(|(segment, registers)| Record::Segment(segment, registers))
            }
            END => End::get(body).map(Record::End),
            _ => None,
        };
        Ok((start, record.unwrap_or(Record::Unknown(record_type))))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(usize, Record<'a>), Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        // Only padding may be missing at the end.
        if self.at >= self.bytes.len() {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.at = self.bytes.len();
        }
        Some(record)
    }
}
