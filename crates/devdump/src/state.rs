// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is known of all collections at one moment, and the manifest of it.

use kmem::Arc;
use vmcore::bytes::Endian;
use vmcore::device_dump::Name;
use vmcore::layout::NoteExtent;
use vmcore::manifest::{self, Record};

use crate::host::Host;
use crate::names::Names;
use crate::sink::{Sink, part};
use crate::table::Table;

/// How many collections the manifest lists while they run; of more, the
/// outcome alone is told.
const RUNNING_MAX: usize = 8;

/// What is known of all collections at one moment. Cheap to clone; a clone never
/// changes.
pub struct State<H: Host> {
    pub(crate) table: Table<H>,
    running: [Option<Arc<Record, H>>; RUNNING_MAX],
    /// How many have no record, for want of memory.
    pub(crate) unrecorded: u64,
    /// Size of the manifest's text, in bytes; 0 as long as nothing was collected.
    text_size: u64,
}

impl<H: Host> Clone for State<H> {
    fn clone(&self) -> Self {
        let running = self.running.each_ref().map(Option::clone);
        let Self { unrecorded, text_size, .. } = *self;
        Self { table: self.table.clone(), running, unrecorded, text_size }
    }
}

impl<H: Host> State<H> {
    pub(crate) const fn new() -> Self {
        let running = [const { None }; RUNNING_MAX];
        Self { table: Table::new(), running, unrecorded: 0, text_size: 0 }
    }

    /// The collections that have ended.
    #[must_use]
    pub fn ended(&self) -> &Table<H> {
        &self.table
    }

    /// The collections that have not.
    pub fn running(&self) -> impl Iterator<Item = &Record> {
        self.running.iter().flatten().map(|record| &**record)
    }

    /// Lists a collection that starts, where there is place and memory for that;
    /// says whether it is.
    pub(crate) fn start(&mut self, record: Record) -> bool {
        match self.running.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Arc::new(record).ok();
                let is_listed = place.is_some();
                self.measure();
                is_listed
            }
            None => false,
        }
    }

    /// Lists no more the collection `name`, which is listed.
    pub(crate) fn end(&mut self, name: &Name) {
        let is_it = |place: &Option<Arc<Record, H>>| {
            place.as_ref().is_some_and(|record| record.name.as_ref() == Some(name))
        };
        if let Some(place) = self.running.iter_mut().find(|place| is_it(place)) {
            *place = None;
        }
    }

    /// `name`, or the first of `name#2`, `name#3` and so on that is free; `names` are those
    /// of the collections that have ended.
    pub(crate) fn unique(&self, name: &Name, names: &Names<H>) -> Name {
        let is_taken = |name: &Name| {
            names.may_have(name.hash()) && self.table.has_name(name)
                || self.running().any(|record| record.name.as_ref() == Some(name))
        };
        if !is_taken(name) {
            return *name;
        }
        let ended = self.table.iter().map(|dump| dump.record());
        let names = ended.chain(self.running()).filter_map(|record| record.name);
        let next = names.filter_map(|other| other.number_of(name)).max();
        let next = next.unwrap_or(1).wrapping_add(1);
        // That one is free, but for a name that has such a number in itself. Of
        // one name more than there are dumps, one is free in any case.
        let count = self.table.count().saturating_add(RUNNING_MAX);
        let tries = 0..=u32::try_from(count).unwrap_or(u32::MAX);
        let mut names = tries.map(|step| name.numbered(next.wrapping_add(step)));
        names.find(|name| !is_taken(name)).unwrap_or(*name)
    }

    /// Takes note of how long the manifest is now; to be called whenever it changed.
    pub(crate) fn measure(&mut self) {
        let running: usize = self.running().map(|record| record.text().as_bytes().len()).sum();
        let records = u64::from(self.table.ends().manifest) + running as u64;
        self.text_size = match (records, self.unrecorded) {
            (0, 0) => 0,
            _ => manifest::head(self.unrecorded).as_bytes().len() as u64 + records,
        };
    }

    /// Size of the manifest's note, in bytes; 0 as long as nothing was collected,
    /// so that the file is what it was without us.
    pub(crate) fn manifest_size(&self) -> u64 {
        match self.text_size {
            0 => 0,
            size => manifest::note_size(size),
        }
    }

    /// Puts the manifest's note from byte `within` on into `sink`, at most `limit`
    /// bytes. Gives how many bytes `sink` took.
    pub(crate) fn read_manifest<S: Sink>(
        &self,
        endian: Endian,
        within: u64,
        limit: usize,
        sink: &mut S,
    ) -> usize {
        let text_size = self.text_size;
        let Some(header) = manifest::header(endian, text_size) else {
            return 0;
        };
        match within.checked_sub(header.len() as u64) {
            None => sink.bytes(part(&header, within, limit)),
            Some(within) if within >= text_size => sink.zeros(limit),
            Some(within) => self.read_text(within, limit, sink),
        }
    }

    /// As [`State::read_manifest`], of one part of the text.
    fn read_text<S: Sink>(&self, within: u64, limit: usize, sink: &mut S) -> usize {
        let head = manifest::head(self.unrecorded);
        let Some(within) = within.checked_sub(head.as_bytes().len() as u64) else {
            return sink.bytes(part(head.as_bytes(), within, limit));
        };
        let ended = u64::from(self.table.ends().manifest);
        if within < ended {
            let Some(NoteExtent { index, start, .. }) = self.table.find_record(within) else {
                return 0;
            };
            let text = self.table.get(index).map(|dump| dump.record().text());
            let text = text.unwrap_or_default();
            return sink.bytes(part(text.as_bytes(), within.saturating_sub(start), limit));
        }
        let mut within = within - ended;
        for record in self.running() {
            let text = record.text();
            match within.checked_sub(text.as_bytes().len() as u64) {
                Some(behind) => within = behind,
                None => return sink.bytes(part(text.as_bytes(), within, limit)),
            }
        }
        0
    }
}
