// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd extract`.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use synth::{Class, Content, Endian, Vmcore};

use crate::run::{Folder, Outcome, small};

fn extract(folder: &Folder, name: &str, output: &str) -> Outcome {
    folder.run(["extract", "vmcore", name, "-o", output])
}

fn assert_quiet_success(outcome: &Outcome) {
    assert_eq!(outcome.stderr, "");
    assert_eq!(outcome.stdout(), "");
    assert_eq!(outcome.status, Some(0));
}

#[test]
fn the_payload_is_written_and_nothing_else() {
    let content = Content::Pattern { seed: 1, length: 200_001 };
    let made = small().dump("large", content.clone()).dump("empty", vec![]);
    for (name, expected) in
        [("nic0", b"state".to_vec()), ("large", content.to_vec()), ("empty", vec![])]
    {
        let folder = Folder::new().with("vmcore", &made.image());
        assert_quiet_success(&extract(&folder, name, "out"));
        assert!(fs::read(folder.path("out")).expect("there") == expected);
        assert_eq!(folder.files(), ["out", "vmcore"]);
        let to_stdout = extract(&folder, name, "-");
        assert!(to_stdout.stdout == expected);
        assert_eq!((to_stdout.status, to_stdout.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn what_was_there_is_replaced() {
    let folder = Folder::new().with("vmcore", &small().image());
    fs::create_dir(folder.path("sub")).expect("created");
    fs::write(folder.path("sub/out"), "something longer").expect("written");
    symlink("sub/out", folder.path("link")).expect("linked");
    assert_quiet_success(&extract(&folder, "nic0", "link"));
    assert_eq!(fs::read(folder.path("sub/out")).expect("there"), b"state");
    let link = fs::symlink_metadata(folder.path("link")).expect("there");
    assert!(link.is_symlink(), "the link itself was replaced");
}

#[test]
fn an_output_that_is_no_file_is_written_in_place() {
    let folder = Folder::new().with("vmcore", &small().image());
    let made = Command::new("mkfifo").arg(folder.path("pipe")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo is needed");
    let child = folder
        .command()
        .args(["extract", "vmcore", "nic0", "-o", "pipe"])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut read = Vec::new();
    let mut pipe = fs::File::open(folder.path("pipe")).expect("a pipe");
    pipe.read_to_end(&mut read).expect("readable");
    assert_eq!(read, b"state");
    assert_quiet_success(&Outcome::from(child.wait_with_output().expect("ends")));
    assert_eq!(folder.files(), ["pipe", "vmcore"]);
}

#[test]
fn the_file_is_as_readable_as_any_other_new_one() {
    let folder = Folder::new().with("vmcore", &small().image());
    assert_quiet_success(&extract(&folder, "nic0", "out"));
    let permissions = |name| fs::metadata(folder.path(name)).expect("there").permissions();
    assert_eq!(permissions("out"), permissions("vmcore"));
}

#[test]
fn names_as_they_are_listed_and_indices_do_too() {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .dump(b"a\x1bb", b"escaped".to_vec())
        .dump("second", b"second".to_vec())
        .dump("0", b"called 0".to_vec());
    let folder = Folder::new().with("vmcore", &made.image());
    for (name, expected) in [
        ("a\x1bb", "escaped"),
        (r"a\x1bb", "escaped"),
        ("1", "second"),
        ("0", "called 0"),
        ("2", "called 0"),
    ] {
        assert_eq!(extract(&folder, name, "-").stdout(), expected, "{name}");
    }
}

#[test]
fn what_is_not_there_is_status_1() {
    let evil =
        Vmcore::new(Class::Elf64, Endian::Little).dump("nic0", vec![]).dump(b"\x1b[2J", vec![]);
    let many = (0..25).fold(Vmcore::new(Class::Elf64, Endian::Little), |made, index| {
        made.dump(format!("device{index}"), vec![])
    });
    let none = Vmcore::new(Class::Elf64, Endian::Little);
    let cases = [("evil", evil, "nic\x1b"), ("many", many, "25"), ("none", none, "nic0")];
    for (title, made, name) in cases {
        let folder = Folder::new().with("vmcore", &made.image());
        let outcome = extract(&folder, name, "out");
        assert_eq!(outcome.status, Some(1));
        assert_eq!(folder.files(), ["vmcore"], "something was left");
        assert_snapshot!(format!("not_there_{title}"), outcome.shown());
    }
}

#[test]
fn of_several_with_one_name_the_first_is_taken_and_told() {
    let made = small().dump("nic0", b"another".to_vec());
    let folder = Folder::new().with("vmcore", &made.image());
    assert_snapshot!(extract(&folder, "nic0", "-").shown());
    assert_eq!(extract(&folder, "2", "-").stdout(), "another");
}

#[test]
fn of_a_cut_file_what_is_there_can_be_extracted() {
    let made = small();
    let cut = made.image().truncated(made.payload_offset(1) + 300);
    let folder = Folder::new().with("vmcore", &cut);
    assert_eq!(extract(&folder, "nic0", "-").stdout(), "state");
    let outcome = extract(&folder, "edu_0000:00:04.0", "out");
    assert_eq!(fs::read(folder.path("out")).expect("written"), [2; 300]);
    assert_snapshot!("cut", outcome.shown());
    let not_there = extract(&folder, "after", "out");
    assert_snapshot!("cut_not_there", not_there.shown());
}

#[test]
fn all_are_written_to_a_directory() {
    let made = small()
        .dump("nic0", b"again".to_vec())
        .dump("../up", b"not up".to_vec())
        .dump("vmcore", b"not the vmcore".to_vec())
        .dump("", b"nameless".to_vec());
    let folder = Folder::new().with("vmcore", &made.image());
    fs::create_dir(folder.path("to")).expect("created");
    assert_snapshot!("all", folder.run(["extract", "vmcore", "--all", "-C", "to"]).shown());
    for (name, expected) in [
        ("nic0", "state"),
        ("nic0.2", "again"),
        ("_._up", "not up"),
        ("vmcore", "not the vmcore"),
        ("unnamed", "nameless"),
    ] {
        let written = fs::read_to_string(folder.path("to").join(name));
        assert_eq!(written.expect("written"), expected, "{name}");
    }
    // Here one would take the vmcore's own place.
    assert_snapshot!("all_here", folder.run(["extract", "vmcore", "--all"]).shown());
    assert!(fs::read(folder.path("vmcore")).expect("there") == made.image().to_vec());
}

#[test]
fn the_only_one_needs_no_name() {
    let made = Vmcore::new(Class::Elf64, Endian::Little).dump("nic/0", b"state".to_vec());
    let folder = Folder::new().with("vmcore", &made.image()).with("several", &small().image());
    assert_eq!(folder.run(["extract", "vmcore", "-o", "-"]).stdout(), "state");
    assert_eq!(folder.run(["extract", "vmcore"]).stdout(), "./nic_0\n");
    assert_eq!(fs::read(folder.path("nic_0")).expect("written"), b"state");
    assert_snapshot!("which_one", folder.run(["extract", "several"]).shown());
}

#[test]
fn zeros_become_holes() {
    let content = [vec![1; 5000], vec![0; 1 << 20], vec![2; 5000]].concat();
    let made = small().dump("nearly empty", content.clone());
    let folder = Folder::new().with("vmcore", &made.image());
    assert_quiet_success(&extract(&folder, "nearly empty", "out"));
    assert!(fs::read(folder.path("out")).expect("written") == content);
    let blocks = fs::metadata(folder.path("out")).expect("written").blocks();
    assert!(blocks * 512 < 64 << 10, "{blocks} blocks");
}

#[test]
fn the_vmcore_is_not_replaced_by_its_own_part() {
    let made = small();
    let folder = Folder::new().with("vmcore", &made.image());
    fs::hard_link(folder.path("vmcore"), folder.path("same")).expect("linked");
    for output in ["vmcore", "./vmcore", "same"] {
        let outcome = extract(&folder, "nic0", output);
        assert_eq!(outcome.status, Some(2));
        assert_eq!(outcome.stderr.lines().count(), 1);
        assert!(fs::read(folder.path("vmcore")).expect("there") == made.image().to_vec());
    }
    assert_snapshot!(extract(&folder, "nic0", "same").shown());
}

#[test]
fn what_cannot_be_written_is_status_4_and_leaves_nothing() {
    let folder = Folder::new().with("vmcore", &small().image());
    for output in ["no/such/folder", "."] {
        let outcome = extract(&folder, "nic0", output);
        assert_eq!(outcome.status, Some(4), "{outcome:?}");
        assert_eq!(outcome.stderr.lines().count(), 1);
    }
    assert_eq!(folder.files(), ["vmcore"]);
    assert_snapshot!(extract(&folder, "nic0", "no/such/folder").shown());

    // Opened here and not named there: a mistake must not replace the device.
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let output = folder
        .command()
        .args(["extract", "vmcore", "nic0", "-o", "-"])
        .stdout(full.expect("/dev/full"))
        .output();
    let outcome = Outcome::from(output.expect("runs"));
    assert_eq!(outcome.status, Some(4), "{outcome:?}");
}
