// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The store of device dumps, and the file that readers see.
//!
//! A [`Collection`] starts, a collector writes into its [`DumpWriter`], and when it
//! ends, however that is, a [`Store`] has an immutable [`Dump`] with the record of
//! what became of it. Chunks are compressed as they are written, counted against
//! [`Limits`], and refused after a deadline. A [`Snapshot`] is one [`State`] of the
//! file, a [`CoreFile`] with the dumps and the manifest of the moment when it was
//! taken; what comes later never changes it.
//!
//! The crate owns no memory, lock, codec or clock: its [`Host`] brings them, and the dead
//! kernel's memory ([`OldMemory`]).
//! Nothing here panics, and every allocation may fail. Allocations and locks may
//! sleep.
#![no_std]
#![forbid(unsafe_code)]

mod cache;
mod chunk;
mod collection;
mod dump;
mod host;
mod names;
mod sink;
mod snapshot;
mod state;
mod store;
mod table;
mod writer;

pub use chunk::CHUNK_SIZE;
pub use collection::{Collection, Ending, Lent};
pub use dump::Dump;
pub use host::{Clock, Codec, Host, Lock};
pub use sink::{Buffer, Sink};
pub use snapshot::{BuildError, CoreFile, OldMemory, Snapshot};
pub use state::State;
pub use store::{Limits, Store};
pub use table::Table;
pub use writer::DumpWriter;
