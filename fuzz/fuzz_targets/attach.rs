// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Adding a device dump to a file, whatever that is, and whatever fails meanwhile.
//!
//! The input is the file and, after it, a byte that says which call fails, and how. What was
//! there is there afterwards, or nothing was done.
#![no_main]

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use kdumpfile::{
    Additions, AttachError, Dump, Error, LockError, LockedDump, Name, NewDump, NewPayload, Writable,
};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};

/// The most bytes that a page of fill, a payload and its manifest take, and what 4 KiB of
/// alignment and 1 MiB of `p_align` add.
const GROWTH_MAX: u64 = 2 << 20;
const PAYLOAD: [u8; 999] = [0x5a; 999];

/// Files in memory, and paths to them: what is read, what is written, and a payload.
static FILES: LazyLock<[(File, PathBuf); 3]> = LazyLock::new(|| {
    ["vmcore", "copy", "payload"].map(|name| {
        let file = File::from(memfd_create(name, MemfdFlags::CLOEXEC).expect("a file in memory"));
        let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
        (file, path)
    })
});

/// A file of which the calls fail from one on: that one, or all that come after it, too.
struct Failing<'a> {
    file: &'a File,
    /// How many calls do not fail.
    left: Cell<u32>,
    /// How much of what is written comes to the file in the call that fails, in 1/4.
    part: usize,
    /// Only one call fails.
    once: bool,
    /// One has failed.
    failed: Cell<bool>,
}

impl<'a> Failing<'a> {
    fn new(file: &'a File, how: u8) -> Self {
        let left = Cell::new((how & 0xf).into());
        let part = usize::from(how >> 5 & 3) + usize::from(how >> 5 & 3 == 3);
        Self { file, left, part, once: how & 0x80 != 0, failed: Cell::new(false) }
    }

    /// Makes a call, or has it fail, after `part` of it was done.
    fn call(
        &self,
        call: impl Fn() -> io::Result<()>,
        part: impl Fn() -> io::Result<()>,
    ) -> io::Result<()> {
        if self.once && self.failed.get() {
            return call();
        }
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                call()
            }
            None => {
                self.failed.set(true);
                part()?;
                Err(io::ErrorKind::StorageFull.into())
            }
        }
    }
}

impl Writable for Failing<'_> {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        // A field of a header is in one sector, of which all is written, or nothing.
        let part = if bytes.len() > 8 {
            bytes.len() * self.part / 4
        } else {
            bytes.len() * (self.part / 4)
        };
        let written = |bytes: &[u8]| FileExt::write_all_at(self.file, bytes, offset);
        self.call(|| written(bytes), || written(&bytes[..part]))
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.call(|| self.file.set_length(length), || Ok(()))
    }

    fn sync(&self) -> io::Result<()> {
        self.call(|| Ok(()), || Ok(()))
    }
}

/// Names and contents of the device dumps of a file; `None` where one is damaged.
fn device_dumps(dump: &Dump) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let payload = |dump: kdumpfile::DeviceDump<'_>| {
        let mut bytes = Vec::new();
        dump.copy_to(&mut bytes).ok()?;
        Some((dump.name().to_vec(), bytes))
    };
    dump.device_dumps().map(|dump| payload(dump.ok()?)).collect()
}

fuzz_target!(|data: &[u8]| {
    let Some((how, data)) = data.split_last() else { return };
    let [(file, path), (copy, copy_path), (payload, payload_path)] = &*FILES;
    file.set_len(0).expect("emptied");
    FileExt::write_all_at(file, data, 0).expect("written");
    copy.set_len(0).expect("emptied");
    FileExt::write_all_at(payload, &PAYLOAD, 0).expect("written");
    let dump = match LockedDump::open(path, Duration::ZERO) {
        Ok(dump) => dump,
        Err(LockError::Read(error)) => return check_error(&error),
        Err(error) => panic!("{error}"),
    };
    let new = |force| {
        let payload = NewPayload::File(File::open(payload_path).expect("there"));
        let dump = NewDump { name: Name::new(b"new").expect("a name"), payload };
        Additions { dumps: vec![dump], force }
    };
    let before = device_dumps(&dump);

    if dump.size() <= 4 << 20 {
        let attached = dump.attach_to_copy(copy, new(false), |_| {});
        let there = attached.is_ok().then(|| Dump::open(copy_path).expect("it was one"));
        check(before.as_ref(), attached.map(|_| ()), there.as_ref());
        if let Some(there) = there {
            assert!(there.size() <= dump.size() + GROWTH_MAX, "{} bytes", there.size());
        }
    }
    if !dump.attaches_in_place() {
        return;
    }
    drop(dump);
    if how & 0x10 != 0 {
        // Once without a fault, so that the notes end the file.
        attach_in_place(file, path, new(false));
    }
    let dump = LockedDump::open(path, Duration::ZERO).expect("it was one");
    let (failing, before) = (Failing::new(file, *how), shown(&dump));
    if let Err(error) = dump.attach_through(&failing, new(false), |_| {}) {
        // It is what it was, and perhaps more.
        let after = shown(&Dump::open(path).expect("it was one"));
        let has_all = before.iter().all(|each| after.contains(each));
        let more = after.len().checked_sub(before.len());
        assert!(after == before || has_all && more == Some(1), "{error}: {before:?}\n{after:?}");
        if !failing.failed.get() {
            assert_eq!(file.length().expect("there"), dump.size(), "{error}");
        }
    }
    drop(dump);
    // To whatever that left.
    attach_in_place(file, path, new(false));
});

fn attach_in_place(file: &File, path: &Path, new: Additions<'_>) {
    let dump = LockedDump::open(path, Duration::ZERO).expect("it was one");
    let before = device_dumps(&dump);
    let attached = dump.attach_in_place(new, |_| {});
    if attached.is_err() {
        assert_eq!(file.length().expect("there"), dump.size());
    }
    let there = attached.is_ok().then(|| Dump::open(path).expect("it was one"));
    check(before.as_ref(), attached.map(|_| ()), there.as_ref());
}

/// Names and contents of all device dumps, and what is wrong, but not where.
fn shown(dump: &Dump) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut shown: Vec<_> = dump
        .device_dumps()
        .map(|each| {
            let Ok(each) = each else { return (b"an error".to_vec(), None) };
            let mut bytes = Vec::new();
            let copied = each.copy_to(&mut bytes).is_ok();
            (each.name().to_vec(), copied.then_some(bytes))
        })
        .collect();
    shown.sort();
    shown
}

fn check(
    before: Option<&Vec<(Vec<u8>, Vec<u8>)>>,
    attached: Result<(), AttachError>,
    there: Option<&Dump>,
) {
    match attached {
        Ok(()) => {
            let mut expected = before.expect("what is damaged is refused").clone();
            let mut found = device_dumps(there.expect("opened")).expect("whole");
            // Others may have that payload, too, or that name.
            let is_new =
                |each: &(Vec<u8>, Vec<u8>)| each.1[..] == PAYLOAD && !expected.contains(each);
            let new = found.iter().position(is_new);
            found.remove(new.expect("the new one"));
            expected.sort();
            found.sort();
            assert_eq!(found, expected);
        }
        Err(AttachError::Read(error)) => check_error(&error),
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
}

/// An error is one line that names the file.
fn check_error(error: &Error) {
    let line = error.to_string();
    assert!(line.starts_with("/proc/self/fd/") && !line.contains(char::is_control), "{line}");
}
