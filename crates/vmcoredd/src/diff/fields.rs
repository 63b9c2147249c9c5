// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Two device dumps, compared value by value.

use std::io::Write;

use decode::compare::{Difference, differences};
use decode::model::Behaviour;
use kdumpfile::DeviceDump;
use profile::Library;

use crate::difference::shown as line;
use crate::failure::Failure;
use crate::payload;

/// How many values are shown unless all are asked for.
const SHOWN: usize = 200;

/// How much is shown.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// All of it.
    pub all: bool,
    /// Only whether they differ.
    pub brief: bool,
}

/// Shows in which values a pair differs; returns whether it does not, or nothing where
/// they cannot be decoded.
pub fn compare(
    a: &DeviceDump<'_>,
    b: &DeviceDump<'_>,
    name: &str,
    how: How,
    library: &mut Library,
    to: &mut impl Write,
) -> Result<Option<bool>, Failure> {
    let mut decoded = |dump| {
        let mut all = Vec::new();
        payload::each_decoded(dump, library, None, |decoded| all.push(decoded)).map(|()| all)
    };
    let (a, b) = (decoded(a)?, decoded(b)?);
    if a.is_empty() || b.is_empty() {
        return Ok(None);
    }
    let all = differences(&a, &b);
    let is_shown =
        |difference: &&Difference| how.all || difference.behaviour != Behaviour::Volatile;
    let shown: Vec<_> = all.iter().filter(is_shown).collect();
    let hidden = all.len() - shown.len();
    let hidden = match hidden {
        0 => String::new(),
        hidden => format!(", and {hidden} that differ each time"),
    };
    if shown.is_empty() {
        writeln!(to, "{name}: no value differs{hidden}")?;
        return Ok(Some(true));
    }
    let values = if shown.len() == 1 { "value differs" } else { "values differ" };
    writeln!(to, "{name}: {} {values}{hidden}", shown.len())?;
    if how.brief {
        return Ok(Some(false));
    }
    let mut of = "";
    for difference in shown.iter().take(if how.all { usize::MAX } else { SHOWN }) {
        if difference.of != of {
            of = &difference.of;
            writeln!(to, "  {of}")?;
        }
        writeln!(to, "    {}", line(difference))?;
    }
    if !how.all && shown.len() > SHOWN {
        writeln!(to, "  {} more values; --all shows them", shown.len() - SHOWN)?;
    }
    Ok(Some(false))
}
