// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A device with registers that have effects, and plans for it.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use plan::Plan;
use plan::code::{Address, Instruction, NONE};
use plan::device::{Bar, Cpu, Host, Missed, NoRoom, Options};
use plan::dump::{self, Device, End, Record, Records, Segment};
use plan::place::{BIG, CLEARS, Place, RETRY_ZERO, Space, TOUCHES, Width};
use plan::plan::{About, Kind, Match, Never};

/// What a register does.
pub enum Register {
    /// It has a value.
    Value(u64),
    /// A read clears it.
    Counter(u64),
    /// A read takes the next value out of it.
    Fifo(VecDeque<u64>),
    /// No access to it is allowed.
    Doorbell,
    /// It has the second value after so many reads, and the first before.
    Later(u32, u64, u64),
    /// It has the value that the register of this number of the window has, which the
    /// register at this address of the same space selects.
    Data(u64),
    /// It is not there.
    Absent,
    /// The processor reports a fault.
    Fault,
}

/// One access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    pub write: bool,
    pub place: Place,
    pub at: u64,
    pub value: u64,
}

/// A device, a place for its dump, and a clock.
pub struct Emulated {
    pub config: Vec<u8>,
    pub bars: [Option<Bar>; 6],
    pub registers: HashMap<(Space, u8, u64), Register>,
    /// A base register in base address register 0, and the addresses that show what is
    /// from its value on.
    pub paged: Option<(u64, Range<u64>)>,
    pub accesses: Vec<Access>,
    /// So many reads are answered outside of configuration space, then none anywhere.
    pub answers: usize,
    /// So often it is not late.
    pub in_time: usize,
    pub now: u64,
    pub room: usize,
    pub dump: Vec<u8>,
    /// What was said to be about to be read.
    pub announced: Vec<(u8, u64, u64)>,
}

/// The byte at `at` of each space that is not said to be something else.
pub fn pattern(at: u64) -> u8 {
    (at.wrapping_mul(7) % 251) as u8
}

/// Those of `range`.
pub fn patterns(range: Range<u64>) -> Vec<u8> {
    range.map(pattern).collect()
}

impl Emulated {
    /// A function in D0 that decodes memory and I/O: BAR 0 has 16 KiB of memory, BAR 1 256
    /// ports.
    pub fn new() -> Self {
        let mut config = vec![0; 256];
        config[..16].copy_from_slice(&[
            0x86, 0x80, 0xd3, 0x10, 0x03, 0x00, 0x10, 0x00, 0x02, 0x00, 0x00, 0x02, 0, 0, 0, 0,
        ]);
        config[0x34] = 0x40;
        // Power management in D0, then MSI, off, then MSI-X, on.
        config[0x40..0x46].copy_from_slice(&[0x01, 0x50, 0x03, 0x00, 0x00, 0x00]);
        config[0x50..0x54].copy_from_slice(&[0x05, 0x60, 0x80, 0x00]);
        config[0x60..0x64].copy_from_slice(&[0x11, 0x00, 0x04, 0x80]);
        let mut bars = [None; 6];
        bars[0] = Some(Bar { size: 0x4000, io: false });
        bars[1] = Some(Bar { size: 0x100, io: true });
        Self {
            config,
            bars,
            registers: HashMap::new(),
            paged: None,
            accesses: Vec::new(),
            answers: usize::MAX,
            in_time: usize::MAX,
            now: 0,
            room: usize::MAX,
            dump: Vec::new(),
            announced: Vec::new(),
        }
    }

    /// The same with a register at `at` of BAR 0.
    pub fn with(mut self, at: u64, register: Register) -> Self {
        self.registers.insert((Space::Bar, 0, at), register);
        self
    }

    /// The same with `byte` at `at` of configuration space.
    pub fn config(mut self, at: usize, byte: u8) -> Self {
        self.config[at] = byte;
        self
    }

    fn bytes(&self, place: Place, at: u64) -> Result<u64, Missed> {
        let width = u64::from(place.width.bytes());
        let size = match place.space {
            Space::Config => self.config.len() as u64,
            Space::Bar => self.bars[usize::from(place.index)].ok_or(Missed::Absent)?.size,
            Space::Port => 0x10000,
            Space::Msr => 1 << 32,
            _ => u64::MAX,
        };
        if at.checked_add(width).is_none_or(|end| end > size) {
            return Err(Missed::Absent);
        }
        let mut from = at;
        if let Some((base, window)) = &self.paged
            && place.space == Space::Bar
            && window.contains(&at)
        {
            let Some(Register::Value(page)) = self.registers.get(&(Space::Bar, 0, *base)) else {
                return Err(Missed::Absent);
            };
            from = page + at - window.start;
        }
        let byte = |at: u64| match place.space {
            Space::Config => self.config[at as usize],
            _ => pattern(at),
        };
        Ok((0..width)
            .fold(0, |value, byte_at| value | u64::from(byte(from + byte_at)) << (8 * byte_at)))
    }

    /// What was read outside of configuration space, by address.
    pub fn read_at(&self) -> Vec<u64> {
        let reads = self.accesses.iter().filter(|access| !access.write);
        reads.filter(|access| access.place.space != Space::Config).map(|access| access.at).collect()
    }

    /// What was written.
    pub fn written(&self) -> Vec<(u64, u64)> {
        let writes = self.accesses.iter().filter(|access| access.write);
        writes.map(|access| (access.at, access.value)).collect()
    }
}

impl Host for Emulated {
    fn read(&mut self, place: Place, at: u64) -> Result<u64, Missed> {
        assert!(self.accesses.len() < 1_000_000, "it reads without an end");
        let dead = self.answers == 0;
        if place.space != Space::Config {
            self.answers = self.answers.saturating_sub(1);
        }
        if dead {
            // What is after the end of its registers is not there all the same.
            let value = self.bytes(place, at).map(|_| place.width.ones());
            self.accesses.push(Access { write: false, place, at, value: value.unwrap_or(0) });
            return value;
        }
        let selected = match self.registers.get(&(place.space, place.index, at)) {
            Some(Register::Data(index)) => {
                match self.registers.get(&(place.space, place.index, *index)) {
                    Some(Register::Value(number)) => *number,
                    _ => panic!("no index"),
                }
            }
            _ => 0,
        };
        let value = match self.registers.get_mut(&(place.space, place.index, at)) {
            Some(Register::Value(value)) => Ok(*value),
            Some(Register::Counter(value)) => Ok(std::mem::take(value)),
            Some(Register::Fifo(values)) => Ok(values.pop_front().unwrap_or(0)),
            Some(Register::Doorbell) => panic!("{place:?} at {at:#x} is a doorbell"),
            Some(Register::Later(0, _, value)) => Ok(*value),
            Some(Register::Later(reads, value, _)) => {
                *reads -= 1;
                Ok(*value)
            }
            Some(Register::Data(_)) => Ok(0x1000 + selected),
            Some(Register::Absent) => Err(Missed::Absent),
            Some(Register::Fault) => Err(Missed::Fault),
            None => self.bytes(place, at),
        };
        self.accesses.push(Access { write: false, place, at, value: value.unwrap_or(0) });
        value
    }

    fn write(&mut self, place: Place, at: u64, value: u64) -> Result<(), Missed> {
        self.accesses.push(Access { write: true, place, at, value });
        match self.registers.get_mut(&(place.space, place.index, at)) {
            Some(Register::Value(old)) => *old = value,
            Some(Register::Later(..)) => {}
            Some(Register::Absent) => return Err(Missed::Absent),
            Some(Register::Fault) => return Err(Missed::Fault),
            _ => panic!("{place:?} at {at:#x} must not be written"),
        }
        Ok(())
    }

    fn bar(&mut self, index: u8) -> Option<Bar> {
        self.bars[usize::from(index)]
    }

    fn cpu(&mut self) -> Cpu {
        Cpu { vendor: 2, family: 0x19, model: 0x61 }
    }

    fn about_to_read(&mut self, block: u8, _: Place, at: u64, length: u64) {
        self.announced.push((block, at, length));
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        // As the kernel's: it takes what there is room for.
        let taken = bytes.len().min(self.room);
        self.dump.extend_from_slice(&bytes[..taken]);
        self.room -= taken;
        if taken < bytes.len() { Err(NoRoom) } else { Ok(()) }
    }

    fn is_late(&mut self) -> bool {
        self.in_time = self.in_time.saturating_sub(1);
        self.in_time == 0
    }

    fn milliseconds(&mut self) -> u64 {
        self.now
    }

    fn pause(&mut self) {
        self.now += 1;
    }
}

/// What identifies the device of [`Emulated::new`].
pub fn function() -> Device {
    Device {
        kind: Kind::Pci,
        power: 255,
        bound: false,
        link_down: false,
        no_decode: false,
        domain: 1,
        bus: 2,
        devfn: 0x18,
        revision: 2,
        vendor: 0x8086,
        device: 0x10d3,
        sub_vendor: 0x1028,
        sub_device: 0x0600,
        class: 0x02_0000,
        address: 0,
        profile_version: 0,
        digest: [0; 32],
        profile: [0; 32],
        driver: [0; 32],
    }
}

/// A name, padded.
pub fn padded(name: &[u8]) -> [u8; 32] {
    let mut field = [0; 32];
    field[..name.len()].copy_from_slice(name);
    field
}

/// A plan of `instructions`, and an end.
pub fn assemble(nevers: &[Never], instructions: &[Instruction]) -> Vec<u8> {
    let about = About { name: padded(b"test-1"), version: 7, most: 1 << 20, digest: [0xd1; 32] };
    let header = about.header(1, nevers.len(), instructions.len() + 1).expect("it is small");
    let mut bytes = header.to_vec();
    bytes.extend(Match::any(Kind::Pci).to_bytes());
    bytes.extend(nevers.iter().flat_map(|never| never.to_bytes()));
    bytes.extend(instructions.iter().flat_map(|instruction| instruction.to_bytes()));
    bytes.extend(Instruction::End.to_bytes());
    bytes
}

/// What a run made.
#[derive(Debug, PartialEq, Eq)]
pub struct Made {
    pub device: Device,
    pub segments: Vec<(Segment, Vec<u8>)>,
    pub end: End,
}

impl Made {
    /// Each segment's address, bytes, and what became of it with how many were wanted.
    pub fn short(&self) -> Vec<(u64, Vec<u8>, dump::Status, u64)> {
        let short = |(segment, bytes): &(Segment, Vec<u8>)| {
            (segment.offset, bytes.clone(), segment.status, segment.wanted)
        };
        self.segments.iter().map(short).collect()
    }
}

/// Reads `device`, which is known as `known`, by the plan in `plan`.
pub fn run_as(device: &mut Emulated, plan: &[u8], known: &Device, options: Options) -> Made {
    let (plan, rest) = Plan::parse(plan).expect("it is a plan");
    assert!(rest.is_empty());
    device.dump = dump::header().to_vec();
    let end = plan::run::collect(device, &plan, known, options).expect("there is room");
    let records = Records::new(&device.dump).expect("it is a dump");
    let mut records = records.map(|record| record.expect("all of it is there").1);
    let Some(Record::Device(known)) = records.next() else { panic!("no device") };
    let mut segments = Vec::new();
    loop {
        match records.next() {
            Some(Record::Segment(segment, bytes)) => segments.push((segment, bytes.to_vec())),
            Some(Record::End(found)) => {
                assert_eq!(found, end);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(records.next(), None);
    assert_eq!(segments.len(), end.segments as usize);
    Made { device: known, segments, end }
}

/// The same of a device without a driver, with nothing but pure reads.
pub fn run(device: &mut Emulated, instructions: &[Instruction]) -> Made {
    run_as(device, &assemble(&[], instructions), &function(), Options::default())
}

/// The same with every kind of read.
pub fn run_all(device: &mut Emulated, instructions: &[Instruction]) -> Made {
    let options = Options { touches: true, clears: true };
    run_as(device, &assemble(&[], instructions), &function(), options)
}

/// Registers of 32 bits in BAR 0.
pub const BAR: Place = Place::new(Space::Bar, 0, Width::W32);

/// `place` with flags.
pub fn flagged(place: Place, flags: u8) -> Place {
    assert_eq!(flags & !(BIG | TOUCHES | CLEARS | RETRY_ZERO), 0);
    Place::from_bits(place.to_bits() | u32::from(flags) << 24).expect("these go together")
}

/// A constant address.
pub const fn at(offset: u64) -> Address {
    Address { base: NONE, offset }
}

/// The variable that [`read`] uses for the length.
const LENGTH: u8 = 31;

/// Reads `length` bytes as block 1.
pub fn read(place: Place, offset: u64, length: u64) -> [Instruction; 2] {
    [
        Instruction::Set { to: LENGTH, value: length },
        Instruction::Read { block: 1, place, address: at(offset), length: LENGTH },
    ]
}

/// Sets a variable.
pub const fn set(to: u8, value: u64) -> Instruction {
    Instruction::Set { to, value }
}
