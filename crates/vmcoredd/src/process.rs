// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Processes that this one starts.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process_group};

/// Kills `child`, which leads a process group, and all of that group. What has ended by
/// itself meanwhile cannot be killed, and need not be.
pub fn kill_group(child: &Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}
