// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Every format, with none, one and many device dumps.

use std::fs;
use std::process::Stdio;

use synth::{Class, Compression, Endian, Image, Kdump, NoteSpec, Vmcore, Width};

use crate::run::{Folder, Outcome};

fn payload(number: usize) -> Vec<u8> {
    format!("payload of device dump number {number}").into_bytes()
}

fn elf(class: Class, endian: Endian, dumps: usize) -> Vmcore {
    let made = Vmcore::new(class, endian).note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"));
    (0..dumps).fold(made, |made, number| made.dump(format!("dev{number}"), payload(number)))
}

fn kdump(width: Width, endian: Endian, version: u32, dumps: usize) -> Kdump {
    let made = Kdump::new(width, endian, version).compression(Compression::Zlib);
    let made = made.page(1, &[1; 4096]).page(900, &[2; 4096]);
    (0..dumps).fold(made, |made, number| made.dump(format!("dev{number}"), payload(number)))
}

/// Each format with so many device dumps.
fn files(dumps: usize) -> Vec<(String, Image)> {
    let mut files = Vec::new();
    for endian in [Endian::Little, Endian::Big] {
        for class in [Class::Elf32, Class::Elf64] {
            let made = elf(class, endian, dumps);
            files.push((format!("{class:?}-{endian:?}"), made.image()));
            files.push((
                format!("{class:?}-{endian:?}-apart"),
                made.clone().separate_notes().image(),
            ));
            files.push((format!("{class:?}-{endian:?}-xnum"), made.extended_numbering().image()));
        }
        for width in [Width::Bits32, Width::Bits32Aligned, Width::Bits64] {
            for version in 4..=6 {
                let made = kdump(width, endian, version, dumps);
                files.push((format!("{width:?}-{endian:?}-{version}"), made.image()));
            }
        }
    }
    files.push((
        "flattened-elf".to_owned(),
        elf(Class::Elf64, Endian::Little, dumps).image().flattened(4096),
    ));
    let made = kdump(Width::Bits64, Endian::Little, 6, dumps);
    files.push(("flattened-kdump".to_owned(), made.image().flattened(5000)));
    files.extend(
        made.split(2).into_iter().zip(1..).map(|(image, part)| (format!("split-{part}"), image)),
    );
    files
}

fn check(title: &str, folder: &Folder, dumps: usize) {
    let listed = folder.run(["list", "dump"]);
    assert_eq!((listed.status, listed.stderr.as_str()), (Some(0), ""), "{title}");
    let lines: Vec<_> = listed.stdout().lines().collect();
    if dumps == 0 {
        assert_eq!(lines, ["dump: no device dumps"], "{title}");
        return;
    }
    assert_eq!(lines.len(), dumps + 1, "{title}");
    let verified = folder.run(["verify", "dump"]);
    assert_eq!((verified.status, verified.stdout().lines().count()), (Some(0), dumps), "{title}");
    let last = folder.run(["extract", "dump", &format!("dev{}", dumps - 1), "-o", "-"]);
    assert_eq!(last.stdout, payload(dumps - 1), "{title}");
}

#[test]
fn none_one_and_many_in_every_format() {
    for dumps in [0, 1, 65, 300] {
        for (title, image) in files(dumps) {
            let folder = Folder::new().with("dump", &image);
            check(&format!("{title}, {dumps} dumps"), &folder, dumps);
        }
    }
}

#[test]
fn all_300_are_extracted() {
    for (title, image) in files(300)
        .into_iter()
        .filter(|(title, _)| title.ends_with("-6") || title.starts_with("flat"))
    {
        let folder = Folder::new().with("dump", &image);
        let outcome = folder.run(["extract", "dump", "--all", "-C", "."]);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{title}");
        for number in 0..300 {
            let extracted = fs::read(folder.path(&format!("dev{number}")));
            assert_eq!(extracted.expect("written"), payload(number), "{title}");
        }
    }
}

/// Whatever the format, from a pipe as well.
#[test]
fn from_a_pipe() {
    for (title, image) in files(65) {
        let folder = Folder::new().with("dump", &image);
        let dump = fs::File::open(folder.path("dump")).expect("there");
        let mut cat = std::process::Command::new("cat")
            .stdin(dump)
            .stdout(Stdio::piped())
            .spawn()
            .expect("runs");
        let pipe = cat.stdout.take().expect("piped");
        let output =
            folder.command().args(["extract", "-", "dev64", "-o", "-"]).stdin(pipe).output();
        let outcome = Outcome::from(output.expect("runs"));
        cat.wait().expect("ends");
        assert_eq!((outcome.status, outcome.stdout), (Some(0), payload(64)), "{title}");
    }
}

/// kdump saves to a partition, too (`raw`), whose inode has no size.
#[test]
fn a_block_device_has_its_length() {
    let made = elf(Class::Elf64, Endian::Little, 3);
    let made = made.load(synth::Load::new(0x1000, vec![9; 1 << 20]));
    let folder = Folder::new().with("disk", &made.image());
    let disk = fs::OpenOptions::new().write(true).open(folder.path("disk")).expect("there");
    disk.set_len(4 << 20).expect("extended");
    let losetup = |arguments: &[&str]| {
        let output = std::process::Command::new("losetup").args(arguments).output();
        output.ok().filter(|output| output.status.success())
    };
    let path = folder.path("disk").into_os_string().into_string().expect("UTF-8");
    let Some(output) = losetup(&["-f", "--show", "-r", &path]) else {
        eprintln!("left out: no block device can be made of a file here");
        return;
    };
    let device = String::from_utf8(output.stdout).expect("a path");
    let device = device.trim();
    let listed = folder.run(["list", device]);
    fs::write(folder.path("blob"), "blob").expect("written");
    let attached = folder.run(["attach", device, "blob=blob", "-o", "copy"]);
    let info = folder.run(["info", device]);
    losetup(&["-d", device]).expect("detached");
    assert_eq!((listed.status, listed.stderr.as_str()), (Some(0), ""), "{listed:?}");
    assert!(info.stdout().contains(" 4194304 bytes"), "{info:?}");
    assert_eq!(attached.status, Some(0), "{attached:?}");
    let copy = fs::read(folder.path("copy")).expect("written");
    assert!(copy.len() >= 4 << 20 && copy.windows(1 << 20).any(|part| part == [9; 1 << 20]));
}
