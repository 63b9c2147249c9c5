// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tables of the adapter, and the queues of the driver.
//!
//! Facts: Linux cxgb4, `cudbg_entity.h`, `cudbg_lib.c`, `t4_regs.h`.

use super::adapter::versioned;
use super::out::{Chip, Out, number, numbers};
use crate::fields::word;
use crate::model::{Bytes, Node, Value};

/// Words of 32 bits from `at` on, as text.
fn words(bytes: &Bytes<'_>, at: usize, count: usize) -> String {
    let word = |index: usize| Some(format!("{:08x}", bytes.little(at + 4 * index, 4)?));
    (0..count).filter_map(word).collect::<Vec<_>>().join(" ")
}

fn is_zero(bytes: &Bytes<'_>) -> bool {
    bytes.raw().iter().all(|byte| *byte == 0)
}

/// The entity `RSS`: the queue for each hash.
pub(super) fn rss(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const ROW: usize = 16;
    out.list("rows of RSS", (bytes.length() / 2).div_ceil(ROW), |row| {
        let queue = |index: usize| Some(bytes.little(2 * (row * ROW + index), 2)?.to_string());
        let queues: Vec<String> = (0..ROW).filter_map(queue).collect();
        let place = bytes.place(2 * row * ROW, 2 * queues.len());
        Some(Node::value(format!("[{}]", row * ROW), Value::Text(queues.join(" ")), place))
    })
}

/// The entity `RSS_VF_CONF`, of `struct cudbg_rss_vf_conf`.
pub(super) fn rss_vf(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    out.list("virtual functions", bytes.length() / 8, |index| {
        let children = numbers(bytes, 8 * index, 4, &["RSS_VF_VFL", "RSS_VF_VFH"]);
        Some(Node { children, ..Node::group(format!("[{index}]")) })
    })
}

/// The entity `DUMP_CONTEXT`, of `struct cudbg_ch_cntxt`.
pub(super) fn contexts(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const CONTEXT: usize = 32;
    const TYPES: &[(u64, &str)] =
        &[(0, "egress"), (1, "ingress"), (2, "free list"), (3, "congestion")];
    out.list("contexts", bytes.length() / CONTEXT, |index| {
        let part = bytes.part(index * CONTEXT..(index + 1) * CONTEXT)?;
        // What the driver does not use at the end is 0.
        let _ = part.part(8..CONTEXT).filter(|data| !is_zero(data))?;
        let (kind, queue) = (part.little(0, 4)?, part.little(4, 4)?);
        let value = Value::Text(words(&part, 8, 6));
        let node = Node::value(format!("[{index}]"), value, part.place(8, CONTEXT - 8));
        Some(node.titled(format!("{} queue {queue}", word(TYPES, kind))))
    })
}

/// The entity `MPS_TCAM`, of `struct cudbg_mps_tcam`.
pub(super) fn mps(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const ENTRY: usize = 88;
    const LOW: usize = 44;
    let is_t5 = out.chip == Chip::T5;
    out.list("MAC address filters", bytes.length() / ENTRY, |index| {
        let part = bytes.part(index * ENTRY..(index + 1) * ENTRY)?;
        let low = part.little(LOW, 4)?;
        let address = part.part(78..84)?;
        if low == 0 && is_zero(&address) {
            return None;
        }
        let bits = |low_bit: u32, mask: u64| low >> low_bit & mask;
        let of_low =
            |name: &str, value: u64| Node::value(name, Value::Unsigned(value), part.place(LOW, 4));
        let (valid, replicate, function, is_virtual) = match is_t5 {
            true => (bits(12, 1), bits(11, 1), bits(8, 7), bits(7, 1)),
            false => (bits(13, 1), bits(12, 1), bits(9, 7), bits(8, 1)),
        };
        let digits: Vec<String> = address.raw().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut children = vec![
            Node::value("ADDRESS", Value::Text(digits.join(":")), address.place(0, 6)),
            number(&part, "MASK", 0, 8)?,
            number(&part, "INDEX", 40, 4)?,
            of_low("VALID", valid),
            of_low("PF", function),
        ];
        if is_virtual == 1 {
            children.push(of_low("VF", bits(0, if is_t5 { 0x7f } else { 0xff })));
        }
        children.push(of_low("REPLICATE", replicate));
        let ports = part.little(48, 4)? & 15;
        children.push(Node::value("PORTS", Value::Unsigned(ports), part.place(48, 4)));
        children.extend(number(&part, "IVLAN", 76, 2));
        children.extend(number(&part, "LOOKUP_TYPE", 84, 1));
        children.extend(number(&part, "PORT", 85, 1));
        Some(Node { children, ..Node::group(format!("[{index}]")) })
    })
}

/// The entity `LE_TCAM`: `struct cudbg_tcam`, and the connections, `struct cudbg_tid_data`.
pub(super) fn le(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const HEADER: usize = 24;
    const ENTRY: usize = 84;
    const WORDS: usize = 17;
    const NAMES: [&str; 6] =
        ["FILTER_START", "SERVER_START", "CLIP_START", "ROUTING_START", "TID_HASH_BASE", "MAX_TID"];
    let mut nodes = numbers(bytes, 0, 4, &NAMES);
    let start = |index: usize| nodes.get(index).and_then(Node::unsigned).unwrap_or_default();
    // A connection is of the first region whose end is after it.
    let regions = [
        (start(1), "connection"),
        (start(0), "server"),
        (start(2), "filter"),
        (start(3), "CLIP"),
        (start(4), "routing"),
        (start(5), "hashed connection"),
    ];
    let count = bytes.length().saturating_sub(HEADER) / ENTRY;
    let list = out.list("entries of LE_TCAM", count, |index| {
        let at = HEADER + index * ENTRY;
        let part = bytes.part(at..at + ENTRY)?;
        // What the driver does not come to is 0.
        let _ = part.part(16..ENTRY).filter(|data| !is_zero(data))?;
        let tid = part.little(0, 4)?;
        let region = regions.iter().find(|(end, _)| tid < *end);
        let region = region.map_or("no region", |(_, name)| name);
        let value = Value::Text(words(&part, 16, WORDS));
        let node = Node::value(format!("[{index}]"), value, part.place(16, 4 * WORDS));
        Some(node.titled(format!("TID {tid}, {region}")))
    });
    nodes.extend(list);
    nodes
}

/// `enum cudbg_qdesc_qtype`.
const QUEUES: &[(u64, &str)] = &[
    (0, "unknown"),
    (1, "NIC_TXQ"),
    (2, "NIC_RXQ"),
    (3, "NIC_FLQ"),
    (4, "CTRLQ"),
    (5, "FWEVTQ"),
    (6, "INTRQ"),
    (7, "PTP_TXQ"),
    (8, "OFLD_TXQ"),
    (9, "RDMA_RXQ"),
    (10, "RDMA_FLQ"),
    (11, "RDMA_CIQ"),
    (12, "ISCSI_RXQ"),
    (13, "ISCSI_FLQ"),
    (14, "ISCSIT_RXQ"),
    (15, "ISCSIT_FLQ"),
    (16, "CRYPTO_TXQ"),
    (17, "CRYPTO_RXQ"),
    (18, "CRYPTO_FLQ"),
    (19, "TLS_RXQ"),
    (20, "TLS_FLQ"),
    (21, "ETHOFLD_TXQ"),
    (22, "ETHOFLD_RXQ"),
    (23, "ETHOFLD_FLQ"),
];

/// The entity `QDESC`: `struct cudbg_qdesc_info`, and the queues, each a
/// `struct cudbg_qdesc_entry` with its descriptors.
pub(super) fn descriptors(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const HEADER: usize = 8;
    const ENTRY: usize = 20;
    let Some(bytes) = versioned("QDESC", bytes, out) else { return Vec::new() };
    let queues = bytes.little(4, 4).and_then(|count| usize::try_from(count).ok());
    let queues = queues.unwrap_or_default();
    let mut at = HEADER;
    let mut found = 0;
    let nodes = out.list("queues", queues.min(bytes.length() / ENTRY), |index| {
        let part = bytes.part(at..at.checked_add(ENTRY)?)?;
        let size = part.little(0, 4)?;
        at = at.checked_add(ENTRY)?.checked_add(usize::try_from(size).ok()?)?;
        found += 1;
        let children = [("QID", 8), ("DESC_SIZE", 12), ("NUM_DESC", 16), ("DATA_SIZE", 0)]
            .into_iter()
            .filter_map(|(name, at)| number(&part, name, at, 4))
            .collect();
        let kind = word(QUEUES, part.little(4, 4)?);
        Some(Node { children, ..Node::group(format!("[{index}]")) }.titled(kind))
    });
    if found < queues {
        let why = format!("it ends after {} bytes", bytes.length());
        out.missing(&format!("{} queues of QDESC", queues - found), why);
    }
    nodes
}
