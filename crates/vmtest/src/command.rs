// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Host programs, with errors that carry what the program said.

use std::process::{Command, Output, Stdio};

use crate::{Error, Result};

/// Runs a command to its end and returns its standard output.
pub(crate) fn stdout(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::Program {
        program: describe(command),
        problem: format!("{}: {}", output.status, one_line(&said)),
    })
}

/// Runs a command to its end, whatever its status.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().map_err(|error| cannot_start(command, &error))
}

/// The error for a program that is not there.
pub(crate) fn cannot_start(command: &Command, error: &std::io::Error) -> Error {
    Error::Program { program: describe(command), problem: format!("cannot be started: {error}") }
}

/// The end of a program's message, which has the reason.
pub(crate) fn one_line(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    lines[lines.len().saturating_sub(3)..].join(" | ")
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args().take(3));
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}
