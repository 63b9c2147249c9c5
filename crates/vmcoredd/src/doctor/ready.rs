// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is ready for the crash kernel: that it is loaded, the module, and the initramfs
//! with what is to be run in it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use kdumpfile::{Escaped, EscapedPath};
use vmcore::command_line::has_novmcoredd;

use super::change::Change;
use super::check::{Check, Fix};
use super::fits;
use super::fixes;
use super::kdump::Kdump;
use super::lines;
use super::machine::{self, Machine, VMCOREDD_CONF};
use super::parameters::boolean_of;
use super::shell;
use crate::collectors::{self, Collector};
use crate::failure::Failure;

/// What the initramfs of the crash kernel must have.
const IN_INITRAMFS: [(&str, &str); 3] = [
    ("/vmcoredd.ko", "vmcoredd.ko"),
    ("usr/bin/vmcoredd", "the command"),
    ("usr/lib/vmcoredd/crash-kernel", "the script that loads it"),
];

pub fn loaded(machine: &Machine) -> Check {
    let name = "kdump";
    if machine.is_loaded() {
        let made = machine.crash_initramfs().and_then(|path| machine::modified(&path));
        if made.zip(lines::loaded_at(machine)).is_some_and(|(made, loaded)| made > loaded) {
            let said = "the crash kernel is loaded with an older initramfs";
            return Check::warning(name, said).fix_by(fixes::load(machine));
        }
        return Check::ok(name, "a crash kernel is loaded");
    }
    let by_firmware = ["/sys/kernel/fadump_enabled", "/sys/kernel/fadump/enabled"];
    if by_firmware.iter().any(|path| machine.number(path) == Some(1)) {
        return Check::unknown(name, "the firmware starts the crash kernel here (fadump)");
    }
    Check::failure(name, "no crash kernel is loaded").fix_by(fixes::load(machine))
}

pub fn module(machine: &Machine) -> Check {
    let name = "module";
    let Some(release) = machine.crash_release() else {
        return Check::unknown(name, "which kernel is the crash kernel is not known");
    };
    let shown = Escaped(release.as_bytes());
    let own = machine.module_parameters();
    if boolean_of(own.as_bytes(), "off") == Some(true) {
        let said = format!("off is set in {VMCOREDD_CONF}: there will be no device dumps");
        let Fix { words, .. } = fixes::initramfs(machine);
        return Check::failure(name, said).fix(format!("take it off MODULE_PARAMETERS, {words}"));
    }
    if let Some(path) = machine.module(&release, "vmcoredd") {
        if let Some(misfit) = fits::misfit(machine, &release, &path, &[]) {
            let said = format!("{} {misfit}", EscapedPath(&path));
            return Check::failure(name, said).fix(match machine.kdump {
                Kdump::Tools if machine.has("/usr/sbin/dkms") => {
                    format!(
                        "dkms install --force vmcoredd/{} -k {shown}",
                        env!("CARGO_PKG_VERSION")
                    )
                }
                _ => format!("make kmod KVER={shown}, and install it: docs/operate.md, By hand"),
            });
        }
        return Check::ok(name, format!("{shown} has {}", EscapedPath(&path)));
    }
    if let Some(covered) = not_covered(machine, &release) {
        let said =
            format!("vmcoredd-dkms does not build vmcoredd.ko for the crash kernel, {shown}");
        let fix = format!("boot a kernel that it covers: {}", Escaped(covered.as_bytes()));
        return Check::failure(name, said).fix(fix);
    }
    let said = format!("there is no vmcoredd.ko for the crash kernel, {shown}");
    Check::failure(name, said).fix(match machine.kdump {
        Kdump::Tools if machine.has("/usr/sbin/dkms") => {
            format!("apt-get install linux-headers-{shown} && dkms autoinstall -k {shown}")
        }
        Kdump::Tools => "apt-get install vmcoredd-dkms".to_owned(),
        Kdump::Ctl | Kdump::Suse | Kdump::Other => {
            format!("make kmod KVER={shown}, and install it: docs/operate.md, By hand")
        }
    })
}

/// The other kernels that this machine may boot and for which there is no module: DKMS
/// skips those for which the module is not known to build.
pub fn kernels(machine: &Machine) -> Vec<Check> {
    let crash_release = machine.crash_release();
    let names = machine.names("/boot");
    let releases = names.iter().filter_map(|name| name.strip_prefix("vmlinuz-"));
    let uncovered = releases.filter(|release| {
        crash_release.as_deref() != Some(release) && machine.module(release, "vmcoredd").is_none()
    });
    let check = |release: &str| {
        let shown = Escaped(release.as_bytes());
        let said = format!("{shown} is not covered: there is no vmcoredd.ko for it");
        let fix = format!("/usr/lib/vmcoredd/build-module {shown} builds it, or says why not");
        Check::warning("kernels", said).fix(fix)
    };
    // On other distributions nothing of ours builds modules.
    match machine.kdump {
        Kdump::Tools => uncovered.map(check).collect(),
        Kdump::Ctl | Kdump::Suse | Kdump::Other => Vec::new(),
    }
}

/// Which kernels DKMS builds the module for, where `release` is none of them.
fn not_covered(machine: &Machine, release: &str) -> Option<String> {
    let key = "BUILD_EXCLUSIVE_KERNEL";
    let sources = machine.names("/usr/src");
    let source = sources.iter().rfind(|name| name.starts_with("vmcoredd-"))?;
    let file = machine.path(format!("/usr/src/{source}/dkms.conf"));
    let settings = shell::evaluate(&[file], &[key], machine.trust).ok()?;
    let pattern = settings.get(key)?;
    // DKMS has bash match it, by the same kind of expressions.
    let mut grep = Command::new("grep");
    grep.args(["-E", "-q", "-e", pattern]).stdin(Stdio::piped());
    let mut grep = grep.spawn().ok()?;
    writeln!(grep.stdin.take()?, "{release}").ok()?;
    (grep.wait().ok()?.code() == Some(1)).then(|| pattern.to_owned())
}

/// A kernel that was built with PROC_VMCORE_DEVICE_DUMP, where novmcoredd is given. Where it
/// is missing, the check of the command line reports that.
pub fn own_device_dumps(machine: &Machine) -> Option<Check> {
    let release = machine.crash_release()?;
    let line = lines::of(machine).configured.ok()?;
    if !machine.has_own_device_dumps(&release) || !has_novmcoredd(line.as_bytes()) {
        return None;
    }
    let shown = Escaped(release.as_bytes());
    let said = format!(
        "{shown} has device dumps of its own; novmcoredd switches them off, and vmcoredd takes \
         their place"
    );
    Some(Check::ok("own dumps", said))
}

/// Whether the crash kernel will take the module.
pub fn signature(machine: &Machine) -> Check {
    let name = "signature";
    let lockdown = machine.text("/sys/kernel/security/lockdown").unwrap_or_default();
    let locked = lockdown.contains("[integrity]") || lockdown.contains("[confidentiality]");
    let enforced = machine
        .text("/sys/module/module/parameters/sig_enforce")
        .is_some_and(|text| text.trim() == "Y");
    if !locked && !enforced {
        return Check::ok(name, "this kernel takes unsigned modules");
    }
    let why = if locked { "the kernel is locked down" } else { "module.sig_enforce is set" };
    let release = machine.crash_release();
    let signer = release
        .and_then(|release| machine.module(&release, "vmcoredd"))
        .and_then(|path| fits::modinfo(&path, "signer"));
    match signer {
        Some(signer) => {
            let signer = Escaped(signer.as_bytes());
            Check::warning(name, format!("{why}; vmcoredd.ko is signed by {signer}"))
                .fix("mokutil --test-key KEY.der says whether that key is enrolled")
        }
        None => Check::failure(name, format!("{why}, and vmcoredd.ko is not signed"))
            .fix("sign it with an enrolled key: docs/operate.md, Secure Boot"),
    }
}

pub fn initramfs(machine: &Machine) -> Check {
    let name = "initramfs";
    let Some(path) = machine.crash_initramfs() else {
        if machine.kdump == Kdump::Other || machine.settings.is_err() {
            return Check::unknown(name, "which initramfs the crash kernel has is not known here");
        }
        let check = Check::failure(name, "the crash kernel has no initramfs");
        return check.fix_by(fixes::initramfs(machine));
    };
    let shown = EscapedPath(&path).to_string();
    let Some(files) = machine.initramfs_files() else {
        let said = format!(
            "{shown}: what is in it is not known without lsinitramfs, or lsinitrd and unsquashfs"
        );
        return Check::unknown(name, said);
    };
    let has = |part: &str| files.iter().any(|file| file.contains(part));
    let missing: Vec<_> =
        IN_INITRAMFS.iter().filter(|(part, _)| !has(part)).map(|(_, what)| *what).collect();
    if !missing.is_empty() {
        let said = format!("{shown} lacks {}", missing.join(", "));
        Check::failure(name, said).fix_by(fixes::initramfs(machine))
    } else if let Some(newer) = machine.newer_than(&path) {
        let said = format!("{} was changed after {shown} was made", EscapedPath(&newer));
        Check::warning(name, said).fix_by(fixes::initramfs(machine))
    } else {
        Check::ok(name, format!("{shown} has vmcoredd.ko and the command"))
    }
}

pub fn collectors(machine: &Machine) -> Result<Vec<Check>, Failure> {
    let collectors = collectors::find(&machine.path(collectors::DIRECTORY))?;
    Ok(of_collectors(machine, &collectors))
}

fn of_collectors(machine: &Machine, collectors: &[Collector]) -> Vec<Check> {
    let name = "collectors";
    if collectors.is_empty() {
        return vec![Check::ok(name, format!("there are none in {}", collectors::DIRECTORY))];
    }
    let files = machine.initramfs_files();
    let (mut good, mut checks) = (Vec::new(), Vec::new());
    for collector in collectors {
        let shown = Escaped(collector.name()).to_string();
        let path = format!("{}/{shown}", collectors::DIRECTORY.trim_start_matches('/'));
        if let Some(problem) = collector.problem {
            let said = format!("{shown}: {problem}");
            let Fix { words, mut changes } = fixes::initramfs(machine);
            let fix = if problem == collectors::NOT_EXECUTABLE {
                changes.insert(0, Change::Executable(format!("/{path}")));
                format!("chmod +x /{path}, or remove it; {words}")
            } else {
                changes.clear();
                format!("rename or remove /{path}; {words}")
            };
            checks.push(Check::failure(name, said).fix_by(Fix::new(fix, changes)));
        } else if files.is_some_and(|files| !files.contains(&path)) {
            let said = format!("{shown} is not in the initramfs of the crash kernel");
            checks.push(Check::failure(name, said).fix_by(fixes::initramfs(machine)));
        } else {
            good.push(shown);
        }
    }
    if !good.is_empty() {
        checks.insert(0, Check::ok(name, good.join(", ")));
    }
    checks
}

pub fn drivers(machine: &Machine) -> Vec<Check> {
    let name = "drivers";
    let listed = machine.text("/etc/vmcoredd/modules").unwrap_or_default();
    let listed = listed.lines().filter_map(|line| line.split_whitespace().next());
    let release = machine.crash_release();
    let files = machine.initramfs_files();
    let misfit = |driver: &str| {
        let release = release.as_deref()?;
        let vmcoredd = machine.module(release, "vmcoredd");
        let others: Vec<_> = vmcoredd.iter().map(PathBuf::as_path).collect();
        fits::misfit(machine, release, &machine.module(release, driver)?, &others)
    };
    let mut checks = Vec::new();
    for driver in listed.filter(|word| !word.starts_with('#')) {
        let shown = Escaped(driver.as_bytes()).to_string();
        let there = release.as_ref().and_then(|release| machine.module(release, driver));
        let is_inside =
            |files: &[String]| files.iter().any(|file| machine::is_module(file, driver));
        checks.push(if release.is_none() {
            Check::unknown(name, format!("{shown}: which kernel is the crash kernel is not known"))
        } else if there.is_none() {
            let said = format!("{shown}: the crash kernel has no such module");
            let fix = "build it for that kernel, or take it off /etc/vmcoredd/modules";
            Check::failure(name, said).fix(fix)
        } else if let Some(misfit) = misfit(driver) {
            let fix = "build it for that kernel, or take it off /etc/vmcoredd/modules";
            Check::failure(name, format!("{shown} {misfit}")).fix(fix)
        } else if files.is_some_and(|files| !is_inside(files)) {
            let said = format!("{shown} is not in the initramfs of the crash kernel");
            Check::failure(name, said).fix_by(fixes::initramfs(machine))
        } else {
            Check::ok(name, shown)
        });
    }
    checks
}
