// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `make bench`: compares vmcoredd with its peers, in one run.
//!
//! Everything is measured in turns, several times, and compared by medians. The report
//! says what is to be reached; the exit status is 1 where it was not.
#![forbid(unsafe_code)]

mod arguments;
mod compare;
mod error;
mod goal;
mod kernel;
mod measure;
mod plot;
mod report;
mod tools;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Only};
use error::Error;
use goal::Goals;
use report::Report;

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if arguments.smoke {
        arguments.rounds = 1;
    }
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all goals were reached.
fn run(arguments: &Arguments) -> Result<bool, Error> {
    let mut goals = Goals::new(arguments.smoke);
    let mut report = Report::default();
    report.text("# Performance");
    report.text(
        "Written by `make bench`. Only ratios of what was measured in one run mean anything: \
         the virtual machines are emulated, and the times are those of the machine below.",
    );
    report.table(&["", ""], &report::machine());
    let only = arguments.only;
    if only == Some(Only::Instructions) {
        let [c, rust] = kernel::instructions()?;
        report.table(&["nanoseconds, or bytes", "C", "vmcoredd"], &rows_of(&c, &rust));
    } else if arguments.smoke && only != Some(Only::Tools) {
        let figures = kernel::smoke()?;
        let row = |name: &str| vec![name.to_owned(), format!("{:.0}", figures.median(name))];
        report.table(&["figure", ""], &figures.names().map(row).collect::<Vec<_>>());
    } else if only != Some(Only::Tools) {
        let measured = kernel::run(arguments)?;
        let directory = arguments.report.as_deref().and_then(Path::parent);
        let directory = directory.unwrap_or(&arguments.directory);
        let wrong = |error| Error::File { path: directory.to_owned(), error };
        fs::create_dir_all(directory).map_err(wrong)?;
        compare::report(&measured, arguments.pairs, directory, &mut report, &mut goals)?;
    }
    if only.is_none() || only == Some(Only::Tools) {
        tools::run(arguments, &mut report, &mut goals)?;
    }
    report.text("## What was to be reached");
    report.table(&["", "goal", "found", ""], &goals.rows());
    for reason in goals.reasons() {
        report.text(&reason);
    }
    if let Some(path) = &arguments.report {
        report.write(path)?;
    }
    Ok(goals.all_reached())
}

/// The figures of both, as they are.
fn rows_of(c: &kernel::Figures, rust: &kernel::Figures) -> Vec<Vec<String>> {
    let number = |number: f64| format!("{number:.0}");
    let row = |name: &str| vec![name.to_owned(), number(c.median(name)), number(rust.median(name))];
    rust.names().map(row).collect()
}
