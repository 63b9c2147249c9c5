// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! How much memory the store takes, and who gets it.

use devdump::{Ending, Limits};
use vmcore::manifest::{Reason, Renamed, Status};

use crate::given::{Given, PLENTY, write};
use crate::naive::{CHUNK, Collected, Files, noise, registers, stored};

const ALL_USED_UP: &str = "the budget of all dumps is used up";
const OWN_USED_UP: &str = "it reached the limit of one dump";
const NO_MEMORY: &str = "no memory is left for it";

/// How much one dump gets: half of what the others leave, or an eighth of all as
/// long as a 32nd is left.
fn share(total: u64, others: u64) -> usize {
    let left = total - others;
    let eighth = (total / 8).min(left.saturating_sub(total / 32));
    (left / 2).max(eighth) as usize
}

#[test]
fn no_dump_gets_all_that_is_left() {
    let total = 8 << 20;
    let given = Given::with(Limits { total, ..PLENTY });
    let mut files = Files::after([]);
    let mut kept_of_large = Vec::new();
    for index in 0..7 {
        let kept = share(total, given.store.used()) / CHUNK * CHUNK;
        let payload = noise(index, kept + CHUNK);
        let name = format!("large{index}");
        given.collect(&name, &payload);
        files.ended.push(Collected::cut(&name, &payload[..kept], ALL_USED_UP));
        kept_of_large.push(kept / CHUNK);

        let name = format!("small{index}");
        let payload = noise(index, 500);
        given.collect(&name, &payload);
        files.ended.push(Collected::complete(&name, &payload));
        assert!(given.store.used() <= total);
    }
    assert_eq!(kept_of_large, [128, 63, 32, 24, 4, 2, 1]);
    given.assert_files(&files);
}

#[test]
fn what_others_write_at_the_same_time_counts() {
    let total = 20 * CHUNK as u64;
    let given = Given::with(Limits { total, ..PLENTY });
    let (one, other) = (given.start("one"), given.start("other"));
    let mut first = one.writer(None).unwrap();
    let mut second = other.writer(None).unwrap();
    let payload = noise(1, 11 * CHUNK);
    assert_eq!(write(&mut first, &payload[..4 * CHUNK]), Ok(()));
    assert_eq!(write(&mut second, &payload), Err(Reason::Budget));
    assert_eq!(second.length(), 8 * CHUNK as u64);
    assert_eq!(write(&mut first, &payload), Err(Reason::Budget));
    assert_eq!(first.length(), 6 * CHUNK as u64);
    assert_eq!(given.store.used(), 14 * CHUNK as u64);
    drop(second);
    assert_eq!(given.store.used(), 6 * CHUNK as u64);
}

#[test]
fn one_dump_has_a_limit_of_its_own() {
    // What is after the last whole chunk does not fit.
    for (limit, kept) in [(2 * CHUNK, 2 * CHUNK), (2 * CHUNK - 1, CHUNK), (CHUNK - 1, 0)] {
        let given = Given::with(Limits { dump: limit as u64, ..PLENTY });
        let payload = noise(1, 2 * CHUNK + 1);
        given.collect("large", &payload);
        given.collect("small", b"small");
        given.assert_files(&Files::after([
            Collected::cut("large", &payload[..kept], OWN_USED_UP),
            Collected::complete("small", b"small"),
        ]));
    }
}

#[test]
fn what_a_dump_is_compressed_to_counts() {
    let payload = registers(1, 40 * CHUNK);
    let size = stored(&payload);
    assert!(size < 20 * CHUNK as u64);
    let given = Given::with(Limits { dump: size, ..PLENTY });
    let record = given.collect("nic", &payload);
    assert_eq!(u64::from(record.stored), size);
    assert!((size..size + 2000).contains(&given.store.used()));
    given.assert_files(&Files::after([Collected::complete("nic", &payload)]));
}

#[test]
fn zeros_take_nothing() {
    let given = Given::with(Limits { dump: 0, ..PLENTY });
    given.host.set_affords(false);
    let zeros = vec![0; 10 * CHUNK];
    given.collect("first", &zeros);
    let before = given.host.held();
    given.collect("nic", &zeros);
    assert!(given.host.held() - before < 1500);
    let dumps = ["first", "nic"].map(|name| Collected::complete(name, &zeros));
    given.assert_files(&Files::after(dumps));
}

#[test]
fn dumps_of_zeros_have_an_end() {
    let total = 10_000;
    let given = Given::with(Limits { total, ..PLENTY });
    let mut files = Files::after([]);
    for index in 0..100 {
        let name = format!("nic{index}");
        let record = given.collect(&name, &[0; 50]);
        if record.status == Status::Complete {
            files.ended.push(Collected::complete(&name, &[0; 50]));
        } else {
            assert_eq!((record.status, record.reason), (Status::Failed, Some(Reason::Budget)));
            files.unrecorded += 1;
        }
        assert!(given.store.used() <= total);
    }
    assert!(files.unrecorded > 0 && !files.ended.is_empty());
    given.assert_files(&files);
}

#[test]
fn what_is_refused_has_an_end_too() {
    let given = Given::with(Limits { total: 10_000, ..PLENTY });
    let mut files = Files::after([]);
    for _ in 0..100 {
        let record = given.store.refuse(None, Renamed::default(), Reason::NoName);
        if record.status == Status::Refused {
            files.ended.push(Collected::refused("", "its name is empty"));
        } else {
            assert_eq!((record.status, record.reason), (Status::Failed, Some(Reason::Budget)));
            files.unrecorded += 1;
        }
    }
    assert!(files.unrecorded > 0 && !files.ended.is_empty());
    given.assert_files(&files);
}

#[test]
fn that_nothing_is_recorded_is_told() {
    let given = Given::with(Limits { total: 0, ..PLENTY });
    given.store.refuse(None, Renamed::default(), Reason::NoName);
    given.assert_files(&Files { unrecorded: 1, ..Files::after([]) });
}

#[test]
fn a_host_that_cannot_afford_more_cuts_dumps() {
    let given = Given::new();
    let payload = noise(1, 10 * CHUNK);
    let (cut, nothing) = (given.start("cut"), given.start("nothing"));
    let mut writer = cut.writer(None).unwrap();
    write(&mut writer, &payload[..CHUNK]).unwrap();
    given.host.set_affords(false);
    // What it has allocated already is used.
    assert_eq!(write(&mut writer, &payload[CHUNK..]), Err(Reason::NoMemory));
    let kept = writer.length() as usize;
    assert!((1..10).contains(&(kept / CHUNK)) && kept.is_multiple_of(CHUNK));
    cut.end(Some(writer), Ending::Returned(0));
    let mut writer = nothing.writer(None).unwrap();
    assert_eq!(write(&mut writer, &payload), Err(Reason::NoMemory));
    nothing.end(Some(writer), Ending::Returned(0));
    given.host.set_affords(true);
    given.collect("later", &payload);
    given.assert_files(&Files::after([
        Collected::cut("cut", &payload[..kept], NO_MEMORY),
        Collected::cut("nothing", b"", NO_MEMORY),
        Collected::complete("later", &payload),
    ]));
}

#[test]
fn a_small_dump_takes_little_more_than_its_bytes() {
    let given = Given::new();
    let (before, count) = (given.host.held(), 2000);
    for index in 0..count {
        given.collect(&format!("nic{index}"), &noise(index, 1000));
    }
    let each = (given.host.held() - before) / count;
    assert!((1000..=1290).contains(&each), "{each} bytes for 1000");
    let counted = given.store.used() / count;
    assert!((1000..=each).contains(&counted), "{counted} bytes of the budget, {each} taken");
}

#[test]
fn what_a_dump_leaves_of_its_memory_is_for_others() {
    let given = Given::new();
    let (room, least) = (4 * CHUNK, 1000);
    // More than are kept at hand; the last one has the most room.
    let sizes = (0..9).map(|_| room - least).chain([10_000]);
    let collectors = sizes.map(|size| {
        let collection = given.start("nic");
        let mut writer = collection.writer(None).unwrap();
        write(&mut writer, &noise(1, size)).unwrap();
        (collection, writer)
    });
    for (collection, writer) in collectors.collect::<Vec<_>>() {
        collection.end(Some(writer), Ending::Returned(0));
    }
    given.host.set_affords(false);
    assert_eq!(given.collect("large", &noise(1, CHUNK)).status, Status::Complete);
    assert_eq!(given.collect("small", &noise(1, least)).status, Status::Complete);
}

#[test]
fn what_has_no_place_for_one_chunk_has_it_for_another_dump() {
    let given = Given::new();
    let small = registers(1, CHUNK);
    let rest = CHUNK - stored(&small) as usize;
    // The last chunk is the first one of new memory.
    given.collect("first", &[small, noise(1, 4 * CHUNK)].concat());
    given.host.set_affords(false);
    for length in [3 * CHUNK, rest] {
        assert_eq!(given.collect("later", &noise(2, length)).status, Status::Complete);
    }
    assert_eq!(given.collect("none", &noise(2, 1)).status, Status::Failed);
}

#[test]
fn many_writers_at_once_leave_little() {
    let given = Given::new();
    let before = given.host.held();
    let writers: Vec<_> = (0..20).map(|_| given.start("nic").writer(None).unwrap()).collect();
    let each = (given.host.held() - before) / 20;
    assert!(each > CHUNK as u64);
    drop(writers);
    assert!(given.host.held() - before < 2 * each);
}

#[test]
fn all_memory_is_given_back() {
    let given = Given::new();
    let host = given.host.clone();
    for index in 0..200 {
        given.collect("nic", &noise(index, 3000 * index as usize % 100_000));
    }
    let snapshot = given.snapshot(&given.vmcore);
    drop(given);
    assert!(host.held() > 0);
    drop(snapshot);
    assert_eq!(host.held(), 0);
}
