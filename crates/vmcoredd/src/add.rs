// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd add`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use kdumpfile::{Escaped, Reason};
use vmcoredd_producer::{NAME_MAX, Outcome, Producer};

use crate::failure::{Failure, Status};

/// How much is copied at once, in bytes.
const BUFFER: usize = 128 << 10;

/// Add standard input to the vmcore as a device dump
///
/// What is read to its end is added. Where reading fails, what was read before is
/// added as a partial dump.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Name of the dump, at most 43 bytes; one that is taken gets a number.
    name: OsString,
}

/// Adds standard input.
pub fn run(arguments: &Arguments) -> Result<Status, Failure> {
    let stdin = io::stdin();
    let size = stdin.as_fd().try_clone_to_owned().map(File::from).and_then(|file| file.metadata());
    let size = size.map_or(0, |metadata| if metadata.is_file() { metadata.len() } else { 0 });
    let mut dump = Dump::start(&arguments.name, size)?;
    let mut stdin = stdin.lock();
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = match stdin.read(&mut buffer) {
            Ok(0) => return dump.end(Outcome::Complete, None).map(|_| Status::Done),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                // The failure to read is what there is to tell.
                let _ = dump.end(failed(&error), Some(Reason(&error).to_string()));
                return Err(Failure::Stdin(error));
            }
        };
        if !dump.write(buffer.get(..length).unwrap_or_default()) {
            return dump.end(Outcome::Complete, None).map(|_| Status::Done);
        }
    }
}

/// For an error that has no number.
pub const EIO: i32 = 5;

/// That this is why a dump is not whole.
pub fn failed(error: &io::Error) -> Outcome {
    Outcome::Error(error.raw_os_error().unwrap_or(EIO))
}

/// A dump that this process is making.
pub struct Dump {
    producer: Producer,
    name: String,
    length: u64,
    /// Why it takes no more.
    cut: Option<io::Error>,
}

impl Dump {
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

    /// Puts `bytes` behind what was written before; false when it takes no more.
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

    /// Commits it, and gives its length in bytes; `reason` says why it is not all, in words.
    pub fn end(self, outcome: Outcome, reason: Option<String>) -> Result<u64, Failure> {
        let Self { producer, name, length, cut } = self;
        let committed = producer.commit(outcome);
        let reason = match (cut, committed) {
            (Some(cut), _) => Some(Reason(&cut).to_string()),
            (None, Err(error)) if length == 0 && error.kind() == ErrorKind::InvalidInput => {
                Some("nothing was written".to_owned())
            }
            // Its last bytes may not have fitted.
            (None, Err(error)) => Some(Reason(&error).to_string()),
            (None, Ok(())) => reason,
        };
        match reason {
            Some(reason) => Err(Failure::Partial { name, reason, length }),
            None => Ok(length),
        }
    }
}
