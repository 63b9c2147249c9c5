// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What cxgb4 collects of an adapter.

use decode::model::{Decoded, Finding, Node, Severity, Value};
use synth::cudbg::{Collection, T5, T6, adapter, command, entities, registers};
use synth::records::Raw;

use crate::decoded;

const NAME: &str = "cxgb4_0000:01:00.4";

fn one(bytes: &[u8]) -> Decoded {
    let mut all = decoded(NAME, bytes);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn node<'a>(decoded: &'a Decoded, path: &str) -> &'a Node {
    let names: Vec<&str> = path.split('.').collect();
    let first = decoded.nodes.iter().find(|node| node.name == names[0]);
    first.and_then(|node| node.find(&names[1..])).unwrap_or_else(|| panic!("no {path}"))
}

fn number(decoded: &Decoded, path: &str) -> u64 {
    node(decoded, path).unsigned().unwrap_or_else(|| panic!("{path} is no number"))
}

fn text<'a>(decoded: &'a Decoded, path: &str) -> &'a str {
    match &node(decoded, path).value {
        Some(Value::Text(text)) => text,
        other => panic!("{path}: {other:?}"),
    }
}

fn finding<'a>(decoded: &'a Decoded, path: &str) -> &'a Finding {
    let is = |finding: &&Finding| finding.values.iter().any(|(of, _)| of == path);
    decoded.findings.iter().find(is).unwrap_or_else(|| panic!("no finding of {path}"))
}

fn missing(decoded: &Decoded) -> Vec<(&str, &str)> {
    decoded.missing.iter().map(|missing| (&*missing.what, &*missing.why)).collect()
}

#[test]
fn header_and_entities() {
    for compressed in [true, false] {
        let bytes = adapter(compressed);
        let decoded = one(&bytes);
        assert_eq!(decoded.title, "Chelsio T6 adapter");
        assert_eq!(decoded.slot.as_deref(), Some("0000:01:00.4"));
        assert_eq!(decoded.identity.as_deref(), Some("T6 revision 1"));
        let good = entities().len();
        assert_eq!(decoded.headline, Some(format!("{good} of {} entities", good + 2)));
        assert_eq!(number(&decoded, "HEADER.DATA_LEN"), bytes.len() as u64);
        assert_eq!(
            missing(&decoded),
            [
                ("CIM_LA", "the driver could not collect it: error -110 (ETIMEDOUT)"),
                ("EDC1", "the driver could not collect it: error -24 (entity not found)"),
            ]
        );
        assert_eq!((decoded.damage, decoded.remarks), (None, Vec::new()));
    }
}

#[test]
fn what_is_not_decoded_is_shown() {
    let decoded = one(&adapter(true));
    let queue = node(&decoded, "CIM_IBQ_TP0");
    assert_eq!(queue.meaning.as_deref(), Some("256 bytes"));
    assert_eq!(queue.children.len(), 8);
    assert_eq!(
        text(&decoded, "CIM_IBQ_TP0.0x0020"),
        "23222120 27262524 2b2a2928 2f2e2d2c 33323130 37363534 3b3a3938 3f3e3d3c"
    );
    // Memory is not inflated.
    let memory = node(&decoded, "EDC0");
    assert_eq!(memory.value, Some(Value::Bytes));
    let meaning = memory.meaning.as_deref().unwrap();
    assert!(meaning.starts_with("100000 bytes, compressed to "), "{meaning}");
}

#[test]
fn the_registers_have_their_public_names() {
    for compressed in [true, false] {
        let decoded = one(&adapter(compressed));
        let control = node(&decoded, "REG_DUMP.SGE_CONTROL");
        assert_eq!((control.unsigned(), control.address), (Some(0x8000_1401), Some(0x1008)));
        assert_eq!(control.place.is_some(), !compressed);
        for (field, value) in
            [("IgrAllCPLtoFL", 1), ("PktShift", 5), ("GlobalEnable", 1), ("FLSplitMin", 0)]
        {
            assert_eq!(number(&decoded, &format!("REG_DUMP.SGE_CONTROL.{field}")), value);
        }
        // What is 0 is there, what has no name, too.
        assert_eq!(number(&decoded, "REG_DUMP.SGE_HOST_PAGE_SIZE.HostPageSizePF7"), 0);
        assert_eq!(number(&decoded, "REG_DUMP.0x52ffc"), 7);
        assert!(node(&decoded, "REG_DUMP").children.len() > 9_000);
    }
}

#[test]
fn registers_that_report_faults() {
    let decoded = one(&adapter(true));
    let firmware = finding(&decoded, "REG_DUMP.PCIE_FW");
    assert_eq!(firmware.severity, Severity::Fatal);
    assert_eq!(firmware.text, "the firmware has given up: the adapter is too hot");
    assert_eq!(number(&decoded, "REG_DUMP.PCIE_FW.Master"), 3);
    let parity = finding(&decoded, "REG_DUMP.SGE_INT_CAUSE1");
    assert_eq!(parity.severity, Severity::Error);
    assert_eq!(parity.text, "the adapter reports errors in SGE_INT_CAUSE1: perr_pc_req");
    // Summaries and messages are no faults.
    for path in ["REG_DUMP.PL_INT_CAUSE", "REG_DUMP.CIM_PF_HOST_INT_CAUSE[0]"] {
        assert!(number(&decoded, path) != 0);
        assert!(
            !decoded
                .findings
                .iter()
                .any(|finding| finding.values[..].iter().any(|(of, _)| of == path))
        );
    }
    assert_eq!(decoded.findings[0].text, firmware.text);
}

#[test]
fn firmware_log() {
    let decoded = one(&adapter(true));
    let log = node(&decoded, "DEV_LOG");
    let messages: Vec<_> =
        (0..log.children.len()).map(|at| text(&decoded, &format!("DEV_LOG.[{at}]"))).collect();
    assert_eq!(
        messages,
        [
            "uncorrectable error in bank 3, syndrome 0x0000beef",
            "watchdog",
            "port 1 link up, speed 25Gbps",
        ]
    );
    assert_eq!(number(&decoded, "DEV_LOG.[0].SEQNO"), 10);
    assert_eq!(number(&decoded, "DEV_LOG.[0].TIMESTAMP"), 1070);
    assert_eq!(node(&decoded, "DEV_LOG.[0].FACILITY").meaning.as_deref(), Some("HW"));
    assert_eq!(node(&decoded, "DEV_LOG.[2].LEVEL").meaning.as_deref(), Some("INFO"));
    let texts: Vec<_> = decoded.findings.iter().map(|finding| &*finding.text).collect();
    assert!(
        texts.contains(&"the firmware logged a critical error, 1 times; the last: watchdog"),
        "{texts:#?}"
    );
}

#[test]
fn commands_to_the_firmware() {
    let decoded = one(&adapter(true));
    let log = node(&decoded, "MBOX_LOG");
    let names: Vec<_> = log.children.iter().map(|node| node.meaning.as_deref().unwrap()).collect();
    assert_eq!(names, ["FW_HELLO_CMD", "FW_PARAMS_CMD", "FW_EQ_CTRL_CMD"]);
    assert_eq!(number(&decoded, "MBOX_LOG.[1].RETVAL"), 0x16);
    assert_eq!(number(&decoded, "MBOX_LOG.[1].SEQNO"), 2);
    assert_eq!(node(&decoded, "MBOX_LOG.[2].EXECUTE").value, Some(Value::Signed(-110)));
    assert!(
        text(&decoded, "MBOX_LOG.[0].COMMAND").starts_with("0480000000000002 0000000000000001 ")
    );
    let silent = finding(&decoded, "MBOX_LOG.[2]");
    assert_eq!(silent.text, "the firmware did not answer FW_EQ_CTRL_CMD: error -110 (ETIMEDOUT)");
    assert_eq!(silent.severity, Severity::Error);
}

#[test]
fn assertion_of_the_firmware() {
    let name = u64::from_be_bytes(*b"sched.c\0");
    let words =
        [0x8100_0000_0000_0003, 0x0000_0009_0000_04d2, 0x0000_0001_0000_00ff, name, 0, 0, 0, 0];
    let collection = Collection::new(T5, true).entity(66, &command(1, words, 5));
    let decoded = one(&collection.finished(0));
    let assertion = finding(&decoded, "MBOX_LOG.[0]");
    assert_eq!(assertion.severity, Severity::Fatal);
    assert_eq!(assertion.text, "the firmware reports a failed assertion: sched.c:1234, 0x1, 0xff");
}

#[test]
fn a_collector_that_crashed() {
    let registers = registers(&[(0x1008, 1)]);
    let collection = Collection::new(T6, true).entity(1, &registers).failed(3, -29, -110).begun(37);
    let decoded = one(&collection.crashed(1 << 20));
    assert_eq!(decoded.headline.as_deref(), Some("1 of 3 entities"));
    assert_eq!(number(&decoded, "REG_DUMP.SGE_CONTROL"), 1);
    let missing = missing(&decoded);
    assert_eq!(missing.len(), 2, "{missing:#?}");
    let (what, why) = missing[1];
    assert!(what.starts_with("DEV_LOG, CIM_MA_LA, "), "{what}");
    assert!(!what.contains("FLASH") && !what.contains("SGE_INDIRECT"), "{what}");
    assert_eq!(why, "the driver's collector stopped in SGE_INDIRECT");
    let crash = finding(&decoded, "HEADER.DATA_LEN");
    assert_eq!(crash.text, "the driver did not finish this dump: it stopped in SGE_INDIRECT");
}

#[test]
fn a_cut_dump() {
    let bytes = adapter(true);
    let whole = one(&bytes);
    // In the memory EDC0, which is the last entity.
    let cut = one(&bytes[..bytes.len() - 100]);
    assert_eq!(
        missing(&cut)[2..],
        [("the end of EDC0", &*format!("the dump ends at {:#x}", bytes.len() - 100))]
    );
    assert_eq!(cut.findings, whole.findings);
    // In the entity before.
    let start =
        cut.nodes.iter().find(|node| node.name == "QDESC").unwrap().place.clone().unwrap().start;
    let cut = one(&bytes[..start as usize + 100]);
    assert_eq!(
        missing(&cut)[2..],
        [("EDC0, the end of QDESC", &*format!("the dump ends at {:#x}", start + 100))]
    );
    // In the table of entities.
    let cut = one(&bytes[..56 + 52 * 10]);
    let missing = missing(&cut);
    assert_eq!(missing.len(), 3, "{missing:#?}");
    assert_eq!(missing[1].1, "offset 0x240: expected 52 bytes, found the end at 0x240");
    assert_eq!(missing[2].0, "REG_DUMP, DEV_LOG, CIM_QCFG, CIM_IBQ_TP0");
    // In the header.
    let cut = one(&bytes[..20]);
    assert_eq!(cut.damage.as_deref(), Some("offset 0: expected 56 bytes, found the end at 0x14"));
}

#[test]
fn an_entity_that_lies() {
    let mut bytes = adapter(true);
    let slot = |number: usize| 56 + 52 * (number - 1);
    // Another number, and the part of another entity.
    bytes[slot(2)] = 9;
    let start: [u8; 8] = bytes[slot(18) + 4..][..8].try_into().unwrap();
    bytes[slot(6) + 4..][..8].copy_from_slice(&start);
    let at = u32::from_le_bytes(bytes[slot(1) + 4..][..4].try_into().unwrap()) as usize;
    // The second chunk of the registers is not one.
    let second = at + 280 + u64::from_le_bytes(bytes[at + 16..][..8].try_into().unwrap()) as usize;
    bytes[second] = 18;
    let decoded = one(&bytes);
    let missing = missing(&decoded);
    assert!(
        missing.contains(&(
            "entity 2",
            &*format!("offset {:#x}: expected entity 2, found 9", slot(2))
        )),
        "{missing:#?}"
    );
    assert!(
        missing.contains(&(
            "the rest of REG_DUMP",
            &*format!("offset {second:#x}: expected chunk 17, found 18")
        )),
        "{missing:#?}"
    );
    assert!(
        missing.iter().any(|(what, _)| what.ends_with(" registers of REG_DUMP")),
        "{missing:#?}"
    );
    assert_eq!(number(&decoded, "REG_DUMP.SGE_CONTROL"), 0x8000_1401);
}

/// The driver fills the buffer of queue descriptors with zeros to 32 MiB, which are no queues.
#[test]
fn queues_in_a_large_buffer() {
    let mut queues = Raw::new(2 << 20).at(0, 4, 0xcced_b001).at(4, 2, 1).at(12, 4, 1);
    queues = queues.at(16, 4, 64).at(24, 4, 3);
    let queues = queues.into_bytes();
    let decoded = one(&Collection::new(T6, true).entity(70, &queues).finished(0));
    assert_eq!(missing(&decoded), []);
    assert_eq!(number(&decoded, "QDESC.[0].QID"), 3);
    // The second one would be after what is inflated.
    let mut queues = queues;
    queues[12] = 2;
    queues[16..20].copy_from_slice(&(3_u32 << 19).to_le_bytes());
    let decoded = one(&Collection::new(T6, true).entity(70, &queues).finished(0));
    assert_eq!(missing(&decoded), [("1 queues of QDESC", "it ends after 1048568 bytes")]);
}

/// Each chunk takes some time whatever is in it, so there are not too many of them.
#[test]
fn many_small_chunks() {
    let one_chunk = Collection::new(T6, true).entity(6, &[7]).finished(0);
    let start = 56 + 52 * 72;
    let length = 280 + usize::from(one_chunk[start + 16]);
    let chunks = one_chunk[start..start + length].repeat(600);
    let mut bytes = Collection::new(T6, false).entity(6, &chunks).finished(0);
    // The chunks are what the table has, compressed.
    bytes[23] = one_chunk[23];
    let expected = [("the rest of CIM_IBQ_TP0", "more than 512 bytes are not inflated")];
    assert_eq!(missing(&one(&bytes)), expected);
}

/// Neither a lie about lengths nor a dump full of chunks takes much.
#[test]
fn bombs() {
    let content = vec![0; 5 << 20];
    let mut bytes = Collection::new(T6, true).entity(6, &content).finished(0);
    let decoded = one(&bytes);
    assert_eq!(
        missing(&decoded),
        [("the rest of CIM_IBQ_TP0", "more than 4194304 bytes are not inflated")]
    );
    // All entities are this one.
    let slot: Vec<u8> = bytes[56 + 52 * 5..][..52].to_vec();
    for number in 1..=72_usize {
        bytes[56 + 52 * (number - 1)..][..52].copy_from_slice(&slot);
        bytes[56 + 52 * (number - 1)] = number as u8;
    }
    let decoded = one(&bytes);
    assert!(
        missing(&decoded).iter().filter(|(_, why)| why.ends_with("overlaps with others")).count()
            > 60
    );
}

#[test]
fn structures_of_the_adapter() {
    let decoded = one(&adapter(true));
    for (path, value) in [
        ("CIM_QCFG.IBQ_ULP.BASE", 0x800),
        ("CIM_QCFG.IBQ_ULP.SIZE", 0x400),
        ("CIM_QCFG.IBQ_ULP.FULL_THRESHOLD", 0x80),
        ("CIM_QCFG.IBQ_ULP.READ", 0x1123),
        ("CIM_QCFG.IBQ_ULP.WRITE", 0x124),
        ("CIM_QCFG.IBQ_ULP.FREE_FLITS", 0x10),
        ("CIM_QCFG.IBQ_ULP.SOP", 2),
        ("CIM_QCFG.IBQ_ULP.EOP", 3),
        ("CIM_QCFG.OBQ_SGE.BASE", 0x1c00),
        ("CIM_QCFG.OBQ_SGE.WRITE_ADDRESS", 0x1c40),
        ("CIM_QCFG.OBQ_SGE.READ", 0x1c20),
        ("RSS_VF_CONF.[1].RSS_VF_VFH", 0xabcd),
        ("PATH_MTU.[1]", 1500),
        ("PM_STATS.TX.LATENCY.COUNT", 5),
        ("PM_STATS.TX.LATENCY.CYCLES", 1 << 40),
        ("PM_STATS.RX.READ.COUNT", 9),
        ("PM_STATS.RX.READ.BYTES", 77),
        ("HW_SCHED.[1].RATE", 10_000),
        ("HW_SCHED.[1].INTER_PACKET_GAP", 12),
        ("HW_SCHED.[1].PACE", 34),
        ("HW_SCHED.MAP", 0xe4),
        ("MEMINFO.AVAILABLE.[0].LIMIT", 0x10_0000),
        ("MEMINFO.AVAILABLE.[1].BASE", 0x10_0000),
        // It has no limit of its own.
        ("MEMINFO.REGIONS.[0].LIMIT", 0x1fff),
        ("MEMINFO.REGIONS.[1].LIMIT", 0x2fff),
        ("MEMINFO.RX_PAGES", 4096),
        ("MEMINFO.P_STRUCTS", 555),
        ("MEMINFO.PORT_ALLOC.[2]", 21),
        ("MEMINFO.TX_PAGES_FREE", 33),
        ("CLK.RETRANSMIT_MAX", 64_000_000),
        ("CLK.DACK_TIMER", 10),
        ("CLK.CORE_CLOCK", 4000),
        ("CLK.DACK_SHIFT", 7),
        ("TID_INFO.NTIDS", 2048),
        ("TID_INFO.SERVER_INDEX", 96),
        ("TID_INFO.TID_START", 3),
        ("VPD_DATA.FW_MAJOR", 1),
        ("VPD_DATA.FW_MINOR", 27),
        ("VPD_DATA.SCFG_VERS", 0x1001),
        ("VPD_DATA.VPD_VERS", 2),
    ] {
        assert_eq!(number(&decoded, path), value, "{path}");
    }
    for (path, expected) in [
        ("VPD_DATA.SN", "PT00112233"),
        ("VPD_DATA.PN", "110123450A0"),
        ("VPD_DATA.NA", "000743AABBCC"),
        ("VPD_DATA.ID", "T62100-LP-CR"),
        ("RSS.[16]", "0 291 0 0 0 0 0 0 0 0 0 0 0 0 0 0"),
    ] {
        assert_eq!(text(&decoded, path), expected, "{path}");
    }
    assert!(text(&decoded, "CCTRL.[1]").ends_with(" 0 291"));
    assert_eq!(node(&decoded, "MEMINFO.AVAILABLE.[1]").title.as_deref(), Some("MC"));
    assert_eq!(node(&decoded, "MEMINFO.REGIONS.[1]").title.as_deref(), Some("Tx payload"));
    // The driver hides a region.
    assert_eq!(node(&decoded, "MEMINFO.REGIONS").children.len(), 2);
}

#[test]
fn tables_and_queues() {
    let decoded = one(&adapter(true));
    for (path, value) in [
        ("MPS_TCAM.[1].MASK", 0xffff_ffff_ffff),
        ("MPS_TCAM.[1].INDEX", 1),
        ("MPS_TCAM.[1].VALID", 1),
        ("MPS_TCAM.[1].PF", 3),
        ("MPS_TCAM.[1].VF", 0x21),
        ("MPS_TCAM.[1].REPLICATE", 0),
        ("MPS_TCAM.[1].PORTS", 2),
        ("LE_TCAM.CLIP_START", 128),
        ("LE_TCAM.MAX_TID", 1024),
        ("QDESC.[0].QID", 12),
        ("QDESC.[0].DATA_SIZE", 64),
        ("QDESC.[1].QID", 13),
    ] {
        assert_eq!(number(&decoded, path), value, "{path}");
    }
    for (path, title) in [
        ("DUMP_CONTEXT.[0]", "egress queue 3"),
        ("DUMP_CONTEXT.[1]", "free list queue 5"),
        ("LE_TCAM.[0]", "TID 0, connection"),
        ("LE_TCAM.[1]", "TID 70, server"),
        ("QDESC.[0]", "NIC_TXQ"),
        ("QDESC.[1]", "CTRLQ"),
    ] {
        assert_eq!(node(&decoded, path).title.as_deref(), Some(title), "{path}");
    }
    assert_eq!(text(&decoded, "MPS_TCAM.[1].ADDRESS"), "00:07:43:aa:bb:cc");
    assert!(text(&decoded, "LE_TCAM.[1]").ends_with(" 00008000"));
    assert_eq!(
        text(&decoded, "DUMP_CONTEXT.[1]"),
        "00000000 00000000 00000000 00000000 00000000 000000bb"
    );
    // What the driver did not use is not there.
    for (path, count) in [("MPS_TCAM", 1), ("DUMP_CONTEXT", 2), ("LE_TCAM", 6 + 2)] {
        assert_eq!(node(&decoded, path).children.len(), count, "{path}");
    }
}

#[test]
fn indirect_registers() {
    let decoded = one(&adapter(true));
    for (path, value) in [
        ("TP_INDIRECT.[0].0x0023", 6),
        ("PCIE_INDIRECT.[0].0x0040", 0x40),
        ("SGE_INDIRECT.PF[7].SGE_QBASE_MAP1", 0x77),
        ("SGE_INDIRECT.VF[1].SGE_QBASE_MAP3", 0x99),
        ("MA_INDIRECT.[1].0xe7c0", 0xcc),
        ("UP_CIM_INDIRECT.[0].0x2004", 0x11),
        ("UP_CIM_INDIRECT.[1].0x4934", 0x22),
        ("PCIE_CONFIG.0x000", 0x6401_1425),
        ("PCIE_CONFIG.0x100", 0x1482_0001),
    ] {
        assert_eq!(number(&decoded, path), value, "{path}");
    }
    for (path, title, count) in [
        ("TP_INDIRECT.[0]", "TP_PIO", 28),
        ("TP_INDIRECT.[1]", "TP_MIB", 2),
        ("SGE_INDIRECT.[1]", "SGE_DEBUG_DATA_LOW", 16),
        ("SGE_INDIRECT.VF[1]", "", 4),
        ("MA_INDIRECT.[1]", "MA_LOCAL_DEBUG", 13),
    ] {
        let node = node(&decoded, path);
        assert_eq!(
            (node.title.as_deref().unwrap_or_default(), node.children.len()),
            (title, count),
            "{path}"
        );
    }
    assert_eq!(node(&decoded, "SGE_INDIRECT").children.len(), 2 + 8 + 2);
    assert_eq!(node(&decoded, "PCIE_CONFIG").children.len(), 91);
}

/// T5 has other bits, and no functions in `SGE_INDIRECT`.
#[test]
fn an_adapter_of_t5() {
    let mps = Raw::new(88).at(44, 4, 0x1000 | 0x800 | 5 << 8 | 0x80 | 0x7f).at(78, 1, 2);
    let sge = Raw::new(288 + 4248).at(4, 4, 0x10d0).at(12, 4, 16);
    let collection = Collection::new(T5, true)
        .entity(57, &mps.into_bytes())
        .entity(37, &sge.into_bytes())
        .entity(1, &registers(&[(0x30b8, 1 << 29)]));
    let decoded = one(&collection.finished(0));
    for (path, value) in [
        ("MPS_TCAM.[0].VALID", 1),
        ("MPS_TCAM.[0].PF", 5),
        ("MPS_TCAM.[0].VF", 0x7f),
        ("MPS_TCAM.[0].REPLICATE", 1),
    ] {
        assert_eq!(number(&decoded, path), value, "{path}");
    }
    assert_eq!(node(&decoded, "SGE_INDIRECT").children.len(), 1);
    assert_eq!(finding(&decoded, "REG_DUMP.PCIE_FW").text, "the firmware is halted");
    assert_eq!(number(&decoded, "REG_DUMP.PCIE_FW.Halt"), 1);
}

/// An entity that is shorter than its structure, or has another version.
#[test]
fn entities_that_are_cut() {
    let content = Raw::new(60).at(0, 4, 0xcced_b001).at(4, 2, 1).into_bytes();
    let other = Raw::new(60).at(0, 4, 0xcced_b001).at(4, 2, 2).into_bytes();
    let collection = Collection::new(T6, true)
        .entity(30, &content)
        .entity(44, &content)
        .entity(54, &other)
        .entity(58, &content)
        .entity(70, &content[..24]);
    let decoded = one(&collection.finished(0));
    assert_eq!(
        missing(&decoded),
        [
            ("the rest of PM_STATS", "expected 168 bytes, found 60"),
            ("the rest of MEMINFO", "expected 552 bytes, found 52"),
            ("TID_INFO", "expected revision 1, found 2"),
            ("the rest of VPD_DATA", "expected 88 bytes, found 60"),
        ]
    );
    assert_eq!(number(&decoded, "PM_STATS.TX.READ.COUNT"), 0xcced_b001);
}
