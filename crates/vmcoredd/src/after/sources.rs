// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What firmware and drives know after a crash, and the commands that print it.
//!
//! Each source is a command, also where a file would do, so that each can be killed at its
//! deadline: the firmware of a machine that has just crashed may answer nothing.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::collectors;
use crate::failure::{Failure, complain};

/// How many entries of a drive's error log are asked for.
const NVME_ERRORS: &str = "--log-entries=64";
/// How many files of pstore are taken at most, and drives.
const MANY: usize = 64;

/// Something to collect.
#[derive(Debug)]
pub struct Source {
    /// Name of its dump.
    pub name: String,
    /// What prints it.
    pub command: Vec<OsString>,
}

impl Source {
    fn new(name: impl Into<String>, command: &[&str]) -> Self {
        Self { name: name.into(), command: command.iter().map(OsString::from).collect() }
    }

    /// A file.
    fn file(name: impl Into<String>, path: PathBuf) -> Self {
        Self { name: name.into(), command: vec!["cat".into(), "--".into(), path.into()] }
    }
}

/// What there is in the system at `root`, and the executables in `own`.
pub fn find(root: &Path, own: &Path) -> Result<Vec<Source>, Failure> {
    let mut sources = vec![Source::new("dmesg-next-boot", &["dmesg"])];
    let tables = root.join("sys/firmware/acpi/tables");
    for (name, file) in [("bert-table", "BERT"), ("bert", "data/BERT")] {
        let file = tables.join(file);
        match file.exists() {
            true => sources.push(Source::file(name, file)),
            false => complain(format_args!("{name}: not there: the firmware recorded no error")),
        }
    }
    let is_there = |program: &str| {
        ["usr/bin", "usr/sbin", "bin", "sbin"]
            .iter()
            .any(|directory| root.join(directory).join(program).exists())
    };
    let has_bmc =
        ["dev/ipmi0", "dev/ipmi/0", "dev/ipmidev/0"].iter().any(|d| root.join(d).exists());
    if !has_bmc || !is_there("ipmitool") {
        complain("ipmi-sel: not there: no management controller, or no ipmitool");
    } else {
        // It writes bytes to a regular file alone, and words to its standard output.
        let raw = |what| {
            format!(
                "file=$(mktemp) || exit; trap 'rm -f \"$file\"' EXIT
                 ipmitool {what} \"$file\" >/dev/null && cat \"$file\""
            )
        };
        sources.push(Source::new("ipmi-sel", &["sh", "-c", &raw("sel writeraw")]));
        sources.push(Source::new("ipmi-sel-text", &["ipmitool", "sel", "elist"]));
        sources.push(Source::new("ipmi-sdr", &["sh", "-c", &raw("sdr dump")]));
    }
    if !is_there("nvme") {
        complain("nvme: not there: no nvme-cli");
    } else {
        for controller in entries(&root.join("sys/class/nvme")).into_iter().take(MANY) {
            let name = file_name(&controller);
            let device = format!("/dev/{name}");
            let binary = "--output-format=binary";
            let smart = ["nvme", "smart-log", binary, &device];
            let errors = ["nvme", "error-log", binary, NVME_ERRORS, &device];
            sources.push(Source::new(format!("nvme-smart_{name}"), &smart));
            sources.push(Source::new(format!("nvme-error_{name}"), &errors));
        }
    }
    // systemd moves what pstore has while it boots, to directories of its own.
    let mut files = files_below(&root.join("sys/fs/pstore"), 0);
    let moved = files_below(&root.join("var/lib/systemd/pstore"), 2);
    files.extend(moved.into_iter().filter(|file| is_of_this_boot(file)));
    if files.is_empty() {
        complain("pstore: not there: nothing was kept");
    }
    for file in files.into_iter().take(MANY) {
        sources.push(Source::file(format!("pstore_{}", file_name(&file)), file));
    }
    for collector in collectors::find(own)? {
        let name = String::from_utf8_lossy(collector.name()).into_owned();
        match collector.problem {
            Some(why) => complain(format_args!("{name}: is not run: {why}")),
            None => sources.push(Source { name, command: vec![collector.path.into()] }),
        }
    }
    Ok(sources)
}

/// The entries of a directory in the order of their names; none where there is none.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The files in a directory and in directories below it, `depth` deep.
fn files_below(directory: &Path, depth: usize) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in entries(directory) {
        if path.is_file() {
            files.push(path);
        } else if let Some(depth) = depth.checked_sub(1)
            && path.is_dir()
        {
            files.extend(files_below(&path, depth));
        }
    }
    files
}

/// Whether it was changed since this boot, as far as that is known.
fn is_of_this_boot(path: &Path) -> bool {
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let uptime = uptime.split('.').next().and_then(|seconds| seconds.parse().ok());
    let boot = uptime.and_then(|up| SystemTime::now().checked_sub(Duration::from_secs(up)));
    let changed = path.metadata().and_then(|metadata| metadata.modified()).ok();
    boot.is_none_or(|boot| changed.is_some_and(|changed| changed >= boot))
}

/// Its last part, as far as a name of a dump can have it.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().chars().take(36).collect()
}
