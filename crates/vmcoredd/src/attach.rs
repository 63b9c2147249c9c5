// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd attach`.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use kdump::{AttachError, Attached, Dump, EscapedPath, Name, NewDump, NewPayload};

use crate::failure::{Failure, Status};
use crate::names::name_and_blob;
use crate::output::{self, Target};
use crate::progress;
use crate::read::{self, Contents};

/// Add device dumps to a dump that was saved
///
/// FILE may be an ELF vmcore or a kdump-compressed dump. To the latter, the new notes are
/// written behind its end, and its header is made to point there. Of an ELF vmcore, other
/// tools look for notes before the memory alone, so that a copy is made, which takes its
/// place once it is whole. Whatever happens meanwhile, FILE stays a whole dump. What is in
/// FILE already, with its name and content, is not added again; a name that is taken gets
/// a number.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The dump
    file: PathBuf,
    /// Device dumps to add: their names, and the files with their payloads
    #[arg(value_name = "NAME=BLOB", required_unless_present = "from")]
    blobs: Vec<OsString>,
    /// Add all device dumps of this file, such as a saved /proc/vmcoredd
    #[arg(long, value_name = "DUMPS")]
    from: Option<PathBuf>,
    /// Write FILE with the new device dumps to OUT
    #[arg(short, long, value_name = "OUT", required_unless_present = "in_place")]
    output: Option<PathBuf>,
    /// Add them to FILE itself
    #[arg(long, conflicts_with = "output")]
    in_place: bool,
}

/// Attaches what is asked for.
pub fn run(arguments: &Arguments) -> Result<Status, Failure> {
    let dump = Dump::open(&arguments.file)?;
    let from = arguments.from.as_ref().map(|path| read::open(path)).transpose()?;
    let from = from.as_ref().map(|from| (from, Contents::read(from)));
    let mut status = Status::Done;
    let mut new = Vec::new();
    if let Some((from, contents)) = &from {
        status = contents.complain(from.path());
        let matched = contents.manifest.matched(&contents.device_dumps);
        for (device_dump, record) in contents.device_dumps.iter().zip(matched.of_dumps) {
            let name = name(device_dump.name())?;
            new.push(NewDump { name, payload: NewPayload::Dump(*device_dump, record) });
        }
    }
    for blob in &arguments.blobs {
        let (name, path) = blob_argument(blob)?;
        let failed = |error| Failure::Blob { path: path.to_owned(), error };
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        new.push(NewDump { name, payload: NewPayload::File(file) });
    }

    let inputs = [&arguments.file].into_iter().chain(&arguments.from);
    let inputs: Vec<_> = inputs.map(PathBuf::as_path).collect();
    let attached = match &arguments.output {
        Some(output) => output::write(output, &inputs, |to, target| {
            if target == Target::Stream {
                let message = format!("{}: expected a file", EscapedPath(output));
                return Err(Failure::Usage(message));
            }
            to_copy(&dump, to, new, output)
        })?,
        None if dump.format().flattened => {
            let path = EscapedPath(dump.path());
            let message = format!("{path}: is a flattened stream, expected -o OUT");
            return Err(Failure::Usage(message));
        }
        None if dump.attaches_in_place() => in_place(&dump, new)?,
        None => output::replace(dump.path(), |to| to_copy(&dump, to, new, dump.path()))?,
    };
    let mut stdout = crate::stdout::lock();
    for Attached { name, length, was_there } in attached {
        let what = if was_there { "was there" } else { "added" };
        writeln!(stdout, "{name}: {what}, {length} bytes")?;
    }
    stdout.flush()?;
    Ok(status)
}

fn in_place(dump: &Dump, new: Vec<NewDump<'_>>) -> Result<Vec<Attached>, Failure> {
    let file = OpenOptions::new().read(true).write(true).open(dump.path());
    let file = file.map_err(|error| Failure::output(dump.path(), error))?;
    let bar = progress::bar(length(&new), "adding");
    let attached = dump.attach_in_place(&file, new, |done| bar.set_position(done));
    bar.finish_and_clear();
    attached.map_err(|error| failure(error, dump.path()))
}

fn to_copy(
    dump: &Dump,
    to: &File,
    new: Vec<NewDump<'_>>,
    output: &Path,
) -> Result<Vec<Attached>, Failure> {
    let bar = progress::bar(dump.size() + length(&new), "copying");
    let attached = dump.attach_to_copy(to, new, |done| bar.set_position(done));
    bar.finish_and_clear();
    attached.map_err(|error| failure(error, output))
}

/// How much there is to add, in bytes, as far as that is known.
fn length(new: &[NewDump<'_>]) -> u64 {
    let length = |new: &NewDump<'_>| match &new.payload {
        NewPayload::Dump(device_dump, _) => device_dump.available(),
        NewPayload::File(file) => file.metadata().map_or(0, |metadata| metadata.len()),
    };
    new.iter().map(length).sum()
}

fn failure(error: AttachError, output: &Path) -> Failure {
    match error {
        AttachError::Read(error) => Failure::Input(error),
        AttachError::Write(error) => Failure::output(output, error),
        payload @ AttachError::Payload { .. } => Failure::Payload(payload),
    }
}

/// The name and the path in `NAME=BLOB`.
fn blob_argument(argument: &OsStr) -> Result<(Name, &Path), Failure> {
    let Some((left, blob)) = name_and_blob(argument) else {
        let argument = kdump::Escaped(argument.as_bytes());
        return Err(Failure::Usage(format!("{argument}: expected NAME=BLOB")));
    };
    Ok((name(left)?, blob))
}

fn name(bytes: &[u8]) -> Result<Name, Failure> {
    // One of 44 bytes, without its terminating zero, is cut.
    let cut = bytes.get(..bytes.len().min(43)).unwrap_or_default();
    Name::new(cut).map_err(|_| Failure::Name(bytes.to_vec()))
}
