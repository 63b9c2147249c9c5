// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What makedumpfile makes of a vmcore, in each of its ways, reads as the vmcore does.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;

use kdumpfile::{Dump, Fault, Name, NewDump, NewPayload};
use synth::{Class, Content, Endian, Image, Load, NoteSpec, Vmcore};
use tempfile::TempDir;

/// The kernel's image: its page tables, `init_uts_ns` and `mem_map`, by which
/// makedumpfile finds out of what kernel a vmcore is.
const KERNEL: u64 = 0x20_0000;
/// Where the kernel sees its image, less where that is.
const KERNEL_MAP: u64 = 0xffff_ffff_8000_0000;
/// Where more memory is: at the next of the blocks by which makedumpfile splits dumps.
const BLOCK: u64 = 1 << 30;
const PAGE: usize = 4096;

const VMCOREINFO: &str = "OSRELEASE=6.1.0\nPAGESIZE=4096\nCRASHTIME=1700000000\n\
    SYMBOL(init_top_pgt)=ffffffff80200000\n\
    SYMBOL(init_uts_ns)=ffffffff80203000\nOFFSET(uts_namespace.name)=4\n\
    SYMBOL(mem_map)=ffffffff80204000\nSIZE(page)=64\nSIZE(pglist_data)=64\n\
    OFFSET(page.flags)=0\nOFFSET(page._refcount)=52\nOFFSET(page.mapping)=24\n\
    OFFSET(page.lru)=8\nOFFSET(page._mapcount)=48\nOFFSET(page.private)=40\n";

/// What the machine's memory has: where ranges of pages start, and their bytes.
fn memory() -> [(u64, Vec<u8>); 2] {
    let mut kernel = vec![0; 6 * PAGE];
    let mut put = |offset: usize, bytes: &[u8]| {
        kernel[offset..offset + bytes.len()].copy_from_slice(bytes);
    };
    // Three levels of page tables, the last one with a page of 2 MiB.
    put(511 * 8, &(KERNEL + 0x1003).to_le_bytes());
    put(0x1000 + 510 * 8, &(KERNEL + 0x2003).to_le_bytes());
    put(0x2000 + 8, &(KERNEL + 0x83).to_le_bytes());
    for (field, text) in ["Linux", "host", "6.1.0", "#1 SMP", "x86_64", "(none)"].iter().enumerate()
    {
        put(0x3004 + field * 65, text.as_bytes());
    }
    put(0x4000, &(KERNEL_MAP + KERNEL + 0x5000).to_le_bytes());
    let other = [
        Content::Pattern { seed: 9, length: PAGE as u64 }.to_vec(),
        vec![0; 2 * PAGE],
        b"shrinks ".repeat(PAGE / 8),
        vec![7; PAGE],
    ];
    [(KERNEL, kernel), (BLOCK, other.concat())]
}

fn payloads() -> [(&'static str, Content); 2] {
    [("nic0", b"registers".to_vec().into()), ("nic1", Content::Pattern { seed: 1, length: 9001 })]
}

fn vmcore() -> Image {
    let made =
        Vmcore::new(Class::Elf64, Endian::Little).note(NoteSpec::prstatus(Endian::Little, 1));
    let made = payloads().into_iter().fold(made, |made, (name, payload)| made.dump(name, payload));
    let made = memory().into_iter().fold(made, |made, (physical, bytes)| {
        let mut load = Load::new(physical, bytes);
        load.virtual_address = KERNEL_MAP + physical;
        made.load(load)
    });
    made.note(NoteSpec::vmcoreinfo(VMCOREINFO)).image()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        vmcore().write(&folder.path("vmcore")).expect("written");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs makedumpfile on the vmcore; what it prints goes to the file `stdout`.
    fn makedumpfile(&self, options: &str, outputs: &[PathBuf], stdout: Option<&Path>) {
        self.makedumpfile_on("vmcore", options, outputs, stdout);
    }

    fn makedumpfile_on(
        &self,
        input: &str,
        options: &str,
        outputs: &[PathBuf],
        stdout: Option<&Path>,
    ) {
        let mut command = Command::new("makedumpfile");
        command.args(options.split_whitespace()).arg(self.path(input)).args(outputs);
        if let Some(path) = stdout {
            command.stdout(File::create(path).expect("created"));
        }
        let output = command.output().expect("makedumpfile is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
    }
}

/// `dump` has what the vmcore has; of its pages those of zeros may be left out.
fn check(dump: &Dump, without_zeros: bool, how: &str) {
    check_dumps(dump, &payloads(), how);
    check_rest(dump, without_zeros, how);
}

fn check_dumps(dump: &Dump, expected: &[(&str, Content)], how: &str) {
    let found: Vec<_> = dump.device_dumps().map(|each| each.expect("whole")).collect();
    assert_eq!(found.len(), expected.len(), "{how}");
    for (each, (name, payload)) in found.iter().zip(expected) {
        let mut bytes = Vec::new();
        each.copy_to(&mut bytes).expect("readable");
        assert!(each.name() == name.as_bytes() && bytes == payload.to_vec(), "{how}: {name}");
    }
}

/// The kernel and its memory.
fn check_rest(dump: &Dump, without_zeros: bool, how: &str) {
    assert_eq!(dump.time().expect("readable"), Some(1_700_000_000), "{how}");
    assert_eq!(dump.release().expect("readable"), Some(b"6.1.0".to_vec()), "{how}");
    let mut there = 0;
    for (physical, bytes) in memory() {
        for (at, expected) in (physical..).step_by(PAGE).zip(bytes.chunks(PAGE)) {
            let mut page = [0xee; PAGE];
            match dump.memory().read(at, &mut page) {
                Ok(()) => assert!(page == expected, "{how}: page at {at:#x}"),
                Err(error) => {
                    let is_missing = matches!(error.fault, Fault::NoMemory { .. });
                    let is_zero = expected.iter().all(|byte| *byte == 0);
                    assert!(without_zeros && is_zero && is_missing, "{how}: {error}");
                    continue;
                }
            }
            there += PAGE as u64;
        }
    }
    assert_eq!(dump.memory().size().expect("readable"), there, "{how}");
    let beyond = dump.memory().read(BLOCK * 2, &mut [0; 1]).expect_err("not there");
    assert!(matches!(beyond.fault, Fault::NoMemory { .. }), "{how}: {beyond}");
}

const WAYS: [&str; 8] =
    ["-d 0", "-d 1", "-c -d 0", "-c -d 1", "-l -d 0", "-l -d 1", "-E -d 0", "-E -d 1"];

#[test]
fn files_and_streams() {
    let folder = Folder::new();
    for way in WAYS {
        let without_zeros = way.ends_with('1');
        let file = folder.path("saved");
        folder.makedumpfile(way, std::slice::from_ref(&file), None);
        check(&Dump::open(&file).expect("a good file"), without_zeros, way);
        fs::remove_file(&file).expect("removed");

        folder.makedumpfile(&format!("{way} -F"), &[], Some(&file));
        let how = format!("{way} -F");
        let dump = Dump::open(&file).expect("a good stream");
        assert!(dump.format().flattened);
        check(&dump, without_zeros, &how);
        let piped = Dump::from_reader("a pipe", File::open(&file).expect("opened"));
        check(&piped.expect("a good stream"), without_zeros, &how);
        fs::remove_file(&file).expect("removed");
    }
}

/// There are more parts than blocks of memory, so that some have no pages.
#[test]
fn split_sets() {
    let folder = Folder::new();
    for way in WAYS.iter().filter(|way| !way.starts_with("-E")) {
        for count in [2, 5] {
            let parts: Vec<_> =
                (0..count).map(|part| folder.path(&format!("part{part}"))).collect();
            let how = format!("{way} --split, {count} parts");
            folder.makedumpfile(&format!("--split {way}"), &parts, None);
            let dump = Dump::open_split(&parts[0], parts[1..].iter()).expect(&how);
            check(&dump, way.ends_with('1'), &how);
            for part in &parts {
                let alone = Dump::open(part).expect(&how);
                alone.memory().size().expect(&how);
                check_dumps(&alone, &payloads(), &how);
                fs::remove_file(part).expect("removed");
            }
        }
    }
}

/// What [`Dump::attach_to_copy`] leaves is a dump for makedumpfile, too.
#[test]
fn files_with_attached_device_dumps() {
    let folder = Folder::new();
    folder.makedumpfile("-c -d 0", &[folder.path("compressed")], None);
    let payload = folder.path("payload");
    let new = Content::Pattern { seed: 8, length: 70_001 };
    fs::write(&payload, new.to_vec()).expect("written");
    let mut expected = payloads().to_vec();
    expected.push(("late0", new));
    for input in ["vmcore", "compressed"] {
        let path = folder.path(input);
        let dump = Dump::open(&path).expect("a good file");
        let copy = folder.path("copy");
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).clone();
        let file = options.open(&copy).expect("created");
        let payload = NewPayload::File(File::open(&payload).expect("opened"));
        let late = NewDump { name: Name::new(b"late0").expect("a name"), payload };
        dump.attach_to_copy(&file, vec![late], |_| {}).expect("attached");
        for way in WAYS.iter().filter(|way| input == "vmcore" || !way.starts_with("-E")) {
            let how = format!("{input} {way}");
            let saved = folder.path("saved");
            folder.makedumpfile_on("copy", way, std::slice::from_ref(&saved), None);
            let dump = Dump::open(&saved).expect("a good file");
            check_dumps(&dump, &expected, &how);
            check_rest(&dump, way.ends_with('1'), &how);
            fs::remove_file(&saved).expect("removed");
        }
    }
}

/// makedumpfile -E writes zeros first where the program headers are in the end; what ends
/// before that has notes nevertheless.
/// What makedumpfile writes, and where each of its records starts.
fn flattened(folder: &Folder, options: &str) -> (Vec<u8>, Vec<usize>) {
    folder.makedumpfile(options, &[], Some(&folder.path("stdout")));
    let whole = fs::read(folder.path("stdout")).expect("written");
    let number = |at: usize| u64::from_be_bytes(whole[at..at + 8].try_into().expect("8 bytes"));
    let mut records = Vec::new();
    let mut at = 4096;
    while number(at) != u64::MAX {
        records.push(at);
        at += 16 + number(at + 8) as usize;
    }
    (whole, records)
}

/// The file header comes first, then notes, and then the sub header, which says where
/// they are.
#[test]
fn a_kdump_compressed_stream_without_its_sub_header() {
    let folder = Folder::new();
    let (whole, records) = flattened(&folder, "-F -c");
    let sub_header = records[2];
    assert_eq!(&whole[sub_header..sub_header + 8], 4096_u64.to_be_bytes());
    for cut in [sub_header - 20, sub_header, sub_header + 20] {
        fs::write(folder.path("cut"), &whole[..cut]).expect("written");
        let stream = File::open(folder.path("cut")).expect("there");
        for dump in [Dump::open(folder.path("cut")), Dump::from_reader("cut", stream)] {
            let dump = dump.expect("a file header");
            let (dumps, errors): (Vec<_>, Vec<_>) = dump.device_dumps().partition(Result::is_ok);
            let names = dumps.into_iter().map(|each| each.expect("one").name().to_vec());
            assert!(names.eq(payloads().map(|(name, _)| name.as_bytes().to_vec())), "{cut}");
            let errors: Vec<_> =
                errors.into_iter().map(|each| each.expect_err("one").to_string()).collect();
            assert!(
                errors.len() <= 2 && errors[0].contains("kdump_sub_header with offset_note: "),
                "{errors:?}"
            );
        }
    }
}

#[test]
fn an_elf_stream_without_its_program_headers() {
    let folder = Folder::new();
    let (whole, records) = flattened(&folder, "-F -E");
    // The zeros, the ELF header, the notes; the last but one or two are the headers.
    for cut in records[3..records.len() - 2].iter().flat_map(|at| [*at, at + 7, at + 20]) {
        fs::write(folder.path("cut"), &whole[..cut]).expect("written");
        let stream = File::open(folder.path("cut")).expect("there");
        for dump in [Dump::open(folder.path("cut")), Dump::from_reader("cut", stream)] {
            let dump = dump.expect("an ELF header");
            let (dumps, errors): (Vec<_>, Vec<_>) = dump.device_dumps().partition(Result::is_ok);
            let names = dumps.into_iter().map(|each| each.expect("one").name().to_vec());
            assert!(names.eq(payloads().map(|(name, _)| name.as_bytes().to_vec())), "{cut}");
            let errors: Vec<_> =
                errors.into_iter().map(|each| each.expect_err("one").to_string()).collect();
            assert!(errors[0].contains("offset 0x40: program headers: "), "{errors:?}");
            assert!(
                errors[1..]
                    .iter()
                    .all(|error| error.contains("record") || error.contains("buf_size"))
            );
        }
    }
}
