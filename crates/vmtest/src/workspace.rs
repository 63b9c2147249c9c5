// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Where things are kept, and how processes take turns.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.ancestors().nth(2).unwrap_or(crate_dir).to_path_buf()
}

/// The workspace's `target/`, where kernels and runs are kept.
///
/// `CARGO_TARGET_DIR` does not move it: kernels are worth keeping when only the
/// build goes elsewhere.
pub fn target_dir() -> PathBuf {
    root().join("target")
}

/// Waits until no other process or thread holds `path`; free again on drop.
pub(crate) fn lock(path: &Path) -> Result<File> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(Error::file("create", directory))?;
    }
    let file = File::create(path).map_err(Error::file("create", path))?;
    file.lock().map_err(Error::file("lock", path))?;
    Ok(file)
}
