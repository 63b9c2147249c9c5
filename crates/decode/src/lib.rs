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
mod fields;
pub mod log;
pub mod mca;
pub mod model;
pub mod nvme;
pub mod pci;
pub mod registers;
pub mod sel;
pub mod verdict;

use model::{Decoded, Decoder};
use profile::Library;

/// The decoders of formats; of several that recognise a dump, the first one decodes it.
pub const DECODERS: &[&dyn Decoder] =
    &[&mca::Mca, &cper::Cper, &nvme::Nvme, &pci::PciConfig, &sel::Sel, &log::Log];

/// What the dump `name` with these `bytes` says, by a decoder of its format or by the
/// profiles of `library`; nothing where none of them knows it.
#[must_use]
pub fn decode(name: &str, bytes: &[u8], library: &mut Library) -> Vec<Decoded> {
    let decoder = DECODERS.iter().find(|decoder| decoder.recognises(name, bytes));
    match decoder {
        Some(decoder) => decoder.decode(name, bytes),
        None if registers::recognises(bytes) => registers::decode(bytes, library),
        None => Vec::new(),
    }
}
