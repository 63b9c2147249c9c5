// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Several `vmcoredd attach --in-place` of one file.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use kdumpfile::Dump;

use super::{Folder, folder};
use crate::run::Outcome;

/// How many pairs are tried with each format.
const PAIRS: usize = 10;

fn names(path: &Path) -> Vec<String> {
    let dump = Dump::open(path).expect("its headers are whole");
    let name = |each: Result<kdumpfile::DeviceDump<'_>, kdumpfile::Error>| {
        String::from_utf8(each.expect("whole").name().to_vec()).expect("UTF-8")
    };
    let mut names: Vec<_> = dump.device_dumps().map(name).collect();
    names.sort();
    names
}

/// Whoever says that a dump was added is right, and nothing that was there is gone.
#[test]
fn pairs_at_once_lose_nothing() {
    let pairs = std::env::var("ATTACH_PAIRS").ok().and_then(|pairs| pairs.parse().ok());
    for file in ["vmcore", "kdump"] {
        let folder = folder();
        let mut expected = names(&folder.path(file));
        for pair in 0..pairs.unwrap_or(PAIRS) {
            let new = [format!("a{pair}"), format!("b{pair}")];
            let attaching = new.each_ref().map(|name| {
                let mut command = folder.command();
                command.args(["attach", file, &format!("{name}=log"), "--in-place"]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs")
            });
            for (attaching, name) in attaching.into_iter().zip(&new) {
                let outcome = Outcome::from(attaching.wait_with_output().expect("ends"));
                assert_eq!(outcome.stdout(), format!("{name}: added, 18 bytes\n"), "{outcome:?}");
            }
            expected.extend(new);
            expected.sort();
            assert_eq!(names(&folder.path(file)), expected);
        }
        let verified = folder.run(["verify", file]);
        assert_eq!(verified.status, Some(0), "{verified:?}");
        let info = Dump::open(folder.path(file)).expect("good").vmcoreinfo().expect("readable");
        assert_eq!(info.is_some(), file == "vmcore");
    }
}

/// Locks a file as flock(1) does.
fn locked(folder: &Folder, file: &str) -> File {
    let file = File::open(folder.path(file)).expect("there");
    file.lock().expect("locked");
    file
}

#[test]
fn the_second_is_refused_or_waits() {
    for file in ["vmcore", "kdump"] {
        let folder = folder();
        let before = fs::read(folder.path(file)).expect("there");
        let lock = locked(&folder, file);
        for wait in ["0", "1"] {
            let began = Instant::now();
            let outcome = folder.run(["attach", file, "bmc=log", "--in-place", "--wait", wait]);
            let expected = format!(
                "vmcoredd: {file}: another process is changing it, and still is after {wait} s; \
                 -o OUT needs no lock\n"
            );
            assert_eq!((outcome.status, outcome.stderr), (Some(4), expected));
            assert!(began.elapsed() >= Duration::from_secs(wait.parse().expect("a number")));
        }
        // To read, nobody needs it.
        assert_eq!(folder.run(["list", file]).status, Some(0));
        assert_eq!(folder.run(["attach", file, "bmc=log", "-o", "copy"]).status, Some(0));
        assert!(fs::read(folder.path(file)).expect("there") == before);

        let waiting = thread::scope(|scope| {
            let attaching = scope.spawn(|| folder.run(["attach", file, "bmc=log", "--in-place"]));
            thread::sleep(Duration::from_millis(300));
            assert!(!attaching.is_finished());
            assert!(fs::read(folder.path(file)).expect("there") == before);
            drop(lock);
            attaching.join().expect("ends")
        });
        assert_eq!(waiting.stdout(), "bmc: added, 18 bytes\n", "{waiting:?}");
    }
}

/// The one that had the lock put another file in the place of the one that was waited
/// for: that is the one to change.
#[test]
fn what_was_replaced_meanwhile_is_opened_again() {
    for file in ["vmcore", "kdump"] {
        let folder = folder();
        assert_eq!(folder.run(["attach", file, "first=log", "-o", "other"]).status, Some(0));
        let lock = locked(&folder, file);
        let outcome = thread::scope(|scope| {
            let attaching = scope.spawn(|| folder.run(["attach", file, "bmc=log", "--in-place"]));
            thread::sleep(Duration::from_millis(300));
            assert!(!attaching.is_finished());
            fs::rename(folder.path("other"), folder.path(file)).expect("renamed");
            drop(lock);
            attaching.join().expect("ends")
        });
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        let names = names(&folder.path(file));
        assert!(["first", "bmc"].iter().all(|name| names.iter().any(|there| there == name)));
    }
}
