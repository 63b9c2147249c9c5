// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is asked of a file before it is parsed as KDL.
//!
//! The parser calls itself for each level of braces, and for each sign of a block comment,
//! so that a file of a megabyte could use up the stack. What nests deeper than any profile
//! is refused here, and so are block comments, which no profile needs.

use std::ops::Range;

/// How large a profile is at most, in bytes.
pub const SIZE_MAX: usize = 1 << 20;
/// How deep its braces nest at most: a value of a field of a register of a block is four
/// deep.
const DEPTH_MAX: usize = 8;

/// Where and why the parser is not asked, if so.
pub(crate) fn refused(text: &str) -> Option<(Range<usize>, String)> {
    if text.len() > SIZE_MAX {
        let what = format!(
            "the file is too large, expected {SIZE_MAX} bytes at most, found {}",
            text.len()
        );
        return Some((0..0, what));
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut depth = 0_usize;
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        at += match byte {
            b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    let what =
                        format!("braces nest too deeply, expected {DEPTH_MAX} at most, found more");
                    return Some((at..at + 1, what));
                }
                1
            }
            b'}' => {
                depth = depth.saturating_sub(1);
                1
            }
            b'(' => {
                return Some((at..at + 1, "expected no type annotation, found (".to_owned()));
            }
            b'/' if rest.starts_with(b"/*") => {
                let what = "expected a comment after //, found /*";
                return Some((at..at + 2, what.to_owned()));
            }
            b'/' if rest.starts_with(b"/-") => {
                let what = "expected a comment after //, found /-";
                return Some((at..at + 2, what.to_owned()));
            }
            b'/' if rest.starts_with(b"//") => until(rest, b"\n"),
            b'#' => hashes(rest),
            b'"' => match string(rest) {
                Some(length) => length,
                None => {
                    return Some((at..at + 1, "expected a \" that ends the text".to_owned()));
                }
            },
            _ => 1,
        };
    }
    None
}

/// How long `text` is up to and with `end`.
fn until(text: &[u8], end: &[u8]) -> usize {
    let found = text.windows(end.len()).position(|window| window == end);
    found.map_or(text.len(), |at| at + end.len())
}

/// The length of the string at the start of `text`, which starts with a quote.
fn string(text: &[u8]) -> Option<usize> {
    let multiline = text.starts_with(b"\"\"\"");
    let end: &[u8] = if multiline { b"\"\"\"" } else { b"\"" };
    let mut at = end.len();
    loop {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        if rest.starts_with(end) {
            return Some(at + end.len());
        }
        // A line of its own has no end in most profiles: what follows is not text.
        if !multiline && rest.starts_with(b"\n") {
            return None;
        }
        at += if rest.starts_with(b"\\") { 2 } else { 1 };
    }
}

/// The length of the raw string at the start of `text`, or of the signs there if none is.
fn hashes(text: &[u8]) -> usize {
    let hashes = text.iter().take_while(|byte| **byte == b'#').count();
    let quote: &[u8] = match text.get(hashes..) {
        Some([b'"', b'"', b'"', ..]) => b"\"\"\"",
        Some([b'"', ..]) => b"\"",
        _ => return hashes,
    };
    let end = [quote, &vec![b'#'; hashes]].concat();
    let start = hashes + quote.len();
    start + until(text.get(start..).unwrap_or_default(), &end)
}
