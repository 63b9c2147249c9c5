// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `vmtest`: fetches what tests and builds need of Debian's archive, for the architecture that
//! `VMTEST_ARCH` names.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use vmtest::{Kernel, Series};

/// Fetches what tests and builds need of Debian's archive
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Download and unpack the newest kernel of a series; prints its release
    Fetch {
        /// 6.12, 6.1, 5.10, trixie, backports or sid; -full and -rt are flavours
        series: Series,
    },
    /// Download and unpack Rust's standard library for another architecture; prints its
    /// sysroot, for Debian's rustc, or nothing where the rustc that is there has it
    Sysroot,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().action {
        Action::Fetch { series } => Kernel::fetch_reporting(series, |step| eprintln!("{step}"))
            .map(|kernel| kernel.release().to_owned()),
        Action::Sysroot => vmtest::rust_sysroot()
            .map(|sysroot| sysroot.map_or_else(String::new, |path| path.display().to_string())),
    };
    match done {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("vmtest: {error}");
            ExitCode::FAILURE
        }
    }
}
