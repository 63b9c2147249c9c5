// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads the dumps of crashed kernels.
//!
//! A dump may be larger than memory, and so may one note of it: nothing is read
//! that is not asked for, and no length that a file claims is allocated, but that of
//! the manifest, which is 16 MiB at most.
//!
//! ```no_run
//! # fn main() -> Result<(), kdump::Error> {
//! let dump = kdump::Dump::open("/proc/vmcore")?;
//! for device_dump in dump.device_dumps() {
//!     let device_dump = device_dump?;
//!     println!("{} {}", kdump::Escaped(device_dump.name()), device_dump.length());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! ELF vmcores are read, of both classes and byte orders. The other formats that
//! dumps come in are told apart, so that an [`Error`] can name them.
#![forbid(unsafe_code)]

mod device_dump;
mod elf;
mod error;
mod escaped;
mod format;
mod manifest;
mod notes;
mod source;

pub use device_dump::{CopyError, DeviceDump, DeviceDumps, Payload};
pub use error::{Error, Fault};
pub use escaped::{Escaped, EscapedPath};
pub use format::Foreign;
pub use manifest::{Manifest, Matched, Record, Records, Status, Whereabouts};
pub use notes::{Note, Notes};
pub use vmcore::manifest::Renamed;

use std::path::Path;

use notes::NoteArea;
use source::Source;

/// A dump of a crashed kernel: a file, or `/proc/vmcore` of the crash kernel.
#[derive(Debug)]
pub struct Dump {
    source: Source,
    notes: NoteArea,
}

impl Dump {
    /// Opens the dump at `path` and reads its headers.
    ///
    /// # Errors
    /// [`Error`] when there is no such file, it is no ELF vmcore, or its headers
    /// are not whole.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let source = Source::open(path.as_ref())?;
        let notes = format::notes(&source)?;
        Ok(Self { source, notes })
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Its notes, in the order of the file, without their descs.
    #[must_use]
    pub fn notes(&self) -> Notes<'_> {
        Notes::new(&self.source, &self.notes)
    }

    /// Its device dumps, in the order of the file, without their payloads.
    #[must_use]
    pub fn device_dumps(&self) -> DeviceDumps<'_> {
        DeviceDumps::new(&self.source, self.notes())
    }

    /// What became of every collection, where the file says so: the first note of
    /// the owner `VMCOREDD` and the type 0x701. See [`vmcore::manifest`].
    ///
    /// # Errors
    /// [`Error`] when a note before it is not whole, it cannot be read, or it is
    /// longer than 16 MiB.
    pub fn manifest(&self) -> Result<Option<Manifest>, Error> {
        Manifest::find(&self.source, self.notes())
    }
}
