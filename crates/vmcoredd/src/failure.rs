// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! How the command ends, and what it says when that is early.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kdump::EscapedPath;

/// The exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// What was asked for is done.
    Done = 0,
    /// There is no such device dump.
    NotFound = 1,
    /// Wrong usage; clap's errors end so too.
    Usage = 2,
    /// A file cannot be read.
    Input = 3,
    /// The output cannot be written.
    Output = 4,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
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
    },
    /// The output would take the vmcore's place.
    #[error("{}: is the vmcore itself, expected another output", EscapedPath(.0))]
    OutputIsInput(PathBuf),
    /// A file cannot be read.
    #[error(transparent)]
    Input(#[from] kdump::Error),
    /// The output cannot be written.
    #[error("{}: cannot write: {error}", EscapedPath(path))]
    Output {
        /// The output.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Standard output cannot be written.
    #[error("standard output: cannot write: {0}")]
    Stdout(#[from] io::Error),
}

impl Failure {
    /// A failure to write to `path`.
    pub fn output(path: &Path, error: io::Error) -> Self {
        Self::Output { path: path.to_owned(), error }
    }

    /// Says on standard error what is wrong, and gives the status for it.
    pub fn report(&self) -> Status {
        if self.is_broken_pipe() {
            return Status::Done;
        }
        complain(self);
        match self {
            Self::NotFound { .. } => Status::NotFound,
            Self::OutputIsInput(_) => Status::Usage,
            Self::Input(_) => Status::Input,
            Self::Output { .. } | Self::Stdout(_) => Status::Output,
        }
    }

    /// Whether the reader of standard output has seen enough.
    fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Stdout(error) if error.kind() == ErrorKind::BrokenPipe)
    }
}

/// Writes `message` to standard error, on one line.
pub fn complain(message: impl std::fmt::Display) {
    // There is nowhere to tell that standard error cannot be written.
    let _ = writeln!(io::stderr(), "vmcoredd: {message}");
}
