// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Plans, parsed and verified. Their bytes are made by hand.

use plan::Plan;
use plan::code::Instruction;
use plan::place::{Place, Space, Width};
use plan::plan::{About, Error, Ids, Kind, Match, Never, all};
use proptest::prelude::*;

type Code = [u8; 16];

fn code(op: u8, a: u8, b: u8, c: u8, n: u32, imm: u64) -> Code {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&[op, a, b, c]);
    bytes[4..8].copy_from_slice(&n.to_le_bytes());
    bytes[8..].copy_from_slice(&imm.to_le_bytes());
    bytes
}

fn end() -> Code {
    code(0, 0, 0, 0, 0, 0)
}

fn set() -> Code {
    code(1, 1, 0, 0, 0, 9)
}

fn skip(count: u32) -> Code {
    code(6, 1, 0, 0, count, 0)
}

fn repeat(body: u64) -> Code {
    code(7, 2, 0, 1, 3, body)
}

/// 32 bits at once of BAR 0.
const BAR: u32 = 0x00_00_02_04;

/// An NVMe controller of any maker, and one of 1af4:1041 with subsystem 1af4:1100.
const MATCHES: [[u8; 28]; 2] = [
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 8, 1, 0, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0],
    [
        1, 0, 15, 0, 0xf4, 0x1a, 0x41, 0x10, 0xf4, 0x1a, 0x00, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0,
    ],
];

/// BAR 0 from 0x1000 up to 0x2000.
const NEVER: [u8; 24] =
    [2, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0];

fn plan_of(matches: &[[u8; 28]], nevers: &[[u8; 24]], instructions: &[Code]) -> Vec<u8> {
    let size = 96 + 28 * matches.len() + 24 * nevers.len() + 16 * instructions.len();
    let mut bytes = b"VMCDPLAN\x01\x00\x60\x00".to_vec();
    bytes.extend((size as u32).to_le_bytes());
    bytes.extend(b"nvme-1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    bytes.extend(3u32.to_le_bytes());
    bytes.extend(4096u32.to_le_bytes());
    bytes.extend((matches.len() as u16).to_le_bytes());
    bytes.extend((nevers.len() as u16).to_le_bytes());
    bytes.extend((instructions.len() as u32).to_le_bytes());
    bytes.extend([0xd1; 32]);
    bytes.extend(matches.concat());
    bytes.extend(nevers.concat());
    bytes.extend(instructions.concat());
    bytes
}

fn plan(instructions: &[Code]) -> Vec<u8> {
    plan_of(&MATCHES, &[NEVER], instructions)
}

fn error(bytes: &[u8]) -> Error {
    Plan::parse(bytes).expect_err("it is no plan")
}

/// What is wrong with the plan when `change` was done to it.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Error {
    let mut bytes = plan(&[set(), end()]);
    assert!(Plan::parse(&bytes).is_ok());
    change(&mut bytes);
    error(&bytes)
}

#[test]
fn a_plan_has_its_parts() {
    let mut bytes = plan(&[set(), code(10, 4, 255, 1, BAR, 0x14), end()]);
    let size = bytes.len();
    bytes.extend(b"more");
    let (plan, rest) = Plan::parse(&bytes).expect("it is a plan");
    assert_eq!((rest, plan.bytes()), (&b"more"[..], &bytes[..size]));
    assert_eq!(plan.name(), b"nvme-1");
    assert_eq!((plan.about().version, plan.about().most), (3, 4096));
    assert_eq!(plan.about().digest, [0xd1; 32]);
    let nvme = Match { class: 0x01_0802, class_mask: 0xff_ffff, ..Match::any(Kind::Pci) };
    let virtio = Match {
        vendor: Some(0x1af4),
        device: Some(0x1041),
        sub_vendor: Some(0x1af4),
        sub_device: Some(0x1100),
        ..Match::any(Kind::Pci)
    };
    assert_eq!(plan.matches().collect::<Vec<_>>(), [nvme, virtio]);
    let never = Never { space: Space::Bar, index: 0, start: 0x1000, end: 0x2000 };
    assert_eq!(plan.nevers().collect::<Vec<_>>(), [never]);
    assert_eq!(plan.length(), 3);
    assert_eq!(plan.instruction(0), Some(Instruction::Set { to: 1, value: 9 }));
    assert_eq!(plan.instruction(2), Some(Instruction::End));
    assert_eq!(plan.instruction(3), None);
    assert_eq!(plan.instruction(u32::MAX), None);
    // And the other way round.
    let header = plan.about().header(2, 1, 3).expect("it is small");
    assert_eq!(header, bytes[..96]);
    assert_eq!([nvme.to_bytes(), virtio.to_bytes()], MATCHES);
    assert_eq!(never.to_bytes(), NEVER);
}

#[test]
fn each_error_is_found() {
    assert_eq!(changed(|bytes| bytes[7] = b'M'), Error::Magic);
    assert_eq!(error(b""), Error::Magic);
    assert_eq!(error(b"VMCDPLA"), Error::Magic);
    assert_eq!(changed(|bytes| bytes[8] = 2), Error::Version(2));
    assert_eq!(changed(|bytes| bytes[9] = 1), Error::Version(257));
    assert_eq!(changed(|bytes| bytes[10] = 0x61), Error::Cut);
    assert_eq!(changed(|bytes| bytes[12] += 1), Error::Cut);
    assert_eq!(changed(|bytes| bytes[12] -= 16), Error::Cut);
    assert_eq!(changed(|bytes| bytes[12..16].copy_from_slice(&[95, 0, 0, 0])), Error::Cut);
    assert_eq!(changed(|bytes| bytes[12..16].copy_from_slice(&[0; 4])), Error::Cut);
    // One match, range or instruction more or less.
    for at in [56, 58, 60] {
        assert_eq!(changed(|bytes| bytes[at] += 1), Error::Cut, "{at}");
        assert_eq!(changed(|bytes| bytes[at] -= 1), Error::Cut, "{at}");
    }
    assert_eq!(changed(|bytes| bytes[60..64].copy_from_slice(&[0xff; 4])), Error::Cut);
    for (at, byte) in [(16, 0), (16, b'A'), (16, b'_'), (17, b' '), (18, b'/'), (18, b'{')] {
        assert_eq!(changed(|bytes| bytes[at] = byte), Error::Name, "{at} {byte}");
    }
    assert_eq!(changed(|bytes| bytes[16..48].fill(0)), Error::Name);
    // After its zero, and up to the end.
    assert_eq!(changed(|bytes| bytes[47] = b'a'), Error::Name);
    assert_eq!(changed(|bytes| bytes[16..48].copy_from_slice(&[b'a'; 32])), Error::Name);
    // How much it reads, how large it is, how many instructions and ranges it has.
    let reads =
        |most: u32| move |bytes: &mut Vec<u8>| bytes[52..56].copy_from_slice(&most.to_le_bytes());
    assert_eq!(changed(reads((16 << 20) + 1)), Error::TooLarge);
    let mut bytes = plan(&[end()]);
    reads(16 << 20)(&mut bytes);
    assert!(Plan::parse(&bytes).is_ok());
    let large = ((1u32 << 20) + 1).to_le_bytes();
    assert_eq!(changed(|bytes| bytes[12..16].copy_from_slice(&large)), Error::TooLarge);
    let many = |count: usize| {
        let mut many = vec![set(); count - 1];
        many.push(end());
        plan(&many)
    };
    assert!(Plan::parse(&many(16384)).is_ok());
    assert_eq!(error(&many(16385)), Error::TooLarge);
    assert!(Plan::parse(&plan_of(&MATCHES, &[NEVER; 256], &[end()])).is_ok());
    assert_eq!(error(&plan_of(&MATCHES, &[NEVER; 257], &[end()])), Error::TooLarge);
    // The second match.
    for (at, byte) in [(0, 0), (0, 5), (1, 1), (2, 16), (2, 14), (3, 1), (12, 1), (27, 1)] {
        assert_eq!(changed(|bytes| bytes[124 + at] = byte), Error::Match(1), "{at} {byte}");
    }
    for (at, byte) in [(0, 0), (0, 8), (2, 1), (7, 1), (9, 0x20), (10, 1), (17, 0x10), (17, 0)] {
        assert_eq!(changed(|bytes| bytes[152 + at] = byte), Error::Never(0), "{at} {byte}");
    }
    assert_eq!(changed(|bytes| bytes[176] = 99), Error::Instruction(0));
    assert_eq!(changed(|bytes| bytes[193] = 1), Error::Instruction(1));
    assert_eq!(error(&plan(&[])), Error::Jump(0));
    assert_eq!(error(&plan(&[set()])), Error::Jump(1));
    // What is wrong, in words, each once.
    let errors = [
        Error::Magic,
        Error::Version(2),
        Error::Cut,
        Error::Name,
        Error::TooLarge,
        Error::Match(1),
        Error::Never(1),
        Error::Instruction(1),
        Error::Jump(1),
        Error::Forbidden(1),
    ];
    let words: std::collections::HashSet<_> = errors.iter().map(|error| error.words()).collect();
    assert_eq!(words.len(), errors.len());
}

#[test]
fn a_plan_that_is_cut_is_none() {
    let bytes = plan(&[set(), end()]);
    for length in 0..bytes.len() {
        let expected = if length < 8 { Error::Magic } else { Error::Cut };
        assert_eq!(error(&bytes[..length]), expected, "{length}");
    }
}

#[test]
fn jumps_lead_forward_and_stay_inside() {
    let fine: [&[Code]; 10] = [
        &[skip(0), end()],
        &[skip(1), set(), end()],
        &[skip(2), set(), set(), end()],
        &[repeat(1), set(), end()],
        &[repeat(2), set(), skip(0), end()],
        &[repeat(3), skip(1), set(), set(), end()],
        &[repeat(2), repeat(1), set(), end()],
        &[repeat(3), repeat(1), set(), set(), end()],
        // One after the other is not one in the other.
        &[repeat(2), repeat(1), set(), repeat(2), repeat(1), set(), end()],
        &[repeat(4), repeat(1), set(), repeat(1), set(), skip(0), end()],
    ];
    for instructions in fine {
        let bytes = plan(instructions);
        assert!(Plan::parse(&bytes).is_ok(), "{instructions:?}");
    }
    let wrong: [(u32, &[Code]); 13] = [
        (0, &[skip(1), end()]),
        (0, &[skip(u32::MAX), end()]),
        (1, &[set(), skip(2), set(), end()]),
        (0, &[end(), end()]),
        (1, &[set(), end(), set(), end()]),
        // A loop without a body, with the end in it, after the end.
        (0, &[repeat(0), set(), end()]),
        (0, &[repeat(1), end()]),
        (0, &[repeat(u64::from(u32::MAX)), set(), end()]),
        // Out of a loop: of both, of the inner one.
        (1, &[repeat(2), skip(2), set(), set(), end()]),
        (2, &[repeat(4), repeat(2), skip(2), set(), set(), end()]),
        (1, &[repeat(2), repeat(2), set(), set(), end()]),
        // Three in each other.
        (2, &[repeat(3), repeat(2), repeat(1), set(), end()]),
        (4, &[repeat(5), repeat(1), set(), repeat(2), repeat(1), set(), end()]),
    ];
    for (number, instructions) in wrong {
        assert_eq!(error(&plan(instructions)), Error::Jump(number), "{instructions:?}");
    }
}

#[test]
fn what_is_never_read_is_not_named() {
    let touches = BAR | 2 << 24;
    for (at, forbidden) in
        [(0xffc, false), (0x1000, true), (0x1ffc, true), (0x2000, false), (0xffd, true)]
    {
        for instruction in [
            code(3, 0, 255, 0, BAR, at),
            code(8, 0, 255, 0, BAR, at),
            code(10, 0, 255, 0, BAR, at),
            code(11, 0, 255, 0, touches, at),
            code(12, 0, 255, 0, BAR, at | 7 << 48),
        ] {
            let bytes = plan(&[set(), instruction, end()]);
            let found = Plan::parse(&bytes).map(|_| ());
            let expected = if forbidden { Err(Error::Forbidden(1)) } else { Ok(()) };
            assert_eq!(found, expected, "{instruction:?}");
        }
    }
    // A computed address, another space, a label: known later, or not of it.
    for instruction in [
        code(10, 0, 1, 0, BAR, 0x1000),
        code(10, 0, 255, 0, 0x00_01_02_04, 0x1000),
        code(10, 0, 255, 0, 0x00_00_05_04, 0x1000),
        code(9, 0, 255, 0, BAR, 0x1000),
    ] {
        assert!(Plan::parse(&plan(&[instruction, end()])).is_ok(), "{instruction:?}");
    }
}

#[test]
fn ranges_cover_what_is_between_their_ends() {
    let never = Never { space: Space::Msr, index: 0, start: 0x10, end: 0x12 };
    let msr = Place::new(Space::Msr, 0, Width::W64);
    for (start, length, covered) in [
        (0x0f, 1, false),
        (0x0f, 2, true),
        (0x10, 1, true),
        (0x11, 1, true),
        (0x12, 1, false),
        (0x10, 0, false),
        (0x00, u64::MAX, true),
        (u64::MAX, 2, false),
    ] {
        assert_eq!(never.covers(msr, start, length), covered, "{start:#x} {length}");
    }
    assert!(!never.covers(Place { index: 1, ..msr }, 0x10, 1));
    assert!(!never.covers(Place { space: Space::Port, ..msr }, 0x10, 1));
}

#[test]
fn the_best_match_is_that_which_names_most() {
    let ids = Ids {
        kind: Kind::Pci,
        vendor: 0x1af4,
        device: 0x1041,
        sub_vendor: 0x1af4,
        sub_device: 0x1100,
        class: 0x02_0000,
    };
    let any = Match::any(Kind::Pci);
    let names = |found: Match| found.names(&ids);
    let class = Match { class: 0x02_0000, class_mask: 0xff_0000, ..any };
    let classes = Match { class_mask: 0xff_ffff, ..class };
    let vendor = Match { vendor: Some(0x1af4), ..any };
    let device = Match { device: Some(0x1041), ..vendor };
    let sub_vendor = Match { sub_vendor: Some(0x1af4), ..device };
    let sub_device = Match { sub_device: Some(0x1100), ..sub_vendor };
    let order = [any, class, classes, vendor, device, sub_vendor, sub_device];
    let order: Vec<u32> = order.map(|each| names(each).expect("it is for them")).into();
    assert!(order.is_sorted_by(|one, other| one < other), "{order:?}");
    for other in [
        Match::any(Kind::Cpu),
        Match { vendor: Some(1), ..any },
        Match { device: Some(1), ..any },
        Match { sub_vendor: Some(1), ..any },
        Match { sub_device: Some(1), ..any },
        Match { class: 0x03_0000, class_mask: 0xff_0000, ..any },
    ] {
        assert_eq!(names(other), None, "{other:?}");
    }
    // The bits of a class that do not count may be anything.
    assert!(names(Match { class: 0x02_1234, class_mask: 0xff_0000, ..any }).is_some());
    let bytes = plan(&[end()]);
    let (plan, _) = Plan::parse(&bytes).unwrap();
    assert_eq!(plan.names(&ids), Some(128));
    assert_eq!(plan.names(&Ids { class: 0x01_0802, ..ids }), Some(128));
    assert_eq!(plan.names(&Ids { class: 0x01_0802, device: 1, ..ids }), Some(24));
    assert_eq!(plan.names(&Ids { device: 1, ..ids }), None);
}

#[test]
fn a_header_is_not_larger_than_a_plan_can_be() {
    let bytes = plan(&[end()]);
    let (plan, _) = Plan::parse(&bytes).unwrap();
    let about: &About = plan.about();
    assert!(about.header(1, 0, 65_000).is_some());
    for (matches, nevers, instructions) in [
        (65536, 0, 1),
        (0, 65536, 1),
        (1, 1, 65536),
        (1, 1, usize::MAX),
        (usize::MAX, 1, 1),
        (1, usize::MAX, 1),
    ] {
        assert_eq!(about.header(matches, nevers, instructions), None);
    }
}

#[test]
fn plans_follow_each_other_up_to_one_that_is_none() {
    let one = plan(&[end()]);
    let two = plan(&[set(), end()]);
    let lengths = |bytes: &[u8]| {
        all(bytes).take(9).map(|plan| plan.map(|plan| plan.length())).collect::<Vec<_>>()
    };
    assert_eq!(lengths(b""), []);
    assert_eq!(lengths(&[&one[..], &two].concat()), [Ok(1), Ok(2)]);
    assert_eq!(lengths(&[&one[..], &[0], &two].concat()), [Ok(1), Err(Error::Magic)]);
    assert_eq!(lengths(&[&one[..], &two[..99]].concat()), [Ok(1), Err(Error::Cut)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn what_is_accepted_is_what_was_written(
        matches in proptest::collection::vec(
            (
                1..5u8,
                proptest::array::uniform4(proptest::option::of(any::<u16>())),
                any::<u32>(),
                any::<u32>(),
            ),
            0..4,
        ),
        nevers in proptest::collection::vec((1..8u8, any::<u8>(), any::<u64>(), any::<u64>()), 0..4),
        name in "[a-z0-9-]{1,31}",
        version in any::<u32>(),
        most in 0..=16u32 << 20,
        digest in any::<[u8; 32]>(),
    ) {
        let matches: Vec<Match> = matches
            .into_iter()
            .map(|(kind, [vendor, device, sub_vendor, sub_device], class, class_mask)| Match {
                kind: Kind::from_number(kind).unwrap(),
                vendor, device, sub_vendor, sub_device, class, class_mask,
            })
            .collect();
        let nevers: Vec<Never> = nevers
            .into_iter()
            .filter(|(_, _, start, end)| start != end)
            .map(|(space, index, start, end)| Never {
                space: Space::from_number(space).unwrap(),
                index,
                start: start.min(end),
                end: start.max(end),
            })
            .collect();
        let mut field = [0; 32];
        field[..name.len()].copy_from_slice(name.as_bytes());
        let about = About { name: field, version, most, digest };
        let mut bytes = about.header(matches.len(), nevers.len(), 1).unwrap().to_vec();
        bytes.extend(matches.iter().flat_map(|each| each.to_bytes()));
        bytes.extend(nevers.iter().flat_map(|each| each.to_bytes()));
        bytes.extend(Instruction::End.to_bytes());
        let (plan, rest) = Plan::parse(&bytes).unwrap();
        prop_assert_eq!(rest, b"");
        prop_assert_eq!(plan.about(), &about);
        prop_assert_eq!(plan.name(), name.as_bytes());
        prop_assert_eq!(plan.matches().collect::<Vec<_>>(), matches);
        prop_assert_eq!(plan.nevers().collect::<Vec<_>>(), nevers);
    }

    #[test]
    fn one_byte_that_is_another_is_seen_or_a_value(at in 0..208usize, byte in any::<u8>()) {
        let mut bytes = plan(&[set(), end()]);
        prop_assert_eq!(bytes.len(), 208);
        bytes[at] = byte;
        if let Ok((plan, _)) = Plan::parse(&bytes) {
            let mut again = plan.about().header(2, 1, 2).unwrap().to_vec();
            again.extend(plan.matches().flat_map(|each| each.to_bytes()));
            again.extend(plan.nevers().flat_map(|each| each.to_bytes()));
            again.extend((0..2).flat_map(|each| plan.instruction(each).unwrap().to_bytes()));
            prop_assert_eq!(again, bytes);
        }
    }
}
