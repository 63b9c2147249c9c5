// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! PCI functions as memory, for `tests/modules/softfunctions`: their config space, their
//! BAR 0, and what becomes of them.
//!
//! All is little-endian but what a test puts into a BAR.

/// The size of a function's memory; its address is a multiple of that.
pub const SIZE: usize = 256 << 10;
/// The size of BAR 0.
pub const BAR_SIZE: usize = 64 << 10;

const CONFIG_SIZE: usize = 4096;
const WRITABLE: usize = CONFIG_SIZE;
const BUS: usize = 2 * CONFIG_SIZE;
const DEVFN: usize = BUS + 4;
const DIES_AT: usize = BUS + 8;
const DIES_AT_SIZE: usize = 128;
const BASE_AT: usize = DIES_AT + DIES_AT_SIZE;
const WINDOW_AT: usize = BASE_AT + 4;
const PAGE_BASES: usize = WINDOW_AT + 4;
const BAR: usize = 64 << 10;
const PAGES: usize = BAR + BAR_SIZE;
const PAGE_SIZE: usize = 4 << 10;

/// Where the capabilities are in the config space.
pub const POWER_CAP: usize = 0x40;
/// The PCI Express capability.
pub const EXPRESS_CAP: usize = 0x50;

/// A function in memory at a physical address.
#[derive(Debug, Clone)]
pub struct Function {
    image: Vec<u8>,
}

impl Function {
    /// An endpoint of PCI Express in the slot `slot` of the root bus, whose memory is at
    /// `address`, in D0, with memory decoding on.
    #[must_use]
    pub fn new(address: u64, slot: u8, vendor: u16, device: u16, class: u32) -> Self {
        let mut function = Self { image: vec![0; SIZE] };
        function.put(BUS, 4, 0);
        function.put(DEVFN, 4, u64::from(slot) << 3);
        function.config(0x00, 2, vendor.into());
        function.config(0x02, 2, device.into());
        // Memory space and bus mastering are on; the status says that there are capabilities.
        function.config(0x04, 4, 0x0010_0006);
        function.writable(0x04, 2, 0x0547);
        function.config(0x08, 4, u64::from(class) << 8);
        function.config(0x2c, 2, vendor.into());
        function.config(0x34, 1, POWER_CAP as u64);
        // Version 3 of power management, D0.
        function.config(POWER_CAP, 4, 0x0003_0001 | (EXPRESS_CAP as u64) << 8);
        function.config(POWER_CAP + 4, 4, 0x8);
        // Version 2, an endpoint; 8 GT/s and 8 lanes.
        function.config(EXPRESS_CAP, 4, 0x0002_0010);
        function.config(EXPRESS_CAP + 0x0c, 4, 0x83);
        function.config(EXPRESS_CAP + 0x12, 2, 0x83);
        function.bar_is_at(address + BAR as u64);
        function
    }

    /// Makes it a root port, without memory of its own, before the bus `bus`, with its
    /// link down.
    #[must_use]
    pub fn root_port_with_its_link_down(mut self, bus: u8) -> Self {
        self.config(0x0e, 1, 1);
        self.bar_is_nowhere();
        let bus = u64::from(bus);
        self.config(0x18, 4, bus << 8 | bus << 16);
        // Windows that end before they begin are closed.
        self.config(0x1c, 2, 0x00f0);
        self.config(0x20, 4, 0x0000_fff0);
        self.config(0x24, 4, 0x0001_fff1);
        self.config(0x2c, 4, 0);
        // A root port of version 2, with a slot.
        self.config(EXPRESS_CAP, 4, 0x0142_0010);
        // It can say whether its link is up, and it is not.
        self.config(EXPRESS_CAP + 0x0c, 4, 0x0010_0083);
        self.config(EXPRESS_CAP + 0x12, 2, 0x0001);
        self
    }

    /// Moves it to the bus `bus`, slot 0.
    #[must_use]
    pub fn on_bus(mut self, bus: u8) -> Self {
        self.put(BUS, 4, bus.into());
        self.put(DEVFN, 4, 0);
        self.bar_is_nowhere();
        self
    }

    /// Sets its power state, 0 to 3.
    #[must_use]
    pub fn in_power_state(mut self, state: u8) -> Self {
        self.config(POWER_CAP + 4, 2, 0x8 | u64::from(state));
        self
    }

    /// Turns off its memory decoding, as the dead kernel left it.
    #[must_use]
    pub fn without_memory_decode(mut self) -> Self {
        self.config(0x04, 2, 0);
        self
    }

    /// Has it die when the kernel's log has this text, which is shorter than 128 bytes.
    ///
    /// # Panics
    /// When it is longer.
    #[must_use]
    pub fn dies_at(mut self, text: &str) -> Self {
        assert!(text.len() < DIES_AT_SIZE);
        self.image[DIES_AT..DIES_AT + text.len()].copy_from_slice(text.as_bytes());
        self
    }

    /// Gives it a window of 4 KiB at `window_at` of its BAR, whose base is written to the
    /// register at `base_at`; of two pages, what is seen at a base, from an offset on.
    ///
    /// # Panics
    /// When that is not inside a page.
    #[must_use]
    pub fn window(mut self, base_at: u32, window_at: u32, pages: [(u32, usize, &[u8]); 2]) -> Self {
        self.put(BASE_AT, 4, base_at.into());
        self.put(WINDOW_AT, 4, window_at.into());
        for (number, (base, offset, bytes)) in pages.into_iter().enumerate() {
            assert!(offset + bytes.len() <= PAGE_SIZE);
            self.put(PAGE_BASES + 4 * number, 4, base.into());
            let start = PAGES + PAGE_SIZE * number + offset;
            self.image[start..start + bytes.len()].copy_from_slice(bytes);
        }
        self
    }

    /// Puts its BAR to a physical address that is not its memory's.
    #[must_use]
    pub fn with_bar_at(mut self, address: u64) -> Self {
        self.bar_is_at(address);
        self
    }

    /// Sets bytes of BAR 0.
    ///
    /// # Panics
    /// When they are not inside it.
    #[must_use]
    pub fn bar(mut self, at: usize, bytes: &[u8]) -> Self {
        assert!(at + bytes.len() <= BAR_SIZE);
        self.image[BAR + at..BAR + at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// Its memory.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.image
    }

    /// Where in its memory a register of BAR 0 is.
    #[must_use]
    pub fn place(at: usize) -> u64 {
        (BAR + at) as u64
    }

    /// Where in its memory the number of its bus is, 32 bits: on another bus it is not there.
    #[must_use]
    pub fn place_of_bus() -> u64 {
        BUS as u64
    }

    /// A 64-bit BAR.
    fn bar_is_at(&mut self, address: u64) {
        self.config(0x10, 4, (address & 0xffff_fff0) | 0x4);
        self.config(0x14, 4, address >> 32);
        self.writable(0x10, 4, !(BAR_SIZE as u64 - 1));
        self.writable(0x14, 4, u64::MAX);
    }

    fn bar_is_nowhere(&mut self) {
        self.config(0x10, 4, 0);
        self.config(0x14, 4, 0);
        self.writable(0x10, 4, 0);
        self.writable(0x14, 4, 0);
    }

    fn config(&mut self, at: usize, width: usize, value: u64) {
        self.put(at, width, value);
    }

    fn writable(&mut self, at: usize, width: usize, mask: u64) {
        self.put(WRITABLE + at, width, mask);
    }

    fn put(&mut self, at: usize, width: usize, value: u64) {
        self.image[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    }
}

/// The memory of several functions, one after the other.
#[must_use]
pub fn memory(functions: &[Function]) -> Vec<u8> {
    functions.iter().flat_map(|function| function.bytes().iter().copied()).collect()
}
