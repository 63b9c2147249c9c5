// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What functions, classes and nodes are called.

use super::tables::{BASE_CLASSES, CLASSES};
use crate::fields::known_word;
use crate::model::Node;

/// The name of a function, as `01:00.0`.
pub fn id_name(id: u64) -> String {
    format!("{:02x}:{:02x}.{}", id >> 8 & 0xff, id >> 3 & 0x1f, id & 7)
}

/// The name of a function with its domain, as `0000:01:00.0`.
pub fn function_name(domain: u32, id: u64) -> String {
    format!("{domain:04x}:{}", id_name(id))
}

/// What a class, of 16 bits, is called.
pub fn class_name(class: u64) -> &'static str {
    known_word(CLASSES, class)
        .or_else(|| known_word(BASE_CLASSES, class >> 8))
        .unwrap_or("Unknown device")
}

/// The node with this path.
pub fn find<'a>(nodes: &'a [Node], path: &[&str]) -> Option<&'a Node> {
    let (first, rest) = path.split_first()?;
    nodes.iter().find(|node| node.name == *first)?.find(rest)
}

/// Its value.
pub fn number(nodes: &[Node], path: &[&str]) -> Option<u64> {
    find(nodes, path)?.unsigned()
}
