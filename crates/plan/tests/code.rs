// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Instructions and places, to bytes and back.

use plan::code::{Address, Alu, Fact, Instruction, NONE, SIZE, TIMES_MAX};
use plan::place::{BIG, CLEARS, Class, Place, RETRY_ZERO, Space, TOUCHES, Width};
use proptest::prelude::*;

/// An instruction as the format has it.
fn bytes(op: u8, [a, b, c]: [u8; 3], n: u32, imm: u64) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    bytes[..4].copy_from_slice(&[op, a, b, c]);
    bytes[4..8].copy_from_slice(&n.to_le_bytes());
    bytes[8..].copy_from_slice(&imm.to_le_bytes());
    bytes
}

/// 16 bits at once of BAR 5, big-endian.
const BAR5: u32 = 0x01_05_02_02;

fn bar5() -> Place {
    Place { big: true, ..Place::new(Space::Bar, 5, Width::W16) }
}

#[test]
fn each_instruction_has_its_bytes() {
    let touches = Place { class: Class::Touches, ..bar5() };
    let window = Place::new(Space::Window, 200, Width::W64);
    let address = Address { base: 3, offset: 0x1122_3344_5566_7788 };
    let imm = address.offset;
    let short = Address { base: NONE, offset: 0xffff_ffff_fffe };
    let cases = [
        (bytes(0, [0; 3], 0, 0), Instruction::End),
        (bytes(1, [31, 0, 0], 0, imm), Instruction::Set { to: 31, value: imm }),
        (
            bytes(2, [1, 2, 3], 16, 5),
            Instruction::Alu { to: 1, alu: Alu::PopCount, first: 2, second: 3, constant: 5 },
        ),
        (
            bytes(2, [1, 2, 255], 0, 5),
            Instruction::Alu { to: 1, alu: Alu::Add, first: 2, second: NONE, constant: 5 },
        ),
        (bytes(3, [7, 3, 0], BAR5, imm), Instruction::Load { to: 7, place: bar5(), address }),
        (bytes(4, [7, 0, 0], 0, 19), Instruction::Fact { to: 7, fact: Fact::CpuModel }),
        (
            bytes(5, [7, 255, 0], 0, 0xffff),
            Instruction::Capability { to: 7, after: NONE, id: 0xffff, extended: false },
        ),
        (
            bytes(5, [7, 30, 0], 1, 1),
            Instruction::Capability { to: 7, after: 30, id: 1, extended: true },
        ),
        (bytes(6, [9, 0, 0], 77, 0), Instruction::Skip { unless: 9, count: 77 }),
        (
            bytes(7, [9, 0, 8], 65536, 5),
            Instruction::Loop { to: 9, count: 8, most: 65536, body: 5 },
        ),
        (bytes(8, [0, 3, 6], BAR5, imm), Instruction::Alive { place: bar5(), address, dead: 6 }),
        (bytes(9, [0, 3, 0], 0x00_c8_07_08, imm), Instruction::As { place: window, address }),
        (
            bytes(10, [255, 3, 4], BAR5, imm),
            Instruction::Read { block: 255, place: bar5(), address, length: 4 },
        ),
        (
            bytes(11, [4, 3, 0], BAR5 | 2 << 24, imm),
            Instruction::Write { value: 4, place: touches, address },
        ),
        (
            bytes(12, [63, 255, 1], BAR5, 0xabcd_ffff_ffff_fffe),
            Instruction::Poll {
                bit: 63,
                set: true,
                place: bar5(),
                address: short,
                milliseconds: 0xabcd,
            },
        ),
    ];
    for (bytes, instruction) in cases {
        assert_eq!(instruction.to_bytes(), bytes, "{instruction:?}");
        assert_eq!(Instruction::from_bytes(&bytes), Some(instruction));
    }
}

#[test]
fn what_is_no_instruction_is_refused() {
    let window = 0x00_00_07_04;
    let config = 0x00_00_01_04;
    let touches = config | 2 << 24;
    let clears = config | 4 << 24;
    let cases = [
        // No such number, or a part that is not used is not 0.
        bytes(13, [0; 3], 0, 0),
        bytes(255, [0; 3], 0, 0),
        bytes(0, [1, 0, 0], 0, 0),
        bytes(0, [0, 1, 0], 0, 0),
        bytes(0, [0, 0, 1], 0, 0),
        bytes(0, [0; 3], 1, 0),
        bytes(0, [0; 3], 0, 1),
        bytes(1, [0, 1, 0], 0, 0),
        bytes(1, [0, 0, 1], 0, 0),
        bytes(1, [0; 3], 1, 0),
        bytes(3, [0, 0, 1], config, 0),
        bytes(4, [0, 1, 0], 0, 0),
        bytes(5, [0, 0, 1], 0, 0),
        bytes(6, [0, 0, 0], 0, 1),
        bytes(8, [1, 0, 0], config, 0),
        bytes(9, [1, 0, 0], config, 0),
        bytes(11, [0, 0, 1], touches, 0),
        // No such variable.
        bytes(1, [32, 0, 0], 0, 0),
        bytes(1, [255, 0, 0], 0, 0),
        bytes(2, [32, 0, 0], 0, 0),
        bytes(2, [0, 32, 0], 0, 0),
        bytes(2, [0, 255, 0], 0, 0),
        bytes(2, [0, 0, 32], 0, 0),
        bytes(3, [32, 0, 0], config, 0),
        bytes(3, [0, 32, 0], config, 0),
        bytes(4, [32, 0, 0], 0, 0),
        bytes(5, [32, 0, 0], 0, 0),
        bytes(5, [0, 32, 0], 0, 0),
        bytes(6, [32, 0, 0], 0, 0),
        bytes(7, [32, 0, 0], 0, 1),
        bytes(7, [0, 0, 32], 0, 1),
        bytes(8, [0, 32, 0], config, 0),
        bytes(8, [0, 0, 32], config, 0),
        bytes(9, [0, 32, 0], config, 0),
        bytes(10, [0, 32, 0], config, 0),
        bytes(10, [0, 0, 32], config, 0),
        bytes(11, [32, 0, 0], touches, 0),
        bytes(11, [0, 32, 0], touches, 0),
        bytes(12, [0, 32, 0], config, 0),
        // No such operation, fact, capability, bit, way; too often, too long.
        bytes(2, [0; 3], 17, 0),
        bytes(2, [0; 3], 256, 0),
        bytes(4, [0; 3], 0, 20),
        bytes(4, [0; 3], 0, 256),
        bytes(5, [0; 3], 0, 0x10000),
        bytes(5, [0; 3], 2, 0),
        bytes(7, [0; 3], 65537, 1),
        bytes(7, [0; 3], 1, 1 << 32),
        bytes(12, [64, 0, 0], config, 0),
        bytes(12, [0, 0, 2], config, 0),
        // A window is a label only; effects only where they may be.
        bytes(3, [0; 3], window, 0),
        bytes(8, [0; 3], window, 0),
        bytes(10, [0; 3], window, 0),
        bytes(11, [0; 3], window | 2 << 24, 0),
        bytes(12, [0; 3], window, 0),
        bytes(3, [0; 3], clears, 0),
        bytes(8, [0; 3], touches, 0),
        bytes(8, [0; 3], clears, 0),
        bytes(11, [0; 3], config, 0),
        bytes(12, [0; 3], clears, 0),
        // No place.
        bytes(3, [0; 3], 0, 0),
        bytes(9, [0; 3], 0, 0),
    ];
    for bytes in cases {
        assert_eq!(Instruction::from_bytes(&bytes), None, "{bytes:?}");
    }
    // What they are next to is one.
    for bytes in [
        bytes(3, [31, 255, 0], touches, 0),
        bytes(10, [0; 3], clears, 0),
        bytes(11, [31, 255, 0], clears, 0),
        bytes(12, [63, 255, 0], touches, 0),
        bytes(7, [31, 0, 31], TIMES_MAX, u64::from(u32::MAX)),
        bytes(9, [0, 255, 0], window, 0),
    ] {
        assert!(Instruction::from_bytes(&bytes).is_some(), "{bytes:?}");
    }
}

#[test]
fn places_are_those_of_the_list() {
    let mut found = 0;
    let spaces = (0..=9).chain([0xff]);
    for (width, space) in spaces.flat_map(|space| (0..=255).map(move |width| (width, space))) {
        for index in [0, 1, 5, 6, 255] {
            for flags in 0..=255u8 {
                let bits = u32::from_le_bytes([width, space, index, flags]);
                let known = matches!(width, 1 | 2 | 4 | 8)
                    && flags & 0xf0 == 0
                    && flags & 6 != 6
                    && match space {
                        1 | 3 => index == 0 && width < 8,
                        2 => index < 6,
                        4 => index == 0 && width == 8,
                        5 | 6 => index == 0,
                        7 => true,
                        _ => false,
                    };
                let place = Place::from_bits(bits);
                assert_eq!(place.is_some(), known, "{bits:#x}");
                let Some(place) = place else { continue };
                found += 1;
                assert_eq!(place.to_bits(), bits);
                assert_eq!(place.width.bytes(), width);
                assert_eq!((place.space.number(), place.index), (space, index));
                assert_eq!(place.big, flags & BIG != 0);
                assert_eq!(place.retry_zero, flags & RETRY_ZERO != 0);
                let class = match flags & (TOUCHES | CLEARS) {
                    0 => Class::Pure,
                    TOUCHES => Class::Touches,
                    _ => Class::Clears,
                };
                assert_eq!(place.class, class);
            }
        }
    }
    // Flags times widths times indexes, of each space.
    assert_eq!(found, 12 * (3 + 4 * 3 + 3 + 1 + 4 + 4 + 4 * 5));
}

#[test]
fn numbers_are_those_of_the_list() {
    for (number, alu) in (0..).zip(Alu::ALL) {
        assert_eq!((alu.number(), Alu::from_number(number)), (number as u8, Some(*alu)));
    }
    assert_eq!((Alu::ALL.len(), Alu::from_number(17)), (17, None));
    for (number, fact) in (0..).zip(Fact::ALL) {
        assert_eq!((fact.number(), Fact::from_number(number)), (number as u8, Some(*fact)));
    }
    assert_eq!((Fact::ALL.len(), Fact::from_number(20)), (20, None));
}

#[test]
fn a_swapped_value_has_its_bytes_the_other_way_round() {
    for (width, swapped) in [
        (Width::W8, 0x88),
        (Width::W16, 0x8877),
        (Width::W32, 0x8877_6655),
        (Width::W64, 0x8877_6655_4433_2211),
    ] {
        let value = 0x1122_3344_5566_7788 & width.ones();
        assert_eq!(width.swapped(value), swapped);
    }
}

#[test]
fn what_is_computed() {
    const MAX: u64 = u64::MAX;
    let cases = [
        (Alu::Add, MAX, 2, 1),
        (Alu::Sub, 1, 2, MAX),
        (Alu::Mul, 1 << 63, 3, 1 << 63),
        (Alu::Div, 7, 2, 3),
        (Alu::Div, 7, 0, 0),
        (Alu::Rem, 7, 4, 3),
        (Alu::Rem, 7, 0, 0),
        (Alu::And, 0b1100, 0b1010, 0b1000),
        (Alu::Or, 0b1100, 0b1010, 0b1110),
        (Alu::Xor, 0b1100, 0b1010, 0b0110),
        (Alu::Shl, 3, 63, 1 << 63),
        (Alu::Shl, 3, 64, 0),
        (Alu::Shl, 3, 1 << 32, 0),
        (Alu::Shr, MAX, 63, 1),
        (Alu::Shr, MAX, 64, 0),
        (Alu::Shr, MAX, 1 << 32, 0),
        (Alu::Eq, 5, 5, 1),
        (Alu::Eq, 5, 6, 0),
        (Alu::Ne, 5, 5, 0),
        (Alu::Ne, 5, 6, 1),
        (Alu::Lt, 5, 6, 1),
        (Alu::Lt, 5, 5, 0),
        (Alu::Lt, MAX, 0, 0),
        (Alu::Le, 5, 5, 1),
        (Alu::Le, 6, 5, 0),
        (Alu::LogicalAnd, 2, 1, 1),
        (Alu::LogicalAnd, 2, 0, 0),
        (Alu::LogicalAnd, 0, 2, 0),
        (Alu::LogicalOr, 0, 0, 0),
        (Alu::LogicalOr, 4, 0, 1),
        (Alu::LogicalOr, 0, 4, 1),
        (Alu::PopCount, MAX, 0, 64),
        (Alu::PopCount, 0, MAX, 0),
    ];
    for (alu, first, second, value) in cases {
        assert_eq!(alu.of(first, second), value, "{alu:?} {first:#x} {second:#x}");
    }
}

fn places() -> impl Strategy<Value = Place> {
    any::<[u8; 4]>().prop_filter_map("no place", |[width, space, index, flags]| {
        let bits = [1 << (width % 4), 1 + space % 7, index % 6, flags & 15];
        Place::from_bits(u32::from_le_bytes(bits))
    })
}

fn addresses() -> impl Strategy<Value = Address> {
    let bases = prop_oneof![0..32u8, Just(NONE)];
    (bases, any::<u64>()).prop_map(|(base, offset)| Address { base, offset })
}

/// Instructions of all kinds, of which some may not do what they do.
fn instructions() -> impl Strategy<Value = Instruction> {
    let (v, n) = (0..32u8, || prop_oneof![0..32u8, Just(NONE)]);
    let v = || v.clone();
    prop_oneof![
        Just(Instruction::End),
        (v(), any::<u64>()).prop_map(|(to, value)| Instruction::Set { to, value }),
        (v(), 0..17u64, v(), n(), any::<u64>()).prop_map(|(to, alu, first, second, constant)| {
            let alu = Alu::from_number(alu).expect("below 17");
            Instruction::Alu { to, alu, first, second, constant }
        }),
        (v(), places(), addresses()).prop_map(|(to, place, address)| Instruction::Load {
            to,
            place,
            address
        }),
        (v(), 0..20u64).prop_map(|(to, fact)| {
            Instruction::Fact { to, fact: Fact::from_number(fact).expect("below 20") }
        }),
        (v(), n(), any::<u16>(), any::<bool>()).prop_map(|(to, after, id, extended)| {
            Instruction::Capability { to, after, id, extended }
        }),
        (v(), any::<u32>()).prop_map(|(unless, count)| Instruction::Skip { unless, count }),
        (v(), v(), 0..=TIMES_MAX, any::<u32>())
            .prop_map(|(to, count, most, body)| Instruction::Loop { to, count, most, body }),
        (places(), addresses(), v()).prop_map(|(place, address, dead)| Instruction::Alive {
            place,
            address,
            dead
        }),
        (places(), addresses()).prop_map(|(place, address)| Instruction::As { place, address }),
        (any::<u8>(), places(), addresses(), v()).prop_map(|(block, place, address, length)| {
            Instruction::Read { block, place, address, length }
        }),
        (v(), places(), addresses()).prop_map(|(value, place, address)| Instruction::Write {
            value,
            place,
            address
        }),
        (0..64u8, any::<bool>(), places(), addresses(), any::<u16>()).prop_map(
            |(bit, set, place, address, milliseconds)| {
                let address = Address { offset: address.offset & 0xffff_ffff_ffff, ..address };
                Instruction::Poll { bit, set, place, address, milliseconds }
            }
        ),
    ]
}

/// Whether the class and the space are those of a place where this may be done.
fn may(instruction: Instruction) -> bool {
    let (place, touches, clears) = match instruction {
        Instruction::Load { place, .. } | Instruction::Poll { place, .. } => (place, true, false),
        Instruction::Alive { place, .. } => (place, false, false),
        Instruction::Read { place, .. } => (place, true, true),
        Instruction::Write { place, .. } => (place, place.class != Class::Pure, true),
        _ => return true,
    };
    let class = match place.class {
        Class::Pure => !matches!(instruction, Instruction::Write { .. }),
        Class::Touches => touches,
        Class::Clears => clears,
    };
    class && place.space != Space::Window
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn an_instruction_is_what_its_bytes_say(instruction in instructions()) {
        let expected = may(instruction).then_some(instruction);
        prop_assert_eq!(Instruction::from_bytes(&instruction.to_bytes()), expected);
    }

    #[test]
    fn bytes_are_those_of_the_instruction_that_they_are(
        op in 0..14u8,
        parts in any::<[u8; 3]>(),
        place in prop_oneof![places().prop_map(Place::to_bits), 0..20u32],
        imm in prop_oneof![any::<u64>(), 0..20u64],
    ) {
        let bytes = bytes(op, parts.map(|part| if part < 128 { part % 40 } else { 0 }), place, imm);
        if let Some(instruction) = Instruction::from_bytes(&bytes) {
            prop_assert_eq!(instruction.to_bytes(), bytes);
        }
    }
}
