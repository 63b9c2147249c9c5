// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Error records of firmware: CPER records (ERST), and generic error status blocks (BERT,
//! GHES).
//!
//! Facts: UEFI specification 2.10, appendix N; ACPI specification 6.5, 18.3.

use crate::fields::{Field, Guid, Kind, Room, bits_of, field, guid, list, read, too_many, word};
use crate::mca::{self, Bank, Vendor};
use crate::model::{Bytes, Decoded, Decoder, Finding, Missing, Node, Severity, Value, text};

/// The decoder of records and blocks.
#[derive(Debug, Clone, Copy)]
pub struct Cper;

/// How many records or blocks of a dump are decoded, and how many sections of one.
const RECORDS: usize = 1024;
const SECTIONS: usize = 256;
const RECORD_HEAD: usize = 128;
const DESCRIPTOR: usize = 72;
const BLOCK_HEAD: usize = 20;
const ENTRY: usize = 64;
/// An entry from revision 3 on has a time.
const ENTRY_3: usize = 72;

const SEVERITIES: &[(u64, &str)] =
    &[(0, "recoverable"), (1, "fatal"), (2, "corrected"), (3, "informational")];

const RECORD: &[Field] = &[
    field("REVISION", 4, 2),
    field("SECTION_COUNT", 10, 2),
    field("ERROR_SEVERITY", 12, 4).words(SEVERITIES),
    field("RECORD_LENGTH", 20, 4).unit("bytes"),
    field("PLATFORM_ID", 32, 16).is(Kind::Guid).valid(0),
    field("PARTITION_ID", 48, 16).is(Kind::Guid).valid(2),
    field("CREATOR_ID", 64, 16).is(Kind::Guid),
    field("NOTIFICATION_TYPE", 80, 16).is(Kind::Guid),
    field("RECORD_ID", 96, 8),
    field("FLAGS", 104, 4).bits(&[(0, "recovered"), (1, "previous error"), (2, "simulated")]),
    field("PERSISTENCE_INFORMATION", 108, 8),
];
const SECTION_FLAGS: &[(u32, &str)] = &[
    (0, "primary"),
    (1, "containment warning"),
    (2, "reset needed"),
    (3, "threshold exceeded"),
    (4, "resource not accessible"),
    (5, "latent error"),
    (6, "propagated"),
    (7, "overflow"),
];
const DESCRIPTOR_FIELDS: &[Field] = &[
    field("SECTION_OFFSET", 0, 4),
    field("SECTION_LENGTH", 4, 4).unit("bytes"),
    field("REVISION", 8, 2),
    field("FLAGS", 12, 4).bits(SECTION_FLAGS),
    field("SECTION_TYPE", 16, 16).is(Kind::Guid),
    field("FRU_ID", 32, 16).is(Kind::Guid).valid(0).title("field replaceable unit"),
    field("SEVERITY", 48, 4).words(SEVERITIES),
    field("FRU_TEXT", 52, 20).is(Kind::Text).valid(1).title("field replaceable unit"),
];
const BLOCK: &[Field] = &[
    field("BLOCK_STATUS", 0, 4).bits(&[
        (0, "uncorrectable error"),
        (1, "correctable error"),
        (2, "several uncorrectable errors"),
        (3, "several correctable errors"),
    ]),
    field("RAW_DATA_OFFSET", 4, 4),
    field("RAW_DATA_LENGTH", 8, 4).unit("bytes"),
    field("DATA_LENGTH", 12, 4).unit("bytes"),
    field("ERROR_SEVERITY", 16, 4).words(SEVERITIES),
];
const ENTRY_FIELDS: &[Field] = &[
    field("SECTION_TYPE", 0, 16).is(Kind::Guid),
    field("SEVERITY", 16, 4).words(SEVERITIES),
    field("REVISION", 20, 2),
    field("FLAGS", 23, 1).bits(SECTION_FLAGS),
    field("ERROR_DATA_LENGTH", 24, 4).unit("bytes"),
    field("FRU_ID", 28, 16).is(Kind::Guid).valid(0).title("field replaceable unit"),
    field("FRU_TEXT", 44, 20).is(Kind::Text).valid(1).title("field replaceable unit"),
];

/// Which error a notification is of, for the title of a record.
const NOTIFICATIONS: &[(Guid, &str)] = &[
    (Guid(0x2dce8bb1_bdd7_450e_b9ad_9cf4ebd4f890), "corrected machine check"),
    (Guid(0x4e292f96_d843_4a55_a8c2_d481f27ebeee), "corrected platform error"),
    (Guid(0xe8f56ffe_919c_4cc5_ba88_65abe14913bb), "machine check"),
    (Guid(0xcf93c01f_1a16_4dfc_b8bc_9c4daf67c104), "PCI Express error"),
    (Guid(0xcc5263e8_9308_454a_89d0_340bd39bc98e), "initialisation"),
    (Guid(0x5bad89ff_b7e6_42c9_814a_cf2485d6e98a), "non-maskable interrupt"),
    (Guid(0x3d61a466_ab40_409a_a698_f362d464b38f), "boot error"),
    (Guid(0x667dd791_c6b3_4c27_8a6b_0f8e722deb41), "DMA remapping error"),
    (Guid(0x9a78788a_bbe8_11e4_809e_67611e5d46b0), "synchronous external abort"),
    (Guid(0x5c284c81_b0ae_4e87_a322_b04c85624323), "asynchronous external abort"),
    (Guid(0x09a9d5ac_5204_4214_96e5_94992e752bcd), "peripheral error (PEI)"),
    (Guid(0x69293bc9_41df_49a3_b4bd_4fb0db3041f6), "Compute Express Link error"),
];

/// What a section is, and how its body is decoded.
struct Section {
    guid: Guid,
    name: &'static str,
    source: &'static str,
    body: fn(&mut Body<'_>),
}

const SECTION_TYPES: &[Section] = &[
    Section {
        guid: Guid(0x9876ccad_47b4_4bdb_b65e_16f193c4f3db),
        name: "processor",
        source: "UEFI N.2.4.1",
        body: processor_generic,
    },
    Section {
        guid: Guid(0xdc3ea0b0_a144_4797_b95b_53fa242b6e1d),
        name: "processor x86",
        source: "UEFI N.2.4.2",
        body: processor_x86,
    },
    Section {
        guid: Guid(0xe19e3d16_bc11_11e4_9caa_c2051d5d46b0),
        name: "processor ARM",
        source: "UEFI N.2.4.4",
        body: processor_arm,
    },
    Section {
        guid: Guid(0xa5bc1114_6f64_4ede_b863_3e83ed7c83b1),
        name: "memory",
        source: "UEFI N.2.5",
        body: memory,
    },
    Section {
        guid: Guid(0x61ec04fc_48e6_d813_25c9_8daa44750b12),
        name: "memory 2",
        source: "UEFI N.2.6",
        body: memory_2,
    },
    Section {
        guid: Guid(0xd995e954_bbc1_430f_ad91_b44dcb3c6f35),
        name: "PCI Express",
        source: "UEFI N.2.7",
        body: pcie,
    },
    Section {
        guid: Guid(0x81212a96_09ed_4996_9471_8d729c8e69ed),
        name: "firmware",
        source: "UEFI N.2.10",
        body: firmware,
    },
    Section {
        guid: Guid(0x80b9efb4_52b5_4de3_a777_68784b771048),
        name: "CXL protocol",
        source: "UEFI N.2.13",
        body: cxl_protocol,
    },
    Section {
        guid: Guid(0xfe08ffbe_95e4_4be7_bc73_4096044a38fc),
        name: "machine check, by Linux",
        source: "linux arch/x86/kernel/cpu/mce/apei.c",
        body: linux_mce,
    },
];

/// Sections of which only the name is known.
const NAMES: &[(Guid, &str)] = &[
    (Guid(0xc5753963_3b84_4095_bf78_eddad3f9c9dd), "PCI bus"),
    (Guid(0xeb5e4685_ca66_4769_b6a2_26068b001326), "PCI component"),
    (Guid(0x5b51fef7_c79d_4434_8f1b_aa62de3e2c64), "DMA remapping"),
    (Guid(0x71761d37_32b2_45cd_a7d0_b0fedd93e8cf), "DMA remapping, VT-d"),
    (Guid(0x036f84e1_7f37_428c_a79e_575fdfaa84ec), "DMA remapping, AMD IOMMU"),
    (Guid(0xfbcd0a77_c260_417f_85a9_088b1621eba6), "CXL general media event"),
    (Guid(0x601dcbb3_9c06_4eab_b8af_4e9bfb5c9624), "CXL DRAM event"),
    (Guid(0xfe927475_dd59_4339_a586_79bab113b774), "CXL memory module event"),
    (Guid(0xc197e04e_d545_4a70_9c17_a5549419eb12), "kernel log, by Linux"),
    (Guid(0x4f118707_04dd_4055_b5dd_956d34ddfac6), "compressed kernel log, by Linux"),
];

/// A section's body while it is decoded.
struct Body<'a> {
    bytes: Bytes<'a>,
    /// What it is called in messages.
    name: &'a str,
    /// The path of its node.
    path: &'a str,
    source: &'static str,
    severity: Severity,
    nodes: Vec<Node>,
    missing: Vec<Missing>,
    findings: Vec<Finding>,
}

impl Body<'_> {
    /// The number at `at`, or 0.
    fn get(&self, at: usize, size: usize) -> u64 {
        self.bytes.little(at, size).unwrap_or(0)
    }

    /// Reads `fields`, and gives the validation mask, which is first.
    fn read(&mut self, mask_size: usize, fields: &[Field]) -> u64 {
        let mask = self.get(0, mask_size);
        self.nodes.push(self.bytes.node("VALIDATION", 0, mask_size));
        self.nodes.extend(read(self.name, &self.bytes, fields, mask, &mut self.missing));
        mask
    }

    /// What the value called `name` means.
    fn words(&self, name: &str) -> Option<&str> {
        let node = self.nodes.iter().find(|node| node.name == name)?;
        node.meaning.as_deref().or(match &node.value {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        })
    }

    fn value(&self, name: &str) -> Option<u64> {
        self.nodes.iter().find(|node| node.name == name)?.unsigned()
    }

    fn find(&mut self, text: String, advice: &str, names: &[&str], points_to: Option<String>) {
        let value = |name: &&str| Some((format!("{}.{name}", self.path), self.value(name)?));
        self.findings.push(Finding {
            severity: self.severity,
            text,
            advice: Some(advice.to_owned()),
            source: self.source.to_owned(),
            values: names.iter().filter_map(value).collect(),
            points_to,
        });
    }
}

const PROCESSOR_ADVICE: &str = "Look for memory and PCI Express errors in other records first. If there are none, update microcode and firmware; if it comes again, replace the processor.";
const MEMORY_ADVICE: &str = "Replace the memory module if the error was not corrected, or if corrected errors come often. Module and card, or the field replaceable unit, say where it is.";

const OPERATIONS: &[(u64, &str)] =
    &[(0, "unknown"), (1, "data read"), (2, "data write"), (3, "instruction execution")];
const PROCESSOR_ERRORS: &[(u32, &str)] =
    &[(0, "cache"), (1, "translation buffer"), (2, "bus"), (3, "micro-architecture")];
const GENERIC: &[Field] = &[
    field("PROCESSOR_TYPE", 8, 1).valid(0).words(&[(0, "x86"), (1, "Itanium"), (2, "ARM")]),
    field("PROCESSOR_ISA", 9, 1).valid(1).words(&[
        (0, "IA-32"),
        (1, "Itanium"),
        (2, "x86-64"),
        (3, "ARM A32/T32"),
        (4, "ARM A64"),
    ]),
    field("PROCESSOR_ERROR_TYPE", 10, 1).valid(2).bits(PROCESSOR_ERRORS),
    field("OPERATION", 11, 1).valid(3).words(OPERATIONS),
    field("FLAGS", 12, 1).valid(4).bits(&[
        (0, "restartable"),
        (1, "precise instruction pointer"),
        (2, "overflow"),
        (3, "corrected"),
    ]),
    field("LEVEL", 13, 1).valid(5),
    field("CPU_VERSION", 16, 8).valid(6),
    field("CPU_BRAND", 24, 128).valid(7).is(Kind::Text),
    field("PROCESSOR_ID", 152, 8).valid(8),
    field("TARGET_ADDRESS", 160, 8).valid(9),
    field("REQUESTOR_ID", 168, 8).valid(10),
    field("RESPONDER_ID", 176, 8).valid(11),
    field("INSTRUCTION_POINTER", 184, 8).valid(12),
];

fn processor_generic(body: &mut Body<'_>) {
    body.read(8, GENERIC);
    let kind = list(body.value("PROCESSOR_ERROR_TYPE").unwrap_or(0), PROCESSOR_ERRORS, "unknown");
    let mut text = format!("processor error: {kind}");
    if let Some(operation) = body.words("OPERATION") {
        text.push_str(&format!(", {operation}"));
    }
    for (name, words) in [("PROCESSOR_ID", "processor"), ("TARGET_ADDRESS", "address")] {
        if let Some(value) = body.value(name) {
            text.push_str(&format!(", {words} {value:#x}"));
        }
    }
    let names = ["PROCESSOR_ERROR_TYPE", "OPERATION", "PROCESSOR_ID", "TARGET_ADDRESS"];
    body.find(text, PROCESSOR_ADVICE, &names, None);
}

/// The kinds of x86 error information.
const X86_ERRORS: &[(Guid, &str)] = &[
    (Guid(0xa55701f5_e3ef_43de_ac72_249b573fad2c), "cache"),
    (Guid(0xfc06b535_5e1f_4562_9f25_0a3b9adb63c3), "translation buffer"),
    (Guid(0x1cf3f8b3_c5b1_49a2_aa59_5eef92ffa63c), "bus"),
    (Guid(0x48ab7f57_dc34_4f6c_a7d3_b0b5b0a74314), "micro-architecture"),
];
const X86: &[Field] =
    &[field("APIC_ID", 8, 8).valid(0), field("CPUID", 16, 48).valid(1).is(Kind::Bytes)];
const X86_INFORMATION: &[Field] = &[
    field("TYPE", 0, 16).is(Kind::Guid),
    field("CHECK", 24, 8),
    field("TARGET", 32, 8),
    field("REQUESTOR", 40, 8),
    field("RESPONDER", 48, 8),
    field("INSTRUCTION_POINTER", 56, 8),
];
const CONTEXTS: &[(u64, &str)] = &[
    (0, "unclassified"),
    (1, "model specific registers"),
    (2, "32-bit context"),
    (3, "64-bit context"),
    (4, "FXSAVE"),
    (5, "32-bit debug registers"),
    (6, "64-bit debug registers"),
    (7, "memory mapped registers"),
];
/// Parts of a check value: which bit says that it is valid, where it is, how wide, its words.
type Check = (u32, &'static str, u32, u32, &'static [(u64, &'static str)]);
const YES: &[(u64, &str)] = &[(0, "no"), (1, "yes")];
const CHECK: &[Check] = &[
    (0, "transaction", 16, 2, &[(0, "instruction"), (1, "data"), (2, "generic")]),
    (
        1,
        "operation",
        18,
        4,
        &[
            (0, "error"),
            (1, "read"),
            (2, "write"),
            (3, "data read"),
            (4, "data write"),
            (5, "instruction fetch"),
            (6, "prefetch"),
            (7, "eviction"),
            (8, "snoop"),
        ],
    ),
    (2, "level", 22, 3, &[]),
    (3, "context corrupt", 25, 1, YES),
    (4, "uncorrected", 26, 1, YES),
    (5, "precise pointer", 27, 1, YES),
    (6, "restartable", 28, 1, YES),
    (7, "overflow", 29, 1, YES),
];
const CHECK_BUS: &[Check] = &[
    (8, "participant", 30, 2, &[(0, "asked"), (1, "answered"), (2, "watched"), (3, "generic")]),
    (9, "timed out", 32, 1, YES),
    (10, "address space", 33, 2, &[(0, "memory"), (2, "I/O"), (3, "other")]),
];
const CHECK_MICRO: &[Check] = &[
    (
        0,
        "error",
        16,
        3,
        &[
            (0, "none"),
            (1, "unclassified"),
            (2, "microcode ROM parity"),
            (3, "external"),
            (4, "functional redundancy check"),
            (5, "internal"),
        ],
    ),
    (1, "context corrupt", 19, 1, YES),
    (2, "uncorrected", 20, 1, YES),
    (3, "precise pointer", 21, 1, YES),
    (4, "restartable", 22, 1, YES),
    (5, "overflow", 23, 1, YES),
];

/// The parts of `value` that are valid.
fn check(value: u64, parts: &[&[Check]]) -> Vec<Node> {
    let is_valid = |part: &&Check| value >> part.0 & 1 != 0;
    let node = |(_, name, low, width, words): &Check| {
        let number = value >> low & ((1 << width) - 1);
        let node = Node {
            value: Some(Value::Unsigned(number)),
            bits: Some((*low, low + width - 1)),
            ..Node::group(*name)
        };
        if words.is_empty() { node } else { node.meaning(word(words, number)) }
    };
    parts.iter().copied().flatten().filter(is_valid).map(node).collect()
}

/// The words of parts of a check.
fn words_of(nodes: &[Node]) -> String {
    let words = |node: &Node| match &node.meaning {
        Some(meaning) => format!("{} {meaning}", node.name),
        None => format!("{} {}", node.name, node.unsigned().unwrap_or(0)),
    };
    nodes.iter().map(words).collect::<Vec<_>>().join(", ")
}

fn processor_x86(body: &mut Body<'_>) {
    let mask = body.read(8, X86);
    let (errors, contexts) = (mask >> 2 & 0x3f, mask >> 8 & 0x3f);
    let mut at = 64;
    let mut texts = Vec::new();
    for number in 0..errors {
        let name = format!("error {number}");
        let Some(bytes) = body.bytes.part(at..at + 64) else {
            let why = format!("the section ends after {} bytes", body.bytes.length());
            body.missing.push(Missing { what: format!("{} {name}", body.name), why });
            return;
        };
        at += 64;
        let valid = bytes.little(16, 8).unwrap_or(0);
        let mut node = Node::group(name.clone());
        node.children = read(&name, &bytes, X86_INFORMATION, u64::MAX, &mut body.missing);
        // The first field, the type, is always valid; the mask starts with the second.
        let mut index = 0;
        node.children.retain(|_| {
            index += 1;
            index == 1 || valid >> (index - 2) & 1 != 0
        });
        let kind = guid(bytes.raw()).and_then(|of| X86_ERRORS.iter().find(|(guid, _)| *guid == of));
        let kind = kind.map_or("unknown", |(_, name)| *name);
        node.meaning = Some(format!("{kind} error"));
        let mut words = kind.to_owned();
        if let Some(node) = node.children.iter_mut().find(|node| node.name == "CHECK") {
            let value = node.unsigned().unwrap_or(0);
            node.children = match kind {
                "micro-architecture" => check(value, &[CHECK_MICRO]),
                "bus" => check(value, &[CHECK, CHECK_BUS]),
                "unknown" => Vec::new(),
                _ => check(value, &[CHECK]),
            };
            words = format!("{kind} ({})", words_of(&node.children));
        }
        texts.push(words);
        body.nodes.push(node);
    }
    let apic = body.value("APIC_ID").map(|id| format!(", APIC id {id:#x}")).unwrap_or_default();
    let text = format!("processor error{apic}: {}", texts.join("; "));
    body.find(text, PROCESSOR_ADVICE, &["APIC_ID"], None);
    for number in 0..contexts {
        let Some(next) = context(body, number, at) else { return };
        at = next;
    }
}

/// The processor context `number` at `at`; gives where the next one is.
fn context(body: &mut Body<'_>, number: u64, at: usize) -> Option<usize> {
    let name = format!("context {number}");
    let size = body.bytes.little(at.checked_add(2)?, 2).unwrap_or(0) as usize;
    let end = at.checked_add(16)?.checked_add(size)?;
    let Some(bytes) = body.bytes.part(at..end) else {
        let why = format!("the section ends after {} bytes", body.bytes.length());
        body.missing.push(Missing { what: format!("{} {name}", body.name), why });
        return None;
    };
    let kind = bytes.little(0, 2)?;
    let first = bytes.little(4, 4)?;
    let mut node = Node::group(name).meaning(word(CONTEXTS, kind));
    node.children = vec![
        bytes.node("TYPE", 0, 2),
        bytes.node("SIZE", 2, 2).unit("bytes"),
        bytes.node("MSR", 4, 4),
        bytes.node("MEMORY", 8, 8),
        Node::value("REGISTERS", Value::Bytes, bytes.place(16, size)),
    ];
    if let Some((name, at, bank)) = bank_in(kind, first, &bytes) {
        node.children.push(mca::status_node(&bank, bytes.place(at, 8)));
        let path = format!("{}.{}", body.path, node.name);
        body.findings.extend(bank_finding(&bank, &name, &path));
    }
    body.nodes.push(node);
    // Each context starts at a multiple of 16 bytes.
    end.checked_next_multiple_of(16)
}

/// What the bank called `name` says, its status being in the node at `path`.
fn bank_finding(bank: &Bank, name: &str, path: &str) -> Option<Finding> {
    let finding = mca::finding(bank, name)?;
    Some(Finding { values: vec![(format!("{path}.STATUS"), bank.status)], ..finding })
}

/// The machine check bank, and where its status is, in a context of model specific registers, as firmware gives it:
/// from the control register (Intel) or the status register on (AMD).
fn bank_in(kind: u64, first: u64, bytes: &Bytes<'_>) -> Option<(String, usize, Bank)> {
    let register = |index: usize| bytes.little(16 + 8 * index, 8);
    if kind != 1 {
        return None;
    }
    let valid = |status: u64, bit: u32| status >> bit & 1 == 1;
    match first {
        0x400..0x500 if first % 4 <= 1 => {
            let start = (1 - first % 4) as usize;
            let status = register(start)?;
            let bank = Bank {
                vendor: Vendor::Intel,
                status,
                addr: register(start + 1).filter(|_| valid(status, 58)),
                misc: register(start + 2).filter(|_| valid(status, 59)),
                ..Bank::default()
            };
            Some((format!("bank {}", (first - 0x400) / 4), 16 + 8 * start, bank))
        }
        0xc000_2000..0xc000_2400 if first % 16 == 1 => {
            let status = register(0)?;
            let bank = Bank {
                vendor: Vendor::Amd,
                status,
                addr: register(1).filter(|_| valid(status, 58)),
                misc: register(2).filter(|_| valid(status, 59)),
                ipid: Some(register(4)?),
                synd: register(5).filter(|_| valid(status, 53)),
            };
            Some((format!("bank {}", (first - 0xc000_2000) / 16), 16, bank))
        }
        _ => None,
    }
}

const ARM: &[Field] = &[
    field("ERR_INFO_NUM", 4, 2),
    field("CONTEXT_INFO_NUM", 6, 2),
    field("SECTION_LENGTH", 8, 4).unit("bytes"),
    field("AFFINITY_LEVEL", 12, 1).valid(1),
    field("MPIDR", 16, 8).valid(0),
    field("MIDR", 24, 8),
    field("RUNNING_STATE", 32, 4).valid(2),
    field("PSCI_STATE", 36, 4).valid(2),
];
const ARM_FLAGS: &[(u32, &str)] = &[(0, "first"), (1, "last"), (2, "propagated"), (3, "overflow")];
const ARM_KINDS: &[(u32, &str)] =
    &[(1, "cache"), (2, "translation buffer"), (3, "bus"), (4, "micro-architecture")];
const ARM_INFORMATION: &[Field] = &[
    field("VERSION", 0, 1),
    field("LENGTH", 1, 1),
    field("TYPE", 4, 1).bits(ARM_KINDS),
    field("MULTIPLE_ERROR", 5, 2).valid(0).title("further errors"),
    field("FLAGS", 7, 1).valid(1).bits(ARM_FLAGS),
    field("ERROR_INFORMATION", 8, 8).valid(2),
    field("VIRTUAL_ADDRESS", 16, 8).valid(3),
    field("PHYSICAL_ADDRESS", 24, 8).valid(4),
];
const ARM_CHECK: &[Check] = &[
    (0, "transaction", 16, 2, &[(0, "instruction"), (1, "data"), (2, "generic")]),
    (
        1,
        "operation",
        18,
        4,
        &[
            (0, "error"),
            (1, "read"),
            (2, "write"),
            (3, "data read"),
            (4, "data write"),
            (5, "instruction fetch"),
            (6, "prefetch"),
            (7, "eviction, or local management"),
            (8, "snoop, or external management"),
            (9, "snooped"),
            (10, "management"),
        ],
    ),
    (2, "level", 22, 3, &[]),
    (3, "context corrupt", 25, 1, YES),
    (4, "corrected", 26, 1, YES),
    (5, "precise pointer", 27, 1, YES),
    (6, "restartable", 28, 1, YES),
];
const ARM_CONTEXTS: &[(u64, &str)] = &[
    (0, "AArch32 general registers"),
    (1, "AArch32 EL1"),
    (2, "AArch32 EL2"),
    (3, "AArch32 secure"),
    (4, "AArch64 general registers"),
    (5, "AArch64 EL1"),
    (6, "AArch64 EL2"),
    (7, "AArch64 EL3"),
    (8, "other system registers"),
];

fn processor_arm(body: &mut Body<'_>) {
    body.read(4, ARM);
    let (errors, contexts) = (body.get(4, 2), body.get(6, 2));
    let mut at = 40;
    let mut texts = Vec::new();
    for number in 0..errors {
        let name = format!("error {number}");
        let Some(bytes) = body.bytes.part(at..at + 32).filter(|_| number < SECTIONS as u64) else {
            let why = format!("the section ends after {} bytes", body.bytes.length());
            body.missing.push(Missing { what: format!("{} {name} and after", body.name), why });
            break;
        };
        at += 32;
        let mask = bytes.little(2, 2).unwrap_or(0);
        let mut node = Node::group(name.clone());
        node.children = read(&name, &bytes, ARM_INFORMATION, mask, &mut body.missing);
        let kind = bytes.little(4, 1).unwrap_or(0);
        let mut words = list(kind, ARM_KINDS, "unknown");
        node.meaning = Some(format!("{words} error"));
        let information = node.children.iter_mut().find(|node| node.name == "ERROR_INFORMATION");
        // The vendor's own errors have information of its own.
        if let Some(node) = information.filter(|_| kind & 0x10 == 0) {
            node.children = check(node.unsigned().unwrap_or(0), &[ARM_CHECK]);
            words = format!("{words} ({})", words_of(&node.children));
        }
        if let Some(address) = bytes.little(24, 8).filter(|_| mask & 0x10 != 0) {
            words.push_str(&format!(", address {address:#x}"));
        }
        texts.push(words);
        body.nodes.push(node);
    }
    let cpu = body.value("MPIDR").map(|id| format!(", MPIDR {id:#x}")).unwrap_or_default();
    let text = format!("processor error{cpu}: {}", texts.join("; "));
    body.find(text, PROCESSOR_ADVICE, &["MPIDR"], None);
    for number in 0..contexts.min(SECTIONS as u64) {
        let Some(size) = body.bytes.little(at.saturating_add(4), 4) else { return };
        let end = at.saturating_add(8).saturating_add(size as usize);
        let Some(bytes) = body.bytes.part(at..end) else {
            let why = format!("the section ends after {} bytes", body.bytes.length());
            body.missing.push(Missing { what: format!("{} context {number}", body.name), why });
            return;
        };
        let kind = bytes.little(2, 2).unwrap_or(0);
        let registers = bytes.place(8, size as usize);
        let mut node = Node::group(format!("context {number}")).meaning(word(ARM_CONTEXTS, kind));
        node.children =
            vec![bytes.node("TYPE", 2, 2), Node::value("REGISTERS", Value::Bytes, registers)];
        body.nodes.push(node);
        at = end;
    }
}

const MEMORY_ERRORS: &[(u64, &str)] = &[
    (0, "unknown"),
    (1, "no error"),
    (2, "single-bit ECC"),
    (3, "multi-bit ECC"),
    (4, "single-symbol chipkill ECC"),
    (5, "multi-symbol chipkill ECC"),
    (6, "master abort"),
    (7, "target abort"),
    (8, "parity"),
    (9, "watchdog timeout"),
    (10, "invalid address"),
    (11, "mirror broken"),
    (12, "memory sparing"),
    (13, "scrub corrected"),
    (14, "scrub uncorrected"),
    (15, "physical memory map-out"),
];
/// The error type in bits 8 to 15 of an error status (UEFI N.2.12).
const STATUSES: &[(u64, &str)] = &[
    (1, "error inside of the component"),
    (4, "storage error in DRAM"),
    (5, "storage error in a translation buffer"),
    (6, "storage error in a cache"),
    (7, "error in a functional unit"),
    (8, "component failed its self test"),
    (9, "internal queue over- or underflowed"),
    (16, "error on the bus"),
    (17, "virtual address not found by the IOMMU"),
    (18, "improper access"),
    (19, "access to an address that nobody has"),
    (20, "loss of lockstep"),
    (21, "response without a request"),
    (22, "bus parity"),
    (23, "protocol error"),
    (24, "path error"),
    (25, "bus timeout"),
    (26, "read of poisoned data"),
];
const MEMORY: &[Field] = &[
    field("ERROR_STATUS", 8, 8).valid(0),
    field("PHYSICAL_ADDRESS", 16, 8).valid(1),
    field("PHYSICAL_ADDRESS_MASK", 24, 8).valid(2),
    field("NODE", 32, 2).valid(3),
    field("CARD", 34, 2).valid(4),
    field("MODULE", 36, 2).valid(5),
    field("BANK", 38, 2).valid(6),
    field("DEVICE", 40, 2).valid(7),
    field("ROW", 42, 2).valid(8),
    field("COLUMN", 44, 2).valid(9),
    field("BIT_POSITION", 46, 2).valid(10),
    field("REQUESTOR_ID", 48, 8).valid(11),
    field("RESPONDER_ID", 56, 8).valid(12),
    field("TARGET_ID", 64, 8).valid(13),
    field("MEMORY_ERROR_TYPE", 72, 1).valid(14).words(MEMORY_ERRORS),
];
/// What UEFI 2.3 and later have after it.
const MEMORY_EXTENDED: &[Field] = &[
    field("EXTENDED", 73, 1).valid(18),
    field("RANK", 74, 2).valid(15),
    field("CARD_HANDLE", 76, 2).valid(16).title("SMBIOS handle"),
    field("MODULE_HANDLE", 78, 2).valid(17).title("SMBIOS handle"),
];
const MEMORY_2: &[Field] = &[
    field("ERROR_STATUS", 8, 8).valid(0),
    field("PHYSICAL_ADDRESS", 16, 8).valid(1),
    field("PHYSICAL_ADDRESS_MASK", 24, 8).valid(2),
    field("NODE", 32, 2).valid(3),
    field("CARD", 34, 2).valid(4),
    field("MODULE", 36, 2).valid(5),
    field("BANK", 38, 2).valid(6),
    field("DEVICE", 40, 4).valid(7),
    field("ROW", 44, 4).valid(8),
    field("COLUMN", 48, 4).valid(9),
    field("RANK", 52, 4).valid(10),
    field("BIT_POSITION", 56, 4).valid(11),
    field("CHIP_ID", 60, 1).valid(12),
    field("MEMORY_ERROR_TYPE", 61, 1).valid(13).words(MEMORY_ERRORS),
    field("STATUS", 62, 1).valid(14).words(&[(0, "corrected"), (1, "uncorrected")]),
    field("REQUESTOR_ID", 64, 8).valid(15),
    field("RESPONDER_ID", 72, 8).valid(16),
    field("TARGET_ID", 80, 8).valid(17),
    field("CARD_HANDLE", 88, 4).valid(18).title("SMBIOS handle"),
    field("MODULE_HANDLE", 92, 4).valid(19).title("SMBIOS handle"),
];

fn memory(body: &mut Body<'_>) {
    let mask = body.read(8, MEMORY);
    // Before UEFI 2.3 the section ends with the type of the error, after 73 bytes.
    if body.bytes.length() > 73 {
        let more = read(body.name, &body.bytes, MEMORY_EXTENDED, mask, &mut body.missing);
        body.nodes.extend(more);
    }
    // Bits 16 and 17 of the row are in the lowest bits of the extended byte.
    let (bank, row, extended) =
        (body.bytes.little(38, 2), body.bytes.little(42, 2), body.bytes.little(73, 1));
    let has = |bit: u32| mask >> bit & 1 != 0;
    let mut split = |name: &str, value: Option<u64>, at: usize, size: usize| {
        let Some(value) = value else { return };
        body.nodes.retain(|node| node.name != name);
        let place = body.bytes.place(at, size);
        body.nodes.push(Node::value(name, Value::Unsigned(value), place));
    };
    if has(18) {
        split("ROW", row.zip(extended).map(|(row, extended)| row | (extended & 3) << 16), 42, 2);
    }
    if has(19) {
        split("BANK_GROUP", bank.map(|bank| bank >> 8), 38, 2);
    }
    if has(20) {
        split("BANK_ADDRESS", bank.map(|bank| bank & 0xff), 38, 2);
    }
    if has(21) {
        split("CHIP_ID", extended.map(|extended| extended >> 5), 73, 1);
    }
    memory_finding(body);
}

fn memory_2(body: &mut Body<'_>) {
    body.read(8, MEMORY_2);
    memory_finding(body);
}

fn memory_finding(body: &mut Body<'_>) {
    if let Some(node) = body.nodes.iter_mut().find(|node| node.name == "ERROR_STATUS") {
        let status = node.unsigned().unwrap_or(0);
        node.meaning = Some(word(STATUSES, status >> 8 & 0xff).to_owned());
        node.children = bits_of(
            status,
            &[
                (16, "address"),
                (17, "control"),
                (18, "data"),
                (19, "responder"),
                (20, "requestor"),
                (21, "first"),
                (22, "overflow"),
            ],
        );
    }
    let kind = body.words("MEMORY_ERROR_TYPE").or_else(|| body.words("ERROR_STATUS"));
    let mut text = format!("memory error: {}", kind.unwrap_or("unknown"));
    if let Some(address) = body.value("PHYSICAL_ADDRESS") {
        text.push_str(&format!(", address {address:#x}"));
    }
    const PLACES: [&str; 10] = [
        "NODE",
        "CARD",
        "MODULE",
        "RANK",
        "BANK",
        "BANK_GROUP",
        "BANK_ADDRESS",
        "DEVICE",
        "ROW",
        "COLUMN",
    ];
    for name in PLACES {
        if let Some(value) = body.value(name) {
            let words = name.to_ascii_lowercase().replace('_', " ");
            text.push_str(&format!(", {words} {value}"));
        }
    }
    if let Some(handle) = body.value("MODULE_HANDLE") {
        text.push_str(&format!(", SMBIOS handle {handle:#06x}"));
    }
    let mut names = vec!["PHYSICAL_ADDRESS", "MEMORY_ERROR_TYPE"];
    names.extend(PLACES);
    body.find(text, MEMORY_ADVICE, &names, None);
}

const PORTS: &[(u64, &str)] = &[
    (0, "endpoint"),
    (1, "legacy endpoint"),
    (4, "root port"),
    (5, "upstream switch port"),
    (6, "downstream switch port"),
    (7, "PCI Express to PCI bridge"),
    (8, "PCI to PCI Express bridge"),
    (9, "root complex endpoint"),
    (10, "root complex event collector"),
];
const PCIE: &[Field] = &[
    field("PORT_TYPE", 8, 4).valid(0).words(PORTS),
    field("VERSION", 12, 4).valid(1),
    field("COMMAND", 16, 2).valid(2),
    field("STATUS", 18, 2).valid(2),
    field("VENDOR_ID", 24, 2).valid(3),
    field("DEVICE_ID", 26, 2).valid(3),
    field("CLASS", 28, 3).valid(3),
    field("FUNCTION", 31, 1).valid(3),
    field("DEVICE", 32, 1).valid(3),
    field("SEGMENT", 33, 2).valid(3),
    field("BUS", 35, 1).valid(3),
    field("SECONDARY_BUS", 36, 1).valid(3),
    field("SLOT", 37, 2).valid(3),
    field("SERIAL_NUMBER", 40, 8).valid(4),
    field("SECONDARY_STATUS", 48, 2).valid(5),
    field("BRIDGE_CONTROL", 50, 2).valid(5),
    field("CAPABILITY", 52, 60).valid(6).is(Kind::Bytes),
];
/// Uncorrectable errors of AER.
pub(crate) const UNCORRECTABLE: &[(u32, &str)] = &[
    (4, "data link protocol"),
    (5, "surprise down"),
    (12, "poisoned TLP"),
    (13, "flow control protocol"),
    (14, "completion timeout"),
    (15, "completer abort"),
    (16, "unexpected completion"),
    (17, "receiver overflow"),
    (18, "malformed TLP"),
    (19, "ECRC"),
    (20, "unsupported request"),
    (21, "ACS violation"),
    (22, "internal"),
    (23, "blocked multicast TLP"),
    (24, "blocked atomic operation"),
    (25, "blocked TLP prefix"),
    (26, "blocked poisoned TLP"),
    (27, "blocked deferrable memory write"),
    (28, "IDE check failed"),
    (29, "misrouted IDE TLP"),
    (30, "PCRC check failed"),
    (31, "blocked TLP translation"),
];
/// Correctable errors of AER.
pub(crate) const CORRECTABLE: &[(u32, &str)] = &[
    (0, "receiver"),
    (6, "bad TLP"),
    (7, "bad DLLP"),
    (8, "replay number rollover"),
    (12, "replay timer timeout"),
    (13, "advisory non-fatal"),
    (14, "corrected internal"),
    (15, "header log overflow"),
];
/// The AER capability, which a PCI Express section has at 112.
const AER: &[Field] = &[
    field("UNCORRECTABLE_STATUS", 116, 4).bits(UNCORRECTABLE),
    field("UNCORRECTABLE_MASK", 120, 4).bits(UNCORRECTABLE),
    field("UNCORRECTABLE_SEVERITY", 124, 4).bits(UNCORRECTABLE),
    field("CORRECTABLE_STATUS", 128, 4).bits(CORRECTABLE),
    field("CORRECTABLE_MASK", 132, 4).bits(CORRECTABLE),
    field("CONTROL", 136, 4),
    field("HEADER_0", 140, 4),
    field("HEADER_1", 144, 4),
    field("HEADER_2", 148, 4),
    field("HEADER_3", 152, 4),
    field("ROOT_COMMAND", 156, 4),
    field("ROOT_STATUS", 160, 4).bits(&[
        (0, "correctable error received"),
        (1, "several correctable errors received"),
        (2, "uncorrectable error received"),
        (3, "several uncorrectable errors received"),
        (4, "first uncorrectable was fatal"),
        (5, "non-fatal error received"),
        (6, "fatal error received"),
    ]),
    field("ERROR_SOURCE", 164, 4),
];

fn slot(segment: u64, bus: u64, device: u64, function: u64) -> String {
    format!("{segment:04x}:{bus:02x}:{device:02x}.{function:x}")
}

fn pcie(body: &mut Body<'_>) {
    let mask = body.read(8, PCIE);
    let mut text = "PCI Express error".to_owned();
    let mut place = None;
    if mask >> 3 & 1 != 0 && body.bytes.length() >= 36 {
        let of = slot(body.get(33, 2), body.get(35, 1), body.get(32, 1), body.get(31, 1));
        text.push_str(&format!(" of {of}"));
        place = Some(of);
    }
    if let Some(kind) = body.words("PORT_TYPE") {
        text.push_str(&format!(" ({kind})"));
    }
    if mask >> 7 & 1 != 0 {
        let mut aer = Node::group("AER");
        aer.children = read("AER", &body.bytes, AER, u64::MAX, &mut body.missing);
        let (uncorrectable, correctable) = (body.get(116, 4), body.get(128, 4));
        let mut words = Vec::new();
        if uncorrectable != 0 {
            words.push(format!("uncorrectable {}", list(uncorrectable, UNCORRECTABLE, "unknown")));
        }
        if correctable != 0 {
            words.push(format!("correctable {}", list(correctable, CORRECTABLE, "unknown")));
        }
        if !words.is_empty() {
            text.push_str(&format!(": {}", words.join("; ")));
        }
        body.nodes.push(aer);
    }
    let advice = "Look at the device, its slot, cable and riser; update its firmware. If many devices below one port have errors, look at the port.";
    body.find(text, advice, &["VENDOR_ID", "DEVICE_ID", "STATUS"], place);
}

const FIRMWARE: &[Field] = &[
    field("RECORD_TYPE", 0, 1).words(&[
        (0, "Itanium SAL record"),
        (1, "SoC record, type 1"),
        (2, "SoC record, type 2"),
    ]),
    field("REVISION", 1, 1),
    field("RECORD_ID", 8, 8),
];

fn firmware(body: &mut Body<'_>) {
    body.nodes = read(body.name, &body.bytes, FIRMWARE, 0, &mut body.missing);
    let length = body.bytes.length();
    // Revision 1 added the GUID; what comes after it is the vendor's.
    let mut end = 16;
    if body.get(1, 1) >= 1 && length >= 32 {
        let fields = [field("RECORD_GUID", 16, 16).is(Kind::Guid)];
        body.nodes.extend(read(body.name, &body.bytes, &fields, 0, &mut body.missing));
        end = 32;
    }
    if length > end {
        let place = body.bytes.place(end, length - end);
        body.nodes.push(Node::value("DATA", Value::Bytes, place));
    }
    let kind = body.words("RECORD_TYPE").unwrap_or("unknown");
    let text = format!("firmware error record: {kind}, {length} bytes");
    let advice = "The vendor decodes the record: give them the bytes (a crash log of the processor, usually).";
    body.find(text, advice, &["RECORD_TYPE", "RECORD_ID"], None);
}

const AGENTS: &[(u64, &str)] = &[
    (0, "restricted CXL device"),
    (1, "restricted CXL host downstream port"),
    (2, "CXL device"),
    (3, "CXL logical device"),
    (4, "CXL logical device of a fabric manager"),
    (5, "CXL root port"),
    (6, "CXL downstream switch port"),
    (7, "CXL upstream switch port"),
];
const CXL: &[Field] = &[
    field("AGENT_TYPE", 8, 1).valid(0).words(AGENTS),
    field("AGENT_ADDRESS", 16, 8).valid(1),
    field("VENDOR_ID", 24, 2).valid(2),
    field("DEVICE_ID", 26, 2).valid(2),
    field("SUBSYSTEM_VENDOR_ID", 28, 2).valid(2),
    field("SUBSYSTEM_ID", 30, 2).valid(2),
    field("CLASS", 32, 2).valid(2),
    field("SLOT", 34, 2).valid(2),
    field("SERIAL_NUMBER", 40, 8).valid(3),
    field("CAPABILITY", 48, 60).valid(4).is(Kind::Bytes),
    field("DVSEC_LENGTH", 108, 2).valid(5).unit("bytes"),
    field("ERROR_LOG_LENGTH", 110, 2).valid(6).unit("bytes"),
];
const CXL_HEAD: usize = 116;
const CXL_UNCORRECTABLE: &[(u32, &str)] = &[
    (0, "cache data parity"),
    (1, "cache address parity"),
    (2, "cache byte enable parity"),
    (3, "cache data ECC"),
    (4, "memory data parity"),
    (5, "memory address parity"),
    (6, "memory byte enable parity"),
    (7, "memory data ECC"),
    (8, "reinit threshold"),
    (9, "unrecognised encoding"),
    (10, "received poison from the peer"),
    (11, "receiver overflow"),
    (14, "internal"),
    (15, "CXL IDE transmit"),
    (16, "CXL IDE receive"),
];
const CXL_CORRECTABLE: &[(u32, &str)] = &[
    (0, "cache data ECC"),
    (1, "memory data ECC"),
    (2, "CRC threshold"),
    (3, "retry threshold"),
    (4, "cache poison received"),
    (5, "memory poison received"),
    (6, "physical layer"),
];
const CXL_RAS: &[Field] = &[
    field("UNCORRECTABLE_STATUS", 0, 4).bits(CXL_UNCORRECTABLE),
    field("UNCORRECTABLE_MASK", 4, 4),
    field("UNCORRECTABLE_SEVERITY", 8, 4),
    field("CORRECTABLE_STATUS", 12, 4).bits(CXL_CORRECTABLE),
    field("CORRECTABLE_MASK", 16, 4),
    field("CONTROL", 20, 4),
    field("HEADER_LOG", 24, 64).is(Kind::Bytes),
];

fn cxl_protocol(body: &mut Body<'_>) {
    let mask = body.read(8, CXL);
    let mut text = "CXL protocol error".to_owned();
    let mut place = None;
    let is_port = body.value("AGENT_TYPE") == Some(1);
    if mask >> 1 & 1 != 0 && body.bytes.length() >= 24 && !is_port {
        let of = slot(body.get(19, 2), body.get(18, 1), body.get(17, 1), body.get(16, 1));
        text.push_str(&format!(" of {of}"));
        place = Some(of);
    }
    if let Some(agent) = body.words("AGENT_TYPE") {
        text.push_str(&format!(" ({agent})"));
    }
    let has = |bit: u32| mask >> bit & 1 != 0;
    let dvsec = if has(5) { body.get(108, 2) as usize } else { 0 };
    if dvsec > 0 {
        let place = body.bytes.place(CXL_HEAD, dvsec);
        if body.bytes.part(CXL_HEAD..CXL_HEAD + dvsec).is_some() {
            body.nodes.push(Node::value("DVSEC", Value::Bytes, place));
        }
    }
    if has(6) {
        let start = CXL_HEAD + dvsec;
        let length = body.bytes.length();
        let end = start.saturating_add(body.get(110, 2) as usize).min(length);
        let log = body.bytes.part(start.min(end)..end);
        if let Some(log) = log {
            let mut ras = Node::group("RAS");
            ras.children = read("CXL error log", &log, CXL_RAS, 0, &mut body.missing);
            let uncorrectable = log.little(0, 4).unwrap_or(0);
            let correctable = log.little(12, 4).unwrap_or(0);
            if uncorrectable != 0 {
                let words = list(uncorrectable, CXL_UNCORRECTABLE, "unknown");
                text.push_str(&format!(": uncorrectable {words}"));
            } else if correctable != 0 {
                let words = list(correctable, CXL_CORRECTABLE, "unknown");
                text.push_str(&format!(": correctable {words}"));
            }
            body.nodes.push(ras);
        }
    }
    let advice = "Look at the CXL device and its link; data in its memory may be poisoned.";
    body.find(text, advice, &["VENDOR_ID", "DEVICE_ID"], place);
}

/// What Linux stores of a machine check: its `struct mce`.
const LINUX_MCE: &[Field] = &[
    field("STATUS", 0, 8),
    field("MISC", 8, 8),
    field("ADDR", 16, 8),
    field("MCG_STATUS", 24, 8),
    field("INSTRUCTION_POINTER", 32, 8),
    field("TIME", 48, 8).is(Kind::Seconds),
    field("CPU_VENDOR", 56, 1),
    field("CPUID", 60, 4),
    field("BANK", 65, 1),
    field("SOCKET", 72, 4),
    field("APIC_ID", 76, 4),
    field("MCG_CAP", 80, 8),
    field("SYND", 88, 8),
    field("IPID", 96, 8),
    field("PPIN", 104, 8),
    field("MICROCODE", 112, 4),
];

fn linux_mce(body: &mut Body<'_>) {
    body.nodes = read(body.name, &body.bytes, LINUX_MCE, 0, &mut body.missing);
    let status = body.get(0, 8);
    let valid = |bit: u32, value: u64| (status >> bit & 1 == 1).then_some(value);
    let vendor = match body.get(56, 1) {
        0 => Vendor::Intel,
        2 | 9 => Vendor::Amd,
        _ => Vendor::Unknown,
    };
    let ipid = body.get(96, 8);
    let bank = Bank {
        vendor,
        status,
        addr: valid(58, body.get(16, 8)),
        misc: valid(59, body.get(8, 8)),
        ipid: Some(ipid).filter(|ipid| vendor == Vendor::Amd && *ipid != 0),
        synd: valid(53, body.get(88, 8)),
    };
    if let Some(node) = body.nodes.iter_mut().find(|node| node.name == "MCG_STATUS") {
        node.meaning = Some(mca::global_status(node.unsigned().unwrap_or(0)));
    }
    let name = format!("bank {}", body.get(65, 1));
    body.findings.extend(bank_finding(&bank, &name, body.path));
}

fn severity_of(number: u64) -> Severity {
    match number {
        0 => Severity::Error,
        1 => Severity::Fatal,
        2 => Severity::Warning,
        _ => Severity::Info,
    }
}

/// A section as its record describes it.
struct Described<'a> {
    number: usize,
    guid: Guid,
    severity: u64,
    revision: u64,
    /// The nodes of the description.
    nodes: Vec<Node>,
    /// The unit that the description names.
    unit: Option<String>,
    flags: u64,
    body: Option<Bytes<'a>>,
}

/// Decodes a section into `decoded`, unless there is no room.
fn section(described: Described<'_>, decoded: &mut Decoded, room: &mut Room) -> bool {
    let known = SECTION_TYPES.iter().find(|section| section.guid == described.guid);
    let named = NAMES.iter().find(|(guid, _)| *guid == described.guid).map(|(_, name)| *name);
    let name = known.map(|section| section.name).or(named);
    let title = match name {
        Some(name) => format!("{name} section"),
        None => format!("section {}", described.guid),
    };
    let path = format!("section {}", described.number);
    let mut node = Node::group(path.clone()).titled(title.clone());
    let path = format!("{path}.BODY");
    node.children = described.nodes;
    let mut findings = Vec::new();
    match described.body {
        None => decoded.missing.push(Missing {
            what: format!("the body of section {}, {title}", described.number),
            why: "it is outside of the record".to_owned(),
        }),
        Some(bytes) => {
            let mut value = Node::value("BODY", Value::Bytes, bytes.place(0, bytes.length()));
            let length = bytes.length();
            let mut body = Body {
                bytes,
                name: name.unwrap_or("section"),
                path: &path,
                source: known.map_or("UEFI appendix N", |section| section.source),
                severity: severity_of(described.severity),
                nodes: Vec::new(),
                missing: Vec::new(),
                findings: Vec::new(),
            };
            match known {
                Some(known) => (known.body)(&mut body),
                None => {
                    let text = format!("{title} of {length} bytes, which is not decoded");
                    body.find(text, "Its vendor knows what it says.", &[], None);
                }
            }
            value.children = body.nodes;
            node.children.push(value);
            decoded.missing.extend(body.missing);
            findings = body.findings;
        }
    }
    let revision = described.revision;
    let major = revision >> 8;
    if known.is_some() && (major > 3) {
        decoded
            .remarks
            .push(format!("{title}: revision {revision:#06x} may have more than is known"));
    }
    for finding in &mut findings {
        if let Some(unit) = &described.unit {
            finding.text.push_str(&format!(", unit {unit}"));
        }
        let flags = described.flags & !1;
        if flags != 0 {
            finding.text.push_str(&format!("; {}", list(flags, SECTION_FLAGS, "other flags")));
        }
    }
    let fits = room.take(std::slice::from_ref(&node));
    if fits {
        decoded.nodes.push(node);
    }
    decoded.findings.extend(findings);
    fits
}

/// The part from `at` on of `length` bytes, or as much of it as is there; `None` where it
/// starts after the end.
fn clipped<'a>(bytes: &Bytes<'a>, at: usize, length: usize) -> Option<Bytes<'a>> {
    let end = at.checked_add(length)?.min(bytes.length());
    if at > end || (at == end && length > 0) { None } else { bytes.part(at..end) }
}

fn unit(bytes: &Bytes<'_>, valid: u64, at: usize) -> Option<String> {
    let raw = bytes.raw().get(at..at.checked_add(20)?)?;
    let unit = text(raw).trim().to_owned();
    Some(unit).filter(|unit| valid & 2 != 0 && !unit.is_empty())
}

/// Decodes the record in `bytes`, which starts with its signature; gives its length.
fn record(bytes: &Bytes<'_>, room: &mut Room) -> (Decoded, Option<usize>) {
    let mut decoded = Decoded::default();
    let valid = bytes.little(16, 4).unwrap_or(0);
    let fields = read("record", bytes, RECORD, valid, &mut decoded.missing);
    decoded.nodes = fields;
    let severity = bytes.little(12, 4).unwrap_or(3);
    let notification = bytes.raw().get(80..).and_then(guid);
    let kind = NOTIFICATIONS.iter().find(|(guid, _)| notification == Some(*guid));
    let kind = kind.map_or("unknown notification", |(_, name)| *name);
    decoded.title = format!("error record, {kind}");
    if valid & 2 != 0
        && let Some(node) = timestamp(bytes, 24)
    {
        decoded.nodes.push(node);
    }
    let length = bytes.little(20, 4).unwrap_or(0) as usize;
    if length > bytes.length() {
        decoded.missing.push(Missing {
            what: "the end of the record".to_owned(),
            why: format!("it has {length} bytes, the dump {} of them", bytes.length()),
        });
    }
    let whole = clipped(bytes, 0, length.max(RECORD_HEAD)).unwrap_or(*bytes);
    let count = bytes.little(10, 2).unwrap_or(0) as usize;
    for number in 0..count {
        let at = RECORD_HEAD + number * DESCRIPTOR;
        let Some(descriptor) = whole.part(at..at + DESCRIPTOR).filter(|_| number < SECTIONS) else {
            let what = format!("sections {number} to {}", count - 1);
            let why = "the record ends before their descriptors, or they are too many";
            decoded.missing.push(Missing { what, why: why.to_owned() });
            break;
        };
        let get = |at, size| descriptor.little(at, size).unwrap_or(0);
        let what = format!("section {number}");
        let valid = get(10, 1);
        let nodes = read(&what, &descriptor, DESCRIPTOR_FIELDS, valid, &mut decoded.missing);
        let Some(guid) = descriptor.raw().get(16..).and_then(guid) else { break };
        let described = Described {
            number,
            guid,
            severity: get(48, 4),
            revision: get(8, 2),
            nodes,
            unit: unit(&descriptor, valid, 52),
            flags: get(12, 4),
            body: clipped(&whole, get(0, 4) as usize, get(4, 4) as usize),
        };
        if !section(described, &mut decoded, room) {
            decoded.missing.push(too_many("sections", count - number));
            break;
        }
    }
    finish(&mut decoded, severity, bytes.little(104, 4).unwrap_or(0));
    (decoded, Some(length).filter(|length| *length >= RECORD_HEAD))
}

/// What the record says as a whole.
fn finish(decoded: &mut Decoded, severity: u64, flags: u64) {
    if decoded.findings.is_empty() {
        decoded.findings.push(Finding {
            severity: severity_of(severity),
            text: format!(
                "{} error without a section that can be read",
                word(SEVERITIES, severity)
            ),
            advice: None,
            source: "UEFI N.2.1".to_owned(),
            values: Vec::new(),
            points_to: None,
        });
    }
    if flags & 4 != 0 {
        // Whoever injected an error does not want it taken for a real one.
        decoded.remarks.push("the error is simulated".to_owned());
    }
    if flags & 2 != 0 {
        decoded.remarks.push("the error is of an earlier boot".to_owned());
    }
    decoded.sort();
    let first = decoded.findings.first().map(|finding| finding.text.clone()).unwrap_or_default();
    decoded.headline = Some(format!("{}: {first}", word(SEVERITIES, severity)));
    decoded.slot = decoded.findings.iter().find_map(|finding| finding.points_to.clone());
}

/// The time of a record, in packed decimal digits, the least significant part first.
fn timestamp(bytes: &Bytes<'_>, at: usize) -> Option<Node> {
    let raw = bytes.raw().get(at..at.checked_add(8)?)?;
    let [second, minute, hour, flags, day, month, year, century] = *raw.first_chunk()?;
    let digits = [century, year, month, day, hour, minute, second];
    let is_decimal = digits.iter().all(|byte| byte & 15 < 10 && byte >> 4 < 10);
    let node = bytes.node("TIMESTAMP", at, 8);
    Some(if is_decimal {
        let precise = if flags & 1 == 1 { "" } else { ", not precise" };
        node.meaning(format!(
            "{century:02x}{year:02x}-{month:02x}-{day:02x} {hour:02x}:{minute:02x}:{second:02x}{precise}"
        ))
    } else {
        node.meaning("no decimal time")
    })
}

/// Decodes the generic error status block in `bytes`; gives its length.
fn block(bytes: &Bytes<'_>, room: &mut Room) -> (Decoded, Option<usize>) {
    let mut decoded =
        Decoded { title: "generic error status block".to_owned(), ..Decoded::default() };
    decoded.nodes = read("block", bytes, BLOCK, 0, &mut decoded.missing);
    let get = |at, size| bytes.little(at, size).unwrap_or(0);
    let (status, severity) = (get(0, 4), bytes.little(16, 4).unwrap_or(3));
    let (raw_at, raw_length) = (get(4, 4) as usize, get(8, 4) as usize);
    let data = get(12, 4) as usize;
    if let Some(node) = decoded.nodes.first_mut().filter(|_| status != 0) {
        node.meaning = Some(format!("{} entries", status >> 4 & 0x3ff));
    }
    if status == 0 && data > 0 {
        decoded.remarks.push("the block was marked as read already".to_owned());
    }
    let end = BLOCK_HEAD.saturating_add(data);
    if end > bytes.length() {
        decoded.missing.push(Missing {
            what: "the end of the block".to_owned(),
            why: format!("it has {end} bytes, the dump {} of them", bytes.length()),
        });
    }
    let mut at = BLOCK_HEAD;
    let mut number = 0;
    while at < end && at < bytes.length() {
        let what = format!("section {number}");
        let revision = bytes.little(at.saturating_add(20), 2).unwrap_or(0);
        let head_length = if revision >= 0x300 { ENTRY_3 } else { ENTRY };
        let head = clipped(bytes, at, head_length).filter(|head| head.length() == head_length);
        let head = head.filter(|_| number < SECTIONS && at.saturating_add(head_length) <= end);
        let Some(head) = head else {
            let why = format!("its header at {at} is cut, or there are too many");
            decoded.missing.push(Missing { what: format!("{what} and after"), why });
            break;
        };
        let get = |at, size| head.little(at, size).unwrap_or(0);
        let valid = get(22, 1);
        let mut nodes = read(&what, &head, ENTRY_FIELDS, valid, &mut decoded.missing);
        if revision >= 0x300 && valid & 4 != 0 {
            nodes.extend(timestamp(&head, 64));
        }
        let Some(guid) = guid(head.raw()) else { break };
        let body_at = at + head_length;
        let length = get(24, 4) as usize;
        let next = body_at.saturating_add(length);
        if next > end {
            decoded.missing.push(Missing {
                what: format!("the end of {what}"),
                why: format!("it has {length} bytes, the block ends before"),
            });
        }
        let described = Described {
            number,
            guid,
            severity: get(16, 4),
            revision,
            nodes,
            unit: unit(&head, valid, 44),
            flags: get(23, 1),
            body: clipped(bytes, body_at, next.min(end).saturating_sub(body_at)),
        };
        if !section(described, &mut decoded, room) {
            decoded.missing.push(too_many("sections", 1));
            break;
        }
        at = next;
        number += 1;
    }
    let raw_end = raw_at.saturating_add(raw_length);
    if raw_length > 0 {
        if raw_at >= end && raw_end <= bytes.length() {
            let place = bytes.place(raw_at, raw_length);
            decoded.nodes.push(Node::value("RAW_DATA", Value::Bytes, place));
        } else {
            let why = format!("it is from {raw_at} to {raw_end}, over the data or after the end");
            decoded.missing.push(Missing { what: "the raw data".to_owned(), why });
        }
    }
    let length = end.max(if raw_length > 0 { raw_end } else { 0 });
    finish(&mut decoded, severity, 0);
    (decoded, Some(length))
}

/// Whether a block with something in it may start here.
fn is_block(bytes: &Bytes<'_>) -> bool {
    let get = |at| bytes.little(at, 4).unwrap_or(0);
    bytes.length() >= BLOCK_HEAD && get(12) >= ENTRY as u64 && get(16) <= 3
}

/// The parts of names that dumps of these have.
const PREFIXES: [&str; 5] = ["cper", "erst", "bert", "ghes", "hest"];

impl Decoder for Cper {
    fn name(&self) -> &'static str {
        "cper"
    }

    fn recognises(&self, name: &str, bytes: &[u8]) -> bool {
        let is_record = bytes.starts_with(b"CPER") && bytes.get(6..10) == Some(&[0xff; 4]);
        let name = name.to_ascii_lowercase();
        let named = PREFIXES.iter().any(|prefix| {
            let rest = name.strip_prefix(prefix);
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphabetic()))
        });
        is_record || (named && is_block(&Bytes::new(bytes)))
    }

    fn decode(&self, _: &str, bytes: &[u8]) -> Vec<Decoded> {
        let whole = Bytes::new(bytes);
        let mut all: Vec<Decoded> = Vec::new();
        let mut room = Room::new();
        let mut at = 0;
        while at < bytes.len() {
            let Some(rest) = whole.part(at..bytes.len()) else { break };
            let is_record = rest.raw().starts_with(b"CPER");
            if !is_record && !is_block(&rest) {
                // A region of firmware is larger than what is in it.
                let left = bytes.len() - at;
                let is_empty = rest.raw().iter().all(|byte| *byte == 0 || *byte == 0xff);
                if let Some(last) = all.last_mut().filter(|_| !is_empty) {
                    let why = "it is neither a record nor a block".to_owned();
                    last.missing.push(Missing { what: format!("the last {left} bytes"), why });
                }
                break;
            }
            if all.len() == RECORDS {
                if let Some(last) = all.last_mut() {
                    let what = "the records after the first 1024".to_owned();
                    last.missing.push(Missing { what, why: "there are too many".to_owned() });
                }
                break;
            }
            let (decoded, length) =
                if is_record { record(&rest, &mut room) } else { block(&rest, &mut room) };
            all.push(decoded);
            let Some(next) = length.and_then(|length| at.checked_add(length)) else { break };
            at = next;
        }
        all
    }
}
