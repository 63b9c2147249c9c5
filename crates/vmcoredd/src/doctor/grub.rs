// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! GRUB's configuration, as grub-mkconfig of Debian reads it.

use std::path::Path;

use vmcore::command_line::value;

use super::machine::Machine;
use super::shell::{self, Settings};

/// Its main file.
pub const FILE: &str = "/etc/default/grub";
/// Our own file, which no package has, so that none asks about it.
pub const SNIPPET: &str = "/etc/default/grub.d/vmcoredd.cfg";
/// The directory of that.
const DIRECTORY: &str = "/etc/default/grub.d";
/// What both end up in.
pub const KEY: &str = "GRUB_CMDLINE_LINUX_DEFAULT";

/// What our own file says. The kernel takes the last `crashkernel=`.
pub fn snippet(word: &str) -> String {
    format!("# By vmcoredd doctor --fix: memory for the crash kernel.\n{KEY}=\"${KEY} {word}\"\n")
}

/// What GRUB's files say, with `ours` in the place of our own where that is given.
///
/// # Errors
/// Why that is not known.
pub fn settings(machine: &Machine, ours: Option<&Path>) -> Result<Settings, String> {
    let mut names = machine.names(DIRECTORY);
    names.retain(|name| name.ends_with(".cfg"));
    let own = SNIPPET.rsplit('/').next().unwrap_or(SNIPPET);
    if ours.is_some() && !names.iter().any(|name| name == own) {
        names.push(own.to_owned());
        names.sort();
    }
    let mut files = vec![machine.path(FILE)];
    files.extend(names.iter().map(|name| match ours {
        Some(ours) if name == own => ours.to_owned(),
        _ => machine.path(format!("{DIRECTORY}/{name}")),
    }));
    shell::evaluate(&files, &["GRUB_CMDLINE_LINUX", KEY], machine.trust)
}

/// Whether the last `crashkernel=` there is `word`.
pub fn has_crashkernel(machine: &Machine, word: &str) -> bool {
    settings(machine, None).is_ok_and(|settings| ends_in(&settings, word))
}

/// Whether the last `crashkernel=` of `settings` is `word`.
pub fn ends_in(settings: &Settings, word: &str) -> bool {
    let line = ["GRUB_CMDLINE_LINUX", KEY].map(|key| settings.get(key).unwrap_or_default());
    let line = line.join(" ");
    let found = value(line.as_bytes(), b"crashkernel").map(String::from_utf8_lossy);
    found.is_some_and(|found| format!("crashkernel={found}") == word)
}
