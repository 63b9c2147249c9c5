// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the system refuses is told in one wording, and paths in one way.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value;

use crate::run::{Folder, small};

/// Files that are to be read: FILE, and what is added to one.
#[test]
fn what_cannot_be_opened() {
    let folder = Folder::new().with("vmcore", &small().image());
    fs::create_dir(folder.path("dir")).expect("made");
    for (path, why) in [
        ("dir", "Is a directory"),
        ("none", "No such file or directory"),
        ("vmcore/x", "Not a directory"),
    ] {
        let blob = format!("nic0={path}");
        let commands: [&[&str]; 9] = [
            &["list", path],
            &["list", "--json", path],
            &["info", path],
            &["verify", path],
            &["extract", path, "--all"],
            &["show", path],
            &["diff", "vmcore", path],
            &["attach", "vmcore", "--in-place", "--from", path],
            &["attach", "vmcore", "--in-place", &blob],
        ];
        for arguments in commands {
            let outcome = folder.run(arguments);
            let expected = format!("vmcoredd: {path}: cannot open: {why}\n");
            assert_eq!(outcome.stderr, expected, "{arguments:?}");
            assert_eq!(outcome.status, Some(3), "{arguments:?}");
        }
    }
}

/// Files that are to be written.
#[test]
fn what_cannot_be_written() {
    let folder = Folder::new().with("vmcore", &small().image());
    fs::write(folder.path("blob"), "blob").expect("written");
    for output in ["none/out", "vmcore/out"] {
        let why =
            if output == "none/out" { "No such file or directory" } else { "Not a directory" };
        for arguments in [
            &["extract", "vmcore", "nic0", "-o", output][..],
            &["attach", "vmcore", "nic1=blob", "-o", output],
        ] {
            let outcome = folder.run(arguments);
            assert_eq!(outcome.stderr, format!("vmcoredd: {output}: cannot write: {why}\n"));
            assert_eq!(outcome.status, Some(4));
        }
    }
}

#[test]
fn bytes_of_a_path_survive() {
    let folder = Folder::new().with("vmcore", &small().image());
    let path = |bytes| OsStr::from_bytes(bytes);
    let (here, there) = (path(b"a\xff\\b"), path(b"dir\xfe"));
    fs::rename(folder.path("vmcore"), folder.root().join(here)).expect("renamed");
    fs::create_dir(folder.root().join(there)).expect("made");
    let list = path(b"list");

    let outcome = folder.run([list, here, path(b"none\xfd\n")]);
    assert_eq!(outcome.stdout().lines().next(), Some(r"a\xff\\b:"));
    let expected = "vmcoredd: none\\xfd\\x0a: cannot open: No such file or directory\n";
    assert_eq!(outcome.stderr, expected);

    let outcome = folder.run([list, path(b"--json"), here]);
    let file: Value = serde_json::from_str(outcome.stdout()).expect("JSON");
    assert_eq!(file["file"], r"a\xff\\b");

    let outcome = folder.run([path(b"extract"), here, path(b"nic0"), path(b"-C"), there]);
    assert_eq!(outcome.stdout(), "dir\\xfe/nic0\n");
    assert!(folder.root().join(there).join("nic0").exists());
    let outcome = folder.run([path(b"extract"), here, path(b"--all"), path(b"-C"), there]);
    assert_eq!(outcome.stdout().lines().next(), Some("dir\\xfe/nic0"));
}
