// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A file on disk, read here and there.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use rustix::fs::{PROC_SUPER_MAGIC, SeekFrom, fstatfs, seek};
use rustix::io::Errno;

use crate::error::{Error, Fault};
use crate::retry::retry;

/// A file that can be read at any offset, whatever is in it.
#[derive(Debug)]
pub(crate) struct DumpFile {
    path: PathBuf,
    file: File,
    length: Length,
}

/// How long a file is, in bytes.
#[derive(Debug, Clone, Copy)]
enum Length {
    /// That of a regular file or a block device.
    Known(u64),
    /// What a pseudo file says, such as `/proc/vmcore`, whose size lags after its device
    /// dumps; a character device says 0.
    Stated(u64),
}

impl DumpFile {
    /// Takes `file`, which messages call `path`; gives it back where it can only be read
    /// from its start to its end, as a pipe.
    pub fn new(path: &Path, file: File) -> Result<Result<Self, File>, Error> {
        let failed = |error: io::Error| Error::open(path, error);
        let metadata = file.metadata().map_err(failed)?;
        let kind = metadata.file_type();
        if kind.is_fifo() || kind.is_socket() {
            return Ok(Err(file));
        }
        let length = if kind.is_dir() {
            return Err(failed(ErrorKind::IsADirectory.into()));
        } else if kind.is_block_device() {
            // Its inode has no size.
            Length::Known(seek(&file, SeekFrom::End(0)).map_err(|error| failed(error.into()))?)
        } else if kind.is_file() && !is_pseudo(&file) {
            Length::Known(metadata.len())
        } else {
            Length::Stated(metadata.len())
        };
        Ok(Ok(Self { path: path.to_owned(), file, length }))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn into_file(self) -> File {
        self.file
    }

    pub fn error(&self, fault: Fault) -> Error {
        Error { path: self.path.clone(), fault }
    }

    /// Fills `to` from `offset` on, or as much of it as there is; returns how much.
    pub fn read(&self, offset: u64, to: &mut [u8]) -> Result<usize, Error> {
        read_at(&self.file, offset, to).map_err(|fault| self.error(fault))
    }

    /// How long it is said to be, in bytes.
    pub fn stated_length(&self) -> u64 {
        let (Length::Known(length) | Length::Stated(length)) = self.length;
        length
    }

    /// How long it is, in bytes; `None` for a pseudo file.
    pub fn known_length(&self) -> Option<u64> {
        match self.length {
            Length::Known(length) => Some(length),
            Length::Stated(_) => None,
        }
    }
}

/// Fills `to` with what `file` has from `offset` on, or as much of it as there is; returns
/// how much.
pub(crate) fn read_at(file: &File, offset: u64, to: &mut [u8]) -> Result<usize, Fault> {
    let mut filled = 0;
    while let Some(rest) = to.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(filled as u64);
        // Offsets of files are signed; after the largest there is no byte.
        if i64::try_from(at).is_err() {
            break;
        }
        match retry(|| file.read_at(rest, at)) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) => return Err(Fault::Read { offset: at, error: error.into() }),
        }
    }
    Ok(filled)
}

/// Where the first byte of data at or after `offset` is, if there is one; `None` where the
/// file system does not say.
pub(crate) fn next_data(file: &File, offset: u64) -> Option<Option<u64>> {
    match seek(file, SeekFrom::Data(offset)) {
        Ok(next) => Some(Some(next)),
        Err(Errno::NXIO) => Some(None),
        Err(_) => None,
    }
}

/// Where the data that begin at `offset` end, and a hole starts; `end` at most.
pub(crate) fn next_hole(file: &File, offset: u64, end: u64) -> u64 {
    seek(file, SeekFrom::Hole(offset)).map_or(end, |hole| hole.max(offset).min(end))
}

/// Whether `file` is one of `/proc`, such as `/proc/vmcore`.
fn is_pseudo(file: &File) -> bool {
    fstatfs(file).is_ok_and(|status| status.f_type == PROC_SUPER_MAGIC)
}
