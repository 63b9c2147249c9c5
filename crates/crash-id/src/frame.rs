// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Lines that name a place in the code: what the processor ran, and what called that.

use crate::boring::is_boring;

/// The longest name of a function: the kernel's `KSYM_NAME_LEN`.
const NAME_MAX: usize = 512;
/// The longest name of a module: the kernel's `MODULE_NAME_LEN`, about.
const MODULE_MAX: usize = 64;
/// What is before the place in a line of registers: x86, then arm64 and arm.
const PROGRAM_COUNTERS: [&str; 4] = ["EIP: ", "pc : ", "PC is at ", "IP: "];

/// A function, and the module that has it, where it is not in the kernel's image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    pub function: &'a str,
    pub module: Option<&'a str>,
    /// It is where the processor was, not what called that.
    pub is_counter: bool,
}

impl<'a> Frame<'a> {
    /// The place that a line of a report names, where it is sure: the kernel marks what it
    /// only found on a stack with `?`.
    pub fn of_line(text: &'a str) -> Option<Self> {
        let place = PROGRAM_COUNTERS.iter().find_map(|prefix| text.strip_prefix(prefix));
        let place = place.or_else(|| of_rip(text));
        let frame = Self::at_start(without_addresses(place.unwrap_or(text)))?;
        Some(Self { is_counter: place.is_some(), ..frame })
    }

    /// The first place that a title names anywhere.
    pub fn in_title(text: &'a str) -> Option<Self> {
        let mut starts = text.match_indices(' ').map(|(at, space)| at + space.len());
        starts.find_map(|at| Self::at_start(text.get(at..)?))
    }

    /// `function+0x12/0x34 [module]`, whatever follows.
    fn at_start(text: &'a str) -> Option<Self> {
        let (place, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (name, offsets) = place.split_once('+')?;
        let (offset, size) = offsets.split_once('/')?;
        let is_offset = |text: &str| {
            let digits = text.strip_prefix("0x").unwrap_or_default();
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        // A title may go on with a colon or the like.
        let size = size.trim_end_matches([':', ',', ')', '!']);
        if !is_offset(offset) || !is_offset(size) {
            return None;
        }
        // The compiler marks parts and copies of functions: `.cold`, `.isra.0`, `.constprop.1`.
        let function =
            name.trim_start_matches('.').split('.').next().filter(|name| is_name(name))?;
        Some(Self { function, module: module(rest), is_counter: false })
    }

    /// Whether it says nothing of what went wrong.
    pub fn is_boring(&self) -> bool {
        // The list is of the kernel's image.
        self.module.is_none() && is_boring(self.function)
    }
}

/// What follows `RIP: 0010:`, where the processor was in the kernel.
fn of_rip(text: &str) -> Option<&str> {
    let (segment, place) = text.strip_prefix("RIP: ")?.split_once(':')?;
    let segment = u16::from_str_radix(segment, 16).ok()?;
    // The lowest bits are the privilege level.
    (segment & 3 == 0).then_some(place)
}

/// What follows the addresses that kernels before 4.10 print: `[<ffffffff81000000>] `.
fn without_addresses(text: &str) -> &str {
    let mut text = text.trim_start();
    while let Some((_, rest)) = text.strip_prefix("[<").and_then(|rest| rest.split_once(">]")) {
        text = rest.trim_start();
    }
    text
}

fn is_name(name: &str) -> bool {
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    !name.is_empty()
        && name.len() <= NAME_MAX
        && name.bytes().all(is_of_it)
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// The name in `[module]` or `[module build-id]`.
fn module(text: &str) -> Option<&str> {
    let (inside, _) = text.strip_prefix('[')?.split_once(']')?;
    let name = inside.split(' ').next()?;
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (!name.is_empty() && name.len() <= MODULE_MAX && name.bytes().all(is_of_it)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let frame = |line| Frame::of_line(line).map(|frame| (frame.function, frame.module));
        for (line, expected) in [
            ("RIP: 0010:e1000_clean+0x3c/0x9f0 [e1000e]", ("e1000_clean", Some("e1000e"))),
            ("RIP: e030:xen_hypercall+0xa/0x20", ("xen_hypercall", None)),
            (
                "RIP: 0010:[<ffffffff8134>]  [<ffffffff8134>] sysrq_handle_crash+0x16/0x20",
                ("sysrq_handle_crash", None),
            ),
            ("pc : nvme_queue_rq+0x40/0xa0 [nvme]", ("nvme_queue_rq", Some("nvme"))),
            ("PC is at do_one_initcall+0x40/0x170", ("do_one_initcall", None)),
            ("[<ffffffff81050f1b>] nvme_irq+0xb/0x20 [nvme]", ("nvme_irq", Some("nvme"))),
            ("finish_task_switch.isra.0+0x97/0x2f0", ("finish_task_switch", None)),
            ("mlx5_eq+0x1/0x2 [mlx5_core 0123456789abcdef0123]", ("mlx5_eq", Some("mlx5_core"))),
            ("vfs_read+0x1/0x2 (P)", ("vfs_read", None)),
            ("_RNvCsABC_4rust4main+0x1/0x2", ("_RNvCsABC_4rust4main", None)),
        ] {
            assert_eq!(frame(line), Some(expected), "{line}");
        }
        for line in [
            "? vfs_read+0x1/0x2",
            "[<ffffffff8134>] ? vfs_read+0x1/0x2",
            "RIP: 0033:main+0x1/0x2",
            "RIP: 0010:0x0",
            "RIP: 0010:",
            "RIP: 001:+0x1/0x2",
            "lr : vfs_read+0x1/0x2",
            "a word+0x1/0x2",
            "vfs_read+0x1",
            "vfs_read+0x/0x2",
            "<b>x</b>+0x1/0x2",
            "0day+0x1/0x2",
            "vfs_réad+0x1/0x2",
        ] {
            assert_eq!(frame(line), None, "{line}");
        }
        let title = "BUG: KASAN: slab-use-after-free in nvme_irq+0x10/0x20 [nvme]";
        let expected = Frame { function: "nvme_irq", module: Some("nvme"), is_counter: false };
        assert_eq!(Frame::in_title(title), Some(expected));
        assert_eq!(
            Frame::in_title("WARNING: f.c:5 at dev_watchdog+0x2/0x3, CPU#1: swapper/1")
                .unwrap()
                .function,
            "dev_watchdog"
        );
    }
}
