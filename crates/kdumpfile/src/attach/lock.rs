// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One at a time changes a file.
//!
//! The lock is one of `flock(2)`. It is held by the open file, so that it ends with the
//! process whatever ends that, and closing another descriptor of the same file does not
//! drop it, as it does those of `fcntl(F_SETLK)`. Those of `fcntl(F_OFD_SETLK)` would do
//! as well, but need a file that may be written: an ELF vmcore is replaced, for which
//! its directory must be writable, not itself. And scripts can take this one with
//! flock(1).

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::additions::{Additions, AttachError, Attached};
use super::compressed;
use crate::dump::Dump;
use crate::error::Error;
use crate::escaped::{EscapedPath, Strerror};
use crate::format::Layout;
use crate::source::Source;
use crate::writable::Writable;

/// How long to wait before the lock is tried again; each time twice as long.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(100)];

/// A dump that is to be changed or replaced: no other [`LockedDump`] of the same file
/// exists as long as this one does, in any process.
///
/// Its headers were read after the lock had been taken. Whoever opens it as a [`Dump`],
/// to read, waits for nobody.
#[derive(Debug)]
pub struct LockedDump {
    dump: Dump,
    /// Why it cannot be written, where it cannot.
    read_only: Option<io::Error>,
}

/// Why a dump cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It cannot be opened, or is no dump.
    #[error(transparent)]
    Read(#[from] Error),
    /// There is nothing that could be changed or replaced.
    #[error("{}: is no regular file", EscapedPath(.0))]
    NoFile(PathBuf),
    /// Another one has the lock, and still had it after this time.
    #[error("{}: another process is changing it, and still is after {} s", EscapedPath(path), waited.as_secs())]
    Busy {
        /// The file.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// Its file system has no locks.
    #[error("{}: cannot lock it: {}", EscapedPath(path), Strerror(error))]
    Lock {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl LockedDump {
    /// Locks the file at `path`, then opens it; waits for others at most so long.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn open(path: impl AsRef<Path>, wait: Duration) -> Result<Self, LockError> {
        let path = path.as_ref();
        let failed = |error: io::Error| Error::open(path, error);
        let metadata = fs::metadata(path).map_err(failed)?;
        // Why a directory cannot be opened is told there; to open a pipe may take for ever.
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(LockError::NoFile(path.to_owned()));
        }
        let began = Instant::now();
        loop {
            let (file, read_only) = open_for_change(path).map_err(failed)?;
            lock(&file, path, began, wait)?;
            // The one that had the lock may have put another file in its place.
            let (locked, named) = (file.metadata(), fs::metadata(path));
            let (locked, named) = (locked.map_err(failed)?, named.map_err(failed)?);
            if (locked.dev(), locked.ino()) == (named.dev(), named.ino()) {
                let dump = Dump::of_source(Source::of_file(path, file)?)?;
                return Ok(Self { dump, read_only });
            }
            if began.elapsed() > wait {
                return Err(LockError::Busy { path: path.to_owned(), waited: wait });
            }
        }
    }

    /// Adds device dumps to the file itself: see [`Dump::attaches_in_place`].
    ///
    /// The file is a whole dump at each moment: without the new dumps until the last
    /// write, of a few bytes, has been done. Data are on disk before what points to them
    /// is written. Memory is not read, and old notes are not overwritten. When it fails,
    /// the file has what it had before; only where the very last sync failed, it can have
    /// the new dumps as well. `progress` is told how many bytes were written.
    ///
    /// # Errors
    /// [`AttachError`]; when this cannot be done in place, the dump is damaged, has no
    /// place to point to notes, or the numbers of its headers are too narrow, the file is
    /// as it was.
    pub fn attach_in_place<'a>(
        &self,
        additions: impl Into<Additions<'a>>,
        progress: impl FnMut(u64),
    ) -> Result<Vec<Attached>, AttachError> {
        match self.dump.source.plain_file() {
            Some(file) => self.attach_through(file, additions, progress),
            None => Err(self.dump.not_in_place()),
        }
    }

    /// As [`attach_in_place`](Self::attach_in_place), with each call that changes the
    /// file made by `to`, which is to make it to this very file, or to fail.
    ///
    /// # Errors
    /// Those of [`attach_in_place`](Self::attach_in_place).
    pub fn attach_through<'a>(
        &self,
        to: &dyn Writable,
        additions: impl Into<Additions<'a>>,
        progress: impl FnMut(u64),
    ) -> Result<Vec<Attached>, AttachError> {
        let Layout::Compressed(layout) = &self.dump.layout else {
            return Err(self.dump.not_in_place());
        };
        if !self.dump.attaches_in_place() {
            return Err(self.dump.not_in_place());
        }
        if let Some(error) = &self.read_only {
            let error =
                error.raw_os_error().map_or(error.kind().into(), io::Error::from_raw_os_error);
            return Err(AttachError::Write(error));
        }
        compressed::attach(&self.dump, layout, to, additions.into(), progress)
    }
}

impl Deref for LockedDump {
    type Target = Dump;

    fn deref(&self) -> &Dump {
        &self.dump
    }
}

/// Opens a file to read and write it; or only to read, and why.
fn open_for_change(path: &Path) -> io::Result<(File, Option<io::Error>)> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => Ok((file, None)),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            Ok((File::open(path)?, Some(error)))
        }
        Err(error) => Err(error),
    }
}

/// Takes the lock of `file`; `wait` is counted from when this `began`.
fn lock(file: &File, path: &Path, began: Instant, wait: Duration) -> Result<(), LockError> {
    let [mut pause, longest] = PAUSES;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) => {
                let left = wait.saturating_sub(began.elapsed());
                if left.is_zero() {
                    return Err(LockError::Busy { path: path.to_owned(), waited: wait });
                }
                thread::sleep(pause.min(left));
                pause = (pause * 2).min(longest);
            }
            Err(error) => {
                return Err(LockError::Lock { path: path.to_owned(), error: error.into() });
            }
        }
    }
}
