// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd add`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;

use kdumpfile::Reason;
use vmcoredd_producer::Outcome;

use crate::failure::{Failure, Status};
use crate::writer::{DumpWriter, error_outcome};

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
    let mut dump = DumpWriter::start(&arguments.name, size)?;
    let mut stdin = stdin.lock();
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = match stdin.read(&mut buffer) {
            Ok(0) => return dump.end(Outcome::Complete, None).map(|_| Status::Done),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                // That it cannot be read is reported, not that the dump is partial for that.
                let _ = dump.end(error_outcome(&error), Some(Reason(&error).to_string()));
                return Err(Failure::Stdin(error));
            }
        };
        if !dump.write(buffer.get(..length).unwrap_or_default()) {
            return dump.end(Outcome::Complete, None).map(|_| Status::Done);
        }
    }
}
