// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What all dumps of a file say together: what is abnormal, the worst first.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::dead_log::{self, DeadLog};
use crate::model::{Decoded, Finding, Missing, Severity};

/// One finding, of what, and what else supports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The dump that has it.
    pub dump: String,
    /// What it is of, in words.
    pub title: String,
    /// The slot of that, where it is a PCI function.
    pub slot: Option<String>,
    /// The finding.
    pub finding: Finding,
    /// What else in the file points to the same device, in words.
    pub support: Vec<String>,
}

impl Entry {
    /// What it is of, with its slot and the name of the dump.
    #[must_use]
    pub fn of(&self) -> String {
        let Self { dump, title, slot, .. } = self;
        match slot {
            Some(slot) => format!("{title} {slot} ({dump})"),
            // The title of a log is its name.
            None if title.contains(dump.as_str()) => title.clone(),
            None => format!("{title} ({dump})"),
        }
    }
}

/// What was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The dump.
    pub dump: String,
    /// The slot, where it is of a PCI function.
    pub slot: Option<String>,
    /// What, and why.
    pub missing: Missing,
}

/// What a file says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// What is abnormal, the worst first. Of one severity, a device that has a fault itself
    /// comes before one that reports that of another, and what more supports before what
    /// less does.
    pub entries: Vec<Entry>,
    /// What was not read.
    pub unread: Vec<Unread>,
}

impl Verdict {
    /// What `dumps`, each with its name, say together.
    #[must_use]
    pub fn new<'a>(dumps: impl IntoIterator<Item = (&'a str, &'a Decoded)>) -> Self {
        let mut verdict = Self::default();
        // Two dumps may have the same registers of one device, as configuration space.
        let mut seen = BTreeSet::new();
        for (dump, decoded) in dumps {
            for finding in &decoded.findings {
                let key = (decoded.slot.clone(), finding.text.clone(), finding.values.clone());
                if decoded.slot.is_some() && !seen.insert(key) {
                    continue;
                }
                verdict.entries.push(Entry {
                    dump: dump.to_owned(),
                    title: title(decoded),
                    slot: decoded.slot.clone(),
                    finding: finding.clone(),
                    support: Vec::new(),
                });
            }
            verdict.unread.extend(decoded.missing.iter().map(|missing| Unread {
                dump: dump.to_owned(),
                slot: decoded.slot.clone(),
                missing: missing.clone(),
            }));
        }
        verdict.find_support();
        verdict.entries.sort_by_key(|entry| {
            let is_of_another = entry.finding.points_to.is_some();
            (Reverse(entry.finding.severity), is_of_another, Reverse(entry.support.len()))
        });
        verdict
    }

    /// Adds the last lines of `log` that name a device to what supports a finding of it.
    pub fn support_by(&mut self, log: &DeadLog) {
        for entry in self.entries.iter_mut().filter(|entry| entry.dump != dead_log::NAME) {
            for slot in [&entry.slot, &entry.finding.points_to].into_iter().flatten() {
                for line in log.of(slot) {
                    if entry.support.iter().all(|words| !words.contains(line.as_str())) {
                        entry.support.push(format!("{}: {line}", dead_log::NAME));
                    }
                }
            }
        }
    }

    /// How bad the worst is.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.entries.iter().map(|entry| entry.finding.severity).max()
    }

    /// How many findings of `severity` there are.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.entries.iter().filter(|entry| entry.finding.severity == severity).count()
    }

    /// What other devices say of a device supports what it says itself.
    fn find_support(&mut self) {
        let pointing: Vec<(String, String)> = self
            .entries
            .iter()
            .filter_map(|entry| {
                let to = entry.finding.points_to.clone()?;
                let from = match &entry.slot {
                    Some(slot) => format!("{} {slot}", entry.title),
                    None => entry.of(),
                };
                Some((to, format!("{from}: {}", entry.finding.text)))
            })
            .collect();
        for entry in &mut self.entries {
            let Some(slot) = entry.slot.as_ref().filter(|_| entry.finding.points_to.is_none())
            else {
                continue;
            };
            let of_it = pointing.iter().filter(|(to, _)| to == slot);
            entry.support.extend(of_it.map(|(_, words)| words.clone()));
        }
    }
}

/// What it is, and which one, where no slot says that.
fn title(decoded: &Decoded) -> String {
    match &decoded.identity {
        Some(identity) if decoded.slot.is_none() => format!("{} {identity}", decoded.title),
        _ => decoded.title.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, text: &str, points_to: Option<&str>) -> Finding {
        Finding {
            severity,
            text: text.to_owned(),
            advice: None,
            source: "test".to_owned(),
            values: Vec::new(),
            points_to: points_to.map(str::to_owned),
        }
    }

    fn decoded(slot: &str, findings: Vec<Finding>) -> Decoded {
        Decoded {
            title: "device".to_owned(),
            slot: Some(slot.to_owned()),
            findings,
            ..Decoded::default()
        }
    }

    #[test]
    fn the_source_of_an_error_comes_before_who_reports_it() {
        let port = decoded(
            "0000:00:1c.0",
            vec![
                finding(Severity::Fatal, "an error of another", Some("0000:01:00.0")),
                finding(Severity::Info, "a change of its link", None),
            ],
        );
        let nic = decoded("0000:01:00.0", vec![finding(Severity::Fatal, "malformed", None)]);
        let disk = decoded("0000:02:00.0", vec![finding(Severity::Error, "not ready", None)]);
        let dumps = [("pci-config", &port), ("pci-config", &disk), ("pci-config", &nic)];
        let verdict = Verdict::new(dumps);
        let texts: Vec<_> =
            verdict.entries.iter().map(|entry| entry.finding.text.as_str()).collect();
        let expected = ["malformed", "an error of another", "not ready", "a change of its link"];
        assert_eq!(texts, expected);
        assert_eq!(verdict.entries[0].support, ["device 0000:00:1c.0: an error of another"]);
        assert_eq!(verdict.worst(), Some(Severity::Fatal));
        assert_eq!(verdict.count(Severity::Fatal), 2);
    }

    /// The configuration space of a function is in its own dump, too.
    #[test]
    fn what_two_dumps_say_is_said_once() {
        let nic = decoded("0000:01:00.0", vec![finding(Severity::Fatal, "malformed", None)]);
        let verdict = Verdict::new([("pci-config", &nic), ("regs_0000:01:00.0", &nic)]);
        assert_eq!(verdict.entries.len(), 1);
    }
}
