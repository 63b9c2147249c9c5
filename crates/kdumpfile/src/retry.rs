// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads that a signal interrupts.

use std::io::{self, ErrorKind};

/// Calls `read` until no signal interrupts it.
pub(crate) fn retry(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
