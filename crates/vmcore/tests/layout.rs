// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `Layout` against the whole file, built in memory piece by piece.

use proptest::collection::vec;
use proptest::prelude::*;
use vmcore::PAGE_SIZE;
use vmcore::layout::{Layout, Load, Place, Span};

/// What a file is made of.
#[derive(Debug)]
struct Parts {
    header_size: u64,
    dump_ends: Vec<u64>,
    manifest_size: u64,
    notes_size: u64,
    loads: Vec<Load>,
}

fn parts() -> impl Strategy<Value = Parts> {
    // One that ends where it starts is not in the file.
    let dump_size = prop_oneof![
        Just(0),
        Just(1),
        Just(3),
        Just(4),
        Just(64),
        Just(4032),
        Just(4033),
        Just(4096),
        1..10_000_u64,
    ];
    let notes_size = prop_oneof![Just(0), Just(1), Just(4095), Just(4096), 0..9000_u64];
    let load = (0..1_u64 << 40, 1..4_u64);
    (0..3_u64, vec(dump_size, 0..40), 0..600_u64, notes_size, vec(load, 0..6)).prop_map(
        |(header_pages, dump_sizes, manifest_size, notes_size, loads)| {
            let mut end = 0;
            let load = |(page, pages): (u64, u64)| {
                let (start, size) = (end, pages * PAGE_SIZE);
                end += size;
                let physical = page * PAGE_SIZE;
                Load { start, physical, size }
            };
            Parts {
                header_size: header_pages * PAGE_SIZE,
                dump_ends: ends(&dump_sizes),
                manifest_size,
                notes_size,
                loads: loads.into_iter().map(load).collect(),
            }
        },
    )
}

fn ends(sizes: &[u64]) -> Vec<u64> {
    let mut end = 0;
    let add = |size: &u64| {
        end += size;
        end
    };
    sizes.iter().map(add).collect()
}

/// The byte at a place: another one for nearly every other place.
fn byte_at(place: Place) -> u8 {
    let (kind, which, within) = match place {
        Place::Zeros => return 0,
        Place::Header { within } => (1, 0, within),
        Place::Dump { index, within } => (2, index as u64, within),
        Place::Manifest { within } => (5, 0, within),
        Place::Notes { within } => (3, 0, within),
        Place::Memory { physical } => (4, 0, physical),
    };
    let mixed = (kind << 48 ^ which << 32 ^ within).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 48) as u8
}

impl Parts {
    fn layout(&self) -> Option<Layout<'_, [u64]>> {
        let dumps = self.dump_ends.as_slice();
        Layout::new(self.header_size, dumps, self.manifest_size, self.notes_size, &self.loads)
    }

    /// The place of every byte of the file, one after the other.
    fn places(&self) -> Vec<Place> {
        let mut file = Vec::new();
        file.extend((0..self.header_size).map(|within| Place::Header { within }));
        let mut start = 0;
        for (index, end) in self.dump_ends.iter().enumerate() {
            file.extend((0..end - start).map(|within| Place::Dump { index, within }));
            start = *end;
        }
        file.extend((0..self.manifest_size).map(|within| Place::Manifest { within }));
        file.extend((0..self.notes_size).map(|within| Place::Notes { within }));
        while file.len() % 4096 != 0 {
            file.push(Place::Zeros);
        }
        for load in &self.loads {
            let addresses = load.physical..load.physical + load.size;
            file.extend(addresses.map(|physical| Place::Memory { physical }));
        }
        file
    }
}

/// The place `distance` bytes further on in the same part of the file.
fn further(place: Place, distance: u64) -> Place {
    match place {
        Place::Header { within } => Place::Header { within: within + distance },
        Place::Dump { index, within } => Place::Dump { index, within: within + distance },
        Place::Manifest { within } => Place::Manifest { within: within + distance },
        Place::Notes { within } => Place::Notes { within: within + distance },
        Place::Zeros => Place::Zeros,
        Place::Memory { physical } => Place::Memory { physical: physical + distance },
    }
}

/// Reads as a host does: span by span.
fn read(layout: &Layout<'_, [u64]>, mut offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(Span { place, length: span }) = layout.at(offset) {
        let wanted = span.min((length - bytes.len()) as u64);
        if wanted == 0 {
            break;
        }
        bytes.extend((0..wanted).map(|distance| byte_at(further(place, distance))));
        offset += wanted;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_offset_is_the_byte_of_the_built_file(parts in parts()) {
        let layout = parts.layout().expect("a small file");
        let places = parts.places();
        prop_assert_eq!(layout.size(), places.len() as u64);
        prop_assert_eq!(layout.memory_start() % PAGE_SIZE, 0);
        for (offset, place) in places.iter().enumerate() {
            let span = layout.at(offset as u64).expect("inside the file");
            prop_assert_eq!(span.place, *place, "at {}", offset);
            prop_assert!(span.length >= 1, "empty at {}", offset);
            let last = places.get(offset + span.length as usize - 1);
            prop_assert_eq!(last, Some(&further(*place, span.length - 1)), "from {}", offset);
        }
        prop_assert_eq!(layout.at(layout.size()), None);
        prop_assert_eq!(layout.at(u64::MAX), None);
    }

    #[test]
    fn reads_of_any_range_are_the_built_file(
        parts in parts(),
        ranges in vec((any::<prop::sample::Index>(), 0..20_000_usize), 1..20),
    ) {
        let layout = parts.layout().expect("a small file");
        let file: Vec<u8> = parts.places().into_iter().map(byte_at).collect();
        for (index, length) in ranges {
            let start = index.index(file.len() + 1);
            let end = file.len().min(start + length);
            prop_assert_eq!(read(&layout, start as u64, length), &file[start..end]);
        }
    }
}

/// Sizes up to the largest there are, and often near a limit.
fn huge() -> impl Strategy<Value = u64> {
    let near = |limit: u64| (0..3 * PAGE_SIZE).prop_map(move |less| limit - less);
    prop_oneof![
        near(u64::MAX),
        near(i64::MAX as u64),
        near(1 << 62),
        0..3 * PAGE_SIZE,
        any::<u64>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// In debug builds, a sum that wraps would panic here too.
    #[test]
    fn huge_files_are_refused_and_not_wrapped(
        header_pages in huge(),
        mut dump_ends in vec(huge(), 0..3),
        notes_size in huge(),
        load in proptest::option::of((huge(), huge(), huge())),
        offsets in vec(huge(), 10),
    ) {
        dump_ends.sort_unstable();
        dump_ends.dedup();
        let header_size = header_pages & !(PAGE_SIZE - 1);
        let loads: Vec<Load> = load
            .map(|(start, physical, size)| Load { start, physical, size })
            .into_iter()
            .collect();
        let before = [header_size, dump_ends.last().copied().unwrap_or(0), notes_size];
        let before = before.iter().map(|size| u128::from(*size)).sum::<u128>();
        let memory = loads.last().map_or(0, |load| u128::from(load.start) + u128::from(load.size));
        let size = before.next_multiple_of(PAGE_SIZE.into()) + memory;

        let layout = Layout::new(header_size, dump_ends.as_slice(), 0, notes_size, &loads);
        prop_assert_eq!(layout.is_some(), size <= i64::MAX as u128);
        let Some(layout) = layout else { return Ok(()) };
        prop_assert_eq!(u128::from(layout.size()), size);
        prop_assert_eq!(layout.at(layout.size()), None);
        for offset in offsets.into_iter().chain([0, layout.size().saturating_sub(1)]) {
            if let Some(span) = layout.at(offset) {
                prop_assert!(span.length >= 1);
                prop_assert!(offset + span.length <= layout.size());
            }
        }
    }
}

#[test]
fn an_unaligned_header_is_refused() {
    assert!(Layout::new(4095, [].as_slice(), 0, 0, &[]).is_none());
    assert!(Layout::new(0, [].as_slice(), 0, 0, &[]).is_some_and(|layout| layout.size() == 0));
}
