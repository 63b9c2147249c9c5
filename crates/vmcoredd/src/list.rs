// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd list`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, Table, presets};
use kdump::{DeviceDump, Dump, Error, Escaped, EscapedPath, Record, Status};

use crate::failure::{self, Failure};
use crate::{account, read};

/// List the device dumps of vmcores
///
/// LENGTH is that of the payload in bytes, OFFSET is where it starts in FILE.
/// STATUS is what the manifest in FILE says of the collection: complete or
/// partial, and a REASON where there is one; unknown where it says nothing.
/// Below is a line for each collection that left no device dump in FILE.
///
/// Of a damaged file, what stands before the damage is listed. Bytes of a name
/// that cannot be printed are shown as \xNN.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The vmcores
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Lists every file; one that cannot be read does not stop the others.
pub fn run(arguments: &Arguments) -> Result<failure::Status, Failure> {
    let heading = arguments.files.len() > 1;
    let mut stdout = io::stdout().lock();
    let mut status = failure::Status::Done;
    let mut separator = "";
    for path in &arguments.files {
        let (section, error) = section(path, heading);
        if !section.is_empty() {
            writeln!(stdout, "{separator}{section}")?;
            separator = "\n";
        }
        if let Some(error) = error {
            // Where both go to one place, the error stands behind its list.
            stdout.flush()?;
            status = Failure::Input(error).report();
        }
    }
    stdout.flush()?;
    Ok(status)
}

/// What there is to say of the file at `path`, and why that is not all.
fn section(path: &Path, heading: bool) -> (String, Option<Error>) {
    let dump = match Dump::open(path) {
        Ok(dump) => dump,
        Err(error) => return (String::new(), Some(error)),
    };
    let (device_dumps, damage) = read::device_dumps(&dump);
    let (manifest, error) = read::manifest(&dump);
    let matched = manifest.matched(&device_dumps);
    let account = account::lines(&manifest, &matched.others);

    let path = EscapedPath(path);
    let mut parts = Vec::new();
    match (device_dumps.as_slice(), &damage) {
        ([], None) => parts.push(format!("{path}: no device dumps")),
        ([], Some(_)) if account.is_empty() => {}
        _ if heading => parts.push(format!("{path}:")),
        _ => {}
    }
    if !device_dumps.is_empty() {
        parts.push(table(&device_dumps, &matched.of_dumps));
    }
    parts.extend(account);
    (parts.join("\n"), damage.or(error))
}

/// The columns. The last one is there where there is something in it.
const COLUMNS: [(&str, CellAlignment); 6] = [
    ("INDEX", CellAlignment::Right),
    ("NAME", CellAlignment::Left),
    ("LENGTH", CellAlignment::Right),
    ("OFFSET", CellAlignment::Right),
    ("STATUS", CellAlignment::Left),
    ("REASON", CellAlignment::Left),
];

/// `device_dumps`, each with its record.
fn table(device_dumps: &[DeviceDump<'_>], records: &[Option<Record<'_>>]) -> String {
    let rows: Vec<_> = device_dumps.iter().zip(records).map(|(each, of)| row(each, of)).collect();
    let has_reasons = rows.iter().any(|[.., reason]| !reason.is_empty());
    let columns = COLUMNS.len() - usize::from(!has_reasons);

    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(COLUMNS.iter().take(columns).map(|(title, _)| title));
    for row in rows {
        table.add_row(row.into_iter().take(columns));
    }
    for (column, (_, alignment)) in table.column_iter_mut().zip(COLUMNS) {
        column.set_padding((0, 2));
        column.set_cell_alignment(alignment);
    }
    table.trim_fmt()
}

fn row(device_dump: &DeviceDump<'_>, record: &Option<Record<'_>>) -> [String; COLUMNS.len()] {
    let status = record.map_or(Status::Unknown, |record| record.status());
    [
        device_dump.index().to_string(),
        Escaped(device_dump.name()).to_string(),
        device_dump.length().to_string(),
        format!("{:#x}", device_dump.offset()),
        status.to_string(),
        record.as_ref().and_then(account::reason).unwrap_or_default(),
    ]
}
