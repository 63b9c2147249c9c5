// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What `decode --json` prints: see docs/json.md.

use std::io::Write;
use std::path::Path;

use ::decode::registers::slot;
use ::plan::plan::Kind;
use ::profile::{By, Decoded, Device, FieldValue, Number, Segment, Value, space_word, text};
use kdumpfile::EscapedPath;
use serde::Serialize;

use super::print::area;
use crate::failure::Failure;
use crate::json;

#[derive(Debug, Serialize)]
struct DeviceEntry<'d> {
    version: u32,
    file: String,
    dump: &'d str,
    kind: &'static str,
    slot: Option<String>,
    address: Option<u64>,
    vendor: u16,
    device: u16,
    subvendor: u16,
    subdevice: u16,
    class: u32,
    revision: u8,
    power: u8,
    bound: bool,
    driver: Option<String>,
    profile: String,
    profile_version: u32,
    profile_digest: String,
    decoded_by: Option<u32>,
    profile_error: Option<&'d str>,
    title: &'d str,
    headline: Option<&'d str>,
    outcome: &'static str,
    reason: Option<&'static str>,
    findings: Vec<FindingEntry<'d>>,
    undecided: &'d [String],
    unread: Vec<UnreadEntry<'d>>,
    blocks: Vec<BlockEntry<'d>>,
    more: bool,
    segments: Vec<SegmentEntry>,
}

#[derive(Debug, Serialize)]
struct FindingEntry<'d> {
    severity: &'static str,
    text: &'d str,
    advice: Option<&'d str>,
    block: Option<&'d str>,
    index: Option<u64>,
    values: Vec<NamedEntry<'d>>,
}

#[derive(Debug, Serialize)]
struct NamedEntry<'d> {
    name: &'d str,
    value: u64,
}

#[derive(Debug, Serialize)]
struct UnreadEntry<'d> {
    block: &'d str,
    index: Option<u64>,
    why: &'d str,
}

#[derive(Debug, Serialize)]
struct BlockEntry<'d> {
    name: &'d str,
    index: Option<u64>,
    space: String,
    address: u64,
    registers: Vec<RegisterEntry<'d>>,
}

#[derive(Debug, Serialize)]
struct RegisterEntry<'d> {
    name: &'d str,
    index: Option<u64>,
    title: Option<&'d str>,
    address: u64,
    bits: u32,
    value: Option<u64>,
    why: Option<&'d str>,
    position: Option<usize>,
    meaning: Option<&'d str>,
    unit: Option<&'d str>,
    volatile: bool,
    counter: bool,
    points_to: Option<u64>,
    fields: Vec<FieldEntry<'d>>,
}

#[derive(Debug, Serialize)]
struct FieldEntry<'d> {
    name: &'d str,
    title: Option<&'d str>,
    low: u32,
    high: u32,
    raw: u64,
    value: NumberEntry,
    meaning: Option<&'d str>,
    unit: Option<&'d str>,
    points_to: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum NumberEntry {
    Integer(i64),
    Real(f64),
}

#[derive(Debug, Serialize)]
struct SegmentEntry {
    space: &'static str,
    index: u8,
    address: u64,
    width: u8,
    byte_order: &'static str,
    wanted: u64,
    length: usize,
    position: usize,
    status: &'static str,
    bytes: Option<String>,
}

/// Prints a device of the dump `name` of the file at `path`.
pub fn print(
    to: &mut impl Write,
    path: &Path,
    name: &str,
    device: &Device<'_>,
) -> Result<(), Failure> {
    let about = &device.about;
    let driver = text(&about.driver);
    let is_decoded = matches!(device.by, By::Same | By::Version(_));
    let entry = DeviceEntry {
        version: json::VERSION,
        file: EscapedPath(path).to_string(),
        dump: name,
        kind: match about.kind {
            Kind::Pci => "pci",
            Kind::Cpu => "cpu",
            Kind::Drhd => "drhd",
            Kind::Ivhd => "ivhd",
        },
        slot: slot(about),
        address: (about.kind != Kind::Pci).then_some(about.address),
        vendor: about.vendor,
        device: about.device,
        subvendor: about.sub_vendor,
        subdevice: about.sub_device,
        class: about.class,
        revision: about.revision,
        power: about.power,
        bound: about.bound,
        driver: Some(driver).filter(|driver| !driver.is_empty()),
        profile: text(&about.profile),
        profile_version: about.profile_version,
        profile_digest: hexadecimal(&about.digest),
        decoded_by: match device.by {
            By::Same => Some(about.profile_version),
            By::Version(other) => Some(other),
            By::Nothing | By::Faulty(..) => None,
        },
        profile_error: match &device.by {
            By::Same => None,
            By::Version(_) => Some("it was read by another file of the profile"),
            By::Nothing => Some("there is no such profile"),
            By::Faulty(_, first) => Some(first),
        },
        title: &device.title,
        headline: device.headline.as_deref(),
        outcome: device.end.map_or("cut off", |end| end.outcome.words()),
        reason: device.end.map(|end| end.reason.words()).filter(|reason| !reason.is_empty()),
        findings: device.findings.iter().map(finding).collect(),
        undecided: &device.undecided,
        unread: device
            .unread
            .iter()
            .map(|unread| UnreadEntry {
                block: &unread.block,
                index: unread.index,
                why: &unread.why,
            })
            .collect(),
        blocks: device.blocks.iter().map(block).collect(),
        more: device.has_more,
        segments: device.segments.iter().map(|each| segment(each, !is_decoded)).collect(),
    };
    json::line(to, &entry)
}

fn finding(finding: &::profile::Finding) -> FindingEntry<'_> {
    FindingEntry {
        severity: finding.severity.word(),
        text: &finding.text,
        advice: finding.advice.as_deref(),
        block: finding.block.as_deref(),
        index: finding.index,
        values: finding
            .values
            .iter()
            .map(|(name, value)| NamedEntry { name, value: *value })
            .collect(),
    }
}

fn block(block: &Decoded) -> BlockEntry<'_> {
    BlockEntry {
        name: &block.name,
        index: block.index,
        space: area(block.area),
        address: block.address,
        registers: block.registers.iter().map(register).collect(),
    }
}

fn register(register: &Value) -> RegisterEntry<'_> {
    RegisterEntry {
        name: &register.name,
        index: register.index,
        title: register.title.as_deref(),
        address: register.address,
        bits: register.bits,
        value: register.value.as_ref().ok().copied(),
        why: register.value.as_ref().err().map(String::as_str),
        position: register.position,
        meaning: register.meaning.as_deref(),
        unit: register.unit.as_deref(),
        volatile: register.volatile,
        counter: register.counter,
        points_to: register.points_to,
        fields: register.fields.iter().map(field).collect(),
    }
}

fn field(field: &FieldValue) -> FieldEntry<'_> {
    FieldEntry {
        name: &field.name,
        title: field.title.as_deref(),
        low: field.low,
        high: field.high,
        raw: field.raw,
        value: match field.value {
            Number::Integer(number) => NumberEntry::Integer(number),
            Number::Real(number) => NumberEntry::Real(number),
        },
        meaning: field.meaning.as_deref(),
        unit: field.unit.as_deref(),
        points_to: field.points_to,
    }
}

fn segment(segment: &Segment<'_>, with_bytes: bool) -> SegmentEntry {
    let head = &segment.head;
    SegmentEntry {
        space: space_word(head.space),
        index: head.index,
        address: head.offset,
        width: head.width.bytes(),
        byte_order: if head.big { "big" } else { "little" },
        wanted: head.wanted,
        length: segment.bytes.len(),
        position: segment.position,
        status: head.status.words(),
        bytes: with_bytes.then(|| hexadecimal(segment.bytes)),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
