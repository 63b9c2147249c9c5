// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The command lists of an AHCI controller.

use decode::model::Severity;
use synth::{Pages, RegisterSpace, Registers};

use crate::{decode, dump, node, shown};

const LIST: u64 = 0x1_0000_0400;
const RECEIVED: u64 = 0x2000;
const TABLES: u64 = 0x5000;

/// A controller of 8 slots, with a disk at port 1; its commands in these slots are not
/// completed.
fn controller(tfd: u32, issued: u32, active: u32) -> Registers {
    let mut hba = [0_u32; 11];
    (hba[0], hba[1], hba[3], hba[4]) = (0x8000_0700, 0x8000_0000, 2, 0x1_0300);
    let mut port = [0_u32; 18];
    (port[0], port[1], port[2]) = (LIST as u32, (LIST >> 32) as u32, RECEIVED as u32);
    (port[6], port[8], port[10]) = (0xc011, tfd, 0x123);
    (port[13], port[14]) = (active, issued);
    dump("ahci", (RegisterSpace::Bar, 5), &[(0, &hba), (0x180, &port)])
}

/// A slot with a command of one scatter list entry, its table at 0x100 times the index.
fn slot(pages: Pages, index: u64, fis: &[u8]) -> Pages {
    let table = TABLES + index * 0x100;
    let header = [0x0001_0045, 0x200, table as u32, 0, 0, 0, 0, 0];
    pages.with_words(LIST + index * 32, &header).with(table, fis)
}

fn memory() -> Pages {
    let read = [0x27, 0x80, 0x60, 0x08, 0x56, 0x34, 0x12, 0x40, 0x9a, 0x78, 0, 0x01, 0x18, 0, 0, 0];
    let flush = [0x27, 0x80, 0xea, 0, 0, 0, 0, 0xa0, 0, 0, 0, 0, 0, 0, 0, 0];
    let pages = slot(slot(Pages::new(), 0, &read), 3, &flush);
    pages.with(RECEIVED + 0x40, &[0x34, 0x40, 0x51, 0x04, 0, 0, 0, 0])
}

#[test]
fn commands_have_their_names() {
    let decoded = decode(&controller(0x50, 0, 0), &memory());
    assert_eq!(
        shown(node(&decoded, &["port[1]", "CLB"])),
        ["slot[0] 0x10045 READ FPDMA QUEUED", "slot[3] 0x10045 FLUSH CACHE EXT"]
    );
    assert_eq!(
        shown(node(&decoded, &["port[1]", "CLB", "slot[0]"])),
        ["WRITE 0x1", "PREFETCHABLE 0x0", "PRDTL 0x1", "PRDBC 0x200", "CTBA 0x5000"]
    );
    assert_eq!(
        shown(node(&decoded, &["port[1]", "CLB", "slot[0]", "CTBA"])),
        [
            "COMMAND 0x60 READ FPDMA QUEUED",
            "LBA 0x789a123456",
            "COUNT 0x18",
            "FEATURES 0x108",
            "DEVICE 0x40",
        ]
    );
    assert_eq!(shown(node(&decoded, &["port[1]", "FB"])), ["REGISTER_FIS 0x4514034"]);
    assert_eq!(
        shown(node(&decoded, &["port[1]", "FB", "REGISTER_FIS"])),
        ["STATUS 0x51", "ERROR 0x4"]
    );
    assert_eq!(decoded.findings, []);
}

#[test]
fn what_a_disk_has_not_completed_is_found() {
    // Queued, and not queued; then the disk is busy.
    for (tfd, severity) in [(0x50, Severity::Info), (0xd0, Severity::Warning)] {
        let decoded = decode(&controller(tfd, 8, 1), &memory());
        let found = decoded.findings.iter().find(|finding| finding.text.contains("not completed"));
        let finding = found.expect("a finding");
        assert_eq!(finding.severity, severity);
        assert_eq!(
            finding.text,
            "port[1]: not completed: READ FPDMA QUEUED at LBA 0x789a123456 (slot[0]), \
             FLUSH CACHE EXT at LBA 0x0 (slot[3])"
        );
        assert_eq!(
            shown(node(&decoded, &["port[1]", "CLB"])),
            [
                "slot[0] 0x10045 READ FPDMA QUEUED, outstanding",
                "slot[3] 0x10045 FLUSH CACHE EXT, outstanding",
            ]
        );
    }
}

#[test]
fn a_list_or_a_table_that_was_left_out_is_not_in_the_dump() {
    let decoded = decode(&controller(0x50, 1, 0), &memory().without(TABLES));
    let list = shown(node(&decoded, &["port[1]", "CLB"]));
    assert_eq!(list, ["slot[0] 0x10045 a command, outstanding", "slot[3] 0x10045 a command"]);
    assert_eq!(
        shown(node(&decoded, &["port[1]", "CLB", "slot[0]", "CTBA"])),
        ["FIS (not in the dump)"]
    );
    let decoded = decode(&controller(0x50, 1, 0), &memory().without(LIST).without(RECEIVED));
    assert_eq!(shown(node(&decoded, &["port[1]", "CLB"])), ["slot[0 to 7] (not in the dump)"]);
    assert_eq!(
        shown(node(&decoded, &["port[1]", "FB"])),
        ["REGISTER_FIS (not in the dump)", "DEVICE_BITS_FIS (not in the dump)"]
    );
}
