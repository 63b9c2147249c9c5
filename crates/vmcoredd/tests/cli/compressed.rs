// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Dumps that other programs compressed: whole, cut, damaged, and far larger than they
//! look. The programs themselves compress them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use synth::{Class, Content, Endian, Kdump, Load, NoteSpec, Vmcore, Width};

use crate::run::{Folder, Outcome};

/// Programs that write to standard output what they compressed of standard input, in
/// blocks that are small where they can be.
const PROGRAMS: [&[&str]; 8] = [
    &["gzip", "-c"],
    &["bzip2", "-1", "-c"],
    &["xz", "-c"],
    &["lz4", "-B4", "-c"],
    &["lz4", "-l", "-c"],
    &["zstd", "-c"],
    &["zstd", "-c", "--no-check"],
    &["pzstd", "-q", "-c", "-p", "2"],
];

/// Runs the program in `folder` on `input`.
fn compress(program: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program:?}: {error}"));
    let (mut stdin, input) = (child.stdin.take().expect("piped"), input.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&input).expect("written"));
    let mut compressed = Vec::new();
    child.stdout.take().expect("piped").read_to_end(&mut compressed).expect("read");
    writer.join().expect("written");
    assert!(child.wait().expect("ends").success(), "{program:?}");
    compressed
}

/// Bytes that no program makes much smaller.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

const DUMPS: usize = 12;

/// A vmcore of which most is device dumps, and some memory after them.
fn vmcore() -> Vec<u8> {
    made().image().to_vec()
}

fn made() -> Vmcore {
    let made =
        Vmcore::new(Class::Elf64, Endian::Little).load(Load::new(0x1000, noise(300_000, 99)));
    let dump = |made: Vmcore, at: usize| made.dump(format!("dev{at}"), noise(20_000, at as u64));
    (0..DUMPS).fold(made, dump).note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"))
}

/// How many device dumps are listed as they are, and not as damaged.
fn whole(outcome: &Outcome) -> usize {
    outcome.stdout().lines().filter(|line| line.contains(" unknown")).count()
}

fn piped(folder: &Folder, arguments: &[&str], name: &str) -> Outcome {
    let input = File::open(folder.path(name)).expect("there");
    let mut cat = Command::new("cat").stdin(input).stdout(Stdio::piped()).spawn().expect("runs");
    let pipe = cat.stdout.take().expect("piped");
    let output = folder.command().args(arguments).stdin(pipe).output().expect("runs");
    cat.wait().expect("ends");
    Outcome::from(output)
}

#[test]
fn whole_ones_are_read_from_files_pipes_and_standard_input() {
    let plain = vmcore();
    for program in PROGRAMS {
        let folder = Folder::new();
        fs::write(folder.path("dump"), compress(program, &plain)).expect("written");
        let listed = folder.run(["list", "dump"]);
        assert_eq!((listed.status, listed.stderr.as_str()), (Some(0), ""), "{program:?}");
        assert_eq!(whole(&listed), DUMPS, "{program:?}");
        assert_eq!(piped(&folder, &["list", "-"], "dump").stdout, listed.stdout, "{program:?}");
        let stdin = File::open(folder.path("dump")).expect("there");
        let output = folder.command().args(["list", "-"]).stdin(stdin).output().expect("runs");
        assert_eq!(output.stdout, listed.stdout, "{program:?}");
        let extracted = folder.run(["extract", "dump", "dev11", "-o", "-"]);
        assert_eq!(extracted.stdout, noise(20_000, 11), "{program:?}");
        let info = folder.run(["info", "dump"]);
        let format = format!("compressed by {}\n", program[0].trim_start_matches('p'));
        assert!(info.stdout().contains(&format), "{program:?}: {info:?}");
    }
}

/// What came out before the cut is used, and one line says that the rest is missing.
#[test]
fn cut_ones_are_read_as_far_as_they_go() {
    let plain = vmcore();
    for program in PROGRAMS {
        let folder = Folder::new();
        let compressed = compress(program, &plain);
        let mut most = 0;
        let lengths = (8..compressed.len()).step_by(compressed.len() / 15);
        for length in lengths.chain(compressed.len() - 9..compressed.len()) {
            fs::write(folder.path("cut"), &compressed[..length]).expect("written");
            let listed = folder.run(["list", "cut"]);
            let shown = format!("{program:?}, {length} of {}: {listed:?}", compressed.len());
            assert_eq!(listed.status, Some(1), "{shown}");
            assert_eq!(listed.stderr.lines().count(), 1, "{shown}");
            assert!(listed.stderr.contains(" bytes came out before"), "{shown}");
            assert!(whole(&listed) >= most, "{shown}");
            most = whole(&listed);
            for others in [&["list", "--json", "cut"][..], &["info", "cut"], &["verify", "cut"]] {
                let other = folder.run(others);
                assert_eq!((other.status, &other.stderr), (Some(1), &listed.stderr), "{other:?}");
            }
            assert_eq!(piped(&folder, &["list", "-"], "cut").status, Some(1), "{shown}");
        }
        // All device dumps come before the memory; older frames of LZ4 have large blocks.
        let expected = if program.contains(&"-l") { 0 } else { DUMPS };
        assert_eq!(most, expected, "{program:?}");
    }
}

#[test]
fn a_wrong_byte_is_not_taken_for_data() {
    let plain = vmcore();
    for program in PROGRAMS {
        if program.contains(&"-l") || program.contains(&"--no-check") {
            continue;
        }
        let folder = Folder::new();
        let mut compressed = compress(program, &plain);
        // In all formats the end has a checksum of what came before.
        let at = compressed.len() - if program[0] == "xz" { 20 } else { 6 };
        for at in [at, compressed.len() / 2] {
            compressed[at] ^= 0x10;
            fs::write(folder.path("wrong"), &compressed).expect("written");
            for arguments in [&["list", "wrong"][..], &["verify", "wrong"], &["info", "wrong"]] {
                let outcome = folder.run(arguments);
                assert_eq!(outcome.status, Some(1), "{program:?} at {at}: {outcome:?}");
                assert_eq!(outcome.stderr.lines().count(), 1, "{program:?}: {outcome:?}");
            }
            compressed[at] ^= 0x10;
        }
    }
}

#[test]
fn a_flattened_stream_is_read_to_the_end_of_what_is_compressed() {
    let plain = made().image().flattened(4096).to_vec();
    for program in PROGRAMS {
        let folder = Folder::new();
        let whole_one = compress(program, &plain);
        let check = |content: &[u8], status: i32| {
            fs::write(folder.path("dump"), content).expect("written");
            for arguments in [&["list", "dump"][..], &["verify", "dump"], &["info", "dump"]] {
                let outcome = folder.run(arguments);
                let found = (outcome.status, outcome.stderr.lines().count());
                assert_eq!(found, (Some(status), status as usize), "{program:?}: {outcome:?}");
            }
        };
        check(&whole_one, 0);
        if program.contains(&"-l") || program.contains(&"--no-check") {
            continue;
        }
        check(&whole_one[..whole_one.len() - 1], 1);
        let mut wrong = whole_one.clone();
        // In all formats the end has a checksum of what came before.
        let at = wrong.len() - if program[0] == "xz" { 20 } else { 6 };
        wrong[at] ^= 0x10;
        check(&wrong, 1);
        wrong = whole_one;
        let middle = wrong.len() / 2;
        wrong[middle] ^= 0x10;
        check(&wrong, 1);
    }
}

#[test]
fn members_in_a_row_and_what_is_after_them() {
    let plain = vmcore();
    let (first, second) = plain.split_at(100_001);
    // A decoder does not see where one of LZ4's older frames ends and the next one starts.
    for program in PROGRAMS.into_iter().filter(|program| !program.contains(&"-l")) {
        let folder = Folder::new();
        let mut members = compress(program, first);
        members.extend(compress(program, second));
        let check = |content: &[u8], status, lines| {
            fs::write(folder.path("dump"), content).expect("written");
            let listed = folder.run(["list", "dump"]);
            let found = (listed.status, listed.stderr.lines().count(), whole(&listed));
            assert_eq!(found, (Some(status), lines, DUMPS), "{program:?}: {listed:?}");
        };
        check(&members, 0, 0);
        // Tapes and dd fill blocks.
        members.extend([0; 512]);
        check(&members, 0, 0);
        members.extend(b"what is this?");
        check(&members, 1, 1);
    }
}

/// A stream is read as far as the answer needs: a machine's memory does not come out of
/// it to learn what stands before.
#[test]
fn little_of_a_large_one_is_read() {
    const GIB: usize = 1 << 30;
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", vec![7; 1000])
        .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"))
        .load(Load::new(0x1000, Content::Zeros(20 * GIB as u64)));
    let folder = Folder::new().with("core", &made.image());
    let mut start = vec![0; 1 << 20];
    File::open(folder.path("core")).expect("there").read_exact(&mut start).expect("read");
    let mut compressed = compress(&["zstd", "-c"], &start);
    let frame = compress(&["zstd", "-c"], &vec![0; GIB]);
    (0..20).for_each(|_| compressed.extend(&frame));
    fs::write(folder.path("core.zst"), &compressed).expect("written");
    let made = Kdump::new(Width::Bits64, Endian::Little, 6).dump("nic0", vec![7; 1000]);
    let mut compressed = compress(&["zstd", "-c"], &made.page(1, &[1; 4096]).image().to_vec());
    (0..20).for_each(|_| compressed.extend(&frame));
    fs::write(folder.path("kdump.zst"), &compressed).expect("written");
    for name in ["core", "core.zst", "kdump.zst"] {
        let mut cat = Command::new("cat");
        let mut cat = cat.arg(folder.path(name)).stdout(Stdio::piped()).spawn().expect("runs");
        let trace = folder.path("trace");
        let mut list = Command::new("strace");
        list.args(["-e", "trace=ftruncate", "-o"]).arg(&trace);
        list.arg(env!("CARGO_BIN_EXE_vmcoredd")).args(["list", "-"]);
        list.stdin(cat.stdout.take().expect("piped"));
        let listed = Outcome::from(list.output().expect("runs"));
        // The parent's end of the pipe is closed with it.
        drop(list);
        cat.wait().expect("ends");
        assert_eq!((listed.status, whole(&listed)), (Some(0), 1), "{listed:?}");
        let longest = longest(&trace);
        assert!(longest < 128 << 20, "{name}: {longest} bytes came out");
    }
}

/// The largest length that the calls in a trace give a file, in bytes.
fn longest(trace: &Path) -> u64 {
    let text = fs::read_to_string(trace).expect("a trace");
    let lengths = text
        .lines()
        .filter(|line| line.contains("ftruncate"))
        .filter_map(|line| line.split(", ").nth(1)?.split(')').next()?.parse::<u64>().ok());
    lengths.max().expect("a temporary file grew")
}

/// Without space for a temporary file, what fitted is used, and the directory is named.
#[test]
fn a_full_directory_for_temporary_files() {
    let folder = Folder::new();
    fs::write(folder.path("dump"), compress(&["zstd", "-c"], &vmcore())).expect("written");
    let mut command = Command::new("strace");
    // The 3rd write is the one that finds the disk full.
    command.args(["-o", "/dev/null", "-e", "trace=pwrite64"]);
    command.args(["-e", "inject=pwrite64:error=ENOSPC:when=2+"]);
    command.arg(env!("CARGO_BIN_EXE_vmcoredd")).args(["list", "dump"]);
    command.current_dir(folder.root()).env("TMPDIR", folder.root());
    let listed = Outcome::from(command.output().expect("runs"));
    assert!(whole(&listed) > 0 && whole(&listed) < DUMPS, "{listed:?}");
    assert_eq!(listed.status, Some(3), "{listed:?}");
    let directory = folder.root().to_str().expect("UTF-8");
    assert!(listed.stderr.contains(directory), "{listed:?}");
    assert_eq!(listed.stderr.lines().count(), 1, "{listed:?}");
    // No directory at all.
    let mut command = folder.command();
    command.args(["list", "dump"]).env("TMPDIR", "/nowhere");
    let listed = Outcome::from(command.output().expect("runs"));
    assert_eq!(listed.status, Some(3));
    assert!(listed.stderr.contains("/nowhere"), "{listed:?}");
}
