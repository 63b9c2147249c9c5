// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What expressions are worth, by what was read: a value, or not known.

use std::cell::Cell;

use plan::code::{Alu, Fact};
use plan::dump::{self, Status};
use plan::pci;
use plan::place::{Space, Width};
use plan::plan::Kind;

use crate::expression::{Expression, Function, Reference};
use crate::model::{Area, Block, Profile, Reading, Register};
use crate::read::place_of;
use crate::segments::{Config, Key, Map};

/// Whether a block is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    There,
    Absent,
    Unknown,
}

/// A value that is computed when it is asked for first.
type Known<T> = Cell<Option<T>>;

/// The element of an array that is looked at: its block, its number, its address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element {
    pub(crate) block: usize,
    pub(crate) index: u64,
    pub(crate) address: u64,
}

/// A register's value and where it is in the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) value: u64,
    pub(crate) position: usize,
}

/// What is known of a device.
pub(crate) struct Values<'v> {
    pub(crate) profile: &'v Profile,
    pub(crate) device: &'v dump::Device,
    pub(crate) map: &'v Map<'v>,
    lets: Vec<Known<Option<u64>>>,
    bases: Vec<Known<Option<u64>>>,
    presences: Vec<Known<Presence>>,
}

impl<'v> Values<'v> {
    pub(crate) fn new(profile: &'v Profile, device: &'v dump::Device, map: &'v Map<'v>) -> Self {
        let blocks = profile.blocks.len();
        Self {
            profile,
            device,
            map,
            lets: vec![Cell::new(None); profile.lets.len()],
            bases: vec![Cell::new(None); blocks],
            presences: vec![Cell::new(None); blocks],
        }
    }

    /// The value of `expression`, where registers of blocks that are not there have none.
    pub(crate) fn value(&self, expression: &Expression, element: Option<Element>) -> Option<u64> {
        self.eval(expression, element, true)
    }

    fn eval(&self, expression: &Expression, element: Option<Element>, real: bool) -> Option<u64> {
        let eval = |expression: &Expression| self.eval(expression, element, real);
        match expression {
            Expression::Number(number) => Some(*number),
            Expression::Name(..) => None,
            Expression::Value(reference) => self.reference(*reference, element, real),
            Expression::Let(number) => {
                let each = self.profile.lets.get(*number)?;
                once(self.lets.get(*number)?, || self.eval(&each.value, None, false))
            }
            Expression::Fact(fact) => self.fact(*fact),
            Expression::Index => element.map(|element| element.index),
            Expression::Unary(unary, inner) => eval(inner).map(|value| unary.of(value)),
            Expression::Binary(alu, first, second) => {
                let (first, second) = (eval(first), eval(second));
                match (alu, first, second) {
                    // One of them says it, whatever the other is.
                    (Alu::LogicalAnd, Some(0), _) | (Alu::LogicalAnd, _, Some(0)) => Some(0),
                    (Alu::LogicalOr, Some(value), None) | (Alu::LogicalOr, None, Some(value)) => {
                        (value != 0).then_some(1)
                    }
                    _ => Some(alu.of(first?, second?)),
                }
            }
            Expression::Call(function, arguments) => {
                let [first, more @ ..] = arguments.as_slice() else { return None };
                let first = eval(first)?;
                match function {
                    Function::PopCount => Some(Alu::PopCount.of(first, 0)),
                    Function::Capability => self.capability(first, false, None),
                    Function::Extended => self.capability(first, true, None),
                    Function::NextCapability => match eval(more.first()?)? {
                        0 => Some(0),
                        after => self.capability(first, false, Some(after)),
                    },
                    Function::Config8 => self.config(Width::W8, first),
                    Function::Config16 => self.config(Width::W16, first),
                    Function::Config32 => self.config(Width::W32, first),
                }
            }
        }
    }

    /// The register of configuration space that has `address` in it.
    fn config(&self, width: Width, address: u64) -> Option<u64> {
        let bytes = u64::from(width.bytes());
        let start = address - address % bytes;
        let (found, _) = self.map.bytes((Space::Config, 0), start, bytes)?;
        Some(u64::from_le_bytes(found))
    }

    /// The offset of a capability; 0, if there is none.
    fn capability(&self, id: u64, extended: bool, after: Option<u64>) -> Option<u64> {
        let id = u16::try_from(id).ok()?;
        let after = after.map(u16::try_from).transpose().ok()?;
        let mut config = Config(self.map);
        // The last register of what the list is in.
        self.config(Width::W32, pci::SIZE - 4)?;
        let found = if extended {
            pci::extended(&mut config, id, after)
        } else {
            pci::capability(&mut config, id, after)
        };
        Some(found.unwrap_or(0).into())
    }

    fn fact(&self, fact: Fact) -> Option<u64> {
        let device = self.device;
        let mut config = Config(self.map);
        let has_config = || self.config(Width::W32, pci::SIZE - 4);
        Some(match fact {
            Fact::Vendor | Fact::CpuVendor => device.vendor.into(),
            Fact::Device => device.device.into(),
            Fact::SubVendor => device.sub_vendor.into(),
            Fact::SubDevice => device.sub_device.into(),
            Fact::ClassCode => device.class.into(),
            Fact::Revision => device.revision.into(),
            Fact::Bound => device.bound.into(),
            Fact::Command => self.config(Width::W16, pci::COMMAND.into())?,
            Fact::MsixEnabled => has_config().map(|_| pci::msix_enabled(&mut config).into())?,
            Fact::MsiEnabled => has_config().map(|_| pci::msi_enabled(&mut config).into())?,
            Fact::ConfigSize => {
                has_config()?;
                match self.config(Width::W32, pci::SIZE) {
                    Some(_) => pci::SIZE_EXTENDED,
                    None => pci::SIZE,
                }
            }
            // Dumps of processors have their family and model in fields that these do not use.
            Fact::CpuFamily if device.kind == Kind::Cpu && device.device != 0 => {
                device.device.into()
            }
            Fact::CpuModel if device.kind == Kind::Cpu && device.device != 0 => {
                device.sub_device.into()
            }
            // The dump does not have them.
            Fact::Bar0Size
            | Fact::Bar1Size
            | Fact::Bar2Size
            | Fact::Bar3Size
            | Fact::Bar4Size
            | Fact::Bar5Size
            | Fact::CpuFamily
            | Fact::CpuModel => return None,
        })
    }

    /// Where the block of this number is, or the first element of an array.
    pub(crate) fn base(&self, number: usize) -> Option<u64> {
        let block = self.profile.blocks.get(number)?;
        once(self.bases.get(number)?, || {
            let at = self.eval(&block.location.at, None, false)?;
            match block.location.area {
                Area::Capability { id, extended } => {
                    let found = self.capability(id.into(), extended, None)?;
                    (found != 0).then(|| found.wrapping_add(at))
                }
                _ => Some(at),
            }
        })
    }

    pub(crate) fn presence(&self, number: usize) -> Presence {
        let Some((block, known)) = self.profile.blocks.get(number).zip(self.presences.get(number))
        else {
            return Presence::Absent;
        };
        once(known, || {
            let condition = block.condition.as_ref();
            let condition = condition.map_or(Some(1), |each| self.eval(each, None, false));
            let place = match block.location.area {
                Area::Capability { id, extended } => self.capability(id.into(), extended, None),
                _ => Some(1),
            };
            match (condition, place) {
                (Some(0), _) | (_, Some(0)) => Presence::Absent,
                (Some(_), Some(_)) => Presence::There,
                _ => Presence::Unknown,
            }
        })
    }

    /// Whether a block may not be there, and nothing of it was read.
    pub(crate) fn has_none(&self, number: usize) -> bool {
        let Some(block) = self.profile.blocks.get(number) else { return true };
        let length = self.value(&block.length, None).unwrap_or(1).max(1);
        let base = self.base(number);
        match self.presence(number) {
            Presence::There => false,
            Presence::Absent => true,
            Presence::Unknown => {
                base.is_none_or(|base| !self.map.has_any(key(block), base, length))
            }
        }
    }

    fn reference(&self, reference: Reference, element: Option<Element>, real: bool) -> Option<u64> {
        let block = self.profile.blocks.get(reference.block)?;
        let register = block.registers.get(reference.register)?;
        if real && !self.is_there(reference, register, element) {
            return None;
        }
        // As when it was collected, where a block that is not there is not asked.
        let is_outside = element.is_none_or(|element| element.block != reference.block);
        if !real
            && !block.is_view
            && is_outside
            && self.presence(reference.block) == Presence::Absent
        {
            return Some(0);
        }
        let base = match element.filter(|element| element.block == reference.block) {
            Some(element) => element.address,
            None => self.base(reference.block)?,
        };
        let value = self.register(block, register, base, 0)?.value;
        let Some(field) = reference.field else { return Some(value) };
        let field = register.fields.get(field)?;
        Some(field.of(value).wrapping_add(field.add as u64))
    }

    fn is_there(&self, of: Reference, register: &Register, element: Option<Element>) -> bool {
        let condition = register.condition.as_ref();
        self.presence(of.block) != Presence::Absent
            && condition.is_none_or(|each| self.eval(each, element, false) != Some(0))
    }

    /// The value of a register of a block that is at `base`, or of the one of this number of
    /// a register array.
    pub(crate) fn register(
        &self,
        block: &Block,
        register: &Register,
        base: u64,
        number: u64,
    ) -> Option<Found> {
        let read = read_for(block, register);
        let address = base.checked_add(read.address(number))?;
        let (bytes, position) = self.map.bytes(key(block), address, read.bytes())?;
        let big = read.big.unwrap_or(block.big);
        let unused = 64_u32.checked_sub(read.bits)?;
        let value = match big {
            true => u64::from_be_bytes(bytes).checked_shr(unused)?,
            false => u64::from_le_bytes(bytes),
        };
        Some(Found { value, position })
    }

    /// Why a register was not read, if the dump says so.
    pub(crate) fn why(&self, block: &Block, address: u64) -> Option<Status> {
        self.map.why(key(block), address)
    }
}

/// The register whose value is that of `register`.
pub(crate) fn read_for<'b>(block: &'b Block, register: &'b Register) -> &'b Register {
    match register.reading {
        Reading::Instead(other) => block.registers.get(other).unwrap_or(register),
        _ => register,
    }
}

/// Where the registers of a block are in a dump.
pub(crate) fn key(block: &Block) -> Key {
    place_of(block.location.area)
}

/// What was found out before, or is now.
fn once<T: Copy>(known: &Known<T>, find: impl FnOnce() -> T) -> T {
    known.get().unwrap_or_else(|| {
        let found = find();
        known.set(Some(found));
        found
    })
}
