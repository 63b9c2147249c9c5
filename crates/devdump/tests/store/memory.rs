// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Memory runs out at every place where it can.

use devdump::{BuildError, Collection, Ending, Lent, Snapshot, Store};
use kmem::NoMemory;
use vmcore::manifest::{Reason, Record, Status};

use crate::given::{Given, PLENTY, write};
use crate::host::Limited;
use crate::naive::{CHUNK, Collected, Files, noise, registers};

/// How the host fails after so many allocations.
type Fail = fn(&Limited, u64);
const FAILS: [Fail; 2] = [Limited::refill, Limited::fail_once];

/// Compressed, raw and zero chunks, and a part of one.
fn payload() -> Vec<u8> {
    [registers(1, CHUNK), noise(2, 6 * CHUNK), vec![0; CHUNK], registers(3, 100)].concat()
}

/// How many times `work` allocates.
fn allocations<R>(host: &Limited, work: impl FnOnce() -> R) -> u64 {
    host.refill(u64::MAX);
    work();
    u64::MAX - host.left()
}

/// A store with one dump already.
fn given_first() -> (Given, Files) {
    let given = Given::new();
    given.collect("first", b"payload");
    (given, Files::after([Collected::complete("first", b"payload")]))
}

/// A whole collection; `None` where it ended before the collector was called.
fn collect(given: &Given) -> (Record, Option<Result<(), Reason>>) {
    let collection = given.start("second");
    let lent = collection.writer(None).and_then(Lent::new);
    let Ok(lent) = lent else {
        return (collection.end(None, Ending::Other(Reason::NoMemory)), None);
    };
    let payload = payload();
    let mut parts = payload.chunks(5000);
    let written = parts.try_for_each(|part| {
        let mut rest = part;
        lent.write_with(part.len() as u64, |to| {
            let (now, later) = rest.split_at(to.len());
            to.copy_from_slice(now);
            rest = later;
            true
        })
    });
    (collection.end(lent.take(), Ending::Returned(0)), Some(written))
}

/// What must be in the files after `record` was given.
fn expect(files: &mut Files, record: &Record, written: Option<Result<(), Reason>>) {
    let payload = payload();
    let kept = &payload[..record.length as usize];
    match (record.status, record.reason) {
        (Status::Complete, None) => {
            assert_eq!((written, kept.len()), (Some(Ok(())), payload.len()))
        }
        (Status::Partial, Some(Reason::NoMemory)) => assert!(kept.len().is_multiple_of(CHUNK)),
        (Status::Failed, Some(Reason::NoMemory)) => assert!(kept.is_empty()),
        other => panic!("{other:?}"),
    }
    files.ended.push(match record.status {
        Status::Complete => Collected::complete("second", kept),
        _ => Collected::cut("second", kept, "no memory is left for it"),
    });
}

#[test]
fn a_collection_without_memory_does_no_harm() {
    let given = given_first().0;
    let count = allocations(&given.host, || collect(&given));
    assert!(count >= 8, "a collection allocates {count} times");
    for (fail, failing) in FAILS.into_iter().flat_map(|fail| (0..=count).map(move |at| (fail, at)))
    {
        let (given, mut files) = given_first();
        let used = given.store.used();
        fail(&given.host, failing);
        let (record, written) = collect(&given);
        given.host.refill(u64::MAX);

        if given.store.state().ended().count() == 2 {
            expect(&mut files, &record, written);
            assert!(given.store.used() > used + u64::from(record.stored));
        } else {
            let outcome = (record.status, record.reason, record.length);
            assert_eq!(outcome, (Status::Failed, Some(Reason::NoMemory), 0));
            files.unrecorded = 1;
            assert_eq!(given.store.used(), used);
        }
        given.assert_files(&files);
        assert!(failing < count || record.status == Status::Complete);
    }
}

#[test]
fn a_writer_gives_its_budget_back() {
    let work = |given: &Given, collection: &Collection<Limited>| {
        let mut writer = collection.writer(None)?;
        let _ = write(&mut writer, &payload());
        assert!(given.store.used() <= writer.length());
        Ok(())
    };
    let given = Given::new();
    let collection = given.start("nic");
    let count = allocations(&given.host, || work(&given, &collection));
    assert!(count >= 3, "a writer allocates {count} times");
    let before = given.host.held();
    for (fail, failing) in FAILS.into_iter().flat_map(|fail| (0..=count).map(move |at| (fail, at)))
    {
        fail(&given.host, failing);
        let _: Result<(), NoMemory> = work(&given, &collection);
        given.host.refill(u64::MAX);
        assert_eq!(given.store.used(), 0);
    }
    assert!(given.host.held() - before < 1 << 20);
    collection.end(None, Ending::Crashed);
    given.assert_files(&Files::after([Collected::cut("nic", b"", "its collector crashed")]));
}

#[test]
fn a_snapshot_without_memory_is_an_error() {
    let (given, files) = given_first();
    for file in [&given.vmcore, &given.vmcoredd] {
        let count = allocations(&given.host, || given.snapshot(file));
        assert_eq!(count, 6, "a header, a chunk, what counts their owners, and a lock");
        for failing in 0..count {
            given.host.fail_once(failing);
            let snapshot = Snapshot::new(file.clone(), given.store.state());
            assert!(matches!(snapshot, Err(BuildError::NoMemory)));
        }
    }
    given.host.refill(u64::MAX);
    given.assert_files(&files);
}

#[test]
fn a_store_without_memory_is_an_error() {
    let host = Limited::unlimited();
    let new = || Store::<Limited>::new(PLENTY);
    let count = allocations(&host, new);
    assert!(count >= 4, "a store allocates {count} times");
    for failing in 0..count {
        host.fail_once(failing);
        assert!(matches!(new(), Err(NoMemory)));
        assert_eq!(host.held(), 0);
    }
}

#[test]
fn a_collection_that_is_not_listed_for_want_of_memory_ends_as_any_other() {
    let (given, mut files) = given_first();
    given.host.refill(0);
    let collection = given.start("second");
    given.host.refill(u64::MAX);
    given.assert_files(&files);
    // Nobody knows of it, so that its name is free.
    let other = given.start("second");
    let mut writer = collection.writer(None).unwrap();
    write(&mut writer, b"payload").unwrap();
    collection.end(Some(writer), Ending::Returned(0));
    other.end(None, Ending::Crashed);
    files.ended.extend([
        Collected { renamed: "taken", ..Collected::complete("second#2", b"payload") },
        Collected::cut("second", b"", "its collector crashed"),
    ]);
    given.assert_files(&files);
}

#[test]
fn a_chunk_is_kept_where_more_cannot_be_had_at_once() {
    let given = Given::new();
    let collection = given.start("nic");
    let mut writer = collection.writer(None).unwrap();
    given.host.fail_once(0);
    let payload = noise(1, 2 * CHUNK);
    assert_eq!(write(&mut writer, &payload), Ok(()));
    collection.end(Some(writer), Ending::Returned(0));
    given.assert_files(&Files::after([Collected::complete("nic", &payload)]));
}
