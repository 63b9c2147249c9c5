// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd list` on files with a manifest.

use insta::assert_snapshot;
use synth::{Class, Content, Endian, Image, NoteSpec, Vmcore};

use crate::run::{Folder, Outcome, small};

/// What `list` says of the file `image`.
fn list(image: &Image) -> Outcome {
    Folder::new().with("vmcore", image).run(["list", "vmcore"])
}

/// The two device dumps of [`small`], and a manifest after them.
fn told(text: impl AsRef<[u8]>) -> Vmcore {
    Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", b"state".to_vec())
        .dump("edu_0000:00:04.0", vec![2; 1000])
        .note(NoteSpec::manifest(text))
        .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"))
}

#[test]
fn all_complete() {
    let made = told(
        "VERSION=1\n\
         NAME=nic0\nSTATUS=complete\nIN=vmcore\nLENGTH=5\nSTORED=5\nMILLISECONDS=1\n\
         CRC32C=00000abc\n\
         NAME=edu_0000:00:04.0\nRENAMED=unprintable\nSTATUS=complete\nIN=vmcore\nLENGTH=1000\n\
         STORED=20\nMILLISECONDS=12\nCRC32C=00000abc\n",
    );
    assert_snapshot!(list(&made.image()).shown());
}

#[test]
fn complete_and_partial() {
    let made = told(
        "VERSION=1\n\
         NAME=nic0\nSTATUS=partial\nREASON=its collector gave an error\nERRNO=-5\nIN=vmcore\n\
         LENGTH=5\nDECLARED=4096\nSTORED=5\nMILLISECONDS=1\nCRC32C=00000abc\n\
         NAME=edu_0000:00:04.0\nSTATUS=complete\nIN=vmcore\nLENGTH=1000\nSTORED=20\n\
         MILLISECONDS=12\nCRC32C=00000abc\n",
    );
    let made = made.dump("of an older module", vec![]);
    assert_snapshot!(list(&made.image()).shown());
}

#[test]
fn collections_without_a_dump() {
    let made = told(
        "VERSION=1\n\
         NAME=nic0\nSTATUS=complete\nIN=vmcore\nLENGTH=5\nSTORED=5\nMILLISECONDS=1\n\
         CRC32C=00000abc\n\
         NAME=nic1\nSTATUS=failed\nREASON=its collector gave an error\nERRNO=-110\n\
         MILLISECONDS=30000\n\
         NAME=nic2\nSTATUS=failed\nREASON=its collector crashed\nMILLISECONDS=3\n\
         NAME=nic0\nSTATUS=refused\nREASON=its size is 0\n\
         NAME=\nSTATUS=refused\nREASON=its name is empty\n\
         NAME=edu_0000:00:04.0\nSTATUS=complete\nIN=vmcore\nLENGTH=1000\nSTORED=20\n\
         MILLISECONDS=12\nCRC32C=00000abc\n\
         NAME=slow\nSTATUS=running\n",
    );
    assert_snapshot!(list(&made.image()).shown());
}

#[test]
fn dumps_elsewhere() {
    let text = "VERSION=1\n\
        NAME=nic0\nSTATUS=complete\nIN=vmcore\nLENGTH=5\nSTORED=5\nMILLISECONDS=1\n\
        CRC32C=00000abc\n\
        NAME=large\nSTATUS=complete\nIN=vmcoredd\nLENGTH=4294967251\nSTORED=70000\n\
        MILLISECONDS=900\nCRC32C=00000abc\n\
        NAME=edu_0000:00:04.0\nSTATUS=complete\nIN=vmcore\nLENGTH=1000\nSTORED=20\n\
        MILLISECONDS=12\nCRC32C=00000abc\n\
        NAME=cut\nSTATUS=partial\nREASON=the budget of all dumps is used up\nIN=vmcoredd\n\
        LENGTH=100\nSTORED=100\nMILLISECONDS=1\nCRC32C=00000abc\n\
        NAME=lost\nSTATUS=complete\nIN=vmcore\nLENGTH=3\n\
        NAME=new\nSTATUS=suspended\n";
    assert_snapshot!("dumps_elsewhere", list(&told(text).image()).shown());
    // As in /proc/vmcoredd, where all of them are.
    let all = told(text).dump("large", Content::Zeros(u64::from(u32::MAX) - 44));
    let all = all.dump("cut", vec![3; 100]).dump("lost", vec![4; 3]).dump("new", vec![]);
    assert_snapshot!("dumps_elsewhere_here_too", list(&all.image()).shown());
}

#[test]
fn collections_without_a_record() {
    let made = told("VERSION=1\nUNRECORDED=3\nNAME=nic0\nSTATUS=complete\nIN=vmcore\n");
    assert_snapshot!(list(&made.image()).shown());
    let none = told("VERSION=1\nUNRECORDED=0\n");
    assert_eq!(list(&none.image()).stdout().lines().count(), 3);
}

#[test]
fn a_manifest_and_no_dumps() {
    let text = "VERSION=1\nUNRECORDED=1\nNAME=nic0\nSTATUS=failed\nREASON=its collector crashed\n";
    let made = Vmcore::new(Class::Elf32, Endian::Big).machine(20).note(NoteSpec::manifest(text));
    let damaged = made.clone().note(NoteSpec::vmcoreinfo("A=B\n"));
    let damaged = damaged.image().overwritten(made.header_size() + made.notes_size(), &[0xff; 4]);
    let folder = Folder::new()
        .with("one", &made.image())
        .with("damaged", &damaged)
        .with("two", &told(text).image());
    assert_snapshot!("a_manifest_and_no_dumps", folder.run(["list", "one"]).shown());
    let several = folder.run(["list", "one", "damaged", "two"]);
    assert_snapshot!("manifests_of_several_files", several.shown());
}

#[test]
fn what_stands_in_a_manifest_does_not_reach_the_terminal_raw() {
    let long = "x".repeat(1 << 20);
    let text = format!(
        "VERSION=\x1b[2J\nUNRECORDED=\x07\n\
         NAME=nic0\nSTATUS=partial\nREASON=\x1b]0;title\x07\x1b[2J\ttab\r\\\u{202e}\nERRNO=\x1b\n\
         NAME=\x1b[2Jnic\0\nSTATUS=\x1b[31m\nIN=\x1b[2J\nLENGTH=\x1b\nREASON=\u{85}\n\
         NAME=nic0\nSTATUS=complete\nNAME=nic0\nSTATUS=partial\nLENGTH=3\nLENGTH=4\n\
         NAME={long}\nSTATUS=failed\nREASON={long}\n\
         NAME=edu_0000:00:04.0\nSTATUS=complete\nREASON={long}\n\
         NAME=no newline\nSTATUS=failed\nREASON=at the end"
    );
    let outcome = list(&told(text).image());
    let is_plain = |byte: &u8| matches!(byte, b'\n' | b' '..=b'~');
    assert!(outcome.stdout.iter().all(is_plain));
    assert_snapshot!(outcome.shown());
}

#[test]
fn a_cut_manifest_is_an_error_and_the_dumps_are_listed() {
    let made = told("VERSION=1\nNAME=nic0\nSTATUS=complete\nNAME=gone\nSTATUS=failed\n");
    let manifest_end = made.header_size() + made.dumps_size() + made.notes_size() - 36;
    assert_snapshot!(list(&made.image().truncated(manifest_end - 10)).shown());
    // So it would be if the text alone were cut.
    let cut = told("VERSION=1\nNAME=nic0\nSTATUS=complete\nNAME=gone\nSTATUS=fai");
    let outcome = list(&cut.image());
    assert!(outcome.stdout().ends_with("gone: unknown, not in this file\n"), "{outcome:?}");
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
}

#[test]
fn one_that_is_too_long_is_an_error_and_the_dumps_are_listed() {
    let desc = Content::Zeros((16 << 20) + 1);
    let made = small().note(NoteSpec { desc, ..NoteSpec::manifest("") });
    assert_snapshot!(list(&made.image()).shown());
}

#[test]
fn that_of_a_foreign_owner_is_none() {
    let text = b"NAME=nic0\nSTATUS=complete\n".to_vec();
    let plain = small();
    let foreign = plain.clone().note(NoteSpec::new("LINUX", 0x701, text));
    assert_eq!(list(&foreign.image()), list(&plain.image()));
}

#[test]
fn thousands_of_one_name_have_their_records() {
    let count = 5000;
    let text: String = (0..count).map(|_| "NAME=nic\nSTATUS=complete\n").collect();
    let made = (0..count)
        .fold(Vmcore::new(Class::Elf64, Endian::Little), |made, _| made.dump("nic", vec![]));
    let outcome = list(&made.note(NoteSpec::manifest(text)).image());
    let complete = outcome.stdout().lines().filter(|line| line.ends_with("complete"));
    assert_eq!(complete.count(), count);
}
