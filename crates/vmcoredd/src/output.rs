// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files that are written: whole, or not at all.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
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
        return put_at(output, output, None, |to| fill(to, Target::NewFile));
    };
    let is_input = |input: Metadata| (input.dev(), input.ino()) == (existing.dev(), existing.ino());
    if fs::metadata(input).is_ok_and(is_input) {
        return Err(Failure::OutputIsInput(output.to_owned()));
    }
    if existing.is_file() {
        return replace(output, |to| fill(to, Target::NewFile));
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

/// Has `fill` write to a new file that takes the place of `output` once it is whole, with
/// its owner and permissions. A link stays a link: what it leads to is replaced.
pub fn replace<T>(
    output: &Path,
    fill: impl FnOnce(&mut File) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let failed = |error| Failure::output(output, error);
    let existing = fs::metadata(output).map_err(failed)?;
    let target = output.canonicalize().map_err(failed)?;
    put_at(&target, output, Some(&existing), fill)
}

/// Puts a file in the place of `target`, where `existing` is; errors call it `output`.
fn put_at<T>(
    target: &Path,
    output: &Path,
    existing: Option<&Metadata>,
    fill: impl FnOnce(&mut File) -> Result<T, Failure>,
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
    let filled = fill(temporary.as_file_mut())?;
    if let Some(existing) = existing {
        // Whoever may write here need not be allowed to give files away.
        let _ = fchown(temporary.as_file(), Some(existing.uid()), Some(existing.gid()));
        temporary.as_file().set_permissions(existing.permissions()).map_err(failed)?;
    }
    temporary.persist(target).map_err(|error| failed(error.error))?;
    Ok(filled)
}
