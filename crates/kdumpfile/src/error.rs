// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What can go wrong with a dump: one line that names the file.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{EscapedPath, Foreign, Strerror};

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
    /// Where in the file, in bytes; `None` when it could not be opened, or is another kind
    /// of file.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match &self.fault {
            Fault::Open(_) | Fault::Spool { .. } | Fault::NoMemory { .. } | Fault::Foreign(_) => {
                None
            }
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
    /// Something in it is not as it must be, or not there.
    #[error("{0}")]
    Content(vmcore::Error),
}
