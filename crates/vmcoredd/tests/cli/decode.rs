// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd decode`.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;
use sha2::{Digest, Sha256};
use synth::{Class, Endian, RegisterDevice, RegisterSpace, Registers, Vmcore};

use crate::json::{check_keys, files};
use crate::run::{Folder, Outcome};

/// A profile of everything that is shown.
const NIC: &str = r#"profile nic version=2 title="a network adapter"
source "by hand"
match { pci vendor=0x8086 device=0x10d3 }
collect {
    config
    block ctrl bar=0 at=0 len=0x10
    block queue bar=0 at=0x100 len=8 count="STATUS.QUEUES" stride=0x10
    block log bar=0 at=0x200 len=8 if="STATUS.FAILED"
    block stats bar=0 at=0x300 len=4 class=clears
    never bar=0 at=0x400 why="doorbells"
}
block ctrl {
    reg STATUS at=0 title="device status" { FAILED 0; SPEED 4 5 { is 1 "1 Gbit/s"; is 2 "10 Gbit/s" }; QUEUES 8 11 add=1; TEMP 16 23 add=-40 unit=C title="heat" }
    reg ICR at=4 effect=clear
    reg FRAMES at=8 counter=#true unit=frames
    reg MODE at=0xc { is 1 slow }
}
block queue {
    reg HEAD at=0
    reg TAIL at=4
    abnormal warn "the queue hangs" when="HEAD != TAIL" advice="Look at the ring."
}
block log { reg CODE at=0; reg WHERE at=4 }
block stats { reg LOST at=0 effect=clear }
abnormal fatal "the firmware has failed" when="STATUS.FAILED" advice="Update it."
abnormal info "frames were lost" when="LOST"
headline "{STATUS.SPEED}, {FRAMES}, {CODE}"
"#;

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// What was read of it.
fn nic(digest: [u8; 32]) -> Registers {
    Registers::new()
        .device(&RegisterDevice::pci("nic", 2, digest))
        .read(RegisterSpace::Config, 0, 0, &words(&[0x10d3_8086, 0x0010_0007]))
        .read(RegisterSpace::Bar, 0, 0, &words(&[0x0064_0221]))
        .read(RegisterSpace::Bar, 0, 8, &words(&[1234, 1]))
        .read(RegisterSpace::Bar, 0, 0x100, &words(&[5, 5]))
        .read(RegisterSpace::Bar, 0, 0x110, &words(&[5, 6]))
        .unread(RegisterSpace::Bar, 0, 0x120, 8, 1)
        .unread(RegisterSpace::Bar, 0, 0x300, 4, 2)
        .end(1, 5)
}

/// A folder with the profile, and this vmcore.
fn folder(made: &Vmcore) -> Folder {
    let folder = Folder::new().with("vmcore", &made.image());
    fs::create_dir(folder.path("profiles.d")).expect("made");
    fs::write(folder.path("profiles.d/nic.kdl"), NIC).expect("written");
    folder
}

fn decode(folder: &Folder, arguments: &[&str]) -> Outcome {
    folder.run([&["decode", "--profiles", "profiles.d"], arguments].concat())
}

fn vmcore() -> Vmcore {
    Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", b"another dump".to_vec())
        .dump("regs_0000:01:03.0", nic(digest(NIC)).bytes().to_vec())
}

#[test]
fn all_of_it() {
    let folder = folder(&vmcore());
    assert_snapshot!("all", decode(&folder, &["vmcore"]).shown());
    assert_snapshot!("abnormal", decode(&folder, &["vmcore", "--abnormal"]).shown());
    let named = decode(&folder, &["vmcore", "regs_0000:01:03.0"]);
    assert_eq!(named.stdout, decode(&folder, &["vmcore"]).stdout);
}

#[test]
fn json() {
    let folder = folder(&vmcore());
    let outcome = decode(&folder, &["vmcore", "--json"]);
    let device: Value = serde_json::from_str(outcome.stdout()).expect("JSON");
    assert_snapshot!(serde_json::to_string_pretty(&device).expect("JSON"));
    check_keys("decode", "doctor", &files(&outcome));
}

/// The example of docs/profiles.md: its profile, and what it prints of such a device.
#[test]
fn the_example_of_the_documentation() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/profiles.md");
    let page = fs::read_to_string(page).expect("there");
    let block = |language: &str| {
        let (_, rest) = page.split_once(&format!("```{language}\n")).expect("an example");
        rest.split_once("```").expect("its end").0.to_owned()
    };
    let (profile, expected) = (block("kdl"), block("text"));
    let folder = Folder::new();
    fs::create_dir(folder.path("profiles.d")).expect("made");
    fs::write(folder.path("profiles.d/edu.kdl"), &profile).expect("written");
    let check = folder.run(["profile", "check", "profiles.d/edu.kdl"]);
    assert_eq!((check.status, check.stderr.as_str()), (Some(0), ""));
    let device = RegisterDevice {
        bus_devfn_revision: [0, 4 << 3, 0x10],
        ids: [0x1234, 0x11e8, 0x1af4, 0x1100],
        class: 0x00_ff00,
        ..RegisterDevice::pci("edu", 1, digest(&profile))
    };
    let ctrl = [0x0100_00ed, 0, 720, 0, 0, 0, 0, 0, 0x80, 0];
    let dma = [0x0123_4000, 0, 0x4_0000, 0, 64, 0, 1, 0];
    let dump = Registers::new()
        .device(&device)
        .read(RegisterSpace::Bar, 0, 0, &words(&ctrl))
        .read(RegisterSpace::Bar, 0, 0x80, &words(&dma))
        .end(0, 0);
    fs::write(folder.path("regs_0000:00:04.0"), dump.bytes()).expect("written");
    let decoded = decode(&folder, &["regs_0000:00:04.0"]);
    assert_eq!(decoded.stdout(), expected);

    // The same registers, as the driver of drivers/edu dumps them.
    let mut bytes = words(&ctrl);
    bytes.resize(0x80, 0);
    bytes.extend(words(&dma));
    let vmcore = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("edu_0000:00:04.0", bytes.clone())
        .dump("edu_0000:00:05.0", bytes[..0x84].to_vec())
        .dump("other_0000:00:04.0", bytes);
    vmcore.image().write(&folder.path("vmcore")).expect("written");
    let by_driver = decode(&folder, &["vmcore"]);
    let registers = |text: &str| text.split_once("  ctrl, ").map(|(_, rest)| rest.to_owned());
    let (first, second) = by_driver.stdout().split_once("\n\n").expect("two dumps");
    assert_eq!(registers(&format!("{first}\n")), registers(&expected));
    assert!(first.contains("  dumped by the driver edu: "), "{first}");
    assert!(second.contains("(it is not in the dump)"), "{second}");
    assert!(!by_driver.stdout().contains("other"));
}

/// What `extract` writes is decoded, too.
#[test]
fn a_register_dump_by_itself() {
    let folder = folder(&vmcore());
    let extracted = folder.run(["extract", "vmcore", "regs_0000:01:03.0", "-o", "regs"]);
    assert_eq!(extracted.status, Some(0));
    let alone = decode(&folder, &["regs"]);
    let of_vmcore = decode(&folder, &["vmcore"]);
    let without_name =
        |outcome: &Outcome| outcome.stdout().lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(without_name(&alone), without_name(&of_vmcore));
    assert!(alone.stdout().starts_with("regs: a network adapter"));
}

#[test]
fn unknown_profiles_and_other_versions() {
    let unknown = Registers::new()
        .device(&RegisterDevice {
            driver: "e1000e",
            flags: 1,
            ..RegisterDevice::pci("xyz", 7, [1; 32])
        })
        .read(RegisterSpace::Bar, 2, 0x10, &words(&[1, 2, 3, 4, 5]))
        .unread(RegisterSpace::Window, 0, 0x40, 0x20, 2)
        .end(0, 0);
    let cpu = RegisterDevice { kind: 2, address: 3, ..RegisterDevice::pci("mca9", 1, [0; 32]) };
    let cpu = Registers::new().device(&cpu).read(
        RegisterSpace::Msr,
        0,
        0x401,
        &[0x35, 1, 0, 0, 0, 0, 0, 0xbe],
    );
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("regs_0000:01:03.0", unknown.bytes().to_vec())
        .dump("mca9_0", cpu.bytes().to_vec())
        .dump("regs_0000:01:04.0", nic([7; 32]).bytes().to_vec());
    let folder = folder(&made);
    assert_snapshot!("unknown", decode(&folder, &["vmcore", "0"]).shown());
    assert_snapshot!("cut_off", decode(&folder, &["vmcore", "1"]).shown());
    let other = decode(&folder, &["vmcore", "2"]);
    assert!(
        other
            .stdout()
            .contains("  read by another file of profile nic, version 2; decoded by version 2\n")
    );
    assert!(other.stdout().contains("fatal the firmware has failed"));
    let json = decode(&folder, &["vmcore", "0", "--json"]);
    let device: Value = serde_json::from_str(json.stdout()).expect("JSON");
    let group = |name: &str| {
        let values = device["values"].as_array().expect("values");
        values.iter().find(|value| value["name"] == name).expect("a group").clone()
    };
    let registers = group("bar 2 at 0x10");
    let read: Vec<_> = registers["values"].as_array().expect("values").iter().collect();
    let read: Vec<_> = read.iter().map(|each| (&each["name"], &each["value"])).collect();
    assert_eq!(read[4], (&"0x0020".into(), &5.into()));
    assert_eq!(read.len(), 5);
    let about = &device["about"];
    assert_eq!((&about["decoded_by"], &about["profile_version"]), (&Value::Null, &7.into()));
}

/// Values that a pattern names, with the bits of their registers where they are asked for.
#[test]
fn values_by_name() {
    let folder = folder(&vmcore());
    let shown = |arguments: &[&str]| decode(&folder, arguments).shown();
    let all = [
        shown(&["vmcore", "--register", "status"]),
        shown(&["vmcore", "--register", "STATUS.Q*", "--bits"]),
        shown(&["vmcore", "-r", "status", "--bits"]),
        shown(&["vmcore", "-r", "queue[1]"]),
        shown(&["vmcore", "-r", "nothing"]),
    ];
    assert_snapshot!("by_name", all.join("\n"));
    let json = decode(&folder, &["vmcore", "--register", "frames", "--json"]);
    let device: Value = serde_json::from_str(json.stdout()).expect("JSON");
    let blocks = device["values"].as_array().expect("values");
    assert_eq!((blocks.len(), &blocks[0]["values"][0]["value"]), (1, &1234.into()));
}

/// The forms of other tools.
#[test]
fn as_others_read_it() {
    let folder = folder(&vmcore());
    let raw = decode(&folder, &["vmcore", "regs_0000:01:03.0", "--as", "raw"]);
    assert_snapshot!("raw", raw.shown());
    let plain = decode(&folder, &["vmcore", "nic0", "--as", "raw"]);
    assert_eq!(plain.stdout(), "another dump");
}

#[test]
fn errors() {
    let dump = nic(digest(NIC));
    let whole = dump.bytes();
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("cut", whole[..whole.len() - 20].to_vec())
        .dump("version", [&whole[..8], &[2], &whole[9..]].concat())
        .dump("text", b"hello".to_vec());
    let folder = folder(&made);
    fs::write(folder.path("bad.kdl"), "profile").expect("written");
    let run = |arguments: &[&str]| {
        let outcome = decode(&folder, arguments);
        format!("--- {}\n{}{}", arguments.join(" "), outcome.status.unwrap_or(-1), outcome.stderr)
    };
    let plain = Vmcore::new(Class::Elf64, Endian::Little).dump("nic0", b"state".to_vec());
    plain.image().write(&folder.path("plain")).expect("written");
    let all = [
        run(&["vmcore", "cut", "--abnormal"]),
        run(&["vmcore", "version"]),
        run(&["vmcore", "text"]),
        run(&["vmcore", "missing"]),
        run(&["plain"]),
        run(&["nothing"]),
    ];
    assert_snapshot!(all.join("\n"));
}

/// Error records and logs are decoded, too.
#[test]
fn what_is_no_register_dump() {
    let record = synth::records::status_block(1, &synth::records::sections()[..1], false);
    let log = b"[    1.000000] Linux version 6.12\n[    2.000000] DMAR: [DMA Read NO_PASID] \
                Request device [01:00.0] fault addr 0xdead000 [fault reason 0x06] PTE Read\n";
    let vmcore = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("bert", record)
        .dump("dmesg-crash-kernel", log.to_vec())
        .dump("chassis", b"intrusion".to_vec());
    let folder = Folder::new().with("vmcore", &vmcore.image());
    let outcome = folder.run(["decode", "vmcore"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert_snapshot!("records", outcome.stdout());
    let abnormal = folder.run(["decode", "--abnormal", "vmcore"]);
    assert!(abnormal.stdout().len() < outcome.stdout().len());
    let json = folder.run(["decode", "--json", "vmcore"]);
    let objects: Vec<Value> =
        json.stdout().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0]["dump"], "bert");
    assert!(objects[0]["values"].as_array().is_some_and(|values| !values.is_empty()));
    assert_eq!(objects[1]["findings"][0]["points_to"], "0000:01:00.0", "{:#}", objects[1]);
    // What nothing decodes is an error where it is named.
    assert_eq!(folder.run(["decode", "vmcore", "chassis"]).status, Some(1));
}
