// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The text of a profile that somebody is to complete.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::expression::is_name;

/// How many blocks a profile can have.
const RUNS_MAX: usize = 200;

/// Registers one after the other, as another file has them.
pub(crate) struct Run {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) at: u64,
    pub(crate) length: u64,
    pub(crate) registers: Vec<Known>,
}

/// A register that another file has.
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    /// Where in its block it is, in bytes.
    pub(crate) at: u64,
    pub(crate) bits: u32,
    /// More properties, as profiles have them.
    pub(crate) more: &'static str,
    pub(crate) fields: Vec<KnownField>,
}

pub(crate) struct KnownField {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) low: u32,
    pub(crate) high: u32,
    pub(crate) meanings: Vec<(u64, String)>,
}

/// The `registers`, whose addresses count from `base`, in runs without gaps: that something
/// between two of them can be read, nobody says. Each is named by its first register.
pub(crate) fn runs(
    registers: Vec<Known>,
    base: u64,
    title: Option<&str>,
    name: impl Fn(&Known) -> String,
) -> Vec<Run> {
    let mut registers = registers;
    registers.sort_by_key(|register| register.at);
    let mut runs: Vec<Run> = Vec::new();
    for register in registers {
        let at = base.saturating_add(register.at);
        let end = at.saturating_add(u64::from(register.bits) / 8);
        // Blocks are read in words of 32 bits.
        let end = end.checked_next_multiple_of(4).unwrap_or(end);
        let start = at - at % 4;
        let known = |start: u64, register| Known { at: at - start, ..register };
        match runs.last_mut().filter(|run| start <= run.at.saturating_add(run.length)) {
            Some(run) => {
                run.length = run.length.max(end - run.at);
                run.registers.push(known(run.at, register));
            }
            None => runs.push(Run {
                name: name(&register),
                title: title.map(str::to_owned),
                at: start,
                length: end - start,
                registers: vec![known(start, register)],
            }),
        }
    }
    runs
}

/// The profile `name` of what the file `source` has. What only its author knows is left out,
/// and `profile check` asks for it: which devices it is for.
///
/// # Errors
/// It would have more blocks than a profile can have.
pub(crate) fn text(name: &str, title: &str, source: &str, runs: &[Run]) -> Result<String, String> {
    if runs.len() > RUNS_MAX {
        let found = runs.len();
        return Err(format!("expected {RUNS_MAX} ranges without gaps at most, found {found}"));
    }
    let mut text = String::new();
    let mut put = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    put(&format!("profile {} version=1 title={}", name_of_profile(name), quoted(title)));
    put(&format!("source {}", quoted(source)));
    put("match {");
    put("    // Which devices: pci vendor=0x1234 device=0x5678");
    put("}");
    put("collect {");
    put("    config");
    put("    // A register that is never all ones: alive NAME dead=0xffffffff");
    let mut names = BTreeSet::new();
    let named: Vec<_> = runs.iter().map(|run| unique(&run.name, &mut names)).collect();
    for (run, name) in runs.iter().zip(&named) {
        put(&format!("    block {name} bar=0 at={:#x} len={:#x}", run.at, run.length));
    }
    put("    // What must never be read, and why: never bar=0 at=0x1000 why=\"doorbells\"");
    put("}");
    for (run, name) in runs.iter().zip(&named).filter(|(run, _)| !run.registers.is_empty()) {
        put("");
        if let Some(title) = &run.title {
            put(&format!("// {}", one_line(title)));
        }
        put(&format!("block {name} {{"));
        let mut names = BTreeSet::new();
        let mut end = 0;
        let mut registers: Vec<_> = run.registers.iter().collect();
        registers.sort_by_key(|register| register.at);
        for register in registers {
            let name = unique(&register.name, &mut names);
            // Of several at one place only its author knows which is meant.
            let comment = if register.at < end { "// " } else { "" };
            end = end.max(register.at.saturating_add(u64::from(register.bits) / 8));
            register_lines(&name, register, &mut |line| put(&format!("    {comment}{line}")));
        }
        put("}");
    }
    Ok(text)
}

fn register_lines(name: &str, register: &Known, put: &mut impl FnMut(&str)) {
    let mut line = format!("reg {name} at={:#x} bits={}", register.at, register.bits);
    line.push_str(register.more);
    if let Some(title) = &register.title {
        let _ = write!(line, " title={}", quoted(title));
    }
    let mut names = BTreeSet::new();
    let fields: Vec<_> =
        register.fields.iter().filter(|field| field.high < register.bits).collect();
    if fields.is_empty() {
        put(&line);
        return;
    }
    put(&format!("{line} {{"));
    for field in fields {
        let mut line = format!("    {} {}", unique(&field.name, &mut names), field.low);
        if field.high > field.low {
            let _ = write!(line, " {}", field.high);
        }
        if let Some(title) = &field.title {
            let _ = write!(line, " title={}", quoted(title));
        }
        let mut values = BTreeSet::new();
        let bits = field.high - field.low + 1;
        let fits = |value: u64| value.checked_shr(bits).unwrap_or(0) == 0;
        let meanings = field.meanings.iter().filter(|(value, _)| fits(*value));
        let meanings = meanings.filter(|(value, _)| values.insert(*value));
        let meanings: Vec<_> =
            meanings.map(|(value, meaning)| format!("is {value} {}", quoted(meaning))).collect();
        if !meanings.is_empty() {
            let _ = write!(line, " {{ {} }}", meanings.join("; "));
        }
        put(&line);
    }
    put("}");
}

/// Text as KDL has it.
fn quoted(text: &str) -> String {
    let escaped = one_line(text).replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// Text with single spaces where there is space, or what is no text.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A name that expressions can have, with a number if it is taken.
fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut name: String = name.chars().map(allowed).collect();
    // A field of the name is would be a meaning.
    if !is_name(&name) || name == "is" {
        name.insert(0, '_');
    }
    let mut number = 2;
    let mut free = name.clone();
    while !taken.insert(free.clone()) {
        free = format!("{name}_{number}");
        number += 1;
    }
    free
}

/// A name that a profile can have.
pub(crate) fn name_of_profile(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(allowed).take(plan::plan::NAME_SIZE - 1).collect();
    if name.is_empty() { "device".to_owned() } else { name }
}
