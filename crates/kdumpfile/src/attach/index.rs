// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a file has, found by name and content: there may be tens of thousands of dumps
//! and of records, all of one name.

use std::collections::{HashMap, HashSet};
use std::iter;

use vmcore::device_dump::Name;

use crate::device_dump::DeviceDump;
use crate::error::Error;
use crate::manifest::Record;

/// The device dumps of a file, by name, length and content.
pub(super) struct There<'a> {
    by_length: HashMap<u64, HashMap<&'a [u8], SameLength<'a>>>,
}

/// Those of one name and length.
#[derive(Default)]
struct SameLength<'a> {
    /// Those whose payload was not yet read.
    unread: Vec<&'a DeviceDump<'a>>,
    /// The others, by their checksums.
    read: HashMap<u32, &'a DeviceDump<'a>>,
}

impl<'a> There<'a> {
    /// Of the dumps that are `there`, and the record of each.
    pub fn new(there: &'a [DeviceDump<'a>], records: &[Option<Record<'a>>]) -> Self {
        let mut by_length = HashMap::<_, HashMap<_, SameLength<'a>>>::new();
        for (dump, record) in there.iter().zip(records) {
            // One that has got a number is found by the name that it should have had.
            let wanted = record.and_then(|record| record.wanted());
            for name in iter::once(dump.name()).chain(wanted) {
                let by_name = by_length.entry(dump.length()).or_default();
                by_name.entry(name).or_default().unread.push(dump);
            }
        }
        Self { by_length }
    }

    /// The one of this `name` that has the content of `dump`. Each is read at most once
    /// for each of its names.
    pub fn find(
        &mut self,
        name: Name,
        dump: &DeviceDump<'_>,
    ) -> Result<Option<&'a DeviceDump<'a>>, Error> {
        let by_name = self.by_length.get_mut(&dump.available());
        let Some(same) = by_name.and_then(|by_name| by_name.get_mut(name.as_bytes())) else {
            return Ok(None);
        };
        while let Some(other) = same.unread.pop() {
            same.read.insert(other.crc32c()?, other);
        }
        Ok(same.read.get(&dump.crc32c()?).copied())
    }
}

/// The names that are taken, by dumps and by records of dumps that are elsewhere.
pub(super) struct Names<'a> {
    dumps: HashSet<Vec<u8>>,
    /// Of records without a dump.
    waiting: HashMap<&'a [u8], Waiting<'a>>,
    /// The next number that may be free, for each start of a name.
    next: HashMap<Vec<u8>, u32>,
}

/// The records of one name that wait for their dump.
#[derive(Default)]
struct Waiting<'a> {
    /// Length and CRC-32C of the dumps.
    contents: HashSet<(u64, u32)>,
    records: HashSet<Record<'a>>,
}

impl<'a> Names<'a> {
    /// Of the dumps that are `there` and the records of `others`.
    pub fn new(there: &[DeviceDump<'_>], others: Vec<Record<'a>>) -> Self {
        let mut waiting = HashMap::<_, Waiting<'a>>::new();
        for record in others {
            // Of records without a payload many may have one name.
            if record.may_leave_dump() {
                let of_name = waiting.entry(record.name()).or_default();
                of_name.contents.extend(record.length().zip(record.crc32c()));
                of_name.records.insert(record);
            }
        }
        let dumps = there.iter().map(|dump| dump.name().to_vec()).collect();
        Self { dumps, waiting, next: HashMap::new() }
    }

    /// The name for a new dump that is to be called `name`, and whether there is a record
    /// of it already: one with this length and checksum, or the same one as `record`,
    /// which came with it. Where another dump or record has the name, it gets a number.
    pub fn take(
        &mut self,
        name: Name,
        length: u64,
        crc: u32,
        record: Option<Record<'_>>,
    ) -> (Name, bool) {
        let waiting = self.waiting.get(name.as_bytes());
        let is_recorded = waiting.is_some_and(|waiting| {
            waiting.contents.contains(&(length, crc))
                || record.is_some_and(|record| waiting.records.contains(&record))
        });
        if is_recorded && self.dumps.insert(name.as_bytes().to_vec()) {
            return (name, true);
        }
        let mut free = name;
        let mut number = 2;
        while self.is_taken(&free) {
            let candidate = name.numbered(number);
            // A long name is cut for its number, so that what is cut says which are free.
            let digits = number.ilog10() as usize + 1;
            let start = candidate.as_bytes().len().saturating_sub(digits);
            let start = candidate.as_bytes().get(..start).unwrap_or_default();
            match self.next.get_mut(start) {
                Some(next) if *next > number => number = *next,
                Some(next) => {
                    *next = number + 1;
                    free = candidate;
                }
                None => {
                    self.next.insert(start.to_vec(), number + 1);
                    free = candidate;
                }
            }
        }
        self.dumps.insert(free.as_bytes().to_vec());
        (free, false)
    }

    fn is_taken(&self, name: &Name) -> bool {
        self.dumps.contains(name.as_bytes()) || self.waiting.contains_key(name.as_bytes())
    }
}
