// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The IOMMU's tables, for the device of a fault.

use decode::model::Decoded;
use synth::{Pages, RegisterSpace};

use crate::{decode, dump, node, shown};

const ROOT: u64 = 0x1_0000_3000;
const CONTEXT: u64 = 0x4000;

/// A unit with one fault record, at 0x200: of this device, for this reason.
fn unit(mode: u64, source: u32, reason: u32, pages: &Pages) -> Decoded {
    let root = ROOT | mode << 10;
    let mut global = [0_u32; 18];
    // VER; CAP: the record is at 32 times 16; RTADDR.
    (global[0], global[2]) = (0x10, 32 << 24);
    (global[8], global[9]) = (root as u32, (root >> 32) as u32);
    let fault = [0x1234_5000, 0, source, reason | 1 << 31];
    let space = (RegisterSpace::Unit, 0);
    decode(&dump("vt-d", space, &[(0, &global), (0x200, &fault)]), pages)
}

fn entries(decoded: &Decoded) -> Vec<String> {
    shown(node(decoded, &["fault[0]"]))
        .into_iter()
        .filter(|line| !line.starts_with("FRCD"))
        .collect()
}

/// 04:03.2.
const SOURCE: u32 = 0x041a;

#[test]
fn legacy_entries_lead_to_the_domain() {
    let pages = Pages::new()
        .with_wides(ROOT + 4 * 16, &[CONTEXT | 1, 0])
        // Translation by a table at 0x7000 of 4 levels, for domain 0x123.
        .with_wides(CONTEXT + 0x1a * 16, &[0x7000 | 1, 0x123 << 8 | 2]);
    let decoded = unit(0, SOURCE, 5, &pages);
    assert_eq!(entries(&decoded), ["ROOT_ENTRY 0x4001 present", "CONTEXT_ENTRY 0x7001 present"]);
    let context = node(&decoded, &["fault[0]", "CONTEXT_ENTRY"]);
    assert_eq!(context.address, Some(CONTEXT + 0x1a0));
    assert_eq!(
        shown(context),
        [
            "DOMAIN 0x123",
            "TRANSLATION 0x0 requests without a translated address",
            "WIDTH 0x2 48 bits, 4 levels",
            "PAGE_TABLE 0x7000",
            "FAULTS_OFF 0x0",
        ]
    );
    // A device of another function has no context entry, one of another bus no root entry.
    let decoded = unit(0, 0x041b, 2, &pages);
    assert_eq!(entries(&decoded), ["ROOT_ENTRY 0x4001 present", "CONTEXT_ENTRY 0x0 not present"]);
    let decoded = unit(0, 0x051a, 1, &pages);
    assert_eq!(entries(&decoded), ["ROOT_ENTRY 0x0 not present"]);
}

#[test]
fn scalable_entries_lead_to_the_domain() {
    // 04:13.2, whose entries are those of the upper half of the bus.
    let source = 0x049a;
    let pages = Pages::new()
        .with_wides(ROOT + 4 * 16, &[0, CONTEXT | 1])
        // Requests without a PASID are those of the PASID 0x82.
        .with_wides(CONTEXT + 0x1a * 32, &[0x8000 | 0b1_1101, 0x82])
        .with_wides(0x8000 + 2 * 8, &[0x9001])
        .with_wides(0x9000 + 2 * 64, &[0xa000 | 2 << 6 | 3 << 2 | 1, 0x4567]);
    let decoded = unit(1, source, 0x78, &pages);
    assert_eq!(
        entries(&decoded),
        [
            "ROOT_ENTRY 0x4001 present",
            "CONTEXT_ENTRY 0x801d present",
            "DIRECTORY_ENTRY 0x9001 present",
            "PASID_ENTRY 0xa08d present",
        ]
    );
    assert_eq!(
        shown(node(&decoded, &["fault[0]", "CONTEXT_ENTRY"])),
        [
            "DIRECTORY 0x8000",
            "RID_PASID 0x82",
            "DEVICE_TLB 0x1",
            "PASID 0x1",
            "PAGE_REQUESTS 0x1",
            "FAULTS_OFF 0x0",
        ]
    );
    assert_eq!(
        shown(node(&decoded, &["fault[0]", "PASID_ENTRY"])),
        [
            "DOMAIN 0x4567",
            "TRANSLATION 0x2 second level",
            "WIDTH 0x3 57 bits, 5 levels",
            "PAGE_TABLE 0xa000",
            "FAULTS_OFF 0x0",
        ]
    );
    // The lower half of the bus has no table.
    let decoded = unit(1, 0x041a, 0x39, &pages);
    assert_eq!(entries(&decoded), ["ROOT_ENTRY 0x0 not present"]);
}

/// The device is the one to look at, not the unit.
#[test]
fn faults_point_to_their_source() {
    let decoded = unit(0, SOURCE, 5, &Pages::new());
    let refused = decoded.findings.iter().find(|finding| finding.text.contains("not allowed"));
    let refused = refused.expect("a finding");
    assert_eq!(refused.points_to.as_deref(), Some("0000:04:03.2"), "{refused:?}");
    let others = decoded.findings.iter().filter(|finding| finding.points_to.is_none());
    assert!(others.count() > 0, "{:?}", decoded.findings);
    // A device that did not answer an invalidation is named by another register.
    let mut global = [0_u32; 18];
    (global[0], global[2], global[13]) = (0x10, 32 << 24, 1 << 6);
    let error = [0, 0x0510_0498];
    let registers: [(u64, &[u32]); 2] = [(0, &global), (0xb0, &error)];
    let decoded = decode(&dump("vt-d", (RegisterSpace::Unit, 0), &registers), &Pages::new());
    let silent = decoded.findings.iter().find(|finding| finding.text.contains("did not answer"));
    assert_eq!(silent.expect("a finding").points_to.as_deref(), Some("0000:04:13.0"));
}

#[test]
fn tables_that_were_left_out_are_not_in_the_dump() {
    let pages = Pages::new().with_wides(ROOT + 4 * 16, &[CONTEXT | 1, 0]);
    let decoded = unit(0, SOURCE, 5, &pages);
    assert_eq!(entries(&decoded), ["ROOT_ENTRY 0x4001 present", "CONTEXT_ENTRY (not in the dump)"]);
    let decoded = unit(0, SOURCE, 5, &Pages::new());
    let why = "not in the dump; the crash kernel may have a root table of its own";
    assert_eq!(entries(&decoded), [format!("ROOT_ENTRY ({why})")]);
    // A record that was never written, and a root table that blocks all.
    assert_eq!(entries(&unit(0, 0, 0, &pages)), [""; 0]);
    assert_eq!(entries(&unit(3, SOURCE, 5, &pages)), [""; 0]);
}
