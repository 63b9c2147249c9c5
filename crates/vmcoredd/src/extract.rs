// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd extract`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kdumpfile::{DeviceDump, Dump, EscapedPath};

use crate::failure::{Exit, Failure, complain};
use crate::names::{FileNames, file_name};
use crate::output::{self, Target};
use crate::payload::{check_whole, copy_failure};
use crate::progress;
use crate::read::{self, Contents};

/// Write the payloads of device dumps to files
///
/// If a file is there already, it is replaced once the payload is written whole; where
/// there are zeros it has holes. Nobody may read it who may not read FILE; where that is
/// a pipe, its owner alone may. Of a damaged device dump, what FILE has is written, and
/// the exit status is 1.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The dump; - is standard input
    file: PathBuf,
    /// Which device dump: its name or index, as `list` shows them; not needed where there
    /// is one alone
    name: Option<OsString>,
    /// Extract all of them, into a directory
    #[arg(short, long, conflicts_with_all = ["name", "output"])]
    all: bool,
    /// Where to write the payload to; - is standard output. A device or a pipe is written,
    /// and where it is a link, what that leads to is replaced.
    #[arg(short, long, value_name = "OUT", conflicts_with = "directory")]
    output: Option<PathBuf>,
    /// Write to files in DIR that are called as the device dumps are, as far as that is
    /// safe; prints their paths, with bytes that cannot be printed as \xNN. Files and links
    /// that are there are replaced, anything else is refused. DIR is the current one if
    /// neither this nor -o is given.
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl Arguments {
    fn directory(&self) -> &Path {
        self.directory.as_deref().unwrap_or(Path::new("."))
    }
}

/// Extracts the device dumps asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let dump = read::open(&arguments.file)?;
    let contents = Contents::read(&dump);
    if arguments.all {
        return extract_all(&dump, &contents, arguments);
    }
    let device_dump = contents.find(&dump, arguments.name.as_deref())?;
    match &arguments.output {
        Some(output) if output == Path::new("-") => {
            output::check_stdout_is_not(&arguments.file)?;
            to_stdout(&device_dump)?;
        }
        Some(output) => output::write(output, &[&arguments.file], |to, target| match target {
            Target::NewFile => to_file(&device_dump, to, output),
            Target::Stream => to_stream(&device_dump, to, output),
        })?,
        None => {
            let path = arguments.directory().join(file_name(device_dump.name()));
            output::write_new(&path, &[&arguments.file], |to| to_file(&device_dump, to, &path))?;
            writeln!(crate::stdout::lock(), "{}", EscapedPath(&path))?;
        }
    }
    check_whole(&dump, &device_dump)?;
    Ok(Exit::Done)
}

/// Extracts all device dumps: a damaged one does not stop the others.
fn extract_all(
    dump: &Dump,
    contents: &Contents<'_>,
    arguments: &Arguments,
) -> Result<Exit, Failure> {
    let mut stdout = crate::stdout::lock();
    let mut names = FileNames::default();
    let mut status = Exit::Done;
    if contents.device_dumps.is_empty() && contents.is_whole() {
        complain(format_args!("{}: no device dumps", EscapedPath(dump.path())));
    }
    for device_dump in &contents.device_dumps {
        let path = arguments.directory().join(names.next(device_dump.name()));
        let written =
            output::write_new(&path, &[&arguments.file], |to| to_file(device_dump, to, &path));
        let done = written.and_then(|()| {
            writeln!(stdout, "{}", EscapedPath(&path))?;
            stdout.flush()?;
            check_whole(dump, device_dump)
        });
        match done {
            Ok(()) => {}
            // The disk will not have become larger for the next one.
            Err(failure @ Failure::Output { .. }) => return Err(failure),
            Err(failure) => status = status.max(failure.report()),
        }
    }
    Ok(status.max(contents.complain(dump.path())))
}

/// Writes the payload to standard output, or as much of it as is read there.
fn to_stdout(device_dump: &DeviceDump<'_>) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let copied = device_dump.copy_to(&mut stdout);
    match copied
        .map_err(|error| copy_failure(error, Failure::Stdout))
        .and_then(|()| Ok(stdout.flush()?))
    {
        Err(failure) if failure.is_broken_pipe() => Ok(()),
        done => done,
    }
}

/// Writes the payload to the device or pipe `to`, which is `output`.
fn to_stream(device_dump: &DeviceDump<'_>, to: &mut File, output: &Path) -> Result<(), Failure> {
    let done = device_dump.copy_to(to);
    done.map_err(|error| copy_failure(error, |error| Failure::output(output, error)))
}

/// Writes the payload to the new file `to`, which will be `output`.
fn to_file(device_dump: &DeviceDump<'_>, to: &File, output: &Path) -> Result<(), Failure> {
    let bar = progress::bar(device_dump.available(), "extracting");
    let done = device_dump.copy_to_file(to, |done| bar.set_position(done));
    bar.finish_and_clear();
    done.map_err(|error| copy_failure(error, |error| Failure::output(output, error)))
}
