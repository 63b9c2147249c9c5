// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Decoders of error records, log pages and logs, on bytes that were written from the tables
//! of the specifications, cut and changed ones, and next to other programs' output.
#![forbid(unsafe_code)]

mod cudbg;
mod hostile;
mod peers;
mod vectors;

use decode::DECODERS;
use decode::model::{Decoded, Node, Value};

/// What the only decoder that recognises the dump says of it.
fn decoded(name: &str, bytes: &[u8]) -> Vec<Decoded> {
    let found: Vec<_> = DECODERS.iter().filter(|decoder| decoder.recognises(name, bytes)).collect();
    let names: Vec<_> = found.iter().map(|decoder| decoder.name()).collect();
    assert_eq!(found.len(), 1, "{name}: {names:?}");
    found[0].decode(name, bytes)
}

/// The same as text, a line for each value and finding.
fn printed(name: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    for decoded in decoded(name, bytes) {
        text.push_str(&format!("# {}\n", decoded.title));
        for (what, line) in [("slot", &decoded.slot), ("headline", &decoded.headline)] {
            if let Some(line) = line {
                text.push_str(&format!("{what}: {line}\n"));
            }
        }
        for finding in &decoded.findings {
            text.push_str(&format!("{} {}", finding.severity.word(), finding.text));
            if let Some(slot) = &finding.points_to {
                text.push_str(&format!(" -> {slot}"));
            }
            let values: Vec<_> =
                finding.values.iter().map(|(path, value)| format!("{path}={value:#x}")).collect();
            text.push_str(&format!("\n    {} [{}]\n", finding.source, values.join(" ")));
            if let Some(advice) = &finding.advice {
                text.push_str(&format!("    {advice}\n"));
            }
        }
        for node in &decoded.nodes {
            print(&mut text, node, 0);
        }
        for missing in &decoded.missing {
            text.push_str(&format!("missing: {}: {}\n", missing.what, missing.why));
        }
        for remark in &decoded.remarks {
            text.push_str(&format!("remark: {remark}\n"));
        }
    }
    text
}

fn print(text: &mut String, node: &Node, depth: usize) {
    text.push_str(&format!("{}{}", "  ".repeat(depth), node.name));
    match &node.value {
        None => {}
        Some(Value::Unsigned(value)) => text.push_str(&format!(" {value:#x}")),
        Some(Value::Signed(value)) => text.push_str(&format!(" {value}")),
        Some(Value::Real(value)) => text.push_str(&format!(" {value}")),
        Some(Value::Text(value)) => text.push_str(&format!(" {value:?}")),
        Some(Value::Bytes) => text.push_str(" bytes"),
        Some(Value::Unknown(why)) => text.push_str(&format!(" unknown: {why}")),
    }
    if let Some(unit) = &node.unit {
        text.push_str(&format!(" {unit}"));
    }
    if let Some(meaning) = &node.meaning {
        text.push_str(&format!(": {meaning}"));
    }
    if let Some(place) = &node.place {
        text.push_str(&format!(" @{}+{}", place.start, place.end - place.start));
    }
    text.push('\n');
    for child in &node.children {
        print(text, child, depth + 1);
    }
}
