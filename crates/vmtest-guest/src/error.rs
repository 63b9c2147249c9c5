// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Why a check failed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: cannot {action} at {offset:#x}: {source}", path.display())]
    File { action: &'static str, path: PathBuf, offset: u64, source: io::Error },
    #[error("{}: {expected} expected at {offset:#x}", path.display())]
    Malformed { path: PathBuf, offset: u64, expected: &'static str },
    #[error("{}: the file ends at {end:#x}, inside the {length:#x} bytes at {offset:#x}", path.display())]
    Short { path: PathBuf, offset: u64, length: u64, end: u64 },
    #[error("{}: {way} of {length} bytes at {offset:#x} {difference}", path.display())]
    Disagree { path: PathBuf, way: &'static str, offset: u64, length: usize, difference: String },
    #[error("{}: {fault}, at {offset:#x}", path.display())]
    Wrong { path: PathBuf, offset: u64, fault: String },
    #[error("{}: {status}", path.display())]
    Program { path: PathBuf, status: ExitStatus },
    #[error("{}: {}", path.display(), faults.join("; "))]
    NotRefused { path: PathBuf, faults: Vec<String> },
}

impl Error {
    /// Says what was attempted where; made for `map_err`.
    pub fn file<E: Into<io::Error>>(
        action: &'static str,
        path: &Path,
        offset: u64,
    ) -> impl FnOnce(E) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { action, path, offset, source: source.into() }
    }
}
