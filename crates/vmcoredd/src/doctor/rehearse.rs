// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The collectors, run in the running system.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use kdumpfile::Escaped;
use serde::Serialize;

use super::check::Check;
use super::machine::Machine;
use crate::collectors;
use crate::failure::Failure;

/// What a collector did in a rehearsal.
#[derive(Debug, Serialize)]
pub struct Rehearsed {
    pub name: String,
    pub bytes: u64,
    pub milliseconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Runs the collectors now; what fails is added to `checks`.
pub fn run(
    machine: &Machine,
    deadline: Duration,
    checks: &mut Vec<Check>,
) -> Result<Vec<Rehearsed>, Failure> {
    let name = "rehearsal";
    let mut rehearsed = Vec::new();
    let loaded = !Path::new(vmcoredd_producer::DEVICE).exists();
    if loaded {
        let output = Command::new("modprobe").arg("vmcoredd").output();
        let said = match output {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Some(format!("modprobe: {error}")),
        };
        if let Some(said) = said {
            let said = format!("vmcoredd.ko cannot be loaded: {}", Escaped(said.as_bytes()));
            checks.push(Check::failure(name, said).fix("dmesg says why"));
            return Ok(rehearsed);
        }
    }
    for collector in collectors::find(&machine.path(collectors::DIRECTORY))? {
        if collector.problem.is_some() {
            continue;
        }
        let shown = Escaped(collector.name()).to_string();
        let start = Instant::now();
        let (bytes, problem) = match collector.run(deadline) {
            Ok(length) => (length, None),
            Err(Failure::Partial { reason, length, .. }) => (length, Some(reason)),
            Err(failure) => (0, Some(failure.to_string())),
        };
        let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(problem) = &problem {
            let said = format!("{shown}: {problem}");
            let fix = format!("see what {}/{shown} does", collectors::DIRECTORY);
            checks.push(Check::failure(name, said).fix(fix));
        }
        rehearsed.push(Rehearsed { name: shown, bytes, milliseconds, problem });
    }
    if loaded {
        // What it was loaded for is done; if it stays, it does no harm.
        let _ = Command::new("rmmod").arg("vmcoredd").output();
    }
    Ok(rehearsed)
}
