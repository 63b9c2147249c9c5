// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A profile, as its file has it.

use std::ops::Range;

use plan::place::{Class, Width};
use plan::plan::{DIGEST_SIZE, Match, Never};

use crate::expression::Expression;

/// Where something stands in the file, in bytes.
pub type Span = Range<usize>;

/// A profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its name, which is that of its file.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// What kind of device it is for, in words.
    pub title: String,
    /// SHA-256 of its file.
    pub digest: [u8; DIGEST_SIZE],
    /// Where its facts are from.
    pub sources: Vec<String>,
    /// Which devices it is for.
    pub matches: Vec<Match>,
    /// Which dumps of drivers have its registers.
    pub dumps: Vec<DriverDump>,
    /// What is done to collect, in order.
    pub items: Vec<Item>,
    /// The computed values.
    pub lets: Vec<Let>,
    /// The blocks and views.
    pub blocks: Vec<Block>,
    /// What is reached by way of registers only.
    pub windows: Vec<Window>,
    /// What is never read, and why.
    pub nevers: Vec<(Never, String)>,
    /// What is abnormal of the whole device.
    pub rules: Vec<Rule>,
    /// The device in a line.
    pub headline: Vec<Piece>,
}

/// Dumps that a driver makes of its devices: what a base address register decodes, byte by
/// byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverDump {
    /// What stands before `_` and the slot in the names of the dumps.
    pub driver: String,
    /// Which base address register.
    pub bar: u8,
    /// The address that its first byte is from.
    pub at: u64,
}

/// Something that is done to collect.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// Configuration space is read.
    Config,
    /// From here on the device is asked whether it answers.
    Alive(Alive),
    /// The value of this number is computed.
    Let(usize),
    /// The block of this number is read; nothing, if it is a view.
    Block(usize),
}

/// How a device that does not answer is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Alive {
    /// The register, as an expression has it.
    pub register: Expression,
    /// What it is then.
    pub dead: u64,
    /// Where it stands.
    pub span: Span,
}

/// A computed value.
#[derive(Debug, Clone, PartialEq)]
pub struct Let {
    /// Its name.
    pub name: String,
    /// What it is.
    pub value: Expression,
    /// Where it stands.
    pub span: Span,
}

/// In what addresses count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// What a base address register decodes.
    Bar(u8),
    /// A capability in configuration space, by its id.
    Capability {
        /// The id.
        id: u16,
        /// Whether it is an extended one.
        extended: bool,
    },
    /// Configuration space.
    Config,
    /// The I/O ports of the machine.
    Port,
    /// Model-specific registers, by their numbers.
    Msr,
    /// Physical addresses.
    Memory,
    /// The registers of an IOMMU.
    Unit,
    /// What a window leads to, by its number.
    Window(usize),
}

impl Area {
    /// How many bytes one address is for.
    #[must_use]
    pub fn bytes(self) -> u64 {
        if self == Self::Msr { 8 } else { 1 }
    }
}

/// Where something is.
#[derive(Debug, Clone, PartialEq)]
pub struct Location {
    /// In what its address counts.
    pub area: Area,
    /// Its address there.
    pub at: Expression,
}

/// How often a block is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// How often.
    pub count: Expression,
    /// How far an element is from the next.
    pub stride: u64,
    /// Which elements are there, as bits; all without it.
    pub bits: Option<Expression>,
}

/// Registers that are read together.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Its name.
    pub name: String,
    /// Where it stands in `collect`.
    pub span: Span,
    /// Whether it is only found, since what it is in is read by another.
    pub is_view: bool,
    /// Where it is.
    pub location: Location,
    /// How long it is, in addresses.
    pub length: Expression,
    /// How many bits are read at once.
    pub width: Width,
    /// Whether the device has the most significant byte first.
    pub big: bool,
    /// Whether it is there.
    pub condition: Option<Expression>,
    /// Whether it is there several times.
    pub array: Option<Array>,
    /// What reading it does besides.
    pub class: Class,
    /// Whether a zero is read again.
    pub retry_zero: bool,
    /// Its registers, in the order of the file.
    pub registers: Vec<Register>,
    /// What is abnormal of it.
    pub rules: Vec<Rule>,
}

/// How a register is read.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// As the rest of its block.
    Plain,
    /// Not at all.
    Skipped,
    /// Unless this is so.
    Unless(Expression),
    /// Another register of its block has the same value, which is read instead.
    Instead(usize),
    /// Only where its block is of the class `clears`: reading clears it, or takes an entry
    /// of a queue.
    Changes,
}

/// A register.
#[derive(Debug, Clone, PartialEq)]
pub struct Register {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// What it is, in words.
    pub title: Option<String>,
    /// Where in its block it is, in addresses.
    pub at: u64,
    /// How many bits it has.
    pub bits: u32,
    /// How often it is there, and how far from one to the next in addresses.
    pub array: Option<(u64, u64)>,
    /// Whether it has the most significant byte first, if not as its block.
    pub big: Option<bool>,
    /// Whether it is there, if that depends.
    pub condition: Option<Expression>,
    /// Whether it differs each time it is read.
    pub volatile: bool,
    /// Whether it counts.
    pub counter: bool,
    /// How many bytes are in memory where it points to.
    pub points_to: Option<Expression>,
    /// How it is read.
    pub reading: Reading,
    /// Whether a zero is read again.
    pub retry_zero: bool,
    /// What it counts in.
    pub unit: Option<String>,
    /// What its values mean.
    pub meanings: Vec<(u64, String)>,
    /// Its fields, in the order of the file.
    pub fields: Vec<Field>,
}

impl Register {
    /// How many bytes it has.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        u64::from(self.bits) / 8
    }

    /// How often it is there.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.array.map_or(1, |(count, _)| count)
    }

    /// Where in its block the one of this number is, in addresses.
    #[must_use]
    pub fn address(&self, number: u64) -> u64 {
        let stride = self.array.map_or(0, |(_, stride)| stride);
        self.at.saturating_add(stride.saturating_mul(number))
    }
}

/// Some bits of a register.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it is, in words.
    pub title: Option<String>,
    /// Its lowest bit.
    pub low: u32,
    /// Its highest bit.
    pub high: u32,
    /// What is added to its bits.
    pub add: i64,
    /// By what that is multiplied.
    pub scale: f64,
    /// How many bytes are in memory where its value points to.
    pub points_to: Option<Expression>,
    /// What it counts in.
    pub unit: Option<String>,
    /// What its values mean.
    pub meanings: Vec<(u64, String)>,
}

impl Field {
    /// Its bits in `value`.
    #[must_use]
    pub fn of(&self, value: u64) -> u64 {
        let width = self.high.saturating_sub(self.low).saturating_add(1);
        let mask = u64::MAX.checked_shr(64_u32.saturating_sub(width)).unwrap_or(0);
        value.checked_shr(self.low).unwrap_or(0) & mask
    }
}

/// Registers by way of which others are reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// Where its registers are: [`Area::Bar`], [`Area::Config`] or [`Area::Port`].
    pub area: Area,
    /// How it works.
    pub kind: WindowKind,
}

/// How a window works.
#[derive(Debug, Clone, PartialEq)]
pub enum WindowKind {
    /// A register says where what is seen at an aperture starts.
    Paged {
        /// The address of that register, which has 32 bits.
        base_at: u64,
        /// Which bits of the address it takes.
        base_mask: u64,
        /// The address of the aperture.
        at: u64,
        /// How long the aperture is: a power of two.
        length: u64,
    },
    /// The address is written to one register, and the value read from another.
    Indexed {
        /// The address of the one that is written.
        index_at: u64,
        /// The address of the one that is read.
        data_at: u64,
        /// How many bits both have.
        width: Width,
        /// Address and bit of the register that keeps others out.
        lock: Option<(u64, u8)>,
        /// Address and bit of the register that says when the value is there, and how long
        /// that may take in milliseconds.
        done: Option<(u64, u8, u16)>,
    },
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The device has stopped.
    Fatal,
    /// Something failed.
    Error,
    /// Something may fail.
    Warn,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// Each, the worst first.
    pub const ALL: [Self; 4] = [Self::Fatal, Self::Error, Self::Warn, Self::Info];

    /// As profiles have it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

/// What is abnormal.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in words.
    pub text: String,
    /// When it is so.
    pub when: Expression,
    /// What to do.
    pub advice: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// A part of the headline.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Text.
    Text(String),
    /// A register, a field or a computed value.
    Value(Expression),
}
