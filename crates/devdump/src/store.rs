// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The collections so far, and how much memory they may use.

use kmem::{Block, Mutex, NoMemory, Vec};
use vmcore::device_dump::{self, Name};
use vmcore::manifest::{Reason, Record, Renamed, Status, Whereabouts};

use crate::chunk::{CHUNK_SIZE, Workspace};
use crate::dump::Dump;
use crate::host::{Host, Lock};
use crate::names::Names;
use crate::state::State;
use crate::table::{Ends, entry_size};

/// How much memory is allocated at a time for the payloads of dumps, in bytes.
///
/// Dumps share segments: what one leaves is for the next one. With an allocation for
/// each chunk, the kernel would round 1,000 bytes up to 1,024 and what is compressed to
/// 5,000 up to 8,192.
const SEGMENT_SIZE: usize = 4 * CHUNK_SIZE;
/// How many segments with room the store keeps: one for each of so many collectors that
/// write at the same time.
const SEGMENTS_MAX: usize = 8;
/// How many workspaces the store keeps; more are in use only while more collectors write
/// at the same time.
const WORKSPACES_MAX: usize = 2;

/// How much of each kind there may be, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// What is kept of all dumps. One dump gets half of what the others leave, or an
    /// eighth of all as long as it leaves a 32nd, so that something is left for those
    /// that come later.
    pub total: u64,
    /// What is kept of one dump.
    pub dump: u64,
    /// The notes that stand in `/proc/vmcore`; the program that saves it may hold them
    /// in memory.
    pub inline: u64,
    /// The notes for which the header of `/proc/vmcore` has room.
    pub room: u64,
}

/// The collections so far. Any thread may call any method at any time; the lock is held
/// for a few allocations at most, and for a copy of the [`Table`](crate::Table).
pub struct Store<H: Host> {
    limits: Limits,
    inner: Mutex<Inner<H>, H::Lock>,
}

struct Inner<H: Host> {
    state: State<H>,
    /// The names of the collections that have ended.
    names: Names<H>,
    /// How much of the budget is used, in bytes.
    used: u64,
    segments: Vec<Block<H>, H>,
    workspaces: Vec<Workspace<H>, H>,
}

impl<H: Host> Store<H> {
    /// An empty store, with the workspace of one writer.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn new(limits: Limits) -> Result<Self, NoMemory> {
        let mut workspaces = Vec::with_capacity(WORKSPACES_MAX)?;
        workspaces.push(Workspace::new()?)?;
        let segments = Vec::with_capacity(SEGMENTS_MAX)?;
        let names = Names::new()?;
        let inner = Inner { state: State::new(), names, used: 0, segments, workspaces };
        Ok(Self { inner: Mutex::new(H::lock(Lock::Store)?, inner), limits })
    }

    /// The state of all collections at this moment.
    #[must_use]
    pub fn state(&self) -> State<H> {
        self.inner.lock().state.clone()
    }

    /// How much of the budget is used, in bytes.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.inner.lock().used
    }

    /// Lists a collection that starts. Returns its name, which no other listed one has,
    /// and whether it is listed itself.
    pub(crate) fn start(&self, wanted: &Name, renamed: Renamed) -> (Name, Renamed, bool) {
        let mut inner = self.inner.lock();
        let name = inner.state.unique(wanted, &inner.names);
        let renamed = Renamed { taken: name != *wanted, ..renamed };
        let record = Record::new(Some(name), renamed, Status::Running);
        (name, renamed, inner.state.start(record))
    }

    /// Records that a collection was refused, and returns the record.
    pub fn refuse(&self, name: Option<Name>, renamed: Renamed, reason: Reason) -> Record {
        let refused = Record::new(name, renamed, Status::Refused);
        let record = Record { reason: Some(reason), ..refused };
        self.record(Dump::new(record, Vec::new()), false)
    }

    /// Adds the collection `dump`, which has ended; [`Store::start`] has said whether it
    /// `is_listed`. Returns its record. Without memory for it, the payload is lost, and
    /// the record, which is not kept, says so.
    pub(crate) fn record(&self, dump: Dump<H>, is_listed: bool) -> Record {
        let stored = dump.record().stored.into();
        let lost = Record {
            status: Status::Failed,
            reason: Some(Reason::NoMemory),
            whereabouts: Whereabouts::Nowhere,
            length: 0,
            stored: 0,
            ..*dump.record()
        };
        let mut inner = self.inner.lock();
        let record = match inner.append(&self.limits, dump, is_listed) {
            Ok(record) => record,
            Err(reason) => {
                inner.used = inner.used.saturating_sub(stored);
                inner.state.unrecorded = inner.state.unrecorded.saturating_add(1);
                Record { reason: Some(reason), ..lost }
            }
        };
        inner.state.measure();
        record
    }

    /// Takes `size` bytes of the budget for a dump that has `own` already.
    ///
    /// # Errors
    /// The [`Reason`] when it does not get them.
    pub(crate) fn reserve(&self, own: u64, size: u64) -> Result<(), Reason> {
        let Limits { total, dump, .. } = self.limits;
        let wanted = own.saturating_add(size);
        if size > 0 && wanted > dump {
            return Err(Reason::DumpLimit);
        }
        let mut inner = self.inner.lock();
        let others = inner.used.saturating_sub(own);
        let rest = total.saturating_sub(others);
        let share = (rest / 2).max(rest.saturating_sub(total / 32).min(total / 8));
        if size > 0 && wanted > share {
            return Err(Reason::Budget);
        }
        inner.used = inner.used.saturating_add(size);
        Ok(())
    }

    /// Returns `size` bytes to the budget.
    pub(crate) fn release(&self, size: u64) {
        if size > 0 {
            let mut inner = self.inner.lock();
            inner.used = inner.used.saturating_sub(size);
        }
    }

    /// Returns a segment with room for `size` bytes, which are at most a chunk.
    pub(crate) fn segment(&self, size: usize) -> Result<Block<H>, NoMemory> {
        let kept = self.inner.lock().take_segment(size);
        if let Some(segment) = kept {
            return Ok(segment);
        }
        if !H::affords(SEGMENT_SIZE as u64) {
            return Err(NoMemory);
        }
        Block::new(SEGMENT_SIZE).or_else(|NoMemory| Block::new(size))
    }

    /// Takes back what a writer did not use of a segment.
    pub(crate) fn give_segment(&self, segment: Block<H>) {
        let surplus = self.inner.lock().give_segment(segment);
        // One too many is freed without the lock.
        drop(surplus);
    }

    pub(crate) fn workspace(&self) -> Result<Workspace<H>, NoMemory> {
        let kept = self.inner.lock().workspaces.pop();
        kept.map_or_else(Workspace::new, Ok)
    }

    /// Keeps `workspace` at hand, or frees it: as an argument, after the lock is given back.
    pub(crate) fn give_workspace(&self, workspace: Workspace<H>) {
        let mut inner = self.inner.lock();
        if inner.workspaces.len() < WORKSPACES_MAX {
            // There is room: it was allocated at the start.
            let _ = inner.workspaces.push(workspace);
        }
    }
}

impl<H: Host> Inner<H> {
    fn append(
        &mut self,
        limits: &Limits,
        mut dump: Dump<H>,
        is_listed: bool,
    ) -> Result<Record, Reason> {
        if let Some(name) = dump.record().name {
            if is_listed {
                self.state.end(&name);
            } else if dump.record().status != Status::Refused {
                let name = self.state.unique(&name, &self.names);
                let record = dump.record_mut();
                record.renamed.taken |= record.name != Some(name);
                record.name = Some(name);
            }
        }
        let overhead = dump.overhead() + entry_size::<H>();
        let used = self.used.saturating_add(overhead);
        // A dump that has stored bytes was admitted with the first of them.
        if used > limits.total && dump.record().stored == 0 {
            return Err(Reason::Budget);
        }
        let ends = self.ends_with(limits, dump.record_mut())?;
        let record = *dump.record();
        self.state.table.push(dump, ends).map_err(|NoMemory| Reason::NoMemory)?;
        if let Some(name) = &record.name {
            self.names.add(name.hash());
        }
        self.used = used;
        Ok(record)
    }

    /// Computes where the parts of `record` will end, and enters in it in which file its
    /// note stands.
    fn ends_with(&self, limits: &Limits, record: &mut Record) -> Result<Ends, Reason> {
        let mut ends = self.state.table.ends();
        if record.length > 0 {
            let size = device_dump::note_size(record.length.into()).ok_or(Reason::TooLong)?;
            let all = ends.all.checked_add(size).filter(|end| i64::try_from(*end).is_ok());
            ends.all = all.ok_or(Reason::TooLong)?;
            // Half of the room is left to the manifest.
            let most = limits.inline.min(limits.room / 2);
            let inline = ends.inline.checked_add(size).filter(|end| *end <= most);
            record.whereabouts = match inline {
                Some(_) => Whereabouts::Inline,
                None => Whereabouts::Vmcoredd,
            };
            ends.inline = inline.unwrap_or(ends.inline);
        }
        let text = u32::try_from(record.text().as_bytes().len()).ok();
        let manifest = text.and_then(|text| ends.manifest.checked_add(text));
        ends.manifest = manifest.ok_or(Reason::NoMemory)?;
        Ok(ends)
    }

    fn take_segment(&mut self, size: usize) -> Option<Block<H>> {
        let found = self.segments.iter().position(|segment| segment.len() >= size)?;
        let last = self.segments.pop()?;
        match self.segments.get_mut(found) {
            Some(place) => Some(core::mem::replace(place, last)),
            None => Some(last),
        }
    }

    /// Keeps `segment`; returns the one with the least room where there are too many.
    fn give_segment(&mut self, segment: Block<H>) -> Option<Block<H>> {
        if self.segments.len() < SEGMENTS_MAX {
            // There is room: it was allocated at the start.
            let _ = self.segments.push(segment);
            return None;
        }
        let smallest = self.segments.iter_mut().min_by_key(|segment| segment.len());
        match smallest.filter(|smallest| smallest.len() < segment.len()) {
            Some(smallest) => Some(core::mem::replace(smallest, segment)),
            None => Some(segment),
        }
    }
}
