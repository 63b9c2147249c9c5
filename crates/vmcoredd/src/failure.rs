// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! How the command ends, and what it says when that is early.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kdumpfile::{Escaped, EscapedPath, Fault, Strerror};
use vmcoredd_producer::{DEVICE, NAME_MAX};

/// The exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// The answer is no: there is no such device dump, or it is not complete.
    Negative = 1,
    /// Wrong usage; clap's errors end so too.
    Usage = 2,
    /// A file cannot be read.
    Input = 3,
    /// The output cannot be written.
    Output = 4,
}

impl From<Exit> for ExitCode {
    fn from(status: Exit) -> Self {
        Self::from(status as u8)
    }
}

/// Why the command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The file has no such device dump.
    #[error("{}: no device dump is named {wanted}; {others}", EscapedPath(path))]
    NotFound {
        /// The file.
        path: PathBuf,
        /// The name asked for, escaped.
        wanted: String,
        /// What there is instead.
        others: String,
        /// The status for what is wrong with the file besides.
        status: Exit,
    },
    /// The file has several device dumps, or none.
    #[error("{}: which device dump? {others}", EscapedPath(path))]
    WhichOne {
        /// The file.
        path: PathBuf,
        /// What there is.
        others: String,
    },
    /// No snapshot of the machine is older than its crash.
    #[error("{}: expected a snapshot from before {time}, found none", EscapedPath(directory))]
    NoBaseline {
        /// Where they are kept.
        directory: PathBuf,
        /// When it crashed.
        time: String,
    },
    /// A device dump is damaged.
    #[error("{}: {name}: damaged: {available} of {length} bytes are there", EscapedPath(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The device dump, escaped.
        name: String,
        /// How many bytes are there.
        available: u64,
        /// How many there should be.
        length: u64,
    },
    /// Wrong usage that clap does not see.
    #[error("{0}")]
    Usage(String),
    /// The output would take the vmcore's place.
    #[error("{}: is the vmcore itself, expected another output", EscapedPath(.0))]
    OutputIsInput(PathBuf),
    /// There is something that is not replaced.
    #[error("{}: is {found}, expected a file, or nothing", EscapedPath(path))]
    NoFile {
        /// The output.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Input(#[from] kdumpfile::Error),
    /// The output cannot be written.
    #[error("{}: cannot write: {}", EscapedPath(path), Strerror(error))]
    Output {
        /// The output.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file that is to be added, or a directory, cannot be opened.
    #[error("{}: cannot open: {}", EscapedPath(path), Strerror(error))]
    Blob {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A device dump cannot be added.
    #[error(transparent)]
    Payload(kdumpfile::AttachError),
    /// It has a drawback to add device dumps.
    #[error("{0}; --force adds it all the same")]
    Drawback(kdumpfile::AttachError),
    /// The file to be changed cannot be locked.
    #[error("{0}; -o OUT needs no lock")]
    Locked(kdumpfile::LockError),
    /// Standard input cannot be read.
    #[error("standard input: cannot read: {}", Strerror(.0))]
    Stdin(io::Error),
    /// Nothing can be added to the vmcore.
    #[error("{DEVICE}: {}", device_error(.0))]
    Device(io::Error),
    /// A dump cannot have this name.
    #[error("{}: expected a name of 1 to {NAME_MAX} bytes", Escaped(.0))]
    Name(Vec<u8>),
    /// Not all that was to be in a dump is in it.
    #[error("{name}: {reason}; {length} bytes are kept")]
    Partial {
        /// Its name, escaped.
        name: String,
        /// Why it is not more.
        reason: String,
        /// How many bytes were taken.
        length: u64,
    },
    /// Standard output cannot be written.
    #[error("standard output: cannot write: {}", Strerror(.0))]
    Stdout(#[from] io::Error),
}

/// Why the device does not take a dump, and what to do.
fn device_error(error: &io::Error) -> String {
    let reason = Strerror(error);
    match error.kind() {
        ErrorKind::NotFound => format!("{reason}: is vmcoredd.ko loaded?"),
        ErrorKind::InvalidInput => format!("{reason}: the kernel's log says why"),
        _ => reason.to_string(),
    }
}

impl Failure {
    /// A failure to write to `path`.
    pub fn output(path: &Path, error: io::Error) -> Self {
        Self::Output { path: path.to_owned(), error }
    }

    /// Says on standard error what is wrong, and gives the status for it.
    pub fn report(&self) -> Exit {
        complain(self);
        match self {
            Self::NotFound { status, .. } => Exit::Negative.max(*status),
            Self::Damaged { .. }
            | Self::Partial { .. }
            | Self::Drawback(_)
            | Self::NoBaseline { .. } => Exit::Negative,
            Self::OutputIsInput(_) | Self::Name(_) | Self::WhichOne { .. } | Self::Usage(_) => {
                Exit::Usage
            }
            // Damaged, as a dump is that ends too early.
            Self::Input(kdumpfile::Error { fault: Fault::Compressed { .. }, .. }) => Exit::Negative,
            Self::Input(_) | Self::Stdin(_) | Self::Blob { .. } | Self::Payload(_) => Exit::Input,
            Self::NoFile { .. }
            | Self::Output { .. }
            | Self::Locked(_)
            | Self::Stdout(_)
            | Self::Device(_) => Exit::Output,
        }
    }

    /// Whether the reader of standard output has seen enough.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Stdout(error) if error.kind() == ErrorKind::BrokenPipe)
    }
}

/// Writes `message` to standard error, on one line.
pub fn complain(message: impl std::fmt::Display) {
    // There is nowhere to report that standard error cannot be written.
    let _ = writeln!(io::stderr(), "vmcoredd: {message}");
}
