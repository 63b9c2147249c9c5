// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The event ring and the device contexts of an xHCI controller.

use synth::{Pages, RegisterSpace, Registers};

use crate::{decode, dump, node, shown};

const CONTEXTS: u64 = 0x1000;
const TABLE: u64 = 0x2000;
const FIRST: u64 = 0x1_0000_3000;
const SECOND: u64 = 0x4000;
const DEVICE: u64 = 0x5000;

/// A controller with an event ring of two segments, whose contexts have 32 or 64 bytes.
fn controller(large: bool) -> Registers {
    // CAPLENGTH 0x40; two slots are enabled; the runtime registers are at 0x1000.
    let capabilities = [0x0100_0040, 0x0100_0108, 0, 0, u32::from(large) << 2, 0x2000, 0x1000, 0];
    let mut operational = [0_u32; 15];
    (operational[0], operational[12], operational[14]) = (1, CONTEXTS as u32, 2);
    let next = SECOND as u32 + 0x10 + 8;
    let interrupter = [2, 0, 2, 0, TABLE as u32, 0, next, 0];
    let registers: [(u64, &[u32]); 3] =
        [(0, &capabilities), (0x40, &operational), (0x1020, &interrupter)];
    dump("xhci", (RegisterSpace::Bar, 0), &registers)
}

fn memory() -> Pages {
    Pages::new()
        .with_wides(TABLE, &[FIRST, 2, SECOND, 3])
        // A port's change, a transfer, and the completion of a command.
        .with_words(FIRST, &[5 << 24, 0, 1 << 24, 34 << 10 | 1])
        .with_words(FIRST + 16, &[0x7010, 1, 13 << 24 | 0x18, 1 << 24 | 3 << 16 | 32 << 10 | 1])
        .with_words(SECOND, &[0x6000, 0, 4 << 24, 2 << 24 | 33 << 10 | 1])
        .with_words(SECOND + 16, &[0, 0, 21 << 24, 37 << 10])
        .with_wides(CONTEXTS, &[0x8000, DEVICE, 0])
}

#[test]
fn events_have_their_names() {
    let decoded = decode(&controller(false), &memory());
    assert_eq!(
        shown(node(&decoded, &["intr", "ERSTBA"])),
        ["segment[0] 0x100003000", "segment[1] 0x4000"]
    );
    assert_eq!(
        shown(node(&decoded, &["intr", "ERSTBA", "segment[0]"])),
        [
            "SIZE 0x2",
            "event[0] 0x8801 Port Status Change Event: success, port 5",
            "event[1] 0x1038001 Transfer Event: short packet, slot 1 endpoint 3",
        ]
    );
    assert_eq!(
        shown(node(&decoded, &["intr", "ERSTBA", "segment[0]", "event[1]"])),
        [
            "CODE 0xd short packet",
            "CYCLE 0x1",
            "SLOT 0x1",
            "ENDPOINT 0x3",
            "POINTER 0x100007010",
            "LENGTH 0x18",
        ]
    );
    assert_eq!(
        shown(node(&decoded, &["intr", "ERSTBA", "segment[1]"])),
        [
            "SIZE 0x3",
            "event[0] 0x2008401 Command Completion Event: USB transaction error, slot 2",
            "event[1] 0x9400 Host Controller Event: event ring full, the next one that the \
             driver looks at",
        ]
    );
}

#[test]
fn devices_have_their_state() {
    for large in [false, true] {
        let size = if large { 64 } else { 32 };
        // A high-speed device at port 3, configured, with two endpoints besides 0.
        let pages = memory()
            .with_words(DEVICE, &[4 << 27 | 3 << 20, 3 << 16, 0, 3 << 27 | 7])
            .with_words(DEVICE + size, &[1, 4 << 3, 0x9001, 0])
            .with_words(DEVICE + 3 * size, &[2, 7 << 3, 0xa011, 1]);
        let decoded = decode(&controller(large), &pages);
        assert_eq!(
            shown(node(&decoded, &["op", "DCBAAP"])),
            ["slot[0] 0x8000 scratchpads", "slot[1] 0x5000"]
        );
        assert_eq!(
            shown(node(&decoded, &["op", "DCBAAP", "slot[1]"])),
            [
                "STATE 0x3 configured",
                "ADDRESS 0x7",
                "SPEED 0x3 high",
                "ROOT_PORT 0x3",
                "ROUTE 0x0",
                "endpoint[1] 0x1 control, running",
                "endpoint[3] 0x2 interrupt in, halted",
            ]
        );
        assert_eq!(
            shown(node(&decoded, &["op", "DCBAAP", "slot[1]", "endpoint[3]"])),
            ["DEQUEUE 0x10000a010"]
        );
    }
}

#[test]
fn what_was_left_out_is_not_in_the_dump() {
    let decoded = decode(&controller(false), &memory().without(FIRST));
    assert_eq!(
        shown(node(&decoded, &["intr", "ERSTBA", "segment[0]"])),
        ["SIZE 0x2", "event[0 to 1] (not in the dump)"]
    );
    assert_eq!(
        shown(node(&decoded, &["op", "DCBAAP", "slot[1]"])),
        ["SLOT_CONTEXT (not in the dump)"]
    );
    let decoded = decode(&controller(false), &memory().without(TABLE).without(CONTEXTS));
    assert_eq!(shown(node(&decoded, &["intr", "ERSTBA"])), ["segment[0 to 1] (not in the dump)"]);
    assert_eq!(shown(node(&decoded, &["op", "DCBAAP"])), ["slot[0 to 2] (not in the dump)"]);
}
