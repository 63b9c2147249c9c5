// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What corrects several things: to load the crash kernel, or to make its initramfs.

use super::change::{Change, Task};
use super::check::Fix;
use super::kdump::{Kdump, SYSCONFIG};
use super::machine::Machine;

/// How the crash kernel is loaded, for the first time or again.
pub fn load(machine: &Machine) -> Fix {
    let is_loaded = machine.is_loaded();
    match machine.kdump {
        Kdump::Tools if machine.has("/usr/sbin/kdump-config") => {
            Fix::new(Task::Load.command(is_loaded).join(" "), [Change::Task(Task::Load)])
        }
        Kdump::Tools => Fix::by_hand("apt-get install kdump-tools"),
        Kdump::Ctl if machine.has("/usr/bin/kdumpctl") => Fix::by_hand("kdumpctl restart"),
        Kdump::Ctl => Fix::by_hand("install kdump-utils, or kexec-tools where there is none"),
        Kdump::Suse if machine.has(SYSCONFIG) => Fix::by_hand("systemctl restart kdump"),
        Kdump::Suse => Fix::by_hand("zypper install kdump"),
        Kdump::Other => Fix::by_hand("install what this distribution has for kdump"),
    }
}

/// How the initramfs of the crash kernel is made anew.
pub fn initramfs(machine: &Machine) -> Fix {
    match machine.kdump {
        Kdump::Tools if !machine.has("/usr/sbin/vmcoredd-update-initramfs") => {
            Fix::by_hand("apt-get install vmcoredd")
        }
        Kdump::Tools => {
            Fix::new(Task::Initramfs.command(true).join(" "), [Change::Task(Task::Initramfs)])
        }
        Kdump::Ctl => Fix::by_hand("kdumpctl rebuild && kdumpctl restart: docs/operate.md, dracut"),
        Kdump::Suse => {
            Fix::by_hand("mkdumprd -f && systemctl restart kdump: docs/operate.md, dracut")
        }
        Kdump::Other => Fix::by_hand("put them into it: docs/operate.md, By hand"),
    }
}
