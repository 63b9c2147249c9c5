// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Files that were opened, and mapped, some time ago: whatever is added meanwhile,
//! they must stay what they were.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::mm::{MapFlags, ProtFlags};
use xxhash_rust::xxh3::xxh3_64;

use crate::contents::Contents;
use crate::elf::Core;
use crate::error::{Error, Result};
use crate::mapping::Mapping;
use crate::random::XorShift;
use crate::ways::Way;

/// How many are kept, the very first one among them.
const KEPT: usize = 8;
/// How many ranges of each are looked at again, and how long they may be, in bytes.
const RANGES: usize = 24;
const RANGE_MAX: u64 = 1 << 15;
/// How many dumps at the end have their borders looked at.
const LAST_DUMPS: usize = 3;
/// After how many ranges the adders get their turn, and for how long.
const TURN: usize = 16;
const REST: Duration = Duration::from_millis(2);

/// An open file with its mapping; or the mapping alone, which outlives the file.
pub struct Kept {
    path: PathBuf,
    /// How many were opened before.
    number: u64,
    core: Option<Arc<Core>>,
    mapping: Mapping,
    ranges: Vec<Range>,
}

struct Range {
    offset: u64,
    length: usize,
    hash: u64,
}

impl Kept {
    /// Keeps `core`, which was just opened and ends at `end`.
    pub fn new(
        core: &Arc<Core>,
        number: u64,
        contents: &Contents,
        end: u64,
        random: &mut XorShift,
    ) -> Result<Self> {
        let sharing = if number.is_multiple_of(2) { MapFlags::SHARED } else { MapFlags::PRIVATE };
        let mapping = Mapping::new(&core.file, 0, end as usize, ProtFlags::READ, sharing)
            .map_err(Error::file("mmap", &core.path, 0))?;
        let borders = borders(core, contents, end);
        let mut buffer = Vec::new();
        let mut ranges = Vec::new();
        for index in 0..RANGES {
            let border = borders.get(index).copied().unwrap_or_else(|| random.below(end));
            let offset = border.saturating_sub(random.below(RANGE_MAX / 4)).min(end - 1);
            let length = random.below(RANGE_MAX).min(end - offset - 1) as usize + 1;
            buffer.resize(length, 0);
            core.read_exact(offset, &mut buffer)?;
            ranges.push(Range { offset, length, hash: xxh3_64(&buffer) });
        }
        let path = core.path.clone();
        let core = (number % 4 != 3).then(|| core.clone());
        Ok(Self { path, number, core, mapping, ranges })
    }

    /// Reads one of the ranges again, in one of the ways; returns its length.
    fn check_any(&self, buffer: &mut Vec<u8>, random: &mut XorShift) -> Result<u64> {
        let range = &self.ranges[random.below(self.ranges.len() as u64) as usize];
        buffer.resize(range.length, 0);
        let way = match &self.core {
            Some(core) if random.below(4) > 0 => {
                let way = Way::any(random);
                way.fill(core, range.offset, buffer, random)?;
                way.name()
            }
            _ => {
                self.mapping.copy_to(range.offset as usize, buffer);
                "the mapping"
            }
        };
        if xxh3_64(buffer) == range.hash {
            return Ok(range.length as u64);
        }
        let number = self.number;
        Err(Error::Disagree {
            path: self.path.clone(),
            way,
            offset: range.offset,
            length: range.length,
            difference: format!("is not what it was when the file was opened as number {number}"),
        })
    }
}

/// Where an add would move things, if it did.
fn borders(core: &Core, contents: &Contents, end: u64) -> Vec<u64> {
    let mut borders = vec![0, core.header_end, contents.others.start, contents.others.end, end];
    borders.extend(core.note_segments.iter().chain(&core.loads).map(|segment| segment.offset));
    for dump in contents.dumps.iter().rev().take(LAST_DUMPS) {
        borders.extend([dump.note_start, dump.start, dump.start + dump.length]);
    }
    borders.extend(contents.dumps.get(contents.dumps.len() / 2).map(|dump| dump.start));
    borders
}

/// The kept files, and the thread that reads them over and over.
#[derive(Default)]
pub struct Shelf {
    kept: Mutex<Vec<Arc<Kept>>>,
    over: AtomicBool,
    ranges_read: AtomicU64,
    bytes_read: AtomicU64,
}

impl Shelf {
    pub fn put(&self, kept: Kept, random: &mut XorShift) {
        let mut all = self.lock();
        let kept = Arc::new(kept);
        if all.len() < KEPT {
            all.push(kept);
        } else {
            all[1 + random.below(KEPT as u64 - 1) as usize] = kept;
        }
    }

    /// Reads the kept files until it is over, and each of them once more then;
    /// a difference ends it for all.
    pub fn read_until_over(&self, random: &mut XorShift) -> Result<()> {
        let mut buffer = Vec::new();
        let mut read = |kept: &Kept| {
            for _ in 0..TURN {
                let length = kept.check_any(&mut buffer, random);
                let length = length.inspect_err(|_| self.end())?;
                self.ranges_read.fetch_add(1, Ordering::Relaxed);
                self.bytes_read.fetch_add(length, Ordering::Relaxed);
            }
            Ok(random.next())
        };
        let mut choice = 0;
        while !self.is_over() {
            if let Some(kept) = self.any(choice) {
                choice = read(&kept)?;
            }
            thread::sleep(REST);
        }
        let all = self.lock().clone();
        all.iter().try_for_each(|kept| read(kept).map(drop))
    }

    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// How many ranges were read again, and how many bytes that was.
    pub fn read_again(&self) -> (u64, u64) {
        (self.ranges_read.load(Ordering::Relaxed), self.bytes_read.load(Ordering::Relaxed))
    }

    fn any(&self, choice: u64) -> Option<Arc<Kept>> {
        let all = self.lock();
        let count = all.len().max(1) as u64;
        all.get((choice % count) as usize).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Kept>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
