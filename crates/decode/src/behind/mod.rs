// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the registers of a device point to in the dead kernel's memory: queues, rings and
//! tables, which its driver and the device share.
//!
//! Each module does this for the devices of one profile: it finds the pointers among the
//! decoded registers by their names, and adds what they lead to as values after them. What is
//! read is bounded, whatever the pointers say, so that those which lead in circles do no harm.

mod ahci;
mod e1000e;
mod nvme;
mod reader;
mod vt_d;
mod xhci;

pub use reader::{Absent, Memory};

use crate::model::{Decoded, Missing};
use reader::{Reader, VALUES_MAX};

/// Adds to the registers of a device that `profile` was decoded by what they point to.
pub fn follow(profile: &str, decoded: &mut Decoded, memory: &dyn Memory) {
    let follow = match profile {
        "ahci" => ahci::follow,
        "e1000e" => e1000e::follow,
        "nvme" => nvme::follow,
        "vt-d" => vt_d::follow,
        "xhci" => xhci::follow,
        _ => return,
    };
    let mut reader = Reader { memory, room: VALUES_MAX };
    follow(decoded, &mut reader);
    if reader.room == 0 {
        let why = "it is more than is decoded".to_owned();
        decoded.missing.push(Missing { what: "some memory of the device".to_owned(), why });
    }
}
