// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a dump says that is no register dump: error records, logs.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use ::decode::model::{Decoded, Finding, Node, Severity, Value};
use anstyle::{AnsiColor, Style};
use kdumpfile::EscapedPath;
use serde::Serialize;

use crate::failure::Failure;
use crate::json;

/// How long a title may be that stands behind a value, in characters.
const TITLE_MAX: usize = 60;

/// Prints what is `decoded` of the dump `name`, and, unless only what is `abnormal` is asked
/// for, its values.
pub fn print(to: &mut impl Write, name: &str, decoded: &Decoded, abnormal: bool) -> io::Result<()> {
    let slot = decoded.slot.as_ref().map(|slot| format!(", {slot}")).unwrap_or_default();
    writeln!(to, "{name}: {}{slot}", decoded.title)?;
    decoded.headline.iter().try_for_each(|line| writeln!(to, "  {line}"))?;
    decoded.findings.iter().try_for_each(|finding| print_finding(to, finding))?;
    if abnormal {
        return Ok(());
    }
    decoded.remarks.iter().try_for_each(|line| writeln!(to, "  {line}"))?;
    for missing in &decoded.missing {
        writeln!(to, "  not there: {}: {}", missing.what, missing.why)?;
    }
    decoded.nodes.iter().try_for_each(|node| print_node(to, node, 1))
}

fn print_finding(to: &mut impl Write, finding: &Finding) -> io::Result<()> {
    let style = match finding.severity {
        Severity::Fatal | Severity::Error => AnsiColor::Red.on_default(),
        Severity::Warning => AnsiColor::Yellow.on_default(),
        Severity::Info => Style::new(),
    };
    writeln!(to, "  {style}{:<5}{style:#} {}", finding.severity.word(), finding.text)?;
    finding.advice.iter().try_for_each(|advice| writeln!(to, "        {advice}"))
}

fn print_node(to: &mut impl Write, node: &Node, depth: usize) -> io::Result<()> {
    let mut line = format!("{:indent$}{}", "", node.name, indent = 2 * depth);
    if let Some(value) = &node.value {
        line = format!("{line}  {}", value_words(value, node));
    }
    if let Some(unit) = &node.unit {
        line = format!("{line} {unit}");
    }
    if let Some(meaning) = &node.meaning {
        line = format!("{line}  {meaning}");
    }
    if let Some(title) = node.title.as_ref().filter(|title| title.len() <= TITLE_MAX) {
        line = format!("{line}  ({title})");
    }
    writeln!(to, "{line}")?;
    node.children.iter().try_for_each(|child| print_node(to, child, depth + 1))
}

fn value_words(value: &Value, node: &Node) -> String {
    match value {
        // With a unit it is an amount, which people count in tens.
        Value::Unsigned(value) if node.unit.is_some() || *value < 10 => value.to_string(),
        Value::Unsigned(value) => format!("{value:#x}"),
        Value::Signed(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Text(text) => text.clone(),
        Value::Bytes => {
            let length = node.place.as_ref().map_or(0, |place| place.end - place.start);
            format!("{length} bytes")
        }
        Value::Unknown(why) => format!("unknown: {why}"),
    }
}

#[derive(Serialize)]
struct Object<'a> {
    version: u32,
    file: String,
    dump: &'a str,
    title: &'a str,
    slot: Option<&'a str>,
    headline: Option<&'a str>,
    findings: Vec<FindingEntry<'a>>,
    missing: Vec<MissingEntry<'a>>,
    remarks: &'a [String],
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
    offset: Option<u64>,
    length: Option<u64>,
    values: Vec<Self>,
}

fn node(node: &Node) -> NodeEntry<'_> {
    let (value, unknown) = match &node.value {
        None | Some(Value::Bytes) => (serde_json::Value::Null, None),
        Some(Value::Unsigned(value)) => ((*value).into(), None),
        Some(Value::Signed(value)) => ((*value).into(), None),
        Some(Value::Real(value)) => ((*value).into(), None),
        Some(Value::Text(text)) => (text.as_str().into(), None),
        Some(Value::Unknown(why)) => (serde_json::Value::Null, Some(why.as_str())),
    };
    NodeEntry {
        name: &node.name,
        title: node.title.as_deref(),
        value,
        unknown,
        unit: node.unit.as_deref(),
        meaning: node.meaning.as_deref(),
        offset: node.place.as_ref().map(|place| place.start),
        length: node.place.as_ref().map(|place| place.end.saturating_sub(place.start)),
        values: node.children.iter().map(self::node).collect(),
    }
}

/// Prints an object of what is `decoded` of the dump `name` in `file`.
pub fn print_json(
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
        title: &decoded.title,
        slot: decoded.slot.as_deref(),
        headline: decoded.headline.as_deref(),
        findings: findings.collect(),
        missing: missing.collect(),
        remarks: &decoded.remarks,
        values: decoded.nodes.iter().map(node).collect(),
    };
    json::line(to, &object)
}
