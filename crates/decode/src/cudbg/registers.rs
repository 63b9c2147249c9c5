// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The registers, by their public names.
//!
//! The buffer has a word at the address of each register; words that the driver does not read
//! are 0. Which ones it reads, what they are called and what their fields are is in
//! `t5.table` and `t6.table`, which `examples/cudbg_registers.rs` makes from FreeBSD's
//! `usr.sbin/cxgbetool/reg_defs_t{5,6}.c` and Linux' `t4_hw.c`. The fields of `PCIE_FW` are
//! those of Linux' `t4fw_api.h`.

use std::io::Read;
use std::sync::LazyLock;

use flate2::read::ZlibDecoder;

use super::out::{Chip, Out};
use crate::model::{Bytes, Finding, Node, Severity, Value};

/// The tables as text, inflated when they are asked for first: a dump of the crash of a
/// machine with several adapters needs one several times.
static T5: LazyLock<String> = LazyLock::new(|| inflated(include_bytes!("t5.table")));
static T6: LazyLock<String> = LazyLock::new(|| inflated(include_bytes!("t6.table")));

/// What the driver writes before it reads the registers.
const DRIVERS_OWN: &[u32] = &[0x306c, 0x1_93f8];
const PCIE_FW: u32 = 0x30b8;
const PCIE_FW_FIELDS: &str = "Err:31+1 Init:30+1 Halt:29+1 Eval:24+3 MasterVld:15+1 Master:12+3";
/// `enum pcie_fw_eval`.
const EVALUATIONS: [&str; 8] = [
    "it crashed",
    "it failed while it prepared the adapter",
    "it failed while it configured the adapter",
    "it failed while it initialised the adapter",
    "an unexpected event",
    "the adapter is too hot",
    "it shut the adapter down",
    "an unknown reason",
];
/// Causes that say only which other one to look at, or that there is work to do.
const SUMMARIES: &[&str] = &["PL_INT_CAUSE", "PL_PF_INT_CAUSE", "CIM_PF_HOST_INT_CAUSE"];

fn inflated(table: &[u8]) -> String {
    let mut text = String::new();
    // These are ours, and a test reads them.
    let _ = ZlibDecoder::new(table).read_to_string(&mut text);
    text
}

/// The table of the chip's registers; empty where there is none.
fn table(chip: Chip) -> &'static str {
    match chip {
        Chip::T5 => T5.as_str(),
        Chip::T6 => T6.as_str(),
        Chip::Other => "",
    }
}

/// A register in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Register<'a> {
    address: u32,
    name: &'a str,
    /// As they are in the table.
    fields: &'a str,
}

impl<'a> Register<'a> {
    /// The registers of `table`, in the order of their addresses.
    fn all(table: &'a str) -> impl Iterator<Item = Self> {
        let mut lists = Vec::new();
        let mut address = 0_u32;
        table.lines().map_while(move |line| {
            let (distance, rest) = line.split_once(' ')?;
            address = address.checked_add(u32::from_str_radix(distance, 16).ok()?)?;
            let (name, fields) = rest.split_once(' ').unwrap_or((rest, ""));
            let fields = match fields.strip_prefix('=') {
                Some(number) => *lists.get(number.parse::<usize>().ok()?)?,
                None => {
                    if !fields.is_empty() {
                        lists.push(fields);
                    }
                    fields
                }
            };
            Some(Self { address, name, fields })
        })
    }

    fn fields(self) -> impl Iterator<Item = (&'a str, u32, u32)> {
        let fields = match self.address {
            PCIE_FW if self.fields.is_empty() => PCIE_FW_FIELDS,
            _ => self.fields,
        };
        fields.split_ascii_whitespace().filter_map(|field| {
            let (name, bits) = field.split_once(':')?;
            let (low, width) = bits.split_once('+')?;
            Some((name, low.parse().ok()?, width.parse().ok()?))
        })
    }

    /// The fields of `value`.
    fn children(self, value: u64) -> Vec<Node> {
        let field = |(name, low, width): (&str, u32, u32)| Node {
            value: Some(Value::Unsigned(bits(value, low, width))),
            bits: Some((low, low.saturating_add(width).saturating_sub(1))),
            ..Node::group(name)
        };
        // There are many of them, so a list has no more room than it needs.
        let mut children = Vec::with_capacity(self.fields().count());
        children.extend(self.fields().map(field));
        children
    }

    /// Its name without its number.
    fn family(self) -> &'a str {
        self.name.split('[').next().unwrap_or_default()
    }
}

fn bits(value: u64, low: u32, width: u32) -> u64 {
    let mask = 1_u64.checked_shl(width).unwrap_or_default().wrapping_sub(1);
    value.checked_shr(low).unwrap_or_default() & mask
}

/// The entity `REG_DUMP`.
pub(super) fn dump(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    let mut registers = Register::all(table(out.chip)).peekable();
    let mut nodes = Vec::new();
    let mut left = 0;
    for address in (0..u32::try_from(bytes.length()).unwrap_or(u32::MAX)).step_by(4) {
        let Some(value) = bytes.little(address as usize, 4) else { break };
        let register = registers.next_if(|register| register.address == address);
        let node = match register {
            Some(register) => {
                findings(register, value, out);
                Node { children: register.children(value), ..Node::group(register.name) }
            }
            // A word without a name is 0 where the driver does not read it.
            None if value == 0 => continue,
            None => Node::group(format!("{address:#07x}")),
        };
        let own = DRIVERS_OWN.contains(&address);
        let node = Node {
            value: Some(Value::Unsigned(value)),
            place: Some(bytes.place(address as usize, 4)),
            bits: Some((0, 31)),
            address: Some(address.into()),
            meaning: own.then(|| "the driver wrote it when it collected this".to_owned()),
            ..node
        };
        if out.room.take(std::slice::from_ref(&node)) {
            nodes.push(node);
        } else {
            left += 1;
        }
    }
    if left > 0 {
        out.decoded.missing.push(crate::fields::too_many("registers", left));
    }
    let beyond = registers.count();
    if beyond > 0 {
        let why = format!("it ends after {} bytes", bytes.length());
        out.missing(&format!("{beyond} registers of REG_DUMP"), why);
    }
    nodes
}

/// What is abnormal in a register.
fn findings(register: Register<'_>, value: u64, out: &mut Out<'_>) {
    let path = format!("REG_DUMP.{}", register.name);
    let chip = out.chip;
    let mut push = |severity, text, advice: Option<&str>, source| {
        out.decoded.findings.push(Finding {
            severity,
            text,
            advice: advice.map(str::to_owned),
            source,
            values: vec![(path.clone(), value)],
            points_to: None,
        });
    };
    if register.address == PCIE_FW {
        let source = "Linux cxgb4, t4fw_api.h, PCIE_FW".to_owned();
        if bits(value, 31, 1) == 1 {
            let reason = EVALUATIONS.get(bits(value, 24, 3) as usize).copied().unwrap_or_default();
            push(
                Severity::Fatal,
                format!("the firmware has given up: {reason}"),
                Some(
                    "Read DEV_LOG for what it did last, then update the firmware; if it recurs, \
                     replace the adapter.",
                ),
                source,
            );
        } else if bits(value, 29, 1) == 1 {
            push(Severity::Warning, "the firmware is halted".to_owned(), None, source);
        }
        return;
    }
    if value == 0
        || !register.family().contains("INT_CAUSE")
        || SUMMARIES.contains(&register.family())
    {
        return;
    }
    let set = register.fields().filter(|(_, low, width)| bits(value, *low, *width) != 0);
    let causes: Vec<(Severity, &str)> =
        set.filter_map(|(name, ..)| Some((severity_of(name)?, name))).collect();
    let Some(severity) = causes.iter().map(|(severity, _)| *severity).max() else { return };
    let names: Vec<_> = causes.iter().map(|(_, name)| *name).collect();
    let advice = match severity {
        Severity::Error => {
            "Memory inside of the adapter is damaged, or was: if it recurs, replace the adapter."
        }
        _ => "Look at the driver's last lines in the dead kernel's log, and at DEV_LOG.",
    };
    push(
        severity,
        format!("the adapter reports errors in {}: {}", register.name, names.join(", ")),
        Some(advice),
        format!("{chip:?} register {}", register.name),
    );
}

/// How bad a cause with this name is; nothing where it is not an error.
fn severity_of(name: &str) -> Option<Severity> {
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let is_word = |word: &str| name.split('_').any(|part| part == word);
    if has(&["perr", "parity", "prty", "parerr", "uncor", "fatal"])
        || is_word("par")
        || is_word("ue")
    {
        return Some(Severity::Error);
    }
    (has(&["err", "timeout", "overflow", "ovfl", "underflow", "illegal"]) || is_word("ce"))
        .then_some(Severity::Warning)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(table: &str, address: u32) -> Register<'_> {
        Register::all(table).find(|register| register.address == address).unwrap()
    }

    /// Names and bits of Linux' `t4_regs.h`.
    #[test]
    fn tables() {
        for (chip, count) in [(Chip::T5, 10_000), (Chip::T6, 9_000)] {
            let table = table(chip);
            assert_eq!(table.lines().count(), Register::all(table).count(), "{chip:?}");
            let all: Vec<_> = Register::all(table).collect();
            assert!(all.len() > count, "{chip:?}: {}", all.len());
            assert!(all.is_sorted_by(|one, two| one.address < two.address));
            let names: std::collections::BTreeSet<_> = all.iter().map(|it| it.name).collect();
            assert_eq!(names.len(), all.len(), "{chip:?}");
            for (address, name) in [
                (0x1008, "SGE_CONTROL"),
                (0x3004, "PCIE_INT_CAUSE"),
                (0x30b8, "PCIE_FW"),
                (0x77e0, "MA_INT_CAUSE"),
                (0x7e74, "TP_INT_CAUSE"),
                (0x1_9400, "PL_WHOAMI"),
                (0x1_940c, "PL_INT_CAUSE"),
                (0x1_9c3c, "LE_DB_INT_CAUSE"),
            ] {
                assert_eq!(register(table, address).name, name, "{chip:?}");
            }
            // SGE_CONTROL.GLOBALENABLE is bit 0, PKTSHIFT bits 10 to 12.
            let fields: Vec<_> = register(table, 0x1008).fields().collect();
            assert!(fields.contains(&("GlobalEnable", 0, 1)), "{fields:?}");
            assert!(fields.contains(&("PktShift", 10, 3)), "{fields:?}");
            for register in all {
                for (name, low, width) in register.fields() {
                    assert!(width > 0 && low + width <= 32, "{}: {name}", register.name);
                }
            }
        }
        assert_eq!(table(Chip::Other), "");
    }

    #[test]
    fn lists_of_fields() {
        let table = "8 A x:0+4 y:31+1\n4 B\n10 C =0\n4 D =1\n";
        let all: Vec<_> = Register::all(table).map(|it| (it.address, it.name, it.fields)).collect();
        assert_eq!(all, [(8, "A", "x:0+4 y:31+1"), (12, "B", ""), (28, "C", "x:0+4 y:31+1")]);
        let children = register(table, 28).children(0x8000_0005);
        let values: Vec<_> =
            children.iter().map(|it| (&*it.name, it.unsigned(), it.bits)).collect();
        assert_eq!(values, [("x", Some(5), Some((0, 3))), ("y", Some(1), Some((31, 31)))]);
    }

    #[test]
    fn causes() {
        for (name, severity) in [
            ("perr_pc_rsp", Some(Severity::Error)),
            ("ECC_UE_INT_CAUSE", Some(Severity::Error)),
            ("ECC_CE_INT_CAUSE", Some(Severity::Warning)),
            ("MSIXDIPerr", Some(Severity::Error)),
            ("err_dropped_db", Some(Severity::Warning)),
            ("MBMsgRdyIntEn", None),
        ] {
            assert_eq!(severity_of(name), severity, "{name}");
        }
    }
}
