// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Adding device dumps to a dump that is a file already.
//!
//! Where readers look for notes is not the same in all formats. The header of a
//! kdump-compressed dump says where they are, and they can be anywhere: so new notes are
//! written at its end. Of an ELF vmcore `crash` holds what stands before the memory, and
//! finds notes there alone: so its memory has to move, into a copy.

mod additions;
mod compressed;
mod elf;
mod index;
mod lock;
mod plan;

pub use additions::{Additions, AttachError, Attached, Collected, NewDump, NewPayload};
pub use lock::{LockError, LockedDump};

use std::fs::File;

use crate::dump::Dump;
use crate::format::Layout;

impl Dump {
    /// Whether device dumps can be added to the file itself: it is a kdump-compressed
    /// dump, and no stream of one. See [`LockedDump::attach_in_place`].
    #[must_use]
    pub fn attaches_in_place(&self) -> bool {
        matches!(self.layout, Layout::Compressed(_)) && self.source.is_plain_file()
    }

    /// Copies the dump to `to`, an empty file open for reading and writing, and adds
    /// device dumps to that; a flattened stream is put in order. There are holes where
    /// there are zeros. Whoever has the copy take the place of the dump wants a
    /// [`LockedDump`], so that nothing is added to that meanwhile.
    ///
    /// All of it is on disk when this is done. `progress` is told how many bytes are.
    ///
    /// # Errors
    /// [`AttachError`]; when the dump is damaged, has no place for notes, or the numbers
    /// of its headers are too narrow.
    pub fn attach_to_copy<'a>(
        &self,
        to: &File,
        additions: impl Into<Additions<'a>>,
        mut progress: impl FnMut(u64),
    ) -> Result<Vec<Attached>, AttachError> {
        let additions = additions.into();
        match &self.layout {
            Layout::Elf(elf) => elf::attach(self, elf, to, additions, progress),
            Layout::Compressed(compressed) => {
                self.copy_to_file(to, &mut progress)?;
                let progress = |done| progress(self.size() + done);
                let attached = compressed::attach(self, compressed, to, additions, progress)?;
                to.sync_all().map_err(AttachError::Write)?;
                Ok(attached)
            }
        }
    }
}
