// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is C, and the patches for drivers of the kernel, are in the kernel's style, as
//! its own checkpatch sees it. And no file says where packages come from.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use system_tests::{output, root, source};
use vmtest::{Kernel, Series};

/// What checkpatch says of code that is right.
const NOT_FOR_US: &str = "--ignore=\
    LINUX_VERSION_CODE,CONSTANT_COMPARISON,\
    MACRO_ARG_REUSE,MACRO_WITH_FLOW_CONTROL,LINE_SPACING,\
    AVOID_BUG";

/// The hosts that a file may name: they are in names of formats, and in what cargo writes.
const HOSTS: [&str; 3] = ["www.w3.org", "www.debian.org", "github.com"];

/// What the name of a host that has packages begins with, and any host's ends with.
const PACKAGES: [&str; 12] = [
    "archive",
    "artifactory",
    "deb",
    "ftp",
    "index",
    "mirror",
    "mirrors",
    "pypi",
    "registry",
    "security",
    "snapshot",
    "static",
];
const DOMAINS: [&str; 7] = ["com", "de", "dev", "edu", "io", "net", "org"];

/// The files of the project with this extension, or all.
fn files(extension: &str) -> Vec<PathBuf> {
    let mut list = Command::new("git");
    list.arg("-C").arg(root()).args(["ls-files", "--", &format!("*{extension}")]);
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
    let files = [files(".c"), files(".h")].concat();
    assert!(!files.is_empty());
    output(checkpatch().arg(NOT_FOR_US).arg("--file").args(files)).unwrap();
}

#[test]
fn the_patches_are_in_kernel_style() {
    let patches = files(".patch");
    assert!(!patches.is_empty());
    for patch in patches {
        // By its name it would be taken for a file to be checked itself, as git has it.
        // Who sends one upstream signs it off; and the commits it names are not here.
        let text = File::open(&patch).unwrap();
        let ignored = ["--no-signoff", "--ignore=UNKNOWN_COMMIT_ID"];
        output(checkpatch().args(ignored).arg("-").stdin(text)).unwrap();
    }
}

/// The hosts in a text that are not to be named.
fn hosts(text: &str) -> Vec<String> {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    let of_urls = text
        .split("://")
        .skip(1)
        .filter_map(|rest| rest.split(|c| !is_of_a_name(c)).next())
        .filter(|host| host.contains('.'));
    let of_packages = text.split(|c| !is_of_a_name(c)).filter(|word| {
        let labels: Vec<_> = word.trim_matches('.').split('.').collect();
        let [first, _, .., last] = labels[..] else { return false };
        labels.len() > 2 && PACKAGES.contains(&first) && DOMAINS.contains(&last)
    });
    of_urls.chain(of_packages).filter(|host| !HOSTS.contains(host)).map(str::to_owned).collect()
}

/// apt and cargo know where packages come from on this machine, which need not be where
/// they come from on another.
#[test]
fn no_file_names_a_host_that_has_packages() {
    let host = |labels: &[&str]| labels.join(".");
    let mirror = host(&["deb", "example", "org"]);
    assert_eq!(hosts(&format!("see {mirror}, and example.org")), [mirror.as_str()]);
    assert_eq!(hosts(&format!("deb http{}example.org/debian", "://")), ["example.org"]);
    assert!(hosts("index.start.max, archive.tar.xz, and deb.org").is_empty());
    let (mut read, mut found) = (0, Vec::new());
    for file in files("") {
        // Neither a link to a directory nor what is not text.
        let Ok(text) = fs::read_to_string(&file) else { continue };
        read += 1;
        found.extend(hosts(&text).into_iter().map(|host| (file.clone(), host)));
    }
    assert_eq!(found, []);
    assert!(read > 100);
}
