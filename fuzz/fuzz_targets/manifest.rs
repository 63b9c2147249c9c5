// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The text of a manifest, which may say anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vmcore::manifest::split;

fuzz_target!(|text: &[u8]| {
    let (head, records) = split(text);
    // Each line that starts a record does so, once.
    let starts = text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"NAME="));
    assert_eq!(records.clone().count(), starts.clone().count());
    assert!(head.get("NAME").is_none());
    for (record, line) in records.zip(starts) {
        assert_eq!(record.get("NAME"), line.strip_prefix(b"NAME="));
        for key in ["LENGTH", "STORED", "DECLARED", "MILLISECONDS"] {
            let Some(number) = record.number(key) else { continue };
            let value = record.get(key).expect("it has a number");
            let digits = value.iter().skip_while(|digit| **digit == b'0');
            assert!(digits.copied().eq(decimal(number)), "{value:?} is not {number}");
        }
        if let Some(crc) = record.crc32c() {
            let value = record.get("CRC32C").expect("it has a number");
            let text = std::str::from_utf8(value).expect("digits");
            assert_eq!(u64::from_str_radix(text, 16).ok(), Some(crc.into()));
        }
    }
});

/// The digits of `number`; none of zero.
fn decimal(number: u64) -> impl Iterator<Item = u8> {
    let digits = if number == 0 { String::new() } else { number.to_string() };
    digits.into_bytes().into_iter()
}
