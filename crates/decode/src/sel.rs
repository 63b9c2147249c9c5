// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The event log of a management controller (IPMI SEL): records of 16 bytes, one after the
//! other, as `ipmitool sel writeraw` writes them.
//!
//! Sensors have no names here, for these are in another store, the SDR: a sensor is its type
//! and number. Facts: IPMI specification 2.0, 32 (records), 42 (sensor types and events).

use crate::fields::{Room, time, too_many, word};
use crate::model::{Bytes, Decoded, Decoder, Finding, Missing, Node, Severity, Value};

/// The decoder of event logs.
#[derive(Debug, Clone, Copy)]
pub struct Sel;

const RECORD: usize = 16;
/// Times before this count from when the controller started.
const UNTIL_SET: u64 = 0x2000_0000;

pub(crate) const SENSORS: &[(u64, &str)] = &[
    (0x00, "reserved"),
    (0x01, "temperature"),
    (0x02, "voltage"),
    (0x03, "current"),
    (0x04, "fan"),
    (0x05, "physical security"),
    (0x06, "platform security"),
    (0x07, "processor"),
    (0x08, "power supply"),
    (0x09, "power unit"),
    (0x0a, "cooling device"),
    (0x0b, "other units"),
    (0x0c, "memory"),
    (0x0d, "drive slot"),
    (0x0e, "memory resize"),
    (0x0f, "firmware progress"),
    (0x10, "event logging"),
    (0x11, "watchdog 1"),
    (0x12, "system event"),
    (0x13, "critical interrupt"),
    (0x14, "button"),
    (0x15, "module or board"),
    (0x16, "microcontroller"),
    (0x17, "add-in card"),
    (0x18, "chassis"),
    (0x19, "chip set"),
    (0x1a, "other replaceable unit"),
    (0x1b, "cable"),
    (0x1c, "terminator"),
    (0x1d, "system boot"),
    (0x1e, "boot error"),
    (0x1f, "operating system boot"),
    (0x20, "operating system stop"),
    (0x21, "slot or connector"),
    (0x22, "system power state"),
    (0x23, "watchdog 2"),
    (0x24, "platform alert"),
    (0x25, "entity presence"),
    (0x26, "monitor chip"),
    (0x27, "LAN"),
    (0x28, "management subsystem"),
    (0x29, "battery"),
    (0x2a, "session audit"),
    (0x2b, "version change"),
    (0x2c, "replaceable unit state"),
];

/// An event: its offset, what it is, and how bad when it is asserted.
type Event = (u8, &'static str, Severity);
use Severity::{Error, Fatal, Info, Warning};

/// Events of a sensor type, with the event type 0x6f.
const OF_SENSOR: &[(u8, &[Event])] = &[
    (
        0x05,
        &[
            (0, "chassis opened", Info),
            (1, "drive bay opened", Info),
            (2, "I/O card area opened", Info),
            (3, "processor area opened", Info),
            (4, "LAN cable lost", Warning),
            (5, "unauthorized dock", Warning),
            (6, "fan area opened", Info),
        ],
    ),
    (
        0x07,
        &[
            (0, "internal error", Fatal),
            (1, "thermal trip", Fatal),
            (2, "self test at power on failed", Error),
            (3, "hang in the self test", Error),
            (4, "did not start", Error),
            (5, "configuration error", Error),
            (6, "uncorrectable error, by SMBIOS", Fatal),
            (7, "present", Info),
            (8, "disabled", Warning),
            (9, "terminator present", Info),
            (10, "throttled", Warning),
            (11, "uncorrectable machine check", Fatal),
            (12, "correctable machine check", Warning),
        ],
    ),
    (
        0x08,
        &[
            (0, "present", Info),
            (1, "failed", Error),
            (2, "failure predicted", Warning),
            (3, "input lost", Error),
            (4, "input lost or out of range", Error),
            (5, "input out of range", Warning),
            (6, "configuration error", Error),
            (7, "inactive", Info),
        ],
    ),
    (
        0x09,
        &[
            (0, "power off", Info),
            (1, "power cycle", Info),
            (2, "240 VA power down", Error),
            (3, "interlock power down", Warning),
            (4, "AC lost", Error),
            (5, "soft power control failed", Error),
            (6, "power unit failed", Error),
            (7, "failure predicted", Warning),
        ],
    ),
    (
        0x0c,
        &[
            (0, "correctable ECC error", Warning),
            (1, "uncorrectable ECC error", Fatal),
            (2, "parity error", Fatal),
            (3, "scrub failed", Error),
            (4, "module disabled", Warning),
            (5, "too many correctable errors to log", Error),
            (6, "present", Info),
            (7, "configuration error", Error),
            (8, "spare", Info),
            (9, "throttled", Warning),
            (10, "critical temperature", Error),
        ],
    ),
    (
        0x0d,
        &[
            (0, "drive present", Info),
            (1, "drive fault", Error),
            (2, "failure predicted", Warning),
            (3, "hot spare", Info),
            (4, "consistency check", Info),
            (5, "in critical array", Error),
            (6, "in failed array", Error),
            (7, "rebuilding", Warning),
            (8, "rebuild aborted", Error),
        ],
    ),
    (
        0x0f,
        &[
            (0, "firmware error", Error),
            (1, "firmware hang", Error),
            (2, "firmware progress", Info),
        ],
    ),
    (
        0x10,
        &[
            (0, "logging of correctable memory errors disabled", Warning),
            (1, "logging of an event type disabled", Info),
            (2, "log cleared", Info),
            (3, "all logging disabled", Warning),
            (4, "log full", Warning),
            (5, "log almost full", Warning),
            (6, "logging of correctable machine checks disabled", Warning),
        ],
    ),
    (
        0x11,
        &[
            (0, "firmware watchdog reset", Error),
            (1, "operating system watchdog reset", Error),
            (2, "operating system watchdog shut down", Error),
            (3, "operating system watchdog powered off", Error),
            (4, "operating system watchdog powered off and on", Error),
            (5, "operating system watchdog interrupt", Warning),
            (6, "operating system watchdog expired", Warning),
            (7, "operating system watchdog interrupt before the timeout", Warning),
        ],
    ),
    (
        0x12,
        &[
            (0, "system reconfigured", Info),
            (1, "boot event of the manufacturer", Info),
            (2, "undetermined hardware failure", Fatal),
            (3, "entry added to the auxiliary log", Info),
            (4, "platform event filter action", Info),
            (5, "clock set", Info),
        ],
    ),
    (
        0x13,
        &[
            (0, "front panel interrupt", Info),
            (1, "bus timeout", Error),
            (2, "I/O channel check", Error),
            (3, "software interrupt", Info),
            (4, "PCI PERR", Error),
            (5, "PCI SERR", Fatal),
            (6, "EISA fail safe timeout", Error),
            (7, "correctable bus error", Warning),
            (8, "uncorrectable bus error", Fatal),
            (9, "fatal interrupt", Fatal),
            (10, "fatal bus error", Fatal),
            (11, "bus degraded", Warning),
        ],
    ),
    (
        0x14,
        &[
            (0, "power button", Info),
            (1, "sleep button", Info),
            (2, "reset button", Info),
            (3, "release latch", Info),
            (4, "service button", Info),
        ],
    ),
    (0x19, &[(0, "soft power control failed", Error), (1, "thermal trip", Fatal)]),
    (0x1b, &[(0, "connected", Info), (1, "configuration error", Error)]),
    (
        0x1d,
        &[
            (0, "started by power on", Info),
            (1, "started by a hard reset", Info),
            (2, "started by a warm reset", Info),
            (3, "started by a network request", Info),
            (4, "diagnostic boot", Info),
            (5, "started by the operating system", Info),
            (6, "restarted by the operating system", Info),
            (7, "restart, with cause", Info),
        ],
    ),
    (
        0x1e,
        &[
            (0, "no bootable medium", Error),
            (1, "no diskette in the drive", Warning),
            (2, "no network boot server", Warning),
            (3, "invalid boot sector", Error),
            (4, "waiting for a choice of boot source", Info),
        ],
    ),
    (
        0x1f,
        &[
            (0, "boot from A: completed", Info),
            (1, "boot from disk completed", Info),
            (2, "network boot completed", Info),
            (3, "diagnostic boot completed", Info),
            (4, "boot from CD completed", Info),
            (5, "boot from ROM completed", Info),
            (6, "boot completed", Info),
        ],
    ),
    (
        0x20,
        &[
            (0, "stopped while booting", Error),
            (1, "panic", Error),
            (2, "graceful stop", Info),
            (3, "graceful shutdown", Info),
            (4, "shutdown by the platform", Warning),
            (5, "agent did not answer", Warning),
        ],
    ),
    (
        0x21,
        &[
            (0, "fault", Error),
            (1, "identify", Info),
            (2, "device attached", Info),
            (3, "ready for a device", Info),
            (4, "ready for removal", Info),
            (5, "power off", Info),
            (6, "removal requested", Info),
            (7, "interlock", Info),
            (8, "disabled", Info),
            (9, "holds a spare", Info),
        ],
    ),
    (
        0x23,
        &[
            (0, "expired", Warning),
            (1, "hard reset", Error),
            (2, "powered off", Error),
            (3, "powered off and on", Error),
            (8, "interrupt before the timeout", Warning),
        ],
    ),
    (0x27, &[(0, "heartbeat lost", Warning), (1, "heartbeat", Info)]),
    (
        0x28,
        &[
            (0, "sensor access degraded", Warning),
            (1, "controller access degraded", Warning),
            (2, "controller offline", Error),
            (3, "controller unavailable", Error),
            (4, "sensor failed", Warning),
            (5, "replaceable unit failed", Error),
        ],
    ),
    (0x29, &[(0, "low", Warning), (1, "failed", Error), (2, "present", Info)]),
    (
        0x2b,
        &[
            (0, "hardware change", Info),
            (1, "firmware change", Info),
            (2, "hardware incompatible", Error),
            (3, "firmware incompatible", Error),
        ],
    ),
];

/// Events of an event type other than 0x6f, which any sensor may have.
const GENERIC: &[(u8, &[Event])] = &[
    (
        0x01,
        &[
            (0, "lower non-critical, falling", Warning),
            (1, "lower non-critical, rising", Info),
            (2, "lower critical, falling", Error),
            (3, "lower critical, rising", Info),
            (4, "lower non-recoverable, falling", Fatal),
            (5, "lower non-recoverable, rising", Info),
            (6, "upper non-critical, falling", Info),
            (7, "upper non-critical, rising", Warning),
            (8, "upper critical, falling", Info),
            (9, "upper critical, rising", Error),
            (10, "upper non-recoverable, falling", Info),
            (11, "upper non-recoverable, rising", Fatal),
        ],
    ),
    (0x02, &[(0, "idle", Info), (1, "active", Info), (2, "busy", Info)]),
    (0x03, &[(0, "state deasserted", Info), (1, "state asserted", Info)]),
    (0x04, &[(0, "no failure predicted", Info), (1, "failure predicted", Warning)]),
    (0x05, &[(0, "limit not exceeded", Info), (1, "limit exceeded", Warning)]),
    (0x06, &[(0, "performance met", Info), (1, "performance lags", Warning)]),
    (
        0x07,
        &[
            (0, "fine", Info),
            (1, "non-critical from fine", Warning),
            (2, "critical from less severe", Error),
            (3, "non-recoverable from less severe", Fatal),
            (4, "non-critical from more severe", Warning),
            (5, "critical from non-recoverable", Error),
            (6, "non-recoverable", Fatal),
            (7, "watched", Info),
            (8, "informational", Info),
        ],
    ),
    (0x08, &[(0, "device absent", Info), (1, "device present", Info)]),
    (0x09, &[(0, "device disabled", Info), (1, "device enabled", Info)]),
    (
        0x0a,
        &[
            (0, "running", Info),
            (1, "in test", Info),
            (2, "power off", Info),
            (3, "on line", Info),
            (4, "off line", Info),
            (5, "off duty", Info),
            (6, "degraded", Warning),
            (7, "power save", Info),
            (8, "install error", Error),
        ],
    ),
    (
        0x0b,
        &[
            (0, "fully redundant", Info),
            (1, "redundancy lost", Error),
            (2, "redundancy degraded", Warning),
            (3, "not redundant, was degraded", Warning),
            (4, "not redundant, enough resources", Warning),
            (5, "not redundant, resources insufficient", Error),
            (6, "degraded from fully redundant", Warning),
            (7, "degraded from not redundant", Warning),
        ],
    ),
    (0x0c, &[(0, "D0", Info), (1, "D1", Info), (2, "D2", Info), (3, "D3", Info)]),
];

/// Advice by sensor type.
const ADVICE: &[(u64, &str)] = &[
    (0x01, "Look at the fans and the airflow."),
    (0x02, "Look at the power supplies and the board."),
    (0x04, "Replace the fan."),
    (0x07, "Look at the machine check banks: they say what failed."),
    (0x08, "Look at the power supply and what feeds it."),
    (0x09, "Look at the power supplies and what feeds them."),
    (0x0c, "Replace the memory module; the third data byte is often its number."),
    (0x0d, "Replace the drive."),
    (0x11, "The machine hung: look at what it did last."),
    (
        0x13,
        "Look at the AER status and slot of the PCI device: data bytes 2 and 3 usually are its bus and its function.",
    ),
    (0x20, "This is the crash itself, or one like it: compare the times."),
    (0x23, "The machine hung: look at what it did last."),
];

fn events(kind: u8, sensor: u8) -> &'static [Event] {
    let (table, number) = match kind {
        0x6f => (OF_SENSOR, sensor),
        kind => (GENERIC, kind),
    };
    table.iter().find(|(of, _)| *of == number).map_or(&[], |(_, events)| events)
}

fn stamp(bytes: &Bytes<'_>) -> Option<Node> {
    let seconds = bytes.little(3, 4)?;
    let node = bytes.node("TIMESTAMP", 3, 4);
    Some(node.meaning(match seconds {
        0xffff_ffff | 0 => "not set".to_owned(),
        seconds if seconds <= UNTIL_SET => format!("{seconds} s after the controller started"),
        seconds => time(seconds),
    }))
}

fn raw(bytes: &Bytes<'_>, name: &str, at: usize, length: usize) -> Node {
    let hex = bytes.raw().get(at..at.saturating_add(length)).unwrap_or_default();
    let hex: Vec<_> = hex.iter().map(|byte| format!("{byte:02x}")).collect();
    Node::value(name, Value::Bytes, bytes.place(at, length)).meaning(hex.join(" "))
}

/// The node of a record, and what it says that is abnormal.
fn record(number: usize, bytes: &Bytes<'_>) -> Option<(Node, Option<Finding>)> {
    let kind = bytes.little(2, 1)?;
    let mut node = Node::group(format!("record {number}"));
    node.place = Some(bytes.place(0, RECORD));
    node.children = vec![bytes.node("RECORD_ID", 0, 2), bytes.node("TYPE", 2, 1)];
    match kind {
        0x02 => {}
        0xc0..=0xdf => {
            node.children.extend(stamp(bytes));
            node.children.push(bytes.node("MANUFACTURER", 7, 3));
            node.children.push(raw(bytes, "DATA", 10, 6));
            return Some((node.meaning("record of the manufacturer"), None));
        }
        0xe0..=0xff => {
            node.children.push(raw(bytes, "DATA", 3, 13));
            return Some((node.meaning("record of the manufacturer, without a time"), None));
        }
        _ => {
            node.children.push(raw(bytes, "DATA", 3, 13));
            return Some((node.meaning("record of an unknown type"), None));
        }
    }
    let [_, _, _, _, _, _, _, _, _, _, sensor, sensor_number, direction, data @ ..] =
        *bytes.raw().first_chunk::<RECORD>()?;
    let [first, second, third] = data;
    let (asserted, kind, offset) = (direction & 0x80 == 0, direction & 0x7f, first & 0x0f);
    let of = word(SENSORS, sensor.into());
    let of = if sensor >= 0xc0 { "sensor of the manufacturer" } else { of };
    let event = events(kind, sensor).iter().find(|(at, ..)| *at == offset);
    let words = match event {
        Some((_, words, _)) => (*words).to_owned(),
        None => format!("event {offset} of type {kind:#04x}"),
    };
    let done = if asserted { "" } else { ", deasserted" };
    let mut text = format!("{of} {sensor_number:#04x}: {words}{done}");
    // Data bytes 2 and 3 are a reading and the threshold that it passed.
    if kind == 1 && first & 0xf0 == 0x50 {
        text.push_str(&format!(" (raw reading {second}, threshold {third})"));
    }
    if sensor == 0x13 && matches!(first >> 4, 10) && (4..=11).contains(&offset) {
        text.push_str(&format!(" (bus {second:#04x}, {:#04x}.{})", third >> 3, third & 7));
    }
    node.children.extend(stamp(bytes));
    let direction_node = Node {
        bits: None,
        ..bytes.node("EVENT", 12, 1).meaning(if asserted { "asserted" } else { "deasserted" })
    };
    node.children.extend([
        bytes.node("GENERATOR", 7, 2),
        bytes.node("SENSOR_TYPE", 10, 1).meaning(of),
        bytes.node("SENSOR", 11, 1),
        direction_node,
        bytes.node("DATA_1", 13, 1).meaning(words),
        bytes.node("DATA_2", 14, 1),
        bytes.node("DATA_3", 15, 1),
    ]);
    node.meaning = Some(text.clone());
    let severity = event.map_or(Info, |(.., severity)| *severity);
    if !asserted || severity == Info {
        return Some((node, None));
    }
    let when = stamp(bytes).and_then(|node| node.meaning).unwrap_or_default();
    let advice = ADVICE.iter().find(|(of, _)| *of == u64::from(sensor));
    let finding = Finding {
        severity,
        text: format!("{when}: {text}"),
        advice: advice.map(|(_, advice)| (*advice).to_owned()),
        source: "IPMI 2.0, 42.2".to_owned(),
        values: vec![
            (format!("record {number}.SENSOR_TYPE"), sensor.into()),
            (format!("record {number}.DATA_1"), first.into()),
        ],
        points_to: None,
    };
    Some((node, Some(finding)))
}

impl Decoder for Sel {
    fn name(&self) -> &'static str {
        "sel"
    }

    fn recognises(&self, name: &str, bytes: &[u8]) -> bool {
        let named = ["sel", "ipmi-sel"].iter().any(|prefix| {
            let rest = name.strip_prefix(prefix);
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
        });
        named && bytes.len() >= RECORD
    }

    fn decode(&self, _: &str, bytes: &[u8]) -> Vec<Decoded> {
        let whole = Bytes::new(bytes);
        let mut decoded = Decoded { title: "IPMI event log".to_owned(), ..Decoded::default() };
        let count = bytes.len() / RECORD;
        let mut room = Room::new();
        // The newest are the last: where there are too many, the oldest are left out.
        let mut left = 0;
        for number in (0..count).rev() {
            let at = number * RECORD;
            let Some(part) = whole.part(at..at + RECORD) else { break };
            let Some((node, finding)) = record(number, &part) else { break };
            if !room.take(std::slice::from_ref(&node)) {
                left = number + 1;
                break;
            }
            decoded.nodes.push(node);
            decoded.findings.extend(finding);
        }
        decoded.nodes.reverse();
        // Of findings that are equally bad the newest come first.
        decoded.sort();
        if left > 0 {
            decoded.missing.push(too_many("records, the oldest,", left));
        }
        if !bytes.len().is_multiple_of(RECORD) {
            let why = format!("{} bytes are no whole number of records", bytes.len());
            decoded.missing.push(Missing { what: "the last record".to_owned(), why });
        }
        decoded.headline = Some(format!("{count} records"));
        vec![decoded]
    }
}
