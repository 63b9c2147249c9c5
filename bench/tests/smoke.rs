// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The benchmark itself works, and what it can judge in any run is reached.

use std::path::Path;
use std::process::Command;

#[test]
fn every_measurement_is_made() {
    let bench = Path::new(env!("CARGO_BIN_EXE_bench"));
    let command = bench.with_file_name("vmcoredd");
    assert!(command.exists(), "no vmcoredd in its directory: cargo build --package vmcoredd");
    let directory = tempfile::tempdir().expect("a folder");
    let output = Command::new(bench)
        .args(["--smoke", "--command"])
        .arg(command)
        .arg("--directory")
        .arg(directory.path())
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    for row in [
        "vmcoredd list",
        "vmcoredd list --json",
        "vmcoredd info",
        "readelf -n",
        "eu-readelf -n",
        "libkdumpfile opens it",
        "cp of the same bytes",
        "vmcoredd extract",
        "vmcoredd verify",
        "vmcoredd explain",
        "lspci -F",
        "vmcoredd decode",
    ] {
        assert!(said.lines().any(|line| line.starts_with(&format!("| {row} "))), "{row}: {said}");
    }
    for figure in [
        "plain/read-4096",
        "own/map",
        "load",
        "load/held",
        "load/compared_pages",
        "memory/read-1048576",
        "memory/map",
        "memory/random",
        "large-adapter/held",
        "large-adapter/added_ns",
        "large-random/map",
        "dumps/makedumpfile",
        "plain/cp",
        "plain/dd",
        "size-1000/collected_ns",
        "small-40/near-last",
        "small-40/map",
        "small-40/random",
    ] {
        let row = said.lines().find(|line| line.starts_with(&format!("| {figure} ")));
        let number = row.and_then(|row| row.split('|').nth(2)?.trim().parse::<f64>().ok());
        assert!(number.is_some_and(|number| number > 0.0), "{figure}: {said}");
    }
    let goal = said.lines().find(|line| line.starts_with("| list reads "));
    let judged = goal.and_then(|line| line.split('|').nth(4));
    assert_eq!(judged.map(str::trim), Some("reached"), "{said}");
    assert!(!said.contains("missed"), "{said}");
}
