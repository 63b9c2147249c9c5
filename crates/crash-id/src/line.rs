// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Lines of kernel logs, without what is before their text.

/// How much of a line is looked at, in bytes: the kernel cuts what it formats at 1 KiB.
const LINE_MAX: usize = 1024;
/// How long a bracket before the text is at most: times of `dmesg -T` are the longest.
const BRACKET_MAX: usize = 32;
/// What some kernels print before a title, and others do not.
const SUBSYSTEMS: [&str; 8] = [
    "NMI watchdog: ",
    "watchdog: ",
    "rcu: ",
    "traps: ",
    "mce: ",
    "usercopy: ",
    "workqueue: ",
    "sysrq: ",
];

/// The text of a line of the kernel's log: without its level, as `<4>`, its time, as
/// `[   12.345678]` or as `dmesg -T` has it, who printed it, as `[  T123]`, and white space
/// around it.
pub fn text(line: &str) -> &str {
    let mut text = cut(line, LINE_MAX).trim();
    if let Some((level, rest)) = text.strip_prefix('<').and_then(|rest| rest.split_once('>'))
        && level.len() <= 3
        && level.bytes().all(|byte| byte.is_ascii_digit())
    {
        text = rest.trim_start();
    }
    // A time, and who printed it.
    for _ in 0..2 {
        let Some((inside, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        else {
            break;
        };
        if !is_time_or_caller(inside.trim()) {
            break;
        }
        text = rest.trim_start();
    }
    text
}

/// The text without the name of a subsystem before it.
pub fn title(text: &str) -> &str {
    SUBSYSTEMS.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text)
}

/// The start of `text`, `most` bytes of it at most.
pub fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

fn is_time_or_caller(inside: &str) -> bool {
    let is_number = |text: &str| {
        let has_digits = text.bytes().any(|byte| byte.is_ascii_digit());
        has_digits && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    let is_caller = || {
        let thread = inside.strip_prefix('T').or_else(|| inside.strip_prefix('C'));
        thread.is_some_and(is_number)
    };
    let is_date = || {
        let mut words = inside.split_ascii_whitespace();
        let is_time = |word: &str| word.split(':').all(is_number) && word.contains(':');
        inside.len() <= BRACKET_MAX
            && words.next().is_some_and(|day| day.len() == 3)
            && words.nth(2).is_some_and(is_time)
    };
    is_number(inside) || is_caller() || is_date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_before_the_text_goes() {
        for line in [
            "BUG: it",
            "[   12.345678] BUG: it",
            "[12345.678901] BUG: it\r",
            "<1>[   12.345678] BUG: it",
            "[   12.345678][  T123] BUG: it",
            "[   12.345678] [    C0] BUG: it",
            "[Fri Nov 27 10:11:12 2026] BUG: it",
        ] {
            assert_eq!(text(line), "BUG: it", "{line}");
        }
        assert_eq!(
            text("[<ffffffff81000000>] panic+0x1/0x2"),
            "[<ffffffff81000000>] panic+0x1/0x2"
        );
        assert_eq!(text("[drm] it"), "[drm] it");
        assert_eq!(text("[    1.0] [drm] it"), "[drm] it");
        assert_eq!(title("watchdog: BUG: it"), "BUG: it");
        // Not in the middle of a character.
        assert_eq!(text(&"é".repeat(600)).len(), 1024);
        assert_eq!(text(&format!("x{}", "é".repeat(600))).len(), 1023);
    }
}
