// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where everything stands in the file that readers see.
//!
//! ```text
//! 0                         device dumps    manifest      other notes   zeros to the page   old memory …
//! ├─────────────────────────┼───────────────┼─────────────┼─────────────┼───────────────────┤
//! │ ELF header, zero-filled │ note │ note … │ one note    │ CPUs, info  │ 0                 │ segment │ segment …
//! ```
//!
//! Device dumps stand first because tools take the zero fill behind the other
//! notes for the end of all notes.

use crate::{PAGE_SIZE, page_align_up};

/// What stands at an offset of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The ELF header pages, from byte `within`.
    Header {
        /// Bytes from the start of the header pages.
        within: u64,
    },
    /// The note of a device dump, from byte `within`.
    Dump {
        /// Which dump, in the order in which they were added.
        index: usize,
        /// Bytes from the start of the note.
        within: u64,
    },
    /// The note of the manifest, from byte `within`.
    Manifest {
        /// Bytes from the start of the note.
        within: u64,
    },
    /// The dead kernel's own notes, from byte `within`.
    Notes {
        /// Bytes from the start of the first of them.
        within: u64,
    },
    /// Zeros up to the next page.
    Zeros,
    /// Memory of the dead kernel.
    Memory {
        /// Its physical address.
        physical: u64,
    },
}

/// A place and how far it reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// What stands here.
    pub place: Place,
    /// How many bytes of it follow from here; at least 1.
    pub length: u64,
}

/// One contiguous range of old memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Where it starts, in bytes from the first load's start in the file; a
    /// multiple of [`PAGE_SIZE`].
    pub start: u64,
    /// Its physical address; a multiple of [`PAGE_SIZE`].
    pub physical: u64,
    /// Its length in bytes; a multiple of [`PAGE_SIZE`].
    pub size: u64,
}

/// Where the notes of the device dumps end, dump by dump.
pub trait DumpTable {
    /// How many dumps there are.
    fn count(&self) -> usize;
    /// Where the note of dump `index` ends, in bytes from the start of the
    /// first one; not smaller for a following dump. One that ends where it
    /// starts is not in the file.
    fn end(&self, index: usize) -> Option<u64>;
}

impl DumpTable for [u64] {
    fn count(&self) -> usize {
        self.len()
    }

    fn end(&self, index: usize) -> Option<u64> {
        self.get(index).copied()
    }
}

/// The map from an offset in the file to what stands there.
///
/// Holds no bytes: a host looks a [`Place`] up and knows where its bytes are.
/// A lookup is a binary search, so that its cost does not depend on where in
/// the file it falls.
#[derive(Debug)]
pub struct Layout<'a, D: ?Sized> {
    dumps: &'a D,
    loads: &'a [Load],
    header_end: u64,
    dumps_end: u64,
    manifest_end: u64,
    notes_end: u64,
    memory_start: u64,
    size: u64,
}

impl<'a, D: DumpTable + ?Sized> Layout<'a, D> {
    /// The layout of a file of `header_size` bytes of header pages, the notes
    /// of `dumps`, `manifest_size` bytes of a manifest, `notes_size` bytes of
    /// other notes, and `loads`, which follow one another without gaps in the
    /// order of their `start`.
    ///
    /// `None` when the file would be larger than a file offset can say
    /// (2⁶³ - 1 bytes), or `header_size` is not a multiple of [`PAGE_SIZE`].
    #[must_use]
    pub fn new(
        header_size: u64,
        dumps: &'a D,
        manifest_size: u64,
        notes_size: u64,
        loads: &'a [Load],
    ) -> Option<Self> {
        if !header_size.is_multiple_of(PAGE_SIZE) {
            return None;
        }
        let dumps_size = match dumps.count().checked_sub(1) {
            Some(last) => dumps.end(last)?,
            None => 0,
        };
        let dumps_end = header_size.checked_add(dumps_size)?;
        let manifest_end = dumps_end.checked_add(manifest_size)?;
        let notes_end = manifest_end.checked_add(notes_size)?;
        let memory_start = page_align_up(notes_end)?;
        let memory_size = match loads.last() {
            Some(last) => last.start.checked_add(last.size)?,
            None => 0,
        };
        let size = memory_start.checked_add(memory_size)?;
        i64::try_from(size).ok()?;
        Some(Self {
            dumps,
            loads,
            header_end: header_size,
            dumps_end,
            manifest_end,
            notes_end,
            memory_start,
            size,
        })
    }

    /// Size of the file, in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Where old memory starts, in bytes; a multiple of [`PAGE_SIZE`].
    #[must_use]
    pub const fn memory_start(&self) -> u64 {
        self.memory_start
    }

    /// What stands at `offset`, and how far it reaches; `None` at or behind the
    /// end of the file.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<Span> {
        if offset < self.header_end {
            let place = Place::Header { within: offset };
            return Some(Span { place, length: self.header_end - offset });
        }
        if offset < self.dumps_end {
            return self.dump_at(offset - self.header_end);
        }
        if offset < self.manifest_end {
            let place = Place::Manifest { within: offset - self.dumps_end };
            return Some(Span { place, length: self.manifest_end - offset });
        }
        if offset < self.notes_end {
            let place = Place::Notes { within: offset - self.manifest_end };
            return Some(Span { place, length: self.notes_end - offset });
        }
        if offset < self.memory_start {
            return Some(Span { place: Place::Zeros, length: self.memory_start - offset });
        }
        if offset < self.size {
            return memory_at(self.loads, offset - self.memory_start);
        }
        None
    }

    fn dump_at(&self, offset: u64) -> Option<Span> {
        let index = partition_point(self.dumps.count(), |index| {
            self.dumps.end(index).is_some_and(|end| end <= offset)
        });
        let start = match index.checked_sub(1) {
            Some(previous) => self.dumps.end(previous)?,
            None => 0,
        };
        let place = Place::Dump { index, within: offset.checked_sub(start)? };
        Some(Span { place, length: self.dumps.end(index)?.checked_sub(offset)? })
    }
}

/// What stands `offset` bytes behind the start of the old memory, which is that of
/// `loads` as in [`Layout::new`], and how far it reaches; `None` behind its end.
#[must_use]
pub fn memory_at(loads: &[Load], offset: u64) -> Option<Span> {
    let after = partition_point(loads.len(), |index| {
        loads.get(index).is_some_and(|load| load.start <= offset)
    });
    let load = loads.get(after.checked_sub(1)?)?;
    let within = offset.checked_sub(load.start)?;
    let place = Place::Memory { physical: load.physical.checked_add(within)? };
    let length = load.size.checked_sub(within).filter(|length| *length > 0)?;
    Some(Span { place, length })
}

/// The first index of `0..count` for which `before` does not hold, where it
/// holds for all indices up to some point and for none behind it.
#[must_use]
pub fn partition_point(count: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
