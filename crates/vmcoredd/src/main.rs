// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd`: lists and extracts the device dumps of a vmcore, and adds some.
#![forbid(unsafe_code)]

mod account;
mod add;
mod extract;
mod failure;
mod list;
mod read;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Lists and extracts the device dumps of a vmcore, and adds some
///
/// A device dump is what a driver saved of its device after the kernel had
/// crashed. ELF vmcores are read, saved ones as well as /proc/vmcore of the
/// crash kernel; the memory in them is not read. Where vmcoredd.ko is loaded, `add`
/// and `run` add what a process knows.
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Extract(extract::Arguments),
    Add(add::Arguments),
    Run(run::Arguments),
}

const AFTER_HELP: &str = "\
Examples:
  vmcoredd list /var/crash/vmcore
  vmcoredd list /var/crash/*/vmcore
  vmcoredd extract /var/crash/vmcore cxgb4_0000:02:00.4 -o cxgb4.bin
  vmcoredd extract /proc/vmcore cxgb4_0000:02:00.4 -o - | xz >cxgb4.xz
  vmcoredd add bmc-log </tmp/bmc-log
  vmcoredd run lspci -- lspci -xxxx -vvv

Exit status:
  0  done
  1  there is no such device dump, or it is not complete
  2  wrong usage
  3  a file cannot be read, is cut off, or is no ELF vmcore
  4  the output, or /dev/vmcoredd, cannot be written";

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::List(arguments) => list::run(&arguments),
        Command::Extract(arguments) => extract::run(&arguments),
        Command::Add(arguments) => add::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
    };
    outcome.unwrap_or_else(|failure| failure.report()).into()
}
