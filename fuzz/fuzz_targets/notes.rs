// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Notes in memory, of both byte orders, and the names of device dumps.
//!
//! The input is a note segment; its first bytes are taken for names too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vmcore::bytes::Endian;
use vmcore::device_dump::{self, NAME_SIZE, NT_VMCOREDD, Name, NameError, is_device_dump};
use vmcore::note::{HEADER_SIZE, NoteBytes, NoteHeader, Walk, align};

fuzz_target!(|data: &[u8]| {
    for endian in [Endian::Little, Endian::Big] {
        check_header(endian, data);
        check_notes(endian, data);
    }
    check_name(data);
});

fn check_header(endian: Endian, data: &[u8]) {
    let Some(header) = NoteHeader::parse(endian, data) else {
        assert!(data.len() < HEADER_SIZE);
        return;
    };
    let mut written = [0xaa; HEADER_SIZE];
    header.write(endian, &mut written).expect("12 bytes");
    assert_eq!(written, data[..HEADER_SIZE]);
    assert_eq!(header.write(endian, &mut written[1..]), None);
}

/// Notes follow one another inside the segment up to its end, its fill or an
/// error, after which nothing comes.
fn check_notes(endian: Endian, data: &[u8]) {
    let mut notes = Walk::new(endian, data);
    let mut end = 0;
    for note in notes.by_ref() {
        let note = match note {
            Ok(note) => note,
            Err(error) => {
                assert!(error.offset < data.len() as u64, "{error}");
                end = u64::MAX;
                continue;
            }
        };
        assert_eq!(note.offset, end, "also: nothing comes after an error");
        check_note(endian, data, &note);
        end += note.header.size();
    }
    assert!(notes.next().is_none());
    if let Some(rest) = data.get(usize::try_from(end).unwrap_or(usize::MAX)..) {
        let fill = rest.get(..HEADER_SIZE).is_some_and(|header| header == [0; HEADER_SIZE]);
        assert!(fill || rest.is_empty(), "it ends too early");
    }
}

fn check_note(endian: Endian, data: &[u8], note: &NoteBytes<'_>) {
    let bytes = &data[note.offset as usize..];
    assert_eq!(NoteHeader::parse(endian, bytes), Some(note.header));
    let name_size = note.header.name_size as usize;
    let name = &bytes[HEADER_SIZE..][..name_size];
    assert!(name.starts_with(note.name) && !note.name.contains(&0));
    assert!(name.get(note.name.len()).is_none_or(|byte| *byte == 0));
    let desc = HEADER_SIZE + name_size.next_multiple_of(4);
    // The padding of a name may be cut off, where the desc after it is empty.
    let from_desc = bytes.get(desc..).unwrap_or_default();
    assert_eq!(note.desc, &from_desc[..note.header.desc_size as usize]);

    if is_device_dump(&note.header, note.name) {
        assert!(note.header.note_type == NT_VMCOREDD && note.desc.len() >= NAME_SIZE);
        if let Ok(name) = Name::new(&note.desc[..NAME_SIZE]) {
            check_device_dump(endian, &name, &note.desc[NAME_SIZE..]);
        }
    }
}

/// What is written as a device dump is read as one.
fn check_device_dump(endian: Endian, name: &Name, payload: &[u8]) {
    let length = payload.len() as u64;
    let header = device_dump::header(endian, name, length).expect("a short dump");
    let mut written = [&header, payload].concat();
    assert_eq!(device_dump::note_size(length), Some(align(written.len() as u64)));
    written.resize(written.len().next_multiple_of(4), 0);
    let mut notes = Walk::new(endian, &written);
    let note = notes.next().expect("a note").expect("whole");
    assert!(is_device_dump(&note.header, note.name));
    let (field, read) = note.desc.split_at(NAME_SIZE);
    assert_eq!((Name::new(field), read), (Ok(*name), payload));
    assert_eq!(notes.next(), None);
}

fn check_name(data: &[u8]) {
    let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = match Name::new(data) {
        Ok(name) => name,
        Err(NameError::Empty) => return assert!(text.is_empty()),
        Err(NameError::Unterminated) => return assert!(text.len() >= NAME_SIZE),
    };
    assert_eq!(name.as_bytes().len(), text.len());
    assert!(name.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)));
    assert_eq!(name.to_string().as_bytes(), name.as_bytes());
    assert_eq!(Name::new(name.as_bytes()), Ok(name));

    let rest = &data[text.len()..];
    let number = rest.get(1..5).and_then(|bytes| bytes.try_into().ok());
    let number = number.map_or(2, u32::from_le_bytes);
    let numbered = name.numbered(number);
    assert!(numbered.as_bytes().ends_with(format!("#{number}").as_bytes()));
    assert_eq!(Name::new(numbered.as_bytes()), Ok(numbered));
    let expected = if numbered == name { 1 } else { number };
    assert_eq!(numbered.number_of(&name), Some(expected));

    if let Some(base) = rest.get(5..).and_then(|bytes| Name::new(bytes).ok())
        && let Some(number) = name.number_of(&base)
    {
        assert!(name == base || name == base.numbered(number));
    }
}
