// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd extract`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kdump::{CopyError, DeviceDump, Dump, Escaped, EscapedPath};

use crate::failure::{Failure, Status};
use crate::names::{FileNames, file_name};
use crate::output::{self, Target};
use crate::progress;
use crate::read::{self, Contents};

/// Write the payloads of device dumps to files
///
/// If a file is there already, it is replaced once the payload is written whole; where
/// there are zeros it has holes. Of a damaged device dump, what FILE has is written,
/// and the exit status is 1.
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
    /// Where to write the payload to; - is standard output
    #[arg(short, long, value_name = "OUT", conflicts_with = "directory")]
    output: Option<PathBuf>,
    /// Write to files in DIR that are called as the device dumps are, as far as that is
    /// safe; prints their paths, with bytes that cannot be printed as \xNN. DIR is the current one if neither this nor -o is given.
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Extracts the device dumps asked for.
pub fn run(arguments: &Arguments) -> Result<Status, Failure> {
    let dump = read::open(&arguments.file)?;
    let contents = Contents::read(&dump);
    if arguments.all {
        return extract_all(&dump, &contents, arguments.directory.as_deref());
    }
    let device_dump = contents.find(&dump, arguments.name.as_deref())?;
    match &arguments.output {
        Some(output) if output == Path::new("-") => to_stdout(&device_dump)?,
        Some(output) => to_file(&dump, &device_dump, output)?,
        None => {
            let directory = arguments.directory.as_deref().unwrap_or(Path::new("."));
            let path = directory.join(file_name(device_dump.name()));
            to_file(&dump, &device_dump, &path)?;
            writeln!(io::stdout(), "{}", EscapedPath(&path))?;
        }
    }
    check_whole(&dump, &device_dump)?;
    Ok(Status::Done)
}

/// One that is damaged does not keep the others from being extracted.
fn extract_all(
    dump: &Dump,
    contents: &Contents<'_>,
    directory: Option<&Path>,
) -> Result<Status, Failure> {
    let directory = directory.unwrap_or(Path::new("."));
    let mut stdout = io::stdout().lock();
    let mut names = FileNames::default();
    let mut status = Status::Done;
    for device_dump in &contents.device_dumps {
        let path = directory.join(names.next(device_dump.name()));
        let done = to_file(dump, device_dump, &path).and_then(|()| {
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

fn check_whole(dump: &Dump, device_dump: &DeviceDump<'_>) -> Result<(), Failure> {
    if device_dump.is_whole() {
        return Ok(());
    }
    Err(Failure::Damaged {
        path: dump.path().to_owned(),
        name: Escaped(device_dump.name()).to_string(),
        available: device_dump.available(),
        length: device_dump.length(),
    })
}

fn to_stdout(device_dump: &DeviceDump<'_>) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    device_dump.copy_to(&mut stdout).map_err(|error| match error {
        CopyError::Read(error) => Failure::Input(error),
        CopyError::Write(error) => Failure::Stdout(error),
    })?;
    Ok(stdout.flush()?)
}

/// Writes the payload to `output`, unless that is the file that it comes from.
fn to_file(dump: &Dump, device_dump: &DeviceDump<'_>, output: &Path) -> Result<(), Failure> {
    output::write(output, dump.path(), |to, target| copy(device_dump, to, target, output))
}

fn copy(
    device_dump: &DeviceDump<'_>,
    to: &mut File,
    target: Target,
    output: &Path,
) -> Result<(), Failure> {
    let copied = match target {
        Target::NewFile => {
            let bar = progress::bar(device_dump.available(), "extracting");
            let copied = device_dump.copy_to_file(to, |done| bar.set_position(done));
            bar.finish_and_clear();
            copied
        }
        Target::Stream => device_dump.copy_to(to),
    };
    copied.map_err(|error| match error {
        CopyError::Read(error) => Failure::Input(error),
        CopyError::Write(error) => Failure::output(output, error),
    })
}
