// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Why something could not be measured.

use std::path::PathBuf;

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file.
    #[error("{}: {error}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        error: std::io::Error,
    },
    /// A virtual machine.
    #[error(transparent)]
    Machine(#[from] vmtest::Error),
    /// What is measured in one could not be built.
    #[error(transparent)]
    Build(#[from] system_tests::Error),
    /// A program that did not do what it was measured for.
    #[error("{program}: {message}")]
    Program {
        /// The program and its arguments.
        program: String,
        /// What was wrong.
        message: String,
    },
}
