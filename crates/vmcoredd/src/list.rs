// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd list`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, Table, presets};
use kdump::{DeviceDump, Dump, Error, Escaped, EscapedPath};

use crate::failure::{Failure, Status};
use crate::read;

/// List the device dumps of vmcores
///
/// LENGTH is that of the payload in bytes, OFFSET is where it starts in FILE.
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
pub fn run(arguments: &Arguments) -> Result<Status, Failure> {
    let heading = arguments.files.len() > 1;
    let mut stdout = io::stdout().lock();
    let mut status = Status::Done;
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
    let (device_dumps, error) = read::device_dumps(&dump);
    let path = EscapedPath(path);
    let section = match (device_dumps.as_slice(), &error) {
        ([], None) => format!("{path}: no device dumps"),
        ([], Some(_)) => String::new(),
        (some, _) if heading => format!("{path}:\n{}", table(some)),
        (some, _) => table(some),
    };
    (section, error)
}

fn table(device_dumps: &[DeviceDump<'_>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["INDEX", "NAME", "LENGTH", "OFFSET"]);
    for device_dump in device_dumps {
        table.add_row([
            device_dump.index().to_string(),
            Escaped(device_dump.name()).to_string(),
            device_dump.length().to_string(),
            format!("{:#x}", device_dump.offset()),
        ]);
    }
    let alignments =
        [CellAlignment::Right, CellAlignment::Left, CellAlignment::Right, CellAlignment::Right];
    for (column, alignment) in table.column_iter_mut().zip(alignments) {
        column.set_padding((0, 2));
        column.set_cell_alignment(alignment);
    }
    table.trim_fmt()
}
