// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Bytes that nobody meant.

use decode::DECODERS;
use decode::model::{Decoder, FINDINGS_MAX, NODES_MAX, Node};
use proptest::prelude::*;
use synth::{cudbg, records};

/// Dumps of every format, each under the name that it is recognised by.
fn dumps() -> Vec<(&'static str, Vec<u8>)> {
    let mut dumps = records::all();
    dumps.push(("cxgb4_0000:01:00.4", cudbg::small(true)));
    dumps.push(("cxgb4_0000:01:00.4", cudbg::small(false)));
    dumps
}

fn count(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| 1 + count(&node.children)).sum()
}

/// Decodes `bytes` with every decoder, recognised or not.
fn all(name: &str, bytes: &[u8]) {
    decode(name, bytes, DECODERS.iter().copied());
}

/// Decodes `bytes` with those decoders that recognise them.
fn recognised(name: &str, bytes: &[u8]) {
    decode(name, bytes, DECODERS.iter().copied().filter(|it| it.recognises(name, bytes)));
}

/// Decodes `bytes`, and looks at what must hold.
fn decode(name: &str, bytes: &[u8], decoders: impl Iterator<Item = &'static dyn Decoder>) {
    for decoder in decoders {
        decoder.recognises(name, bytes);
        let decoded = decoder.decode(name, bytes);
        let nodes: usize = decoded.iter().map(|decoded| count(&decoded.nodes)).sum();
        assert!(nodes <= NODES_MAX, "{}: {nodes}", decoder.name());
        for decoded in &decoded {
            assert!(decoded.findings.len() <= FINDINGS_MAX);
            assert!(decoded.findings.is_sorted_by(|one, two| one.severity >= two.severity));
            places(&decoded.nodes, bytes.len() as u64);
        }
    }
}

/// What is said to be in the dump is in it.
fn places(nodes: &[Node], length: u64) {
    for node in nodes {
        if let (Some(place), Some(value)) = (&node.place, &node.value)
            && !matches!(value, decode::model::Value::Unknown(_))
        {
            assert!(place.start <= place.end && place.end <= length, "{}: {place:?}", node.name);
        }
        places(&node.children, length);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn changed_dumps(
        dump in 0..dumps().len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        length in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (name, mut bytes) = dumps().swap_remove(dump);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(length) = length {
            bytes.truncate(length.index(bytes.len()));
        }
        all(name, &bytes);
    }

    #[test]
    fn any_bytes(
        dump in 0..dumps().len(),
        bytes in prop::collection::vec(any::<u8>(), 0..4096),
    ) {
        all(dumps()[dump].0, &bytes);
    }
}

/// Large dumps give a bounded number of values.
#[test]
fn large_dumps() {
    for (name, bytes) in dumps() {
        let times = (1 << 20) / bytes.len();
        recognised(name, &bytes.repeat(times));
    }
    all("nvme-persistent", &vec![0xff; 1 << 16]);
    all("bert", &vec![1; 1 << 16]);
}
