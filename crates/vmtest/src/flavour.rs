// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What Debian's kernels of one source differ in.

/// A flavour of Debian's kernels: the same source, configured differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// For virtual machines: small, and without drivers of real hardware.
    Cloud,
    /// For any machine, with every driver as a module.
    Full,
    /// The same with `PREEMPT_RT`.
    RealTime,
}
