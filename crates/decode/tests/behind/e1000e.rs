// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The descriptor rings of a network adapter.

use synth::{Pages, RegisterSpace, Registers};

use crate::{decode, dump, node, shown};

const SENT: u64 = 0x1_0000_1000;
const RECEIVED: u64 = 0x2000;

/// An adapter with rings of 8 descriptors. The transmit ring wraps: 6, 7 and 0 are the
/// device's; of the receive ring, 1 and 2.
fn adapter(rctl: u32) -> Registers {
    let ring = |base: u64, head, tail| {
        [base as u32, (base >> 32) as u32, 128, 0, head, 0, tail, 0, 0, 0, 0, 0]
    };
    let registers: [(u64, &[u32]); 5] = [
        (0, &[0x40]),
        (8, &[0x0008_0083]),
        (0x100, &[rctl]),
        (0x2800, &ring(RECEIVED, 1, 3)),
        (0x3800, &ring(SENT, 6, 1)),
    ];
    dump("e1000e", (RegisterSpace::Bar, 0), &registers)
}

fn memory() -> Pages {
    Pages::new()
        .with_words(SENT, &[0x5000, 2, 60 | 0x0b << 24, 0])
        .with_words(SENT + 16, &[0x6000, 0, 42 | 0x0b << 24, 1])
        // A context, and two descriptors of data after it.
        .with_words(SENT + 5 * 16, &[0x1234, 0, 0x2000_0000, 1])
        .with_words(SENT + 6 * 16, &[0x7000, 0, 0x2a10_0000 | 1000, 0])
        .with_words(SENT + 7 * 16, &[0x8000, 0, 0x2b10_0000 | 500, 0])
        // A packet, one with an error in its checksum, and two buffers.
        .with_words(RECEIVED, &[0, 0xabcd, 3, 64])
        .with_words(RECEIVED + 16, &[0x9000, 0, 0, 0])
        .with_words(RECEIVED + 3 * 16, &[0xa000, 0, 0, 0])
        .with_words(RECEIVED + 4 * 16, &[0, 0, 0x0100_0003, 1514])
}

#[test]
fn descriptors_have_their_meaning() {
    let decoded = decode(&adapter(2), &memory());
    assert_eq!(
        shown(node(&decoded, &["tx", "TDBA"])),
        [
            "descriptor[0] 0x200005000 60 bytes, end of its packet, not sent yet",
            "descriptor[1] 0x6000 42 bytes, end of its packet, sent",
            "descriptor[5] 0x1234 context, sent",
            "descriptor[6] 0x7000 data, 1000 bytes, not sent yet",
            "descriptor[7] 0x8000 data, 500 bytes, end of its packet, not sent yet",
        ]
    );
    assert_eq!(
        shown(node(&decoded, &["rx", "RDBA"])),
        [
            "descriptor[0] 0xabcd00000000 packet of 64 bytes",
            "descriptor[1] 0x9000 a buffer, the device's",
            "descriptor[3] 0xa000 a buffer",
            "descriptor[4] 0x0 packet of 1514 bytes, with errors",
        ]
    );
    assert_eq!(
        shown(node(&decoded, &["rx", "RDBA", "descriptor[4]"])),
        ["STATUS 0x1000003", "LENGTH 0x5ea"]
    );
}

/// Descriptors of large frames are twice as long.
#[test]
fn descriptors_of_several_buffers() {
    let decoded = decode(&adapter(2 | 1 << 10), &memory());
    assert_eq!(
        shown(node(&decoded, &["rx", "RDBA"])),
        [
            "descriptor[0] 0xabcd00000000 packet of 64 bytes",
            "descriptor[2] 0x0 packet of 1514 bytes, with errors",
        ]
    );
}

#[test]
fn rings_that_were_left_out_are_not_in_the_dump() {
    let decoded = decode(&adapter(2), &Pages::new());
    assert_eq!(shown(node(&decoded, &["tx", "TDBA"])), ["descriptor[0 to 7] (not in the dump)"]);
    assert_eq!(shown(node(&decoded, &["rx", "RDBA"])), ["descriptor[0 to 7] (not in the dump)"]);
}
