// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The dumps that were added so far.

use vmcore::device_dump::{self, Name};
use vmcore::layout::DumpTable;

use crate::dump::Dump;
use crate::memory::{Memory, NoMemory};
use crate::table::Table;

/// Why a dump is not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddError {
    /// There is nothing in it.
    Empty,
    /// The file's header cannot say where things would stand behind it.
    NoRoom,
    /// No memory is left.
    NoMemory,
}

impl From<NoMemory> for AddError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// The dumps that were added so far. Its host puts it behind a lock; no method
/// does more than a few small allocations.
pub struct Store<M: Memory> {
    memory: M,
    table: Table<M>,
    room: u64,
}

impl<M: Memory> Store<M> {
    /// An empty store whose notes may have `room` bytes in all.
    #[must_use]
    pub const fn new(memory: M, room: u64) -> Self {
        Self { memory, table: Table::new(), room }
    }

    /// The dumps of this moment.
    #[must_use]
    pub const fn table(&self) -> &Table<M> {
        &self.table
    }

    /// Adds `dump` behind all others.
    ///
    /// A name that is taken gets `#2`, `#3` and so on; the name under which the
    /// dump was added is given back.
    ///
    /// # Errors
    /// [`AddError`]; the store is as before and the dump is dropped.
    pub fn add(&mut self, mut dump: Dump<M>) -> Result<Name, AddError> {
        if dump.length() == 0 {
            return Err(AddError::Empty);
        }
        let size = device_dump::note_size(dump.length()).ok_or(AddError::NoRoom)?;
        let end = self.table.size().checked_add(size).filter(|end| *end <= self.room);
        let end = end.ok_or(AddError::NoRoom)?;
        let name = self.unique(dump.name());
        dump.rename(name);
        let dump = self.memory.share(dump)?;
        self.table = self.table.with(&self.memory, dump, end)?;
        Ok(name)
    }

    fn is_taken(&self, name: &Name) -> bool {
        self.table.iter().any(|dump| dump.name() == name)
    }

    fn unique(&self, name: &Name) -> Name {
        if !self.is_taken(name) {
            return *name;
        }
        let numbers = self.table.iter().filter_map(|dump| dump.name().number_of(name));
        let next = numbers.max().unwrap_or(1).wrapping_add(1);
        // That one is free, but for a name that has such a number in itself. Of
        // one name more than there are dumps, one is free in any case.
        let tries = 0..=self.table.count().min(u32::MAX as usize) as u32;
        let names = tries.map(|step| name.numbered(next.wrapping_add(step)));
        names.into_iter().find(|name| !self.is_taken(name)).unwrap_or(*name)
    }
}
