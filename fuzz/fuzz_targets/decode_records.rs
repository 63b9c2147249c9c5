// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Decoders of error records, log pages and logs.
//!
//! The input is the name of a dump, a zero byte, and the dump.
#![no_main]

use std::alloc::System;

use cap::Cap;
use decode::DECODERS;
use decode::model::{FINDINGS_MAX, NODES_MAX, Node, Value};
use libfuzzer_sys::fuzz_target;

/// What decoders may hold, with what libFuzzer does.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 64 << 20);

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let name = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let bytes = parts.next().unwrap_or_default();
    for decoder in DECODERS.iter().filter(|decoder| decoder.recognises(&name, bytes)) {
        let all = decoder.decode(&name, bytes);
        let mut count = 0;
        for decoded in &all {
            assert!(decoded.findings.len() <= FINDINGS_MAX);
            assert!(decoded.findings.is_sorted_by(|one, two| one.severity >= two.severity));
            check(&decoded.nodes, bytes.len() as u64, &mut count);
        }
        assert!(count <= NODES_MAX, "{count} nodes");
    }
});

/// What has a value is inside of the dump, and siblings have different names.
fn check(nodes: &[Node], length: u64, count: &mut usize) {
    for node in nodes {
        *count += 1;
        let unknown = matches!(node.value, Some(Value::Unknown(_)));
        if let Some(place) = node.place.as_ref().filter(|_| !unknown) {
            assert!(place.start <= place.end && place.end <= length, "{}: {place:?}", node.name);
        }
        check(&node.children, length, count);
    }
    // Lists of records are numbered; only short ones are compared.
    if nodes.len() <= 64 {
        for (index, node) in nodes.iter().enumerate() {
            let same = nodes.iter().skip(index + 1).any(|other| other.name == node.name);
            assert!(!same, "{} twice", node.name);
        }
    }
}
