// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What can go wrong, each as one line.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The result of everything fallible here.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be done.
///
/// `Debug` prints the same line as `Display`, because that is what a test shows
/// when it unwraps or returns the error.
#[derive(thiserror::Error)]
pub enum Error {
    /// A file on the host could not be used.
    #[error("{}: cannot {action}: {source}", path.display())]
    File {
        /// What was attempted, in the words of the sentence "cannot …".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A host program could not be started or failed.
    #[error("{program}: {problem}")]
    Program {
        /// The program with its first arguments.
        program: String,
        /// How it failed, with what it said.
        problem: String,
    },
    /// apt does not know a package or what it depends on.
    #[error("apt knows no {what} for {package}; does `apt-get update` help?")]
    Package {
        /// The package that was asked about.
        package: String,
        /// What was looked for.
        what: &'static str,
    },
    /// The archive lists packages that it does not have.
    #[error("Debian's archive lists, but does not have, one of {0}")]
    Missing(String),
    /// The archive has a suite no more, or not yet.
    #[error("Debian's archive has no suite {0}")]
    Suite(String),
    /// The unpacked kernel has no such module.
    #[error("kernel {release} has no module {module}")]
    Module {
        /// The kernel release.
        release: String,
        /// The module's name.
        module: String,
    },
    /// A string is no architecture.
    #[error("{0:?} is no architecture; x86_64, arm64 and arm64-16k are")]
    Architecture(String),
    /// A string is no kernel series.
    #[error(
        "{0:?} is no kernel series; 6.12, 6.1, 5.10, trixie, backports and sid are, and each of them with -full or -rt"
    )]
    Series(String),
    /// A run or port name that cannot be a file name, is taken or is reserved.
    #[error(
        "{0:?} cannot be used as a name: letters, digits, `-`, `_` and `.`, once, not `status`, `dmesg` or `pause`"
    )]
    Name(String),
    /// A script waits for the host, which has nothing to do.
    #[error("nothing is to be done at the pause {0:?}")]
    Pause(String),
    /// ivshmem needs a backing file whose size is a power of two.
    #[error("{}: an ivshmem backing file must have a power of two as its size, not {size}", path.display())]
    IvshmemSize {
        /// The backing file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// A virtual machine did not do what it was booted for.
    #[error("{name}: {failure}; console {}; it ends with: {}", console.display(), last_lines.join(" | "))]
    Run {
        /// The name of the run.
        name: String,
        /// What happened.
        failure: Failure,
        /// The console log.
        console: PathBuf,
        /// The last lines of the console.
        last_lines: Vec<String>,
    },
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Error {
    /// Whether Debian's archive has not what was asked for, which is no fault of ours.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Package { .. } | Self::Missing(_) | Self::Suite(_))
    }

    /// Says what was attempted with which file; made for `map_err`.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { action, path, source }
    }
}

/// How a run in a virtual machine failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It did not end within its time limit and was killed.
    TimeLimit {
        /// The limit.
        limit: Duration,
        /// The last stage that was reached.
        stage: String,
    },
    /// `kexec -p` in the first kernel failed with this status.
    KexecLoad(i32),
    /// The `before_panic` lines failed with this status.
    BeforePanic(i32),
    /// The first kernel ended without a panic.
    NoPanic,
    /// The kernel that was to run the script ended without reporting a status.
    NoStatus,
    /// The script ended with this status.
    Script(i32),
    /// QEMU itself failed and said this.
    Qemu(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeLimit { limit, stage } => {
                write!(formatter, "killed after {limit:?}, last stage: {stage}")
            }
            Self::KexecLoad(status) => {
                write!(formatter, "loading the crash kernel failed with status {status}")
            }
            Self::BeforePanic(status) => {
                write!(formatter, "the lines before the panic failed with status {status}")
            }
            Self::NoPanic => write!(formatter, "the first kernel ended without a panic"),
            Self::NoStatus => write!(formatter, "the kernel died before the script had ended"),
            Self::Script(status) => write!(formatter, "the script ended with status {status}"),
            Self::Qemu(message) => write!(formatter, "QEMU failed: {message}"),
        }
    }
}
