// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes the list of the profiles in the directory `profiles`, which the crate includes.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let variable = |name| env::var_os(name).map(PathBuf::from).unwrap_or_default();
    let directory = variable("CARGO_MANIFEST_DIR").join("../../profiles");
    println!("cargo::rerun-if-changed={}", directory.display());
    let list = if directory.is_dir() { list(&directory)? } else { "[]".to_owned() };
    fs::write(variable("OUT_DIR").join("builtin.rs"), list)
}

/// The names and texts of the files, in the order of the names.
fn list(directory: &Path) -> io::Result<String> {
    let files = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<_> = files.into_iter().map(|file| file.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "kdl"));
    files.sort();
    let entries = files.iter().map(|file| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        format!("({name:?}, include_str!({file:?})),\n")
    });
    Ok(format!("[{}]", entries.collect::<String>()))
}
