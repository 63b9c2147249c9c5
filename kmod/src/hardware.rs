// SPDX-License-Identifier: GPL-2.0-only
//! Devices as the interpreter of plans reads them: [`Hardware`] is its host.

use devdump::{Clock, Lent};
use plan::device::{Bar, Cpu, Host, Missed, NoRoom};
use plan::dump::Device;
use plan::place::{Place, Space};
use plan::plan::{Ids, Kind};
use vmcore::PAGE_SIZE;
use vmcore::bytes::copy;
use vmcore::manifest::Text;

use crate::kernel::log::{Hex, log};
use crate::kernel::memory::KernelMemory;
use crate::kernel::pci::PciDevice;
use crate::kernel::registers::{self, Registers};

/// How much of a base address register is mapped at once, in bytes: a power of two. A whole base address
/// register may be gigabytes, for which a crash kernel has no page tables.
const WINDOW: u64 = 256 << 10;
/// The largest unit, in bytes: the registers of an AMD IOMMU with counters.
const UNIT_SIZE: u64 = 512 << 10;

/// What can be read.
pub enum Target {
    /// A PCI function.
    Pci(PciDevice),
    /// A processor, by its number.
    Cpu(u32),
    /// A unit that an ACPI table names, by its physical address.
    Unit(Kind, u64),
}

/// The name of a device, or of its dump.
pub type Label = Text<43>;

impl Target {
    /// What is known of it before it is read.
    #[must_use]
    pub fn device(&self) -> Device {
        let nothing = Device {
            kind: Kind::Pci,
            power: u8::MAX,
            bound: false,
            link_down: false,
            no_decode: false,
            domain: 0,
            bus: 0,
            devfn: 0,
            revision: 0,
            vendor: 0,
            device: 0,
            sub_vendor: 0,
            sub_device: 0,
            class: 0,
            address: 0,
            profile_version: 0,
            digest: [0; 32],
            profile: [0; 32],
            driver: [0; 32],
        };
        match self {
            Self::Cpu(number) => Device {
                kind: Kind::Cpu,
                vendor: registers::cpu().vendor.into(),
                address: (*number).into(),
                ..nothing
            },
            Self::Unit(kind, address) => Device { kind: *kind, address: *address, ..nothing },
            Self::Pci(function) => {
                let about = function.about();
                Device {
                    power: if about.unpowered != 0 { 4 } else { u8::MAX },
                    bound: about.bound != 0,
                    link_down: about.disconnected != 0 || link_is_down(function),
                    domain: about.domain,
                    bus: about.bus,
                    devfn: about.devfn,
                    revision: about.revision,
                    vendor: about.vendor,
                    device: about.device,
                    sub_vendor: about.sub_vendor,
                    sub_device: about.sub_device,
                    class: about.class,
                    driver: about.driver,
                    ..nothing
                }
            }
        }
    }

    /// What identifies it.
    #[must_use]
    pub fn ids(&self) -> Ids {
        let (kind, vendor) = match self {
            Self::Cpu(_) => (Kind::Cpu, registers::cpu().vendor.into()),
            Self::Unit(kind, _) => (*kind, 0),
            Self::Pci(function) => {
                let about = function.about();
                return Ids {
                    kind: Kind::Pci,
                    vendor: about.vendor,
                    device: about.device,
                    sub_vendor: about.sub_vendor,
                    sub_device: about.sub_device,
                    class: about.class,
                };
            }
        };
        Ids { kind, vendor, device: 0, sub_vendor: 0, sub_device: 0, class: 0 }
    }

    /// What it is called: the slot of a PCI function, `0000:01:00.0`, the number of a
    /// processor, the address of a unit.
    #[must_use]
    pub fn label(&self) -> Label {
        let mut label = Label::new();
        match self {
            Self::Cpu(number) => {
                label.push(b"cpu");
                label.digits((*number).into(), 10, 1);
            }
            Self::Unit(_, address) => label.digits(*address, 16, 1),
            Self::Pci(function) => {
                let about = function.about();
                label.digits(about.domain.into(), 16, 4);
                label.push(b":");
                label.digits(about.bus.into(), 16, 2);
                label.push(b":");
                label.digits((about.devfn >> 3).into(), 16, 2);
                label.push(b".");
                label.digits((about.devfn & 7).into(), 10, 1);
            }
        }
        label
    }
}

/// Whether the bridge above says that its link is down.
fn link_is_down(function: &PciDevice) -> bool {
    function.bridge().is_some_and(|bridge| {
        plan::pci::link_below_is_down(&mut Hardware::new(&Target::Pci(bridge), None))
    })
}

/// A part of a device's registers that is mapped.
struct Mapped {
    physical: u64,
    length: u64,
    registers: Registers,
}

/// A device that is read, and the dump that it goes into.
pub struct Hardware<'a> {
    target: &'a Target,
    lent: Option<&'a Lent<KernelMemory>>,
    /// The two windows that were used last: one for what is read, one for the register that
    /// shows whether the device is alive.
    mapped: [Option<Mapped>; 2],
}

impl<'a> Hardware<'a> {
    /// Reads `target` into what is `lent`, if anything is.
    #[must_use]
    pub fn new(target: &'a Target, lent: Option<&'a Lent<KernelMemory>>) -> Self {
        Self { target, lent, mapped: [None, None] }
    }

    /// What the function's base address register `index` decodes.
    fn resource(&self, index: u8) -> Option<crate::kernel::pci::Bar> {
        match self.target {
            Target::Pci(function) => function.bar(index),
            _ => None,
        }
    }

    /// The space in memory that `place` is in: where it starts, its size in bytes, and how
    /// much of it is mapped at once.
    fn space(&self, place: Place) -> Option<(u64, u64, u64)> {
        match (place.space, self.target) {
            (Space::Bar, _) => {
                let bar = self.resource(place.index)?;
                Some((bar.start, bar.size, WINDOW))
            }
            (Space::Memory, _) => Some((0, 1 << 52, PAGE_SIZE)),
            (Space::Unit, Target::Unit(_, start)) => Some((*start, UNIT_SIZE, PAGE_SIZE)),
            _ => None,
        }
    }

    /// The mapping that has the register at `address` of a space in memory, and where in
    /// it. What is mapped is never before or after the space, where memory may be.
    fn window(&mut self, place: Place, address: u64) -> Option<(&Registers, usize)> {
        let (start, size, window) = self.space(place)?;
        let end = address.checked_add(place.width.bytes().into())?;
        let offset = address & !(window - 1);
        let length = size.checked_sub(offset)?.min(window);
        let physical = start.checked_add(offset).filter(|_| end <= size)?;
        let is_it = |mapped: &Option<Mapped>| {
            mapped
                .as_ref()
                .is_some_and(|mapped| (mapped.physical, mapped.length) == (physical, length))
        };
        let [first, second] = &mut self.mapped;
        if !is_it(first) {
            core::mem::swap(first, second);
        }
        if !is_it(first) {
            // Gives up the older one before it takes more.
            *first = None;
            let registers = Registers::map(physical, usize::try_from(length).ok()?)?;
            *first = Some(Mapped { physical, length, registers });
        }
        let within = usize::try_from(address.checked_sub(offset)?).ok()?;
        first.as_ref().map(|mapped| (&mapped.registers, within))
    }

    /// The port of the register at `address`, if it is one.
    fn port(&self, place: Place, address: u64) -> Option<u16> {
        match place.space {
            // Elsewhere a port that no bridge decodes has no mapping, and reading it is an oops.
            Space::Port => u16::try_from(address).ok().filter(|_| cfg!(target_arch = "x86_64")),
            Space::Bar => {
                let bar = self.resource(place.index).filter(|bar| bar.io)?;
                let end = address.checked_add(place.width.bytes().into())?;
                let port = bar.start.checked_add(address).filter(|_| end <= bar.size)?;
                u16::try_from(port).ok().filter(|_| place.width.bytes() <= 4)
            }
            _ => None,
        }
    }

    fn is_port(&self, place: Place) -> bool {
        place.space == Space::Port
            || place.space == Space::Bar && self.resource(place.index).is_some_and(|bar| bar.io)
    }
}

impl Host for Hardware<'_> {
    fn read(&mut self, place: Place, address: u64) -> Result<u64, Missed> {
        let width = place.width.bytes();
        let value = match (place.space, self.target) {
            (Space::Config, Target::Pci(function)) => {
                let offset = u32::try_from(address).map_err(|_| Missed::Absent)?;
                function.read(offset, width).map(u64::from)
            }
            (Space::Msr, Target::Cpu(cpu)) => {
                let number = u32::try_from(address).map_err(|_| Missed::Absent)?;
                return registers::read_msr(*cpu, number).ok_or(Missed::Fault);
            }
            _ if self.is_port(place) => {
                let port = self.port(place, address);
                port.map(|port| registers::read_port(port, width).into())
            }
            _ => self
                .window(place, address)
                .and_then(|(registers, offset)| registers.read(offset, width)),
        };
        value.ok_or(Missed::Absent)
    }

    fn write(&mut self, place: Place, address: u64, value: u64) -> Result<(), Missed> {
        let width = place.width.bytes();
        let written = match (place.space, self.target) {
            (Space::Config, Target::Pci(function)) => {
                let offset = u32::try_from(address).map_err(|_| Missed::Absent)?;
                function.write(offset, width, value as u32)
            }
            (Space::Msr, _) => None,
            _ if self.is_port(place) => {
                let port = self.port(place, address);
                port.map(|port| registers::write_port(port, width, value as u32))
            }
            _ => self
                .window(place, address)
                .and_then(|(registers, offset)| registers.write(offset, width, value)),
        };
        written.ok_or(Missed::Absent)
    }

    fn bar(&mut self, index: u8) -> Option<Bar> {
        self.resource(index).map(|bar| Bar { size: bar.size, io: bar.io })
    }

    fn cpu(&mut self) -> Cpu {
        registers::cpu()
    }

    fn about_to_read(&mut self, _block: u8, place: Place, address: u64, length: u64) {
        // Configuration space and processors answer; of all functions and banks that would
        // be many lines.
        let space = match place.space {
            Space::Config | Space::Msr => return,
            Space::Bar => "base address register ",
            Space::Port => "I/O ports ",
            Space::Memory => "memory ",
            Space::Unit => "its registers ",
            Space::Window => "window ",
        };
        let label = self.target.label();
        let index = u64::from(place.index);
        log!(Info, label, ": reads ", length, " bytes of ", space, index, " at ", Hex(address));
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        let Some(lent) = self.lent else {
            return Err(NoRoom);
        };
        let mut left = bytes;
        let written = lent.write_with(bytes.len() as u64, |to| {
            let copied = copy(to, left);
            left = left.get(copied..).unwrap_or(&[]);
            true
        });
        written.map_err(|_| NoRoom)
    }

    fn is_late(&mut self) -> bool {
        self.lent.and_then(Lent::time_left) == Some(0)
    }

    fn milliseconds(&mut self) -> u64 {
        KernelMemory::milliseconds()
    }

    fn pause(&mut self) {
        registers::pause();
    }
}
