// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What the dumps of the test module `racer` hold: it follows from their name and
//! length. `tests/modules/racer/racer.c` makes the same bytes.

/// What has content of one kind at least, in bytes.
const PAGE: u64 = 4096;

/// From this length on, a dump starts with its serial number.
const SERIAL_LENGTH: usize = 16;
const CHUNK_SIZE: usize = 65536;

const ZEROS: u64 = 0;
const RANDOM: u64 = 1;
const MIXED: u64 = 3;

/// What is wrong with a dump's payload; `None` when nothing is. `expected` is
/// memory to be used.
pub fn fault(name: &str, payload: &[u8], expected: &mut Vec<u8>) -> Option<String> {
    let serial = serial(payload);
    let base = name.split('#').next().unwrap_or(name);
    let in_name = base.strip_prefix("racer-").and_then(|number| number.parse().ok());
    if let (Some(serial), Some(in_name)) = (serial, in_name)
        && serial != in_name
    {
        return Some(format!("has number {serial:#x} in it"));
    }
    expected.clear();
    expected.resize(payload.len(), 0);
    fill(base, serial, expected);
    let at = payload.iter().zip(&*expected).position(|(byte, expected)| byte != expected)?;
    Some(format!("has {:#04x} where {:#04x} belongs, at {at:#x} of it", payload[at], expected[at]))
}

/// The serial number in a payload that is long enough for one.
pub fn serial(payload: &[u8]) -> Option<u64> {
    let (number, rest) = payload.split_first_chunk()?;
    (rest.len() >= SERIAL_LENGTH - number.len()).then(|| u64::from_le_bytes(*number))
}

pub fn fill(base: &str, serial: Option<u64>, to: &mut [u8]) {
    let seed = seed(base, to.len(), serial.unwrap_or(0));
    for (index, page) in to.chunks_mut(PAGE as usize).enumerate() {
        let at = index as u64 * PAGE;
        match kind(seed, at) {
            ZEROS => page.fill(0),
            RANDOM => put_random(page, mix(seed ^ at)),
            _ => put_table(page, mix(seed ^ at)),
        }
    }
    if let Some(serial) = serial {
        to[..8].copy_from_slice(&serial.to_le_bytes());
    }
}

/// The last steps of splitmix64.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// FNV-1a of the name, with all else in which dumps differ.
fn seed(base: &str, length: usize, serial: u64) -> u64 {
    let hash = base.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    mix(mix(hash ^ length as u64) ^ serial)
}

/// A chunk is of one kind, or its pages are of several.
fn kind(seed: u64, at: u64) -> u64 {
    match mix(seed.wrapping_add(at / CHUNK_SIZE as u64)) & 3 {
        MIXED => mix((!seed).wrapping_add(at / PAGE)) & 3,
        kind => kind,
    }
}

/// xorshift64
fn put_random(to: &mut [u8], mut state: u64) {
    for word in to.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
    }
}

/// A table with one column that counts, and three that do not.
fn put_table(to: &mut [u8], start: u64) {
    for (index, word) in to.chunks_mut(8).enumerate() {
        let count = if index % 4 == 0 { index as u64 * 8 } else { 0 };
        word.copy_from_slice(&start.wrapping_add(count).to_le_bytes()[..word.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `fill()` of `racer.c` gives them, compiled for a host.
    #[test]
    fn is_what_the_module_writes() {
        let expected = [
            ("racer-7", None, 1, 0x527d_5351),
            ("racer-9", Some(9), 100, 0x97fe_8c70),
            ("shared-2", Some(513), 70_000, 0x5189_4bc6),
            ("racer-1234", Some(1234), 300_000, 0x34e7_8584),
        ];
        for (name, serial, length, checksum) in expected {
            let mut bytes = vec![0xff; length];
            fill(name, serial, &mut bytes);
            assert_eq!(crc32c::crc32c(&bytes), checksum, "{name}");
            assert_eq!(super::serial(&bytes), serial);
        }
    }

    #[test]
    fn faults_are_named() {
        let mut memory = Vec::new();
        let mut bytes = vec![0; 100];
        fill("shared-1", Some(77), &mut bytes);
        assert_eq!(fault("shared-1", &bytes, &mut memory), None);
        assert_eq!(fault("shared-1#12", &bytes, &mut memory), None);
        let other_name = fault("shared-2", &bytes, &mut memory).unwrap();
        assert!(other_name.contains("belongs, at 0x"), "{other_name}");
        bytes[99] ^= 1;
        let changed = fault("shared-1", &bytes, &mut memory).unwrap();
        assert!(changed.ends_with("belongs, at 0x63 of it"), "{changed}");
        let other_number = fault("racer-78", &bytes, &mut memory).unwrap();
        assert_eq!(other_number, "has number 0x4d in it");
    }
}
