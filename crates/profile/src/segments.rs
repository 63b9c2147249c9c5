// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What of a device is in a dump, by address.

use std::collections::BTreeMap;

use plan::device::{Bar, Cpu, Host, Missed, NoRoom};
use plan::dump::{self, Status};
use plan::place::{Place, Space};

/// A segment, as a dump has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// What stands before its registers.
    pub head: dump::Segment,
    /// The registers.
    pub bytes: &'a [u8],
    /// Where these are in the dump, in bytes.
    pub position: usize,
}

/// Where registers are: a space, and which of them.
pub(crate) type Key = (Space, u8);

/// Registers one after the other.
#[derive(Debug, Clone, Copy)]
struct Run<'a> {
    start: u64,
    /// The address after the last.
    end: u64,
    bytes: &'a [u8],
    position: usize,
}

/// Some that were not read.
#[derive(Debug, Clone, Copy)]
struct Gap {
    start: u64,
    end: u64,
    status: Status,
}

/// What was read of a device, and what was not.
#[derive(Debug, Default)]
pub(crate) struct Map<'a> {
    /// Without overlap, in order.
    runs: BTreeMap<Key, Vec<Run<'a>>>,
    /// In the order of their starts.
    gaps: BTreeMap<Key, Vec<Gap>>,
}

/// How many bytes an address is for.
fn bytes_of(space: Space) -> u64 {
    if space == Space::Msr { 8 } else { 1 }
}

impl<'a> Map<'a> {
    pub(crate) fn new(segments: &[Segment<'a>]) -> Self {
        let mut map = Self::default();
        for segment in segments {
            let head = &segment.head;
            let key = (head.space, head.index);
            let each = bytes_of(head.space);
            let length = (segment.bytes.len() as u64).min(head.wanted);
            let start = head.offset;
            let read = start.saturating_add(length / each);
            if read > start {
                let run =
                    Run { start, end: read, bytes: segment.bytes, position: segment.position };
                map.runs.entry(key).or_default().push(run);
            }
            let end = start.saturating_add(head.wanted.div_ceil(each));
            if end > read && head.status != Status::Complete {
                let gap = Gap { start: read, end, status: head.status };
                map.gaps.entry(key).or_default().push(gap);
            }
        }
        for runs in map.runs.values_mut() {
            *runs = without_overlap(std::mem::take(runs));
        }
        for gaps in map.gaps.values_mut() {
            gaps.sort_by_key(|gap| gap.start);
        }
        map
    }

    /// `length` bytes, eight at most, from `address` on, the first in the lowest place of the
    /// array, and where they are in the dump.
    pub(crate) fn bytes(&self, key: Key, address: u64, length: u64) -> Option<([u8; 8], usize)> {
        let mut found = [0; 8];
        let mut position = None;
        let each = bytes_of(key.0);
        let runs = self.runs.get(&key)?;
        let mut filled: u64 = 0;
        while filled < length {
            let at = address.checked_add(filled / each)?;
            let run = runs.get(runs.partition_point(|run| run.end <= at))?;
            let skip = at.checked_sub(run.start)?.checked_mul(each)?.checked_add(filled % each)?;
            let skip = usize::try_from(skip).ok()?;
            let from = run.bytes.get(skip..)?;
            let count = (length - filled).min((run.end - at).saturating_mul(each));
            let to = found.get_mut(filled as usize..length as usize)?;
            let copied = copy(to, from.get(..count as usize)?);
            filled = filled.checked_add(copied as u64)?;
            position = position.or(run.position.checked_add(skip));
        }
        Some((found, position?))
    }

    /// Why the register at `address` was not read, if the dump says so.
    pub(crate) fn why(&self, key: Key, address: u64) -> Option<Status> {
        let gaps = self.gaps.get(&key)?;
        let next = gaps.partition_point(|gap| gap.start <= address);
        let gap = gaps.get(next.checked_sub(1)?)?;
        (address < gap.end).then_some(gap.status)
    }

    /// Whether any of `length` addresses from `start` on was read.
    pub(crate) fn has_any(&self, key: Key, start: u64, length: u64) -> bool {
        let Some(runs) = self.runs.get(&key) else { return false };
        let run = runs.get(runs.partition_point(|run| run.end <= start));
        run.is_some_and(|run| run.start < start.saturating_add(length))
    }
}

/// Copies as much as both have, and says how much that is.
fn copy(to: &mut [u8], from: &[u8]) -> usize {
    to.iter_mut().zip(from).map(|(to, from)| *to = *from).count()
}

/// What was read twice is what was read at the lower start.
fn without_overlap(mut runs: Vec<Run<'_>>) -> Vec<Run<'_>> {
    runs.sort_by_key(|run| run.start);
    let mut end: u64 = 0;
    runs.retain_mut(|run| {
        let skip = end.saturating_sub(run.start).min(run.end - run.start);
        // A run of model-specific registers has eight bytes an address.
        let each = run.bytes.len() as u64 / (run.end - run.start).max(1);
        let bytes = skip.saturating_mul(each) as usize;
        run.bytes = run.bytes.get(bytes..).unwrap_or_default();
        run.position = run.position.saturating_add(bytes);
        run.start += skip;
        end = run.end.max(end);
        run.start < run.end
    });
    runs
}

/// A dump's configuration space, for what walks the lists in it.
pub(crate) struct Config<'m, 'a>(pub(crate) &'m Map<'a>);

impl Host for Config<'_, '_> {
    fn read(&mut self, place: Place, address: u64) -> Result<u64, Missed> {
        let key = (place.space, place.index);
        let found = self.0.bytes(key, address, place.width.bytes().into());
        found.map(|(bytes, _)| u64::from_le_bytes(bytes)).ok_or(Missed::Absent)
    }

    fn write(&mut self, _: Place, _: u64, _: u64) -> Result<(), Missed> {
        Err(Missed::Absent)
    }

    fn bar(&mut self, _: u8) -> Option<Bar> {
        None
    }

    fn cpu(&mut self) -> Cpu {
        Cpu::default()
    }

    fn about_to_read(&mut self, _: u8, _: Place, _: u64, _: u64) {}

    fn put(&mut self, _: &[u8]) -> Result<(), NoRoom> {
        Err(NoRoom)
    }

    fn is_late(&mut self) -> bool {
        false
    }

    fn milliseconds(&mut self) -> u64 {
        0
    }

    fn pause(&mut self) {}
}
