// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a file has, as far as it can be read.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use kdumpfile::{DeviceDump, Dump, Error, Escaped, EscapedPath, Fault, Manifest};
use rustix::fs::tell;

use crate::failure::{Exit, Failure, complain};
use crate::names::is_named;

/// The most device dumps of one file that are looked at: many times what a kernel can
/// add, and few enough to be held.
pub const DUMPS_MAX: usize = 1 << 16;
/// The most errors of one file that are reported.
const ERRORS_MAX: usize = 100;
/// How many names are listed where the one asked for is not there.
const NAMES_SHOWN: usize = 20;

/// Opens the file at `path`; `-` is standard input. What is compressed is decompressed, as
/// far as it is asked for, to a temporary file, as what comes from a pipe is copied to one.
pub fn open(path: &Path) -> Result<Dump, Error> {
    if path != Path::new("-") {
        return Dump::open(path);
    }
    let name = Path::new("standard input");
    let stdin = io::stdin();
    let failed =
        |error: io::Error| Error { path: name.to_owned(), fault: Fault::Open(error.into()) };
    let file = File::from(stdin.as_fd().try_clone_to_owned().map_err(failed)?);
    match tell(&file) {
        // A file from its start on can be read here and there.
        Ok(0) => Dump::from_file(name, file),
        _ => Dump::from_reader(name, file),
    }
}

/// Opens one file after the other, and has `each` do its work with every one, or with why it
/// cannot be opened. That is reported here, and does not stop the others. Returns the worst
/// status.
pub fn each_file(
    files: &[PathBuf],
    mut each: impl FnMut(&Path, Result<&Dump, &Error>) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let mut status = Exit::Done;
    for path in files {
        let dump = open(path);
        status = status.max(each(path, dump.as_ref())?);
        if let Err(error) = dump {
            status = status.max(Failure::Input(error).report());
        }
    }
    Ok(status)
}

/// The device dumps of a file, its manifest, and what is wrong with it.
#[derive(Debug)]
pub struct Contents<'a> {
    pub device_dumps: Vec<DeviceDump<'a>>,
    /// An empty one where the file has none.
    pub manifest: Manifest,
    pub errors: Vec<Error>,
    /// How many more errors there are, which are not reported.
    pub more_errors: usize,
    /// There are more device dumps than are looked at.
    pub has_more: bool,
}

impl<'a> Contents<'a> {
    pub fn read(dump: &'a Dump) -> Self {
        let mut contents = Self {
            device_dumps: Vec::new(),
            manifest: Manifest::default(),
            errors: Vec::new(),
            more_errors: 0,
            has_more: false,
        };
        for device_dump in dump.device_dumps() {
            match device_dump {
                Ok(_) if contents.device_dumps.len() == DUMPS_MAX => {
                    contents.has_more = true;
                    break;
                }
                Ok(device_dump) => contents.device_dumps.push(device_dump),
                Err(error) => contents.push_error(error),
            }
        }
        match dump.manifest() {
            Ok(manifest) => contents.manifest = manifest.unwrap_or_default(),
            // Both walk the same notes: one line says that they cannot be read.
            Err(error) if is_read(&error) && contents.errors.iter().any(is_read) => {}
            Err(error) => contents.push_error(error),
        }
        contents
    }

    fn push_error(&mut self, error: Error) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(error);
        } else {
            self.more_errors += 1;
        }
    }

    /// Whether all of the file was read, and found whole.
    pub fn is_whole(&self) -> bool {
        self.errors.is_empty() && !self.has_more
    }

    /// Reports on standard error what is wrong, and returns the status for it.
    pub fn complain(&self, path: &Path) -> Exit {
        self.errors.iter().for_each(complain);
        let path = EscapedPath(path);
        if self.more_errors > 0 {
            complain(format_args!("{path}: {} more errors", self.more_errors));
        }
        if self.has_more {
            complain(format_args!(
                "{path}: more than {DUMPS_MAX} device dumps; these are the first"
            ));
        }
        let least = if self.is_whole() { Exit::Done } else { Exit::Negative };
        self.errors.iter().map(status).fold(least, Exit::max)
    }

    /// The device dump that `wanted` names, by its name or else its index; without
    /// `wanted`, the only one.
    pub fn find(&self, dump: &Dump, wanted: Option<&OsStr>) -> Result<DeviceDump<'a>, Failure> {
        let path = EscapedPath(dump.path());
        let Some(wanted) = wanted else {
            return match self.device_dumps.as_slice() {
                [only] => Ok(*only),
                _ => Err(self.not_found(dump, None)),
            };
        };
        let mut named = self.device_dumps.iter().filter(|each| is_named(each.name(), wanted));
        if let Some(first) = named.next() {
            let more = named.count();
            if more > 0 {
                complain(format_args!(
                    "{path}: {} device dumps are named {}; this is the first, index {}",
                    more + 1,
                    Escaped(first.name()),
                    first.index(),
                ));
            }
            return Ok(*first);
        }
        let index = wanted.to_str().and_then(|text| text.parse::<usize>().ok());
        let indexed = index.and_then(|index| self.device_dumps.get(index));
        indexed.copied().ok_or_else(|| self.not_found(dump, Some(wanted)))
    }

    fn not_found(&self, dump: &Dump, wanted: Option<&OsStr>) -> Failure {
        // What is missing may have been in the damaged part.
        let status = self.complain(dump.path());
        let path = dump.path().to_owned();
        let others = names(&self.device_dumps);
        match wanted {
            Some(wanted) => {
                let wanted = Escaped(wanted.as_bytes()).to_string();
                Failure::NotFound { path, wanted, others, status }
            }
            None => Failure::WhichOne { path, others },
        }
    }
}

/// Whether `error` is one of reading, not of what was read.
pub fn is_read(error: &Error) -> bool {
    matches!(error.fault, Fault::Read { .. } | Fault::Spool { .. })
}

/// The exit status for `error`.
pub fn status(error: &Error) -> Exit {
    if is_read(error) { Exit::Input } else { Exit::Negative }
}

/// What there is, in words.
fn names(device_dumps: &[DeviceDump<'_>]) -> String {
    if device_dumps.is_empty() {
        return "it has no device dumps".to_owned();
    }
    let shown: Vec<_> = device_dumps
        .iter()
        .take(NAMES_SHOWN)
        .map(|each| Escaped(each.name()).to_string())
        .collect();
    let more = match device_dumps.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("there are: {}{more}", shown.join(", "))
}
