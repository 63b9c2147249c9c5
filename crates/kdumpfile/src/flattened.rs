// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Flattened streams: what makedumpfile writes where it cannot seek (`-F`).
//!
//! 4,096 bytes with `struct makedumpfile_header` at their start (signature of 16
//! bytes, `type` and `version`, both 1), then records: `struct
//! makedumpfile_data_header` (`offset`, `buf_size`) and so many bytes, which stand at
//! `offset` of the dump. A later record covers an earlier one. The last record has both
//! −1. All numbers have 64 bits, most significant byte first.

use std::collections::BTreeMap;

use crate::error::{Error, Fault};
use crate::file::DumpFile;
use crate::stream::Spool;

/// What a flattened stream starts with.
pub(crate) const SIGNATURE: [u8; 16] = *b"makedumpfile\0\0\0\0";

/// Size of what stands before the first record, in bytes.
const START: u64 = 4096;
/// Size of a record's header, in bytes.
const RECORD: u64 = 16;
/// The most runs of records that are kept in mind: of 80 bytes each, in what
/// makedumpfile writes one for some 20 MiB.
const RUNS_MAX: usize = 1 << 17;
/// How many bytes are copied at a time.
const BUFFER: usize = 1 << 17;

/// One record, as its header has it.
struct Header {
    offset: i64,
    size: i64,
}

/// What a record's header says.
enum Next {
    /// So many bytes for this offset follow.
    Data(u64, u64),
    /// There are no more records.
    End,
}

impl Header {
    fn parse(bytes: [u8; RECORD as usize]) -> Self {
        let number = |at: usize| {
            let number = bytes.get(at..).and_then(|rest| rest.first_chunk()).copied();
            i64::from_be_bytes(number.unwrap_or_default())
        };
        Self { offset: number(0), size: number(8) }
    }

    /// What follows the header that stands at `at` of the stream.
    fn next(&self, at: u64) -> Result<Next, vmcore::Error> {
        if self.offset == -1 && self.size == -1 {
            return Ok(Next::End);
        }
        let offset = u64::try_from(self.offset).map_err(|_| {
            vmcore::Error::new(at, "offset of a record", "0 or more", self.offset as u64)
        })?;
        let wrong = |expected| vmcore::Error::new(at + 8, "buf_size", expected, self.size as u64);
        let expected = "1 or more";
        let size = u64::try_from(self.size).map_err(|_| wrong(expected))?;
        if size == 0 {
            // A hole is full of them.
            return Err(wrong(expected));
        }
        match offset.checked_add(size).filter(|end| i64::try_from(*end).is_ok()) {
            Some(_) => Ok(Next::Data(offset, size)),
            None => Err(wrong("an end below 2^63")),
        }
    }
}

/// Where the bytes of the dump stand in the stream.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    /// By where they start in the dump; none covers a byte of another.
    runs: BTreeMap<u64, Run>,
    end: u64,
}

/// Records of one size, one after the other in the dump and in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// Where the data of the first one stand in the stream, in bytes.
    at: u64,
    /// Bytes of data of each; not 0.
    size: u64,
    count: u64,
}

impl Run {
    fn length(&self) -> u64 {
        self.size * self.count
    }

    /// The part before byte `end` of it, of one record or several.
    fn before(&self, end: u64) -> Vec<(u64, Self)> {
        let (whole, rest) = (end / self.size, end % self.size);
        let mut parts = Vec::new();
        if whole > 0 {
            parts.push((0, Self { count: whole, ..*self }));
        }
        if rest > 0 {
            let at = self.at + whole * (self.size + RECORD);
            parts.push((whole * self.size, Self { at, size: rest, count: 1 }));
        }
        parts
    }

    /// The part from byte `start` of it on.
    fn from(&self, start: u64) -> Vec<(u64, Self)> {
        let (whole, rest) = (start / self.size, start % self.size);
        let mut parts = Vec::new();
        let mut next = whole;
        if rest > 0 {
            let at = self.at + whole * (self.size + RECORD) + rest;
            parts.push((start, Self { at, size: self.size - rest, count: 1 }));
            next += 1;
        }
        if next < self.count {
            let at = self.at + next * (self.size + RECORD);
            parts.push((next * self.size, Self { at, size: self.size, count: self.count - next }));
        }
        parts
    }
}

impl Pieces {
    /// Finds all records of the stream in `file`, and what is wrong with it.
    pub fn find(file: &DumpFile) -> Result<(Self, Option<vmcore::Error>), Error> {
        let mut pieces = Self::default();
        let mut at = START;
        let length = file.stated_length();
        loop {
            let mut bytes = [0; RECORD as usize];
            let there = file.read(at, &mut bytes)?;
            if there < bytes.len() {
                return Ok((pieces, Some(no_end(at, there as u64))));
            }
            let (offset, size) = match Header::parse(bytes).next(at) {
                Ok(Next::Data(offset, size)) => (offset, size),
                Ok(Next::End) => return Ok((pieces, None)),
                Err(problem) => return Ok((pieces, Some(problem))),
            };
            let data = at + RECORD;
            let left = length.saturating_sub(data);
            pieces.add(offset, Run { at: data, size: size.min(left), count: 1 });
            if size > left {
                return Ok((pieces, Some(cut(at, size))));
            }
            if pieces.runs.len() > RUNS_MAX {
                let expected = "less scattered ones (makedumpfile -R makes a file of it)";
                let found = pieces.runs.len() as u64;
                let problem = vmcore::Error::new(at, "records", expected, found);
                return Err(file.error(Fault::Content(problem)));
            }
            at = data + size;
        }
    }

    /// Adds what covers all that is there already.
    fn add(&mut self, start: u64, run: Run) {
        let end = start + run.length();
        if start == end {
            // All of it was cut off.
            return;
        }
        self.clear(start, end);
        self.end = self.end.max(end);
        if let Some((before, last)) = self.runs.range_mut(..start).next_back() {
            let goes_on = before + last.length() == start
                && last.at + last.count * (last.size + RECORD) == run.at
                && last.size == run.size;
            if goes_on {
                last.count += run.count;
                return;
            }
        }
        self.runs.insert(start, run);
    }

    /// Makes room for the bytes from `start` to `end`.
    fn clear(&mut self, start: u64, end: u64) {
        let over: Vec<(u64, Run)> = self
            .runs
            .range(..end)
            .rev()
            .take_while(|(at, run)| *at + run.length() > start)
            .map(|(at, run)| (*at, *run))
            .collect();
        for (at, run) in over {
            self.runs.remove(&at);
            if at < start {
                self.runs
                    .extend(run.before(start - at).into_iter().map(|(by, part)| (at + by, part)));
            }
            if at + run.length() > end {
                self.runs.extend(run.from(end - at).into_iter().map(|(by, part)| (at + by, part)));
            }
        }
    }

    /// Where the last byte ends, in bytes.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Where the first byte at or after `offset` stands that is in the stream.
    pub fn next(&self, offset: u64) -> Option<u64> {
        let before = self.runs.range(..=offset).next_back();
        if before.is_some_and(|(at, run)| at + run.length() > offset) {
            return Some(offset);
        }
        self.runs.range(offset..).next().map(|(at, _)| *at)
    }

    /// Where the bytes from `offset` on that are in the stream end.
    pub fn next_hole(&self, offset: u64) -> u64 {
        let Some((start, run)) = self.runs.range(..=offset).next_back() else {
            return offset;
        };
        let mut end = offset.max(start + run.length());
        for (start, run) in self.runs.range(end..) {
            if *start > end {
                break;
            }
            end = start + run.length();
        }
        end
    }

    /// The bytes at `offset` of the dump, read with `read`; what no record has is zero.
    pub fn read<'b>(
        &self,
        offset: u64,
        to: &'b mut [u8],
        read: impl Fn(u64, &mut [u8]) -> Result<usize, Error>,
    ) -> Result<&'b [u8], Error> {
        let length = self.end.saturating_sub(offset).min(to.len() as u64) as usize;
        let to = to.get_mut(..length).unwrap_or_default();
        let mut done = 0;
        while let Some(rest) = to.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset + done as u64;
            let (there, part) = self.part(at, rest.len() as u64);
            let rest = rest.get_mut(..part as usize).unwrap_or_default();
            let length = match there {
                Some(there) => read(there, rest)?,
                None => {
                    rest.fill(0);
                    rest.len()
                }
            };
            if length == 0 {
                break;
            }
            done += length;
        }
        Ok(to.get(..done).unwrap_or_default())
    }

    /// Where in the stream byte `offset` of the dump stands, and how many of `wanted`
    /// bytes stand there in a row, or are in no record.
    fn part(&self, offset: u64, wanted: u64) -> (Option<u64>, u64) {
        if let Some((start, run)) = self.runs.range(..=offset).next_back() {
            let within = offset - start;
            if within < run.length() {
                let (record, rest) = (within / run.size, within % run.size);
                let at = run.at + record * (run.size + RECORD) + rest;
                return (Some(at), wanted.min(run.size - rest));
            }
        }
        let next = self.runs.range(offset..).next();
        (None, next.map_or(wanted, |(next, _)| wanted.min(next - offset)))
    }
}

/// Puts the records of the flattened stream in `spool` where they belong in the dump; what
/// is wrong with it, other than what the stream itself knows.
///
/// What is compressed is read `further` bytes after the last record: a wrong byte may look
/// like a record, and it is the end that says that one was wrong.
pub(crate) fn unflatten(spool: &mut Spool, further: u64) -> Option<vmcore::Error> {
    let problem = put_records(spool);
    if spool.compression().is_some() {
        spool.skip_rest(further);
    }
    spool.grow();
    spool.end();
    // The stream's own fault says more.
    problem.filter(|_| spool.fault().is_none())
}

fn put_records(spool: &mut Spool) -> Option<vmcore::Error> {
    let mut buffer = vec![0; BUFFER];
    let start = buffer.get_mut(..START as usize).unwrap_or_default();
    let mut at = spool.fill(start) as u64;
    loop {
        let mut bytes = [0; RECORD as usize];
        let there = spool.fill(&mut bytes);
        if there < bytes.len() {
            return Some(no_end(at, there as u64));
        }
        let (offset, size) = match Header::parse(bytes).next(at) {
            Ok(Next::Data(offset, size)) => (offset, size),
            Ok(Next::End) => return None,
            Err(problem) => return Some(problem),
        };
        let mut done = 0;
        while done < size {
            let wanted = (size - done).min(buffer.len() as u64) as usize;
            let part = buffer.get_mut(..wanted).unwrap_or_default();
            let filled = spool.fill(part);
            spool.put(offset + done, part.get(..filled).unwrap_or_default());
            if filled < wanted {
                return Some(cut(at, size));
            }
            if spool.has_ended() {
                return None;
            }
            done += wanted as u64;
        }
        at += RECORD + size;
    }
}

/// The data of the record whose header stands at `at` do not end in the stream.
fn cut(at: u64, size: u64) -> vmcore::Error {
    vmcore::Error::new(at + 8, "buf_size", "data inside the stream", size)
}

fn no_end(at: u64, found: u64) -> vmcore::Error {
    vmcore::Error::new(at, "record", "16 bytes, the last record being -1 and -1", found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(at: u64, size: u64, count: u64) -> Run {
        Run { at, size, count }
    }

    fn runs(pieces: &Pieces) -> Vec<(u64, Run)> {
        pieces.runs.iter().map(|(at, run)| (*at, *run)).collect()
    }

    #[test]
    fn records_in_a_row_are_one_run() {
        let mut pieces = Pieces::default();
        for record in 0..10 {
            pieces.add(100 + record * 50, run(1000 + record * 66, 50, 1));
        }
        assert_eq!(runs(&pieces), [(100, run(1000, 50, 10))]);
        assert_eq!((pieces.end(), pieces.next(0), pieces.next(600)), (600, Some(100), None));
        pieces.add(600, run(9000, 7, 1));
        pieces.add(700, run(9100, 7, 1));
        assert_eq!(
            [0, 99, 100, 599, 600, 607].map(|at| pieces.next_hole(at)),
            [0, 99, 607, 607, 607, 607]
        );
        assert_eq!(pieces.part(149, 10), (Some(1049), 1));
        assert_eq!(pieces.part(150, 10), (Some(1066), 10));
        assert_eq!(pieces.part(90, 100), (None, 10));
    }

    #[test]
    fn a_later_record_covers_an_earlier_one() {
        let mut pieces = Pieces::default();
        pieces.add(0, run(1000, 50, 4));
        pieces.add(60, run(5000, 30, 1));
        assert_eq!(
            runs(&pieces),
            [
                (0, run(1000, 50, 1)),
                (50, run(1066, 10, 1)),
                (60, run(5000, 30, 1)),
                (90, run(1106, 10, 1)),
                (100, run(1132, 50, 2)),
            ]
        );
        pieces.add(0, run(9000, 200, 1));
        assert_eq!(runs(&pieces), [(0, run(9000, 200, 1))]);
    }
}
