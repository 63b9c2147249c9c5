// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The command lists of the ports of an AHCI controller, and what their devices answered.
//!
//! Facts: Serial ATA AHCI 1.3.1, 4.2.1 (received FISes), 4.2.2 (command list), 4.2.3
//! (command table); Serial ATA Revision 3.0, 10.3 (FIS types); ATA/ATAPI Command Set 3, 7.

use super::reader::{Reader, number, numbered, register};
use crate::fields::known_word;
use crate::model::{Bytes, Decoded, Finding, Node, Severity, Value};

const HEADER_SIZE: usize = 32;
const FIS_SIZE: usize = 64;
/// Where the FISes of a device are among those received: register and set device bits.
const REGISTER_FIS: usize = 0x40;
const DEVICE_BITS_FIS: usize = 0x58;
const HOST_TO_DEVICE: u64 = 0x27;
const DEVICE_TO_HOST: u64 = 0x34;
const DEVICE_BITS: u64 = 0xa1;

const COMMANDS: &[(u64, &str)] = &[
    (0x00, "NOP"),
    (0x06, "DATA SET MANAGEMENT"),
    (0x08, "DEVICE RESET"),
    (0x20, "READ SECTORS"),
    (0x24, "READ SECTORS EXT"),
    (0x25, "READ DMA EXT"),
    (0x29, "READ MULTIPLE EXT"),
    (0x2f, "READ LOG EXT"),
    (0x30, "WRITE SECTORS"),
    (0x34, "WRITE SECTORS EXT"),
    (0x35, "WRITE DMA EXT"),
    (0x39, "WRITE MULTIPLE EXT"),
    (0x3d, "WRITE DMA FUA EXT"),
    (0x3f, "WRITE LOG EXT"),
    (0x40, "READ VERIFY SECTORS"),
    (0x42, "READ VERIFY SECTORS EXT"),
    (0x45, "WRITE UNCORRECTABLE EXT"),
    (0x47, "READ LOG DMA EXT"),
    (0x57, "WRITE LOG DMA EXT"),
    (0x5b, "TRUSTED NON-DATA"),
    (0x5c, "TRUSTED RECEIVE"),
    (0x5e, "TRUSTED SEND"),
    (0x60, "READ FPDMA QUEUED"),
    (0x61, "WRITE FPDMA QUEUED"),
    (0x63, "NCQ NON-DATA"),
    (0x64, "SEND FPDMA QUEUED"),
    (0x65, "RECEIVE FPDMA QUEUED"),
    (0x90, "EXECUTE DEVICE DIAGNOSTIC"),
    (0x92, "DOWNLOAD MICROCODE"),
    (0x93, "DOWNLOAD MICROCODE DMA"),
    (0xa0, "PACKET"),
    (0xa1, "IDENTIFY PACKET DEVICE"),
    (0xb0, "SMART"),
    (0xb4, "SANITIZE DEVICE"),
    (0xc4, "READ MULTIPLE"),
    (0xc5, "WRITE MULTIPLE"),
    (0xc6, "SET MULTIPLE MODE"),
    (0xc8, "READ DMA"),
    (0xca, "WRITE DMA"),
    (0xe0, "STANDBY IMMEDIATE"),
    (0xe1, "IDLE IMMEDIATE"),
    (0xe2, "STANDBY"),
    (0xe3, "IDLE"),
    (0xe4, "READ BUFFER"),
    (0xe5, "CHECK POWER MODE"),
    (0xe6, "SLEEP"),
    (0xe7, "FLUSH CACHE"),
    (0xe8, "WRITE BUFFER"),
    (0xea, "FLUSH CACHE EXT"),
    (0xec, "IDENTIFY DEVICE"),
    (0xef, "SET FEATURES"),
    (0xf1, "SECURITY SET PASSWORD"),
    (0xf2, "SECURITY UNLOCK"),
    (0xf4, "SECURITY ERASE UNIT"),
    (0xf5, "SECURITY FREEZE LOCK"),
    (0xf8, "READ NATIVE MAX ADDRESS"),
];

/// What a port's registers say of its commands.
struct Port {
    /// The slots of commands that are not completed.
    outstanding: u64,
    issued: u64,
    active: u64,
    /// The device is busy, or has reported an error.
    is_stuck: bool,
}

fn port(block: &Node) -> Option<Port> {
    let value = |name: &str| block.find(&[name])?.unsigned().filter(|value| *value != 0xffff_ffff);
    let (issued, active) = (value("CI")?, value("SACT")?);
    let has_device = value("SSTS")? & 0xf == 3;
    // PIS.TFES; TFD.BSY.
    let is_stuck = value("PIS")? >> 30 & 1 == 1 || value("TFD")? >> 7 & 1 == 1;
    let outstanding = if has_device { issued | active } else { 0 };
    Some(Port { outstanding, issued, active, is_stuck })
}

/// The command that the FIS has: what it is called, and what it works on.
fn fis(bytes: &Bytes<'_>) -> Option<(&'static str, Vec<Node>)> {
    let get = |at| bytes.little(at, 1).unwrap_or_default();
    // The bit says that it is a command, and not of the control register.
    if get(0) != HOST_TO_DEVICE || get(1) & 0x80 == 0 {
        return None;
    }
    let command = known_word(COMMANDS, get(2)).unwrap_or("another command");
    let lba = (0..3).fold(0, |lba, byte| lba | get(4 + byte) << (8 * byte));
    let lba = (0..3).fold(lba, |lba, byte| lba | get(8 + byte) << (24 + 8 * byte));
    let children = vec![
        number("COMMAND", get(2)).meaning(command),
        number("LBA", lba),
        number("COUNT", get(12) | get(13) << 8),
        number("FEATURES", get(3) | get(11) << 8),
        number("DEVICE", get(7)),
    ];
    Some((command, children))
}

/// A slot of the command list; none where it was never used.
fn slot(reader: &Reader<'_>, index: usize, header: Bytes<'_>, outstanding: bool) -> Option<Node> {
    let table = header.little(8, 8).filter(|table| *table != 0)?;
    let flags = header.little(0, 4)?;
    let mut children = vec![
        number("WRITE", flags >> 6 & 1),
        number("PREFETCHABLE", flags >> 7 & 1),
        number("PRDTL", flags >> 16).titled("entries of its scatter list"),
        number("PRDBC", header.little(4, 4)?).unit("bytes").titled("transferred"),
    ];
    let area = reader.area(table, FIS_SIZE as u64);
    let mut table = Node { address: Some(table), ..number("CTBA", table) };
    let mut command = "no command";
    match area.get(0, FIS_SIZE) {
        Ok(bytes) => {
            if let Some((name, fis)) = fis(&bytes) {
                command = name;
                table.children = fis;
            }
        }
        Err(why) => {
            command = "a command";
            table
                .children
                .push(Node { value: Some(Value::Unknown(why.to_owned())), ..Node::group("FIS") });
        }
    }
    children.push(table);
    let state = if outstanding { ", outstanding" } else { "" };
    let node = number(&numbered("slot", index), flags).meaning(format!("{command}{state}"));
    Some(Node { children, ..node })
}

/// What the device answered last.
fn received(reader: &mut Reader<'_>, physical: u64) -> Vec<Node> {
    let area = reader.area(physical, 256);
    let fises = [
        ("REGISTER_FIS", REGISTER_FIS, DEVICE_TO_HOST),
        ("DEVICE_BITS_FIS", DEVICE_BITS_FIS, DEVICE_BITS),
    ];
    let fis = |(name, at, kind): (&str, usize, u64)| {
        let address = Some(physical.wrapping_add(at as u64));
        let node = match area.get(at, 8) {
            Err(why) => Node { value: Some(Value::Unknown(why.to_owned())), ..Node::group(name) },
            Ok(bytes) if bytes.little(0, 1) == Some(kind) => {
                let children = vec![
                    number("STATUS", bytes.little(2, 1)?),
                    number("ERROR", bytes.little(3, 1)?),
                ];
                Node { children, ..number(name, bytes.little(0, 4)?) }
            }
            Ok(_) => return None,
        };
        Some(Node { address, ..node })
    };
    fises.into_iter().filter_map(fis).filter_map(|node| reader.take(node)).collect()
}

/// What is said of a command without its slot's number.
fn words(slot: &Node) -> String {
    let value = |name: &str| slot.find(&["CTBA", name]).and_then(Node::unsigned);
    let meaning = slot.meaning.as_deref().unwrap_or_default();
    let command = meaning.trim_end_matches(", outstanding");
    match value("LBA") {
        Some(lba) => format!("{command} at LBA {lba:#x} ({})", slot.name),
        None => format!("{command} ({})", slot.name),
    }
}

pub(super) fn follow(decoded: &mut Decoded, reader: &mut Reader<'_>) {
    let capabilities = register(decoded, "hba", "CAP").and_then(Node::unsigned).unwrap_or(0x1f00);
    let slots = (capabilities >> 8 & 0x1f) + 1;
    let mut findings = Vec::new();
    for block in decoded.nodes.iter_mut().filter(|node| node.name.starts_with("port[")) {
        let state = port(block);
        let outstanding = state.as_ref().map_or(0, |port| port.outstanding);
        let pointer = |name: &str| {
            let node = block.find(&[name])?;
            node.unsigned().filter(|physical| *physical != 0 && node.points_to.is_some())
        };
        let list = pointer("CLB").map(|physical| {
            let area = reader.area(physical, slots * HEADER_SIZE as u64);
            let memory = Reader { memory: reader.memory, room: 0 };
            reader.entries(&area, "slot", HEADER_SIZE, |index, header| {
                slot(&memory, index, header, outstanding >> index & 1 == 1)
            })
        });
        let received = pointer("FB").map(|physical| received(reader, physical));
        if let Some(state) = &state {
            let list = list.as_deref().unwrap_or_default();
            findings.extend(outstanding_commands(&block.name, state, list));
        }
        for (name, nodes) in [("CLB", list), ("FB", received)] {
            if let Some(register) = block.children.iter_mut().find(|node| node.name == name) {
                register.children.extend(nodes.unwrap_or_default());
            }
        }
    }
    decoded.findings.extend(findings);
    decoded.sort();
}

/// The commands of a port that its device has not completed.
fn outstanding_commands(block: &str, port: &Port, slots: &[Node]) -> Option<Finding> {
    let is_outstanding =
        |slot: &&Node| slot.meaning.as_ref().is_some_and(|words| words.ends_with(", outstanding"));
    let mut open: Vec<String> = slots.iter().filter(is_outstanding).map(words).collect();
    let more = open.len().saturating_sub(4);
    open.truncate(4);
    if open.is_empty() {
        return None;
    }
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(Finding {
        severity: if port.is_stuck { Severity::Warning } else { Severity::Info },
        text: format!("{block}: not completed: {}{more}", open.join(", ")),
        advice: Some(
            "This is what the disk was asked for when the kernel crashed. Usual on a busy disk; \
             one that is busy or has reported an error did not answer it."
                .to_owned(),
        ),
        source: "AHCI 1.3.1, 4.2.2 (command list)".to_owned(),
        values: vec![(format!("{block}.CI"), port.issued), (format!("{block}.SACT"), port.active)],
        points_to: None,
    })
}
