// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files that are cut off.

use std::fs::OpenOptions;

use serde_json::Value;
use synth::{Class, Content, Endian, Image, Kdump, NoteSpec, Vmcore, Width};

use crate::run::{Folder, Outcome, small};

/// One line says what is missing, of the notes or after them. Of a device dump its name
/// must be there.
#[test]
fn a_file_cut_at_any_byte_is_listed_as_far_as_it_is_there() {
    let made = small();
    let dumps = [("nic0", 0, 5), ("edu_0000:00:04.0", 1, 1000)]
        .map(|(name, index, length)| (name, made.payload_offset(index), length));
    let notes_end = made.header_size() + made.dumps_size() + made.notes_size();
    let folder = Folder::new().with("vmcore", &made.image());
    let file = OpenOptions::new().write(true).open(folder.path("vmcore"));
    let file = file.expect("there");

    let whole = made.image().length();
    for length in (0..=notes_end + 1).chain([whole - 1, whole]).rev() {
        file.set_len(length).expect("cut");
        let outcome = folder.run(["list", "vmcore"]);
        let status = match length {
            // Without the file header it is no dump.
            0..64 => 3,
            _ => i32::from(length < whole),
        };
        assert_eq!(outcome.status, Some(status), "cut at {length}: {outcome:?}");

        let start = match length {
            0 => "vmcoredd: vmcore: expected a vmcore, found an empty file; ",
            _ => "vmcoredd: vmcore: offset 0x",
        };
        let lines: Vec<_> = outcome.stderr.lines().collect();
        assert_eq!(lines.len(), usize::from(status != 0), "{lines:?}");
        assert!(lines.iter().all(|line| line.starts_with(start)), "{lines:?}");
        for (name, start, size) in dumps {
            let line = outcome.stdout().lines().find(|line| line.contains(name));
            assert_eq!(line.is_some(), start <= length, "{name}, cut at {length}");
            let is_damaged = line.is_some_and(|line| line.contains("  damaged  "));
            assert_eq!(is_damaged, (start..start + size).contains(&length), "{line:?}");
        }
    }
}

/// What is wrong with a file, and what all that look at it say: the names of the device
/// dumps that are there, and what is in the one line.
struct Fault {
    what: &'static str,
    image: Image,
    names: &'static [&'static str],
    line: &'static str,
}

fn faults() -> Vec<Fault> {
    let kdump = Kdump::new(Width::Bits64, Endian::Little, 6)
        .dump("nic0", vec![1; 5000])
        .dump("nic1", vec![2; 100_000])
        .page(1, &[7; 4096])
        .page(3, &[8; 4096]);
    let elf = small();
    let nothing = NoteSpec { owner: vec![], note_type: 0, desc: Content::Zeros(0) };
    let between = Vmcore::new(Class::Elf64, Endian::Little)
        .note(NoteSpec::prstatus(Endian::Little, 1))
        .note(nothing)
        .note(NoteSpec::new("LINUX", 0x700, [&b"nic0"[..], &[0; 40], b"state"].concat()))
        .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"));
    let fault = |what, image, names, line| Fault { what, image, names, line };
    let (both, of_elf) = (&["nic0", "nic1"][..], &["nic0", "edu_0000:00:04.0"][..]);
    vec![
        fault(
            "a kdump-compressed dump cut inside its notes",
            kdump.image().truncated(kdump.payload_offset(1) + 50_000),
            both,
            "n_descsz: expected a desc inside the file",
        ),
        fault(
            "a kdump-compressed dump cut after its notes",
            kdump.image().truncated(kdump.notes_range().end + 1),
            both,
            "bitmap_blocks: expected bitmaps and memory inside the file, which is incomplete",
        ),
        fault(
            "a kdump-compressed dump cut inside its memory",
            kdump.image().truncated(kdump.image().length() - 1),
            both,
            "offset of a page_desc: expected data inside the file, which is incomplete",
        ),
        fault(
            "a kdump-compressed dump that says so",
            kdump.clone().incomplete().image(),
            both,
            "status: expected a dump that was written to its end, found 0x8",
        ),
        fault(
            "an ELF vmcore that says so",
            elf.image().overwritten(48, &[1]),
            of_elf,
            "e_flags: expected a dump that was written to its end, found 0x1",
        ),
        fault(
            "an ELF vmcore whose memory is cut",
            elf.image().truncated(elf.image().length() - 1),
            of_elf,
            "p_filesz of PT_LOAD: expected an end inside the file, which is incomplete",
        ),
        fault(
            "an ELF vmcore whose program headers are cut",
            elf.image().truncated(64 + 56 + 10),
            &[],
            "program headers: expected as many as the file header counts",
        ),
        fault(
            "a device dump without room for a name",
            elf.clone().note(NoteSpec::new("LINUX", 0x700, vec![b'x'; 43])).image(),
            of_elf,
            "n_descsz: expected 44 bytes or more, as a device dump has, found 0x2b",
        ),
        fault(
            "an empty note in the middle",
            between.image(),
            &["nic0"],
            "zeros between notes: expected none, found 0xc",
        ),
    ]
}

#[test]
fn all_say_the_same_of_a_damaged_file() {
    for Fault { what, image, names, line } in faults() {
        let folder = Folder::new().with("vmcore", &image);
        let commands: [&[&str]; 5] = [
            &["list", "vmcore"],
            &["list", "--json", "vmcore"],
            &["info", "vmcore"],
            &["verify", "vmcore"],
            &["extract", "vmcore", "--all", "-C", "out"],
        ];
        std::fs::create_dir(folder.path("out")).expect("a folder");
        let mut said = Vec::new();
        for command in commands {
            let outcome = folder.run(command);
            assert_eq!(outcome.status, Some(1), "{what}: {command:?}: {outcome:?}");
            let lines = outcome.stderr.lines().filter(|line| !is_of_dump(line));
            let lines: Vec<_> = lines.map(str::to_owned).collect();
            assert!(lines.len() == 1 && lines[0].contains(line), "{what}: {command:?}: {lines:?}");
            said.extend(lines);
            check_names(what, command, &outcome, names);
        }
        said.dedup();
        assert_eq!(said.len(), 1, "{what}");
    }
}

/// Whether `line` is what `extract` says of a damaged dump that it writes.
fn is_of_dump(line: &str) -> bool {
    line.ends_with("bytes are there")
}

fn check_names(what: &str, command: &[&str], outcome: &Outcome, names: &[&str]) {
    let stdout = outcome.stdout();
    let count = match command {
        ["list", "--json", _] => {
            let file: Value = serde_json::from_str(stdout).expect("JSON");
            let errors = file["errors"].as_array().expect("an array");
            assert_eq!(errors.len(), 1, "{what}: {errors:?}");
            let message = errors[0]["message"].as_str().expect("text");
            assert!(outcome.stderr.contains(message), "{what}: {message}");
            file["dumps"].as_array().expect("an array").len()
        }
        ["info", ..] => {
            let line = stdout.lines().find_map(|line| line.strip_prefix("Device dumps: "));
            line.and_then(|count| count.trim().parse().ok()).expect("a number")
        }
        ["list", ..] => stdout.lines().skip(1).count(),
        _ => stdout.lines().count(),
    };
    assert_eq!(count, names.len(), "{what}: {command:?}: {stdout}");
    if command[0] != "info" {
        assert!(names.iter().all(|name| stdout.contains(name)), "{what}: {command:?}: {stdout}");
    }
}

/// A note as the fourth version of the kernel's series wrote it is a device dump to all.
#[test]
fn all_know_a_device_dump_of_the_old_form() {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .note(NoteSpec::new("VMCOREDD_cxgb4_0000:02:00.4", 0x700, b"state".to_vec()))
        .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"));
    let folder = Folder::new().with("vmcore", &made.image());
    let name = "cxgb4_0000:02:00.4";
    for command in [
        &["list", "vmcore"][..],
        &["list", "--json", "vmcore"],
        &["verify", "vmcore"],
        &["info", "vmcore"],
        &["extract", "vmcore", name],
    ] {
        let outcome = folder.run(command);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{command:?}");
        let wanted = if command[0] == "info" { "0x700 device dump" } else { name };
        assert!(outcome.stdout().contains(wanted), "{command:?}: {}", outcome.stdout());
    }
    assert_eq!(std::fs::read(folder.path(name)).expect("extracted"), b"state");
}

#[test]
fn that_there_are_no_device_dumps_is_said() {
    let made = Vmcore::new(Class::Elf64, Endian::Little).note(NoteSpec::vmcoreinfo("A=B\n"));
    let folder = Folder::new().with("none", &made.image());
    for command in [&["list", "none"][..], &["verify", "none"]] {
        let outcome = folder.run(command);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
        assert_eq!(outcome.stdout(), "none: no device dumps\n");
    }
    assert_eq!(folder.run(["verify", "-q", "none"]).stdout(), "");
    // Standard output has the names of files.
    let outcome = folder.run(["extract", "none", "--all", "-C", "."]);
    assert_eq!((outcome.status, outcome.stdout()), (Some(0), ""));
    assert_eq!(outcome.stderr, "vmcoredd: none: no device dumps\n");
}
