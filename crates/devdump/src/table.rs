// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What became of the collections so far, in the order in which they ended.
//!
//! Adding must not touch what a reader holds, and must stay cheap with
//! thousands of dumps. So the table is a list of rows, each with as many entries as
//! fit a page, and every row is shared. To put an entry behind the others takes a
//! new last row and a new list of rows where another table has them, too.

use vmcore::device_dump::Name;
use vmcore::layout::{DumpTable, Note};

use crate::dump::Dump;
use crate::host::Host;
use crate::memory::{List as _, NoMemory, Shared as _};

/// How much memory a row takes, in bytes: a page.
const ROW_SIZE: usize = 4096;

/// Where the parts of one collection, or of all up to it, end in the files.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ends {
    /// Its note where every dump has one, in bytes from the start of the first one.
    pub all: u64,
    /// Its note where only some dumps have one, likewise.
    pub inline: u64,
    /// Its record, in bytes from the start of the first one.
    pub manifest: u32,
}

/// A collection and where its parts end.
pub(crate) struct Entry<H: Host> {
    dump: H::Shared<Dump<H>>,
    ends: Ends,
}

impl<H: Host> Clone for Entry<H> {
    fn clone(&self) -> Self {
        Self { dump: self.dump.clone(), ends: self.ends }
    }
}

type Row<H> = <H as crate::Memory>::List<Entry<H>>;
type Rows<H> = <H as crate::Memory>::List<<H as crate::Memory>::Shared<Row<H>>>;

/// What became of the collections so far. Cheap to clone; never changes.
pub struct Table<H: Host> {
    /// `None` without any entry; every row but the last one is full.
    rows: Option<H::Shared<Rows<H>>>,
    count: usize,
    /// Of the last entry.
    ends: Ends,
}

impl<H: Host> Clone for Table<H> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), count: self.count, ends: self.ends }
    }
}

impl<H: Host> Table<H> {
    pub(crate) const fn new() -> Self {
        Self { rows: None, count: 0, ends: Ends { all: 0, inline: 0, manifest: 0 } }
    }

    /// Puts one more collection behind the others; its parts end at `ends`.
    ///
    /// What another table shares with this one stays as it is.
    pub(crate) fn push(&mut self, host: &H, dump: Dump<H>, ends: Ends) -> Result<(), NoMemory> {
        let dump = host.share(dump)?;
        self.open_row(host)?.push(Entry { dump, ends })?;
        self.count += 1;
        self.ends = ends;
        Ok(())
    }

    /// The last row, which has room and is of no other table.
    fn open_row(&mut self, host: &H) -> Result<&mut Row<H>, NoMemory> {
        let rows = match &mut self.rows {
            Some(rows) => rows,
            none => none.insert(host.share(host.list())?),
        };
        if rows.unique().is_none() {
            *rows = host.share(copied(host, rows, rows.len() + 1)?)?;
        }
        let rows = rows.unique().ok_or(NoMemory)?;
        if rows.last().is_none_or(|row| row.len() >= row_length::<H>()) {
            rows.push(host.share(host.list_of(row_length::<H>())?)?)?;
        }
        let row = rows.last_mut().ok_or(NoMemory)?;
        if row.unique().is_none() {
            *row = host.share(copied(host, row, row_length::<H>())?)?;
        }
        row.unique().ok_or(NoMemory)
    }

    fn entry(&self, index: usize) -> Option<&Entry<H>> {
        self.rows.as_ref()?.get(index / row_length::<H>())?.get(index % row_length::<H>())
    }

    fn entries(&self) -> impl Iterator<Item = &Entry<H>> {
        let rows = self.rows.as_ref().map(|rows| rows.iter());
        rows.into_iter().flatten().flat_map(|row| row.iter())
    }

    /// How many collections have ended.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The collection at `index`, in the order in which they ended.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Dump<H>> {
        Some(&self.entry(index)?.dump)
    }

    /// All collections, in the order in which they ended.
    pub fn iter(&self) -> impl Iterator<Item = &Dump<H>> {
        self.entries().map(|entry| &*entry.dump)
    }

    /// Whether one of them has `name`.
    pub(crate) fn has_name(&self, name: &Name) -> bool {
        self.iter().any(|dump| dump.record().name.as_ref() == Some(name))
    }

    pub(crate) fn ends(&self) -> Ends {
        self.ends
    }

    /// The record in the manifest that has the byte `offset` of all records.
    pub(crate) fn find_record(&self, offset: u64) -> Option<Note> {
        self.find(offset, |ends| ends.manifest.into())
    }

    /// The collection whose part that ends at `end` has the byte `offset` of all such
    /// parts.
    fn find(&self, offset: u64, end: impl Fn(&Ends) -> u64) -> Option<Note> {
        let rows: &[_] = self.rows.as_ref()?;
        let is_before = |entry: &Entry<H>| end(&entry.ends) <= offset;
        let above = rows.partition_point(|row| row.last().is_some_and(is_before));
        let row: &[_] = rows.get(above)?;
        let left = row.partition_point(is_before);
        let previous = match left.checked_sub(1) {
            Some(previous) => row.get(previous),
            None => above.checked_sub(1).and_then(|above| rows.get(above)?.last()),
        };
        Some(Note {
            index: above.checked_mul(row_length::<H>())?.checked_add(left)?,
            start: previous.map_or(0, |entry| end(&entry.ends)),
            end: end(&row.get(left)?.ends),
        })
    }
}

/// The dumps of a table that stand in one of the files.
pub(crate) struct Notes<'a, H: Host> {
    pub table: &'a Table<H>,
    /// Whether all do, or only those that are inline.
    pub all: bool,
}

impl<H: Host> DumpTable for Notes<'_, H> {
    fn size(&self) -> u64 {
        if self.all { self.table.ends.all } else { self.table.ends.inline }
    }

    fn find(&self, offset: u64) -> Option<Note> {
        if self.all {
            self.table.find(offset, |ends| ends.all)
        } else {
            self.table.find(offset, |ends| ends.inline)
        }
    }
}

/// What one more entry takes in a row, in bytes.
pub(crate) const fn entry_size<H: Host>() -> u64 {
    size_of::<Entry<H>>() as u64
}

/// How many entries a row has.
const fn row_length<H: Host>() -> usize {
    const { ROW_SIZE / size_of::<Entry<H>>() }
}

fn copied<H: Host, T: Clone>(
    host: &H,
    from: &[T],
    capacity: usize,
) -> Result<H::List<T>, NoMemory> {
    let mut list = host.list_of(capacity)?;
    from.iter().try_for_each(|entry| list.push(entry.clone()))?;
    Ok(list)
}
