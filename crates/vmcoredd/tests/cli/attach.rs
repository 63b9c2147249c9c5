// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd attach`.

mod faults;
mod locks;
mod records;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use synth::{Class, Content, Endian, Kdump, Load, NoteSpec, Vmcore, Width};

use crate::run::{Folder, small};

/// What is done to a file, as strace says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// These bytes are written at that offset.
    Write(u64, Vec<u8>),
    /// It is cut to this length, or made as long.
    Length(u64),
    /// All is on disk from here on.
    Sync,
    /// It takes another name.
    Rename,
}

/// What a run of `vmcoredd` does to the files whose path has `part` in it.
fn traced(folder: &Folder, arguments: &[&str], part: &str) -> Vec<Step> {
    let log = folder.path("trace");
    let status = Command::new("strace")
        .args(["-y", "-xx", "-s", "1000000", "-e", "signal=none", "-o"])
        .arg(&log)
        .args(["-e", "trace=/write|pwrite64|truncate|sync|rename"])
        .arg(env!("CARGO_BIN_EXE_vmcoredd"))
        .args(arguments)
        .current_dir(folder.root())
        .stdout(Stdio::null())
        .status()
        .expect("strace is installed");
    assert!(status.success());
    let log = fs::read_to_string(log).expect("a trace");
    log.lines().filter_map(|line| step(line, part)).collect()
}

/// The step in a line such as `pwrite64(3</path>, "\x01", 1, 4096) = 1`.
fn step(line: &str, part: &str) -> Option<Step> {
    let (call, rest) = line.split_once('(')?;
    let (arguments, _) = rest.rsplit_once(") = ")?;
    if call.starts_with("rename") {
        return Some(Step::Rename);
    }
    let (descriptor, arguments) = arguments.split_once('>').unwrap_or((arguments, ""));
    // With -xx, strace shows paths in hexadecimal, too.
    let path = String::from_utf8(hexadecimal(descriptor)).expect("a path");
    let path = if path.is_empty() { descriptor } else { &path };
    if !path.contains(part) {
        return None;
    }
    let last = || arguments.rsplit(", ").next().and_then(|text| text.parse().ok());
    match call {
        "pwrite64" => Some(Step::Write(last().expect("an offset"), hexadecimal(arguments))),
        "ftruncate" => Some(Step::Length(last().expect("a length"))),
        "fsync" | "fdatasync" => Some(Step::Sync),
        _ => panic!("{line}"),
    }
}

/// The bytes in a text such as `"\x01\x02"`, whatever stands around it.
fn hexadecimal(text: &str) -> Vec<u8> {
    let digits = text.split("\\x").skip(1);
    digits.map(|digits| u8::from_str_radix(&digits[..2], 16).expect("two digits")).collect()
}

fn folder() -> Folder {
    let kdump = Kdump::new(Width::Bits64, Endian::Little, 6).dump("nic0", b"state".to_vec());
    let all = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", b"state".to_vec())
        .dump("large", vec![5; 70_000])
        .note(NoteSpec::manifest(
            "NAME=large\nSTATUS=partial\nREASON=the budget of all dumps is used up\n",
        ));
    let folder = Folder::new()
        .with("vmcore", &small().image())
        .with("kdump", &kdump.page(1, &[1; 4096]).image())
        .with("flattened", &small().image().flattened(1000))
        .with("vmcoredd", &all.image());
    fs::write(folder.path("log"), "what the BMC says\n").expect("written");
    folder
}

#[test]
fn to_the_file_itself() {
    let folder = folder();
    for file in ["vmcore", "kdump"] {
        let arguments = ["attach", file, "bmc=log", "nic0=log", "--from", "vmcoredd", "--in-place"];
        assert_snapshot!(format!("{file}_attached"), folder.run(arguments).shown());
        assert_snapshot!(format!("{file}_listed"), folder.run(["list", file]).shown());
        assert_eq!(folder.run(["extract", file, "bmc", "-o", "-"]).stdout(), "what the BMC says\n");
        let verified = folder.run(["verify", file]);
        assert_eq!(verified.status, Some(1), "of those with a budget not all was kept");
        // Once more, and nothing is added twice.
        let again = folder.run(["attach", file, "--from", "vmcoredd", "--in-place"]);
        assert_eq!(again.stdout(), "nic0: was there, 5 bytes\nlarge: was there, 70000 bytes\n");
    }
}

#[test]
fn to_a_copy() {
    let folder = folder();
    for file in ["vmcore", "kdump", "flattened"] {
        let before = fs::read(folder.path(file)).expect("there");
        let outcome = folder.run(["attach", file, "bmc=log", "-o", "copy"]);
        assert_eq!((outcome.status, outcome.stdout()), (Some(0), "bmc: added, 18 bytes\n"));
        assert!(fs::read(folder.path(file)).expect("there") == before);
        assert_eq!(
            folder.run(["extract", "copy", "bmc", "-o", "-"]).stdout(),
            "what the BMC says\n"
        );
        assert_eq!(folder.run(["extract", "copy", "nic0", "-o", "-"]).stdout(), "state");
    }
}

/// What is not there is not written, and what is large need not be held.
#[test]
fn holes_stay_holes() {
    let made = small().load(Load::new(0x1_0000_0000, Content::Zeros(3 << 30)));
    let folder = folder().with("sparse", &made.image());
    let outcome = folder.run(["attach", "sparse", "bmc=log", "-o", "copy"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let copy = fs::metadata(folder.path("copy")).expect("there");
    assert!(copy.len() > 3 << 30 && copy.blocks() * 512 < 1 << 20, "{} blocks", copy.blocks());
}

#[test]
fn what_cannot_be_attached() {
    let folder = folder();
    let gzip = Command::new("gzip").arg("-k").arg(folder.path("vmcore")).status();
    assert!(gzip.expect("gzip is installed").success());
    let cases: [(&str, &[&str]); 9] = [
        ("compressed", &["vmcore.gz", "bmc=log", "--in-place"]),
        ("flattened", &["flattened", "bmc=log", "--in-place"]),
        ("no_blob", &["vmcore", "bmc=missing", "--in-place"]),
        ("folder", &["vmcore", "bmc=.", "--in-place"]),
        ("no_name", &["vmcore", "=log", "--in-place"]),
        ("no_equals", &["vmcore", "log", "--in-place"]),
        ("foreign", &["log", "bmc=kdump", "--in-place"]),
        ("from_foreign", &["vmcore", "--from", "log", "--in-place"]),
        ("itself", &["vmcore", "bmc=log", "-o", "vmcore"]),
    ];
    let files = || ["vmcore", "vmcore.gz"].map(|file| fs::read(folder.path(file)).expect("there"));
    let before = files();
    for (title, arguments) in cases {
        let outcome = folder.run(["attach"].iter().chain(arguments));
        assert_snapshot!(format!("not_{title}"), outcome.shown());
        assert!(files() == before);
    }
}

/// The file after these steps.
fn after(before: &[u8], steps: &[Step]) -> Vec<u8> {
    let mut file = before.to_vec();
    for step in steps {
        match step {
            Step::Write(at, bytes) => {
                let end = *at as usize + bytes.len();
                file.resize(file.len().max(end), 0);
                file[*at as usize..end].copy_from_slice(bytes);
            }
            Step::Length(length) => file.resize(*length as usize, 0),
            Step::Sync | Step::Rename => {}
        }
    }
    file
}

/// The exit status of `list`, and what it says, but where in the file dumps stand.
fn listed(folder: &Folder, file: &str) -> (Option<i32>, Vec<String>) {
    let outcome = folder.run(["list", file]);
    let words = outcome.stdout().split_whitespace().filter(|word| !word.starts_with("0x"));
    (outcome.status, words.map(str::to_owned).collect())
}

/// Whenever the machine stops, FILE is the old dump or the new one. What was synced is
/// there then; of what came after that, any part may be.
#[test]
fn the_file_is_whole_whenever_the_machine_stops() {
    let made = Kdump::new(Width::Bits64, Endian::Little, 6)
        .dump("nic0", b"state".to_vec())
        .page(1, &[1; 4096]);
    let notes = made.notes_range();
    let fill = (notes.end - notes.start + 100).to_le_bytes();
    // Zeros after the notes may be counted as theirs; or what is there is not zero.
    let filled = made.image().overwritten(4096 + 56, &fill);
    for image in [filled, made.vmcoreinfo("OSRELEASE=6.12.0\n").image()] {
        let folder = folder().with("kdump", &image);
        let before = fs::read(folder.path("kdump")).expect("there");
        let old = listed(&folder, "kdump");
        let steps = traced(&folder, &["attach", "kdump", "bmc=log", "--in-place"], "/kdump");
        let new = listed(&folder, "kdump");
        assert!(after(&before, &steps) == fs::read(folder.path("kdump")).expect("there"));
        assert!(new.0 == Some(0) && new != old);
        assert_eq!(steps.last(), Some(&Step::Sync));

        let mut synced = Vec::new();
        for epoch in steps.split_inclusive(|step| *step == Step::Sync) {
            let alone = epoch.iter().map(std::slice::from_ref);
            let in_order = (0..=epoch.len()).map(|count| &epoch[..count]);
            for part in alone.chain(in_order) {
                let there = [&synced[..], part].concat();
                fs::write(folder.path("stopped"), after(&before, &there)).expect("written");
                let listed = listed(&folder, "stopped");
                assert!(listed == old || listed == new, "{there:?}: {listed:?}");
            }
            synced.extend_from_slice(epoch);
        }
    }
}

/// Nothing is written to an ELF vmcore; its copy is on disk before it takes its place.
#[test]
fn a_copy_is_whole_before_it_takes_its_place() {
    let folder = folder();
    let arguments = ["attach", "vmcore", "bmc=log", "--in-place"];
    assert_eq!(traced(&folder, &arguments, "/vmcore"), [Step::Rename]);
    // As strace calls a file without a name.
    let part = if folder.has_nameless_files() { "/#" } else { "/.vmcoredd-" };
    let steps = traced(&folder, &arguments, part);
    assert!(steps.ends_with(&[Step::Sync, Step::Rename]), "{steps:?}");
    assert!(steps.iter().filter(|step| matches!(step, Step::Write(..))).count() > 2);
}
