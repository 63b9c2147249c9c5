// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd explain`.

use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;
use sha2::{Digest, Sha256};
use synth::{
    Class, Content, Endian, KernelLog, Load, NoteSpec, RegisterDevice, RegisterSpace, Registers,
    Vmcore,
};

use crate::run::Folder;

/// A profile of this project by which the dumps here are said to have been read.
fn digest(profile: &str) -> [u8; 32] {
    let path = format!("{}/../../profiles/{profile}.kdl", env!("CARGO_MANIFEST_DIR"));
    Sha256::digest(std::fs::read(path).expect("a profile")).into()
}

fn device(profile: &str, bus: u8) -> RegisterDevice<'_> {
    RegisterDevice {
        bus_devfn_revision: [bus, 0, 0],
        ..RegisterDevice::pci(profile, 1, digest(profile))
    }
}

/// The registers of an NVMe controller, with this CSTS.
pub fn nvme(bus: u8, csts: u32) -> Registers {
    // CAP, VS, CC, CSTS, AQA; the others are 0.
    let mut words = [0_u32; 27];
    let known = [(0, 0x0f00_07ff), (1, 0x30), (2, 0x0001_0400), (5, 0x0046_0001), (7, csts)];
    for (at, word) in known.into_iter().chain([(9, 0x001f_001f)]) {
        words[at] = word;
    }
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut config = vec![0; 256];
    config[..8].copy_from_slice(&[0x36, 0x1b, 0x10, 0, 6, 1, 0, 0]);
    config[9..12].copy_from_slice(&[2, 8, 1]);
    Registers::new()
        .device(&device("nvme", bus))
        .read(RegisterSpace::Config, 0, 0, &config)
        .read(RegisterSpace::Bar, 0, 0, &bytes)
        .end(0, 0)
}

/// A healthy drive, one that has stopped, one that does not answer, one that sleeps, and a
/// dump that nothing decodes.
fn folder() -> Folder {
    let dead = Registers::new().device(&device("nvme", 3)).end(1, 1);
    let asleep = RegisterDevice { power: 3, ..device("nvme", 4) };
    let asleep = Registers::new().device(&asleep).end(2, 2);
    let vmcore = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("regs_0000:01:00.0", nvme(1, 1).bytes().to_vec())
        .dump("regs_0000:02:00.0", nvme(2, 3).bytes().to_vec())
        .dump("regs_0000:03:00.0", dead.bytes().to_vec())
        .dump("regs_0000:04:00.0", asleep.bytes().to_vec())
        .dump("chassis", b"intrusion".to_vec())
        .note(NoteSpec::manifest(
            "VERSION=1\nNAME=regs_0000:05:00.0\nSTATUS=refused\n\
             REASON=the configuration leaves it out\n",
        ));
    Folder::new().with("vmcore", &vmcore.image())
}

#[test]
fn the_worst_comes_first() {
    let folder = folder();
    let outcome = folder.run(["explain", "vmcore"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(1), ""));
    assert_snapshot!("worst", outcome.stdout());
    // Findings that are only good to know are said to be there.
    let all = folder.run(["explain", "vmcore", "--all"]);
    assert!(all.stdout().len() >= outcome.stdout().len());
}

#[test]
fn as_json() {
    let outcome = folder().run(["explain", "--json", "vmcore"]);
    assert_eq!(outcome.status, Some(1));
    let object: Value = serde_json::from_str(outcome.stdout()).expect("JSON");
    assert_snapshot!("json", serde_json::to_string_pretty(&object).expect("JSON"));
}

#[test]
fn what_is_well_has_nothing_abnormal() {
    let vmcore = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("regs_0000:01:00.0", nvme(1, 1).bytes().to_vec());
    let folder = Folder::new().with("vmcore", &vmcore.image());
    let outcome = folder.run(["explain", "vmcore"]);
    assert_eq!(outcome.status, Some(0));
    assert_eq!(outcome.stdout(), "vmcore: nothing abnormal in 1 device dumps\n");
}

/// A dump that is cut or lies: what can be named is named, one line says the rest.
#[test]
fn what_is_cut_is_said() {
    let whole = nvme(2, 3);
    for length in [20, 100, 160, 500, whole.bytes().len() - 4] {
        let vmcore = Vmcore::new(Class::Elf64, Endian::Little)
            .dump("regs_0000:02:00.0", whole.bytes()[..length].to_vec());
        let folder = Folder::new().with("vmcore", &vmcore.image());
        let outcome = folder.run(["explain", "vmcore"]);
        assert!(outcome.stdout().contains("not read:"), "{length}: {}", outcome.stdout());
    }
}

/// Of a drive that was well and has stopped, the field says so that differs.
#[test]
fn fields_are_compared() {
    let folder = folder();
    let pair = ["vmcore:regs_0000:01:00.0", "vmcore:regs_0000:02:00.0"];
    let outcome = folder.run([&["diff", "--fields"], &pair[..]].concat());
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(1), ""));
    assert!(outcome.stdout().contains("ctrl.CSTS.CFS: 0 -> 1\n"), "{}", outcome.stdout());
    let same = ["diff", "--fields", "vmcore:regs_0000:01:00.0", "vmcore:regs_0000:01:00.0"];
    let outcome = folder.run(same);
    assert_eq!(outcome.status, Some(0));
    assert_eq!(outcome.stdout(), "regs_0000:01:00.0: no value differs\n");
    // What nothing decodes is compared byte by byte.
    let outcome = folder.run(["diff", "--fields", "vmcore:chassis", "vmcore:chassis"]);
    assert_eq!(outcome.stdout(), "chassis: equal, 9 bytes\n");
}

/// The configuration space of a PCI Express function of this kind, with these registers.
fn space(header: u8, kind: u8, registers: &[(usize, u32)]) -> Vec<u8> {
    let mut space = vec![0; 4096];
    space[..8].copy_from_slice(&[0x36, 0x1b, 0x0c, 0, 6, 1, 0x10, 0]);
    (space[0x0e], space[0x34]) = (header, 0x40);
    // The PCI Express capability, and Advanced Error Reporting.
    space[0x40..0x44].copy_from_slice(&[0x10, 0, 2 | kind << 4, 0]);
    space[0x100..0x104].copy_from_slice(&[1, 0, 2, 0]);
    for (at, value) in registers {
        space[*at..*at + 4].copy_from_slice(&value.to_le_bytes());
    }
    space
}

/// The root port says who sent it a message: that one comes first.
#[test]
fn a_root_port_points_to_the_source() {
    // ROOT_STATUS: an uncorrectable, the first one fatal; the source is 01:00.0.
    let port = space(1, 4, &[(0x130, 0x54), (0x134, 0x0100_0000)]);
    // A malformed TLP, which is fatal.
    let function = space(0, 0, &[(0x104, 1 << 18), (0x10c, 1 << 18)]);
    let mut dump = Registers::new();
    for (bus, space) in [(0, &port), (1, &function)] {
        dump = dump
            .device(&device("pcie-config", bus))
            .read(RegisterSpace::Config, 0, 0, space)
            .end(0, 0);
    }
    let vmcore =
        Vmcore::new(Class::Elf64, Endian::Little).dump("pci-config", dump.bytes().to_vec());
    let folder = Folder::new().with("vmcore", &vmcore.image());
    // The same, for lspci.
    let text = folder.run(["decode", "--as", "lspci", "vmcore"]);
    assert_eq!((text.status, text.stderr.as_str()), (Some(0), ""));
    let lines: Vec<_> = text.stdout().lines().collect();
    assert!(lines[0].starts_with("0000:00:00.0 "), "{}", lines[0]);
    assert_eq!(lines[1], "00: 36 1b 0c 00 06 01 10 00 00 00 00 00 00 00 01 00");
    assert!(lines.contains(&"100: 01 00 02 00 00 00 04 00 00 00 00 00 00 00 04 00"));

    let outcome = folder.run(["explain", "--json", "vmcore"]);
    assert_eq!(outcome.status, Some(1));
    let object: Value = serde_json::from_str(outcome.stdout()).expect("JSON");
    let findings = object["findings"].as_array().expect("findings");
    assert_eq!(findings[0]["slot"], "0000:01:00.0", "{findings:#?}");
    let support = findings[0]["support"][0].as_str().expect("support");
    assert!(support.contains("0000:00:00.0") && support.contains("fatal"), "{support}");
    let port = findings.iter().find(|finding| !finding["points_to"].is_null()).expect("a port");
    assert_eq!(
        (&port["slot"], &port["points_to"]),
        (&"0000:00:00.0".into(), &"0000:01:00.0".into())
    );
}

/// What the dead kernel printed of a device supports what its registers say; what its log
/// says itself is a finding, too.
#[test]
fn the_dead_kernels_log_supports() {
    let log = KernelLog::new(4)
        .line(1_500_000_000, 6, 0, "+pci:0000:02:00.0", "pci 0000:02:00.0: [1b36:0010] type 00")
        .line(2_000_000_000, 6, 0, "+pci:0000:02:00.0", "nvme nvme1: pci function 0000:02:00.0")
        .line(90_000_000_000, 4, 0, "c240:1", "nvme nvme1: I/O tag 7 (1007) QID 0 timeout, reset")
        .line(
            91_000_000_000,
            4,
            0,
            "c240:1",
            "nvme nvme1: controller is down; will reset: CSTS=0x3",
        )
        .line(92_000_000_000, 0, 0, "", "Kernel panic - not syncing: sysrq triggered crash");
    let vmcore = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("regs_0000:02:00.0", nvme(2, 3).bytes().to_vec())
        .note(NoteSpec::vmcoreinfo(&log.vmcoreinfo()));
    let vmcore = log.loads(false).into_iter().fold(vmcore, Vmcore::load);
    let folder = Folder::new().with("vmcore", &vmcore.image());
    let outcome = folder.run(["explain", "vmcore"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(1), ""));
    assert_snapshot!("dead_kernels_log", outcome.stdout());
}

/// A log that ought to be there and is not is missed; in a file without memory it is not.
#[test]
fn a_log_that_is_not_there_is_missed() {
    let vmcore = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("regs_0000:01:00.0", nvme(1, 1).bytes().to_vec())
        .note(NoteSpec::vmcoreinfo("OSRELEASE=5.4.0\n"));
    let why = "\nnot read:\n  dead kernel's log: all of it: \
               expected SYMBOL(prb) in VMCOREINFO, which Linux has from 5.10 on\n";
    for (vmcore, expected) in
        [(vmcore.clone(), ""), (vmcore.load(Load::new(0x1000, vec![1; 4096])), why)]
    {
        let folder = Folder::new().with("vmcore", &vmcore.image());
        let outcome = folder.run(["explain", "vmcore"]);
        assert_eq!(
            outcome.stdout(),
            format!(
                "vmcore: nothing abnormal in 1 device dumps\n\
                 crash:    d26dc893a6a0156482e2e4e8dda3bd3c\n{expected}"
            )
        );
    }
}

/// Memory is anywhere in a file, so it is not looked for where all before it would have to be
/// copied, which is much.
#[test]
fn memory_of_a_compressed_file_is_left_alone() {
    let log = KernelLog::new(4).line(1, 4, 0, "", "nvme 0000:01:00.0: timeout");
    let vmcore = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("regs_0000:01:00.0", nvme(1, 1).bytes().to_vec())
        .note(NoteSpec::vmcoreinfo(&log.vmcoreinfo()))
        .load(Load::new(0x10_0000, Content::Zeros(160 << 20)));
    let vmcore = log.loads(false).into_iter().fold(vmcore, Vmcore::load);
    let folder = Folder::new().with("vmcore", &vmcore.image());
    let said = "\n  dead kernel's log: all of it: not read from a compressed file or a pipe; ";
    let outcome = folder.run(["explain", "vmcore"]);
    assert!(!outcome.stdout().contains(said), "{}", outcome.stdout());
    let gzip = Command::new("gzip").arg("-1").arg(folder.path("vmcore")).status().expect("run");
    assert!(gzip.success());
    let outcome = folder.run(["explain", "vmcore.gz"]);
    assert!(outcome.stdout().contains(said), "{}", outcome.stdout());
    let outcome = folder.run(["decode", "vmcore.gz", "regs_0000:01:00.0"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
}

/// An IOMMU reports that it refused an access: the finding points to the device that made it.
#[test]
fn an_iommu_points_to_the_device() {
    let unit = RegisterDevice { kind: 3, address: 0xfed9_0000, ..device("vt-d", 0) };
    let mut registers = vec![0; 0x40];
    // VER 1.0; CAP has one fault record, at 0x22 times 16 bytes; FSTS says that it is in use.
    registers[0] = 0x10;
    registers[8..16].copy_from_slice(&(0x22_u64 << 24).to_le_bytes());
    registers[0x34] = 2;
    // The page; the fault, its reason and its source, 00:03.1.
    let record = [0x765_4000_u64, 0xc0ff_ff06_0000_0019].map(u64::to_le_bytes).concat();
    let dump = Registers::new()
        .device(&unit)
        .read(RegisterSpace::Unit, 0, 0, &registers)
        .read(RegisterSpace::Unit, 0, 0x220, &record)
        .end(0, 0);
    let vmcore =
        Vmcore::new(Class::Elf64, Endian::Little).dump("vt-d_fed90000", dump.bytes().to_vec());
    let folder = Folder::new().with("vmcore", &vmcore.image());
    let outcome = folder.run(["explain", "--json", "vmcore"]);
    let object: Value = serde_json::from_str(outcome.stdout()).expect("JSON");
    let findings = object["findings"].as_array().expect("findings");
    let of_record = findings.iter().find(|finding| {
        finding["source"].as_str().is_some_and(|source| source.contains("fault[0]"))
    });
    assert_eq!(of_record.expect("there")["points_to"], "0000:00:03.1", "{findings:#?}");
    // The others follow from registers that name no function.
    let pointing = findings.iter().filter(|finding| !finding["points_to"].is_null());
    assert_eq!(pointing.count(), 1, "{findings:#?}");
}

/// What is missing of one device for one reason is on one line.
#[test]
fn what_was_not_read_is_said_shortly() {
    let asleep = RegisterDevice { power: 3, ..device("mlx5", 4) };
    let mut config = vec![0; 64];
    config[..4].copy_from_slice(&[0xb3, 0x15, 0x17, 0x10]);
    let dump = Registers::new()
        .device(&asleep)
        .read(RegisterSpace::Config, 0, 0, &config)
        .unread(RegisterSpace::Bar, 0, 0, 8, 1)
        .end(1, 2);
    let vmcore =
        Vmcore::new(Class::Elf64, Endian::Little).dump("regs_0000:04:00.0", dump.bytes().to_vec());
    let folder = Folder::new().with("vmcore", &vmcore.image());
    let outcome = folder.run(["explain", "vmcore"]);
    let (_, unread) = outcome.stdout().split_once("not read:\n").expect("something");
    assert!(unread.contains("cmdq, ready, health, counter: "), "{unread}");
    assert!(unread.lines().count() < 5, "{unread}");
}
