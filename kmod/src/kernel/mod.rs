// SPDX-License-Identifier: GPL-2.0-only
//! The safe face of the kernel: a type for each of its concepts.
//!
//! All `unsafe` is below here, but for the entry points from C.

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
pub mod proc;
#[allow(non_camel_case_types, reason = "the names of C")]
pub(crate) mod shim;
pub mod thread;
