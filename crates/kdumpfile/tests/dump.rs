// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `Dump` on files made by another hand.

mod on_disk;

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::path::Path;

use kdumpfile::{CopyError, Dump, Error, Escaped, EscapedPath, Fault};
use proptest::collection::vec;
use proptest::prelude::*;
use synth::{Class, Content, DumpStyle, Endian, Load, NoteSpec, Vmcore};

use on_disk::{bytes_read, on_disk};

fn small() -> Vmcore {
    Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", vec![1; 5])
        .dump("nic1", vec![2; 70])
        .note(NoteSpec::prstatus(Endian::Little, 1))
        .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"))
        .load(Load::new(0x1000, vec![3; 4096]))
}

/// Name, offset and payload of a device dump.
type Found = (Vec<u8>, u64, Vec<u8>);

/// Every device dump of the file at `path`.
fn device_dumps(path: &Path) -> Result<Vec<Found>, Error> {
    let dump = Dump::open(path)?;
    dump.device_dumps()
        .map(|each| {
            let each = each?;
            let mut payload = Vec::new();
            each.copy_to(&mut payload).expect("readable");
            let mut read = Vec::new();
            each.reader().read_to_end(&mut read).expect("readable");
            assert_eq!(payload, read);
            Ok((each.name().to_vec(), each.offset(), payload))
        })
        .collect()
}

fn message(path: &Path) -> String {
    let error = device_dumps(path).expect_err("not readable");
    let line = error.to_string();
    let path = format!("{}: ", path.display());
    line.strip_prefix(&path).expect("names the file").to_owned()
}

fn vmcore() -> impl Strategy<Value = (Vmcore, Vec<(String, Vec<u8>)>)> {
    let class = prop_oneof![Just(Class::Elf32), Just(Class::Elf64)];
    let endian = prop_oneof![Just(Endian::Little), Just(Endian::Big)];
    let style = prop_oneof![Just(DumpStyle::Exact), Just(DumpStyle::Paged)];
    let payload = prop_oneof![
        vec(any::<u8>(), 0..300),
        (4030..4036_usize).prop_map(|length| vec![7; length]),
    ];
    let dumps = vec(("[ -~]{0,44}", payload), 0..8);
    let flags = any::<(bool, bool)>();
    (class, endian, style, dumps, 0..4_u32, 0..40_u64, flags).prop_map(
        |(class, endian, style, dumps, cpus, fill, (separate, extended))| {
            let mut made = Vmcore::new(class, endian).style(style).zero_fill(fill);
            for (name, payload) in &dumps {
                made = made.dump(name, payload.clone());
            }
            for cpu in 0..cpus {
                made = made.note(NoteSpec::prstatus(endian, cpu));
            }
            if separate {
                made = made.separate_notes();
            }
            if extended {
                made = made.extended_numbering();
            }
            let pad = |payload: Vec<u8>| match style {
                DumpStyle::Exact => payload,
                DumpStyle::Paged => {
                    let length = (64 + payload.len()).next_multiple_of(4096) - 64;
                    let zeros = vec![0; length - payload.len()];
                    [payload, zeros].concat()
                }
            };
            let pad = |(name, payload)| (name, pad(payload));
            (made, dumps.into_iter().map(pad).collect())
        },
    )
}

proptest! {
    #[test]
    fn device_dumps_are_those_that_were_put_in((made, dumps) in vmcore()) {
        let file = on_disk(&made.image());
        let found = device_dumps(&file.path).expect("a good file");
        prop_assert_eq!(found.len(), dumps.len());
        for (index, (found, (name, payload))) in found.iter().zip(&dumps).enumerate() {
            prop_assert_eq!(&found.0, name.as_bytes());
            prop_assert_eq!(found.1, made.payload_offset(index));
            prop_assert_eq!(&found.2, payload);
        }
    }

    /// The walk over a file against the walk over memory.
    #[test]
    fn notes_are_those_of_the_model(
        words in vec(prop_oneof![3 => Just(0), 9 => 0..90_u32, 1 => any::<u32>()], 0..200),
        rest in vec(any::<u8>(), 0..4),
    ) {
        let words: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        let segment = [words, rest].concat();
        let made = Vmcore::new(Class::Elf64, Endian::Little).zero_fill(segment.len() as u64);
        let file = on_disk(&made.image().overwritten(4096, &segment));
        let dump = Dump::open(&file.path).expect("good headers");

        // A damaged note comes before its error.
        let mut walked = dump.notes().filter(|note| note.as_ref().is_ok_and(kdumpfile::Note::is_whole) || note.is_err());
        // The model ends at zeros, and begins anew at the first word that is none.
        let mut start = 0;
        loop {
            let mut end = start;
            for note in vmcore::note::Walk::new(vmcore::bytes::Endian::Little, &segment[start..]) {
                match (note, walked.next()) {
                    (Ok(expected), Some(Ok(note))) => {
                        prop_assert_eq!(note.header, expected.header);
                        prop_assert_eq!(note.offset, (4096 + start) as u64 + expected.offset);
                        let cut = expected.name.len().min(64);
                        prop_assert_eq!(note.owner(), &expected.name[..cut]);
                        end = start + (expected.offset + expected.header.size()) as usize;
                    }
                    (Err(error), Some(Err(Error { fault: Fault::Content(found), .. }))) => {
                        prop_assert_eq!(found, error.moved((4096 + start) as u64));
                        end = segment.len();
                    }
                    // Here the last name needs no padding if no desc follows.
                    (Err(error), Some(Ok(note))) => {
                        prop_assert_eq!((error.field, note.header.desc_size), ("n_descsz", 0));
                        end = segment.len();
                    }
                    // A few zeros at the end are fill here.
                    (Err(error), None) => {
                        prop_assert_eq!(error.field, "note header");
                        end = segment.len();
                    }
                    (expected, note) => prop_assert!(false, "{:?}, found {:?}", expected, note),
                }
            }
            let rest = segment.get(end..).unwrap_or_default();
            let Some(zeros) = rest.iter().position(|byte| *byte != 0) else { break };
            let zeros = zeros / 4 * 4;
            let Some(Err(Error { fault: Fault::Content(found), .. })) = walked.next() else {
                return Err(TestCaseError::fail("zeros are not reported"));
            };
            prop_assert_eq!(found.field, "zeros between notes");
            prop_assert_eq!((found.offset, found.found), ((4096 + end) as u64, Some(zeros as u64)));
            start = end + zeros;
        }
        prop_assert!(walked.next().is_none());
    }

    #[test]
    fn damage_never_panics_and_never_leaves_the_file(
        (made, _) in vmcore(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut image = made.image();
        let length = image.length();
        for (at, byte) in damage {
            // The headers of the file and of its notes are where it hurts.
            let at = at.index(length as usize) as u64;
            image = image.overwritten(if byte % 2 == 0 { at % 256 } else { at }, &[byte]);
        }
        if let Some(cut) = cut {
            image = image.truncated(cut.index(length as usize) as u64);
        }
        let file = on_disk(&image);
        let Ok(dump) = Dump::open(&file.path) else { return Ok(()) };
        for each in dump.device_dumps().filter_map(Result::ok) {
            prop_assert!(each.offset() + each.available() <= image.length());
            prop_assert!(each.available() <= each.length());
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_gives_what_is_whole() {
    let made = small();
    let whole = made.image();
    let starts = [0, 1].map(|index| made.payload_offset(index));
    let notes_end = made.header_size() + made.dumps_size() + made.notes_size();
    let file = on_disk(&whole);
    let writable = OpenOptions::new().write(true).open(&file.path).expect("there");
    for length in (0..=whole.length()).rev() {
        writable.set_len(length).expect("cut");
        let dump = match Dump::open(&file.path) {
            Ok(dump) => dump,
            Err(error) => {
                assert!(length < 64 + 2 * 56, "{error}");
                continue;
            }
        };
        let outcomes: Vec<_> = dump.device_dumps().collect();
        let found: Vec<_> = outcomes.iter().flatten().collect();
        let there = starts.iter().filter(|start| **start <= length).count();
        assert_eq!(found.len(), there, "cut at {length}");
        for ((each, start), size) in found.iter().zip(starts).zip([5, 70]) {
            assert_eq!(each.available(), size.min(length - start), "cut at {length}");
            assert_eq!(each.is_whole(), each.available() == size);
            let mut payload = Vec::new();
            each.copy_to(&mut payload).expect("what there is");
            assert_eq!(payload, &[[1; 70], [2; 70]][each.index()][..payload.len()]);
            assert_eq!(payload.len() as u64, each.available());
        }
        let errors: Vec<_> = outcomes.iter().filter_map(|each| each.as_ref().err()).collect();
        let expected = usize::from(length < whole.length());
        assert_eq!(errors.len(), expected, "cut at {length}: {errors:?}");
        let is_of_memory = errors.iter().any(|error| error.to_string().contains("PT_LOAD"));
        assert_eq!(is_of_memory, expected == 1 && length >= notes_end, "{length}: {errors:?}");
    }
}

#[test]
fn descs_are_not_read_unless_asked_for() {
    let length = 3_u64 << 30;
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("large0", Content::Zeros(length))
        .dump("large1", Content::Zeros(length))
        .dump("small", b"payload".to_vec())
        .note(NoteSpec::prstatus(Endian::Little, 1));
    let file = on_disk(&made.image());
    let before = bytes_read();
    let dump = Dump::open(&file.path).expect("a good file");
    let dumps: Result<Vec<_>, _> = dump.device_dumps().collect();
    let dumps = dumps.expect("whole notes");
    let mut payload = Vec::new();
    dumps[2].copy_to(&mut payload).expect("readable");
    let read = bytes_read() - before;

    assert_eq!(payload, b"payload");
    assert_eq!(dumps[1].length(), length);
    assert_eq!(dumps[1].offset(), made.payload_offset(1));
    assert_eq!(dump.notes().count(), 4);
    assert!(read < 4096, "{read} bytes read");
}

#[test]
fn what_is_no_dump_is_not_read() {
    let cases: [(&[u8], &str); 5] = [
        (b"KDUMP   \x06\0\0\0", "offset 0xc: disk_dump_header: expected 464 bytes, found 0xc"),
        (
            b"makedumpfile\0\0\0\0",
            "expected a vmcore, found a flattened stream without data; \
             what was to save it wrote nothing",
        ),
        (
            b"GIF89a\x80.........",
            "offset 0x0: file format: expected the start of an ELF, a kdump-compressed or \
             a flattened dump, found 0x47494638",
        ),
        (
            b"\x7fE\0",
            "offset 0x0: file format: expected the start of an ELF, a kdump-compressed or \
             a flattened dump, found 0x7f4500",
        ),
        (b"\x7fELF", "offset 0x4: ELF identification: expected 16 bytes, found 0x4"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dump");
    for (start, expected) in cases {
        fs::write(&path, start).expect("written");
        assert_eq!(message(&path), expected);
    }
    assert_eq!(message(&folder.path().join("none")), "cannot open: No such file or directory");
    assert_eq!(message(folder.path()), "cannot open: Is a directory");
}

#[test]
fn errors_name_offset_and_field() {
    let made = small();
    let image = made.image();
    let second = made.payload_offset(1) - 64;
    let note_segment = 64_u64;
    let cases = [
        (
            image.clone().overwritten(16, &[5]),
            "offset 0x10: e_type: expected 4 (ET_CORE), found 0x5",
        ),
        (
            image.clone().truncated(64 + 56 + 10),
            "offset 0x78: program headers: expected as many as the file header counts, found 0x1",
        ),
        (
            image.clone().overwritten(note_segment + 32, &[0xff; 8]),
            "offset 0x40: p_filesz of PT_NOTE: expected an end below 2^63, \
             found 0xffffffffffffffff",
        ),
        (
            image.clone().overwritten(second, &[0xff; 4]),
            "offset 0x1048: n_namesz: expected a name inside the note segment, found 0xffffffff",
        ),
        (
            image.clone().overwritten(second + 4, &[0xff; 4]),
            "offset 0x104c: n_descsz: expected a desc inside the note segment, found 0xffffffff",
        ),
        (
            image.clone().truncated(second + 100),
            "offset 0x104c: n_descsz: expected a desc inside the file, found 0x72",
        ),
        (
            image.clone().truncated(second + 3),
            "offset 0x1048: note header: expected 12 bytes, found 0x3",
        ),
        (
            made.clone().zero_fill(4096).image().truncated(0x1300),
            "offset 0x40: p_filesz of PT_NOTE: expected an end inside the file, found 0x125c",
        ),
    ];
    for (image, expected) in cases {
        let file = on_disk(&image);
        assert_eq!(message(&file.path), expected);
    }
}

#[test]
fn many_program_headers_are_read_to_the_last() {
    for count in [63, 64, 65, 200] {
        let plain = Vmcore::new(Class::Elf32, Endian::Big).separate_notes();
        let made =
            (0..count).fold(plain, |made, cpu| made.note(NoteSpec::prstatus(Endian::Big, cpu)));
        for made in [made.clone(), made.extended_numbering()] {
            let file = on_disk(&made.image());
            let dump = Dump::open(&file.path).expect("good headers");
            assert_eq!(dump.notes().filter(Result::is_ok).count(), count as usize);
        }
    }
}

#[test]
fn a_missing_count_of_program_headers_is_an_error() {
    let image = small().extended_numbering().image();
    let at = 64 + 2 * 56;
    let cut = on_disk(&image.clone().truncated(at + 40));
    let expected = "first section header: expected the number of program headers in it \
                    (e_phnum is PN_XNUM)";
    assert_eq!(message(&cut.path), format!("offset 0xb0: {expected}, found 0x28"));
    let none = on_disk(&image.overwritten(40, &[0; 8]));
    assert_eq!(message(&none.path), format!("offset 0x0: {expected}, found 0x40"));
}

/// As `/proc/vmcore` is when device dumps came in after it was looked up.
#[test]
fn a_file_longer_than_it_was_said_to_be_is_read_whole() {
    let made = small();
    let file = on_disk(&made.image().truncated(4096));
    let dump = Dump::open(&file.path).expect("good headers");
    fs::write(&file.path, made.image().to_vec()).expect("written");
    assert_eq!(dump.device_dumps().filter(Result::is_ok).count(), 2);
    assert_eq!(dump.notes().filter(Result::is_ok).count(), 4);
}

#[test]
fn a_file_that_becomes_shorter_is_an_error_and_no_payload() {
    let made = small();
    let file = on_disk(&made.image());
    let dump = Dump::open(&file.path).expect("a good file");
    let device_dump = dump.device_dumps().nth(1).expect("there").expect("whole");
    fs::write(&file.path, made.image().truncated(device_dump.offset() + 3).to_vec())
        .expect("written");
    let outcome = device_dump.copy_to(&mut Vec::new());
    let Err(CopyError::Read(error)) = outcome else {
        panic!("{outcome:?}");
    };
    let line = error.to_string();
    assert!(line.ends_with("payload: expected more bytes, found 0x43"), "{line}");
    let error = device_dump.crc32c().expect_err("cut");
    assert_eq!(error.to_string(), line);
    assert!(device_dump.reader().read_to_end(&mut Vec::new()).is_err());
}

#[test]
fn only_the_owner_linux_makes_device_dumps() {
    let desc = vec![b'x'; 50];
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .note(NoteSpec::new("CORE", 0x700, desc.clone()))
        .note(NoteSpec::new("LINUXX", 0x700, desc.clone()))
        .note(NoteSpec::new("LINUX", 0x701, desc.clone()))
        .note(NoteSpec::new("VMCOREDDX_nic", 0x700, desc.clone()))
        .note(NoteSpec::new(&"L".repeat(100), 0x700, desc.clone()))
        .note(NoteSpec::new("LINUX", 0x700, desc));
    let file = on_disk(&made.image());
    let found = device_dumps(&file.path).expect("a good file");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, [b'x'; 44]);
    assert_eq!(found[0].2, [b'x'; 6]);
    let dump = Dump::open(&file.path).expect("a good file");
    let owners: Vec<_> = dump.notes().map(|note| note.expect("whole").owner().len()).collect();
    assert_eq!(owners, [4, 6, 5, 13, 64, 5]);
}

#[test]
fn a_device_dump_without_room_for_a_name_is_an_error() {
    for size in [0, 1, 43] {
        let made = Vmcore::new(Class::Elf64, Endian::Big)
            .dump("nic0", vec![1; 5])
            .note(NoteSpec::new("LINUX", 0x700, vec![b'x'; size]));
        let at = made.header_size() + made.dumps_size() + 4;
        let made = made.note(NoteSpec::new("LINUX", 0x700, [&[b'y'; 44][..], b"state"].concat()));
        let file = on_disk(&made.image());
        let expected = format!(
            "offset {at:#x}: n_descsz: expected 44 bytes or more, as a device dump has, \
             found {size:#x}"
        );
        assert_eq!(message(&file.path), expected);
        let dump = Dump::open(&file.path).expect("good headers");
        let outcomes: Vec<_> = dump.device_dumps().collect();
        assert_eq!(outcomes.len(), 3, "{outcomes:?}");
        let found: Vec<_> = outcomes.iter().flatten().collect();
        assert_eq!(found.iter().map(|each| each.length()).collect::<Vec<_>>(), [5, 5]);
        assert_eq!(found.iter().map(|each| each.index()).collect::<Vec<_>>(), [0, 1]);

        // Where it is cut, there is no second error for it.
        if size > 0 {
            let desc = at - 4 + 12 + 8;
            let cut = on_disk(&made.image().truncated(desc + size as u64 / 2));
            let dump = Dump::open(&cut.path).expect("good headers");
            assert_eq!(dump.device_dumps().filter(Result::is_err).count(), 1);
        }
    }
}

/// As the fourth version of the kernel's series wrote them.
#[test]
fn a_device_dump_whose_owner_has_its_name() {
    let made = Vmcore::new(Class::Elf32, Endian::Little)
        .dump("nic0", vec![1; 5])
        .note(NoteSpec::new("VMCOREDD_cxgb4_0000:02:00.4", 0x700, b"state".to_vec()))
        .note(NoteSpec::new(&format!("VMCOREDD_{}", "n".repeat(60)), 0x700, vec![7; 100]))
        .note(NoteSpec::new("VMCOREDD_empty", 0x700, vec![]))
        .note(NoteSpec::new("VMCOREDD_other", 0x702, vec![7; 100]));
    let file = on_disk(&made.image());
    let found = device_dumps(&file.path).expect("a good file");
    let first = made.header_size() + made.dumps_size() + 12 + 28;
    let second = first + 8 + 12 + 72;
    let expected: [Found; 4] = [
        (b"nic0".to_vec(), made.payload_offset(0), vec![1; 5]),
        (b"cxgb4_0000:02:00.4".to_vec(), first, b"state".to_vec()),
        (vec![b'n'; 44], second, vec![7; 100]),
        (b"empty".to_vec(), second + 100 + 12 + 16, vec![]),
    ];
    assert_eq!(found, expected);

    for (length, available) in [(second + 30, Some(30)), (second, None), (second - 40, None)] {
        let cut = on_disk(&made.image().truncated(length));
        let dump = Dump::open(&cut.path).expect("good headers");
        let outcomes: Vec<_> = dump.device_dumps().collect();
        let last = outcomes.iter().flatten().nth(2).map(kdumpfile::DeviceDump::available);
        assert_eq!(last, available, "cut at {length}");
        assert_eq!(outcomes.iter().filter(|each| each.is_err()).count(), 1, "cut at {length}");
    }
}

#[test]
fn notes_after_zeros_are_found() {
    let nothing = NoteSpec { owner: vec![], note_type: 0, desc: Content::Zeros(0) };
    for (class, endian) in [(Class::Elf32, Endian::Big), (Class::Elf64, Endian::Little)] {
        for zeros in [1, 3, 40, 50_000] {
            let made = Vmcore::new(class, endian).note(NoteSpec::prstatus(endian, 1));
            let at = made.header_size() + made.notes_size();
            let made = (0..zeros).fold(made, |made, _| made.note(nothing.clone()));
            let dump = [&b"nic0".to_vec()[..], &[0; 40], b"state"].concat();
            let made =
                made.note(NoteSpec::new("LINUX", 0x700, dump)).note(NoteSpec::vmcoreinfo("A=B\n"));
            let file = on_disk(&made.zero_fill(1000).image());
            let dump = Dump::open(&file.path).expect("good headers");
            let outcomes: Vec<_> = dump.device_dumps().collect();
            let [Err(error), Ok(found)] = &outcomes[..] else { panic!("{outcomes:?}") };
            assert_eq!((found.name(), found.length()), (&b"nic0"[..], 5));
            let expected = format!(
                "offset {at:#x}: zeros between notes: expected none, found {:#x}",
                zeros * 12
            );
            assert!(error.to_string().ends_with(&expected), "{error}");
            assert_eq!(dump.vmcoreinfo().expect("readable").expect("there").text(), b"A=B\n");
        }
    }
    // A page that was lost, with the note in it.
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", vec![1; 4096 - 64])
        .dump("nic1", vec![2; 4096 - 64])
        .dump("nic2", vec![3; 5]);
    let file = on_disk(&made.image().overwritten(8192, &[0; 4096]));
    let dump = Dump::open(&file.path).expect("good headers");
    let outcomes: Vec<_> = dump.device_dumps().collect();
    let [Ok(first), Err(_), Ok(last)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!((first.name(), last.name()), (&b"nic0"[..], &b"nic2"[..]));
}

/// Fill is no fault, however long, and holes in it are not read.
#[test]
fn long_zero_fill_is_neither_reported_nor_read() {
    let made = small().zero_fill(3 << 30);
    let file = on_disk(&made.image());
    let dump = Dump::open(&file.path).expect("good headers");
    let before = bytes_read();
    assert!(dump.device_dumps().all(|each| each.is_ok()));
    let read = bytes_read() - before;
    assert!(read < 1 << 16, "{read} bytes read");

    // What is no hole is read once.
    let made = small().zero_fill(8 << 20);
    let file = on_disk(&made.image());
    fs::write(&file.path, made.image().to_vec()).expect("written without holes");
    let dump = Dump::open(&file.path).expect("good headers");
    let before = bytes_read();
    for _ in 0..10 {
        assert!(dump.device_dumps().all(|each| each.is_ok()));
    }
    let read = bytes_read() - before;
    assert!(read < 10 << 20, "{read} bytes read");
}

#[test]
fn names_are_escaped_so_that_they_stay_apart() {
    let escaped = |name: &[u8]| Escaped(name).to_string();
    assert_eq!(escaped(b"cxgb4_0000:02:00.4"), "cxgb4_0000:02:00.4");
    assert_eq!(escaped(b"\x1b[2J\n\xff\x7f"), r"\x1b[2J\x0a\xff\x7f");
    assert_eq!(escaped(br"\x1b"), r"\\x1b");
    let path = Path::new("/tmp/\x1b[2J\nvmcore-ü");
    assert_eq!(EscapedPath(path).to_string(), r"/tmp/\x1b[2J\x0avmcore-ü");
}
