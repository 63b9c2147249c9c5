// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Chelsio adapters as memory, for `tests/modules/softadapter`: what cxgb4 finds in
//! one whose host and firmware have crashed.
//!
//! Each register holds its own address, and a bit that no address has, unless the
//! driver acts on its value. The names are those of the driver's `t4_regs.h`.

use crate::cudbg::word;

/// A generation of adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chip {
    /// Terminator 5.
    T5,
    /// Terminator 6.
    T6,
}

/// The size of an adapter's memory; its address is a multiple of that.
pub const SIZE: usize = 1 << 20;

/// Where the driver finds registers in BAR 0: `T5_REGMAP_SIZE`.
const REGISTER_MAP: usize = 332 << 10;
/// The part of BAR 0 through which the adapter's own memory is seen.
const MEMORY_WINDOW: usize = 0x6_0000;
const MEMORY_WINDOW_SIZE: usize = 64 << 10;
/// The vital product data, as seen through the config space.
const VPD: usize = 0xc_0000;

/// The physical function that a driver has.
const FUNCTION: u32 = 4;

/// The firmware's log, in the memory EDC0: entries of 256 bytes, 128 of them.
const LOG: usize = 0x8000;
const LOG_ENTRY: usize = 256;
const LOG_ENTRIES: usize = 128;
/// How many of them the firmware has written.
pub const LOG_USED: usize = 100;

/// How queues work; the driver changes it, but not before its dump.
pub const SGE_CONTROL: u32 = 0x1008;
/// Where in the adapter's memory a window is.
pub const PCIE_MEM_ACCESS_OFFSET_WIN0: u32 = 0x306c;
/// What is exchanged with the serial flash.
pub const SF_DATA: u32 = 0x193f8;
/// Who asks.
const PL_WHOAMI: u32 = 0x19400;

/// The registers on whose values the driver acts, but for `PL_WHOAMI`.
const FIXED: &[(u32, u32)] = &[
    (SGE_EGRESS_QUEUES_PER_PAGE_PF, 0),
    // The contexts of queues: none is valid.
    (SGE_CTXT_DATA0, 0),
    (SGE_CTXT_DATA0 + 4, 0),
    (SGE_CTXT_DATA0 + 8, 0),
    (SGE_CTXT_DATA0 + 12, 0),
    (SGE_CTXT_DATA0 + 16, 0),
    (SGE_CTXT_DATA0 + 20, 0),
    (PCIE_MEM_ACCESS_BASE_WIN0, MEMORY_WINDOW as u32 | (MEMORY_WINDOW_SIZE >> 10).ilog2()),
    // Nobody waits for firmware that has crashed.
    (PCIE_FW, PCIE_FW_ERR),
    (PCIE_FW_PF7_DEVLOG, LOG as u32 | MEMTYPE_EDC0),
    (MA_TARGET_MEM_ENABLE, EDRAM0_ENABLE),
    // 1 MiB at 0.
    (MA_EDRAM0_BAR, 1),
    (MA_EDRAM1_BAR, 0),
    (MA_EXT_MEMORY0_BAR, 0),
    (MA_EXT_MEMORY1_BAR, 0),
    // Each queue is 512 bytes at 256.
    (CIM_QUEUE_CONFIG_CTRL, 2 << 24 | 1 << 16 | 4),
    // Not busy, which is another bit in each.
    (CIM_HOST_ACC_CTRL, 0),
    (SF_OP, 0),
    (PL_REV, 0),
    // Without a hash table.
    (LE_DB_CONFIG, 0),
    // Its last answer is there.
    (LE_DB_DBGI_RSP_STATUS, 1),
];

const SGE_EGRESS_QUEUES_PER_PAGE_PF: u32 = 0x1010;
const SGE_CTXT_DATA0: u32 = 0x1200;
const PCIE_MEM_ACCESS_BASE_WIN0: u32 = 0x3068;
const PCIE_FW: u32 = 0x30b8;
const PCIE_FW_ERR: u32 = 1 << 31;
const PCIE_FW_PF7_DEVLOG: u32 = 0x30d8;
const MEMTYPE_EDC0: u32 = 0;
const MA_EDRAM0_BAR: u32 = 0x77c0;
const MA_EDRAM1_BAR: u32 = 0x77c4;
const MA_EXT_MEMORY0_BAR: u32 = 0x77c8;
const MA_TARGET_MEM_ENABLE: u32 = 0x77d8;
const EDRAM0_ENABLE: u32 = 1;
const MA_EXT_MEMORY1_BAR: u32 = 0x7808;
const CIM_QUEUE_CONFIG_CTRL: u32 = 0x7b4c;
const CIM_HOST_ACC_CTRL: u32 = 0x7b50;
const SF_OP: u32 = 0x193fc;
const PL_REV: u32 = 0x1943c;
const LE_DB_CONFIG: u32 = 0x19c04;
const LE_DB_DBGI_RSP_STATUS: u32 = 0x19d94;

impl Chip {
    /// The PCI device number of an adapter with this chip.
    #[must_use]
    pub fn device(self) -> u16 {
        match self {
            Self::T5 => 0x5401,
            Self::T6 => 0x6401,
        }
    }

    /// `cudbg_hdr.chip_ver` of its first revision.
    #[must_use]
    pub fn version(self) -> u8 {
        match self {
            Self::T5 => 0x50,
            Self::T6 => 0x60,
        }
    }

    fn whoami(self) -> u32 {
        match self {
            Self::T5 => FUNCTION << 8,
            Self::T6 => FUNCTION << 9,
        }
    }
}

/// An adapter's memory, [`SIZE`] bytes.
#[derive(Debug, Clone)]
pub struct Image(Vec<u8>);

impl Image {
    /// An adapter with this chip.
    #[must_use]
    pub fn new(chip: Chip) -> Self {
        let mut image = Self(vec![0; SIZE]);
        for address in (0..REGISTER_MAP as u32).step_by(4) {
            image.set(address, 1 << 30 | address);
        }
        for (address, value) in FIXED {
            image.set(*address, *value);
        }
        image.set(PL_WHOAMI, chip.whoami());
        for (index, byte) in image.0[MEMORY_WINDOW..][..MEMORY_WINDOW_SIZE].iter_mut().enumerate() {
            *byte = (index * 31 + (index >> 8)) as u8;
        }
        let log = firmware_log(chip);
        image.0[MEMORY_WINDOW + LOG..][..log.len()].copy_from_slice(&log);
        let vpd = vital_product_data(chip);
        image.0[VPD..][..vpd.len()].copy_from_slice(&vpd);
        image
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Writes a register.
    pub fn set(&mut self, address: u32, value: u32) {
        self.0[address as usize..][..4].copy_from_slice(&value.to_le_bytes());
    }

    /// Reads a register.
    #[must_use]
    pub fn register(&self, address: u32) -> u32 {
        word(&self.0, address as usize)
    }

    /// The adapter's memory as seen through its window, which shows the same
    /// wherever it is moved to.
    #[must_use]
    pub fn window(&self) -> &[u8] {
        &self.0[MEMORY_WINDOW..][..MEMORY_WINDOW_SIZE]
    }

    /// The firmware's log.
    #[must_use]
    pub fn log(&self) -> &[u8] {
        &self.window()[LOG..][..LOG_ENTRIES * LOG_ENTRY]
    }
}

/// Entries as in `struct fw_devlog_e` of the driver's `t4fw_api.h`, big-endian; the
/// last ones are empty.
fn firmware_log(chip: Chip) -> Vec<u8> {
    const ERROR: u8 = 2;
    const HARDWARE: u8 = 8;
    let mut log = vec![0; LOG_ENTRIES * LOG_ENTRY];
    for (number, entry) in log.chunks_mut(LOG_ENTRY).take(LOG_USED).enumerate() {
        let number = number as u32;
        entry[..8].copy_from_slice(&log_time(number).to_be_bytes());
        entry[8..12].copy_from_slice(&number.to_be_bytes());
        entry[14..16].copy_from_slice(&[ERROR, HARDWARE]);
        let format = format!("{chip:?}: uncorrectable error in bank %u, syndrome 0x%x\n");
        entry[16..][..format.len()].copy_from_slice(format.as_bytes());
        for (index, parameter) in log_parameters(number).into_iter().enumerate() {
            entry[208 + 4 * index..][..4].copy_from_slice(&parameter.to_be_bytes());
        }
    }
    log
}

/// The time of an entry of the firmware's log; one of 0 is that of an empty entry.
#[must_use]
pub fn log_time(number: u32) -> u64 {
    (u64::from(number) + 1) * 1_000_003
}

/// A bank, and a syndrome.
fn log_parameters(number: u32) -> [u32; 2] {
    [number % 4, number.wrapping_mul(0x9e37_79b9)]
}

/// What an entry of the firmware's log says.
#[must_use]
pub fn log_message(chip: Chip, number: u32) -> String {
    let [bank, syndrome] = log_parameters(number);
    format!("{chip:?}: uncorrectable error in bank {bank}, syndrome {syndrome:#x}")
}

/// PCI's vital product data, which the adapter has at 0x400, and the version of its
/// layout at the end of what is function 4's.
fn vital_product_data(chip: Chip) -> Vec<u8> {
    const IDENTIFIER: u8 = 0x82;
    const READ_ONLY: u8 = 0x90;
    const END: u8 = 0x78;
    let identifier = format!("Soft adapter {chip:?}");
    let mut keywords = Vec::new();
    for (keyword, value) in
        [("PN", "110123450A0"), ("EC", "01"), ("SN", "PT00112233"), ("NA", "000743AABBCC")]
    {
        keywords.extend(keyword.bytes());
        keywords.push(value.len() as u8);
        keywords.extend(value.bytes());
    }
    // Up to itself, the checksum makes the sum of all bytes 0.
    keywords.extend(*b"RV\x01");
    let mut data = Vec::new();
    for (tag, length) in [(IDENTIFIER, identifier.len()), (READ_ONLY, keywords.len() + 1)] {
        data.push(tag);
        data.extend((length as u16).to_le_bytes());
        data.extend_from_slice(if tag == IDENTIFIER { identifier.as_bytes() } else { &keywords });
    }
    let sum = data.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    data.push(sum.wrapping_neg());
    data.push(END);

    let mut whole = vec![0; 2 << 10];
    whole[0x400..][..data.len()].copy_from_slice(&data);
    whole[0x4c7..0x4c9].copy_from_slice(b"12");
    whole
}
