// SPDX-License-Identifier: GPL-2.0-only
//! What the operator set.

use super::shim;

/// How many bytes a KiB has.
const KIB: u64 = 1024;

/// The module's parameters; `None` where the operator did not set one.
#[derive(Debug, Clone, Copy)]
pub struct Parameters {
    /// Memory that dumps may take, in bytes.
    pub budget: Option<u64>,
    /// Memory that one dump may take, in bytes.
    pub dump: Option<u64>,
    /// Size of the dumps in `/proc/vmcore`, in bytes.
    pub inline: Option<u64>,
    /// Time for a collector that writes in pieces, in milliseconds.
    pub deadline: Option<u32>,
    /// Time for a callback of mainline's API, in milliseconds; `None` where the
    /// operator set that it may take any.
    pub callback_deadline: Option<u32>,
    /// Whether drivers are asked for dumps in a running system.
    pub live: bool,
    /// Whether no dump is taken.
    pub off: bool,
}

impl Parameters {
    /// The parameters of this module.
    #[must_use]
    pub fn read() -> Self {
        let mut given = shim::shim_parameters {
            budget_kib: 0,
            dump_kib: 0,
            inline_kib: 0,
            deadline_ms: 0,
            callback_deadline_ms: 0,
            live: 0,
            off: 0,
        };
        // SAFETY: `given` takes them all.
        unsafe { shim::shim_parameters(&raw mut given) };
        let bytes = |kib: u64| (kib > 0).then_some(kib.saturating_mul(KIB));
        let milliseconds = |given: u32| (given > 0).then_some(given);
        Self {
            budget: bytes(given.budget_kib),
            dump: bytes(given.dump_kib),
            inline: bytes(given.inline_kib),
            deadline: milliseconds(given.deadline_ms),
            callback_deadline: milliseconds(given.callback_deadline_ms),
            live: given.live != 0,
            off: given.off != 0,
        }
    }
}
