// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Memory in dumps: bitmaps, descriptions of pages, and every codec.
//!
//! The input is the file, but for its last bytes, which are addresses to be read. A
//! page, and what a codec needs for it, is all that may be allocated.
#![no_main]

use std::alloc::System;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use cap::Cap;
use kdumpfile::{Dump, Error};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};

/// More than a page of 1 MiB, its data and a codec's window have, in bytes.
const ALLOCATED_MAX: usize = 24 << 20;
/// How much is read at each address, in bytes.
const READ: usize = 5000;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 64 << 20);

/// A file in memory, and a path to it.
static FILE: LazyLock<(File, PathBuf)> = LazyLock::new(|| {
    let file = File::from(memfd_create("vmcore", MemfdFlags::CLOEXEC).expect("a file in memory"));
    let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
    (file, path)
});

fuzz_target!(|data: &[u8]| {
    let (content, addresses) = data.split_at(data.len() - data.len().min(32));
    let (file, path) = &*FILE;
    file.set_len(0).expect("emptied");
    file.write_all_at(content, 0).expect("written");
    let Ok(dump) = Dump::open(path) else { return };
    let memory = dump.memory();
    for result in [memory.size(), memory.end()] {
        let _ = result.map_err(|error| check_error(&error));
    }
    assert!(memory.page_size().is_power_of_two());
    let mut addresses: Vec<u64> = addresses
        .chunks_exact(8)
        .map(|bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
        .collect();
    // Small ones are those that are there.
    addresses.extend([0, 0x1000, 0x1fff, 0x10_0000]);
    for address in addresses {
        for address in [address, address % 0x10_0000] {
            let read = memory.read(address, &mut [0; READ]);
            let _ = read.map_err(|error| check_error(&error));
        }
    }
    let most = ALLOCATOR.max_allocated();
    assert!(most < ALLOCATED_MAX, "{most} bytes were allocated");
});

/// An error is one line that names the file.
fn check_error(error: &Error) {
    let line = error.to_string();
    assert!(line.starts_with("/proc/self/fd/") && !line.contains(char::is_control), "{line}");
}
