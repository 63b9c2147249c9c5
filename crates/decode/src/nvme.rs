// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Log pages of NVMe controllers, as the controller gives them.
//!
//! Facts: NVM Express Base Specification 2.0, 5.16.1 (log pages), 4.6.1 (status); OCP
//! Datacenter NVMe SSD Specification 2.0, 4.8.6.

use crate::fields::{Field, Guid, Kind, Room, field, list, read, time, too_many, word};
use crate::model::{Bytes, Decoded, Decoder, Finding, Missing, Node, Severity, Value};

/// The decoder of log pages, by the name of the dump: `nvme-smart_nvme0`.
#[derive(Debug, Clone, Copy)]
pub struct Nvme;

const SMART_SOURCE: &str = "NVM Express 2.0, SMART / Health Information";
const WARNINGS: &[(u32, &str)] = &[
    (0, "spare capacity is low"),
    (1, "temperature is outside of its limits"),
    (2, "reliability is degraded"),
    (3, "media is read-only"),
    (4, "volatile memory backup failed"),
    (5, "persistent memory region is read-only or unreliable"),
];
const SMART: &[Field] = &[
    field("CRITICAL_WARNING", 0, 1).bits(WARNINGS),
    field("TEMPERATURE", 1, 2).is(Kind::Kelvin),
    field("AVAILABLE_SPARE", 3, 1).unit("%"),
    field("SPARE_THRESHOLD", 4, 1).unit("%"),
    field("PERCENTAGE_USED", 5, 1).unit("%").title("of the planned life"),
    field("ENDURANCE_GROUP_WARNING", 6, 1),
    field("DATA_UNITS_READ", 32, 16).unit("512,000 bytes").counts(),
    field("DATA_UNITS_WRITTEN", 48, 16).unit("512,000 bytes").counts(),
    field("HOST_READS", 64, 16).counts(),
    field("HOST_WRITES", 80, 16).counts(),
    field("BUSY_TIME", 96, 16).unit("min").counts(),
    field("POWER_CYCLES", 112, 16).counts(),
    field("POWER_ON_HOURS", 128, 16).unit("h").counts(),
    field("UNSAFE_SHUTDOWNS", 144, 16).counts(),
    field("MEDIA_ERRORS", 160, 16).counts(),
    field("ERROR_LOG_ENTRIES", 176, 16).counts(),
    field("WARNING_TEMPERATURE_TIME", 192, 4).unit("min").counts(),
    field("CRITICAL_TEMPERATURE_TIME", 196, 4).unit("min").counts(),
    field("SENSOR_1", 200, 2).is(Kind::Kelvin),
    field("SENSOR_2", 202, 2).is(Kind::Kelvin),
    field("SENSOR_3", 204, 2).is(Kind::Kelvin),
    field("SENSOR_4", 206, 2).is(Kind::Kelvin),
    field("SENSOR_5", 208, 2).is(Kind::Kelvin),
    field("SENSOR_6", 210, 2).is(Kind::Kelvin),
    field("SENSOR_7", 212, 2).is(Kind::Kelvin),
    field("SENSOR_8", 214, 2).is(Kind::Kelvin),
    field("THERMAL_1_COUNT", 216, 4).counts(),
    field("THERMAL_2_COUNT", 220, 4).counts(),
    field("THERMAL_1_TIME", 224, 4).unit("s").counts(),
    field("THERMAL_2_TIME", 228, 4).unit("s").counts(),
];

/// A rule over a value: what is abnormal if the test says so.
struct Rule {
    name: &'static str,
    test: fn(u64) -> bool,
    severity: Severity,
    text: &'static str,
    advice: &'static str,
}

const SMART_RULES: &[Rule] = &[
    Rule {
        name: "CRITICAL_WARNING",
        test: |value| value & 0x0c != 0,
        severity: Severity::Fatal,
        text: "the drive cannot be relied on any more",
        advice: "Save the data and replace the drive.",
    },
    Rule {
        name: "CRITICAL_WARNING",
        test: |value| value & 0x30 != 0,
        severity: Severity::Error,
        text: "memory that must survive a power failure does not",
        advice: "Replace the drive: it loses data when power fails.",
    },
    Rule {
        name: "CRITICAL_WARNING",
        test: |value| value & 0x01 != 0,
        severity: Severity::Error,
        text: "spare capacity is below its threshold",
        advice: "Replace the drive soon.",
    },
    Rule {
        name: "CRITICAL_WARNING",
        test: |value| value & 0x02 != 0,
        severity: Severity::Warning,
        text: "the temperature is outside of its limits",
        advice: "Look at the fans, the airflow and the drive's heat sink.",
    },
    Rule {
        name: "PERCENTAGE_USED",
        test: |value| value >= 100,
        severity: Severity::Warning,
        text: "the drive has reached its planned life",
        advice: "Plan to replace the drive.",
    },
    Rule {
        name: "MEDIA_ERRORS",
        test: |value| value > 0,
        severity: Severity::Warning,
        text: "data could not be read back",
        advice: "Look at the error log; replace the drive if the count grows.",
    },
    Rule {
        name: "CRITICAL_TEMPERATURE_TIME",
        test: |value| value > 0,
        severity: Severity::Warning,
        text: "the drive has been above its critical temperature",
        advice: "Look at the fans, the airflow and the drive's heat sink.",
    },
    Rule {
        name: "ERROR_LOG_ENTRIES",
        test: |value| value > 0,
        severity: Severity::Info,
        text: "there were errors in the drive's life",
        advice: "The error log has the newest of them.",
    },
];

/// A value of the nodes that does not fit into 64 bits is as good as the greatest.
fn value(nodes: &[Node], name: &str) -> Option<u64> {
    match nodes.iter().find(|node| node.name == name)?.value {
        Some(Value::Unsigned(value)) => Some(value),
        Some(Value::Real(_)) => Some(u64::MAX),
        _ => None,
    }
}

fn apply(rules: &[Rule], nodes: &[Node], source: &str) -> Vec<Finding> {
    let apply = |rule: &Rule| {
        let value = value(nodes, rule.name).filter(|value| (rule.test)(*value))?;
        Some(Finding {
            severity: rule.severity,
            text: format!("{} ({} is {value})", rule.text, rule.name),
            advice: Some(rule.advice.to_owned()),
            source: source.to_owned(),
            values: vec![(rule.name.to_owned(), value)],
            points_to: None,
        })
    };
    rules.iter().filter_map(apply).collect()
}

fn smart_nodes(bytes: &Bytes<'_>, missing: &mut Vec<Missing>) -> (Vec<Node>, Vec<Finding>) {
    let mut nodes = read("page", bytes, SMART, 0, missing);
    let mut findings = apply(SMART_RULES, &nodes, SMART_SOURCE);
    let (spare, threshold) = (value(&nodes, "AVAILABLE_SPARE"), value(&nodes, "SPARE_THRESHOLD"));
    let has_warning = value(&nodes, "CRITICAL_WARNING").is_some_and(|warning| warning & 1 != 0);
    if let (Some(spare), Some(threshold)) = (spare, threshold)
        && spare < threshold
        && !has_warning
    {
        findings.push(Finding {
            severity: Severity::Error,
            text: format!("spare capacity is {spare} %, below the threshold of {threshold} %"),
            advice: Some("Replace the drive soon.".to_owned()),
            source: SMART_SOURCE.to_owned(),
            values: vec![
                ("AVAILABLE_SPARE".to_owned(), spare),
                ("SPARE_THRESHOLD".to_owned(), threshold),
            ],
            points_to: None,
        });
    }
    // A sensor that is not there reads 0.
    nodes.retain(|node| !node.name.starts_with("SENSOR_") || node.unsigned() != Some(0));
    (nodes, findings)
}

fn smart(bytes: &Bytes<'_>, decoded: &mut Decoded) {
    let (nodes, findings) = smart_nodes(bytes, &mut decoded.missing);
    let warning = value(&nodes, "CRITICAL_WARNING").unwrap_or(0);
    let used = value(&nodes, "PERCENTAGE_USED").unwrap_or(0);
    decoded.headline = Some(format!("{used} % used, {}", list(warning, WARNINGS, "no warning")));
    decoded.nodes = nodes;
    decoded.findings = findings;
}

/// The status codes of a type.
const GENERIC: &[(u64, &str)] = &[
    (0x00, "success"),
    (0x01, "invalid opcode"),
    (0x02, "invalid field"),
    (0x03, "command id conflict"),
    (0x04, "data transfer error"),
    (0x05, "aborted, power loss"),
    (0x06, "internal error"),
    (0x07, "aborted on request"),
    (0x08, "aborted, queue deleted"),
    (0x09, "aborted, fused command failed"),
    (0x0a, "aborted, fused command missing"),
    (0x0b, "invalid namespace or format"),
    (0x0c, "command sequence error"),
    (0x0d, "invalid last SGL segment"),
    (0x0e, "invalid number of SGL descriptors"),
    (0x0f, "invalid SGL data length"),
    (0x10, "invalid SGL metadata length"),
    (0x11, "invalid SGL descriptor type"),
    (0x12, "invalid use of the controller memory buffer"),
    (0x13, "invalid PRP offset"),
    (0x14, "atomic write unit exceeded"),
    (0x15, "operation denied"),
    (0x16, "invalid SGL offset"),
    (0x18, "host id inconsistent"),
    (0x19, "keep alive timer expired"),
    (0x1a, "invalid keep alive timeout"),
    (0x1b, "aborted by a reservation"),
    (0x1c, "sanitize failed"),
    (0x1d, "sanitize in progress"),
    (0x1e, "invalid SGL granularity"),
    (0x1f, "command not supported for queue in controller memory"),
    (0x20, "namespace is write protected"),
    (0x21, "command interrupted"),
    (0x22, "transient transport error"),
    (0x24, "media not ready"),
    (0x2c, "invalid I/O command set"),
    (0x80, "logical block out of range"),
    (0x81, "capacity exceeded"),
    (0x82, "namespace not ready"),
    (0x83, "reservation conflict"),
    (0x84, "format in progress"),
];
const SPECIFIC: &[(u64, &str)] = &[
    (0x00, "invalid completion queue"),
    (0x01, "invalid queue id"),
    (0x02, "invalid queue size"),
    (0x03, "abort limit exceeded"),
    (0x05, "asynchronous event limit exceeded"),
    (0x06, "invalid firmware slot"),
    (0x07, "invalid firmware image"),
    (0x08, "invalid interrupt vector"),
    (0x09, "invalid log page"),
    (0x0a, "invalid format"),
    (0x0b, "firmware needs a conventional reset"),
    (0x0c, "invalid queue deletion"),
    (0x0d, "feature cannot be saved"),
    (0x0e, "feature cannot be changed"),
    (0x0f, "feature is not of a namespace"),
    (0x10, "firmware needs a subsystem reset"),
    (0x11, "firmware needs a controller reset"),
    (0x12, "firmware needs more time"),
    (0x13, "firmware activation prohibited"),
    (0x14, "overlapping range"),
    (0x15, "not enough capacity for a namespace"),
    (0x16, "namespace id not available"),
    (0x18, "namespace already attached"),
    (0x19, "namespace is private"),
    (0x1a, "namespace not attached"),
    (0x1b, "thin provisioning not supported"),
    (0x1c, "invalid controller list"),
    (0x1d, "self-test in progress"),
    (0x1e, "boot partition is write protected"),
    (0x1f, "invalid controller id"),
    (0x80, "conflicting attributes"),
    (0x81, "invalid protection information"),
    (0x82, "write to a read-only range"),
];
const MEDIA: &[(u64, &str)] = &[
    (0x80, "write fault"),
    (0x81, "unrecovered read error"),
    (0x82, "guard check"),
    (0x83, "application tag check"),
    (0x84, "reference tag check"),
    (0x85, "compare failed"),
    (0x86, "access denied"),
    (0x87, "block was not written"),
    (0x88, "end-to-end storage tag check"),
];
const PATH: &[(u64, &str)] = &[
    (0x00, "internal path error"),
    (0x01, "access lost for good"),
    (0x02, "inaccessible"),
    (0x03, "access in transition"),
    (0x60, "controller path error"),
    (0x70, "host path error"),
    (0x71, "aborted by the host"),
];

/// The words for a status: code in bits 0 to 7, type in bits 8 to 10.
#[must_use]
pub fn status(status: u64) -> String {
    let (kind, code) = (status >> 8 & 7, status & 0xff);
    let (kind, codes): (_, &[(u64, &str)]) = match kind {
        0 => ("", GENERIC),
        1 => ("command specific: ", SPECIFIC),
        2 => ("media: ", MEDIA),
        3 => ("path: ", PATH),
        7 => ("vendor specific: ", &[]),
        _ => ("reserved type: ", &[]),
    };
    match codes.iter().find(|(of, _)| *of == code) {
        Some((_, words)) => format!("{kind}{words}"),
        None => format!("{kind}code {code:#04x}"),
    }
}

const ERROR_SIZE: usize = 64;
/// An error log page has 256 entries at most, for its size is of eight bits.
const ERRORS: usize = 256;
const ERROR: &[Field] = &[
    field("ERROR_COUNT", 0, 8),
    field("QUEUE", 8, 2),
    field("COMMAND_ID", 10, 2),
    field("STATUS", 12, 2),
    field("PARAMETER_LOCATION", 14, 2).title("byte (low 8 bits) and bit of the command"),
    field("LBA", 16, 8),
    field("NAMESPACE", 24, 4),
    field("VENDOR_PAGE", 28, 1),
    field("TRANSPORT", 29, 1).words(&[(0, "not given"), (1, "RDMA"), (2, "FC"), (3, "TCP")]),
    field("COMMAND_INFORMATION", 32, 8),
    field("TRANSPORT_INFORMATION", 40, 2),
];

fn errors(bytes: &Bytes<'_>, decoded: &mut Decoded) {
    let count = bytes.length() / ERROR_SIZE;
    for number in 0..count.min(ERRORS) {
        let at = number * ERROR_SIZE;
        let Some(entry) = bytes.part(at..at + ERROR_SIZE) else { break };
        // An entry that was never used has the count 0.
        if entry.little(0, 8) == Some(0) {
            continue;
        }
        let mut node = Node::group(format!("entry {number}"));
        node.children = read("entry", &entry, ERROR, 0, &mut decoded.missing);
        let raw = entry.little(12, 2).unwrap_or(0);
        let code = raw >> 1;
        let words = status(code);
        if let Some(node) = node.children.iter_mut().find(|node| node.name == "STATUS") {
            let more = if code & 0x2000 != 0 { ", more in the vendor's log" } else { "" };
            let retry = if code & 0x4000 != 0 { ", do not retry" } else { "" };
            node.meaning = Some(format!("{words}{more}{retry}"));
        }
        let get = |at, size| entry.little(at, size).unwrap_or(0);
        let (severity, advice) = match code >> 8 & 7 {
            2 => (
                Severity::Error,
                "The drive lost data of these blocks; replace it if it comes again.",
            ),
            0 if code & 0xff == 4 => (
                Severity::Error,
                "Look at the link's AER status and the IOMMU: the transfer failed.",
            ),
            0 if matches!(code & 0xff, 5 | 6) => {
                (Severity::Error, "Update the drive's firmware and look at its power supply.")
            }
            3 => (Severity::Warning, "Look at the path to the controller."),
            // What a host asked for and a drive does not know is no fault of the drive.
            _ => (Severity::Info, "The host asked for what the drive does not do."),
        };
        // All ones says that the error was not of one queue or command.
        let queue = match get(8, 2) {
            0xffff => "no command".to_owned(),
            queue => format!("queue {queue}, command {:#x}", get(10, 2)),
        };
        decoded.findings.push(Finding {
            severity,
            text: format!(
                "error {}: {words}, {queue}, namespace {:#x}, block {:#x}",
                get(0, 8),
                get(24, 4),
                get(16, 8)
            ),
            advice: Some(advice.to_owned()),
            source: "NVM Express 2.0, Error Information".to_owned(),
            values: vec![(format!("entry {number}.STATUS"), raw)],
            points_to: None,
        });
        decoded.nodes.push(node);
    }
    if count > ERRORS {
        decoded.missing.push(too_many("entries", count - ERRORS));
    }
    if !bytes.length().is_multiple_of(ERROR_SIZE) {
        let why = format!("{} bytes are no whole number of entries", bytes.length());
        decoded.missing.push(Missing { what: "the last entry".to_owned(), why });
    }
    decoded.headline = Some(format!("{} errors", decoded.nodes.len()));
}

const FIRMWARE: &[Field] = &[
    field("ACTIVE", 0, 1),
    field("SLOT_1", 8, 8).is(Kind::Text),
    field("SLOT_2", 16, 8).is(Kind::Text),
    field("SLOT_3", 24, 8).is(Kind::Text),
    field("SLOT_4", 32, 8).is(Kind::Text),
    field("SLOT_5", 40, 8).is(Kind::Text),
    field("SLOT_6", 48, 8).is(Kind::Text),
    field("SLOT_7", 56, 8).is(Kind::Text),
];

fn firmware(bytes: &Bytes<'_>, decoded: &mut Decoded) {
    decoded.nodes = read("page", bytes, FIRMWARE, 0, &mut decoded.missing);
    let active = bytes.little(0, 1).unwrap_or(0);
    let (now, next) = (active & 7, active >> 4 & 7);
    if let Some(node) = decoded.nodes.iter_mut().find(|node| node.name == "ACTIVE") {
        node.meaning = Some(match next {
            0 => format!("slot {now}"),
            next => format!("slot {now}, slot {next} after a reset"),
        });
    }
    let name = format!("SLOT_{now}");
    let revision = decoded.nodes.iter().find(|node| node.name == name);
    let revision = match revision.and_then(|node| node.value.as_ref()) {
        Some(Value::Text(text)) => text.clone(),
        _ => "not known".to_owned(),
    };
    decoded.headline = Some(format!("firmware {revision}"));
    if next != 0 && next != now {
        decoded.findings.push(Finding {
            severity: Severity::Info,
            text: format!("firmware in slot {next} waits for a reset"),
            advice: None,
            source: "NVM Express 2.0, Firmware Slot Information".to_owned(),
            values: vec![("ACTIVE".to_owned(), active)],
            points_to: None,
        });
    }
    decoded.nodes.retain(|node| node.value != Some(Value::Text(String::new())));
}

const PERSISTENT: &[Field] = &[
    field("LOG_ID", 0, 1),
    field("EVENTS", 4, 4),
    field("LENGTH", 8, 8).unit("bytes"),
    field("REVISION", 16, 1),
    field("HEADER_LENGTH", 18, 2),
    field("TIMESTAMP", 20, 8).is(Kind::Milliseconds),
    field("POWER_ON_HOURS", 28, 16).unit("h").counts(),
    field("POWER_CYCLES", 44, 8).counts(),
    field("VENDOR_ID", 52, 2),
    field("SUBSYSTEM_VENDOR_ID", 54, 2),
    field("SERIAL_NUMBER", 56, 20).is(Kind::Text),
    field("MODEL", 76, 40).is(Kind::Text),
    field("SUBSYSTEM", 116, 256).is(Kind::Text),
];
const PERSISTENT_HEAD: usize = 512;
const EVENT_HEAD: usize = 24;
const EVENT: &[Field] = &[
    field("REVISION", 1, 1),
    field("CONTROLLER", 4, 2),
    field("TIMESTAMP", 6, 8).is(Kind::Milliseconds),
    field("VENDOR_LENGTH", 20, 2).unit("bytes"),
    field("LENGTH", 22, 2).unit("bytes"),
];
const EVENTS: &[(u64, &str)] = &[
    (0x01, "health snapshot"),
    (0x02, "firmware commit"),
    (0x03, "time change"),
    (0x04, "power on or reset"),
    (0x05, "hardware error"),
    (0x06, "namespace change"),
    (0x07, "format started"),
    (0x08, "format completed"),
    (0x09, "sanitize started"),
    (0x0a, "sanitize completed"),
    (0x0b, "feature set"),
    (0x0c, "telemetry log created"),
    (0x0d, "thermal excursion"),
    (0xde, "vendor specific"),
    (0xdf, "TCG"),
];
/// Codes of a hardware error, and how bad each is.
const HARDWARE: &[(u64, (Severity, &str))] = &[
    (0x01, (Severity::Warning, "correctable PCI Express error")),
    (0x02, (Severity::Error, "uncorrectable non-fatal PCI Express error")),
    (0x03, (Severity::Fatal, "uncorrectable fatal PCI Express error")),
    (0x04, (Severity::Warning, "PCI Express link status changed")),
    (0x05, (Severity::Error, "PCI Express link not active")),
    (0x06, (Severity::Error, "critical warning condition")),
    (0x07, (Severity::Error, "critical warning of an endurance group")),
    (0x08, (Severity::Warning, "unsafe shutdown")),
    (0x09, (Severity::Fatal, "controller fatal status")),
    (0x0a, (Severity::Error, "media and data integrity error")),
    (0x0b, (Severity::Error, "controller was not ready in time")),
];
const HARDWARE_FIELDS: &[Field] = &[field("CODE", 0, 2)];
const COMMIT: &[Field] = &[
    field("OLD_REVISION", 0, 8).is(Kind::Text),
    field("NEW_REVISION", 8, 8).is(Kind::Text),
    field("ACTION", 16, 1),
    field("SLOT", 17, 1),
    field("STATUS_TYPE", 18, 1),
    field("STATUS_CODE", 19, 1),
    field("VENDOR_RESULT", 20, 2),
];
const TIME_CHANGE: &[Field] =
    &[field("PREVIOUS", 0, 8).is(Kind::Milliseconds), field("SINCE_RESET", 8, 8).unit("ms")];
const POWER_ON: &[Field] = &[field("FIRMWARE", 0, 8).is(Kind::Text)];
const THERMAL: &[Field] = &[
    field("OVER_TEMPERATURE", 0, 1).unit("K"),
    field("THRESHOLD", 1, 1).words(&[
        (0, "back below the warning temperature"),
        (1, "above the warning temperature"),
        (2, "above the critical temperature"),
        (3, "back below the critical temperature"),
    ]),
];

fn persistent(bytes: &Bytes<'_>, decoded: &mut Decoded) {
    decoded.nodes = read("header", bytes, PERSISTENT, 0, &mut decoded.missing);
    let total = bytes.little(4, 4).unwrap_or(0);
    decoded.headline = Some(format!("{total} events"));
    let mut room = Room::new();
    let mut at = PERSISTENT_HEAD;
    for number in 0..total {
        let Some(next) = event(bytes, decoded, &mut room, number, at) else {
            decoded.missing.push(Missing {
                what: format!("events {number} to {}", total - 1),
                why: format!("event {number} at {at} is cut, or they are too many"),
            });
            break;
        };
        at = next;
    }
    decoded.sort();
}

/// The event `number` at `at`; gives where the next one is.
fn event(
    bytes: &Bytes<'_>,
    decoded: &mut Decoded,
    room: &mut Room,
    number: u64,
    at: usize,
) -> Option<usize> {
    // The header's length does not count its first three bytes.
    let head = bytes.little(at.checked_add(2)?, 1)? as usize + 3;
    if head < EVENT_HEAD {
        return None;
    }
    let length = bytes.little(at.checked_add(22)?, 2)? as usize;
    let end = at.checked_add(head)?.checked_add(length)?;
    let entry = bytes.part(at..end)?;
    let kind = entry.little(0, 1)?;
    let name = word(EVENTS, kind);
    let mut node = Node::group(format!("event {number}")).meaning(name);
    node.children = vec![entry.node("TYPE", 0, 1).meaning(name)];
    node.children.extend(read("event", &entry, EVENT, 0, &mut decoded.missing));
    // What the vendor has to say comes before the event's own data.
    let vendor = entry.little(20, 2)? as usize;
    let data = entry.part(head.checked_add(vendor)?..entry.length());
    let Some(data) = data else {
        let why = format!("{vendor} bytes of the vendor do not fit into {length}");
        decoded.missing.push(Missing { what: format!("the data of event {number}"), why });
        decoded.nodes.push(node);
        return Some(end);
    };
    let when = entry.little(6, 8).unwrap_or(0) & 0xffff_ffff_ffff;
    let mut found: Option<(Severity, String)> = None;
    let mut fields = |fields| read("event", &data, fields, 0, &mut decoded.missing);
    let children = match kind {
        0x02 => fields(COMMIT),
        0x03 => fields(TIME_CHANGE),
        0x04 => fields(POWER_ON),
        0x05 => {
            let mut nodes = fields(HARDWARE_FIELDS);
            let code = data.little(0, 2).unwrap_or(0);
            let known = HARDWARE.iter().find(|(of, _)| *of == code).map(|(_, known)| *known);
            let (severity, words) = known.unwrap_or((Severity::Warning, "other hardware error"));
            if let Some(node) = nodes.first_mut() {
                node.meaning = Some(words.to_owned());
            }
            found = Some((severity, words.to_owned()));
            nodes
        }
        0x0d => {
            let nodes = fields(THERMAL);
            let over = data.little(0, 1).unwrap_or(0);
            let threshold = data.little(1, 1).unwrap_or(0);
            if let 1 | 2 = threshold {
                let words = if threshold == 1 { "warning" } else { "critical" };
                let text = format!("{over} K above the {words} temperature");
                let severity = if threshold == 1 { Severity::Info } else { Severity::Warning };
                found = Some((severity, text));
            }
            nodes
        }
        0x01 => {
            let (nodes, findings) = smart_nodes(&data, &mut decoded.missing);
            let warning = value(&nodes, "CRITICAL_WARNING").unwrap_or(0);
            if warning != 0 {
                let words = list(warning, WARNINGS, "unknown warning");
                let worst = findings.iter().map(|finding| finding.severity).max();
                found = Some((worst.unwrap_or(Severity::Warning), words));
            }
            nodes
        }
        _ => Vec::new(),
    };
    if data.length() > 0 {
        let mut value = Node::value("DATA", Value::Bytes, data.place(0, data.length()));
        value.children = children;
        node.children.push(value);
    }
    if let Some((severity, text)) = found {
        decoded.findings.push(Finding {
            severity,
            text: format!("event {number}, {}: {text}", time(when / 1000)),
            advice: Some("Compare its time with that of the crash.".to_owned()),
            source: "NVM Express 2.0, Persistent Event Log".to_owned(),
            values: vec![(format!("event {number}.TYPE"), kind)],
            points_to: None,
        });
        // The limit is kept while the log is read, for it may have very many events.
        if decoded.findings.len() > 4 * crate::model::FINDINGS_MAX {
            decoded.sort();
        }
    }
    if !room.take(std::slice::from_ref(&node)) {
        return None;
    }
    decoded.nodes.push(node);
    Some(end)
}

const TELEMETRY: &[Field] = &[
    field("LOG_ID", 0, 1).words(&[(7, "asked for by the host"), (8, "the controller's own")]),
    field("IEEE_OUI", 5, 3),
    field("AREA_1_LAST_BLOCK", 8, 2),
    field("AREA_2_LAST_BLOCK", 10, 2),
    field("AREA_3_LAST_BLOCK", 12, 2),
    field("AREA_4_LAST_BLOCK", 16, 4),
    field("HOST_GENERATION", 381, 1),
    field("CONTROLLER_AVAILABLE", 382, 1).words(&[(0, "no"), (1, "yes")]),
    field("CONTROLLER_GENERATION", 383, 1),
    field("REASON", 384, 128).is(Kind::Bytes),
];

fn telemetry(bytes: &Bytes<'_>, decoded: &mut Decoded) {
    decoded.nodes = read("header", bytes, TELEMETRY, 0, &mut decoded.missing);
    let last = |at, size| bytes.little(at, size).unwrap_or(0);
    let blocks = last(8, 2).max(last(10, 2)).max(last(12, 2)).max(last(16, 4));
    let wanted = (blocks + 1) * 512;
    let length = bytes.length() as u64;
    decoded.headline = Some(format!("{blocks} blocks of the vendor's data"));
    if length > 512 {
        let place = bytes.place(512, bytes.length() - 512);
        decoded.nodes.push(Node::value("DATA", Value::Bytes, place));
    }
    if length < wanted {
        let why = format!("the header promises {wanted} bytes, there are {length}");
        decoded.missing.push(Missing { what: "data areas".to_owned(), why });
    }
    let reason = bytes.raw().get(384..512).unwrap_or_default();
    if last(382, 1) == 1 || reason.iter().any(|byte| *byte != 0) {
        decoded.findings.push(Finding {
            severity: Severity::Info,
            text: "the controller saved its own state".to_owned(),
            advice: Some("Give the log to the drive's vendor: only they can read it.".to_owned()),
            source: "NVM Express 2.0, Telemetry".to_owned(),
            values: vec![("CONTROLLER_AVAILABLE".to_owned(), last(382, 1))],
            points_to: None,
        });
    }
}

const OCP: &[Field] = &[
    field("PHYSICAL_WRITTEN", 0, 16).unit("bytes").counts(),
    field("PHYSICAL_READ", 16, 16).unit("bytes").counts(),
    field("BAD_USER_BLOCKS", 32, 6).counts(),
    field("BAD_USER_BLOCKS_NORMALIZED", 38, 2).unit("%"),
    field("BAD_SYSTEM_BLOCKS", 40, 6).counts(),
    field("BAD_SYSTEM_BLOCKS_NORMALIZED", 46, 2).unit("%"),
    field("XOR_RECOVERIES", 48, 8).counts(),
    field("UNCORRECTABLE_READS", 56, 8).counts(),
    field("SOFT_ECC_ERRORS", 64, 8).counts(),
    field("END_TO_END_DETECTED", 72, 4).counts(),
    field("END_TO_END_CORRECTED", 76, 4).counts(),
    field("SYSTEM_DATA_USED", 80, 1).unit("%"),
    field("REFRESHES", 81, 7).counts(),
    field("ERASES_MAX", 88, 4).counts(),
    field("ERASES_MIN", 92, 4).counts(),
    field("THROTTLING_EVENTS", 96, 1).counts(),
    field("THROTTLING_STATUS", 97, 1).words(&[
        (0, "not throttled"),
        (1, "first level"),
        (2, "second level"),
        (3, "third level"),
    ]),
    field("PCIE_CORRECTABLE", 104, 8).counts(),
    field("INCOMPLETE_SHUTDOWNS", 112, 4).counts(),
    field("FREE_BLOCKS", 120, 1).unit("%"),
    field("CAPACITOR_HEALTH", 128, 2).unit("%"),
    field("UNALIGNED_IO", 136, 8).counts(),
    field("SECURITY_VERSION", 144, 8),
    field("NAMESPACE_USE", 152, 8),
    field("POWER_LOSS_STARTS", 160, 16).counts(),
    field("ENDURANCE_ESTIMATE", 176, 16).unit("bytes"),
    field("PCIE_RETRAINS", 192, 8).counts(),
    field("POWER_STATE_CHANGES", 200, 8).counts(),
    field("VERSION", 494, 2),
    field("GUID", 496, 16).is(Kind::Guid),
];
const OCP_RULES: &[Rule] = &[
    Rule {
        name: "UNCORRECTABLE_READS",
        test: |value| value > 0,
        severity: Severity::Error,
        text: "data could not be read back",
        advice: "Replace the drive if the count grows.",
    },
    Rule {
        name: "END_TO_END_DETECTED",
        test: |value| value > 0,
        severity: Severity::Error,
        text: "data was damaged inside of the drive",
        advice: "Update the drive's firmware; replace the drive if the count grows.",
    },
    Rule {
        name: "CAPACITOR_HEALTH",
        // All ones says that there is none.
        test: |value| value < 100,
        severity: Severity::Warning,
        text: "the capacitors hold less than power-loss protection needs",
        advice: "Replace the drive: it may lose data when power fails.",
    },
    Rule {
        name: "THROTTLING_STATUS",
        test: |value| value > 0,
        severity: Severity::Warning,
        text: "the drive is throttled for its temperature",
        advice: "Look at the fans, the airflow and the drive's heat sink.",
    },
    Rule {
        name: "PCIE_CORRECTABLE",
        test: |value| value > 0,
        severity: Severity::Info,
        text: "there were correctable errors on the link",
        advice: "If they are many: look at the slot, riser and cable.",
    },
    Rule {
        name: "INCOMPLETE_SHUTDOWNS",
        test: |value| value > 0,
        severity: Severity::Info,
        text: "power went away while the drive saved its data",
        advice: "Look at the drive's power supply.",
    },
];
const OCP_GUID: Guid = Guid(0xafd514c9_7c6f_4f9c_a4f2_bfea2810afc5);

fn ocp(bytes: &Bytes<'_>, decoded: &mut Decoded) {
    let mut nodes = read("page", bytes, OCP, 0, &mut decoded.missing);
    // Other than elsewhere, all of its 16 bytes are in reverse.
    let raw = bytes.raw().get(496..).and_then(|raw| raw.first_chunk());
    let page = raw.map(|raw| Guid(u128::from_le_bytes(*raw)));
    if let Some(node) = nodes.iter_mut().find(|node| node.name == "GUID") {
        node.value = page.map(|page| Value::Text(page.to_string()));
    }
    if page == Some(OCP_GUID) {
        decoded.findings = apply(OCP_RULES, &nodes, "OCP Datacenter NVMe SSD, extended SMART");
    } else {
        // A vendor may have a page of its own under this number.
        decoded
            .remarks
            .push("the page's GUID is not OCP's: its values may mean other things".into());
    }
    decoded.nodes = nodes;
}

/// A page: the first part of a dump's name, its title, the least size that is worth reading,
/// and what decodes it.
struct Page {
    names: &'static [&'static str],
    title: &'static str,
    least: usize,
    decode: fn(&Bytes<'_>, &mut Decoded),
}

const PAGES: &[Page] = &[
    Page { names: &["nvme-smart"], title: "NVMe health", least: 6, decode: smart },
    Page { names: &["nvme-error"], title: "NVMe error log", least: 64, decode: errors },
    Page {
        names: &["nvme-fw", "nvme-firmware"],
        title: "NVMe firmware slots",
        least: 16,
        decode: firmware,
    },
    Page {
        names: &["nvme-persistent", "nvme-pel"],
        title: "NVMe persistent event log",
        least: 64,
        decode: persistent,
    },
    Page { names: &["nvme-telemetry"], title: "NVMe telemetry", least: 20, decode: telemetry },
    Page { names: &["nvme-ocp"], title: "NVMe extended health (OCP)", least: 120, decode: ocp },
];

fn page(name: &str) -> Option<&'static Page> {
    let named = |prefix: &str| {
        let rest = name.strip_prefix(prefix);
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
    };
    PAGES.iter().find(|page| page.names.iter().any(|prefix| named(prefix)))
}

impl Decoder for Nvme {
    fn name(&self) -> &'static str {
        "nvme"
    }

    fn recognises(&self, name: &str, bytes: &[u8]) -> bool {
        // A register dump of a controller has a name that starts alike.
        page(name).is_some_and(|page| bytes.len() >= page.least)
            && !bytes.starts_with(&plan::dump::MAGIC)
    }

    fn decode(&self, name: &str, bytes: &[u8]) -> Vec<Decoded> {
        let Some(page) = page(name) else { return Vec::new() };
        let drive = name.split_once('_').map_or("", |(_, drive)| drive);
        let title = format!("{} {drive}", page.title).trim_end().to_owned();
        let mut decoded = Decoded { title, ..Decoded::default() };
        (page.decode)(&Bytes::new(bytes), &mut decoded);
        decoded.sort();
        vec![decoded]
    }
}
