// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is done to a file that dumps are added to.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The calls that change a file to which dumps are added: a [`File`] makes them, another
/// one can count them, or fail, and so show what is left then.
pub trait Writable {
    /// Writes all of `bytes` at `offset`, in bytes.
    ///
    /// # Errors
    /// What the system says; then any part of `bytes` may have been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// How long the file is, in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn length(&self) -> io::Result<u64>;

    /// Makes the file so long, in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Returns once all that was written is on disk, and the length with it.
    ///
    /// # Errors
    /// What the system says; then any part of it may be on disk.
    fn sync(&self) -> io::Result<()>;
}

impl Writable for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        // A length that reading needs is written by it as well.
        self.sync_data()
    }
}
