// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Configuration space: field by field against lspci, what is abnormal, and bytes that
//! nobody should trust.

use std::fmt::Write;
use std::process::Command;

use decode::model::{Decoded, Node, Value};
use profile::Library;
use proptest::prelude::*;
use synth::{Config, configs};

/// Numbers that look random and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut next = || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 32) as u8
        };
        (0..length).map(|_| next()).collect()
    }
}

/// What is in a function that has everything, from `bytes`; where AER and DPC are, too.
fn everything(kind: u8, bytes: &mut dyn FnMut(usize) -> Vec<u8>) -> (Config, usize, usize) {
    let layout = u8::from(matches!(kind, 4..=6));
    let mut status = bytes(4);
    status[2] |= 0x10;
    let mut config = Config::new(layout, if layout == 1 { 0x0604 } else { 0x0200 })
        .put(4, &status)
        .put(0x1e, &bytes(2))
        .put(0x3e, &bytes(2));
    let mut express = bytes(0x3a);
    express[0] = kind << 4 | 2;
    for (id, body) in [(1, bytes(6)), (5, bytes(0x16)), (0x11, bytes(10)), (0x10, express)] {
        config = config.capability(id, &body);
    }
    // lspci 3.9 crashes on a type of CXL memory that it does not know: no memory.
    let cxl = [&[0x98, 0x1e, 0x81, 0x03, 0, 0][..], &bytes(10), &[0; 0x24]].concat();
    let (mut aer, mut dpc) = (0, 0);
    for (id, body) in [
        (1, bytes(0x44)),
        (0x1d, bytes(0x3c)),
        (0x19, bytes(0x4c)),
        (0x0f, bytes(4)),
        (0x13, bytes(12)),
        (0x1b, bytes(4)),
        (0x10, bytes(0x3c)),
        (0x0d, bytes(8)),
        (0x18, bytes(4)),
        (0x23, cxl),
        (0x0e, bytes(4)),
        (0x1e, bytes(12)),
        (0x1f, bytes(8)),
        (0x2e, bytes(0x14)),
        (3, bytes(8)),
    ] {
        let at;
        (config, at) = config.extended(id, &body);
        match id {
            1 => aer = at,
            0x1d => dpc = at,
            _ => {}
        }
    }
    (config, aer, dpc)
}

const KINDS: [u8; 6] = [0, 1, 4, 5, 6, 9];

/// Spaces that have one bit of AER or DPC each, and spaces of random numbers.
fn spaces() -> Vec<Vec<u8>> {
    let mut spaces = Vec::new();
    for kind in [0, 4] {
        let (config, aer, dpc) = everything(kind, &mut |length| vec![0; length]);
        let bits = (aer + 4..aer + 0x48).chain(dpc + 4..dpc + 0x0c);
        for byte in bits {
            spaces.extend((0..8).map(|bit| config.clone().put(byte, &[1 << bit]).bytes));
        }
    }
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    for _ in 0..40 {
        for kind in KINDS {
            spaces.push(everything(kind, &mut |length| numbers.bytes(length)).0.bytes);
        }
    }
    spaces
}

fn dump(spaces: &[Vec<u8>]) -> Vec<u8> {
    let slots = spaces.iter().enumerate();
    configs(slots.map(|(index, bytes)| ((index >> 8) as u8, index as u8, &bytes[..])))
        .bytes()
        .to_vec()
}

/// What lspci prints of a dump.
fn lspci(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), decode::pci::lspci(bytes)).unwrap();
    let output = Command::new("lspci").arg("-F").arg(file.path()).arg("-vvv").output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// What is between a word of a line and the next blank or comma, in this radix, is this
/// field of this register.
const NUMBERS: &[(&str, &str, u32, &[&str])] = &[
    ("Bus", "primary=", 16, &["primary"]),
    ("Bus", "secondary=", 16, &["secondary"]),
    ("LnkCap", "Port #", 10, &["LnkCap", "Port"]),
    ("LnkCap", "Width x", 10, &["LnkCap", "Width"]),
    ("LnkSta", "Width x", 10, &["LnkSta", "Width"]),
    ("SltCap", "Slot #", 10, &["SltCap", "Slot"]),
    ("RootSta", "ReqID ", 16, &["RootSta", "PMEReqID"]),
    ("AERCap", "First Error Pointer: ", 16, &["AERCap", "First"]),
    ("ErrorSrc", "ERR_COR: ", 16, &["ErrorSrc", "ERR_COR"]),
    ("ErrorSrc", "ERR_FATAL/NONFATAL: ", 16, &["ErrorSrc", "ERR_FATAL/NONFATAL"]),
    ("DpcCap", "INT Msg #", 10, &["DpcCap", "INTMsg"]),
    ("DpcCap", "RP PIO Log ", 10, &["DpcCap", "PIOLog"]),
    ("DpcCtl", "Trigger:", 10, &["DpcCtl", "TriggerEnable"]),
    ("DpcSta", "Reason:", 10, &["DpcSta", "Reason"]),
    ("DpcSta", "TriggerExt:", 10, &["DpcSta", "TriggerExt"]),
    ("DpcSta", "ErrPtr:", 16, &["DpcSta", "PIOFirst"]),
    ("Source", "Source:\t", 16, &["Source"]),
    ("ATSCap", "Depth: ", 16, &["ATSCap", "InvalidateQueueDepth"]),
    ("ATSCtl", "Unit: ", 16, &["ATSCtl", "SmallestTranslationUnit"]),
    ("PASIDCap", "Width: ", 16, &["PASIDCap", "MaxWidth"]),
    ("Page Request Capacity", "Capacity: ", 16, &["Capacity"]),
    ("Page Request Capacity", "Allocation: ", 16, &["Allocation"]),
    ("Initial VFs", "Initial VFs: ", 10, &["InitialVFs"]),
    ("Initial VFs", "Total VFs: ", 10, &["TotalVFs"]),
    ("Initial VFs", "Number of VFs: ", 10, &["NumVFs"]),
    ("VF offset", "offset: ", 10, &["VFOffset"]),
    ("VF offset", "stride: ", 10, &["VFStride"]),
    ("VF offset", "Device ID: ", 16, &["VFDevice"]),
    ("ARICap", "Next Function: ", 10, &["ARICap", "NextFunction"]),
    ("ARICtl", "Function Group: ", 10, &["ARICtl", "FunctionGroup"]),
    ("CXLCap", "HDMCount ", 10, &["CXLCap", "HDMCount"]),
];

/// The same of what a value means.
const MEANINGS: &[(&str, &str, &[&str])] = &[
    ("LnkCap", "Speed ", &["LnkCap", "Speed"]),
    ("LnkSta", "Speed ", &["LnkSta", "Speed"]),
    ("MSI-X", "Count=", &["MSI-X", "Count"]),
    ("DevCap", "MaxPayload ", &["DevCap", "MaxPayload"]),
    ("DevCtl", "MaxPayload ", &["DevCtl", "MaxPayload"]),
    ("DevCtl", "MaxReadReq ", &["DevCtl", "MaxReadReq"]),
    ("SltCtl", "AttnInd ", &["SltCtl", "AttnInd"]),
    ("LnkCtl2", "Target Link Speed: ", &["LnkCtl2", "TargetSpeed"]),
];

/// The field of ours that lspci calls `token` in the register `label`.
fn field(label: &str, part: &str, token: &str) -> String {
    match (label, part, token) {
        ("SltSta", "Changed", "MRL" | "PresDet") => format!("{token}Changed"),
        ("CXLCap", _, "Init") => "Mem HW Init".to_owned(),
        ("CXLCtl", _, "Clean") => "Cache Clean".to_owned(),
        _ => token.to_owned(),
    }
}

fn after<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(word)?;
    rest.split([' ', ',', '\n']).next()
}

/// Compares all that lspci says of a function with ours; gives how many fields.
fn compare(text: &str, ours: &Decoded) -> usize {
    let mut count = 0;
    let mut capability = ours.nodes.iter().find(|node| node.name == "Header").unwrap();
    let (mut label, mut part) = (String::new(), String::new());
    for line in text.lines().skip(1) {
        let context = || format!("{:?} {line}", ours.slot);
        if let Some(rest) = line.strip_prefix("\tCapabilities: [") {
            let (at, rest) = rest.split_once("] ").unwrap();
            let at = u64::from_str_radix(at.split(' ').next().unwrap(), 16).unwrap();
            let is_it = |node: &&Node| node.address == Some(at) && node.name != "Header";
            capability = ours.nodes.iter().find(is_it).unwrap_or_else(|| panic!("{}", context()));
            let name = rest.split(&[' ', ':'][..]).next().unwrap();
            label = if name == "Express" { "Flags".to_owned() } else { name.to_owned() };
            let title = capability.title.as_deref().unwrap();
            assert!(rest.starts_with(title), "{title}: {}", context());
        } else if !line.starts_with("\t\t\t")
            && let Some((name, _)) = line.split_once(':')
        {
            label = match name.trim() {
                range @ ("Range1" | "Range2") => format!("{range}SizeLow"),
                name => name.to_owned(),
            };
            part.clear();
        }
        let find = |path: &[&str]| capability.find(path);
        let mut is_pme = false;
        for token in line.split([' ', '\t', ',', ';']) {
            if let Some(name) = token.strip_suffix(':') {
                part = name.to_owned();
            }
            // D1 and D2 are there twice: as states, and as states that can send PME.
            is_pme |= token.starts_with("PME(");
            let token = token.trim_start_matches("PME(").trim_matches(&['(', ')'][..]);
            let (name, set) = match (token.strip_suffix('+'), token.strip_suffix('-')) {
                (Some(name), _) if !name.is_empty() => (name, 1),
                (_, Some(name)) if !name.is_empty() => (name, 0),
                _ => continue,
            };
            let name = match (is_pme, name.trim_end_matches(':')) {
                (true, name) => format!("PME.{name}"),
                (false, name) => field(&label, &part, name),
            };
            // lspci 3.9 takes bits 0 and 1 for it, the specification and Linux bit 2.
            if label == "DOESta" && name == "Error" {
                continue;
            }
            // The bit says B2 or, where it is clear, B3.
            let (name, set) = if name == "B3" { ("B2".to_owned(), 1 - set) } else { (name, set) };
            let value = find(&[&label, &name]).and_then(Node::unsigned);
            assert_eq!(value, Some(set), "{label} {name}: {}", context());
            count += 1;
        }
        for (_, word, radix, path) in NUMBERS.iter().filter(|(of, ..)| *of == label) {
            let Some(number) = after(line, word) else { continue };
            let number =
                u64::from_str_radix(number, *radix).unwrap_or_else(|_| panic!("{}", context()));
            let value = find(path).and_then(Node::unsigned);
            assert_eq!(value, Some(number), "{path:?} {}", context());
            count += 1;
        }
        for (_, word, path) in MEANINGS.iter().filter(|(of, ..)| *of == label) {
            let Some(meaning) =
                after(line, word).filter(|m| !m.to_lowercase().starts_with("unknown"))
            else {
                continue;
            };
            // A port with one speed has 0 for it.
            if label == "LnkCtl2" && find(path).and_then(Node::unsigned) == Some(0) {
                continue;
            }
            let ours = find(path).and_then(|node| node.meaning.clone()).unwrap_or_default();
            assert_eq!(ours.split(' ').next(), Some(meaning), "{path:?} {}", context());
            count += 1;
        }
        if let Some((_, words)) = line.split_once("HeaderLog: ") {
            let ours = find(&["HeaderLog"]).and_then(|node| node.meaning.as_deref());
            // There is none where it was logged in flit mode, which lspci does not know.
            let flit = find(&["AERCap", "FlitModeLog"]).and_then(Node::unsigned);
            assert_eq!(ours.is_none(), flit == Some(1));
            assert!(
                ours.is_none_or(|ours| ours.starts_with(words.trim())),
                "{ours:?} {}",
                context()
            );
            count += 1;
        }
    }
    count
}

/// What the configuration spaces in the register dump `bytes` say.
fn pci_of(bytes: &[u8]) -> Vec<Decoded> {
    decode::decode("pci-config", bytes, &mut Library::empty()).collect()
}

#[test]
fn every_field_is_as_lspci_has_it() {
    let (mut count, mut functions) = (0, 0);
    for spaces in spaces().chunks(100) {
        let bytes = dump(spaces);
        let ours = pci_of(&bytes);
        let theirs = lspci(&bytes);
        let theirs: Vec<&str> = theirs.trim().split("\n\n").collect();
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            let slot = ours.slot.as_deref().unwrap().trim_start_matches("0000:");
            assert!(theirs.starts_with(slot), "{slot}: {theirs}");
            count += compare(theirs, ours);
            functions += 1;
        }
    }
    println!("{count} fields of {functions} functions are as lspci has them");
    assert!(count > 200 * functions);
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A root port at 00:1c.0 that received a fatal message from the card at 01:00.0, which has
/// got a malformed write.
fn malformed() -> Vec<u8> {
    let express = |kind: u8, status: u8| {
        let mut body = vec![0; 0x3a];
        body[0] = kind << 4 | 2;
        body[8] = status;
        // 8 GT/s on four lanes of eight.
        body[0x0a..0x0e].copy_from_slice(&[0x83, 0, 0, 0]);
        body[0x10..0x12].copy_from_slice(&[0x43, 0]);
        body
    };
    let mut aer = [0; 13];
    aer[11..].copy_from_slice(&[0b101_0100, 0x0100_0000]);
    let (port, _) =
        Config::new(1, 0x0604).capability(0x10, &express(4, 0)).extended(1, &words(&aer));
    let (port, _) = port.extended(0x1d, &[0, 0, 1, 0, 5, 0, 0, 1]);
    let log = [1 << 18, 0, 1 << 18, 0, 0, 18, 0x6000_0001, 0x0200_aa0f, 0x12, 0x3456_7890];
    let (card, _) = Config::new(0, 0x0200)
        .capability(1, &[3, 0, 0, 0, 0, 0])
        .capability(0x10, &express(0, 4))
        .extended(1, &words(&log));
    configs([(0, 0xe0, &port.bytes[..]), (1, 0, &card.bytes[..])]).bytes().to_vec()
}

#[test]
fn a_malformed_packet_is_reported_by_its_card_and_its_port() {
    let mut text = String::new();
    for decoded in pci_of(&malformed()) {
        let slot = decoded.slot.unwrap();
        writeln!(text, "{slot} {}: {}", decoded.title, decoded.headline.unwrap()).unwrap();
        for finding in decoded.findings {
            let to = finding.points_to.map(|to| format!(" -> {to}")).unwrap_or_default();
            let severity = finding.severity.word();
            writeln!(text, "  {severity} {}{to} ({})", finding.text, finding.source).unwrap();
        }
        assert!(decoded.missing.is_empty());
    }
    insta::assert_snapshot!(text);
}

/// The names and reasons of what is missing of one space.
fn missing(space: &[u8]) -> Vec<String> {
    let decoded = pci_of(configs([(0, 0, space)]).bytes());
    let missing = decoded[0].missing.iter();
    missing.map(|missing| format!("{}: {}", missing.what, missing.why)).collect()
}

#[test]
fn lists_that_go_in_circles_end() {
    let own = Config::new(0, 0x0200).put(0x34, &[0x40]).put(0x40, &[1, 0x40]).bytes;
    assert_eq!(missing(&own), ["capabilities from 0x40 on: the list goes in a circle"]);
    let own =
        Config::new(0, 0x0200).put(0x100, &[1, 0, 1, 0x20]).put(0x200, &[3, 0, 1, 0x10]).bytes;
    assert_eq!(missing(&own), ["capabilities from 0x100 on: the list goes in a circle"]);
    let ones = Config::new(0, 0x0200).put(0x34, &[0x40]).put(0x40, &[0xff; 16]).bytes;
    assert_eq!(missing(&ones), ["the capability at 0x40: it has all ones"]);
}

#[test]
fn a_short_space_has_what_it_has() {
    let space = Config::new(0, 0x0200).capability(1, &[3, 0, 3, 0, 0, 0]).bytes;
    assert_eq!(missing(&space[..256]), [""; 0]);
    assert_eq!(missing(&space[..64]), ["the capability at 0x40: it was not read"]);
    let decoded = pci_of(configs([(0, 0, &space[..256])]).bytes());
    assert_eq!(decoded[0].headline.as_deref(), Some("D3"));
    assert_eq!(decode::pci::lspci(configs([(0, 0, &space[..256])]).bytes()).lines().count(), 18);
}

#[test]
fn a_function_with_all_ones_does_not_answer() {
    let decoded = pci_of(configs([(0, 0, &[0xff; 4096][..])]).bytes());
    let texts: Vec<&str> = decoded[0].findings.iter().map(|found| found.text.as_str()).collect();
    assert_eq!(texts, ["the function does not answer"]);
    // A virtual function has only its ids as ones.
    let space = Config::new(0, 0x0200).put(0, &[0xff; 4]).bytes;
    assert!(pci_of(configs([(0, 0, &space[..])]).bytes())[0].findings.is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_decoded(seed: u64, changes in proptest::collection::vec((0..4096_usize, any::<u8>()), 0..64), cut: prop::sample::Index) {
        let mut numbers = Numbers(seed | 1);
        let (mut config, ..) = everything(KINDS[seed as usize % 6], &mut |length| numbers.bytes(length));
        for (at, byte) in changes {
            config = config.put(at, &[byte]);
        }
        let whole = dump(&[config.bytes]);
        let bytes = &whole[..cut.index(whole.len() + 1)];
        for decoded in pci_of(bytes) {
            for node in decoded.nodes.iter().flat_map(|node| &node.children) {
                prop_assert!(node.place.as_ref().is_none_or(|place| place.end <= bytes.len() as u64));
                prop_assert_eq!(node.place.is_none(), matches!(node.value, Some(Value::Unknown(_))));
            }
        }
        prop_assert!(decode::pci::lspci(bytes).is_ascii());
    }
}
