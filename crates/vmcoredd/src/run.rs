// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd run`.

use std::ffi::OsString;
use std::time::Duration;

use crate::capture::add_output;
use crate::failure::{Exit, Failure};
use crate::names::seconds;

/// Add the output of a command to the vmcore as a device dump
///
/// The command has no standard input. When it does not end in time, it is killed with
/// all processes that it started, and what it had printed is added as a partial dump;
/// so it is when it ends with another exit status than 0.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Name of the dump, at most 43 bytes; one that is taken gets a number.
    name: OsString,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// How long the command may take, in seconds.
    #[arg(short, long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    deadline: Duration,
    /// Add what it writes to standard error, too, as it comes.
    #[arg(short = 'e', long)]
    stderr: bool,
}

/// Runs the command, and adds its output.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { name, command, deadline, stderr } = arguments;
    add_output(name, command, *deadline, *stderr).map(|_| Exit::Done)
}
