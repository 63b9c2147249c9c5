// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd diff`.

mod fields;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use kdumpfile::{DeviceDump, Dump, Escaped, EscapedPath};

use fields::How;

use crate::baseline;
use crate::failure::{Exit, Failure};
use crate::names::file_and_name;
use crate::own_profiles::Directory;
use crate::payload::read_full;
use crate::read::{self, Contents};
use crate::stdout::UntilClosed;

/// How much is compared at a time, in bytes.
const BUFFER: usize = 1 << 16;
/// Bytes of each side on a line.
const LINE: usize = 8;
/// Differing bytes with so many equal ones between them are one range.
const GAP: u64 = 8;
/// How many ranges are shown of a device dump unless all are asked for.
const RANGES_SHOWN: usize = 16;
/// How many lines are shown of a range unless all are asked for.
const LINES_SHOWN: u64 = 4;

/// Compare device dumps
///
/// Compares one device dump of each file, or all that both have, by their names. Of each
/// that differs, the ranges that do are shown side by side, and how many bytes that is.
/// A healthy dump of a running system, from /proc/vmcoredd, can be compared with that of
/// a crash. With --fields, what is decoded is compared value by value: only what differs is
/// shown, by its name. The exit status is 1 when something differs, or is in one file alone.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// A dump, or one device dump of it
    #[arg(value_name = "A[:NAME]")]
    a: OsString,
    /// Another one; without NAME, that of A
    #[arg(value_name = "B[:NAME]", required_unless_present = "baseline")]
    b: Option<OsString>,
    /// Compare A with the newest snapshot in DIRECTORY from before it crashed, as
    /// vmcoredd-baseline.service keeps them
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "b")]
    baseline: Option<PathBuf>,
    /// Show all ranges, and all of each
    #[arg(long)]
    all: bool,
    /// Say only which differ
    #[arg(short, long, conflicts_with = "all")]
    brief: bool,
    /// Compare registers and fields, as they are decoded, and not bytes; what differs each
    /// time it is read is shown with --all alone
    #[arg(short, long)]
    fields: bool,
    #[command(flatten)]
    profiles: Directory,
}

/// Compares what is asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let (path, name) = file_and_name(&arguments.a, Path::exists);
    let first = read::open(path)?;
    let mut baseline = None;
    let (a, a_name, b, b_name) = if let Some(directory) = &arguments.baseline {
        // The snapshot is older: it comes first.
        let of_before = baseline.insert(baseline::before(directory, &first)?);
        (read::open(&of_before.path)?, None, first, name)
    } else {
        let b = arguments.b.as_deref().unwrap_or_default();
        let (path, b_name) = file_and_name(b, Path::exists);
        (first, name, read::open(path)?, b_name)
    };
    let (a_contents, b_contents) = (Contents::read(&a), Contents::read(&b));
    let mut stdout = crate::stdout::lock();
    if let Some(baseline) = &baseline {
        writeln!(stdout, "compared with {baseline}")?;
    }
    let how = How { all: arguments.all, brief: arguments.brief };
    let mut library = arguments.fields.then(|| arguments.profiles.library()).transpose()?;
    let mut compare = |pair: Pair<'_>, to: &mut UntilClosed<io::StdoutLock<'_>>| match &mut library
    {
        Some(library) => {
            fields::compare(&pair.0, &pair.1, &name_of(&pair.0, &pair.1), how, library, to)
                .and_then(|same| same.map_or_else(|| compare(pair, how, to), Ok))
        }
        None => compare(pair, how, to),
    };

    let mut same = true;
    if a_name.is_some() || b_name.is_some() {
        let a_wanted = a_name.or(b_name);
        let b_wanted = b_name.or(a_name);
        let pair = (a_contents.find(&a, a_wanted)?, b_contents.find(&b, b_wanted)?);
        same = compare(pair, &mut stdout)?;
    } else {
        let (pairs, alone) = pairs(&a, &a_contents, &b, &b_contents);
        for pair in pairs {
            same &= compare(pair, &mut stdout)?;
        }
        for (dump, device_dump) in alone {
            same = false;
            let (name, path) = (Escaped(device_dump.name()), EscapedPath(dump.path()));
            writeln!(stdout, "{name}: only in {path}")?;
        }
    }
    stdout.flush()?;
    let status = a_contents.complain(a.path()).max(b_contents.complain(b.path()));
    Ok(if same { status } else { status.max(Exit::Negative) })
}

type Pair<'a> = (DeviceDump<'a>, DeviceDump<'a>);

/// The device dumps that both have, by names, and those that one has alone.
fn pairs<'a>(
    a: &'a Dump,
    a_contents: &Contents<'a>,
    b: &'a Dump,
    b_contents: &Contents<'a>,
) -> (Vec<Pair<'a>>, Vec<(&'a Dump, DeviceDump<'a>)>) {
    let mut by_name = std::collections::HashMap::<&[u8], Vec<&DeviceDump<'a>>>::new();
    for other in b_contents.device_dumps.iter().rev() {
        by_name.entry(other.name()).or_default().push(other);
    }
    let (mut pairs, mut alone) = (Vec::new(), Vec::new());
    for device_dump in &a_contents.device_dumps {
        match by_name.get_mut(device_dump.name()).and_then(Vec::pop) {
            Some(other) => pairs.push((*device_dump, *other)),
            None => alone.push((a, *device_dump)),
        }
    }
    let mut left: Vec<_> = by_name.into_values().flatten().collect();
    left.sort_by_key(|other| other.index());
    alone.extend(left.into_iter().map(|other| (b, *other)));
    (pairs, alone)
}

/// Shows how a pair differs; returns whether it does not.
fn compare((a, b): Pair<'_>, how: How, to: &mut impl Write) -> Result<bool, Failure> {
    let name = name_of(&a, &b);
    let mut differences = Differences::default();
    each_range(&a, &b, |range, bytes| {
        differences.add(range, bytes);
        Ok(())
    })?;
    let Differences { bytes, count, .. } = differences;
    let lengths = match (a.available(), b.available()) {
        (a, b) if a == b => String::new(),
        (a, b) => format!("lengths {a} and {b}"),
    };
    let common = a.available().min(b.available());
    let differ = match (bytes, count) {
        (0, _) => String::new(),
        (_, 1) => format!("{bytes} of {common} bytes differ, in 1 range"),
        (_, _) => format!("{bytes} of {common} bytes differ, in {count} ranges"),
    };
    let said: Vec<_> = [lengths, differ].into_iter().filter(|said| !said.is_empty()).collect();
    if said.is_empty() {
        writeln!(to, "{name}: equal, {common} bytes")?;
        return Ok(true);
    }
    writeln!(to, "{name}: {}", said.join(", "))?;
    if !how.brief {
        show(&a, &b, &differences, how, to)?;
    }
    Ok(false)
}

fn name_of(a: &DeviceDump<'_>, b: &DeviceDump<'_>) -> String {
    let (a, b) = (OsStr::from_bytes(a.name()), OsStr::from_bytes(b.name()));
    let shown = |name: &OsStr| Escaped(name.as_bytes()).to_string();
    if a == b { shown(a) } else { format!("{}, {}", shown(a), shown(b)) }
}

/// Where two payloads differ.
#[derive(Debug, Default)]
struct Differences {
    /// The first ranges.
    first: Vec<Range<u64>>,
    /// How many there are.
    count: u64,
    /// How many bytes in them differ.
    bytes: u64,
}

impl Differences {
    fn add(&mut self, range: Range<u64>, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
        if self.first.len() < RANGES_SHOWN {
            self.first.push(range);
        }
    }
}

/// Calls `take` with each range that differs, and how many bytes in it do.
fn each_range(
    a: &DeviceDump<'_>,
    b: &DeviceDump<'_>,
    mut take: impl FnMut(Range<u64>, u64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut open = None::<(Range<u64>, u64)>;
    each_difference(a, b, |at| {
        if let Some((range, bytes)) = &mut open
            && at - range.end <= GAP
        {
            range.end = at + 1;
            *bytes += 1;
            return Ok(());
        }
        let before = open.replace((at..at + 1, 1));
        before.map_or(Ok(()), |(range, bytes)| take(range, bytes))
    })?;
    open.map_or(Ok(()), |(range, bytes)| take(range, bytes))
}

/// Calls `differs` with the offset of each byte that differs, in as much as both have.
fn each_difference(
    a: &DeviceDump<'_>,
    b: &DeviceDump<'_>,
    mut differs: impl FnMut(u64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (mut a, mut b) = (a.reader(), b.reader());
    let (mut of_a, mut of_b) = (vec![0; BUFFER], vec![0; BUFFER]);
    let mut at = 0;
    loop {
        let (a_length, b_length) = (read_full(&mut a, &mut of_a)?, read_full(&mut b, &mut of_b)?);
        let length = a_length.min(b_length);
        let (part_a, part_b) = (of_a.get(..length), of_b.get(..length));
        let (part_a, part_b) = (part_a.unwrap_or_default(), part_b.unwrap_or_default());
        if part_a != part_b {
            for (place, (a, b)) in (at..).zip(part_a.iter().zip(part_b)) {
                if a != b {
                    differs(place)?;
                }
            }
        }
        if length < BUFFER {
            return Ok(());
        }
        at += length as u64;
    }
}

/// Shows what differs side by side.
fn show(
    a: &DeviceDump<'_>,
    b: &DeviceDump<'_>,
    differences: &Differences,
    how: How,
    to: &mut impl Write,
) -> Result<(), Failure> {
    if how.all {
        // They are compared again, so that any number of ranges needs no memory.
        return each_range(a, b, |range, _| show_range(a, b, range, u64::MAX, to));
    }
    for range in &differences.first {
        show_range(a, b, range.clone(), LINES_SHOWN, to)?;
    }
    let more = differences.count - differences.first.len() as u64;
    if more > 0 {
        writeln!(to, "  {more} more ranges; --all shows them")?;
    }
    Ok(())
}

/// Shows one range, at most `most` lines of it.
fn show_range(
    a: &DeviceDump<'_>,
    b: &DeviceDump<'_>,
    range: Range<u64>,
    most: u64,
    to: &mut impl Write,
) -> Result<(), Failure> {
    let line = LINE as u64;
    let (first, last) = (range.start / line, (range.end - 1) / line);
    for (shown, number) in (first..=last).enumerate() {
        if shown as u64 == most {
            let left = last - number + 1;
            writeln!(to, "  {left} more lines of this range; --all shows them")?;
            break;
        }
        let at = number * line;
        let (mut of_a, mut of_b) = ([0; LINE], [0; LINE]);
        let a_length = read_full(&mut a.part(at, line), &mut of_a)?;
        let b_length = read_full(&mut b.part(at, line), &mut of_b)?;
        let of_a = of_a.get(..a_length).unwrap_or_default();
        let of_b = of_b.get(..b_length).unwrap_or_default();
        writeln!(to, "  {at:08x}  {} | {}", side(of_a, of_b), side(of_b, of_a).trim_end())?;
    }
    Ok(())
}

/// Formats one side of a line; bytes that the other side has as well are dots.
fn side(this: &[u8], other: &[u8]) -> String {
    let mut text = String::new();
    for place in 0..LINE {
        text += &match (this.get(place), other.get(place)) {
            (Some(byte), Some(same)) if byte == same => " ..".to_owned(),
            (Some(byte), _) => format!(" {byte:02x}"),
            (None, _) => "   ".to_owned(),
        };
    }
    text.split_off(1)
}
