// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files that claim too much: one error, soon, and what can be read is read.

mod on_disk;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;

use kdumpfile::Dump;
use synth::{Class, Content, Endian, Kdump, Load, NoteSpec, Vmcore, Width};

use on_disk::{OnDisk, bytes_read, on_disk};

fn kdump() -> Kdump {
    Kdump::new(Width::Bits64, Endian::Little, 6)
        .dump("nic0", vec![1; 9])
        .page(1, &[7; 4096])
        .page(3, &[8; 4096])
}

/// Where the fields of the headers of a 64-bit kdump-compressed dump stand.
const BITMAP_BLOCKS: u64 = 436;
const MAX_MAPNR: u64 = 440;
const MAX_MAPNR_64: u64 = 4096 + 96;

/// What is wrong with the notes, each in one line without the path.
fn problems(file: &OnDisk) -> Vec<String> {
    let dump = Dump::open(&file.path).expect("its start is good");
    dump.notes().filter_map(|note| note.err().map(|error| without_path(&error, file))).collect()
}

fn without_path(error: &kdumpfile::Error, file: &OnDisk) -> String {
    error.to_string().replace(&format!("{}: ", file.path.display()), "")
}

fn names(file: &OnDisk) -> Vec<String> {
    let dump = Dump::open(&file.path).expect("its start is good");
    let found = dump.device_dumps().flatten();
    found.map(|each| String::from_utf8_lossy(each.name()).into_owned()).collect()
}

#[test]
fn a_page_that_is_longer_than_a_page() {
    let made = kdump();
    let descs = made.notes_range().end.next_multiple_of(4096) + 2 * 4096;
    let file = on_disk(&made.image().overwritten(descs + 8, &u32::MAX.to_le_bytes()));
    let dump = Dump::open(&file.path).expect("a good header");
    let error = dump.memory().read(0x1000, &mut [0; 1]).expect_err("too long");
    let expected = format!(
        "offset {:#x}: size of a page_desc: expected a page at most, found 0xffffffff",
        descs + 8
    );
    assert_eq!(without_path(&error, &file), expected);
    dump.memory().read(0x3000, &mut [0; 1]).expect("another page is good");
}

#[test]
fn more_pages_than_any_machine_has() {
    let image = kdump().image().overwritten(MAX_MAPNR_64, &(1_u64 << 37).to_le_bytes());
    let file = on_disk(&image);
    let error = Dump::open(&file.path).expect_err("too many");
    let expected = "offset 0x1b8: max_mapnr: expected at most 2^36 pages, found 0x2000000000";
    assert_eq!(without_path(&error, &file), expected);
}

/// Of the bitmaps of 2^35 pages, 8 GiB, only what is no hole is read.
#[test]
fn bitmaps_full_of_holes() {
    let blocks = (1_u64 << 35) / 8 / 4096;
    let made = kdump();
    let bitmaps = made.notes_range().end.next_multiple_of(4096);
    let image = made
        .image()
        .truncated(bitmaps)
        .overwritten(BITMAP_BLOCKS, &(2 * blocks as u32).to_le_bytes())
        .overwritten(MAX_MAPNR, &u32::MAX.to_le_bytes())
        .overwritten(MAX_MAPNR_64, &(1_u64 << 35).to_le_bytes());
    let file = on_disk(&image);
    let options = OpenOptions::new().write(true).open(&file.path).expect("there");
    options.set_len(bitmaps + 3 * blocks * 4096).expect("a hole");
    // Page number 8 * 4096 * 1000, and its description.
    let second = bitmaps + blocks * 4096;
    options.write_all_at(&[1], second + 4096 * 1000).expect("written");
    let descs = bitmaps + 2 * blocks * 4096;
    let mut desc = [0; 24];
    desc[..8].copy_from_slice(&(descs + 4096).to_le_bytes());
    desc[8..12].copy_from_slice(&4096_u32.to_le_bytes());
    options.write_all_at(&desc, descs).expect("written");
    options.write_all_at(&[9; 4096], descs + 4096).expect("written");

    let dump = Dump::open(&file.path).expect("a good header");
    let before = bytes_read();
    assert_eq!(dump.memory().size().expect("readable"), 4096);
    let mut page = [0; 4096];
    dump.memory().read((8 * 4096 * 1000) << 12, &mut page).expect("there");
    assert_eq!(page, [9; 4096]);
    let read = bytes_read() - before;
    assert!(read < 1 << 20, "{read} bytes were read");
}

#[test]
fn a_dump_that_was_not_written_to_its_end() {
    let file = on_disk(&kdump().incomplete().image());
    let expected = "offset 0x0: status: expected a dump that was written to its end, found 0x8";
    assert_eq!(problems(&file), [expected]);
    assert_eq!(names(&file), ["nic0"]);
}

#[test]
fn more_program_headers_than_are_read() {
    let made = Vmcore::new(Class::Elf64, Endian::Little).dump("nic0", vec![1; 9]);
    // `sh_info` of the section header after the only program header.
    let count = 64 + 56 + 44;
    let image = made.extended_numbering().image().overwritten(count, &u32::MAX.to_le_bytes());
    let file = on_disk(&image);
    OpenOptions::new().write(true).open(&file.path).expect("there").set_len(1 << 40).expect("long");
    let before = bytes_read();
    let found = problems(&file);
    let expected = "offset 0x78: program headers: expected at most 1,048,576, found 0xffffffff";
    assert_eq!(found, [expected]);
    assert!(bytes_read() - before < 80 << 20);
}

#[test]
fn notes_that_two_segments_claim() {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", vec![1; 9])
        .dump("nic1", vec![2; 9])
        .separate_notes();
    let first = made.header_size();
    // The second one starts where the first one does.
    let file = on_disk(&made.image().overwritten(64 + 56 + 8, &first.to_le_bytes()));
    let expected = format!(
        "offset 0x78: p_offset of PT_NOTE: expected the end of the PT_NOTE before it, or after, \
         found {first:#x}"
    );
    assert_eq!(problems(&file), [expected]);
    assert_eq!(names(&file), ["nic0"]);
}

#[test]
fn memory_that_two_segments_claim() {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .load(Load::new(0x1000, vec![3; 0x8000]))
        .load(Load::new(0x2000, vec![3; 0x1000]));
    let file = on_disk(&made.image());
    let dump = Dump::open(&file.path).expect("a good file");
    // After the end of the inner one it is in the outer one.
    for address in [0x1000, 0x2fff, 0x3000, 0x8fff] {
        let mut byte = [0];
        dump.memory().read(address, &mut byte).expect("there");
        assert_eq!(byte, [3], "{address:#x}");
    }
    dump.memory().read(0x9000, &mut [0]).expect_err("not there");
}

/// A stream of a vmcore with one device dump, and more records instead of its end.
fn stream(more: impl Iterator<Item = (i64, i64)>) -> (OnDisk, u64) {
    let made = Vmcore::new(Class::Elf64, Endian::Little).dump("nic0", vec![1; 9]).image();
    let stream = made.flattened(1000);
    let end = stream.length() - 16;
    let file = on_disk(&stream.truncated(end));
    let mut bytes = Vec::new();
    for (offset, size) in more {
        bytes.extend(offset.to_be_bytes());
        bytes.extend(size.to_be_bytes());
        bytes.extend(std::iter::repeat_n(b'x', size.clamp(0, 100) as usize));
    }
    let mut to = OpenOptions::new().append(true).open(&file.path).expect("there");
    to.write_all(&bytes).expect("written");
    (file, end)
}

/// A hole after a stream would be a record without data after the other.
#[test]
fn records_without_data() {
    let (file, end) = stream(std::iter::empty());
    OpenOptions::new().write(true).open(&file.path).expect("there").set_len(1 << 40).expect("long");
    let before = bytes_read();
    let expected = format!("offset {:#x}: buf_size: expected 1 or more, found 0x0", end + 8);
    assert_eq!(problems(&file), [expected]);
    assert_eq!(names(&file), ["nic0"]);
    assert!(bytes_read() - before < 1 << 20);
}

#[test]
fn a_stream_of_more_pieces_than_are_kept() {
    let (file, _) = stream((0..140_000).map(|index| (10_000 + index * 10, 1)));
    let error = Dump::open(&file.path).expect_err("too many");
    let message = without_path(&error, &file);
    let expected = "records: expected less scattered ones (makedumpfile -R makes a file of it)";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn a_stream_with_impossible_places() {
    for (record, at, expected) in [
        ((-5, 10), 0, "offset of a record: expected 0 or more, found 0xfffffffffffffffb"),
        ((5, -10), 8, "buf_size: expected 1 or more, found 0xfffffffffffffff6"),
        ((i64::MAX, 10), 8, "buf_size: expected an end below 2^63, found 0xa"),
        ((20_000, 101), 8, "buf_size: expected data inside the stream, found 0x65"),
    ] {
        let (file, end) = stream([record].into_iter());
        assert_eq!(problems(&file), [format!("offset {:#x}: {expected}", end + at)]);
        assert_eq!(names(&file), ["nic0"]);
    }
}

/// A copy is as long as what it is of, though it ends with a hole.
#[test]
fn a_hole_at_the_end_is_copied() {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .note(NoteSpec::vmcoreinfo("A=1\n"))
        .load(Load::new(0x1000, Content::Zeros(1 << 20)));
    let file = on_disk(&made.image());
    let copy = file.path.with_file_name("copy");
    let to = File::create(&copy).expect("created");
    let dump = Dump::open(&file.path).expect("a good file");
    dump.copy_to_file(&to, |_| {}).expect("copied");
    assert_eq!(to.metadata().expect("there").len(), made.image().length());
}
