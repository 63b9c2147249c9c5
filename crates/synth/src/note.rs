// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Notes and device dumps, as bytes.

use crate::encode::Encoder;
use crate::{Class, Content, Endian, PAGE};

/// How a device dump's note is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DumpStyle {
    /// `n_descsz` is 44 + length; the note is padded to four bytes.
    Exact,
    /// As `fs/proc/vmcore.c` does: the note is padded to a page, and the
    /// padding counted in `n_descsz`.
    Paged,
}

/// A note of the dead kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSpec {
    /// The owner, as it stands in the file: with its terminating zero, if any.
    pub owner: Vec<u8>,
    /// `n_type`.
    pub note_type: u32,
    /// The desc.
    pub desc: Content,
}

impl NoteSpec {
    /// A note of `owner`, which gets its terminating zero here.
    #[must_use]
    pub fn new(owner: &str, note_type: u32, desc: impl Into<Content>) -> Self {
        let mut owner = owner.as_bytes().to_vec();
        owner.push(0);
        Self { owner, note_type, desc: desc.into() }
    }

    /// What a CPU leaves behind: as large as `struct elf_prstatus` of x86-64
    /// with the process number `pid`, and otherwise zero.
    #[must_use]
    pub fn prstatus(endian: Endian, pid: u32) -> Self {
        let mut desc = Encoder::new(Class::Elf64, endian);
        desc.zeros_to(32).word(pid).zeros_to(336);
        Self::new("CORE", 1, desc.bytes)
    }

    /// The dead kernel's description of itself.
    #[must_use]
    pub fn vmcoreinfo(text: &str) -> Self {
        Self::new("VMCOREINFO", 0, text.as_bytes().to_vec())
    }

    /// The module's account of all collections, after the device dumps: lines of
    /// `KEY=VALUE`, of which each `NAME` starts those of one collection.
    #[must_use]
    pub fn manifest(text: impl AsRef<[u8]>) -> Self {
        Self::new("VMCOREDD", 0x701, text.as_ref().to_vec())
    }

    /// The note's parts in the order in which they stand in the file.
    pub(crate) fn pieces(&self, endian: Endian) -> Vec<Content> {
        let length = self.desc.length();
        let mut head = head(endian, &self.owner, length, self.note_type);
        head.zeros_to(head.bytes.len().next_multiple_of(4));
        let padding = length.next_multiple_of(4) - length;
        vec![head.bytes.into(), self.desc.clone(), Content::Zeros(padding)]
    }
}

/// A device dump.
#[derive(Debug, Clone)]
pub(crate) struct DeviceDumpSpec {
    /// What stands in the name field, cut at 44 bytes.
    pub name: Vec<u8>,
    pub payload: Content,
}

impl DeviceDumpSpec {
    /// `struct vmcoredd_header` and what follows it.
    pub fn pieces(&self, endian: Endian, style: DumpStyle) -> Vec<Content> {
        let length = self.payload.length();
        let note_size = Self::note_size(length, style);
        let desc_size = match style {
            DumpStyle::Exact => 44 + length,
            DumpStyle::Paged => note_size - 20,
        };
        let mut head = head(endian, b"LINUX\0\0\0", desc_size, 0x700);
        head.raw(&self.name[..self.name.len().min(44)]).zeros_to(64);
        vec![head.bytes.into(), self.payload.clone(), Content::Zeros(note_size - 64 - length)]
    }

    fn note_size(length: u64, style: DumpStyle) -> u64 {
        match style {
            DumpStyle::Exact => (64 + length).next_multiple_of(4),
            DumpStyle::Paged => (64 + length).next_multiple_of(PAGE),
        }
    }
}

fn head(endian: Endian, owner: &[u8], desc_size: u64, note_type: u32) -> Encoder {
    let mut head = Encoder::new(Class::Elf64, endian);
    head.word(u32::try_from(owner.len()).expect("a short owner"))
        .word(u32::try_from(desc_size).expect("a desc below 4 GiB"))
        .word(note_type)
        .raw(owner);
    head
}
