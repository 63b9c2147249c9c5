// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Names that others chose, made fit for a terminal.

use std::fmt;
use std::path::Path;

/// Bytes as printable ASCII: whatever is not becomes `\xNN`, a backslash `\\`.
///
/// Different bytes stay different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| match byte {
            b'\\' => f.write_str(r"\\"),
            b' '..=b'~' => write!(f, "{}", char::from(*byte)),
            _ => write!(f, r"\x{byte:02x}"),
        })
    }
}

/// A path on one line: control characters become `\n`, `\u{1b}` and the like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EscapedPath<'a>(pub &'a Path);

impl fmt::Display for EscapedPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.to_string_lossy();
        path.chars().try_for_each(|character| {
            if character.is_control() {
                write!(f, "{}", character.escape_default())
            } else {
                write!(f, "{character}")
            }
        })
    }
}
