// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files that are cut off.

use std::fs::OpenOptions;

use crate::run::{Folder, small};

/// Behind the notes nothing is read, so that it is all one where the file ends.
#[test]
fn a_file_cut_at_any_byte_is_listed_as_far_as_it_is_whole() {
    let made = small();
    let ends = [("nic0", 0, 5), ("edu_0000:00:04.0", 1, 1000)]
        .map(|(name, index, length)| (name, made.payload_offset(index) + length));
    let notes_end = made.header_size() + made.dumps_size() + made.notes_size();
    let folder = Folder::new().with("vmcore", &made.image());
    let file = OpenOptions::new().write(true).open(folder.path("vmcore"));
    let file = file.expect("there");

    for length in (0..=notes_end + 1).rev() {
        file.set_len(length).expect("cut");
        let outcome = folder.run(["list", "vmcore"]);
        let status = if length < notes_end { 3 } else { 0 };
        assert_eq!(outcome.status, Some(status), "cut at {length}: {outcome:?}");

        let start = "vmcoredd: vmcore: offset 0x";
        let lines: Vec<_> = outcome.stderr.lines().collect();
        match status {
            0 => assert_eq!(lines, [""; 0]),
            _ => assert!(lines.len() == 1 && lines[0].starts_with(start), "{lines:?}"),
        }
        for (name, end) in ends {
            let listed = outcome.stdout().contains(name);
            assert_eq!(listed, end <= length, "{name}, cut at {length}");
        }
    }
}
