// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The configuration of kdump.

use super::change::{Change, Task};
use super::check::{Check, Fix};
use super::kdump::{KDUMP_TOOLS, Kdump};
use super::machine::Machine;

/// What the configuration itself says: whether it can be read, and whether it asks for a
/// crash kernel at all.
pub fn check(machine: &Machine) -> Vec<Check> {
    let name = "configuration";
    let mut checks = Vec::new();
    for settings in machine.configurations() {
        match settings {
            Err(why) => checks.push(Check::failure(name, why.clone()).fix("correct that file")),
            Ok(settings) => checks.extend(
                settings
                    .complaint
                    .as_ref()
                    .map(|said| Check::warning(name, said.clone()).fix("correct that file")),
            ),
        }
    }
    // Without its file, kdump-config does nothing.
    if [KDUMP_TOOLS, "/usr/sbin/kdump-config"].iter().any(|path| machine.has(path)) {
        checks.extend(kdump_tools(machine));
    }
    if checks.is_empty() {
        let files = machine.kdump.file().filter(|file| machine.has(file));
        let said = match files {
            Some(file) if machine.kdump == Kdump::Tools => {
                format!("{file} asks for a crash kernel")
            }
            Some(file) => format!("{file} can be evaluated"),
            None => "there is none of kdump that is known here".to_owned(),
        };
        let status = if files.is_some() { Check::ok } else { Check::unknown };
        checks.push(status(name, said));
    }
    checks
}

/// What kdump-config does with its configuration, as of 1.8.1 and 1.10.7.
fn kdump_tools(machine: &Machine) -> Vec<Check> {
    let name = "configuration";
    let mut checks = Vec::new();
    let Ok(settings) = &machine.settings else { return checks };
    // `[ "$USE_KDUMP" -ne 0 ]`: what is no number is an error, and then nothing is done.
    let used = settings.get("USE_KDUMP").unwrap_or_default();
    if used.trim().parse::<i64>().unwrap_or(0) == 0 {
        let said = if used.is_empty() {
            format!("USE_KDUMP is not set in {KDUMP_TOOLS}: kdump-tools does nothing")
        } else {
            format!("USE_KDUMP is {used} in {KDUMP_TOOLS}: kdump-tools does nothing")
        };
        let changes = [Change::set(KDUMP_TOOLS, "USE_KDUMP", "1"), Change::Task(Task::Load)];
        let fix = format!("USE_KDUMP=1 in {KDUMP_TOOLS}, and kdump-config load");
        checks.push(Check::failure(name, said).fix_by(Fix::new(fix, changes)));
    }
    match settings.get("KDUMP_KERNEL") {
        None => {
            let said = format!(
                "KDUMP_KERNEL is not set in {KDUMP_TOOLS}: kdump-config takes the running \
                 kernel's own initramfs, which has nothing of vmcoredd"
            );
            let changes = [
                Change::set(KDUMP_TOOLS, "KDUMP_KERNEL", "/var/lib/kdump/vmlinuz"),
                Change::set(KDUMP_TOOLS, "KDUMP_INITRD", "/var/lib/kdump/initrd.img"),
                Change::Task(Task::Load),
            ];
            let fix = "set KDUMP_KERNEL and KDUMP_INITRD as kdump-tools' own file has them";
            checks.push(Check::failure(name, said).fix_by(Fix::new(fix, changes)));
        }
        Some(kernel) if !machine.has(kernel) => {
            let said = format!("KDUMP_KERNEL is {kernel}, which is not there");
            checks.push(Check::failure(name, said).fix("kdump-config symlinks \"$(uname -r)\""));
        }
        Some(_) => {}
    }
    if let Some(method) = settings.get("KDUMP_COMPRESSION")
        && !["bzip2", "gzip", "lz4", "xz"].contains(&method)
    {
        let said = format!("KDUMP_COMPRESSION is {method}: kdump-config will not compress");
        checks.push(Check::warning(name, said).fix("bzip2, gzip, lz4 or xz"));
    }
    checks
}
