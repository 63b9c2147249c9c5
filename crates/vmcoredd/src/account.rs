// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the manifest tells of collections, in words.

use std::fmt;

use kdump::{Escaped, Manifest, Record, Whereabouts};

/// How much of a value of the manifest is shown, in bytes. Those in use are
/// shorter than 50.
const VALUE_SHOWN: usize = 128;

/// A line for each of `others`, the records without a dump in this file, and one
/// if `manifest` does not have them all.
pub fn lines(manifest: &Manifest, others: &[Record<'_>]) -> Vec<String> {
    let unrecorded = manifest.unrecorded().filter(|unrecorded| *unrecorded > 0);
    let unrecorded = unrecorded.map(|unrecorded| {
        format!("collections without a record, for want of memory: {unrecorded}")
    });
    others.iter().map(without_dump).chain(unrecorded).collect()
}

/// Why a collection ended as it did, or its dump is not what was declared; `None`
/// where there is nothing to tell.
pub fn reason(record: &Record<'_>) -> Option<String> {
    let reason = Value(record.reason()?);
    Some(match (record.errno(), record.exit()) {
        (Some(errno), _) => format!("{reason} ({errno})"),
        (None, Some(exit)) => format!("{reason} ({exit})"),
        (None, None) => reason.to_string(),
    })
}

/// A collection that has no dump in this file, as the module's log has it.
fn without_dump(record: &Record<'_>) -> String {
    let name = match record.name() {
        b"" => "a device dump".to_owned(),
        name => Value(name).to_string(),
    };
    let mut parts = vec![format!("{name}: {}", record.status())];
    parts.extend(reason(record));
    if record.status().may_leave_dump() {
        parts.extend(record.length().map(|length| format!("{length} bytes")));
        let elsewhere = match record.whereabouts() {
            Some(Whereabouts::Vmcoredd) => "in /proc/vmcoredd alone",
            Some(Whereabouts::Vmcore) | None => "not in this file",
        };
        parts.push(elsewhere.to_owned());
    }
    parts.join(", ")
}

/// A value of the manifest as text, fit for a terminal; what is too long is cut.
pub fn cut(value: &[u8]) -> String {
    Value(value).to_string()
}

/// A value of the manifest, fit for a terminal; what is too long is cut.
struct Value<'a>(&'a [u8]);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_at_checked(VALUE_SHOWN) {
            Some((start, rest)) if !rest.is_empty() => write!(f, "{}...", Escaped(start)),
            _ => Escaped(self.0).fmt(f),
        }
    }
}
