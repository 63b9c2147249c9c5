// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Old memory stands where the dead kernel's headers say, not always at its
//! physical address.

use synth::{Class, Content, Endian, NoteSpec, Vmcore};
use vmcore::elf::{FileHeader, PT_LOAD, PT_NOTE, ProgramHeader};
use vmcore::layout::Load;
use vmcore::original::Original;

const LOADS: [(u64, u64); 3] = [(0x1000, 0x9ec00), (0x10_0000, 0x3000), (0x4000_0800, 0x1000)];
/// Where the first load's memory was moved to.
const BACKUP: u64 = 0x1d00_0000;

fn kernel_header() -> Vec<u8> {
    let mut made = Vmcore::new(Class::Elf64, Endian::Little).note(NoteSpec::vmcoreinfo("A=1\n"));
    for (physical, length) in LOADS {
        made = made.load(synth::Load::new(physical, Content::Zeros(length)));
    }
    let header_size = made.header_size() as usize;
    made.image().to_vec()[..header_size].to_vec()
}

/// The headers that the dead kernel left: a note for each of two CPUs, and the
/// loads of `header`, with the physical address to be read in `p_offset`.
fn elfcorehdr(header: &[u8], change: impl Fn(usize, &mut ProgramHeader)) -> Vec<u8> {
    let file = FileHeader::parse(header).unwrap();
    let note = ProgramHeader { segment_type: PT_NOTE, ..Default::default() };
    let loads = file.segments(header).map(|(_, load)| load);
    let loads = loads.filter(|load| load.segment_type == PT_LOAD).enumerate().map(|(at, load)| {
        let mut load = ProgramHeader { offset: load.physical_address, ..load };
        change(at, &mut load);
        load
    });
    let segments: Vec<ProgramHeader> = [note, note].into_iter().chain(loads).collect();
    let mut bytes = vec![0; 64 + 56 * segments.len()];
    FileHeader { program_headers: segments.len() as u16, ..file }.write(&mut bytes).unwrap();
    for (place, segment) in bytes[64..].chunks_mut(56).zip(segments) {
        segment.write(file.encoding, place).unwrap();
    }
    bytes
}

#[test]
fn a_moved_load_is_read_where_it_was_moved_to() {
    let header = kernel_header();
    let original = Original::parse(&header).unwrap();
    let left = elfcorehdr(&header, |at, load| {
        if at == 0 {
            load.offset = BACKUP;
        }
    });
    let found: Vec<Load> = original.loads_of(&left).unwrap().collect();
    let mut expected: Vec<Load> = original.loads().collect();
    assert_eq!(expected[0].physical, 0x1000);
    expected[0].physical = BACKUP;
    assert_eq!(found, expected);
}

#[test]
fn unmoved_loads_are_read_at_their_addresses() {
    let header = kernel_header();
    let original = Original::parse(&header).unwrap();
    let left = elfcorehdr(&header, |_, _| {});
    assert!(original.loads_of(&left).unwrap().eq(original.loads()));
}

#[test]
fn other_headers_are_refused() {
    let header = kernel_header();
    let original = Original::parse(&header).unwrap();
    let changes: [fn(usize, &mut ProgramHeader); 6] = [
        |_, load| load.physical_address += 0x1000,
        |_, load| load.virtual_address += 1,
        |_, load| load.memory_size += 1,
        |_, load| load.file_size -= 1,
        |_, load| load.segment_type = PT_NOTE,
        |_, load| load.offset += 1,
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let left = elfcorehdr(&header, |index, load| {
            if index == 1 {
                change(index, load);
            }
        });
        assert!(original.loads_of(&left).is_err(), "change {at}");
    }
    let left = elfcorehdr(&header, |_, _| {});
    for length in 0..left.len() {
        assert!(original.loads_of(&left[..length]).is_err(), "{length} bytes");
    }
}
