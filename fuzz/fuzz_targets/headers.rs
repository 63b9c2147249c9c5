// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! ELF headers, and the kernel's own among them.
//!
//! The input is the header of a vmcore, without the zeros up to the page, and
//! after it the headers that the dead kernel left.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vmcore::PAGE_SIZE;
use vmcore::elf::{FileHeader, PT_LOAD, ProgramHeader};
use vmcore::layout::{Layout, Load, Place};
use vmcore::original::{Original, write_notes_header};

fuzz_target!(|data: &[u8]| {
    if let Ok(file) = FileHeader::parse(data) {
        check_file_header(&file);
        check_segments(&file, data);
        check_notes_header(&file, data.len() as u64);
    }
    let Ok(size) = Original::header_size(data) else {
        assert!(Original::parse(data).is_err(), "it cannot be longer than itself");
        return;
    };
    assert_eq!(size % PAGE_SIZE, 0);
    let end = FileHeader::parse(data).expect("as before").program_headers_end();
    let end = end.expect("a short header") as usize;
    let Some((header, after)) = data.split_at_checked(end) else {
        return;
    };
    let mut pages = header.to_vec();
    pages.resize(size as usize, 0);
    if let Ok(original) = Original::parse(&pages) {
        check_original(&original, &pages);
        check_loads_of(&original, &pages, after);
    }
});

fn check_file_header(file: &FileHeader) {
    let size = file.encoding.file_header_size();
    let mut written = vec![0xaa; size];
    assert_eq!(file.write(&mut written[1..]), None);
    file.write(&mut written).expect("what was read can be written");
    assert_eq!(FileHeader::parse(&written), Ok(*file));
}

fn check_segments(file: &FileHeader, data: &[u8]) {
    let size = file.encoding.program_header_size();
    let available = data.len().saturating_sub(file.program_headers_offset as usize) / size;
    let expected = available.min(file.program_headers.into());
    assert_eq!(file.segments(data).count(), expected);
    let places = (file.program_headers_offset..).step_by(size);
    for ((at, segment), expected_at) in file.segments(data).zip(places) {
        assert_eq!(at, expected_at);
        let bytes = &data[at as usize..][..size];
        assert_eq!(ProgramHeader::parse(file.encoding, bytes), Some(segment));
        let mut written = vec![0xaa; size];
        segment.write(file.encoding, &mut written).expect("what was read can be written");
        assert_eq!(written, bytes);
    }
}

fn check_notes_header(file: &FileHeader, notes_size: u64) {
    let mut page = vec![0xaa; PAGE_SIZE as usize];
    write_notes_header(file.encoding, file.machine, notes_size, &mut page).expect("fits");
    let original = Original::parse(&page).expect("a header without memory");
    assert_eq!(original.notes_size(), notes_size);
    assert_eq!((original.encoding(), original.machine()), (file.encoding, file.machine));
    assert_eq!(original.loads().next(), None);
}

fn check_original(original: &Original<'_>, pages: &[u8]) {
    assert_eq!(original.notes_offset(), pages.len() as u64);
    assert!(i64::try_from(original.size()).is_ok());
    let notes_end = original.notes_offset() + original.notes_size();
    assert_eq!(original.memory_start(), notes_end.next_multiple_of(PAGE_SIZE));

    let file = FileHeader::parse(pages).expect("as before");
    let loads: Vec<Load> = original.loads().collect();
    assert_eq!(loads.len() + 1, file.program_headers.into());
    let memory_size = loads.iter().fold(0, |end, load| {
        check_load(load);
        assert_eq!(load.start, end);
        end + load.size
    });
    assert_eq!(original.memory_start() + memory_size, original.size());

    let room = original.room();
    let sizes = [0, 1, 64, 4095, 4096, 4097, room / 2, room.saturating_sub(1), room];
    for dumps_size in sizes.into_iter().filter(|size| *size <= room) {
        check_rewritten(original, pages, &loads, dumps_size);
    }
    let mut written = vec![0; pages.len()];
    assert_eq!(original.write_header(room + 1, &mut written), None);
    assert_eq!(original.write_header(0, &mut written[1..]), None);
}

fn check_load(load: &Load) {
    for field in [load.start, load.physical, load.size] {
        assert_eq!(field % PAGE_SIZE, 0);
    }
    assert!(load.size > 0);
    let last = load.physical.checked_add(load.size - 1);
    assert!(last.is_some(), "memory that ends after the last address: {load:x?}");
}

/// The header around `dumps_size` bytes of dumps is that of the same file with
/// so many more bytes of notes.
fn check_rewritten(original: &Original<'_>, pages: &[u8], loads: &[Load], dumps_size: u64) {
    let mut written = vec![0xaa; pages.len()];
    original.write_header(dumps_size, &mut written).expect("there is room");
    assert!(dumps_size > 0 || written == pages);
    let again = Original::parse(&written).expect("written as the kernel writes it");
    assert_eq!((again.encoding(), again.machine()), (original.encoding(), original.machine()));
    assert_eq!(again.notes_size(), original.notes_size() + dumps_size);
    assert!(again.loads().eq(loads.iter().copied()));

    let mut ends = vec![dumps_size / 3, dumps_size / 2, dumps_size];
    ends.retain(|end| *end > 0);
    ends.dedup();
    let dumps = ends.as_slice();
    let layout = Layout::new(pages.len() as u64, dumps, 0, original.notes_size(), loads);
    let layout = layout.expect("what the header can say");
    assert_eq!((layout.memory_start(), layout.size()), (again.memory_start(), again.size()));
    check_layout(&layout, &ends, loads);
}

/// Every byte of the file is at one place, and the places follow one another.
fn check_layout(layout: &Layout<'_, [u64]>, ends: &[u64], loads: &[Load]) {
    let mut offset = 0;
    let (mut dumps, mut memory) = (0, 0);
    while offset < layout.size() {
        let span = layout.at(offset).expect("something stands before the end");
        assert!(span.length > 0 && span.length <= layout.size() - offset);
        match span.place {
            Place::Dump { index, within } => {
                assert_eq!((index, within), (dumps, 0));
                let start = dumps.checked_sub(1).map_or(0, |previous| ends[previous]);
                assert_eq!(span.length, ends[index] - start);
                dumps += 1;
            }
            Place::Memory { physical } => {
                let load = &loads[memory];
                assert_eq!(offset, layout.memory_start() + load.start);
                assert_eq!((physical, span.length), (load.physical, load.size));
                memory += 1;
            }
            Place::Header { within } => assert_eq!((offset, within), (0, 0)),
            Place::Manifest { .. } => unreachable!("there is no manifest"),
            Place::Notes { within } => assert_eq!(within, 0),
            Place::Zeros => assert!(span.length < PAGE_SIZE),
        }
        for within in [1, span.length / 2, span.length - 1] {
            if within < span.length {
                let inside = layout.at(offset + within).expect("within the span");
                assert_eq!(inside.place, moved(span.place, within));
                assert_eq!(inside.length, span.length - within);
            }
        }
        offset += span.length;
    }
    assert_eq!((dumps, memory), (ends.len(), loads.len()));
    assert_eq!(layout.at(layout.size()), None);
    assert_eq!(layout.at(u64::MAX), None);
}

fn moved(place: Place, by: u64) -> Place {
    match place {
        Place::Header { within } => Place::Header { within: within + by },
        Place::Dump { index, within } => Place::Dump { index, within: within + by },
        Place::Manifest { within } => Place::Manifest { within: within + by },
        Place::Notes { within } => Place::Notes { within: within + by },
        Place::Zeros => Place::Zeros,
        Place::Memory { physical } => Place::Memory { physical: physical + by },
    }
}

/// The headers that the dead kernel left: those of which the kernel made just
/// this file, and those of the input.
fn check_loads_of(original: &Original<'_>, pages: &[u8], elfcorehdr: &[u8]) {
    let file = FileHeader::parse(pages).expect("as before");
    let mut left = pages.to_vec();
    for (at, mut segment) in file.segments(pages) {
        if segment.segment_type == PT_LOAD {
            segment.offset = segment.physical_address;
            segment.write(file.encoding, &mut left[at as usize..]).expect("as wide as before");
        }
    }
    let same = original.loads_of(&left).expect("the headers of this very file");
    assert!(same.eq(original.loads()));

    if let Ok(sources) = original.loads_of(elfcorehdr) {
        let sources: Vec<Load> = sources.collect();
        assert_eq!(sources.len(), original.loads().count());
        for (source, load) in sources.iter().zip(original.loads()) {
            check_load(source);
            assert_eq!((source.start, source.size), (load.start, load.size));
        }
    }
}
