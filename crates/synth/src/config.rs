// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Configuration spaces of PCI functions, of 4 KiB.

use crate::{RegisterDevice, RegisterSpace, Registers};

/// A configuration space to be made.
#[derive(Debug, Clone)]
pub struct Config {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where the pointer to the next capability is, and where that may be.
    next: (usize, usize),
    /// The same of the extended ones: the last one, and where the next may be.
    extended: (usize, usize),
}

impl Config {
    /// A function with this layout of its header and class, without capabilities.
    #[must_use]
    pub fn new(layout: u8, class: u16) -> Self {
        let config = Self { bytes: vec![0; 4096], next: (0x34, 0x40), extended: (0, 0x100) };
        config
            .put(0, &[0x86, 0x80, 0xd3, 0x10, 6, 0, 0x10, 0])
            .put(0x0a, &class.to_le_bytes())
            .put(0x0e, &[layout])
    }

    /// Puts bytes anywhere.
    #[must_use]
    pub fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// A capability in the first 256 bytes with what follows its pointer.
    #[must_use]
    pub fn capability(mut self, id: u8, body: &[u8]) -> Self {
        let (pointer, at) = self.next;
        self.bytes[pointer] = at as u8;
        self.next = (at + 1, (at + 2 + body.len()).next_multiple_of(4));
        self.put(at, &[id, 0]).put(at + 2, body)
    }

    /// An extended capability with what follows its header; gives its offset, too.
    #[must_use]
    pub fn extended(mut self, id: u16, body: &[u8]) -> (Self, usize) {
        let (last, at) = self.extended;
        if last != 0 {
            let upper = (at as u16) << 4 | 1;
            self = self.put(last + 2, &upper.to_le_bytes());
        }
        self.extended = (at, (at + 4 + body.len()).next_multiple_of(4));
        let [low, high] = id.to_le_bytes();
        (self.put(at, &[low, high, 1, 0]).put(at + 4, body), at)
    }
}

/// The dump of these configuration spaces, each with its bus and its device and function.
#[must_use]
pub fn configs<'a>(spaces: impl IntoIterator<Item = (u8, u8, &'a [u8])>) -> Registers {
    spaces.into_iter().fold(Registers::new(), |dump, (bus, devfn, bytes)| {
        let mut device = RegisterDevice::pci("pcie-config", 1, [0; 32]);
        device.bus_devfn_revision = [bus, devfn, 2];
        dump.device(&device).read(RegisterSpace::Config, 0, 0, bytes).end(0, 0)
    })
}
