// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which format a file is in.

use std::fmt;

use vmcore::elf::FILE_HEADER_MAX;

use crate::elf;
use crate::notes::NoteArea;
use crate::source::Source;
use crate::{Error, Fault};

/// A dump format that is told apart, but not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// What makedumpfile writes unless told otherwise.
    KdumpCompressed,
    /// What makedumpfile writes to a pipe (`-F`).
    Flattened,
}

/// What the files of each format start with.
const SIGNATURES: [(&[u8], Foreign); 3] = [
    (b"KDUMP   ", Foreign::KdumpCompressed),
    (b"DISKDUMP", Foreign::KdumpCompressed),
    (b"makedumpfile\0", Foreign::Flattened),
];

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KdumpCompressed => {
                "a kdump-compressed dump (makedumpfile -E saves ELF vmcores instead)"
            }
            Self::Flattened => {
                "a flattened dump (makedumpfile -R FILE < FLATTENED makes a file of it)"
            }
        })
    }
}

/// Where the notes of `source` stand.
pub(crate) fn notes(source: &Source) -> Result<NoteArea, Error> {
    let mut buffer = [0; FILE_HEADER_MAX];
    let start = source.read(0, &mut buffer)?;
    let foreign = SIGNATURES.iter().find(|(signature, _)| start.starts_with(signature));
    match foreign {
        Some((_, format)) => Err(source.error(Fault::Foreign(*format))),
        None => elf::notes(source, start),
    }
}
