// SPDX-License-Identifier: GPL-2.0-only
//! Which devices are read, by which plans, and in which order.
//!
//! First the configuration space of all functions, in one dump: it is cheap, and reading it
//! changes nothing. Then processors and IOMMUs, then PCI functions by their profiles; those
//! that may be needed to save the vmcore, storage and network, last.

use kmem::NoMemory;
use plan::Plan;
use plan::plan::{Kind, Match};
use vmcore::bytes::Endian::Little;
use vmcore::manifest::Reason;

use crate::collect::{Source, Wanted, collect, loaded};
use crate::hardware::{Label, Target};
use crate::kernel::acpi::AcpiTable;
use crate::kernel::error::{EINVAL, EPERM, Errno};
use crate::kernel::log::log;
use crate::kernel::memory::{Arc, Vec};
use crate::kernel::pci::PciDevice;
use crate::kernel::registers;
use crate::kernel::request::Request;
use crate::reading::{Reading, is_built_in, plans};

/// The dump with the configuration space of all functions.
const ALL_FUNCTIONS: &[u8] = b"pci-config";
/// How long reading one device may take, in milliseconds; most take less than ten.
const DEADLINE: u32 = 5_000;
/// Class codes of PCI functions that may be needed to save the vmcore: storage, network.
const NEEDED_CLASSES: [u32; 2] = [0x01, 0x02];

/// Reads the devices that are asked for. Sleeps.
///
/// # Errors
/// [`EINVAL`] for a plan that is none, [`EPERM`] for a foreign one where the kernel is
/// locked down; then nothing was read. An errno for lack of memory.
pub fn read(request: Request) -> Result<(), Errno> {
    let module = loaded()?;
    if module.is_switched_off() {
        return Err(EINVAL);
    }
    for plan in plan::plan::all(&request.plans) {
        let plan = plan.map_err(|error| {
            log!(Warning, "/dev/vmcoredd: refused, a plan: ", error.words());
            EINVAL
        })?;
        if registers::is_locked_down() && !is_built_in(&plan) {
            log!(Warning, "/dev/vmcoredd: refused, a foreign plan: the kernel is locked down");
            return Err(EPERM);
        }
    }
    let limit = module.parameters().deadline;
    drop(module);
    let deadline = request.deadline.unwrap_or(DEADLINE);
    let deadline = limit.map_or(deadline, |limit| limit.min(deadline));
    let request = Arc::new(request)?;
    // Once, and not for each device: to verify all plans takes longer than to read most.
    let mut known = Vec::new();
    for plan in plans(&request) {
        let foreign = !is_built_in(&plan);
        known.push(Known { plan, foreign })?;
    }
    let work = Work { request: &request, plans: &known, deadline };
    work.all_functions()?;
    let mut targets = found()?;
    for last in [false, true] {
        // What the saver needs comes last: each function is moved out of its place once.
        for place in targets.iter_mut() {
            if place.as_ref().is_some_and(|target| may_be_needed(target) == last)
                && let Some(target) = place.take()
            {
                work.one(target)?;
            }
        }
    }
    Ok(())
}

/// Whether the function may be one over which the vmcore is saved.
fn may_be_needed(target: &Target) -> bool {
    let ids = target.ids();
    ids.kind == Kind::Pci && NEEDED_CLASSES.contains(&(ids.class >> 16))
}

/// Processors, IOMMUs and PCI functions.
fn found() -> Result<Vec<Option<Target>>, NoMemory> {
    let mut targets = Vec::new();
    for cpu in registers::online() {
        targets.push(Some(Target::Cpu(cpu)))?;
    }
    units(b"DMAR", &[0], Kind::Drhd, &mut targets)?;
    units(b"IVRS", &[0x10, 0x11, 0x40], Kind::Ivhd, &mut targets)?;
    let mut functions = PciDevice::all()?;
    let first = targets.len();
    while let Some(function) = functions.pop() {
        targets.push(Some(Target::Pci(function)))?;
    }
    targets.get_mut(first..).unwrap_or_default().reverse();
    Ok(targets)
}

/// Size of what stands before the structures of DMAR (Intel VT-d, section 8.1) and of IVRS
/// (AMD I/O Virtualization, section 5.2.1), in bytes.
const ACPI_HEADER: usize = 48;

/// The units of the ACPI table `signature` that structures of these types describe: DRHD
/// (Intel VT-d, section 8.3) and IVHD (AMD I/O Virtualization, section 5.2.2.1). Both have
/// their length at byte 2 and the address at byte 8.
fn units(
    signature: &[u8; 4],
    types: &[u8],
    kind: Kind,
    targets: &mut Vec<Option<Target>>,
) -> Result<(), NoMemory> {
    let Some(table) = AcpiTable::get(signature) else {
        return Ok(());
    };
    let mut at = ACPI_HEADER;
    while let Some(structure) = table.get(at..).filter(|structure| structure.len() >= 4) {
        let length = usize::from(Little.u16(structure, 2).unwrap_or(0));
        // DRHD has 16 bits of type, of which the upper ones are 0.
        let wanted = structure.first().is_some_and(|found| types.contains(found));
        if let Some(address) = Little.u64(structure, 8).filter(|_| wanted && length >= 16) {
            let is_it = |target: &Option<Target>| matches!(target, Some(Target::Unit(_, known)) if *known == address);
            // IVRS describes one IOMMU by several blocks.
            if address != 0 && !targets.iter().any(is_it) {
                targets.push(Some(Target::Unit(kind, address)))?;
            }
        }
        if length == 0 {
            break;
        }
        at = at.saturating_add(length);
    }
    Ok(())
}

/// A plan of [`plans()`].
struct Known<'a> {
    plan: Plan<'a>,
    /// It is the operator's.
    foreign: bool,
}

impl Known<'_> {
    /// Whether it is for every PCI function.
    fn is_for_all(&self) -> bool {
        self.plan.matches().any(|each| each == Match::any(Kind::Pci))
    }
}

/// What is asked for.
struct Work<'a> {
    request: &'a Arc<Request>,
    plans: &'a [Known<'a>],
    deadline: u32,
}

impl Work<'_> {
    /// Whether a dump, device or profile of these names is left out.
    fn is_excluded(&self, names: &[&[u8]]) -> bool {
        self.request.says(names) != self.request.only
    }

    /// The configuration space of all functions, if a plan matches all.
    fn all_functions(&self) -> Result<(), Errno> {
        let found = self.plans.iter().enumerate().find(|(_, known)| known.is_for_all());
        let Some((number, Known { plan, .. })) = found else {
            return Ok(());
        };
        let mut functions = PciDevice::all()?;
        let mut targets = Vec::new();
        while let Some(function) = functions.pop() {
            let target = Target::Pci(function);
            let label = target.label();
            // One that is not to be touched is not to be touched here.
            let excluded = !self.request.only && self.request.says(&[label.as_bytes()]);
            targets.push((target, excluded))?;
        }
        targets.reverse();
        let excluded = self.is_excluded(&[ALL_FUNCTIONS, plan.name()]);
        self.collect(ALL_FUNCTIONS, number, targets, excluded)
    }

    /// One device, if there is a plan for it.
    fn one(&self, target: Target) -> Result<(), Errno> {
        let ids = target.ids();
        let mut best = None;
        for (number, known) in self.plans.iter().enumerate() {
            let Some(named) = known.plan.names(&ids).filter(|_| !known.is_for_all()) else {
                continue;
            };
            // The operator's come first, whatever ours name.
            let rank = (known.foreign, named);
            if best.as_ref().is_none_or(|(best, _, _)| rank > *best) {
                best = Some((rank, number, &known.plan));
            }
        }
        let Some((_, number, plan)) = best else {
            return Ok(());
        };
        let label = target.label();
        let mut name = Label::new();
        match target {
            Target::Pci(_) => name.push(b"regs"),
            Target::Cpu(_) | Target::Unit(..) => name.push(plan.name()),
        }
        name.push(b"_");
        name.push(label.as_bytes());
        let excluded = self.is_excluded(&[label.as_bytes(), name.as_bytes(), plan.name()]);
        let mut targets = Vec::new();
        targets.push((target, false))?;
        self.collect(name.as_bytes(), number, targets, excluded)
    }

    /// Collects one dump; an excluded one is recorded, unless only others are wanted.
    fn collect(
        &self,
        name: &[u8],
        plan: usize,
        targets: Vec<(Target, bool)>,
        excluded: bool,
    ) -> Result<(), Errno> {
        if excluded && self.request.only {
            return Ok(());
        }
        let source = if excluded {
            Err(Reason::LeftOut)
        } else {
            Ok(Source::Reading(Reading::new(self.request, plan, targets, self.deadline)))
        };
        // What became of it is in the manifest and in the log; the others go on.
        let _ = collect(Wanted::new(name), source);
        Ok(())
    }
}
