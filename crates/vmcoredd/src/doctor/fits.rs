// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Whether a kernel will load a module: what its loader checks of versions
//! (`kernel/module/version.c`, `same_magic()` and `check_version()`).

use std::fs;
use std::path::Path;
use std::process::Command;

use kdumpfile::Escaped;

use super::machine::Machine;

/// Why the kernel `release` will refuse the file `module`, in words that follow the file's
/// name; `None` where nothing speaks against it. `others` are files of modules whose symbols
/// it may use.
///
/// Asks modinfo and depmod; what they cannot say is not held against the module.
pub fn misfit(machine: &Machine, release: &str, module: &Path, others: &[&Path]) -> Option<String> {
    let of_kernel = machine.own_module(release).and_then(|own| vermagic(&own));
    if let (Some(built), Some(wanted)) = (vermagic(module), of_kernel)
        && !is_same(&built, &wanted)
    {
        let [built, wanted] = [&built, &wanted].map(|magic| Escaped(magic.as_bytes()).to_string());
        return Some(format!("was built for \"{built}\", and the kernel is \"{wanted}\""));
    }
    let symbols = machine.path(format!("/lib/modules/{release}/build/Module.symvers"));
    if !symbols.is_file() {
        return None;
    }
    let module = fs::canonicalize(module).ok()?;
    let mut depmod = Command::new("depmod");
    // It takes absolute paths only.
    depmod
        .args(["--dry-run", "--errsyms", "--basedir"])
        .arg(fs::canonicalize(machine.root()).ok()?);
    depmod.arg("--symvers").arg(symbols).arg(release).arg(&module);
    depmod.args(others.iter().filter_map(|other| fs::canonicalize(other).ok()));
    let said = depmod.output().ok()?.stderr;
    complaint(&String::from_utf8_lossy(&said), &module.to_string_lossy())
}

/// `MODULE_VERMAGIC` of a module's file.
fn vermagic(module: &Path) -> Option<String> {
    modinfo(module, "vermagic")
}

/// A field of a module's file, as modinfo prints it, without blanks at its end.
pub fn modinfo(module: &Path, field: &str) -> Option<String> {
    let output = Command::new("modinfo").args(["-F", field]).arg(module).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Some(text).filter(|text| !text.is_empty())
}

/// Where both have versions of symbols, the release, which is the first word, does not count.
fn is_same(built: &str, wanted: &str) -> bool {
    let rest = |magic: &str| magic.split_once(' ').map_or("", |(_, rest)| rest).to_owned();
    let has_versions = |magic: &str| magic.split(' ').any(|word| word == "modversions");
    built == wanted || has_versions(built) && has_versions(wanted) && rest(built) == rest(wanted)
}

/// What depmod says of the symbols of `module`, in one line.
fn complaint(said: &str, module: &str) -> Option<String> {
    let words = ["disagrees about version of symbol", "needs unknown symbol"];
    let of_module = said.lines().filter_map(|line| line.split_once(module).map(|(_, rest)| rest));
    let mut complaints = of_module.filter_map(|rest| {
        let (word, symbol) = words
            .iter()
            .find_map(|word| Some((*word, rest.trim_start().strip_prefix(word)?.trim())))?;
        Some(format!("{word} {}", Escaped(symbol.as_bytes())))
    });
    let first = complaints.next()?;
    Some(match complaints.count() {
        0 => first,
        more => format!("{first}, and so with {more} more"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_counts_only_without_versions() {
        let plain = |release: &str| format!("{release} SMP preempt mod_unload");
        let versions = |release: &str| format!("{} modversions", plain(release));
        assert!(is_same(&plain("7.1"), &plain("7.1")));
        assert!(!is_same(&plain("7.1"), &plain("7.2")));
        assert!(is_same(&versions("6.12.1"), &versions("6.12.2")));
        assert!(!is_same(&versions("6.12.1"), &plain("6.12.1")));
        assert!(!is_same("6.12.1 SMP preempt_rt modversions", "6.12.2 SMP preempt modversions"));
    }

    #[test]
    fn complaints_become_one_line() {
        let said = "\
depmod: WARNING: could not open modules.order at /lib/modules/6.1: No such file or directory
depmod: WARNING: /lib/m/vmcoredd.ko disagrees about version of symbol kfree
depmod: WARNING: /lib/m/other.ko needs unknown symbol nothing
depmod: WARNING: /lib/m/vmcoredd.ko needs unknown symbol filp_open\n";
        let first = "disagrees about version of symbol kfree";
        let both = format!("{first}, and so with 1 more");
        assert_eq!(complaint(said, "/lib/m/vmcoredd.ko"), Some(both));
        assert_eq!(
            complaint(said, "/lib/m/other.ko").as_deref(),
            Some("needs unknown symbol nothing")
        );
        assert_eq!(complaint(said, "/lib/m/third.ko"), None);
        assert_eq!(complaint("", "/lib/m/vmcoredd.ko"), None);
    }
}
