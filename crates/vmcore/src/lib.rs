// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a Linux vmcore *is*.
//!
//! A vmcore is an ELF core file: a file header, program headers, one note
//! segment and the memory of the dead kernel. This crate knows its parts and how
//! they are laid out. It does no I/O, allocates nothing and has no operation that
//! panics, so that the kernel module, the tools and the tests share one model.
//!
//! | module | what it holds |
//! |---|---|
//! | [`bytes`] | byte strings and the numbers in them |
//! | [`command_line`] | the kernel's command line, read as the kernel reads it |
//! | [`elf`] | file and program headers of both classes and byte orders |
//! | [`note`] | notes: header, padding, walking |
//! | [`device_dump`] | the device-dump note (`LINUX`, type `0x700`) and its names |
//! | [`manifest`] | the manifest note (`VMCOREDD`, type `0x701`): what became of every collection |
//! | [`original`] | the header of the kernel's own `/proc/vmcore`, checked, and rewritten with room for device dumps |
//! | [`layout`] | the map from an offset of the file to what stands there |
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod bytes;
pub mod command_line;
pub mod device_dump;
pub mod elf;
mod error;
pub mod layout;
pub mod manifest;
pub mod note;
pub mod original;

pub use error::Error;

/// The page size that a vmcore's parts are aligned to, in bytes.
///
/// Segments can be mapped into user space only where they start on a page. The module is
/// built for the pages of its kernel, which are larger on some of arm64.
pub const PAGE_SIZE: u64 = if cfg!(vmcoredd_page_size = "16384") {
    16384
} else if cfg!(vmcoredd_page_size = "65536") {
    65536
} else {
    4096
};

/// Rounds `length` up to whole pages; `None` when that does not fit 64 bits.
#[must_use]
pub const fn page_align_up(length: u64) -> Option<u64> {
    match length.checked_add(PAGE_SIZE - 1) {
        Some(sum) => Some(page_align_down(sum)),
        None => None,
    }
}

/// Rounds `offset` down to the start of its page.
#[must_use]
pub const fn page_align_down(offset: u64) -> u64 {
    offset & !(PAGE_SIZE - 1)
}
