// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Standard output, whose reader may have seen enough.

use std::io::{self, ErrorKind, StdoutLock, Write};

/// Where lines go until the reader closes the pipe. After that there is nothing to say, and
/// what is not said does not change the exit status: the work goes on to find that.
#[derive(Debug)]
pub struct UntilClosed<W> {
    to: W,
    is_closed: bool,
}

impl<W: Write> UntilClosed<W> {
    pub fn new(to: W) -> Self {
        Self { to, is_closed: false }
    }

    /// What `write` gives; `instead` once the pipe is closed.
    fn open<T>(
        &mut self,
        instead: T,
        write: impl FnOnce(&mut W) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.is_closed {
            return Ok(instead);
        }
        match write(&mut self.to) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(instead)
            }
            done => done,
        }
    }
}

impl<W: Write> Write for UntilClosed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open(bytes.len(), |to| to.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open((), Write::flush)
    }
}

/// Standard output, for lines.
pub fn lock() -> UntilClosed<StdoutLock<'static>> {
    UntilClosed::new(io::stdout().lock())
}
