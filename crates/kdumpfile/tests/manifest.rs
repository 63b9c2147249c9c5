// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Manifests, as the format has them and as it does not.

mod on_disk;

use std::fs;

use kdumpfile::{Dump, Error, Manifest, Record, Renamed, Status, Whereabouts, status_word};
use proptest::collection::vec;
use proptest::prelude::*;
use synth::{Class, Content, Endian, NoteSpec, Vmcore};

use on_disk::{bytes_read, on_disk};

fn empty() -> Vmcore {
    Vmcore::new(Class::Elf64, Endian::Little)
}

fn manifest(made: &Vmcore) -> Result<Option<Manifest>, Error> {
    Dump::open(&on_disk(&made.image()).path)?.manifest()
}

fn of_text(text: impl AsRef<[u8]>) -> Manifest {
    manifest(&empty().note(NoteSpec::manifest(text))).expect("readable").expect("there")
}

/// What the manifest of `made` says wrong, without the file's path.
fn message(made: &Vmcore) -> String {
    let line = manifest(made).expect_err("not readable").to_string();
    line.split_once("vmcore: ").expect("names the file").1.to_owned()
}

#[test]
fn every_value_is_found() {
    let text = "VERSION=1\nUNRECORDED=3\n\
        NAME=nic_0000:00:04.0#2\nRENAMED=unprintable,taken\nSTATUS=partial\n\
        REASON=its collector gave an error\nERRNO=-5\nIN=vmcoredd\nLENGTH=4294967251\n\
        DECLARED=4294967295\nSTORED=700\nMILLISECONDS=12\nCRC32C=00000abc\n";
    for (class, endian) in [(Class::Elf32, Endian::Big), (Class::Elf64, Endian::Little)] {
        let made =
            Vmcore::new(class, endian).dump("nic", vec![1; 5]).note(NoteSpec::manifest(text));
        let manifest = manifest(&made).expect("readable").expect("there");
        assert_eq!((manifest.version(), manifest.unrecorded()), (Some(1), Some(3)));
        let records: Vec<Record<'_>> = manifest.records().collect();
        let [record] = records[..] else { panic!("{records:?}") };
        assert_eq!(record.name(), b"nic_0000:00:04.0#2");
        assert_eq!(record.renamed(), Renamed { unprintable: true, taken: true });
        assert_eq!(record.status(), Some(Status::Partial));
        assert_eq!(record.reason(), Some(&b"its collector gave an error"[..]));
        assert_eq!(record.errno(), Some(-5));
        assert_eq!(record.whereabouts(), Some(Whereabouts::Vmcoredd));
        assert_eq!(record.length(), Some(4_294_967_251));
        assert_eq!(record.declared(), Some(4_294_967_295));
        assert_eq!(record.stored(), Some(700));
        assert_eq!(record.milliseconds(), Some(12));
        assert_eq!(record.crc32c(), Some(0xabc));
    }
}

#[test]
fn nothing_needs_to_be_there() {
    let nothing = of_text("");
    assert_eq!((nothing.version(), nothing.unrecorded()), (None, None));
    assert_eq!(nothing, Manifest::default());
    assert_eq!(nothing.records().count(), 0);

    for rest in ["", "\nSTATUS\nIN=\nLENGTH=\nERRNO=\nRENAMED=\nCRC32C=\nSTATUS="] {
        let manifest = of_text(format!("NAME={rest}"));
        let record = manifest.records().next().expect("one");
        assert_eq!(record.name(), b"");
        assert_eq!(record.renamed(), Renamed::default());
        assert_eq!(record.status(), None);
        assert_eq!((record.reason(), record.errno()), (None, None));
        assert_eq!((record.whereabouts(), record.length()), (None, None));
        assert_eq!((record.declared(), record.stored()), (None, None));
        assert_eq!((record.milliseconds(), record.crc32c()), (None, None));
    }
}

#[test]
fn what_is_no_value_is_none() {
    let manifest = of_text(
        "VERSION=one\nUNRECORDED=-1\nNAME=a\nSTATUS=COMPLETE\nIN=/proc\nLENGTH=12 \nERRNO=--5\n\
         STORED=18446744073709551616\nCRC32C=123456789\nRENAMED=taken,\nRENAMED=unprintable\n",
    );
    assert_eq!((manifest.version(), manifest.unrecorded()), (None, None));
    let record = manifest.records().next().expect("one");
    assert_eq!((record.status(), record.whereabouts()), (None, None));
    assert_eq!((record.length(), record.stored()), (None, None));
    assert_eq!((record.errno(), record.crc32c()), (None, None));
    assert_eq!(record.renamed(), Renamed { unprintable: false, taken: true });
}

#[test]
fn every_status_has_its_word() {
    let statuses = [
        ("complete", Some(Status::Complete), true),
        ("partial", Some(Status::Partial), true),
        ("failed", Some(Status::Failed), false),
        ("refused", Some(Status::Refused), false),
        ("running", Some(Status::Running), false),
        ("unknown", None, true),
    ];
    for (word, status, may_leave_dump) in statuses {
        let manifest = of_text(format!("NAME=a\nSTATUS={word}\n"));
        let record = manifest.records().next().expect("one");
        assert_eq!(record.status(), status);
        assert_eq!(status_word(status), word);
        assert_eq!(record.may_leave_dump(), may_leave_dump);
    }
}

#[test]
fn every_note_of_that_owner_and_type_counts() {
    let foreign = empty()
        .note(NoteSpec::new("CORE", 0x701, b"NAME=core\n".to_vec()))
        .note(NoteSpec::new("VMCOREDDX", 0x701, b"NAME=longer\n".to_vec()))
        .note(NoteSpec::new("VMCOREDD", 0x700, b"NAME=other type\n".to_vec()));
    assert_eq!(manifest(&foreign).expect("readable"), None);

    let several = foreign
        .note(NoteSpec::manifest("NAME=first\n"))
        .note(NoteSpec::manifest("NAME=second\n"))
        .separate_notes();
    let found = manifest(&several).expect("readable").expect("there");
    let names: Vec<_> = found.records().map(|record| record.name().to_vec()).collect();
    assert_eq!(names, [&b"first"[..], b"second"]);
}

#[test]
fn it_is_found_without_reading_a_dump() {
    let made =
        empty().dump("large", Content::Zeros(3 << 30)).note(NoteSpec::manifest("NAME=large\n"));
    let file = on_disk(&made.image());
    let before = bytes_read();
    let dump = Dump::open(&file.path).expect("a good file");
    assert_eq!(dump.manifest().expect("readable").expect("there").records().count(), 1);
    let read = bytes_read() - before;
    assert!(read < 4096, "{read} bytes read");
}

#[test]
fn one_that_is_too_long_is_not_read() {
    let of_size = |size| {
        let desc = Content::Zeros(size);
        empty().note(NoteSpec { desc, ..NoteSpec::manifest("") })
    };
    assert_eq!(
        message(&of_size((16 << 20) + 1)),
        "offset 0x1004: n_descsz of the manifest: expected at most 16 MiB, found 0x1000001"
    );
    let longest = manifest(&of_size(16 << 20)).expect("readable").expect("there");
    assert_eq!(longest.records().count(), 0);
}

#[test]
fn damage_before_it_is_an_error_and_behind_it_is_none() {
    let made = empty().dump("nic", vec![1; 5]).note(NoteSpec::manifest("NAME=nic\n"));
    let desc = made.payload_offset(0) + 8 + 12 + 12;
    for (at, is_found) in [(desc - 20, false), (desc + 12 + 4, true)] {
        let image = made.clone().note(NoteSpec::vmcoreinfo("A=B\n")).image();
        let file = on_disk(&image.overwritten(at, &[0xff; 4]));
        let dump = Dump::open(&file.path).expect("good headers");
        assert_eq!(dump.manifest().is_ok_and(|found| found.is_some()), is_found, "{at:#x}");
        assert!(dump.notes().any(|note| note.is_err()));
    }
    let file = on_disk(&made.image());
    let dump = Dump::open(&file.path).expect("a good file");
    fs::write(&file.path, made.image().truncated(desc + 3).to_vec()).expect("written");
    // The length of the file was another when it was opened.
    let line = dump.manifest().expect_err("cut").to_string();
    let expected = format!("offset {:#x}: manifest: expected more bytes, found 0x6", desc + 3);
    assert!(line.ends_with(&expected), "{line}");
}

#[test]
fn dumps_and_records_belong_together_by_name() {
    let text = "VERSION=1\nNAME=late\nSTATUS=failed\nNAME=nic\nSTATUS=refused\n\
        NAME=nic\nSTATUS=complete\nCRC32C=1\nNAME=nic#2\nSTATUS=new\nNAME=far\nSTATUS=complete\n\
        NAME=nic\nSTATUS=partial\nCRC32C=2\nNAME=nic\nSTATUS=complete\nCRC32C=3\n";
    let made = ["nic#2", "nic", "alone", "nic", ""]
        .into_iter()
        .fold(empty(), |made, name| made.dump(name, vec![1]))
        .note(NoteSpec::manifest(text));
    let file = on_disk(&made.image());
    let dump = Dump::open(&file.path).expect("a good file");
    let device_dumps: Vec<_> = dump.device_dumps().map(|each| each.expect("whole")).collect();
    let manifest = dump.manifest().expect("readable").expect("there");

    let matched = manifest.matched(&device_dumps);
    let found: Vec<_> = matched
        .of_dumps
        .iter()
        .map(|record| record.map(|record| (record.status(), record.crc32c())))
        .collect();
    let of_dumps = [
        Some((None, None)),
        Some((Some(Status::Complete), Some(1))),
        None,
        Some((Some(Status::Partial), Some(2))),
        None,
    ];
    assert_eq!(found, of_dumps);
    let others: Vec<_> = matched.others().map(|record| (record.name(), record.status())).collect();
    let expected: [(&[u8], _); 4] = [
        (b"late", Some(Status::Failed)),
        (b"nic", Some(Status::Refused)),
        (b"far", Some(Status::Complete)),
        (b"nic", Some(Status::Complete)),
    ];
    assert_eq!(others, expected);

    let nothing = Manifest::default();
    assert_eq!(nothing.matched(&device_dumps).of_dumps, [None; 5]);
    assert_eq!(manifest.matched(&[]).others().count(), manifest.records().count());
}

/// The check values of RFC 3720, B.4, and one that takes several reads.
#[test]
fn payloads_have_their_checksums() {
    let ascending: Vec<u8> = (0..32).collect();
    let long = Content::Pattern { seed: 7, length: 200_001 };
    let dumps = [
        (Vec::new().into(), 0),
        (b"123456789".to_vec().into(), 0xe306_9283),
        (Content::Zeros(32), 0x8a91_36aa),
        (vec![0xff; 32].into(), 0x62a8_ab43),
        (ascending.into(), 0x46dd_794e),
        (long.clone(), bitwise_crc32c(&long.to_vec())),
    ];
    let made = dumps.iter().fold(empty(), |made, (content, _)| made.dump("nic", content.clone()));
    let file = on_disk(&made.image());
    let dump = Dump::open(&file.path).expect("a good file");
    let found: Vec<_> = dump
        .device_dumps()
        .map(|each| each.and_then(|each| each.crc32c()).expect("readable"))
        .collect();
    assert_eq!(found, dumps.map(|(_, expected)| expected));
}

fn bitwise_crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
    let next = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(u32::MAX, next)
}

/// Text that looks like a manifest here and there.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"NAME=".to_vec()),
        Just(b"\nNAME=".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"=".to_vec()),
        "(VERSION|UNRECORDED|LENGTH|DECLARED|STORED|MILLISECONDS|CRC32C|ERRNO)=[-+0-9a-f]{0,20}\n"
            .prop_map(String::into_bytes),
        "(STATUS|REASON|IN|RENAMED)=(complete|partial|failed|vmcore|taken,)\n"
            .prop_map(String::into_bytes),
        vec(any::<u8>(), 0..20),
    ];
    prop_oneof![vec(any::<u8>(), 0..400), vec(word, 0..40).prop_map(|words| words.concat())]
}

proptest! {
    #[test]
    fn no_text_panics_and_no_name_is_lost(text in text(), dump in "[ -~]{0,3}") {
        let lines = text.split(|byte| *byte == b'\n');
        let names: Vec<&[u8]> = lines.filter_map(|line| line.strip_prefix(b"NAME=")).collect();
        let file = on_disk(&empty().dump(&dump, vec![]).note(NoteSpec::manifest(&text)).image());
        let dump = Dump::open(&file.path).expect("a good file");
        let device_dump = dump.device_dumps().next().expect("there").expect("whole");
        let manifest = dump.manifest().expect("readable").expect("there");

        let found: Vec<&[u8]> = manifest.records().map(|record| record.name()).collect();
        prop_assert_eq!(&found, &names);
        let matched = manifest.matched(&[device_dump]);
        let of_dump = matched.of_dumps.iter().flatten();
        prop_assert_eq!(of_dump.clone().count() + matched.others().count(), names.len());
        for record in of_dump {
            prop_assert_eq!(record.name(), device_dump.name());
        }
        let _ = (manifest.version(), manifest.unrecorded());
        for record in manifest.records() {
            let _ = (record.renamed(), record.status(), record.reason(), record.errno());
            let _ = (record.whereabouts(), record.length(), record.declared(), record.stored());
            let _ = (record.milliseconds(), record.crc32c());
        }
    }
}
