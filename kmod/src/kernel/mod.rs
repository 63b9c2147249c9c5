// SPDX-License-Identifier: GPL-2.0-only
//! The safe face of the kernel: a type for each of its concepts.
//!
//! All `unsafe` is below here, but for the entry points from C.

pub mod acpi;
pub mod buffer;
pub mod codec;
pub mod command_line;
pub mod device;
pub mod environment;
pub mod error;
pub mod file;
pub mod iov_iter;
pub mod log;
pub mod mapping;
pub mod memory;
pub mod mutex;
pub mod parameters;
pub mod pci;
pub mod proc;
pub mod registers;
pub mod request;
// In the module, the compiler is to report a declaration that nobody uses. On the host, a
// test defines what they declare.
#[cfg(vmcoredd_module)]
#[allow(non_camel_case_types, reason = "the names of C")]
pub(crate) mod shim;
#[cfg(not(vmcoredd_module))]
#[allow(missing_docs, non_camel_case_types, reason = "the names of C, which documents them")]
pub mod shim;
pub mod thread;
