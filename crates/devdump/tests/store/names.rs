// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Every dump has a name of its own, and says where that is not what was asked for.

use std::collections::HashSet;

use devdump::{Collection, Ending};
use vmcore::device_dump::Name;
use vmcore::manifest::{Reason, Record, Renamed};

use crate::given::{Given, write};
use crate::naive::{Collected, Files};

fn name(record: &Record) -> String {
    record.name.unwrap().to_string()
}

#[test]
fn names_are_unique() {
    let given = Given::new();
    let asked = ["nic", "nic", "nic#3", "nic", "gpu#7", "gpu", "gpu"];
    let names = asked.map(|asked| name(&given.collect(asked, b"x")));
    assert_eq!(names, ["nic", "nic#2", "nic#3", "nic#4", "gpu#7", "gpu", "gpu#8"]);
}

#[test]
fn names_are_unique_without_memory_to_know_them() {
    for fail in 0..=20 {
        let given = Given::new();
        for index in 0..100 {
            if index == 32 {
                given.host.fail_once(fail);
            }
            given.collect(&format!("nic{}", index % 50), b"x");
        }
        let state = given.store.state();
        let names: HashSet<String> = state.ended().iter().map(|dump| name(dump.record())).collect();
        assert_eq!(names.len(), state.ended().count(), "{fail}: {names:?}");
        assert!(names.len() >= 99);
    }
}

#[test]
fn numbers_in_names_themselves_do_no_harm() {
    let given = Given::new();
    let long = format!("{}#2", "a".repeat(41));
    let highest = format!("x#{}", u32::MAX);
    let asked = [&long, &long, &long, &highest, "x", "x", "x"];
    let names: HashSet<String> =
        asked.iter().map(|asked| name(&given.collect(asked, b"x"))).collect();
    assert_eq!(names.len(), asked.len(), "{names:?}");
}

#[test]
fn a_running_collection_has_its_name_already() {
    let given = Given::new();
    let first = given.start("nic");
    let second = given.start("nic");
    assert_eq!(
        (first.name().to_string(), second.name().to_string()),
        ("nic".into(), "nic#2".into())
    );
    let mut files = Files::after([]);
    let second_running = Collected { renamed: "taken", ..Collected::running("nic#2") };
    files.running = vec![Collected::running("nic"), second_running];
    given.assert_files(&files);

    for (collection, payload) in [(second, b"2"), (first, b"1")] {
        let mut writer = collection.writer(None).unwrap();
        write(&mut writer, payload).unwrap();
        collection.end(Some(writer), Ending::Returned(0));
    }
    given.assert_files(&Files::after([
        Collected { renamed: "taken", ..Collected::complete("nic#2", b"2") },
        Collected::complete("nic", b"1"),
    ]));
}

#[test]
fn more_than_are_listed_have_names_of_their_own() {
    let given = Given::new();
    let collections: Vec<_> = (0..12).map(|_| given.start("nic")).collect();
    let end = |collection: Collection<_>| collection.end(None, Ending::Crashed);
    let records: Vec<Record> = collections.into_iter().rev().map(end).collect();
    let names: HashSet<String> = records.iter().map(name).collect();
    assert_eq!(names.len(), 12, "{names:?}");
    assert!(records.iter().all(|record| record.renamed.taken == (name(record) != "nic")));
    let state = given.store.state();
    assert_eq!(state.running().count(), 0);
    assert!(state.ended().iter().map(|dump| dump.record()).eq(&records));
}

#[test]
fn one_that_is_not_listed_leaves_the_lines_of_another() {
    let given = Given::new();
    let mut others: Vec<_> = (0..8).map(|index| given.start(&format!("gpu{index}"))).collect();
    let not_listed = given.start("nic");
    others.remove(0).end(None, Ending::Crashed);
    let listed = given.start("nic");
    assert_eq!(name(&not_listed.end(None, Ending::Crashed)), "nic#2");
    let has_lines = |record: &Record| record.name.as_ref() == Some(listed.name());
    assert!(given.store.state().running().any(has_lines));
    assert_eq!(name(&listed.end(None, Ending::Crashed)), "nic");
}

#[test]
fn a_refused_one_leaves_the_lines_of_a_running_one() {
    let given = Given::new();
    let running = given.start("nic");
    given.store.refuse(Some(*running.name()), Renamed::default(), Reason::NoCallback);
    let mut files = Files::after([Collected::refused("nic", "it has no callback")]);
    files.running = vec![Collected::running("nic")];
    given.assert_files(&files);

    assert_eq!(name(&running.end(None, Ending::Crashed)), "nic");
    files.running.clear();
    files.ended.push(Collected::cut("nic", b"", "its collector crashed"));
    given.assert_files(&files);
}

#[test]
fn names_are_printable_and_no_paths() {
    let given = Given::new();
    for asked in [&b"a\nb\xff"[..], b"../nvme0/ctrl", b"a\nb\xff"] {
        let renamed = Renamed { unprintable: !asked.is_ascii(), taken: false };
        let asked = Name::new(asked).unwrap();
        let collection = Collection::start(&given.store, &asked, renamed, 0);
        let mut writer = collection.writer(None).unwrap();
        write(&mut writer, b"x").unwrap();
        collection.end(Some(writer), Ending::Returned(0));
    }
    given.assert_files(&Files::after([
        Collected { renamed: "unprintable", ..Collected::complete("a?b?", b"x") },
        Collected::complete("..!nvme0!ctrl", b"x"),
        Collected { renamed: "unprintable,taken", ..Collected::complete("a?b?#2", b"x") },
    ]));
}
