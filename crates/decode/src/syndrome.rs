// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What crashes with the same fault of hardware have in common.
//!
//! A syndrome is made of findings: for each decoder, the names of the fields that they follow
//! from and that are not zero, such as `nvme: CSTS.CFS | pcie: AER.UESta.CmpltTO`. It names no
//! device, so that crashes of many machines can be compared; and of values that differ each
//! time it has no more than the name.
//!
//! The coarse one is of errors alone. The fine one has warnings too, and the values of codes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::{Behaviour, Decoded, Finding, Node, Severity};

/// The version of the rules by which syndromes are made: those of different versions cannot be
/// compared. Profiles have versions of their own.
pub const SYNDROME_VERSION: u32 = 1;

/// How many names of one decoder there are at most, and how many decoders: the first ones in
/// their order, so that it does not matter which was found first.
const NAMES_MAX: usize = 64;
const DECODERS_MAX: usize = 64;
/// How long a name is at most, in bytes.
const NAME_MAX: usize = 80;

/// Decoders whose findings are of any time, not of the crash: a management controller's log
/// goes back years. What logs of kernels say is in the signature of the panic.
const OF_ANY_TIME: [&str; 3] = ["log", "sdr", "sel"];
/// The fields of the status of a machine-check bank that say what failed; the others say which
/// of its registers are valid.
const OF_BANK: [&str; 5] = ["UC", "PCC", "OVER", "MCACOD", "MSCOD"];

/// The syndrome of what was added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Syndrome {
    coarse: Names,
    fine: Names,
}

/// The names of each decoder.
type Names = BTreeMap<String, BTreeSet<String>>;

impl Syndrome {
    /// Adds what `decoded`, with its nodes, says.
    pub fn add(&mut self, decoded: &Decoded) {
        if OF_ANY_TIME.contains(&decoded.decoder.as_str()) {
            return;
        }
        let findings = decoded.findings.iter();
        let mut findings = findings.filter(|found| found.severity >= Severity::Warning).peekable();
        if findings.peek().is_none() {
            return;
        }
        let nodes = by_name(&decoded.nodes);
        for finding in findings {
            let decoder = decoder(decoded, finding);
            for (coarse, fine) in names(finding, &nodes, &decoder) {
                if finding.severity >= Severity::Error {
                    insert(&mut self.coarse, &decoder, coarse);
                }
                insert(&mut self.fine, &decoder, fine);
            }
        }
    }

    /// Decoders and names of errors, as `nvme: CSTS.CFS | pcie: AER.UESta.CmpltTO`; empty
    /// where there are none.
    #[must_use]
    pub fn coarse(&self) -> String {
        shown(&self.coarse)
    }

    /// The same with those of warnings, and with the values of codes, as
    /// `mca: bank.STATUS.MCACOD=0x135`.
    #[must_use]
    pub fn fine(&self) -> String {
        shown(&self.fine)
    }
}

fn insert(names: &mut Names, decoder: &str, name: String) {
    let of_it = names.entry(decoder.to_owned()).or_default();
    of_it.insert(name);
    if of_it.len() > NAMES_MAX {
        of_it.pop_last();
    }
    if names.len() > DECODERS_MAX {
        names.pop_last();
    }
}

fn shown(names: &Names) -> String {
    let of_decoder = |(decoder, names): (&String, &BTreeSet<String>)| {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        format!("{decoder}: {}", names.join(","))
    };
    names.iter().map(of_decoder).collect::<Vec<_>>().join(" | ")
}

/// What has the finding: configuration space is in dumps of every kind of device.
fn decoder(decoded: &Decoded, finding: &Finding) -> String {
    if finding.source.starts_with("PCI Express ") {
        return "pcie".to_owned();
    }
    fit(&decoded.decoder)
}

/// Each register, by its name. Blocks of one kind have registers of one kind.
fn by_name(nodes: &[Node]) -> HashMap<&str, &Node> {
    let all = nodes.iter().chain(nodes.iter().flat_map(|block| &block.children));
    all.map(|node| (node.name.as_str(), node)).collect()
}

/// The names that a finding follows from, coarse and fine.
fn names(finding: &Finding, nodes: &HashMap<&str, &Node>, decoder: &str) -> Vec<(String, String)> {
    // A register whose field is there says nothing more.
    let has_field = |path: &str| {
        let is_field =
            |other: &str| other.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        finding.values.iter().any(|(other, _)| is_field(other))
    };
    let mut names = Vec::new();
    for (path, value) in &finding.values {
        if *value == 0 || has_field(path) {
            continue;
        }
        let node = find(nodes, path);
        let name = without_numbers(path);
        match node {
            Some(node) if decoder == "mca" && node.name == "STATUS" => {
                let fields = node.children.iter();
                let fields = fields.filter(|field| OF_BANK.contains(&field.name.as_str()));
                names.extend(fields.filter_map(|field| {
                    let value = field.unsigned().filter(|value| *value != 0)?;
                    of_value(&format!("{name}.{}", field.name), value, Some(field))
                }));
            }
            node => names.extend(of_value(&name, *value, node)),
        }
    }
    // What does not answer has no values, and is a fault.
    if names.is_empty() && finding.values.is_empty() {
        let words = finding.text.split(':').next().unwrap_or_default();
        let words = fit(&words.replace(' ', "-"));
        names.push((words.clone(), words));
    }
    names
}

/// The name alone, and with the value, where that is a code; nothing where it is an address.
fn of_value(name: &str, value: u64, node: Option<&Node>) -> Option<(String, String)> {
    let last = name.rsplit('.').next().unwrap_or_default();
    if node.is_some_and(|node| node.points_to.is_some()) || is_address(last) {
        return None;
    }
    let is_flag = node.and_then(|node| node.bits).map_or(value == 1, |(low, high)| low == high);
    let is_code = !is_flag && node.is_none_or(|node| node.behaviour == Behaviour::Stable);
    let name = fit(name);
    let fine = if is_code { format!("{name}={value:#x}") } else { name.clone() };
    Some((name, fine))
}

/// Whether what has this name differs with where something is: `PHYSICAL_ADDRESS`, `ADDR`, and
/// what a machine-check bank has with it.
fn is_address(name: &str) -> bool {
    name.to_ascii_uppercase().contains("ADDR") || matches!(name, "MISC" | "SYND" | "IPID")
}

fn find<'a>(nodes: &HashMap<&str, &'a Node>, path: &str) -> Option<&'a Node> {
    let mut names = path.split('.');
    let first = nodes.get(names.next()?)?;
    let rest: Vec<_> = names.collect();
    first.find(&rest)
}

/// The path without which of several it is: `bank 9.STATUS` and `port[3].STATUS` are those of
/// any bank and port.
fn without_numbers(path: &str) -> String {
    let of_part = |part: &str| {
        let part = part.split('[').next().unwrap_or_default();
        let number = part.rsplit_once(' ').filter(|(_, number)| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        number.map_or(part, |(name, _)| name).to_owned()
    };
    path.split('.').map(of_part).collect::<Vec<_>>().join(".")
}

/// What of a name can stand anywhere, also where it is from a profile or a dump.
fn fit(name: &str) -> String {
    let character = |each: char| match each {
        ' ' => Some('-'),
        _ if each.is_ascii_alphanumeric() || matches!(each, '_' | '-' | '.' | '/') => Some(each),
        _ => None,
    };
    name.chars().filter_map(character).take(NAME_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;

    fn finding(severity: Severity, source: &str, values: &[(&str, u64)]) -> Finding {
        Finding {
            severity,
            text: "it stopped answering: at 0x12".to_owned(),
            advice: None,
            source: source.to_owned(),
            values: values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
            points_to: None,
        }
    }

    fn value(name: &str, value: u64) -> Node {
        Node::value(name, Value::Unsigned(value), 0..8)
    }

    fn syndrome(decoded: &[Decoded]) -> (String, String) {
        let mut syndrome = Syndrome::default();
        decoded.iter().for_each(|decoded| syndrome.add(decoded));
        (syndrome.coarse(), syndrome.fine())
    }

    fn decoded(decoder: &str, findings: Vec<Finding>, nodes: Vec<Node>) -> Decoded {
        Decoded { decoder: decoder.to_owned(), findings, nodes, ..Decoded::default() }
    }

    #[test]
    fn errors_are_named() {
        let flag = |name: &str, bit| Node { bits: Some((bit, bit)), ..value(name, 1) };
        let csts = Node { children: vec![flag("RDY", 0), flag("CFS", 1)], ..value("CSTS", 3) };
        let block = Node { children: vec![csts, value("CODE", 0x21)], ..Node::group("ctrl") };
        let drive = decoded(
            "nvme",
            vec![
                finding(Severity::Fatal, "profile nvme", &[("CSTS", 3), ("CSTS.CFS", 1)]),
                finding(Severity::Error, "PCI Express 5.0, 7.8.4.2", &[("AER.UESta.CmpltTO", 1)]),
                finding(Severity::Error, "profile nvme", &[("CODE", 0x21), ("OTHER", 0)]),
                finding(Severity::Warning, "profile nvme", &[("LINK", 2)]),
                finding(Severity::Info, "profile nvme", &[("FINE", 1)]),
            ],
            vec![block],
        );
        let dead = decoded("mlx5", vec![finding(Severity::Fatal, "register dump", &[])], vec![]);
        let (coarse, fine) = syndrome(&[drive.clone(), dead.clone()]);
        let rest = "nvme: CODE,CSTS.CFS | pcie: AER.UESta.CmpltTO";
        assert_eq!(coarse, format!("mlx5: it-stopped-answering | {rest}"));
        let rest = "nvme: CODE=0x21,CSTS.CFS,LINK=0x2 | pcie: AER.UESta.CmpltTO";
        assert_eq!(fine, format!("mlx5: it-stopped-answering | {rest}"));
        // The order in which they were found does not matter, nor how often.
        let again = syndrome(&[dead, drive.clone(), drive]);
        assert_eq!(again, (coarse, fine));
    }

    #[test]
    fn what_differs_each_time_is_only_named_or_left_out() {
        let counter = Node { behaviour: Behaviour::Counter, ..value("CRCERRS", 1234) };
        let queue = Node { points_to: Some(4096), ..value("ASQ", 0x1000) };
        let status = Node {
            children: vec![value("UC", 1), value("ADDRV", 1), value("MCACOD", 0x135)],
            ..value("STATUS", 0xbe00_0000_0000_0135)
        };
        let bank = Node { children: vec![status], ..Node::group("bank 9") };
        let nic = decoded(
            "e1000e",
            vec![finding(Severity::Error, "profile", &[("CRCERRS", 1234), ("ASQ", 0x1000)])],
            vec![Node { children: vec![counter, queue], ..Node::group("stats[3]") }],
        );
        let values = [
            ("bank 9.STATUS", 0xbe00_0000_0000_0135),
            ("bank 9.ADDR", 0x1234),
            ("bank 9.MISC", 0x8c),
        ];
        let processor =
            decoded("mca", vec![finding(Severity::Fatal, "AMD64", &values)], vec![bank]);
        let log =
            decoded("sel", vec![finding(Severity::Fatal, "IPMI", &[("record 1.TYPE", 7)])], vec![]);
        let (coarse, fine) = syndrome(&[nic, processor, log]);
        assert_eq!(coarse, "e1000e: CRCERRS | mca: bank.STATUS.MCACOD,bank.STATUS.UC");
        assert_eq!(fine, "e1000e: CRCERRS | mca: bank.STATUS.MCACOD=0x135,bank.STATUS.UC");
        assert_eq!(syndrome(&[]), (String::new(), String::new()));
    }

    /// Names are those of profiles, and profiles may be anyone's.
    #[test]
    fn names_are_fit_and_few() {
        let values: Vec<_> = (0..500).map(|number| format!("R{number:03}|<b>\u{1b} é")).collect();
        let values: Vec<_> = values.iter().map(|name| (name.as_str(), 2)).collect();
        let many = decoded("a|b: c", vec![finding(Severity::Error, "", &values)], vec![]);
        let reversed: Vec<_> = values.iter().rev().copied().collect();
        let other = decoded("a|b: c", vec![finding(Severity::Error, "", &reversed)], vec![]);
        let (coarse, fine) = syndrome(&[many]);
        assert!(
            coarse.starts_with("ab-c: R000b-,R001b-,") && coarse.ends_with("R063b-"),
            "{coarse}"
        );
        assert_eq!(syndrome(&[other]), (coarse, fine.clone()));
        assert!(fine.ends_with("R063b-=0x2"), "{fine}");
    }
}
