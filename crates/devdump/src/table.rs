// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What became of the collections so far, in the order in which they ended.

use kmem::{Arc, NoMemory, Vec};
use vmcore::device_dump::Name;
use vmcore::layout::{DumpTable, NoteExtent};

use crate::dump::Dump;
use crate::host::Host;

/// Where the parts of one collection end in the files.
///
/// Each is a sum over all collections up to this one, so that a binary search finds
/// the part that has a given byte: reading at the last of 8,000 dumps is as quick as
/// at the first. One sum does not follow from another: which dumps are inline depends
/// on what room was left, and a record's length on what became of the collection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ends {
    /// The end of its note where every dump has one, in bytes from the start of the
    /// first one.
    pub all: u64,
    /// The end of its note where only some dumps have one, likewise.
    pub inline: u64,
    /// The end of its record, in bytes from the start of the first one.
    pub manifest: u32,
}

/// A collection and where its parts end.
pub(crate) struct Entry<H: Host> {
    dump: Arc<Dump<H>, H>,
    ends: Ends,
}

impl<H: Host> Clone for Entry<H> {
    fn clone(&self) -> Self {
        Self { dump: self.dump.clone(), ends: self.ends }
    }
}

type Entries<H> = Vec<Entry<H>, H>;

/// What became of the collections so far. Cheap to clone; never changes.
///
/// All clones share one array. The first collection that ends after a file was opened
/// copies it, since the open file keeps the old one. For each dump that takes 32 bytes
/// and 45 instructions: with 100 dumps it is lost in what adding one takes, with 8,000 it
/// takes about half a millisecond. If the array were split into pieces that are shared, only the last
/// one would have to be copied; but searching would be more code and slower, and files
/// are read far more often than collections end while they are open.
pub struct Table<H: Host> {
    /// `None` without any entry.
    entries: Option<Arc<Entries<H>, H>>,
}

impl<H: Host> Clone for Table<H> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone() }
    }
}

impl<H: Host> Table<H> {
    pub(crate) const fn new() -> Self {
        Self { entries: None }
    }

    /// Puts one more collection after the others; its parts end at `ends`.
    ///
    /// What another table shares with this one stays as it is.
    pub(crate) fn push(&mut self, dump: Dump<H>, ends: Ends) -> Result<(), NoMemory> {
        let entry = Entry { dump: Arc::new(dump)?, ends };
        if let Some(own) = self.entries.as_mut().and_then(|entries| entries.get_mut()) {
            return own.push(entry);
        }
        let shared = self.entries();
        let mut own = Vec::with_capacity(shared.len().saturating_add(1))?;
        shared.iter().try_for_each(|entry| own.push(entry.clone()))?;
        own.push(entry)?;
        self.entries = Some(Arc::new(own)?);
        Ok(())
    }

    fn entries(&self) -> &[Entry<H>] {
        self.entries.as_ref().map_or(&[], |entries| entries)
    }

    /// How many collections have ended.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries().len()
    }

    /// The collection at `index`, in the order in which they ended.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Dump<H>> {
        Some(&self.entries().get(index)?.dump)
    }

    /// All collections, in the order in which they ended.
    pub fn iter(&self) -> impl Iterator<Item = &Dump<H>> {
        self.entries().iter().map(|entry| &*entry.dump)
    }

    /// Whether one of them has `name`.
    pub(crate) fn has_name(&self, name: &Name) -> bool {
        self.iter().any(|dump| dump.record().name.as_ref() == Some(name))
    }

    /// Where the parts of the last collection end.
    pub(crate) fn ends(&self) -> Ends {
        self.entries().last().map_or_else(Ends::default, |entry| entry.ends)
    }

    /// The record in the manifest that has the byte `offset` of all records.
    pub(crate) fn find_record(&self, offset: u64) -> Option<NoteExtent> {
        self.find(offset, |ends| ends.manifest.into())
    }

    /// The collection whose part that ends at `end` has the byte `offset` of all such
    /// parts.
    fn find(&self, offset: u64, end: impl Fn(&Ends) -> u64) -> Option<NoteExtent> {
        let entries = self.entries();
        let index = entries.partition_point(|entry| end(&entry.ends) <= offset);
        let previous = index.checked_sub(1).and_then(|previous| entries.get(previous));
        Some(NoteExtent {
            index,
            start: previous.map_or(0, |entry| end(&entry.ends)),
            end: end(&entries.get(index)?.ends),
        })
    }
}

/// The dumps of a table that stand in one of the files.
pub(crate) struct Notes<'a, H: Host> {
    pub table: &'a Table<H>,
    /// Whether all do, or only those that are inline.
    pub all: bool,
}

impl<H: Host> Notes<'_, H> {
    fn end(&self, ends: &Ends) -> u64 {
        if self.all { ends.all } else { ends.inline }
    }
}

impl<H: Host> DumpTable for Notes<'_, H> {
    fn size(&self) -> u64 {
        self.end(&self.table.ends())
    }

    fn find(&self, offset: u64) -> Option<NoteExtent> {
        self.table.find(offset, |ends| self.end(ends))
    }
}

/// What one more entry takes in the table, in bytes.
pub(crate) const fn entry_size<H: Host>() -> u64 {
    size_of::<Entry<H>>() as u64
}
