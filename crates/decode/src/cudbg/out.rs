// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What decoding the entities has come to, and values that all of them have.

use crate::fields::{Room, too_many};
use crate::model::{Bytes, Decoded, Missing, Node, Value};

/// Errors of the driver's collector, which it mixes with those of the kernel.
const STATUS: &[(i32, &str)] = &[
    (-19, "no memory"),
    (-24, "entity not found"),
    (-28, "not implemented"),
    (-29, "system error"),
    (-32, "core clock not known"),
    (-41, "partial data"),
];
/// Errors of the kernel.
const ERRORS: &[(i32, &str)] = &[
    (-1, "EPERM"),
    (-2, "ENOENT"),
    (-5, "EIO"),
    (-6, "ENXIO"),
    (-11, "EAGAIN"),
    (-12, "ENOMEM"),
    (-14, "EFAULT"),
    (-16, "EBUSY"),
    (-19, "ENODEV"),
    (-22, "EINVAL"),
    (-95, "EOPNOTSUPP"),
    (-110, "ETIMEDOUT"),
];

/// The generation of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chip {
    T5,
    T6,
    Other,
}

/// What decoding has come to.
pub(super) struct Out<'a> {
    pub(super) chip: Chip,
    pub(super) room: Room,
    pub(super) decoded: &'a mut Decoded,
}

impl Out<'_> {
    /// The nodes that `node` makes of `count` records, as long as there is room.
    pub(super) fn list(
        &mut self,
        what: &str,
        count: usize,
        mut node: impl FnMut(usize) -> Option<Node>,
    ) -> Vec<Node> {
        let mut nodes = Vec::new();
        for number in 0..count {
            let Some(node) = node(number) else { continue };
            if !self.room.take(std::slice::from_ref(&node)) {
                self.decoded.missing.push(too_many(what, count - number));
                break;
            }
            nodes.push(node);
        }
        nodes
    }

    pub(super) fn missing(&mut self, what: &str, why: String) {
        self.decoded.missing.push(Missing { what: what.to_owned(), why });
    }
}

/// A node with the little-endian number of `size` bytes at `at`.
pub(super) fn number(
    bytes: &Bytes<'_>,
    name: impl Into<String>,
    at: usize,
    size: usize,
) -> Option<Node> {
    Some(Node::value(name, Value::Unsigned(bytes.little(at, size)?), bytes.place(at, size)))
}

/// The same for each of `names`, one after the other from `at` on.
pub(super) fn numbers(bytes: &Bytes<'_>, at: usize, size: usize, names: &[&str]) -> Vec<Node> {
    let of = |(index, name): (usize, &&str)| number(bytes, *name, at + index * size, size);
    names.iter().enumerate().filter_map(of).collect()
}

/// A group of `count` little-endian numbers of `size` bytes from `at` on.
pub(super) fn array(bytes: &Bytes<'_>, name: &str, at: usize, size: usize, count: usize) -> Node {
    let of = |index: usize| number(bytes, format!("[{index}]"), at + index * size, size);
    Node { children: (0..count).filter_map(of).collect(), ..Node::group(name) }
}

/// An error of the driver's or the kernel's in words.
pub(super) fn status(error: i32) -> String {
    let find = |words: &[(i32, &'static str)]| {
        words.iter().find(|(of, _)| *of == error).map(|(_, word)| *word)
    };
    match find(STATUS).or_else(|| find(ERRORS)) {
        Some(word) => format!("error {error} ({word})"),
        None => format!("error {error}"),
    }
}
