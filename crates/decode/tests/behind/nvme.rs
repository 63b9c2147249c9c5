// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The admin queues of an NVMe controller.

use decode::model::{Behaviour, Severity};
use synth::{Pages, RegisterSpace, Registers};

use crate::{decode, dump, node, shown};

const ASQ: u64 = 0x1_2345_f000;
const ACQ: u64 = 0x2_0000_1000;

/// A controller with this status, and queues of 96 commands, on two pages, and of 8
/// completions.
fn controller(csts: u32) -> Registers {
    let mut words = [0_u32; 27];
    let known = [(0, 0x0f00_07ff), (1, 0x30), (2, 0x0001_0400), (5, 0x0046_0001), (7, csts)];
    let queues = [
        (9, 0x0007_005f),
        (10, ASQ as u32),
        (11, (ASQ >> 32) as u32),
        (12, ACQ as u32),
        (13, (ACQ >> 32) as u32),
    ];
    for (at, word) in known.into_iter().chain(queues) {
        words[at] = word;
    }
    dump("nvme", (RegisterSpace::Bar, 0), &[(0, &words)])
}

/// A command with this operation code and number.
fn command(pages: Pages, index: u64, opcode: u32, cid: u32) -> Pages {
    let mut words = [0; 16];
    words[0] = opcode | cid << 16;
    (words[1], words[6], words[7], words[10]) = (0x11, 0x5000, 1, 0x42 + cid);
    pages.with_words(ASQ + index * 64, &words)
}

fn completion(pages: Pages, index: u64, head: u32, cid: u32, status: u32) -> Pages {
    pages.with_words(ACQ + index * 16, &[0x77, 0, head, cid | status << 17 | 1 << 16])
}

/// Identify, Get Features, Asynchronous Event Request, Get Log Page, a vendor's; all but the
/// last and the third are completed, one with an error.
fn queues() -> Pages {
    let commands = [(0x06, 0), (0x0a, 0x1001), (0x0c, 0x2002), (0x02, 0x3003), (0xc7, 0x4004)];
    let pages = (0..)
        .zip(commands)
        .fold(Pages::new(), |pages, (index, (opcode, cid))| command(pages, index, opcode, cid));
    let pages = command(pages, 70, 0x09, 0x5005);
    let completions = [(1, 0, 0), (2, 0x1001, 0x4002), (4, 0x3003, 0), (71, 0x5005, 0)];
    (0..).zip(completions).fold(pages, |pages, (index, (head, cid, status))| {
        completion(pages, index, head, cid, status)
    })
}

#[test]
fn commands_and_completions_have_their_names() {
    let decoded = decode(&controller(1), &queues());
    let queue = node(&decoded, &["ctrl", "ASQ"]);
    assert_eq!(
        shown(queue),
        [
            "command[0] 0x6 Identify",
            "command[1] 0xa Get Features",
            "command[2] 0xc Asynchronous Event Request",
            "command[3] 0x2 Get Log Page",
            "command[4] 0xc7 vendor's own",
            "command[70] 0x9 Set Features",
        ]
    );
    let second = node(&decoded, &["ctrl", "ASQ", "command[1]"]);
    assert_eq!(second.address, Some(ASQ + 64));
    // Comparing leaves it out.
    assert_eq!(second.behaviour, Behaviour::Volatile);
    assert_eq!(second.children[0].behaviour, Behaviour::Volatile);
    assert_eq!(
        shown(second),
        [
            "CID 0x1001",
            "NSID 0x11",
            "PRP1 0x100005000",
            "PRP2 0x0",
            "CDW10 0x1043",
            "CDW11 0x0",
            "CDW12 0x0",
            "CDW13 0x0",
            "CDW14 0x0",
            "CDW15 0x0"
        ]
    );
    assert_eq!(
        shown(node(&decoded, &["ctrl", "ACQ"])),
        [
            "completion[0] 0x0 success",
            "completion[1] 0x4002 invalid field",
            "completion[2] 0x0 success",
            "completion[3] 0x0 success",
        ]
    );
    assert_eq!(
        shown(node(&decoded, &["ctrl", "ACQ", "completion[1]"])),
        ["CID 0x1001", "SQHD 0x2", "SQID 0x0", "RESULT 0x77", "PHASE 0x1"]
    );
    // A controller that works has commands without completion.
    assert_eq!(decoded.findings, []);
}

#[test]
fn what_a_controller_stopped_at_is_found() {
    let decoded = decode(&controller(3), &queues());
    let finding = &decoded.findings[1];
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.text, "admin commands without completion: vendor's own (CID 0x4004)");
    // The controller's memory is gone, or that of the completions.
    let decoded = decode(&controller(3), &queues().without(ACQ));
    assert_eq!(decoded.findings.len(), 1, "{:?}", decoded.findings);
    assert_eq!(shown(node(&decoded, &["ctrl", "ACQ"])), ["completion[0 to 7] (not in the dump)"]);
}

#[test]
fn a_page_that_was_left_out_is_not_in_the_dump() {
    let decoded = decode(&controller(1), &queues().without(ASQ));
    assert_eq!(
        shown(node(&decoded, &["ctrl", "ASQ"])),
        ["command[0 to 63] (not in the dump)", "command[70] 0x9 Set Features"]
    );
    let decoded = decode(&controller(1), &queues().without(ASQ + 0x1000));
    let found = shown(node(&decoded, &["ctrl", "ASQ"]));
    assert_eq!((found.len(), found[5].as_str()), (6, "command[64 to 95] (not in the dump)"));
}
