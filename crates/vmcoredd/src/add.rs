// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd add`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;

use vmcoredd_producer::Outcome;

use crate::failure::{Exit, Failure};
use crate::kernel_log::{self, KernelLog};
use crate::writer::DumpWriter;

/// How much is copied at once, in bytes.
const BUFFER: usize = 128 << 10;

/// Add standard input, or the kernel's log, to the vmcore as a device dump
///
/// What is read to its end is added. Where reading fails, what was read before is
/// added as a partial dump.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Name of the dump, at most 43 bytes; one that is taken gets a number.
    name: OsString,
    /// Add the log of the running kernel, as far as it goes, instead of standard input.
    #[arg(short = 'k', long)]
    kernel_log: bool,
}

/// Adds standard input, or the log.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { name, kernel_log } = arguments;
    if *kernel_log {
        let failed = |error| Failure::Blob { path: kernel_log::DEVICE.into(), error };
        // First the dump: that it is missing is to be in the manifest.
        let dump = DumpWriter::start(name, 0)?;
        return match KernelLog::open() {
            Ok(log) => add(log, dump, failed),
            Err(error) => dump.fail(error, failed),
        };
    }
    let stdin = io::stdin();
    let size = stdin.as_fd().try_clone_to_owned().map(File::from).and_then(|file| file.metadata());
    let size = size.map_or(0, |metadata| if metadata.is_file() { metadata.len() } else { 0 });
    let dump = DumpWriter::start(name, size)?;
    add(stdin.lock(), dump, Failure::Stdin)
}

/// Adds what `from` gives until its end as `dump`; an error of it is one of these.
fn add(
    mut from: impl Read,
    mut dump: DumpWriter,
    failure: impl FnOnce(io::Error) -> Failure,
) -> Result<Exit, Failure> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => return dump.end(Outcome::Complete, None).map(|_| Exit::Done),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return dump.fail(error, failure),
        };
        if !dump.write(buffer.get(..length).unwrap_or_default()) {
            return dump.end(Outcome::Complete, None).map(|_| Exit::Done);
        }
    }
}
