// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! From a register dump to named values.

use plan::dump::{self, Damage, End, Outcome, Reason, Record, Records};
use plan::place::Class;

use crate::expression::{Expression, Reference};
use crate::library::Library;
use crate::model::{Area, Block, Piece, Profile, Reading, Register, Rule, Severity};
use crate::segments::{Map, Segment};
use crate::values::{Element, Presence, Values, key, read_for};

/// How many registers of a device are decoded at most: a profile may have arrays of arrays,
/// and a dump says how long they are.
const REGISTERS_MAX: usize = 1 << 15;
/// How many elements of an array are looked at at most.
const ELEMENTS_MAX: u64 = 1 << 16;
/// How many findings of a device there are at most.
const FINDINGS_MAX: usize = 1000;

/// By what a device was decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// The profile that it was read by.
    Same,
    /// Another version of it, of this number, with the same name.
    Version(u32),
    /// Nothing: there is no profile of the name.
    Nothing,
    /// Nothing: the profile of the name has this many faults, of which this is the first.
    Faulty(usize, String),
}

/// A device of a dump.
#[derive(Debug, Clone, PartialEq)]
pub struct Device<'a> {
    /// What the dump says of it.
    pub about: dump::Device,
    /// By what it was decoded.
    pub by: By,
    /// What kind of device it is, as the profile says.
    pub title: String,
    /// The device in a line.
    pub headline: Option<String>,
    /// What is abnormal, the worst first.
    pub findings: Vec<Finding>,
    /// Rules that need what was not read.
    pub undecided: Vec<String>,
    /// The registers.
    pub blocks: Vec<Decoded>,
    /// What was to be read and was not.
    pub unread: Vec<Unread>,
    /// Whether it has more registers than were decoded.
    pub has_more: bool,
    /// What the dump has of it.
    pub segments: Vec<Segment<'a>>,
    /// How it ended; nothing, where its collector was cut off.
    pub end: Option<End>,
}

/// A block, or an element of one that is an array.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Its name.
    pub name: String,
    /// Its number in the array.
    pub index: Option<u64>,
    /// In what its addresses count.
    pub area: Area,
    /// Its address.
    pub address: u64,
    /// Its registers.
    pub registers: Vec<Value>,
}

/// A register.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Its name.
    pub name: String,
    /// Its number in a register array.
    pub index: Option<u64>,
    /// What it is, in words.
    pub title: Option<String>,
    /// Its address.
    pub address: u64,
    /// How many bits it has.
    pub bits: u32,
    /// Whether it differs each time it is read.
    pub volatile: bool,
    /// Whether it counts.
    pub counter: bool,
    /// What it counts in.
    pub unit: Option<String>,
    /// What was read, or why that is not known.
    pub value: Result<u64, String>,
    /// Where that is in the dump, in bytes.
    pub position: Option<usize>,
    /// What it means.
    pub meaning: Option<String>,
    /// How many bytes are in memory where it points to.
    pub points_to: Option<u64>,
    /// Its fields, where it is known.
    pub fields: Vec<FieldValue>,
}

/// A field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldValue {
    /// Its name.
    pub name: String,
    /// What it is, in words.
    pub title: Option<String>,
    /// Its lowest bit.
    pub low: u32,
    /// Its highest bit.
    pub high: u32,
    /// Its bits.
    pub raw: u64,
    /// What they stand for, in `unit`.
    pub value: Number,
    /// What it counts in.
    pub unit: Option<String>,
    /// What it means.
    pub meaning: Option<String>,
    /// How many bytes are in memory where `value` points to.
    pub points_to: Option<u64>,
}

/// A number that was computed of bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An integer.
    Integer(i64),
    /// What is none, or too large.
    Real(f64),
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Real(number) => number.fmt(f),
        }
    }
}

/// Something abnormal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in words.
    pub text: String,
    /// What to do.
    pub advice: Option<String>,
    /// The block whose rule it is.
    pub block: Option<String>,
    /// The element of that.
    pub index: Option<u64>,
    /// What it follows from: registers, and fields of them, with their values.
    pub values: Vec<(String, u64)>,
}

/// What was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The block.
    pub block: String,
    /// The element of it.
    pub index: Option<u64>,
    /// Why.
    pub why: String,
}

/// The devices of a dump, one after the other, each as it is asked for and not decoded yet;
/// after what is damaged there are none.
pub struct Devices<'a> {
    records: std::iter::Peekable<Records<'a>>,
    is_over: bool,
}

/// The devices of the register dump in `bytes`.
///
/// # Errors
/// Why it is none.
pub fn devices(bytes: &[u8]) -> Result<Devices<'_>, Damage> {
    Ok(Devices { records: Records::new(bytes)?.peekable(), is_over: false })
}

impl<'a> Iterator for Devices<'a> {
    type Item = Result<Device<'a>, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            match self.records.next()? {
                Ok((_, Record::Device(about))) => return Some(Ok(self.device(about))),
                // What belongs to no device, and what is not known here.
                Ok(_) => {}
                Err(damage) => {
                    self.is_over = true;
                    return Some(Err(damage));
                }
            }
        }
        None
    }
}

impl<'a> Devices<'a> {
    fn device(&mut self, about: dump::Device) -> Device<'a> {
        let mut segments = Vec::new();
        let mut end = None;
        while let Some(Ok((at, record))) = self.records.peek() {
            match *record {
                Record::Segment(head, bytes) => {
                    let position = at.saturating_add(dump::RECORD_SIZE + dump::SEGMENT_SIZE);
                    segments.push(Segment { head, bytes, position });
                }
                Record::End(found) => end = Some(found),
                Record::Device(_) => break,
                Record::Unknown(_) => {}
            }
            self.records.next();
            if end.is_some() {
                break;
            }
        }
        Device::new(about, segments, end)
    }
}

/// The text of a field that is padded with zero bytes.
pub fn text(field: &[u8]) -> String {
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    let printable = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '?',
    };
    text.iter().map(printable).collect()
}

impl<'a> Device<'a> {
    /// One that is not decoded yet.
    pub(crate) fn new(about: dump::Device, segments: Vec<Segment<'a>>, end: Option<End>) -> Self {
        Self {
            about,
            by: By::Nothing,
            title: String::new(),
            headline: None,
            findings: Vec::new(),
            undecided: Vec::new(),
            blocks: Vec::new(),
            unread: Vec::new(),
            has_more: false,
            segments,
            end,
        }
    }

    /// Decodes it by its profile in `library`.
    pub fn decode(&mut self, library: &mut Library) {
        let name = text(&self.about.profile);
        let found = library.of(&name, &self.about.digest);
        match found.as_deref() {
            None => {}
            Some(Err(faults)) => {
                let first = faults.first().map(ToString::to_string).unwrap_or_default();
                self.by = By::Faulty(faults.len(), first);
            }
            Some(Ok((profile, _))) => {
                self.by = match profile.digest == self.about.digest {
                    true => By::Same,
                    false => By::Version(profile.version),
                };
                self.fill(profile);
            }
        }
    }

    pub(crate) fn fill(&mut self, profile: &Profile) {
        let map = Map::new(&self.segments);
        let about = self.about;
        let values = Values::new(profile, &about, &map);
        self.title.clone_from(&profile.title);
        for (number, block) in profile.blocks.iter().enumerate() {
            if self.left() == 0 {
                self.has_more = true;
                break;
            }
            self.block(&values, number, block);
        }
        for rule in &profile.rules {
            self.rule(&values, rule, None, None);
        }
        self.findings.sort_by_key(|finding| finding.severity);
        if !profile.headline.is_empty() {
            let pieces = profile.headline.iter().map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Value(value) => shown(&values, value),
            });
            self.headline = Some(pieces.collect());
        }
    }

    /// How many registers more are decoded.
    fn left(&self) -> usize {
        let done: usize = self.blocks.iter().map(|block| block.registers.len()).sum();
        REGISTERS_MAX.saturating_sub(done)
    }

    /// Why something is not in the dump, where the dump says no more.
    fn why(&self) -> String {
        match self.end {
            None => "the collector was cut off".to_owned(),
            Some(End { reason: Reason::None, outcome: Outcome::Complete, .. }) => {
                "it is not in the dump".to_owned()
            }
            Some(end) => end.reason.words().to_owned(),
        }
    }

    fn block(&mut self, values: &Values<'_>, number: usize, block: &Block) {
        let presence = values.presence(number);
        if presence == Presence::Absent {
            return;
        }
        let base = values.base(number);
        let Some(base) = base else {
            self.not_read(block, None, "where it is depends on what was not read".to_owned());
            return;
        };
        let Some(array) = &block.array else {
            self.element(values, number, block, base, None, presence);
            return;
        };
        let bits = array.bits.as_ref().map(|bits| values.value(bits, None));
        let most = if bits.is_some() { 64 } else { ELEMENTS_MAX };
        let count = values.value(&array.count, None);
        let (Some(count), Some(bits)) = (count, bits.unwrap_or(Some(u64::MAX))) else {
            self.not_read(block, None, "how many there are is not known".to_owned());
            return;
        };
        let has_bits = array.bits.is_some();
        let mut missing = 0;
        for index in 0..count.min(most) {
            if has_bits && bits.checked_shr(index as u32).unwrap_or(0) & 1 == 0 {
                continue;
            }
            let address = base.wrapping_add(index.wrapping_mul(array.stride));
            let length = values.value(&block.length, None).unwrap_or(array.stride).max(1);
            if values.map.has_any(key(block), address, length) {
                if self.left() == 0 {
                    self.has_more = true;
                    return;
                }
                self.element(values, number, block, address, Some(index), presence);
            } else if missing == 0 {
                missing += 1;
                self.element_not_read(values, block, address, Some(index), presence);
            }
        }
    }

    fn element(
        &mut self,
        values: &Values<'_>,
        number: usize,
        block: &Block,
        address: u64,
        index: Option<u64>,
        presence: Presence,
    ) {
        let element = index.map(|index| Element { block: number, index, address });
        let length = values.value(&block.length, None);
        if !values.map.has_any(key(block), address, length.unwrap_or(1).max(1)) {
            self.element_not_read(values, block, address, index, presence);
            return;
        }
        let mut decoded = Decoded {
            name: block.name.clone(),
            index,
            area: block.location.area,
            address,
            registers: Vec::new(),
        };
        let mut left = self.left();
        let mut why_not = None;
        for register in &block.registers {
            let condition = register.condition.as_ref();
            if condition.is_some_and(|each| values.value(each, element) == Some(0)) {
                continue;
            }
            for each in 0..register.count() {
                if left == 0 {
                    self.has_more = true;
                    break;
                }
                left -= 1;
                let value = self.value(values, block, register, address, each, element);
                if let Err(why) = &value.value
                    && matches!(register.reading, Reading::Plain)
                {
                    why_not.get_or_insert_with(|| why.clone());
                }
                decoded.registers.push(value);
            }
        }
        if let Some(why) = why_not {
            self.not_read(block, index, format!("some of it: {why}"));
        }
        self.blocks.push(decoded);
        for rule in &block.rules {
            self.rule(values, rule, Some(block), element);
        }
    }

    fn element_not_read(
        &mut self,
        values: &Values<'_>,
        block: &Block,
        address: u64,
        index: Option<u64>,
        presence: Presence,
    ) {
        let status = values.why(block, address).map(|status| status.words().to_owned());
        // What may not be there at all is not missing.
        if status.is_none() && presence == Presence::Unknown && self.end.is_some() {
            return;
        }
        let why = status.unwrap_or_else(|| match block.class {
            Class::Clears => "left out, since reading it changes it".to_owned(),
            _ => self.why(),
        });
        self.not_read(block, index, why);
        for rule in &block.rules {
            self.undecided.push(rule.text.clone());
        }
    }

    fn not_read(&mut self, block: &Block, index: Option<u64>, why: String) {
        self.unread.push(Unread { block: block.name.clone(), index, why });
    }

    fn value(
        &self,
        values: &Values<'_>,
        block: &Block,
        register: &Register,
        base: u64,
        number: u64,
        element: Option<Element>,
    ) -> Value {
        let found = values.register(block, register, base, number);
        let address = base.wrapping_add(register.address(number));
        let value = found.map(|found| found.value).ok_or_else(|| {
            let read = read_for(block, register);
            let status = values.why(block, base.wrapping_add(read.address(number)));
            match (&register.reading, status) {
                (_, Some(status)) => status.words().to_owned(),
                (Reading::Skipped, _) => "the profile leaves it out".to_owned(),
                (Reading::Changes, _) => "left out, since reading it changes it".to_owned(),
                (Reading::Unless(_), _) => "left out: in this state it is not read".to_owned(),
                (Reading::Plain | Reading::Instead(_), None) => self.why(),
            }
        });
        let known = value.as_ref().ok().copied();
        let meaning = known.and_then(|value| meaning(&register.meanings, value));
        let points_to = register.points_to.as_ref();
        let fields =
            known.map(|value| fields(values, register, value, element)).unwrap_or_default();
        Value {
            name: register.name.clone(),
            index: register.array.map(|_| number),
            title: register.title.clone(),
            address,
            bits: register.bits,
            volatile: register.volatile,
            counter: register.counter,
            unit: register.unit.clone(),
            value,
            position: found.map(|found| found.position),
            meaning,
            points_to: points_to.and_then(|length| values.value(length, element)),
            fields,
        }
    }

    fn rule(
        &mut self,
        values: &Values<'_>,
        rule: &Rule,
        block: Option<&Block>,
        element: Option<Element>,
    ) {
        match values.value(&rule.when, element) {
            Some(0) => {}
            Some(_) if self.findings.len() < FINDINGS_MAX => self.findings.push(Finding {
                severity: rule.severity,
                text: rule.text.clone(),
                advice: rule.advice.clone(),
                block: block.map(|block| block.name.clone()),
                index: element.map(|element| element.index),
                values: named(values, &rule.when, element),
            }),
            Some(_) => self.has_more = true,
            None => {
                // One that is about what is not there is not undecided.
                let mut is_absent = false;
                rule.when.visit(&mut |each| {
                    if let Expression::Value(reference) = each {
                        is_absent |= values.presence(reference.block) == Presence::Absent;
                    }
                });
                if !is_absent && self.undecided.len() < FINDINGS_MAX {
                    self.undecided.push(rule.text.clone());
                }
            }
        }
    }
}

/// What a value means.
fn meaning(meanings: &[(u64, String)], value: u64) -> Option<String> {
    let found = meanings.iter().find(|(each, _)| *each == value);
    found.map(|(_, meaning)| meaning.clone())
}

fn fields(
    values: &Values<'_>,
    register: &Register,
    value: u64,
    element: Option<Element>,
) -> Vec<FieldValue> {
    let field = |field: &crate::model::Field| {
        let raw = field.of(value);
        FieldValue {
            name: field.name.clone(),
            title: field.title.clone(),
            low: field.low,
            high: field.high,
            raw,
            value: number(raw, field.add, field.scale),
            unit: field.unit.clone(),
            meaning: meaning(&field.meanings, raw),
            points_to: field.points_to.as_ref().and_then(|length| values.value(length, element)),
        }
    };
    register.fields.iter().map(field).collect()
}

/// What bits stand for.
fn number(raw: u64, add: i64, scale: f64) -> Number {
    let sum = i128::from(raw) + i128::from(add);
    let is_integer = scale.fract() == 0.0 && scale < 1e15;
    let product = if is_integer { sum.checked_mul(scale as i128) } else { None };
    match product.and_then(|product| i64::try_from(product).ok()) {
        Some(integer) => Number::Integer(integer),
        None => Number::Real(sum as f64 * scale),
    }
}

/// The registers and fields that an expression names, each once, with their values.
fn named(
    values: &Values<'_>,
    expression: &Expression,
    element: Option<Element>,
) -> Vec<(String, u64)> {
    let mut found: Vec<(Reference, String, u64)> = Vec::new();
    expression.visit(&mut |each| {
        if let Expression::Value(reference) = each
            && found.iter().all(|(other, ..)| other != reference)
            && let Some(value) = values.value(each, element)
        {
            found.push((*reference, values.profile.name_of(*reference), value));
        }
    });
    found.into_iter().map(|(_, name, value)| (name, value)).collect()
}

/// A value as the headline has it.
fn shown(values: &Values<'_>, expression: &Expression) -> String {
    let Some(value) = values.value(expression, None) else {
        // Of several blocks that exclude each other, only one is there.
        let is_elsewhere = |reference: &Reference| values.has_none(reference.block);
        return match expression {
            Expression::Value(reference) if is_elsewhere(reference) => String::new(),
            _ => "?".to_owned(),
        };
    };
    let Expression::Value(reference) = expression else { return format!("{value:#x}") };
    let Some(register) = values.profile.register(*reference) else { return String::new() };
    let field = reference.field.and_then(|field| register.fields.get(field));
    let Some(field) = field else {
        let digits = register.bits as usize / 4 + 2;
        let number = || match &register.unit {
            Some(unit) => format!("{value} {unit}"),
            None => format!("{value:#0digits$x}"),
        };
        return meaning(&register.meanings, value).unwrap_or_else(number);
    };
    let raw = value.wrapping_sub(field.add as u64);
    let unit = field.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
    meaning(&field.meanings, raw)
        .unwrap_or_else(|| format!("{}{unit}", number(raw, field.add, field.scale)))
}
