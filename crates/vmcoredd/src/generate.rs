// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd generate`: what a package of the command has besides it.

use std::fs;
use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::failure::{Failure, Status};

/// Write man pages and shell completions into a directory
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The directory, which is made if it is not there
    directory: PathBuf,
}

/// The shells that there are completions for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Writes all of them.
pub fn run(arguments: &Arguments) -> Result<Status, Failure> {
    let directory = &arguments.directory;
    let failed = |error| Failure::output(directory, error);
    fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(crate::Arguments::command(), directory).map_err(failed)?;
    for shell in SHELLS {
        let mut command = crate::Arguments::command();
        clap_complete::generate_to(shell, &mut command, "vmcoredd", directory).map_err(failed)?;
    }
    Ok(Status::Done)
}
