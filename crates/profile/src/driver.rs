// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Dumps that drivers make of the registers of their devices.

use plan::dump::{self, End, Outcome, Reason, Status};
use plan::place::{Space, Width};
use plan::plan::{Kind, NAME_SIZE};

use crate::decode::{By, Device};
use crate::library::Library;
use crate::segments::Segment;

/// The driver and the function in the name `DRIVER_SLOT` of a dump, as `e1000e_0000:01:00.0`
/// or `e1000e_0000:01:00.0#2`; the function as domain, bus, and device and function in one.
fn names_function(name: &str) -> Option<(&str, u32, u8, u8)> {
    let name = name.split('#').next()?;
    let (driver, slot) = name.rsplit_once('_')?;
    let (domain, rest) = slot.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let number = |text: &str, digits: usize, most: u32| {
        let is_number = text.len() >= digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(text, 16).ok().filter(|_| is_number)?;
        (number <= most).then_some(number)
    };
    let device = number(device, 2, 0x1f)? << 3 | number(function, 1, 7)?;
    Some((driver, number(domain, 4, u32::MAX)?, number(bus, 2, 0xff)? as u8, device as u8))
}

/// Whether a profile of `library` names the driver whose dumps have names as `name`.
pub fn knows_driver(name: &str, library: &mut Library) -> bool {
    names_function(name).is_some_and(|(driver, ..)| library.of_driver(driver).is_some())
}

/// The device that the dump `name` of a driver has registers of, decoded by the profile of
/// `library` that names the driver; `None` where there is none.
pub fn driver_dump<'a>(name: &str, bytes: &'a [u8], library: &mut Library) -> Option<Device<'a>> {
    let (driver, domain, bus, devfn) = names_function(name)?;
    let (compiled, found) = library.of_driver(driver)?;
    let (profile, _) = compiled.as_ref().as_ref().ok()?;
    let length = bytes.len() as u64;
    let head = dump::Segment {
        space: Space::Bar,
        index: found.bar,
        width: Width::W32,
        big: false,
        bound: true,
        status: Status::Complete,
        block: 0,
        offset: found.at,
        wanted: length,
    };
    let about = dump::Device {
        kind: Kind::Pci,
        power: u8::MAX,
        bound: false,
        link_down: false,
        no_decode: false,
        domain,
        bus,
        devfn,
        revision: 0,
        vendor: 0,
        device: 0,
        sub_vendor: 0,
        sub_device: 0,
        class: 0,
        address: 0,
        profile_version: profile.version,
        digest: profile.digest,
        profile: padded(&profile.name),
        driver: padded(driver),
    };
    let end = End { outcome: Outcome::Complete, reason: Reason::None, segments: 1 };
    let mut device = Device::new(about, vec![Segment { head, bytes, position: 0 }], Some(end));
    device.by = By::Same;
    device.fill(profile);
    Some(device)
}

fn padded(name: &str) -> [u8; NAME_SIZE] {
    let mut to = [0; NAME_SIZE];
    to.iter_mut().zip(name.bytes()).for_each(|(to, byte)| *to = byte);
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_functions() {
        let expected = Some(("nvme-regs", 0, 1, 0x1d << 3 | 2));
        assert_eq!(names_function("nvme-regs_0000:01:1d.2"), expected);
        assert_eq!(names_function("nvme-regs_0000:01:1d.2#3"), expected);
        assert_eq!(names_function("a_b_10000:ff:00.7"), Some(("a_b", 0x10000, 0xff, 7)));
        for name in
            ["", "edu", "edu_0000:00:20.0", "edu_0000:00:04.8", "edu_0:0:4.0", "e_+000:00:04.0"]
        {
            assert_eq!(names_function(name), None, "{name}");
        }
    }
}
