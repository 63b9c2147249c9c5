// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The file that a dump is read from.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::{Error, Fault};

/// A file that is read here and there.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    file: File,
    /// How long the file was said to be when it was opened, in bytes.
    stated_length: u64,
}

impl Source {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error { path: path.to_owned(), fault: Fault::Open(error) };
        let file = File::open(path).map_err(failed)?;
        let stated_length = file.metadata().map_err(failed)?.len();
        Ok(Self { path: path.to_owned(), file, stated_length })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn error(&self, fault: Fault) -> Error {
        Error { path: self.path.clone(), fault }
    }

    /// The bytes at `offset`: as many as fit into `to`, or fewer where the file
    /// ends.
    pub fn read<'b>(&self, offset: u64, to: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let mut filled = 0;
        while let Some(rest) = to.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(filled as u64);
            match self.read_once(at, rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(Fault::Read { offset: at, error })),
            }
        }
        Ok(to.get(..filled).unwrap_or_default())
    }

    /// Whether the file has all bytes before `end`.
    ///
    /// A device has no stated length, and that of `/proc/vmcore` lags behind
    /// its device dumps: beyond it only reading tells.
    pub fn reaches(&self, end: u64) -> Result<bool, Error> {
        let Some(last) = end.checked_sub(1) else {
            return Ok(true);
        };
        if end <= self.stated_length {
            return Ok(true);
        }
        Ok(!self.read(last, &mut [0])?.is_empty())
    }

    fn read_once(&self, offset: u64, to: &mut [u8]) -> io::Result<usize> {
        // Offsets of files are signed; behind the largest there is no byte.
        match i64::try_from(offset) {
            Ok(_) => self.file.read_at(to, offset),
            Err(_) => Ok(0),
        }
    }
}
