// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd show`.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use synth::{Class, Content, Endian, Vmcore};

use crate::run::{Folder, small};

fn made() -> Vmcore {
    let text = b"registers of a device\0\x01\x7f\xff";
    let payload = [&text[..], &[0; 1000], b"firmware log: all is well\n", &[7; 64]].concat();
    Vmcore::new(Class::Elf64, Endian::Little).dump("nic0", payload)
}

#[test]
fn hexadecimal_with_folding() {
    let folder = Folder::new().with("vmcore", &made().image());
    assert_snapshot!("whole", folder.run(["show", "vmcore"]).shown());
    assert_snapshot!(
        "part",
        folder.run(["show", "vmcore", "nic0", "--at", "0x401", "-n", "26"]).shown()
    );
    assert_snapshot!(
        "unfolded",
        folder.run(["show", "vmcore", "0", "-v", "--at=1000", "--length=80"]).shown()
    );
    assert_snapshot!("behind", folder.run(["show", "vmcore", "nic0", "--at", "2000"]).shown());
}

/// As `hexdump -C` has it, of which busybox has one.
#[test]
fn it_is_what_hexdump_shows() {
    for content in [
        Content::Pattern { seed: 3, length: 100_003 },
        Content::Zeros(200_000),
        Content::Bytes([vec![1; 17], vec![0; 64], vec![2; 16]].concat()),
    ] {
        let made = Vmcore::new(Class::Elf64, Endian::Little).dump("nic0", content.clone());
        let folder = Folder::new().with("vmcore", &made.image());
        fs::write(folder.path("payload"), content.to_vec()).expect("written");
        let hexdump =
            Command::new("busybox").args(["hexdump", "-C"]).arg(folder.path("payload")).output();
        let expected = String::from_utf8(hexdump.expect("busybox is there").stdout).expect("text");
        let shown = folder.run(["show", "vmcore"]);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert!(words(shown.stdout()) == words(&expected), "{}", shown.stdout());
    }
}

#[test]
fn of_a_damaged_one_what_is_there() {
    let made = small();
    let folder = Folder::new().with("vmcore", &made.image().truncated(made.payload_offset(1) + 20));
    assert_snapshot!(folder.run(["show", "vmcore", "1"]).shown());
}
