// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd collect`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kdumpfile::Escaped;

use crate::failure::{Failure, Status, complain};
use crate::run;

/// Where collectors are unless told otherwise.
pub const DIRECTORY: &str = "/etc/vmcoredd/collect.d";
/// Why a file is not run that could be.
pub const NOT_EXECUTABLE: &str = "it is not executable";
/// How long one may run unless told otherwise, in seconds.
pub const DEADLINE: &str = "10";
/// How long all of them may, in seconds.
const TOTAL: &str = "60";

/// Run all collectors of a directory, and add what they print as device dumps
///
/// Each is run as by `vmcoredd run`, in the order of their names, which are those of the
/// device dumps. One that fails or is killed keeps no other from being run. In a crash
/// kernel with the packages' initramfs, this is done before drivers are loaded.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The directory; executables in it are collectors
    #[arg(default_value = DIRECTORY)]
    directory: PathBuf,
    /// How long one collector may run, in seconds
    #[arg(short, long, value_name = "SECONDS", default_value = DEADLINE,
          value_parser = run::seconds)]
    deadline: Duration,
    /// How long all may run, in seconds; those that are left then are not run
    #[arg(short, long, value_name = "SECONDS", default_value = TOTAL,
          value_parser = run::seconds)]
    total: Duration,
}

/// Runs them.
pub fn run(arguments: &Arguments) -> Result<Status, Failure> {
    let Arguments { directory, deadline, total } = arguments;
    let end = Instant::now().checked_add(*total);
    let mut status = Status::Done;
    let mut stdout = crate::stdout::lock();
    for collector in find(directory)? {
        let name = Escaped(collector.name()).to_string();
        if let Some(why) = collector.problem {
            complain(format_args!("{name}: is not run: {why}"));
            status = status.max(Status::Negative);
            continue;
        }
        let left = end.map_or(*deadline, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            complain(format_args!("{name}: is not run: the collectors have used up their time"));
            status = status.max(Status::Negative);
            continue;
        }
        let start = Instant::now();
        match collector.run(left.min(*deadline)) {
            Ok(length) => {
                let elapsed = start.elapsed().as_millis();
                writeln!(stdout, "{name}: {length} bytes, {elapsed} ms")?;
            }
            // There is nowhere to put the others either.
            Err(failure @ Failure::Device(_)) => return Err(failure),
            Err(failure) => status = status.max(failure.report()),
        }
    }
    stdout.flush()?;
    Ok(status)
}

/// A file in the directory of collectors.
#[derive(Debug)]
pub struct Collector {
    pub path: PathBuf,
    /// Why it is not run.
    pub problem: Option<&'static str>,
}

impl Collector {
    /// The name of its dump.
    pub fn name(&self) -> &[u8] {
        self.path.file_name().unwrap_or_default().as_bytes()
    }

    /// Runs it; gives the length of its dump, in bytes.
    pub fn run(&self, deadline: Duration) -> Result<u64, Failure> {
        let name = self.path.file_name().unwrap_or_default();
        run::add_output(name, &[self.path.clone().into_os_string()], deadline, false)
    }
}

/// The collectors in `directory`, by name; none where it is not there.
pub fn find(directory: &Path) -> Result<Vec<Collector>, Failure> {
    let failed = |error| Failure::Blob { path: directory.to_owned(), error };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default();
        if name == "README" {
            continue;
        }
        let Ok(metadata) = fs::metadata(&path) else {
            found.push(Collector { path, problem: Some("it leads to nothing") });
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
        found.push(Collector { path, problem });
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// What the initramfs takes, too. What a package manager or an editor leaves starts
/// with a dot or has other signs.
fn is_good_name(name: &[u8]) -> bool {
    !name.starts_with(b".")
        && name.len() <= vmcoredd_producer::NAME_MAX
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
}
