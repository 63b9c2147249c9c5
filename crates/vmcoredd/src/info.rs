// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd info`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use anstyle::Style;
use indicatif::BinaryBytes;
use jiff::Timestamp;
use kdump::{Dump, Error, Escaped, EscapedPath, Kind};

use crate::failure::{Failure, Status};
use crate::read::{self, Contents};
use crate::table::{Align, Column, Table};

/// The most kinds of notes that are told apart.
const KINDS_MAX: usize = 1000;

/// The columns of the table of notes.
const COLUMNS: [Column; 4] = [
    ("OWNER", Align::Left),
    ("TYPE", Align::Left),
    ("NOTES", Align::Right),
    ("BYTES", Align::Right),
];

/// Show what a dump is: format, kernel, memory, notes
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The dump; - is standard input
    file: PathBuf,
}

/// Shows all that there is to say.
pub fn run(arguments: &Arguments) -> Result<Status, Failure> {
    let dump = read::open(&arguments.file)?;
    let contents = Contents::read(&dump);
    let mut stdout = io::stdout().lock();
    let mut more = Vec::new();
    let mut lines = vec![
        ("File", EscapedPath(dump.path()).to_string()),
        ("Size", size(dump.size())),
        ("Format", dump.format().to_string()),
    ];
    if let Some(machine) = dump.machine() {
        lines.push(("Machine", Escaped(&machine).to_string()));
    }
    let mut tell = |key, value: Result<Option<String>, Error>| match value {
        Ok(Some(value)) => lines.push((key, value)),
        Ok(None) => {}
        Err(error) => more.push(error),
    };
    let shown = |text: Vec<u8>| Escaped(&text).to_string();
    tell("Kernel", dump.release().map(|release| release.map(shown)));
    let time = dump.time().map(|time| time.map(utc));
    tell(if matches!(dump.format().kind, Kind::Elf) { "Crashed" } else { "Time" }, time);
    if let Some(level) = dump.dump_level() {
        tell("Left out", Ok(Some(left_out(level))));
    }
    let memory = dump.memory();
    tell(
        "Memory",
        memory
            .size()
            .and_then(|there| Ok(Some(format!("{}, below {:#x}", size(there), memory.end()?)))),
    );
    tell("Device dumps", Ok(Some(contents.device_dumps.len().to_string())));
    for (key, value) in lines {
        writeln!(stdout, "{:<14}{value}", format!("{key}:"))?;
    }
    let notes = notes(&dump);
    if !notes.is_empty() {
        writeln!(stdout)?;
        let table = Table { columns: &COLUMNS, always: COLUMNS.len() };
        table.print(&mut stdout, || notes.iter().cloned(), |_, _| Style::new())?;
    }
    stdout.flush()?;
    let mut status = contents.complain(dump.path());
    for error in more {
        // What the walk over the notes has told is not told twice.
        if !contents.errors.iter().any(|told| told.to_string() == error.to_string()) {
            crate::failure::complain(&error);
        }
        status = status.max(Status::Negative);
    }
    Ok(status)
}

/// A number of bytes, exactly and as people say it.
fn size(bytes: u64) -> String {
    if bytes < 1024 {
        format!("{bytes} bytes")
    } else {
        format!("{bytes} bytes ({})", BinaryBytes(bytes))
    }
}

/// What `makedumpfile -d` was told to leave out.
fn left_out(level: u32) -> String {
    const PAGES: [(u32, &str); 5] = [
        (1, "zero pages"),
        (2, "non-private cache"),
        (4, "private cache"),
        (8, "user data"),
        (16, "free pages"),
    ];
    let names = PAGES.iter().filter(|(bit, _)| level & bit != 0).map(|(_, name)| *name);
    match names.collect::<Vec<_>>().join(", ").as_str() {
        "" => "nothing".to_owned(),
        names => format!("{names} (dump level {level})"),
    }
}

/// Seconds since 1970 as a date and time.
fn utc(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| format!("{seconds} s after 1970"), |time| time.to_string())
}

/// Owner and type of notes, how many there are, and how many bytes their descs have.
fn notes(dump: &Dump) -> Vec<[String; 4]> {
    let mut kinds = BTreeMap::<(Vec<u8>, u32), (u64, u64)>::new();
    let mut others = (0, 0_u64);
    for note in dump.notes().flatten() {
        let kind = (note.owner().to_vec(), note.header.note_type);
        let is_new = !kinds.contains_key(&kind);
        let (count, bytes) = if is_new && kinds.len() == KINDS_MAX {
            &mut others
        } else {
            kinds.entry(kind).or_default()
        };
        *count += 1;
        *bytes = bytes.saturating_add(note.header.desc_size.into());
    }
    let row = |owner: String, note_type: String, (count, bytes): (u64, u64)| {
        [owner, note_type, count.to_string(), bytes.to_string()]
    };
    let mut rows: Vec<_> = kinds
        .into_iter()
        .map(|((owner, note_type), found)| {
            row(Escaped(&owner).to_string(), type_name(&owner, note_type), found)
        })
        .collect();
    if others.0 > 0 {
        rows.push(row("others".to_owned(), String::new(), others));
    }
    rows
}

fn type_name(owner: &[u8], note_type: u32) -> String {
    let name = match (owner, note_type) {
        (b"LINUX", 0x700) => "device dump",
        (b"VMCOREDD", 0x701) => "manifest",
        (b"CORE", 1) => "prstatus",
        (b"VMCOREINFO", 0) => "vmcoreinfo",
        _ => return format!("{note_type:#x}"),
    };
    format!("{note_type:#x} {name}")
}
