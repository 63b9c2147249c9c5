// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! How long it takes to load a kernel module, or to run a program.

use std::ffi::CString;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::system::finit_module;

use crate::error::{Error, Result};

/// Loads it; the line says how long that took, in nanoseconds.
pub fn load(path: &Path, label: &str, parameters: &[String]) -> Result<String> {
    let file = File::open(path).map_err(Error::file("open", path, 0))?;
    let parameters = CString::new(parameters.join(" ")).unwrap_or_default();
    let start = Instant::now();
    finit_module(&file, &parameters, 0).map_err(Error::file("load", path, 0))?;
    Ok(format!("{label} {}\n", start.elapsed().as_nanos()))
}

/// Runs a program, whose output goes nowhere; the line says how long that took, in
/// nanoseconds.
pub fn run(label: &str, line: &[String]) -> Result<String> {
    let (program, arguments) = line.split_first().map_or(("", line), |(first, rest)| (first, rest));
    let path = Path::new(program);
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().map_err(Error::file("run", path, 0))?;
    let elapsed = start.elapsed();
    if !status.success() {
        return Err(Error::Program { path: path.to_path_buf(), status });
    }
    Ok(format!("{label} {}\n", elapsed.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_has_no_figure() {
        let line = |program: &str| run("label", &[program.to_owned()]);
        assert!(line("true").unwrap().starts_with("label "));
        assert!(line("false").unwrap_err().to_string().contains("exit status: 1"));
        assert!(line("/nowhere").is_err());
    }
}
