// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the command says of itself.

use insta::assert_snapshot;

use crate::run::Folder;

#[test]
fn help_of_everything() {
    let folder = Folder::new();
    assert_snapshot!("help", folder.run(["--help"]).shown());
    assert_snapshot!("help_list", folder.run(["list", "--help"]).shown());
    assert_snapshot!("help_extract", folder.run(["extract", "--help"]).shown());
}

#[test]
fn wrong_usage_is_status_2() {
    let folder = Folder::new();
    let wrong: [&[&str]; 5] =
        [&[], &["list"], &["extract", "vmcore"], &["extract", "vmcore", "nic0"], &["lost"]];
    for arguments in wrong {
        let outcome = folder.run(arguments);
        assert_eq!(outcome.status, Some(2), "{arguments:?}");
        assert_eq!(outcome.stdout(), "");
        assert!(outcome.stderr.contains("Usage: vmcoredd"), "{outcome:?}");
    }
}
