// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `Original` against files made by another hand, and against a second reading
//! of the rules that shares nothing with the first.

use proptest::collection::vec;
use proptest::prelude::*;
use synth::{Class, Endian, NoteSpec, Vmcore};
use vmcore::layout::Load;
use vmcore::original::{Original, write_notes_header};

const PAGE: u128 = 4096;

/// What a kernel's own file is made from, dumps apart.
fn kernel_file() -> impl Strategy<Value = Vmcore> {
    let encoding = (
        prop_oneof![Just(Class::Elf32), Just(Class::Elf64)],
        prop_oneof![Just(Endian::Little), Just(Endian::Big)],
    );
    let address =
        prop_oneof![Just(0), 0..1_u64 << 30, (0..1_u64 << 18).prop_map(|page| page * 4096)];
    let length = prop_oneof![Just(1), Just(4096), 1..10_000_u64];
    // 130 make the header longer than a page.
    let loads = prop_oneof![9 => vec((address.clone(), length.clone()), 0..8),
                            1 => vec((address, Just(1)), 130..140)];
    (encoding, 0..5_u32, 0..3000_usize, loads).prop_map(|((class, endian), cpus, info, loads)| {
        let mut made = Vmcore::new(class, endian);
        for cpu in 0..cpus {
            made = made.note(NoteSpec::prstatus(endian, cpu));
        }
        made = made.note(NoteSpec::vmcoreinfo(&"A=1\n".repeat(info / 4)));
        for (physical, length) in loads {
            let seed = physical;
            made = made.load(synth::Load::new(physical, synth::Content::Pattern { seed, length }));
        }
        made
    })
}

fn dumps() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..300), 0..6)
}

fn with_dumps(made: &Vmcore, dumps: &[Vec<u8>]) -> Vmcore {
    dumps.iter().enumerate().fold(made.clone(), |made, (index, payload)| {
        made.dump(format!("device{index}"), payload.clone())
    })
}

/// The header pages, read by the rules of `fs/proc/vmcore.c` once more, in
/// numbers that cannot wrap.
#[derive(Debug, PartialEq)]
struct Reading {
    notes_size: u128,
    memory_start: u128,
    size: u128,
    /// Start from the first one's start, physical address and size of each.
    loads: Vec<(u128, u128, u128)>,
    /// Where each `p_offset` stands.
    offset_fields: Vec<usize>,
}

/// Numbers at places of a header.
struct Numbers<'a> {
    bytes: &'a [u8],
    wide: bool,
    big: bool,
}

impl Numbers<'_> {
    fn at(&self, place: usize, size: usize) -> Option<u128> {
        let mut bytes = self.bytes.get(place..place + size)?.to_vec();
        if !self.big {
            bytes.reverse();
        }
        Some(bytes.iter().fold(0, |value, byte| value << 8 | u128::from(*byte)))
    }

    /// The address-wide field that stands at `narrow` or at `wide`.
    fn address(&self, header: usize, narrow: usize, wide: usize) -> Option<u128> {
        match self.wide {
            false => self.at(header + narrow, 4),
            true => self.at(header + wide, 8),
        }
    }
}

/// What `header` says, or `None` where the kernel would not have written it.
fn read_again(header: &[u8]) -> Option<Reading> {
    let (wide, big) = match header.get(..7)? {
        [0x7f, b'E', b'L', b'F', class @ 1..=2, data @ 1..=2, 1] => (*class == 2, *data == 2),
        _ => return None,
    };
    let numbers = Numbers { bytes: header, wide, big };
    let (file_size, entry_size, counts) = if wide { (64, 56, 54) } else { (52, 32, 42) };
    let count = numbers.at(counts + 2, 2)? as usize;
    let table_end = file_size + count * entry_size;
    let good = numbers.at(16, 2)? == 4
        && numbers.address(0, 28, 32)? == file_size as u128
        && numbers.at(counts, 2)? == entry_size as u128
        && (1..0xffff).contains(&count)
        && table_end.next_multiple_of(4096) == header.len();
    if !good {
        return None;
    }
    let mut reading = read_note_segment(&numbers, file_size, header.len() as u128)?;
    for index in 1..count {
        read_memory(&numbers, file_size + index * entry_size, &mut reading)?;
    }
    (reading.size <= i64::MAX as u128).then_some(reading)
}

fn read_note_segment(numbers: &Numbers<'_>, at: usize, header_size: u128) -> Option<Reading> {
    let notes_size = numbers.address(at, 16, 32)?;
    let good = numbers.at(at, 4)? == 4
        && numbers.address(at, 4, 8)? == header_size
        && numbers.address(at, 20, 40)? == notes_size;
    let memory_start = (header_size + notes_size).next_multiple_of(PAGE);
    good.then(|| Reading {
        notes_size,
        memory_start,
        size: memory_start,
        loads: Vec::new(),
        offset_fields: Vec::new(),
    })
}

fn read_memory(numbers: &Numbers<'_>, at: usize, reading: &mut Reading) -> Option<()> {
    let physical = numbers.address(at, 12, 24)?;
    let length = numbers.address(at, 20, 40)?;
    let (first, end) = (physical / PAGE * PAGE, (physical + length).next_multiple_of(PAGE));
    let good = numbers.at(at, 4)? == 1
        && length > 0
        && numbers.address(at, 16, 32)? == length
        && numbers.address(at, 4, 8)? == reading.size + physical % PAGE
        && end < 1 << 64;
    let start = reading.size - reading.memory_start;
    reading.loads.push((start, first, end - first));
    reading.offset_fields.push(at + if numbers.wide { 8 } else { 4 });
    reading.size += end - first;
    good.then_some(())
}

fn as_reading(original: &Original<'_>, offset_fields: Vec<usize>) -> Reading {
    let load = |load: Load| (load.start.into(), load.physical.into(), load.size.into());
    Reading {
        notes_size: original.notes_size().into(),
        memory_start: original.memory_start().into(),
        size: original.size().into(),
        loads: original.loads().map(load).collect(),
        offset_fields,
    }
}

proptest! {
    #[test]
    fn the_kernels_own_file_is_accepted(made in kernel_file()) {
        let file = made.image().to_vec();
        prop_assert_eq!(Original::header_size(&file), Ok(made.header_size()));
        let header = &file[..made.header_size() as usize];
        let original = Original::parse(header).expect("the kernel writes it so");
        prop_assert_eq!(original.notes_offset(), made.header_size());
        prop_assert_eq!(original.notes_size(), made.notes_size());
        prop_assert_eq!(original.memory_start(), made.memory_start());
        prop_assert_eq!(original.size(), file.len() as u64);

        let reading = read_again(header).expect("the kernel writes it so");
        prop_assert_eq!(original.loads().count(), reading.loads.len());
        let fields = reading.offset_fields.clone();
        prop_assert_eq!(as_reading(&original, fields), reading);
    }

    #[test]
    fn a_rewritten_file_is_the_one_another_hand_writes(made in kernel_file(), dumps in dumps()) {
        let expected = with_dumps(&made, &dumps);
        let own = made.image().to_vec();
        let (header, rest) = own.split_at(made.header_size() as usize);
        let original = Original::parse(header).expect("the kernel writes it so");

        let mut file = vec![0xff; header.len()];
        let written = original.write_header(expected.dumps_size(), &mut file);
        prop_assert_eq!(written, Some(()));
        let shifted = Original::parse(&file).expect("still such a file");
        prop_assert_eq!(shifted.size(), expected.image().length());
        prop_assert!(shifted.loads().eq(original.loads()), "memory is another");

        let expected_file = expected.image().to_vec();
        let notes = &rest[..made.notes_size() as usize];
        file.extend(&expected_file[header.len()..][..expected.dumps_size() as usize]);
        file.extend(notes);
        file.resize(file.len().next_multiple_of(4096), 0);
        file.extend(&own[made.memory_start() as usize..]);
        prop_assert!(file == expected_file, "not the file with dumps");
    }

    /// A changed header is refused, or means what the second reading says.
    #[test]
    fn damage_is_refused_or_harmless(
        made in kernel_file(),
        flips in vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4),
        dumps_size in 0..100_000_u64,
    ) {
        let mut header = made.image().to_vec();
        header.truncate(made.header_size() as usize);
        // All of the file header, and as much of the table as there surely is.
        let interesting = header.len().min(64 + 32 * (1 + 3));
        for (index, flip) in &flips {
            header[index.index(interesting)] ^= flip;
        }
        agree(&header, dumps_size)?;
    }

    #[test]
    fn noise_is_refused(noise in vec(any::<u8>(), 0..300)) {
        prop_assert!(Original::header_size(&noise).is_err());
        prop_assert!(Original::parse(&noise).is_err());
    }
}

/// Both readings of `header` are the same, and so is what comes of it with
/// `dumps_size` bytes of dumps.
fn agree(header: &[u8], dumps_size: u64) -> Result<(), TestCaseError> {
    let reading = read_again(header);
    let original = Original::parse(header);
    let (original, reading) = match (original, reading) {
        (Ok(original), Some(reading)) => (original, reading),
        (Err(error), None) => {
            prop_assert!(error.offset < header.len() as u64, "{error}");
            return Ok(());
        }
        (original, reading) => {
            let message = format!("{original:x?}, but read again {reading:x?}");
            return Err(TestCaseError::fail(message));
        }
    };
    let fields = reading.offset_fields.clone();
    prop_assert_eq!(&as_reading(&original, fields), &reading);

    let mut written = vec![0; header.len()];
    if original.write_header(dumps_size, &mut written).is_none() {
        prop_assert!(dumps_size > original.room());
        return Ok(());
    }
    let again = read_again(&written);
    prop_assert!(again.is_some(), "rewritten into what is refused");
    let again = again.unwrap();
    prop_assert_eq!(again.notes_size, reading.notes_size + u128::from(dumps_size));
    prop_assert_eq!(&again.loads, &reading.loads);
    Ok(())
}

/// A header with one segment of memory, in all four encodings.
fn small_headers() -> Vec<Vec<u8>> {
    let classes = [Class::Elf32, Class::Elf64];
    let endians = [Endian::Little, Endian::Big];
    let encodings =
        classes.iter().flat_map(|class| endians.iter().map(move |endian| (*class, *endian)));
    let header = |(class, endian)| {
        let made = Vmcore::new(class, endian)
            .note(NoteSpec::prstatus(endian, 1))
            .load(synth::Load::new(0x10_0010, vec![1; 5000]))
            .load(synth::Load::new(0x20_0000, vec![2; 4096]));
        let mut file = made.image().to_vec();
        file.truncate(4096);
        file
    };
    encodings.map(header).collect()
}

#[test]
fn every_changed_byte_is_refused_or_harmless() {
    for header in small_headers() {
        for at in 0..64 + 3 * 56 {
            for flip in [0x01, 0x02, 0x04, 0x10, 0x80, 0xff] {
                let mut damaged = header.clone();
                damaged[at] ^= flip;
                if let Err(error) = agree(&damaged, 4096) {
                    panic!("byte {at:#x} ^ {flip:#x}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_range_of_no_memory_is_refused() {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .load(synth::Load::new(0x1000, vec![]))
        .load(synth::Load::new(0x1000, vec![1]));
    let header = &made.image().to_vec()[..4096];
    assert_eq!(read_again(header), None);
    let error = Original::parse(header).expect_err("an empty PT_LOAD");
    assert_eq!((error.offset, error.field), (64 + 56, "p_memsz"));
}

#[test]
fn cut_headers_are_refused() {
    for header in small_headers() {
        for length in 0..header.len() {
            assert!(Original::parse(&header[..length]).is_err(), "{length} bytes");
        }
        for length in 0..52 {
            assert!(Original::header_size(&header[..length]).is_err(), "{length} bytes");
        }
    }
}

#[test]
fn what_leaves_no_room_is_refused() {
    for header in small_headers() {
        let original = Original::parse(&header).expect("the kernel writes it so");
        let mut written = vec![0; header.len()];
        let room = original.room();
        assert_eq!(original.write_header(room, &mut written), Some(()));
        assert!(read_again(&written).is_some());
        assert_eq!(original.write_header(room + 1, &mut written), None);
        assert_eq!(original.write_header(u64::MAX, &mut written), None);
        assert_eq!(original.write_header(0, &mut written[1..]), None);
    }
}

#[test]
fn a_header_of_notes_alone_is_such_a_file() {
    for header in small_headers() {
        let encoding = Original::parse(&header).expect("the kernel writes it so").encoding();
        let mut notes_only = vec![0xff; 4096];
        assert_eq!(write_notes_header(encoding, 62, 5000, &mut notes_only), Some(()));
        let reading = read_again(&notes_only).expect("the kernel would write it so");
        assert_eq!((reading.notes_size, reading.size), (5000, 3 * PAGE));
        assert_eq!(write_notes_header(encoding, 62, 1, &mut notes_only[1..]), None);
    }
}
