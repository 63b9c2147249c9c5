// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The operator's own profiles.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use ::profile::{Library, SIZE_MAX};

use crate::failure::Failure;

/// Where they are.
pub const DIRECTORY: &str = "/etc/vmcoredd/profiles.d";

/// Where they are, of a command that only reads them.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Directory {
    /// The directory of your own profiles, which come before those that are built in
    #[arg(long, value_name = "DIRECTORY", default_value = DIRECTORY)]
    profiles: PathBuf,
}

impl Directory {
    /// The profiles, as [`read`] has them.
    pub fn files(&self) -> Result<Vec<(PathBuf, Vec<u8>)>, Failure> {
        read(&self.profiles)
    }

    /// These, and those that are built in.
    pub fn library(&self) -> Result<Library, Failure> {
        let files = self.files()?.into_iter();
        Ok(Library::with_built_in(files.map(|(file, bytes)| (name(&file), bytes))))
    }
}

/// The profiles of a directory, `*.kdl`, in the order of their names, with the bytes of each.
/// There are none where there is no such directory.
pub fn read(directory: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, Failure> {
    let failed = |path: &Path, error| Failure::Blob { path: path.to_owned(), error };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| failed(directory, error))?,
    };
    let files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    let mut files = files.map_err(|error| failed(directory, error))?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "kdl"));
    files.sort();
    let profile = |file: PathBuf| {
        let bytes = read_file(&file)?;
        Ok((file, bytes))
    };
    files.into_iter().map(profile).collect()
}

/// The bytes of the profile in `file`; what is too long for one is cut, and found to be so.
pub fn read_file(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|file| file.take(SIZE_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::Blob { path: file.to_owned(), error })?;
    Ok(bytes)
}

/// The name that the profile in `file` must have.
pub fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
