// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files that are written: whole, or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::failure::Failure;

/// Has `fill` write to `output`: to a new file that takes its place once it is whole,
/// or, where that is a device or a pipe, to it. `input`, if it is a file, must not be
/// the same.
pub fn write<T>(
    output: &Path,
    input: &Path,
    fill: impl FnOnce(&mut File, Target) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let failed = |error| Failure::output(output, error);
    let Ok(existing) = fs::metadata(output) else {
        return replace(output, output, None, fill);
    };
    let is_input =
        |input: fs::Metadata| (input.dev(), input.ino()) == (existing.dev(), existing.ino());
    if fs::metadata(input).is_ok_and(is_input) {
        return Err(Failure::OutputIsInput(output.to_owned()));
    }
    if existing.is_file() {
        // A link stays a link: what it leads to is replaced.
        let target = output.canonicalize().map_err(failed)?;
        return replace(&target, output, Some(existing.permissions()), fill);
    }
    // A device or a pipe cannot be replaced, only written.
    let mut file = OpenOptions::new().write(true).open(output).map_err(failed)?;
    fill(&mut file, Target::Stream)
}

/// What is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A new, empty file.
    NewFile,
    /// Something that takes bytes one after the other.
    Stream,
}

/// Puts a file in the place of `target`, with the `permissions` of what stood there.
fn replace<T>(
    target: &Path,
    output: &Path,
    permissions: Option<Permissions>,
    fill: impl FnOnce(&mut File, Target) -> Result<T, Failure>,
) -> Result<T, Failure> {
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
    let filled = fill(temporary.as_file_mut(), Target::NewFile)?;
    if let Some(permissions) = permissions {
        temporary.as_file().set_permissions(permissions).map_err(failed)?;
    }
    temporary.persist(target).map_err(|error| failed(error.error))?;
    Ok(filled)
}
