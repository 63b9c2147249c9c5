// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd list`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use comfy_table::{Cell, CellAlignment, Color, Table, presets};
use kdump::{DeviceDump, Escaped, EscapedPath, Record, Status};

use crate::failure::{self, Failure};
use crate::read::{self, Contents};
use crate::{account, json};

/// List the device dumps of files
///
/// LENGTH is that of the payload in bytes, OFFSET is where it starts in FILE.
/// STATUS is what the manifest in FILE says of the collection: complete or
/// partial, and a REASON where there is one; unknown where it says nothing;
/// damaged where FILE does not have all of the dump. STORED is how many bytes the
/// crash kernel's memory had of it, TIME how many milliseconds the collection took.
/// Below is a line for each collection that left no device dump in FILE.
///
/// Of a damaged file, what can be read is listed. Bytes of a name that cannot be
/// printed are shown as \xNN.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The dumps; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print a JSON object for each file, on a line of its own
    #[arg(long)]
    json: bool,
}

/// Lists every file; one that cannot be read does not stop the others.
pub fn run(arguments: &Arguments) -> Result<failure::Status, Failure> {
    let heading = arguments.files.len() > 1;
    let mut stdout = io::stdout().lock();
    let mut status = failure::Status::Done;
    let mut separator = "";
    for path in &arguments.files {
        let dump = match read::open(path) {
            Ok(dump) => dump,
            Err(error) => {
                if arguments.json {
                    json::print_unreadable(&mut stdout, path, &error)?;
                    stdout.flush()?;
                }
                status = status.max(Failure::Input(error).report());
                continue;
            }
        };
        let contents = Contents::read(&dump);
        if arguments.json {
            json::print(&mut stdout, &dump, &contents)?;
        } else {
            let section = section(dump.path(), &contents, heading);
            if !section.is_empty() {
                writeln!(stdout, "{separator}{section}")?;
                separator = "\n";
            }
        }
        // Where both go to one place, the errors stand behind their list.
        stdout.flush()?;
        status = status.max(contents.complain(dump.path()));
    }
    Ok(status)
}

/// What there is to say of the file at `path`.
fn section(path: &Path, contents: &Contents<'_>, heading: bool) -> String {
    let device_dumps = &contents.device_dumps;
    let matched = contents.manifest.matched(device_dumps);
    let account = account::lines(&contents.manifest, &matched.others);

    let path = EscapedPath(path);
    let mut parts = Vec::new();
    match (device_dumps.as_slice(), contents.is_whole()) {
        ([], true) => parts.push(format!("{path}: no device dumps")),
        ([], false) if account.is_empty() => {}
        _ if heading => parts.push(format!("{path}:")),
        _ => {}
    }
    if !device_dumps.is_empty() {
        parts.push(table(device_dumps, &matched.of_dumps));
    }
    parts.extend(account);
    parts.join("\n")
}

/// The columns. Those behind STATUS are there where there is something in them.
const COLUMNS: [(&str, CellAlignment); 8] = [
    ("INDEX", CellAlignment::Right),
    ("NAME", CellAlignment::Left),
    ("LENGTH", CellAlignment::Right),
    ("OFFSET", CellAlignment::Right),
    ("STATUS", CellAlignment::Left),
    ("STORED", CellAlignment::Right),
    ("TIME", CellAlignment::Right),
    ("REASON", CellAlignment::Left),
];
/// Where STATUS is among them.
const STATUS: usize = 4;

/// `device_dumps`, each with its record.
fn table(device_dumps: &[DeviceDump<'_>], records: &[Option<Record<'_>>]) -> String {
    let rows: Vec<_> = device_dumps.iter().zip(records).map(|(each, of)| row(each, of)).collect();
    let columns: Vec<usize> = (0..COLUMNS.len())
        .filter(|column| *column <= STATUS || rows.iter().any(|row| !cell(row, *column).is_empty()))
        .collect();

    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        table.force_no_tty();
    }
    table.set_header(
        columns.iter().filter_map(|column| COLUMNS.get(*column)).map(|(title, _)| title),
    );
    for row in rows {
        table.add_row(columns.iter().map(|column| {
            let text = cell(&row, *column);
            match color(text).filter(|_| *column == STATUS) {
                Some(color) => Cell::new(text).fg(color),
                None => Cell::new(text),
            }
        }));
    }
    for (column, which) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2));
        if let Some((_, alignment)) = COLUMNS.get(which) {
            column.set_cell_alignment(*alignment);
        }
    }
    table.trim_fmt()
}

fn cell(row: &[String; COLUMNS.len()], column: usize) -> &str {
    row.get(column).map_or("", String::as_str)
}

fn color(status: &str) -> Option<Color> {
    match status {
        "complete" => Some(Color::Green),
        "partial" | "running" => Some(Color::Yellow),
        "damaged" => Some(Color::Red),
        _ => None,
    }
}

fn row(device_dump: &DeviceDump<'_>, record: &Option<Record<'_>>) -> [String; COLUMNS.len()] {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        device_dump.index().to_string(),
        Escaped(device_dump.name()).to_string(),
        device_dump.length().to_string(),
        format!("{:#x}", device_dump.offset()),
        status(device_dump, record.as_ref()).to_owned(),
        number(record.and_then(|record| record.stored())),
        number(record.and_then(|record| record.milliseconds())),
        reason(device_dump, record.as_ref()).unwrap_or_default(),
    ]
}

/// What became of a dump, in a word.
pub fn status(device_dump: &DeviceDump<'_>, record: Option<&Record<'_>>) -> &'static str {
    if device_dump.is_whole() {
        record.map_or(Status::Unknown, Record::status).word()
    } else {
        "damaged"
    }
}

/// Why a dump is not complete, or not what was declared.
pub fn reason(device_dump: &DeviceDump<'_>, record: Option<&Record<'_>>) -> Option<String> {
    let told = record.and_then(account::reason);
    if device_dump.is_whole() {
        return told;
    }
    let there = format!("{} bytes are in the file", device_dump.available());
    Some(match told {
        Some(told) => format!("{there}; {told}"),
        None => there,
    })
}
