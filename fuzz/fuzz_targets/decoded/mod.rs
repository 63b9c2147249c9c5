// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What holds for whatever is decoded.

use decode::model::{Decoded, FINDINGS_MAX, NODES_MAX, Node, Value};
use decode::syndrome::Syndrome;

/// How long a syndrome of one decoder is at most, in bytes: 64 names of 80 bytes, with values.
/// One dump has those of the decoder, and of configuration space.
const SYNDROME_MAX: usize = 2 * 64 * 110;

/// Checks what was decoded of a dump of `length` bytes.
pub fn check(all: &[Decoded], length: usize) {
    let mut count = 0;
    let mut syndrome = Syndrome::default();
    for decoded in all {
        syndrome.add(decoded);
        assert!(decoded.findings.len() <= FINDINGS_MAX);
        assert!(decoded.findings.is_sorted_by(|one, two| one.severity >= two.severity));
        nodes(&decoded.nodes, length as u64, &mut count);
    }
    assert!(count <= NODES_MAX, "{count} nodes");
    // It is shown beside names of devices, and in reports of many machines.
    for text in [syndrome.coarse(), syndrome.fine()] {
        assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{text:?}");
        assert!(text.len() <= SYNDROME_MAX, "{} bytes", text.len());
    }
}

/// What has a value is inside of the dump, and siblings have different names.
fn nodes(nodes: &[Node], length: u64, count: &mut usize) {
    for node in nodes {
        *count += 1;
        let unknown = matches!(node.value, Some(Value::Unknown(_)));
        if let Some(place) = node.place.as_ref().filter(|_| !unknown) {
            assert!(place.start <= place.end && place.end <= length, "{}: {place:?}", node.name);
        }
        self::nodes(&node.children, length, count);
    }
    // Lists of records are numbered; only short ones are compared.
    if nodes.len() <= 64 {
        for (index, node) in nodes.iter().enumerate() {
            let same = nodes.iter().skip(index + 1).any(|other| other.name == node.name);
            assert!(!same, "{} twice", node.name);
        }
    }
}
