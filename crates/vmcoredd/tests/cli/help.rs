// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the command says of itself.

use insta::assert_snapshot;

use crate::run::Folder;

#[test]
fn help_of_everything() {
    let folder = Folder::new();
    assert_snapshot!("help", folder.run(["--help"]).shown());
    for command in [
        "list", "info", "verify", "extract", "show", "diff", "attach", "add", "run", "collect",
        "doctor",
    ] {
        assert_snapshot!(format!("help_{command}"), folder.run([command, "--help"]).shown());
    }
}

#[test]
fn wrong_usage_is_status_2() {
    let folder = Folder::new();
    let wrong: [&[&str]; 13] = [
        &[],
        &["list"],
        &["extract"],
        &["extract", "vmcore", "nic0", "--all"],
        &["extract", "vmcore", "--all", "-o", "out"],
        &["extract", "vmcore", "nic0", "-o", "out", "-C", "."],
        &["diff", "vmcore"],
        &["attach", "vmcore", "--in-place"],
        &["add"],
        &["run", "lspci"],
        &["run", "lspci", "lspci"],
        &["attach", "vmcore", "a=b"],
        &["lost"],
    ];
    for arguments in wrong {
        let outcome = folder.run(arguments);
        assert_eq!(outcome.status, Some(2), "{arguments:?}");
        assert_eq!(outcome.stdout(), "");
        assert!(outcome.stderr.contains("Usage: vmcoredd"), "{outcome:?}");
    }
}

#[test]
fn a_deadline_is_a_time() {
    let folder = Folder::new();
    for wrong in ["0", "-1", "1e30", "inf", "soon"] {
        let outcome = folder.run(["run", "lspci", &format!("--deadline={wrong}"), "--", "true"]);
        assert_eq!(outcome.status, Some(2), "{wrong}: {outcome:?}");
    }
}

/// Where vmcoredd.ko is not loaded, as on most machines that run the tests.
#[test]
fn without_the_module_nothing_is_added() {
    if std::path::Path::new("/dev/vmcoredd").exists() {
        return;
    }
    let folder = Folder::new();
    assert_snapshot!("no_device", folder.run(["run", "x", "--", "touch", "ran"]).shown());
    assert!(folder.files().is_empty(), "the command was not run");
}
