// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The parameters on the crash kernel's command line, and what they do.

use kdumpfile::Escaped;
use vmcore::command_line::{Parameter, Parameters, has_novmcoredd, value};

use super::change::{Change, Task};
use super::check::{Check, Fix, Health};
use super::fixes;
use super::kdump::Kdump;
use super::lines::{self, Lines, Loaded};
use super::machine::Machine;
use super::parameters;

const NAME: &str = "command line";

/// Something on it that does harm, or that is missing.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    status: Health,
    message: String,
    /// The parameter that does it; none where something is missing.
    parameter: Option<&'static str>,
    /// What undoes it when it is appended: words of the command line.
    undone_by: Option<String>,
}

/// Looks at the command line that is loaded, and at the one that will be.
pub fn check(machine: &Machine) -> Vec<Check> {
    let Lines { configured, doubt, loaded } = lines::of(machine);
    let mut checks = Vec::new();
    let faults = |line: &String| faults(machine, line);
    let of_configured = configured.as_ref().map(faults);
    match &loaded {
        Loaded::NotKnown | Loaded::AsConfigured => {}
        Loaded::Otherwise(line) => {
            let of_loaded = line.as_ref().map(faults).unwrap_or_default();
            let known = of_configured.as_deref().unwrap_or_default();
            for fault in of_loaded.into_iter().filter(|fault| !known.contains(fault)) {
                let said =
                    format!("{}, as it is loaded; the configuration has changed", fault.message);
                checks.push(Check::new(NAME, fault.status, said).fix_by(fixes::load(machine)));
            }
            let said = "the crash kernel is loaded with another command line than is configured";
            checks.push(Check::warning(NAME, said).fix_by(fixes::load(machine)));
        }
    }
    checks.extend(doubt.map(|why| Check::warning(NAME, why)));
    match of_configured {
        Err(why) => checks.push(Check::unknown(NAME, why.clone())),
        Ok(faults) => checks.extend(faults.into_iter().map(|fault| with_fix(machine, fault))),
    }
    if checks.is_empty() {
        let how = if loaded == Loaded::AsConfigured { "as it is loaded" } else { "as configured" };
        checks.push(Check::ok(NAME, format!("{how}, nothing on it is in the way")));
    }
    checks
}

/// The check of a fault of the configuration, with what corrects it.
fn with_fix(machine: &Machine, fault: Fault) -> Check {
    let Fault { status, message, parameter, undone_by } = fault;
    let check = Check::new(NAME, status, message);
    let Some(file) = machine.kdump.file() else { return check };
    let of = |text: &str| {
        let is_it = |word: &&str| {
            let found = Parameters::new(word.as_bytes()).next();
            found.zip(parameter).is_some_and(|(it, parameter)| it.is(parameter.as_bytes()))
        };
        text.split_whitespace().filter(is_it).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut changes = Vec::new();
    let mut words = Vec::new();
    let mut is_by_boot = false;
    let own = machine.setting(machine.kdump.command_line_key());
    for key in [machine.kdump.append_key(), machine.kdump.command_line_key()] {
        let removed = of(machine.setting(key).unwrap_or_default());
        if !removed.is_empty() {
            words.push(format!("take {} off {key} in {file}", removed.join(" ")));
            changes.push(Change::words(file, key, String::new(), removed, Vec::new()));
        }
    }
    // What is left is the running kernel's own.
    let running = machine.text("/proc/cmdline").unwrap_or_default();
    let is_inherited = own.is_none() && !of(&running).is_empty();
    if is_inherited || words.is_empty() {
        let key = machine.kdump.append_key();
        if let Some(undone_by) = undone_by {
            words.push(format!("add {undone_by} to {key} in {file}"));
            let append = lines::append(machine);
            let added = undone_by.split(' ').map(str::to_owned).collect();
            changes.push(Change::words(file, key, append, Vec::new(), added));
        } else {
            let parameter = parameter.unwrap_or_default();
            words.push(format!("take {parameter} off the running kernel's command line, and boot"));
            changes.clear();
            is_by_boot = true;
        }
    }
    if machine.kdump != Kdump::Tools {
        changes.clear();
    } else if !changes.is_empty() {
        changes.push(Change::Task(Task::Load));
    }
    if !is_by_boot {
        words.push(fixes::load(machine).words);
    }
    check.fix_by(Fix::new(words.join(", "), changes))
}

/// Finds everything that is wrong with `line`.
fn faults(machine: &Machine, line: &String) -> Vec<Fault> {
    let text = line.as_bytes();
    if let Some(fault) = ended(text) {
        // What is appended after it would not correct anything.
        return vec![fault];
    }
    let all = [
        switched_off(machine, text),
        forbidden(text),
        oops_panics(machine, text),
        warning_panics(text),
        other_init(machine, text),
        many_processors(text),
        erases_evidence(text),
    ];
    let mut faults: Vec<_> = all.into_iter().flatten().collect();
    faults.extend(refused_parameters(text));
    faults
}

fn last<'a>(text: &'a [u8], name: &str) -> Option<Parameter<'a>> {
    Parameters::new(text).filter(|parameter| parameter.is(name.as_bytes())).last()
}

/// On a kernel with device dumps of its own, novmcoredd makes room for ours.
fn switched_off(machine: &Machine, text: &[u8]) -> Option<Fault> {
    let with_own = machine.crash_release().filter(|it| machine.has_own_device_dumps(it));
    let off = "vmcoredd.off";
    if parameters::boolean_of(text, off) == Some(true) {
        return Some(Fault {
            status: Health::Failure,
            message: format!("{off} is given: there will be no device dumps"),
            parameter: Some(off),
            undone_by: Some(format!("{off}=0")),
        });
    }
    match (with_own, has_novmcoredd(text)) {
        (None, true) => Some(Fault {
            status: Health::Failure,
            message: "novmcoredd is given: there will be no device dumps".to_owned(),
            parameter: Some("novmcoredd"),
            undone_by: Some("novmcoredd=0".to_owned()),
        }),
        (Some(release), false) => Some(Fault {
            status: Health::Warning,
            message: format!(
                "{} has device dumps of its own, and novmcoredd is not given: vmcoredd's will be \
                 in /proc/vmcoredd alone, and the kernel's can use up its memory",
                Escaped(release.as_bytes())
            ),
            parameter: None,
            undone_by: Some("novmcoredd".to_owned()),
        }),
        (None, false) | (Some(_), true) => None,
    }
}

/// What modprobe.blacklist= and rd.driver.blacklist= forbid is loaded by name all the
/// same; the kernel's own list is final.
fn forbidden(text: &[u8]) -> Option<Fault> {
    let list = value(text, b"module_blacklist")?;
    let list = String::from_utf8_lossy(list);
    let others: Vec<_> = list.split(',').filter(|name| *name != "vmcoredd").collect();
    list.split(',').any(|name| name == "vmcoredd").then(|| Fault {
        status: Health::Failure,
        message: "module_blacklist has vmcoredd: it will not be loaded".to_owned(),
        parameter: Some("module_blacklist"),
        undone_by: Some(format!("module_blacklist={}", others.join(","))),
    })
}

/// Whether `value` of a sysctl is not 0, as far as it is given.
fn sysctl(text: &[u8], names: [&str; 2]) -> Option<bool> {
    let value = names.iter().filter_map(|name| last(text, name)?.value).next_back()?;
    Some(value.trim_ascii() != b"0")
}

fn oops_panics(machine: &Machine, text: &[u8]) -> Option<Fault> {
    let by_sysctl = sysctl(text, ["sysctl.kernel.panic_on_oops", "sysctl.kernel/panic_on_oops"]);
    let is_given = Parameters::new(text)
        .any(|parameter| parameter.is(b"oops") && parameter.value == Some(b"panic"));
    let is_built_in = machine
        .crash_release()
        .is_some_and(|release| machine.is_built_with(&release, "CONFIG_PANIC_ON_OOPS=y"));
    let what = if is_given { "oops=panic is given" } else { "panic_on_oops is set" };
    by_sysctl.unwrap_or(is_given || is_built_in).then(|| Fault {
        status: Health::Warning,
        message: format!("{what}: a collector that crashes ends the crash kernel"),
        parameter: Some(if by_sysctl.is_some() { "sysctl.kernel.panic_on_oops" } else { "oops" }),
        undone_by: Some("sysctl.kernel.panic_on_oops=0".to_owned()),
    })
}

fn warning_panics(text: &[u8]) -> Option<Fault> {
    let given = value(text, b"panic_on_warn").map(|value| value.trim_ascii() != b"0");
    given.unwrap_or(false).then(|| Fault {
        status: Health::Warning,
        message: "panic_on_warn is given: a warning of a driver ends the crash kernel".to_owned(),
        parameter: Some("panic_on_warn"),
        undone_by: Some("panic_on_warn=0".to_owned()),
    })
}

/// Whether what starts first is another program than the one that starts us.
fn other_init(machine: &Machine, text: &[u8]) -> Option<Fault> {
    let systemd = ["/sbin/init", "/lib/systemd/systemd", "/usr/lib/systemd/systemd"];
    let (parameter, given) = if let Some(given) = value(text, b"rdinit") {
        (given != b"/init").then_some(("rdinit", given))?
    } else if last(text, "noinitrd").is_some() {
        ("noinitrd", &b""[..])
    } else {
        let given = value(text, b"init").filter(|_| machine.kdump == Kdump::Tools)?;
        let is_systemd = systemd.iter().any(|path| path.as_bytes() == given);
        (!is_systemd).then_some(("init", given))?
    };
    let given = Escaped(given);
    Some(match parameter {
        "rdinit" => Fault {
            status: Health::Failure,
            message: format!("rdinit={given} is given: the initramfs does not load vmcoredd.ko"),
            parameter: Some(parameter),
            undone_by: Some("rdinit=/init".to_owned()),
        },
        "noinitrd" => Fault {
            status: Health::Failure,
            message: "noinitrd is given: the initramfs is not used".to_owned(),
            parameter: Some(parameter),
            undone_by: None,
        },
        _ => Fault {
            status: Health::Warning,
            message: format!("init={given} is given: whether it saves anything is not known"),
            parameter: Some(parameter),
            undone_by: Some("init=/sbin/init".to_owned()),
        },
    })
}

fn many_processors(text: &[u8]) -> Option<Fault> {
    let is_bounded = ["nr_cpus", "maxcpus", "nosmp"].iter().any(|name| last(text, name).is_some());
    (!is_bounded).then(|| Fault {
        status: Health::Warning,
        message: "neither nr_cpus nor maxcpus is given: each processor takes memory of the crash \
                  kernel"
            .to_owned(),
        parameter: None,
        undone_by: Some("nr_cpus=1".to_owned()),
    })
}

/// What the crash kernel clears while it starts, before any module can read it, and the
/// parameters that keep it from that: any one of a row.
///
/// The functions of the kernel that do so: `__mcheck_cpu_init_generic()`, `ghes_probe()`,
/// and `pci_aer_init()`, which needs what `_OSC` grants. RHEL's kdump gives the first of
/// each row, and `pcie_ports=compat`, which also does without PCIe hotplug.
const KEEPS_EVIDENCE: &[&[(&str, &str)]] = &[
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    &[("mce", "off")],
    &[("hest_disable", "")],
    &[("pci", "noaer"), ("pcie_ports", "compat")],
];

/// Whether the crash kernel erases what the hardware says of the crash.
fn erases_evidence(text: &[u8]) -> Option<Fault> {
    let is_given = |(name, word): &(&str, &str)| {
        let has_word = |parameter: Parameter<'_>| {
            let words = parameter.value.unwrap_or_default().split(|byte| *byte == b',');
            words.into_iter().any(|given| given == word.as_bytes())
        };
        Parameters::new(text).filter(|it| it.is(name.as_bytes())).any(has_word)
    };
    let missing: Vec<_> = KEEPS_EVIDENCE
        .iter()
        .filter(|any| !any.iter().any(is_given))
        .filter_map(|any| any.first())
        .map(
            |(name, word)| {
                if word.is_empty() { (*name).to_owned() } else { format!("{name}={word}") }
            },
        )
        .collect();
    let (last, others) = missing.split_last()?;
    let (missing_words, verb) = match others {
        [] => (last.clone(), "is"),
        others => (format!("{} and {last}", others.join(", ")), "are"),
    };
    Some(Fault {
        status: Health::Warning,
        message: format!(
            "{missing_words} {verb} not given: the crash kernel clears what the hardware recorded \
             of errors, before that can be dumped"
        ),
        parameter: None,
        undone_by: Some(missing.join(" ")),
    })
}

/// What is appended is then for init, and so is what kexec appends.
fn ended(text: &[u8]) -> Option<Fault> {
    // Where a word follows that the kernel does not read.
    let count = Parameters::new(text).count();
    let is_ended = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let is_ended = is_ended.skip(count).any(|word| word == b"--");
    is_ended.then(|| Fault {
        status: Health::Warning,
        message: "-- is given: the kernel does not read what is appended after it".to_owned(),
        parameter: Some("--"),
        undone_by: None,
    })
}

/// Parameters of the module that keep it from being loaded: modprobe takes them from the
/// command line.
fn refused_parameters(text: &[u8]) -> Vec<Fault> {
    let refused = |(name, takes): &(&'static str, parameters::Takes)| {
        let given = last(text, name)?;
        (!takes(given.value)).then(|| Fault {
            status: Health::Failure,
            message: format!("{name} is no value that vmcoredd.ko takes: it cannot be loaded"),
            parameter: Some(name),
            undone_by: None,
        })
    };
    parameters::OF_MODULE.iter().filter_map(refused).collect()
}
