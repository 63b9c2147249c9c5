// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The crash kernel's memory.

use vmcore::command_line::value;

use super::check::{Check, Fix};
use super::fix::{Change, Task};
use super::grub;
use super::kdump::Kdump;
use super::lines;
use super::machine::{Machine, VMCOREDD_CONF};
use super::mib;

/// Less reserved memory than this is too little for any crash kernel, in bytes.
const RESERVED_MIN: u64 = 96 << 20;
/// What a crash kernel needs itself, in bytes: see docs/operate.md.
const KERNEL_NEEDS: u64 = 96 << 20;
/// What is added to the command line where that is too little.
const CRASHKERNEL: &str = "crashkernel=256M";

pub fn reserved(machine: &Machine) -> Check {
    let name = "crashkernel";
    let fix = |check: Check| {
        let Fix { words, changes } = reserve(machine);
        check.fix_by(words, changes)
    };
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
    let by_hand = |words: &str| Fix { words: words.to_owned(), changes: Vec::new() };
    match machine.kdump {
        Kdump::Tools if grub::has_crashkernel(machine, CRASHKERNEL) => {
            by_hand("update-grub, and boot: GRUB's configuration has crashkernel=256M")
        }
        Kdump::Tools if machine.has(grub::FILE) => Fix {
            words: format!("{CRASHKERNEL} in {}, update-grub, and boot", grub::SNIPPET),
            changes: vec![
                Change::File { path: grub::SNIPPET, text: grub::snippet(CRASHKERNEL) },
                Change::Task(Task::Grub),
            ],
        },
        Kdump::Ctl => by_hand("kdumpctl reset-crashkernel --kernel=ALL, and boot"),
        Kdump::Suse => by_hand("kdumptool commandline -u, and boot"),
        Kdump::Tools | Kdump::Other => {
            by_hand("add crashkernel=256M to the kernel's command line, and boot")
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

/// A number as the kernel's `kstrtoull()` takes it: decimal, octal or hexadecimal.
pub fn number(text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok()?;
    let text = text.strip_prefix('+').unwrap_or(text);
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    u64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['+', '-']))
}
