// SPDX-License-Identifier: GPL-2.0-only
//! The safe face of the kernel: a type for each of its concepts.
//!
//! All `unsafe` that is not an entry point from C is below here.

pub mod command_line;
pub mod error;
pub mod file;
pub mod iter;
pub mod log;
pub mod mapping;
pub mod memory;
pub mod mutex;
pub mod proc;
pub mod shim;
