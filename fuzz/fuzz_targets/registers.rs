// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Register dumps, which may say anything: as they are, and after a header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plan::dump::{self, Damage, Record, Records, padding};

fuzz_target!(|data: &[u8]| {
    check(data);
    check(&[&dump::header(), data].concat());
});

fn check(data: &[u8]) {
    let Ok(records) = Records::new(data) else { return };
    let header = usize::from(u16::from_le_bytes([data[10], data[11]]));
    let mut next = header;
    for record in records {
        let (at, record) = match record {
            Ok(found) => found,
            Err(Damage::Cut(at, end)) => {
                assert_eq!((at, end), (next, data.len()));
                let length = data.get(at + 4..).and_then(|bytes| bytes.first_chunk());
                let length = length.map_or(0, |length| u32::from_le_bytes(*length) as usize);
                assert!(at + 8 + length > data.len(), "all of it is there");
                return;
            }
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(at, next);
        let kind = u16::from_le_bytes([data[at], data[at + 1]]);
        let length = u32::from_le_bytes(*data[at + 4..].first_chunk().expect("a length")) as usize;
        let body = &data[at + 8..][..length];
        next = at + 8 + length.next_multiple_of(8);
        // What it says, written again, is the same.
        let again = match record {
            Record::Device(device) => {
                assert_eq!(kind, 1);
                device.record().to_vec()
            }
            Record::Segment(segment, bytes) => {
                assert_eq!((kind, bytes), (2, &body[24..]));
                [&segment.head(bytes.len())[..], bytes, padding(24 + bytes.len())].concat()
            }
            Record::End(end) => {
                assert_eq!(kind, 3);
                end.record().to_vec()
            }
            Record::Unknown(found) => {
                assert_eq!(found, kind);
                continue;
            }
        };
        let again = [&dump::header(), &again[..]].concat();
        let again: Vec<_> = Records::new(&again).expect("a header").collect();
        assert_eq!(again, [Ok((16, record))]);
    }
    assert!(next >= data.len(), "it ended early");
}
