// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Functions that are on the stack of crashes of any cause.

use std::collections::HashSet;
use std::sync::LazyLock;

/// A name on each line, or the start of names, with `*` after it; comments after `#`.
const LIST: &str = include_str!("boring.txt");

struct Boring {
    names: HashSet<&'static str>,
    starts: Vec<&'static str>,
}

static BORING: LazyLock<Boring> = LazyLock::new(|| {
    let words =
        || LIST.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    Boring {
        names: words().filter(|word| !word.ends_with('*')).collect(),
        starts: words().filter_map(|word| word.strip_suffix('*')).collect(),
    }
});

/// Whether the function `name` of the kernel's image says nothing of what went wrong.
pub fn is_boring(name: &str) -> bool {
    BORING.names.contains(name) || BORING.starts.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_one_of_names() {
        let mut seen = HashSet::new();
        for line in LIST.lines().filter(|line| !line.starts_with('#')) {
            for word in line.split_whitespace() {
                assert!(seen.insert(word), "{word} is there twice");
                let name = word.strip_suffix('*').unwrap_or(word);
                let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                assert!(is_name && name.len() > 1, "{word}");
            }
        }
        // The starts are not in vain.
        for start in &BORING.starts {
            let within = BORING.names.iter().find(|name| name.starts_with(start));
            assert_eq!(within, None, "{start}* has it already");
        }
        assert!(is_boring("panic") && is_boring("_raw_spin_lock_irqsave"));
        assert!(!is_boring("ext4_writepages") && !is_boring("panicky"));
    }
}
