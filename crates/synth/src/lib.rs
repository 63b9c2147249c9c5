// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes the dumps of crashed kernels for tests: ELF vmcores, kdump-compressed dumps,
//! flattened streams and split sets of them, and the register dumps in them.
//!
//! Written from the ELF specification, `fs/proc/vmcore.c` and makedumpfile's headers,
//! and on purpose without a line of the code that reads dumps: a wrong idea in a reader
//! must not be tested against itself.
//!
//! ```
//! use synth::{Class, Endian, NoteSpec, Vmcore};
//!
//! let file = Vmcore::new(Class::Elf64, Endian::Little)
//!     .dump("nic0", b"registers".to_vec())
//!     .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12.0\n"))
//!     .image();
//! assert_eq!(&file.to_vec()[..4], b"\x7fELF");
//! ```
//!
//! Without dumps the file is what the kernel's own `/proc/vmcore` looks like.
#![forbid(unsafe_code)]

mod config;
mod content;
pub mod cudbg;
mod encode;
mod image;
mod kdump;
mod kernel_log;
mod memory;
mod note;
pub mod records;
mod registers;
mod vmcore;

pub use config::{Config, configs};
pub use content::Content;
pub use encode::{Class, Endian};
pub use image::Image;
pub use kdump::{Compression, Kdump, Width};
pub use kernel_log::KernelLog;
pub use memory::Pages;
pub use note::{DumpStyle, NoteSpec};
pub use registers::{RegisterDevice, RegisterSpace, Registers};
pub use vmcore::{Load, Vmcore};

/// The page size of the machines whose vmcores are made, in bytes.
pub const PAGE: u64 = 4096;
