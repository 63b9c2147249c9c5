// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Payloads of device dumps, as they are read.

use std::io::{self, Read};

use decode::behind::{Absent, Memory};
use decode::model::Decoded;
use kdumpfile::{CopyError, DeviceDump, Dump, Escaped, Fault};
use profile::Library;

use crate::failure::Failure;

/// Fills `to`, or as much of it as `from` has bytes for; returns how many bytes that is.
pub fn read_full(from: &mut impl Read, to: &mut [u8]) -> Result<usize, Failure> {
    let mut filled = 0;
    while let Some(rest) = to.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) => match error.downcast::<kdumpfile::Error>() {
                Ok(error) => return Err(Failure::Input(error)),
                Err(error) => return Err(Failure::Stdin(error)),
            },
        }
    }
    Ok(filled)
}

/// The payload of `device_dump`, as far as it is there, `most` bytes of it at most.
pub fn read_all(device_dump: &DeviceDump<'_>, most: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut from = device_dump.part(0, most);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = read_full(&mut from, &mut buffer)?;
        bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
        if length < buffer.len() {
            return Ok(bytes);
        }
    }
}

/// How much of one dump is decoded, in bytes: many times what a plan may read.
pub const DECODED_MAX: u64 = 64 << 20;

/// Why memory is not read of a file that has to be read from its start on: it is anywhere in
/// it, and all of what is before would be copied to a temporary file.
pub const IS_STREAM: &str =
    "not read from a compressed file or a pipe; make a plain file of it first";

/// The dead kernel's memory in a dump.
pub struct DeadMemory<'a> {
    memory: kdumpfile::Memory<'a>,
    /// Whether it can be read anywhere.
    is_at_hand: bool,
}

impl Memory for DeadMemory<'_> {
    fn read(&self, physical: u64, to: &mut [u8]) -> Result<(), Absent> {
        if !self.is_at_hand {
            return Err(Absent(IS_STREAM.to_owned()));
        }
        self.memory.read(physical, to).map_err(|error| match error.fault {
            Fault::NoMemory { .. } => Absent("not in the dump".to_owned()),
            fault => Absent(fault.to_string()),
        })
    }
}

/// Whether the file can be read anywhere: it is none that is compressed as a whole, and no
/// pipe, but where such a one was short enough to be read to its end.
pub fn is_at_hand(dump: &Dump) -> bool {
    dump.known_size().is_some()
}

/// The dead kernel's memory, where the file has any.
pub fn memory(dump: &Dump) -> Option<DeadMemory<'_>> {
    let memory = dump.memory();
    let is_at_hand = is_at_hand(dump);
    memory.end().is_ok_and(|end| end > 0).then_some(DeadMemory { memory, is_at_hand })
}

/// Calls `each` with what `device_dump` says of one thing after the other, as far as it is
/// there, and with what its registers point to in `memory`; never, where it cannot be decoded.
pub fn each_decoded(
    device_dump: &DeviceDump<'_>,
    library: &mut Library,
    memory: Option<&DeadMemory<'_>>,
    each: impl FnMut(Decoded),
) -> Result<(), Failure> {
    let bytes = read_all(device_dump, DECODED_MAX)?;
    let memory = memory.map(|memory| memory as &dyn Memory);
    let name = Escaped(device_dump.name()).to_string();
    decode::decode_with(&name, &bytes, library, memory).for_each(each);
    Ok(())
}

/// Fails where `device_dump` is damaged.
pub fn check_whole(dump: &Dump, device_dump: &DeviceDump<'_>) -> Result<(), Failure> {
    if device_dump.is_whole() {
        return Ok(());
    }
    Err(Failure::Damaged {
        path: dump.path().to_owned(),
        name: Escaped(device_dump.name()).to_string(),
        available: device_dump.available(),
        length: device_dump.length(),
    })
}

/// Why a payload was not copied; `write_failure` is for a failure to write it.
pub fn copy_failure(error: CopyError, write_failure: impl FnOnce(io::Error) -> Failure) -> Failure {
    match error {
        CopyError::Read(error) => Failure::Input(error),
        CopyError::Write(error) => write_failure(error),
    }
}
