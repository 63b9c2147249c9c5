// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd doctor`.

mod budget;
mod change;
mod check;
mod command_line;
mod configuration;
mod fits;
mod fixes;
mod grub;
mod kdump;
mod lines;
mod machine;
mod parameters;
mod plan;
mod ready;
mod rehearse;
mod report;
mod saving;
mod shell;

use std::path::PathBuf;
use std::time::Duration;

use crate::collectors;
use crate::failure::{Exit, Failure, complain};
use crate::names::seconds;
use check::{Check, Health};
use machine::Machine;
use plan::Plan;
use report::Report;

/// Report whether the next panic will be captured with its device dumps
///
/// Looks at what this machine has ready for its crash kernel, by kdump-tools, or as far as
/// it can by kdump of RHEL, Fedora and SUSE, and says of each thing whether it is right,
/// and else what corrects it. The exit status is 1 when a dump would be lost.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Print JSON, as docs/json.md has it
    #[arg(long)]
    json: bool,
    /// Correct what can be corrected
    ///
    /// Shows what would change as a diff, and asks. Each file that is changed is kept beside
    /// the new one. What cannot be corrected is listed. Without a terminal nothing is
    /// changed, and the exit status is 1 when something would be.
    #[arg(long, conflicts_with_all = ["json", "rehearse"])]
    fix: bool,
    /// Do not ask
    #[arg(long, requires = "fix")]
    yes: bool,
    /// Run the collectors now as well, in this running system
    ///
    /// vmcoredd.ko is loaded for that if it is not there, and unloaded afterwards.
    #[arg(long)]
    rehearse: bool,
    /// How long one collector may run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = collectors::DEADLINE, requires = "rehearse",
          value_parser = seconds)]
    deadline: Duration,
    /// The directory where this machine's files are
    #[arg(long, hide = true, default_value = "/")]
    root: PathBuf,
}

/// Looks at everything.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let machine = Machine::new(&arguments.root);
    let mut checks = checks(&machine)?;
    let rehearsal = arguments
        .rehearse
        .then(|| rehearse::run(&machine, arguments.deadline, &mut checks))
        .transpose()?;
    let report = Report::new(checks, rehearsal);
    if arguments.json {
        report.print_json()?;
    } else {
        report.print()?;
    }
    if arguments.fix {
        return fix(arguments, &machine, &report);
    }
    Ok(status(&report))
}

fn status(report: &Report) -> Exit {
    if report.verdict == Health::Failure { Exit::Negative } else { Exit::Done }
}

/// Corrects what was found.
fn fix(arguments: &Arguments, machine: &Machine, report: &Report) -> Result<Exit, Failure> {
    let plan = Plan::new(machine, &report.checks);
    plan.print()?;
    if plan.is_empty() {
        println!("there is nothing that --fix would change");
        return Ok(status(report));
    }
    let confirmed = if arguments.yes { Some(true) } else { Plan::confirmed()? };
    if confirmed != Some(true) {
        if confirmed.is_none() {
            complain("nothing is changed without a terminal or --yes");
        }
        return Ok(Exit::Negative);
    }
    let is_well = plan.apply(machine)?;
    let machine = Machine::new(&arguments.root);
    let report = Report::new(checks(&machine)?, None);
    report.print()?;
    Ok(if is_well { status(&report) } else { Exit::Negative })
}

fn checks(machine: &Machine) -> Result<Vec<Check>, Failure> {
    let mut checks: Vec<_> = machine
        .container()
        .map(|name| {
            let said = format!("this is a container ({name}), and a panic is its host's");
            Check::warning("container", said).fix("run it on the host")
        })
        .into_iter()
        .collect();
    checks.extend(configuration::check(machine));
    checks.push(budget::reserved(machine));
    checks.push(budget::budget(machine));
    checks.push(ready::loaded(machine));
    checks.extend(command_line::check(machine));
    checks.push(ready::module(machine));
    checks.extend(ready::own_device_dumps(machine));
    checks.push(ready::signature(machine));
    checks.push(ready::initramfs(machine));
    checks.extend(ready::kernels(machine));
    checks.extend(ready::collectors(machine)?);
    checks.extend(ready::drivers(machine));
    checks.extend(saving::checks(machine));
    Ok(checks)
}
