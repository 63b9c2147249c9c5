// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Configuration space of PCI and PCI Express functions.
//!
//! Sources: PCI Express Base Specification 5.0, chapter 7; PCI Local Bus Specification 3.0,
//! chapter 6; Compute Express Link 2.0, section 8.1; linux include/uapi/linux/pci_regs.h.

mod findings;
mod names;
mod space;
mod tables;
mod tlp;

pub use space::lspci;

use std::collections::BTreeSet;

use profile::Device;

use crate::fields::known_word;
use crate::model::{Decoded, Missing, Node, Value};
use names::{class_name, find, id_name, number};
use space::{Function, SIZE};
use tables::{Capability, Field, Register, Words};

/// How many capabilities a function has at most. Those of a list that does not go in
/// circles could be 48 and 960, but then they overlap.
const CAPABILITIES_MAX: usize = 160;
/// How many nodes a function has at most; one that has everything has 700.
const FUNCTION_NODES_MAX: usize = 1 << 13;
/// How many bytes of a capability without a decoder are shown.
const SHOWN: usize = 64;

/// Whether the registers of `device` are its configuration space and nothing else.
#[must_use]
pub fn is_whole_device(device: &Device<'_>) -> bool {
    profile::text(&device.about.profile) == "pcie-config"
}

/// What the configuration space of the PCI function `device` says; `known` are the slots of
/// those functions that are in the same dump.
#[must_use]
pub fn decode(device: &Device<'_>, known: &BTreeSet<String>) -> Decoded {
    let mut room = FUNCTION_NODES_MAX;
    let mut decoded = of_function(&Function::new(device), known, &mut room);
    decoded.sort();
    decoded
}

fn of_function(function: &Function<'_>, known: &BTreeSet<String>, room: &mut usize) -> Decoded {
    let about = &function.about;
    let read = |at| function.read(at, 2);
    let class = read(0x0a).filter(|class| *class != 0xffff).unwrap_or((about.class >> 8).into());
    let mut decoded = Decoded {
        title: format!("{} {:04x}:{:04x}", class_name(class), about.vendor, about.device),
        slot: Some(function.name()),
        missing: function.missing.clone(),
        ..Decoded::default()
    };
    if function.end_of_read() == 0 {
        return decoded;
    }
    let mut walk = Walk { function, room, decoded: &mut decoded };
    walk.header();
    // All ones have no lists of capabilities.
    let is_dead = findings::is_dead(&walk.decoded.nodes);
    if !is_dead {
        walk.capabilities();
        walk.extended();
    }
    findings::of_function(&mut decoded, function);
    findings::of_others(&mut decoded, function, known);
    if *room < 64 {
        let why = "they are more than are decoded".to_owned();
        decoded.missing.push(Missing { what: "some values".to_owned(), why });
    }
    decoded.headline = headline(&decoded.nodes);
    decoded
}

/// Its state of power and its link in a line.
fn headline(nodes: &[Node]) -> Option<String> {
    let meaning = |path: &[&str]| find(nodes, path)?.meaning.clone();
    let mut parts = Vec::new();
    parts.extend(meaning(&["Express", "Flags", "Type"]));
    parts.extend(meaning(&["PM", "Status", "State"]));
    if let Some(speed) = meaning(&["Express", "LnkSta", "Speed"]) {
        parts.push(format!("{speed} x{}", number(nodes, &["Express", "LnkSta", "Width"])?));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Decodes one function.
struct Walk<'a, 'b> {
    function: &'a Function<'b>,
    room: &'a mut usize,
    decoded: &'a mut Decoded,
}

impl Walk<'_, '_> {
    fn missing(&mut self, what: String, why: &str) {
        self.decoded.missing.push(Missing { what, why: why.to_owned() });
    }

    fn registers(&mut self, base: usize, registers: &'static [Register]) -> Vec<Node> {
        let mut nodes = Vec::new();
        for register in registers {
            let taken = 1 + register.fields.len();
            if *self.room < taken {
                break;
            }
            *self.room -= taken;
            nodes.push(of_register(self.function, base, register));
        }
        nodes
    }

    fn header(&mut self) {
        let mut children = self.registers(0, tables::HEADER);
        let rest = match self.function.read(0x0e, 1).map(|layout| layout & 0x7f) {
            Some(0) => tables::DEVICE,
            Some(1) => tables::BRIDGE,
            _ => &[],
        };
        children.extend(self.registers(0, rest));
        self.decoded.nodes.push(Node { address: Some(0), children, ..Node::group("Header") });
    }

    /// The capabilities in the first 256 bytes.
    fn capabilities(&mut self) {
        let has_list = self.function.read(6, 2).is_some_and(|status| status & 1 << 4 != 0);
        let pointer = match self.function.read(0x0e, 1).map(|layout| layout & 0x7f) {
            Some(2) => 0x14,
            _ => 0x34,
        };
        let mut next = self.function.read(pointer, 1).filter(|_| has_list).unwrap_or(0);
        let mut seen = [false; 64];
        while next & !3 != 0 {
            let at = (next & 0xfc) as usize;
            if !self.is_new(&mut seen, at) {
                return;
            }
            let Some(head) = self.function.read(at, 2) else {
                return self.missing(format!("the capability at {at:#x}"), "it was not read");
            };
            if head == 0xffff {
                return self.missing(format!("the capability at {at:#x}"), "it has all ones");
            }
            next = head >> 8;
            self.capability(at, head & 0xff, tables::CAPABILITIES);
        }
    }

    /// Those from 0x100 on.
    fn extended(&mut self) {
        let mut seen = [false; SIZE / 4];
        let mut next = 0x100;
        while next >= 0x100 {
            if !self.is_new(&mut seen, next) {
                return;
            }
            let Some(head) = self.function.read(next, 4) else {
                // A function may have only 256 bytes.
                if next != 0x100 {
                    self.missing(format!("the capability at {next:#x}"), "it was not read");
                }
                return;
            };
            match head {
                0 if next == 0x100 => return,
                0xffff_ffff if next == 0x100 => return,
                0xffff_ffff => {
                    return self.missing(format!("the capability at {next:#x}"), "it has all ones");
                }
                _ => {}
            }
            // The first one may be there only for the list.
            if head & 0xffff != 0 {
                self.capability(next, head & 0xffff, tables::EXTENDED);
            }
            next = (head >> 20 & 0xffc) as usize;
        }
    }

    /// Whether a capability at `at` is one that was not seen yet.
    fn is_new(&mut self, seen: &mut [bool], at: usize) -> bool {
        let what = || format!("capabilities from {at:#x} on");
        let count = seen.iter().filter(|seen| **seen).count();
        match seen.get_mut(at / 4) {
            Some(false) if count >= CAPABILITIES_MAX => {
                self.missing(what(), "they are more than are decoded");
                false
            }
            Some(seen @ false) => {
                *seen = true;
                true
            }
            _ => {
                self.missing(what(), "the list goes in a circle");
                false
            }
        }
    }

    fn capability(&mut self, at: usize, id: u64, table: &'static [Capability]) {
        let known = table.iter().find(|capability| capability.id == id);
        let name = match known {
            Some(capability) => capability.name.to_owned(),
            None if at < 0x100 => format!("Capability {id:#04x}"),
            None => format!("Extended capability {id:#06x}"),
        };
        let is_it = |node: &&Node| {
            node.name
                .strip_prefix(&name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
        };
        let count = self.decoded.nodes.iter().filter(is_it).count();
        let name = if count == 0 { name } else { format!("{name}[{count}]") };
        let mut children = Vec::new();
        if let Some(capability) = known {
            children = self.registers(at, capability.registers);
            for more in more_registers(self.function, at, capability.name) {
                children.extend(self.registers(at, more));
            }
            self.special(at, capability.name, &mut children);
        }
        if children.is_empty() {
            let end = (at + SHOWN).min(self.function.end_of_read());
            let bytes: Vec<u64> = (at..end).map_while(|byte| self.function.read(byte, 1)).collect();
            let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let place = self.function.place(at, bytes.len());
            let value = Some(Value::Bytes);
            children.push(Node { value, place, ..Node::group("Bytes") }.meaning(hex.join(" ")));
            *self.room = self.room.saturating_sub(1);
        }
        let title = known.map(|capability| capability.title.to_owned());
        let address = Some(at as u64);
        *self.room = self.room.saturating_sub(1);
        self.decoded.nodes.push(Node { title, address, children, ..Node::group(name) });
    }

    /// What is not in the form of a register.
    fn special(&mut self, at: usize, name: &str, children: &mut Vec<Node>) {
        let function = self.function;
        let read = |offset: usize, size| function.read(at + offset, size);
        let mut log = |name: &str, offset: usize| {
            let word = |index: usize| read(offset + 4 * index, 4);
            if let [Some(a), Some(b), Some(c), Some(d)] = [0, 1, 2, 3].map(word) {
                let (node, _) = tlp::decode(name, [a, b, c, d], function.place(at + offset, 16));
                *self.room = self.room.saturating_sub(1 + node.children.len());
                children.push(node);
            }
        };
        match name {
            // A log of a TLP in flit mode has another form.
            "AER" if read(0x18, 4).is_some_and(|capability| capability & 1 << 18 == 0) => {
                log("HeaderLog", 0x1c);
            }
            "DPC" => {
                let capability = read(4, 2).unwrap_or(0);
                if capability & 1 << 5 != 0 && capability >> 8 & 15 >= 4 {
                    log("PIOHeaderLog", 0x20);
                }
            }
            "SecPCIe" => {
                // A lane has 16 bits of presets.
                let width = number(&self.decoded.nodes, &["Express", "LnkCap", "Width"]);
                for lane in 0..width.unwrap_or(0).min(32) as usize {
                    let Some(value) = read(0x0c + 2 * lane, 2) else { break };
                    let value = Some(Value::Unsigned(value));
                    let place = function.place(at + 0x0c + 2 * lane, 2);
                    let name = format!("LaneEqu[{lane}]");
                    children.push(Node { value, place, ..Node::group(name) });
                    *self.room = self.room.saturating_sub(1);
                }
            }
            _ => {}
        }
    }
}

/// The registers of a capability that only some functions have.
fn more_registers(function: &Function<'_>, at: usize, name: &str) -> Vec<&'static [Register]> {
    let read = |offset, size| function.read(at + offset, size).unwrap_or(0);
    let mut more: Vec<&'static [Register]> = Vec::new();
    let mut add = |is: bool, registers| {
        if is {
            more.push(registers);
        }
    };
    match name {
        "MSI" => {
            let control = read(2, 2);
            let (is_wide, has_mask) = (control & 1 << 7 != 0, control & 1 << 8 != 0);
            add(!is_wide, tables::MSI32);
            add(is_wide, tables::MSI64);
            add(has_mask && !is_wide, tables::MSI32_MASK);
            add(has_mask && is_wide, tables::MSI64_MASK);
        }
        "Express" => {
            let flags = read(2, 2);
            let (version, kind) = (flags & 15, flags >> 4 & 15);
            // What is inside of the root complex has no link.
            let has_link = kind != 9 && kind != 10;
            add(has_link, tables::LINK);
            add(matches!(kind, 4 | 6) && flags & 1 << 8 != 0, tables::SLOT);
            add(matches!(kind, 4 | 10), tables::ROOT);
            add(version >= 2, tables::DEVICE2);
            add(version >= 2 && has_link, tables::LINK2);
        }
        "AER" => {
            add(findings::has_root(function), tables::AER_ROOT);
            add(read(0x18, 4) & 1 << 11 != 0, tables::PREFIXES);
        }
        "DPC" => add(read(4, 2) & 1 << 5 != 0, tables::DPC_ROOT),
        "DVSEC" => add(read(4, 2) == 0x1e98 && read(8, 2) == 0, tables::CXL),
        _ => {}
    }
    more
}

fn of_register(function: &Function<'_>, base: usize, register: &'static Register) -> Node {
    let at = base + register.at;
    let value = function.read(at, register.size);
    let bits = 8 * register.size as u32;
    Node {
        value: Some(match value {
            Some(value) => Value::Unsigned(value),
            None => Value::Unknown("it was not read".to_owned()),
        }),
        place: function.place(at, register.size),
        bits: Some((0, bits - 1)),
        address: Some(at as u64),
        children: match value {
            Some(value) => register.fields.iter().map(|field| of_field(field, value)).collect(),
            None => Vec::new(),
        },
        ..Node::group(register.name)
    }
}

fn of_field(field: &Field, register: u64) -> Node {
    let value = register >> field.low & (u64::MAX >> (63 - (field.high - field.low)));
    let meaning = match field.words {
        Words::None => None,
        Words::List(words) => known_word(words, value).map(str::to_owned),
        Words::Payload => Some(format!("{} bytes", 128 << value)),
        Words::Function => Some(id_name(value)),
        Words::Power => Some((1 << value).to_string()),
        Words::LessOne => Some((value + 1).to_string()),
    };
    Node {
        value: Some(Value::Unsigned(value)),
        meaning,
        bits: Some((field.low, field.high)),
        ..Node::group(field.name)
    }
}
