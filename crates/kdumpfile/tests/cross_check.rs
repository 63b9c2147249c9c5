// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Others read the files that the tests here make in the same way: makedumpfile and
//! libkdumpfile.

#[allow(dead_code, reason = "not all is needed here")]
mod on_disk;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use kdumpfile::Dump;
use synth::{Class, Compression, Endian, Kdump, Load, NoteSpec, Vmcore, Width};

use on_disk::on_disk;

/// Prints a line for each physical address after the file's path: the sum of the
/// bytes of its page, or `none`.
const LIBKDUMPFILE: &str = "
import sys
from kdumpfile import kdumpfile, KDUMP_MACHPHYSADDR
dump = kdumpfile(sys.argv[1])
for address in sys.argv[2:]:
    try:
        print(sum(dump.read(KDUMP_MACHPHYSADDR, int(address), 4096)))
    except Exception:
        print('none')
";

/// What libkdumpfile finds in each page.
fn libkdumpfile(path: &Path, pages: &[u64]) -> String {
    let output = Command::new("/usr/bin/python3")
        .args(["-c", LIBKDUMPFILE])
        .arg(path)
        .args(pages.iter().map(|page| (page * 4096).to_string()))
        .output()
        .expect("runs: see scripts/install-packages");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// What we find there.
fn ours(path: &Path, pages: &[u64]) -> String {
    let dump = Dump::open(path).expect("a good file");
    let mut lines = String::new();
    for page in pages {
        let mut bytes = [0; 4096];
        lines += &match dump.memory().read(page * 4096, &mut bytes) {
            Ok(()) => format!("{}\n", bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>()),
            Err(_) => "none\n".to_owned(),
        };
    }
    lines
}

fn pattern(seed: u64) -> Vec<u8> {
    (0..4096_u64).map(|at| (at / 3 * seed) as u8).collect()
}

#[test]
fn libkdumpfile_finds_the_same_pages() {
    let pages = [1, 2, 3, 4, 500, 501, 33_000, 33_001];
    for (width, endian, machine) in [
        (Width::Bits64, Endian::Little, "x86_64"),
        (Width::Bits32, Endian::Little, "i686"),
        (Width::Bits64, Endian::Big, "s390x"),
        (Width::Bits32Aligned, Endian::Little, "arm"),
    ] {
        // Of version 6, libkdumpfile 0.5.1 finds no page where 8-byte numbers of a 32-bit
        // machine are aligned to 8.
        let last = if width == Width::Bits32Aligned { 5 } else { 6 };
        for version in [1, 4, last] {
            for compression in
                [Compression::None, Compression::Zlib, Compression::Lzo, Compression::Snappy]
            {
                let made = Kdump::new(width, endian, version).machine(machine);
                let made = made.compression(compression).note(NoteSpec::prstatus(endian, 1));
                let made = [1, 3, 500, 33_000]
                    .iter()
                    .fold(made, |made, page| made.page(*page, &pattern(*page)));
                let file = on_disk(&made.excluded(2).excluded(33_001).image());
                let ours = ours(&file.path, &pages);
                assert_eq!(ours.matches("none").count(), 4);
                let theirs = libkdumpfile(&file.path, &pages);
                assert_eq!(theirs, ours, "{machine}, version {version}, {compression:?}");
            }
        }
    }
}

#[test]
fn libkdumpfile_finds_the_same_pages_in_elf() {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .note(NoteSpec::prstatus(Endian::Little, 1))
        .load(Load::new(0x1000, pattern(1)))
        .load(Load::new(0x10_0000, [pattern(2), pattern(3)].concat()));
    let file = on_disk(&made.image());
    let pages = [1, 0x100, 0x101];
    assert_eq!(libkdumpfile(&file.path, &pages), ours(&file.path, &pages));
}

#[test]
fn makedumpfile_puts_a_flattened_stream_in_the_same_order() {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", pattern(5))
        .note(NoteSpec::prstatus(Endian::Little, 1))
        .load(Load::new(0x1000, pattern(1)));
    let stream = on_disk(&made.image().flattened(1000));
    let whole = stream.path.with_file_name("whole");
    let status = Command::new("makedumpfile")
        .arg("-R")
        .arg(&whole)
        .stdin(File::open(&stream.path).expect("there"))
        .stdout(Stdio::null())
        .status()
        .expect("runs: see scripts/install-packages");
    assert!(status.success());
    let whole = fs::read(&whole).expect("written");
    assert!(whole == made.image().to_vec());

    let ours = stream.path.with_file_name("ours");
    let file = File::create(&ours).expect("created");
    Dump::open(&stream.path).expect("good").copy_to_file(&file, |_| {}).expect("copied");
    assert!(fs::read(&ours).expect("written") == whole);
}
