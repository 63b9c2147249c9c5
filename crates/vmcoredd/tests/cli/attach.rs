// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd attach`.

use std::fs;
use std::os::unix::fs::MetadataExt;

use insta::assert_snapshot;
use synth::{Class, Content, Endian, Kdump, Load, Note, Vmcore, Width};

use crate::run::{Folder, small};

fn folder() -> Folder {
    let kdump = Kdump::new(Width::Bits64, Endian::Little, 6).dump("nic0", b"state".to_vec());
    let all = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", b"state".to_vec())
        .dump("large", vec![5; 70_000])
        .note(Note::manifest(
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
    let cases: [(&str, &[&str]); 8] = [
        ("flattened", &["flattened", "bmc=log", "--in-place"]),
        ("no_blob", &["vmcore", "bmc=missing", "--in-place"]),
        ("folder", &["vmcore", "bmc=.", "--in-place"]),
        ("no_name", &["vmcore", "=log", "--in-place"]),
        ("no_equals", &["vmcore", "log", "--in-place"]),
        ("foreign", &["log", "bmc=log", "--in-place"]),
        ("from_foreign", &["vmcore", "--from", "log", "--in-place"]),
        ("itself", &["vmcore", "bmc=log", "-o", "vmcore"]),
    ];
    let before = fs::read(folder.path("vmcore")).expect("there");
    for (title, arguments) in cases {
        let outcome = folder.run(["attach"].iter().chain(arguments));
        assert_snapshot!(format!("not_{title}"), outcome.shown());
        assert!(fs::read(folder.path("vmcore")).expect("there") == before);
    }
}
