// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd attach`.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kdumpfile::{
    Additions, AttachError, Attached, Dump, Escaped, EscapedPath, LockError, LockedDump, Name,
    NewDump, NewPayload,
};

use crate::failure::{Exit, Failure, complain};
use crate::names::name_and_blob;
use crate::output::{self, Target};
use crate::progress;
use crate::read::{self, Contents};

/// Add device dumps to a dump that was saved
///
/// FILE may be an ELF vmcore or a kdump-compressed dump. To the latter, the new notes are
/// written at its end, and its header is made to point there. Of an ELF vmcore, other
/// tools look for notes before the memory alone, so that a copy is made, which takes its
/// place once it is whole. Whatever happens meanwhile, FILE stays a whole dump. What is in
/// FILE already, with its name and content, is not added again. A name gets a number where
/// FILE has a device dump of that name, or its manifest records another one elsewhere. Of
/// what is cut in DUMPS, that part is added, and called partial.
///
/// With --in-place, FILE is locked, as flock(1) locks it, from before it is read until it
/// is changed: of several that add to it at once, one does so after the other. That of a
/// file system without locks can be copied with -o.
///
/// Not done without --force is what has a drawback: to add to a dump that is not whole, or
/// to another part than the first of a split set, whose notes makedumpfile --reassemble
/// drops; and more notes in an ELF vmcore than 2,147,479,552 bytes, which makedumpfile
/// does not read.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The dump; - is standard input, with -o
    file: PathBuf,
    /// Device dumps to add: their names, and the files with their payloads; - is standard
    /// input
    #[arg(value_name = "NAME=BLOB", required_unless_present = "from")]
    blobs: Vec<OsString>,
    /// Add all device dumps of this file, such as a saved /proc/vmcoredd; - is standard
    /// input
    #[arg(long, value_name = "DUMPS")]
    from: Option<PathBuf>,
    /// Write FILE with the new device dumps to OUT
    #[arg(short, long, value_name = "OUT", required_unless_present = "in_place")]
    output: Option<PathBuf>,
    /// Add them to FILE itself
    #[arg(long, conflicts_with = "output")]
    in_place: bool,
    /// Add them although that has a drawback, as above
    #[arg(long)]
    force: bool,
    /// How long to wait for others that change FILE
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "in_place")]
    wait: u64,
}

/// Attaches what is asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    arguments.check()?;
    let file = FileToAddTo::open(arguments)?;
    let dump = file.dump();
    let from = arguments.from.as_ref().map(|path| read::open(path)).transpose()?;
    let from = from.as_ref().map(|from| (from, Contents::read(from)));
    let mut status = Exit::Done;
    let mut new = Vec::new();
    if let Some((from, contents)) = &from {
        status = contents.complain(from.path());
        if status == Exit::Input {
            // The next time there may be more: nor would a dump get its record then.
            return Ok(status);
        }
        let matched = contents.manifest.matched(&contents.device_dumps);
        for (device_dump, record) in contents.device_dumps.iter().zip(matched.of_dumps) {
            let name = name(device_dump.name())?;
            new.push(NewDump { name, payload: NewPayload::Dump(*device_dump, record) });
        }
    }
    for blob in &arguments.blobs {
        let (name, path) = blob_argument(blob)?;
        let failed = |error| Failure::Blob { path: path.to_owned(), error };
        let file = open_blob(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        new.push(NewDump { name, payload: NewPayload::File(file) });
    }
    if dump.split_pages().is_some_and(|(first_page, _)| first_page == 0 || arguments.force) {
        let path = EscapedPath(dump.path());
        complain(format_args!(
            "{path}: is one of a split set; makedumpfile --reassemble keeps the notes of the \
             first part alone"
        ));
    }

    let inputs = [&arguments.file].into_iter().chain(&arguments.from);
    let inputs: Vec<_> = inputs.map(PathBuf::as_path).collect();
    let new = Additions { dumps: new, force: arguments.force };
    let attached = match (&file, &arguments.output) {
        (FileToAddTo::Read(dump), Some(output)) => output::write(output, &inputs, |to, target| {
            if target == Target::Stream {
                return Err(no_file(output));
            }
            to_copy(dump, to, new, output)
        })?,
        (FileToAddTo::Read(dump), None) => return Err(no_file(dump.path())),
        (FileToAddTo::Locked(dump), _) if dump.format().flattened => {
            let path = EscapedPath(dump.path());
            let message = format!("{path}: is a flattened stream, expected -o OUT");
            return Err(Failure::Usage(message));
        }
        (FileToAddTo::Locked(dump), _) if dump.format().compression.is_some() => {
            let path = EscapedPath(dump.path());
            return Err(Failure::Usage(format!("{path}: is compressed, expected -o OUT")));
        }
        (FileToAddTo::Locked(dump), _) if dump.attaches_in_place() => in_place(dump, new)?,
        (FileToAddTo::Locked(dump), _) => {
            output::replace(dump.path(), |to| to_copy(dump, to, new, dump.path()))?
        }
    };
    let mut stdout = crate::stdout::lock();
    for Attached { name, length, was_there } in attached {
        let what = if was_there { "was there" } else { "added" };
        writeln!(stdout, "{name}: {what}, {length} bytes")?;
    }
    stdout.flush()?;
    Ok(status)
}

/// FILE, as it is opened.
enum FileToAddTo {
    /// To be copied. What others do to it meanwhile is not in the copy: in place, they
    /// overwrite nothing that is read, and a file that is replaced stays as it was.
    Read(Dump),
    /// To be changed or replaced.
    Locked(LockedDump),
}

impl FileToAddTo {
    fn open(arguments: &Arguments) -> Result<Self, Failure> {
        let path = &arguments.file;
        if arguments.output.is_some() {
            return Ok(Self::Read(read::open(path)?));
        }
        match LockedDump::open(path, Duration::from_secs(arguments.wait)) {
            Ok(dump) => Ok(Self::Locked(dump)),
            Err(LockError::Read(error)) => Err(Failure::Input(error)),
            Err(LockError::NoFile(path)) => Err(no_file(&path)),
            Err(error) => Err(Failure::Locked(error)),
        }
    }

    fn dump(&self) -> &Dump {
        match self {
            Self::Read(dump) => dump,
            Self::Locked(dump) => dump,
        }
    }
}

/// One of the files, what it is called in the usage, and its metadata.
type Role<'a> = (&'a Path, &'static str, Metadata);

impl Arguments {
    /// Checks that no file has two roles, under whichever name: what is added to itself
    /// would not end, and what is written must not have been an input.
    fn check(&self) -> Result<(), Failure> {
        if self.file == Path::new("-") && self.in_place {
            return Err(Failure::Usage(
                "standard input: cannot be changed in place, expected -o OUT".to_owned(),
            ));
        }
        if self.output.as_deref() == Some(Path::new("-")) {
            return Err(no_file(Path::new("standard output")));
        }
        let file = role(&self.file, "FILE");
        let from = self.from.as_ref().map(|path| role(path, "DUMPS"));
        let blobs = self.blobs.iter().map(|blob| Ok(role(blob_argument(blob)?.1, "BLOB")));
        let blobs = blobs.collect::<Result<Vec<_>, Failure>>()?;
        let inputs = || blobs.iter().flatten().chain(from.iter().flatten());
        let mut of_stdin = [Some(self.file.as_path()), self.from.as_deref()]
            .into_iter()
            .flatten()
            .chain(self.blobs.iter().filter_map(|blob| Some(blob_argument(blob).ok()?.1)))
            .filter(|path| *path == Path::new("-"));
        if of_stdin.nth(1).is_some() {
            return Err(Failure::Usage("standard input: can be read only once".to_owned()));
        }
        if let Some(file) = &file {
            inputs().try_for_each(|input| differ(input, file))?;
        }
        let output = self.output.as_ref().and_then(|output| role(output, "OUT"));
        if let Some(output) = &output {
            inputs().try_for_each(|input| differ(output, input))?;
        }
        Ok(())
    }
}

/// The role of a file that exists; one that cannot be read is reported where it is opened.
fn role<'a>(path: &'a Path, what: &'static str) -> Option<Role<'a>> {
    let metadata = if path == Path::new("-") && what != "OUT" {
        let stdin = io::stdin().as_fd().try_clone_to_owned().ok()?;
        File::from(stdin).metadata()
    } else {
        path.metadata()
    };
    Some((path, what, metadata.ok().filter(Metadata::is_file)?))
}

fn differ(one: &Role<'_>, other: &Role<'_>) -> Result<(), Failure> {
    let identity = |role: &Role<'_>| (role.2.dev(), role.2.ino());
    if identity(one) != identity(other) {
        return Ok(());
    }
    let (path, what, _) = one;
    let message = format!("{}: is {} itself, expected another {what}", EscapedPath(path), other.1);
    Err(Failure::Usage(message))
}

fn no_file(path: &Path) -> Failure {
    Failure::Usage(format!("{}: expected a file", EscapedPath(path)))
}

fn open_blob(path: &Path) -> io::Result<File> {
    if path == Path::new("-") {
        return Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?));
    }
    File::open(path)
}

fn in_place(dump: &LockedDump, new: Additions<'_>) -> Result<Vec<Attached>, Failure> {
    let bar = progress::bar(length(&new), "adding");
    let attached = dump.attach_in_place(new, |done| bar.set_position(done));
    bar.finish_and_clear();
    attached.map_err(|error| failure(error, dump.path()))
}

fn to_copy(
    dump: &Dump,
    to: &File,
    new: Additions<'_>,
    output: &Path,
) -> Result<Vec<Attached>, Failure> {
    let bar = progress::bar(dump.size() + length(&new), "copying");
    let attached = dump.attach_to_copy(to, new, |done| bar.set_position(done));
    bar.finish_and_clear();
    attached.map_err(|error| failure(error, output))
}

/// How much there is to add, in bytes, as far as that is known.
fn length(new: &Additions<'_>) -> u64 {
    let length = |new: &NewDump<'_>| match &new.payload {
        NewPayload::Dump(device_dump, _) => device_dump.available(),
        NewPayload::File(file) | NewPayload::Collected(file, _) => {
            file.metadata().map_or(0, |metadata| metadata.len())
        }
        NewPayload::Nothing(_) => 0,
    };
    new.dumps.iter().map(length).sum()
}

fn failure(error: AttachError, output: &Path) -> Failure {
    match error {
        drawback if drawback.is_forcible() => Failure::Drawback(drawback),
        AttachError::Read(error) => Failure::Input(error),
        AttachError::Write(error) => Failure::output(output, error),
        other => Failure::Payload(other),
    }
}

/// The name and the path in `NAME=BLOB`.
fn blob_argument(argument: &OsStr) -> Result<(Name, &Path), Failure> {
    let Some((left, blob)) = name_and_blob(argument) else {
        let argument = Escaped(argument.as_bytes());
        return Err(Failure::Usage(format!("{argument}: expected NAME=BLOB")));
    };
    Ok((name(left)?, blob))
}

fn name(bytes: &[u8]) -> Result<Name, Failure> {
    // One of 44 bytes, without its terminating zero, is cut.
    let cut = bytes.get(..bytes.len().min(43)).unwrap_or_default();
    Name::new(cut).map_err(|_| Failure::Name(bytes.to_vec()))
}
