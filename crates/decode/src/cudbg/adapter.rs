// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The state of the adapter's parts, in structures that the driver fills.
//!
//! Facts: Linux cxgb4, `cudbg_entity.h`, `cudbg_lib.c`, `t4_hw.c`, `t4_regs.h` and, for what
//! the numbers mean, `cxgb4_debugfs.c`.

use super::out::{Out, array, number, numbers};
use crate::model::{Behaviour, Bytes, Node, Value, text};

/// `CUDBG_ENTITY_SIGNATURE`, with which entities that have a version begin.
const VERSIONED: u64 = 0xcced_b001;
/// `sizeof(struct cudbg_ver_hdr)`.
const VERSION: usize = 8;

/// What follows the version of an entity that has one.
pub(super) fn versioned<'a>(what: &str, bytes: &Bytes<'a>, out: &mut Out<'_>) -> Option<Bytes<'a>> {
    let found = (bytes.little(0, 4), bytes.little(4, 2));
    if found == (Some(VERSIONED), Some(1)) {
        return bytes.part(VERSION..bytes.length());
    }
    let why = match found {
        (Some(VERSIONED), Some(revision)) => format!("expected revision 1, found {revision}"),
        (Some(signature), _) => {
            format!("expected the signature {VERSIONED:#x}, found {signature:#x}")
        }
        _ => "it has no version".to_owned(),
    };
    out.missing(what, why);
    None
}

/// That `what` ends before it has `length` bytes, if so.
fn check(what: &str, bytes: &Bytes<'_>, length: usize, out: &mut Out<'_>) {
    if bytes.length() < length {
        let why = format!("expected {length} bytes, found {}", bytes.length());
        out.missing(&format!("the rest of {what}"), why);
    }
}

/// The nodes, if there is room for them.
fn fit(nodes: Vec<Node>, out: &mut Out<'_>) -> Vec<Node> {
    if out.room.take(&nodes) { nodes } else { Vec::new() }
}

fn with_unit(unit: &str) -> impl Fn(Node) -> Node {
    move |node| node.unit(unit)
}

/// The queues of the microprocessor: 6 inbound, 8 outbound.
const QUEUES: [&str; 14] = [
    "IBQ_TP0",
    "IBQ_TP1",
    "IBQ_ULP",
    "IBQ_SGE0",
    "IBQ_SGE1",
    "IBQ_NCSI",
    "OBQ_ULP0",
    "OBQ_ULP1",
    "OBQ_ULP2",
    "OBQ_ULP3",
    "OBQ_SGE",
    "OBQ_NCSI",
    "OBQ_SGE_RX0",
    "OBQ_SGE_RX1",
];
const INBOUND: usize = 6;

/// The entity `CIM_QCFG`, `struct cudbg_cim_qcfg`.
pub(super) fn queues(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const SIZES: usize = 2 + 2 * QUEUES.len();
    const THRESHOLDS: usize = SIZES + 2 * QUEUES.len();
    const WRITTEN: usize = THRESHOLDS + 2 * INBOUND + 2;
    const STATES: usize = WRITTEN + 4 * 2 * (QUEUES.len() - INBOUND);
    check("CIM_QCFG", bytes, STATES + 16 * QUEUES.len(), out);
    let field = |name: &str, at, mask: u64, shift: u32| {
        let value = bytes.little(at, 4)? >> shift & mask;
        Some(Node::value(name, Value::Unsigned(value), bytes.place(at, 4)))
    };
    let queue = |(index, name): (usize, &&str)| {
        let state = STATES + 16 * index;
        let outbound = index.checked_sub(INBOUND);
        let children = [
            number(bytes, "BASE", 2 + 2 * index, 2).map(with_unit("bytes")),
            number(bytes, "SIZE", SIZES + 2 * index, 2).map(with_unit("bytes")),
            match outbound {
                None => number(bytes, "FULL_THRESHOLD", THRESHOLDS + 2 * index, 2),
                Some(_) => None,
            },
            match outbound {
                None => field("READ", state, 0x1fff, 0),
                Some(_) => field("READ", state, 0x3fff, 0),
            },
            match outbound {
                None => field("WRITE", state + 4, 0x1fff, 0),
                Some(outbound) => number(bytes, "WRITE_ADDRESS", WRITTEN + 8 * outbound, 4),
            },
            field("SOP", state + 12, 0xfff, 0),
            field("EOP", state + 12, 0xfff, 16),
            field("FREE_FLITS", state + 8, 0x7ff, 0),
        ];
        Node { children: children.into_iter().flatten().collect(), ..Node::group(*name) }
    };
    fit(QUEUES.iter().enumerate().map(queue).collect(), out)
}

/// The entity `PATH_MTU`.
pub(super) fn mtus(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    let count = bytes.length() / 2;
    out.list("MTUs", count, |index| {
        number(bytes, format!("[{index}]"), 2 * index, 2).map(with_unit("bytes"))
    })
}

/// The entity `PM_STATS`, `struct cudbg_pm_stats`: what each of 7 counters of either
/// direction counts is not the same for all.
pub(super) fn pm(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const COUNT: usize = 7;
    const TX: [&str; COUNT] = [
        "READ",
        "WRITE_BYPASS",
        "WRITE_MEMORY",
        "BYPASS_AND_MEMORY",
        "FIFO_WAIT",
        "RESERVED",
        "LATENCY",
    ];
    const RX: [&str; COUNT] =
        ["READ", "WRITE_BYPASS", "WRITE_MEMORY", "FLUSH", "FIFO_WAIT", "RESERVED", "LATENCY"];
    const CYCLES: usize = 2 * 4 * COUNT;
    check("PM_STATS", bytes, CYCLES + 2 * 8 * COUNT, out);
    let group = |name: &str, names: [&str; COUNT], counts: usize, cycles: usize| {
        let counter = |(index, name): (usize, &str)| {
            let children = [
                number(bytes, "COUNT", counts + 4 * index, 4),
                number(bytes, if index < 4 { "BYTES" } else { "CYCLES" }, cycles + 8 * index, 8),
            ];
            let counts = |node: Node| Node { behaviour: Behaviour::Counter, ..node };
            let children = children.into_iter().flatten().map(counts).collect();
            Node { children, ..Node::group(name) }
        };
        Node { children: names.into_iter().enumerate().map(counter).collect(), ..Node::group(name) }
    };
    let nodes = vec![group("TX", TX, 0, CYCLES), group("RX", RX, 4 * COUNT, CYCLES + 8 * COUNT)];
    fit(nodes, out)
}

/// The entity `HW_SCHED`, `struct cudbg_hw_sched`.
pub(super) fn schedulers(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const COUNT: usize = 8;
    check("HW_SCHED", bytes, 4 * (3 * COUNT + 2), out);
    let scheduler = |index: usize| {
        let children = [
            number(bytes, "RATE", 4 * index, 4).map(with_unit("kbit/s")),
            number(bytes, "INTER_PACKET_GAP", 4 * (COUNT + index), 4).map(with_unit("0.1 ns")),
            number(bytes, "PACE", 4 * (2 * COUNT + index), 4).map(with_unit("ns")),
        ];
        let children = children.into_iter().flatten().collect();
        Node { children, ..Node::group(format!("[{index}]")) }
    };
    let mut nodes: Vec<_> = (0..COUNT).map(scheduler).collect();
    nodes.extend(numbers(bytes, 4 * 3 * COUNT, 4, &["MODE", "MAP"]));
    fit(nodes, out)
}

/// `cudbg_region`.
const REGIONS: &[(u64, &str)] = &[
    (0, "DBQ contexts"),
    (1, "IMSG contexts"),
    (2, "FLM cache"),
    (3, "TCBs"),
    (4, "Pstructs"),
    (5, "Timers"),
    (6, "Rx FL"),
    (7, "Tx FL"),
    (8, "Pstruct FL"),
    (9, "Tx payload"),
    (10, "Rx payload"),
    (11, "LE hash"),
    (12, "iSCSI region"),
    (13, "TDDP region"),
    (14, "TPT region"),
    (15, "STAG region"),
    (16, "RQ region"),
    (17, "RQUDP region"),
    (18, "PBL region"),
    (19, "TXPBL region"),
    (20, "DBVFIFO region"),
    (21, "ULPRX state"),
    (22, "ULPTX state"),
    (23, "On-chip queues"),
];
const MEMORIES: &[(u64, &str)] =
    &[(0, "EDC0"), (1, "EDC1"), (2, "MC"), (3, "MC0"), (4, "MC1"), (5, "HMA")];

/// The entity `MEMINFO`, `struct cudbg_meminfo`.
pub(super) fn memory(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const MEMORY: usize = 12;
    const AVAILABLE: usize = 4;
    /// Regions, and up to three holes.
    const ALL: usize = 24 + 3;
    const COUNTS: usize = MEMORY * (AVAILABLE + ALL);
    const REST: usize = COUNTS + 8;
    const PAGES: usize = REST + 4 * 4;
    const PORTS: usize = PAGES + 4 * (3 + 4 + 1 + 12);
    let Some(bytes) = versioned("MEMINFO", bytes, out) else { return Vec::new() };
    check("MEMINFO", &bytes, PORTS + 4 * (4 * 4 + 3), out);
    let count = |at, most: usize| {
        let count = bytes.little(at, 4).and_then(|count| usize::try_from(count).ok());
        count.unwrap_or_default().min(most)
    };
    let ranges = |name: &str, from: usize, count: usize, words: &'static [(u64, &'static str)]| {
        let range = |index: usize| {
            let at = from + MEMORY * index;
            let kind = bytes.little(at + 8, 4)?;
            let base = bytes.little(at, 4)?;
            // Without a limit a region ends where the next one begins.
            let next = (index + 1 < count).then(|| bytes.little(at + MEMORY, 4)).flatten();
            let limit = match bytes.little(at + 4, 4)? {
                0 => next.map_or(u64::from(u32::MAX), |next| next.saturating_sub(1)),
                limit => limit,
            };
            // Holes and what the driver hides have a number that no region has.
            let name = words.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name)?;
            let children = vec![
                Node::value("BASE", Value::Unsigned(base), bytes.place(at, 4)),
                Node::value("LIMIT", Value::Unsigned(limit), bytes.place(at + 4, 4)),
            ];
            let node = Node { children, ..Node::group(format!("[{index}]")) };
            Some(node.titled(name).meaning(format!("{base:#x} to {limit:#x}")))
        };
        Node { children: (0..count).filter_map(range).collect(), ..Node::group(name) }
    };
    let mut nodes = vec![
        ranges("AVAILABLE", 0, count(COUNTS, AVAILABLE), MEMORIES),
        ranges("REGIONS", MEMORY * AVAILABLE, count(COUNTS + 4, ALL), REGIONS),
    ];
    nodes.extend(numbers(
        &bytes,
        REST,
        4,
        &[
            "UP_RAM_LO",
            "UP_RAM_HI",
            "UP_EXTMEM2_LO",
            "UP_EXTMEM2_HI",
            "RX_PAGES",
            "RX_PAGE_KIB",
            "RX_CHANNELS",
            "TX_PAGES",
            "TX_PAGE_SIZE",
            "TX_PAGE_UNIT",
            "TX_CHANNELS",
            "P_STRUCTS",
        ],
    ));
    for (index, name) in
        ["PORT_USED", "PORT_ALLOC", "LOOPBACK_USED", "LOOPBACK_ALLOC"].into_iter().enumerate()
    {
        nodes.push(array(&bytes, name, PORTS + 16 * index, 4, 4));
    }
    nodes.extend(numbers(
        &bytes,
        PORTS + 64,
        4,
        &["P_STRUCTS_FREE", "RX_PAGES_FREE", "TX_PAGES_FREE"],
    ));
    fit(nodes, out)
}

/// The entity `CLK`, `struct cudbg_clk_info`.
pub(super) fn clocks(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const TIMERS: [&str; 8] = [
        "RETRANSMIT_MIN",
        "RETRANSMIT_MAX",
        "PERSIST_MIN",
        "PERSIST_MAX",
        "KEEPALIVE_IDLE",
        "KEEPALIVE_INTERVAL",
        "INITIAL_SRTT",
        "FINWAIT2",
    ];
    check("CLK", bytes, 84, out);
    let mut nodes: Vec<_> =
        numbers(bytes, 0, 8, &TIMERS).into_iter().map(with_unit("us")).collect();
    nodes.extend(number(bytes, "DACK_TIMER", 64, 4).map(with_unit("us")));
    nodes.extend(number(bytes, "TIMER_RESOLUTION", 68, 4));
    nodes.extend(number(bytes, "CORE_CLOCK", 72, 4).map(with_unit("ps")));
    nodes.extend(numbers(bytes, 76, 4, &["TIMER_SHIFT", "DACK_SHIFT"]));
    fit(nodes, out)
}

/// The entity `TID_INFO`, `struct cudbg_tid_info_region_rev1`.
pub(super) fn tids(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const NAMES: [&str; 21] = [
        "NTIDS",
        "NSTIDS",
        "STID_BASE",
        "HASH_BASE",
        "NATIDS",
        "NFTIDS",
        "FTID_BASE",
        "AFTID_BASE",
        "AFTID_END",
        "SFTID_BASE",
        "NSFTIDS",
        "UOTID_BASE",
        "NUOTIDS",
        "SERVER_INDEX",
        "FLAGS",
        "LE_DB_CONFIG",
        "IP_USERS",
        "IPV6_USERS",
        "HPFTID_BASE",
        "NHPFTIDS",
        "TID_START",
    ];
    let Some(bytes) = versioned("TID_INFO", bytes, out) else { return Vec::new() };
    check("TID_INFO", &bytes, 4 * NAMES.len(), out);
    fit(numbers(&bytes, 0, 4, &NAMES), out)
}

/// The entity `VPD_DATA`, `struct cudbg_vpd_data`.
pub(super) fn product(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const TEXTS: [(&str, &str, usize); 4] = [
        ("SN", "serial number", 24),
        ("PN", "part number", 16),
        ("NA", "MAC address", 12),
        ("ID", "product", 16),
    ];
    const VERSIONS: usize = 72;
    check("VPD_DATA", bytes, 88, out);
    // Each text has a zero byte after it.
    let mut at = 0;
    let mut nodes = Vec::new();
    for (name, title, length) in TEXTS {
        if let Some(part) = bytes.part(at..at + length + 1) {
            let value = Value::Text(text(part.raw()).trim_end().to_owned());
            nodes.push(Node::value(name, value, part.place(0, length + 1)).titled(title));
        }
        at += length + 1;
    }
    nodes.extend(numbers(bytes, VERSIONS, 2, &["FW_MAJOR", "FW_MINOR", "FW_MICRO", "FW_BUILD"]));
    nodes.extend(numbers(bytes, VERSIONS + 8, 4, &["SCFG_VERS", "VPD_VERS"]));
    fit(nodes, out)
}

/// The entity `CCTRL`: for each MTU 32 additive increments.
pub(super) fn congestion(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const WINDOWS: usize = 32;
    check("CCTRL", bytes, 2 * 16 * WINDOWS, out);
    out.list("rows of CCTRL", bytes.length() / (2 * WINDOWS), |index| {
        let row: Vec<String> = (0..WINDOWS)
            .filter_map(|window| Some(bytes.little(2 * (index * WINDOWS + window), 2)?.to_string()))
            .collect();
        let place = bytes.place(2 * index * WINDOWS, 2 * WINDOWS);
        Some(Node::value(format!("[{index}]"), Value::Text(row.join(" ")), place))
    })
}
