// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The benchmark itself works, and what it can judge in any run is reached.

use std::path::Path;
use std::process::Command;

#[test]
fn every_measurement_is_made() {
    let bench = Path::new(env!("CARGO_BIN_EXE_bench"));
    let command = bench.with_file_name("vmcoredd");
    assert!(command.exists(), "no vmcoredd beside it: cargo build --package vmcoredd");
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
    ] {
        assert!(said.lines().any(|line| line.starts_with(&format!("| {row} "))), "{row}: {said}");
    }
    assert!(said.contains("reached     list reads: "), "{said}");
    assert!(!said.contains("MISSED"), "{said}");
}
