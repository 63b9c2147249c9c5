// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Registers that are read through others: the driver writes a number into one register and
//! reads the value in another.
//!
//! Facts: Linux cxgb4, `cudbg_entity.h` (`struct ireg_buf`, `struct sge_qbase_reg_field`),
//! the arrays at the start of `cudbg_lib.c`.

use super::out::{Out, number, numbers};
use crate::fields::word;
use crate::model::{Bytes, Node};

/// `sizeof(struct ireg_buf)`: four words, and the values.
const BUFFER: usize = 144;
const VALUES: usize = 16;
const VALUES_MAX: u64 = 32;

/// What is read in the register with this address.
const SPACES: &[(u64, &str)] = &[
    (0x10d0, "SGE_DEBUG_DATA_HIGH"),
    (0x10d4, "SGE_DEBUG_DATA_LOW"),
    (0x5a0c, "PCIE_PDBG"),
    (0x5a18, "PCIE_CDBG"),
    (0x78fc, "MA_LOCAL_DEBUG"),
    (0x7b54, "UP_CIM"),
    (0x7e1c, "TP_TM_PIO"),
    (0x7e44, "TP_PIO"),
    (0x7e54, "TP_MIB"),
    (0x8fd4, "PM_RX"),
    (0x8ff4, "PM_TX"),
    (0x5_1324, "HMA_LOCAL_DEBUG"),
];

/// The values of a buffer: the number of the first register, how many there are, and how far
/// apart they are.
type Values = (u64, u64, u64);

fn buffers(
    bytes: &Bytes<'_>,
    count: usize,
    out: &mut Out<'_>,
    values: impl Fn(Values) -> Values,
) -> Vec<Node> {
    out.list("groups of indirect registers", count, |index| {
        let part = bytes.part(index * BUFFER..(index + 1) * BUFFER)?;
        let data = part.little(4, 4).filter(|data| *data != 0)?;
        let (first, count, step) = values((part.little(8, 4)?, part.little(12, 4)?, 1));
        let value = |index: u64| {
            let name = format!("{:#06x}", first + index * step);
            number(&part, name, VALUES + 4 * index as usize, 4)
        };
        let children = (0..count.min(VALUES_MAX)).filter_map(value).collect();
        let node = Node { address: Some(data), children, ..Node::group(format!("[{index}]")) };
        Some(node.titled(word(SPACES, data)).meaning(format!("{count} from {first:#x}")))
    })
}

/// The entities `TP_INDIRECT`, `PCIE_INDIRECT`, `PM_INDIRECT` and `HMA_INDIRECT`.
pub(super) fn registers(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    buffers(bytes, bytes.length() / BUFFER, out, |values| values)
}

/// The entity `MA_INDIRECT`. Some registers are read one by one: their buffer has the number
/// after the last one, and no count.
pub(super) fn arbiter(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const STEP: u64 = 0x20;
    const APART: [(u64, u64); 2] = [(0xe400, 17), (0xe640, 13)];
    buffers(bytes, bytes.length() / BUFFER, out, |(first, count, step)| {
        let ends = |of: &&(u64, u64)| of.0 + of.1 * STEP == first;
        match APART.iter().find(ends).filter(|_| count == 0) {
            Some((first, count)) => (*first, *count, STEP),
            None => (first, count, step),
        }
    })
}

/// The entity `UP_CIM_INDIRECT`, whose registers have addresses. Those of the traffic
/// schedulers are of 4 channels, or of 16 classes.
pub(super) fn microprocessor(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const SCHEDULERS: u64 = 0x4900;
    buffers(bytes, bytes.length() / BUFFER, out, |(first, count, _)| match (first, count) {
        (SCHEDULERS.., 4) => (first, count, 0x120),
        (SCHEDULERS.., 16) => (first, count, 0x10),
        _ => (first, count, 4),
    })
}

/// The entity `SGE_INDIRECT`: two groups, and where the queues of functions begin, which T6
/// has, and which the driver reads where the adapter is idle.
pub(super) fn sge(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    const MAPS: [&str; 4] =
        ["SGE_QBASE_MAP0", "SGE_QBASE_MAP1", "SGE_QBASE_MAP2", "SGE_QBASE_MAP3"];
    const PHYSICAL: usize = 8;
    const VIRTUAL: usize = 256;
    const FUNCTION: usize = 16;
    const FUNCTIONS: usize = 2 * BUFFER + 4 + 16;
    const COUNT: usize = FUNCTIONS + FUNCTION * (PHYSICAL + VIRTUAL);
    let mut nodes = buffers(bytes, 2, out, |values| values);
    let Some(count) = bytes.little(COUNT, 4).filter(|_| bytes.little(2 * BUFFER, 4) != Some(0))
    else {
        return nodes;
    };
    let count = usize::try_from(count).unwrap_or(VIRTUAL).min(VIRTUAL);
    nodes.extend(out.list("functions", PHYSICAL + count, |index| {
        let name = match index.checked_sub(PHYSICAL) {
            None => format!("PF[{index}]"),
            Some(index) => format!("VF[{index}]"),
        };
        let children = numbers(bytes, FUNCTIONS + FUNCTION * index, 4, &MAPS);
        Some(Node { children, ..Node::group(name) })
    }));
    nodes
}

/// The entity `PCIE_CONFIG`: parts of the configuration space, one after the other.
pub(super) fn config(bytes: &Bytes<'_>, out: &mut Out<'_>) -> Vec<Node> {
    /// The first and the last address of each.
    const PARTS: [(u64, u64); 14] = [
        (0x0, 0x34),
        (0x3c, 0x40),
        (0x50, 0x64),
        (0x70, 0x80),
        (0x94, 0xa0),
        (0xb0, 0xb8),
        (0xd0, 0xd4),
        (0x100, 0x128),
        (0x140, 0x148),
        (0x150, 0x164),
        (0x170, 0x178),
        (0x180, 0x194),
        (0x1a0, 0x1b8),
        (0x1c0, 0x208),
    ];
    let addresses: Vec<u64> =
        PARTS.iter().flat_map(|(first, last)| (*first..=*last).step_by(4)).collect();
    out.list("words of the configuration space", bytes.length() / 4, |index| {
        let address = *addresses.get(index)?;
        let node = number(bytes, format!("{address:#05x}"), 4 * index, 4)?;
        Some(Node { address: Some(address), ..node })
    })
}
