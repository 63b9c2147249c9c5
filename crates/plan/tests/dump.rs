// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The records of a dump, whose bytes are made by hand.

use plan::dump::{
    self, Damage, Device, End, Outcome, Reason, Record, Records, Segment, Status, padding,
};
use plan::place::{Place, Space, Width};
use plan::plan::Kind;
use proptest::prelude::*;

const HEADER: &[u8] = b"VMCDREGS\x01\x00\x10\x00\0\0\0\0";

fn record(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend([0, 0]);
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn device_body() -> Vec<u8> {
    let mut body = vec![1, 0, 3, 5, 0x78, 0x56, 0x34, 0x12, 0xab, 0xcd, 0xef, 0];
    body.extend([0x86, 0x80, 0xd3, 0x10, 0x28, 0x10, 0x00, 0x06, 0x02, 0x00, 0x02, 0x00]);
    body.extend([1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 0]);
    body.extend([0xd1; 32]);
    body.extend(b"e1000e\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    body.extend(b"vfio-pci\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(body.len(), 136);
    body
}

fn padded(name: &[u8]) -> [u8; 32] {
    let mut field = [0; 32];
    field[..name.len()].copy_from_slice(name);
    field
}

fn device() -> Device {
    Device {
        kind: Kind::Pci,
        power: 3,
        bound: true,
        link_down: false,
        no_decode: true,
        domain: 0x1234_5678,
        bus: 0xab,
        devfn: 0xcd,
        revision: 0xef,
        vendor: 0x8086,
        device: 0x10d3,
        sub_vendor: 0x1028,
        sub_device: 0x0600,
        class: 0x02_0002,
        address: 0x0807_0605_0403_0201,
        profile_version: 9,
        digest: [0xd1; 32],
        profile: padded(b"e1000e"),
        driver: padded(b"vfio-pci"),
    }
}

/// 64 bits at once of BAR 4 from 0x1000 on, big-endian, its driver had it; 12 wanted.
const SEGMENT: [u8; 24] =
    [2, 4, 8, 3, 1, 77, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0x80, 12, 0, 0, 0, 0, 0, 0, 0];

fn segment() -> Segment {
    Segment {
        space: Space::Bar,
        index: 4,
        width: Width::W64,
        big: true,
        bound: true,
        status: Status::NoAnswer,
        block: 77,
        offset: 0x8000_0000_0000_1000,
        wanted: 12,
    }
}

const END: [u8; 8] = [1, 5, 0, 0, 7, 0, 0, 0];

fn end() -> End {
    End { outcome: Outcome::Partial, reason: Reason::Stopped, segments: 7 }
}

fn all(bytes: &[u8]) -> Vec<Result<(usize, Record<'_>), Damage>> {
    // One that does not end is one of too many.
    Records::new(bytes).expect("it is a dump").take(100).collect()
}

#[test]
fn records_have_their_bytes() {
    assert_eq!(dump::header(), HEADER);
    assert_eq!(device().record()[..], record(1, &device_body()));
    let registers = [1, 2, 3, 4, 5];
    let body = [&SEGMENT[..], &registers].concat();
    let written = [&segment().head(5)[..], &registers, padding(24 + 5)].concat();
    assert_eq!(written, record(2, &body));
    assert_eq!(end().record()[..], record(3, &END));
    let flags = |bound, link_down, no_decode| Device { bound, link_down, no_decode, ..device() };
    for (flags, byte) in [
        (flags(false, false, false), 0),
        (flags(true, false, false), 1),
        (flags(false, true, false), 2),
        (flags(false, false, true), 4),
    ] {
        assert_eq!(flags.record()[8 + 3], byte);
    }
}

#[test]
fn a_dump_is_its_records() {
    let body = [&SEGMENT[..], &[1, 2, 3, 4, 5]].concat();
    let bytes = [
        HEADER.to_vec(),
        record(1, &device_body()),
        record(2, &SEGMENT),
        record(2, &body),
        record(3, &END),
        record(1, &device_body()),
    ]
    .concat();
    assert_eq!(
        all(&bytes),
        [
            Ok((16, Record::Device(device()))),
            Ok((160, Record::Segment(segment(), &[]))),
            Ok((192, Record::Segment(segment(), &[1, 2, 3, 4, 5]))),
            Ok((232, Record::End(end()))),
            Ok((248, Record::Device(device()))),
        ]
    );
    assert_eq!(all(HEADER), []);
}

#[test]
fn what_is_unknown_is_skipped() {
    let longer = |body: &[u8]| [body, b"more of it"].concat();
    let mut bytes = HEADER.to_vec();
    // A longer header, too.
    bytes[10] = 24;
    bytes.extend([0xee; 8]);
    for (kind, body) in [
        (0, vec![]),
        (4, vec![1, 2, 3]),
        (0xffff, vec![0; 9]),
        (1, longer(&device_body())),
        (3, longer(&END)),
        // Numbers that there are not.
        (1, vec![9; 136]),
        (2, vec![9; 24]),
        (3, vec![9; 8]),
        (1, [&[1, 1], &device_body()[2..]].concat()),
        // Too short for what they are.
        (1, device_body()[..135].to_vec()),
        (2, SEGMENT[..23].to_vec()),
        (3, END[..7].to_vec()),
        (3, END.to_vec()),
    ] {
        bytes.extend(record(kind, &body));
    }
    let records: Vec<_> = all(&bytes).into_iter().map(|record| record.unwrap().1).collect();
    let unknown = Record::Unknown;
    assert_eq!(
        records,
        [
            unknown(0),
            unknown(4),
            unknown(0xffff),
            Record::Device(device()),
            Record::End(end()),
            unknown(1),
            unknown(2),
            unknown(3),
            unknown(1),
            unknown(1),
            unknown(2),
            unknown(3),
            Record::End(end()),
        ]
    );
}

#[test]
fn a_dump_that_is_cut_says_where() {
    let body = [&SEGMENT[..], &[1, 2, 3]].concat();
    let records = [record(1, &device_body()), record(2, &body), record(3, &END)];
    let bytes = [HEADER.to_vec(), records.concat()].concat();
    let starts = [16, 160, 200, 216];
    for length in 0..bytes.len() {
        let cut = &bytes[..length];
        if length < 8 {
            assert_eq!(Records::new(cut).err(), Some(Damage::Magic));
            continue;
        }
        if length < 16 {
            assert_eq!(Records::new(cut).err(), Some(Damage::Cut(0, length)), "{length}");
            continue;
        }
        let found = all(cut);
        // Of the padding at the end nothing is missed.
        let whole = starts.iter().filter(|start| **start <= length).count() - 1;
        let padding_only = (195..200).contains(&length);
        let whole = whole + usize::from(padding_only);
        assert_eq!(found.iter().filter(|record| record.is_ok()).count(), whole, "{length}");
        let expected = if starts.contains(&length) || padding_only {
            None
        } else {
            Some(Damage::Cut(starts[whole], length))
        };
        assert_eq!(found.get(whole).map(|record| record.unwrap_err()), expected, "{length}");
        assert!(found.len() <= whole + 1);
    }
}

#[test]
fn what_is_no_dump_is_refused() {
    let changed = |at: usize, byte: u8| {
        let mut bytes = [HEADER.to_vec(), record(3, &END)].concat();
        bytes[at] = byte;
        Records::new(&bytes).err()
    };
    assert_eq!(changed(0, b'v'), Some(Damage::Magic));
    assert_eq!(changed(8, 2), Some(Damage::Version(2)));
    assert_eq!(changed(9, 1), Some(Damage::Version(257)));
    assert_eq!(changed(10, 15), Some(Damage::Cut(0, 32)));
    assert_eq!(changed(10, 33), Some(Damage::Cut(0, 32)));
    assert_eq!(changed(10, 32), None);
    // A record longer than there are addresses.
    let bytes = [HEADER, &[2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]].concat();
    assert_eq!(all(&bytes), [Err(Damage::Cut(16, 24))]);
}

#[test]
fn numbers_have_words() {
    for number in 0..=255 {
        let status = Status::from_number(number);
        assert_eq!(status.is_some(), number < 8);
        assert!(status.is_none_or(|status| status.number() == number && status.words() != ""));
        let reason = Reason::from_number(number);
        assert_eq!(reason.is_some(), number < 10);
        assert!(reason.is_none_or(|reason| reason.number() == number
            && (reason.words() == "") == (reason == Reason::None)));
        let outcome = Outcome::from_number(number);
        assert_eq!(outcome.is_some(), number < 3);
        assert!(outcome.is_none_or(|outcome| outcome.number() == number && outcome.words() != ""));
        let space = Space::from_number(number);
        assert_eq!(space.is_some(), (1..8).contains(&number));
        assert!(space.is_none_or(|space| space.number() == number));
        let kind = Kind::from_number(number);
        assert_eq!(kind.is_some(), (1..5).contains(&number));
        assert!(kind.is_none_or(|kind| kind.number() == number));
    }
}

#[test]
fn what_is_after_the_first_registers() {
    let bar = Segment::new(Place::new(Space::Bar, 0, Width::W16), 0x10, 7, 1, Status::Complete);
    assert_eq!(bar.after(0), bar);
    assert_eq!(bar.after(3), Segment { offset: 0x16, wanted: 1, ..bar });
    assert_eq!(bar.after(4), Segment { offset: 0x18, wanted: 0, ..bar });
    let msr = Segment::new(Place::new(Space::Msr, 0, Width::W64), 0x10, 64, 1, Status::Complete);
    assert_eq!(msr.after(3), Segment { offset: 0x13, wanted: 40, ..msr });
}

#[test]
fn padding_is_up_to_a_multiple_of_eight() {
    for length in 0..64usize {
        assert_eq!(length + padding(length).len(), length.next_multiple_of(8));
        assert!(padding(length).iter().all(|byte| *byte == 0));
    }
}

fn devices() -> impl Strategy<Value = Device> {
    let numbers = (any::<u32>(), any::<[u8; 3]>(), any::<[u16; 4]>(), any::<u32>(), any::<u64>());
    let flags = any::<[bool; 3]>();
    let texts = (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 32]>());
    (1..5u8, any::<u8>(), flags, numbers, any::<u32>(), texts).prop_map(
        |(kind, power, flags, numbers, profile_version, (digest, profile, driver))| {
            let [bound, link_down, no_decode] = flags;
            let (domain, [bus, devfn, revision], ids, class, address) = numbers;
            let [vendor, device, sub_vendor, sub_device] = ids;
            Device {
                kind: Kind::from_number(kind).expect("below 5"),
                power,
                bound,
                link_down,
                no_decode,
                domain,
                bus,
                devfn,
                revision,
                vendor,
                device,
                sub_vendor,
                sub_device,
                class,
                address,
                profile_version,
                digest,
                profile,
                driver,
            }
        },
    )
}

fn segments() -> impl Strategy<Value = Segment> {
    (1..8u8, any::<u8>(), 0..4u32, any::<[bool; 2]>(), 0..8u8, any::<(u8, u64, u64)>()).prop_map(
        |(space, index, width, [big, bound], status, (block, offset, wanted))| Segment {
            space: Space::from_number(space).expect("below 8"),
            index,
            width: Width::from_bytes(1 << width).expect("a power of two"),
            big,
            bound,
            status: Status::from_number(status).expect("below 8"),
            block,
            offset,
            wanted,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        device in devices(),
        segments in proptest::collection::vec(
            (segments(), proptest::collection::vec(any::<u8>(), 0..40)),
            0..8,
        ),
        outcome in 0..3u8,
        reason in 0..10u8,
        count in any::<u32>(),
    ) {
        let end = End {
            outcome: Outcome::from_number(outcome).unwrap(),
            reason: Reason::from_number(reason).unwrap(),
            segments: count,
        };
        let mut bytes = HEADER.to_vec();
        bytes.extend(device.record());
        for (segment, registers) in &segments {
            bytes.extend(segment.head(registers.len()));
            bytes.extend(registers);
            bytes.extend(padding(24 + registers.len()));
            prop_assert_eq!(bytes.len() % 8, 0);
        }
        bytes.extend(end.record());
        let found: Vec<_> = all(&bytes).into_iter().map(|record| record.unwrap().1).collect();
        let mut expected = vec![Record::Device(device)];
        expected.extend(segments.iter().map(|(segment, bytes)| Record::Segment(*segment, bytes)));
        expected.push(Record::End(end));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_bytes_end(after in proptest::collection::vec(any::<u8>(), 0..256)) {
        let bytes = [HEADER, &after].concat();
        let records = all(&bytes);
        prop_assert!(records.len() <= 1 + after.len() / 8);
        prop_assert!(records.iter().rev().skip(1).all(|record| record.is_ok()));
    }
}
