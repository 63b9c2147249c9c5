// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Whatever became of a collection is in the manifest, with what was collected.

use devdump::{Ending, Lent, Limits};
use vmcore::device_dump::LENGTH_MAX;
use vmcore::manifest::{Reason, Record, Renamed, Status};

use crate::given::{Given, PLENTY, write};
use crate::naive::{CHUNK, Collected, Files, noise, registers};

#[test]
fn every_ending_is_told() {
    let crashed = "its collector crashed";
    let late = "its collector did not end in time";
    let gave_error = "its collector gave an error";
    let errno = |cut| Collected { errno: -5, ..cut };
    let endings = [
        (Ending::Returned(0), b"data", Collected::complete("nic", b"data")),
        (Ending::Returned(-5), b"data", errno(Collected::cut("nic", b"data", gave_error))),
        (Ending::Crashed, b"data", Collected::cut("nic", b"data", crashed)),
        (Ending::Late, b"data", Collected::cut("nic", b"data", late)),
    ];
    let nothing = [
        (Ending::Returned(0), Collected::refused("nic", "its collector wrote nothing")),
        (Ending::Returned(-5), errno(Collected::cut("nic", b"", gave_error))),
        (Ending::Crashed, Collected::cut("nic", b"", crashed)),
        (Ending::Late, Collected::cut("nic", b"", late)),
        (Ending::Other(Reason::NoMemory), Collected::cut("nic", b"", "no memory is left for it")),
    ];
    for (ending, payload, expected) in endings {
        end(ending, Some(payload), expected);
    }
    for (ending, expected) in nothing {
        end(ending, Some(b""), expected.clone());
        end(ending, None, expected);
    }
}

#[track_caller]
fn end(ending: Ending, payload: Option<&[u8]>, expected: Collected) {
    let given = Given::new();
    given.host.advance(1_000_000);
    let collection = given.start("nic");
    let writer = payload.map(|payload| {
        let mut writer = collection.writer(None).unwrap();
        write(&mut writer, payload).unwrap();
        writer
    });
    given.host.advance(12);
    let record = collection.end(writer, ending);
    given.host.advance(1_000);
    assert_eq!(given.store.state().ended().get(0).unwrap().record(), &record);
    given.assert_files(&Files::after([Collected { milliseconds: 12, ..expected }]));
}

#[test]
fn what_is_refused_is_told() {
    let given = Given::new();
    let refused = given.store.refuse(None, Renamed::default(), Reason::NoName);
    assert_eq!((refused.status, refused.reason), (Status::Refused, Some(Reason::NoName)));
    given.assert_files(&Files::after([Collected::refused("", "its name is empty")]));
}

#[test]
fn another_length_than_declared_is_told() {
    let payload = registers(1, 5000);
    let lengths = [
        (0, "complete", ""),
        (5000, "complete", ""),
        (5001, "partial", "it is shorter than declared"),
        (1 << 32, "partial", "it is shorter than declared"),
        (4999, "complete", "it is longer than declared"),
    ];
    for (declared, status, reason) in lengths {
        let given = Given::new();
        let collection = given.start_declared("nic", declared);
        let mut writer = collection.writer(None).unwrap();
        write(&mut writer, &payload).unwrap();
        collection.end(Some(writer), Ending::Returned(0));
        let declared = declared.min(u32::MAX.into());
        let complete = Collected::complete("nic", &payload);
        let expected = Collected { status, reason, declared, ..complete };
        given.assert_files(&Files::after([expected]));
    }
}

#[test]
fn why_it_was_cut_counts_more_than_how_it_ended() {
    for ending in [Ending::Returned(-28), Ending::Crashed, Ending::Late] {
        let given = Given::with(Limits { dump: 0, ..PLENTY });
        let collection = given.start("nic");
        let mut writer = collection.writer(None).unwrap();
        assert_eq!(write(&mut writer, &[1; CHUNK]), Err(Reason::DumpLimit));
        collection.end(Some(writer), ending);
        let expected = Collected::cut("nic", b"", "it reached the limit of one dump");
        given.assert_files(&Files::after([expected]));
    }
}

#[test]
fn why_it_is_not_whole_counts_more_than_its_length() {
    let given = Given::new();
    let collection = given.start_declared("nic", 4);
    let mut writer = collection.writer(None).unwrap();
    write(&mut writer, b"more than that").unwrap();
    let record = collection.end(Some(writer), Ending::Returned(-1));
    assert_eq!((record.status, record.reason), (Status::Partial, Some(Reason::Errno(-1))));
}

#[test]
fn nothing_is_taken_behind_the_deadline() {
    let given = Given::new();
    given.host.advance(70);
    let collection = given.start("nic");
    // The time of the writer is that of its collection.
    given.host.advance(50);
    let mut writer = collection.writer(Some(100)).unwrap();
    let payload = registers(1, CHUNK + 100);
    assert_eq!(write(&mut writer, &payload), Ok(()));
    given.host.advance(49);
    assert_eq!(writer.write(b"just in time"), Ok(()));
    given.host.advance(1);
    assert_eq!(writer.write(b"late"), Err(Reason::Deadline));
    assert_eq!(writer.write(b"later"), Err(Reason::Deadline));
    // That the collector took no notice changes nothing.
    collection.end(Some(writer), Ending::Returned(0));
    let cut = [&payload, &b"just in time"[..]].concat();
    let expected = Collected::cut("nic", &cut, "its collector did not end in time");
    given.assert_files(&Files::after([Collected { milliseconds: 100, ..expected }]));
}

#[test]
fn the_deadline_passes_within_a_write() {
    let given = Given::new();
    let collection = given.start("nic");
    let mut writer = collection.writer(Some(100)).unwrap();
    let written = writer.write_with(9 * CHUNK as u64, |to| {
        to.fill(7);
        given.host.advance(60);
        true
    });
    assert_eq!(written, Err(Reason::Deadline));
    collection.end(Some(writer), Ending::Late);
    let expected = Collected::cut("nic", &[7; 2 * CHUNK], "its collector did not end in time");
    given.assert_files(&Files::after([Collected { milliseconds: 120, ..expected }]));
}

#[test]
fn a_lent_writer_can_be_taken_away() {
    let given = Given::new();
    let collection = given.start("nic");
    let lent = Lent::new(collection.writer(None).unwrap()).unwrap();
    let write = |byte: u8| {
        lent.write_with(100, |to| {
            to.fill(byte);
            true
        })
    };
    assert_eq!(write(1), Ok(()));
    let writer = lent.take();
    assert!(writer.is_some() && lent.take().is_none());
    assert_eq!(write(2), Err(Reason::Deadline));
    collection.end(writer, Ending::Late);
    assert_eq!(write(3), Err(Reason::Deadline));
    let expected = Collected::cut("nic", &[1; 100], "its collector did not end in time");
    given.assert_files(&Files::after([expected]));
}

#[test]
fn pieces_of_any_size_make_the_same_dump() {
    let payload = noise(1, 5 * CHUNK + 77);
    let sizes = [payload.len(), CHUNK, 2 * CHUNK, CHUNK - 1, CHUNK + 1, 3 * CHUNK + 5, 1];
    for size in sizes {
        let given = Given::new();
        let collection = given.start("nic");
        let mut writer = collection.writer(None).unwrap();
        for part in payload.chunks(size) {
            let length = writer.length();
            writer.write(part).unwrap();
            assert_eq!(writer.length(), length + part.len() as u64);
        }
        collection.end(Some(writer), Ending::Returned(0));
        given.assert_files(&Files::after([Collected::complete("nic", &payload)]));
    }
}

#[test]
fn a_bad_address_cuts_the_dump() {
    let given = Given::new();
    let collection = given.start("nic");
    let mut writer = collection.writer(None).unwrap();
    writer.write(&[1; 10]).unwrap();
    let mut pieces = 0;
    let written = writer.write_with(3 * CHUNK as u64, |to| {
        to.fill(2);
        pieces += 1;
        pieces < 2
    });
    assert_eq!(written, Err(Reason::BadAddress));
    assert_eq!(writer.length(), CHUNK as u64);
    assert_eq!(writer.write(b"more"), Err(Reason::BadAddress));
    collection.end(Some(writer), Ending::Returned(0));
    let payload = [&[1; 10][..], &[2; CHUNK - 10]].concat();
    let expected = Collected::cut("nic", &payload, "its collector wrote from a bad address");
    given.assert_files(&Files::after([expected]));
}

#[test]
fn nothing_is_longer_than_a_note_can_say() {
    let given = Given::new();
    let collection = given.start("nic");
    let mut writer = collection.writer(None).unwrap();
    writer.write(b"1").unwrap();
    let unexpected = |_: &mut [u8]| panic!("it is known before that this is too long");
    assert_eq!(writer.write_with(LENGTH_MAX, unexpected), Err(Reason::TooLong));
    assert_eq!(writer.write_with(u64::MAX, unexpected), Err(Reason::TooLong));
    let record = collection.end(Some(writer), Ending::Returned(0));
    assert_eq!(record.length, 1);
    let expected = Collected::cut("nic", b"1", "it is longer than a note can say");
    given.assert_files(&Files::after([expected]));
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let given = Given::new();
    let collection = given.start("nic");
    let mut writer = collection.writer(None).unwrap();
    write(&mut writer, &registers(1, 3 * CHUNK)).unwrap();
    assert!(given.store.used() > 0);
    drop(writer);
    assert_eq!(given.store.used(), 0);
    let record = collection.end(None, Ending::Crashed);
    assert_eq!(record, Record { reason: Some(Reason::Crashed), ..record });
    given.assert_files(&Files::after([Collected::cut("nic", b"", "its collector crashed")]));
}
