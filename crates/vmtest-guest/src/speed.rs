// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! How fast a file can be read, in every way that dump tools use. Each figure is a line
//! `<label>/<what> <number>`; times are in nanoseconds, rates in bytes a second.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::mm::{MapFlags, ProtFlags};

use crate::elf::{Core, page_down, page_size};
use crate::error::{Error, Result};
use crate::mapping::Mapping;
use crate::random::XorShift;

/// How much one `read()` asks for.
const BLOCKS: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];
/// How much is mapped at a time, as makedumpfile does it.
const WINDOW: u64 = 4 << 20;
/// What is short is read again until this much time has passed.
const LEAST: Duration = Duration::from_millis(200);
const PREADS: u64 = 2000;
/// How often a read near a place is done; the median counts.
const NEAR: usize = 101;

/// What of the file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// All of it, which is no vmcore.
    Whole,
    /// The dead kernel's memory: of the largest piece of it, so many bytes at most.
    Memory,
    /// The device dumps whose names start so.
    Dumps,
}

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// What the figures are called
    #[arg(long)]
    label: String,
    /// What to read
    #[arg(long, value_enum, default_value = "whole")]
    part: Part,
    /// What the names of the dumps start with
    #[arg(long, default_value = "")]
    prefix: String,
    /// How much memory to read, in MiB
    #[arg(long, default_value_t = 64)]
    mib: u64,
    /// Map it, too
    #[arg(long)]
    map: bool,
    /// Read at random places, too
    #[arg(long)]
    random: bool,
}

pub fn speed(path: &Path, options: &Options) -> Result<String> {
    let file = File::open(path).map_err(Error::file("open", path, 0))?;
    let range = match options.part {
        Part::Whole => 0..file.metadata().map_err(Error::file("look at", path, 0))?.len(),
        Part::Memory => memory(&Core::open(path)?, options.mib << 20)?,
        Part::Dumps => dumps(&Core::open(path)?, options.prefix.as_bytes())?,
    };
    let measured = Measured { path, file, range };
    let mut lines = String::new();
    let mut print = |what: &str, number: f64| {
        lines += &format!("{}/{what} {number:.0}\n", options.label);
    };
    for block in BLOCKS {
        print(&format!("read-{block}"), measured.read(block)?);
    }
    if options.map {
        print("map", measured.map()?);
    }
    if options.random {
        print("random", measured.random()?);
    }
    if options.part == Part::Dumps {
        let [first, last] = measured.near()?;
        print("near-first", first);
        print("near-last", last);
    }
    Ok(lines)
}

/// The largest piece of memory, or its start.
fn memory(core: &Core, length: u64) -> Result<Range<u64>> {
    let largest = core.loads.iter().max_by_key(|load| load.file_size);
    let load = largest.ok_or_else(|| core.wrong(0, "there is no PT_LOAD"))?;
    Ok(load.offset..load.offset + load.file_size.min(length))
}

/// The range from the first of these dumps to the last one, which are side by side.
fn dumps(core: &Core, prefix: &[u8]) -> Result<Range<u64>> {
    let [segment] = core.note_segments.as_slice() else {
        return Err(core.wrong(0, "there is not one PT_NOTE"));
    };
    let mut range: Option<Range<u64>> = None;
    for note in core.notes(segment)? {
        if (note.owner.as_slice(), note.note_type) != (b"LINUX", 0x700) {
            continue;
        }
        let mut name = [0; 44];
        core.read_exact(note.desc_start, &mut name)?;
        if name.starts_with(prefix) {
            let start = range.map_or(note.start, |range| range.start);
            range = Some(start..note.desc_end);
        }
    }
    range.ok_or_else(|| core.wrong(segment.offset, "there is no such device dump"))
}

struct Measured<'a> {
    path: &'a Path,
    file: File,
    range: Range<u64>,
}

impl Measured<'_> {
    fn length(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let read: io::Result<()> = self.file.read_exact_at(buffer, offset);
        read.map_err(Error::file("read", self.path, offset))
    }

    /// Bytes a second, when `pass` goes over all of it, and as often as is needed.
    fn rate(&self, mut pass: impl FnMut() -> Result<()>) -> Result<f64> {
        let start = Instant::now();
        let mut passes = 0_u64;
        loop {
            pass()?;
            passes += 1;
            let elapsed = start.elapsed();
            if elapsed >= LEAST {
                return Ok((self.length() * passes) as f64 / elapsed.as_secs_f64());
            }
        }
    }

    /// Sequentially, in blocks of this size.
    fn read(&self, block: usize) -> Result<f64> {
        let mut buffer = vec![0; block];
        // Its pages are there from now on.
        buffer.fill(1);
        self.rate(|| {
            let mut at = self.range.start;
            while at < self.range.end {
                let length = (self.range.end - at).min(block as u64) as usize;
                self.read_at(&mut buffer[..length], at)?;
                at += length as u64;
            }
            Ok(())
        })
    }

    /// Mapped window by window, a word of each page being looked at.
    fn map(&self) -> Result<f64> {
        let (start, end) = (page_down(self.range.start), page_down(self.range.end));
        self.rate(|| {
            let mut at = start;
            while at < end {
                let length = (end - at).min(WINDOW) as usize;
                let mapping =
                    Mapping::new(&self.file, at, length, ProtFlags::READ, MapFlags::PRIVATE);
                let mapping = mapping.map_err(Error::file("map", self.path, at))?;
                let mut word = [0; 8];
                for page in (0..length).step_by(page_size() as usize) {
                    mapping.copy_to(page, &mut word);
                    std::hint::black_box(&word);
                }
                at += length as u64;
            }
            Ok(())
        })
    }

    /// Nanoseconds for 4 KiB somewhere.
    fn random(&self) -> Result<f64> {
        let mut random = XorShift::new(1);
        let mut buffer = vec![1; page_size() as usize];
        let start = Instant::now();
        for _ in 0..PREADS {
            let offset = self.range.start + random.below(self.length() - page_size());
            self.read_at(&mut buffer, offset)?;
        }
        Ok(start.elapsed().as_nanos() as f64 / PREADS as f64)
    }

    /// Nanoseconds for 4 KiB at the start and at the end.
    fn near(&self) -> Result<[f64; 2]> {
        let size = self.length().min(page_size()) as usize;
        let mut buffer = vec![1; size];
        let offsets = [self.range.start, self.range.end - size as u64];
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..NEAR {
            for (times, offset) in times.iter_mut().zip(offsets) {
                let start = Instant::now();
                self.read_at(&mut buffer, offset)?;
                times.push(start.elapsed().as_nanos());
            }
        }
        Ok(times.map(|mut times| {
            times.sort_unstable();
            times[NEAR / 2] as f64
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn options(part: Part, prefix: &str) -> Options {
        Options {
            label: "x".to_owned(),
            part,
            prefix: prefix.to_owned(),
            mib: 1,
            map: true,
            random: part != Part::Dumps,
        }
    }

    #[test]
    fn every_figure_is_told() {
        let path = sample::dumps("speed", &[("a1", vec![1; 5000]), ("b", vec![2; 100])]);
        let lines = speed(&path, &options(Part::Dumps, "a")).unwrap();
        let names: Vec<_> = lines.lines().map(|line| line.split(' ').next().unwrap()).collect();
        let expected =
            ["read-4096", "read-65536", "read-1048576", "map", "near-first", "near-last"];
        assert_eq!(names, expected.map(|name| format!("x/{name}")));
        let lines = speed(&path, &options(Part::Whole, "")).unwrap();
        assert!(lines.contains("\nx/random ") && !lines.contains("near-first"), "{lines}");
    }

    #[test]
    fn dumps_are_chosen_by_name() {
        let path = sample::dumps("speed-names", &[("a1", vec![1; 50]), ("b", vec![2; 100])]);
        let core = Core::open(&path).unwrap();
        let (one, both) = (dumps(&core, b"a").unwrap(), dumps(&core, b"").unwrap());
        assert_eq!(one.start, both.start);
        assert!(one.end < both.end);
        let error = dumps(&core, b"c").unwrap_err().to_string();
        assert!(error.contains("there is no such device dump"), "{error}");
    }
}
