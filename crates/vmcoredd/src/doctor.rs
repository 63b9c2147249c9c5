// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd doctor`.

mod machine;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use kdump::{Escaped, EscapedPath};
use serde::Serialize;

use crate::collect::{self, Collector};
use crate::failure::{Failure, Status};
use machine::Machine;

/// Less reserved memory than this is too little for any crash kernel, in bytes.
const RESERVED_MIN: u64 = 96 << 20;
/// What a crash kernel needs itself, in bytes: see docs/operate.md.
const KERNEL_NEEDS: u64 = 96 << 20;
/// Less free space than this is too little for any vmcore, in bytes.
const SPACE_MIN: u64 = 128 << 20;
/// A vmcore without free pages has this part of memory, or less.
const SPACE_PART: u64 = 8;

/// Tell whether the next panic will be captured with its device dumps
///
/// Looks at what this machine has ready for its crash kernel, by kdump-tools or by
/// kexec-tools, and says of each thing whether it is right, and else what mends it. The
/// exit status is 1 when a dump would be lost.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Print JSON, as docs/json.md has it
    #[arg(long)]
    json: bool,
    /// Run the collectors now as well, in this running system
    ///
    /// vmcoredd.ko is loaded for that if it is not there, and unloaded afterwards.
    #[arg(long)]
    rehearse: bool,
    /// How long one collector may run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = collect::DEADLINE, requires = "rehearse",
          value_parser = crate::run::seconds)]
    deadline: Duration,
    /// The directory where this machine's files are
    #[arg(long, hide = true, default_value = "/")]
    root: PathBuf,
}

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Ok,
    /// It may do harm, or cannot be told.
    Warning,
    /// A dump would be lost.
    Failure,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Check {
    name: &'static str,
    status: Health,
    message: String,
    /// A command that mends it, or words where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, status: Health::Ok, message: message.into(), mend: None }
    }

    /// What cannot be told.
    fn unknown(name: &'static str, message: impl Into<String>) -> Self {
        Self { status: Health::Warning, ..Self::ok(name, message) }
    }

    fn warning(name: &'static str, message: impl Into<String>, mend: impl Into<String>) -> Self {
        let mend = Some(mend.into());
        Self { name, status: Health::Warning, message: message.into(), mend }
    }

    fn failure(name: &'static str, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { status: Health::Failure, ..Self::warning(name, message, mend) }
    }
}

/// What a collector did in a rehearsal.
#[derive(Debug, Serialize)]
struct Rehearsed {
    name: String,
    bytes: u64,
    milliseconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// All that is printed.
#[derive(Debug, Serialize)]
struct Report {
    version: u32,
    verdict: Health,
    checks: Vec<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rehearsal: Option<Vec<Rehearsed>>,
}

/// Looks at everything.
pub fn run(arguments: &Arguments) -> Result<Status, Failure> {
    let machine = Machine::new(&arguments.root);
    let mut checks = checks(&machine)?;
    let rehearsal = arguments
        .rehearse
        .then(|| rehearse(&machine, arguments.deadline, &mut checks))
        .transpose()?;
    let verdict = checks.iter().map(|check| check.status).max().unwrap_or(Health::Ok);
    let report = Report { version: 1, verdict, checks, rehearsal };
    if arguments.json {
        let mut stdout = crate::stdout::lock();
        let text = serde_json::to_string(&report).map_err(io::Error::from)?;
        writeln!(stdout, "{text}")?;
    } else {
        print(&report)?;
    }
    Ok(if verdict == Health::Failure { Status::Negative } else { Status::Done })
}

fn checks(machine: &Machine) -> Result<Vec<Check>, Failure> {
    let mut checks = vec![
        reserved(machine),
        budget(machine),
        loaded(machine),
        command_line(machine),
        module(machine),
        signature(machine),
        initramfs(machine),
    ];
    let collectors = collect::find(&machine.path(collect::DIRECTORY))?;
    checks.extend(collectors_there(machine, &collectors));
    checks.extend(drivers(machine));
    checks.push(space(machine));
    checks.push(saved(machine));
    Ok(checks)
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

fn reserved(machine: &Machine) -> Check {
    let name = "crashkernel";
    let mend = "add crashkernel=256M to GRUB_CMDLINE_LINUX in /etc/default/grub, \
                run update-grub, and boot";
    match machine.number("/sys/kernel/kexec_crash_size") {
        None => Check::failure(name, "this kernel cannot start a crash kernel", mend),
        Some(0) => Check::failure(name, "no memory is reserved for a crash kernel", mend),
        Some(size) if size < RESERVED_MIN => {
            let said = format!("{} are reserved, too little for a crash kernel", mib(size));
            Check::failure(name, said, mend)
        }
        Some(size) => Check::ok(name, format!("{} are reserved", mib(size))),
    }
}

/// Whether the budget that the configuration asks for is there.
fn budget(machine: &Machine) -> Check {
    let name = "budget";
    let parameters = machine.setting("/etc/vmcoredd/vmcoredd.conf", "MODULE_PARAMETERS");
    let parameters = parameters.unwrap_or_default();
    let asked = parameters.split_whitespace().find_map(|word| word.strip_prefix("budget_kib="));
    let size = machine.number("/sys/kernel/kexec_crash_size").unwrap_or(0);
    let left = size.saturating_sub(KERNEL_NEEDS);
    match asked.map(str::parse::<u64>) {
        None => {
            let most = left / 16 * 9;
            Check::ok(name, format!("nothing is asked for; there will be {} or so", mib(most)))
        }
        Some(Ok(asked)) if asked.saturating_mul(1024) <= left => {
            Check::ok(name, format!("{} are asked for", mib(asked * 1024)))
        }
        Some(Ok(asked)) => Check::failure(
            name,
            format!(
                "{} are asked for in /etc/vmcoredd/vmcoredd.conf, {} will be there",
                mib(asked.saturating_mul(1024)),
                mib(left)
            ),
            "a larger crashkernel=, or a smaller budget_kib",
        ),
        Some(Err(_)) => Check::failure(
            name,
            "budget_kib in /etc/vmcoredd/vmcoredd.conf is no number, so that vmcoredd.ko \
             cannot be loaded",
            "correct it, and run vmcoredd-update-initramfs",
        ),
    }
}

fn loaded(machine: &Machine) -> Check {
    let name = "kdump";
    match machine.number("/sys/kernel/kexec_crash_loaded") {
        Some(1) => Check::ok(name, "a crash kernel is loaded"),
        _ => Check::failure(
            name,
            "no crash kernel is loaded",
            if machine.has("/usr/sbin/kdump-config") {
                "kdump-config load"
            } else if machine.has("/usr/bin/kdumpctl") {
                "kdumpctl start"
            } else {
                "apt-get install kdump-tools"
            },
        ),
    }
}

/// The crash kernel gets this kernel's command line, and what is configured.
fn command_line(machine: &Machine) -> Check {
    let name = "command line";
    let off = |text: &str| {
        text.split_whitespace().any(|word| match word.split_once('=') {
            Some(("novmcoredd", value)) => !matches!(value, "0" | "n" | "N" | "off"),
            None => word == "novmcoredd",
            Some(_) => false,
        })
    };
    let failure = |file: &str, off: &str| {
        let said = format!("novmcoredd is given in {file}: there will be no device dumps");
        Check::failure(name, said, format!("take it off {off}, and load the crash kernel again"))
    };
    for (file, keys) in [
        ("/etc/default/kdump-tools", ["KDUMP_CMDLINE", "KDUMP_CMDLINE_APPEND"]),
        ("/etc/sysconfig/kdump", ["KDUMP_COMMANDLINE", "KDUMP_COMMANDLINE_APPEND"]),
    ] {
        if keys.iter().any(|key| machine.setting(file, key).is_some_and(|text| off(&text))) {
            return failure(file, file);
        }
    }
    let own = machine.setting("/etc/default/kdump-tools", "KDUMP_CMDLINE");
    if own.is_none() && machine.text("/proc/cmdline").is_some_and(|text| off(&text)) {
        return failure("/proc/cmdline", "GRUB_CMDLINE_LINUX in /etc/default/grub, boot");
    }
    let append = machine.setting("/etc/default/kdump-tools", "KDUMP_CMDLINE_APPEND");
    if append.is_some_and(|text| text.split_whitespace().any(|word| word == "oops=panic")) {
        return Check::warning(
            name,
            "oops=panic is given: a collector that crashes ends the crash kernel",
            "take it off /etc/default/kdump-tools",
        );
    }
    Check::ok(name, "novmcoredd is not given")
}

fn module(machine: &Machine) -> Check {
    let name = "module";
    let Some(release) = machine.crash_release() else {
        return Check::unknown(name, "which kernel is the crash kernel cannot be told");
    };
    if machine.has_own_device_dumps(&release) {
        return Check::ok(name, format!("{release} has device dumps of its own"));
    }
    match machine.module(&release, "vmcoredd") {
        Some(path) => Check::ok(name, format!("{release} has {}", EscapedPath(&path))),
        None => Check::failure(
            name,
            format!("there is no vmcoredd.ko for the crash kernel, {release}"),
            if machine.has("/usr/sbin/dkms") {
                format!("apt-get install linux-headers-{release} && dkms autoinstall -k {release}")
            } else {
                "apt-get install vmcoredd-dkms".to_owned()
            },
        ),
    }
}

/// Whether the crash kernel will take the module.
fn signature(machine: &Machine) -> Check {
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
        .and_then(|path| signer(&path));
    match signer {
        Some(signer) => Check::warning(
            name,
            format!("{why}; vmcoredd.ko is signed by {}", Escaped(signer.as_bytes())),
            "mokutil --test-key KEY.der tells whether that key is enrolled",
        ),
        None => Check::failure(
            name,
            format!("{why}, and vmcoredd.ko is not signed"),
            "sign it with an enrolled key: docs/operate.md, Secure Boot",
        ),
    }
}

/// Who signed a module, as modinfo says.
fn signer(module: &Path) -> Option<String> {
    let output = Command::new("modinfo").args(["-F", "signer"]).arg(module).output().ok()?;
    let signer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Some(signer).filter(|signer| !signer.is_empty())
}

/// What the initramfs of the crash kernel must have.
const IN_INITRAMFS: [(&str, &str); 3] = [
    ("/vmcoredd.ko", "vmcoredd.ko"),
    ("usr/bin/vmcoredd", "the command"),
    ("usr/lib/vmcoredd/crash-kernel", "the script that loads it"),
];

fn initramfs(machine: &Machine) -> Check {
    let name = "initramfs";
    let mend = "vmcoredd-update-initramfs";
    let Some(path) = machine.crash_initramfs() else {
        return Check::failure(name, "the crash kernel has no initramfs", mend);
    };
    let shown = EscapedPath(&path).to_string();
    let Some(files) = machine.initramfs_files() else {
        let said = format!("{shown}: what is in it cannot be told without lsinitramfs or lsinitrd");
        return Check::unknown(name, said);
    };
    let has = |part: &str| files.iter().any(|file| file.contains(part));
    let missing: Vec<_> =
        IN_INITRAMFS.iter().filter(|(part, _)| !has(part)).map(|(_, what)| *what).collect();
    if !missing.is_empty() {
        let said = format!("{shown} lacks {}", missing.join(", "));
        Check::failure(name, said, mend)
    } else if let Some(newer) = machine.newer_than(&path) {
        let said = format!("{} was changed after {shown} was made", EscapedPath(&newer));
        Check::warning(name, said, mend)
    } else {
        Check::ok(name, format!("{shown} has vmcoredd.ko and the command"))
    }
}

fn collectors_there(machine: &Machine, collectors: &[Collector]) -> Vec<Check> {
    let name = "collectors";
    if collectors.is_empty() {
        return vec![Check::ok(name, format!("there are none in {}", collect::DIRECTORY))];
    }
    let files = machine.initramfs_files();
    let (mut good, mut checks) = (Vec::new(), Vec::new());
    for collector in collectors {
        let shown = Escaped(collector.name()).to_string();
        let path = format!("{}/{shown}", collect::DIRECTORY.trim_start_matches('/'));
        if let Some(problem) = collector.problem {
            let mend = format!("chmod +x /{path}, or remove it; vmcoredd-update-initramfs");
            checks.push(Check::failure(name, format!("{shown}: {problem}"), mend));
        } else if files.is_some_and(|files| !files.contains(&path)) {
            let said = format!("{shown} is not in the initramfs of the crash kernel");
            checks.push(Check::failure(name, said, "vmcoredd-update-initramfs"));
        } else {
            good.push(shown);
        }
    }
    if !good.is_empty() {
        checks.insert(0, Check::ok(name, good.join(", ")));
    }
    checks
}

fn drivers(machine: &Machine) -> Vec<Check> {
    let name = "drivers";
    let listed = machine.text("/etc/vmcoredd/modules").unwrap_or_default();
    let listed = listed.lines().filter_map(|line| line.split_whitespace().next());
    let release = machine.crash_release();
    let files = machine.initramfs_files();
    let mut checks = Vec::new();
    for driver in listed.filter(|word| !word.starts_with('#')) {
        let shown = Escaped(driver.as_bytes()).to_string();
        let there = release.as_ref().and_then(|release| machine.module(release, driver));
        let is_inside =
            |files: &[String]| files.iter().any(|file| machine::is_module(file, driver));
        checks.push(if there.is_none() {
            let said = format!("{shown}: the crash kernel has no such module");
            Check::failure(
                name,
                said,
                "build it for that kernel, or take it off /etc/vmcoredd/modules",
            )
        } else if files.is_some_and(|files| !is_inside(files)) {
            let said = format!("{shown} is not in the initramfs of the crash kernel");
            Check::failure(name, said, "vmcoredd-update-initramfs")
        } else {
            Check::ok(name, shown)
        });
    }
    checks
}

fn space(machine: &Machine) -> Check {
    let name = "space";
    let directory = machine.dump_directory();
    let shown = EscapedPath(&directory).to_string();
    let Some(free) = machine.free_space(&directory) else {
        let mend = format!("mkdir -p {shown}");
        return Check::failure(name, format!("{shown}, where dumps are saved, is not there"), mend);
    };
    let memory = machine.memory().unwrap_or(0);
    let said = format!("{} are free in {shown}", mib(free));
    if free < SPACE_MIN {
        Check::failure(name, format!("{said}, too little for any vmcore"), "free some")
    } else if free < memory / SPACE_PART {
        let said = format!("{said}, and there are {} of memory", mib(memory));
        Check::warning(name, said, "free some, or save elsewhere")
    } else {
        Check::ok(name, said)
    }
}

fn saved(machine: &Machine) -> Check {
    let name = "saving";
    let unit = "vmcoredd-save.service";
    let wanted = ["kdump-tools.service", "kdump-tools-dump.service"]
        .iter()
        .all(|by| machine.has(&format!("/etc/systemd/system/{by}.wants/{unit}")));
    if !machine.has("/usr/sbin/kdump-config") {
        let said = "without kdump-tools, only what stands in /proc/vmcore is saved";
        return Check::warning(name, said, "save /proc/vmcoredd as well: docs/operate.md");
    }
    if wanted {
        Check::ok(name, "/proc/vmcoredd is saved beside the vmcore")
    } else {
        let said = "/proc/vmcoredd is not saved: what is too large for /proc/vmcore would be lost";
        Check::failure(name, said, format!("systemctl enable {unit}"))
    }
}

/// Runs the collectors now.
fn rehearse(
    machine: &Machine,
    deadline: Duration,
    checks: &mut Vec<Check>,
) -> Result<Vec<Rehearsed>, Failure> {
    let name = "rehearsal";
    let mut rehearsed = Vec::new();
    let loaded = !Path::new(vmcoredd_producer::DEVICE).exists();
    if loaded {
        let output = Command::new("modprobe").arg("vmcoredd").output();
        let said = match output {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Some(format!("modprobe: {error}")),
        };
        if let Some(said) = said {
            let said = format!("vmcoredd.ko cannot be loaded: {}", Escaped(said.as_bytes()));
            checks.push(Check::failure(name, said, "dmesg says why"));
            return Ok(rehearsed);
        }
    }
    for collector in collect::find(&machine.path(collect::DIRECTORY))? {
        if collector.problem.is_some() {
            continue;
        }
        let shown = Escaped(collector.name()).to_string();
        let start = Instant::now();
        let (bytes, problem) = match collector.run(deadline) {
            Ok(length) => (length, None),
            Err(Failure::Partial { reason, length, .. }) => (length, Some(reason)),
            Err(failure) => (0, Some(failure.to_string())),
        };
        let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(problem) = &problem {
            let said = format!("{shown}: {problem}");
            let mend = format!("see what {}/{shown} does", collect::DIRECTORY);
            checks.push(Check::failure(name, said, mend));
        }
        rehearsed.push(Rehearsed { name: shown, bytes, milliseconds, problem });
    }
    if loaded {
        // What it was loaded for is done; if it stays, it does no harm.
        let _ = Command::new("rmmod").arg("vmcoredd").output();
    }
    Ok(rehearsed)
}

fn print(report: &Report) -> io::Result<()> {
    let mut stdout = crate::stdout::UntilClosed::new(anstream::stdout().lock());
    let width = report.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for Check { name, status, message, mend } in &report.checks {
        let (word, style) = shown(*status);
        writeln!(stdout, "{style}{word:<7}{style:#}  {name:<width$}  {message}")?;
        if let Some(mend) = mend {
            writeln!(stdout, "{:9}{:width$}  -> {mend}", "", "")?;
        }
    }
    if let Some(rehearsal) = &report.rehearsal {
        writeln!(stdout)?;
        for Rehearsed { name, bytes, milliseconds, problem } in rehearsal {
            let problem = problem.as_ref().map(|problem| format!(": {problem}"));
            let problem = problem.unwrap_or_default();
            writeln!(stdout, "{name}: {bytes} bytes, {milliseconds} ms{problem}")?;
        }
    }
    let verdict = match report.verdict {
        Health::Ok => "the next panic will be captured with its device dumps",
        Health::Warning => "the next panic should be captured; see the warnings",
        Health::Failure => "a dump would be lost; see the failures",
    };
    writeln!(stdout, "\n{verdict}")?;
    stdout.flush()
}

fn shown(health: Health) -> (&'static str, Style) {
    let (word, colour) = match health {
        Health::Ok => ("ok", AnsiColor::Green),
        Health::Warning => ("warning", AnsiColor::Yellow),
        Health::Failure => ("failure", AnsiColor::Red),
    };
    (word, Style::new().fg_color(Some(colour.into())))
}
