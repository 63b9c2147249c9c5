// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the firmware recorded of a crash is collected on the next boot, of a machine whose
//! firmware has a boot error record.

use std::fs;

use system_tests::{explained, fault, names, payload, write};
use vmtest::{Boot, Kernel, Series};

/// Where the boot error region is, in memory that the kernel leaves alone.
const REGION: u64 = 0x700_0000;
/// Its size, as the table has it.
const SIZE: u32 = 0x100;

/// A region with one generic error of memory (ACPI 6.5, section 18.3.1): `block_status`
/// says that there is one that cannot be corrected, and the first entry is of memory.
fn region() -> Vec<u8> {
    let mut region = vec![0; SIZE as usize];
    // block_status, raw_data_offset, raw_data_length, data_length, error_severity: fatal.
    for (at, word) in [(0, 0x11_u32), (4, 0), (8, 0), (12, 72 + 80), (16, 1)] {
        region[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    // The section type: platform memory (UEFI 2.10, appendix N.2.5).
    let memory = [
        0x14, 0x11, 0xbc, 0xa5, 0x64, 0x6f, 0xde, 0x4e, 0xb8, 0x63, 0x3e, 0x83, 0xed, 0x7c, 0x83,
        0xb1,
    ];
    region[20..36].copy_from_slice(&memory);
    region[36..40].copy_from_slice(&1_u32.to_le_bytes());
    region[40..42].copy_from_slice(&0x300_u16.to_le_bytes());
    region[44..48].copy_from_slice(&80_u32.to_le_bytes());
    // The body: validation bits of a physical address, and it.
    region[92..100].copy_from_slice(&2_u64.to_le_bytes());
    region[108..116].copy_from_slice(&0x1234_5000_u64.to_le_bytes());
    region
}

const SCRIPT: &str = "
    mkdir -p /crash/202611271639 /state
    echo >/state/newest
    VMCOREDD after /crash --state /state/newest >/ports/said 2>&1
    VMCOREDD after /crash --state /state/newest >>/ports/said 2>&1
    cat /crash/202611271639/vmcoredd-after.*.zst >/ports/after
    cat /state/newest >/ports/newest
    cat /sys/firmware/acpi/tables/BERT >/ports/table
";

#[test]
fn the_boot_error_record_is_collected() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let vmcoredd = vmtest::static_program("vmcoredd").unwrap();
    let directory = vmtest::target_dir().join("next-boot");
    let (table, bytes) = (directory.join("table"), region());
    // What follows the header of the table: the length of the region, and its address.
    write(&table, &[&SIZE.to_le_bytes()[..], &REGION.to_le_bytes()].concat()).unwrap();
    let file = directory.join("region");
    write(&file, &bytes).unwrap();
    let run = Boot::new(&kernel, "next-boot")
        .append(&format!("memmap=64K${REGION:#x}"))
        .qemu_arg("-acpitable")
        .qemu_arg(format!("sig=BERT,rev=1,oem_id=TEST,data={}", table.display()))
        .qemu_arg("-device")
        .qemu_arg(format!("loader,file={},addr={REGION:#x},force-raw=on", file.display()))
        .program(&vmcoredd)
        .script(&SCRIPT.replace("VMCOREDD", &vmcoredd.display().to_string()))
        .port("said")
        .port("after")
        .port("newest")
        .port("table")
        .run()
        .unwrap();
    let said = fs::read_to_string(run.port("said")).unwrap();
    assert_eq!(said.matches("vmcoredd-after.").count(), 1, "{said}");
    assert_eq!(fs::read_to_string(run.port("newest")).unwrap(), "202611271639\n");
    let after = run.port("after");
    let names = names(after).unwrap();
    for name in ["dmesg-next-boot", "bert-table", "bert"] {
        assert!(names.iter().any(|each| each == name), "{names:?}");
    }
    let table = payload(after, "bert-table").unwrap();
    assert_eq!(table, fs::read(run.port("table")).unwrap());
    assert!(table.starts_with(b"BERT"));
    // Linux has told of it while it started, and has set block_status to 0.
    let collected = payload(after, "bert").unwrap();
    assert_eq!(collected.len(), bytes.len());
    assert_eq!(collected[..4], [0; 4]);
    assert_eq!(collected[4..], bytes[4..]);
    let log = String::from_utf8(payload(after, "dmesg-next-boot").unwrap()).unwrap();
    assert!(log.contains("BERT"), "{log}");
    insta::assert_snapshot!("explained", explained(after).unwrap());
    assert_eq!(fault(run.dmesg()), None);
}

/// Events, as `ipmitool sel add` reads them: version of the message, type and number of the
/// sensor, type of the event, and its three bytes.
const EVENTS: &str = "\
0x04 0x0c 0x53 0x6f 0xa1 0xff 0x03
0x04 0x13 0x60 0x6f 0xa5 0x3b 0x11
0x04 0x07 0x71 0x6f 0x0b 0xff 0xff
0x04 0x23 0x00 0x6f 0x01 0xff 0xff
";
/// ipmitool's words for these, and ours.
const WORDS: [(&str, &str); 4] = [
    ("Uncorrectable ECC", "uncorrectable ECC error"),
    ("PCI SERR", "PCI SERR"),
    ("Uncorrectable machine check exception", "uncorrectable machine check"),
    ("Hard reset", "hard reset"),
];

/// The event log of QEMU's management controller, decoded, and as ipmitool lists it.
#[test]
fn the_event_log_of_the_controller_is_collected() {
    let kernel = Kernel::fetch(Series::V6_12.with_all_drivers()).unwrap();
    let vmcoredd = vmtest::static_program("vmcoredd").unwrap();
    let events = vmtest::target_dir().join("next-boot/events");
    write(&events, EVENTS.as_bytes()).unwrap();
    let modules = ["ipmi_msghandler", "ipmi_si", "ipmi_devintf"];
    let loads: String = modules.iter().map(|name| format!("insmod /{name}.ko\n")).collect();
    let mut boot = Boot::new(&kernel, "next-boot-ipmi")
        .qemu_arg("-device")
        .qemu_arg("ipmi-bmc-sim,id=bmc0")
        .qemu_arg("-device")
        .qemu_arg("isa-ipmi-kcs,bmc=bmc0")
        .program(&vmcoredd)
        .program("/usr/bin/ipmitool")
        .file(&events, "/events");
    for name in modules {
        boot = boot.file(kernel.module(name).unwrap(), &format!("/{name}.ko"));
    }
    let run = boot
        .script(&format!(
            "{loads}
             until [ -e /dev/ipmi0 ]; do usleep 10000; done
             ipmitool sel add /events >/ports/added 2>&1
             mkdir -p /crash/202611271639 /state
             echo >/state/newest
             {} after /crash --state /state/newest >/ports/said 2>&1
             cat /crash/202611271639/vmcoredd-after.*.zst >/ports/after",
            vmcoredd.display()
        ))
        .port("added")
        .port("said")
        .port("after")
        .run()
        .unwrap();
    let after = run.port("after");
    let said = || fs::read_to_string(run.port("said")).unwrap();
    let log = payload(after, "ipmi-sel").unwrap_or_else(|error| panic!("{error}: {}", said()));
    let listed = String::from_utf8(payload(after, "ipmi-sel-text").unwrap()).unwrap();
    let lines: Vec<&str> = listed.lines().filter(|line| line.contains('|')).collect();
    assert_eq!(lines.len(), WORDS.len(), "{listed}");
    let mut library = profile::Library::empty();
    let decoded = decode::decode("ipmi-sel", &log, &mut library).next().unwrap();
    assert_eq!(decoded.nodes.len(), lines.len(), "{decoded:#?}");
    for ((line, record), (theirs, ours)) in lines.iter().zip(&decoded.nodes).zip(WORDS) {
        assert!(line.contains(theirs), "{line}");
        let meaning = record.find(&["DATA_1"]).and_then(|node| node.meaning.as_deref());
        assert_eq!(meaning, Some(ours), "{line}");
        let id = record.find(&["RECORD_ID"]).and_then(decode::model::Node::unsigned).unwrap();
        assert_eq!(line.split('|').next().unwrap().trim(), format!("{id:x}"), "{line}");
    }
    // The controller has one sensor.
    let sensors = payload(after, "ipmi-sdr").unwrap();
    let sensors = decode::decode("ipmi-sdr", &sensors, &mut library).next().unwrap();
    let title = sensors.nodes[0].title.as_deref().unwrap();
    let (name, kind) = title.split_once(", ").unwrap();
    assert_eq!((name, kind, sensors.missing.len()), ("Watchdog", "compact sensor", 0));
}
