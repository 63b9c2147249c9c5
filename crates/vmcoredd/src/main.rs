// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd`: reads the device dumps of crashed kernels, and adds some.
#![forbid(unsafe_code)]

mod add;
mod after;
mod attach;
mod baseline;
mod capture;
mod collect;
mod collectors;
mod dead_kernel;
mod decode;
mod devices;
mod diff;
mod difference;
mod doctor;
mod explain;
mod extract;
mod failure;
mod finding;
mod generate;
mod help;
mod info;
mod json;
mod kernel_log;
mod list;
mod names;
mod outcome;
mod output;
mod own_profiles;
mod payload;
mod process;
mod profile;
mod progress;
mod read;
mod run;
mod show;
mod snapshot;
mod stdout;
mod table;
mod temporary;
mod verify;
mod writer;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// Reads the device dumps of crashed kernels, and adds some
///
/// A device dump is what a driver or a command saved of a device after the kernel had
/// crashed. Read are /proc/vmcore of the crash kernel and what was saved of it: ELF
/// vmcores and the kdump-compressed dumps of makedumpfile, flattened or not, as files and
/// from pipes, compressed by gzip, bzip2, xz, lz4 or zstd or not. The memory in them is
/// not read. Where vmcoredd.ko is loaded, `add`, `run` and `collect` add what devices
/// and processes know, and `snapshot` reads devices of a running system; `attach` adds to
/// a file. `doctor` reports whether this machine's next panic will
/// be captured.
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Info(info::Arguments),
    Verify(verify::Arguments),
    Extract(extract::Arguments),
    Show(show::Arguments),
    Decode(decode::Arguments),
    Explain(explain::Arguments),
    Diff(diff::Arguments),
    Attach(attach::Arguments),
    Add(add::Arguments),
    Run(run::Arguments),
    Collect(collect::Arguments),
    Snapshot(snapshot::Arguments),
    After(after::Arguments),
    Doctor(doctor::Arguments),
    Profile(profile::Arguments),
    #[command(hide = true)]
    Generate(generate::Arguments),
}

fn main() -> ExitCode {
    output::catch_limit();
    let command = help::with_sections(Arguments::command());
    let matches = command.clone().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let outcome = match arguments.command {
        Command::List(arguments) => list::run(&arguments),
        Command::Info(arguments) => info::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Extract(arguments) => extract::run(&arguments),
        Command::Show(arguments) => show::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Attach(arguments) => attach::run(&arguments),
        Command::Add(arguments) => add::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Collect(arguments) => collect::run(&arguments),
        Command::After(arguments) => after::run(&arguments),
        Command::Snapshot(arguments) => snapshot::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Profile(arguments) => profile::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments, &command),
    };
    outcome.unwrap_or_else(|failure| failure.report()).into()
}
