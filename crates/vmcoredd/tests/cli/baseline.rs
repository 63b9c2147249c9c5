// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A crash is compared with what its machine was before. How snapshots are kept,
//! tests/tests/devices_live.rs has a machine do.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use insta::assert_snapshot;
use serde_json::Value;
use synth::{Class, Endian, Image, NoteSpec, Vmcore};

use crate::explain::nvme;
use crate::run::{Folder, Outcome};

/// 2026-11-27 12:00:00 UTC.
const CRASHED: u64 = 1_795_780_800;

/// A drive with this CSTS, and these dumps besides.
fn machine(csts: u32, more: &[&str], crashed: Option<u64>) -> Image {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("regs_0000:02:00.0", nvme(2, csts).bytes().to_vec());
    let made = more.iter().fold(made, |made, name| made.dump(name, b"bytes".to_vec()));
    match crashed {
        Some(time) => made.note(NoteSpec::vmcoreinfo(&format!("CRASHTIME={time}\n"))).image(),
        None => made.image(),
    }
}

/// Snapshots of a drive that was ready, one of them from after the crash, by when the drive
/// was not; and what is no snapshot.
fn folder() -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.path("kept")).expect("made");
    folder
        .with("kept/snapshot.20261125T120000Z", &machine(0, &["chassis"], None))
        .with("kept/snapshot.20261127T120000Z", &machine(1, &["chassis"], None))
        .with("kept/snapshot.20261127T120001Z", &machine(0, &["chassis"], None))
        .with("kept/.vmcoredd-aBcDeF", &machine(0, &[], None))
        .with("vmcore", &machine(3, &["chassis"], Some(CRASHED)))
}

fn diff(folder: &Folder, of: &str) -> Outcome {
    folder.run(["diff", "--fields", of, "--baseline", "kept"])
}

fn set_modified(folder: &Folder, name: &str, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let file = File::options().write(true).open(folder.path(name)).expect("there");
    file.set_modified(time).expect("set");
}

#[test]
fn a_crash_is_compared_with_the_newest_before_it() {
    let folder = folder();
    let outcome = diff(&folder, "vmcore");
    assert_snapshot!("diff", outcome.shown());
    assert_eq!(diff(&folder, "vmcore:regs_0000:02:00.0").stdout().lines().count(), 4);
    // Bytes can be compared as well; and what comes from a pipe says when it crashed.
    let bytes = folder.run(["diff", "--baseline", "kept", "vmcore"]);
    assert!(bytes.stdout().contains("kept/snapshot.20261127T120000Z, taken"), "{bytes:?}");
    let mut piped = folder.command();
    piped.args(["diff", "--fields", "-", "--baseline", "kept"]);
    piped.stdin(File::open(folder.path("vmcore")).expect("there"));
    assert_eq!(Outcome::from(piped.output().expect("runs")), outcome);
}

/// Without VMCOREINFO, the last change of the file is when it was saved.
#[test]
fn a_file_has_a_time() {
    let folder = folder().with("dump", &machine(3, &[], None));
    for (time, taken) in [
        (CRASHED - 1, "snapshot.20261125T120000Z"),
        (CRASHED, "snapshot.20261127T120000Z"),
        (CRASHED + 1, "snapshot.20261127T120001Z"),
    ] {
        set_modified(&folder, "dump", time);
        let said = diff(&folder, "dump");
        assert!(said.stdout().starts_with(&format!("compared with kept/{taken}, ")), "{said:?}");
    }
    // A snapshot itself is compared with the one before.
    let itself = "kept/snapshot.20261127T120000Z";
    set_modified(&folder, itself, CRASHED);
    let said = diff(&folder, itself);
    assert!(said.stdout().contains("kept/snapshot.20261125T120000Z"), "{said:?}");
    set_modified(&folder, "dump", 1_000_000_000);
    assert_snapshot!("none", diff(&folder, "dump").shown());
}

#[test]
fn explain_says_what_changed() {
    let folder = folder();
    let outcome = folder.run(["explain", "vmcore", "--baseline", "kept"]);
    assert_snapshot!("explain", outcome.shown());
    let json = folder.run(["explain", "--json", "vmcore", "--baseline", "kept"]);
    let object: Value = serde_json::from_str(json.stdout()).expect("JSON");
    assert_snapshot!("json", serde_json::to_string_pretty(&object["baseline"]).expect("JSON"));
    let support = object["findings"][0]["support"][0].as_str().expect("support");
    assert_eq!(support, "since the snapshot: ctrl.CSTS.CFS: 0 -> 1");
    // Of what machine a file is, its user says.
    let alone = folder.run(["explain", "--json", "vmcore"]);
    let object: Value = serde_json::from_str(alone.stdout()).expect("JSON");
    assert_eq!(object["baseline"], Value::Null);
}

/// What is wrong with the snapshots is said, and hides nothing of the crash.
#[test]
fn explain_goes_on_without_one() {
    let folder = folder().with("old", &machine(3, &[], Some(1_000_000_000)));
    fs::write(folder.path("kept/snapshot.20261127T115959Z"), "no dump").expect("written");
    fs::remove_file(folder.path("kept/snapshot.20261127T120000Z")).expect("removed");
    for (file, said) in [("old", "found none"), ("vmcore", "kept/snapshot.20261127T115959Z")] {
        let outcome = folder.run(["explain", file, "--baseline", "kept"]);
        assert!(outcome.stderr.contains(said), "{outcome:?}");
        assert!(outcome.stdout().starts_with(&format!("{file}: 1 fatal")), "{outcome:?}");
        assert!(!outcome.stdout().contains("changed since"), "{outcome:?}");
    }
}
