// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `make bench`: what vmcoredd does, beside its peers, in the same run.
//!
//! Everything is measured in turns, several times, and compared by medians. What is to
//! be reached is told beside it; the exit status is 1 where it was not.
#![forbid(unsafe_code)]

mod goal;
mod measure;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use goal::Goals;

/// Measures vmcoredd beside its peers
#[derive(Debug, Parser)]
#[command(about)]
pub struct Arguments {
    /// The command to measure
    #[arg(long, default_value = "target/release/vmcoredd")]
    command: PathBuf,
    /// How often each is run
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// Measure once, and little: shows that it works, and no time that means anything
    #[arg(long)]
    smoke: bool,
    /// Where the dumps are made, and removed again
    #[arg(long, default_value = "target/bench")]
    directory: PathBuf,
}

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
    /// A program that did not do what it was measured for.
    #[error("{program}: {message}")]
    Program {
        /// The program and its arguments.
        program: String,
        /// What was wrong.
        message: String,
    },
}

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if arguments.smoke {
        arguments.rounds = 1;
    }
    let mut goals = Goals::new(arguments.smoke);
    match tools::run(&arguments, &mut goals) {
        Ok(()) if goals.print() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
