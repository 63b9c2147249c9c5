// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The crash kernel's command line: as it was loaded, and as it would be loaded now.

use std::time::SystemTime;

use super::kdump::Kdump;
use super::machine::Machine;

/// The longest recorded kexec command that is read, in bytes.
const RECORDED_MAX: usize = 64 << 10;
/// What kdump-config of Debian appends where nothing is configured.
const APPEND: &str =
    "reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll usbcore.nousb";
/// What kdump-config takes off the running kernel's command line.
const TAKEN_OFF: [&str; 4] = ["crashkernel=", "hugepages=", "hugepagesz=", "abm="];
/// What kdumpctl takes off it in any case.
const TAKEN_OFF_BY_KDUMPCTL: [&str; 3] = ["crashkernel", "panic_on_warn", "root"];

/// The command line, configured and loaded.
#[derive(Debug)]
pub struct Lines {
    /// As it would be loaded now, or why that is not known.
    pub configured: Result<String, String>,
    /// Why the crash kernel may get something else than that.
    pub doubt: Option<&'static str>,
    pub loaded: Loaded,
}

/// How the crash kernel was loaded.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded {
    /// There is none, or nobody recorded it.
    NotKnown,
    /// As it would be now.
    AsConfigured,
    /// With another command line, where the record is not ambiguous.
    Otherwise(Option<String>),
}

/// What ends the command line: what is configured, and else kdump-config's default.
pub fn append(machine: &Machine) -> String {
    let key = machine.kdump.append_key();
    let default = match machine.kdump {
        Kdump::Tools => default_append(machine),
        Kdump::Ctl | Kdump::Suse | Kdump::Other => String::new(),
    };
    machine.setting(key).map_or(default, str::to_owned)
}

/// kdump-config's own default, which its releases and Ubuntu's differ in.
fn default_append(machine: &Machine) -> String {
    let script = machine.text("/usr/sbin/kdump-config").unwrap_or_default();
    let start = "${KDUMP_CMDLINE_APPEND:=\"";
    let found = script.split_once(start).and_then(|(_, rest)| rest.split_once("\"}"));
    let found = found.map(|(default, _)| default).filter(|default| !default.contains(['$', '`']));
    found.unwrap_or(APPEND).to_owned()
}

/// Finds out both command lines.
pub fn of(machine: &Machine) -> Lines {
    if machine.settings.is_err() {
        let why = "what is configured is not known: see above".to_owned();
        return Lines { configured: Err(why), doubt: None, loaded: Loaded::NotKnown };
    }
    match machine.kdump {
        Kdump::Tools => by_kdump_config(machine),
        Kdump::Ctl => {
            let removed = machine.setting("KDUMP_COMMANDLINE_REMOVE").unwrap_or_default();
            let removed: Vec<_> = removed.split_whitespace().chain(TAKEN_OFF_BY_KDUMPCTL).collect();
            let configured = base(machine).map(|base| without(&base, &removed, machine));
            Lines { configured, doubt: None, loaded: Loaded::NotKnown }
        }
        Kdump::Suse => {
            let mut configured =
                base(machine).map(|base| without(&base, &["crashkernel"], machine));
            // Its load.sh has processors by a variable of their own.
            let cpus = machine.setting("KDUMP_CPUS").unwrap_or("1");
            if let Ok(line) = &mut configured
                && machine.setting(machine.kdump.command_line_key()).is_none()
                && cpus != "0"
            {
                *line = format!("nr_cpus={cpus} {line}");
            }
            Lines { configured, doubt: None, loaded: Loaded::NotKnown }
        }
        Kdump::Other => {
            let why = "what loads the crash kernel here is not known".to_owned();
            Lines { configured: Err(why), doubt: None, loaded: Loaded::NotKnown }
        }
    }
}

/// The command line that others are added to.
fn base(machine: &Machine) -> Result<String, String> {
    let own = machine.setting(machine.kdump.command_line_key()).map(str::to_owned);
    own.or_else(|| Some(machine.text("/proc/cmdline")?.trim_end_matches('\n').to_owned()))
        .ok_or_else(|| "/proc/cmdline cannot be read".to_owned())
}

/// `base` without the parameters `removed`, and what is appended.
fn without(base: &str, removed: &[&str], machine: &Machine) -> String {
    let stays = |word: &&str| !removed.contains(&word.split('=').next().unwrap_or(word));
    let words: Vec<_> = base.split_whitespace().filter(stays).collect();
    format!("{} {}", words.join(" "), append(machine))
}

/// As kdump-config makes it, as of 1.8.1 and 1.10.7: it assembles the text of a command,
/// has the shell evaluate that, and records it.
fn by_kdump_config(machine: &Machine) -> Lines {
    let text = match machine.setting("KDUMP_CMDLINE") {
        Some(own) => Ok(own.to_owned()),
        None => base(machine).map(|line| stripped(&line)),
    };
    let text = text.map(|text| format!("{text} {}", append(machine)));
    let arguments = machine.setting("KDUMP_KEXEC_ARGS").unwrap_or_default();
    let option = text.as_ref().map(|text| format!("--command-line=\"{text}\""));
    let recorded = recorded(machine);
    let loaded = match (&recorded, &option) {
        (Some(recorded), Ok(option)) => {
            // It is recorded by the shell's echo, which may read escapes in it.
            let echoed = option.replace("\\\\", "\\");
            if recorded.contains(option) || recorded.contains(&echoed) {
                Loaded::AsConfigured
            } else {
                // What echo made of it cannot be undone.
                Loaded::Otherwise(
                    Some(recorded).filter(|text| !text.contains('\\')).and_then(|text| given(text)),
                )
            }
        }
        _ => Loaded::NotKnown,
    };
    let evaluated = option.as_ref().ok().and_then(|option| given(&format!("{arguments} {option}")));
    let doubt = "the shell that evaluates kdump-config's command changes what is on it: \
                 kdump-config test shows the command";
    let doubt = (evaluated.is_none() && option.is_ok()).then_some(doubt);
    Lines { configured: evaluated.map_or(text, Ok), doubt, loaded }
}

/// What kdump-config makes of the running kernel's command line. Its sed knows spaces
/// only, and escapes the first quotation mark only.
fn stripped(line: &str) -> String {
    let is_taken_off = |piece: &str| TAKEN_OFF.iter().any(|name| piece.starts_with(name));
    let mut text = String::new();
    for (at, piece) in line.split(' ').enumerate() {
        if is_taken_off(piece) {
            continue;
        }
        if at > 0 {
            text.push(' ');
        }
        text.push_str(piece);
    }
    text.replacen('"', "\\\\\"", 1)
}

/// The command line that kexec gets from this text of a command; `None` where that
/// depends on more than the text.
fn given(text: &str) -> Option<String> {
    if text.contains(['$', '`']) {
        return None;
    }
    // It is expanded without quotation marks first: white space becomes one space.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let options = ["--command-line=", "--append="];
    let words = shlex::split(&text)?;
    let mut lines =
        words.iter().filter_map(|word| options.iter().find_map(|option| word.strip_prefix(option)));
    // kexec takes the last one.
    lines.next_back().map(str::to_owned)
}

/// The command by which kdump-config loaded what is loaded now. The record outlives a
/// boot, and is then of another kernel's.
fn recorded(machine: &Machine) -> Option<String> {
    loaded_at(machine)?;
    let text = machine.text(&record(machine))?;
    Some(text).filter(|text| text.len() <= RECORDED_MAX && text.contains("--command-line="))
}

/// When kdump-config loaded what is loaded now.
pub fn loaded_at(machine: &Machine) -> Option<SystemTime> {
    let modified = machine.modified(&record(machine))?;
    let is_old = machine.boot_time().is_some_and(|booted| modified < booted);
    Some(modified).filter(|_| machine.is_loaded() && !is_old)
}

fn record(machine: &Machine) -> String {
    format!("{}/kexec_cmd", machine.setting("KDUMP_COREDIR").unwrap_or("/var/crash"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each seen with kdump-config's own lines.
    #[test]
    fn what_kdump_config_takes_off() {
        for (line, expected) in [
            ("a crashkernel=1 b", "a b"),
            ("crashkernel=1 b", " b"),
            ("a crashkernel=1 hugepages=2", "a"),
            ("a  hugepagesz=1G b", "a  b"),
            ("a abm=1\tb c", "a c"),
            ("xcrashkernel=1 crashkernel", "xcrashkernel=1 crashkernel"),
            ("a=\"b c\" d=\"e\"", "a=\\\\\"b c\" d=\"e\""),
        ] {
            assert_eq!(stripped(line), expected, "{line}");
        }
    }

    #[test]
    fn what_kexec_is_given() {
        for (text, expected) in [
            ("/sbin/kexec -p --command-line=\"a b\" --initrd=c d", Some("a b")),
            ("--command-line=\"a   b \tc\"", Some("a b c")),
            ("--append=x --command-line=\"a b\"", Some("a b")),
            ("--command-line=\"a b=\"1\" c\"", Some("a b=1 c")),
            ("--command-line=\"a b=\\\\\"1\" c\"", Some("a b=\\1 c")),
            ("--command-line=\"a $(b)\"", None),
            ("--command-line=\"a", None),
            ("kexec -p d", None),
        ] {
            assert_eq!(given(text).as_deref(), expected, "{text}");
        }
    }
}
