// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Every format that dumps come in, made by another hand.

mod on_disk;

use std::io::Cursor;

use kdumpfile::{Codec, Dump, Fault, Kind};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use synth::{
    Class, Compression, Content, DumpStyle, Endian, Image, Kdump, Load, NoteSpec, Vmcore, Width,
};

use on_disk::{bytes_read, on_disk};

const WIDTHS: [Width; 3] = [Width::Bits32, Width::Bits32Aligned, Width::Bits64];
const ENDIANS: [Endian; 2] = [Endian::Little, Endian::Big];
const COMPRESSIONS: [(Compression, Codec); 5] = [
    (Compression::None, Codec::Raw),
    (Compression::Zlib, Codec::Zlib),
    (Compression::Lzo, Codec::Lzo),
    (Compression::Snappy, Codec::Snappy),
    (Compression::Zstd, Codec::Zstd),
];

/// A page of this kind, of `size` bytes.
fn page(kind: u8, size: usize) -> Vec<u8> {
    match kind % 3 {
        0 => vec![kind; size],
        1 => (0..size).map(|at| (at / 7) as u8 ^ kind).collect(),
        _ => Content::Pattern { seed: kind.into(), length: size as u64 }.to_vec(),
    }
}

/// What is in every dump here.
fn with_notes(made: Kdump, dumps: usize) -> Kdump {
    let made = (0..dumps).fold(made, |made, number| {
        made.dump(format!("nic{number}"), page(number as u8, 10 + number * 3))
    });
    made.note(NoteSpec::manifest("VERSION=1\nNAME=nic0\nSTATUS=complete\n"))
}

fn check_dumps(dump: &Dump, dumps: usize) {
    let found: Vec<_> = dump.device_dumps().map(|each| each.expect("whole")).collect();
    assert_eq!(found.len(), dumps);
    for (number, each) in found.iter().enumerate() {
        assert_eq!(each.name(), format!("nic{number}").as_bytes());
        let mut payload = Vec::new();
        each.copy_to(&mut payload).expect("readable");
        assert_eq!(payload, page(number as u8, 10 + number * 3));
    }
}

/// `pages` are there, and `excluded` and those after are not.
fn check_pages(dump: &Dump, pages: &[(u64, u8)], excluded: &[u64], size: u64) {
    let memory = dump.memory();
    assert_eq!(memory.page_size(), size);
    assert_eq!(memory.size().expect("readable"), pages.len() as u64 * size);
    for (number, kind) in pages {
        let mut read = vec![0xee; size as usize];
        memory.read(number * size, &mut read).expect("there");
        assert!(read == page(*kind, size as usize), "page {number}");
        memory.read(number * size + 5, &mut read[..7]).expect("there");
        assert!(read[..7] == page(*kind, size as usize)[5..12], "page {number}");
    }
    for number in excluded {
        let error = memory.read(number * size, &mut [0; 1]).expect_err("not there");
        let is_missing =
            matches!(error.fault, Fault::NoMemory { physical } if physical == number * size);
        assert!(is_missing, "{error}");
    }
}

#[test]
fn every_version_layout_and_codec() {
    for version in 1..=6 {
        for (width, endian) in
            WIDTHS.into_iter().flat_map(|width| ENDIANS.map(|endian| (width, endian)))
        {
            for (compression, codec) in COMPRESSIONS {
                let made = Kdump::new(width, endian, version).compression(compression);
                let made = with_notes(made, 3).vmcoreinfo("OSRELEASE=6.12.0\nCRASHTIME=17\n");
                let pages = [(0, 0), (1, 1), (70, 2), (71, 0), (40_000, 4)];
                let made = pages
                    .iter()
                    .fold(made, |made, (number, kind)| made.page(*number, &page(*kind, 4096)));
                let file = on_disk(&made.excluded(2).image());
                let dump = Dump::open(&file.path).expect("a good file");
                let format = dump.format();
                assert_eq!(format.bits, if width == Width::Bits64 { 64 } else { 32 });
                assert_eq!(format.endian == kdumpfile::Endian::Little, endian == Endian::Little);
                let kind = Kind::Compressed { version, codec: Some(codec), split: false };
                assert_eq!(format.kind, kind);
                check_dumps(&dump, if version < 4 { 0 } else { 3 });
                check_pages(&dump, &pages, &[2, 3, 69, 40_001, 1 << 30], 4096);
                let info = dump.vmcoreinfo().expect("readable");
                assert_eq!(info.is_some(), version >= 3);
                assert_eq!(
                    dump.time().expect("readable"),
                    Some(if version < 3 { 1_700_000_000 } else { 17 })
                );
                assert_eq!(dump.release().expect("readable"), Some(b"6.12.0".to_vec()));
                assert_eq!(dump.dump_level(), Some(31));
                let machine = dump.machine();
                let expected = ["i686", "armv7l", "x86_64"];
                assert!(expected.iter().any(|name| machine.as_deref() == Some(name.as_bytes())));
            }
        }
    }
}

/// `image` with `utsname` at byte `at` of its header, wherever it stood.
fn with_utsname(image: Image, at: u64, release: &str, machine: &str) -> Image {
    let image = image.overwritten(12, &[0; 390]);
    let fields = ["Linux", "host", release, "#1 SMP", machine, "(none)"];
    (0..).zip(fields).fold(image, |image, (number, text)| {
        // The version of the header covers what stands there of it.
        let covered = 12_u64.saturating_sub(at + number * 65) as usize;
        let text = text.as_bytes().get(covered..).unwrap_or_default();
        image.overwritten(at + number * 65 + covered as u64, text)
    })
}

/// What a kdump-compressed dump says of the machine and of the release.
fn said(image: &Image) -> (Option<String>, Option<String>) {
    let file = on_disk(image);
    let dump = Dump::open(&file.path).expect("a good file");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let release = dump.release().expect("readable");
    (dump.machine().map(|machine| text(&machine)), release.map(|release| text(&release)))
}

#[test]
fn vmcoreinfo_is_believed_before_utsname() {
    let made = |info: &str| {
        let made = Kdump::new(Width::Bits64, Endian::Little, 6).page(1, &page(1, 4096));
        with_utsname(made.vmcoreinfo(info).image(), 12, "5.0", "i686")
    };
    let some = |machine: &str, release: &str| (Some(machine.into()), Some(release.into()));
    assert_eq!(said(&made("PAGESIZE=4096\n")), some("i686", "5.0"));
    let info = "OSRELEASE=6.12.0\nSYMBOL(init_top_pgt)=ffffffff82a10000\n";
    assert_eq!(said(&made(info)), some("x86_64", "6.12.0"));
}

/// makedumpfile wrote it four bytes from where it belongs.
#[test]
fn utsname_is_believed_where_it_makes_sense() {
    let made = |at, release, machine| {
        let made = Kdump::new(Width::Bits64, Endian::Little, 6).page(1, &page(1, 4096));
        said(&with_utsname(made.image(), at, release, machine))
    };
    let whole = (Some("x86_64".to_owned()), Some("6.12.0-amd64".to_owned()));
    for at in [8, 12, 16] {
        assert_eq!(made(at, "6.12.0-amd64", "x86_64"), whole, "at {at}");
    }
    assert_eq!(made(10, "6.12.0-amd64", "x86_64"), (None, None));
    assert_eq!(made(12, "", "x86_64"), (Some("x86_64".to_owned()), None));
    assert_eq!(made(12, "\u{1b}[2J", "PDP-11"), (None, None));
    // "64" is no machine, and 6.1 may be the end of 16.1.
    assert_eq!(made(8, "16.1", "PDP-11"), (None, None));
}

/// Where `utsname` does not tell how numbers are aligned, the offsets do.
#[test]
fn alignment_is_told_by_what_makes_sense() {
    for (width, machine) in [(Width::Bits32, "mips"), (Width::Bits32Aligned, "i686")] {
        for (endian, version) in
            ENDIANS.into_iter().flat_map(|endian| (2..=6).map(move |v| (endian, v)))
        {
            let made = Kdump::new(width, endian, version).machine(machine);
            let made = with_notes(made, 2).vmcoreinfo("OSRELEASE=6.12.0\n").page(1, &page(1, 4096));
            let parts = [made.image()].into_iter().chain(made.split(1));
            for image in parts {
                let file = on_disk(&image);
                let dump = Dump::open(&file.path).expect("a good file");
                check_dumps(&dump, if version < 4 { 0 } else { 2 });
                check_pages(&dump, &[(1, 1)], &[0, 2], 4096);
                assert_eq!(dump.vmcoreinfo().expect("readable").is_some(), version >= 3);
            }
        }
    }
}

#[test]
fn pages_of_other_sizes() {
    for size in [4096, 16_384, 65_536] {
        let made = Kdump::new(Width::Bits64, Endian::Little, 6).machine("aarch64").block_size(size);
        let made = with_notes(made, 65).compression(Compression::Lzo);
        let made = made.page(3, &page(1, size as usize)).page(9, &page(2, size as usize));
        let file = on_disk(&made.image());
        let dump = Dump::open(&file.path).expect("a good file");
        check_dumps(&dump, 65);
        check_pages(&dump, &[(3, 1), (9, 2)], &[0, 4], size.into());
    }
}

#[test]
fn a_split_set_has_the_memory_of_all() {
    for version in [2, 5, 6] {
        let made = with_notes(Kdump::new(Width::Bits64, Endian::Little, version), 3);
        let pages: Vec<(u64, u8)> = (0..50).map(|number| (number * 3, number as u8)).collect();
        let made =
            pages.iter().fold(made, |made, (number, kind)| made.page(*number, &page(*kind, 4096)));
        let files: Vec<_> = made.split(4).iter().map(on_disk).collect();
        let others = files[1..].iter().map(|file| &file.path);
        let dump = Dump::open_split(&files[0].path, others.clone()).expect("a set");
        check_dumps(&dump, if version < 4 { 0 } else { 3 });
        check_pages(&dump, &pages, &[1, 148, 149], 4096);
        // One alone has its part.
        let third = Dump::open(&files[2].path).expect("a good file");
        let there = |number: u64| third.memory().read(number * 4096, &mut [0]).is_ok();
        assert!(there(75) && !there(0) && !there(147));

        let alone =
            on_disk(&with_notes(Kdump::new(Width::Bits64, Endian::Little, version), 3).image());
        let error = Dump::open_split(&alone.path, others).expect_err("not of the set");
        assert!(error.to_string().contains("split: expected 1"), "{error}");
    }
}

fn elf() -> Vmcore {
    let made =
        Vmcore::new(Class::Elf64, Endian::Little).note(NoteSpec::vmcoreinfo("OSRELEASE=6.1\n"));
    let made =
        made.load(Load::new(0x1000, page(1, 4096))).load(Load::new(0x10_0800, page(2, 9000)));
    (0..3).fold(made, |made, number| {
        made.dump(format!("nic{number}"), page(number, 10 + usize::from(number) * 3))
    })
}

fn check_elf(dump: &Dump) {
    check_dumps(dump, 3);
    let mut read = vec![0; 9000];
    dump.memory().read(0x10_0800, &mut read).expect("there");
    assert!(read == page(2, 9000));
    dump.memory().read(0x1000, &mut read[..4096]).expect("there");
    assert!(read[..4096] == page(1, 4096));
    let error = dump.memory().read(0x1fff, &mut [0; 2]).expect_err("one byte is not there");
    assert!(error.to_string().ends_with("physical address 0x2000: not in the dump"), "{error}");
    assert_eq!(dump.release().expect("readable"), Some(b"6.1".to_vec()));
}

#[test]
fn memory_of_an_elf_vmcore() {
    check_elf(&Dump::open(&on_disk(&elf().image()).path).expect("a good file"));
}

#[test]
fn flattened_streams_are_read_as_files_and_from_pipes() {
    for record in [100, 4096, 100_000] {
        let stream = elf().image().flattened(record);
        let file = on_disk(&stream);
        for dump in [
            Dump::open(&file.path).expect("a good file"),
            Dump::from_reader("pipe", Cursor::new(stream.to_vec())).expect("a good stream"),
        ] {
            assert!(dump.format().flattened);
            assert_eq!(dump.size(), elf().image().length());
            check_elf(&dump);
        }
        let kdump =
            with_notes(Kdump::new(Width::Bits64, Endian::Little, 6), 3).page(7, &page(2, 4096));
        let file = on_disk(&kdump.image().flattened(record));
        let dump = Dump::open(&file.path).expect("a good file");
        assert!(dump.format().flattened);
        check_dumps(&dump, 3);
        check_pages(&dump, &[(7, 2)], &[6], 4096);
    }
}

#[test]
fn what_is_not_flattened_comes_out_of_a_pipe_too() {
    let dump = Dump::from_reader("pipe", Cursor::new(elf().image().to_vec())).expect("a good file");
    assert!(!dump.format().flattened);
    check_elf(&dump);
    let empty = Dump::from_reader("pipe", Cursor::new([])).expect_err("no file");
    assert_eq!(
        empty.to_string(),
        "pipe: expected a vmcore, found an empty file; what was to save it wrote nothing"
    );
}

/// Of a stream that is cut at any byte, what is there is read, and an error says where
/// it ends.
#[test]
fn a_stream_cut_at_any_byte_is_read_as_far_as_it_goes() {
    let stream = elf().image().flattened(512);
    let whole = stream.to_vec();
    for length in (0..whole.len()).step_by(7) {
        let file = on_disk(&stream.clone().truncated(length as u64));
        let piped = Dump::from_reader("pipe", Cursor::new(whole[..length].to_vec()));
        let Ok(dump) = Dump::open(&file.path) else {
            assert!(piped.is_err(), "cut at {length}");
            continue;
        };
        let errors: Vec<_> = dump.notes().filter_map(Result::err).collect();
        assert!(!errors.is_empty(), "cut at {length}");
        let of_pipe = piped.expect("as from a file");
        let of_pipe: Vec<_> = of_pipe.notes().filter_map(Result::err).collect();
        let faults = |errors: &[kdumpfile::Error]| {
            errors.iter().map(|error| error.fault.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(faults(&errors), faults(&of_pipe), "cut at {length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damage_never_panics(
        which in 0..30_usize,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..30),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        flattened in any::<bool>(),
    ) {
        let (width, endian) = (WIDTHS[which % 3], ENDIANS[which / 3 % 2]);
        let (compression, _) = COMPRESSIONS[which / 6];
        let made = with_notes(Kdump::new(width, endian, 6).compression(compression), 3);
        let made = made.page(3, &page(1, 4096)).page(4, &page(2, 4096)).page(100, &page(0, 4096));
        let image = if flattened { made.image().flattened(1000) } else { made.image() };
        let length = image.length();
        let mut image = damage.iter().fold(image, |image: Image, (at, byte)| {
            let at = at.index(length as usize) as u64;
            // The headers are where it hurts.
            let at = if byte % 2 == 0 { at % 600 } else { at };
            image.overwritten(at, &[*byte])
        });
        if let Some(cut) = cut {
            image = image.truncated(cut.index(length as usize) as u64);
        }
        let file = on_disk(&image);
        let Ok(dump) = Dump::open(&file.path) else { return Ok(()) };
        let _ = dump.device_dumps().count();
        let _ = (dump.manifest(), dump.vmcoreinfo(), dump.memory().size());
        for number in [0, 3, 4, 100, 1 << 40] {
            let _ = dump.memory().read(number * 4096, &mut [0; 100]);
        }
    }

    #[test]
    fn pages_are_those_that_were_put_in(
        pages in btree_map(0..70_000_u64, any::<u8>(), 1..60),
        style in prop_oneof![Just(DumpStyle::Exact), Just(DumpStyle::Paged)],
        which in 0..5_usize,
    ) {
        let (compression, _) = COMPRESSIONS[which];
        let made = Kdump::new(Width::Bits64, Endian::Little, 6).style(style).compression(compression);
        let made = pages.iter().fold(made.dump("nic0", vec![1; 9]), |made, (number, kind)| {
            made.page(*number, &page(*kind, 4096))
        });
        let file = on_disk(&made.image());
        let dump = Dump::open(&file.path).expect("a good file");
        let pages: Vec<_> = pages.into_iter().collect();
        check_pages(&dump, &pages, &[70_001], 4096);
        let device_dump = dump.device_dumps().next().expect("there").expect("whole");
        prop_assert_eq!(device_dump.offset(), made.payload_offset(0));
    }
}

/// Nothing is read but what is asked for, whatever the size of the notes.
#[test]
fn notes_of_gigabytes_are_walked_past() {
    let made = Kdump::new(Width::Bits64, Endian::Little, 6)
        .dump("large0", Content::Zeros(3 << 30))
        .dump("large1", Content::Zeros(3 << 30))
        .dump("small", b"payload".to_vec());
    let file = on_disk(&made.image());
    let before = bytes_read();
    let dump = Dump::open(&file.path).expect("a good file");
    assert_eq!(dump.device_dumps().filter(Result::is_ok).count(), 3);
    let read = bytes_read() - before;
    assert!(read < 4096, "{read} bytes read");
}
