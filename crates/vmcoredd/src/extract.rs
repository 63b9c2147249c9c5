// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd extract`.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use kdump::{CopyError, DeviceDump, Dump, Escaped, EscapedPath};

use crate::failure::{Failure, Status, complain};
use crate::read;

/// How many names are listed where the one asked for is not there.
const NAMES_SHOWN: usize = 20;

/// Write the payload of one device dump to a file
///
/// If OUT is there already, it is replaced once the payload is written whole.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The vmcore
    file: PathBuf,
    /// Which device dump: its name or index, as `list` shows them.
    name: OsString,
    /// Where to write the payload to; - is standard output.
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

/// Extracts the device dump asked for.
pub fn run(arguments: &Arguments) -> Result<Status, Failure> {
    let dump = Dump::open(&arguments.file)?;
    let device_dump = find(&dump, &arguments.name)?;
    if arguments.output == Path::new("-") {
        to_stdout(&device_dump)?;
    } else {
        to_file(&device_dump, &arguments.file, &arguments.output)?;
    }
    Ok(Status::Done)
}

/// The device dump called `wanted`, or else the one of that index.
fn find<'a>(dump: &'a Dump, wanted: &OsStr) -> Result<DeviceDump<'a>, Failure> {
    let (device_dumps, error) = read::device_dumps(dump);
    let is_wanted = |name: &[u8]| {
        name == wanted.as_bytes() || Escaped(name).to_string().as_bytes() == wanted.as_bytes()
    };
    let mut named = device_dumps.iter().filter(|each| is_wanted(each.name()));
    if let Some(first) = named.next() {
        let more = named.count();
        if more > 0 {
            complain(format_args!(
                "{}: {} device dumps are named {}; this is the first, index {}",
                EscapedPath(dump.path()),
                more + 1,
                Escaped(first.name()),
                first.index(),
            ));
        }
        return Ok(*first);
    }
    let index = wanted.to_str().and_then(|text| text.parse::<usize>().ok());
    if let Some(device_dump) = index.and_then(|index| device_dumps.get(index)) {
        return Ok(*device_dump);
    }
    Err(error.map_or_else(
        || Failure::NotFound {
            path: dump.path().to_owned(),
            wanted: Escaped(wanted.as_bytes()).to_string(),
            others: names(&device_dumps),
        },
        Failure::Input,
    ))
}

/// What there is, in words.
fn names(device_dumps: &[DeviceDump<'_>]) -> String {
    if device_dumps.is_empty() {
        return "it has no device dumps".to_owned();
    }
    let shown: Vec<_> = device_dumps
        .iter()
        .take(NAMES_SHOWN)
        .map(|each| Escaped(each.name()).to_string())
        .collect();
    let more = match device_dumps.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("there are: {}{more}", shown.join(", "))
}

fn to_stdout(device_dump: &DeviceDump<'_>) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    device_dump.copy_to(&mut stdout).map_err(|error| match error {
        CopyError::Read(error) => Failure::Input(error),
        CopyError::Write(error) => Failure::Stdout(error),
    })?;
    Ok(stdout.flush()?)
}

/// Writes the payload to `output`, unless that is the `input` it comes from.
fn to_file(device_dump: &DeviceDump<'_>, input: &Path, output: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::output(output, error);
    let Ok(existing) = fs::metadata(output) else {
        return replace(device_dump, output, output, None);
    };
    let is_input =
        |input: fs::Metadata| (input.dev(), input.ino()) == (existing.dev(), existing.ino());
    if fs::metadata(input).is_ok_and(is_input) {
        return Err(Failure::OutputIsInput(output.to_owned()));
    }
    if existing.is_file() {
        // A link stays a link: what it leads to is replaced.
        let target = output.canonicalize().map_err(failed)?;
        return replace(device_dump, &target, output, Some(existing.permissions()));
    }
    // A device or a pipe cannot be replaced, only written.
    let mut file = OpenOptions::new().write(true).open(output).map_err(failed)?;
    copy(device_dump, &mut file, output)
}

/// Puts a file with the payload in the place of `target`, whole or not at all,
/// with the `permissions` of what stood there.
fn replace(
    device_dump: &DeviceDump<'_>,
    target: &Path,
    output: &Path,
    permissions: Option<Permissions>,
) -> Result<(), Failure> {
    let failed = |error| Failure::output(output, error);
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut temporary = tempfile::Builder::new()
        .prefix(".vmcoredd-")
        // As for any file that is created, the umask says who may read it.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        // The error itself names the temporary file, which nobody asked for.
        .map_err(|error| failed(error.kind().into()))?;
    copy(device_dump, temporary.as_file_mut(), output)?;
    if let Some(permissions) = permissions {
        temporary.as_file().set_permissions(permissions).map_err(failed)?;
    }
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(target).map_err(|error| failed(error.error))?;
    Ok(())
}

fn copy(device_dump: &DeviceDump<'_>, to: &mut File, output: &Path) -> Result<(), Failure> {
    device_dump.copy_to(to).map_err(|error| match error {
        CopyError::Read(error) => Failure::Input(error),
        CopyError::Write(error) => Failure::output(output, error),
    })
}
