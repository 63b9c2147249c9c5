// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A device whose registers do things when they are read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use plan::Plan;
use plan::device::{Bar, Cpu, Host, Missed, NoRoom, Options};
use plan::dump::{self, End};
use plan::place::{Place, Space};
use plan::plan::{DIGEST_SIZE, Kind, NAME_SIZE};
use profile::{Device, Library, compile};

use crate::decode;

/// What reading or writing one register does.
#[derive(Debug, Clone)]
pub enum Register {
    /// It is what it is.
    Plain(u64),
    /// Reading gives this, and makes it 0.
    Clears(u64),
    /// Reading takes the next.
    Pops(VecDeque<u64>),
    /// What is written at the aperture's base address: memory at that address is seen.
    PageBase(u64),
    /// What is written is the address of what the data register has.
    Index(u64),
    /// The register of this address, by the index.
    Data,
    /// It has what was written to it.
    Written(u64),
}

/// It answers every read until it dies.
pub struct Emulated {
    pub config: Vec<u8>,
    pub registers: BTreeMap<(Space, u8, u64), Register>,
    /// What is in the device's own memory, by address, 32 bits each.
    pub inside: BTreeMap<u64, u32>,
    /// The aperture of a paged window in BAR 0.
    pub aperture: Range<u64>,
    /// Touching these ends the test.
    pub forbidden: Vec<(Space, u8, Range<u64>)>,
    pub bars: [Option<Bar>; 6],
    pub cpu: Cpu,
    /// After so many reads it answers with ones.
    pub dies_after: Option<usize>,
    /// Every register that was read or written.
    pub touched: Vec<(Space, u8, u64)>,
    pub written: Vec<(u64, u64)>,
    pub dump: Vec<u8>,
    time: u64,
}

impl Emulated {
    pub fn new() -> Self {
        let mut config = vec![0; 4096];
        config[0..4].copy_from_slice(&[0x86, 0x80, 0xd3, 0x10]);
        config[4..8].copy_from_slice(&[0x07, 0x00, 0x10, 0x00]);
        config[8..12].copy_from_slice(&[0x02, 0x00, 0x00, 0x02]);
        Self {
            config,
            registers: BTreeMap::new(),
            inside: BTreeMap::new(),
            aperture: 0..0,
            forbidden: Vec::new(),
            bars: [Some(Bar { size: 0x10000, io: false }); 6],
            cpu: Cpu::default(),
            dies_after: None,
            touched: Vec::new(),
            written: Vec::new(),
            dump: dump::header().to_vec(),
            time: 0,
        }
    }

    /// Bytes of configuration space.
    pub fn config(mut self, at: usize, bytes: &[u8]) -> Self {
        self.config[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub fn register(mut self, space: Space, at: u64, register: Register) -> Self {
        self.registers.insert((space, 0, at), register);
        self
    }

    /// A plain register of 32 bits in BAR 0.
    pub fn bar(self, at: u64, value: u32) -> Self {
        self.register(Space::Bar, at, Register::Plain(value.into()))
    }

    /// A model-specific register.
    pub fn msr(self, at: u64, value: u64) -> Self {
        self.register(Space::Msr, at, Register::Plain(value))
    }

    pub fn forbid(mut self, addresses: Range<u64>) -> Self {
        self.forbidden.push((Space::Bar, 0, addresses));
        self
    }

    fn touch(&mut self, place: Place, address: u64) {
        for (space, index, addresses) in &self.forbidden {
            let is_it = (*space, *index) == (place.space, place.index);
            assert!(!(is_it && addresses.contains(&address)), "{address:#x} was touched");
        }
        if place.space != Space::Config {
            self.touched.push((place.space, place.index, address));
        }
    }

    /// Collects by the profile in `text`, and gives what became of it.
    pub fn collect(&mut self, text: &str, options: Options) -> End {
        self.collect_as(text, options, Kind::Pci, false)
    }

    pub fn collect_as(&mut self, text: &str, options: Options, kind: Kind, bound: bool) -> End {
        let (_, bytes) = compile(text).unwrap_or_else(|faults| panic!("{faults:#?}"));
        let (plan, rest) = Plan::parse(&bytes).expect("what compiles is a plan");
        assert!(rest.is_empty());
        let word = |at: usize| u16::from_le_bytes([self.config[at], self.config[at + 1]]);
        let device = dump::Device {
            kind,
            power: 0,
            bound,
            link_down: false,
            no_decode: false,
            domain: 0,
            bus: 1,
            devfn: 0x18,
            revision: self.config[8],
            vendor: word(0),
            device: word(2),
            sub_vendor: 0,
            sub_device: 0,
            class: 0x02_0000,
            address: 0,
            profile_version: 0,
            digest: [0; DIGEST_SIZE],
            profile: [0; NAME_SIZE],
            driver: [0; NAME_SIZE],
        };
        plan::run::collect(self, &plan, &device, options).expect("room")
    }

    /// The device in the dump, decoded by the profile in `text`.
    pub fn decoded(&self, text: &str) -> Device<'_> {
        let mut library = Library::empty();
        let (profile, _) = compile(text).expect("a profile");
        library.add(profile.name, text.as_bytes().to_vec().into());
        let mut devices = decode(&self.dump, &mut library).expect("a register dump");
        let device = devices.next().expect("a device").expect("whole");
        assert!(devices.next().is_none());
        device
    }

    /// Both, with windows and all.
    pub fn both(&mut self, text: &str, options: Options) -> Device<'_> {
        self.collect(text, options);
        self.decoded(text)
    }

    /// Addresses in BAR 0 that were touched, without the order.
    pub fn touched_in_bar(&self) -> BTreeSet<u64> {
        let in_bar = self.touched.iter().filter(|(space, ..)| *space == Space::Bar);
        in_bar.map(|(_, _, address)| *address).collect()
    }
}

/// All that may be done.
pub const ALL: Options = Options { touches: true, clears: true };
/// Only what changes nothing.
pub const PURE: Options = Options { touches: false, clears: false };

impl Host for Emulated {
    fn read(&mut self, place: Place, address: u64) -> Result<u64, Missed> {
        self.touch(place, address);
        let width = u64::from(place.width.bytes());
        if place.space == Space::Config {
            let bytes = self.config.get(address as usize..(address + width) as usize);
            let bytes = bytes.ok_or(Missed::Absent)?;
            return Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)));
        }
        if let Some(left) = &mut self.dies_after {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => return Ok(place.width.ones()),
            }
        }
        let index = self.registers.values().find_map(|register| match register {
            Register::Index(index) => Some(*index),
            _ => None,
        });
        let page = self.registers.values().find_map(|register| match register {
            Register::PageBase(base) => Some(*base),
            _ => None,
        });
        if place.space == Space::Bar && self.aperture.contains(&address) {
            let seen = page.expect("a window") + (address - self.aperture.start);
            return Ok(self.inside.get(&seen).copied().unwrap_or(0).into());
        }
        let Some(register) = self.registers.get_mut(&(place.space, place.index, address)) else {
            return match place.space {
                Space::Msr => Err(Missed::Fault),
                _ => Ok(0),
            };
        };
        Ok(match register {
            Register::Plain(value) | Register::Written(value) => *value,
            Register::Clears(value) => std::mem::take(value),
            Register::Pops(values) => values.pop_front().unwrap_or(0),
            Register::PageBase(value) | Register::Index(value) => *value,
            Register::Data => {
                let index = index.expect("an index register");
                self.inside.get(&index).copied().unwrap_or(0).into()
            }
        })
    }

    fn write(&mut self, place: Place, address: u64, value: u64) -> Result<(), Missed> {
        self.touch(place, address);
        self.written.push((address, value));
        match self.registers.get_mut(&(place.space, place.index, address)) {
            Some(Register::PageBase(to) | Register::Index(to) | Register::Written(to)) => {
                *to = value;
                Ok(())
            }
            other => panic!("{value:#x} was written to {address:#x}, which is {other:?}"),
        }
    }

    fn bar(&mut self, index: u8) -> Option<Bar> {
        self.bars.get(usize::from(index)).copied().flatten()
    }

    fn cpu(&mut self) -> Cpu {
        self.cpu
    }

    fn about_to_read(&mut self, _: u8, _: Place, _: u64, _: u64) {}

    fn put(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.dump.extend_from_slice(bytes);
        Ok(())
    }

    fn is_late(&mut self) -> bool {
        false
    }

    fn milliseconds(&mut self) -> u64 {
        self.time
    }

    fn pause(&mut self) {
        self.time += 1;
    }
}

/// A profile for all PCI functions, of these parts.
pub fn of(collect: &str, rest: &str) -> String {
    format!(
        "profile test version=3 title=\"a test device\"\nsource \"by hand\"\n\
         match {{ pci class=0 class-mask=0 }}\ncollect {{\n{collect}\n}}\n{rest}\n"
    )
}

/// The value of a register of a device, or why there is none.
pub fn value(device: &Device<'_>, name: &str) -> Result<u64, String> {
    let registers = device.blocks.iter().flat_map(|block| &block.registers);
    let mut found = registers.filter(|register| register.name == name);
    let register = found.next().unwrap_or_else(|| panic!("no {name}: {:#?}", device.unread));
    register.value.clone()
}
