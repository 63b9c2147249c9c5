// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where a register is.

/// In what an address counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// The configuration space of a PCI function, in bytes.
    Config,
    /// What a base address register of a PCI function decodes, in bytes: memory, or I/O
    /// ports where it is such a register.
    Bar,
    /// The I/O ports of the machine.
    Port,
    /// The model-specific registers of a processor: an address is the number of one, which
    /// has eight bytes.
    Msr,
    /// Physical addresses, in bytes.
    Memory,
    /// The registers of a unit that an ACPI table names, in bytes.
    Unit,
    /// What is reached through a window only, in what the device counts in.
    Window,
}

impl Space {
    /// Each space, in the order of its numbers, which start at 1.
    const ALL: [Self; 7] =
        [Self::Config, Self::Bar, Self::Port, Self::Msr, Self::Memory, Self::Unit, Self::Window];

    /// Its number in plans and dumps.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Config => 1,
            Self::Bar => 2,
            Self::Port => 3,
            Self::Msr => 4,
            Self::Memory => 5,
            Self::Unit => 6,
            Self::Window => 7,
        }
    }

    /// The space with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|space| space.number() == number)
    }

    /// How far one register's address is from the next one's, for registers of `width`.
    #[must_use]
    pub const fn step(self, width: Width) -> u64 {
        match self {
            Self::Msr => 1,
            _ => width.bytes() as u64,
        }
    }
}

/// How many bits are read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// 8 bits.
    W8,
    /// 16 bits.
    W16,
    /// 32 bits.
    W32,
    /// 64 bits.
    W64,
}

impl Width {
    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u8 {
        match self {
            Self::W8 => 1,
            Self::W16 => 2,
            Self::W32 => 4,
            Self::W64 => 8,
        }
    }

    /// The width of so many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u8) -> Option<Self> {
        match bytes {
            1 => Some(Self::W8),
            2 => Some(Self::W16),
            4 => Some(Self::W32),
            8 => Some(Self::W64),
            _ => None,
        }
    }

    /// A value with ones in all of its bits, which a bus gives where nobody answers.
    #[must_use]
    pub const fn ones(self) -> u64 {
        match self {
            Self::W8 => 0xff,
            Self::W16 => 0xffff,
            Self::W32 => 0xffff_ffff,
            Self::W64 => u64::MAX,
        }
    }

    /// `value`, read as the other byte order has it.
    #[must_use]
    pub const fn swapped(self, value: u64) -> u64 {
        match self {
            Self::W8 => value,
            Self::W16 => (value as u16).swap_bytes() as u64,
            Self::W32 => (value as u32).swap_bytes() as u64,
            Self::W64 => value.swap_bytes(),
        }
    }
}

/// What a read or a write at a place does besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A read changes nothing.
    Pure,
    /// It needs writes to a window's registers, or is one.
    Touches,
    /// It changes what the next reader sees: a counter, a status, a queue.
    Clears,
}

/// Flag of [`Place`]: the device has the most significant byte first.
pub const BIG: u8 = 1;
/// Flag of [`Place`]: [`Class::Touches`].
pub const TOUCHES: u8 = 2;
/// Flag of [`Place`]: [`Class::Clears`].
pub const CLEARS: u8 = 4;
/// Flag of [`Place`]: a zero is read again, three times at most.
pub const RETRY_ZERO: u8 = 8;

/// How registers are read, and in which space: a `place` of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The space.
    pub space: Space,
    /// Which of a space that there are several of: base address register, window.
    pub index: u8,
    /// How many bits at once.
    pub width: Width,
    /// Whether the device has the most significant byte first.
    pub big: bool,
    /// What it does besides.
    pub class: Class,
    /// Whether a zero is read again.
    pub retry_zero: bool,
}

impl Place {
    /// Registers of `width` in `space`, little-endian, that a read does not change.
    #[must_use]
    pub const fn new(space: Space, index: u8, width: Width) -> Self {
        Self { space, index, width, big: false, class: Class::Pure, retry_zero: false }
    }

    /// As an instruction has it: width, space, index and flags from the lowest byte on.
    #[must_use]
    pub const fn to_bits(self) -> u32 {
        let class = match self.class {
            Class::Pure => 0,
            Class::Touches => TOUCHES,
            Class::Clears => CLEARS,
        };
        let big = if self.big { BIG } else { 0 };
        let retry = if self.retry_zero { RETRY_ZERO } else { 0 };
        u32::from_le_bytes([
            self.width.bytes(),
            self.space.number(),
            self.index,
            big | class | retry,
        ])
    }

    /// What an instruction has; `None` for a width, a space or a flag that there is not.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        let [width, space, index, flags] = bits.to_le_bytes();
        let class = match flags & (TOUCHES | CLEARS) {
            0 => Class::Pure,
            TOUCHES => Class::Touches,
            CLEARS => Class::Clears,
            _ => return None,
        };
        let known = flags & !(BIG | TOUCHES | CLEARS | RETRY_ZERO) == 0;
        let place = Self {
            space: Space::from_number(space)?,
            index,
            width: Width::from_bytes(width)?,
            big: flags & BIG != 0,
            class,
            retry_zero: flags & RETRY_ZERO != 0,
        };
        let fits = match place.space {
            Space::Bar => index < 6,
            Space::Window => true,
            Space::Msr => index == 0 && place.width == Width::W64,
            Space::Config | Space::Port => index == 0 && place.width != Width::W64,
            Space::Memory | Space::Unit => index == 0,
        };
        (known && fits).then_some(place)
    }
}
