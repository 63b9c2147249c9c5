// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `vmtest-guest`: measures and checks a vmcore from inside a virtual machine.
//!
//! It shares no code with the readers of this project, because it checks what
//! they and the kernel serve.

mod agree;
mod digest;
mod elf;
mod error;
mod mapping;
mod random;
mod refuse;
#[cfg(test)]
mod sample;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures and checks a vmcore
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print address, length and hash of the memory behind each PT_LOAD
    Digest {
        /// The vmcore
        file: PathBuf,
    },
    /// Check that lseek+read, pread and mmap give the same bytes
    Agree {
        /// The vmcore
        file: PathBuf,
        /// How many random ranges to compare besides those around borders
        #[arg(long, default_value_t = 200)]
        random: u64,
        /// Where the random ranges start from
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Check that what must not be done to a vmcore is refused
    Refuse {
        /// The vmcore
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().action {
        Action::Digest { file } => digest::digest(&file),
        Action::Agree { file, random, seed } => agree::agree(&file, random, seed),
        Action::Refuse { file } => refuse::refuse(&file),
    };
    match result {
        Ok(lines) => {
            print!("{lines}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("vmtest-guest: {error}");
            ExitCode::FAILURE
        }
    }
}
