// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Names and numbers from files and from the command line, neither of which is trusted.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use kdumpfile::Escaped;

/// The name for a file with the device dump `name`: letters, digits and what is used in
/// names of devices; all else becomes `_`, and so does a dot or a dash at the start.
pub fn file_name(name: &[u8]) -> String {
    let safe = |(at, byte): (usize, &u8)| {
        // A dash at the start is an option of many commands.
        let is_safe = byte.is_ascii_alphanumeric() || at > 0 && b".:+=@,#%-".contains(byte);
        if is_safe { char::from(*byte) } else { '_' }
    };
    let name: String = name.iter().enumerate().map(safe).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

/// Names for files of one directory.
#[derive(Debug, Default)]
pub struct FileNames {
    /// The names that were given, and how often each was asked for.
    taken: HashMap<String, u32>,
}

impl FileNames {
    /// The [`file_name`] for the device dump `name`, with a number where it is taken.
    pub fn next(&mut self, name: &[u8]) -> String {
        let name = file_name(name);
        // That all have one name must not take quadratic time.
        let mut number = self.taken.get(&name).copied().unwrap_or(0);
        let free = loop {
            number += 1;
            let free = if number == 1 { name.clone() } else { format!("{name}.{number}") };
            if number == 1 || !self.taken.contains_key(&free) {
                break free;
            }
        };
        self.taken.insert(free.clone(), 1);
        self.taken.insert(name, number);
        free
    }
}

/// Whether `wanted` is `name`, as it is or as it is shown.
pub fn is_named(name: &[u8], wanted: &OsStr) -> bool {
    name == wanted.as_bytes() || Escaped(name).to_string().as_bytes() == wanted.as_bytes()
}

/// The file and the name in `FILE` or `FILE:NAME`, of which both may have colons: the
/// shortest start that `exists`, unless all of it does.
pub fn file_and_name(argument: &OsStr, exists: impl Fn(&Path) -> bool) -> (&Path, Option<&OsStr>) {
    let all = Path::new(argument);
    if exists(all) {
        return (all, None);
    }
    let bytes = argument.as_bytes();
    let colons = bytes.iter().enumerate().filter(|(_, byte)| **byte == b':');
    let mut parts = colons.filter_map(|(at, _)| split_around(bytes, at));
    let part = parts.find(|(file, _)| exists(Path::new(OsStr::from_bytes(file))));
    part.map_or((all, None), |(file, name)| {
        (Path::new(OsStr::from_bytes(file)), Some(OsStr::from_bytes(name)))
    })
}

/// The name and the path in `NAME=BLOB`; `None` without `=`.
pub fn name_and_blob(argument: &OsStr) -> Option<(&[u8], &Path)> {
    let bytes = argument.as_bytes();
    let equals = bytes.iter().position(|byte| *byte == b'=')?;
    let (name, blob) = split_around(bytes, equals)?;
    Some((name, Path::new(OsStr::from_bytes(blob))))
}

/// What comes before and after the byte at `at`.
fn split_around(bytes: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    let (before, from) = bytes.split_at_checked(at)?;
    Some((before, from.get(1..)?))
}

/// A number of bytes: decimal, or hexadecimal after `0x`.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    // The library's function takes a sign.
    match u64::from_str_radix(digits, radix) {
        Ok(number) if !digits.starts_with('+') => Ok(number),
        Ok(_) => Err("invalid digit found in string".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A number of seconds, more than 0.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) => Err("expected more than 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_safe_for_files() {
        for (name, expected) in [
            (&b"cxgb4_0000:02:00.4"[..], "cxgb4_0000:02:00.4"),
            (b"nic0#2", "nic0#2"),
            (b"../../etc/passwd", "_._.._etc_passwd"),
            (b".hidden", "_hidden"),
            (b"-rf", "_rf"),
            (b"~root", "_root"),
            (b"a b\n\x1b[2J", "a_b___2J"),
            (b"\xff\xfe", "__"),
            (b"..", "_."),
            (b"", "unnamed"),
        ] {
            assert_eq!(file_name(name), expected);
        }
    }

    #[test]
    fn names_of_files_are_taken_once() {
        let mut names = FileNames::default();
        let given = ["a", "a.2", "a", "a", "", "unnamed"].map(|name| names.next(name.as_bytes()));
        assert_eq!(given, ["a", "a.2", "a.3", "a.4", "unnamed", "unnamed.2"]);
        let many: HashSet<_> = (0..50_000).map(|_| names.next(b"a")).collect();
        assert_eq!(many.len(), 50_000);
    }

    #[test]
    fn files_and_names_may_have_colons() {
        let there = ["dump:a", "dump", "x:y:z"];
        let exists = |path: &Path| there.iter().any(|name| path == Path::new(name));
        for (argument, file, name) in [
            ("dump", "dump", None),
            ("dump:a", "dump:a", None),
            ("dump:a:b", "dump", Some("a:b")),
            ("dump:", "dump", Some("")),
            ("x:y:z:0", "x:y:z", Some("0")),
            ("gone:a", "gone:a", None),
            (":", ":", None),
        ] {
            let expected = (Path::new(file), name.map(OsStr::new));
            assert_eq!(file_and_name(OsStr::new(argument), exists), expected);
        }
    }

    #[test]
    fn blobs_may_have_equals_signs() {
        let parts = |argument| name_and_blob(OsStr::new(argument));
        assert_eq!(parts("nic0=a=b"), Some((&b"nic0"[..], Path::new("a=b"))));
        assert_eq!(parts("="), Some((&b""[..], Path::new(""))));
        assert_eq!(parts("nic0"), None);
    }

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        assert_eq!((bytes("16"), bytes("0x16")), (Ok(16), Ok(22)));
        assert_eq!(bytes("18446744073709551615"), Ok(u64::MAX));
        for wrong in ["", "0x", "-1", "18446744073709551616", "1k", "0x+1"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
