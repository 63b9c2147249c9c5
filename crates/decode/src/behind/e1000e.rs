// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The descriptor rings of an adapter of the e1000e driver.
//!
//! Facts: Intel 82574 GbE Controller Family Datasheet 3.4, 7.1.4 (receive descriptors, of
//! which the driver uses the extended ones) and 7.2.10 (transmit descriptors).

use super::reader::{Reader, add, number, numbered, pointer, register};
use crate::model::{Bytes, Decoded, Node};

const SIZE: usize = 16;
/// Of a receive descriptor with several buffers.
const SPLIT_SIZE: usize = 32;
const DONE: u64 = 1;

/// Whether the descriptor `index` is the device's: from its head up to the tail, around the
/// end of the ring.
fn is_of_device(index: usize, ends: Option<(u64, u64)>) -> bool {
    let index = index as u64;
    match ends {
        Some((head, tail)) if head <= tail => (head..tail).contains(&index),
        Some((head, tail)) => index >= head || index < tail,
        None => false,
    }
}

/// A descriptor of a packet to send; none where there never was one.
fn transmit(index: usize, bytes: Bytes<'_>, ends: Option<(u64, u64)>) -> Option<Node> {
    let (buffer, command, status) =
        (bytes.little(0, 8)?, bytes.little(8, 4)?, bytes.little(12, 4)?);
    if (buffer, command, status) == (0, 0, 0) {
        return None;
    }
    let is_extended = command >> 29 & 1 == 1;
    let kind = command >> 20 & 0xf;
    let mut meaning = match (is_extended, kind) {
        (true, 0) => "context".to_owned(),
        (true, _) => format!("data, {} bytes", command & 0xf_ffff),
        (false, _) => format!("{} bytes", command & 0xffff),
    };
    // Of a context, the bit says something else.
    let is_data = !is_extended || kind != 0;
    if is_data && command >> 24 & 1 == 1 {
        meaning.push_str(", end of its packet");
    }
    meaning.push_str(match (is_of_device(index, ends), status & DONE) {
        (true, _) => ", not sent yet",
        (false, DONE) => ", sent",
        (false, _) => "",
    });
    let children = vec![number("COMMAND", command), number("STATUS", status)];
    Some(Node { children, ..number(&numbered("descriptor", index), buffer).meaning(meaning) })
}

/// A descriptor of a buffer for a packet; none where there never was one.
fn receive(index: usize, bytes: Bytes<'_>, ends: Option<(u64, u64)>) -> Option<Node> {
    let (buffer, status, rest) = (bytes.little(0, 8)?, bytes.little(8, 4)?, bytes.little(12, 4)?);
    if (buffer, status, rest) == (0, 0, 0) {
        return None;
    }
    let name = numbered("descriptor", index);
    if status & DONE == 0 {
        let meaning = if is_of_device(index, ends) { "a buffer, the device's" } else { "a buffer" };
        return Some(number(&name, buffer).meaning(meaning));
    }
    let mut meaning = format!("packet of {} bytes", rest & 0xffff);
    if status >> 24 & 0x97 != 0 {
        meaning.push_str(", with errors");
    }
    let children = vec![number("STATUS", status), number("LENGTH", rest & 0xffff)];
    Some(Node { children, ..number(&name, buffer).meaning(meaning) })
}

pub(super) fn follow(decoded: &mut Decoded, reader: &mut Reader<'_>) {
    let value = |block: &str, name: &str| register(decoded, block, name).and_then(Node::unsigned);
    let ends = |block: &str, head: &str, tail: &str| {
        Some((value(block, head)? & 0xffff, value(block, tail)? & 0xffff))
    };
    let sent = ends("tx", "TDH", "TDT");
    let received = ends("rx", "RDH", "RDT");
    // Descriptors of several buffers are used for large frames.
    let is_split = value("rctl", "RCTL").unwrap_or_default() >> 10 & 3 == 1;
    let size = if is_split { SPLIT_SIZE } else { SIZE };
    let transmitted = pointer(decoded, "tx", "TDBA").map(|(physical, length)| {
        let area = reader.area(physical, length);
        reader.entries(&area, "descriptor", SIZE, |index, bytes| transmit(index, bytes, sent))
    });
    let buffers = pointer(decoded, "rx", "RDBA").map(|(physical, length)| {
        let area = reader.area(physical, length);
        reader.entries(&area, "descriptor", size, |index, bytes| receive(index, bytes, received))
    });
    add(decoded, "tx", "TDBA", transmitted.unwrap_or_default());
    add(decoded, "rx", "RDBA", buffers.unwrap_or_default());
}
