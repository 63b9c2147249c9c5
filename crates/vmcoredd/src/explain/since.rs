// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What changed since the machine was healthy.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use decode::compare::{Change, How, changes};
use decode::model::Decoded;
use decode::verdict::Verdict;
use kdumpfile::{DeviceDump, Dump, Escaped};
use profile::Library;

use crate::baseline::{self, Baseline};
use crate::difference::shown;
use crate::failure::{Exit, Failure};
use crate::payload;
use crate::read::{self, Contents};

/// Where kdump saves the crashes of this machine.
const CRASHES: &str = "/var/crash";
/// How many changes are held of one file, of one device, and as support of one finding.
const CHANGES_MAX: usize = 200;
const OF_DEVICE_MAX: usize = 20;
const SUPPORT_MAX: usize = 4;

/// What one device dump has that the snapshot has otherwise.
pub struct Changed {
    /// The device dump.
    pub dump: String,
    /// What changed of one device in it.
    pub change: Change,
    /// How many more values of it differ.
    pub more: usize,
}

/// A snapshot, and what changed since it was taken.
pub struct Since<'a> {
    /// Which it is.
    pub baseline: &'a Baseline,
    device_dumps: HashMap<Vec<u8>, DeviceDump<'a>>,
    /// What changed, in the order of the file.
    pub changed: Vec<Changed>,
    /// Of how many devices more something changed.
    pub more: usize,
}

/// The directory that has snapshots of the machine of which the file at `path` is.
///
/// Registers of another machine would mislead, and a file does not say of which machine it
/// is. So it is `given`, or else the file must be where kdump saves on this machine.
fn directory(given: Option<&Path>, path: &Path) -> Option<PathBuf> {
    let is_of_this_machine = || path.canonicalize().is_ok_and(|path| path.starts_with(CRASHES));
    match given {
        Some(given) => Some(given.to_owned()),
        None => (is_of_this_machine() && Path::new(baseline::DIRECTORY).is_dir())
            .then(|| baseline::DIRECTORY.into()),
    }
}

/// Finds the snapshot that `dump` is compared with, if there is one. That there is none where
/// `given` names a directory, or that one cannot be read, is reported, and gives the status.
pub fn find(given: Option<&Path>, dump: &Dump) -> (Option<(Baseline, Dump)>, Exit) {
    let Some(directory) = directory(given, dump.path()) else { return (None, Exit::Done) };
    let found = baseline::before(&directory, dump).and_then(|baseline| {
        let dump = read::open(&baseline.path)?;
        Ok((baseline, dump))
    });
    match found {
        Ok(found) => (Some(found), Exit::Done),
        Err(Failure::NoBaseline { .. }) if given.is_none() => (None, Exit::Done),
        Err(failure) => (None, failure.report()),
    }
}

impl<'a> Since<'a> {
    /// What is in the snapshot.
    pub fn new((baseline, dump): &'a (Baseline, Dump)) -> Self {
        let device_dumps = Contents::read(dump).device_dumps.into_iter();
        let device_dumps = device_dumps.map(|each| (each.name().to_vec(), each)).collect();
        Self { baseline, device_dumps, changed: Vec::new(), more: 0 }
    }

    /// Compares `device_dump`, which says `now`, with the one of its name in the snapshot.
    pub fn compare<'b>(
        &mut self,
        device_dump: &DeviceDump<'_>,
        now: impl Iterator<Item = &'b Decoded>,
        library: &mut Library,
    ) -> Result<(), Failure> {
        let Some(other) = self.device_dumps.get(device_dump.name()) else { return Ok(()) };
        let mut before = Vec::new();
        payload::each_decoded(other, library, None, |decoded| before.push(decoded))?;
        let now: Vec<_> = now.cloned().collect();
        for mut change in changes(&before, &now) {
            if self.changed.len() == CHANGES_MAX {
                self.more += 1;
                continue;
            }
            let mut more = 0;
            if let How::Values(values) = &mut change.how {
                more = values.len().saturating_sub(OF_DEVICE_MAX);
                values.truncate(OF_DEVICE_MAX);
            }
            let dump = Escaped(device_dump.name()).to_string();
            self.changed.push(Changed { dump, change, more });
        }
        Ok(())
    }

    /// Adds to each finding which of the values that it follows from were others before.
    pub fn support(&self, verdict: &mut Verdict) {
        for entry in &mut verdict.entries {
            let of = entry.slot.as_ref();
            let of_it = self.changed.iter().filter(|changed| {
                changed.dump == entry.dump && of.is_none_or(|of| *of == changed.change.of)
            });
            let values = of_it.flat_map(|changed| match &changed.change.how {
                How::Values(values) => values.as_slice(),
                How::Gone | How::New => &[],
            });
            let is_of_finding = |path: &str| {
                entry.finding.values.iter().any(|(name, _)| {
                    path.strip_suffix(name)
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                })
            };
            let lines = values
                .filter(|difference| is_of_finding(&difference.path))
                .take(SUPPORT_MAX)
                .map(|difference| format!("since the snapshot: {}", shown(difference)));
            entry.support.extend(lines);
        }
    }
}
