// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Machine check banks in words.
//!
//! Facts: Intel 64 and IA-32 Architectures SDM, volume 3B, chapters 17 and 18 ("Machine-Check
//! Architecture", "Interpreting Machine Check Error Codes"); AMD64 Architecture Programmer's
//! Manual, volume 2, chapter 9; AMD Processor Programming References, 3.1 (scalable MCA).

use std::collections::BTreeMap;
use std::ops::Range;

use plan::dump::{
    Damage, Device, End, MAGIC, Outcome, RECORD_SIZE, Record, Records, SEGMENT_SIZE, Segment,
    Status,
};
use plan::place::Space;
use plan::plan::Kind;

use crate::fields::{Room, list, too_many, word};
use crate::model::{Bytes, Decoded, Decoder, Finding, Missing, Node, Severity, Value, text};

/// Who made the processor, which decides what its codes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Vendor {
    /// Intel.
    Intel,
    /// AMD, and Hygon.
    Amd,
    /// It is not known. The codes that both have are decoded.
    #[default]
    Unknown,
}

/// The registers of a bank. What is `None` was not read or is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bank {
    /// Who made the processor.
    pub vendor: Vendor,
    /// `MCi_STATUS`.
    pub status: u64,
    /// `MCi_ADDR`.
    pub addr: Option<u64>,
    /// `MCi_MISC`, of AMD `MCi_MISC0`.
    pub misc: Option<u64>,
    /// `MCA_IPID`, which only scalable MCA has: what the bank belongs to.
    pub ipid: Option<u64>,
    /// `MCA_SYND`.
    pub synd: Option<u64>,
}

/// Which part of the machine an error is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Memory, or its controller.
    Memory,
    /// A cache.
    Cache,
    /// A translation buffer.
    Tlb,
    /// A bus or interconnect, or what is on it.
    Bus,
    /// PCI Express, or another I/O device.
    Io,
    /// The processor waited too long for something.
    Timer,
    /// The processor otherwise.
    Processor,
    /// It is not known.
    Unknown,
}

/// What a bank says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// How bad it is.
    pub severity: Severity,
    /// Which part of the machine it is of.
    pub part: Part,
    /// What happened: `uncorrected error, memory read, channel 1`.
    pub text: String,
    /// What to do.
    pub advice: &'static str,
    /// Which PCI function it is about (Intel's I/O errors).
    pub slot: Option<String>,
}

/// A level of a cache, as the codes have it.
const LEVELS: [&str; 4] = ["level 0", "level 1", "level 2", "any level"];
const TRANSACTIONS: [&str; 4] = ["instruction", "data", "generic", "reserved"];
const REQUESTS: &[(u64, &str)] = &[
    (0, "error"),
    (1, "read"),
    (2, "write"),
    (3, "data read"),
    (4, "data write"),
    (5, "instruction fetch"),
    (6, "prefetch"),
    (7, "eviction"),
    (8, "snoop"),
];
const MEMORY: &[(u64, &str)] = &[
    (0, "unspecified request"),
    (1, "read"),
    (2, "write"),
    (3, "address or command"),
    (4, "scrub"),
];
const PARTICIPANTS: [&str; 4] = [
    "this processor asked",
    "this processor answered",
    "this processor watched",
    "participant not known",
];
const SPACES: [&str; 4] = ["memory", "reserved", "I/O", "other"];
/// Codes that are not made of parts.
const SIMPLE: &[(u64, (Part, &str))] = &[
    (0x0000, (Part::Unknown, "no error code")),
    (0x0001, (Part::Unknown, "unclassified error")),
    (0x0002, (Part::Processor, "parity error in the microcode ROM")),
    (0x0003, (Part::Bus, "another processor signalled an error")),
    (0x0004, (Part::Processor, "functional redundancy check")),
    (0x0005, (Part::Processor, "internal parity error")),
    (0x0006, (Part::Processor, "system management code was fetched from outside of its memory")),
    (0x0400, (Part::Timer, "internal timer expired")),
];
/// Intel's code of an I/O error, whose function is in MISC.
const IO: u64 = 0x0e0b;

/// `count` bits of `value` from `low` on.
const fn bits(value: u64, low: u32, count: u32) -> u64 {
    (value >> low) & ((1 << count) - 1)
}

fn pick<T: Copy>(of: &[T; 4], value: u64) -> T {
    let [a, b, c, d] = *of;
    match value & 3 {
        0 => a,
        1 => b,
        2 => c,
        _ => d,
    }
}

fn channel(code: u64) -> String {
    match bits(code, 0, 4) {
        15 => "channel not known".to_owned(),
        channel => format!("channel {channel}"),
    }
}

/// The part and the words of the architectural error code, the low 16 bits of a status.
#[must_use]
pub fn code(code: u16, vendor: Vendor) -> (Part, String) {
    let code = u64::from(code);
    let level = pick(&LEVELS, code);
    let transaction = pick(&TRANSACTIONS, code >> 2);
    let request = word(REQUESTS, bits(code, 4, 4));
    if code == IO && vendor != Vendor::Amd {
        return (Part::Io, "I/O error".to_owned());
    }
    // Bit 12 says that corrected errors were filtered, except in a bus error of AMD, whose
    // codes do not use it.
    let bare = code & !0x1000;
    if let Some((_, (part, words))) = SIMPLE.iter().find(|(of, _)| *of == bare) {
        return (*part, (*words).to_owned());
    }
    match bare {
        0x0400..=0x07ff if vendor == Vendor::Amd => {
            (Part::Processor, "internal error of the processor".to_owned())
        }
        0x0400..=0x07ff => {
            (Part::Processor, format!("internal error {:#x} of the processor", bare & 0x3ff))
        }
        0x000c..=0x000f => (Part::Cache, format!("cache hierarchy, {level}")),
        0x0010..=0x001f => (Part::Tlb, format!("{transaction} translation buffer, {level}")),
        0x0080..=0x00ff if vendor != Vendor::Amd => {
            let kind = word(MEMORY, bits(code, 4, 3));
            (Part::Memory, format!("memory controller, {kind}, {}", channel(code)))
        }
        0x0280..=0x02ff if vendor != Vendor::Amd => {
            let kind = word(MEMORY, bits(code, 4, 3));
            (Part::Memory, format!("memory used as a cache, {kind}, {}", channel(code)))
        }
        0x0100..=0x01ff => (Part::Cache, format!("{transaction} cache, {level}, {request}")),
        0x0800..=0x0fff => {
            let who = pick(&PARTICIPANTS, code >> 9);
            let space = pick(&SPACES, code >> 2);
            let late = if bits(code, 8, 1) == 1 { ", timed out" } else { "" };
            let what = format!("bus or interconnect, {request}, {space}, {level}, {who}{late}");
            (Part::Bus, what)
        }
        _ => (Part::Unknown, format!("error code {code:#06x}")),
    }
}

/// A kind of bank of scalable MCA: hardware id and type (IPID), what it is, and its errors by
/// extended code.
type Type = (u64, u64, Part, &'static str, &'static [&'static str]);

const NO_NAMES: &[&str] = &[];
const LOAD_STORE: &[&str] = &[
    "load queue parity",
    "store queue parity",
    "miss address buffer parity",
    "first level translation buffer parity",
    "data cache tag, type 5",
    "data cache tag, type 6",
    "data cache tag, type 1",
    "internal, type 1",
    "internal, type 2",
    "system read data, thread 0",
    "system read data, thread 1",
    "data cache tag, type 2",
    "poisoned data was used from the data cache",
    "data cache data, type 2",
    "data cache data, type 3",
    "data cache tag, type 4",
    "second level translation buffer parity",
    "page directory cache parity",
    "data cache tag, type 3",
    "data cache tag, type 5",
    "fill data of the second level cache",
];
const LOAD_STORE_2: &[&str] = &[
    "data cache ECC, probe or victim",
    "data cache ECC or poison, load",
    "data cache ECC, store",
    "data cache tag ECC, probe or victim",
    "data cache tag ECC, load",
    "data cache tag ECC, store",
    "emulation memory ECC, load",
    "emulation memory ECC, store",
    "first level translation buffer parity",
    "second level translation buffer parity",
    "page walk cache parity",
    "store queue parity",
    "load queue parity",
    "miss address buffer parity",
    "store commit buffer state parity",
    "store commit buffer address parity",
    "store commit buffer data parity",
    "write combining buffer parity",
    "poisoned line in the store commit buffer",
    "system read data, load",
    "system read data, store",
    "system read data, write combining",
    "hardware assertion",
];
const FETCH: &[&str] = &[
    "micro tag probe port parity",
    "micro tag or full tag hit twice",
    "full tag parity",
    "instruction cache data parity",
    "prefetch queue parity",
    "level 0 translation buffer parity",
    "level 1 translation buffer parity",
    "level 2 translation buffer parity",
    "probe queue parity, thread 0",
    "probe queue parity, thread 1",
    "level 1 branch target buffer hit twice",
    "level 2 branch target buffer hit twice",
    "poison from the second level cache",
    "system read data",
    "hardware assertion",
];
const LEVEL_2: &[&str] = &[
    "tag hit in several ways",
    "tag or state ECC",
    "data ECC",
    "hardware assertion",
    "read response parity",
];
const DECODE: &[&str] = &[
    "micro-op cache tag parity",
    "micro-op cache data parity",
    "instruction byte buffer parity",
    "micro-op queue parity",
    "dispatch queue parity",
    "fetch address queue parity",
    "patch RAM data parity",
    "patch RAM sequencer parity",
    "micro-op fetch queue parity",
    "hardware assertion",
];
const EXECUTION: &[&str] = &[
    "watchdog: no instruction was retired",
    "physical register file parity",
    "flag register file parity",
    "immediate register file parity",
    "address generator parity",
    "execution payload parity",
    "checkpoint queue parity",
    "retire dispatch queue parity",
    "retire status queue parity",
    "scheduler parity",
    "branch buffer parity",
    "hardware assertion",
];
const FLOATING: &[&str] = &[
    "physical register file parity",
    "free list parity",
    "scheduler parity",
    "non-scheduled queue parity",
    "retire queue parity",
    "status register file parity",
    "hardware assertion",
];
const LEVEL_3: &[&str] = &[
    "shadow tag ECC",
    "shadow tag hit in several ways",
    "tag ECC",
    "tag hit in several ways",
    "data ECC",
    "parity of data from the core",
    "victim queue",
    "hardware assertion",
];
const COHERENT: &[&str] = &[
    "illegal request",
    "address violation",
    "security violation",
    "illegal response",
    "unexpected response",
    "request or probe parity",
    "read response parity",
    "atomic request parity",
    "probe filter ECC",
];
const COHERENT_2: &[&str] = &[
    "illegal request",
    "address violation",
    "security violation",
    "illegal response",
    "unexpected response",
    "request or probe parity",
    "read response parity",
    "atomic request parity",
];
const INTERRUPTS: &[&str] = &[
    "hardware assertion",
    "register security violation",
    "link error",
    "poisoned data was used",
    "deferred error in the data fabric",
    "watchdog",
];
const MEMORY_CONTROLLER: &[&str] = &[
    "DRAM ECC",
    "poisoned data in DRAM",
    "data fabric parity",
    "peripheral bus",
    "command or address parity",
    "write data CRC",
    "command queue SRAM ECC",
    "encryption SRAM ECC",
];
const MEMORY_CONTROLLER_2: &[&str] = &[
    "DRAM ECC",
    "poisoned data",
    "data fabric parity",
    "reserved",
    "command or address parity",
    "write data parity",
    "command queue SRAM ECC",
    "reserved",
    "read data parity",
    "read buffer SRAM ECC",
    "read response SRAM ECC",
];

const TYPES: &[Type] = &[
    (0xb0, 0x00, Part::Cache, "load/store unit", LOAD_STORE),
    (0xb0, 0x10, Part::Cache, "load/store unit", LOAD_STORE_2),
    (0xb0, 0x01, Part::Cache, "instruction fetch unit", FETCH),
    (0xb0, 0x02, Part::Cache, "second level cache", LEVEL_2),
    (0xb0, 0x03, Part::Processor, "decoder", DECODE),
    (0xb0, 0x05, Part::Processor, "execution unit", EXECUTION),
    (0xb0, 0x06, Part::Processor, "floating point unit", FLOATING),
    (0xb0, 0x07, Part::Cache, "third level cache", LEVEL_3),
    (0x2e, 0x00, Part::Bus, "coherent station of the data fabric", COHERENT),
    (0x2e, 0x02, Part::Bus, "coherent station of the data fabric", COHERENT_2),
    (0x2e, 0x01, Part::Bus, "power, interrupts and links of the data fabric", INTERRUPTS),
    (0x2e, 0x04, Part::Cache, "memory-attached last level cache", NO_NAMES),
    (0x96, 0x00, Part::Memory, "memory controller", MEMORY_CONTROLLER),
    (0x96, 0x01, Part::Memory, "memory controller", MEMORY_CONTROLLER_2),
    (0x05, 0x00, Part::Processor, "parameter block", NO_NAMES),
    (0xff, 0x00, Part::Processor, "security processor", NO_NAMES),
    (0xff, 0x01, Part::Processor, "security processor", NO_NAMES),
    (0x01, 0x00, Part::Processor, "system management unit", NO_NAMES),
    (0x01, 0x01, Part::Processor, "system management unit", NO_NAMES),
    (0x01, 0x02, Part::Processor, "microprocessor 5", NO_NAMES),
    (0x01, 0x03, Part::Processor, "DMA microprocessor", NO_NAMES),
    (0x18, 0x00, Part::Io, "northbridge I/O unit", NO_NAMES),
    (0x46, 0x00, Part::Io, "PCI Express unit", NO_NAMES),
    (0x46, 0x01, Part::Io, "PCI Express unit", NO_NAMES),
    (0x50, 0x00, Part::Bus, "xGMI link", NO_NAMES),
    (0x6c, 0x00, Part::Io, "northbridge interface", NO_NAMES),
    (0x80, 0x00, Part::Bus, "system hub", NO_NAMES),
    (0xa8, 0x00, Part::Io, "SATA controller", NO_NAMES),
    (0xaa, 0x00, Part::Io, "USB controller", NO_NAMES),
    (0x170, 0x00, Part::Bus, "die-to-die data link", NO_NAMES),
    (0x180, 0x00, Part::Bus, "die-to-die control link", NO_NAMES),
    (0x241, 0x00, Part::Bus, "GMI link", NO_NAMES),
    (0x259, 0x00, Part::Bus, "xGMI physical layer", NO_NAMES),
    (0x267, 0x00, Part::Bus, "WAFL physical layer", NO_NAMES),
    (0x269, 0x00, Part::Bus, "GMI physical layer", NO_NAMES),
];

/// The part and the words of a bank of scalable MCA.
fn scalable(status: u64, ipid: u64) -> (Part, String) {
    let (hardware, kind) = (bits(ipid, 32, 12), bits(ipid, 48, 16));
    let extended = bits(status, 16, 6);
    let Some((.., part, name, errors)) =
        TYPES.iter().find(|(of, with, ..)| (*of, *with) == (hardware, kind))
    else {
        let (part, words) = code(status as u16, Vendor::Amd);
        return (part, format!("hardware {hardware:#x} type {kind:#x}, {words}"));
    };
    let error = usize::try_from(extended).ok().and_then(|extended| errors.get(extended));
    let error = match error {
        Some(error) => (*error).to_owned(),
        None => format!("extended code {extended}"),
    };
    (*part, format!("{name}, {error}"))
}

/// How bad the error in `bank` is, and the words for it.
fn severity(bank: &Bank) -> (Severity, &'static str) {
    let bit = |bit: u32| bits(bank.status, bit, 1) == 1;
    let (uncorrected, corrupt) = (bit(61), bit(57));
    let is_scalable = bank.ipid.is_some();
    match (uncorrected, corrupt) {
        (true, true) => (Severity::Fatal, "uncorrected error, the processor's context is corrupt"),
        (true, false) if is_scalable || bank.vendor == Vendor::Amd => {
            if bit(55) {
                (Severity::Error, "uncorrected error, the task's context is corrupt")
            } else {
                (Severity::Error, "uncorrected error")
            }
        }
        (true, false) if bank.vendor == Vendor::Unknown => (Severity::Error, "uncorrected error"),
        (true, false) => match (bit(56), bit(55)) {
            (true, true) => (Severity::Error, "uncorrected error, the data was being used"),
            (true, false) => (Severity::Error, "uncorrected error, the data was not used yet"),
            (false, _) => (Severity::Warning, "uncorrected error, no action was needed"),
        },
        (false, _) if is_scalable && bit(44) => {
            (Severity::Warning, "deferred error, the data was not used yet")
        }
        (false, _) => (Severity::Warning, "corrected error"),
    }
}

fn advice(part: Part, severity: Severity) -> &'static str {
    match part {
        Part::Memory if severity > Severity::Warning => {
            "Replace the memory module: the machine's event log or EDAC names its slot."
        }
        Part::Memory => {
            "Watch the memory module: many corrected errors announce that it will fail. The machine's event log or EDAC names its slot."
        }
        Part::Cache | Part::Tlb => {
            "Look for a memory error in another bank first: a cache passes on what memory gave. Without one, the processor is at fault."
        }
        Part::Bus => {
            "Look at the AER status of the root ports and at the banks of the other processors: a transfer between them or to a device failed."
        }
        Part::Io => {
            "Look at the AER status, the link and the slot of the port and the device below it."
        }
        Part::Timer => {
            "Look at the root ports and at the device that was in use: the processor usually waited for a read that nobody answered."
        }
        Part::Processor => {
            "Update microcode and firmware; if it comes again, replace the processor."
        }
        Part::Unknown => "Look at the other banks and at the machine's event log.",
    }
}

/// What the registers of `bank` say, or `None` where its status is not valid.
#[must_use]
pub fn explain(bank: &Bank) -> Option<Meaning> {
    let status = bank.status;
    if bits(status, 63, 1) == 0 {
        return None;
    }
    let (part, what) = match bank.ipid {
        Some(ipid) => scalable(status, ipid),
        None => code(status as u16, bank.vendor),
    };
    let (severity, kind) = severity(bank);
    let mut text = format!("{kind}: {what}");
    let mut slot = None;
    let is_intel = bank.ipid.is_none() && bank.vendor != Vendor::Amd;
    if let Some(misc) = bank.misc.filter(|_| is_intel && status & 0xffff == IO) {
        let (segment, bus) = (bits(misc, 32, 8), bits(misc, 24, 8));
        let (device, function) = (bits(misc, 19, 5), bits(misc, 16, 3));
        let place = format!("{segment:04x}:{bus:02x}:{device:02x}.{function}");
        text.push_str(&format!(", of {place}"));
        slot = Some(place);
    }
    if bank.ipid.is_some() && bits(status, 43, 1) == 1 {
        text.push_str(", poisoned data was used");
    }
    if let Some(addr) = bank.addr {
        text.push_str(&format!(", address {addr:#x}"));
    }
    let corrected = bits(status, 38, 15);
    if is_intel && severity <= Severity::Warning && corrected > 1 {
        text.push_str(&format!(", {corrected} times"));
    }
    if bits(status, 62, 1) == 1 {
        text.push_str("; more came than the bank holds");
    }
    Some(Meaning { severity, part, text, advice: advice(part, severity), slot })
}

/// The finding for `bank`, whose registers' nodes are at `path` (`bank 9`).
#[must_use]
pub fn finding(bank: &Bank, path: &str) -> Option<Finding> {
    let meaning = explain(bank)?;
    let mut values = vec![(format!("{path}.STATUS"), bank.status)];
    let more = [("ADDR", bank.addr), ("MISC", bank.misc), ("IPID", bank.ipid)];
    let more = more.into_iter().filter_map(|(name, value)| Some((name, value?)));
    values.extend(more.map(|(name, value)| (format!("{path}.{name}"), value)));
    let source = match bank.ipid {
        Some(_) => "AMD Processor Programming Reference, scalable MCA",
        None if bank.vendor == Vendor::Amd => "AMD64 Architecture Programmer's Manual, 9.3",
        None => "Intel SDM, interpreting machine check error codes",
    };
    Some(Finding {
        severity: meaning.severity,
        text: format!("{path}: {}", meaning.text),
        advice: Some(meaning.advice.to_owned()),
        source: source.to_owned(),
        values,
        points_to: meaning.slot,
    })
}

const STATUS_BITS: &[(u32, &str)] =
    &[(63, "VAL"), (62, "OVER"), (61, "UC"), (60, "EN"), (59, "MISCV"), (58, "ADDRV"), (57, "PCC")];
const STATUS_BITS_INTEL: &[(u32, &str)] = &[(56, "S"), (55, "AR")];
const STATUS_BITS_SCALABLE: &[(u32, &str)] =
    &[(55, "TCC"), (53, "SYNDV"), (46, "CECC"), (45, "UECC"), (44, "DEFERRED"), (43, "POISON")];
/// Kinds of addresses in ADDR, as Intel's MISC has them.
const MODES: &[(u64, &str)] =
    &[(0, "segment offset"), (1, "linear"), (2, "physical"), (3, "memory"), (7, "generic")];

/// A node for a register, where it was read.
type Register = Option<(u64, Range<u64>)>;

fn register(name: &str, register: &Register) -> Option<Node> {
    let (value, place) = register.clone()?;
    Some(Node::value(name, Value::Unsigned(value), place))
}

/// The node of the status register, with what its bits mean.
#[must_use]
pub fn status_node(bank: &Bank, place: Range<u64>) -> Node {
    let status = bank.status;
    let mut node = Node::value("STATUS", Value::Unsigned(status), place);
    let more = match bank.ipid {
        Some(_) => STATUS_BITS_SCALABLE,
        None if bank.vendor == Vendor::Intel => STATUS_BITS_INTEL,
        None => &[],
    };
    node.children = crate::fields::bits_of(status, STATUS_BITS);
    node.children.extend(crate::fields::bits_of(status, more));
    let part = |name: &str, low: u32, count: u32| Node {
        value: Some(Value::Unsigned(bits(status, low, count))),
        bits: Some((low, low + count - 1)),
        ..Node::group(name)
    };
    let (_, words) = code(status as u16, bank.vendor);
    node.children.push(part("MCACOD", 0, 16).meaning(words));
    node.children.push(match bank.ipid {
        Some(ipid) => part("EXTENDED", 16, 6).meaning(scalable(status, ipid).1),
        None => part("MSCOD", 16, 16).titled("code of the model"),
    });
    if bank.ipid.is_none() && bank.vendor == Vendor::Intel {
        node.children.push(part("CORRECTED", 38, 15).titled("count of corrected errors"));
        let threshold = [(0, "not tracked"), (1, "below the threshold"), (2, "above it")];
        let state = word(&threshold, bits(status, 53, 2));
        if bits(status, 61, 1) == 0 {
            node.children.push(part("THRESHOLD", 53, 2).meaning(state));
        }
    }
    node.meaning = Some(match explain(bank) {
        Some(meaning) => meaning.text,
        None => "no error".to_owned(),
    });
    node
}

/// Machine check banks in register dumps.
#[derive(Debug, Clone, Copy)]
pub struct Mca;

/// How many banks a processor has at most.
const BANKS: u64 = 64;
const CAPABILITIES: u64 = 0x179;
const LEGACY: Range<u64> = 0x400..0x400 + 4 * BANKS;
const SCALABLE: Range<u64> = 0xc000_2000..0xc000_2000 + 16 * BANKS;
/// How many processors of a dump are decoded.
const PROCESSORS: usize = 4096;

const CAPABILITY_BITS: &[(u32, &str)] = &[
    (8, "CTL_P"),
    (9, "EXT_P"),
    (10, "CMCI_P"),
    (11, "TES_P"),
    (24, "SER_P"),
    (26, "ELOG_P"),
    (27, "LMCE_P"),
];
const GLOBAL_BITS: &[(u32, &str)] = &[(0, "RIPV"), (1, "EIPV"), (2, "MCIP"), (3, "LMCE")];

/// The machine check registers of a processor, by their number.
type Registers = BTreeMap<u64, (u64, Range<u64>)>;

fn is_machine_check(device: &Device) -> bool {
    device.kind == Kind::Cpu && text(&device.profile) == "mca"
}

fn collect(registers: &mut Registers, first: u64, bytes: &Bytes<'_>) {
    let wanted = |number: u64| {
        (CAPABILITIES..CAPABILITIES + 3).contains(&number)
            || LEGACY.contains(&number)
            || SCALABLE.contains(&number)
    };
    for (index, at) in (0..bytes.length()).step_by(8).enumerate() {
        let number = first.saturating_add(index as u64);
        if let Some(value) = bytes.little(at, 8).filter(|_| wanted(number)) {
            registers.entry(number).or_insert((value, bytes.place(at, 8)));
        }
    }
}

/// A processor of a dump while its records are read.
struct Processor {
    device: Device,
    registers: Registers,
    missing: Vec<Missing>,
    /// Whether its end is in the dump.
    ended: bool,
}

impl Processor {
    fn new(device: Device) -> Self {
        Self { device, registers: Registers::new(), missing: Vec::new(), ended: false }
    }

    /// Takes the registers of a segment, and says which of them were not read.
    fn segment(&mut self, head: &Segment, bytes: &Bytes<'_>) {
        collect(&mut self.registers, head.offset, bytes);
        if head.status == Status::Complete || self.missing.len() > BANKS as usize {
            return;
        }
        let read = bytes.length() as u64 / 8;
        let (first, last) = (head.offset.saturating_add(read), head.wanted.div_ceil(8));
        let last = head.offset.saturating_add(last).saturating_sub(1).max(first);
        let what = format!("registers {first:#x} to {last:#x}");
        self.missing.push(Missing { what, why: head.status.words().to_owned() });
    }

    fn end(&mut self, end: &End) {
        self.ended = true;
        if end.outcome != Outcome::Complete {
            let why = format!("{}: {}", end.outcome.words(), end.reason.words());
            self.missing.push(Missing { what: "the rest of the processor".to_owned(), why });
        }
    }
}

fn processor(processor: Processor) -> Decoded {
    let Processor { device, registers, mut missing, ended } = processor;
    if !ended {
        let why = "its collector was cut off".to_owned();
        missing.push(Missing { what: "the rest of the processor".to_owned(), why });
    }
    let mut decoded = Decoded {
        title: format!("machine check banks of processor {}", device.address),
        missing,
        ..Decoded::default()
    };
    let get = |number: u64| registers.get(&number).cloned();
    let vendor = match device.vendor {
        1 => Vendor::Intel,
        2 => Vendor::Amd,
        _ => Vendor::Unknown,
    };
    for (number, name, names) in [
        (CAPABILITIES, "MCG_CAP", CAPABILITY_BITS),
        (CAPABILITIES + 1, "MCG_STATUS", GLOBAL_BITS),
        (CAPABILITIES + 2, "MCG_CTL", &[]),
    ] {
        let Some(mut node) = register(name, &get(number)) else { continue };
        let value = node.unsigned().unwrap_or(0);
        node.children = crate::fields::bits_of(value, names);
        if number == CAPABILITIES {
            node.meaning = Some(format!("{} banks", value & 0xff));
        }
        if number == CAPABILITIES + 1 && value & 4 != 0 {
            let text = if value & 1 == 0 {
                "a machine check was being handled, and the program could not go on"
            } else {
                "a machine check was being handled"
            };
            decoded.findings.push(Finding {
                severity: Severity::Fatal,
                text: text.to_owned(),
                advice: Some(
                    "Look at the banks: they say which part of the machine failed.".into(),
                ),
                source: "Intel SDM, IA32_MCG_STATUS".to_owned(),
                values: vec![(name.to_owned(), value)],
                points_to: None,
            });
        }
        decoded.nodes.push(node);
    }
    let is_scalable = registers.range(SCALABLE.start + 1..SCALABLE.end).next().is_some();
    let (base, step, ipid_at) = if is_scalable && vendor != Vendor::Intel {
        (SCALABLE.start, 16, Some(5))
    } else {
        (LEGACY.start, 4, None)
    };
    let mut quiet = 0;
    for number in 0..BANKS {
        let first = base + number * step;
        let Some((status, place)) = get(first + 1) else { continue };
        let has = |bit: u32| bits(status, bit, 1) == 1;
        let read = |index: u64, valid: bool| get(first + index).filter(|_| valid && has(63));
        let addr = read(2, has(58));
        let misc = read(3, has(59));
        let ipid = ipid_at.and_then(|index| get(first + index));
        let synd = ipid_at.and_then(|_| read(6, has(53)));
        let value = |register: &Register| register.as_ref().map(|(value, _)| *value);
        let bank = Bank {
            vendor: if ipid_at.is_some() { Vendor::Amd } else { vendor },
            status,
            addr: value(&addr),
            misc: value(&misc),
            ipid: ipid_at.map(|_| value(&ipid).unwrap_or(0)),
            synd: value(&synd),
        };
        let path = format!("bank {number}");
        let mut node = Node::group(path.clone());
        if let Some(finding) = finding(&bank, &path) {
            decoded.findings.push(finding);
            node.children.push(status_node(&bank, place));
            node.children.extend(bank_registers(&bank, &addr, &misc, &ipid, &synd));
        }
        // A deferred error may be in registers of its own when another one took the bank.
        let deferred = ipid_at.and_then(|_| get(first + 8)).filter(|(value, _)| value >> 63 == 1);
        if let Some((value, place)) = deferred {
            let addr = get(first + 9).filter(|_| bits(value, 58, 1) == 1);
            let other = Bank {
                status: value | 1 << 44,
                addr: addr.as_ref().map(|(value, _)| *value),
                misc: None,
                ..bank
            };
            let finding = finding(&other, &path);
            let seen =
                |finding: &Finding| decoded.findings.iter().any(|it| it.text == finding.text);
            if let Some(mut finding) = finding.filter(|finding| !seen(finding)) {
                finding.values = vec![(format!("{path}.DESTAT"), value)];
                decoded.findings.push(finding);
            }
            let mut status = status_node(&other, place);
            "DESTAT".clone_into(&mut status.name);
            node.children.push(status);
            node.children.extend(register("DEADDR", &addr));
        }
        if node.children.is_empty() {
            quiet += 1;
        } else {
            decoded.nodes.push(node);
        }
    }
    if quiet > 0 {
        decoded.remarks.push(format!("left out, for they have no error: {quiet} banks"));
    }
    decoded.headline = decoded
        .findings
        .iter()
        .max_by_key(|finding| finding.severity)
        .map(|finding| finding.text.clone());
    decoded.sort();
    decoded
}

fn bank_registers(
    bank: &Bank,
    addr: &Register,
    misc: &Register,
    ipid: &Register,
    synd: &Register,
) -> Vec<Node> {
    let mut nodes = Vec::new();
    nodes.extend(register("ADDR", addr));
    if let Some(mut node) = register("MISC", misc) {
        let value = node.unsigned().unwrap_or(0);
        // An I/O error has the PCI function here.
        if bank.vendor == Vendor::Intel && bank.status & 0xffff != IO {
            let mode = Node {
                value: Some(Value::Unsigned(bits(value, 6, 3))),
                bits: Some((6, 8)),
                ..Node::group("MODE")
            };
            let lowest = Node {
                value: Some(Value::Unsigned(bits(value, 0, 6))),
                bits: Some((0, 5)),
                ..Node::group("LSB").titled("lowest valid bit of ADDR")
            };
            node.children = vec![lowest, mode.meaning(word(MODES, bits(value, 6, 3)))];
        }
        nodes.push(node);
    }
    if let Some(node) = register("IPID", ipid) {
        let value = node.unsigned().unwrap_or(0);
        let name = TYPES
            .iter()
            .find(|(hardware, kind, ..)| {
                (*hardware, *kind) == (bits(value, 32, 12), bits(value, 48, 16))
            })
            .map_or("not known", |(.., name, _)| *name);
        nodes.push(node.meaning(format!("{name}, instance {:#x}", bits(value, 0, 32))));
    }
    nodes.extend(register("SYND", synd));
    nodes
}

impl Decoder for Mca {
    fn name(&self) -> &'static str {
        "mca"
    }

    fn recognises(&self, _: &str, bytes: &[u8]) -> bool {
        if !bytes.starts_with(&MAGIC) {
            return false;
        }
        // The first device decides: a register dump has those of one profile.
        let Ok(mut records) = Records::new(bytes) else { return false };
        matches!(records.next(), Some(Ok((_, Record::Device(device)))) if is_machine_check(&device))
    }

    fn decode(&self, _: &str, bytes: &[u8]) -> Vec<Decoded> {
        let mut all = Vec::new();
        let mut current: Option<Processor> = None;
        let mut room = Room::new();
        let mut left = 0;
        let mut damage = None;
        let whole = Bytes::new(bytes);
        let mut finish = |all: &mut Vec<Decoded>, current: Option<Processor>| {
            let Some(current) = current else { return };
            let decoded = processor(current);
            if all.len() < PROCESSORS && room.take(&decoded.nodes) {
                all.push(decoded);
            } else {
                left += 1;
            }
        };
        match Records::new(bytes) {
            Err(reason) => damage = Some(reason),
            Ok(records) => {
                for record in records {
                    match record {
                        Err(reason) => damage = Some(reason),
                        Ok((_, Record::Device(device))) => {
                            finish(&mut all, current.take());
                            current = is_machine_check(&device).then(|| Processor::new(device));
                        }
                        Ok((at, Record::Segment(head, registers))) => {
                            let start = at + RECORD_SIZE + SEGMENT_SIZE;
                            let part = whole.part(start..start + registers.len());
                            let is_msr = head.space == Space::Msr && !head.big;
                            if let (Some(current), Some(part), true) = (&mut current, part, is_msr)
                            {
                                current.segment(&head, &part);
                            }
                        }
                        Ok((_, Record::End(end))) => {
                            if let Some(current) = &mut current {
                                current.end(&end);
                            }
                        }
                        Ok(_) => {}
                    }
                }
            }
        }
        finish(&mut all, current.take());
        if left > 0
            && let Some(last) = all.last_mut()
        {
            last.missing.push(too_many("processors", left));
        }
        if let Some(reason) = damage {
            if all.is_empty() {
                all.push(Decoded { title: "machine check banks".to_owned(), ..Decoded::default() });
            }
            if let Some(last) = all.last_mut() {
                last.missing.push(Missing { what: "the rest".to_owned(), why: damaged(reason) });
            }
        }
        all
    }
}

fn damaged(damage: Damage) -> String {
    match damage {
        Damage::Magic => "it is no register dump".to_owned(),
        Damage::Version(version) => format!("register dumps of version {version} are not known"),
        Damage::Cut(at, end) => format!("the record at {at} ends after the dump, at {end}"),
    }
}

/// The words of the global status register.
#[must_use]
pub fn global_status(value: u64) -> String {
    list(value, GLOBAL_BITS, "no machine check is being handled")
}
