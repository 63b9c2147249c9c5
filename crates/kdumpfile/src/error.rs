// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What can go wrong with a dump: one line that names the file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::escaped::{EscapedPath, Strerror};

/// Why a dump cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", EscapedPath(path))]
pub struct Error {
    /// The file, as it was asked for.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

impl Error {
    /// The file at `path` cannot be opened.
    pub(crate) fn open(path: &Path, error: io::Error) -> Self {
        Self { path: path.to_owned(), fault: Fault::Open(error.into()) }
    }

    /// Where in the file, in bytes; `None` when it could not be opened, or is another kind
    /// of file.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match &self.fault {
            Fault::Open(_)
            | Fault::Spool { .. }
            | Fault::NoMemory { .. }
            | Fault::NoMapping { .. }
            | Fault::NoLog { .. }
            | Fault::Foreign(_) => None,
            Fault::Read { offset, .. }
            | Fault::Page { offset, .. }
            | Fault::Compressed { offset, .. } => Some(*offset),
            Fault::Content(error) => Some(error.offset),
        }
    }
}

/// What is wrong with a file.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// It cannot be opened.
    #[error("cannot open: {}", Strerror(.0))]
    Open(Arc<io::Error>),
    /// It is no vmcore but something else that is known here.
    #[error("{0}")]
    Foreign(Foreign),
    /// It comes from a pipe or is compressed, and cannot be copied to a temporary file.
    #[error(
        "cannot copy it to a temporary file in {}: {}",
        EscapedPath(directory),
        Strerror(error)
    )]
    Spool {
        /// Where the temporary file is, or should be.
        directory: PathBuf,
        /// What the system says.
        error: Arc<io::Error>,
    },
    /// It cannot be read.
    #[error("offset {offset:#x}: cannot read: {}", Strerror(error))]
    Read {
        /// Where reading failed, in bytes.
        offset: u64,
        /// What the system says.
        error: Arc<io::Error>,
    },
    /// It is compressed, and does not decompress to its end.
    #[error(
        "offset {offset:#x}: {format}: expected {expected}, found {found}; \
         {given} bytes came out before"
    )]
    Compressed {
        /// How many bytes of the compressed file were used, in bytes.
        offset: u64,
        /// How it is compressed.
        format: &'static str,
        /// What must stand there, in words.
        expected: &'static str,
        /// What is wrong with it.
        found: String,
        /// How many bytes of the dump it gave.
        given: u64,
    },
    /// A compressed page does not decompress.
    #[error("offset {offset:#x}: page: expected {expected} of {codec} data, found {found}")]
    Page {
        /// Where the compressed data stand, in bytes.
        offset: u64,
        /// How they are compressed.
        codec: &'static str,
        /// How many bytes they must give, in words.
        expected: String,
        /// What is wrong with them.
        found: String,
    },
    /// There is no such memory in the dump.
    #[error("physical address {physical:#x}: not in the dump")]
    NoMemory {
        /// The physical address.
        physical: u64,
    },
    /// The dead kernel had no memory at this virtual address, or it is not known which.
    #[error("virtual address {address:#x}: {why}")]
    NoMapping {
        /// The virtual address.
        address: u64,
        /// Why it cannot be translated.
        why: &'static str,
    },
    /// The dead kernel's log cannot be found.
    #[error("the dead kernel's log: expected {expected}")]
    NoLog {
        /// What is needed to find it.
        expected: String,
    },
    /// Something in it is not as it must be, or not there.
    #[error("{0}")]
    Content(vmcore::Error),
}

/// A file that is no vmcore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// What it is, in words.
    pub what: &'static str,
    /// How to get a vmcore, or what to do with it as it is; empty where there is nothing
    /// to say.
    pub advice: &'static str,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a vmcore, found {}", self.what)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

/// Which side of a copy failed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The dump cannot be read.
    #[error(transparent)]
    Read(#[from] Error),
    /// What it is copied to cannot be written.
    #[error(transparent)]
    Write(io::Error),
}
