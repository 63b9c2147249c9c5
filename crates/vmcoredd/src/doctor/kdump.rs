// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Who makes the crash kernel ready on a machine, and how that is asked for what.

use super::check::{Check, Fix};
use super::fix::{Change, Task};
use super::machine::Machine;

/// kdump-tools' configuration.
pub const KDUMP_TOOLS: &str = "/etc/default/kdump-tools";
/// That of kdumpctl, and of SUSE's kdump.
pub const SYSCONFIG: &str = "/etc/sysconfig/kdump";

/// What loads the crash kernel and saves the vmcore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kdump {
    /// kdump-tools of Debian and Ubuntu.
    Tools,
    /// kdumpctl of RHEL and Fedora.
    Ctl,
    /// kdump of SUSE.
    Suse,
    /// Something that is not known here.
    Other,
}

impl Kdump {
    /// That of a machine, by its files, and else by what it is: `ids` are ID and ID_LIKE
    /// of /etc/os-release.
    pub fn of(has: impl Fn(&str) -> bool, ids: &str) -> Self {
        let is = |names: &[&str]| ids.split_whitespace().any(|id| names.contains(&id));
        if has("/usr/sbin/kdump-config") || has(KDUMP_TOOLS) {
            Self::Tools
        } else if has("/etc/kdump.conf") || has("/usr/bin/kdumpctl") {
            Self::Ctl
        } else if is(&["suse", "opensuse", "sles"]) || has(SYSCONFIG) {
            Self::Suse
        } else if is(&["debian", "ubuntu"]) {
            Self::Tools
        } else if is(&["rhel", "fedora", "centos"]) {
            Self::Ctl
        } else {
            Self::Other
        }
    }

    /// The file of shell assignments that configures it.
    pub const fn file(self) -> Option<&'static str> {
        match self {
            Self::Tools => Some(KDUMP_TOOLS),
            Self::Ctl | Self::Suse => Some(SYSCONFIG),
            Self::Other => None,
        }
    }

    /// The variable whose words end the crash kernel's command line.
    pub const fn append_key(self) -> &'static str {
        match self {
            Self::Tools => "KDUMP_CMDLINE_APPEND",
            Self::Ctl | Self::Suse | Self::Other => "KDUMP_COMMANDLINE_APPEND",
        }
    }

    /// The variable that replaces the running kernel's command line.
    pub const fn command_line_key(self) -> &'static str {
        match self {
            Self::Tools => "KDUMP_CMDLINE",
            Self::Ctl | Self::Suse | Self::Other => "KDUMP_COMMANDLINE",
        }
    }

    /// How the crash kernel is loaded, for the first time or again.
    pub fn load(self, machine: &Machine) -> Fix {
        let is_loaded = machine.is_loaded();
        match self {
            Self::Tools if machine.has("/usr/sbin/kdump-config") => Fix {
                words: Task::Load.command(is_loaded).join(" "),
                changes: vec![Change::Task(Task::Load)],
            },
            Self::Tools => by_hand("apt-get install kdump-tools"),
            Self::Ctl if machine.has("/usr/bin/kdumpctl") => by_hand("kdumpctl restart"),
            Self::Ctl => by_hand("install kdump-utils, or kexec-tools where there is none"),
            Self::Suse if machine.has(SYSCONFIG) => by_hand("systemctl restart kdump"),
            Self::Suse => by_hand("zypper install kdump"),
            Self::Other => by_hand("install what this distribution has for kdump"),
        }
    }

    /// How the initramfs of the crash kernel is made anew.
    pub fn initramfs(self, machine: &Machine) -> Fix {
        match self {
            Self::Tools if !machine.has("/usr/sbin/vmcoredd-update-initramfs") => {
                by_hand("apt-get install vmcoredd")
            }
            Self::Tools => Fix {
                words: Task::Initramfs.command(true).join(" "),
                changes: vec![Change::Task(Task::Initramfs)],
            },
            Self::Ctl => by_hand("kdumpctl rebuild && kdumpctl restart: docs/operate.md, dracut"),
            Self::Suse => {
                by_hand("mkdumprd -f && systemctl restart kdump: docs/operate.md, dracut")
            }
            Self::Other => by_hand("put them into it: docs/operate.md, By hand"),
        }
    }
}

fn by_hand(words: &str) -> Fix {
    Fix { words: words.to_owned(), changes: Vec::new() }
}

/// What the configuration itself says: whether it can be read, and whether it asks for a
/// crash kernel at all.
pub fn configuration(machine: &Machine) -> Vec<Check> {
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
        checks.push(Check::failure(name, said).fix_by(fix, changes));
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
            checks.push(Check::failure(name, said).fix_by(fix, changes));
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
