// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Adding a device dump to a file, whatever that is.
//!
//! The input is the file. What was there is there afterwards, or nothing was done.
#![no_main]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use kdump::{AttachError, Dump, Error, Name, NewDump, NewPayload};
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

/// Names and contents of the device dumps of a file; `None` where one is damaged.
fn device_dumps(dump: &Dump) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let payload = |dump: kdump::DeviceDump<'_>| {
        let mut bytes = Vec::new();
        dump.copy_to(&mut bytes).ok()?;
        Some((dump.name().to_vec(), bytes))
    };
    dump.device_dumps().map(|dump| payload(dump.ok()?)).collect()
}

fuzz_target!(|data: &[u8]| {
    let [(file, path), (copy, copy_path), (payload, payload_path)] = &*FILES;
    file.set_len(0).expect("emptied");
    file.write_all_at(data, 0).expect("written");
    copy.set_len(0).expect("emptied");
    payload.write_all_at(&PAYLOAD, 0).expect("written");
    let Ok(dump) = Dump::open(path) else { return };
    let new = || {
        let payload = NewPayload::File(File::open(payload_path).expect("there"));
        vec![NewDump { name: Name::new(b"new").expect("a name"), payload }]
    };
    let before = device_dumps(&dump);

    if dump.size() <= 4 << 20 {
        let attached = dump.attach_to_copy(copy, new(), |_| {});
        let there = attached.is_ok().then(|| Dump::open(copy_path).expect("it was one"));
        check(before.as_ref(), attached.map(|_| ()), there.as_ref());
        if let Some(there) = there {
            assert!(there.size() <= dump.size() + GROWTH_MAX, "{} bytes", there.size());
        }
    }
    if dump.attaches_in_place() {
        let attached = dump.attach_in_place(file, new(), |_| {});
        if attached.is_err() {
            assert_eq!(file.metadata().expect("there").len(), data.len() as u64);
        }
        let there = Dump::open(path).expect("it was one");
        let there = attached.is_ok().then_some(&there);
        check(before.as_ref(), attached.map(|_| ()), there);
    }
});

fn check(
    before: Option<&Vec<(Vec<u8>, Vec<u8>)>>,
    attached: Result<(), AttachError>,
    there: Option<&Dump>,
) {
    match attached {
        Ok(()) => {
            let mut expected = before.expect("what is damaged is refused").clone();
            let mut found = device_dumps(there.expect("opened")).expect("whole");
            let new = found.iter().position(|(_, payload)| payload[..] == PAYLOAD);
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
