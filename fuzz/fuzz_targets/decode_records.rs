// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Decoders of error records, log pages and logs.
//!
//! The input is the name of a dump, a zero byte, and the dump.
#![no_main]

mod decoded;

use std::alloc::System;

use cap::Cap;
use decode::DECODERS;
use libfuzzer_sys::fuzz_target;

/// What decoders may hold, with what libFuzzer does.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 64 << 20);

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let name = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let bytes = parts.next().unwrap_or_default();
    for decoder in DECODERS.iter().filter(|decoder| decoder.recognises(&name, bytes)) {
        decoded::check(&decoder.decode(&name, bytes), bytes.len());
    }
});
