// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What became of device dumps and of collections, in words.

use std::fmt;

use kdumpfile::{DeviceDump, Escaped, Manifest, Matched, Record, Whereabouts, status_word};

/// How much of a value of the manifest is shown, in bytes. Those in use are
/// shorter than 50.
const VALUE_SHOWN: usize = 128;
/// How many collections without a dump in the file are shown: many times what a kernel
/// has, and not the millions that a file can name.
pub const OTHERS_SHOWN: usize = 10_000;

/// What became of a device dump, in a word.
pub fn status(device_dump: &DeviceDump<'_>, record: Option<&Record<'_>>) -> &'static str {
    if device_dump.is_whole() { status_word(record.and_then(Record::status)) } else { "damaged" }
}

/// Why a device dump is not complete, or not what was declared.
pub fn reason(device_dump: &DeviceDump<'_>, record: Option<&Record<'_>>) -> Option<String> {
    let recorded = record.and_then(recorded_reason);
    if device_dump.is_whole() {
        return recorded;
    }
    let available = format!("{} bytes are in the file", device_dump.available());
    Some(match recorded {
        Some(recorded) => format!("{available}; {recorded}"),
        None => available,
    })
}

/// Makes a line for each record that `matched` found no dump for in this file, up to
/// [`OTHERS_SHOWN`], and one where `manifest` does not have all collections. No line is kept.
pub fn lines(manifest: &Manifest, matched: &Matched<'_>) -> impl Iterator<Item = String> {
    let unrecorded = manifest.unrecorded().filter(|unrecorded| *unrecorded > 0);
    let unrecorded = unrecorded.map(|unrecorded| {
        format!("collections without a record, for want of memory: {unrecorded}")
    });
    let more = Some(not_shown(matched)).filter(|more| *more > 0);
    let more = more.map(|more| format!("{more} more collections without a device dump"));
    let shown = matched.others().take(OTHERS_SHOWN);
    shown.map(|record| without_dump(&record)).chain(more).chain(unrecorded)
}

/// How many of the records that `matched` found no dump for are not shown.
pub fn not_shown(matched: &Matched<'_>) -> usize {
    matched.others().skip(OTHERS_SHOWN).count()
}

/// Why a collection ended as it did, or why its dump is not what was declared; `None`
/// where the record does not say.
pub fn recorded_reason(record: &Record<'_>) -> Option<String> {
    let reason = Value(record.reason()?);
    Some(match (record.errno(), record.exit()) {
        (Some(errno), _) => format!("{reason} ({errno})"),
        (None, Some(exit)) => format!("{reason} ({exit})"),
        (None, None) => reason.to_string(),
    })
}

/// Describes a collection that has no dump in this file, as the module's log does.
fn without_dump(record: &Record<'_>) -> String {
    let name = match record.name() {
        b"" => "a device dump".to_owned(),
        name => Value(name).to_string(),
    };
    let mut parts = vec![format!("{name}: {}", status_word(record.status()))];
    parts.extend(recorded_reason(record));
    if record.may_leave_dump() {
        parts.extend(record.length().map(|length| format!("{length} bytes")));
        let elsewhere = match record.whereabouts() {
            Some(Whereabouts::Vmcoredd) => "in /proc/vmcoredd alone",
            Some(Whereabouts::Inline | Whereabouts::Nowhere) | None => "not in this file",
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
