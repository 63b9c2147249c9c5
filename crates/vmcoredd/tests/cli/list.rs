// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd list`.

use std::process::Stdio;

use insta::assert_snapshot;
use synth::{Class, Content, DumpStyle, Endian, Vmcore};

use crate::run::{Folder, Outcome, small};

#[test]
fn one_file() {
    let folder = Folder::new().with("vmcore", &small().image());
    assert_snapshot!(folder.run(["list", "vmcore"]).shown());
}

#[test]
fn several_files_of_all_kinds() {
    let padded = Vmcore::new(Class::Elf32, Endian::Big)
        .machine(20)
        .style(DumpStyle::Paged)
        .dump("nic0", vec![1; 4032])
        .dump("nic1", vec![1; 4033]);
    let large = Vmcore::new(Class::Elf64, Endian::Big)
        .machine(21)
        .dump("a-name-of-all-the-43-bytes-that-a-name-has.", vec![])
        .dump("cxgb4_0000:02:00.4", Content::Zeros(33_558_232))
        .dump("huge", Content::Zeros(u64::from(u32::MAX) - 44))
        .dump("after", vec![1; 3]);
    let none = Vmcore::new(Class::Elf64, Endian::Little);
    let folder = Folder::new()
        .with("padded", &padded.image())
        .with("none", &none.image())
        .with("large", &large.image());
    assert_snapshot!(folder.run(["list", "padded", "none", "large"]).shown());
}

#[test]
fn no_device_dumps() {
    let none = Vmcore::new(Class::Elf64, Endian::Little);
    let folder = Folder::new().with("vmcore", &none.image());
    assert_snapshot!(folder.run(["list", "vmcore"]).shown());
}

#[test]
fn names_do_not_reach_the_terminal_raw() {
    let evil = Vmcore::new(Class::Elf64, Endian::Little)
        .dump(b"\x1b]0;title\x07\x1b[2J", vec![])
        .dump(b"line\nbreak\ttab\r", vec![])
        .dump("größe\u{202e}".as_bytes(), vec![])
        .dump(b"back\\slash", vec![])
        .dump(b"", vec![])
        .dump([0xff; 44], vec![]);
    let folder = Folder::new().with("vmcore", &evil.image());
    let outcome = folder.run(["list", "vmcore"]);
    let is_plain = |byte: &u8| matches!(byte, b'\n' | b' '..=b'~');
    assert!(outcome.stdout.iter().all(is_plain));
    assert_snapshot!(outcome.shown());
}

#[test]
fn paths_do_not_break_the_line() {
    let folder =
        Folder::new().with("a\n\x1b[2Jb", &Vmcore::new(Class::Elf64, Endian::Little).image());
    assert_snapshot!(folder.run(["list", "a\n\x1b[2Jb", "c\nd"]).shown());
}

#[test]
fn what_cannot_be_read_does_not_stop_the_rest() {
    let made = small();
    let folder = Folder::new()
        .with("good", &made.image())
        .with("cut", &made.image().truncated(made.payload_offset(1) + 999))
        .with("foreign", &made.image().overwritten(0, b"KDUMP   "))
        .with("flattened", &made.image().overwritten(0, b"makedumpfile\0\0\0\0"))
        .with("vmlinux", &made.image().overwritten(16, &[2]));
    let files = ["missing", "good", "cut", "foreign", "flattened", "vmlinux", "."];
    assert_snapshot!(folder.run(["list"].iter().chain(&files)).shown());
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let many = (0..3000).fold(Vmcore::new(Class::Elf64, Endian::Little), |made, index| {
        made.dump(format!("device{index}"), vec![])
    });
    let folder = Folder::new().with("vmcore", &many.image());
    let mut child = folder
        .command()
        .args(["list", "vmcore"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let outcome = Outcome::from(child.wait_with_output().expect("ends"));
    assert_eq!(outcome.stderr, "");
    assert_eq!(outcome.status, Some(0));
}
