// SPDX-License-Identifier: GPL-2.0-only
//! Devices that are read into one dump by one plan.

use devdump::Lent;
use plan::Plan;
use plan::device::Host;
use plan::dump::{self, Reason};
use plan::run;

use crate::hardware::{Hardware, Target};
use crate::kernel::log::log;
use crate::kernel::memory::{Arc, KernelMemory, Vec};
use crate::kernel::request::Request;

/// The plans of this module, one after the other, which `vmcoredd profile compile --all`
/// makes of the profiles of this project.
static BUILT_IN: &[u8] = include_bytes!("plans.bin");

/// Devices that are read into one dump.
pub struct Reading {
    request: Arc<Request>,
    plan: usize,
    targets: Vec<(Target, bool)>,
    deadline: u32,
}

impl Reading {
    /// Reads `targets` by the plan of this number, as [`plans()`] counts them, for
    /// `deadline` milliseconds at most; those of which it is said are left out.
    #[must_use]
    pub fn new(
        request: &Arc<Request>,
        plan: usize,
        targets: Vec<(Target, bool)>,
        deadline: u32,
    ) -> Self {
        Self { request: request.clone(), plan, targets, deadline }
    }

    /// How long it may take, in milliseconds.
    #[must_use]
    pub fn deadline(&self) -> u32 {
        self.deadline
    }

    /// Reads all of it into what is `lent`; gives the reason why it is not complete. Of
    /// several devices, one that does not answer says so itself.
    #[must_use]
    pub fn read(&self, lent: &Lent<KernelMemory>) -> Reason {
        let Some(plan) = plans(&self.request).nth(self.plan) else {
            return Reason::Plan;
        };
        if self.targets.len() > 1 {
            let count = self.targets.len() as u64;
            log!(Info, "reads the configuration space of ", count, " PCI functions");
        }
        let mut header: &[u8] = &dump::header();
        let mut reason = Reason::None;
        for (target, left_out) in self.targets.iter() {
            let mut hardware = Hardware::new(target, Some(lent));
            let device = target.device();
            if hardware.put(core::mem::take(&mut header)).is_err() {
                return Reason::NoRoom;
            }
            let end = match left_out {
                true => run::leave_alone(&mut hardware, &plan, &device, Reason::Excluded),
                false => run::collect(&mut hardware, &plan, &device, self.request.options),
            };
            reason = end.map_or(Reason::NoRoom, |end| end.reason);
            if matches!(reason, Reason::NoRoom | Reason::Deadline) {
                return reason;
            }
        }
        if self.targets.len() == 1 { reason } else { Reason::None }
    }
}

/// What the manifest says of a device whose reading ended with `reason`.
#[must_use]
pub fn in_manifest(reason: Reason) -> Option<vmcore::manifest::Reason> {
    use vmcore::manifest::Reason as Manifest;
    Some(match reason {
        Reason::None => return None,
        Reason::NoAnswer => Manifest::NoAnswer,
        Reason::Power => Manifest::NoPower,
        Reason::Link => Manifest::LinkDown,
        Reason::Decode => Manifest::NoDecode,
        Reason::Stopped => Manifest::Stopped,
        Reason::Deadline => Manifest::Deadline,
        // Where its writer took no more, it knows which limit that was.
        Reason::NoRoom => Manifest::Budget,
        Reason::Excluded => Manifest::LeftOut,
        Reason::Plan => Manifest::BadPlan,
    })
}

/// The plans that `request` names, its own first.
pub fn plans(request: &Request) -> impl Iterator<Item = Plan<'_>> {
    let built_in = if request.built_in { BUILT_IN } else { &[] };
    // Each was verified before it was let in.
    plan::plan::all(&request.plans).chain(plan::plan::all(built_in)).filter_map(Result::ok)
}

/// Whether `wanted` is one of this module's, byte by byte.
#[must_use]
pub fn is_built_in(wanted: &Plan<'_>) -> bool {
    let mut own = plan::plan::all(BUILT_IN).filter_map(Result::ok);
    own.any(|plan| plan.bytes() == wanted.bytes())
}
