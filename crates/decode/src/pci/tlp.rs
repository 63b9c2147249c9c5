// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The header of a TLP, as header logs have it (PCI Express Base Specification 5.0, 2.2).

use std::ops::Range;

use super::names::id_name;
use crate::model::{Node, Value};

/// What the bits of a word of the header are.
struct Part(&'static str, usize, u32, u32);

/// What every header begins with. The first byte of the TLP is the highest of the first word.
const COMMON: &[Part] = &[
    Part("Fmt", 0, 29, 31),
    Part("Type", 0, 24, 28),
    Part("TC", 0, 20, 22),
    Part("LN", 0, 17, 17),
    Part("TH", 0, 16, 16),
    Part("TD", 0, 15, 15),
    Part("EP", 0, 14, 14),
    Part("Attr", 0, 12, 13),
    Part("AT", 0, 10, 11),
    Part("Length", 0, 0, 9),
];
const REQUEST: &[Part] =
    &[Part("Requester", 1, 16, 31), Part("LastBE", 1, 4, 7), Part("FirstBE", 1, 0, 3)];
const CONFIG: &[Part] = &[Part("Completer", 2, 16, 31)];
const MESSAGE: &[Part] = &[Part("Requester", 1, 16, 31), Part("Code", 1, 0, 7)];
const COMPLETION: &[Part] = &[
    Part("Completer", 1, 16, 31),
    Part("Status", 1, 13, 15),
    Part("ByteCount", 1, 0, 11),
    Part("Requester", 2, 16, 31),
    Part("LowerAddress", 2, 0, 6),
];

/// A kind of TLP.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Memory,
    Config,
    Message,
    Completion,
}

fn kind(fmt: u64, kind: u64) -> Option<(&'static str, Kind)> {
    let has_data = fmt & 2 != 0;
    Some(match (kind, has_data) {
        (0, false) => ("memory read", Kind::Memory),
        (0, true) => ("memory write", Kind::Memory),
        (1, false) => ("locked memory read", Kind::Memory),
        (2, false) => ("I/O read", Kind::Memory),
        (2, true) => ("I/O write", Kind::Memory),
        (4, false) => ("configuration read, type 0", Kind::Config),
        (4, true) => ("configuration write, type 0", Kind::Config),
        (5, false) => ("configuration read, type 1", Kind::Config),
        (5, true) => ("configuration write, type 1", Kind::Config),
        (0x0a, false) => ("completion", Kind::Completion),
        (0x0a, true) => ("completion with data", Kind::Completion),
        (0x0b, false) => ("locked completion", Kind::Completion),
        (0x0b, true) => ("locked completion with data", Kind::Completion),
        (0x0c, true) => ("atomic fetch and add", Kind::Memory),
        (0x0d, true) => ("atomic swap", Kind::Memory),
        (0x0e, true) => ("atomic compare and swap", Kind::Memory),
        (0x1b, true) => ("deferrable memory write", Kind::Memory),
        (0x10..=0x17, false) => ("message", Kind::Message),
        (0x10..=0x17, true) => ("message with data", Kind::Message),
        _ => return None,
    })
}

/// The bits `low` to `high` of word `word`.
fn bits(words: [u64; 4], word: usize, low: u32, high: u32) -> u64 {
    let word = words.get(word).copied().unwrap_or(0);
    word.checked_shr(low).unwrap_or(0) & ((1 << (high - low + 1)) - 1)
}

/// The header in four words of a log, and it in a line; the line is `None` where the words
/// are no header.
pub fn decode(name: &str, words: [u64; 4], place: Option<Range<u64>>) -> (Node, Option<String>) {
    let mut node = Node { place, value: Some(Value::Bytes), ..Node::group(name) };
    let raw: Vec<String> = words.iter().map(|word| format!("{word:08x}")).collect();
    let raw = raw.join(" ");
    let mut add = |name: &str, value: u64, meaning: Option<String>| {
        let value = Some(Value::Unsigned(value));
        node.children.push(Node { value, meaning, ..Node::group(name) });
    };
    let [fmt, r#type] = [bits(words, 0, 29, 31), bits(words, 0, 24, 28)];
    let known = (fmt < 4).then(|| kind(fmt, r#type)).flatten();
    let Some((what, kind)) = known.filter(|_| words != [0; 4] && words != [0xffff_ffff; 4]) else {
        return (node.meaning(raw), None);
    };
    let parts = match kind {
        Kind::Memory => [REQUEST, &[]],
        Kind::Config => [REQUEST, CONFIG],
        Kind::Message => [MESSAGE, &[]],
        Kind::Completion => [COMPLETION, &[]],
    };
    let mut line = what.to_owned();
    for part in COMMON.iter().chain(parts.into_iter().flatten()) {
        let Part(name, word, low, high) = *part;
        let value = bits(words, word, low, high);
        let meaning = match name {
            "Type" => Some(what.to_owned()),
            "Requester" | "Completer" => Some(id_name(value)),
            _ => None,
        };
        match (name, &meaning) {
            ("Requester", Some(id)) => line.push_str(&format!(" of {id}")),
            ("Completer", Some(id)) => line.push_str(&format!(", completer {id}")),
            ("Code", _) => line.push_str(&format!(", code {value:#x}")),
            ("Status", _) => line.push_str(&format!(", status {value}")),
            ("EP", _) if value == 1 => line.push_str(", poisoned,"),
            _ => {}
        }
        add(name, value, meaning);
    }
    // The two upper bits of a tag are in the first word.
    let word = if kind == Kind::Completion { 2 } else { 1 };
    let tag = bits(words, word, 8, 15) | bits(words, 0, 19, 19) << 8 | bits(words, 0, 23, 23) << 9;
    line.push_str(&format!(", tag {tag:#x}"));
    add("Tag", tag, None);
    let address = match kind {
        Kind::Memory if fmt & 1 == 1 => Some(words[2] << 32 | words[3] & !3),
        Kind::Memory => Some(words[2] & !3),
        Kind::Config => Some(words[2] & 0xffc),
        Kind::Message | Kind::Completion => None,
    };
    if let Some(address) = address {
        let what = if kind == Kind::Config { "register" } else { "address" };
        line.push_str(&format!(", {what} {address:#x}"));
        add("Address", address, None);
    }
    (node.meaning(format!("{raw}: {line}")), Some(line))
}
