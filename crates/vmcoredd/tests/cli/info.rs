// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd info`.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use synth::{Class, Compression, Endian, Kdump, Load, NoteSpec, Vmcore, Width};

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
