// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The parameters of `vmcoredd.ko`, and which values it takes.

use vmcore::command_line::{Parameters, boolean};

/// Whether the module takes a value, or none, for a parameter.
pub type Takes = fn(Option<&[u8]>) -> bool;

/// Each parameter as it is called on the kernel's command line: those of `kmod/c/module.c`.
pub const OF_MODULE: [(&str, Takes); 7] = [
    ("vmcoredd.budget_kib", is_number),
    ("vmcoredd.dump_kib", is_number),
    ("vmcoredd.inline_kib", is_number),
    ("vmcoredd.deadline_ms", is_number),
    ("vmcoredd.callback_deadline_ms", is_number),
    ("vmcoredd.live", is_boolean),
    ("vmcoredd.off", is_boolean),
];

fn is_number(value: Option<&[u8]>) -> bool {
    value.is_some_and(|value| number(value).is_some())
}

fn is_boolean(value: Option<&[u8]>) -> bool {
    boolean(value).is_some()
}

/// What the boolean parameter `name` is in the end, of all that the kernel does not refuse.
pub fn boolean_of(text: &[u8], name: &str) -> Option<bool> {
    Parameters::new(text)
        .filter(|parameter| parameter.is(name.as_bytes()))
        .filter_map(|parameter| boolean(parameter.value))
        .last()
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// A parameter that is not here would not be looked at on a command line.
    #[test]
    fn the_module_has_these_parameters() {
        let kmod = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kmod/c/module.c");
        let source = fs::read_to_string(kmod).expect("the module's source");
        // Those after it are for tests.
        let (stock, _) = source.split_once("#ifdef VMCOREDD_FAULTS").expect("it has faults");
        let declared = stock.lines().filter_map(|line| line.strip_prefix("module_param("));
        let mut declared: Vec<_> = declared
            .map(|line| format!("vmcoredd.{}", line.split(',').next().unwrap_or_default()))
            .collect();
        let mut here: Vec<_> = OF_MODULE.iter().map(|(name, _)| (*name).to_owned()).collect();
        declared.sort();
        here.sort();
        assert_eq!(here, declared);
    }
}
