// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd verify`.

use insta::assert_snapshot;
use synth::{Class, Endian, NoteSpec, Vmcore};

use crate::run::{Folder, small};

/// CRC-32C of `state` and of a thousand bytes of 2, computed elsewhere.
const CRC: [&str; 2] = ["66db68df", "3a5e3989"];

fn told(text: &str) -> Vmcore {
    Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", b"state".to_vec())
        .dump("edu", vec![2; 1000])
        .note(NoteSpec::manifest(text))
}

fn records(status: &str, crc: &str, length: u32) -> String {
    let [first, _] = CRC;
    format!(
        "VERSION=1\nNAME=nic0\nSTATUS=complete\nLENGTH=5\nCRC32C={first}\n\
         NAME=edu\nSTATUS={status}\nLENGTH={length}\nCRC32C={crc}\n"
    )
}

#[test]
fn what_is_good_and_what_is_not() {
    let [_, good] = CRC;
    let made = small();
    let folder = Folder::new()
        .with("good", &told(&records("complete", good, 1000)).image())
        .with("untold", &made.image())
        .with(
            "partial",
            &told(&records("partial\nREASON=its collector crashed", good, 1000)).image(),
        )
        .with("changed", &told(&records("complete", "00000000", 1000)).image())
        .with("shorter", &told(&records("complete", good, 2000)).image())
        .with(
            "lost",
            &told(
                &(records("complete", good, 1000)
                    + "NAME=slow\nSTATUS=failed\nREASON=its collector crashed\n"),
            )
            .image(),
        )
        .with("cut", &made.image().truncated(made.payload_offset(1) + 10))
        .with("foreign", &made.image().overwritten(0, b"GIF89a"));
    for file in ["good", "untold", "partial", "changed", "shorter", "lost", "cut", "foreign"] {
        assert_snapshot!(file, folder.run(["verify", file]).shown());
    }
    assert_snapshot!("quiet", folder.run(["verify", "-q", "good", "changed"]).shown());
}

/// Each bit of a payload counts.
#[test]
fn one_changed_bit_is_found() {
    let [_, good] = CRC;
    let made = told(&records("complete", good, 1000));
    for at in [0, 999] {
        let image = made.image().overwritten(made.payload_offset(1) + at, &[3]);
        let folder = Folder::new().with("vmcore", &image);
        assert_eq!(folder.run(["verify", "vmcore"]).status, Some(1));
    }
}
