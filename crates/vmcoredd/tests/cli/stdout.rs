// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Standard output whose reader has seen enough.

use std::fs;
use std::io;

use synth::Content;

use crate::run::{Folder, Outcome, small};

/// Its reader has gone before it starts.
fn into_a_closed_pipe(folder: &Folder, arguments: &[&str]) -> Outcome {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let output = folder.command().args(arguments).stdout(writer).output();
    Outcome::from(output.expect("runs"))
}

#[test]
fn a_closed_pipe_does_not_change_the_status() {
    let made = small();
    let large = Content::Pattern { seed: 1, length: 1 << 20 };
    let cut = made.image().truncated(made.payload_offset(1) + 300);
    let folder = Folder::new()
        .with("cut", &cut)
        .with("whole", &small().dump("large", large).image())
        .with("other", &small().dump("more", vec![]).image());
    fs::write(folder.path("foreign"), "not a dump, and long enough to be seen as none")
        .expect("ok");
    let cases: [(&[&str], i32); 13] = [
        (&["list", "whole"], 0),
        (&["list", "whole", "cut"], 1),
        (&["list", "--json", "cut"], 1),
        (&["list", "whole", "foreign"], 3),
        (&["info", "whole"], 0),
        (&["info", "cut"], 1),
        (&["verify", "whole", "cut"], 1),
        (&["show", "whole", "large"], 0),
        (&["show", "cut", "1"], 1),
        (&["extract", "whole", "large", "-o", "-"], 0),
        (&["extract", "cut", "1", "-o", "-"], 1),
        (&["extract", "cut", "--all"], 1),
        (&["diff", "whole", "other"], 1),
    ];
    for (arguments, status) in cases {
        let outcome = into_a_closed_pipe(&folder, arguments);
        assert_eq!(outcome.status, Some(status), "{arguments:?}: {outcome:?}");
        assert!(!outcome.stderr.contains("standard output"), "{outcome:?}");
    }
    // All were extracted though nobody read their names.
    assert_eq!(folder.files(), ["cut", "edu_0000:00:04.0", "foreign", "nic0", "other", "whole"]);
}
