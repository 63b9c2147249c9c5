// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is C, and the patches for drivers of the kernel, are in the kernel's style, as
//! its own checkpatch sees it.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use system_tests::{output, root, source};
use vmtest::{Kernel, Series};

/// What checkpatch says of code that is right.
const NOT_FOR_US: &str = "--ignore=\
    LINUX_VERSION_CODE,CONSTANT_COMPARISON,\
    MACRO_ARG_REUSE,MACRO_WITH_FLOW_CONTROL,LINE_SPACING,\
    AVOID_BUG";

/// The files of the project with this extension.
fn files(extension: &str) -> Vec<PathBuf> {
    let mut list = Command::new("git");
    list.arg("-C").arg(root()).args(["ls-files", "--", &format!("*.{extension}")]);
    output(&mut list).unwrap().lines().map(|file| root().join(file)).collect()
}

fn checkpatch() -> Command {
    let source = source(&Kernel::fetch(Series::V6_12).unwrap()).unwrap();
    let mut checkpatch = Command::new(source.join("scripts/checkpatch.pl"));
    checkpatch.args(["--no-tree", "--strict", "--terse", "--show-types"]);
    checkpatch
}

/// A version that is not the kernel's own needs LINUX_VERSION_CODE, compared with a
/// constant to its left where that is a macro; what makes a module of a list of PCI
/// addresses is a macro that uses the list twice and returns; and one collector is to
/// be a bug.
#[test]
fn the_c_sources_are_in_kernel_style() {
    let files = [files("c"), files("h")].concat();
    assert!(!files.is_empty());
    output(checkpatch().arg(NOT_FOR_US).arg("--file").args(files)).unwrap();
}

#[test]
fn the_patches_are_in_kernel_style() {
    let patches = files("patch");
    assert!(!patches.is_empty());
    for patch in patches {
        // By its name it would be taken for a file to be checked itself, as git has it.
        // Who sends one upstream signs it off; and the commits it names are not here.
        let text = File::open(&patch).unwrap();
        let ignored = ["--no-signoff", "--ignore=UNKNOWN_COMMIT_ID"];
        output(checkpatch().args(ignored).arg("-").stdin(text)).unwrap();
    }
}
