// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd list --json` and `info --json`: see docs/json.md.

use insta::assert_snapshot;
use serde_json::Value;
use synth::{Class, Endian, Kdump, NoteSpec, Vmcore, Width};

use crate::info::crashed;
use crate::run::{Folder, Outcome, small};

const TOLD: &str = "VERSION=1\nUNRECORDED=2\n\
    NAME=nic0\nSTATUS=partial\nREASON=its collector gave an error\nERRNO=-5\nIN=vmcore\nLENGTH=5\n\
    DECLARED=4096\nSTORED=5\nMILLISECONDS=1\nCRC32C=00000abc\n\
    NAME=lost\nSTATUS=failed\nREASON=its command ended with status\nEXIT=3\nMILLISECONDS=7\n";

/// What is printed, a line for each file.
pub fn files(outcome: &Outcome) -> Vec<Value> {
    outcome.stdout().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn shown(outcome: &Outcome) -> String {
    let pretty = |file: &Value| serde_json::to_string_pretty(file).expect("JSON");
    files(outcome).iter().map(pretty).collect::<Vec<_>>().join("\n")
}

#[test]
fn all_that_there_can_be() {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", b"state".to_vec())
        .dump(b"\x1b[2J\"", vec![2; 1000])
        .note(NoteSpec::manifest(TOLD));
    let folder = Folder::new().with("vmcore", &made.image());
    let outcome = folder.run(["list", "--json", "vmcore"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert_snapshot!(shown(&outcome));
}

#[test]
fn damaged_foreign_and_missing_files() {
    let made = small();
    let kdump =
        Kdump::new(Width::Bits32Aligned, Endian::Big, 6).machine("ppc").dump("nic0", vec![1; 3]);
    let folder = Folder::new()
        .with("cut", &made.image().truncated(made.payload_offset(1) + 600))
        .with("kdump", &kdump.image())
        .with("flattened", &made.image().flattened(4096))
        .with("foreign", &made.image().overwritten(0, b"GIF89a"));
    let names = ["list", "--json", "cut", "kdump", "flattened", "foreign", "missing"];
    let outcome = folder.run(names);
    assert_eq!(outcome.status, Some(3));
    // Errors are told on standard error, too.
    assert_eq!(outcome.stderr.lines().count(), 3, "{}", outcome.stderr);
    assert_eq!(files(&outcome).len(), 5);
    assert_snapshot!(shown(&outcome));
}

/// The keys that docs/json.md has for `command` are those that are printed.
pub fn check_keys(command: &str, next: &str, printed: &[Value]) {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/json.md");
    let page = std::fs::read_to_string(page).expect("there");
    let heading = |command| format!("# What `vmcoredd {command} --json`");
    let (_, page) = page.split_once(&heading(command)).expect("a part of its own");
    let (page, _) = page.split_once(&heading(next)).expect("another one after it");
    fn keys(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    found.push(key.clone());
                    // These have other keys for each dump.
                    if key != "about" && (key != "values" || value.is_array()) {
                        keys(value, found);
                    }
                }
            }
            Value::Array(array) => array.iter().for_each(|value| keys(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    printed.iter().for_each(|file| keys(file, &mut found));
    found.sort();
    found.dedup();
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    // Several keys may stand in a row: `a`, `b`
    let mut documented: Vec<_> = cells
        .flat_map(|cell| cell.trim_end_matches('`').split("`, `"))
        .map(str::to_owned)
        .collect();
    documented.sort();
    documented.dedup();
    assert_eq!(found, documented);
}

#[test]
fn the_documentation_has_every_key() {
    let made = small().note(NoteSpec::manifest(TOLD)).image();
    let folder =
        Folder::new().with("vmcore", &made).with("foreign", &small().image().overwritten(0, b"x"));
    let outcome = folder.run(["list", "--json", "vmcore", "foreign"]);
    check_keys("list", "info", &files(&outcome));
    let folder = crashed(0).with("foreign", &small().image().overwritten(0, b"x"));
    let outcome = folder.run(["info", "--json", "crashed", "foreign"]);
    check_keys("info", "explain", &files(&outcome));
}

#[test]
fn info_of_good_damaged_and_missing_files() {
    let info = "OSRELEASE=6.12.0-amd64\nBUILD-ID=0123456789abcdef\nPAGESIZE=4096\n\
        SYMBOL(init_top_pgt)=ffffffff82a10000\nKERNELOFFSET=1e00000\n\
        NUMBER(phys_base)=-4194304\nCRASHTIME=1764066752\n";
    let kdump = Kdump::new(Width::Bits64, Endian::Little, 6)
        .machine("none")
        .dump("nic0", vec![1; 5])
        .note(NoteSpec::vmcoreinfo(info))
        .page(300, &[1; 4096]);
    let made = small();
    let folder = Folder::new()
        .with("kdump", &kdump.image())
        .with("cut", &made.image().truncated(made.payload_offset(1) + 600))
        .with("old", &Vmcore::new(Class::Elf32, Endian::Big).machine(999).image());
    let outcome = folder.run(["info", "--json", "kdump", "cut", "old", "missing"]);
    assert_eq!(outcome.status, Some(3));
    assert_eq!(outcome.stderr.lines().count(), 2, "{}", outcome.stderr);
    assert_eq!(files(&outcome).len(), 4);
    assert_snapshot!(shown(&outcome));
}
