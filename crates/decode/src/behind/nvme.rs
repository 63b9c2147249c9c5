// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The admin queues of an NVMe controller.
//!
//! Facts: NVM Express Base Specification 2.0, 3.3.3 (queue entries), 5 (admin commands).

use super::reader::{Reader, add, number, numbered, pointer, register};
use crate::fields::known_word;
use crate::model::{Bytes, Decoded, Finding, Node, Severity};
use crate::nvme;

const COMMAND_SIZE: usize = 64;
const COMPLETION_SIZE: usize = 16;
/// The block of the registers.
const CTRL: &str = "ctrl";

/// Asynchronous Event Request: it completes when something happens, which may be never.
const EVENT_REQUEST: u64 = 0x0c;

const OPCODES: &[(u64, &str)] = &[
    (0x00, "Delete I/O Submission Queue"),
    (0x01, "Create I/O Submission Queue"),
    (0x02, "Get Log Page"),
    (0x04, "Delete I/O Completion Queue"),
    (0x05, "Create I/O Completion Queue"),
    (0x06, "Identify"),
    (0x08, "Abort"),
    (0x09, "Set Features"),
    (0x0a, "Get Features"),
    (EVENT_REQUEST, "Asynchronous Event Request"),
    (0x0d, "Namespace Management"),
    (0x10, "Firmware Commit"),
    (0x11, "Firmware Image Download"),
    (0x14, "Device Self-test"),
    (0x15, "Namespace Attachment"),
    (0x18, "Keep Alive"),
    (0x19, "Directive Send"),
    (0x1a, "Directive Receive"),
    (0x1c, "Virtualization Management"),
    (0x1d, "NVMe-MI Send"),
    (0x1e, "NVMe-MI Receive"),
    (0x20, "Capacity Management"),
    (0x24, "Lockdown"),
    (0x7c, "Doorbell Buffer Config"),
    (0x7f, "Fabrics"),
    (0x80, "Format NVM"),
    (0x81, "Security Send"),
    (0x82, "Security Receive"),
    (0x84, "Sanitize"),
    (0x86, "Get LBA Status"),
];

fn opcode_word(opcode: u64) -> &'static str {
    known_word(OPCODES, opcode).unwrap_or(if opcode >= 0xc0 { "vendor's own" } else { "reserved" })
}

/// A command of the submission queue; none where nothing was ever written.
fn command(index: usize, entry: Bytes<'_>) -> Option<Node> {
    if entry.raw().iter().all(|byte| *byte == 0) {
        return None;
    }
    let value = |name: &str, at, size| number(name, entry.little(at, size).unwrap_or_default());
    let opcode = entry.little(0, 1)?;
    let mut children = vec![value("CID", 2, 2), value("NSID", 4, 4)];
    children.extend([value("PRP1", 24, 8), value("PRP2", 32, 8)]);
    let dwords =
        ["CDW10", "CDW11", "CDW12", "CDW13", "CDW14", "CDW15"].into_iter().zip((40..).step_by(4));
    children.extend(dwords.map(|(name, at)| value(name, at, 4)));
    let node = number(&numbered("command", index), opcode).meaning(opcode_word(opcode));
    Some(Node { children, ..node })
}

/// An entry of the completion queue; none where the controller has not written it yet.
fn completion(index: usize, entry: Bytes<'_>) -> Option<Node> {
    if entry.raw().iter().all(|byte| *byte == 0) {
        return None;
    }
    let value = |name: &str, at, size| number(name, entry.little(at, size).unwrap_or_default());
    let raw = entry.little(14, 2)?;
    let children = vec![
        value("CID", 12, 2),
        value("SQHD", 8, 2),
        value("SQID", 10, 2),
        value("RESULT", 0, 4),
        number("PHASE", raw & 1),
    ];
    let node = number(&numbered("completion", index), raw >> 1).meaning(nvme::status(raw >> 1));
    Some(Node { children, ..node })
}

fn cid(node: &Node) -> Option<u64> {
    node.find(&["CID"])?.unsigned()
}

pub(super) fn follow(decoded: &mut Decoded, reader: &mut Reader<'_>) {
    let queue = |reader: &mut Reader<'_>, register| {
        let (physical, length) = pointer(decoded, CTRL, register)?;
        Some(reader.area(physical, length))
    };
    let (submission, completion_queue) = (queue(reader, "ASQ"), queue(reader, "ACQ"));
    let commands = submission
        .map(|area| reader.entries(&area, "command", COMMAND_SIZE, command))
        .unwrap_or_default();
    let completions = completion_queue
        .map(|area| reader.entries(&area, "completion", COMPLETION_SIZE, completion))
        .unwrap_or_default();
    if let Some(finding) = outstanding(decoded, &commands, &completions) {
        decoded.findings.push(finding);
        decoded.sort();
    }
    add(decoded, CTRL, "ASQ", commands);
    add(decoded, CTRL, "ACQ", completions);
}

/// The commands without a completion, where the controller has stopped. While it works,
/// there may be some for a moment, and after a reset the queue still has older ones.
fn outstanding(decoded: &Decoded, commands: &[Node], completions: &[Node]) -> Option<Finding> {
    let status = register(decoded, CTRL, "CSTS")?;
    let value = status.unsigned().filter(|value| value & 2 != 0 && *value != 0xffff_ffff)?;
    // Of a queue that is not all there, nothing is known.
    let is_whole = completions.iter().all(|node| node.unsigned().is_some());
    if !is_whole || completions.is_empty() {
        return None;
    }
    let is_outstanding = |command: &&Node| {
        let is_event_request = command.unsigned() == Some(EVENT_REQUEST);
        let cid = cid(command);
        let is_completed = completions.iter().any(|completion| self::cid(completion) == cid);
        cid.is_some() && !is_event_request && !is_completed
    };
    let open: Vec<&Node> = commands.iter().filter(is_outstanding).collect();
    let names: Vec<String> = open
        .iter()
        .take(8)
        .map(|command| {
            let (name, cid) = (command.meaning.as_deref().unwrap_or_default(), cid(command)?);
            Some(format!("{name} (CID {cid:#x})"))
        })
        .collect::<Option<_>>()?;
    if names.is_empty() {
        return None;
    }
    let more = open.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(Finding {
        severity: Severity::Warning,
        text: format!("admin commands without completion: {}{more}", names.join(", ")),
        advice: Some(
            "The controller stopped before it answered them: one of them may have made it stop."
                .to_owned(),
        ),
        source: "NVM Express 2.0, 3.3.3 (queue entries)".to_owned(),
        values: vec![("ctrl.CSTS".to_owned(), value)],
        points_to: None,
    })
}
