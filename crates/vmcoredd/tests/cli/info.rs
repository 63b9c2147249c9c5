// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd info`.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use synth::{Class, Compression, Endian, Kdump, KernelLog, Load, NoteSpec, Vmcore, Width};

use crate::run::{Folder, Outcome, small};

#[test]
fn every_format() {
    let info = "OSRELEASE=6.12.117+deb12-cloud-amd64\nBUILD-ID=0123456789abcdef\n\
        PAGESIZE=4096\nKERNELOFFSET=1e00000\nNUMBER(phys_base)=-4194304\nCRASHTIME=1764066752\n";
    let elf = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", vec![1; 5])
        .dump("nic1", vec![1; 5000])
        .note(NoteSpec::prstatus(Endian::Little, 1))
        .note(NoteSpec::prstatus(Endian::Little, 2))
        .note(NoteSpec::vmcoreinfo(info))
        .note(NoteSpec::new("\u{1b}[2J", 77, vec![1; 3]))
        .load(Load::new(0x1000, vec![1; 40_000]))
        .load(Load::new(0x10_0000, vec![1; 4096]));
    let old = Vmcore::new(Class::Elf32, Endian::Big).machine(20);
    let kdump = Kdump::new(Width::Bits64, Endian::Little, 6)
        .compression(Compression::Lzo)
        .dump("nic0", vec![1; 5])
        .note(NoteSpec::vmcoreinfo(info))
        .page(1, &[0; 4096])
        .page(300, &[1; 4096]);
    let split = Kdump::new(Width::Bits32, Endian::Little, 3).page(1, &[0; 4096]).vmcoreinfo(info);
    let folder = Folder::new()
        .with("elf", &elf.image())
        .with("old", &old.image())
        .with("flattened", &small().image().flattened(9999))
        .with("kdump", &kdump.image())
        .with("split", &split.split(2)[0])
        .with("incomplete", &kdump.incomplete().image())
        .with("cut", &small().image().truncated(5000));
    for file in ["elf", "old", "flattened", "kdump", "split", "incomplete", "cut"] {
        assert_snapshot!(file, folder.run(["info", file]).shown());
    }
}

/// The exit status is that of the worst.
#[test]
fn several_files() {
    let elf = Vmcore::new(Class::Elf64, Endian::Little).dump("nic0", vec![1; 5]);
    let folder = Folder::new()
        .with("elf", &elf.image())
        .with("cut", &small().image().truncated(5000))
        .with("powerpc", &Vmcore::new(Class::Elf64, Endian::Little).machine(21).image());
    assert_snapshot!("several", folder.run(["info", "elf", "cut", "missing", "powerpc"]).shown());
    assert_eq!(folder.run(["info", "elf", "cut"]).status, Some(1));
}

#[test]
fn what_cannot_be_read_is_not_called_damaged() {
    let kdump = Kdump::new(Width::Bits64, Endian::Little, 6)
        .dump("nic0", vec![1; 5000])
        .vmcoreinfo("OSRELEASE=6.12\nPAGESIZE=4096\n")
        .page(1, &[7; 4096]);
    let folder = Folder::new().with("vmcore", &kdump.image());
    let mut failed = 0;
    for number in 1.. {
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-o", "trace", "-e", "trace=pread64", "-P"]);
        strace.arg(folder.path("vmcore"));
        strace.args(["-e", &format!("inject=pread64:error=EIO:when={number}")]);
        strace.args([env!("CARGO_BIN_EXE_vmcoredd"), "info", "vmcore"]);
        let output = strace.current_dir(folder.root()).output().expect("strace is installed");
        let outcome = Outcome::from(output);
        let trace = fs::read_to_string(folder.path("trace")).expect("written");
        if !trace.contains("INJECTED") {
            break;
        }
        let is_silent = outcome.stderr.is_empty();
        assert!(is_silent || outcome.status == Some(3), "read {number}: {outcome:?}");
        failed += usize::from(!is_silent);
    }
    assert!(failed > 5, "{failed}");
}

/// A vmcore, `crashed`, of a kernel that divided by zero and whose log says so; its process
/// wrote to the log, too.
pub fn crashed(facility_of_lie: u8) -> Folder {
    let log = [
        "Oops: divide error: 0000 [#1] SMP",
        "RIP: 0010:__div64_32+0x1/0x2 [bond]",
        "Call Trace:",
        " bond_rate+0x1/0x2 [bond]",
    ];
    let log = log.into_iter().fold(KernelLog::new(4), |log, line| log.line(1, 4, 0, "", line));
    let lie = "Kernel panic - not syncing: sysrq triggered crash";
    let log = log.line(2, 4, facility_of_lie, "", lie);
    let vmcore =
        Vmcore::new(Class::Elf64, Endian::Little).note(NoteSpec::vmcoreinfo(&log.vmcoreinfo()));
    let vmcore = log.loads(false).into_iter().fold(vmcore, Vmcore::load);
    Folder::new().with("crashed", &vmcore.image())
}

/// The line of `info` that starts with `key`.
fn line(outcome: &Outcome, key: &str) -> Option<String> {
    let line = outcome.stdout().lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim().to_owned())
}

#[test]
fn the_log_says_why_it_crashed() {
    let panic = |facility| line(&crashed(facility).run(["info", "crashed"]), "Panic:");
    // A process can write any line to the log, but not as the kernel.
    assert_eq!(panic(1).as_deref(), Some("divide-error: __div64_32 [bond]"));
    assert_eq!(panic(0).as_deref(), Some("sysrq"));
}

/// The same crash has the same id from every file of it, and another one has another.
#[test]
fn a_crash_has_one_id() {
    let info = |time: u32| format!("OSRELEASE=6.12.0\nKERNELOFFSET=1e00000\nCRASHTIME={time}\n");
    let first = info(1_764_066_752);
    let elf = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", vec![1; 5])
        .note(NoteSpec::prstatus(Endian::Little, 1))
        .note(NoteSpec::vmcoreinfo(&first));
    let kdump = Kdump::new(Width::Bits64, Endian::Little, 6)
        .note(NoteSpec::vmcoreinfo(&first))
        .page(1, &[0; 4096]);
    let old = Kdump::new(Width::Bits64, Endian::Little, 3).page(1, &[0; 4096]).vmcoreinfo(&first);
    let second =
        Vmcore::new(Class::Elf64, Endian::Little).note(NoteSpec::vmcoreinfo(&info(1_764_066_753)));
    let folder = Folder::new()
        .with("vmcoredd", &elf.image())
        .with("elf", &elf.clone().load(Load::new(0x1000, vec![1; 40_000])).image())
        .with("flattened", &elf.image().flattened(9999))
        .with("kdump", &kdump.image())
        .with("old", &old.image())
        .with("second", &second.image())
        .with("none", &Vmcore::new(Class::Elf64, Endian::Little).dump("nic0", vec![1]).image());
    let machine = folder.path("machine-id");
    fs::write(&machine, "3e1b6f1d0e9c4a0b8f6d2c5a7b9e0f12\n").expect("written");
    let ids = |file| {
        let outcome = folder.run(["info", file, "--machine-id", "machine-id"]);
        (line(&outcome, "Crash ID:"), line(&outcome, "Fleet ID:"))
    };
    // As Python's hashlib and hmac have them.
    let (crash, fleet) = ("97e165719c050971c9e6f0150e209be9", "c47afc3804399b54e70f8238bd2799b0");
    for file in ["vmcoredd", "elf", "flattened", "kdump", "old"] {
        assert_eq!(ids(file), (Some(crash.to_owned()), Some(fleet.to_owned())), "{file}");
        let explained = folder.run(["explain", file]);
        assert_eq!(line(&explained, "crash:").as_deref(), Some(crash), "{file}");
    }
    let (other, other_fleet) = ids("second");
    assert!(other.is_some_and(|id| id != crash) && other_fleet.is_some_and(|id| id != fleet));
    assert_eq!(ids("none"), (None, None));
    assert_eq!(line(&folder.run(["info", "elf"]), "Fleet ID:"), None);

    for wrong in ["uninitialized\n", "", "00000000000000000000000000000000\n"] {
        fs::write(&machine, wrong).expect("written");
        let outcome = folder.run(["info", "elf", "--machine-id", "machine-id"]);
        assert_eq!(outcome.status, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains("machine-id: expected the id of a machine"), "{outcome:?}");
    }
    let outcome = folder.run(["info", "elf", "--machine-id", "missing"]);
    assert_eq!(outcome.status, Some(3), "{outcome:?}");
}
