// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One collection, from its start to its record.

use kmem::{Arc, Mutex, NoMemory, Vec};
use vmcore::device_dump::Name;
use vmcore::manifest::{Reason, Record, Renamed, Status};

use crate::dump::Dump;
use crate::host::{Host, Lock};
use crate::store::Store;
use crate::writer::DumpWriter;

/// How a collector ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It returned 0, or a negative errno.
    Returned(i32),
    /// Its thread died.
    Crashed,
    /// It had not ended at its deadline.
    Late,
    /// Something else: it was never called, or a process that stands for it failed.
    Other(Reason),
}

impl Ending {
    const fn reason(self) -> Option<Reason> {
        match self {
            Self::Returned(0) => None,
            Self::Returned(errno) => Some(Reason::Errno(errno)),
            Self::Crashed => Some(Reason::Crashed),
            Self::Late => Some(Reason::Deadline),
            Self::Other(reason) => Some(reason),
        }
    }
}

/// A collection that has not ended. The manifest lists it as running until
/// [`Collection::end`].
#[must_use]
pub struct Collection<H: Host> {
    store: Arc<Store<H>, H>,
    name: Name,
    renamed: Renamed,
    is_listed: bool,
    declared: u64,
    started: u64,
}

impl<H: Host> Collection<H> {
    /// Starts a collection for the dump `name`, or `name#2` and so on where that
    /// is taken. `declared` is the length that the collector expects, in bytes, 0
    /// where it does not know.
    pub fn start(store: &Arc<Store<H>, H>, name: &Name, renamed: Renamed, declared: u64) -> Self {
        let (name, renamed, is_listed) = store.start(name, renamed);
        let started = H::milliseconds();
        Self { store: store.clone(), name, renamed, is_listed, declared, started }
    }

    /// The name under which it will be added.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What the collector, or somebody for it, writes to; it takes no more once
    /// `limit` milliseconds have passed since the start.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn writer(&self, limit: Option<u64>) -> Result<DumpWriter<H>, NoMemory> {
        let deadline = limit.map(|limit| self.started.saturating_add(limit));
        DumpWriter::new(&self.store, deadline)
    }

    /// Ends the collection: what was `written` is now in the store, whatever the
    /// `ending` was. Gives the record of it.
    pub fn end(self, written: Option<DumpWriter<H>>, ending: Ending) -> Record {
        let store = &self.store;
        let written = written.map(DumpWriter::finish);
        let length = written.as_ref().map_or(0, |written| written.length);
        let cut = written.as_ref().and_then(|written| written.cut);
        let (status, reason) = self.outcome(length.into(), cut.or(ending.reason()));
        let taken = H::milliseconds().saturating_sub(self.started);
        let mut record = Record {
            reason,
            length,
            declared: u32::try_from(self.declared).unwrap_or(u32::MAX),
            milliseconds: u32::try_from(taken).unwrap_or(u32::MAX),
            ..Record::new(Some(self.name), self.renamed, status)
        };
        let chunks = match written {
            Some(written) => {
                record.stored = written.stored;
                record.crc32c = written.crc32c;
                written.chunks
            }
            None => Vec::new(),
        };
        store.record(Dump::new(record, chunks), self.is_listed)
    }

    fn outcome(&self, length: u64, reason: Option<Reason>) -> (Status, Option<Reason>) {
        match reason {
            Some(reason) if length > 0 => (Status::Partial, Some(reason)),
            Some(reason) => (Status::Failed, Some(reason)),
            None if length == 0 => (Status::Refused, Some(Reason::Empty)),
            None if self.declared > length => (Status::Partial, Some(Reason::Shorter)),
            None if self.declared > 0 && self.declared < length => {
                (Status::Complete, Some(Reason::Longer))
            }
            None => (Status::Complete, None),
        }
    }
}

/// A writer that its collector has on one thread, and that another thread can
/// take away from it at any time.
pub struct Lent<H: Host> {
    writer: Mutex<Option<DumpWriter<H>>, H::Lock>,
}

impl<H: Host> Lent<H> {
    /// Lends `writer`.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn new(writer: DumpWriter<H>) -> Result<Self, NoMemory> {
        Ok(Self { writer: Mutex::new(H::lock(Lock::Writer)?, Some(writer)) })
    }

    /// As [`DumpWriter::write_with`]. The writer cannot be taken away meanwhile; at
    /// its deadline, writing ends after the chunk that is being filled.
    ///
    /// # Errors
    /// As there, and [`Reason::Deadline`] once the writer was taken away.
    pub fn write_with(
        &self,
        length: u64,
        copy: impl FnMut(&mut [u8]) -> bool,
    ) -> Result<(), Reason> {
        match &mut *self.writer.lock() {
            Some(writer) => writer.write_with(length, copy),
            None => Err(Reason::Deadline),
        }
    }

    /// As [`DumpWriter::time_left`]; none once the writer was taken away.
    pub fn time_left(&self) -> Option<u64> {
        self.writer.lock().as_ref().map_or(Some(0), DumpWriter::time_left)
    }

    /// Takes the writer away; `None` when it was taken before.
    pub fn take(&self) -> Option<DumpWriter<H>> {
        self.writer.lock().take()
    }
}
