// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes ELF vmcores for tests.
//!
//! Written from the ELF specification and `fs/proc/vmcore.c`, and on purpose
//! without a line of the code that reads vmcores: a wrong idea in a reader must
//! not be tested against itself.
//!
//! ```
//! use synth::{Class, Endian, Note, Vmcore};
//!
//! let file = Vmcore::new(Class::Elf64, Endian::Little)
//!     .dump("nic0", b"registers".to_vec())
//!     .note(Note::vmcoreinfo("OSRELEASE=6.12.0\n"))
//!     .image();
//! assert_eq!(&file.to_vec()[..4], b"\x7fELF");
//! ```
//!
//! Without dumps the file is what the kernel's own `/proc/vmcore` looks like.
#![forbid(unsafe_code)]

mod content;
mod encode;
mod image;
mod note;
mod vmcore;

pub use content::Content;
pub use encode::{Class, Endian};
pub use image::Image;
pub use note::{DumpStyle, Note};
pub use vmcore::{Load, Vmcore};

/// The page size of the machines whose vmcores are made, in bytes.
pub const PAGE: u64 = 4096;
