// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What device dumps say.
//!
//! Whatever a dump holds is decoded into one [`model`]: a tree of named values, each with
//! its place in the dump, and findings, which are what is abnormal. Tables, JSON and
//! reports are views of it. Profiles are one source of it ([`registers`]), decoders of
//! formats the other. They do no I/O, do not trust the bytes, and give a bounded number of
//! values. [`verdict`] is what all dumps of a file say together.
//!
//! ```
//! use decode::verdict::Verdict;
//! use profile::Library;
//!
//! // A payload, as kdumpfile reads it from a vmcore, and its name.
//! let log = b"[  2.1] DMAR: [DMA Read NO_PASID] Request device [01:00.0] fault addr 0xdead000 [fault reason 0x06] PTE Read\n";
//! let mut profiles = Library::with_built_in([]);
//! let decoded: Vec<_> = decode::decode("dmesg-crash-kernel", log, &mut profiles).collect();
//! let verdict = Verdict::new(decoded.iter().map(|each| ("dmesg-crash-kernel", each)));
//! let worst = &verdict.entries[0].finding;
//! assert_eq!(worst.text.split(": ").next(), Some("the IOMMU stopped a device"));
//! assert_eq!(worst.points_to.as_deref(), Some("0000:01:00.0"));
//! ```
#![forbid(unsafe_code)]

pub mod behind;
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
pub mod syndrome;
pub mod verdict;

use behind::Memory;
use model::{All, Decoded, Decoder};
use profile::Library;

/// The decoders of formats; of several that recognise a dump, the first one decodes it.
pub const DECODERS: &[&dyn Decoder] =
    &[&mca::Mca, &cper::Cper, &nvme::Nvme, &cudbg::Cudbg, &sel::Sel, &sdr::Sdr, &log::Log];

/// Whether the dump `name` that starts with these `bytes` is decoded.
#[must_use]
pub fn recognises(name: &str, bytes: &[u8], library: &mut Library) -> bool {
    registers::recognises(bytes)
        || DECODERS.iter().any(|decoder| decoder.recognises(name, bytes))
        || profile::knows_driver(name, library)
}

/// What the dump `name` with these `bytes` says, by a decoder of its format or by the
/// profiles of `library`; nothing where none of them knows it.
#[must_use]
pub fn decode<'a>(name: &str, bytes: &'a [u8], library: &'a mut Library) -> All<'a> {
    decode_with(name, bytes, library, None)
}

/// The same, with what registers point to in the memory of the dead kernel, if there is one.
#[must_use]
pub fn decode_with<'a>(
    name: &str,
    bytes: &'a [u8],
    library: &'a mut Library,
    memory: Option<&'a dyn Memory>,
) -> All<'a> {
    let decoder = DECODERS.iter().find(|decoder| decoder.recognises(name, bytes));
    match decoder {
        Some(decoder) => {
            let by = |decoded| Decoded { decoder: decoder.name().to_owned(), ..decoded };
            Box::new(decoder.decode(name, bytes).into_iter().map(by))
        }
        None if registers::recognises(bytes) => registers::decode(bytes, library, memory),
        None => Box::new(registers::of_driver(name, bytes, library).into_iter()),
    }
}
