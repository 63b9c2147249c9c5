// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The instructions of a plan.
//!
//! They work on [`VARIABLES`] variables of 64 bits, which are 0 at the start. An address is
//! that in a variable and a constant, or the constant alone. Jumps lead forward, loops have
//! a bound and nest twice, so that every plan ends.

use vmcore::bytes::Endian::Little;

use crate::place::{Class, Place};

/// How many variables there are.
pub const VARIABLES: u8 = 32;
/// Where an instruction names no variable.
pub const NONE: u8 = 255;
/// How deep loops nest.
pub const LOOPS: usize = 2;
/// How often the body of a loop runs at most.
pub const TIMES_MAX: u32 = 65536;
/// Size of an instruction, in bytes.
pub const SIZE: usize = 16;

/// Defines an enum whose members have numbers in a plan.
macro_rules! numbered {
    ($(#[$attribute:meta])* $name:ident: $($(#[$doc:meta])* $member:ident = $number:literal,)+) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$doc])* $member = $number,)+
        }

        impl $name {
            /// Each of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$member,)+];

            /// The one with this number in a plan.
            #[must_use]
            pub fn from_number(number: u64) -> Option<Self> {
                match number {
                    $($number => Some(Self::$member),)+
                    _ => None,
                }
            }

            /// Its number in a plan.
            #[must_use]
            pub const fn number(self) -> u8 {
                self as u8
            }
        }
    };
}

numbered! {
    /// What [`Instruction::Alu`] computes of two values. All wrap at 64 bits.
    Alu:
    /// Their sum.
    Add = 0,
    /// Their difference.
    Sub = 1,
    /// Their product.
    Mul = 2,
    /// Their quotient; 0 where the second is 0.
    Div = 3,
    /// The remainder of a division; 0 where the second is 0.
    Rem = 4,
    /// The bits that both have.
    And = 5,
    /// The bits that any has.
    Or = 6,
    /// The bits that one has.
    Xor = 7,
    /// The first, shifted to the left; 0 from 64 bits on.
    Shl = 8,
    /// The first, shifted to the right; 0 from 64 bits on.
    Shr = 9,
    /// 1 where they are equal, or 0.
    Eq = 10,
    /// 1 where they differ, or 0.
    Ne = 11,
    /// 1 where the first is less, or 0.
    Lt = 12,
    /// 1 where the first is not more, or 0.
    Le = 13,
    /// 1 where none is 0, or 0.
    LogicalAnd = 14,
    /// 1 where one is not 0, or 0.
    LogicalOr = 15,
    /// How many bits of the first are set.
    PopCount = 16,
}

impl Alu {
    /// The result for `first` and `second`.
    #[must_use]
    pub fn of(self, first: u64, second: u64) -> u64 {
        let shift = u32::try_from(second).ok();
        match self {
            Self::Add => first.wrapping_add(second),
            Self::Sub => first.wrapping_sub(second),
            Self::Mul => first.wrapping_mul(second),
            Self::Div => first.checked_div(second).unwrap_or(0),
            Self::Rem => first.checked_rem(second).unwrap_or(0),
            Self::And => first & second,
            Self::Or => first | second,
            Self::Xor => first ^ second,
            Self::Shl => shift.and_then(|shift| first.checked_shl(shift)).unwrap_or(0),
            Self::Shr => shift.and_then(|shift| first.checked_shr(shift)).unwrap_or(0),
            Self::Eq => u64::from(first == second),
            Self::Ne => u64::from(first != second),
            Self::Lt => u64::from(first < second),
            Self::Le => u64::from(first <= second),
            Self::LogicalAnd => u64::from(first != 0 && second != 0),
            Self::LogicalOr => u64::from(first != 0 || second != 0),
            Self::PopCount => u64::from(first.count_ones()),
        }
    }
}

numbered! {
    /// What is known of a device before any register is read.
    Fact:
    /// Vendor id of a PCI function.
    Vendor = 0,
    /// Device id.
    Device = 1,
    /// Subsystem vendor id.
    SubVendor = 2,
    /// Subsystem id.
    SubDevice = 3,
    /// Class, subclass and programming interface, 24 bits.
    ClassCode = 4,
    /// Revision.
    Revision = 5,
    /// `PCI_COMMAND`, as it was found.
    Command = 6,
    /// 1 where MSI-X is on, or 0.
    MsixEnabled = 7,
    /// 1 where MSI is on, or 0.
    MsiEnabled = 8,
    /// 1 where a driver is bound to it, or 0.
    Bound = 9,
    /// Size of what base address register 0 decodes, in bytes; 0 where it decodes nothing.
    Bar0Size = 10,
    /// The same of base address register 1.
    Bar1Size = 11,
    /// The same of base address register 2.
    Bar2Size = 12,
    /// The same of base address register 3.
    Bar3Size = 13,
    /// The same of base address register 4.
    Bar4Size = 14,
    /// The same of base address register 5.
    Bar5Size = 15,
    /// Size of its configuration space in bytes: 256, 4096, or 0.
    ConfigSize = 16,
    /// Who made the processor: 1 Intel, 2 AMD, 0 somebody else.
    CpuVendor = 17,
    /// Its family, as Linux numbers it (`cpuinfo_x86.x86`).
    CpuFamily = 18,
    /// Its model (`cpuinfo_x86.x86_model`).
    CpuModel = 19,
}

/// A constant, or a variable and a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The variable, or [`NONE`].
    pub base: u8,
    /// What is added to it.
    pub offset: u64,
}

impl Address {
    /// A constant.
    #[must_use]
    pub const fn constant(offset: u64) -> Self {
        Self { base: NONE, offset }
    }
}

/// One instruction. Members called `to` are the number of the variable that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instruction {
    /// The plan ends.
    End,
    /// Sets a variable.
    Set {
        /// The variable.
        to: u8,
        /// Its value.
        value: u64,
    },
    /// Computes.
    Alu {
        /// The variable.
        to: u8,
        /// What is computed.
        alu: Alu,
        /// The variable with the first value.
        first: u8,
        /// The variable with the second, or [`NONE`].
        second: u8,
        /// The second value where no variable is named.
        constant: u64,
    },
    /// Reads a register; 0 where it cannot be read.
    Load {
        /// The variable.
        to: u8,
        /// How, and in which space.
        place: Place,
        /// Where.
        address: Address,
    },
    /// Sets a variable to what is known of the device.
    Fact {
        /// The variable.
        to: u8,
        /// Which.
        fact: Fact,
    },
    /// Sets a variable to the offset of a capability in configuration space, 0 if none.
    Capability {
        /// The variable.
        to: u8,
        /// The variable with the offset of one, after which to look; [`NONE`] for the first.
        after: u8,
        /// Its id.
        id: u16,
        /// Whether it is an extended one.
        extended: bool,
    },
    /// Skips instructions if a variable is 0.
    Skip {
        /// The variable.
        unless: u8,
        /// How many.
        count: u32,
    },
    /// Runs the instructions after it with a variable that counts from 0.
    Loop {
        /// The variable.
        to: u8,
        /// The variable that has how often.
        count: u8,
        /// How often at most, up to [`TIMES_MAX`].
        most: u32,
        /// How many instructions.
        body: u32,
    },
    /// From here on, a device whose register has this value does not answer.
    Alive {
        /// How, and in which space.
        place: Place,
        /// Where.
        address: Address,
        /// The variable with the value.
        dead: u8,
    },
    /// The next [`Instruction::Read`] is recorded as one of this place.
    As {
        /// The place, whose width does not count.
        place: Place,
        /// The address.
        address: Address,
    },
    /// Reads into the dump.
    Read {
        /// The number of the block, for messages.
        block: u8,
        /// How, and in which space.
        place: Place,
        /// Where from.
        address: Address,
        /// The variable with the length in bytes.
        length: u8,
    },
    /// Writes to a register.
    Write {
        /// The variable with the value.
        value: u8,
        /// How, and in which space; not [`Class::Pure`].
        place: Place,
        /// Where.
        address: Address,
    },
    /// Waits until a bit is as wanted.
    Poll {
        /// Which bit.
        bit: u8,
        /// Whether it is to be set.
        set: bool,
        /// How, and in which space.
        place: Place,
        /// Where; 48 bits of constant.
        address: Address,
        /// How long at most, in milliseconds.
        milliseconds: u16,
    },
}

/// How many bits the constant of an address has where something stands after it.
const ADDRESS_BITS: u32 = 48;

impl Instruction {
    /// As a plan has it: `op`, `a`, `b`, `c`, `n` (32 bits), `imm` (64 bits).
    #[must_use]
    pub fn to_bytes(self) -> [u8; SIZE] {
        let (op, a, b, c, n, imm) = self.parts();
        let mut bytes = [0; SIZE];
        for (to, from) in bytes.iter_mut().zip([op, a, b, c]) {
            *to = from;
        }
        Little.put_u32(&mut bytes, 4, n);
        Little.put_u64(&mut bytes, 8, imm);
        bytes
    }

    fn parts(self) -> (u8, u8, u8, u8, u32, u64) {
        match self {
            Self::End => (0, 0, 0, 0, 0, 0),
            Self::Set { to, value } => (1, to, 0, 0, 0, value),
            Self::Alu { to, alu, first, second, constant } => {
                (2, to, first, second, alu.number().into(), constant)
            }
            Self::Load { to, place, address } => {
                (3, to, address.base, 0, place.to_bits(), address.offset)
            }
            Self::Fact { to, fact } => (4, to, 0, 0, 0, fact.number().into()),
            Self::Capability { to, after, id, extended } => {
                (5, to, after, 0, extended.into(), id.into())
            }
            Self::Skip { unless, count } => (6, unless, 0, 0, count, 0),
            Self::Loop { to, count, most, body } => (7, to, 0, count, most, body.into()),
            Self::Alive { place, address, dead } => {
                (8, 0, address.base, dead, place.to_bits(), address.offset)
            }
            Self::As { place, address } => (9, 0, address.base, 0, place.to_bits(), address.offset),
            Self::Read { block, place, address, length } => {
                (10, block, address.base, length, place.to_bits(), address.offset)
            }
            Self::Write { value, place, address } => {
                (11, value, address.base, 0, place.to_bits(), address.offset)
            }
            Self::Poll { bit, set, place, address, milliseconds } => {
                let offset = address.offset & ((1 << ADDRESS_BITS) - 1);
                let imm = offset | u64::from(milliseconds) << ADDRESS_BITS;
                (12, bit, address.base, set.into(), place.to_bits(), imm)
            }
        }
    }

    /// What a plan has; `None` for what is no instruction: an unknown number, a variable
    /// that there is not, a bound above its limit, a bit that is to be 0 and is not.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; SIZE]) -> Option<Self> {
        let [op, a, b, c, ..] = *bytes;
        let n = Little.u32(bytes, 4)?;
        let imm = Little.u64(bytes, 8)?;
        let place = || Place::from_bits(n);
        let address = Address { base: b, offset: imm };
        let instruction = match op {
            0 => Self::End,
            1 => Self::Set { to: a, value: imm },
            2 => {
                let alu = Alu::from_number(n.into())?;
                Self::Alu { to: a, alu, first: b, second: c, constant: imm }
            }
            3 => Self::Load { to: a, place: place()?, address },
            4 => Self::Fact { to: a, fact: Fact::from_number(imm)? },
            5 => {
                let id = u16::try_from(imm).ok()?;
                Self::Capability { to: a, after: b, id, extended: n == 1 }
            }
            6 => Self::Skip { unless: a, count: n },
            7 => Self::Loop { to: a, count: c, most: n, body: u32::try_from(imm).ok()? },
            8 => Self::Alive { place: place()?, address, dead: c },
            9 => Self::As { place: place()?, address },
            10 => Self::Read { block: a, place: place()?, address, length: c },
            11 => Self::Write { value: a, place: place()?, address },
            12 => Self::Poll {
                bit: a,
                set: c == 1,
                place: place()?,
                address: Address { base: b, offset: imm & ((1 << ADDRESS_BITS) - 1) },
                milliseconds: (imm >> ADDRESS_BITS) as u16,
            },
            _ => return None,
        };
        // What is decoded says all that stands there.
        (instruction.is_sound() && instruction.to_bytes() == *bytes).then_some(instruction)
    }

    /// Whether its variables are there and its bounds hold.
    fn is_sound(self) -> bool {
        let there = |variable: u8| variable < VARIABLES;
        let or_none = |variable: u8| there(variable) || variable == NONE;
        let real = |place: Place| place.space != crate::place::Space::Window;
        match self {
            Self::End => true,
            Self::Set { to, .. } | Self::Fact { to, .. } => there(to),
            Self::Alu { to, first, second, .. } => there(to) && there(first) && or_none(second),
            Self::Load { to, place, address } => {
                there(to) && or_none(address.base) && real(place) && place.class != Class::Clears
            }
            Self::Capability { to, after, .. } => there(to) && or_none(after),
            Self::Skip { unless, .. } => there(unless),
            Self::Loop { to, count, most, .. } => there(to) && there(count) && most <= TIMES_MAX,
            Self::Alive { place, address, dead } => {
                or_none(address.base) && there(dead) && real(place) && place.class == Class::Pure
            }
            Self::As { address, .. } => or_none(address.base),
            Self::Read { place, address, length, .. } => {
                or_none(address.base) && there(length) && real(place)
            }
            Self::Write { value, place, address } => {
                there(value) && or_none(address.base) && real(place) && place.class != Class::Pure
            }
            Self::Poll { bit, place, address, .. } => {
                bit < 64 && or_none(address.base) && real(place) && place.class != Class::Clears
            }
        }
    }
}
