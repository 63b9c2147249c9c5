// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The store and its snapshots against a file built naively in memory.

mod host;

use std::collections::HashSet;
use std::rc::Rc;

use devdump::{
    AddError, Buffer, BuildError, CHUNK_SIZE, CoreFile, Dump, DumpWriter, List, Memory, Snapshot,
    Store,
};
use host::{Limited, Pattern};
use proptest::prelude::*;
use vmcore::device_dump::Name;
use vmcore::elf::{Class, EM_X86_64, Encoding, Endian, FileHeader, PT_LOAD, PT_NOTE};
use vmcore::elf::{ET_CORE, ProgramHeader};
use vmcore::original::Original;

const NOTES: &[u8] = b"\x05\0\0\0\x04\0\0\0\x01\0\0\0CORE\0\0\0\0regs";
const LOADS: [(u64, u64); 2] = [(0x10_0000, 0x3000), (0x4000_0000, 0x1000)];
const ENCODING: Encoding = Encoding { class: Class::Elf64, endian: Endian::Little };

fn pad(file: &mut Vec<u8>, to: usize) {
    file.resize(file.len().next_multiple_of(to), 0);
}

/// Header pages as the kernel writes them, with `dumps_size` more bytes of notes.
fn header(dumps_size: usize) -> Vec<u8> {
    let mut header = vec![0; 4096];
    let file = FileHeader {
        encoding: ENCODING,
        file_type: ET_CORE,
        machine: EM_X86_64,
        flags: 0,
        entry: 0,
        program_headers_offset: 64,
        program_headers: 1 + LOADS.len() as u16,
        section_headers_offset: 0,
    };
    file.write(&mut header).unwrap();
    let notes_size = (NOTES.len() + dumps_size) as u64;
    let note = ProgramHeader {
        segment_type: PT_NOTE,
        offset: 4096,
        file_size: notes_size,
        memory_size: notes_size,
        align: 4,
        ..Default::default()
    };
    note.write(ENCODING, &mut header[64..]).unwrap();
    let mut offset = (4096 + notes_size).next_multiple_of(4096);
    for (index, (physical, size)) in LOADS.into_iter().enumerate() {
        let load = ProgramHeader {
            segment_type: PT_LOAD,
            offset,
            physical_address: physical,
            file_size: size,
            memory_size: size,
            ..Default::default()
        };
        load.write(ENCODING, &mut header[64 + 56 * (index + 1)..]).unwrap();
        offset += size;
    }
    header
}

fn naive_notes(dumps: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut notes = Vec::new();
    for (name, payload) in dumps {
        notes.extend(8_u32.to_le_bytes());
        notes.extend((44 + payload.len() as u32).to_le_bytes());
        notes.extend(0x700_u32.to_le_bytes());
        notes.extend(b"LINUX\0\0\0");
        notes.extend(name.as_bytes());
        notes.resize(notes.len() + 44 - name.len(), 0);
        notes.extend(payload);
        pad(&mut notes, 4);
    }
    notes
}

/// The whole file as readers must see it.
fn naive_vmcore(dumps: &[(String, Vec<u8>)]) -> Vec<u8> {
    let notes = naive_notes(dumps);
    let mut file = header(notes.len());
    file.extend(notes);
    file.extend(NOTES);
    pad(&mut file, 4096);
    for (physical, size) in LOADS {
        file.extend((physical..physical + size).map(Pattern::byte));
    }
    file
}

fn core_file(memory: &Limited) -> Result<Rc<CoreFile<Limited>>, BuildError> {
    let header = header(0);
    let mut loads = memory.list();
    Original::parse(&header)?.loads().try_for_each(|load| loads.push(load))?;
    Ok(Rc::new(CoreFile::vmcore(header, Rc::new(NOTES.to_vec()), loads)?))
}

fn dump(memory: &Limited, name: &str, payload: &[u8]) -> Dump<Limited> {
    let mut writer = DumpWriter::new(memory.clone(), Name::new(name.as_bytes()).unwrap()).unwrap();
    for part in payload.chunks(4099) {
        writer.write(part).unwrap();
    }
    writer.finish().unwrap()
}

fn read_all(snapshot: &Snapshot<Limited>) -> Vec<u8> {
    read(snapshot, 0, snapshot.size() as usize + 1)
}

fn read(snapshot: &Snapshot<Limited>, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0xaa; length];
    let done = snapshot.read(offset, &mut Buffer::new(&mut bytes), &Pattern).unwrap();
    bytes.truncate(done);
    bytes
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![1..200_usize, 4030..4040_usize, CHUNK_SIZE - 2..CHUNK_SIZE * 2 + 3];
    (length, any::<u8>(), any::<bool>()).prop_map(|(length, seed, holes)| {
        let byte = |at: usize| seed.wrapping_mul(31).wrapping_add(at as u8).wrapping_add(1);
        let hole = |at: usize| holes && at < CHUNK_SIZE;
        (0..length).map(|at| if hole(at) { 0 } else { byte(at) }).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_snapshot_is_the_file_of_its_moment(payloads in prop::collection::vec(payload(), 0..6)) {
        let memory = Limited::unlimited();
        let file = core_file(&memory).unwrap();
        let mut store = Store::new(memory.clone(), u64::MAX);
        let mut dumps = Vec::new();
        let mut taken = Vec::new();
        for (index, payload) in payloads.into_iter().enumerate() {
            taken.push((Snapshot::new(&memory, file.clone(), store.table().clone()).unwrap(), dumps.clone()));
            let name = format!("dump{index}");
            store.add(dump(&memory, &name, &payload)).unwrap();
            dumps.push((name, payload));
        }
        taken.push((Snapshot::new(&memory, file, store.table().clone()).unwrap(), dumps));
        for (snapshot, dumps) in taken {
            prop_assert_eq!(read_all(&snapshot), naive_vmcore(&dumps));
        }
    }

    #[test]
    fn any_range_is_that_of_the_file(
        payloads in prop::collection::vec(payload(), 0..4),
        ranges in prop::collection::vec((0..200_000_u64, 0..9000_usize), 40),
    ) {
        let memory = Limited::unlimited();
        let mut store = Store::new(memory.clone(), u64::MAX);
        let mut dumps = Vec::new();
        for payload in payloads {
            let name = store.add(dump(&memory, "nic", &payload)).unwrap();
            dumps.push((name.to_string(), payload));
        }
        let file = core_file(&memory).unwrap();
        let snapshot = Snapshot::new(&memory, file, store.table().clone()).unwrap();
        let naive = naive_vmcore(&dumps);
        for (offset, length) in ranges {
            let start = naive.len().min(offset as usize);
            let expected = &naive[start..naive.len().min(start + length)];
            prop_assert_eq!(read(&snapshot, offset, length), expected);
        }
    }
}

#[test]
fn a_full_memory_leaves_everything_as_it_was() {
    let memory = Limited::unlimited();
    let file = core_file(&memory).unwrap();
    let mut store = Store::new(memory.clone(), u64::MAX);
    store.add(dump(&memory, "first", b"payload")).unwrap();
    let before = Snapshot::new(&memory, file.clone(), store.table().clone()).unwrap();

    let mut failures = 0;
    loop {
        let second = dump(&memory, "second", b"more");
        memory.refill(failures);
        let added = store.add(second);
        memory.refill(u64::MAX);
        let now = Snapshot::new(&memory, file.clone(), store.table().clone()).unwrap();
        if added.is_ok() {
            assert_ne!(read_all(&now), read_all(&before));
            break;
        }
        assert_eq!(added, Err(AddError::NoMemory));
        assert_eq!(read_all(&now), read_all(&before));
        failures += 1;
    }
    assert!(failures >= 4, "an add allocates a dump, a row and the list of rows: {failures}");
}

#[test]
fn a_snapshot_without_memory_is_an_error() {
    let memory = Limited::unlimited();
    let file = core_file(&memory).unwrap();
    let table = Store::new(memory.clone(), 0).table().clone();
    memory.refill(0);
    assert!(matches!(Snapshot::new(&memory, file, table), Err(BuildError::NoMemory)));
}

#[test]
fn names_are_unique() {
    let memory = Limited::unlimited();
    let mut store = Store::new(memory.clone(), u64::MAX);
    let names: Vec<String> = ["nic", "nic", "nic#3", "nic", "gpu#7", "gpu", "gpu"]
        .into_iter()
        .map(|name| store.add(dump(&memory, name, b"x")).unwrap().to_string())
        .collect();
    assert_eq!(names, ["nic", "nic#2", "nic#3", "nic#4", "gpu#7", "gpu", "gpu#8"]);
}

#[test]
fn numbers_in_names_themselves_do_no_harm() {
    let memory = Limited::unlimited();
    let mut store = Store::new(memory.clone(), u64::MAX);
    let long = format!("{}#2", "a".repeat(41));
    let highest = format!("x#{}", u32::MAX);
    let asked = [&long, &long, &long, &highest, "x", "x", "x"];
    let names: HashSet<String> = asked
        .iter()
        .map(|name| store.add(dump(&memory, name, b"x")).unwrap().to_string())
        .collect();
    assert_eq!(names.len(), asked.len(), "{names:?}");
}

#[test]
fn many_dumps_are_found_at_their_places() {
    let memory = Limited::unlimited();
    let mut store = Store::new(memory.clone(), u64::MAX);
    let mut dumps = Vec::new();
    for index in 0..600 {
        let name = format!("d{index}");
        let payload = vec![(index % 250) as u8 + 1; 1 + index % 7];
        store.add(dump(&memory, &name, &payload)).unwrap();
        dumps.push((name, payload));
    }
    let file = core_file(&memory).unwrap();
    let snapshot = Snapshot::new(&memory, file, store.table().clone()).unwrap();
    assert_eq!(read_all(&snapshot), naive_vmcore(&dumps));
}

#[test]
fn what_does_not_fit_is_refused() {
    let memory = Limited::unlimited();
    let mut store = Store::new(memory.clone(), 64 + 8);
    assert_eq!(store.add(dump(&memory, "empty", b"")), Err(AddError::Empty));
    assert_eq!(store.add(dump(&memory, "long", b"123456789")), Err(AddError::NoRoom));
    assert!(store.add(dump(&memory, "fits", b"12345")).is_ok());
    assert_eq!(store.add(dump(&memory, "full", b"1")), Err(AddError::NoRoom));
}

#[test]
fn the_file_without_memory_has_the_same_notes() {
    let memory = Limited::unlimited();
    let notes = Rc::new(NOTES.to_vec());
    let file = Rc::new(CoreFile::notes_only(&memory, ENCODING, EM_X86_64, notes));
    let mut store = Store::new(memory.clone(), u64::MAX);
    let dumps = [("nic".to_owned(), b"registers".to_vec())];
    store.add(dump(&memory, "nic", &dumps[0].1)).unwrap();
    let snapshot = Snapshot::new(&memory, file, store.table().clone()).unwrap();

    let bytes = read_all(&snapshot);
    let mut expected = naive_notes(&dumps);
    expected.extend(NOTES);
    let notes_size = expected.len() as u64;
    pad(&mut expected, 4096);
    assert_eq!(&bytes[4096..], expected);
    let header = FileHeader::parse(&bytes).unwrap();
    assert_eq!((header.program_headers, header.file_type), (1, ET_CORE));
    let note = ProgramHeader::parse(ENCODING, &bytes[64..]).unwrap();
    assert_eq!((note.segment_type, note.offset, note.file_size), (PT_NOTE, 4096, notes_size));
}
