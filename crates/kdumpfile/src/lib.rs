// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads the dumps of crashed kernels.
//!
//! A dump may be larger than memory, and so may one note of it: nothing is read
//! that is not asked for, and no length that a file claims is allocated, but those of
//! the manifest, of VMCOREINFO and of a page, which are bounded.
//!
//! ```no_run
//! # fn main() -> Result<(), kdumpfile::Error> {
//! let dump = kdumpfile::Dump::open("/proc/vmcore")?;
//! println!("{}", dump.format());
//! for device_dump in dump.device_dumps() {
//!     let device_dump = device_dump?;
//!     println!("{} {}", kdumpfile::Escaped(device_dump.name()), device_dump.length());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Read are
//!
//! - ELF vmcores of both classes and byte orders: `/proc/vmcore` itself, copies of it,
//!   what `makedumpfile -E` writes,
//! - kdump-compressed dumps, versions 1 to 6, of machines of 32 and 64 bits and both
//!   byte orders, with pages compressed by zlib, LZO, Snappy and Zstandard,
//! - split sets of the latter ([`Dump::open_split`]),
//! - flattened streams of both (`makedumpfile -F`), as files and from pipes. Of a pipe,
//!   a temporary file is made first.
//!
//! Memory is read by its physical address, or by the dead kernel's virtual one; so is its
//! log:
//!
//! ```no_run
//! # fn main() -> Result<(), kdumpfile::Error> {
//! let dump = kdumpfile::Dump::open("vmcore")?;
//! let mut page = vec![0; 4096];
//! dump.memory().read(0x10_0000, &mut page)?;
//! for record in dump.memory().kernel_log()?.records {
//!     println!("{} {}", record.time, String::from_utf8_lossy(&record.text));
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod attach;
mod codec;
mod compressed;
mod compression;
mod copy;
mod device_dump;
mod dump;
mod elf;
mod error;
mod escaped;
mod file;
mod flattened;
mod foreign;
mod format;
mod kernel_log;
mod machine;
mod manifest;
mod memory;
mod note_area;
mod notes;
mod retry;
mod source;
mod sparse;
mod stream;
mod virtual_memory;
mod vmcoreinfo;
mod writable;

pub use attach::{
    Additions, AttachError, Attached, Collected, LockError, LockedDump, NewDump, NewPayload,
};
pub use codec::Codec;
pub use compression::Compression;
pub use device_dump::{DeviceDump, DeviceDumps, Payload};
pub use dump::Dump;
pub use error::{CopyError, Error, Fault, Foreign};
pub use escaped::{Escaped, EscapedPath, Strerror};
pub use format::{Format, Kind};
pub use kernel_log::{KernelLog, LogRecord};
pub use manifest::{Manifest, Matched, Record, Records, status_word};
pub use memory::Memory;
pub use notes::{Note, Notes};
pub use virtual_memory::Virtual;
pub use vmcore::bytes::Endian;
pub use vmcore::device_dump::{Name, NameError};
pub use vmcore::manifest::{Renamed, Status, Whereabouts};
pub use vmcoreinfo::VmcoreInfo;
pub use writable::Writable;
