// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! ELF headers: written and read back, made by another hand, and made of noise.

use proptest::collection::vec;
use proptest::prelude::*;
use vmcore::bytes::Endian;
use vmcore::elf::{Class, ET_CORE, Encoding, FileHeader, ProgramHeader};

fn encoding() -> impl Strategy<Value = Encoding> {
    let class = prop_oneof![Just(Class::Elf32), Just(Class::Elf64)];
    let endian = prop_oneof![Just(Endian::Little), Just(Endian::Big)];
    (class, endian).prop_map(|(class, endian)| Encoding { class, endian })
}

fn made(encoding: Encoding) -> synth::Vmcore {
    let class = match encoding.class {
        Class::Elf32 => synth::Class::Elf32,
        Class::Elf64 => synth::Class::Elf64,
    };
    let endian = match encoding.endian {
        Endian::Little => synth::Endian::Little,
        Endian::Big => synth::Endian::Big,
    };
    synth::Vmcore::new(class, endian)
}

fn file_header() -> impl Strategy<Value = FileHeader> {
    let numbers = any::<(u16, u16, u32, u64, u64, u16, u64)>();
    (encoding(), numbers).prop_map(|(encoding, numbers)| {
        let (file_type, machine, flags, entry, programs_at, program_headers, sections_at) = numbers;
        FileHeader {
            encoding,
            file_type,
            machine,
            flags,
            entry: entry & encoding.address_max(),
            program_headers_offset: programs_at & encoding.address_max(),
            program_headers,
            section_headers_offset: sections_at & encoding.address_max(),
        }
    })
}

fn program_header() -> impl Strategy<Value = (Encoding, ProgramHeader)> {
    let numbers = any::<(u32, u32, [u64; 6])>();
    (encoding(), numbers).prop_map(|(encoding, (segment_type, flags, addresses))| {
        let [a, b, c, d, e, f] = addresses.map(|address| address & encoding.address_max());
        let header = ProgramHeader {
            segment_type,
            flags,
            offset: a,
            virtual_address: b,
            physical_address: c,
            file_size: d,
            memory_size: e,
            align: f,
        };
        (encoding, header)
    })
}

proptest! {
    #[test]
    fn file_headers_are_read_as_written(header in file_header()) {
        let size = header.encoding.file_header_size();
        let mut bytes = [0xff; 64];
        prop_assert_eq!(header.write(&mut bytes), Some(()));
        prop_assert_eq!(FileHeader::parse(&bytes), Ok(header));
        prop_assert_eq!(FileHeader::parse(&bytes[..size]), Ok(header));
        prop_assert!(bytes[size..].iter().all(|byte| *byte == 0xff), "wrote too much");
        for cut in 0..size {
            prop_assert!(FileHeader::parse(&bytes[..cut]).is_err());
            prop_assert_eq!(header.write(&mut [0; 64][..cut]), None);
        }
    }

    #[test]
    fn program_headers_are_read_as_written((encoding, header) in program_header()) {
        let size = encoding.program_header_size();
        let mut bytes = [0xff; 64];
        prop_assert_eq!(header.write(encoding, &mut bytes), Some(()));
        prop_assert_eq!(ProgramHeader::parse(encoding, &bytes), Some(header));
        prop_assert!(bytes[size..].iter().all(|byte| *byte == 0xff), "wrote too much");
        for cut in 0..size {
            prop_assert_eq!(ProgramHeader::parse(encoding, &bytes[..cut]), None);
            prop_assert_eq!(header.write(encoding, &mut [0; 64][..cut]), None);
        }
    }

    #[test]
    fn what_a_narrow_class_cannot_hold_is_refused(wide in 1_u64 << 32.., field in 0..6) {
        let mut fields = [0; 6];
        fields[field as usize] = wide;
        let [offset, virtual_address, physical_address, file_size, memory_size, align] = fields;
        let header = ProgramHeader {
            offset, virtual_address, physical_address, file_size, memory_size, align,
            ..ProgramHeader::default()
        };
        for endian in [Endian::Little, Endian::Big] {
            let narrow = Encoding { class: Class::Elf32, endian };
            prop_assert_eq!(header.write(narrow, &mut [0; 64]), None);
        }
    }

    #[test]
    fn headers_are_what_another_hand_writes(
        encoding in encoding(),
        machine: u16,
        physical in 0..1_u64 << 30,
        virtual_address in 0..1_u64 << 31,
        length in 1..10_000_u64,
    ) {
        let content = synth::Content::Zeros(length);
        let load = synth::Load { physical, virtual_address, content };
        let made = made(encoding).machine(machine).load(load);
        let file = made.image().to_vec();

        let header = FileHeader::parse(&file).expect("a good header");
        prop_assert_eq!(header, FileHeader {
            encoding,
            file_type: ET_CORE,
            machine,
            flags: 0,
            entry: 0,
            program_headers_offset: encoding.file_header_size() as u64,
            program_headers: 2,
            section_headers_offset: 0,
        });
        let second = encoding.file_header_size() + encoding.program_header_size();
        let segment = ProgramHeader::parse(encoding, &file[second..]).expect("is there");
        prop_assert_eq!(segment, ProgramHeader {
            segment_type: 1,
            flags: 7,
            offset: made.memory_start() + physical % 4096,
            virtual_address,
            physical_address: physical,
            file_size: length,
            memory_size: length,
            align: 0,
        });
        let mut again = file.clone();
        prop_assert_eq!(header.write(&mut again), Some(()));
        prop_assert_eq!(segment.write(encoding, &mut again[second..]), Some(()));
        prop_assert!(again == file, "not written as it was read");
    }

    #[test]
    fn many_program_headers_are_counted_in_a_section_header(
        encoding in encoding(), notes in 0..5_u32,
    ) {
        let mut made = made(encoding).extended_numbering().separate_notes();
        for note_type in 0..notes {
            made = made.note(synth::NoteSpec::new("GNU", note_type, vec![1]));
        }
        let file = made.image().to_vec();
        let header = FileHeader::parse(&file).expect("a good header");
        prop_assert_eq!(header.program_headers, vmcore::elf::PN_XNUM);
        let section = &file[header.section_headers_offset as usize..];
        let section = &section[..encoding.section_header_size()];
        prop_assert_eq!(encoding.section_info(section), Some(notes));
    }

    #[test]
    fn noise_never_panics(noise in vec(any::<u8>(), 0..80), encoding in encoding()) {
        let _ = FileHeader::parse(&noise);
        let _ = ProgramHeader::parse(encoding, &noise);
        let _ = encoding.section_info(&noise);
        let mut almost = noise;
        for (byte, magic) in almost.iter_mut().zip(*b"\x7fELF\x02\x01\x01") {
            *byte = magic;
        }
        let _ = FileHeader::parse(&almost);
    }
}
