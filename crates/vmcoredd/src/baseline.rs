// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Snapshots of this machine while it was healthy, which a crash is compared with.
//!
//! They are in a directory, each with its time in its name: the time of a file's last
//! change does not survive a copy of the directory to where a crash is looked at.

use std::fmt::{self, Display, Formatter};
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use kdumpfile::{Dump, EscapedPath};
use rustix::fs::{FlockOperation, flock};

use crate::failure::Failure;

/// Where `vmcoredd-baseline.service` keeps them.
pub const DIRECTORY: &str = "/var/lib/vmcoredd/baseline";
/// What the names of the files start with, and how the time follows, in UTC.
const PREFIX: &str = "snapshot.";
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// A snapshot that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// When it was taken.
    pub taken: Timestamp,
    /// The file.
    pub path: PathBuf,
}

impl Display for Baseline {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{}, taken {}", EscapedPath(&self.path), utc(self.taken))
    }
}

/// A time, for people.
pub fn utc(time: Timestamp) -> impl Display {
    time.strftime("%Y-%m-%d %H:%M:%S UTC")
}

/// The directory of snapshots, which nobody else adds to meanwhile.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Locked until it is closed.
    file: File,
}

impl Directory {
    /// Makes the directory where it is not there, for its owner alone, and waits until
    /// nobody else adds to it.
    pub fn lock(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::output(path, error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let file = File::open(path).map_err(failed)?;
        flock(&file, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Where a snapshot that is taken now belongs.
    pub fn next(&self) -> PathBuf {
        self.path.join(format!("{PREFIX}{}", Timestamp::now().strftime(TIME)))
    }

    /// Removes all but the newest `count` snapshots, once `new` is on the disk.
    pub fn keep(&self, count: usize, new: &Path) -> Result<(), Failure> {
        let failed = |path: &Path, error| Failure::output(path, error);
        let synced = File::open(new).and_then(|file| file.sync_all());
        synced.and_then(|()| self.file.sync_all()).map_err(|error| failed(new, error))?;
        let all = all(&self.path)?;
        for old in all.iter().rev().skip(count) {
            match fs::remove_file(&old.path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(failed(&old.path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The snapshots in `directory`, the oldest first.
fn all(directory: &Path) -> Result<Vec<Baseline>, Failure> {
    let failed = |error| Failure::Blob { path: directory.to_owned(), error };
    let entries = fs::read_dir(directory).map_err(failed)?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    let baseline = |path: PathBuf| {
        let time = path.file_name()?.to_str()?.strip_prefix(PREFIX)?;
        let time = DateTime::strptime(TIME, time).ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(Baseline { taken: time.timestamp(), path })
    };
    let mut all: Vec<_> = paths.map_err(failed)?.into_iter().filter_map(baseline).collect();
    all.sort_by_key(|baseline| baseline.taken);
    Ok(all)
}

/// The newest snapshot in `directory` that was taken before `dump` crashed. That time is the
/// one in VMCOREINFO, or else the one of the last change of the file.
///
/// # Errors
/// The time is not known, the directory cannot be read, or it has no older snapshot.
pub fn before(directory: &Path, dump: &Dump) -> Result<Baseline, Failure> {
    let path = dump.path();
    let info = dump.vmcoreinfo().ok().flatten();
    let crashed = info.and_then(|info| info.number("CRASHTIME"));
    let crashed = crashed.and_then(|time| Timestamp::from_second(time.try_into().ok()?).ok());
    let changed = || Timestamp::try_from(path.metadata().ok()?.modified().ok()?).ok();
    let Some(time) = crashed.or_else(changed) else {
        return Err(Failure::Usage(format!(
            "{}: nothing says when it crashed, to choose a snapshot by",
            EscapedPath(path)
        )));
    };
    // A snapshot is compared with those before it.
    let itself = path.canonicalize().ok();
    let is_older =
        |baseline: &Baseline| baseline.taken <= time && baseline.path.canonicalize().ok() != itself;
    all(directory)?.into_iter().rfind(is_older).ok_or_else(|| Failure::NoBaseline {
        directory: directory.to_owned(),
        time: utc(time).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_snapshot_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new");
        let directory = Directory::lock(&path).expect("made");
        let names = [
            "snapshot.20261127T183504Z",
            "snapshot.20251127T183504Z",
            "snapshot.20261301T000000Z",
            "snapshot.20261127T183504Z~",
            ".vmcoredd-aBcDeF",
            "notes",
        ];
        for name in names {
            fs::write(path.join(name), "").expect("written");
        }
        let found = all(&path).expect("read");
        let paths: Vec<_> = found.iter().map(|each| each.path.clone()).collect();
        assert_eq!(paths, [path.join(names[1]), path.join(names[0])]);
        assert_eq!(utc(found[1].taken).to_string(), "2026-11-27 18:35:04 UTC");
        // What goes is the oldest, and nothing that is not a snapshot.
        directory.keep(1, &paths[1]).expect("kept");
        let left = all(&path).expect("read");
        assert_eq!(left, found[1..]);
        assert_eq!(fs::read_dir(&path).expect("there").count(), names.len() - 1);
        let new = directory.next();
        fs::write(&new, "").expect("written");
        assert!(all(&path).expect("read").iter().any(|each| each.path == new));
    }
}
