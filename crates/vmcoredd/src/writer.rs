// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Device dumps that this process writes, to `/dev/vmcoredd`.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;

use kdumpfile::{Escaped, Strerror};
use vmcoredd_producer::{NAME_MAX, Outcome, Producer};

use crate::failure::Failure;

/// The error number (`EIO`) for what has none.
pub const EIO: i32 = 5;

/// The outcome of a dump that `error` cut short.
pub fn error_outcome(error: &io::Error) -> Outcome {
    Outcome::Error(error.raw_os_error().unwrap_or(EIO))
}

/// A device dump that this process writes, until it commits it.
pub struct DumpWriter {
    producer: Producer,
    name: String,
    length: u64,
    /// Why it takes no more.
    cut: Option<io::Error>,
}

impl DumpWriter {
    /// Starts the dump `name`, of `size` bytes or, where that is 0, of any number.
    pub fn start(name: &OsStr, size: u64) -> Result<Self, Failure> {
        if name.is_empty() || name.len() > NAME_MAX {
            return Err(Failure::Name(name.as_bytes().to_owned()));
        }
        let mut producer = Producer::open().map_err(Failure::Device)?;
        producer.name(name.as_bytes(), size).map_err(Failure::Device)?;
        let name = Escaped(name.as_bytes()).to_string();
        Ok(Self { producer, name, length: 0, cut: None })
    }

    /// Appends `bytes`; returns false when the dump takes no more.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() && self.cut.is_none() {
            match self.producer.write(rest) {
                Ok(taken) => {
                    self.length += taken as u64;
                    rest = rest.get(taken..).unwrap_or_default();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.cut = Some(error),
            }
        }
        self.cut.is_none()
    }

    /// Commits what was written, for the rest cannot be read: that is the failure to report,
    /// not that the dump is partial for that.
    pub fn fail<T>(
        self,
        error: io::Error,
        failure: impl FnOnce(io::Error) -> Failure,
    ) -> Result<T, Failure> {
        let _ = self.end(error_outcome(&error), Some(Strerror(&error).to_string()));
        Err(failure(error))
    }

    /// Commits the dump, and returns its length in bytes; `reason` says in words why the dump
    /// is not whole.
    pub fn end(self, outcome: Outcome, reason: Option<String>) -> Result<u64, Failure> {
        let Self { producer, name, length, cut } = self;
        let committed = producer.commit(outcome);
        let reason = match (cut, committed) {
            (Some(cut), _) => Some(Strerror(&cut).to_string()),
            (None, Err(error)) if length == 0 && error.kind() == ErrorKind::InvalidInput => {
                Some("nothing was written".to_owned())
            }
            // Its last bytes may not have fitted.
            (None, Err(error)) => Some(Strerror(&error).to_string()),
            (None, Ok(())) => reason,
        };
        match reason {
            Some(reason) => Err(Failure::Partial { name, reason, length }),
            None => Ok(length),
        }
    }
}
