// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The dumps of one state of the file, in the order in which they were added.
//!
//! Adding must not touch what a reader holds, and must stay cheap with
//! thousands of dumps. So the table is a list of rows of up to [`ROW_LENGTH`]
//! entries, every row shared: a table with one more entry has a new last row
//! and a new list of rows, and shares all else with the table before it.

use vmcore::layout::DumpTable;

use crate::dump::Dump;
use crate::memory::{List, Memory, NoMemory};

const ROW_LENGTH: usize = 128;

/// A dump and where its note ends.
struct Entry<M: Memory> {
    dump: M::Shared<Dump<M>>,
    /// In bytes from the start of the first dump's note.
    end: u64,
}

impl<M: Memory> Clone for Entry<M> {
    fn clone(&self) -> Self {
        Self { dump: self.dump.clone(), end: self.end }
    }
}

type Row<M> = <M as Memory>::List<Entry<M>>;
type Rows<M> = <M as Memory>::List<<M as Memory>::Shared<Row<M>>>;

/// The dumps of one state of the file. Cheap to clone; never changes.
pub struct Table<M: Memory> {
    /// `None` without any dump; every row but the last one is full.
    rows: Option<M::Shared<Rows<M>>>,
    count: usize,
    /// Where the last note ends.
    end: u64,
}

impl<M: Memory> Clone for Table<M> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), count: self.count, end: self.end }
    }
}

impl<M: Memory> Table<M> {
    pub(crate) const fn new() -> Self {
        Self { rows: None, count: 0, end: 0 }
    }

    /// This table with one more dump, whose note ends at `end`.
    pub(crate) fn with(
        &self,
        memory: &M,
        dump: M::Shared<Dump<M>>,
        end: u64,
    ) -> Result<Self, NoMemory> {
        let old: &[M::Shared<Row<M>>] = match &self.rows {
            Some(rows) => rows,
            None => &[],
        };
        let (full, open): (_, &[Entry<M>]) = match old.split_last() {
            Some((last, full)) if last.len() < ROW_LENGTH => (full, last),
            _ => (old, &[]),
        };
        let mut row = copied(memory, open)?;
        row.push(Entry { dump, end })?;
        let mut rows = copied(memory, full)?;
        rows.push(memory.share(row)?)?;
        Ok(Self { rows: Some(memory.share(rows)?), count: self.count + 1, end })
    }

    fn entry(&self, index: usize) -> Option<&Entry<M>> {
        self.rows.as_ref()?.get(index / ROW_LENGTH)?.get(index % ROW_LENGTH)
    }

    /// The dump at `index`, in the order in which they were added.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Dump<M>> {
        Some(&self.entry(index)?.dump)
    }

    /// All dumps, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Dump<M>> {
        (0..self.count).map_while(|index| self.get(index))
    }

    /// Size of all notes, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.end
    }
}

impl<M: Memory> DumpTable for Table<M> {
    fn count(&self) -> usize {
        self.count
    }

    fn end(&self, index: usize) -> Option<u64> {
        Some(self.entry(index)?.end)
    }
}

fn copied<M: Memory, T: Clone>(memory: &M, from: &[T]) -> Result<M::List<T>, NoMemory> {
    let mut list = memory.list();
    from.iter().try_for_each(|entry| list.push(entry.clone()))?;
    Ok(list)
}
