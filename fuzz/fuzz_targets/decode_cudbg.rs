// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Entities of what cxgb4 collects.
//!
//! The input is the version of a chip, the number of an entity, and the entity, which is put
//! into a collection, not compressed: compressed ones are in `decode_records`.
#![no_main]

mod decoded;

use std::alloc::System;

use cap::Cap;
use decode::cudbg::Cudbg;
use decode::model::Decoder;
use libfuzzer_sys::fuzz_target;
use synth::cudbg::Collection;

/// What decoders may hold, with what libFuzzer does.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 64 << 20);

fuzz_target!(|input: &[u8]| {
    let [chip, number, content @ ..] = input else { return };
    let number = u32::from(*number % 72) + 1;
    let bytes = Collection::new(*chip, false).entity(number, content).finished(0);
    decoded::check(&Cudbg.decode("cxgb4_0000:01:00.4", &bytes), bytes.len());
});
