// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The event ring and the device contexts of an xHCI controller.
//!
//! Facts: eXtensible Host Controller Interface for USB 1.2, 6.1 (device context base address
//! array), 6.2 (contexts), 6.4 (TRBs), 6.5 (event ring segment table).

use super::reader::{Area, ENTRIES_MAX, Reader, add, number, numbered, pointer, register};
use crate::fields::known_word;
use crate::model::{Bytes, Decoded, Node, Value};

const TRB_SIZE: usize = 16;
const SEGMENT_SIZE: usize = 16;

const TRANSFER: u64 = 32;
const COMPLETION: u64 = 33;
const PORT_CHANGE: u64 = 34;
const HOST: u64 = 37;

const EVENTS: &[(u64, &str)] = &[
    (TRANSFER, "Transfer Event"),
    (COMPLETION, "Command Completion Event"),
    (PORT_CHANGE, "Port Status Change Event"),
    (35, "Bandwidth Request Event"),
    (36, "Doorbell Event"),
    (HOST, "Host Controller Event"),
    (38, "Device Notification Event"),
    (39, "MFINDEX Wrap Event"),
];

const CODES: &[(u64, &str)] = &[
    (0, "invalid"),
    (1, "success"),
    (2, "data buffer error"),
    (3, "babble"),
    (4, "USB transaction error"),
    (5, "TRB error"),
    (6, "stall"),
    (7, "resource error"),
    (8, "bandwidth error"),
    (9, "no slots"),
    (10, "invalid stream type"),
    (11, "slot not enabled"),
    (12, "endpoint not enabled"),
    (13, "short packet"),
    (14, "ring underrun"),
    (15, "ring overrun"),
    (16, "VF event ring full"),
    (17, "parameter error"),
    (18, "bandwidth overrun"),
    (19, "context state error"),
    (20, "no ping response"),
    (21, "event ring full"),
    (22, "incompatible device"),
    (23, "missed service"),
    (24, "command ring stopped"),
    (25, "command aborted"),
    (26, "stopped"),
    (27, "stopped, length invalid"),
    (28, "stopped, short packet"),
    (29, "maximum exit latency too large"),
    (31, "isochronous buffer overrun"),
    (32, "event lost"),
    (33, "undefined error"),
    (34, "invalid stream id"),
    (35, "secondary bandwidth error"),
    (36, "split transaction error"),
];

const SLOT_STATES: &[(u64, &str)] =
    &[(0, "not in use"), (1, "default"), (2, "addressed"), (3, "configured")];
const ENDPOINT_STATES: &[(u64, &str)] =
    &[(0, "disabled"), (1, "running"), (2, "halted"), (3, "stopped"), (4, "error")];
const ENDPOINT_TYPES: &[(u64, &str)] = &[
    (1, "isochronous out"),
    (2, "bulk out"),
    (3, "interrupt out"),
    (4, "control"),
    (5, "isochronous in"),
    (6, "bulk in"),
    (7, "interrupt in"),
];
const SPEEDS: &[(u64, &str)] =
    &[(1, "full"), (2, "low"), (3, "high"), (4, "super"), (5, "super plus")];

/// An event; none where the controller has written none.
fn event(index: usize, trb: Bytes<'_>, is_next: bool) -> Option<Node> {
    let (status, control) = (trb.little(8, 4)?, trb.little(12, 4)?);
    let kind = control >> 10 & 0x3f;
    if kind == 0 {
        return None;
    }
    let code = known_word(CODES, status >> 24).unwrap_or("reserved");
    let name = known_word(EVENTS, kind).unwrap_or("another event");
    let mut meaning = format!("{name}: {code}");
    let (slot, endpoint) = (control >> 24, control >> 16 & 0x1f);
    let mut children =
        vec![number("CODE", status >> 24).meaning(code), number("CYCLE", control & 1)];
    match kind {
        TRANSFER => {
            meaning.push_str(&format!(", slot {slot} endpoint {endpoint}"));
            children.push(number("SLOT", slot));
            children.push(number("ENDPOINT", endpoint));
            children.push(number("POINTER", trb.little(0, 8)?));
            children.push(number("LENGTH", status & 0xff_ffff).titled("not transferred"));
        }
        COMPLETION => {
            meaning.push_str(&format!(", slot {slot}"));
            children.push(number("SLOT", slot));
            children.push(number("POINTER", trb.little(0, 8)?));
        }
        PORT_CHANGE => {
            let port = trb.little(3, 1)?;
            meaning.push_str(&format!(", port {port}"));
            children.push(number("PORT", port));
        }
        _ => {}
    }
    if is_next {
        meaning.push_str(", the next one that the driver looks at");
    }
    Some(Node { children, ..number(&numbered("event", index), control).meaning(meaning) })
}

/// The segments of the event ring of an interrupter, each with its events.
fn segments(reader: &mut Reader<'_>, table: &Area, next: u64) -> Vec<Node> {
    let mut left = ENTRIES_MAX;
    let mut rings = Vec::new();
    let nodes = reader.entries(table, "segment", SEGMENT_SIZE, |index, entry| {
        let (base, size) = (entry.little(0, 8)? & !0x3f, entry.little(8, 2)?);
        let count = size.min(left as u64);
        left = left.saturating_sub(count as usize);
        rings.push((base, count));
        let children = vec![number("SIZE", size)];
        Some(Node { children, ..number(&numbered("segment", index), base) })
    });
    // What is not there is among the nodes, and has no ring.
    let mut rings = rings.into_iter();
    nodes
        .into_iter()
        .map(|mut node| {
            if node.unsigned().is_some()
                && let Some((base, count)) = rings.next()
            {
                let area = reader.area(base, count * TRB_SIZE as u64);
                node.children.extend(reader.entries(&area, "event", TRB_SIZE, |index, trb| {
                    event(index, trb, base.wrapping_add((index * TRB_SIZE) as u64) == next)
                }));
            }
            node
        })
        .collect()
}

/// The context of a device, with contexts of `size` bytes: its slot's, and its endpoints'.
fn device(area: &Area, size: usize) -> Vec<Node> {
    let slot = match area.get(0, size) {
        Ok(slot) => slot,
        Err(why) => {
            return vec![Node {
                value: Some(Value::Unknown(why.to_owned())),
                ..Node::group("SLOT_CONTEXT")
            }];
        }
    };
    let get = |context: &Bytes<'_>, at| context.little(at, 4).unwrap_or_default();
    let named = |name: &str, words: &[(u64, &'static str)], value| {
        let node = number(name, value);
        match known_word(words, value) {
            Some(word) => node.meaning(word),
            None => node,
        }
    };
    let (first, second, last) = (get(&slot, 0), get(&slot, 4), get(&slot, 12));
    let mut nodes = vec![
        named("STATE", SLOT_STATES, last >> 27),
        number("ADDRESS", last & 0xff),
        named("SPEED", SPEEDS, first >> 20 & 0xf),
        number("ROOT_PORT", second >> 16 & 0xff),
        number("ROUTE", first & 0xf_ffff),
    ];
    // Of endpoint 0 there is one context, of each other two: out and in.
    for index in 1..=(first >> 27).min(31) as usize {
        let name = numbered("endpoint", index);
        let context = match area.get(index * size, size) {
            Ok(context) => context,
            Err(why) => {
                nodes.push(Node {
                    value: Some(Value::Unknown(why.to_owned())),
                    ..Node::group(name)
                });
                continue;
            }
        };
        let (state, kind) = (get(&context, 0) & 7, get(&context, 4) >> 3 & 7);
        if kind == 0 {
            continue;
        }
        let words = known_word(ENDPOINT_STATES, state).unwrap_or("reserved");
        let kind = known_word(ENDPOINT_TYPES, kind).unwrap_or_default();
        let dequeue = context.little(8, 8).unwrap_or_default();
        let children = vec![number("DEQUEUE", dequeue & !0xf)];
        let node = number(&name, state).meaning(format!("{kind}, {words}"));
        nodes.push(Node { children, ..node });
    }
    nodes
}

pub(super) fn follow(decoded: &mut Decoded, reader: &mut Reader<'_>) {
    let value = |block: &str, name: &str| register(decoded, block, name).and_then(Node::unsigned);
    let next = value("intr", "ERDP").unwrap_or_default() & !0xf;
    // The low bits of both pointers are no address.
    let table = pointer(decoded, "intr", "ERSTBA")
        .map(|(physical, length)| reader.area(physical & !0x3f, length));
    let size = if value("cap", "HCCPARAMS1").unwrap_or_default() >> 2 & 1 == 1 { 64 } else { 32 };
    let array = pointer(decoded, "op", "DCBAAP")
        .map(|(physical, length)| reader.area(physical & !0x3f, length));
    let segments = table.map(|table| segments(reader, &table, next)).unwrap_or_default();
    let memory = Reader { memory: reader.memory, room: 0 };
    let contexts = array.map(|array| {
        reader.entries(&array, "slot", 8, |index, entry| {
            let context = entry.little(0, 8).filter(|context| *context != 0)?;
            let node = number(&numbered("slot", index), context);
            // The first one is that of scratchpads, which are the controller's own.
            if index == 0 {
                return Some(node.meaning("scratchpads"));
            }
            let area = memory.area(context & !0x3f, 32 * size as u64);
            Some(Node { children: device(&area, size), ..node })
        })
    });
    add(decoded, "intr", "ERSTBA", segments);
    add(decoded, "op", "DCBAAP", contexts.unwrap_or_default());
}
