// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What `vmcoredd doctor` prints.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::check::{Check, Health};
use super::rehearse::Rehearsed;

/// Everything that is printed.
#[derive(Debug, Serialize)]
pub struct Report {
    version: u32,
    pub verdict: Health,
    pub checks: Vec<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rehearsal: Option<Vec<Rehearsed>>,
}

impl Report {
    pub fn new(checks: Vec<Check>, rehearsal: Option<Vec<Rehearsed>>) -> Self {
        let verdict = checks.iter().map(|check| check.status).max().unwrap_or(Health::Ok);
        Self { version: 1, verdict, checks, rehearsal }
    }

    pub fn print_json(&self) -> io::Result<()> {
        let text = serde_json::to_string(self)?;
        writeln!(crate::stdout::lock(), "{text}")
    }

    pub fn print(&self) -> io::Result<()> {
        let mut stdout = crate::stdout::UntilClosed::new(anstream::stdout().lock());
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
        for Check { name, status, message, fix } in &self.checks {
            let (word, style) = shown(*status);
            writeln!(stdout, "{style}{word:<7}{style:#}  {name:<width$}  {message}")?;
            if let Some(fix) = fix {
                writeln!(stdout, "{:9}{:width$}  -> {}", "", "", fix.words)?;
            }
        }
        if let Some(rehearsal) = &self.rehearsal {
            writeln!(stdout)?;
            for Rehearsed { name, bytes, milliseconds, problem } in rehearsal {
                let problem = problem.as_ref().map(|problem| format!(": {problem}"));
                let problem = problem.unwrap_or_default();
                writeln!(stdout, "{name}: {bytes} bytes, {milliseconds} ms{problem}")?;
            }
        }
        let verdict = match self.verdict {
            Health::Ok => "the next panic will be captured with its device dumps",
            Health::Unknown => "what is known here is right; not all of it is known",
            Health::Warning => "the next panic should be captured; see the warnings",
            Health::Failure => "a dump would be lost; see the failures",
        };
        writeln!(stdout, "\n{verdict}")?;
        stdout.flush()
    }
}

fn shown(health: Health) -> (&'static str, Style) {
    let (word, colour) = match health {
        Health::Ok => ("ok", AnsiColor::Green),
        Health::Unknown => ("unknown", AnsiColor::Cyan),
        Health::Warning => ("warning", AnsiColor::Yellow),
        Health::Failure => ("failure", AnsiColor::Red),
    };
    (word, Style::new().fg_color(Some(colour.into())))
}
