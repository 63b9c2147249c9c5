// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is no vmcore is named, and what is one is not refused.

#[allow(dead_code, reason = "not all is needed here")]
mod on_disk;

use std::fs;
use std::path::Path;

use kdumpfile::{Dump, Fault, Foreign};
use proptest::prelude::*;
use synth::{Class, Endian, Image, Load, NoteSpec, Vmcore};

use on_disk::on_disk;

/// What the file at `path` was found to be; `None` where it is a dump, or something
/// unknown.
fn found(path: &Path) -> Option<Foreign> {
    match Dump::open(path).err()?.fault {
        Fault::Foreign(foreign) => Some(foreign),
        _ => None,
    }
}

fn what(bytes: &[u8]) -> Option<&'static str> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    fs::write(&path, bytes).expect("written");
    found(&path).map(|foreign| foreign.what)
}

fn what_image(image: &Image) -> Option<&'static str> {
    found(&on_disk(image).path).map(|foreign| foreign.what)
}

/// `bytes` with `what` at `at`, and what is neither text nor zero around it.
fn around(at: usize, what: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80; 10_000];
    bytes[at..at + what.len()].copy_from_slice(what);
    bytes
}

#[test]
fn formats_that_are_confused_with_it() {
    for (at, bytes, expected) in [
        (0, &b"LibvirtQemudSave\x02\0\0\0"[..], "a guest saved by libvirt"),
        (0, b"QEVM\0\0\0\x03", "a guest saved by QEMU (savevm or migrate)"),
        (0, b"\xed\x23\x8f\x61\x73\x01\x19\xa8", "an LKCD dump"),
        (0, b"\xa8\x19\x01\x73\x61\x8f\x23\xfd", "an s390 stand-alone dump"),
        (0, b"EMiL\x01\0\0\0", "a LiME image of memory"),
        (0, b"AVML\x02\0\0\0", "an AVML image of memory"),
        (0, b"PAGEDU64", "a crash dump in the format of Windows"),
        (0, b"MDMP\x93\xa7", "a minidump of a process"),
        (0, b"sadump\0\0", "a dump of sadump"),
        (4096, b"sadump\0\0", "a dump of sadump"),
        (0, b"\xd2\xbe\xd2\xbe\x08\0\0\0", "a guest suspended by VMware (vmss or vmsn)"),
        (0, b"DISKDUMP\x01\0\0\0", "a diskdump"),
        (0, b"QFI\xfb\0\0\0\x03", "a disk image (qcow2)"),
        (16, b"KDUMP   \x06\0\0\0", "a flattened stream without its first 4,096 bytes"),
        (0, b"\x89LZO\0\r\n\x1a\n", "a file compressed by lzop"),
        (257, b"ustar  \0", "a tar archive"),
    ] {
        assert_eq!(what(&around(at, bytes)), Some(expected));
    }
    assert_eq!(what(&around(0, b"GIF89a")), None);
}

#[test]
fn what_is_next_to_nothing() {
    assert_eq!(what(b""), Some("an empty file"));
    assert_eq!(what(&[0; 5]), Some("a file of zeros"));
    assert_eq!(what(&[0; 70_000]), Some("64 KiB of zeros at its start"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hole");
    fs::File::create(&path).and_then(|file| file.set_len(1 << 40)).expect("a hole of 1 TiB");
    assert_eq!(found(&path).map(|foreign| foreign.what), Some("a file of zeros"));
    assert_eq!(what(b"<!DOCTYPE html>\n<html><title>Login"), Some("an HTML page"));
    assert_eq!(what(b"[    0.000000] Linux version 6.12.0\n"), Some("a kernel's log"));
    assert_eq!(what(b"whatever"), Some("text"));
}

/// A flattened stream, and what comes out of a pipe, are looked into.
#[test]
fn what_a_stream_is_of() {
    let made = Vmcore::new(Class::Elf64, Endian::Little).image().overwritten(0, b"EMiL");
    assert_eq!(what_image(&made.flattened(4096)), Some("a LiME image of memory"));
    // makedumpfile writes zeros first, where the headers are to be in the end.
    let cut = made.flattened(4096).truncated(4096 + 16 + 4096);
    assert_eq!(what_image(&cut), Some("a flattened stream without the headers, which come last"));
    let error = Dump::from_reader("pipe", &b"QEVM\0\0\0\x03"[..]).expect_err("no vmcore");
    let expected = "pipe: expected a vmcore, found a guest saved by QEMU (savevm or migrate); \
         load it in QEMU, then dump-guest-memory makes a vmcore";
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.offset(), None);
}

#[test]
fn elf_files_that_are_no_cores() {
    let this = std::env::current_exe().expect("this test");
    let found = found(&this).expect("an executable");
    assert_eq!(found.what, "an ELF executable or shared library");
    for (number, expected) in
        [(1, "an ELF object file or kernel module"), (2, "an ELF executable or a kernel (vmlinux)")]
    {
        for (class, endian) in [(Class::Elf64, Endian::Little), (Class::Elf32, Endian::Big)] {
            let at = if endian == Endian::Little { 16 } else { 17 };
            let image = Vmcore::new(class, endian).image().overwritten(at, &[number]);
            assert_eq!(what_image(&image), Some(expected));
        }
    }
}

fn core() -> Vmcore {
    let memory = Load::new(0x1000, vec![1; 4096]);
    Vmcore::new(Class::Elf64, Endian::Little)
        .note(NoteSpec::prstatus(Endian::Little, 1))
        .load(memory)
}

/// As Linux writes it (`fs/binfmt_elf.c`), and as gdb's `gcore` does.
#[test]
fn a_process_is_no_kernel() {
    let core_note = |note_type, size| NoteSpec::new("CORE", note_type, vec![1; size]);
    let process = "the core of a process, not of a kernel";
    let linux = core().note(core_note(3, 136)).note(core_note(0x5349_4749, 128));
    assert_eq!(what_image(&linux.note(core_note(6, 320)).image()), Some(process));
    let gcore = Vmcore::new(Class::Elf64, Endian::Little).note(core_note(3, 136));
    let threads =
        (1..30).fold(gcore, |made, thread| made.note(NoteSpec::prstatus(Endian::Little, thread)));
    assert_eq!(what_image(&threads.note(core_note(6, 320)).image()), Some(process));
}

/// As `fs/proc/kcore.c` writes it.
#[test]
fn a_running_kernel_is_no_dead_one() {
    let task = || core().note(NoteSpec::new("CORE", 3, vec![1; 136]));
    let task = || task().note(NoteSpec::new("CORE", 4, vec![1; 4096]));
    let kcore = task().note(NoteSpec::vmcoreinfo("OSRELEASE=6.12.0\n"));
    let found = what_image(&kcore.image());
    assert_eq!(found, Some("/proc/kcore, the memory of a running kernel"));
    // A netdump has the former two as well.
    assert_eq!(what_image(&task().image()), None);
}

/// A guest's dump has sections, and no program headers.
#[test]
fn a_guest_of_xen() {
    for (class, endian) in [(Class::Elf64, Endian::Little), (Class::Elf32, Endian::Big)] {
        assert_eq!(what(&xen(class, endian, b"\0.shstrtab\0.note.Xen\0.xen_pages\0")), {
            Some("a guest dumped by Xen (xl dump-core)")
        });
        // Whatever else has no program headers.
        assert_eq!(what(&xen(class, endian, b"\0.shstrtab\0.xen_pagesX\0")), None);
    }
}

/// A file header, two section headers, and the names of sections.
fn xen(class: Class, endian: Endian, names: &[u8]) -> Vec<u8> {
    let (wide, header, section) = match class {
        Class::Elf32 => (4, 52, 40),
        Class::Elf64 => (8, 64, 64),
    };
    let number = |value: u64, size: usize| match endian {
        Endian::Little => value.to_le_bytes()[..size].to_vec(),
        Endian::Big => value.to_be_bytes()[8 - size..].to_vec(),
    };
    let mut file = b"\x7fELF".to_vec();
    file.extend([wide as u8 / 4, if endian == Endian::Little { 1 } else { 2 }, 1]);
    file.resize(16, 0);
    for (value, size) in [
        (4, 2),
        (62, 2),
        (1, 4),
        (0, wide),
        (0, wide),
        (header, wide),
        (0, 4),
        (header, 2),
        (0, 2),
        (0, 2),
        (section, 2),
        (2, 2),
        (1, 2),
    ] {
        file.extend(number(value, size));
    }
    file.resize((header + section) as usize, 0);
    file.extend([number(1, 4), number(3, 4), number(0, wide), number(0, wide)].concat());
    file.extend(number(header + 2 * section, wide));
    file.resize((header + 2 * section) as usize, 0);
    file.extend(names);
    file
}

/// Without VMCOREINFO, with what QEMU or a hypervisor adds, with nothing at all.
#[test]
fn a_vmcore_is_none_of_these() {
    let nothing = Vmcore::new(Class::Elf64, Endian::Little);
    let vmcoredd = nothing.clone().dump("nic0", vec![1; 100]);
    for made in [
        nothing,
        vmcoredd.clone(),
        // A process's notes that came with a dump are none of the file's.
        vmcoredd.note(NoteSpec::new("CORE", 6, vec![1; 320])),
        core(),
        core().note(NoteSpec::new("QEMU", 0, vec![1; 440])),
        core().note(NoteSpec::new("Xen", 0x0100_0001, vec![1; 88])),
        core().note(NoteSpec::new("VBCORE", 0xb00, vec![1; 64])),
        core().note(NoteSpec::vmcoreinfo("OSRELEASE=6.12.0\n")),
    ] {
        Dump::open(&on_disk(&made.image()).path).expect("a vmcore");
    }
}

proptest! {
    /// Whatever a file has, it is a dump, an error, or something named.
    #[test]
    fn any_start_is_looked_at(bytes in proptest::collection::vec(any::<u8>(), 0..600), head in 0..6) {
        let head: &[u8] = match head {
            0 => b"\x7fELF\x02\x01\x01",
            1 => b"\x7fELF\x01\x02\x01",
            2 => b"makedumpfile\0\0\0\0",
            3 => b"<html>",
            4 => b"[0.",
            _ => b"",
        };
        let _ = what(&[head, &bytes].concat());
    }
}
