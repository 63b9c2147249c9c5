// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A finding for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use decode::model::{Finding, Severity};

/// How the word for a severity is shown.
fn style(severity: Severity) -> Style {
    match severity {
        Severity::Fatal => AnsiColor::Red.on_default().bold(),
        Severity::Error => AnsiColor::Red.on_default(),
        Severity::Warning => AnsiColor::Yellow.on_default(),
        Severity::Info => AnsiColor::Cyan.on_default(),
    }
}

/// Text of a dump or a profile, fit for a terminal.
pub fn safe(text: &str) -> String {
    text.chars().map(|each| if each.is_control() { '\u{fffd}' } else { each }).collect()
}

/// Prints the line that says what is wrong, after `indent` spaces; `of` is what has it, where
/// that is not clear from what stands above.
pub fn print_head(
    to: &mut impl Write,
    finding: &Finding,
    of: Option<&str>,
    indent: usize,
) -> io::Result<()> {
    let style = style(finding.severity);
    let word = finding.severity.word();
    let of = of.map(|of| format!("{}: ", safe(of))).unwrap_or_default();
    writeln!(to, "{:indent$}{style}{word:<5}{style:#} {of}{}", "", safe(&finding.text))
}

/// Prints what it follows from, what else `support`s it, what to do, and where the rule is
/// from.
pub fn print_details(
    to: &mut impl Write,
    finding: &Finding,
    support: &[String],
    indent: usize,
) -> io::Result<()> {
    let mut line = |line: String| writeln!(to, "{:indent$}{}", "", safe(&line));
    if !finding.values.is_empty() {
        let values = finding.values.iter().map(|(path, value)| format!("{path} = {value:#x}"));
        line(values.collect::<Vec<_>>().join(", "))?;
    }
    if let Some(other) = &finding.points_to {
        line(format!("points to {other}"))?;
    }
    for words in support {
        line(format!("also: {words}"))?;
    }
    if let Some(advice) = &finding.advice {
        line(advice.clone())?;
    }
    line(format!("({})", finding.source))
}
