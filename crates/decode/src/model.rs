// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The one model of what is decoded.

use std::ops::Range;

/// How many nodes one [`Decoded`] has at most, and all that a [`Decoder`] makes of a dump:
/// what comes after that is only counted.
pub const NODES_MAX: usize = 1 << 17;
/// How many findings a dump has at most.
pub const FINDINGS_MAX: usize = 1000;
/// The longest text that is taken from a dump, in bytes.
pub const TEXT_MAX: usize = 4096;

/// How bad something is; the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// It may become a fault, or explain one.
    Warning,
    /// A fault from which one can recover.
    Error,
    /// The device or the machine cannot go on.
    Fatal,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number that has no sign.
    Unsigned(u64),
    /// A number that has one.
    Signed(i64),
    /// A number that is not whole.
    Real(f64),
    /// Text, with what cannot be printed replaced.
    Text(String),
    /// Bytes that are not decoded: those at the place of the node.
    Bytes,
    /// It is not known, for this reason.
    Unknown(String),
}

/// How a value behaves from one dump to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// It changes only when something happens.
    #[default]
    Stable,
    /// It differs each time it is read.
    Volatile,
    /// It counts up.
    Counter,
}

/// A named value, or a group of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its name, as its format's specification has it; those of siblings differ.
    pub name: String,
    /// What it is, in words.
    pub title: Option<String>,
    /// Its value; none for a group.
    pub value: Option<Value>,
    /// What a number counts in.
    pub unit: Option<String>,
    /// What the value means.
    pub meaning: Option<String>,
    /// Where it is in the payload, in bytes.
    pub place: Option<Range<u64>>,
    /// Which bits of its parent's value it is, the lowest and the highest.
    pub bits: Option<(u32, u32)>,
    /// Its address in the device; of what a register points to, its physical address in the
    /// dead kernel's memory.
    pub address: Option<u64>,
    /// How many bytes of the dead kernel's memory it describes, where the value is their
    /// physical address.
    pub points_to: Option<u64>,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// What it consists of.
    pub children: Vec<Self>,
}

impl Node {
    /// A group without members yet.
    #[must_use]
    pub fn group(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            title: None,
            value: None,
            unit: None,
            meaning: None,
            place: None,
            bits: None,
            address: None,
            points_to: None,
            behaviour: Behaviour::Stable,
            children: Vec::new(),
        }
    }

    /// A value at `place`.
    #[must_use]
    pub fn value(name: impl Into<String>, value: Value, place: Range<u64>) -> Self {
        Self { value: Some(value), place: Some(place), ..Self::group(name) }
    }

    /// The same, with what it is in words.
    #[must_use]
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..self }
    }

    /// The same, with what its value means.
    #[must_use]
    pub fn meaning(self, meaning: impl Into<String>) -> Self {
        Self { meaning: Some(meaning.into()), ..self }
    }

    /// The same, with what it counts in.
    #[must_use]
    pub fn unit(self, unit: impl Into<String>) -> Self {
        Self { unit: Some(unit.into()), ..self }
    }

    /// The node with the path `names` below this one.
    #[must_use]
    pub fn find(&self, names: &[&str]) -> Option<&Self> {
        match names.split_first() {
            None => Some(self),
            Some((first, rest)) => {
                self.children.iter().find(|child| child.name == *first)?.find(rest)
            }
        }
    }

    /// Its value, where that is a number without a sign.
    #[must_use]
    pub fn unsigned(&self) -> Option<u64> {
        match self.value {
            Some(Value::Unsigned(value)) => Some(value),
            _ => None,
        }
    }
}

/// Something abnormal.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in words.
    pub text: String,
    /// What to do.
    pub advice: Option<String>,
    /// What says so: a profile and its rule, a section of a specification.
    pub source: String,
    /// What it follows from: paths of nodes, as `CSTS.CFS`, with their values.
    pub values: Vec<(String, u64)>,
    /// Which other device it points to, by its slot, such as the source of an error.
    pub points_to: Option<String>,
}

/// What is not there, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What a dump says of one thing: a device, an error record, a log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    /// What decoded it, in one word: the name of a [`Decoder`], or of a profile, or `pcie` for
    /// configuration space alone.
    pub decoder: String,
    /// What it is, in words.
    pub title: String,
    /// The slot of the PCI function that it is, as `0000:01:00.0`.
    pub slot: Option<String>,
    /// Which one it is besides, as `[8086:10d3] revision 02` or `at 0xfed90000`.
    pub identity: Option<String>,
    /// It in a line.
    pub headline: Option<String>,
    /// What is abnormal, the worst first.
    pub findings: Vec<Finding>,
    /// The values.
    pub nodes: Vec<Node>,
    /// What is not there: not read, cut, or more than is decoded.
    pub missing: Vec<Missing>,
    /// What the dump says of how it was read, such as the profile; it is for programs, since
    /// what people need of it is said elsewhere.
    pub about: Vec<(&'static str, Value)>,
    /// What is to be said of how it was decoded: another version of a profile, and the like.
    pub remarks: Vec<String>,
    /// What is wrong with the dump itself, where that hides the rest of it: the offset in
    /// it, what was expected, and what was found.
    pub damage: Option<String>,
}

impl Decoded {
    /// The worst of its findings.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Puts the findings into their order: the worst first, and those of one severity as
    /// they were found.
    pub fn sort(&mut self) {
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        self.findings.truncate(FINDINGS_MAX);
    }
}

/// What is decoded of a dump, one thing after the other, so that what was looked at need
/// not be held.
pub type All<'a> = Box<dyn Iterator<Item = Decoded> + 'a>;

/// A format that is decoded.
///
/// A decoder does not trust `bytes`: it never panics, gives at most [`NODES_MAX`] nodes and
/// takes time in proportion to their length. What can be named is named; the rest is
/// [`Missing`].
pub trait Decoder: Sync {
    /// What it decodes, in one word.
    fn name(&self) -> &'static str;

    /// Whether the dump `name` that starts with these `bytes` is one of these.
    fn recognises(&self, name: &str, bytes: &[u8]) -> bool;

    /// What it says.
    fn decode(&self, name: &str, bytes: &[u8]) -> Vec<Decoded>;
}

/// Text of a dump: up to a zero byte or its end, with what cannot be printed replaced.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let bytes = bytes.get(..TEXT_MAX).unwrap_or(bytes);
    let printable = |character: char| match character {
        '\n' | '\t' => character,
        _ if character.is_control() => '\u{fffd}',
        _ => character,
    };
    String::from_utf8_lossy(bytes).chars().map(printable).collect()
}

/// Reads numbers from bytes that may end early.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<'a> {
    bytes: &'a [u8],
    /// Where they are in the payload.
    offset: u64,
}

impl<'a> Bytes<'a> {
    /// Those of a whole payload.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Those that are at `offset` in the payload.
    #[must_use]
    pub const fn at(bytes: &'a [u8], offset: u64) -> Self {
        Self { bytes, offset }
    }

    /// The part `range`, or `None` where it is not all there.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Option<Self> {
        let offset = self.offset.checked_add(range.start as u64)?;
        Some(Self { bytes: self.bytes.get(range)?, offset })
    }

    /// How many there are.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes themselves.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the `length` bytes at `at` are in the payload.
    #[must_use]
    pub fn place(&self, at: usize, length: usize) -> Range<u64> {
        let start = self.offset.saturating_add(at as u64);
        start..start.saturating_add(length as u64)
    }

    /// The little-endian number of `size` bytes, 1 to 8, at `at`.
    #[must_use]
    pub fn little(&self, at: usize, size: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(size)?).filter(|_| size <= 8)?;
        Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// The same, big-endian.
    #[must_use]
    pub fn big(&self, at: usize, size: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(size)?).filter(|_| size <= 8)?;
        Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A node with the little-endian number of `size` bytes at `at`, unknown where that is
    /// not there.
    #[must_use]
    pub fn node(&self, name: &str, at: usize, size: usize) -> Node {
        let value = match self.little(at, size) {
            Some(value) => Value::Unsigned(value),
            None => Value::Unknown("the dump ends before it".to_owned()),
        };
        Node::value(name, value, self.place(at, size))
    }
}
