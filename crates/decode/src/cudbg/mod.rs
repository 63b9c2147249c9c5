// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What cxgb4 collects of a Chelsio adapter: a header, a table with a slot for each entity
//! that the driver can know, and the entities, which are compressed in chunks.
//!
//! All numbers are little-endian unless a module says something else. The content of an
//! entity is compressed, so its values have no place in the dump.
//!
//! Facts: Linux, drivers/net/ethernet/chelsio/cxgb4: `cudbg_if.h`, `cudbg_entity.h`,
//! `cudbg_lib_common.h`, `cudbg_lib.c`, `cudbg_zlib.h`.

mod adapter;
mod indirect;
mod inflate;
mod logs;
mod out;
mod registers;
mod tables;

use crate::cudbg::inflate::{Cut, ENTITY_MAX, Inflate};
use crate::cudbg::out::{Chip, Out, status};
use crate::fields::{Field, Room, field, read, too_many};
use crate::model::{Bytes, Decoded, Decoder, Finding, Missing, Node, Severity, Value};

/// The decoder of what cxgb4 collects, by the signature at its start.
#[derive(Debug, Clone, Copy)]
pub struct Cudbg;

/// `CUDBG_SIGNATURE`.
const SIGNATURE: [u8; 4] = 0x040b_69e2_u32.to_le_bytes();
/// `sizeof(struct cudbg_hdr)`.
const HEADER: usize = 56;
/// `sizeof(struct cudbg_entity_hdr)`.
const SLOT: usize = 52;
/// How many slots are looked at; the driver has 72.
const SLOTS_MAX: usize = 256;
/// `CUDBG_COMPRESSION_ZLIB`.
const ZLIB: u64 = 2;
/// How many nodes a dump has at most, which is more than an adapter has: each takes about 270
/// bytes, and a dump of 32 MiB is in memory besides.
const NODES: usize = 80 << 10;
/// How much of an entity that is not decoded is shown, and in which pieces.
const SHOWN: usize = 4096;
const ROW: usize = 32;
const SOURCE: &str = "Linux cxgb4, cudbg_if.h";

const HEADER_FIELDS: &[Field] = &[
    field("HDR_LEN", 4, 4),
    field("MAJOR_VER", 8, 2),
    field("MINOR_VER", 10, 2),
    field("DATA_LEN", 12, 4).title("length of it all, written last").unit("bytes"),
    field("HDR_FLAGS", 16, 4),
    field("MAX_ENTITIES", 20, 2),
    field("CHIP_VER", 22, 1).title("generation in the upper, revision in the lower half"),
    field("TYPES", 23, 1).title("kind of dump in the lower, compression in the upper half"),
];

/// How the content of an entity is decoded.
#[derive(Clone, Copy)]
enum How {
    /// By this function.
    By(fn(&Bytes<'_>, &mut Out<'_>) -> Vec<Node>),
    /// It is not: its first bytes are shown.
    Raw,
    /// It is memory, which is not even inflated.
    Memory,
}

struct Kind {
    number: u32,
    name: &'static str,
    title: &'static str,
    how: How,
}

const fn kind(number: u32, name: &'static str, title: &'static str, how: How) -> Kind {
    Kind { number, name, title, how }
}

/// `enum cudbg_dbg_entity_type`.
const KINDS: &[Kind] = &[
    kind(1, "REG_DUMP", "registers", How::By(registers::dump)),
    kind(2, "DEV_LOG", "log of the firmware", How::By(logs::device)),
    kind(3, "CIM_LA", "trace of the microprocessor", How::Raw),
    kind(4, "CIM_MA_LA", "trace of the microprocessor's memory accesses", How::Raw),
    kind(5, "CIM_QCFG", "queues of the microprocessor", How::By(adapter::queues)),
    kind(6, "CIM_IBQ_TP0", "inbound queue TP0 of the microprocessor", How::Raw),
    kind(7, "CIM_IBQ_TP1", "inbound queue TP1 of the microprocessor", How::Raw),
    kind(8, "CIM_IBQ_ULP", "inbound queue ULP of the microprocessor", How::Raw),
    kind(9, "CIM_IBQ_SGE0", "inbound queue SGE0 of the microprocessor", How::Raw),
    kind(10, "CIM_IBQ_SGE1", "inbound queue SGE1 of the microprocessor", How::Raw),
    kind(11, "CIM_IBQ_NCSI", "inbound queue NCSI of the microprocessor", How::Raw),
    kind(12, "CIM_OBQ_ULP0", "outbound queue ULP0 of the microprocessor", How::Raw),
    kind(13, "CIM_OBQ_ULP1", "outbound queue ULP1 of the microprocessor", How::Raw),
    kind(14, "CIM_OBQ_ULP2", "outbound queue ULP2 of the microprocessor", How::Raw),
    kind(15, "CIM_OBQ_ULP3", "outbound queue ULP3 of the microprocessor", How::Raw),
    kind(16, "CIM_OBQ_SGE", "outbound queue SGE of the microprocessor", How::Raw),
    kind(17, "CIM_OBQ_NCSI", "outbound queue NCSI of the microprocessor", How::Raw),
    kind(18, "EDC0", "embedded memory 0", How::Memory),
    kind(19, "EDC1", "embedded memory 1", How::Memory),
    kind(20, "MC0", "external memory 0", How::Memory),
    kind(21, "MC1", "external memory 1", How::Memory),
    kind(22, "RSS", "receive side scaling table", How::By(tables::rss)),
    kind(25, "RSS_VF_CONF", "receive side scaling of virtual functions", How::By(tables::rss_vf)),
    kind(27, "PATH_MTU", "table of MTUs", How::By(adapter::mtus)),
    kind(30, "PM_STATS", "payload manager statistics", How::By(adapter::pm)),
    kind(31, "HW_SCHED", "transmit schedulers", How::By(adapter::schedulers)),
    kind(36, "TP_INDIRECT", "indirect registers of TP", How::By(indirect::registers)),
    kind(37, "SGE_INDIRECT", "indirect registers of the SGE", How::By(indirect::sge)),
    kind(41, "ULPRX_LA", "trace of ULP RX", How::Raw),
    kind(43, "TP_LA", "trace of TP", How::Raw),
    kind(44, "MEMINFO", "memory map", How::By(adapter::memory)),
    kind(45, "CIM_PIF_LA", "trace of the microprocessor's interface", How::Raw),
    kind(46, "CLK", "clocks and timers", How::By(adapter::clocks)),
    kind(47, "CIM_OBQ_RXQ0", "outbound queue RXQ0 of the microprocessor", How::Raw),
    kind(48, "CIM_OBQ_RXQ1", "outbound queue RXQ1 of the microprocessor", How::Raw),
    kind(50, "PCIE_INDIRECT", "indirect registers of PCIe", How::By(indirect::registers)),
    kind(51, "PM_INDIRECT", "indirect registers of PM", How::By(indirect::registers)),
    kind(54, "TID_INFO", "ranges of connection identifiers", How::By(adapter::tids)),
    kind(55, "PCIE_CONFIG", "configuration space", How::By(indirect::config)),
    kind(56, "DUMP_CONTEXT", "contexts of SGE queues", How::By(tables::contexts)),
    kind(57, "MPS_TCAM", "MAC address filters", How::By(tables::mps)),
    kind(58, "VPD_DATA", "vital product data", How::By(adapter::product)),
    kind(59, "LE_TCAM", "table of connections", How::By(tables::le)),
    kind(60, "CCTRL", "congestion control table", How::By(adapter::congestion)),
    kind(61, "MA_INDIRECT", "indirect registers of the memory arbiter", How::By(indirect::arbiter)),
    kind(62, "ULPTX_LA", "trace of ULP TX", How::Raw),
    kind(
        64,
        "UP_CIM_INDIRECT",
        "indirect registers of the microprocessor",
        How::By(indirect::microprocessor),
    ),
    kind(65, "PBT_TABLE", "tables of the microprocessor's cache", How::Raw),
    kind(66, "MBOX_LOG", "commands to the firmware", How::By(logs::mailbox)),
    kind(67, "HMA_INDIRECT", "indirect registers of HMA", How::By(indirect::registers)),
    kind(68, "HMA", "host memory of the adapter", How::Memory),
    kind(70, "QDESC", "queue descriptors", How::By(tables::descriptors)),
    kind(71, "FLASH", "flash memory", How::Memory),
];
/// `CUDBG_QDESC`.
const QDESC: u32 = 70;
/// The most that is inflated of it: a driver that has just been loaded has no queues.
const QDESC_MAX: usize = 1 << 20;
/// What the driver does not collect for a vmcore.
const NOT_COLLECTED: u32 = 71;

fn unplaced(nodes: &mut [Node]) {
    for node in nodes {
        node.place = None;
        unplaced(&mut node.children);
    }
}

/// The first bytes of what is not decoded.
fn rows(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    let row = |(index, row): (usize, &[u8])| {
        let words: Vec<String> = row
            .chunks(4)
            .map(|word| word.iter().rev().map(|byte| format!("{byte:02x}")).collect())
            .collect();
        let place = bytes.place(index * ROW, row.len());
        Node::value(format!("{:#06x}", index * ROW), Value::Text(words.join(" ")), place)
    };
    let shown = bytes.raw().get(..SHOWN).unwrap_or(bytes.raw());
    let nodes: Vec<_> = shown.chunks(ROW).enumerate().map(row).collect();
    // There is room for those of all entities, and for the registers, which come first.
    if out.room.take(&nodes) { nodes } else { Vec::new() }
}

/// A slot of the table, `struct cudbg_entity_hdr`.
struct Slot {
    start: usize,
    size: usize,
    padding: usize,
    error: i32,
    warning: i32,
    system: i32,
}

impl Slot {
    fn read(bytes: &Bytes<'_>) -> Option<(u32, Self)> {
        let word = |at| bytes.little(at, 4).map(|word| word as u32);
        let slot = Self {
            start: word(4)? as usize,
            size: word(8)? as usize,
            padding: bytes.little(24, 1)? as usize,
            error: word(12)?.cast_signed(),
            warning: word(16)?.cast_signed(),
            system: word(20)?.cast_signed(),
        };
        Some((word(0)?, slot))
    }

    /// Why the driver has nothing of it.
    fn failure(&self) -> Option<String> {
        match (self.error, self.system) {
            (0, 0) => None,
            (error, 0) => Some(status(error)),
            (0 | -29, system) => Some(status(system)),
            (error, system) if error == system => Some(status(system)),
            (error, system) => Some(format!("{}, {}", status(error), status(system))),
        }
    }
}

impl Decoder for Cudbg {
    fn name(&self) -> &'static str {
        "cudbg"
    }

    fn recognises(&self, _: &str, bytes: &[u8]) -> bool {
        bytes.starts_with(&SIGNATURE)
    }

    fn decode(&self, name: &str, bytes: &[u8]) -> Vec<Decoded> {
        let whole = Bytes::new(bytes);
        let mut decoded = Decoded { title: "Chelsio adapter".to_owned(), ..Decoded::default() };
        decoded.slot = slot_of(name);
        let fields = read("the header", &whole, HEADER_FIELDS, 0, &mut decoded.missing);
        decoded.nodes.push(Node { children: fields, ..Node::group("HEADER") });
        let (Some(types), Some(version), Some(slots), Some(length)) =
            (whole.little(23, 1), whole.little(22, 1), whole.little(20, 2), whole.little(12, 4))
        else {
            let end = whole.length();
            let why = format!("offset 0: expected {HEADER} bytes, found the end at {end:#x}");
            decoded.damage = Some(why);
            return vec![decoded];
        };
        let chip = match version >> 4 {
            5 => Chip::T5,
            6 => Chip::T6,
            _ => Chip::Other,
        };
        if chip != Chip::Other {
            decoded.title = format!("Chelsio {chip:?} adapter");
        }
        decoded.identity = Some(format!("T{} revision {}", version >> 4, version & 15));
        let header = whole.little(4, 4).unwrap_or_default();
        if header != HEADER as u64 {
            let remark = format!("offset 0x4: expected a header of {HEADER} bytes, found {header}");
            decoded.remarks.push(remark);
        }
        let mut walk = Walk {
            whole,
            compressed: types >> 4 == ZLIB,
            inflate: Inflate::new(),
            out: Out { chip, room: Room::of(NODES), decoded: &mut decoded },
            begun: Vec::new(),
            good: 0,
            unfinished: Vec::new(),
            cut: Vec::new(),
            left: whole.length(),
        };
        let nodes = walk.entities(slots as usize);
        walk.report(length);
        decoded.nodes.extend(nodes);
        decoded.sort();
        vec![decoded]
    }
}

/// The slot in the name of a dump, as `cxgb4_0000:01:00.4`.
fn slot_of(name: &str) -> Option<String> {
    let (_, slot) = name.rsplit_once('_')?;
    let (domain, rest) = slot.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let is = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    // Domains of the kernel's own bridges have more digits.
    let known =
        (4..=8).any(|length| is(domain, length)) && is(bus, 2) && is(device, 2) && is(function, 1);
    known.then(|| slot.to_owned())
}

/// One entity after the other.
struct Walk<'a, 'd> {
    whole: Bytes<'a>,
    compressed: bool,
    inflate: Inflate,
    out: Out<'d>,
    /// The numbers of those that the driver has begun with.
    begun: Vec<u32>,
    /// How many have content.
    good: usize,
    /// Those that the driver has begun with, but neither finished nor given up.
    unfinished: Vec<String>,
    /// Those that are not in what there is of the dump.
    cut: Vec<String>,
    /// How many bytes entities may still have: they do not overlap.
    left: usize,
}

impl Walk<'_, '_> {
    fn entities(&mut self, slots: usize) -> Vec<Node> {
        let mut nodes = Vec::new();
        if slots > SLOTS_MAX {
            self.out.decoded.missing.push(too_many("entities", slots - SLOTS_MAX));
        }
        for index in 0..slots.min(SLOTS_MAX) {
            let at = HEADER + index * SLOT;
            let read = self.whole.part(at..at + SLOT).and_then(|part| Slot::read(&part));
            let Some((found, slot)) = read else {
                let end = self.whole.length();
                let why =
                    format!("offset {at:#x}: expected {SLOT} bytes, found the end at {end:#x}");
                self.out.missing("the rest of the table of entities", why);
                break;
            };
            let expected = index as u32 + 1;
            if found == 0 {
                continue;
            }
            if found != expected {
                let why = format!("offset {at:#x}: expected entity {expected}, found {found}");
                self.out.missing(&format!("entity {expected}"), why);
                continue;
            }
            self.begun.push(found);
            nodes.push(self.entity(found, &slot, at));
        }
        nodes
    }

    /// The entity `number`, whose slot is at `at`.
    fn entity(&mut self, number: u32, slot: &Slot, at: usize) -> Node {
        let known = KINDS.iter().find(|kind| kind.number == number);
        let name = known.map_or_else(|| format!("ENTITY_{number}"), |kind| kind.name.to_owned());
        let how = known.map_or(How::Raw, |kind| kind.how);
        let node = Node {
            title: known.map(|kind| kind.title.to_owned()),
            place: Some(self.whole.place(at, SLOT)),
            ..Node::group(&*name)
        };
        if let Some(why) = slot.failure() {
            self.out.missing(&name, format!("the driver could not collect it: {why}"));
            return Node { value: Some(Value::Unknown(why)), ..node };
        }
        if slot.size == 0 {
            self.unfinished.push(name);
            let why = "the driver did not finish it".to_owned();
            return Node { value: Some(Value::Unknown(why)), ..node };
        }
        let end = slot.start.saturating_add(slot.size);
        let there = end.min(self.whole.length());
        let Some(part) = self.whole.part(slot.start..there).filter(|part| part.length() > 0) else {
            self.cut.push(name);
            let why = "the dump ends before it".to_owned();
            return Node { value: Some(Value::Unknown(why)), ..node };
        };
        let Some(left) = self.left.checked_sub(part.length()) else {
            let why = format!("offset {at:#x}: it overlaps with others");
            self.out.missing(&name, why.clone());
            return Node { value: Some(Value::Unknown(why)), ..node };
        };
        self.left = left;
        if there < end {
            self.cut.push(format!("the end of {name}"));
        }
        if slot.warning != 0 {
            self.out.missing(&name, format!("not all was collected: {}", status(slot.warning)));
        }
        let node = Node { place: Some(part.place(0, part.length())), ..node };
        // Padding follows what is there to its end.
        let length = slot.size.saturating_sub(slot.padding).min(part.length());
        let Some(body) = part.part(0..length) else { return node };
        if matches!(how, How::Memory) {
            self.good += 1;
            let meaning = match self.compressed {
                true => inflate::declared(&body),
                false => format!("{} bytes", body.length()),
            };
            return Node { value: Some(Value::Bytes), ..node }.meaning(meaning);
        }
        if !self.compressed {
            self.good += 1;
            let children = self.children(how, &body);
            return Node { children, ..node }.meaning(format!("{} bytes", body.length()));
        }
        let most = if number == QDESC { QDESC_MAX } else { ENTITY_MAX };
        let (content, cut) = self.inflate.content(&body, most);
        // The end of the dump says enough of an entity that it cuts. The driver fills a buffer
        // of 32 MiB with zeros after the last queue, so that of QDESC says what it lacks.
        let is_said = there < end || matches!((&cut, number), (Some(Cut::Limit(_)), QDESC));
        if let Some(Cut::Limit(why) | Cut::Damage(why)) = cut.filter(|_| !is_said) {
            self.out.missing(&format!("the rest of {name}"), why);
        }
        if content.is_empty() {
            let why = "nothing of it can be inflated".to_owned();
            return Node { value: Some(Value::Unknown(why)), ..node };
        }
        self.good += 1;
        let mut children = self.children(how, &Bytes::new(&content));
        unplaced(&mut children);
        Node { children, ..node }.meaning(format!("{} bytes", content.len()))
    }

    fn children(&mut self, how: How, content: &Bytes<'_>) -> Vec<Node> {
        match how {
            How::By(decode) => decode(content, &mut self.out),
            How::Raw | How::Memory => rows(content, &mut self.out),
        }
    }

    /// What the entities say together; `length` is what the driver wrote last.
    fn report(self, length: u64) {
        let decoded = self.out.decoded;
        let (good, begun) = (self.good, self.begun.len());
        decoded.headline = Some(format!("{good} of {begun} entities"));
        if !self.cut.is_empty() {
            let why = format!("the dump ends at {:#x}", self.whole.length());
            decoded.missing.push(Missing { what: self.cut.join(", "), why });
        }
        if length != 0 {
            for name in self.unfinished {
                let why = "it is empty".to_owned();
                decoded.missing.push(Missing { what: name, why });
            }
            return;
        }
        let is_left =
            |kind: &&Kind| kind.number != NOT_COLLECTED && !self.begun.contains(&kind.number);
        let left: Vec<_> = KINDS.iter().filter(is_left).map(|kind| kind.name).collect();
        let at = match self.unfinished.join(", ") {
            at if at.is_empty() => "after its last entity".to_owned(),
            at => format!("in {at}"),
        };
        if !left.is_empty() {
            let why = format!("the driver's collector stopped {at}");
            decoded.missing.push(Missing { what: left.join(", "), why });
        }
        decoded.findings.push(Finding {
            severity: Severity::Warning,
            text: format!("the driver did not finish this dump: it stopped {at}"),
            advice: Some(
                "Look for an oops in the crash kernel's log; if cudbg_collect_sge_indirect is in \
                 it, build cxgb4 with the patch in drivers/cxgb4 of vmcoredd."
                    .to_owned(),
            ),
            source: format!("{SOURCE}, data_len"),
            values: vec![("HEADER.DATA_LEN".to_owned(), 0)],
            points_to: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots() {
        for slot in ["0000:01:00.4", "10000:00:01.4"] {
            assert_eq!(slot_of(&format!("cxgb4_{slot}")).as_deref(), Some(slot));
        }
        for name in ["cxgb4_0000:01:00", "0000:01:00.4", "cxgb4_0000-01:00.4", "cxgb4_", "a_é"] {
            assert_eq!(slot_of(name), None, "{name}");
        }
    }

    #[test]
    fn failures() {
        let slot =
            |error, system| Slot { start: 0, size: 0, padding: 0, error, warning: 0, system };
        assert_eq!(slot(0, 0).failure(), None);
        assert_eq!(slot(-24, 0).failure().unwrap(), "error -24 (entity not found)");
        assert_eq!(slot(-29, -110).failure().unwrap(), "error -110 (ETIMEDOUT)");
        assert_eq!(slot(0, -7).failure().unwrap(), "error -7");
        assert_eq!(slot(-12, -5).failure().unwrap(), "error -12 (ENOMEM), error -5 (EIO)");
    }
}
