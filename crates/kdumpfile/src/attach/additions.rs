// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is to be added to a dump, what became of it, and why it was not.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use vmcore::device_dump::Name;
use vmcore::manifest::Reason;

use crate::device_dump::DeviceDump;
use crate::error::{CopyError, Error};
use crate::escaped::{EscapedPath, Strerror};
use crate::manifest::Record;

/// The most bytes of notes that makedumpfile reads, by one call of `read()`, which gives
/// no more at once (`MAX_RW_COUNT`).
pub(super) const NOTES_MAX: u64 = 0x7fff_f000;

/// What is to be added to a dump.
#[derive(Debug, Default)]
pub struct Additions<'a> {
    /// The device dumps.
    pub dumps: Vec<NewDump<'a>>,
    /// Add them although that has a drawback: see [`AttachError::is_forcible`].
    pub force: bool,
}

impl<'a> From<Vec<NewDump<'a>>> for Additions<'a> {
    fn from(dumps: Vec<NewDump<'a>>) -> Self {
        Self { dumps, force: false }
    }
}

/// A device dump to be added to a file.
#[derive(Debug)]
pub struct NewDump<'a> {
    /// Its name. It gets a number where the file has a device dump of that name, or a
    /// record of one that is elsewhere and has another length or content.
    pub name: Name,
    /// What is in it.
    pub payload: NewPayload<'a>,
}

/// Where the payload of a new device dump comes from.
#[derive(Debug)]
pub enum NewPayload<'a> {
    /// Another dump, and what its manifest says. What is there already, by the same
    /// name and with the same content, is not added twice. Of one that is cut, the
    /// record will say so.
    Dump(DeviceDump<'a>, Option<Record<'a>>),
    /// A file, from where it is read next on.
    File(File),
    /// The same, with what became of its collection.
    Collected(File, Collected),
    /// Nothing: a collection that gave nothing has a record alone.
    Nothing(Collected),
}

/// What became of a collection outside the crash kernel, for its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// Why it is not complete.
    pub reason: Option<Reason>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
}

impl NewPayload<'_> {
    /// How many bytes there are, as far as that is known.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Dump(dump, _) => dump.available(),
            Self::File(file) | Self::Collected(file, _) => {
                file.metadata().map_or(0, |metadata| metadata.len())
            }
            Self::Nothing(_) => 0,
        }
    }
}

/// What became of one [`NewDump`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The name in the file.
    pub name: Name,
    /// Length of its payload, in bytes.
    pub length: u64,
    /// It was there before, and not added again.
    pub was_there: bool,
}

/// Why dumps cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// What is copied cannot be read.
    #[error(transparent)]
    Read(#[from] Error),
    /// The dump was not written to its end, or is cut, but for its notes.
    #[error("{0}; to what is not whole nothing is added")]
    Incomplete(Error),
    /// It is one of a split set, of which makedumpfile takes the notes of another part.
    #[error(
        "{}: starts with page {first_page:#x} of a split set, and makedumpfile --reassemble keeps \
         the notes of the first part alone",
        EscapedPath(path)
    )]
    NotFirstPart {
        /// The file.
        path: PathBuf,
        /// Number of the first page of which it may have the data.
        first_page: u64,
    },
    /// makedumpfile would not read the notes of the ELF vmcore any more.
    #[error(
        "{}: its notes would have {size} bytes, and makedumpfile reads at most {}",
        EscapedPath(path),
        NOTES_MAX
    )]
    NotesTooLarge {
        /// The file.
        path: PathBuf,
        /// Size of all its notes, in bytes, as far as that is known.
        size: u64,
    },
    /// The payload of this dump cannot be read.
    #[error("{name}: cannot read: {}", Strerror(error))]
    Payload {
        /// The dump.
        name: Name,
        /// What the system says.
        error: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write: {}", Strerror(.0))]
    Write(io::Error),
}

impl AttachError {
    /// Whether [`Additions::force`] adds the dumps all the same.
    #[must_use]
    pub fn is_forcible(&self) -> bool {
        matches!(self, Self::Incomplete(_) | Self::NotFirstPart { .. } | Self::NotesTooLarge { .. })
    }
}

impl From<CopyError> for AttachError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Read(error) => Self::Read(error),
            CopyError::Write(error) => Self::Write(error),
        }
    }
}
