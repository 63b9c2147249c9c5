// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What can go wrong with a dump: one line that names the file.

use std::io;
use std::path::PathBuf;

use crate::{EscapedPath, Foreign};

/// Why a dump cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", EscapedPath(path))]
pub struct Error {
    /// The file, as it was asked for.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be opened.
    #[error("cannot open: {0}")]
    Open(io::Error),
    /// It cannot be read.
    #[error("offset {offset:#x}: cannot read: {error}")]
    Read {
        /// Where reading failed, in bytes.
        offset: u64,
        /// What the system says.
        error: io::Error,
    },
    /// It is a dump, but in a format that is not read.
    #[error("offset 0x0: file format: expected an ELF vmcore, found {0}")]
    Foreign(Foreign),
    /// Something in it is not as it must be, or not there.
    #[error("{0}")]
    Content(vmcore::Error),
}
