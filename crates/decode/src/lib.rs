// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What device dumps say.
//!
//! Whatever a dump holds is decoded into one [`model`]: a tree of named values, each with
//! its place in the dump, and findings, which are what is abnormal. Tables, JSON and
//! reports are views of it. Profiles are one source of it ([`registers`]), decoders of
//! formats the other. They do no I/O, do not trust the bytes, and give a bounded number of
//! values. [`verdict`] is what all dumps of a file say together.
#![forbid(unsafe_code)]

pub mod compare;
pub mod cper;
pub mod cudbg;
pub mod dead_log;
mod fields;
pub mod log;
pub mod mca;
pub mod model;
pub mod nvme;
pub mod pci;
pub mod registers;
pub mod sdr;
pub mod sel;
pub mod verdict;

use model::{All, Decoder};
use profile::Library;

/// The decoders of formats; of several that recognise a dump, the first one decodes it.
pub const DECODERS: &[&dyn Decoder] =
    &[&mca::Mca, &cper::Cper, &nvme::Nvme, &cudbg::Cudbg, &sel::Sel, &sdr::Sdr, &log::Log];

/// Whether the dump `name` that starts with these `bytes` is decoded.
#[must_use]
pub fn recognises(name: &str, bytes: &[u8], library: &mut Library) -> bool {
    registers::recognises(bytes)
        || DECODERS.iter().any(|decoder| decoder.recognises(name, bytes))
        || registers::of_driver(name, bytes, library).is_some()
}

/// What the dump `name` with these `bytes` says, by a decoder of its format or by the
/// profiles of `library`; nothing where none of them knows it.
#[must_use]
pub fn decode<'a>(name: &str, bytes: &'a [u8], library: &'a mut Library) -> All<'a> {
    let decoder = DECODERS.iter().find(|decoder| decoder.recognises(name, bytes));
    match decoder {
        Some(decoder) => Box::new(decoder.decode(name, bytes).into_iter()),
        None if registers::recognises(bytes) => registers::decode(bytes, library),
        None => Box::new(registers::of_driver(name, bytes, library).into_iter()),
    }
}
