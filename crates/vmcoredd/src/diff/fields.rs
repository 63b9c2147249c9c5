// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Two device dumps, compared value by value.

use std::io::Write;

use decode::compare::{Difference, Side, differences};
use decode::model::{Behaviour, Value};
use kdumpfile::DeviceDump;
use profile::Library;

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
        payload::each_decoded(dump, library, |decoded| all.push(decoded)).map(|()| all)
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
        line(difference, to)?;
    }
    if !how.all && shown.len() > SHOWN {
        writeln!(to, "  {} more values; --all shows them", shown.len() - SHOWN)?;
    }
    Ok(Some(false))
}

fn line(difference: &Difference, to: &mut impl Write) -> Result<(), Failure> {
    let Difference { path, behaviour, a, b, .. } = difference;
    let more = match (behaviour, a, b) {
        (
            Behaviour::Counter,
            Some(Side { value: Value::Unsigned(a), .. }),
            Some(Side { value: Value::Unsigned(b), .. }),
        ) if b > a => format!("  (+{})", b - a),
        _ => String::new(),
    };
    writeln!(to, "    {path}: {} -> {}{more}", side(a.as_ref()), side(b.as_ref()))?;
    Ok(())
}

fn side(side: Option<&Side>) -> String {
    let Some(Side { value, meaning }) = side else {
        return "not there".to_owned();
    };
    let value = match value {
        Value::Unsigned(value) if *value < 10 => value.to_string(),
        Value::Unsigned(value) => format!("{value:#x}"),
        Value::Signed(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::Bytes => "bytes".to_owned(),
        Value::Unknown(why) => format!("unknown ({why})"),
    };
    meaning.as_ref().map_or(value.clone(), |meaning| format!("{value} ({meaning})"))
}
