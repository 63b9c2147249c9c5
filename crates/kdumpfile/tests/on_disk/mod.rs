// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Made files on disk, and how much is read of them.

use std::fs;
use std::path::PathBuf;

use synth::Image;
use tempfile::TempDir;

/// A folder with one file in it.
pub struct OnDisk {
    _folder: TempDir,
    pub path: PathBuf,
}

pub fn on_disk(image: &Image) -> OnDisk {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vmcore");
    image.write(&path).expect("written");
    OnDisk { _folder: folder, path }
}

/// How many bytes this thread has read so far.
pub fn bytes_read() -> u64 {
    let counters = fs::read_to_string("/proc/thread-self/io").expect("counters");
    let read = counters.lines().find_map(|line| line.strip_prefix("rchar: "));
    read.and_then(|number| number.parse().ok()).expect("a count")
}
