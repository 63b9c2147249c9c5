// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd list`.

mod json;

use std::io::Write;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use kdumpfile::{DeviceDump, Escaped, EscapedPath, Record};

use crate::failure::{Exit, Failure};
use crate::outcome;
use crate::read::{self, Contents};
use crate::table::{Align, Column, Table};

/// List the device dumps of files
///
/// LENGTH is that of the payload in bytes, OFFSET is where it starts in FILE.
/// STATUS is what the manifest in FILE says of the collection: complete or
/// partial, and a REASON where there is one; unknown where it says nothing;
/// damaged where FILE does not have all of the dump. STORED is how many bytes the
/// crash kernel's memory had of it, TIME how many milliseconds the collection took.
/// Below is a line for each collection that left no device dump in FILE, 10,000 at most.
///
/// Of a damaged or incomplete file, what can be read is listed, and the exit status is 1.
/// Bytes of a name that cannot be printed are shown as \xNN.
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

/// Lists the device dumps of every file.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let heading = arguments.files.len() > 1;
    let mut stdout = crate::stdout::UntilClosed::new(anstream::stdout().lock());
    let mut has_printed = false;
    read::each_file(&arguments.files, |path, dump| {
        let dump = match dump {
            Ok(dump) => dump,
            Err(error) => {
                if arguments.json {
                    json::print_unreadable(&mut stdout, path, error)?;
                    stdout.flush()?;
                }
                return Ok(Exit::Done);
            }
        };
        let contents = Contents::read(dump);
        if arguments.json {
            json::print(&mut stdout, dump, &contents)?;
        } else {
            has_printed |= section(&mut stdout, dump.path(), &contents, heading, has_printed)?;
        }
        // Where both go to one place, the errors of a file come after its list.
        stdout.flush()?;
        Ok(contents.complain(dump.path()))
    })
}

/// Prints what there is to say of the file at `path`, after an empty line if it is not
/// the first; returns whether that is something.
fn section(
    to: &mut impl Write,
    path: &Path,
    contents: &Contents<'_>,
    heading: bool,
    separate: bool,
) -> Result<bool, Failure> {
    let device_dumps = &contents.device_dumps;
    let matched = contents.manifest.matched(device_dumps);
    let mut without_dump = outcome::lines(&contents.manifest, &matched).peekable();
    let has_none = device_dumps.is_empty() && without_dump.peek().is_none();
    if has_none && !contents.is_whole() {
        return Ok(false);
    }
    if separate {
        writeln!(to)?;
    }
    let path = EscapedPath(path);
    if device_dumps.is_empty() && contents.is_whole() {
        writeln!(to, "{path}: no device dumps")?;
    } else if heading {
        writeln!(to, "{path}:")?;
    }
    if !device_dumps.is_empty() {
        let rows = || device_dumps.iter().zip(&matched.of_dumps).map(|(each, of)| row(each, of));
        let style = |column, text: &str| if column == STATUS { color(text) } else { Style::new() };
        Table { columns: &COLUMNS, always: STATUS + 1 }.print(to, rows, style)?;
    }
    without_dump.try_for_each(|line| writeln!(to, "{line}"))?;
    Ok(true)
}

/// The columns. Those after STATUS are shown where there is something in them.
const COLUMNS: [Column; 8] = [
    ("INDEX", Align::Right),
    ("NAME", Align::Left),
    ("LENGTH", Align::Right),
    ("OFFSET", Align::Right),
    ("STATUS", Align::Left),
    ("STORED", Align::Right),
    ("TIME", Align::Right),
    ("REASON", Align::Left),
];
/// Where STATUS is among them.
const STATUS: usize = 4;

fn color(status: &str) -> Style {
    match status {
        "complete" => AnsiColor::Green.on_default(),
        "partial" | "running" => AnsiColor::Yellow.on_default(),
        "damaged" => AnsiColor::Red.on_default(),
        _ => Style::new(),
    }
}

fn row(device_dump: &DeviceDump<'_>, record: &Option<Record<'_>>) -> [String; COLUMNS.len()] {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        device_dump.index().to_string(),
        Escaped(device_dump.name()).to_string(),
        device_dump.length().to_string(),
        format!("{:#x}", device_dump.offset()),
        outcome::status(device_dump, record.as_ref()).to_owned(),
        number(record.and_then(|record| record.stored())),
        number(record.and_then(|record| record.milliseconds())),
        outcome::reason(device_dump, record.as_ref()).unwrap_or_default(),
    ]
}
