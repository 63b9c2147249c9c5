// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The device dumps of a file and its manifest, as far as they can be read.

use kdump::{DeviceDump, Dump, Error, Manifest};

/// The device dumps before the first error, and that error.
pub fn device_dumps(dump: &Dump) -> (Vec<DeviceDump<'_>>, Option<Error>) {
    let mut found = Vec::new();
    for device_dump in dump.device_dumps() {
        match device_dump {
            Ok(device_dump) => found.push(device_dump),
            Err(error) => return (found, Some(error)),
        }
    }
    (found, None)
}

/// The manifest, which tells nothing where there is none, and why it cannot be
/// read.
pub fn manifest(dump: &Dump) -> (Manifest, Option<Error>) {
    match dump.manifest() {
        Ok(manifest) => (manifest.unwrap_or_default(), None),
        Err(error) => (Manifest::default(), Some(error)),
    }
}
