// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files that are cut off.

use std::fs::OpenOptions;

use crate::run::{Folder, small};

/// Behind the notes nothing is read, so that it is all one where the file ends. Of a
/// device dump its name must be there.
#[test]
fn a_file_cut_at_any_byte_is_listed_as_far_as_it_is_there() {
    let made = small();
    let dumps = [("nic0", 0, 5), ("edu_0000:00:04.0", 1, 1000)]
        .map(|(name, index, length)| (name, made.payload_offset(index), length));
    let notes_end = made.header_size() + made.dumps_size() + made.notes_size();
    let folder = Folder::new().with("vmcore", &made.image());
    let file = OpenOptions::new().write(true).open(folder.path("vmcore"));
    let file = file.expect("there");

    for length in (0..=notes_end + 1).rev() {
        file.set_len(length).expect("cut");
        let outcome = folder.run(["list", "vmcore"]);
        let status = match length {
            // Without the file header it is no dump.
            0..64 => 3,
            _ if length < notes_end => 1,
            _ => 0,
        };
        assert_eq!(outcome.status, Some(status), "cut at {length}: {outcome:?}");

        let start = match length {
            0 => "vmcoredd: vmcore: expected a vmcore, found an empty file; ",
            _ => "vmcoredd: vmcore: offset 0x",
        };
        let lines: Vec<_> = outcome.stderr.lines().collect();
        assert_eq!(lines.is_empty(), status == 0, "{lines:?}");
        assert!(lines.iter().all(|line| line.starts_with(start)), "{lines:?}");
        for (name, start, size) in dumps {
            let line = outcome.stdout().lines().find(|line| line.contains(name));
            assert_eq!(line.is_some(), start <= length, "{name}, cut at {length}");
            let is_damaged = line.is_some_and(|line| line.contains("  damaged  "));
            assert_eq!(is_damaged, (start..start + size).contains(&length), "{line:?}");
        }
    }
}
