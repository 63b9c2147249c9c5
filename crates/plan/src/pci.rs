// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The configuration space of a PCI function (PCI Local Bus 3.0, chapter 6; PCI Express
//! Base 4.0, section 7.5; `include/uapi/linux/pci_regs.h`).

use crate::device::Host;
use crate::place::{Place, Space, Width};

/// `PCI_COMMAND`.
pub const COMMAND: u16 = 0x04;
/// `PCI_COMMAND_MEMORY`: it decodes memory.
pub const COMMAND_MEMORY: u64 = 2;
/// `PCI_COMMAND_IO`: it decodes I/O ports.
pub const COMMAND_IO: u64 = 1;
/// `PCI_STATUS`.
const STATUS: u16 = 0x06;
/// `PCI_STATUS_CAP_LIST`: there are capabilities.
const STATUS_CAPABILITIES: u64 = 0x10;
/// `PCI_CAPABILITY_LIST`: where the first one is.
const CAPABILITIES: u16 = 0x34;
/// Size of its header in bytes: capabilities are after it.
const HEADER: u64 = 64;
/// Size of configuration space without extended capabilities, in bytes.
pub const SIZE: u64 = 256;
/// Size of configuration space with extended capabilities, in bytes.
pub const SIZE_EXTENDED: u64 = 4096;
/// `PCI_CAP_ID_PM`.
const POWER_MANAGEMENT: u16 = 0x01;
/// `PCI_CAP_ID_MSI`.
const MSI: u16 = 0x05;
/// `PCI_CAP_ID_EXP`.
const EXPRESS: u16 = 0x10;
/// `PCI_CAP_ID_MSIX`.
const MSIX: u16 = 0x11;
/// `PCI_EXP_TYPE_ROOT_PORT`.
const ROOT_PORT: u64 = 4;
/// `PCI_EXP_TYPE_DOWNSTREAM`.
const DOWNSTREAM_PORT: u64 = 6;

/// How many capabilities there are at most before the list must be a circle.
const HOPS: usize = 48;
/// The same of extended ones: each has at least eight bytes.
const HOPS_EXTENDED: usize = (SIZE_EXTENDED - SIZE) as usize / 8;

/// The register of `width` at `offset`; 0 where it cannot be read.
fn read<H: Host>(host: &mut H, width: Width, offset: u16) -> u64 {
    let place = Place::new(Space::Config, 0, width);
    host.read(place, offset.into()).unwrap_or(0)
}

/// Whether the function answers: its vendor id is not all ones, or, since that of a virtual
/// function is (Single Root I/O Virtualization 1.1, section 3.4.1.1), its class is not.
pub fn answers<H: Host>(host: &mut H) -> bool {
    let mut has = |width: Width, offset| {
        let place = Place::new(Space::Config, 0, width);
        host.read(place, offset).is_ok_and(|value| value != width.ones())
    };
    has(Width::W16, 0) || has(Width::W32, 8)
}

/// `PCI_COMMAND`.
pub fn command<H: Host>(host: &mut H) -> u64 {
    read(host, Width::W16, COMMAND)
}

/// Size of configuration space in bytes; 0 where there is none.
pub fn size<H: Host>(host: &mut H) -> u64 {
    let mut reads = |at| host.read(Place::new(Space::Config, 0, Width::W32), at).is_ok();
    match (reads(SIZE), reads(0)) {
        (true, _) => SIZE_EXTENDED,
        (_, true) => SIZE,
        _ => 0,
    }
}

/// The offset of the capability `id`: the first one, or the next after that at `after`.
pub fn capability<H: Host>(host: &mut H, id: u16, after: Option<u16>) -> Option<u16> {
    if read(host, Width::W16, STATUS) & STATUS_CAPABILITIES == 0 {
        return None;
    }
    let mut at = match after {
        None => read(host, Width::W8, CAPABILITIES),
        Some(after) if !(HEADER..SIZE).contains(&after.into()) => return None,
        Some(after) => read(host, Width::W8, after.checked_add(1)?),
    };
    for _ in 0..HOPS {
        // The two lowest bits are reserved.
        let offset = u16::try_from(at & 0xfc).ok().filter(|at| u64::from(*at) >= HEADER)?;
        let header = read(host, Width::W16, offset);
        match header & 0xff {
            0xff => return None,
            found if found == u64::from(id) => return Some(offset),
            _ => at = header >> 8,
        }
    }
    None
}

/// The offset of the extended capability `id`: the first one, or the next after that at
/// `after`. Only for a function that has 4096 bytes of configuration space.
pub fn extended<H: Host>(host: &mut H, id: u16, after: Option<u16>) -> Option<u16> {
    let mut at = match after {
        None => SIZE,
        Some(after) if !(SIZE..SIZE_EXTENDED).contains(&after.into()) => return None,
        Some(after) => read(host, Width::W32, after & !3) >> 20,
    };
    for _ in 0..HOPS_EXTENDED {
        let offset = u16::try_from(at & 0xffc).ok().filter(|at| u64::from(*at) >= SIZE)?;
        let header = read(host, Width::W32, offset);
        if header == 0 || header == Width::W32.ones() {
            return None;
        }
        if header & 0xffff == u64::from(id) {
            return Some(offset);
        }
        at = header >> 20;
    }
    None
}

/// Its power state, 0 for D0 to 3 for D3hot: `PCI_PM_CTRL`. A function that has no power
/// management is in D0.
pub fn power<H: Host>(host: &mut H) -> u8 {
    let at = capability(host, POWER_MANAGEMENT, None).and_then(|at| at.checked_add(4));
    at.map_or(0, |at| (read(host, Width::W16, at) & 3) as u8)
}

/// Whether MSI-X is on.
pub fn msix_enabled<H: Host>(host: &mut H) -> bool {
    let at = capability(host, MSIX, None).and_then(|at| at.checked_add(2));
    at.is_some_and(|at| read(host, Width::W16, at) & 0x8000 != 0)
}

/// Whether MSI is on.
pub fn msi_enabled<H: Host>(host: &mut H) -> bool {
    let at = capability(host, MSI, None).and_then(|at| at.checked_add(2));
    at.is_some_and(|at| read(host, Width::W16, at) & 1 != 0)
}

/// Whether the link below this port is down, as far as it says: `PCI_EXP_LNKSTA_DLLLA`,
/// where `PCI_EXP_LNKCAP_DLLLARC` says that this is reported.
pub fn link_below_is_down<H: Host>(host: &mut H) -> bool {
    let Some(at) = capability(host, EXPRESS, None) else {
        return false;
    };
    let (Some(capabilities), Some(status)) = (at.checked_add(0x0c), at.checked_add(0x12)) else {
        return false;
    };
    // The link of another device than a port is the one above it.
    let kind = at.checked_add(2).map_or(0, |at| read(host, Width::W16, at) >> 4 & 0xf);
    let is_port = kind == ROOT_PORT || kind == DOWNSTREAM_PORT;
    let reports = read(host, Width::W32, capabilities) & 1 << 20 != 0;
    is_port && reports && read(host, Width::W16, status) & 1 << 13 == 0
}
