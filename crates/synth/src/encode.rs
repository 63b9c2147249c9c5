// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Numbers as an ELF file writes them.

/// Class of the file (`EI_CLASS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 32-bit (`ELFCLASS32`).
    Elf32,
    /// 64-bit (`ELFCLASS64`).
    Elf64,
}

/// Byte order of the file (`EI_DATA`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first (`ELFDATA2LSB`).
    Little,
    /// Most significant byte first (`ELFDATA2MSB`).
    Big,
}

/// Bytes that numbers are appended to.
pub(crate) struct Encoder {
    pub class: Class,
    pub endian: Endian,
    pub bytes: Vec<u8>,
}

impl Encoder {
    pub fn new(class: Class, endian: Endian) -> Self {
        Self { class, endian, bytes: Vec::new() }
    }

    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub fn half(&mut self, value: u16) -> &mut Self {
        match self.endian {
            Endian::Little => self.raw(&value.to_le_bytes()),
            Endian::Big => self.raw(&value.to_be_bytes()),
        }
    }

    pub fn word(&mut self, value: u32) -> &mut Self {
        match self.endian {
            Endian::Little => self.raw(&value.to_le_bytes()),
            Endian::Big => self.raw(&value.to_be_bytes()),
        }
    }

    /// An address, offset or size: as wide as the class.
    pub fn address(&mut self, value: u64) -> &mut Self {
        match self.class {
            Class::Elf32 => self.word(u32::try_from(value).expect("fits a 32-bit file")),
            Class::Elf64 => self.wide(value),
        }
    }

    /// Eight bytes, whatever the class.
    pub fn wide(&mut self, value: u64) -> &mut Self {
        match self.endian {
            Endian::Little => self.raw(&value.to_le_bytes()),
            Endian::Big => self.raw(&value.to_be_bytes()),
        }
    }

    pub fn zeros_to(&mut self, length: usize) -> &mut Self {
        assert!(self.bytes.len() <= length, "already longer");
        self.bytes.resize(length, 0);
        self
    }
}
