// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which crash a dump is of, and which crashes are alike.
//!
//! [`CrashId`] is of one crash: all files that were saved of it have the same. [`FleetId`] adds
//! the machine, for those who collect the crashes of many. A [`Signature`] is what crashes of
//! one cause have in common, as far as the dead kernel's log says it.
//!
//! ```
//! use crash_id::{CrashId, FleetId, MachineId, Signature};
//!
//! // The desc of the VMCOREINFO note, as kdumpfile reads it from a vmcore.
//! let crash = CrashId::of_vmcoreinfo(b"OSRELEASE=6.12.0\nCRASHTIME=1732700000\n").unwrap();
//! assert_eq!(crash.to_string(), "ecde47302c5c220dc086c102ebada0ce");
//! let machine = MachineId::parse("3e1b6f1d0e9c4a0b8f6d2c5a7b9e0f12\n").unwrap();
//! assert_ne!(FleetId::new(machine, crash).to_string(), crash.to_string());
//!
//! let log = "[  17.2] BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
//!            [  17.2] Oops: Oops: 0002 [#1] SMP NOPTI\n\
//!            [  17.2] RIP: 0010:_raw_spin_lock_irqsave+0x23/0x50\n\
//!            [  17.2] Call Trace:\n\
//!            [  17.2]  e1000_clean+0x3c/0x9f0 [e1000e]\n";
//! let signature = Signature::of_log(log.lines()).unwrap();
//! assert_eq!(signature.fine(), "null-dereference: e1000_clean [e1000e]");
//! assert_eq!(signature.coarse(), "null-dereference: [e1000e]");
//! ```
#![forbid(unsafe_code)]

mod boring;
mod frame;
mod id;
mod line;
mod signature;
mod titles;

pub use id::{CrashId, FleetId, MachineId};
pub use signature::{SIGNATURE_VERSION, Signature};
