// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `vmtest-guest`: measures and checks a vmcore from inside a virtual machine.
//!
//! It shares no code with the readers of this project, because it checks what
//! they and the kernel serve.

mod agree;
mod content;
mod contents;
mod digest;
mod elf;
mod error;
mod kept;
mod load;
mod manifest;
mod mapping;
mod plans;
#[cfg(target_arch = "x86_64")]
mod port;
mod pread;
mod produce;
mod race;
mod random;
mod refuse;
#[cfg(test)]
mod sample;
mod speed;
mod ways;

use std::num::ParseIntError;
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
    /// Print address, length and hash of the memory of each PT_LOAD
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
    /// Have the module read devices by the plans in a file, and print what it said
    Plans {
        /// The device
        device: PathBuf,
        /// The plans, one after the other
        file: PathBuf,
    },
    /// Read 16 bits from an I/O port, or write them
    #[cfg(target_arch = "x86_64")]
    Port {
        /// The port
        #[arg(value_parser = number)]
        port: u64,
        /// What is written
        #[arg(value_parser = number)]
        value: Option<u64>,
    },
    /// Measure a pread among the first dumps and one among the last
    Pread {
        /// The vmcore
        file: PathBuf,
        /// How many bytes to read
        #[arg(long, default_value_t = 4096)]
        size: usize,
        /// How often; the shortest time counts
        #[arg(long, default_value_t = 1000)]
        rounds: u64,
    },
    /// Load a kernel module and print how long that took
    Load {
        /// The module
        module: PathBuf,
        /// What the figure is called
        #[arg(long)]
        label: String,
        /// Its parameters
        parameters: Vec<String>,
    },
    /// Do with /dev/vmcoredd what may be done, and what may not
    Produce {
        /// The device
        device: PathBuf,
    },
    /// Check the file over and over while the test module racer adds dumps
    Race {
        /// The vmcore
        file: PathBuf,
        /// How long
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// End as soon as this file exists
        #[arg(long)]
        stop: Option<PathBuf>,
        /// Where what is random starts from
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Check that what must not be done to a vmcore is refused
    Refuse {
        /// The vmcore
        file: PathBuf,
    },
    /// Run a program and print how long that took
    Run {
        /// What the figure is called
        #[arg(long)]
        label: String,
        /// The program and its arguments
        #[arg(trailing_var_arg = true, required = true)]
        line: Vec<String>,
    },
    /// Measure how fast the file can be read
    Speed {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        options: speed::Options,
    },
}

/// A number, also one of hexadecimal digits after 0x.
fn number(text: &str) -> Result<u64, ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

fn main() -> ExitCode {
    let result = match Arguments::parse().action {
        Action::Digest { file } => digest::digest(&file),
        Action::Agree { file, random, seed } => agree::agree(&file, random, seed),
        Action::Plans { device, file } => plans::plans(&device, &file),
        #[cfg(target_arch = "x86_64")]
        Action::Port { port, value } => port::port(port as u16, value.map(|value| value as u16)),
        Action::Pread { file, size, rounds } => pread::pread(&file, size, rounds),
        Action::Load { module, label, parameters } => load::load(&module, &label, &parameters),
        Action::Produce { device } => produce::produce(&device),
        Action::Race { file, seconds, stop, seed } => {
            race::race(&file, seconds, stop.as_deref(), seed)
        }
        Action::Refuse { file } => refuse::refuse(&file),
        Action::Run { label, line } => load::run(&label, &line),
        Action::Speed { file, options } => speed::speed(&file, &options),
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
