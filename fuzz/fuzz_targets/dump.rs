// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Dumps as files: everything that `kdumpfile` reads.
//!
//! The input is the file, in any format but a compressed one. It is read twice, once with a hole after it,
//! so that lengths of many times its own can be true. No length that it claims may be
//! allocated.
#![no_main]

use std::alloc::System;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use cap::Cap;
use kdumpfile::{CopyError, DeviceDump, Dump, Error, Escaped, Format};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};

/// Size of the hole, in bytes.
const HOLE: u64 = 1 << 20;
/// More than all of this program has at a time, and less than [`HOLE`], in bytes.
const ALLOCATED_MAX: usize = 1 << 19;
/// How many device dumps of one file are compared and copied.
const DUMPS_MAX: usize = 500;
/// How much of the payloads of one file is read, in bytes.
const PAYLOADS_MAX: u64 = 256 << 10;
/// Size of the shortest program header, in bytes.
const PROGRAM_HEADER_MIN: usize = 32;
/// Size of the shortest note, in bytes.
const NOTE_MIN: usize = 12;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 64 << 20);

/// A file in memory, and a path to it.
static FILE: LazyLock<(File, PathBuf)> = LazyLock::new(|| {
    let file = File::from(memfd_create("vmcore", MemfdFlags::CLOEXEC).expect("a file in memory"));
    let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
    (file, path)
});

/// What compressed files start with. The target `compressed` reads them; their decoders
/// take more memory than is allowed here, and what they give is not what is in the file.
const COMPRESSED: [&[u8]; 6] = [
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\0",
    b"\x04\x22\x4d\x18",
    b"\x02\x21\x4c\x18",
    b"\x28\xb5\x2f\xfd",
];

fuzz_target!(|data: &[u8]| {
    let is_skippable = data.get(1..4) == Some(b"\x2a\x4d\x18");
    if is_skippable || COMPRESSED.iter().any(|magic| data.starts_with(magic)) {
        return;
    }
    let cut = device_dumps(data, 0);
    let whole = device_dumps(data, HOLE);
    // In a flattened stream, what follows may cover what was there.
    let found = match (cut, whole) {
        (Some(cut), whole) if data.starts_with(b"\x7fELF") || data.starts_with(b"KDUMP") => {
            Some((cut, whole.expect("it can be opened even without its end")))
        }
        _ => None,
    };
    if let Some(((cut_format, cut), (format, whole))) = found {
        assert_eq!(cut_format, format, "how long a file is does not say how it is laid out");
        let mut whole = whole.iter();
        let is_there = |cut: &Found| whole.any(|whole| whole == cut);
        assert!(cut.iter().all(is_there), "a cut file has only what is not cut off");
    }
    let most = ALLOCATOR.max_allocated();
    assert!(most < ALLOCATED_MAX, "{most} bytes were allocated");
});

/// Name, offset and length of a device dump.
type Found = (Vec<u8>, u64, u64);

/// The format of a file of `content` and `hole` zeros, and its device dumps as far as
/// they can be read; `None` when it cannot be opened.
fn device_dumps(content: &[u8], hole: u64) -> Option<(Format, Vec<Found>)> {
    let (file, path) = &*FILE;
    file.set_len(0).expect("emptied");
    file.write_all_at(content, 0).expect("written");
    let size = content.len() as u64 + hole;
    file.set_len(size).expect("extended");

    let dump = Dump::open(path).map_err(|error| check_error(&error)).ok()?;
    check_notes(&dump, content);
    // A flattened dump is not what the file has, byte for byte.
    let content = Some(content).filter(|_| !dump.format().flattened);
    let size = size.max(dump.size());
    drop(dump.vmcoreinfo().map_err(|error| check_error(&error)));
    let mut found = Vec::new();
    let mut left = PAYLOADS_MAX;
    for each in dump.device_dumps() {
        match each {
            Ok(each) => {
                if found.len() < DUMPS_MAX {
                    assert_eq!(each.index(), found.len());
                    check_payload(&each, content, size, &mut left);
                    found.push((each.name().to_vec(), each.offset(), each.length()));
                }
            }
            Err(error) => check_error(&error),
        }
    }
    Some((dump.format(), found))
}

/// There are not more notes than fit into the file for each of its program headers.
fn check_notes(dump: &Dump, content: &[u8]) {
    let segments = content.len() / PROGRAM_HEADER_MIN;
    let mut left = segments * content.len().div_ceil(NOTE_MIN);
    for note in dump.notes() {
        match note {
            Ok(note) => {
                assert!(note.available() <= note.header.desc_size.into());
                assert!(note.owner().len() <= note.header.name_size as usize);
                left = left.checked_sub(1).expect("fewer notes");
            }
            Err(error) => check_error(&error),
        }
    }
}

/// The payload is what stands in the file, whichever way it is read.
fn check_payload(dump: &DeviceDump<'_>, content: Option<&[u8]>, size: u64, left: &mut u64) {
    assert!(dump.available() <= dump.length());
    assert!(dump.available() == 0 || dump.offset() + dump.available() <= size);
    assert!(dump.name().len() <= 44);
    assert!(Escaped(dump.name()).to_string().is_ascii());

    let mut sink = Sink { content, offset: dump.offset(), left: *left };
    match dump.copy_to(&mut sink) {
        Ok(()) => assert_eq!(sink.offset, dump.offset() + dump.available()),
        Err(CopyError::Write(error)) => assert_eq!(error.kind(), ErrorKind::StorageFull),
        Err(CopyError::Read(error)) => panic!("{error}"),
    }
    *left = sink.left;

    let mut start = [0xaa; 100];
    let count = dump.reader().read(&mut start).expect("readable");
    assert_eq!(count as u64, dump.available().min(100));
    let mut sink = Sink { content, offset: dump.offset(), left: 100 };
    sink.write_all(&start[..count]).expect("as long as there is room");
}

/// An error is one line that names the file.
fn check_error(error: &Error) {
    let line = error.to_string();
    assert!(line.starts_with("/proc/self/fd/") && !line.contains(char::is_control), "{line}");
}

/// Compares what is written to it with `content`, if that is given, from `offset` on,
/// after which there are zeros.
struct Sink<'a> {
    content: Option<&'a [u8]>,
    offset: u64,
    /// How much it still takes, in bytes.
    left: u64,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.left.min(bytes.len() as u64);
        if count < bytes.len() as u64 {
            return Err(ErrorKind::StorageFull.into());
        }
        if let Some(content) = self.content {
            let rest = content.get(self.offset as usize..).unwrap_or_default();
            let (start, zeros) = bytes.split_at(bytes.len().min(rest.len()));
            assert!(rest.starts_with(start) && zeros.iter().all(|byte| *byte == 0));
        }
        self.offset += count;
        self.left -= count;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
