// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What `decode --json` prints: see docs/json.md.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use ::decode::model::{Behaviour, Decoded, Node, Value};
use kdumpfile::EscapedPath;
use serde::Serialize;

use crate::failure::Failure;
use crate::json;

#[derive(Serialize)]
struct Object<'a> {
    version: u32,
    file: String,
    dump: &'a str,
    decoder: &'a str,
    title: &'a str,
    slot: Option<&'a str>,
    identity: Option<&'a str>,
    headline: Option<&'a str>,
    findings: Vec<FindingEntry<'a>>,
    missing: Vec<MissingEntry<'a>>,
    remarks: &'a [String],
    damage: Option<&'a str>,
    about: BTreeMap<&'a str, serde_json::Value>,
    values: Vec<NodeEntry<'a>>,
}

#[derive(Serialize)]
struct FindingEntry<'a> {
    severity: &'static str,
    text: &'a str,
    advice: Option<&'a str>,
    source: &'a str,
    values: BTreeMap<&'a str, u64>,
    points_to: Option<&'a str>,
}

#[derive(Serialize)]
struct MissingEntry<'a> {
    what: &'a str,
    why: &'a str,
}

#[derive(Serialize)]
struct NodeEntry<'a> {
    name: &'a str,
    title: Option<&'a str>,
    value: serde_json::Value,
    unknown: Option<&'a str>,
    unit: Option<&'a str>,
    meaning: Option<&'a str>,
    address: Option<u64>,
    bits: Option<[u32; 2]>,
    behaviour: &'static str,
    points_to: Option<u64>,
    offset: Option<u64>,
    length: Option<u64>,
    values: Vec<Self>,
}

fn of_value(value: &Value) -> serde_json::Value {
    match value {
        Value::Unsigned(value) => (*value).into(),
        Value::Signed(value) => (*value).into(),
        Value::Real(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes | Value::Unknown(_) => serde_json::Value::Null,
    }
}

fn node(node: &Node) -> NodeEntry<'_> {
    NodeEntry {
        name: &node.name,
        title: node.title.as_deref(),
        value: node.value.as_ref().map_or(serde_json::Value::Null, of_value),
        unknown: match &node.value {
            Some(Value::Unknown(why)) => Some(why),
            _ => None,
        },
        unit: node.unit.as_deref(),
        meaning: node.meaning.as_deref(),
        address: node.address,
        bits: node.bits.map(|(low, high)| [low, high]),
        behaviour: match node.behaviour {
            Behaviour::Stable => "stable",
            Behaviour::Volatile => "volatile",
            Behaviour::Counter => "counter",
        },
        points_to: node.points_to,
        offset: node.place.as_ref().map(|place| place.start),
        length: node.place.as_ref().map(|place| place.end.saturating_sub(place.start)),
        values: node.children.iter().map(self::node).collect(),
    }
}

/// Prints an object of what is `decoded` of the dump `name` in `file`.
pub fn print(
    to: &mut impl Write,
    file: &Path,
    name: &str,
    decoded: &Decoded,
) -> Result<(), Failure> {
    let findings = decoded.findings.iter().map(|finding| FindingEntry {
        severity: finding.severity.word(),
        text: &finding.text,
        advice: finding.advice.as_deref(),
        source: &finding.source,
        values: finding.values.iter().map(|(path, value)| (path.as_str(), *value)).collect(),
        points_to: finding.points_to.as_deref(),
    });
    let missing =
        decoded.missing.iter().map(|each| MissingEntry { what: &each.what, why: &each.why });
    let object = Object {
        version: json::VERSION,
        file: EscapedPath(file).to_string(),
        dump: name,
        decoder: &decoded.decoder,
        title: &decoded.title,
        slot: decoded.slot.as_deref(),
        identity: decoded.identity.as_deref(),
        headline: decoded.headline.as_deref(),
        findings: findings.collect(),
        missing: missing.collect(),
        remarks: &decoded.remarks,
        damage: decoded.damage.as_deref(),
        about: decoded.about.iter().map(|(name, value)| (*name, of_value(value))).collect(),
        values: decoded.nodes.iter().map(node).collect(),
    };
    json::line(to, &object)
}
