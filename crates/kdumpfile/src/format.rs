// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which format a file is in.

use std::fmt;

use vmcore::bytes::Endian;
use vmcore::elf::{Class, FILE_HEADER_MAX, FileHeader};

use crate::codec::Codec;
use crate::compressed::{self, Compressed};
use crate::compression::Compression;
use crate::elf::Elf;
use crate::error::Error;
use crate::foreign;
use crate::note_area::NoteArea;
use crate::source::Source;

/// What an ELF vmcore starts with.
const ELF: &[u8] = b"\x7fELF";

/// What is read differently.
#[derive(Debug)]
pub(crate) enum Layout {
    Elf(Elf),
    Compressed(Box<Compressed>),
}

/// The format of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// How it is laid out.
    pub kind: Kind,
    /// Width of addresses in its headers, in bits: 32 or 64.
    pub bits: u32,
    /// Byte order of its headers.
    pub endian: Endian,
    /// It is a stream as `makedumpfile -F` writes it, whose parts must be put in order.
    pub flattened: bool,
    /// How all of it is compressed, if it is.
    pub compression: Option<Compression>,
}

/// How a dump is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An ELF core file.
    Elf,
    /// A kdump-compressed dump of makedumpfile.
    Compressed {
        /// Version of its headers, 1 to 6.
        version: u32,
        /// How its pages are compressed; `None` when it names several ways.
        codec: Option<Codec>,
        /// It is one of a split set.
        split: bool,
    },
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            Kind::Elf => "ELF vmcore",
            Kind::Compressed { .. } => "kdump-compressed dump",
        };
        let order = match self.endian {
            Endian::Little => "little-endian",
            Endian::Big => "big-endian",
        };
        write!(f, "{name}, {} bits, {order}", self.bits)?;
        if let Kind::Compressed { version, codec, split } = self.kind {
            let codec = codec.map_or("several codecs", Codec::name);
            write!(f, ", version {version}, {codec}")?;
            if split {
                f.write_str(", one of a split set")?;
            }
        }
        if self.flattened {
            f.write_str(", flattened")?;
        }
        match self.compression {
            Some(compression) => write!(f, ", compressed by {}", compression.name()),
            None => Ok(()),
        }
    }
}

impl Layout {
    /// Reads the headers of `source`; gives where its notes stand, too.
    pub fn open(source: &Source) -> Result<(Self, NoteArea), Error> {
        let mut buffer = [0; FILE_HEADER_MAX];
        let start = source.read(0, &mut buffer)?;
        if start.starts_with(&compressed::SIGNATURE) {
            let (compressed, notes) = Compressed::open(source)?;
            return Ok((Self::Compressed(Box::new(compressed)), notes));
        }
        if !start.starts_with(ELF) {
            return Err(not_a_dump(source, start)?);
        }
        if let Ok(header) = FileHeader::parse(start) {
            let foreign = match foreign::of_elf_type(header.file_type) {
                None => foreign::of_sections(source, &header, start)?,
                foreign => foreign,
            };
            if let Some(foreign) = foreign {
                return Err(foreign::error(source, foreign));
            }
        }
        let (elf, notes) = Elf::open(source, start)?;
        Ok((Self::Elf(elf), notes))
    }

    /// What of the dump but its notes is not in the file, if that can be told: it may have
    /// no length.
    pub fn incompleteness(&self, source: &Source) -> Result<Option<vmcore::Error>, Error> {
        match self {
            _ if source.known_length().is_none() => Ok(None),
            Self::Elf(elf) => elf.incompleteness(source),
            Self::Compressed(compressed) => compressed.incompleteness(source),
        }
    }

    pub fn format(&self, source: &Source) -> Format {
        let (flattened, compression) = (source.is_flattened(), source.compression());
        match self {
            Self::Elf(elf) => {
                let encoding = elf.header.encoding;
                let bits = if encoding.class == Class::Elf32 { 32 } else { 64 };
                Format { kind: Kind::Elf, bits, endian: encoding.endian, flattened, compression }
            }
            Self::Compressed(compressed) => {
                let header = &compressed.header;
                let kind = Kind::Compressed {
                    version: header.version,
                    codec: header.codec,
                    split: header.split.is_some(),
                };
                Format { kind, bits: header.bits(), endian: header.endian, flattened, compression }
            }
        }
    }
}

/// What is wrong with a file that starts with `start`, which is no dump.
fn not_a_dump(source: &Source, start: &[u8]) -> Result<Error, Error> {
    if let Some(foreign) = foreign::of_start(source)? {
        return Ok(foreign::error(source, foreign));
    }
    let expected = "the start of an ELF, a kdump-compressed or a flattened dump";
    let found = start.iter().take(4).fold(0, |found, byte| found << 8 | u64::from(*byte));
    Ok(source.wrong(0, "file format", expected, found))
}
