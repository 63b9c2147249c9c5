// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The entries of the IOMMU's tables for a device that it refused.
//!
//! Facts: Intel Virtualization Technology for Directed I/O 4.1, 9.1 to 9.6.

use super::reader::{Reader, number, register};
use crate::fields::known_word;
use crate::model::{Decoded, Node, Value};

/// Bits of an entry that are an address.
const ADDRESS: u64 = !0xfff;
const PRESENT: u64 = 1;

const LEGACY: u64 = 0;
const SCALABLE: u64 = 1;

const TRANSLATION: &[(u64, &str)] = &[
    (0, "requests without a translated address"),
    (1, "requests with and without a translated address"),
    (2, "pass-through"),
];
const PASID_TRANSLATION: &[(u64, &str)] =
    &[(1, "first level"), (2, "second level"), (3, "nested"), (4, "pass-through")];
const WIDTHS: &[(u64, &str)] =
    &[(1, "39 bits, 3 levels"), (2, "48 bits, 4 levels"), (3, "57 bits, 5 levels")];

/// Why the root table may not be there, in words.
const OF_CRASH_KERNEL: &str = "the crash kernel may have a root table of its own";

/// The `N` numbers of 8 bytes at `physical`.
fn wides<const N: usize>(reader: &Reader<'_>, physical: u64) -> Result<[u64; N], String> {
    let mut wides = [0; N];
    let area = reader.area(physical, 8 * N as u64);
    let bytes = area.get(0, 8 * N)?;
    for (index, wide) in wides.iter_mut().enumerate() {
        *wide = bytes.little(8 * index, 8).unwrap_or_default();
    }
    Ok(wides)
}

fn bits(value: u64, low: u32, high: u32) -> u64 {
    value >> low & (u64::MAX >> (63 - (high - low)))
}

fn with_word(name: &str, words: &[(u64, &'static str)], value: u64) -> Node {
    let node = number(name, value);
    match known_word(words, value) {
        Some(word) => node.meaning(word),
        None => node,
    }
}

/// An entry of which `present` says whether it is one.
fn entry(name: &str, physical: u64, raw: u64, children: Vec<Node>) -> Node {
    let is_present = raw & PRESENT != 0;
    let node = number(name, raw).meaning(if is_present { "present" } else { "not present" });
    let children = if is_present { children } else { Vec::new() };
    Node { address: Some(physical), children, ..node }
}

/// One that cannot be read.
fn unread(name: &str, physical: u64, why: String) -> Node {
    Node { value: Some(Value::Unknown(why)), address: Some(physical), ..Node::group(name) }
}

/// The entries that lead from the root table to how the device with this number is
/// translated, as far as they are present and in the dump.
fn entries(reader: &Reader<'_>, root_table: u64, source: u64) -> Vec<Node> {
    let mode = bits(root_table, 10, 11);
    let (bus, devfn) = (source >> 8, source & 0xff);
    let root = (root_table & ADDRESS).wrapping_add(bus * 16);
    let mut nodes = Vec::new();
    let halves: [u64; 2] = match wides(reader, root) {
        Ok(halves) => halves,
        // A crash kernel that sets up the IOMMU has put its own table in place of the other.
        Err(why) => return vec![unread("ROOT_ENTRY", root, format!("{why}; {OF_CRASH_KERNEL}"))],
    };
    let [low, high] = halves;
    // Of a root entry in scalable mode, each half is of half of the bus.
    let half = if mode == SCALABLE && devfn >= 0x80 { high } else { low };
    let pointer = number("CONTEXT_TABLE", half & ADDRESS);
    nodes.push(entry("ROOT_ENTRY", root, half, vec![pointer]));
    if half & PRESENT == 0 {
        return nodes;
    }
    if mode == SCALABLE {
        scalable(reader, (half & ADDRESS).wrapping_add((devfn & 0x7f) * 32), &mut nodes);
        return nodes;
    }
    let context = (half & ADDRESS).wrapping_add(devfn * 16);
    nodes.push(match wides(reader, context) {
        Ok([low, high]) => entry(
            "CONTEXT_ENTRY",
            context,
            low,
            vec![
                number("DOMAIN", bits(high, 8, 23)),
                with_word("TRANSLATION", TRANSLATION, bits(low, 2, 3)),
                with_word("WIDTH", WIDTHS, bits(high, 0, 2)),
                number("PAGE_TABLE", low & ADDRESS),
                number("FAULTS_OFF", bits(low, 1, 1)),
            ],
        ),
        Err(why) => unread("CONTEXT_ENTRY", context, why),
    });
    nodes
}

/// The context entry of scalable mode, and the PASID entry of requests without a PASID.
fn scalable(reader: &Reader<'_>, context: u64, nodes: &mut Vec<Node>) {
    let [low, second, ..]: [u64; 4] = match wides(reader, context) {
        Ok(context) => context,
        Err(why) => return nodes.push(unread("CONTEXT_ENTRY", context, why)),
    };
    let pasid = bits(second, 0, 19);
    nodes.push(entry(
        "CONTEXT_ENTRY",
        context,
        low,
        vec![
            number("DIRECTORY", low & ADDRESS),
            number("RID_PASID", pasid),
            number("DEVICE_TLB", bits(low, 2, 2)),
            number("PASID", bits(low, 3, 3)),
            number("PAGE_REQUESTS", bits(low, 4, 4)),
            number("FAULTS_OFF", bits(low, 1, 1)),
        ],
    ));
    if low & PRESENT == 0 {
        return;
    }
    let directory = (low & ADDRESS).wrapping_add((pasid >> 6) * 8);
    let table = match wides(reader, directory) {
        Ok([table]) => table,
        Err(why) => return nodes.push(unread("DIRECTORY_ENTRY", directory, why)),
    };
    nodes.push(entry(
        "DIRECTORY_ENTRY",
        directory,
        table,
        vec![number("PASID_TABLE", table & ADDRESS)],
    ));
    if table & PRESENT == 0 {
        return;
    }
    let at = (table & ADDRESS).wrapping_add((pasid & 0x3f) * 64);
    nodes.push(match wides(reader, at) {
        Ok([low, second]) => entry(
            "PASID_ENTRY",
            at,
            low,
            vec![
                number("DOMAIN", bits(second, 0, 15)),
                with_word("TRANSLATION", PASID_TRANSLATION, bits(low, 6, 8)),
                with_word("WIDTH", WIDTHS, bits(low, 2, 4)),
                number("PAGE_TABLE", low & ADDRESS),
                number("FAULTS_OFF", bits(low, 1, 1)),
            ],
        ),
        Err(why) => unread("PASID_ENTRY", at, why),
    });
}

pub(super) fn follow(decoded: &mut Decoded, reader: &mut Reader<'_>) {
    let root_table = register(decoded, "global", "RTADDR").and_then(Node::unsigned);
    let Some(root_table) = root_table.filter(|root_table| *root_table & ADDRESS != 0) else {
        return;
    };
    if !matches!(bits(root_table, 10, 11), LEGACY | SCALABLE) {
        return;
    }
    let is_record = |node: &&mut Node| node.name.starts_with("fault[");
    for block in decoded.nodes.iter_mut().filter(is_record) {
        let record = block.children.iter().find(|node| node.name == "FRCD_HIGH");
        let raw = record.and_then(Node::unsigned).filter(|raw| *raw != u64::MAX);
        // A record without a reason was never written.
        let Some(raw) = raw.filter(|raw| bits(*raw, 32, 39) != 0) else { continue };
        for node in entries(reader, root_table, raw & 0xffff) {
            block.children.extend(reader.take(node));
        }
    }
}
