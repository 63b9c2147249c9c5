// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `vmtest`: fetches the kernels that the tests boot.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use vmtest::{Kernel, Series};

/// Fetches the kernels that the tests boot
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
}

fn main() -> ExitCode {
    let Action::Fetch { series } = Arguments::parse().action;
    match Kernel::fetch_reporting(series, |step| eprintln!("{step}")) {
        Ok(kernel) => {
            println!("{}", kernel.release());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("vmtest: {error}");
            ExitCode::FAILURE
        }
    }
}
