// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The crash kernel's memory.

use vmcore::command_line::value;

use super::change::{Change, Task};
use super::check::{Check, Fix, mib};
use super::grub;
use super::kdump::Kdump;
use super::lines;
use super::machine::{Machine, VMCOREDD_CONF};
use super::parameters::number;

/// Less reserved memory than this is too little for any crash kernel, in bytes.
const RESERVED_MIN: u64 = 96 << 20;
/// What a crash kernel needs itself, in bytes: see docs/operate.md.
const KERNEL_NEEDS: u64 = 96 << 20;
/// What is added to the command line where that is too little.
const CRASHKERNEL: &str = "crashkernel=256M";

pub fn reserved(machine: &Machine) -> Check {
    let name = "crashkernel";
    let fix = |check: Check| check.fix_by(reserve(machine));
    let given = machine.text("/proc/cmdline").unwrap_or_default();
    let is_given = value(given.as_bytes(), b"crashkernel").is_some();
    match machine.number("/sys/kernel/kexec_crash_size") {
        None => fix(Check::failure(name, "this kernel cannot start a crash kernel")),
        Some(0) if is_given => {
            let said = "crashkernel= is given, and no memory is reserved: dmesg says why";
            fix(Check::failure(name, said))
        }
        Some(0) => fix(Check::failure(name, "no memory is reserved for a crash kernel")),
        Some(size) if size < RESERVED_MIN => {
            let said = format!("{} are reserved, too little for a crash kernel", mib(size));
            fix(Check::failure(name, said))
        }
        Some(size) => Check::ok(name, format!("{} are reserved", mib(size))),
    }
}

/// How memory is reserved.
fn reserve(machine: &Machine) -> Fix {
    match machine.kdump {
        Kdump::Tools if grub::has_crashkernel(machine, CRASHKERNEL) => {
            Fix::by_hand("update-grub, and boot: GRUB's configuration has crashkernel=256M")
        }
        Kdump::Tools if machine.has(grub::FILE) => Fix::new(
            format!("{CRASHKERNEL} in {}, update-grub, and boot", grub::SNIPPET),
            [
                Change::File { path: grub::SNIPPET, text: grub::snippet(CRASHKERNEL) },
                Change::Task(Task::Grub),
            ],
        ),
        Kdump::Ctl => Fix::by_hand("kdumpctl reset-crashkernel --kernel=ALL, and boot"),
        Kdump::Suse => Fix::by_hand("kdumptool commandline -u, and boot"),
        Kdump::Tools | Kdump::Other => {
            Fix::by_hand("add crashkernel=256M to the kernel's command line, and boot")
        }
    }
}

/// Whether the budget that the configuration asks for is there.
pub fn budget(machine: &Machine) -> Check {
    let name = "budget";
    let own = machine.module_parameters();
    let line = lines::of(machine).configured.unwrap_or_default();
    // modprobe gives what its caller has after what the command line has.
    let by_file = value(own.as_bytes(), b"budget_kib");
    let asked = by_file.or_else(|| value(line.as_bytes(), b"vmcoredd.budget_kib"));
    let place = if by_file.is_some() { VMCOREDD_CONF } else { "the command line" };
    let size = machine.number("/sys/kernel/kexec_crash_size").unwrap_or(0);
    let left = size.saturating_sub(KERNEL_NEEDS);
    match asked.map(number) {
        None => {
            let most = left / 16 * 9;
            Check::ok(name, format!("nothing is asked for; there will be {} or so", mib(most)))
        }
        Some(Some(asked)) if asked.saturating_mul(1024) <= left => {
            Check::ok(name, format!("{} are asked for", mib(asked.saturating_mul(1024))))
        }
        Some(Some(asked)) => {
            let asked = mib(asked.saturating_mul(1024));
            let said = format!("{asked} are asked for in {place}, {} will be there", mib(left));
            Check::failure(name, said).fix("a larger crashkernel=, or a smaller budget_kib")
        }
        Some(None) => {
            let said =
                format!("budget_kib in {place} is no number, so that vmcoredd.ko cannot be loaded");
            Check::failure(name, said).fix("correct it, and run vmcoredd-update-initramfs")
        }
    }
}
