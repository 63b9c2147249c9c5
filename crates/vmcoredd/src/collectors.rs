// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Collectors: the executables of a directory whose output becomes device dumps.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::capture::add_output;
use crate::failure::Failure;

/// Where collectors are unless told otherwise.
pub const DIRECTORY: &str = "/etc/vmcoredd/collect.d";
/// Why a file is not run that would be run if it were executable.
pub const NOT_EXECUTABLE: &str = "it is not executable";
/// How long one collector may run unless told otherwise, in seconds.
pub const DEADLINE: &str = "10";

/// A file in the directory of collectors.
#[derive(Debug)]
pub struct Collector {
    pub path: PathBuf,
    /// Why it is not run, if it is not.
    pub problem: Option<&'static str>,
}

impl Collector {
    /// The name of its dump.
    pub fn name(&self) -> &[u8] {
        self.path.file_name().unwrap_or_default().as_bytes()
    }

    /// Runs it; returns the length of its dump, in bytes.
    pub fn run(&self, deadline: Duration) -> Result<u64, Failure> {
        let name = self.path.file_name().unwrap_or_default();
        add_output(name, &[self.path.clone().into_os_string()], deadline, false)
    }
}

/// The collectors in `directory`, sorted by name; none where there is no such directory.
pub fn find(directory: &Path) -> Result<Vec<Collector>, Failure> {
    let failed = |error| Failure::Blob { path: directory.to_owned(), error };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut collectors = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default();
        if name == "README" {
            continue;
        }
        let Ok(metadata) = fs::metadata(&path) else {
            collectors.push(Collector { path, problem: Some("it leads to nothing") });
            continue;
        };
        let problem = if metadata.is_dir() {
            continue;
        } else if !is_good_name(name.as_bytes()) {
            Some("its name is not of letters, digits, dashes, dots and underscores")
        } else if metadata.permissions().mode() & 0o111 == 0 {
            Some(NOT_EXECUTABLE)
        } else {
            None
        };
        collectors.push(Collector { path, problem });
    }
    collectors.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(collectors)
}

/// Whether the initramfs takes a collector of this name, too. What a package manager or an
/// editor leaves starts with a dot or has other signs.
fn is_good_name(name: &[u8]) -> bool {
    !name.starts_with(b".")
        && name.len() <= vmcoredd_producer::NAME_MAX
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
}
