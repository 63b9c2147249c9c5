// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the command says of itself.

use std::process::Command;

use insta::assert_snapshot;

use crate::run::Folder;

#[test]
fn help_of_everything() {
    let folder = Folder::new();
    assert_snapshot!("help", folder.run(["--help"]).shown());
    for command in [
        "list", "info", "verify", "extract", "show", "decode", "diff", "attach", "add", "run",
        "collect", "profile", "doctor",
    ] {
        assert_snapshot!(format!("help_{command}"), folder.run([command, "--help"]).shown());
    }
}

/// What `generate` makes for a package.
fn generated() -> Folder {
    let folder = Folder::new();
    let outcome = folder.run(["generate", "."]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    folder
}

#[test]
fn man_pages() {
    let folder = generated();
    let version = concat!("vmcoredd ", env!("CARGO_PKG_VERSION"));
    for name in ["vmcoredd", "vmcoredd-attach", "vmcoredd-extract", "vmcoredd-run"] {
        let page = std::fs::read_to_string(folder.path(&format!("{name}.1"))).expect("there");
        assert_snapshot!(format!("man_{name}"), page.replace(version, "vmcoredd VERSION"));
    }
    let pages = folder.files().into_iter().filter(|name| name.ends_with(".1")).count();
    assert_eq!(pages, 23, "one for the command, and one for each subcommand");
}

/// Where there is man, each page is one that it understands, with these sections.
#[test]
fn man_pages_can_be_read() {
    let folder = generated();
    for page in folder.files().into_iter().filter(|name| name.ends_with(".1")) {
        let page = folder.path(&page);
        let shown = Command::new("man").args(["--warnings", "--local-file"]).arg(&page).output();
        let Ok(shown) = shown else {
            return;
        };
        assert_eq!(String::from_utf8_lossy(&shown.stderr), "", "{}", page.display());
        let text = String::from_utf8_lossy(&shown.stdout);
        for section in ["SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES"] {
            assert!(text.lines().any(|line| line == section), "{section}: {text}");
        }
    }
}

#[test]
fn what_is_hidden_is_not_completed() {
    let folder = generated();
    for file in ["vmcoredd.bash", "_vmcoredd", "vmcoredd.fish"] {
        let script = std::fs::read_to_string(folder.path(file)).expect("there");
        assert!(script.contains("extract") && script.contains("doctor"), "{file}");
        assert!(!script.contains("generate"), "{file}");
        assert!(script.contains("rehearse") && !script.contains("root"), "{file}");
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
