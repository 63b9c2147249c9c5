// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Register dumps, as docs/formats.md has them.

/// The spaces of registers, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterSpace {
    /// Configuration space.
    Config = 1,
    /// A base address register.
    Bar = 2,
    /// I/O ports.
    Port = 3,
    /// Model-specific registers.
    Msr = 4,
    /// Physical addresses.
    Memory = 5,
    /// An IOMMU.
    Unit = 6,
    /// A window.
    Window = 7,
}

/// A device of a register dump.
#[derive(Debug, Clone, Copy)]
pub struct RegisterDevice<'a> {
    /// 1 PCI, 2 processor, 3 and 4 IOMMUs.
    pub kind: u16,
    /// Power state.
    pub power: u8,
    /// 1 driver bound, 2 link down, 4 memory decode off.
    pub flags: u8,
    /// PCI bus, device and function, and revision.
    pub bus_devfn_revision: [u8; 3],
    /// Vendor, device, subsystem vendor and subsystem.
    pub ids: [u16; 4],
    /// Class.
    pub class: u32,
    /// Number of the processor or address of the unit.
    pub address: u64,
    /// Version of the profile.
    pub version: u32,
    /// SHA-256 of its file.
    pub digest: [u8; 32],
    /// Its name.
    pub profile: &'a str,
    /// The driver.
    pub driver: &'a str,
}

impl<'a> RegisterDevice<'a> {
    /// A PCI function at 0000:01:03.0, read by this version of this profile.
    #[must_use]
    pub const fn pci(profile: &'a str, version: u32, digest: [u8; 32]) -> Self {
        Self {
            kind: 1,
            power: 0,
            flags: 0,
            bus_devfn_revision: [1, 0x18, 2],
            ids: [0x8086, 0x10d3, 0x1af4, 0x1100],
            class: 0x02_0000,
            address: 0,
            version,
            digest,
            profile,
            driver: "",
        }
    }
}

/// A register dump to be made.
#[derive(Debug, Clone)]
pub struct Registers {
    bytes: Vec<u8>,
    segments: u32,
}

impl Default for Registers {
    fn default() -> Self {
        Self::new()
    }
}

impl Registers {
    /// One without devices.
    #[must_use]
    pub fn new() -> Self {
        let mut bytes = b"VMCDREGS".to_vec();
        bytes.extend([1, 0, 16, 0, 0, 0, 0, 0]);
        Self { bytes, segments: 0 }
    }

    /// A record of any type.
    #[must_use]
    pub fn record(mut self, record_type: u16, body: &[u8]) -> Self {
        self.bytes.extend(record_type.to_le_bytes());
        self.bytes.extend([0, 0]);
        self.bytes.extend((body.len() as u32).to_le_bytes());
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        self
    }

    /// A device starts.
    #[must_use]
    pub fn device(mut self, device: &RegisterDevice<'_>) -> Self {
        let mut body = device.kind.to_le_bytes().to_vec();
        body.extend([device.power, device.flags]);
        body.extend([0; 4]);
        body.extend(device.bus_devfn_revision);
        body.push(0);
        body.extend(device.ids.iter().flat_map(|id| id.to_le_bytes()));
        body.extend(device.class.to_le_bytes());
        body.extend(device.address.to_le_bytes());
        body.extend(device.version.to_le_bytes());
        body.extend([0; 4]);
        body.extend(device.digest);
        for name in [device.profile, device.driver] {
            let mut field = [0; 32];
            field[..name.len()].copy_from_slice(name.as_bytes());
            body.extend(field);
        }
        self.segments = 0;
        self.record(1, &body)
    }

    /// Registers of 32 bits that were read.
    #[must_use]
    pub fn read(self, space: RegisterSpace, index: u8, offset: u64, bytes: &[u8]) -> Self {
        let width = if space == RegisterSpace::Msr { 8 } else { 4 };
        self.segment(space, index, width, 0, offset, bytes.len() as u64, bytes)
    }

    /// Registers that were not read, for the reason of this number.
    #[must_use]
    pub fn unread(
        self,
        space: RegisterSpace,
        index: u8,
        offset: u64,
        wanted: u64,
        status: u8,
    ) -> Self {
        self.segment(space, index, 4, status, offset, wanted, &[])
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the record")]
    fn segment(
        mut self,
        space: RegisterSpace,
        index: u8,
        width: u8,
        status: u8,
        offset: u64,
        wanted: u64,
        bytes: &[u8],
    ) -> Self {
        let mut body = vec![space as u8, index, width, 0, status, 0, 0, 0];
        body.extend(offset.to_le_bytes());
        body.extend(wanted.to_le_bytes());
        body.extend(bytes);
        self.segments += 1;
        self.record(2, &body)
    }

    /// The device ends: what became of it, and why.
    #[must_use]
    pub fn end(self, outcome: u8, reason: u8) -> Self {
        let mut body = vec![outcome, reason, 0, 0];
        body.extend(self.segments.to_le_bytes());
        self.record(3, &body)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
