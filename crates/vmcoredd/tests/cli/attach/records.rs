// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the manifest says of dumps that were attached, and what is not attached.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::process::Stdio;

use insta::assert_snapshot;
use synth::{Class, Endian, Image, Kdump, Load, NoteSpec, Vmcore, Width};

use super::{Folder, folder};
use crate::run::{Outcome, small};

/// CRC-32C (Castagnoli) of 5000 bytes 8, and of 18 that the file `log` has.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

fn record(name: &str, payload: &[u8]) -> String {
    let (length, crc) = (payload.len(), crc(payload));
    format!("NAME={name}\nSTATUS=complete\nIN=vmcoredd\nLENGTH={length}\nCRC32C={crc:08x}\n")
}

/// The words of `verify`, which are one line for each dump.
fn verified(folder: &Folder, file: &str) -> (Option<i32>, String) {
    let outcome = folder.run(["verify", file]);
    assert_eq!(outcome.stderr, "", "{outcome:?}");
    (outcome.status, outcome.stdout().replace(&format!("{file}: "), ""))
}

/// A vmcore whose manifest says that a dump is in `/proc/vmcoredd` alone, and that.
fn apart() -> Folder {
    let large = vec![8; 5000];
    let told = format!("VERSION=1\n{}", record("large", &large));
    let vmcore = Vmcore::new(Class::Elf64, Endian::Little).note(NoteSpec::manifest(&told));
    let kdump = Kdump::new(Width::Bits64, Endian::Little, 6).note(NoteSpec::manifest(&told));
    let all = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("large", large.clone())
        .note(NoteSpec::manifest(&told));
    let folder = folder()
        .with("vmcore", &vmcore.load(Load::new(0x1000, vec![3; 4096])).image())
        .with("kdump", &kdump.page(1, &[1; 4096]).image())
        .with("vmcoredd", &all.image());
    fs::write(folder.path("large"), large).expect("written");
    folder
}

#[test]
fn another_dump_is_not_held_against_a_record() {
    for file in ["vmcore", "kdump"] {
        let folder = apart();
        // By hand, under a name of which the manifest says something else.
        let added = folder.run(["attach", file, "large=log", "--in-place"]);
        assert_eq!(added.stdout(), "large#2: added, 18 bytes\n");
        let waiting = "large: not in this file: complete\n";
        let other = "large#2: ok, 18 bytes, as they were collected\n";
        assert_eq!(verified(&folder, file), (Some(1), format!("{other}{waiting}")));
        // Then the one that it names, from where it is.
        let arguments = ["attach", file, "--from", "vmcoredd", "--in-place"];
        assert_eq!(folder.run(arguments).stdout(), "large: added, 5000 bytes\n");
        let one = "large: ok, 5000 bytes, as they were collected\n";
        assert_eq!(verified(&folder, file), (Some(0), format!("{other}{one}")));
        assert_eq!(folder.run(arguments).stdout(), "large: was there, 5000 bytes\n");
    }
    // It is the same one when it comes as a file.
    let folder = apart();
    let added = folder.run(["attach", "kdump", "a=log", "large=large", "--in-place"]);
    assert_eq!(added.stdout(), "a: added, 18 bytes\nlarge: added, 5000 bytes\n");
    assert_eq!(verified(&folder, "kdump").0, Some(0));
}

/// As one has it to which a dump of a name that its manifest knew was attached before
/// names of records were taken.
#[test]
fn a_dump_goes_with_the_record_of_its_length() {
    let told = format!("{}{}", record("large", &[8; 5000]), record("large", &[1; 18]));
    let made = small().dump("large", vec![1; 18]).note(NoteSpec::manifest(&told));
    let folder = Folder::new().with("vmcore", &made.image());
    let (status, text) = verified(&folder, "vmcore");
    assert!(text.contains("large: ok, 18 bytes, as they were collected\n"), "{text}");
    assert!(text.contains("large: not in this file: complete\n"), "{text}");
    assert_eq!(status, Some(1));
    // One that is damaged is still held against its only record.
    let made =
        small().dump("large", vec![1; 17]).note(NoteSpec::manifest(record("large", &[1; 18])));
    let folder = Folder::new().with("vmcore", &made.image());
    let (_, text) = verified(&folder, "vmcore");
    assert!(text.contains("large: damaged, expected 18 bytes, found 17\n"), "{text}");
}

#[test]
fn of_a_cut_file_the_dump_stays_partial() {
    let first = vec![7; 3000];
    let told = format!("VERSION=1\n{}{}", record("first", &first), record("large", &[8; 5000]));
    let all = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("first", first)
        .dump("large", vec![8; 5000])
        .note(NoteSpec::manifest(told));
    let cut = all.image().truncated(all.payload_offset(1) + 2000);
    for file in ["vmcore", "kdump"] {
        let folder = apart().with("cut", &cut);
        let arguments = ["attach", file, "--from", "cut", "--in-place"];
        let outcome = folder.run(arguments);
        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains("expected a desc inside the file"), "{outcome:?}");
        assert_eq!(outcome.stdout(), "first: added, 3000 bytes\nlarge#2: added, 2000 bytes\n");
        let (status, text) = verified(&folder, file);
        assert_eq!(status, Some(1));
        let expected = "first: 3000 bytes, as they were attached\n\
            large#2: partial, the file that it came from is cut, 2000 bytes, as they were \
            attached\n\
            large: not in this file: complete\n";
        assert_eq!(text, expected);
        // Once more, and it is not added twice; and the whole one is the one it names.
        let again = folder.run(arguments);
        assert_eq!(
            again.stdout(),
            "first: was there, 3000 bytes\nlarge#2: was there, 2000 bytes\n"
        );
        let whole = folder.run(["attach", file, "--from", "vmcoredd", "--in-place"]);
        assert_eq!(whole.stdout(), "large: added, 5000 bytes\n");
    }
}

/// What is not known of a dump is not held against it, attached or not.
#[test]
fn without_a_manifest_they_verify_as_before() {
    let bare = Vmcore::new(Class::Elf64, Endian::Little).dump("old", b"state".to_vec());
    let more = Vmcore::new(Class::Elf64, Endian::Little).dump("new", vec![0x91; 300]);
    let kdump = Kdump::new(Width::Bits64, Endian::Little, 6).dump("old", b"state".to_vec());
    for image in [bare.image(), kdump.page(1, &[1; 4096]).image()] {
        let folder = Folder::new().with("file", &image).with("more", &more.image());
        let old = "old: 5 bytes, no record of it to check against\n";
        assert_eq!(verified(&folder, "file"), (Some(0), old.to_owned()));
        assert_eq!(verified(&folder, "more").0, Some(0));
        let outcome = folder.run(["attach", "file", "--from", "more", "--in-place"]);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        let new = "new: 300 bytes, as they were attached\n";
        assert_eq!(verified(&folder, "file"), (Some(0), format!("{old}{new}")));
        // It is checked, though.
        let mut bytes = fs::read(folder.path("file")).expect("there");
        let payload = bytes.windows(300).position(|part| part == [0x91; 300]).expect("there");
        bytes[payload] = 0;
        fs::write(folder.path("file"), bytes).expect("written");
        let (status, text) = verified(&folder, "file");
        assert!(status == Some(1) && text.contains("new: damaged, expected CRC-32C"), "{text}");
    }
}

/// The records of a dump that had got another name still say so.
#[test]
fn a_name_that_was_another_stays_marked() {
    let told = "NAME=nic0#2\nRENAMED=unprintable,taken\nSTATUS=complete\nIN=vmcore\nLENGTH=1\n";
    let from = Vmcore::new(Class::Elf64, Endian::Little).dump("nic0#2", vec![1]);
    let folder = folder().with("from", &from.note(NoteSpec::manifest(told)).image());
    assert_eq!(folder.run(["attach", "kdump", "--from", "from", "--in-place"]).status, Some(0));
    let dump = kdumpfile::Dump::open(folder.path("kdump")).expect("good");
    let manifest = dump.manifest().expect("readable").expect("there");
    let record = manifest.records().next().expect("a record");
    assert_eq!(record.name(), b"nic0#2");
    assert!(record.renamed().taken && record.renamed().unprintable);
}

/// What is not whole is not added to, whatever its format; nor is the wrong part of a set.
#[test]
fn what_has_a_drawback_is_not_done_unless_forced() {
    let kdump = || {
        Kdump::new(Width::Bits64, Endian::Little, 6)
            .dump("nic0", b"state".to_vec())
            .page(1, &[1; 4096])
            .page(2, &[2; 4096])
    };
    let parts = kdump().split(2);
    let stream = small().image().flattened(1000);
    let without_end = stream.length() - 16;
    let elf = small().image();
    let cut = elf.clone().truncated(elf.length() - 100);
    let cases: [(&str, Image, &[&str]); 7] = [
        ("elf_incomplete", elf.overwritten(48, &[1]), &["--in-place"]),
        ("elf_cut", cut, &["--in-place"]),
        ("incomplete", kdump().incomplete().image(), &["--in-place"]),
        ("incomplete_copy", kdump().incomplete().image(), &["-o", "copy"]),
        ("cut_stream", stream.truncated(without_end), &["-o", "copy"]),
        ("first_part", parts[0].clone(), &["--in-place"]),
        ("second_part", parts[1].clone(), &["--in-place"]),
    ];
    for (title, image, how) in cases {
        let folder = folder().with("file", &image);
        let before = fs::read(folder.path("file")).expect("there");
        let arguments = [&["attach", "file", "bmc=log"], how].concat();
        let outcome = folder.run(&arguments);
        assert_snapshot!(format!("drawback_{title}"), outcome.shown());
        if title == "first_part" {
            continue;
        }
        assert!(fs::read(folder.path("file")).expect("there") == before);
        assert!(!folder.path("copy").exists());
        let outcome = folder.run([&arguments[..], &["--force"]].concat());
        assert_eq!((outcome.status, outcome.stdout()), (Some(0), "bmc: added, 18 bytes\n"));
        let written = if how[0] == "-o" { "copy" } else { "file" };
        let extracted = folder.run(["extract", written, "bmc", "-o", "-"]);
        assert_eq!(extracted.stdout(), "what the BMC says\n");
        let extracted = folder.run(["extract", written, "nic0", "-o", "-"]);
        assert_eq!(extracted.stdout(), "state");
    }
}

/// makedumpfile reads the notes of an ELF vmcore by one call, of 2 GiB less a page at
/// most.
#[test]
fn notes_of_2_gib_are_not_for_makedumpfile() {
    let folder = folder();
    File::create(folder.path("huge")).expect("created").set_len(0x7fff_f000).expect("a hole");
    for how in [&["--in-place"][..], &["-o", "copy"]] {
        let outcome = folder.run([&["attach", "vmcore", "huge=huge"], how].concat());
        assert_eq!(outcome.status, Some(1));
        let expected = "bytes, and makedumpfile reads at most 2147479552; --force adds it all the \
            same\n";
        assert!(outcome.stderr.ends_with(expected), "{outcome:?}");
        assert_eq!(outcome.stderr.lines().count(), 1);
        assert_eq!(folder.run(["list", "vmcore"]).status, Some(0));
        assert!(!folder.path("copy").exists());
    }
}

/// No file is two things, whichever names it has.
#[test]
fn what_is_added_is_another_file() {
    let folder = folder();
    fs::hard_link(folder.path("kdump"), folder.path("same")).expect("linked");
    symlink("kdump", folder.path("link")).expect("linked");
    let lengths =
        || ["kdump", "log", "vmcoredd"].map(|name| fs::read(folder.path(name)).expect("there"));
    let before = lengths();
    let cases: [&[&str]; 13] = [
        &["kdump", "self=kdump", "--in-place"],
        &["kdump", "self=same", "--in-place"],
        &["link", "self=same", "--in-place"],
        &["kdump", "self=kdump", "-o", "copy"],
        &["kdump", "--from", "kdump", "--in-place"],
        &["kdump", "--from", "link", "--in-place"],
        &["kdump", "bmc=log", "-o", "log"],
        &["kdump", "--from", "vmcoredd", "-o", "vmcoredd"],
        &["kdump", "bmc=log", "-o", "same"],
        &["-", "bmc=log", "--in-place"],
        &["-", "bmc=-", "-o", "copy"],
        &["kdump", "--from", "-", "bmc=-", "--in-place"],
        &["kdump", "bmc=log", "-o", "-"],
    ];
    let mut told = String::new();
    for arguments in cases {
        let outcome = folder.run(["attach"].iter().chain(arguments));
        assert_eq!((outcome.status, outcome.stdout()), (Some(2), ""), "{arguments:?}: {outcome:?}");
        assert!(lengths() == before && !folder.path("copy").exists(), "{arguments:?}");
        told += &format!("{}\n{}", arguments.join(" "), outcome.stderr);
    }
    assert_snapshot!("two_things", told);

    // Standard input has no name, but may be one of them.
    for arguments in [["kdump", "self=-"], ["kdump", "--from=-"]] {
        let stdin = File::open(folder.path("kdump")).expect("there");
        let mut command = folder.command();
        command.arg("attach").args(arguments).arg("--in-place").stdin(stdin);
        let outcome = Outcome::from(command.output().expect("runs"));
        let expected = "vmcoredd: -: is FILE itself, expected another ";
        assert!(outcome.stderr.starts_with(expected), "{outcome:?}");
        assert!(lengths() == before);
    }
}

#[test]
fn standard_input_is_a_file_too() {
    use std::io::Write;
    let folder = folder();
    let piped = |arguments: &[&str], bytes: &[u8]| {
        let mut command = folder.command();
        command.arg("attach").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("runs");
        child.stdin.take().expect("a pipe").write_all(bytes).expect("written");
        Outcome::from(child.wait_with_output().expect("ends"))
    };
    let outcome = piped(&["kdump", "piped=-", "--in-place"], b"from a pipe");
    assert_eq!(outcome.stdout(), "piped: added, 11 bytes\n", "{outcome:?}");
    let vmcore = fs::read(folder.path("vmcore")).expect("there");
    let outcome = piped(&["-", "bmc=log", "-o", "copy"], &vmcore);
    assert_eq!(outcome.stdout(), "bmc: added, 18 bytes\n", "{outcome:?}");
    let vmcoredd = fs::read(folder.path("vmcoredd")).expect("there");
    let outcome = piped(&["copy", "--from", "-", "--in-place"], &vmcoredd);
    assert_eq!(outcome.stdout(), "nic0: was there, 5 bytes\nlarge: added, 70000 bytes\n");
    for (name, expected) in [("bmc", "what the BMC says\n"), ("nic0", "state")] {
        assert_eq!(folder.run(["extract", "copy", name, "-o", "-"]).stdout(), expected);
    }
}
