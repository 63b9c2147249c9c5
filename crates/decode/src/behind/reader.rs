// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The dead kernel's memory, read within bounds, and values of what is in it.

use std::ops::Range;

use crate::model::{Behaviour, Bytes, Decoded, Node, Value};

/// How many bytes are read of what one pointer leads to.
pub(super) const LENGTH_MAX: u64 = 1 << 20;
/// How many entries of one ring or queue are decoded.
pub(super) const ENTRIES_MAX: usize = 4096;
/// How many values there are of all that a device points to.
pub(super) const VALUES_MAX: usize = 1 << 15;
/// Memory is there or not in pages of this size, in bytes, or in larger ones.
pub(super) const PAGE: u64 = 4096;

/// Why memory cannot be read, in words: "not in the dump" where the dump does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent(pub String);

/// The memory of the dead kernel.
pub trait Memory {
    /// Fills `to` with the memory at the physical address `physical`.
    ///
    /// # Errors
    /// [`Absent`] where not all of it is there.
    fn read(&self, physical: u64, to: &mut [u8]) -> Result<(), Absent>;
}

/// Reads memory, and counts what becomes of it.
pub(super) struct Reader<'a> {
    pub(super) memory: &'a dyn Memory,
    /// How many values more there may be.
    pub(super) room: usize,
}

/// A part of the memory, as far as it is there.
pub(super) struct Area {
    pub(super) physical: u64,
    pub(super) bytes: Vec<u8>,
    /// What is not there, in ascending order, and why.
    pub(super) absent: Vec<(Range<usize>, String)>,
}

impl Area {
    /// The `length` bytes at `at`, or why they are not there.
    pub(super) fn get(&self, at: usize, length: usize) -> Result<Bytes<'_>, &str> {
        let range = at..at.saturating_add(length);
        let overlaps = |absent: &Range<usize>| absent.start < range.end && range.start < absent.end;
        if let Some((_, why)) = self.absent.iter().find(|(absent, _)| overlaps(absent)) {
            return Err(why);
        }
        Bytes::new(&self.bytes).part(range).ok_or("it is longer than is read")
    }
}

impl Reader<'_> {
    /// The `length` bytes at `physical`, [`LENGTH_MAX`] at most, page by page.
    pub(super) fn area(&self, physical: u64, length: u64) -> Area {
        let length = length.min(LENGTH_MAX) as usize;
        let mut area = Area { physical, bytes: vec![0; length], absent: Vec::new() };
        let mut at = 0;
        while at < length {
            let address = physical.wrapping_add(at as u64);
            let end = length.min(at.saturating_add((PAGE - address % PAGE) as usize));
            let to = area.bytes.get_mut(at..end).unwrap_or_default();
            if let Err(Absent(why)) = self.memory.read(address, to) {
                area.absent.push((at..end, why));
            }
            at = end;
        }
        area
    }

    /// The values of the entries of `size` bytes in `area`, of which `entry` makes each; it
    /// makes none of what is no entry. What is not there is one value, with the reason.
    pub(super) fn entries(
        &mut self,
        area: &Area,
        name: &str,
        size: usize,
        mut entry: impl FnMut(usize, Bytes<'_>) -> Option<Node>,
    ) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut unread: Option<(Range<usize>, String)> = None;
        let count = (area.bytes.len() / size.max(1)).min(ENTRIES_MAX);
        for index in 0..count {
            match area.get(index.saturating_mul(size), size) {
                Ok(bytes) => {
                    nodes.extend(unread.take().map(|unread| absent(name, unread)));
                    let Some(node) = entry(index, bytes) else { continue };
                    let address = area.physical.wrapping_add((index * size) as u64);
                    nodes.extend(self.take(Node { address: Some(address), ..node }));
                }
                Err(why) => match &mut unread {
                    Some((range, _)) => range.end = index + 1,
                    None => unread = Some((index..index + 1, why.to_owned())),
                },
            }
        }
        nodes.extend(unread.map(|unread| absent(name, unread)));
        nodes
    }

    /// The node, if there is room for it. Queues and rings differ at every moment.
    pub(super) fn take(&mut self, mut node: Node) -> Option<Node> {
        fn mark(node: &mut Node) {
            node.behaviour = Behaviour::Volatile;
            node.children.iter_mut().for_each(mark);
        }
        fn count(node: &Node) -> usize {
            node.children.iter().map(count).sum::<usize>().saturating_add(1)
        }
        match self.room.checked_sub(count(&node)) {
            Some(room) => {
                self.room = room;
                mark(&mut node);
                Some(node)
            }
            None => {
                self.room = 0;
                None
            }
        }
    }
}

/// The entries `range`, which are not there.
pub(super) fn absent(name: &str, (range, why): (Range<usize>, String)) -> Node {
    let name = match range.len() {
        1 => numbered(name, range.start),
        _ => format!("{name}[{} to {}]", range.start, range.end.saturating_sub(1)),
    };
    Node { value: Some(Value::Unknown(why)), ..Node::group(name) }
}

pub(super) fn numbered(name: &str, index: usize) -> String {
    format!("{name}[{index}]")
}

/// A number, with what it means where that is known.
pub(super) fn number(name: &str, value: u64) -> Node {
    Node { value: Some(Value::Unsigned(value)), ..Node::group(name) }
}

/// The register `name` of the block `block` of `decoded`.
pub(super) fn register<'a>(decoded: &'a Decoded, block: &str, name: &str) -> Option<&'a Node> {
    let block = decoded.nodes.iter().find(|node| node.name == block)?;
    block.children.iter().find(|node| node.name == name)
}

/// Where a register points to, and to how many bytes; nothing where it is not known, or is
/// set to nothing.
pub(super) fn pointer(decoded: &Decoded, block: &str, name: &str) -> Option<(u64, u64)> {
    let node = register(decoded, block, name)?;
    let physical = node.unsigned().filter(|physical| *physical != 0)?;
    Some((physical, node.points_to?))
}

/// Adds `nodes` to the register `name` of the block `block`.
pub(super) fn add(decoded: &mut Decoded, block: &str, name: &str, nodes: Vec<Node>) {
    let block = decoded.nodes.iter_mut().find(|node| node.name == block);
    let register = block.and_then(|node| node.children.iter_mut().find(|node| node.name == name));
    if let Some(register) = register {
        register.children.extend(nodes);
    }
}
