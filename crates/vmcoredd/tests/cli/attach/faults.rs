// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Every call that `vmcoredd attach --in-place` makes fails, or is the last one.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use kdumpfile::Dump;
use synth::{Class, DumpStyle, Endian, Image, Kdump, Load, NoteSpec, Vmcore, Width};

use super::{Folder, folder};

/// What is done to a call, as strace has it.
const FAULTS: [&[&str]; 5] = [
    &["error=EIO:when=N"],
    // All of that kind that come after it fail as well.
    &["error=EIO:when=N+"],
    // So does what is to undo it.
    &["error=EIO:when=N", "inject=ftruncate:error=EIO"],
    &["signal=KILL:when=N"],
    &["error=ENOSPC:when=N"],
];
/// Calls that need space.
const NEED_SPACE: [&str; 6] = ["openat", "pwrite64", "fsync", "fdatasync", "renameat", "linkat"];
const ARGUMENTS: [&str; 6] = ["attach", "file", "bmc=log", "--from", "vmcoredd", "--in-place"];
const TOLD: &str =
    "VERSION=1\nNAME=nic0\nSTATUS=partial\nREASON=its collector crashed\nIN=vmcore\nLENGTH=5\n";
const INFO: &str = "OSRELEASE=6.12.0\nCRASHTIME=1764200000\n";

/// All that a file has, but where in it.
fn content(path: &Path) -> String {
    let dump = Dump::open(path).expect("its headers are whole");
    let errors: Vec<_> = dump.notes().filter_map(Result::err).collect();
    let dumps: Vec<_> = dump.device_dumps().flatten().collect();
    let manifest = dump.manifest().expect("readable").unwrap_or_default();
    let matched = manifest.matched(&dumps);
    let mut page = [0; 4096];
    let read = dump.memory().read(0x1000, &mut page);
    let others = dump.notes().flatten().filter(|note| note.header.note_type < 0x700);
    let others: Vec<_> = others.map(|note| (note.owner().to_vec(), note.header)).collect();
    let dumps: Vec<_> = dumps
        .iter()
        .zip(&matched.of_dumps)
        .map(|(each, record)| {
            let crc = each.crc32c().expect("readable");
            (each.name().to_vec(), each.length(), each.is_whole(), crc, *record)
        })
        .collect();
    let info = dump.vmcoreinfo().expect("readable").and_then(|info| info.number("CRASHTIME"));
    let page = page.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let waiting: Vec<_> = matched.others().collect();
    format!("{errors:?} {dumps:?} {waiting:?} {others:?} {info:?} {read:?} {page}")
}

fn kdump() -> Kdump {
    Kdump::new(Width::Bits64, Endian::Little, 6)
        .dump("nic0", b"state".to_vec())
        .note(NoteSpec::manifest(TOLD))
        .note(NoteSpec::prstatus(Endian::Little, 1))
        .vmcoreinfo(INFO)
        .page(1, &[1; 4096])
}

/// Its notes stand at its end, as those of a file do to which dumps were added.
fn ends_with_notes(folder: &Folder) {
    let made = kdump();
    made.image().write(&folder.path("file")).expect("written");
    let file = OpenOptions::new().read(true).write(true).open(folder.path("file"));
    let file = file.expect("there");
    let range = made.notes_range();
    let mut notes = vec![0; (range.end - range.start) as usize];
    file.read_exact_at(&mut notes, range.start).expect("there");
    let end = file.metadata().expect("there").len().next_multiple_of(4096);
    file.write_all_at(&notes, end).expect("written");
    file.write_all_at(&end.to_le_bytes(), 4096 + 48).expect("written");
}

fn with(image: Image) -> impl Fn(&Folder) {
    move |folder| image.write(&folder.path("file")).expect("written")
}

/// A call, as strace shows it: its name, and how many of that name came before it.
struct Call {
    name: String,
    before: usize,
    /// It changes FILE, or has another one take its place.
    changes: bool,
}

/// The calls that have to do with files of `folder`, in the run that wrote this trace.
fn calls(folder: &Folder, trace: &str) -> Vec<Call> {
    let mut counts = HashMap::<String, usize>::new();
    let (root, file) = (folder.root().to_str().expect("UTF-8"), folder.path("file"));
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((left, arguments)) = line.split_once('(') else { continue };
        let name = left.rsplit(' ').next().expect("a name").to_owned();
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        // Every path is one of the current directory, if it is not said to be another's.
        let arguments = arguments.replace(&format!("AT_FDCWD<{root}>"), "");
        let of_folder = arguments.contains(root)
            || ["\"file\"", "\"log\"", "\"vmcoredd\""].iter().any(|name| arguments.contains(name));
        // That of the command itself is no call of it.
        if of_folder && name != "execve" && !name.contains("cwd") {
            let of_file = format!("<{}>", file.display());
            let changes =
                name == "pwrite64" && arguments.contains(&of_file) || name.starts_with("rename");
            calls.push(Call { name, before: *count - 1, changes });
        }
    }
    calls
}

fn run(folder: &Folder, options: &[&str]) -> Output {
    Command::new("strace")
        .args(["-f", "-qq"])
        .args(options)
        .arg(env!("CARGO_BIN_EXE_vmcoredd"))
        .args(ARGUMENTS)
        .current_dir(folder.root())
        .stdout(Stdio::null())
        .output()
        .expect("strace is installed")
}

/// Fails each call in turn.
fn fail_each_call(title: &str, make: &dyn Fn(&Folder)) {
    let folder = folder();
    let file = folder.path("file");
    make(&folder);
    let (bytes, old) = (fs::read(&file).expect("there"), content(&file));
    let traced = run(&folder, &["-y", "-o", "trace"]);
    assert!(traced.status.success(), "{title}: {}", String::from_utf8_lossy(&traced.stderr));
    let new = content(&file);
    assert_ne!(new, old);

    let calls = calls(&folder, &fs::read_to_string(folder.path("trace")).expect("a trace"));
    let commit = calls.iter().rposition(|call| call.changes).expect("one that counts");
    let mut tried = 0;
    for (at, call) in calls.iter().enumerate() {
        let needs_space = NEED_SPACE.contains(&call.name.as_str());
        for fault in FAULTS.iter().filter(|fault| needs_space || !fault[0].contains("ENOSPC")) {
            fs::write(&file, &bytes).expect("written");
            let when = fault[0].replace("=N", &format!("={}", call.before + 1));
            let inject = format!("inject={}:{when}", call.name);
            let trace = format!("trace={},ftruncate", call.name);
            let mut options = vec!["--seccomp-bpf", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            options.extend(fault[1..].iter().flat_map(|more| ["-e", more]));
            let ended = run(&folder, &options);
            tried += 1;
            let what = format!("{title}: {inject}: {:?}", ended.status);
            let found = content(&file);
            assert!(found == old || found == new, "{what}: {found}");
            if ended.status.success() {
                assert!(found == new, "{what}: {found}");
                continue;
            }
            if at < commit {
                assert!(found == old, "{what}: {found}");
            }
            if ended.status.signal().is_none() {
                let said = String::from_utf8_lossy(&ended.stderr);
                let lines = said.lines().count();
                assert!(lines == 1 && said.starts_with("vmcoredd: "), "{what}: {said}");
            }
        }
    }
    let kinds: BTreeSet<_> = calls.iter().map(|call| &call.name).collect();
    println!("{title}: {tried} failing calls, of {} and the kinds {kinds:?}", calls.len());
    for kind in ["openat", "pread64", "pwrite64", "flock"] {
        assert!(kinds.iter().any(|name| *name == kind), "{kinds:?}");
    }
    assert!(tried > 4 * 50, "{tried}");
}

/// A kdump-compressed dump in which zeros stand after the notes.
fn bare() -> Kdump {
    Kdump::new(Width::Bits64, Endian::Little, 6).dump("nic0", b"state".to_vec()).page(1, &[1; 4096])
}

// Whichever call fails, the file has what it had, and all of it; the new dumps as well at
// most once the call that counts was made.

#[test]
fn notes_that_move_stay_whole() {
    fail_each_call("notes that move", &with(kdump().image()));
}

#[test]
fn notes_with_fill_stay_whole() {
    let notes = bare().notes_range();
    let size = (notes.end - notes.start + 100).to_le_bytes();
    fail_each_call("notes with fill", &with(bare().image().overwritten(4096 + 56, &size)));
}

#[test]
fn notes_that_end_the_file_stay_whole() {
    fail_each_call("notes that end the file", &ends_with_notes);
}

#[test]
fn an_elf_vmcore_stays_whole() {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .style(DumpStyle::Exact)
        .dump("nic0", b"state".to_vec())
        .note(NoteSpec::manifest(TOLD))
        .note(NoteSpec::prstatus(Endian::Little, 1))
        .note(NoteSpec::vmcoreinfo(INFO))
        .load(Load::new(0x1000, vec![3; 4096]));
    fail_each_call("an ELF vmcore", &with(made.image()));
}
