// SPDX-License-Identifier: GPL-2.0-only
//! Dumps the shared memory of QEMU's ivshmem device, which stands in for the
//! memory of an adapter: a model for any driver in Rust.
#![no_std]

use vmcoredd_driver::pci::Device;
use vmcoredd_driver::{ENODEV, Errno, Name, collect, in_crash_kernel, pci_driver};

/// The shared memory; BAR 0 has the registers, docs/specs/ivshmem-spec.rst of
/// QEMU.
const MEMORY_BAR: i32 = 2;

/// Bytes that are read at once: a part of the kernel's small stack.
const PART: usize = 1024;

fn probe(device: &Device) -> Result<(), Errno> {
    if !in_crash_kernel() {
        return Err(ENODEV);
    }
    let memory = device.bar(MEMORY_BAR)?;
    let name = Name::new().text(b"ivshmem_").text(device.name());
    collect(&name, memory.size() as u64, move |writer| {
        let mut bytes = [0; PART];
        for offset in (0..memory.size()).step_by(PART) {
            let length = PART.min(memory.size() - offset);
            let part = bytes.get_mut(..length).unwrap_or_default();
            memory.read(offset, part)?;
            writer.write(part)?;
        }
        Ok(())
    })
}

pci_driver!(probe);
