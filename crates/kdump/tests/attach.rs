// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Adding device dumps to files.

#[allow(dead_code, reason = "not all is needed here")]
mod on_disk;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use kdump::{AttachError, Attached, Dump, Name, NewDump, NewPayload, Status};
use synth::{Class, DumpStyle, Endian, Image, Kdump, Load, Note, Vmcore, Width};

use on_disk::{OnDisk, on_disk};

fn name(name: &str) -> Name {
    Name::new(name.as_bytes()).expect("a good name")
}

fn open_for_both(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).expect("there")
}

/// A new device dump whose payload is a file.
fn of_file(folder: &OnDisk, called: &str, payload: &[u8]) -> NewDump<'static> {
    let path = folder.path.with_file_name("payload");
    fs::write(&path, payload).expect("written");
    let file = File::open(&path).expect("there");
    NewDump { name: name(called), payload: NewPayload::File(file) }
}

/// Every device dump of the file: name, payload, what the manifest says.
fn device_dumps(path: &Path) -> Vec<(String, Vec<u8>, Status)> {
    let dump = Dump::open(path).expect("a good file");
    let dumps: Vec<_> = dump.device_dumps().map(|each| each.expect("whole")).collect();
    let manifest = dump.manifest().expect("readable").unwrap_or_default();
    let matched = manifest.matched(&dumps);
    assert!(matched.others.is_empty(), "{:?}", matched.others);
    dumps
        .iter()
        .zip(matched.of_dumps)
        .map(|(each, record)| {
            let mut payload = Vec::new();
            each.copy_to(&mut payload).expect("readable");
            if let Some(crc) = record.and_then(|record| record.crc32c()) {
                assert_eq!(crc, each.crc32c().expect("readable"));
            }
            let name = String::from_utf8_lossy(each.name()).into_owned();
            (name, payload, record.map_or(Status::Unknown, |record| record.status()))
        })
        .collect()
}

const TOLD: &str = "VERSION=1\nNAME=nic0\nSTATUS=partial\nREASON=its collector crashed\nLENGTH=5\n";

fn elf(class: Class, endian: Endian, style: DumpStyle) -> Vmcore {
    Vmcore::new(class, endian)
        .style(style)
        .dump("nic0", vec![1; 5])
        .note(Note::prstatus(endian, 1))
        .note(Note::manifest(TOLD))
        .load(Load::new(0x1000, vec![3; 4096]))
}

fn kdump(width: Width, endian: Endian, version: u32) -> Kdump {
    Kdump::new(width, endian, version)
        .dump("nic0", vec![1; 5])
        .note(Note::manifest(TOLD))
        .page(1, &[3; 4096])
}

/// Files of all kinds that can have device dumps, all with the same in them.
fn files() -> Vec<(String, Image)> {
    let mut files = Vec::new();
    for endian in [Endian::Little, Endian::Big] {
        for class in [Class::Elf32, Class::Elf64] {
            let title = format!("{class:?} {endian:?}");
            let made = elf(class, endian, DumpStyle::Exact);
            files.push((title.clone(), made.image()));
            files.push((format!("{title} filled"), made.clone().zero_fill(100).image()));
            files.push((format!("{title} apart"), made.separate_notes().image()));
        }
        for width in [Width::Bits32, Width::Bits32Aligned, Width::Bits64] {
            for version in [4, 6] {
                let made = kdump(width, endian, version);
                files.push((format!("{width:?} {endian:?} {version}"), made.image()));
            }
        }
    }
    files
}

#[test]
fn what_is_attached_is_there_and_the_rest_is_as_it_was() {
    for (title, image) in files() {
        let file = on_disk(&image);
        let new = vec![
            of_file(&file, "nic0", b"another of that name"),
            of_file(&file, "firmware", &[7; 10_001]),
            of_file(&file, "empty", b""),
        ];
        let before = fs::read(&file.path).expect("there");
        let dump = Dump::open(&file.path).expect("a good file");
        let attached = dump.attach(&open_for_both(&file.path), new, |_| {}).expect("attached");
        let names: Vec<_> = attached.iter().map(|each| each.name.to_string()).collect();
        // All three have the last payload: it is one file here.
        assert_eq!(names, ["nic0#2", "firmware", "empty"], "{title}");

        let mut found = device_dumps(&file.path);
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let names: Vec<_> = found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["empty", "firmware", "nic0", "nic0#2"], "{title}");
        assert_eq!((&found[2].1, found[2].2), (&vec![1; 5], Status::Partial), "{title}");
        assert!(found.iter().all(|each| each.0 == "nic0" || each.2 == Status::Complete));

        let dump = Dump::open(&file.path).expect("a good file");
        let mut page = [0; 4096];
        dump.memory().read(0x1000, &mut page).expect("there");
        assert_eq!(page, [3; 4096], "{title}");
        let after = fs::read(&file.path).expect("there");
        let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        assert!(changed <= 24, "{title}: {changed} bytes of the old file differ");
    }
}

#[test]
fn payloads_are_those_of_the_files() {
    let file = on_disk(&elf(Class::Elf64, Endian::Little, DumpStyle::Paged).image());
    let large: Vec<u8> = (0..3_000_001_u32).map(|at| (at / 9) as u8).collect();
    for (called, payload) in [("small", &b"abc"[..]), ("large", &large)] {
        let dump = Dump::open(&file.path).expect("a good file");
        let new = vec![of_file(&file, called, payload)];
        let mut done = 0;
        let attached = dump.attach(&open_for_both(&file.path), new, |now| done = now);
        let length = payload.len() as u64;
        let expected = Attached { name: name(called), length, was_there: false };
        assert_eq!(attached.expect("attached"), [expected]);
        assert!(done > length);
        let found = device_dumps(&file.path);
        let found = found.iter().find(|found| found.0 == called).expect("there");
        assert!(found.1 == payload);
    }
    // The first one is still there after the second time.
    assert_eq!(device_dumps(&file.path).len(), 3);
}

/// As a saved `/proc/vmcoredd` is, which has all that `/proc/vmcore` has, and more.
#[test]
fn those_of_another_dump_come_with_their_records() {
    let told = "VERSION=1\nNAME=nic0\nSTATUS=partial\nREASON=its collector crashed\nLENGTH=5\n\
        NAME=large\nSTATUS=partial\nREASON=its collector gave an error\nERRNO=-5\nIN=vmcoredd\n\
        LENGTH=5000\nSTORED=12\nMILLISECONDS=3\n";
    let all = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", vec![1; 5])
        .dump("large", vec![8; 5000])
        .note(Note::manifest(told));
    let all = on_disk(&all.image());
    let from = Dump::open(&all.path).expect("a good file");
    for (title, image) in files() {
        let file = on_disk(&image);
        for was_there in [false, true] {
            let dumps: Vec<_> = from.device_dumps().map(|each| each.expect("whole")).collect();
            let manifest = from.manifest().expect("readable").expect("there");
            let new = dumps.iter().zip(manifest.matched(&dumps).of_dumps).map(|(each, record)| {
                let name = Name::new(each.name()).expect("a good name");
                NewDump { name, payload: NewPayload::Dump(*each, record) }
            });
            let length = fs::metadata(&file.path).expect("there").len();
            let dump = Dump::open(&file.path).expect("a good file");
            let attached = dump.attach(&open_for_both(&file.path), new.collect(), |_| {});
            let there: Vec<_> =
                attached.expect("attached").iter().map(|each| each.was_there).collect();
            assert_eq!(there, [true, was_there], "{title}");
            let grown = fs::metadata(&file.path).expect("there").len() > length;
            assert_eq!(grown, !was_there, "{title}");
            let found = device_dumps(&file.path);
            assert_eq!(found.len(), 2, "{title}");
            let large = found.iter().find(|found| found.0 == "large").expect("there");
            assert_eq!((&large.1, large.2), (&vec![8; 5000], Status::Partial), "{title}");
        }
        let dump = Dump::open(&file.path).expect("a good file");
        let manifest = dump.manifest().expect("readable").expect("there");
        let large = manifest.records().find(|record| record.name() == b"large").expect("told");
        assert_eq!((large.errno(), large.stored()), (Some(-5), Some(12)), "{title}");
    }
}

/// The manifest of a dump says of one that it is in `/proc/vmcoredd` alone: once that is
/// attached, it does not say it twice.
#[test]
fn a_record_that_waits_for_its_dump_is_used() {
    let payload = vec![8; 5000];
    let crc = {
        let alone = Vmcore::new(Class::Elf64, Endian::Little).dump("large", payload.clone());
        let file = on_disk(&alone.image());
        let dump = Dump::open(&file.path).expect("a good file");
        dump.device_dumps().next().expect("there").expect("whole").crc32c().expect("readable")
    };
    let told = format!("NAME=large\nSTATUS=complete\nIN=vmcoredd\nLENGTH=5000\nCRC32C={crc:08x}\n");
    let made = Vmcore::new(Class::Elf64, Endian::Little).note(Note::manifest(told));
    let file = on_disk(&made.image());
    let dump = Dump::open(&file.path).expect("a good file");
    let new = vec![of_file(&file, "large", &payload)];
    dump.attach(&open_for_both(&file.path), new, |_| {}).expect("attached");
    assert_eq!(device_dumps(&file.path), [("large".to_owned(), payload, Status::Complete)]);
}

/// Whenever the machine stops, the file is the old dump or the new one: the writes to
/// its start are undone one by one, from the last to the first.
#[test]
fn the_file_is_whole_at_each_moment() {
    for (title, image) in files().into_iter().filter(|(title, _)| !title.ends_with("filled")) {
        let file = on_disk(&image);
        let before = fs::read(&file.path).expect("there");
        let old = device_dumps(&file.path);
        let dump = Dump::open(&file.path).expect("a good file");
        let new = vec![of_file(&file, "new", &[5; 100])];
        dump.attach(&open_for_both(&file.path), new, |_| {}).expect("attached");
        let after = fs::read(&file.path).expect("there");
        // In the order in which they are written: the offset, then the sizes.
        let changed: Vec<usize> =
            (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
        let (first, last) = (changed[0], changed[changed.len() - 1]);
        assert!(last - first < 64, "{title}: one place");
        let offset_end =
            changed.windows(2).find(|pair| pair[1] - pair[0] > 2).map_or(last, |pair| pair[0]);
        let undone = open_for_both(&file.path);
        // The new place, and still the old size.
        undone
            .write_all_at(&before[offset_end + 1..=last], offset_end as u64 + 1)
            .expect("written");
        assert_eq!(device_dumps(&file.path), old, "{title}");
        undone.write_all_at(&before[first..=last], first as u64).expect("written");
        assert_eq!(device_dumps(&file.path), old, "{title}");
    }
}

/// With zeros behind the notes, that are counted, the size of the notes alone is written
/// first.
#[test]
fn the_file_is_whole_at_each_moment_with_fill_too() {
    let made = elf(Class::Elf64, Endian::Little, DumpStyle::Exact);
    let size = made.dumps_size() + made.notes_size();
    let file = on_disk(&made.zero_fill(100).image());
    let before = fs::read(&file.path).expect("there");
    let old = device_dumps(&file.path);
    let dump = Dump::open(&file.path).expect("a good file");
    let new = vec![of_file(&file, "new", &[5; 100])];
    dump.attach(&open_for_both(&file.path), new, |_| {}).expect("attached");
    let undone = open_for_both(&file.path);
    // `p_filesz` and `p_memsz` of the first program header, then `p_offset`.
    for field in [64 + 32, 64 + 40] {
        undone.write_all_at(&size.to_le_bytes(), field).expect("written");
    }
    assert_eq!(device_dumps(&file.path), old);
    undone.write_all_at(&before[64 + 8..64 + 16], 64 + 8).expect("written");
    assert_eq!(device_dumps(&file.path), old);
}

#[test]
fn what_cannot_be_done_leaves_the_file_as_it_was() {
    let damaged = elf(Class::Elf64, Endian::Little, DumpStyle::Exact);
    let second = damaged.header_size() + damaged.dumps_size();
    let cases = [
        (
            damaged.image().overwritten(second, &[0xff; 4]),
            "n_namesz: expected a name inside the note segment, found 0xffffffff",
        ),
        (
            kdump(Width::Bits64, Endian::Little, 3).image(),
            "header_version: expected 4 to 6, which can have notes, found 0x3",
        ),
    ];
    for (image, expected) in cases {
        let file = on_disk(&image);
        let dump = Dump::open(&file.path).expect("headers");
        let new = vec![of_file(&file, "new", &[5; 100])];
        let error = dump.attach(&open_for_both(&file.path), new, |_| {}).expect_err("refused");
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(fs::read(&file.path).expect("there") == image.to_vec());
    }

    // A file that ends behind 4 GiB, whose header has 32 bits for that.
    let file = on_disk(&elf(Class::Elf32, Endian::Little, DumpStyle::Exact).image());
    let writable = open_for_both(&file.path);
    writable.set_len(5 << 30).expect("a hole");
    let dump = Dump::open(&file.path).expect("a good file");
    let new = vec![of_file(&file, "new", &[5; 100])];
    let error = dump.attach(&writable, new, |_| {}).expect_err("refused");
    assert!(error.to_string().contains("expected a place and a size below 4 GiB"), "{error}");
    assert_eq!(fs::metadata(&file.path).expect("there").len(), 5 << 30);
    assert_eq!(device_dumps(&file.path).len(), 1);
}

#[test]
fn a_payload_that_no_note_can_have_is_refused() {
    let file = on_disk(&elf(Class::Elf64, Endian::Little, DumpStyle::Exact).image());
    let before = fs::read(&file.path).expect("there");
    let payload = File::create(file.path.with_file_name("huge")).expect("created");
    payload.set_len(u64::from(u32::MAX) - 43).expect("a hole");
    let payload = File::open(file.path.with_file_name("huge")).expect("there");
    let new = vec![NewDump { name: name("huge"), payload: NewPayload::File(payload) }];
    let dump = Dump::open(&file.path).expect("a good file");
    let error = dump.attach(&open_for_both(&file.path), new, |_| {}).expect_err("too long");
    assert!(matches!(error, AttachError::Payload { .. }), "{error}");
    assert!(fs::read(&file.path).expect("there") == before);
}
