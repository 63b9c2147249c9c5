// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Changed dumps of every format through every decoder, as the command decodes them: no
//! panic, no hang, and no more than 64 MiB of memory. A few in each run of the tests; a
//! million by `make million`.

use std::alloc::System;
use std::time::{Duration, Instant};

use cap::Cap;
use decode::model::{FINDINGS_MAX, NODES_MAX, Node};
use profile::Library;
use synth::cudbg::Collection;
use synth::{Config, RegisterDevice, RegisterSpace, Registers, configs, records};

/// What all of this may allocate at a time, in bytes. An allocation beyond it fails, which
/// ends the test.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 64 << 20);

/// How long one dump may take. They are decoded in well below a millisecond; the first of a
/// profile has it compiled, and the machine may be busy.
const LIMIT: Duration = Duration::from_secs(10);

/// Numbers that look random and are the same in each run (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// A function of this kind (PCI Express 7.5.3.2) that has all capabilities.
fn function(kind: u8, numbers: &mut Numbers) -> Vec<u8> {
    let layout = u8::from(matches!(kind, 4..=6));
    let mut config = Config::new(layout, 0x0200).put(4, &numbers.bytes(4)).put(6, &[0x10]);
    let mut express = numbers.bytes(0x3a);
    express[0] = kind << 4 | 2;
    for (id, body) in [
        (1, numbers.bytes(6)),
        (5, numbers.bytes(0x16)),
        (0x11, numbers.bytes(10)),
        (0x10, express),
        (9, numbers.bytes(6)),
    ] {
        config = config.capability(id, &body);
    }
    let cxl = [&[0x98, 0x1e, 0x81, 0x03, 0, 0][..], &numbers.bytes(0x2e)].concat();
    for (id, length) in [
        (1, 0x44),
        (2, 0x1c),
        (3, 8),
        (0x0b, 16),
        (0x0d, 8),
        (0x0e, 4),
        (0x0f, 4),
        (0x10, 0x3c),
        (0x13, 12),
        (0x18, 4),
        (0x19, 0x4c),
        (0x1b, 4),
        (0x1d, 0x3c),
        (0x1e, 12),
        (0x1f, 8),
        (0x25, 8),
        (0x26, 0x1c),
        (0x27, 0x84),
        (0x2a, 0x20),
        (0x2e, 0x14),
    ] {
        config = config.extended(id, &numbers.bytes(length)).0;
    }
    config.extended(0x23, &cxl).0.bytes
}

/// The registers of a device that this built-in profile reads of BAR 0.
fn registers(profile: &str, length: usize, numbers: &mut Numbers) -> Vec<u8> {
    let config = Config::new(0, 0x0200).bytes;
    Registers::new()
        .device(&RegisterDevice::pci(profile, 1, [0; 32]))
        .read(RegisterSpace::Config, 0, 0, &config[..256])
        .read(RegisterSpace::Bar, 0, 0, &numbers.bytes(length))
        .unread(RegisterSpace::Bar, 0, 0x10_0000, 64, 1)
        .end(0, 0)
        .bytes()
        .to_vec()
}

/// What cxgb4 collects: all entities, with whatever is in them.
fn cudbg(compressed: bool, numbers: &mut Numbers) -> Vec<u8> {
    // A T6, by its generation and revision.
    let empty = Collection::new(0x61, compressed);
    (1..=53).fold(empty, |made, entity| made.entity(entity, &numbers.bytes(0x400))).finished(0)
}

/// Dumps of every format, each under a name that it has.
fn dumps(numbers: &mut Numbers) -> Vec<(&'static str, Vec<u8>)> {
    let kinds: Vec<_> = [0, 4, 5, 6, 9].map(|kind| function(kind, numbers)).into();
    let one = |at: usize| configs([(0, 0, &kinds[at][..])]).bytes().to_vec();
    let two = [(0, 0xe0, &kinds[1][..]), (1, 0, &kinds[0][..])];
    let mut dumps = records::all();
    dumps.extend([
        ("cxgb4_0000:01:00.4", cudbg(true, numbers)),
        ("cxgb4_0000:01:00.4", cudbg(false, numbers)),
        ("pci-config", configs(two).bytes().to_vec()),
        ("pci-config", one(2)),
        ("pci-config", one(3)),
        ("pci-config", one(4)),
    ]);
    for (profile, length) in [("nvme", 0x1000), ("ahci", 0x400), ("xhci", 0x800), ("mlx5", 0x2000)]
    {
        dumps.push(("regs_0000:01:03.0", registers(profile, length, numbers)));
    }
    dumps.push(("e1000e_0000:01:03.0", numbers.bytes(0x5b60)));
    dumps
}

/// How many nodes there are. What is said to be in the dump is in it.
fn count(nodes: &[Node], length: u64) -> usize {
    let of = |node: &Node| {
        if let (Some(place), Some(value)) = (&node.place, &node.value)
            && !matches!(value, decode::model::Value::Unknown(_))
        {
            assert!(place.start <= place.end && place.end <= length, "{}: {place:?}", node.name);
        }
        1 + count(&node.children, length)
    };
    nodes.iter().map(of).sum()
}

/// Decodes `rounds` dumps, each changed in a few bytes, or cut, as the numbers from `seed` on
/// say.
fn decode_changed(rounds: usize, seed: u64) {
    let mut numbers = Numbers(seed);
    let dumps = dumps(&mut numbers);
    let mut library = Library::with_built_in([]);
    const EDGES: [u8; 6] = [0, 1, 0x7f, 0x80, 0xfe, 0xff];
    let mut decoded_ones = vec![0; dumps.len()];
    for round in 0..rounds {
        let number = round % dumps.len();
        let (name, bytes) = &dumps[number];
        let mut bytes = bytes.clone();
        for _ in 0..1 + numbers.next() % 6 {
            let at = numbers.next() % bytes.len();
            let edge = EDGES[numbers.next() % 6];
            bytes[at] = if numbers.next().is_multiple_of(2) { numbers.next() as u8 } else { edge };
        }
        if numbers.next().is_multiple_of(4) {
            bytes.truncate(numbers.next() % bytes.len());
        }
        let start = Instant::now();
        for decoded in decode::decode(name, &bytes, &mut library) {
            assert!(count(&decoded.nodes, bytes.len() as u64) <= NODES_MAX, "{name}");
            assert!(decoded.findings.len() <= FINDINGS_MAX, "{name}");
            assert!(decoded.findings.is_sorted_by(|one, two| one.severity >= two.severity));
            decoded_ones[number] +=
                usize::from(!decoded.nodes.is_empty() || !decoded.findings.is_empty());
        }
        assert!(start.elapsed() < LIMIT, "{name}, round {round}: {:?}", start.elapsed());
    }
    // Most are still what they were: the decoders have been at work.
    for (number, (name, _)) in dumps.iter().enumerate() {
        let least = rounds / dumps.len() / 4;
        assert!(decoded_ones[number] > least, "{number}, {name}: {}", decoded_ones[number]);
    }
    println!("{rounds} dumps, at most {} KiB of memory", ALLOCATOR.max_allocated() >> 10);
}

#[test]
fn changed_dumps_are_decoded() {
    decode_changed(4_000, 0x9e37_79b9_7f4a_7c15);
}

#[test]
#[ignore = "takes minutes: make million"]
fn a_million_changed_dumps_are_decoded() {
    // Both together stay below the limit.
    std::thread::scope(|scope| {
        scope.spawn(|| decode_changed(500_000, 0x9e37_79b9_7f4a_7c15));
        scope.spawn(|| decode_changed(500_000, 0xd1b5_4a32_d192_ed03));
    });
}
