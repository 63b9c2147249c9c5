// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where everything stands in the file that readers see.
//!
//! ```text
//! 0                         device dumps    manifest      other notes   zeros to the page   old memory …
//! ├─────────────────────────┼───────────────┼─────────────┼─────────────┼───────────────────┤
//! │ ELF header, zero-filled │ note │ note … │ one note    │ CPUs, info  │ 0                 │ segment │ segment …
//! ```
//!
//! Device dumps stand first because tools take the zero fill after the other
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

/// The note of a device dump, among all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoteExtent {
    /// Which dump, in the order in which they were added.
    pub index: usize,
    /// Where the note starts, in bytes from the start of the first one.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
}

/// Where the notes of the device dumps stand, one after the other.
pub trait DumpTable {
    /// Size of all notes, in bytes.
    fn size(&self) -> u64;
    /// The note that has the byte `offset`, below [`DumpTable::size`]. A note may be
    /// empty: that dump is not in the file.
    fn find(&self, offset: u64) -> Option<NoteExtent>;
}

/// Where each note ends, in bytes from the start of the first one.
impl DumpTable for [u64] {
    fn size(&self) -> u64 {
        self.last().copied().unwrap_or_default()
    }

    fn find(&self, offset: u64) -> Option<NoteExtent> {
        let index = self.partition_point(|end| *end <= offset);
        let start = index.checked_sub(1).and_then(|previous| self.get(previous));
        let start = start.copied().unwrap_or_default();
        Some(NoteExtent { index, start, end: *self.get(index)? })
    }
}

/// Where the parts of a file end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    header_end: u64,
    dumps_end: u64,
    manifest_end: u64,
    notes_end: u64,
    memory_start: u64,
    size: u64,
}

impl Bounds {
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
    bounds: Bounds,
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
        let dumps_end = header_size.checked_add(dumps.size())?;
        let manifest_end = dumps_end.checked_add(manifest_size)?;
        let notes_end = manifest_end.checked_add(notes_size)?;
        let memory_start = page_align_up(notes_end)?;
        let memory_size = match loads.last() {
            Some(last) => last.start.checked_add(last.size)?,
            None => 0,
        };
        let size = memory_start.checked_add(memory_size)?;
        i64::try_from(size).ok()?;
        let header_end = header_size;
        let bounds = Bounds { header_end, dumps_end, manifest_end, notes_end, memory_start, size };
        Some(Self::of(bounds, dumps, loads))
    }

    /// A layout of these very `dumps` and `loads` whose bounds are known already.
    #[must_use]
    pub const fn of(bounds: Bounds, dumps: &'a D, loads: &'a [Load]) -> Self {
        Self { dumps, loads, bounds }
    }

    /// Where its parts end.
    #[must_use]
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Size of the file, in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.bounds.size
    }

    /// Where old memory starts, in bytes; a multiple of [`PAGE_SIZE`].
    #[must_use]
    pub const fn memory_start(&self) -> u64 {
        self.bounds.memory_start
    }

    /// What stands at `offset`, and how far it reaches; `None` at or after the
    /// end of the file.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<Span> {
        // Most of what is read, and the shortest way to it.
        if let Some(within) = offset.checked_sub(self.bounds.memory_start) {
            return self.memory_at(within);
        }
        self.note_at(offset)
    }

    fn note_at(&self, offset: u64) -> Option<Span> {
        let Bounds { header_end, dumps_end, manifest_end, notes_end, memory_start, .. } =
            self.bounds;
        let (place, end) = if offset < header_end {
            (Place::Header { within: offset }, header_end)
        } else if offset < dumps_end {
            let within = offset - header_end;
            let NoteExtent { index, start, end } = self.dumps.find(within)?;
            let within = within.checked_sub(start)?;
            (Place::Dump { index, within }, header_end.checked_add(end)?)
        } else if offset < manifest_end {
            (Place::Manifest { within: offset - dumps_end }, manifest_end)
        } else if offset < notes_end {
            (Place::Notes { within: offset - manifest_end }, notes_end)
        } else {
            (Place::Zeros, memory_start)
        };
        Some(Span { place, length: end.checked_sub(offset).filter(|length| *length > 0)? })
    }

    /// What stands `offset` bytes after the start of the old memory.
    fn memory_at(&self, offset: u64) -> Option<Span> {
        let behind = self.loads.partition_point(|load| load.start <= offset);
        let load = self.loads.get(behind.checked_sub(1)?)?;
        let within = offset.checked_sub(load.start)?;
        let place = Place::Memory { physical: load.physical.checked_add(within)? };
        let length = load.size.checked_sub(within).filter(|length| *length > 0)?;
        Some(Span { place, length })
    }
}
