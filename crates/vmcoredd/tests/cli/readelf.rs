// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What other tools find in the same files.

use std::fs;
use std::process::Command;

use synth::{Class, Content, DumpStyle, Endian, Load, NoteSpec, Vmcore};

use crate::run::Folder;

/// Owner, type and size of a note.
type Found = (String, u32, u64);

fn vmcores() -> Vec<Vmcore> {
    let classes = [(Class::Elf64, 62, 21), (Class::Elf32, 3, 20)];
    let mut made = Vec::new();
    for (class, little, big) in classes {
        for (endian, machine) in [(Endian::Little, little), (Endian::Big, big)] {
            for style in [DumpStyle::Exact, DumpStyle::Paged] {
                let plain = Vmcore::new(class, endian).machine(machine).style(style);
                let full = [0, 1, 3, 4, 5, 1000, 4032, 4033, 100_000]
                    .into_iter()
                    .fold(plain, |made, length| {
                        let content = Content::Pattern { seed: 7, length };
                        made.dump(format!("device{length}"), content)
                    })
                    .note(NoteSpec::new("VMCOREDD", 0x701, b"VERSION=1\n".to_vec()))
                    .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"));
                made.push(full.clone().separate_notes());
                made.push(full.clone().zero_fill(24));
                made.push(full);
            }
        }
    }
    made
}

fn output(folder: &Folder, tool: &str) -> String {
    let output = Command::new(tool)
        .args(["-n", "vmcore"])
        .current_dir(folder.root())
        .env("LC_ALL", "C")
        .output();
    let output = output.unwrap_or_else(|error| panic!("{tool} is needed here: {error}"));
    assert!(output.status.success(), "{tool}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The lines `LINUX  0x00000414  Unknown note type: (0x00000700)`.
///
/// Zero fill is notes without an owner to it.
fn readelf(folder: &Folder) -> Vec<Found> {
    let found = |line: &str| {
        let (start, note_type) = line.split_once("Unknown note type: (0x")?;
        let (owner, size) = start.trim().split_once(" 0x").map(|(a, b)| (a.trim(), b.trim()))?;
        let note_type = u32::from_str_radix(note_type.strip_suffix(')')?, 16).ok()?;
        let size = u64::from_str_radix(size, 16).ok()?;
        Some((owner.to_owned(), note_type, size))
    };
    let output = output(folder, "readelf");
    let notes = output.lines().filter_map(found);
    notes.filter(|(owner, ..)| owner != "(NONE)").collect()
}

/// The lines `LINUX  1044  <unknown>: 1792`.
fn eu_readelf(folder: &Folder) -> Vec<Found> {
    let found = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            [owner, size, "<unknown>:", note_type] => {
                let note_type = note_type.parse().ok()?;
                Some((owner.to_owned(), note_type, size.parse().ok()?))
            }
            _ => None,
        }
    };
    output(folder, "eu-readelf").lines().filter_map(found).collect()
}

/// Every note, as the reader of this project finds it.
fn kdump(folder: &Folder) -> Vec<Found> {
    let dump = kdumpfile::Dump::open(folder.path("vmcore")).expect("a good file");
    let found = |note: Result<kdumpfile::Note, kdumpfile::Error>| {
        let note = note.expect("a whole note");
        let owner = String::from_utf8_lossy(note.owner()).into_owned();
        (owner, note.header.note_type, note.header.desc_size.into())
    };
    dump.notes().map(found).collect()
}

/// The lengths that `vmcoredd list` shows.
fn listed(folder: &Folder) -> Vec<u64> {
    let outcome = folder.run(["list", "vmcore"]);
    let length = |line: &str| line.split_whitespace().nth(2)?.parse().ok();
    outcome.stdout().lines().skip(1).filter_map(length).collect()
}

#[test]
fn readelf_finds_the_same_notes() {
    for made in vmcores() {
        let folder = Folder::new().with("vmcore", &made.image());
        let found = readelf(&folder);
        assert_eq!(found.len(), 11);
        assert_eq!(found, kdump(&folder));
        let device_dumps: Vec<_> = found
            .iter()
            .filter(|(owner, note_type, _)| owner == "LINUX" && *note_type == 0x700)
            .map(|(_, _, size)| size - 44)
            .collect();
        assert_eq!(device_dumps, listed(&folder));
    }
}

#[test]
fn eu_readelf_finds_the_same_notes() {
    for made in vmcores() {
        let folder = Folder::new().with("vmcore", &made.image());
        let found = eu_readelf(&folder);
        assert_eq!(found.len(), 11);
        assert_eq!(found, kdump(&folder));
    }
}

/// They find what was attached, too.
#[test]
fn both_find_what_is_attached() {
    for made in vmcores() {
        let made = made.load(Load::new(0x1000, vec![7; 5000]));
        let folder = Folder::new().with("vmcore", &made.image());
        fs::write(folder.path("blob"), [9; 777]).expect("written");
        let attached = folder.run(["attach", "vmcore", "late=blob", "--in-place"]);
        assert_eq!(attached.stdout(), "late: added, 777 bytes\n");
        let found = kdump(&folder);
        assert_eq!(found.len(), 13, "a device dump and its manifest more");
        assert!(found.contains(&("LINUX".to_owned(), 0x700, 44 + 777)), "{found:?}");
        assert_eq!(readelf(&folder), found);
        assert_eq!(eu_readelf(&folder), found);
    }
}
