// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The log that the firmware keeps, and the driver's log of commands to the firmware.
//!
//! Facts: Linux cxgb4, `t4fw_api.h` (`struct fw_devlog_e`, `enum fw_cmd_opcodes`,
//! `struct fw_debug_cmd`), `cxgb4.h` (`struct mbox_cmd`).

use super::out::{Out, status};
use crate::fields::word;
use crate::model::{Bytes, Finding, Node, Severity, Value, text};

/// `sizeof(struct fw_devlog_e)`, and where its parts are; all are big-endian.
const ENTRY: usize = 256;
const FORMAT: std::ops::Range<usize> = 16..208;
const PARAMETERS: usize = 8;

const LEVELS: &[(u64, &str)] =
    &[(0, "EMERG"), (1, "CRIT"), (2, "ERR"), (3, "NOTICE"), (4, "INFO"), (5, "DEBUG")];
const FACILITIES: &[(u64, &str)] = &[
    (0x00, "CORE"),
    (0x01, "CF"),
    (0x02, "SCHED"),
    (0x04, "TIMER"),
    (0x06, "RES"),
    (0x08, "HW"),
    (0x10, "FLR"),
    (0x12, "DMAQ"),
    (0x14, "PHY"),
    (0x16, "MAC"),
    (0x18, "PORT"),
    (0x1a, "VI"),
    (0x1c, "FILTER"),
    (0x1e, "ACL"),
    (0x20, "TM"),
    (0x22, "QFC"),
    (0x24, "DCB"),
    (0x26, "ETH"),
    (0x28, "OFLD"),
    (0x2a, "RI"),
    (0x2c, "ISCSI"),
    (0x2e, "FCOE"),
    (0x30, "FOISCSI"),
    (0x32, "FOFCOE"),
    (0x34, "CHNET"),
];

/// `sizeof(struct cudbg_mbox_log)`: the command, and its words once more.
const COMMAND: usize = 144;
/// `sizeof` the command itself, `MBOX_LEN`.
const WORDS: usize = 64;
/// `FW_DEBUG_CMD`.
const DEBUG: u64 = 0x81;
const COMMANDS: &[(u64, &str)] = &[
    (0x01, "FW_LDST_CMD"),
    (0x03, "FW_RESET_CMD"),
    (0x04, "FW_HELLO_CMD"),
    (0x05, "FW_BYE_CMD"),
    (0x06, "FW_INITIALIZE_CMD"),
    (0x07, "FW_CAPS_CONFIG_CMD"),
    (0x08, "FW_PARAMS_CMD"),
    (0x09, "FW_PFVF_CMD"),
    (0x10, "FW_IQ_CMD"),
    (0x11, "FW_EQ_MNGT_CMD"),
    (0x12, "FW_EQ_ETH_CMD"),
    (0x13, "FW_EQ_CTRL_CMD"),
    (0x14, "FW_VI_CMD"),
    (0x15, "FW_VI_MAC_CMD"),
    (0x16, "FW_VI_RXMODE_CMD"),
    (0x17, "FW_VI_ENABLE_CMD"),
    (0x18, "FW_ACL_MAC_CMD"),
    (0x19, "FW_ACL_VLAN_CMD"),
    (0x1a, "FW_VI_STATS_CMD"),
    (0x1b, "FW_PORT_CMD"),
    (0x1c, "FW_PORT_STATS_CMD"),
    (0x1d, "FW_PORT_LB_STATS_CMD"),
    (0x1e, "FW_PORT_TRACE_CMD"),
    (0x1f, "FW_PORT_TRACE_MMAP_CMD"),
    (0x20, "FW_RSS_IND_TBL_CMD"),
    (0x21, "FW_EQ_OFLD_CMD"),
    (0x22, "FW_RSS_GLB_CONFIG_CMD"),
    (0x23, "FW_RSS_VI_CONFIG_CMD"),
    (0x24, "FW_SCHED_CMD"),
    (0x25, "FW_DEVLOG_CMD"),
    (0x28, "FW_CLIP_CMD"),
    (0x3e, "FW_PTP_CMD"),
    (0x3f, "FW_HMA_CMD"),
    (0x40, "FW_LASTC2E_CMD"),
    (0x80, "FW_ERROR_CMD"),
    (0x81, "FW_DEBUG_CMD"),
];
const FW_API: &str = "Linux cxgb4, t4fw_api.h";

/// The entity `DEV_LOG`: the entries in the order of their numbers, as the firmware writes
/// them into a ring.
pub(super) fn device(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    let part = |index: usize| bytes.part(index * ENTRY..(index + 1) * ENTRY);
    let count = bytes.length() / ENTRY;
    let is_used = |index: &usize| part(*index).and_then(|part| part.big(0, 8)) != Some(0);
    let number = |index: usize| part(index).and_then(|part| part.big(8, 4)).unwrap_or_default();
    let mut used: Vec<usize> = (0..count).filter(is_used).collect();
    used.sort_by_key(|index| number(*index));
    let mut last = [const { (0_usize, String::new()) }; 3];
    let nodes = out.list("entries of the firmware's log", used.len(), |at| {
        let entry = part(*used.get(at)?)?;
        let number = |at, size| entry.big(at, size).unwrap_or_default();
        let (level, facility) = (number(14, 1), number(15, 1));
        let format = text(entry.part(FORMAT)?.raw());
        let parameters = [0; PARAMETERS];
        let mut next = FORMAT.end;
        let parameters = parameters.map(|_: u64| {
            next += 4;
            number(next - 4, 4)
        });
        let message = message(format.trim_end(), parameters);
        if let Some((count, last)) = last.get_mut(level as usize) {
            *count += 1;
            last.clone_from(&message);
        }
        let child = |name: &str, at, size| {
            Node::value(name, Value::Unsigned(number(at, size)), entry.place(at, size))
        };
        let children = vec![
            child("SEQNO", 8, 4),
            child("TIMESTAMP", 0, 8),
            child("LEVEL", 14, 1).meaning(word(LEVELS, level)),
            child("FACILITY", 15, 1).meaning(word(FACILITIES, facility)),
        ];
        let place = entry.place(0, ENTRY);
        Some(Node { children, ..Node::value(format!("[{at}]"), Value::Text(message), place) })
    });
    let kinds = [
        (Severity::Error, "an emergency"),
        (Severity::Error, "a critical error"),
        (Severity::Warning, "an error"),
    ];
    for ((severity, what), (count, last)) in kinds.into_iter().zip(last) {
        if count > 0 {
            out.decoded.findings.push(Finding {
                severity,
                text: format!("the firmware logged {what}, {count} times; the last: {last}"),
                advice: Some("Send DEV_LOG to the adapter's vendor.".to_owned()),
                source: format!("{FW_API}, enum fw_devlog_level"),
                values: Vec::new(),
                points_to: None,
            });
        }
    }
    if !bytes.length().is_multiple_of(ENTRY) {
        let why = format!("{} bytes are no whole number of entries", bytes.length());
        out.missing("the last entry of DEV_LOG", why);
    }
    nodes
}

/// What the firmware says with `format`, in the manner of `printf`. A conversion of text
/// stays as it is, for its parameter is an address in the firmware.
fn message(format: &str, parameters: [u64; PARAMETERS]) -> String {
    let mut parameters = parameters.into_iter();
    let mut message = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        message.push_str(before);
        let is_flag =
            |character: char| matches!(character, '0'..='9' | '-' | '#' | '.' | 'l' | 'h');
        let conversion = after.trim_start_matches(is_flag);
        let flags = after.strip_suffix(conversion).unwrap_or_default();
        let mut following = conversion.chars();
        let Some(kind) = following.next() else {
            message.push('%');
            rest = after;
            continue;
        };
        rest = following.as_str();
        if kind == '%' {
            message.push('%');
            continue;
        }
        let value = parameters.next().filter(|_| "diuxXpc".contains(kind));
        let Some(value) = value else {
            message.push('%');
            message.push_str(flags);
            message.push(kind);
            continue;
        };
        let text = match kind {
            'd' | 'i' => (value as u32).cast_signed().to_string(),
            'u' => value.to_string(),
            'X' => format!("{value:X}"),
            'p' => format!("{value:#x}"),
            'c' => char::from(value as u8).escape_default().to_string(),
            _ => format!("{value:x}"),
        };
        let digits = flags.trim_start_matches(['-', '#']).trim_end_matches(['l', 'h']);
        let width = digits.parse().unwrap_or(0).min(32);
        let text = match (flags.starts_with('-'), digits.starts_with('0')) {
            (true, _) => format!("{text:<width$}"),
            (false, true) => format!("{text:0>width$}"),
            (false, false) => format!("{text:>width$}"),
        };
        if flags.starts_with('#') {
            message.push_str("0x");
        }
        message.push_str(&text);
    }
    message.push_str(rest);
    message
}

/// The entity `MBOX_LOG`: commands and answers, the oldest first.
pub(super) fn mailbox(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    let mut findings = Vec::new();
    let nodes = out.list("commands", bytes.length() / COMMAND, |index| {
        let entry = bytes.part(index * COMMAND..(index + 1) * COMMAND)?;
        // The driver gives those that it used first, and leaves the others 0.
        let timestamp = entry.little(WORDS, 8).filter(|timestamp| *timestamp != 0)?;
        let first = entry.little(0, 8)?;
        let opcode = first >> 56;
        let code = first >> 8 & 0xff;
        let signed = |at| Some((entry.little(at, 2)? as u16).cast_signed());
        let (access, execute) = (signed(76)?, signed(78)?);
        let name = word(COMMANDS, opcode);
        let path = format!("MBOX_LOG.[{index}]");
        if opcode == DEBUG && first >> 32 & 0xff == 0 {
            findings.push(assertion(&entry, path, opcode));
        } else if execute < 0 {
            findings.push(Finding {
                severity: Severity::Error,
                text: format!("the firmware did not answer {name}: {}", status(execute.into())),
                advice: Some("Read PCIE_FW and DEV_LOG for why the firmware stopped.".to_owned()),
                source: "Linux cxgb4, t4_wr_mbox_meat_timeout".to_owned(),
                values: vec![(path, opcode)],
                points_to: None,
            });
        }
        let place = |at, size| entry.place(at, size);
        let milliseconds = |name: &str, value: i16, at| {
            Node::value(name, Value::Signed(value.into()), place(at, 2)).unit("ms")
        };
        let words: Vec<String> = (0..WORDS / 8)
            .filter_map(|word| Some(format!("{:016x}", entry.little(word * 8, 8)?)))
            .collect();
        let children = vec![
            Node::value("SEQNO", Value::Unsigned(entry.little(72, 4)?), place(72, 4)),
            Node::value("TIMESTAMP", Value::Unsigned(timestamp), place(WORDS, 8)).unit("jiffies"),
            milliseconds("ACCESS", access, 76),
            milliseconds("EXECUTE", execute, 78),
            Node::value("RETVAL", Value::Unsigned(code), place(1, 1)),
            Node::value("COMMAND", Value::Text(words.join(" ")), place(0, WORDS)),
        ];
        let node = Node::value(format!("[{index}]"), Value::Unsigned(opcode), place(7, 1));
        Some(Node { children, ..node }.meaning(name))
    });
    out.decoded.findings.extend(findings);
    nodes
}

/// What the firmware says of an assertion that failed: the bytes of the answer are
/// big-endian, and each eight of them are a number here.
fn assertion(entry: &Bytes<'_>, path: String, opcode: u64) -> Finding {
    let number = |word: usize| entry.little(word * 8, 8).unwrap_or_default();
    let line = number(1) & 0xffff_ffff;
    let (x, y) = (number(2) >> 32, number(2) & 0xffff_ffff);
    let file = text(&[number(3).to_be_bytes(), number(4).to_be_bytes()].concat());
    Finding {
        severity: Severity::Fatal,
        text: format!("the firmware reports a failed assertion: {file}:{line}, {x:#x}, {y:#x}"),
        advice: Some("Update the firmware; send this and DEV_LOG to its vendor.".to_owned()),
        source: format!("{FW_API}, struct fw_debug_assert"),
        values: vec![(path, opcode)],
        points_to: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let parameters = [7, 0xdead_beef, 0xffff_ffff, 65, 5, 6, 7, 8];
        for (format, expected) in [
            ("bank %u, syndrome 0x%x", "bank 7, syndrome 0xdeadbeef"),
            ("%08x|%4d|%-4d|%c", "00000007|-559038737|-1  |A"),
            ("%lu%% of %#X", "7% of 0xDEADBEEF"),
            ("%s %u", "%s 3735928559"),
            ("%u%u%u%u%u%u%u%u%u", "737359285594294967295655678%u"),
            ("100%", "100%"),
            ("%99u", "                               7"),
            ("%é%", "%é%"),
        ] {
            assert_eq!(message(format, parameters), expected, "{format}");
        }
    }
}
