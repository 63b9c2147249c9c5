// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The store of device dumps, and the file that readers see.
//!
//! A collector writes into a [`DumpWriter`]; what it finishes is an immutable
//! [`Dump`]. A [`Store`] keeps dumps in the order in which they were added. A
//! [`Snapshot`] is one state of the file, a [`CoreFile`] with the dumps that
//! were there when it was taken; adding dumps later never changes it.
//!
//! The crate owns no memory, lock or clock: its host brings [`Memory`] and the
//! dead kernel's memory ([`OldMemory`]), and puts the [`Store`] behind a lock.
//! Nothing here sleeps or panics, and every allocation may fail.
#![no_std]
#![forbid(unsafe_code)]

mod dump;
mod memory;
mod snapshot;
mod store;
mod table;

pub use dump::{CHUNK_SIZE, Dump, DumpWriter, WriteError};
pub use memory::{List, Memory, NoMemory};
pub use snapshot::{Buffer, BuildError, CoreFile, OldMemory, Sink, Snapshot};
pub use store::{AddError, Store};
pub use table::Table;
