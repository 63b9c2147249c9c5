// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Notes: written and read back, made by another hand, and made of noise.

use proptest::collection::vec;
use proptest::prelude::*;
use vmcore::bytes::Endian;
use vmcore::device_dump::{self, Name, is_device_dump};
use vmcore::note::{NoteHeader, Walk};

fn endian() -> impl Strategy<Value = Endian> {
    prop_oneof![Just(Endian::Little), Just(Endian::Big)]
}

fn foreign(endian: Endian) -> synth::Endian {
    match endian {
        Endian::Little => synth::Endian::Little,
        Endian::Big => synth::Endian::Big,
    }
}

/// Whether `part` is a slice of `whole`, and not only equal to one.
fn lies_in(part: &[u8], whole: &[u8]) -> bool {
    let (part, whole) = (part.as_ptr_range(), whole.as_ptr_range());
    part.start >= whole.start && part.end <= whole.end
}

/// Bytes that are notes more often than noise is: small numbers, aligned.
fn segment() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        4 => (0..24_u32).prop_map(u32::to_le_bytes),
        1 => (0..24_u32).prop_map(u32::to_be_bytes),
        1 => any::<[u8; 4]>(),
    ];
    (vec(word, 0..200), vec(any::<u8>(), 0..4))
        .prop_map(|(words, rest)| [words.into_flattened(), rest].concat())
}

proptest! {
    #[test]
    fn headers_are_read_as_written(
        endian in endian(), name_size: u32, desc_size: u32, note_type: u32,
    ) {
        let header = NoteHeader { name_size, desc_size, note_type };
        let mut bytes = [0; 12];
        prop_assert_eq!(header.write(endian, &mut bytes), Some(()));
        prop_assert_eq!(NoteHeader::parse(endian, &bytes), Some(header));
        prop_assert_eq!(NoteHeader::parse(endian, &bytes[..11]), None);
        prop_assert_eq!(header.write(endian, &mut bytes[..11]), None);

        let padded = |size: u32| u128::from(size).next_multiple_of(4);
        let desc_offset = 12 + padded(name_size);
        prop_assert_eq!(u128::from(header.desc_offset()), desc_offset);
        prop_assert_eq!(u128::from(header.size()), desc_offset + padded(desc_size));
    }

    #[test]
    fn the_walk_ends_and_stays_in_the_segment(endian in endian(), segment in segment()) {
        let mut end = 0;
        let mut notes = Walk::new(endian, &segment);
        while let Some(note) = notes.next() {
            let Ok(note) = note else {
                prop_assert!(notes.next().is_none(), "goes on after an error");
                break;
            };
            prop_assert_eq!(note.offset, end, "notes are not one after the other");
            prop_assert!(lies_in(note.name, &segment));
            prop_assert!(lies_in(note.desc, &segment));
            prop_assert_eq!(note.desc.len(), note.header.desc_size as usize);
            end += note.header.size();
        }
    }

    #[test]
    fn device_dumps_are_what_another_hand_writes(
        endian in endian(), name in "[ -.0-~]{1,43}", payload in vec(any::<u8>(), 0..300),
    ) {
        let made = synth::Vmcore::new(synth::Class::Elf64, foreign(endian))
            .dump(&name, payload.clone());
        let file = made.image().to_vec();
        let segment = &file[4096..][..made.dumps_size() as usize];

        let name = Name::new(name.as_bytes()).expect("a good name");
        let length = payload.len() as u64;
        let header = device_dump::header(endian, &name, length).expect("fits");
        prop_assert_eq!(&header, &segment[..64]);
        prop_assert_eq!(device_dump::note_size(length), Some(segment.len() as u64));

        let notes: Vec<_> = Walk::new(endian, segment).collect();
        prop_assert_eq!(notes.len(), 1);
        let note = notes[0].expect("a whole note");
        prop_assert!(is_device_dump(&note.header, note.name));
        prop_assert_eq!(&note.desc[44..], &payload);
    }

    #[test]
    fn notes_of_every_owner_are_found(
        endian in endian(),
        descs in vec(("[A-Z]{0,12}", 1..9_u32, vec(any::<u8>(), 0..50)), 0..10),
        fill in 0..5_u64,
    ) {
        let mut made = synth::Vmcore::new(synth::Class::Elf64, foreign(endian));
        for (owner, note_type, desc) in &descs {
            made = made.note(synth::NoteSpec::new(owner, *note_type, desc.clone()));
        }
        let made = made.zero_fill(fill * 12);
        let file = made.image().to_vec();
        let segment = &file[4096..][..made.notes_size() as usize];

        let found: Result<Vec<_>, _> = Walk::new(endian, segment).collect();
        let found: Vec<_> = found
            .expect("whole notes")
            .iter()
            .map(|note| (note.name.to_vec(), note.header.note_type, note.desc.to_vec()))
            .collect();
        let expected: Vec<_> = descs
            .into_iter()
            .map(|(owner, note_type, desc)| (owner.into_bytes(), note_type, desc))
            .collect();
        prop_assert_eq!(found, expected);
    }
}
