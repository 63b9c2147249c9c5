// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Signatures of panics, of any log.
#![no_main]

use std::alloc::System;

use cap::Cap;
use crash_id::Signature;
use libfuzzer_sys::fuzz_target;

/// What is held of a log, with what libFuzzer does: not the log again.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 64 << 20);

fuzz_target!(|input: &[u8]| {
    let log = String::from_utf8_lossy(input);
    let Some(signature) = Signature::of_log(log.lines()) else { return };
    let (fine, coarse) = (signature.fine(), signature.coarse());
    for text in [&fine, &coarse] {
        assert!(text.starts_with(signature.class()) && text.len() <= 700, "{text}");
        let is_fit = |byte: u8| (0x20..0x7f).contains(&byte) && !b"<>&\"'".contains(&byte);
        assert!(text.bytes().all(is_fit), "{text}");
    }
    // It is no other for what `dmesg` prints before each line.
    let with_times = log.lines().map(|line| format!("[   12.345678] {line}"));
    let with_times: Vec<_> = with_times.collect();
    let again = Signature::of_log(with_times.iter().map(String::as_str));
    // Of a long line, less is seen; and a bracket may be taken for a time.
    let is_other = log.contains(['[', '<']) || log.lines().any(|line| line.len() > 1000);
    assert!(is_other || again.as_ref() == Some(&signature), "{again:?}");
});
