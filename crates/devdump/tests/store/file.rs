// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Snapshots are the files of their moments, byte for byte.

use devdump::{Collection, DumpWriter, Ending, Limits};
use proptest::prelude::*;
use synth::{Class, Endian};

use crate::given::{Given, PLENTY, assert_same, read, read_all, write};
use crate::host::Limited;
use crate::naive::{CHUNK, Collected, Files, noise, registers};

/// Several pieces of different kinds, which need not end where chunks do.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![1..200_usize, 4030..4040_usize, CHUNK - 2..CHUNK * 2 + 3];
    let piece = (0..5, length, any::<u64>()).prop_map(|(kind, length, seed)| match kind {
        0 => vec![0; length],
        1 => noise(seed, length),
        2 => registers(seed, length),
        3 => with_holes(seed, noise(seed, length)),
        _ => with_holes(seed, registers(seed, length)),
    });
    prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

/// `bytes`, about every second page of which is zeros.
fn with_holes(seed: u64, mut bytes: Vec<u8>) -> Vec<u8> {
    for (index, page) in bytes.chunks_mut(4096).enumerate() {
        if seed >> (index % 64) & 1 != 0 {
            page.fill(0);
        }
    }
    bytes
}

fn encoding() -> impl Strategy<Value = (Class, Endian)> {
    let class = prop_oneof![Just(Class::Elf64), Just(Class::Elf32)];
    (class, prop_oneof![Just(Endian::Little), Just(Endian::Big)])
}

/// A collection that has not ended, and what it will be.
struct Open {
    collection: Collection<Limited>,
    writer: DumpWriter<Limited>,
    expected: Collected,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_snapshot_is_the_file_of_its_moment(
        (class, endian) in encoding(),
        payloads in prop::collection::vec((payload(), 0..3_usize), 0..6),
    ) {
        let given = Given::of(class, endian, PLENTY);
        let mut files = Files::new(class, endian);
        let mut taken = Vec::new();
        let mut take = |files: &Files| {
            let snapshots = (given.snapshot(&given.vmcore), given.snapshot(&given.vmcoredd));
            taken.push((snapshots, files.clone()));
        };
        let mut places: [Option<Open>; 6] = [const { None }; 6];
        let show = |places: &[Option<Open>], files: &mut Files| {
            let names = places.iter().flatten().map(|open| open.expected.name.as_str());
            files.running = names.map(Collected::running).collect();
        };
        let end = |open: Open, files: &mut Files| {
            open.collection.end(Some(open.writer), Ending::Returned(0));
            files.ended.push(open.expected);
        };
        take(&files);
        for (index, (payload, ended)) in payloads.into_iter().enumerate() {
            let expected = Collected::complete(&format!("dump{index}"), &payload);
            let collection = given.start(&expected.name);
            let mut writer = collection.writer(None).unwrap();
            write(&mut writer, &payload).unwrap();
            let place = places.iter_mut().find(|place| place.is_none()).unwrap();
            *place = Some(Open { collection, writer, expected });
            show(&places, &mut files);
            take(&files);
            // Those that started last need not end last.
            for place in places.iter_mut().rev().filter(|place| place.is_some()).take(ended) {
                end(place.take().unwrap(), &mut files);
            }
            show(&places, &mut files);
            take(&files);
        }
        for place in &mut places {
            if let Some(open) = place.take() {
                end(open, &mut files);
            }
        }
        show(&places, &mut files);
        take(&files);
        for ((vmcore, vmcoredd), files) in taken {
            assert_same(&read_all(&vmcore), &files.vmcore());
            assert_same(&read_all(&vmcoredd), &files.vmcoredd());
        }
    }

    #[test]
    fn any_range_is_that_of_the_file(
        payloads in prop::collection::vec(payload(), 0..4),
        is_running in any::<bool>(),
        ranges in prop::collection::vec((0..300_000_u64, 0..9000_usize), 40),
    ) {
        let given = Given::new();
        let mut files = Files::after([]);
        for (index, payload) in payloads.into_iter().enumerate() {
            let name = format!("nic{index}");
            given.collect(&name, &payload);
            files.ended.push(Collected::complete(&name, &payload));
        }
        let running = is_running.then(|| given.start("late"));
        files.running = running.iter().map(|_| Collected::running("late")).collect();
        let snapshot = given.snapshot(&given.vmcore);
        let whole = files.vmcore();
        for (offset, length) in ranges {
            let start = whole.len().min(offset as usize);
            let expected = &whole[start..whole.len().min(start + length)];
            prop_assert_eq!(read(&snapshot, offset, length), expected);
        }
    }
}

#[test]
fn without_collections_the_file_is_the_kernels_own() {
    let given = Given::new();
    let kernels_own = read_all(&given.snapshot(&given.vmcore));
    assert_same(&kernels_own, &Files::after([]).vmcore());
    assert!(!kernels_own.windows(8).any(|bytes| bytes == b"VMCOREDD"));
}

#[test]
fn a_snapshot_says_how_large_the_file_is() {
    let given = Given::new();
    given.collect("nic", &registers(1, 5000));
    let files = Files::after([Collected::complete("nic", &registers(1, 5000))]);
    let state = given.store.state();
    assert_eq!(given.vmcore.size(&state), Some(files.vmcore().len() as u64));
    assert_eq!(given.vmcoredd.size(&state), Some(files.vmcoredd().len() as u64));
    assert_eq!(given.snapshot(&given.vmcore).size(), files.vmcore().len() as u64);
}

#[test]
fn one_bit_is_not_zeros() {
    let given = Given::new();
    let mut files = Files::after([]);
    for at in 0..40 {
        let mut payload = [0; 40];
        payload[at] = 1 << (at % 8);
        let name = format!("bit{at}");
        given.collect(&name, &payload);
        files.ended.push(Collected::complete(&name, &payload));
    }
    given.assert_files(&files);
}

#[test]
fn many_dumps_are_found_at_their_places() {
    let given = Given::new();
    let mut files = Files::after([]);
    for index in 0..600 {
        let name = format!("d{index}");
        let payload = vec![(index % 250) as u8 + 1; 1 + index % 7];
        given.collect(&name, &payload);
        files.ended.push(Collected::complete(&name, &payload));
    }
    given.assert_files(&files);
}

#[test]
fn eight_running_collections_are_listed() {
    let given = Given::new();
    let mut collections: Vec<_> =
        (0..10).map(|index| given.start(&format!("nic{index}"))).collect();
    let mut files = Files::after([]);
    files.running = (0..8).map(|index| Collected::running(&format!("nic{index}"))).collect();
    given.assert_files(&files);

    // The third one's place is for the next one that starts.
    collections.remove(2).end(None, Ending::Crashed);
    files.ended.push(Collected::cut("nic2", b"", "its collector crashed"));
    files.running.remove(2);
    given.assert_files(&files);
    let _later = given.start("later");
    files.running.insert(2, Collected::running("later"));
    given.assert_files(&files);

    // One that is not listed ends as any other.
    collections.pop().unwrap().end(None, Ending::Crashed);
    files.ended.push(Collected::cut("nic9", b"", "its collector crashed"));
    given.assert_files(&files);
}

#[test]
fn the_vmcore_has_what_fits_in_the_order_of_arrival() {
    // Room for two of the three; the last one is small enough for what is left.
    let note = |length: u64| 64 + length;
    let inline = note(40_000) + note(8);
    let given = Given::with(Limits { inline, ..PLENTY });
    let first = registers(1, 40_000);
    let large = registers(2, 12);
    for (name, payload) in [("first", &first[..]), ("large", &large), ("small", b"8 bytes!")] {
        given.collect(name, payload);
    }
    given.collect("none", b"1");
    given.assert_files(&Files::after([
        Collected::complete("first", &first),
        Collected { inline: false, ..Collected::complete("large", &large) },
        Collected::complete("small", b"8 bytes!"),
        Collected { inline: false, ..Collected::complete("none", b"1") },
    ]));
}

#[test]
fn the_manifest_has_half_of_the_headers_room() {
    let given = Given::with(Limits { room: 2 * (64 + 8), ..PLENTY });
    given.collect("fits", b"8 bytes!");
    given.collect("not", b"1");
    given.assert_files(&Files::after([
        Collected::complete("fits", b"8 bytes!"),
        Collected { inline: false, ..Collected::complete("not", b"1") },
    ]));
}
