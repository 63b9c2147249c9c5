// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files that do not have all of their dump: what is there is found, and one line says so.

mod on_disk;

use std::fs::OpenOptions;
use std::path::Path;

use kdumpfile::{Dump, Kind};
use synth::{Class, Compression, Content, Endian, Kdump, Load, NoteSpec, Vmcore, Width};

use on_disk::{bytes_read, on_disk};

const WIDTHS: [Width; 3] = [Width::Bits32, Width::Bits32Aligned, Width::Bits64];
const ENDIANS: [Endian; 2] = [Endian::Little, Endian::Big];

/// The names of the device dumps that are there, and all errors, without the path.
fn found(path: &Path) -> (Vec<String>, Vec<String>) {
    let dump = Dump::open(path).expect("good headers");
    let (mut names, mut errors) = (Vec::new(), Vec::new());
    for each in dump.device_dumps() {
        match each {
            Ok(each) => names.push(String::from_utf8_lossy(each.name()).into_owned()),
            Err(error) => errors.push(error.fault.to_string()),
        }
    }
    (names, errors)
}

fn kdump(width: Width, endian: Endian, version: u32) -> Kdump {
    Kdump::new(width, endian, version)
        .compression(Compression::Zlib)
        .dump("nic0", vec![1; 5000])
        .dump("nic1", vec![2; 9000])
        .note(NoteSpec::prstatus(endian, 1))
        .page(1, &Content::Pattern { seed: 1, length: 4096 }.to_vec())
        .page(3, &[8; 4096])
        .page(40_000, &[9; 4096])
}

/// Wherever a kdump-compressed dump is cut, its layout is found, so are the device dumps
/// before the cut, and one line says what is missing.
#[test]
fn a_kdump_compressed_dump_cut_anywhere() {
    for width in WIDTHS {
        for endian in ENDIANS {
            for info in ["", "OSRELEASE=6.12\n"] {
                let made = kdump(width, endian, 6).vmcoreinfo(info);
                let (image, notes) = (made.image(), made.notes_range());
                let bitmaps = (notes.end + info.len() as u64).next_multiple_of(4096);
                let descs = bitmaps + 4 * 4096;
                let file = on_disk(&image);
                let bits = bits(&file.path);
                let writable = OpenOptions::new().write(true).open(&file.path).expect("there");
                let ends = [notes.start, made.payload_offset(0), notes.end, bitmaps, descs];
                let near = ends.iter().flat_map(|end| end - 3..end + 30);
                let cuts = near.chain((4096 + 128..image.length()).step_by(97)).chain([descs + 72]);
                let mut cuts: Vec<_> = cuts.chain([image.length() - 1, image.length()]).collect();
                cuts.sort_unstable();
                for cut in cuts.into_iter().rev().filter(|cut| *cut >= 4096 + 128) {
                    writable.set_len(cut).expect("cut");
                    let how = format!("{width:?} {endian:?} {info:?}, cut at {cut}");
                    assert_eq!(self::bits(&file.path), bits, "{how}");
                    let (names, errors) = found(&file.path);
                    let there = [0, 1].into_iter().filter(|at| made.payload_offset(*at) <= cut);
                    assert_eq!(names.len(), there.count(), "{how}");
                    let field = match cut {
                        _ if cut == image.length() => None,
                        _ if cut >= descs + 72 => Some("offset of a page_desc"),
                        _ if cut >= descs => Some("page_desc"),
                        // The last bits are those of no pages.
                        _ if cut >= descs - 2 * 4096 + 5001 => Some("page_desc"),
                        _ if cut >= notes.end => Some("bitmap_blocks"),
                        _ => Some("n"),
                    };
                    assert_eq!(errors.len(), usize::from(field.is_some()), "{how}: {errors:?}");
                    if let (Some(field), Some(error)) = (field, errors.first()) {
                        let (_, rest) = error.split_once(": ").expect("an offset");
                        let is_memory = cut >= notes.end;
                        let is_right = if is_memory {
                            rest.starts_with(&format!("{field}: "))
                                && rest.contains("inside the file, which is incomplete")
                        } else {
                            rest.contains("inside the file") || rest.starts_with("note header: ")
                        };
                        assert!(is_right, "{how}: {error}");
                    }
                }
            }
        }
    }
}

fn bits(path: &Path) -> (u32, bool, Kind) {
    let format = Dump::open(path).expect("good headers").format();
    (format.bits, format.endian == kdumpfile::Endian::Little, format.kind)
}

/// Of all versions, as they are written, nothing is reported: nor of a dump without pages.
#[test]
fn whole_dumps_are_not_reported() {
    for width in WIDTHS {
        for endian in ENDIANS {
            for version in 1..=6 {
                let made = kdump(width, endian, version);
                let none = Kdump::new(width, endian, version).excluded(5);
                let parts = if version < 2 { vec![] } else { made.split(4) };
                for image in [made.image(), none.image()].into_iter().chain(parts) {
                    for image in [image.flattened(1000), image] {
                        let (_, errors) = found(&on_disk(&image).path);
                        assert!(errors.is_empty(), "{width:?} {endian:?} {version}: {errors:?}");
                    }
                }
            }
        }
    }
    for (class, endian) in [(Class::Elf32, Endian::Big), (Class::Elf64, Endian::Little)] {
        let made = Vmcore::new(class, endian).load(Load::new(0x1000, vec![1; 5000]));
        for made in [made.clone(), made.extended_numbering()] {
            assert_eq!(found(&on_disk(&made.image()).path).1, [""; 0]);
            assert_eq!(found(&on_disk(&made.image().flattened(1000)).path).1, [""; 0]);
        }
    }
}

/// Of a part of a split set without pages, makedumpfile does not write the last bytes of the
/// bitmap, for which there are no pages.
#[test]
fn a_bitmap_that_ends_with_its_last_page() {
    let made = Kdump::new(Width::Bits64, Endian::Little, 6).excluded(79_999);
    let image = made.image();
    let end = image.length() - 3 * 4096 + 10_000;
    assert_eq!(found(&on_disk(&image.clone().truncated(end)).path).1, [""; 0]);
    let (_, errors) = found(&on_disk(&image.truncated(end - 1)).path);
    assert!(errors.len() == 1 && errors[0].contains("bitmap_blocks: "), "{errors:?}");
}

/// A page of zeros to which all point comes before the others' data, as makedumpfile
/// leaves it with `-d 1`.
#[test]
fn a_page_of_zeros_before_the_data() {
    let made = Kdump::new(Width::Bits64, Endian::Little, 6)
        .page(1, &[0; 4096])
        .page(2, &Content::Pattern { seed: 1, length: 4096 }.to_vec())
        .page(3, &Content::Pattern { seed: 2, length: 4096 }.to_vec())
        .page(4, &[0; 4096]);
    let descs = 2 * 4096 + 2 * 4096;
    let data = descs + 4 * 24;
    let put = |image: synth::Image, places: [u64; 4]| {
        (descs..).step_by(24).zip(places).fold(image, |image, (at, page)| {
            image.overwritten(at, &(data + page * 4096).to_le_bytes())
        })
    };
    // Zeros first, or at once after the descriptions.
    for places in [[0, 1, 2, 0], [1, 0, 2, 0]] {
        let image = put(made.image(), places).truncated(data + 3 * 4096);
        let (_, errors) = found(&on_disk(&image).path);
        assert_eq!(errors, [""; 0]);
        let cut = image.truncated(data + 3 * 4096 - 1);
        let expected = format!(
            "offset {:#x}: offset of a page_desc: expected data inside the file, which is \
             incomplete, found {:#x}",
            descs + 2 * 24,
            data + 2 * 4096
        );
        assert_eq!(found(&on_disk(&cut).path).1, [expected]);
    }
}

/// makedumpfile writes descriptions and data by turns: when it is killed, there is a hole.
#[test]
fn descriptions_that_were_not_written() {
    let made = kdump(Width::Bits64, Endian::Little, 6);
    let descs = made.notes_range().end.next_multiple_of(4096) + 4 * 4096;
    let image = made.image().overwritten(descs + 48, &[0; 24]);
    let expected = format!(
        "offset {:#x}: page_desc: expected one that was written; the file is incomplete",
        descs + 48
    );
    assert_eq!(found(&on_disk(&image).path).1, [expected]);
    // Room for one more page than there is: the bit of the last one is taken away.
    let image = image.overwritten(descs - 2 * 4096 + 5000, &[0]);
    assert_eq!(found(&on_disk(&image).path).1, [""; 0]);
}

#[test]
fn descriptions_that_make_no_sense_are_not_reported() {
    let made = kdump(Width::Bits64, Endian::Little, 6);
    let descs = made.notes_range().end.next_multiple_of(4096) + 4 * 4096;
    for first in [0, 1, descs, descs + 23, descs + 24 * 50_000, u64::MAX] {
        let image = made.image().overwritten(descs, &first.to_le_bytes());
        assert_eq!(found(&on_disk(&image).path).1, [""; 0], "{first:#x}");
    }
}

#[test]
fn an_elf_vmcore_that_says_so() {
    for (class, endian, at) in [(Class::Elf32, Endian::Big, 36), (Class::Elf64, Endian::Little, 48)]
    {
        let made = Vmcore::new(class, endian)
            .dump("nic0", vec![1; 50])
            .load(Load::new(0x1000, vec![1; 5000]));
        let flags = if endian == Endian::Big { [0, 0, 0, 1] } else { [1, 0, 0, 0] };
        let image = made.image().overwritten(at, &flags);
        let says = format!(
            "offset {at:#x}: e_flags: expected a dump that was written to its end, found 0x1"
        );
        for image in [image.clone(), image.clone().flattened(100), image.truncated(8192)] {
            let file = on_disk(&image);
            assert_eq!(found(&file.path), (vec!["nic0".to_owned()], vec![says.clone()]));
        }
    }
}

#[test]
fn memory_behind_the_end_of_an_elf_vmcore() {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", vec![1; 50])
        .load(Load::new(0x10_0000, vec![1; 0x8000]))
        .load(Load::new(0x1000, vec![1; 0x2000]));
    let image = made.image();
    // The flattened stream is whole, what it is of is not.
    for cut in [image.clone().truncated(0x9000), image.clone().truncated(0x9000).flattened(999)] {
        let expected = "offset 0xb0: p_filesz of PT_LOAD: expected an end inside the file, which \
                        is incomplete, found 0x2000";
        assert_eq!(
            found(&on_disk(&cut).path),
            (vec!["nic0".to_owned()], vec![expected.to_owned()])
        );
    }
    // A cut stream is the one cause.
    let stream = image.flattened(999);
    let cut = stream.clone().truncated(stream.length() - 16);
    let (_, errors) = found(&on_disk(&cut).path);
    assert!(errors.len() == 1 && errors[0].contains("the last record"), "{errors:?}");
    // Of a table that is cut, it is the table that is reported.
    let (_, errors) = found(&on_disk(&made.image().truncated(0x90)).path);
    assert!(errors.len() == 1 && errors[0].contains("program headers: "), "{errors:?}");
}

/// However many pages there are, that the file is whole is seen by a few of them.
#[test]
fn little_is_read_of_a_large_dump() {
    let made = (0..5000_u64).fold(
        Kdump::new(Width::Bits64, Endian::Little, 6).dump("nic0", vec![1; 5000]),
        |made, page| made.page(page * 7, &Content::Pattern { seed: page, length: 4096 }.to_vec()),
    );
    let file = on_disk(&made.image());
    let before = bytes_read();
    assert_eq!(found(&file.path), (vec!["nic0".to_owned()], vec![]));
    let read = bytes_read() - before;
    assert!(read < 100 << 10, "{read} bytes read");
}
