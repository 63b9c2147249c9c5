// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What `vmcoredd explain --json` prints: see docs/json.md.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use decode::compare::How;
use decode::syndrome::{SYNDROME_VERSION, Syndrome};
use decode::verdict::Verdict;
use serde::Serialize;

use super::since::Since;
use crate::dead_kernel::{Identity, Likeness};
use crate::difference::side;
use crate::failure::Failure;
use crate::json;

#[derive(Serialize)]
struct Object<'a> {
    version: u32,
    file: String,
    crash_id: Option<String>,
    signature: Option<Likeness>,
    syndrome: Likeness,
    worst: Option<&'static str>,
    findings: Vec<Finding<'a>>,
    unread: Vec<Unread<'a>>,
    unknown: &'a [String],
    baseline: Option<Baseline<'a>>,
}

#[derive(Serialize)]
struct Baseline<'a> {
    file: String,
    taken: i64,
    changes: Vec<Change<'a>>,
    more: usize,
}

#[derive(Serialize)]
struct Change<'a> {
    dump: &'a str,
    of: &'a str,
    how: &'static str,
    values: Vec<Changed<'a>>,
    more: usize,
}

#[derive(Serialize)]
struct Changed<'a> {
    path: &'a str,
    before: String,
    now: String,
}

#[derive(Serialize)]
struct Finding<'a> {
    severity: &'static str,
    dump: &'a str,
    title: &'a str,
    slot: Option<&'a str>,
    text: &'a str,
    advice: Option<&'a str>,
    source: &'a str,
    values: BTreeMap<&'a str, u64>,
    points_to: Option<&'a str>,
    support: &'a [String],
}

#[derive(Serialize)]
struct Unread<'a> {
    dump: &'a str,
    slot: Option<&'a str>,
    what: &'a str,
    why: &'a str,
}

/// Prints the object of one file.
pub fn print(
    to: &mut impl Write,
    path: &Path,
    (identity, syndrome): (&Identity, &Syndrome),
    verdict: &Verdict,
    unknown: &[String],
    since: Option<&Since<'_>>,
) -> Result<(), Failure> {
    let findings = verdict.entries.iter().map(|entry| Finding {
        severity: entry.finding.severity.word(),
        dump: &entry.dump,
        title: &entry.title,
        slot: entry.slot.as_deref(),
        text: &entry.finding.text,
        advice: entry.finding.advice.as_deref(),
        source: &entry.finding.source,
        values: entry.finding.values.iter().map(|(path, value)| (path.as_str(), *value)).collect(),
        points_to: entry.finding.points_to.as_deref(),
        support: &entry.support,
    });
    let unread = verdict.unread.iter().map(|unread| Unread {
        dump: &unread.dump,
        slot: unread.slot.as_deref(),
        what: &unread.missing.what,
        why: &unread.missing.why,
    });
    let object = Object {
        version: json::VERSION,
        file: path.to_string_lossy().into_owned(),
        crash_id: identity.crash.map(|id| id.to_string()),
        signature: identity.signature.as_ref().map(Likeness::of),
        syndrome: Likeness {
            version: SYNDROME_VERSION,
            coarse: syndrome.coarse(),
            fine: syndrome.fine(),
        },
        worst: verdict.worst().map(|severity| severity.word()),
        findings: findings.collect(),
        unread: unread.collect(),
        unknown,
        baseline: since.map(baseline),
    };
    json::line(to, &object)
}

fn baseline<'a>(since: &'a Since<'_>) -> Baseline<'a> {
    let changes = since.changed.iter().map(|changed| {
        let (how, values) = match &changed.change.how {
            How::Gone => ("gone", [].as_slice()),
            How::New => ("new", [].as_slice()),
            How::Values(values) => ("values", values.as_slice()),
        };
        let values = values.iter().map(|difference| Changed {
            path: &difference.path,
            before: side(difference.a.as_ref()),
            now: side(difference.b.as_ref()),
        });
        let values = values.collect();
        Change { dump: &changed.dump, of: &changed.change.of, how, values, more: changed.more }
    });
    Baseline {
        file: since.baseline.path.to_string_lossy().into_owned(),
        taken: since.baseline.taken.as_second(),
        changes: changes.collect(),
        more: since.more,
    }
}
