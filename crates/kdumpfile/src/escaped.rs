// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Names that others chose and errors of the system, made fit for a terminal.

use std::error::Error;
use std::fmt::{self, Write};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
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

/// A path, as [`Escaped`] has names, but for what is readable in other scripts: bytes that
/// are not UTF-8, control characters and what reverses the direction of text become
/// `\xNN`, a backslash `\\`.
///
/// Different paths stay different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EscapedPath<'a>(pub &'a Path);

impl fmt::Display for EscapedPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |f: &mut fmt::Formatter<'_>, bytes: &[u8]| {
            bytes.iter().try_for_each(|byte| write!(f, r"\x{byte:02x}"))
        };
        self.0.as_os_str().as_bytes().utf8_chunks().try_for_each(|chunk| {
            for character in chunk.valid().chars() {
                match character {
                    '\\' => f.write_str(r"\\")?,
                    _ if is_invisible(character) => {
                        escaped(f, character.encode_utf8(&mut [0; 4]).as_bytes())?;
                    }
                    _ => f.write_char(character)?,
                }
            }
            escaped(f, chunk.invalid())
        })
    }
}

/// Whether it can change how the rest of a line looks: a control character, a separator
/// of lines, or a mark of direction.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || character.is_control()
}

/// Why something failed, in the system's words: those of `strerror`, without the number
/// that Rust adds, and without what a library adds around it.
#[derive(Debug, Clone, Copy)]
pub struct Strerror<'a>(pub &'a io::Error);

impl fmt::Display for Strerror<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        let mut source = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
        while let Some(inner) = source {
            if let Some(inner) = inner.downcast_ref::<io::Error>() {
                return Strerror(inner).fmt(f);
            }
            source = inner.source();
        }
        if let Some(number) = error.raw_os_error() {
            let text = error.to_string();
            let suffix = format!(" (os error {number})");
            return f.write_str(text.strip_suffix(&suffix).unwrap_or(&text));
        }
        // A kind alone has words of Rust's own.
        let words = match error.kind() {
            _ if error.get_ref().is_some() => return error.fmt(f),
            ErrorKind::NotFound => "No such file or directory",
            ErrorKind::PermissionDenied => "Permission denied",
            ErrorKind::AlreadyExists => "File exists",
            ErrorKind::NotADirectory => "Not a directory",
            ErrorKind::IsADirectory => "Is a directory",
            ErrorKind::ReadOnlyFilesystem => "Read-only file system",
            ErrorKind::StorageFull => "No space left on device",
            ErrorKind::QuotaExceeded => "Disk quota exceeded",
            ErrorKind::FileTooLarge => "File too large",
            ErrorKind::InvalidFilename => "File name too long",
            ErrorKind::BrokenPipe => "Broken pipe",
            _ => return error.fmt(f),
        };
        f.write_str(words)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn different_paths_stay_different_and_on_one_line() {
        for (path, expected) in [
            (&b"/var/crash/dump.1"[..], "/var/crash/dump.1"),
            (b"a\xffb", r"a\xffb"),
            (br"a\xffb", r"a\\xffb"),
            (b"\x1b[2J\n", r"\x1b[2J\x0a"),
            ("Gr\u{fc}\u{df}e".as_bytes(), "Gr\u{fc}\u{df}e"),
            ("a\u{202e}b".as_bytes(), r"a\xe2\x80\xaeb"),
            ("\u{85}".as_bytes(), r"\xc2\x85"),
            (b"\xe2\x80", r"\xe2\x80"),
        ] {
            assert_eq!(EscapedPath(Path::new(OsStr::from_bytes(path))).to_string(), expected);
        }
    }

    #[test]
    fn the_system_says_why() {
        let of_system = io::Error::from_raw_os_error(21);
        let inside = io::Error::new(of_system.kind(), Wrapped(io::Error::from_raw_os_error(2)));
        for (error, expected) in [
            (of_system, "Is a directory"),
            (ErrorKind::IsADirectory.into(), "Is a directory"),
            (inside, "No such file or directory"),
            (io::Error::other("in its own words"), "in its own words"),
        ] {
            assert_eq!(Strerror(&error).to_string(), expected);
        }
    }

    /// As libraries wrap what the system said.
    #[derive(Debug, thiserror::Error)]
    #[error("at a path that nobody asked for")]
    struct Wrapped(#[source] io::Error);
}
