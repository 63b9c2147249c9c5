// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The interpreter, on a device whose registers have effects.

mod common;

use std::collections::VecDeque;

use common::*;
use plan::Plan;
use plan::code::{Address, Alu, Fact, Instruction, NONE};
use plan::device::Options;
use plan::dump::{self, Damage, Outcome, Reason, Record, Records, Status};
use plan::place::{BIG, CLEARS, Place, RETRY_ZERO, Space, TOUCHES, Width};
use plan::plan::{Kind, Never};

use Instruction::{Alive, As, Fact as GetFact, Load, Loop, Poll, Read, Skip, Write};

const fn place(space: Space, width: Width) -> Place {
    Place::new(space, 0, width)
}

fn ones(registers: u64) -> Vec<u8> {
    vec![0xff; 4 * registers as usize]
}

fn never(space: Space, start: u64, end: u64) -> Never {
    Never { space, index: 0, start, end }
}

#[test]
fn what_a_plan_names_is_read_and_nothing_else() {
    let mut device = Emulated::new();
    let config = place(Space::Config, Width::W32);
    let made = run(&mut device, &[read(config, 0, 256), read(BAR, 0x100, 16)].concat());
    assert_eq!(
        made.short(),
        [
            (0, device.config.clone(), Status::Complete, 256),
            (0x100, patterns(0x100..0x110), Status::Complete, 16),
        ]
    );
    assert_eq!(device.read_at(), [0x100, 0x104, 0x108, 0x10c]);
    assert_eq!(device.written(), []);
    assert_eq!(device.announced, [(1, 0, 256), (1, 0x100, 16)]);
    assert_eq!((made.end.outcome, made.end.reason), (Outcome::Complete, Reason::None));
    let expected = dump::Device {
        power: 0,
        profile_version: 7,
        profile: padded(b"test-1"),
        digest: [0xd1; 32],
        ..function()
    };
    assert_eq!(made.device, expected);
    let (segment, _) = &made.segments[1];
    assert_eq!((segment.space, segment.index, segment.width), (Space::Bar, 0, Width::W32));
    assert_eq!((segment.big, segment.bound, segment.block), (false, false, 1));
}

#[test]
fn each_width_reads_that_many_bits_at_once() {
    for (width, count) in [(Width::W8, 8), (Width::W16, 4), (Width::W32, 2), (Width::W64, 1)] {
        let mut device = Emulated::new();
        let made = run(&mut device, &read(Place { width, ..BAR }, 0x20, 8));
        assert_eq!(made.short(), [(0x20, patterns(0x20..0x28), Status::Complete, 8)]);
        assert_eq!(device.read_at().len(), count);
        assert!(
            device
                .accesses
                .iter()
                .filter(|each| each.place.space == Space::Bar)
                .all(|each| each.place.width == width)
        );
    }
}

#[test]
fn a_register_that_ends_after_its_block_is_not_read() {
    let mut device = Emulated::new().with(0x108, Register::Doorbell);
    let made = run(&mut device, &read(BAR, 0x100, 11));
    assert_eq!(made.short(), [(0x100, patterns(0x100..0x108), Status::Complete, 8)]);
    let made = run(&mut device, &[read(BAR, 0x108, 3), read(BAR, 0x108, 0)].concat());
    assert_eq!(made.short(), []);
    let made = run(&mut device, &read(flagged(BAR, CLEARS), 0x108, 11));
    assert_eq!(made.short(), [(0x108, vec![], Status::LeftOut, 8)]);
}

#[test]
fn adjacent_reads_are_one_segment() {
    let mut device = Emulated::new();
    let reads = [read(BAR, 0x10, 4), read(BAR, 0x14, 8), read(BAR, 0x20, 4), read(BAR, 0x1c, 4)];
    let made = run(&mut device, &reads.concat());
    assert_eq!(
        made.short(),
        [
            (0x10, patterns(0x10..0x1c), Status::Complete, 12),
            (0x20, patterns(0x20..0x24), Status::Complete, 4),
            (0x1c, patterns(0x1c..0x20), Status::Complete, 4),
        ]
    );
    assert_eq!(device.read_at(), [0x10, 0x14, 0x18, 0x20, 0x1c]);
}

#[test]
fn what_differs_is_another_segment() {
    let mut device = Emulated::new();
    let other = |block, place: Place, offset| {
        [set(1, 4), Read { block, place, address: at(offset), length: 1 }]
    };
    let w16 = Place { width: Width::W16, ..BAR };
    let made = run(
        &mut device,
        &[
            other(1, BAR, 0),
            other(2, BAR, 4),
            other(2, w16, 8),
            other(2, flagged(w16, BIG), 12),
            other(2, Place { index: 1, ..flagged(w16, BIG) }, 16),
            other(2, flagged(place(Space::Port, Width::W16), BIG), 20),
        ]
        .concat(),
    );
    let offsets: Vec<u64> = made.short().into_iter().map(|(offset, ..)| offset).collect();
    assert_eq!(offsets, [0, 4, 8, 12, 16, 20]);
}

#[test]
fn a_long_block_is_read_whole_in_pieces() {
    for length in [252, 256, 260, 508, 512, 516, 0x1000, 0x4000] {
        let mut device = Emulated::new();
        let made = run(&mut device, &read(BAR, 0, length));
        let mut next = 0;
        for (offset, bytes, status, wanted) in made.short() {
            assert_eq!((offset, status, wanted), (next, Status::Complete, bytes.len() as u64));
            assert_eq!(bytes, patterns(offset..offset + wanted));
            next += wanted;
        }
        assert_eq!(next, length);
        assert_eq!(device.read_at(), (0..length).step_by(4).collect::<Vec<_>>());
    }
}

#[test]
fn a_bar_may_be_shorter_than_its_block() {
    for size in [0u64, 4, 6, 0x1fc, 0x200, 0x204] {
        let mut device = Emulated::new();
        device.bars[0].as_mut().unwrap().size = size;
        let made = run(&mut device, &read(BAR, 0, 0x400));
        let there = size & !3;
        let bytes: Vec<u8> = made.segments.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        assert_eq!(bytes, patterns(0..there));
        let last = made.short().pop().unwrap();
        assert_eq!(last, (there, vec![], Status::Absent, 0x400 - there));
        assert_eq!(made.end.outcome, Outcome::Complete);
        // One read finds that out.
        assert_eq!(device.read_at().len() as u64, there / 4 + 1);
    }
}

#[test]
fn registers_keep_the_order_of_their_bytes_in_the_dump() {
    let big = flagged(BAR, BIG);
    let mut device = Emulated::new().with(0x10, Register::Value(0x1122_3344));
    let made = run_all(
        &mut device,
        &[
            &read(big, 0x10, 4)[..],
            &[
                Load { to: 0, place: big, address: at(0x10) },
                Write { value: 0, place: flagged(big, TOUCHES), address: at(0x10) },
            ],
        ]
        .concat(),
    );
    assert_eq!(made.segments[0].1, [0x44, 0x33, 0x22, 0x11]);
    assert!(made.segments[0].0.big);
    assert_eq!(device.written(), [(0x10, 0x1122_3344)]);
    // As an address, it is what the device means.
    let mut device = Emulated::new().with(0x10, Register::Value(0x2000_0000));
    let address = Address { base: 0, offset: 0 };
    let load = Load { to: 0, place: big, address: at(0x10) };
    run(&mut device, &[load, set(1, 4), Read { block: 1, place: BAR, address, length: 1 }]);
    assert_eq!(device.read_at(), [0x10, 0x20]);
}

#[test]
fn what_is_computed_is_where_it_reads() {
    let mut device = Emulated::new().with(0, Register::Value(0x240_0020));
    let made = run(
        &mut device,
        &[
            Load { to: 0, place: BAR, address: at(0) },
            Instruction::Alu { to: 1, alu: Alu::And, first: 0, second: NONE, constant: 0xff },
            Instruction::Alu { to: 2, alu: Alu::Shr, first: 0, second: NONE, constant: 20 },
            Instruction::Alu { to: 2, alu: Alu::Sub, first: 2, second: 1, constant: 9 },
            Read { block: 3, place: BAR, address: Address { base: 1, offset: 0x100 }, length: 2 },
        ],
    );
    assert_eq!(made.short(), [(0x120, patterns(0x120..0x124), Status::Complete, 4)]);
    assert_eq!(device.announced, [(3, 0x120, 4)]);
}

#[test]
fn facts_are_those_of_the_device() {
    let facts = [
        (Fact::Vendor, 0x8086),
        (Fact::Device, 0x10d3),
        (Fact::SubVendor, 0x1028),
        (Fact::SubDevice, 0x0600),
        (Fact::ClassCode, 0x02_0000),
        (Fact::Revision, 2),
        (Fact::Command, 3),
        (Fact::MsixEnabled, 1),
        (Fact::MsiEnabled, 0),
        (Fact::Bound, 0),
        (Fact::Bar0Size, 0x4000),
        (Fact::Bar1Size, 0x100),
        (Fact::Bar2Size, 0),
        (Fact::Bar5Size, 0),
        (Fact::ConfigSize, 256),
        (Fact::CpuVendor, 2),
        (Fact::CpuFamily, 0x19),
        (Fact::CpuModel, 0x61),
    ];
    for (fact, value) in facts {
        assert_eq!(value_of(&mut Emulated::new(), GetFact { to: 0, fact }), value, "{fact:?}");
    }
    let mut device = Emulated::new();
    device.config.resize(4096, 0);
    assert_eq!(value_of(&mut device, GetFact { to: 0, fact: Fact::ConfigSize }), 4096);
    device.bars[3] = Some(plan::device::Bar { size: 77, io: false });
    assert_eq!(value_of(&mut device, GetFact { to: 0, fact: Fact::Bar3Size }), 77);
}

/// What `instruction` sets variable 0 to.
fn value_of(device: &mut Emulated, instruction: Instruction) -> u64 {
    let scratch = Place { width: Width::W64, ..flagged(BAR, TOUCHES) };
    device.registers.insert((Space::Bar, 0, 0x3ff8), Register::Value(0));
    device.accesses.clear();
    run_all(device, &[instruction, Write { value: 0, place: scratch, address: at(0x3ff8) }]);
    let written = device.written();
    let [(0x3ff8, value)] = written[..] else { panic!("{written:?}") };
    value
}

#[test]
fn capabilities_are_found_one_after_the_other() {
    let capability = |id, after| Instruction::Capability { to: 0, after, id, extended: false };
    let mut device = Emulated::new();
    assert_eq!(value_of(&mut device, capability(0x05, NONE)), 0x50);
    assert_eq!(value_of(&mut device, capability(0x11, NONE)), 0x60);
    assert_eq!(value_of(&mut device, capability(0x09, NONE)), 0);
    // Two of one id: each is found, and then none.
    let mut device = Emulated::new().config(0x61, 0x70).config(0x70, 0x05);
    let next = |to| Instruction::Capability { to, after: 0, id: 0x05, extended: false };
    let first = Instruction::Capability { to: 0, after: NONE, id: 0x05, extended: false };
    let show = Read { block: 1, place: BAR, address: Address { base: 0, offset: 0 }, length: 1 };
    let made = run(&mut device, &[set(1, 4), first, show, next(0), show, next(0), show]);
    let found: Vec<u64> = made.short().into_iter().map(|(offset, ..)| offset).collect();
    assert_eq!(found, [0x50, 0x70, 0]);
    // There is none after none, nor after what cannot be one.
    for after in [0, 4, 0x3c, 0x100, 0x10050, u64::MAX] {
        let made = run(&mut device, &[set(1, 4), set(0, after), next(0), show]);
        assert_eq!(made.short()[0].0, 0, "{after:#x}");
    }
}

#[test]
fn loops_count_and_nest() {
    let read_computed = |to| {
        [
            Instruction::Alu { to: 5, alu: Alu::Mul, first: 1, second: NONE, constant: 0x100 },
            Instruction::Alu { to: 6, alu: Alu::Mul, first: to, second: NONE, constant: 0x10 },
            Instruction::Alu { to: 5, alu: Alu::Add, first: 5, second: 6, constant: 0 },
            Read { block: 1, place: BAR, address: Address { base: 5, offset: 0 }, length: 4 },
        ]
    };
    // Both loops end at the same place.
    let mut instructions = vec![
        set(3, 3),
        set(4, 4),
        Loop { to: 1, count: 3, most: 2, body: 5 },
        Loop { to: 2, count: 3, most: 9, body: 4 },
    ];
    instructions.extend(read_computed(2));
    let mut device = Emulated::new();
    run(&mut device, &instructions);
    assert_eq!(device.read_at(), [0, 0x10, 0x20, 0x100, 0x110, 0x120]);
    // None of them runs at all, neither where the count is 0 nor where the bound is.
    for (count, most) in [(0, 9), (3, 0)] {
        instructions[0] = set(3, count);
        instructions[3] = Loop { to: 2, count: 3, most, body: 4 };
        let mut device = Emulated::new();
        run(&mut device, &instructions);
        assert_eq!(device.read_at(), []);
    }
    // The inner one is skipped once.
    let mut instructions = vec![
        set(3, 2),
        set(4, 4),
        Loop { to: 1, count: 3, most: 9, body: 6 },
        Skip { unless: 1, count: 5 },
        Loop { to: 2, count: 3, most: 9, body: 4 },
    ];
    instructions.extend(read_computed(2));
    let mut device = Emulated::new();
    let made = run(&mut device, &[&instructions[..], &read(BAR, 0x800, 4)].concat());
    assert_eq!(device.read_at(), [0x100, 0x110, 0x800]);
    assert_eq!(made.end.outcome, Outcome::Complete);
}

#[test]
fn a_body_may_set_the_variable_that_counts() {
    let mut device = Emulated::new();
    let place = Place { width: Width::W8, ..BAR };
    let address = Address { base: 1, offset: 0 };
    let body = [Read { block: 1, place, address, length: 4 }, set(1, 77)];
    let head = [set(3, 9), set(4, 1), Loop { to: 1, count: 3, most: 3, body: 2 }];
    run(&mut device, &[&head[..], &body].concat());
    assert_eq!(device.read_at(), [0, 1, 2]);
}

#[test]
fn skipping_is_for_zero_only() {
    for (value, expected) in [(0, vec![8]), (1, vec![4, 8]), (1 << 63, vec![4, 8])] {
        let mut device = Emulated::new();
        let skip = [set(0, value), Skip { unless: 0, count: 2 }];
        run(&mut device, &[&skip[..], &read(BAR, 4, 4), &read(BAR, 8, 4)].concat());
        assert_eq!(device.read_at(), expected);
    }
}

#[test]
fn what_is_never_read_is_not_wherever_its_address_is_from() {
    let doorbells = [never(Space::Bar, 0x1000, 0x1010)];
    let based = |offset: u64| (set(0, offset), Address { base: 0, offset: 0 });
    for start in 0xff4..0x1010 {
        let start = start & !3;
        let (base, address) = based(start);
        // The last register before them, each of them, and blocks across the edge.
        for length in [4, 8, 16, 64] {
            let mut device = Emulated::new();
            for at in (0x1000..0x1010).step_by(4) {
                device = device.with(at, Register::Doorbell);
            }
            let plan = assemble(
                &doorbells,
                &[base, set(1, length), Read { block: 1, place: BAR, address, length: 1 }],
            );
            let made = run_as(&mut device, &plan, &function(), Options::default());
            let covered = start + length > 0x1000;
            let expected = if covered { Status::Never } else { Status::Complete };
            assert_eq!(made.segments[0].0.status, expected, "{start:#x} {length}");
            assert_eq!(made.segments[0].0.wanted, length);
            assert_eq!(device.read_at().is_empty(), covered);
            assert_eq!(device.announced.is_empty(), covered);
            assert_eq!(made.end.outcome, Outcome::Complete);
        }
        let options = Options { touches: true, clears: true };
        let touches = flagged(BAR, TOUCHES);
        for instruction in [
            Load { to: 2, place: BAR, address },
            Alive { place: BAR, address, dead: 3 },
            Write { value: 2, place: touches, address },
            Poll { bit: 0, set: true, place: BAR, address, milliseconds: 3 },
        ] {
            if start < 0x1000 {
                continue;
            }
            let mut device = Emulated::new();
            let plan = assemble(&doorbells, &[base, instruction]);
            let made = run_as(&mut device, &plan, &function(), options);
            assert_eq!((made.end.outcome, made.end.reason), (Outcome::Partial, Reason::Plan));
            assert!(device.accesses.iter().all(|each| each.place.space == Space::Config));
        }
    }
    // Another space, and another base address register, are something else.
    for other in [place(Space::Memory, Width::W32), Place { index: 1, ..BAR }] {
        let mut device = Emulated::new();
        device.bars[1] = device.bars[0];
        let plan = assemble(&doorbells, &read(other, 0x1000, 4));
        let made = run_as(&mut device, &plan, &function(), Options::default());
        assert_eq!(made.segments[0].0.status, Status::Complete);
    }
}

#[test]
fn a_block_does_not_wrap_around_into_what_is_never_read() {
    for space in [Space::Bar, Space::Memory, Space::Unit, Space::Port] {
        let place = place(space, Width::W32);
        let mut device = Emulated::new();
        // A host that knows no end would read on at 0.
        for at in [0, u64::MAX - 7, u64::MAX - 3] {
            device.registers.insert((space, 0, at), Register::Fault);
        }
        let plan = assemble(&[never(space, 0, 4)], &read(place, u64::MAX - 7, 64));
        let made = run_as(&mut device, &plan, &function(), Options::default());
        assert_eq!(device.read_at(), []);
        assert_eq!(made.short(), [(u64::MAX - 7, vec![], Status::Absent, 64)]);
    }
    let msr = place(Space::Msr, Width::W64);
    let mut device = Emulated::new();
    device.registers.insert((Space::Msr, 0, u64::MAX), Register::Fault);
    let plan = assemble(&[never(Space::Msr, 0, 1)], &read(msr, u64::MAX, 16));
    let made = run_as(&mut device, &plan, &function(), Options::default());
    assert_eq!((device.read_at(), made.segments[0].0.status), (vec![], Status::Absent));
}

#[test]
fn what_is_never_read_of_a_window_is_not() {
    let shown = Place::new(Space::Window, 3, Width::W32);
    let label = As { place: shown, address: at(0x100) };
    for (start, end, status) in [
        (0x10c, 0x110, Status::Never),
        (0x100, 0x101, Status::Never),
        (0xfc, 0x100, Status::Complete),
        (0x110, 0x114, Status::Complete),
    ] {
        let mut device = Emulated::new();
        let nevers = [Never { index: 3, ..never(Space::Window, start, end) }];
        let plan = assemble(&nevers, &[&[label][..], &read(BAR, 0x20, 16)].concat());
        let made = run_as(&mut device, &plan, &function(), Options::default());
        assert_eq!(made.segments[0].0.status, status, "{start:#x}");
        assert_eq!(device.read_at().is_empty(), status == Status::Never);
    }
}

#[test]
fn a_label_does_not_hide_what_is_never_read() {
    let label = As { place: Place::new(Space::Window, 3, Width::W32), address: at(0) };
    let mut device = Emulated::new().with(0x24, Register::Doorbell);
    let plan = [&[label][..], &read(BAR, 0x20, 16)].concat();
    let plan = assemble(&[never(Space::Bar, 0x24, 0x28)], &plan);
    let made = run_as(&mut device, &plan, &function(), Options::default());
    assert_eq!(made.segments[0].0.status, Status::Never);
    assert_eq!(device.read_at(), []);
}

#[test]
fn an_address_is_a_multiple_of_the_width() {
    for instruction in [
        Load { to: 2, place: BAR, address: at(2) },
        Read { block: 1, place: BAR, address: at(2), length: 1 },
        Write { value: 2, place: flagged(BAR, TOUCHES), address: at(2) },
        Poll { bit: 0, set: true, place: BAR, address: at(2), milliseconds: 3 },
    ] {
        let mut device = Emulated::new();
        let made = run_all(&mut device, &[set(1, 4), instruction]);
        assert_eq!(made.end.reason, Reason::Plan, "{instruction:?}");
        assert_eq!((device.read_at(), device.written()), (vec![], vec![]));
    }
    // A port has no such rule.
    let mut device = Emulated::new();
    run(&mut device, &read(place(Space::Port, Width::W32), 0xcf9, 4));
    assert_eq!(device.read_at(), [0xcf9]);
}

#[test]
fn what_changes_by_a_read_is_left_out_unless_asked_for() {
    let counter = flagged(BAR, CLEARS);
    let fifo = flagged(BAR, CLEARS);
    let plan = [read(counter, 0x10, 4), read(fifo, 0x20, 4), read(fifo, 0x20, 4)].concat();
    let new = || {
        let queue = VecDeque::from([0x11, 0x22, 0x33]);
        Emulated::new().with(0x10, Register::Counter(0xabcd)).with(0x20, Register::Fifo(queue))
    };
    let bytes =
        |made: &Made| made.segments.iter().map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>();
    let mut device = new();
    let made = run(&mut device, &plan);
    assert_eq!(device.read_at(), []);
    assert!(made.segments.iter().all(|(segment, _)| segment.status == Status::LeftOut));
    assert_eq!(made.segments.len(), 3);
    assert_eq!(made.end.outcome, Outcome::Complete);

    for (options, clears) in [
        (Options { touches: true, clears: false }, false),
        (Options { touches: false, clears: true }, true),
    ] {
        let mut device = new();
        let made = run_as(&mut device, &assemble(&[], &plan), &function(), options);
        assert_eq!(!device.read_at().is_empty(), clears);
        if clears {
            // Each is read once.
            let expected = [[0xcd, 0xab, 0, 0], [0x11, 0, 0, 0], [0x22, 0, 0, 0]];
            assert_eq!(bytes(&made), expected);
        }
    }
    // A driver counts its events itself.
    let mut device = new();
    let known = dump::Device { bound: true, ..function() };
    let options = Options { touches: true, clears: true };
    let made = run_as(&mut device, &assemble(&[], &plan), &known, options);
    assert_eq!(device.read_at(), []);
    assert!(made.segments.iter().all(|(segment, _)| segment.status == Status::LeftOut));
}

/// Reads registers 2, 3, 4 of an index/data window.
fn index_data() -> Vec<Instruction> {
    let touches = flagged(BAR, TOUCHES);
    vec![
        set(3, 3),
        set(4, 4),
        Loop { to: 1, count: 3, most: 3, body: 4 },
        Instruction::Alu { to: 2, alu: Alu::Add, first: 1, second: NONE, constant: 2 },
        Write { value: 2, place: touches, address: at(0x60) },
        As {
            place: Place::new(Space::Window, 9, Width::W32),
            address: Address { base: 5, offset: 8 },
        },
        Read { block: 1, place: touches, address: at(0x64), length: 4 },
    ]
}

fn with_window() -> Emulated {
    Emulated::new().with(0x60, Register::Value(0)).with(0x64, Register::Data(0x60))
}

#[test]
fn an_index_and_a_data_register_are_a_window() {
    let mut device = with_window();
    let mut plan = index_data();
    // Its addresses are bytes.
    plan[2] = Loop { to: 1, count: 3, most: 3, body: 5 };
    plan.insert(3, Instruction::Alu { to: 5, alu: Alu::Mul, first: 1, second: NONE, constant: 4 });
    let made = run_all(&mut device, &plan);
    let bytes = vec![0x02, 0x10, 0, 0, 0x03, 0x10, 0, 0, 0x04, 0x10, 0, 0];
    assert_eq!(made.short(), [(8, bytes, Status::Complete, 12)]);
    let (segment, _) = &made.segments[0];
    assert_eq!((segment.space, segment.index, segment.width), (Space::Window, 9, Width::W32));
    assert_eq!(device.written(), [(0x60, 2), (0x60, 3), (0x60, 4)]);
    assert_eq!(device.read_at(), [0x64, 0x64, 0x64]);
}

#[test]
fn a_window_is_not_moved_unless_asked_for_nor_of_a_driver() {
    let touches = Options { touches: true, clears: false };
    let clears = Options { touches: false, clears: true };
    let bound = dump::Device { bound: true, ..function() };
    for (known, options) in
        [(function(), Options::default()), (function(), clears), (bound, touches)]
    {
        let mut device = with_window();
        let made = run_as(&mut device, &assemble(&[], &index_data()), &known, options);
        assert_eq!((device.read_at(), device.written()), (vec![], vec![]));
        let all = made.short();
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|each| *each == (8, vec![], Status::LeftOut, 4)));
        // A pure block is read, and says that its driver had it.
        let made = run_as(&mut device, &assemble(&[], &read(BAR, 0, 4)), &known, options);
        assert_eq!(made.segments[0].0.status, Status::Complete);
        assert_eq!(made.segments[0].0.bound, known.bound);
        assert_eq!(made.device.bound, known.bound);
    }
}

#[test]
fn a_register_of_a_window_is_neither_loaded_nor_waited_for_unless_asked_for() {
    let place = flagged(BAR, TOUCHES);
    let plan = [
        &[
            set(1, 4),
            Load { to: 1, place, address: at(0x100) },
            Poll { bit: 9, set: true, place, address: at(0x104), milliseconds: 5 },
        ][..],
        &[Read { block: 1, place: BAR, address: at(0x200), length: 1 }],
        &read(BAR, 0x300, 4),
    ]
    .concat();
    let mut device = Emulated::new().with(0x100, Register::Value(4));
    run(&mut device, &plan);
    // What is not loaded is 0.
    assert_eq!(device.read_at(), [0x300]);
    let mut device =
        Emulated::new().with(0x100, Register::Value(4)).with(0x104, Register::Value(512));
    run_all(&mut device, &plan);
    assert_eq!(device.read_at(), [0x100, 0x104, 0x200, 0x300]);
}

#[test]
fn a_base_register_moves_a_window() {
    let mut device = Emulated::new().with(0x400, Register::Value(0));
    device.paged = Some((0x400, 0x2000..0x3000));
    let touches = flagged(BAR, TOUCHES);
    let made = run_all(
        &mut device,
        &[
            &[
                set(0, 0x1_2345_6000),
                Write { value: 0, place: touches, address: at(0x400) },
                As { place: Place::new(Space::Window, 0, Width::W32), address: at(0x1_2345_6010) },
            ][..],
            &read(touches, 0x2010, 8),
        ]
        .concat(),
    );
    // The value has as many bits as the register.
    assert_eq!(device.written(), [(0x400, 0x2345_6000)]);
    let bytes = patterns(0x2345_6010..0x2345_6018);
    assert_eq!(made.short(), [(0x1_2345_6010, bytes, Status::Complete, 8)]);
}

#[test]
fn a_window_that_cannot_be_moved_is_not_read() {
    for register in [Register::Absent, Register::Fault] {
        let mut device = with_window().with(0x60, register);
        let made = run_all(&mut device, &index_data());
        assert_eq!(device.read_at(), []);
        let all = made.short();
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|each| each.2 == Status::NoAnswer));
    }
}

#[test]
fn a_register_is_not_loaded_through_a_window_that_cannot_be_moved() {
    let touches = flagged(BAR, TOUCHES);
    let plan = [
        &[
            set(1, 4),
            Write { value: 1, place: touches, address: at(0x400) },
            // A register that is in no window is loaded.
            Load { to: 2, place: BAR, address: at(0x10) },
            Load { to: 1, place: touches, address: at(0x2010) },
            Skip { unless: 1, count: 1 },
            Read { block: 1, place: BAR, address: at(0x100), length: 1 },
        ][..],
        &read(BAR, 0x200, 4),
        &read(touches, 0x2010, 4),
    ]
    .concat();
    let mut device = Emulated::new().with(0x400, Register::Absent);
    let made = run_all(&mut device, &plan);
    assert_eq!(device.read_at(), [0x10, 0x200, 0x2010]);
    // What follows is not for that.
    assert_eq!(made.end.outcome, Outcome::Complete);
    assert_eq!(made.segments[0].0.status, Status::Complete);
}

#[test]
fn a_label_is_for_one_read() {
    let mut device = Emulated::new();
    let label = As { place: Place::new(Space::Msr, 0, Width::W64), address: at(0x400) };
    let reads = [&[label][..], &read(BAR, 0, 8), &read(BAR, 8, 4)].concat();
    let made = run(&mut device, &reads);
    let found: Vec<_> =
        made.segments.iter().map(|(each, _)| (each.space, each.offset, each.width)).collect();
    assert_eq!(found, [(Space::Msr, 0x400, Width::W32), (Space::Bar, 8, Width::W32)]);
    // It is used up by a block that is not read, too.
    for unread in [read(flagged(BAR, CLEARS), 0, 4), read(BAR, 0, 0)] {
        let made = run(&mut device, &[&[label][..], &unread, &read(BAR, 8, 4)].concat());
        assert_eq!(made.segments.last().unwrap().0.space, Space::Bar);
    }
}

#[test]
fn what_is_waited_for_comes_or_does_not() {
    let poll =
        |bit, set, milliseconds| Poll { bit, set, place: BAR, address: at(0x70), milliseconds };
    let later = || Register::Later(3, 0x10, 0x8000_0000);
    for (bit, set, milliseconds, reads, status) in [
        (31, true, 5, 4, Status::Complete),
        (4, false, 5, 4, Status::Complete),
        (4, true, 5, 1, Status::Complete),
        (31, true, 3, 4, Status::Complete),
        (31, true, 2, 3, Status::NoAnswer),
        (31, true, 0, 1, Status::NoAnswer),
        (63, true, 9, 10, Status::NoAnswer),
        (63, false, 9, 1, Status::Complete),
    ] {
        let mut device = Emulated::new().with(0x70, later());
        let made = run(
            &mut device,
            &[&[poll(bit, set, milliseconds)][..], &read(BAR, 0, 4), &read(BAR, 8, 4)].concat(),
        );
        let polled = device.read_at().iter().filter(|at| **at == 0x70).count();
        assert_eq!(polled, reads, "{bit} {set} {milliseconds}");
        // The block after it is not what it should be; the one after that is.
        assert_eq!(made.segments[0].0.status, status, "{bit} {set} {milliseconds}");
        assert_eq!(made.segments.last().unwrap().0.status, Status::Complete);
        assert_eq!(made.end.outcome, Outcome::Complete);
    }
}

#[test]
fn nothing_is_written_without_the_lock() {
    let touches = flagged(BAR, TOUCHES);
    let plan = [
        &[
            Poll { bit: 0, set: false, place: touches, address: at(0x70), milliseconds: 2 },
            set(0, 5),
            Write { value: 0, place: touches, address: at(0x60) },
            Poll { bit: 1, set: true, place: touches, address: at(0x70), milliseconds: 1000 },
        ][..],
        &read(touches, 0x64, 4),
    ]
    .concat();
    for lock in [Register::Value(1), Register::Absent, Register::Fault] {
        let mut device = with_window().with(0x70, lock);
        let made = run_all(&mut device, &plan);
        assert_eq!(device.written(), []);
        assert!(device.now < 5, "the second is not waited for");
        assert_eq!(made.short(), [(0x64, vec![], Status::NoAnswer, 4)]);
    }
    let mut device = with_window().with(0x70, Register::Value(2));
    let made = run_all(&mut device, &plan);
    assert_eq!(made.segments[0].1, [5, 0x10, 0, 0]);
}

#[test]
fn a_zero_is_read_again() {
    let retry = flagged(BAR, RETRY_ZERO);
    for (zeros, reads, value) in [(0, 1, 9), (1, 2, 9), (3, 4, 9), (4, 4, 0), (9, 4, 0)] {
        let mut device = Emulated::new().with(0, Register::Later(zeros, 0, 9));
        let made = run(&mut device, &read(retry, 0, 4));
        assert_eq!(made.segments[0].1, [value, 0, 0, 0]);
        assert_eq!(device.read_at().len(), reads);
    }
    let mut device = Emulated::new().with(0, Register::Later(1, 0, 9));
    assert_eq!(run(&mut device, &read(BAR, 0, 4)).segments[0].1, [0; 4]);
}

#[test]
fn a_register_that_faults_is_left_out_of_its_block() {
    let msr = place(Space::Msr, Width::W64);
    let mut device = Emulated::new();
    for at in [0x400, 0x403, 0x404, 0x407] {
        device.registers.insert((Space::Msr, 0, at), Register::Fault);
    }
    let made = run(&mut device, &read(msr, 0x400, 64));
    let bytes = |at: u64| patterns(at..at + 8);
    assert_eq!(
        made.short(),
        [
            (0x400, vec![], Status::Fault, 8),
            (0x401, [bytes(0x401), bytes(0x402)].concat(), Status::Complete, 16),
            (0x403, vec![], Status::Fault, 8),
            (0x404, vec![], Status::Fault, 8),
            (0x405, [bytes(0x405), bytes(0x406)].concat(), Status::Complete, 16),
            (0x407, vec![], Status::Fault, 8),
        ]
    );
    assert_eq!(made.end.outcome, Outcome::Complete);
    let load = Load { to: 0, place: msr, address: at(0x400) };
    assert_eq!(value_of(&mut device, load), 0);
}

#[test]
fn a_function_that_cannot_answer_is_left_alone() {
    let config = place(Space::Config, Width::W32);
    let plan = assemble(&[], &[read(config, 0, 16), read(BAR, 0, 4)].concat());
    let gone = dump::Device { power: 4, ..function() };
    let unlinked = dump::Device { link_down: true, ..function() };
    let silent = || {
        let mut device = Emulated::new();
        device.config[..12].fill(0xff);
        device
    };
    for (mut device, known, reason, asked) in [
        (Emulated::new(), gone, Reason::Power, vec![]),
        (silent(), unlinked, Reason::Link, vec![0, 8]),
        (silent(), function(), Reason::NoAnswer, vec![0, 8]),
    ] {
        let made = run_as(&mut device, &plan, &known, Options::default());
        assert_eq!((made.end.outcome, made.end.reason), (Outcome::LeftAlone, reason));
        assert_eq!(made.segments, []);
        assert_eq!(made.device.link_down, reason == Reason::Link);
        // Not even its configuration space but for what shows whether it answers.
        assert!(device.accesses.iter().all(|each| each.place.space == Space::Config));
        assert_eq!(device.accesses.iter().map(|each| each.at).collect::<Vec<_>>(), asked);
    }
    // What answers has a link.
    let made = run_as(&mut Emulated::new(), &plan, &unlinked, Options::default());
    assert_eq!((made.end.outcome, made.device.link_down), (Outcome::Complete, false));
}

#[test]
fn without_power_or_decoding_memory_is_not_read() {
    let config = place(Space::Config, Width::W32);
    let io = Place { index: 1, ..BAR };
    let touches = flagged(BAR, TOUCHES);
    let reads = [
        &read(config, 0, 16)[..],
        &[
            set(9, 0xffff_ffff),
            Load { to: 0, place: BAR, address: at(0) },
            Alive { place: BAR, address: at(0), dead: 9 },
            Write { value: 9, place: touches, address: at(8) },
            Poll { bit: 0, set: true, place: BAR, address: at(0), milliseconds: 9 },
        ],
        &read(BAR, 0x10, 8),
        &read(io, 0x20, 4),
    ]
    .concat();
    for (power, command, memory, ports, reason) in [
        (0, 3, true, true, Reason::None),
        (0, 2, true, false, Reason::Decode),
        (0, 1, false, true, Reason::Decode),
        (0, 0, false, false, Reason::Decode),
        (1, 3, false, false, Reason::Power),
        (3, 3, false, false, Reason::Power),
        (3, 0, false, false, Reason::Power),
    ] {
        let mut device = Emulated::new().config(0x44, power).config(0x04, command);
        device = device.with(0, Register::Value(1)).with(8, Register::Value(0));
        let made = run_all(&mut device, &reads);
        assert_eq!(made.segments[0].1, device.config[..16], "configuration space");
        let complete = reason == Reason::None;
        let outcome = if complete { Outcome::Complete } else { Outcome::Partial };
        assert_eq!((made.end.outcome, made.end.reason), (outcome, reason), "{power} {command}");
        let read = device.read_at();
        assert_eq!(read.contains(&0x20), ports, "{power} {command}");
        for at in [0, 0x10, 0x14] {
            assert_eq!(read.contains(&at), memory, "{power} {command} {at:#x}");
        }
        assert_eq!(device.written().len(), usize::from(memory));
        assert_eq!(made.device.power, power);
        assert_eq!(made.device.no_decode, command & 2 == 0);
        assert_eq!(made.segments.len(), 1 + usize::from(memory) + usize::from(ports));
    }
    // Where nothing else was to be read, nothing was.
    for (device, reason) in [
        (Emulated::new().config(0x04, 0), Reason::Decode),
        (Emulated::new().config(0x44, 3), Reason::Power),
    ] {
        let mut device = device;
        let made = run(&mut device, &read(BAR, 0, 4));
        assert_eq!((made.end.outcome, made.end.reason), (Outcome::LeftAlone, reason));
    }
}

#[test]
fn a_processor_and_a_unit_have_no_configuration_space() {
    for (kind, place) in [
        (Kind::Cpu, place(Space::Msr, Width::W64)),
        (Kind::Drhd, place(Space::Unit, Width::W32)),
        (Kind::Ivhd, place(Space::Unit, Width::W64)),
    ] {
        let mut device = Emulated::new();
        let known = dump::Device { kind, address: 3, vendor: 1, ..function() };
        let plan = [&[GetFact { to: 1, fact: Fact::Vendor }][..], &read(place, 0x10, 16)].concat();
        let made = run_as(&mut device, &assemble(&[], &plan), &known, Options::default());
        assert_eq!(made.end.outcome, Outcome::Complete);
        assert_eq!(made.segments[0].1.len(), 16);
        assert!(device.accesses.iter().all(|each| each.place.space != Space::Config));
        assert_eq!((made.device.kind, made.device.address), (kind, 3));
    }
}

/// The register at 8 is 1 unless the device is dead.
fn alive() -> [Instruction; 2] {
    [set(9, 0xffff_ffff), Alive { place: BAR, address: at(8), dead: 9 }]
}

#[test]
fn a_device_that_is_dead_is_not_read() {
    let config = place(Space::Config, Width::W32);
    let touch =
        || Emulated::new().with(8, Register::Value(0xffff_ffff)).with(0x100, Register::Doorbell);
    let reads = read(BAR, 0x100, 8);
    let mut device = touch();
    let made = run(&mut device, &[&alive()[..], &reads].concat());
    assert_eq!((made.end.outcome, made.end.reason), (Outcome::LeftAlone, Reason::NoAnswer));
    assert_eq!(device.read_at(), [8]);
    // Its configuration space was read: that stays.
    let mut device = touch();
    let made = run(&mut device, &[&read(config, 0, 64)[..], &alive(), &reads].concat());
    assert_eq!((made.end.outcome, made.end.reason), (Outcome::Partial, Reason::NoAnswer));
    assert_eq!(made.short(), [(0, device.config[..64].to_vec(), Status::Complete, 64)]);
    // It may be another value, in another byte order.
    let mut device = Emulated::new().with(8, Register::Value(0xdead_0000));
    let place = flagged(BAR, BIG);
    let alive = [set(9, 0xadde), Alive { place, address: at(8), dead: 9 }];
    let made = run(&mut device, &[&alive[..], &reads].concat());
    assert_eq!(made.end.reason, Reason::NoAnswer);
}

#[test]
fn it_is_asked_before_and_after_each_block() {
    let mut device = Emulated::new().with(8, Register::Value(1));
    let made =
        run(&mut device, &[&alive()[..], &read(BAR, 0x100, 8), &read(BAR, 0x200, 4)].concat());
    assert_eq!(device.read_at(), [8, 8, 0x100, 0x104, 8, 8, 0x200, 8]);
    assert_eq!(made.end.outcome, Outcome::Complete);
    // Of units, memory and ports, too; not of configuration space and processors.
    for (space, asked) in [
        (Space::Unit, true),
        (Space::Memory, true),
        (Space::Port, true),
        (Space::Config, false),
        (Space::Msr, false),
    ] {
        let width = if space == Space::Msr { Width::W64 } else { Width::W32 };
        let mut device = Emulated::new().with(8, Register::Value(1));
        run(&mut device, &[&alive()[..], &read(place(space, width), 0x10, 8)].concat());
        let times = device.read_at().iter().filter(|at| **at == 8).count();
        assert_eq!(times, if asked { 3 } else { 1 }, "{space:?}");
    }
}

#[test]
fn what_was_read_before_a_device_died_is_kept_and_the_rest_is_marked() {
    const LENGTH: u64 = 0x600;
    for with_register in [false, true] {
        let whole = |answers: usize, after: &[Instruction]| {
            let mut device = Emulated::new().with(8, Register::Value(1));
            device.answers = answers;
            let start: &[Instruction] = if with_register { &alive() } else { &[] };
            let made = run(&mut device, &[start, &read(BAR, 0x100, LENGTH), after].concat());
            (device, made)
        };
        for answers in 1..LENGTH as usize / 4 {
            let (device, made) = whole(answers, &read(BAR, 0x1000, 4));
            let died_at = device.accesses.iter().position(|each| each.value == 0xffff_ffff);
            let died_at = died_at.expect("it died") as u64;
            let mut next = 0x100;
            let (lost, kept) = made.segments.split_last().expect("there is one");
            for (segment, bytes) in kept {
                assert_eq!((segment.offset, segment.status), (next, Status::Complete));
                assert_eq!(*bytes, patterns(next..next + segment.wanted), "{answers}");
                next += segment.wanted;
            }
            // All from there on is marked, of this block, and nothing is read after it.
            assert_eq!((lost.0.offset, lost.0.status), (next, Status::NoAnswer), "{answers}");
            assert_eq!(lost.0.offset + lost.0.wanted, 0x100 + LENGTH);
            assert!(lost.1.is_empty());
            let last = device.read_at().into_iter().max().unwrap();
            assert!(last < 0x100 + LENGTH);
            // It was asked after 256 bytes at most.
            assert!(died_at as usize <= answers + 6);
            assert!(device.read_at().len() <= answers + 256 / 4 + 8, "{answers}");
            let reason = if kept.is_empty() { Reason::NoAnswer } else { Reason::Stopped };
            let outcome = if reason == Reason::NoAnswer && made.segments.is_empty() {
                Outcome::LeftAlone
            } else {
                Outcome::Partial
            };
            assert_eq!((made.end.outcome, made.end.reason), (outcome, reason), "{answers}");
            if answers > 100 {
                assert!(next >= 0x100 + (answers as u64 - 80) * 4, "{answers}: {next:#x} is kept");
            }
        }
    }
}

#[test]
fn no_ones_of_a_dead_device_are_kept() {
    for answers in 1..150 {
        // Blocks that are one segment, and fill it up at another place than they are
        // checked at.
        let mut device = Emulated::new();
        device.answers = answers;
        let made = run(&mut device, &[read(BAR, 0x100, 300), read(BAR, 0x100 + 300, 300)].concat());
        let mut next = 0x100;
        for (segment, bytes) in &made.segments {
            assert_eq!(segment.offset, next);
            assert_eq!(*bytes, patterns(next..next + bytes.len() as u64), "{answers}");
            next += segment.wanted;
        }
        assert_eq!(made.segments.last().unwrap().0.status, Status::NoAnswer);
        // A device that is dead, and a block that is longer than its registers.
        let mut device = Emulated::new();
        device.answers = answers;
        device.bars[0].as_mut().unwrap().size = 4 * (answers as u64 + 3);
        let made = run(&mut device, &read(BAR, 0, 0x400));
        let (lost, kept) = made.segments.split_last().unwrap();
        let kept: Vec<u8> = kept.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        assert_eq!(kept, patterns(0..kept.len() as u64), "{answers}");
        assert_eq!((lost.0.status, lost.0.offset), (Status::NoAnswer, kept.len() as u64));
        assert_eq!(lost.0.offset + lost.0.wanted, 0x400);
    }
}

#[test]
fn what_caused_a_fault_is_not_marked_again() {
    let mut device = Emulated::new().with(0x108, Register::Fault);
    device.answers = 5;
    let made = run(&mut device, &read(BAR, 0x100, 32));
    assert_eq!(
        made.short(),
        [
            (0x100, patterns(0x100..0x108), Status::Complete, 8),
            (0x108, vec![], Status::Fault, 4),
            (0x10c, vec![], Status::NoAnswer, 20),
        ]
    );
}

#[test]
fn ones_are_not_death() {
    let mut device = Emulated::new();
    for at in (0x100..0x300).step_by(4) {
        device = device.with(at, Register::Value(0xffff_ffff));
    }
    let made = run(&mut device, &read(BAR, 0x100, 0x200));
    assert_eq!(made.short(), [(0x100, ones(0x80), Status::Complete, 0x200)]);
    assert_eq!(made.end.outcome, Outcome::Complete);
}

#[test]
fn a_device_that_dies_in_the_last_registers_of_a_block_is_found_dead() {
    let mut device = Emulated::new();
    device.answers = 10;
    let made = run(&mut device, &[read(BAR, 0x100, 48), read(BAR, 0x200, 4)].concat());
    assert_eq!(made.short(), [(0x100, vec![], Status::NoAnswer, 48)]);
    assert_eq!(device.read_at().len(), 12);
}

#[test]
fn when_the_time_is_over_the_rest_is_marked() {
    let mut seen = Vec::new();
    for in_time in 1..200 {
        let mut device = Emulated::new();
        device.in_time = in_time;
        let made = run(&mut device, &[read(BAR, 0x100, 0x200), read(BAR, 0x400, 4)].concat());
        seen.push(made.end.reason);
        if made.end.reason == Reason::None {
            assert_eq!(device.read_at().len(), 0x81);
            continue;
        }
        assert_eq!((made.end.outcome, made.end.reason), (Outcome::Partial, Reason::Deadline));
        // Each register and each instruction asks for the time.
        assert!(device.read_at().len() < in_time);
        assert!(in_time <= device.read_at().len() + 5);
        let mut next = 0x100;
        for (offset, bytes, status, wanted) in made.short() {
            if status == Status::Deadline {
                assert_eq!(offset + wanted, if offset < 0x400 { 0x300 } else { 0x404 });
                assert_eq!(bytes, []);
            } else {
                assert_eq!((status, bytes.len() as u64), (Status::Complete, wanted));
                assert_eq!(bytes, patterns(offset..offset + wanted));
            }
            assert!(offset == next || offset == 0x400);
            next = offset + wanted;
        }
    }
    assert_eq!(seen.first(), Some(&Reason::Deadline));
    assert_eq!(seen.last(), Some(&Reason::None));
}

#[test]
fn no_plan_runs_long_after_its_time() {
    let msr = place(Space::Msr, Width::W64);
    let forever = |body: &[Instruction]| {
        let count = body.len() as u32;
        [
            &[
                set(1, u64::MAX),
                set(2, 64),
                Loop { to: 3, count: 1, most: 65536, body: count + 1 },
                Loop { to: 4, count: 1, most: 65536, body: count },
            ][..],
            body,
        ]
        .concat()
    };
    let poll = |milliseconds| Poll { bit: 0, set: true, place: BAR, address: at(0), milliseconds };
    let shown = |place, offset| Read { block: 1, place, address: at(offset), length: 2 };
    let bodies = [
        vec![set(5, 1)],
        vec![Load { to: 5, place: BAR, address: at(0) }],
        vec![shown(BAR, 0x100)],
        vec![shown(flagged(BAR, CLEARS), 0x100)],
        // Not there; a fault each time; never ready.
        vec![shown(BAR, 0x10_0000)],
        vec![shown(msr, 0x400)],
        vec![poll(u16::MAX)],
        vec![poll(0)],
        vec![Instruction::Capability { to: 5, after: NONE, id: 9, extended: false }],
        vec![Instruction::Capability { to: 5, after: NONE, id: 9, extended: true }],
    ];
    for body in bodies {
        let mut device = Emulated::new().with(0, Register::Value(0));
        device.config.resize(4096, 0);
        for at in 0x400..0x408 {
            device.registers.insert((Space::Msr, 0, at), Register::Fault);
        }
        device.in_time = 3000;
        let made = run(&mut device, &forever(&body));
        assert_eq!(made.end.reason, Reason::Deadline, "{body:?}");
        assert!(device.now <= 3000, "it waits for a device after its time");
        // Between two questions there are few accesses: a register, a walk of a list.
        assert!(device.accesses.len() < 3000 * 60, "{body:?}: {}", device.accesses.len());
    }
    // One block, each of whose registers is a fault.
    let mut device = Emulated::new();
    for at in 0..0x10000 {
        device.registers.insert((Space::Msr, 0, at), Register::Fault);
    }
    device.in_time = 100;
    let made = run(&mut device, &read(msr, 0, 0x8_0000));
    assert_eq!(made.end.reason, Reason::Deadline);
    assert!(device.read_at().len() < 100);
    let (segment, _) = made.segments.last().unwrap();
    assert_eq!(segment.status, Status::Deadline);
    assert_eq!(segment.wanted + 8 * segment.offset, 0x8_0000);
}

#[test]
fn a_plan_without_a_deadline_ends() {
    let loops = [
        set(1, u64::MAX),
        Loop { to: 3, count: 1, most: 65536, body: 2 },
        Loop { to: 4, count: 1, most: 65536, body: 1 },
        set(5, 1),
    ];
    let made = run(&mut Emulated::new(), &loops);
    assert_eq!((made.end.outcome, made.end.reason), (Outcome::Partial, Reason::Plan));
}

#[test]
fn no_more_is_read_than_a_plan_says() {
    let mut device = Emulated::new();
    device.bars[0].as_mut().unwrap().size = 1 << 30;
    let most = 1 << 20;
    let made = run(&mut device, &[read(BAR, 0, most - 4), read(BAR, 0, 8)].concat());
    assert_eq!(made.end.reason, Reason::Plan);
    assert_eq!(device.read_at().len() as u64, most / 4 - 1);
    device.accesses.clear();
    let made = run(&mut device, &[read(BAR, 0, most - 4), read(BAR, 0, 4)].concat());
    assert_eq!(made.end.reason, Reason::None);
    // A length that a device made up.
    for length in [u64::MAX, u64::MAX - 3, most + 4, 1 << 63] {
        let mut device = Emulated::new();
        let made = run(&mut device, &read(BAR, 0, length));
        assert_eq!(
            (device.read_at().len(), made.end.outcome),
            (0, Outcome::Partial),
            "{length:#x}"
        );
    }
}

#[test]
fn a_dump_without_room_is_the_start_of_one_with_it() {
    let msr = place(Space::Msr, Width::W64);
    let plan = [
        &[As { place: Place::new(Space::Window, 0, Width::W32), address: at(0) }][..],
        &read(BAR, 0, 0x40c),
        &read(flagged(BAR, CLEARS), 0, 4),
        &read(msr, 0, 24),
        &read(BAR, 0x3ff0, 0x20),
        &read(BAR, 0x100, 3),
    ]
    .concat();
    let new = || {
        let mut device = Emulated::new();
        device.registers.insert((Space::Msr, 0, 1), Register::Fault);
        device
    };
    let mut device = new();
    let made = run(&mut device, &plan);
    assert_eq!(made.end.reason, Reason::None);
    let (all, accesses) = (device.dump, device.accesses.len());
    let bytes = assemble(&[], &plan);
    let (parsed, _) = Plan::parse(&bytes).unwrap();
    for room in 0..all.len() - 16 {
        let mut device = new();
        device.dump = dump::header().to_vec();
        device.room = room;
        let ended = plan::run::collect(&mut device, &parsed, &function(), Options::default());
        assert!(ended.is_err(), "{room}");
        assert_eq!(device.dump, all[..16 + room]);
        assert!(device.accesses.len() <= accesses);
        // What was written can be read, and where it ends is known.
        let records: Vec<_> = Records::new(&device.dump).unwrap().collect();
        let whole = records.iter().filter(|record| record.is_ok()).count();
        assert!(records.len() - whole <= 1);
        if let Some(Err(damage)) = records.last() {
            assert!(matches!(damage, Damage::Cut(_, end) if *end == 16 + room), "{damage:?}");
        }
        assert!(!matches!(records.last(), Some(Ok((_, Record::End(_))))));
        if room < 144 {
            assert_eq!(device.read_at(), []);
        }
    }
    let mut device = new();
    device.dump = dump::header().to_vec();
    device.room = all.len() - 16;
    let end = plan::run::collect(&mut device, &parsed, &function(), Options::default());
    assert_eq!(end, Ok(made.end));
}

#[test]
fn a_device_that_is_left_alone_is_not_touched() {
    let mut device = Emulated::new();
    device.dump = dump::header().to_vec();
    let bytes = assemble(&[], &[]);
    let (plan, _) = Plan::parse(&bytes).unwrap();
    let end = plan::run::leave_alone(&mut device, &plan, &function(), Reason::Excluded);
    let end = end.expect("there is room");
    assert_eq!((end.outcome, end.reason, end.segments), (Outcome::LeftAlone, Reason::Excluded, 0));
    assert_eq!(device.accesses, []);
    let records: Vec<_> =
        Records::new(&device.dump).unwrap().map(|record| record.unwrap().1).collect();
    let known = dump::Device {
        profile: padded(b"test-1"),
        profile_version: 7,
        digest: [0xd1; 32],
        ..function()
    };
    assert_eq!(records, [Record::Device(known), Record::End(end)]);
}
