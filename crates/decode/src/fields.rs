// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tables of fields, which the decoders of fixed structures are made of.

use crate::model::{Behaviour, Bytes, Missing, NODES_MAX, Node, Value, text};

/// What the bytes of a field are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A little-endian number of 1 to 16 bytes.
    Number,
    /// A number whose values have words.
    Words(&'static [(u64, &'static str)]),
    /// A number whose bits have words; they become children.
    Bits(&'static [(u32, &'static str)]),
    /// A temperature in kelvin.
    Kelvin,
    /// Milliseconds since 1970 in 48 bits, with flags above them (NVMe).
    Milliseconds,
    /// Seconds since 1970.
    Seconds,
    /// Text, padded with spaces or zero bytes.
    Text,
    /// A GUID, its first three parts little-endian.
    Guid,
    /// Bytes of which only the place is given.
    Bytes,
}

/// A field of a structure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    name: &'static str,
    at: usize,
    size: usize,
    kind: Kind,
    title: Option<&'static str>,
    unit: Option<&'static str>,
    valid: Option<u32>,
    counts: bool,
}

/// A number called `name` of `size` bytes at `at`.
pub(crate) const fn field(name: &'static str, at: usize, size: usize) -> Field {
    let kind = Kind::Number;
    Field { name, at, size, kind, title: None, unit: None, valid: None, counts: false }
}

impl Field {
    pub(crate) const fn is(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    pub(crate) const fn words(self, words: &'static [(u64, &'static str)]) -> Self {
        self.is(Kind::Words(words))
    }

    pub(crate) const fn bits(self, bits: &'static [(u32, &'static str)]) -> Self {
        self.is(Kind::Bits(bits))
    }

    pub(crate) const fn title(self, title: &'static str) -> Self {
        Self { title: Some(title), ..self }
    }

    pub(crate) const fn unit(self, unit: &'static str) -> Self {
        Self { unit: Some(unit), ..self }
    }

    /// The field is there only where this bit of the structure's validation mask is set.
    pub(crate) const fn valid(self, bit: u32) -> Self {
        Self { valid: Some(bit), ..self }
    }

    /// The number counts up.
    pub(crate) const fn counts(self) -> Self {
        Self { counts: true, ..self }
    }

    fn node(&self, bytes: &Bytes<'_>) -> Option<Node> {
        let range = self.at..self.at.checked_add(self.size)?;
        let raw = bytes.raw().get(range.clone())?;
        let place = bytes.place(self.at, self.size);
        let value = match self.kind {
            Kind::Text => Value::Text(text(raw).trim_end().to_owned()),
            Kind::Guid => Value::Text(guid(raw)?.to_string()),
            Kind::Bytes => Value::Bytes,
            _ => number(bytes, self.at, self.size)?,
        };
        let mut node = Node::value(self.name, value, place);
        node.title = self.title.map(str::to_owned);
        node.unit = self.unit.map(str::to_owned);
        if self.counts {
            node.behaviour = Behaviour::Counter;
        }
        let Some(number) = node.unsigned() else { return Some(node) };
        match self.kind {
            Kind::Words(words) => node.meaning = Some(word(words, number).to_owned()),
            Kind::Bits(bits) => node.children = bits_of(number, bits),
            Kind::Kelvin => {
                node.meaning = Some(format!("{} °C", i128::from(number) - 273));
                node.unit = Some("K".to_owned());
            }
            Kind::Seconds => node.meaning = Some(time(number)),
            Kind::Milliseconds => node.meaning = Some(time((number & 0xffff_ffff_ffff) / 1000)),
            _ => {}
        }
        Some(node)
    }
}

/// The number of up to 16 bytes; one that does not fit into 64 bits is not exact.
fn number(bytes: &Bytes<'_>, at: usize, size: usize) -> Option<Value> {
    if size <= 8 {
        return bytes.little(at, size).map(Value::Unsigned);
    }
    let low = bytes.little(at, 8)?;
    match bytes.little(at.checked_add(8)?, size.checked_sub(8)?)? {
        0 => Some(Value::Unsigned(low)),
        high => Some(Value::Real((high as f64).mul_add(2f64.powi(64), low as f64))),
    }
}

/// The word for `value`.
pub(crate) fn word(words: &[(u64, &'static str)], value: u64) -> &'static str {
    known_word(words, value).unwrap_or("reserved")
}

/// The word for `value`, where there is one.
pub(crate) fn known_word(words: &[(u64, &'static str)], value: u64) -> Option<&'static str> {
    words.iter().find(|(of, _)| *of == value).map(|(_, word)| *word)
}

/// A child for each bit that is set.
pub(crate) fn bits_of(value: u64, bits: &[(u32, &'static str)]) -> Vec<Node> {
    let set = |bit: u32| value.checked_shr(bit).is_some_and(|value| value & 1 != 0);
    let node = |bit: u32, name: &str| Node {
        value: Some(Value::Unsigned(1)),
        bits: Some((bit, bit)),
        ..Node::group(name)
    };
    bits.iter().filter(|(bit, _)| set(*bit)).map(|(bit, name)| node(*bit, name)).collect()
}

/// The words of the bits that are set, or `none`.
pub(crate) fn list(value: u64, bits: &[(u32, &'static str)], none: &str) -> String {
    let words: Vec<_> = bits_of(value, bits).into_iter().map(|node| node.name).collect();
    if words.is_empty() { none.to_owned() } else { words.join(", ") }
}

/// The nodes of those `fields` that are valid by `mask`. What ends before a field is said
/// once in `missing`.
pub(crate) fn read(
    what: &str,
    bytes: &Bytes<'_>,
    fields: &[Field],
    mask: u64,
    missing: &mut Vec<Missing>,
) -> Vec<Node> {
    let is_valid = |field: &&Field| field.valid.is_none_or(|bit| mask >> bit & 1 != 0);
    let mut nodes = Vec::new();
    let mut cut = None;
    for field in fields.iter().filter(is_valid) {
        match field.node(bytes) {
            Some(node) => nodes.push(node),
            None => cut = cut.or(Some(field)),
        }
    }
    if let Some(field) = cut {
        missing.push(Missing {
            what: format!("{what} from {} on", field.name),
            why: format!(
                "it ends after {} bytes, {} is at {:#x}",
                bytes.length(),
                field.name,
                field.at
            ),
        });
    }
    nodes
}

/// A GUID, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guid(pub(crate) u128);

impl std::fmt::Display for Guid {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:032x}", self.0);
        let mut rest = text.as_str();
        for (number, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
            let (part, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            rest = after;
            write!(formatter, "{}{part}", if number == 0 { "" } else { "-" })?;
        }
        Ok(())
    }
}

/// The GUID in 16 bytes.
pub(crate) fn guid(raw: &[u8]) -> Option<Guid> {
    let mut bytes: [u8; 16] = *raw.first_chunk()?;
    for part in [0..4, 4..6, 6..8] {
        bytes.get_mut(part)?.reverse();
    }
    Some(Guid(u128::from_be_bytes(bytes)))
}

/// Seconds since 1970 as date and time of day, UTC.
pub(crate) fn time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86400, seconds % 86400);
    // Years are counted from a March, so that a leap day is the last of its year, in eras of
    // 400 years, which all have as many days.
    let shifted = days.saturating_add(719_468);
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era.saturating_mul(400).saturating_add(year) + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// How many more nodes a dump may have.
#[derive(Debug)]
pub(crate) struct Room(usize);

impl Room {
    /// A quarter of what the model allows: these formats have a few values a record, and
    /// what a caller holds in memory at once stays small.
    pub(crate) const fn new() -> Self {
        Self(NODES_MAX / 4)
    }

    /// Of this many.
    pub(crate) const fn of(nodes: usize) -> Self {
        Self(nodes)
    }

    /// Whether `nodes` still fit.
    pub(crate) fn take(&mut self, nodes: &[Node]) -> bool {
        let left = self.0.checked_sub(count(nodes));
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

fn count(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| 1 + count(&node.children)).sum()
}

/// That `what` is not decoded for its number.
pub(crate) fn too_many(what: &str, left: usize) -> Missing {
    Missing { what: format!("{left} more {what}"), why: "there are too many".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(time(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(time(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(time(4_107_542_399), "2100-02-28 23:59:59 UTC");
        assert_eq!(time(4_107_542_400), "2100-03-01 00:00:00 UTC");
        assert_eq!(time(1_767_225_599), "2025-12-31 23:59:59 UTC");
        time(u64::MAX);
    }

    #[test]
    fn identifiers() {
        let raw: Vec<u8> = (0..16).collect();
        let text = guid(&raw).map(|guid| guid.to_string());
        assert_eq!(text.as_deref(), Some("03020100-0504-0706-0809-0a0b0c0d0e0f"));
        assert_eq!(guid(&raw[1..]), None);
    }

    #[test]
    fn numbers_of_128_bits() {
        let mut raw = [0; 16];
        raw[0] = 7;
        assert_eq!(number(&Bytes::new(&raw), 0, 16), Some(Value::Unsigned(7)));
        raw[8] = 1;
        assert_eq!(number(&Bytes::new(&raw), 0, 16), Some(Value::Real(2f64.powi(64) + 7.0)));
        assert_eq!(number(&Bytes::new(&raw), 1, 16), None);
    }
}
