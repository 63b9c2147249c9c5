// SPDX-License-Identifier: GPL-2.0-only
//! Dumps the shared memory of QEMU's ivshmem device, as if it were the memory of an
//! adapter: an example for any driver in Rust.
#![no_std]

use vmcoredd_driver::pci::{Bar, Device};
use vmcoredd_driver::{
    Collector, DumpWriter, ENODEV, Errno, Name, dumps_are_wanted, pci_driver, register,
};

/// The shared memory; BAR 0 has the registers, docs/specs/ivshmem-spec.rst of
/// QEMU.
const MEMORY_BAR: i32 = 2;

struct Memory(Bar);

impl Collector for Memory {
    fn name(&self) -> Name {
        Name::new().text(b"ivshmem_").text(self.0.device().name())
    }

    fn size_hint(&self) -> u64 {
        self.0.size() as u64
    }

    fn collect(&mut self, writer: &mut DumpWriter<'_>) -> Result<(), Errno> {
        self.0.dump_memory(0..self.0.size(), writer)
    }
}

fn probe(device: &Device) -> Result<(), Errno> {
    if !dumps_are_wanted() {
        return Err(ENODEV);
    }
    register(Memory(device.bar(MEMORY_BAR)?))
}

pci_driver!(probe);
