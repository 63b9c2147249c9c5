// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the command makes of names, of device dumps and on the command line.
#![no_main]

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use kdumpfile::Escaped;
use libfuzzer_sys::fuzz_target;

#[path = "../../crates/vmcoredd/src/names.rs"]
#[allow(missing_docs)]
mod names;

use names::FileNames;

fuzz_target!(|input: &[u8]| {
    // No name, path or argument has a NUL in it: what is between them is what was given
    // on the command line, a number, the files that there are, nothing, and the names of
    // the device dumps of one file.
    let mut parts = input.split(|byte| *byte == 0);
    let argument = parts.next().unwrap_or_default();
    let text = std::str::from_utf8(parts.next().unwrap_or_default()).unwrap_or_default();
    let files: Vec<&[u8]> = parts.by_ref().take_while(|file| !file.is_empty()).collect();
    let mut file_names = FileNames::default();
    let mut given = HashSet::new();
    for name in parts {
        // As long as a note's field at most.
        let name = &name[..name.len().min(44)];
        let file = file_names.next(name);
        check_file_name(&file);
        assert!(given.insert(file.clone()), "{file} is given twice");
        let shown = Escaped(name).to_string();
        assert!(shown.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{shown:?}");
        for wanted in [name, shown.as_bytes()] {
            assert!(names::is_named(name, OsStr::from_bytes(wanted)));
        }
    }

    let given = OsStr::from_bytes(argument);
    let exists = |path: &Path| files.contains(&path.as_os_str().as_bytes());
    match names::file_and_name(given, exists) {
        (file, None) => assert_eq!(file.as_os_str(), given),
        (file, Some(name)) => {
            assert!(exists(file) && !exists(Path::new(given)));
            let parts = [file.as_os_str().as_bytes(), name.as_bytes()];
            assert_eq!(parts.join(&b':'), argument);
        }
    }
    match names::name_and_blob(given) {
        Some((name, blob)) => {
            assert!(!name.contains(&b'='));
            assert_eq!([name, blob.as_os_str().as_bytes()].join(&b'='), argument);
        }
        None => assert!(!argument.contains(&b'=')),
    }
    match names::bytes(text) {
        Ok(number) if text.starts_with("0x") => {
            let digits = text[2..].trim_start_matches('0').to_lowercase();
            let expected = if number == 0 { String::new() } else { format!("{number:x}") };
            assert_eq!(digits, expected);
        }
        Ok(number) => {
            let digits = text.trim_start_matches('0');
            let expected = if number == 0 { String::new() } else { number.to_string() };
            assert_eq!(digits, expected);
        }
        Err(message) => assert!(!message.is_empty()),
    }
});

/// It is one file of a directory, not hidden, and no option of a command.
fn check_file_name(name: &str) {
    let components: Vec<_> = Path::new(name).components().collect();
    assert!(matches!(components[..], [Component::Normal(_)]), "{name:?}");
    assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'), "{name:?}");
    assert!(!name.starts_with(['.', '-', '~']) && name.len() <= 64, "{name:?}");
}
