// SPDX-License-Identifier: GPL-2.0-only
//! Dumps the controller registers of NVMe devices as the dead kernel left them.
#![no_std]

use vmcoredd_driver::pci::{Bar, Device};
use vmcoredd_driver::{
    Collector, DumpWriter, ENODEV, Errno, Name, dumps_are_wanted, pci_driver, register,
};

/// The registers of BAR 0, from CAP to CRTO: NVM Express Base Specification 2.0, 3.1.3.
const REGISTERS: usize = 0x6c;

struct Controller {
    registers: Bar,
}

impl Collector for Controller {
    fn name(&self) -> Name {
        Name::new().text(b"nvme-regs_").text(self.registers.device().name())
    }

    fn size_hint(&self) -> u64 {
        REGISTERS as u64
    }

    fn collect(&mut self, writer: &mut DumpWriter<'_>) -> Result<(), Errno> {
        self.registers.dump_registers(0..REGISTERS, writer)
    }
}

fn probe(device: &Device) -> Result<(), Errno> {
    if !dumps_are_wanted() {
        return Err(ENODEV);
    }
    register(Controller { registers: device.bar(0)? })?;
    Err(ENODEV) // The device's own driver can have it now.
}

pci_driver!(probe);
