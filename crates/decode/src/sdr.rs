// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The sensors that a management controller knows (IPMI SDR): records of different lengths,
//! one after the other, as `ipmitool sdr dump` writes them.
//!
//! They give names and thresholds to the numbers of sensors in an event log. Facts: IPMI
//! specification 2.0, 43 (records), 43.15 (names), 43.17 (units), 36.3 (readings).

use crate::fields::{Room, too_many, word};
use crate::model::{Bytes, Decoded, Decoder, Missing, Node, Value};
use crate::sel::SENSORS;

/// The decoder of sensor data records.
#[derive(Debug, Clone, Copy)]
pub struct Sdr;

/// Size of what stands before the body of a record: its id, version, type and length.
const HEADER: usize = 5;
/// Version 1.5 and 2.0 of the specification.
const VERSION: u64 = 0x51;
/// The event type of sensors that have thresholds.
const THRESHOLDS: u64 = 1;

/// Types of records.
const TYPES: &[(u64, &str)] = &[
    (0x01, "full sensor"),
    (0x02, "compact sensor"),
    (0x03, "event-only sensor"),
    (0x08, "entity association"),
    (0x09, "entity association"),
    (0x10, "device locator"),
    (0x11, "inventory locator"),
    (0x12, "controller locator"),
    (0x13, "controller confirmation"),
    (0x14, "message channels"),
    (0xc0, "record of the manufacturer"),
];

/// Units of readings.
const UNITS: &[(u64, &str)] = &[
    (1, "°C"),
    (2, "°F"),
    (3, "K"),
    (4, "V"),
    (5, "A"),
    (6, "W"),
    (7, "J"),
    (8, "C"),
    (9, "VA"),
    (17, "cfm"),
    (18, "rpm"),
    (19, "Hz"),
    (20, "µs"),
    (21, "ms"),
    (22, "s"),
    (23, "min"),
    (24, "h"),
    (25, "d"),
    (39, "bit"),
    (40, "kbit"),
    (41, "Mbit"),
    (42, "Gbit"),
    (43, "byte"),
    (44, "kB"),
    (45, "MB"),
    (46, "GB"),
];

/// Entities that have sensors in most machines.
const ENTITIES: &[(u64, &str)] = &[
    (0x03, "processor"),
    (0x04, "disk"),
    (0x05, "peripheral bay"),
    (0x06, "management module"),
    (0x07, "system board"),
    (0x08, "memory module"),
    (0x09, "processor module"),
    (0x0a, "power supply"),
    (0x0b, "add-in card"),
    (0x0c, "front panel"),
    (0x0d, "back panel"),
    (0x0f, "drive backplane"),
    (0x13, "power unit"),
    (0x14, "power module"),
    (0x15, "power distribution"),
    (0x17, "chassis"),
    (0x1d, "fan"),
    (0x1e, "cooling unit"),
    (0x1f, "cable"),
    (0x20, "memory device"),
    (0x21, "management software"),
    (0x22, "firmware"),
    (0x23, "operating system"),
    (0x27, "external environment"),
    (0x28, "battery"),
    (0x2e, "management controller"),
    (0x37, "air inlet"),
    (0x40, "air inlet"),
    (0x41, "processor"),
    (0x42, "baseboard"),
];

/// Thresholds of a full sensor, by the bit that says whether it has them, with the offsets of
/// their raw values.
const LIMITS: [(u32, &str, usize); 6] = [
    (5, "UPPER_NON_RECOVERABLE", 36),
    (4, "UPPER_CRITICAL", 37),
    (3, "UPPER_NON_CRITICAL", 38),
    (2, "LOWER_NON_RECOVERABLE", 39),
    (1, "LOWER_CRITICAL", 40),
    (0, "LOWER_NON_CRITICAL", 41),
];

/// The `bits` lowest bits of `value` as a number with a sign.
fn signed(value: u64, bits: u32) -> i64 {
    let shift = 64 - bits;
    (value << shift).cast_signed() >> shift
}

/// How raw readings of a full sensor become amounts.
struct Reading {
    /// 0 without a sign, 1 ones' complement, 2 two's complement.
    format: u64,
    multiplier: f64,
    offset: f64,
    scale: f64,
}

impl Reading {
    /// That of a sensor whose readings are amounts, and linear.
    fn of(record: &Bytes<'_>) -> Option<Self> {
        let at = |at| record.little(at, 1);
        let format = at(20)? >> 6;
        let is_linear = at(23)? & 0x7f == 0;
        let multiplier = signed((at(25)? & 0xc0) << 2 | at(24)?, 10);
        let offset = signed((at(27)? & 0xc0) << 2 | at(26)?, 10);
        let exponents = at(29)?;
        let power = |bits: u64| 10_f64.powi(signed(bits & 15, 4) as i32);
        (is_linear && format < 3).then(|| Self {
            format,
            multiplier: multiplier as f64,
            offset: offset as f64 * power(exponents),
            scale: power(exponents >> 4),
        })
    }

    fn amount(&self, raw: u64) -> f64 {
        let raw = match self.format {
            0 => raw as i64,
            // A negative number has all bits of its amount inverted.
            1 if raw & 0x80 != 0 => -((!raw & 0x7f) as i64),
            1 => raw as i64,
            _ => signed(raw, 8),
        };
        let amount = (self.multiplier * raw as f64 + self.offset) * self.scale;
        // Powers of ten are not exact; readings have a few digits.
        (amount * 1e6).round() / 1e6
    }
}

/// The name at `at`: a byte with its form and length, and its characters.
fn name(record: &Bytes<'_>, at: usize) -> Option<String> {
    let head = record.little(at, 1)?;
    let length = (head & 0x1f) as usize;
    let start = at + 1;
    let end = record.length().min(start + length);
    let raw = record.raw().get(start..end)?;
    let text: String = match head >> 6 {
        // Decimal digits, and a few signs.
        1 => {
            let digits = raw.iter().flat_map(|byte| [byte & 15, byte >> 4]);
            digits
                .filter_map(|digit| b"0123456789 -.:,_".get(usize::from(digit)))
                .map(|c| char::from(*c))
                .collect()
        }
        // Six bits a character, from the space on, the lowest bits first.
        2 => {
            let bit = |at: usize| raw.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 != 0);
            let one = |number: usize| {
                let value = (0..6)
                    .rev()
                    .fold(0_u8, |value, at| value << 1 | u8::from(bit(6 * number + at)));
                char::from(b' ' + value)
            };
            (0..8 * raw.len() / 6).map(one).collect()
        }
        _ => raw.iter().map(|byte| char::from(*byte)).collect(),
    };
    let printable = |each: char| if each.is_control() { '\u{fffd}' } else { each };
    Some(text.trim_end_matches(['\0', ' ']).chars().map(printable).collect())
}

/// A number of one byte and what it means.
fn named(record: &Bytes<'_>, name: &str, at: usize, words: &[(u64, &'static str)]) -> Node {
    let node = record.node(name, at, 1);
    match node.unsigned().map(|value| word(words, value)) {
        Some(words) => node.meaning(words),
        None => node,
    }
}

/// What a sensor of the three kinds has in common, with its sensor type at `kind_at`.
fn sensor(record: &Bytes<'_>, kind_at: usize) -> Vec<Node> {
    vec![
        record.node("OWNER", 5, 1),
        record.node("SENSOR", 7, 1),
        named(record, "ENTITY", 8, ENTITIES),
        record.node("ENTITY_INSTANCE", 9, 1),
        named(record, "SENSOR_TYPE", kind_at, SENSORS),
        record.node("EVENT_TYPE", kind_at + 1, 1),
    ]
}

fn unit(record: &Bytes<'_>) -> Option<String> {
    let (first, base) = (record.little(20, 1)?, record.little(21, 1)?);
    let is_percentage = first & 1 != 0;
    let found = UNITS.iter().find(|(number, _)| *number == base);
    match found {
        _ if is_percentage => Some("%".to_owned()),
        Some((_, unit)) => Some((*unit).to_owned()),
        None => None,
    }
}

/// The thresholds of a full sensor, and what it usually reads.
fn amounts(record: &Bytes<'_>) -> Vec<Node> {
    let Some(reading) = Reading::of(record) else { return Vec::new() };
    let unit = unit(record);
    let amount = |name: &str, at: usize| {
        let raw = record.little(at, 1)?;
        let value = Value::Real(reading.amount(raw));
        Some(Node { unit: unit.clone(), ..Node::value(name, value, record.place(at, 1)) })
    };
    let flags = record.little(30, 1).unwrap_or(0);
    let usual = [(0, "NOMINAL", 31), (1, "NORMAL_MAXIMUM", 32), (2, "NORMAL_MINIMUM", 33)];
    let usual = usual.into_iter().filter(|(bit, ..)| flags >> bit & 1 != 0);
    let can = record.little(11, 1).unwrap_or(0) >> 2 & 3;
    let has_thresholds = can != 0 && record.little(13, 1) == Some(THRESHOLDS);
    let readable = record.little(18, 1).filter(|_| has_thresholds).unwrap_or(0);
    let limits = LIMITS.into_iter().filter(|(bit, ..)| readable >> bit & 1 != 0);
    usual.chain(limits).filter_map(|(_, name, at)| amount(name, at)).collect()
}

/// The node of a record.
fn record(number: usize, bytes: &Bytes<'_>) -> Node {
    let kind = bytes.little(3, 1).unwrap_or(0);
    let mut children = vec![bytes.node("RECORD_ID", 0, 2), named(bytes, "TYPE", 3, TYPES)];
    let mut named_at = None;
    match kind {
        0x01 => {
            children.extend(sensor(bytes, 12));
            children.extend(amounts(bytes));
            named_at = Some(47);
        }
        0x02 => {
            children.extend(sensor(bytes, 12));
            named_at = Some(31);
        }
        0x03 => {
            children.extend(sensor(bytes, 10));
            named_at = Some(16);
        }
        0x10..=0x12 => {
            children.push(bytes.node("ADDRESS", 5, 1));
            children.push(named(bytes, "ENTITY", 12, ENTITIES));
            children.push(bytes.node("ENTITY_INSTANCE", 13, 1));
            named_at = Some(15);
        }
        _ => {
            let length = bytes.length().saturating_sub(HEADER);
            children.push(Node::value("DATA", Value::Bytes, bytes.place(HEADER, length)));
        }
    }
    let name = named_at.and_then(|at| name(bytes, at)).filter(|name| !name.is_empty());
    let words = word(TYPES, kind);
    let meaning = name.map_or(words.to_owned(), |name| format!("{name}, {words}"));
    Node {
        place: Some(bytes.place(0, bytes.length())),
        children,
        ..Node::group(format!("record {number}")).titled(meaning)
    }
}

impl Decoder for Sdr {
    fn name(&self) -> &'static str {
        "sdr"
    }

    fn recognises(&self, name: &str, bytes: &[u8]) -> bool {
        let named = ["sdr", "ipmi-sdr"].iter().any(|prefix| {
            let rest = name.strip_prefix(prefix);
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
        });
        named && bytes.len() >= HEADER
    }

    fn decode(&self, _: &str, bytes: &[u8]) -> Vec<Decoded> {
        let whole = Bytes::new(bytes);
        let mut decoded = Decoded { title: "IPMI sensors".to_owned(), ..Decoded::default() };
        let mut room = Room::new();
        let mut at = 0;
        let mut number = 0;
        let mut left = 0;
        let mut missing = |what: String, why: String| decoded.missing.push(Missing { what, why });
        while at < bytes.len() {
            let rest = "the records that follow".to_owned();
            let Some(length) = whole.little(at + 4, 1) else {
                missing(rest, format!("offset {at:#x}: expected 5 bytes, found the end"));
                break;
            };
            let version = whole.little(at + 2, 1).unwrap_or(0);
            if version != VERSION {
                missing(
                    rest,
                    format!("offset {:#x}: expected version 0x51, found {version:#x}", at + 2),
                );
                break;
            }
            let end = at + HEADER + length as usize;
            let Some(part) = whole.part(at..end) else {
                let found = bytes.len() - at - HEADER;
                missing(
                    rest,
                    format!(
                        "offset {at:#x}: expected {length} bytes after the head, found {found}"
                    ),
                );
                break;
            };
            let node = record(number, &part);
            if left > 0 || !room.take(std::slice::from_ref(&node)) {
                left += 1;
            } else {
                decoded.nodes.push(node);
            }
            at = end;
            number += 1;
        }
        if left > 0 {
            decoded.missing.push(too_many("records", left));
        }
        decoded.headline = Some(format!("{number} records"));
        vec![decoded]
    }
}
