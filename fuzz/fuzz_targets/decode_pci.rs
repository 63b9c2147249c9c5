// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Configuration spaces, which may hold anything: as a dump, and as the space of a function.
#![no_main]

use std::alloc::System;

use cap::Cap;
use decode::model::{NODES_MAX, Node};
use decode::{decode, pci};
use libfuzzer_sys::fuzz_target;
use profile::Library;
use synth::configs;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 64 << 20);

fuzz_target!(|data: &[u8]| {
    check(data);
    let space = &data[..data.len().min(4096)];
    check(configs([(0, 0xe0, space), (1, 0, space)]).bytes());
});

fn check(dump: &[u8]) {
    for decoded in decode("pci-config", dump, &mut Library::empty()) {
        assert!(decoded.findings.is_sorted_by_key(|found| std::cmp::Reverse(found.severity)));
        let nodes = decoded.nodes.iter().map(|node| count(node, dump)).sum::<usize>();
        assert!(nodes <= NODES_MAX);
    }
    assert!(pci::lspci(dump).is_ascii());
}

/// How many nodes there are; each has its place in the dump.
fn count(node: &Node, dump: &[u8]) -> usize {
    assert!(node.place.as_ref().is_none_or(|place| place.end <= dump.len() as u64));
    1 + node.children.iter().map(|child| count(child, dump)).sum::<usize>()
}
