// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd after`, in a system of files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::run::{Folder, Outcome};

const CRASH: &str = "crash/202611271639";
const BERT: &[u8] = b"BERT\x00\x01\xffregion";

/// A system that crashed once, which is not known yet.
struct System(Folder);

impl System {
    fn new() -> Self {
        let system = Self(Folder::new());
        system.write(&format!("{CRASH}/dump.202611271639"), b"vmcore");
        system.write("root/sys/firmware/acpi/tables/data/BERT", BERT);
        system.write("root/sys/fs/pstore/dmesg-erst-7", b"Panic#1");
        system.write("state", b"\n");
        let dump = system.0.path(&format!("{CRASH}/dump.202611271639"));
        fs::set_permissions(dump, fs::Permissions::from_mode(0o600)).expect("changed");
        system
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, bytes).expect("written");
    }

    /// An executable of the operator's.
    fn source(&self, name: &str, script: &str) {
        let name = format!("root/etc/vmcoredd/after.d/{name}");
        self.write(&name, format!("#!/bin/sh\n{script}\n").as_bytes());
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.0.path(&name), mode).expect("changed");
    }

    fn after(&self, more: &[&str]) -> Outcome {
        let arguments = ["after", "crash", "--state", "state", "--root", "root"];
        self.0.run(arguments.iter().chain(more))
    }

    /// The files that were added to a crash.
    fn added(&self, crash: &str) -> Vec<String> {
        let files = fs::read_dir(self.0.path(crash)).expect("a directory");
        let names =
            files.map(|file| file.expect("a file").file_name().into_string().expect("UTF-8"));
        names.filter(|name| !name.starts_with("dump.")).collect()
    }

    /// What `list --json` says of the one file that was added, which is whole.
    fn list(&self) -> Value {
        let added = self.added(CRASH);
        assert_eq!(added.len(), 1, "{added:?}");
        let file = format!("{CRASH}/{}", added[0]);
        let outcome = self.0.run(["list", "--json", &file]);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
        serde_json::from_slice(&outcome.stdout).expect("JSON")
    }

    fn extract(&self, name: &str) -> Vec<u8> {
        let file = format!("{CRASH}/{}", self.added(CRASH)[0]);
        self.0.run(["extract", &file, name, "-o", "-"]).stdout
    }
}

/// Status and reason of the collection `name`.
fn status<'a>(list: &'a Value, name: &str) -> (&'a str, Option<&'a str>) {
    let all = ["dumps", "lost"].iter().flat_map(|key| list[key].as_array().expect("an array"));
    let found = all.into_iter().find(|each| each["name"] == name).expect("there");
    (found["status"].as_str().expect("a status"), found["reason"].as_str())
}

#[test]
fn what_the_firmware_has_is_added_once() {
    let system = System::new();
    system.source("chassis", "echo intrusion");
    assert_eq!(system.after(&[]).status, Some(0));
    let list = system.list();
    for name in ["bert", "pstore_dmesg-erst-7", "chassis"] {
        assert_eq!(status(&list, name), ("complete", None));
    }
    assert_eq!(system.extract("bert"), BERT);
    assert_eq!(system.extract("pstore_dmesg-erst-7"), b"Panic#1");
    assert_eq!(system.extract("chassis"), b"intrusion\n");
    let file = system.0.path(&format!("{CRASH}/{}", system.added(CRASH)[0]));
    assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    // It is known now; and where it were not, it has its file.
    assert_eq!(fs::read(system.0.path("state")).expect("there"), b"202611271639\n");
    for more in [&[][..], &["--again"]] {
        assert_eq!(system.after(more).status, Some(0));
        assert_eq!(system.added(CRASH).len(), 1);
    }
    // A new crash is another one.
    system.write("crash/202611280101/dump.202611280101", b"vmcore");
    assert_eq!(system.after(&[]).status, Some(0));
    assert_eq!(system.added("crash/202611280101").len(), 1);
}

/// What happened before this was installed, or while it was off, is not of this boot.
#[test]
fn an_old_crash_is_left_alone() {
    let system = System::new();
    fs::remove_file(system.0.path("state")).expect("removed");
    assert_eq!(system.after(&[]).status, Some(0));
    assert_eq!(system.added(CRASH), [""; 0]);
    assert_eq!(system.after(&[]).status, Some(0));
    assert_eq!(system.added(CRASH), [""; 0]);
    system.write("crash/202611280101/dump.202611280101", b"vmcore");
    assert_eq!(system.after(&["--note"]).status, Some(0));
    assert_eq!(system.after(&[]).status, Some(0));
    assert_eq!(system.added("crash/202611280101"), [""; 0]);
    assert_eq!(system.after(&["--again"]).status, Some(0));
    assert_eq!(system.added("crash/202611280101").len(), 1);
}

/// What was newer was removed.
#[test]
fn an_older_crash_is_no_new_one() {
    let system = System::new();
    system.write("state", b"202611280101\n");
    assert_eq!(system.after(&[]).status, Some(0));
    assert_eq!(system.added(CRASH), [""; 0]);
    // Nor is it new where the directory was not there for a while.
    fs::rename(system.0.path("crash"), system.0.path("unmounted")).expect("renamed");
    assert_eq!(system.after(&[]).status, Some(0));
    fs::rename(system.0.path("unmounted"), system.0.path("crash")).expect("renamed");
    assert_eq!(system.after(&[]).status, Some(0));
    assert_eq!(system.added(CRASH), [""; 0]);
}

/// systemd-pstore has directories in directories.
#[test]
fn what_systemd_moved_is_found() {
    let system = System::new();
    let moved = ["console-ramoops-0", "1733333333/dmesg-a-1", "1733333333/001/dmesg-b-2"];
    for name in moved {
        system.write(&format!("root/var/lib/systemd/pstore/{name}"), name.as_bytes());
    }
    let outcome = system.after(&[]);
    assert_eq!(outcome.status, Some(0));
    let list = system.list();
    for name in moved {
        let file = name.rsplit('/').next().expect("a name");
        assert_eq!(status(&list, &format!("pstore_{file}")), ("complete", None));
    }
    // What is not there is said.
    assert!(outcome.stderr.contains("ipmi-sel: not there"), "{}", outcome.stderr);
}

#[test]
fn no_source_is_fatal() {
    let system = System::new();
    system.source("hangs", "echo before; sleep 1000");
    system.source("fails", "echo some; exit 3");
    system.source("silent", "true");
    system.source("zz-last", "echo last");
    system.write("root/etc/vmcoredd/after.d/forgotten", b"#!/bin/sh\n");
    let outcome = system.after(&["--deadline", "1"]);
    assert_eq!(outcome.status, Some(0));
    assert!(outcome.stderr.contains("forgotten: is not run"), "{}", outcome.stderr);
    let list = system.list();
    let expected = [
        ("hangs", ("partial", Some("its collector did not end in time"))),
        ("fails", ("partial", Some("its command failed"))),
        ("silent", ("failed", Some("its collector wrote nothing"))),
        ("zz-last", ("complete", None)),
        ("bert", ("complete", None)),
    ];
    for (name, (word, reason)) in expected {
        let (found, why) = status(&list, name);
        assert_eq!(found, word, "{name}");
        let is_it = |why: &str| reason.is_some_and(|reason| why.starts_with(reason));
        assert!(why.map_or(reason.is_none(), is_it), "{name}: {why:?}");
    }
    assert_eq!(system.extract("hangs"), b"before\n");
    assert_eq!(system.extract("fails"), b"some\n");
}

/// Nobody finds half a file, and the next boot tries again.
#[test]
fn one_that_is_killed_leaves_nothing() {
    let system = System::new();
    system.source("hangs", "touch started; sleep 1000");
    let arguments = ["after", "crash", "--state", "state", "--root", "root"];
    let mut child = system.0.command().args(arguments).stderr(Stdio::null()).spawn().expect("runs");
    let end = Instant::now() + Duration::from_secs(60);
    while !system.0.path("started").exists() {
        assert!(Instant::now() < end, "it does not start");
        thread::sleep(Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&child), Signal::KILL).expect("killed");
    child.wait().expect("ended");
    assert_eq!(system.added(CRASH), [""; 0]);
    system.source("hangs", "true");
    assert_eq!(system.after(&[]).status, Some(0));
    assert_eq!(system.added(CRASH).len(), 1);
}

#[test]
fn without_crashes_there_is_nothing_to_do() {
    let system = System::new();
    fs::remove_dir_all(system.0.path("crash")).expect("removed");
    let outcome = system.after(&[]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
}
