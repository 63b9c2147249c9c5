// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Opens a file over and over while dumps are added: what is open must be whole,
//! right, and the start of what is opened later; and it must stay what it is.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64;

use crate::content;
use crate::contents::{Contents, Dump};
use crate::digest;
use crate::elf::{Core, page_size};
use crate::error::{Error, Result};
use crate::kept::{Kept, Shelf};
use crate::random::XorShift;
use crate::ways::Way;

/// Of dumps that were right before, so many are checked again in every file, and
/// so many bytes.
const AGAIN_MAX: usize = 64;
const AGAIN_BYTES: u64 = 1 << 21;

/// Races until `stop` exists, or for `seconds`; then checks the whole file once more.
pub fn race(path: &Path, seconds: u64, stop: Option<&Path>, seed: u64) -> Result<String> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let goes_on = || Instant::now() < end && !stop.is_some_and(Path::exists);
    let shelf = Shelf::default();
    let mut racer = Racer::new(path, &shelf, seed);
    let (raced, read) = thread::scope(|scope| {
        let reader = scope.spawn(|| shelf.read_until_over(&mut XorShift::new(!seed)));
        let raced = racer.race(goes_on);
        shelf.end();
        (raced, reader.join())
    });
    // Whoever found it first: the other one has only ended.
    read.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    raced?;
    Ok(racer.summary())
}

struct Racer<'a> {
    path: PathBuf,
    shelf: &'a Shelf,
    random: XorShift,
    /// The dumps so far, which were right.
    known: Vec<Known>,
    serials: HashSet<u64>,
    /// What must be the same in every file.
    memory: Option<String>,
    others: Option<u64>,
    /// The greatest size that any call returned.
    size_shown: u64,
    smallest: u64,
    largest: u64,
    opens: u64,
    grown: u64,
    bytes: u64,
    payload: Vec<u8>,
    expected: Vec<u8>,
}

struct Known {
    dump: Dump,
    crc32c: u32,
}

impl<'a> Racer<'a> {
    fn new(path: &Path, shelf: &'a Shelf, seed: u64) -> Self {
        Self {
            path: path.to_path_buf(),
            shelf,
            random: XorShift::new(seed),
            known: Vec::new(),
            serials: HashSet::new(),
            memory: None,
            others: None,
            size_shown: 0,
            smallest: u64::MAX,
            largest: 0,
            opens: 0,
            grown: 0,
            bytes: 0,
            payload: Vec::new(),
            expected: Vec::new(),
        }
    }

    fn race(&mut self, goes_on: impl Fn() -> bool) -> Result<()> {
        while goes_on() && !self.shelf.is_over() {
            let (core, contents) = self.open()?;
            self.check_dumps_again(&core)?;
            self.check_rest(&core, &contents)?;
        }
        let (core, contents) = self.open()?;
        for index in 0..self.known.len() {
            self.check_again(&core, index)?;
        }
        self.check_rest(&core, &contents)
    }

    /// Opens the file, and checks all that was not there before.
    fn open(&mut self) -> Result<(Arc<Core>, Contents)> {
        let file = File::open(&self.path).map_err(Error::file("open", &self.path, 0))?;
        let shown = file.metadata().map_err(Error::file("fstat", &self.path, 0))?.len();
        let core = Arc::new(Core::of(&self.path, file)?);
        let end = self.check_size(&core, shown)?;
        let contents = Contents::read(&core)?;
        let kept = Kept::new(&core, self.opens, &contents, end, &mut self.random)?;
        self.shelf.put(kept, &mut self.random);
        self.opens += 1;
        self.check_new_dumps(&core, &contents)?;
        Ok((core, contents))
    }

    fn check_size(&mut self, core: &Core, shown: u64) -> Result<u64> {
        let end = core.end_in_header();
        let sought = (&core.file).seek(SeekFrom::End(0));
        let sought = sought.map_err(Error::file("seek", &self.path, 0))?;
        let read = core.end_of_file()?;
        if (sought, read) != (end, end) {
            let fault = format!("SEEK_END gives {sought:#x}, reading ends at {read:#x}");
            return Err(core.wrong(end, format!("{fault}, and the file by its header")));
        }
        // It may have grown since, but never shrinks.
        let by_path = fs::metadata(&self.path).map_err(Error::file("stat", &self.path, 0))?.len();
        for (way, shown) in [("fstat", shown), ("stat", by_path)] {
            if shown < end {
                return Err(core.wrong(end, format!("{way} gives {shown:#x}, and the file ends")));
            }
            if shown < self.size_shown {
                let fault = format!("{way} gives {shown:#x}, after {:#x}", self.size_shown);
                return Err(core.wrong(end, format!("{fault}, of a file that ends")));
            }
            self.size_shown = shown;
        }
        self.smallest = self.smallest.min(end);
        self.largest = self.largest.max(end);
        Ok(end)
    }

    fn check_new_dumps(&mut self, core: &Core, contents: &Contents) -> Result<()> {
        let mut dumps = contents.dumps.iter();
        for known in &self.known {
            if dumps.next() != Some(&known.dump) {
                let Dump { name, note_start, .. } = &known.dump;
                return Err(core.wrong(*note_start, format!("{name} is not where it was")));
            }
        }
        self.grown += u64::from(dumps.len() > 0);
        for dump in dumps {
            let crc32c = self.check_payload(core, dump)?;
            if let Some(serial) = content::serial(&self.payload)
                && !self.serials.insert(serial)
            {
                let fault = format!("{} has the content of another dump", dump.name);
                return Err(core.wrong(dump.start, fault));
            }
            self.known.push(Known { dump: dump.clone(), crc32c });
        }
        Ok(())
    }

    fn check_dumps_again(&mut self, core: &Core) -> Result<()> {
        let mut bytes = 0;
        for _ in 0..AGAIN_MAX.min(self.known.len()) {
            let index = self.random.below(self.known.len() as u64) as usize;
            bytes += self.known[index].dump.length;
            if bytes > AGAIN_BYTES {
                break;
            }
            self.check_again(core, index)?;
        }
        Ok(())
    }

    fn check_again(&mut self, core: &Core, index: usize) -> Result<()> {
        let Known { dump, crc32c } = &self.known[index];
        let (dump, crc32c) = (dump.clone(), *crc32c);
        if self.check_payload(core, &dump)? == crc32c {
            return Ok(());
        }
        Err(core.wrong(dump.start, format!("{} is not what it was", dump.name)))
    }

    /// Reads a payload, which must be right; returns its checksum.
    fn check_payload(&mut self, core: &Core, dump: &Dump) -> Result<u32> {
        self.payload.resize(dump.length as usize, 0);
        // The position is moved by the thread that reads what is kept.
        let way = Way::without_position(&mut self.random);
        way.fill(core, dump.start, &mut self.payload, &mut self.random)?;
        self.bytes += dump.length;
        match content::fault(&dump.name, &self.payload, &mut self.expected) {
            None => Ok(crc32c::crc32c(&self.payload)),
            Some(fault) => {
                let (name, way) = (&dump.name, way.name());
                Err(core.wrong(dump.start, format!("{name}, read by {way}, {fault}")))
            }
        }
    }

    /// Checks everything but the dumps.
    fn check_rest(&mut self, core: &Core, contents: &Contents) -> Result<()> {
        self.check_manifest(core, contents)?;
        let others = &contents.others;
        let mut bytes = vec![0; (others.end.next_multiple_of(page_size()) - others.start) as usize];
        core.read_exact(others.start, &mut bytes)?;
        let (notes, fill) = bytes.split_at((others.end - others.start) as usize);
        if fill.iter().any(|byte| *byte != 0) {
            return Err(core.wrong(others.end, "not zeros after the notes"));
        }
        let notes = xxh3_64(notes);
        if *self.others.get_or_insert(notes) != notes {
            return Err(core.wrong(others.start, "the dead kernel's notes are not what they were"));
        }
        let memory = digest::of(core)?;
        self.bytes += core.loads.iter().map(|load| load.memory_size).sum::<u64>();
        if self.memory.get_or_insert_with(|| memory.clone()) != &memory {
            let start = core.loads.first().map_or(0, |load| load.offset);
            return Err(core.wrong(start, "old memory is not what it was"));
        }
        Ok(())
    }

    /// Each record of a dump in this file has its note, and each note its record.
    fn check_manifest(&self, core: &Core, contents: &Contents) -> Result<()> {
        let start = contents.others.start;
        let has_memory = !core.loads.is_empty();
        let mut records = HashMap::new();
        for record in &contents.records {
            let place = match (record.status.as_str(), record.place.as_str()) {
                ("running", "") => continue,
                ("complete", place @ ("vmcore" | "vmcoredd")) => place,
                _ => return Err(core.wrong(start, format!("the manifest has {record:?}"))),
            };
            if has_memory && place == "vmcoredd" {
                continue;
            }
            if records.insert(record.name.as_str(), (record.length, record.crc32c)).is_some() {
                return Err(core.wrong(start, format!("{} is in the manifest twice", record.name)));
            }
        }
        for Known { dump, crc32c } in &self.known {
            let recorded = records.remove(dump.name.as_str());
            if recorded != Some((dump.length, *crc32c)) {
                let Dump { name, length, .. } = dump;
                let fault = format!("{name} has {length} bytes, {crc32c:#x}");
                return Err(core.wrong(start, format!("{fault}, the manifest says {recorded:x?}")));
            }
        }
        match records.keys().next() {
            None => Ok(()),
            Some(name) => {
                Err(core.wrong(start, format!("the manifest has {name}, a note has not")))
            }
        }
    }

    fn summary(&self) -> String {
        let Self { opens, grown, smallest, largest, .. } = self;
        let dumps = self.known.len();
        let (again, bytes_again) = self.shelf.read_again();
        let bytes = self.bytes + bytes_again;
        format!(
            "race: {opens} opens, {grown} with more dumps than before, {dumps} dumps, \
             {smallest} to {largest} bytes, {again} ranges again, {bytes} bytes read\nrace: ok\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn dump(base: &str, serial: Option<u64>, length: usize) -> Vec<u8> {
        let mut payload = vec![0; length];
        content::fill(base, serial, &mut payload);
        payload
    }

    fn dumps() -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("racer-7", dump("racer-7", None, 1)),
            ("shared-1", dump("shared-1", Some(8), 4033)),
            ("shared-1#2", dump("shared-1", Some(9), 4033)),
            ("racer-10", dump("racer-10", Some(10), 70_000)),
        ]
    }

    /// Why a race on these bytes is lost.
    fn fault(name: &str, bytes: &[u8]) -> String {
        race(&sample::write(name, bytes), 0, None, 1).unwrap_err().to_string()
    }

    #[test]
    fn a_file_that_stays_is_right() {
        let path = sample::dumps("race", &dumps());
        let lines = race(&path, 1, None, 1).unwrap();
        let parts: Vec<&str> = lines.split([' ', '\n']).collect();
        assert!(parts[1].parse::<u64>().unwrap() > 1, "{lines}");
        assert!(lines.contains(" 1 with more dumps than before, 4 dumps, 86016 to 86016 bytes, "));
        assert!(lines.ends_with(" bytes read\nrace: ok\n"), "{lines}");
    }

    #[test]
    fn a_file_that_tells_it_to_stop_stops_it() {
        let path = sample::dumps("race-stop", &dumps());
        let lines = race(&path, 1000, Some(&path), 1).unwrap();
        assert!(lines.starts_with("race: 1 opens, "), "{lines}");
    }

    #[test]
    fn content_of_another_dump_is_found() {
        let mut dumps = dumps();
        dumps[2].1 = dumps[1].1.clone();
        let error = fault("race-twice", &sample::dumps_with(&dumps, ""));
        assert!(error.contains("shared-1#2 has the content of another dump"), "{error}");
        dumps[3].1[69_999] ^= 0x80;
        dumps.remove(2);
        let error = fault("race-changed", &sample::dumps_with(&dumps, ""));
        assert!(error.contains("racer-10, read by ") && error.contains("at 0x1116f of it"));
    }

    #[test]
    fn a_manifest_that_says_something_else_is_found() {
        let dumps = [("racer-7", dump("racer-7", None, 1))];
        let right = "STATUS=complete\nIN=vmcore\nLENGTH=1\nCRC32C=527d5351\n";
        let with = |records: &str| sample::dumps_with(&dumps, records);
        let record = |name: &str, rest: &str| format!("NAME={name}\n{rest}");
        let right_one = record("racer-7", right);
        let running = right_one.clone() + "NAME=b\nSTATUS=running\n";
        race(&sample::write("race-running", &with(&running)), 0, None, 1).unwrap();
        for (records, expected) in [
            (String::new(), "racer-7 has 1 bytes, 0x527d5351, the manifest says None"),
            (record("racer-7", &right.replace("=1", "=2")), "the manifest says Some((2, "),
            (record("racer-7", &right.replace("5351", "5352")), "says Some((1, 527d5352))"),
            (record("racer-7", &right.replace("complete", "partial")), "has Record"),
            (right_one.clone() + &right_one, "racer-7 is in the manifest twice"),
            (right_one.clone() + &record("b", right), "the manifest has b, a note has not"),
        ] {
            let error = fault("race-manifest", &with(&records));
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_size_that_the_header_does_not_say_is_found() {
        let mut bytes = sample::dumps_with(&dumps(), "");
        bytes.push(0);
        let error = fault("race-size", &bytes);
        assert!(error.contains("SEEK_END gives 0x15001, reading ends at 0x15001"), "{error}");
    }

    #[test]
    fn a_file_may_grow_and_not_change() {
        let path = sample::dumps("race-grows", &dumps()[..2]);
        let shelf = Shelf::default();
        let mut racer = Racer::new(&path, &shelf, 1);
        racer.open().unwrap();
        sample::dumps("race-grown", &dumps()).rename(&path);
        let (core, contents) = racer.open().unwrap();
        racer.check_rest(&core, &contents).unwrap();
        assert_eq!((racer.opens, racer.grown, racer.known.len()), (2, 2, 4));

        sample::dumps("race-shrinks", &dumps()[..1]).rename(&path);
        let error = racer.open().map(drop).unwrap_err().to_string();
        assert!(error.contains("stat gives 0x"), "{error}");
    }

    #[test]
    fn dumps_that_move_are_found() {
        let path = sample::dumps("race-moves", &dumps());
        let shelf = Shelf::default();
        let mut racer = Racer::new(&path, &shelf, 1);
        racer.open().unwrap();
        let mut dumps = dumps();
        dumps.insert(0, ("racer-6", dump("racer-6", None, 1)));
        sample::dumps("race-moved", &dumps).rename(&path);
        let error = racer.open().map(drop).unwrap_err().to_string();
        assert!(error.contains("racer-7 is not where it was, at 0x1000"), "{error}");
    }

    #[test]
    fn an_open_file_that_changes_is_found() {
        let path = sample::dumps("race-open", &dumps());
        let shelf = Shelf::default();
        let mut racer = Racer::new(&path, &shelf, 1);
        racer.open().unwrap();
        let mut dumps = dumps();
        dumps.insert(0, ("racer-6", dump("racer-6", None, 1)));
        fs::write(&path, sample::dumps_with(&dumps, "")).unwrap();
        shelf.end();
        let error = shelf.read_until_over(&mut XorShift::new(1)).unwrap_err().to_string();
        assert!(
            error.contains("is not what it was when the file was opened as number 0"),
            "{error}"
        );
    }
}
