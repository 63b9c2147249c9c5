// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Progress of long work, on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Less than this takes no time, in bytes.
const LONG: u64 = 64 << 20;

/// Shows how many of `total` bytes are done, on standard error if that is a terminal.
pub fn bar(total: u64, what: &str) -> ProgressBar {
    if total < LONG {
        return ProgressBar::hidden();
    }
    // At most ten times a second; nothing where there is no terminal.
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
    let style = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.with_message(what.to_owned())
}
