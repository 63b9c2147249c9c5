// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Plans, and what they do to a device.
//!
//! The input is a plan and, after it, what the device answers. Where it is no plan, its
//! first byte is how many ranges the plan has, the second how many instructions, and these
//! are made of what follows: almost any input is run.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plan::Plan;
use plan::device::{Bar, Cpu, Host, Missed, NoRoom, Options};
use plan::dump::{self, Device, End, Outcome, Record, Records, Status};
use plan::place::{Class, Place, Space};
use plan::plan::Kind;
use plan::run::collect;

/// How often a device is read, at most, before the time is asked for: for one walk through
/// a list of extended capabilities and another one.
const BETWEEN: u32 = 600;
/// The same after the time was over: to ask whether the device is alive.
const AFTER: u32 = 6;
/// What stands before the matches of a plan.
const HEADER: [u8; 56] = *b"VMCDPLAN\x01\0\x60\0\0\0\0\0fuzz\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\x01\0";

fuzz_target!(|data: &[u8]| {
    if let Ok((plan, rest)) = Plan::parse(data) {
        run(&plan, rest);
        return;
    }
    let Some((made, rest)) = repaired(data) else { return };
    if let Ok((plan, after)) = Plan::parse(&made) {
        assert!(after.is_empty());
        run(&plan, rest);
    }
});

/// A plan made of `data`, and what is left of it.
fn repaired(data: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let ([nevers, instructions], rest) = data.split_first_chunk()?;
    let (nevers, instructions) = (usize::from(nevers % 4), usize::from(instructions % 32));
    let (ranges, rest) = rest.split_at_checked(6 * nevers)?;
    let (code, rest) = rest.split_at_checked(16 * instructions)?;
    let size = 96 + 24 * nevers + 16 * (instructions + 1);
    let mut made = HEADER.to_vec();
    made[12..16].copy_from_slice(&(size as u32).to_le_bytes());
    made.extend([0, 0, nevers as u8, 0]);
    made.extend((instructions as u32 + 1).to_le_bytes());
    made.extend([0; 32]);
    for range in ranges.as_chunks::<6>().0 {
        let [space, index, start @ .., length] = *range;
        let start = u64::from(u16::from_le_bytes([start[0], start[1]])) << (4 * (start[2] % 13));
        let end = start.saturating_add(u64::from(length) + 1);
        made.extend([1 + space % 7, index % 2, 0, 0, 0, 0, 0, 0]);
        made.extend(start.to_le_bytes());
        made.extend(end.to_le_bytes());
    }
    for instruction in code.as_chunks::<16>().0 {
        made.extend(instruction_of(*instruction));
    }
    made.extend([0; 16]);
    Some((made, rest))
}

/// An instruction that is like `bytes`.
fn instruction_of(mut bytes: [u8; 16]) -> [u8; 16] {
    let op = 1 + bytes[0] % 12;
    bytes[0] = op;
    // Which of `a`, `b`, `c` is: 0 nothing, 1 a variable, 2 a variable or none, 3 any,
    // 4 a bit's number, 5 a bit.
    let parts = match op {
        1 | 4 | 6 => [1, 0, 0],
        2 => [1, 1, 2],
        3 | 11 => [1, 2, 0],
        5 => [1, 2, 0],
        7 => [1, 0, 1],
        8 => [0, 2, 1],
        9 => [0, 2, 0],
        10 => [3, 2, 1],
        _ => [4, 2, 5],
    };
    for (byte, part) in bytes[1..4].iter_mut().zip(parts) {
        *byte = match part {
            0 => 0,
            1 => *byte % 32,
            2 if *byte >= 128 => 255,
            2 => *byte % 32,
            4 => *byte % 64,
            5 => *byte % 2,
            _ => *byte,
        };
    }
    let place = |bytes: &mut [u8; 16]| {
        let space = 1 + bytes[5] % if op == 9 { 7 } else { 6 };
        let wide = if space == 4 { 3 } else { bytes[4] % if space & 1 == 1 { 3 } else { 4 } };
        bytes[4] = 1 << wide;
        bytes[5] = space;
        bytes[6] = if space == 2 { bytes[6] % 3 } else { 0 };
        bytes[7] &= match op {
            8 => 0b1001,
            3 | 12 => 0b1011,
            _ => {
                if bytes[7] & 2 != 0 {
                    0b1011
                } else {
                    0b1101
                }
            }
        };
        if op == 11 && bytes[7] & 6 == 0 {
            bytes[7] |= 2;
        }
        // Addresses are mostly small.
        if bytes[15] < 0xf0 {
            bytes[10..16].fill(0);
            bytes[9] &= 0x3f;
        } else if op == 12 {
            bytes[14] = 0;
        }
    };
    let (number, constant) = (bytes[4], bytes[8]);
    match op {
        1 => bytes[4..8].fill(0),
        2 => bytes[4..8].copy_from_slice(&[number % 17, 0, 0, 0]),
        4 => {
            bytes[4..8].fill(0);
            bytes[8..].copy_from_slice(&u64::from(constant % 20).to_le_bytes());
        }
        5 => {
            bytes[4..8].copy_from_slice(&[number & 1, 0, 0, 0]);
            bytes[10..].fill(0);
        }
        6 => {
            bytes[4..8].copy_from_slice(&[number % 8, 0, 0, 0]);
            bytes[8..].fill(0);
        }
        7 => {
            bytes[6..8].fill(0);
            bytes[8..].copy_from_slice(&u64::from(1 + constant % 8).to_le_bytes());
        }
        _ => place(&mut bytes),
    }
    bytes
}

/// A device that answers what the input says, and finds out what is done to it.
struct Hostile<'a> {
    plan: &'a Plan<'a>,
    options: Options,
    device: Device,
    config: &'a [u8],
    command: u8,
    answers: &'a [u8],
    made_up: u64,
    reads: u32,
    in_time: u32,
    late: bool,
    now: u64,
    room: usize,
    full: bool,
    dump: Vec<u8>,
}

impl<'a> Hostile<'a> {
    fn new(plan: &'a Plan<'a>, input: &'a [u8]) -> Option<Self> {
        let ([flags, command, kind, power, in_time, room, more @ ..], answers) =
            input.split_first_chunk::<8>()?;
        let name = [0; 32];
        let device = Device {
            kind: Kind::from_number(1 + kind % 8).unwrap_or(Kind::Pci),
            power: *power,
            bound: flags & 1 != 0,
            link_down: flags & 0xf0 == 0xf0,
            no_decode: false,
            domain: 0,
            bus: 0,
            devfn: 0,
            revision: 0,
            vendor: 0x8086,
            device: u16::from_le_bytes(*more),
            sub_vendor: 0,
            sub_device: 0,
            class: 0,
            address: 0,
            profile_version: 0,
            digest: [0; 32],
            profile: name,
            driver: name,
        };
        let (config, answers) = answers.split_at(answers.len().min(64));
        Some(Self {
            plan,
            options: Options { touches: flags & 2 != 0, clears: flags & 4 != 0 },
            device,
            config,
            command: *command,
            answers,
            made_up: u64::from(more[0]),
            reads: 0,
            in_time: 1 + u32::from(*in_time),
            late: false,
            now: 0,
            room: if *room > 200 { 1 << 20 } else { 16 * usize::from(*room) },
            full: false,
            dump: dump::header().to_vec(),
        })
    }

    /// What is in configuration space: an identity, and what the input has.
    fn config(&self, at: u64) -> u8 {
        let made_up = || match self.config {
            [] => 0,
            bytes => bytes[at as usize % bytes.len()],
        };
        match at {
            4 => self.command,
            6 => self.command & 0x10 | 0x20,
            0x34 => 0x40,
            _ => made_up(),
        }
    }

    /// What is next in the input; after its end, some number.
    fn next(&mut self) -> u64 {
        if let Some((bytes, rest)) = self.answers.split_first_chunk::<4>() {
            self.answers = rest;
            return u32::from_le_bytes(*bytes).into();
        }
        self.made_up = self.made_up.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        self.made_up >> 24
    }

    /// What no read or write may do.
    fn access(&mut self, place: Place, at: u64) {
        self.reads += 1;
        assert!(self.reads <= if self.late { AFTER } else { BETWEEN }, "it goes on");
        assert!(!self.full, "what is read does not go into the dump");
        if self.device.kind == Kind::Pci {
            let silent = [0, 1, 8, 9, 10, 11].iter().all(|at| self.config(*at) == 0xff);
            assert!(!silent || place.space == Space::Config, "it does not answer");
            assert!(self.device.power != 4, "it has no power");
        }
        assert!(place.space != Space::Window);
        let step = if place.space == Space::Msr { 1 } else { u64::from(place.width.bytes()) };
        assert!(at.is_multiple_of(step) || place.space == Space::Port, "{at:#x} is no multiple");
        let may = match place.class {
            Class::Pure => true,
            Class::Touches => self.options.touches && !self.device.bound,
            Class::Clears => self.options.clears && !self.device.bound,
        };
        assert!(may, "{place:?} was not asked for");
        if place.space == Space::Bar && self.device.kind == Kind::Pci {
            let needs = if place.index == 1 { 1 } else { 2 };
            assert!(self.command & needs != 0, "it does not decode");
        }
        // The kernel has read the header of configuration space and its lists before.
        if place.space != Space::Config {
            self.check_never(place, at, step);
        }
    }

    fn check_never(&self, place: Place, at: u64, length: u64) {
        for never in self.plan.nevers() {
            let end = u128::from(at) + u128::from(length);
            let apart = end <= never.start.into() || at >= never.end;
            let other = (never.space, never.index) != (place.space, place.index);
            assert!(other || apart, "{at:#x} is in {never:x?}");
        }
    }
}

impl Host for Hostile<'_> {
    fn read(&mut self, place: Place, at: u64) -> Result<u64, Missed> {
        self.access(place, at);
        if place.space == Space::Config {
            let end = at.checked_add(place.width.bytes().into());
            let size = if self.command & 0x80 != 0 { 4096 } else { 256 };
            if end.is_none_or(|end| end > size) || self.device.kind != Kind::Pci {
                return Err(Missed::Absent);
            }
            let bytes = (at..at + u64::from(place.width.bytes())).rev();
            return Ok(bytes.fold(0, |value, at| value << 8 | u64::from(self.config(at))));
        }
        let answer = self.next();
        match answer & 0xff {
            0 => Err(Missed::Absent),
            1..8 => Err(Missed::Fault),
            8..16 => Ok(place.width.ones()),
            16..24 => Ok(0),
            _ => Ok(answer.wrapping_mul(0x1_0000_0101) & place.width.ones()),
        }
    }

    fn write(&mut self, place: Place, at: u64, value: u64) -> Result<(), Missed> {
        self.access(place, at);
        assert!(place.class != Class::Pure, "it writes");
        assert_eq!(value & !place.width.ones(), 0);
        if place.space == Space::Config {
            // Or it is another device from here on.
            self.check_never(place, at, place.width.bytes().into());
        }
        if self.next() & 15 == 0 { Err(Missed::Absent) } else { Ok(()) }
    }

    fn bar(&mut self, index: u8) -> Option<Bar> {
        assert!(index < 6);
        (index < 3).then_some(Bar { size: 0x4000, io: index == 1 })
    }

    fn cpu(&mut self) -> Cpu {
        Cpu::default()
    }

    fn about_to_read(&mut self, _: u8, place: Place, at: u64, length: u64) {
        let width = u64::from(place.width.bytes());
        assert_eq!(length % width, 0);
        let step = if place.space == Space::Msr { 1 } else { width };
        let addresses = length / width * step;
        assert!(at.checked_add(addresses).is_some(), "it wraps around");
        self.check_never(place, at, addresses);
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        let taken = if self.full { 0 } else { bytes.len().min(self.room) };
        self.dump.extend_from_slice(&bytes[..taken]);
        self.room -= taken;
        self.full |= taken < bytes.len();
        if self.full { Err(NoRoom) } else { Ok(()) }
    }

    fn is_late(&mut self) -> bool {
        assert!(!self.late, "it was late before");
        self.reads = 0;
        self.in_time -= 1;
        self.late = self.in_time == 0;
        self.late
    }

    fn milliseconds(&mut self) -> u64 {
        self.now
    }

    fn pause(&mut self) {
        self.now += 1;
    }
}

fn run(plan: &Plan<'_>, input: &[u8]) {
    let Some(mut host) = Hostile::new(plan, input) else { return };
    let (device, options) = (host.device, host.options);
    let ended = collect(&mut host, plan, &device, options);
    let found: Vec<_> = Records::new(&host.dump).expect("it begins as one").collect();
    match ended {
        Ok(end) => check(plan, &found, end),
        Err(NoRoom) => {
            assert!(host.full);
            let ok = found.iter().filter(|record| record.is_ok()).count();
            assert!(found.len() <= ok + 1);
        }
    }
}

/// A dump is a device, segments and an end, and says no more than was read.
fn check(plan: &Plan<'_>, found: &[Result<(usize, Record<'_>), dump::Damage>], end: End) {
    let records: Vec<_> =
        found.iter().map(|record| record.expect("all of it is there").1).collect();
    let [Record::Device(device), segments @ .., Record::End(last)] = &records[..] else {
        panic!("{records:?}");
    };
    assert_eq!((device.profile, *last), (plan.about().name, end));
    assert_eq!(segments.len(), end.segments as usize);
    if end.outcome == Outcome::LeftAlone {
        assert_eq!(segments, []);
    }
    let mut total = 0;
    for segment in segments {
        let Record::Segment(segment, bytes) = segment else { panic!("{segment:?}") };
        if segment.status == Status::Complete {
            assert_eq!(segment.wanted, bytes.len() as u64);
            assert!(!bytes.is_empty());
        } else {
            assert!(bytes.is_empty() && segment.wanted > 0);
        }
        assert_eq!(segment.wanted % u64::from(segment.width.bytes()), 0);
        assert_eq!(segment.bound, device.bound);
        total += bytes.len() as u64;
    }
    assert!(total <= plan.about().most.into());
}
