// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Compressed dumps: every decompressor, fed with what nobody wrote.
//!
//! The input is the compressed file. It goes in as a file and as a pipe, which must give
//! the same notes; whatever it claims, what is allocated and what comes out is bounded.
#![no_main]

use std::alloc::System;
use std::fs::File;
use std::io::Cursor;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use cap::Cap;
use kdumpfile::{Dump, Error};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};

/// The window of zstd or the dictionary of xz, twice, and all else, in bytes.
const ALLOCATED_MAX: usize = 320 << 20;
/// The most notes that are compared.
const NOTES_MAX: usize = 1000;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 400 << 20);

/// A file in memory, and a path to it.
static FILE: LazyLock<(File, PathBuf)> = LazyLock::new(|| {
    let file = File::from(memfd_create("vmcore", MemfdFlags::CLOEXEC).expect("a file in memory"));
    let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
    (file, path)
});

fuzz_target!(|data: &[u8]| {
    let (file, path) = &*FILE;
    file.set_len(0).expect("emptied");
    file.write_all_at(data, 0).expect("written");
    let from_file = notes(Dump::open(path));
    let from_pipe = notes(Dump::from_reader(path, Cursor::new(data.to_vec())));
    // A file of one's own can be read here and there, so that its end is known before.
    if Dump::open(path).is_ok_and(|dump| dump.format().compression.is_some()) {
        assert_eq!(from_file, from_pipe);
    }
    let most = ALLOCATOR.max_allocated();
    assert!(most < ALLOCATED_MAX, "{most} bytes were allocated");
});

/// Where each note stands, or what is wrong.
fn notes(dump: Result<Dump, Error>) -> Vec<String> {
    match dump {
        Ok(dump) => {
            let notes = dump.notes().take(NOTES_MAX);
            notes.map(|note| note.map_or_else(said, |note| note.offset.to_string())).collect()
        }
        Err(error) => vec![said(error)],
    }
}

/// An error is one line that names the file.
fn said(error: Error) -> String {
    let line = error.to_string();
    assert!(line.starts_with("/proc/self/fd/") && !line.contains(char::is_control), "{line}");
    line
}
