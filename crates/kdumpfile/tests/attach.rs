// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Adding device dumps to files.

#[allow(dead_code, reason = "not all is needed here")]
mod on_disk;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use kdumpfile::{
    Additions, AttachError, Attached, Dump, LockedDump, Name, NewDump, NewPayload, Status,
};
use synth::{Class, DumpStyle, Endian, Image, Kdump, Load, NoteSpec, Vmcore, Width};

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

/// Adds to the file at `path`: in place, or by a copy that takes its place.
fn attach<'a>(path: &Path, new: impl Into<Additions<'a>>) -> Result<Vec<Attached>, AttachError> {
    let dump = LockedDump::open(path, Duration::ZERO).expect("headers, and not locked");
    if dump.attaches_in_place() {
        return dump.attach_in_place(new, |_| {});
    }
    let copy = path.with_file_name("copy");
    let to = OpenOptions::new().read(true).write(true).create_new(true).open(&copy);
    let attached = dump.attach_to_copy(&to.expect("created"), new, |_| {});
    match &attached {
        Ok(_) => fs::rename(&copy, path).expect("renamed"),
        Err(_) => fs::remove_file(&copy).expect("removed"),
    }
    attached
}

/// Every device dump of the file: name, payload, what the manifest says.
fn device_dumps(path: &Path) -> Vec<(String, Vec<u8>, Option<Status>)> {
    let dump = Dump::open(path).expect("a good file");
    let dumps: Vec<_> = dump.device_dumps().map(|each| each.expect("whole")).collect();
    let manifest = dump.manifest().expect("readable").unwrap_or_default();
    let matched = manifest.matched(&dumps);
    assert_eq!(matched.others().next(), None);
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
            (name, payload, record.and_then(|record| record.status()))
        })
        .collect()
}

const TOLD: &str = "VERSION=1\nNAME=nic0\nSTATUS=partial\nREASON=its collector crashed\nLENGTH=5\n";

fn elf(class: Class, endian: Endian, style: DumpStyle) -> Vmcore {
    Vmcore::new(class, endian)
        .style(style)
        .dump("nic0", vec![1; 5])
        .note(NoteSpec::prstatus(endian, 1))
        .note(NoteSpec::manifest(TOLD))
        .load(Load::new(0x1000, vec![3; 4096]))
}

fn kdump(width: Width, endian: Endian, version: u32) -> Kdump {
    Kdump::new(width, endian, version)
        .dump("nic0", vec![1; 5])
        .note(NoteSpec::manifest(TOLD))
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
            files.push((format!("{title} many"), made.clone().extended_numbering().image()));
            files.push((format!("{title} apart"), made.separate_notes().image()));
        }
        for width in [Width::Bits32, Width::Bits32Aligned, Width::Bits64] {
            for version in [4, 6] {
                let made = kdump(width, endian, version);
                files.push((format!("{width:?} {endian:?}"), made.image()));
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
        let attached = attach(&file.path, new).expect("attached");
        let names: Vec<_> = attached.iter().map(|each| each.name.to_string()).collect();
        // All three have the last payload: it is one file here.
        assert_eq!(names, ["nic0#2", "firmware", "empty"], "{title}");

        let mut found = device_dumps(&file.path);
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let names: Vec<_> = found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["empty", "firmware", "nic0", "nic0#2"], "{title}");
        assert_eq!((&found[2].1, found[2].2), (&vec![1; 5], Some(Status::Partial)), "{title}");
        assert!(found.iter().all(|each| each.0 == "nic0" || each.2 == Some(Status::Complete)));

        let dump = Dump::open(&file.path).expect("a good file");
        let mut page = [0; 4096];
        dump.memory().read(0x1000, &mut page).expect("there");
        assert_eq!(page, [3; 4096], "{title}");
        if dump.attaches_in_place() {
            let after = fs::read(&file.path).expect("there");
            let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
            let changed = changed.count();
            assert!(changed <= 24, "{title}: {changed} bytes of the old file differ");
        }
    }
}

/// `p_type`, `p_offset` and `p_filesz` of the program headers of a 64-bit file.
fn segments(path: &Path) -> Vec<(u64, u64, u64)> {
    let bytes = fs::read(path).expect("there");
    let number = |at: usize, size: usize| {
        bytes[at..at + size].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    };
    let table = number(32, 8) as usize;
    (0..number(56, 2) as usize)
        .map(|index| table + index * 56)
        .map(|at| (number(at, 4), number(at + 8, 8), number(at + 32, 8)))
        .collect()
}

/// `crash` holds what stands before the memory, and looks for notes there alone.
#[test]
fn notes_of_an_elf_file_stay_before_its_memory() {
    let made = elf(Class::Elf64, Endian::Little, DumpStyle::Exact)
        .load(Load::new(0x10_0000, vec![4; 9000]));
    for image in [made.image(), made.zero_fill(5000).image()] {
        let file = on_disk(&image);
        for (called, length) in [("a", 3), ("b", 4000), ("c", 100_000)] {
            attach(&file.path, vec![of_file(&file, called, &vec![9; length])]).expect("attached");
            let segments = segments(&file.path);
            assert_eq!(segments.iter().map(|segment| segment.0).collect::<Vec<_>>(), [4, 1, 1]);
            assert!(segments[0].1 + segments[0].2 <= segments[1].1, "{segments:?}");
            assert!(segments[1..].iter().all(|segment| segment.1 % 4096 == 0), "{segments:?}");
            let dump = Dump::open(&file.path).expect("a good file");
            let mut bytes = [0; 9000];
            dump.memory().read(0x10_0000, &mut bytes).expect("there");
            assert_eq!(bytes, [4; 9000]);
        }
        assert_eq!(device_dumps(&file.path).len(), 4);
        // The zeros after the notes were used.
        let length = fs::metadata(&file.path).expect("there").len();
        assert!(length <= image.length() + 4096 * 28, "{length}");
    }
}

#[test]
fn a_file_without_notes_gets_some() {
    for load in [None, Some(Load::new(0x1000, vec![3; 4096]))] {
        let made = Vmcore::new(Class::Elf64, Endian::Little);
        let made = load.clone().into_iter().fold(made, Vmcore::load);
        // As it may be, without a place.
        let image = made.image().overwritten(64 + 8, &[0; 8]);
        let file = on_disk(&image);
        attach(&file.path, vec![of_file(&file, "new", b"abc")]).expect("attached");
        let found = device_dumps(&file.path);
        assert_eq!(found, [("new".to_owned(), b"abc".to_vec(), Some(Status::Complete))]);
        if load.is_some() {
            let dump = Dump::open(&file.path).expect("a good file");
            let mut page = [0; 4096];
            dump.memory().read(0x1000, &mut page).expect("there");
            assert_eq!(page, [3; 4096]);
            let segments = segments(&file.path);
            assert!(segments[0].1 + segments[0].2 <= segments[1].1, "{segments:?}");
        }
    }
}

/// How numbers of 32 bit dumps are aligned is told by where VMCOREINFO and notes are. New
/// notes must not make the other way look right.
#[test]
fn what_is_attached_leaves_the_alignment_clear() {
    let cases = [(Width::Bits32, "armv7l"), (Width::Bits32Aligned, "i686")];
    for endian in [Endian::Little, Endian::Big] {
        for (width, machine) in cases {
            // A dump of QEMU has neither. That data were erased says it here.
            let made = Kdump::new(width, endian, 6).machine(machine).page(5, &[3; 4096]);
            let erased_at = 4096 + if width == Width::Bits32 { 44 } else { 56 };
            let erased = made.image().overwritten(erased_at, &[0, 0, 0, 0x1f, 0x1f, 0, 0, 0]);
            for image in [made.image(), erased] {
                let file = on_disk(&image);
                let pages = || {
                    let dump = Dump::open(&file.path).expect("a good file");
                    let mut page = [0; 4096];
                    let read =
                        dump.memory().read(5 * 4096, &mut page).map_err(|error| error.to_string());
                    (dump.split_pages(), read, page)
                };
                let before = pages();
                let title = format!("{width:?} {endian:?}");
                match attach(&file.path, vec![of_file(&file, "new", &[5; 100])]) {
                    Ok(_) => {
                        let found = device_dumps(&file.path);
                        assert_eq!(
                            found,
                            [("new".to_owned(), vec![5; 100], Some(Status::Complete))]
                        );
                        assert!(before == pages(), "{title}");
                    }
                    Err(error) => {
                        assert!(error.to_string().contains("how numbers are aligned"), "{error}");
                        assert!(fs::read(&file.path).expect("there") == image.to_vec(), "{title}");
                    }
                }
            }
        }
    }
}

/// Section headers after the memory, as QEMU's dumps have them, move with it.
#[test]
fn section_headers_follow() {
    let image = elf(Class::Elf64, Endian::Little, DumpStyle::Exact).image();
    let file = on_disk(&image);
    let writable = open_for_both(&file.path);
    let mut table = [0; 128];
    let of_section = image.length() - 4096 + 8;
    table[64 + 24..64 + 32].copy_from_slice(&of_section.to_le_bytes());
    writable.write_all_at(&table, image.length()).expect("written");
    writable.write_all_at(&image.length().to_le_bytes(), 40).expect("written");
    writable.write_all_at(&[64, 0, 2, 0], 58).expect("written");
    attach(&file.path, vec![of_file(&file, "new", &[1; 50_000])]).expect("attached");
    let after = fs::read(&file.path).expect("there");
    let number = |at: usize| u64::from_le_bytes(after[at..at + 8].try_into().expect("8 bytes"));
    let sections = number(40) as usize;
    assert_eq!(sections, after.len() - 128);
    assert_eq!(number(sections + 24), 0, "a section without a place");
    assert_eq!(number(sections + 64 + 24), sections as u64 - 4096 + 8);
}

#[test]
fn payloads_are_those_of_the_files() {
    let file = on_disk(&elf(Class::Elf64, Endian::Little, DumpStyle::Paged).image());
    let large: Vec<u8> = (0..3_000_001_u32).map(|at| (at / 9) as u8).collect();
    for (called, payload) in [("small", &b"abc"[..]), ("large", &large)] {
        let attached = attach(&file.path, vec![of_file(&file, called, payload)]);
        let length = payload.len() as u64;
        let expected = Attached { name: name(called), length, was_there: false };
        assert_eq!(attached.expect("attached"), [expected]);
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
        .note(NoteSpec::manifest(told));
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
            let attached = attach(&file.path, new.collect::<Vec<_>>());
            let there: Vec<_> =
                attached.expect("attached").iter().map(|each| each.was_there).collect();
            assert_eq!(there, [true, was_there], "{title}");
            let grown = fs::metadata(&file.path).expect("there").len() > length;
            assert_eq!(grown, !was_there, "{title}");
            let found = device_dumps(&file.path);
            assert_eq!(found.len(), 2, "{title}");
            let large = found.iter().find(|found| found.0 == "large").expect("there");
            assert_eq!((&large.1, large.2), (&vec![8; 5000], Some(Status::Partial)), "{title}");
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
    let made = Vmcore::new(Class::Elf64, Endian::Little).note(NoteSpec::manifest(told));
    let file = on_disk(&made.image());
    attach(&file.path, vec![of_file(&file, "large", &payload)]).expect("attached");
    assert_eq!(device_dumps(&file.path), [("large".to_owned(), payload, Some(Status::Complete))]);
}

#[test]
fn what_cannot_be_done_leaves_the_file_as_it_was() {
    let damaged = elf(Class::Elf64, Endian::Little, DumpStyle::Exact);
    let second = damaged.header_size() + damaged.dumps_size();
    let over_notes = damaged.image().overwritten(64 + 56 + 8, &(second + 4).to_le_bytes());
    // A table that starts with the last bytes of the ELF header.
    let table = damaged.image().to_vec()[64..64 + 2 * 56].to_vec();
    let over_header =
        damaged.image().overwritten(60, &table).overwritten(32, &60_u64.to_le_bytes());
    let sections_at = |at: u64| {
        let image = damaged.image().overwritten(40, &at.to_le_bytes());
        image.overwritten(58, &[64, 0, 1, 0])
    };
    let over_sections = "e_shoff: expected a place after the other headers, found 0x";
    let cases = [
        (over_notes, "p_offset: expected a place before or after the notes, found 0x104c"),
        (over_header, "e_phoff: expected a place after the ELF header, found 0x3c"),
        (sections_at(56), &format!("{over_sections}38")),
        (sections_at(120), &format!("{over_sections}78")),
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
        let new = vec![of_file(&file, "new", &[5; 100])];
        let error = attach(&file.path, new).expect_err("refused");
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(fs::read(&file.path).expect("there") == image.to_vec());
    }

    // Its memory would end up after what 32 bits can say.
    let image = elf(Class::Elf32, Endian::Little, DumpStyle::Exact).image();
    let offset = 0xffff_f000_u32;
    let file = on_disk(&image.overwritten(52 + 32 + 4, &offset.to_le_bytes()));
    open_for_both(&file.path).set_len(1 << 32).expect("a hole");
    let new = vec![of_file(&file, "new", &[5; 5000])];
    let error = attach(&file.path, new).expect_err("refused");
    assert!(error.to_string().contains("expected a place and a size below 4 GiB"), "{error}");
    assert_eq!(fs::metadata(&file.path).expect("there").len(), 1 << 32);
    assert_eq!(device_dumps(&file.path).len(), 1);

    // What is no kdump-compressed dump, nor a stream of one, is not changed in place.
    let kdump = kdump(Width::Bits64, Endian::Little, 6).image().flattened(1000);
    for image in [elf(Class::Elf64, Endian::Little, DumpStyle::Exact).image(), kdump] {
        let file = on_disk(&image);
        let dump = LockedDump::open(&file.path, Duration::ZERO).expect("a good file");
        assert!(!dump.attaches_in_place());
        let new = vec![of_file(&file, "new", &[5; 100])];
        let error = dump.attach_in_place(new, |_| {});
        let expected = "expected kdump-compressed, to which notes can be added in place";
        assert!(error.expect_err("refused").to_string().contains(expected));
        assert!(fs::read(&file.path).expect("there") == image.to_vec());
    }
}

#[test]
fn a_payload_that_no_note_can_have_is_refused() {
    let file = on_disk(&elf(Class::Elf64, Endian::Little, DumpStyle::Exact).image());
    let before = fs::read(&file.path).expect("there");
    let payload = File::create(file.path.with_file_name("huge")).expect("created");
    payload.set_len(u64::from(u32::MAX) - 43).expect("a hole");
    let payload = File::open(file.path.with_file_name("huge")).expect("there");
    let new = vec![NewDump { name: name("huge"), payload: NewPayload::File(payload) }];
    let error = attach(&file.path, new).expect_err("too long");
    assert!(matches!(error, AttachError::Payload { .. }), "{error}");
    assert!(fs::read(&file.path).expect("there") == before);
}

/// Where the notes end the file, it grows by what is added.
#[test]
fn notes_that_end_the_file_are_extended() {
    for (width, endian) in [(Width::Bits64, Endian::Little), (Width::Bits32, Endian::Big)] {
        let file = on_disk(&kdump(width, endian, 6).dump("big", vec![7; 1_000_001]).image());
        let length = || fs::metadata(&file.path).expect("there").len();
        let before = length();
        for number in 0..50 {
            let new = vec![of_file(&file, &format!("new{number}"), &[number; 1000])];
            attach(&file.path, new).expect("attached");
        }
        let added = 50 * 1000;
        let grown = length() - before;
        println!("{width:?}: {before} bytes, {grown} more after 50 times 1,000");
        // The notes move once; each dump has a header, a record and its part of a page.
        assert!(grown <= 1_000_001 + added + 50 * 256 + 8192, "{grown}");
        let found = device_dumps(&file.path);
        assert_eq!(found.len(), 52);
        for number in 0..50 {
            let called = format!("new{number}");
            let new = found.iter().find(|found| found.0 == called).expect("there");
            assert_eq!((&new.1, new.2), (&vec![number; 1000], Some(Status::Complete)));
        }
    }
}

/// Of a manifest that is longer than readers read, nothing could be read any more.
#[test]
fn a_manifest_stays_as_short_as_it_can_be_read() {
    let told = format!("A={}\n", "x".repeat((16 << 20) - 103));
    let made = Kdump::new(Width::Bits64, Endian::Little, 6).page(1, &[3; 4096]);
    let file = on_disk(&made.dump("nic0", vec![1; 5]).note(NoteSpec::manifest(told)).image());
    let before = fs::read(&file.path).expect("there");
    let error = attach(&file.path, vec![of_file(&file, &"n".repeat(40), b"abc")]);
    let error = error.expect_err("refused").to_string();
    let expected =
        "size of the manifest: expected at most 16 MiB, with the records of what is added";
    assert!(error.contains(expected), "{error}");
    assert!(fs::read(&file.path).expect("there") == before);
    // A record that is shorter fits.
    attach(&file.path, vec![of_file(&file, "n", b"abc")]).expect("attached");
    assert_eq!(device_dumps(&file.path).len(), 2);
}

/// How long this thread has run so far, in nanoseconds; others do not count.
fn time_run() -> u64 {
    let counters = fs::read_to_string("/proc/thread-self/schedstat").expect("counters");
    counters.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

/// How much longer `of` twice as many takes.
fn ratio(of: impl Fn(usize) -> u64) -> f64 {
    const COUNT: usize = 1500;
    // What disturbs only makes it longer.
    let least = |count| (0..3).map(|_| of(count)).min().expect("some");
    least(2 * COUNT) as f64 / least(COUNT) as f64
}

/// The device dumps of `from`, with their records, are attached to `file`.
fn time_to_attach(file: &Image, from: &Image) -> u64 {
    let (file, from) = (on_disk(file), on_disk(from));
    let from = Dump::open(&from.path).expect("a good file");
    let began = time_run();
    let dumps: Vec<_> = from.device_dumps().map(|each| each.expect("whole")).collect();
    let manifest = from.manifest().expect("readable").unwrap_or_default();
    let new = dumps.iter().zip(manifest.matched(&dumps).of_dumps).map(|(each, record)| {
        let name = Name::new(each.name()).expect("a good name");
        NewDump { name, payload: NewPayload::Dump(*each, record) }
    });
    let attached = attach(&file.path, new.collect::<Vec<_>>()).expect("attached");
    let taken = time_run() - began;
    assert_eq!(attached.len(), dumps.len());
    taken
}

/// Twice as many take about twice as long, whatever they are called.
#[test]
fn twice_as_many_take_twice_as_long() {
    let made = |count: usize, first: usize, name: &dyn Fn(usize) -> String| {
        (0..count).fold(Vmcore::new(Class::Elf64, Endian::Little), |made, number| {
            made.dump(name(number), ((first + number) as u64).to_le_bytes().to_vec())
        })
    };
    let one_name = |_: usize| "nic0".to_owned();
    let long_name = |number: usize| format!("{:a<36}{number:07}", "");
    let cases: [(&str, &dyn Fn(usize) -> u64); 3] = [
        ("of one name", &|count| {
            let file = made(count, 0, &one_name).image();
            time_to_attach(&file, &made(count, count, &one_name).image())
        }),
        ("of names that are long", &|count| {
            let file = made(count, 0, &long_name).image();
            time_to_attach(&file, &made(count, count, &long_name).image())
        }),
        ("with records", &|count| {
            let records = (0..10 * count).map(|_| "NAME=nic0\nSTATUS=complete\nLENGTH=7\n");
            let told = NoteSpec::manifest(records.collect::<String>());
            let file = made(count, 0, &one_name).note(told.clone()).image();
            time_to_attach(&file, &made(count, count, &one_name).note(told).image())
        }),
    ];
    for (title, of) in cases {
        let ratio = ratio(of);
        println!("{title}: {ratio:.2} times as long");
        assert!(ratio < 3.0, "{title}: {ratio}");
    }
}
