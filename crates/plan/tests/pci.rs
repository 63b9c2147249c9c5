// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Walks through configuration spaces that may say anything.

use plan::device::{Bar, Cpu, Host, Missed, NoRoom};
use plan::pci;
use plan::place::{Place, Space};
use proptest::prelude::*;

/// A configuration space, and how often it was read.
struct Config(Vec<u8>, usize);

impl Config {
    /// 256 or 4096 bytes of zeros with a list of capabilities.
    fn new(size: usize, parts: &[(usize, &[u8])]) -> Self {
        let mut bytes = vec![0; size];
        bytes[..8].copy_from_slice(&[0x86, 0x80, 0, 0, 0, 0, 0x10, 0]);
        bytes[0x34] = 0x40;
        for (at, part) in parts {
            bytes[*at..][..part.len()].copy_from_slice(part);
        }
        Self(bytes, 0)
    }
}

impl Host for Config {
    fn read(&mut self, place: Place, address: u64) -> Result<u64, Missed> {
        assert_eq!((place.space, place.index), (Space::Config, 0));
        let width = usize::from(place.width.bytes());
        assert_eq!(address as usize % width, 0, "it is a multiple of the width");
        self.1 += 1;
        assert!(self.1 < 10_000, "it reads without an end");
        let bytes = self.0.get(address as usize..).and_then(|bytes| bytes.get(..width));
        let bytes = bytes.ok_or(Missed::Absent)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn write(&mut self, _: Place, _: u64, _: u64) -> Result<(), Missed> {
        panic!("nothing is written");
    }

    fn bar(&mut self, _: u8) -> Option<Bar> {
        None
    }

    fn cpu(&mut self) -> Cpu {
        Cpu::default()
    }

    fn about_to_read(&mut self, _: u8, _: Place, _: u64, _: u64) {}

    fn put(&mut self, _: &[u8]) -> Result<(), NoRoom> {
        Ok(())
    }

    fn is_late(&mut self) -> bool {
        false
    }

    fn milliseconds(&mut self) -> u64 {
        0
    }

    fn pause(&mut self) {}
}

#[test]
fn lists_are_followed_to_their_end() {
    let parts: [(usize, &[u8]); 4] =
        [(0x40, &[1, 0x84]), (0x84, &[9, 0xf8]), (0xf8, &[9, 0x48]), (0x48, &[0x10, 0])];
    let mut config = Config::new(256, &parts);
    assert_eq!(pci::capability(&mut config, 1, None), Some(0x40));
    assert_eq!(pci::capability(&mut config, 9, None), Some(0x84));
    assert_eq!(pci::capability(&mut config, 9, Some(0x84)), Some(0xf8));
    assert_eq!(pci::capability(&mut config, 9, Some(0xf8)), None);
    assert_eq!(pci::capability(&mut config, 0x10, None), Some(0x48));
    assert_eq!(pci::capability(&mut config, 0x11, None), None);
    // There is a list only where the status says so.
    config.0[6] = 0;
    assert_eq!(pci::capability(&mut config, 1, None), None);
    // The two lowest bits of a pointer do not count.
    let mut config = Config::new(256, &[(0x34, &[0x43]), (0x40, &[5, 0x52]), (0x50, &[9, 0])]);
    assert_eq!(pci::capability(&mut config, 9, None), Some(0x50));
}

#[test]
fn extended_lists_are_followed_to_their_end() {
    let parts: [(usize, &[u8]); 3] = [
        (0x100, &[0x01, 0x00, 0x02, 0x14]),
        (0x140, &[0x0b, 0x00, 0xc1, 0xff]),
        (0xffc, &[0x0b, 0x00, 0x01, 0x00]),
    ];
    let mut config = Config::new(4096, &parts);
    assert_eq!(pci::extended(&mut config, 1, None), Some(0x100));
    assert_eq!(pci::extended(&mut config, 0xb, None), Some(0x140));
    assert_eq!(pci::extended(&mut config, 0xb, Some(0x140)), Some(0xffc));
    assert_eq!(pci::extended(&mut config, 0xb, Some(0xffc)), None);
    assert_eq!(pci::extended(&mut config, 2, None), None);
    // There is none in a short configuration space, nor where the first is 0.
    config.0.truncate(256);
    assert_eq!(pci::extended(&mut config, 1, None), None);
    let mut config = Config::new(4096, &[]);
    assert_eq!(pci::extended(&mut config, 0, None), None);
}

#[test]
fn nothing_follows_what_is_none() {
    // Each byte points to a capability that is there.
    let mut config = Config(vec![0x80; 4096], 0);
    config.0[6] = 0x10;
    config.0[0x80..0x84].copy_from_slice(&[9, 0, 0, 0]);
    config.0[0x808..0x80c].copy_from_slice(&[9, 0, 1, 0]);
    assert_eq!(pci::capability(&mut config, 9, Some(0x40)), Some(0x80));
    assert_eq!(pci::extended(&mut config, 9, Some(0x100)), Some(0x808));
    for after in [0, 1, 0x34, 0x3f, 0x100, 0x140, 0xfff, 0xffff] {
        assert_eq!(pci::capability(&mut config, 9, Some(after)), None, "{after:#x}");
    }
    for after in [0, 1, 0x40, 0xff, 0x1000, 0x1100, 0xffff] {
        assert_eq!(pci::extended(&mut config, 9, Some(after)), None, "{after:#x}");
    }
}

#[test]
fn circles_end() {
    let mut config = Config::new(256, &[(0x40, &[1, 0x50]), (0x50, &[2, 0x40])]);
    assert_eq!(pci::capability(&mut config, 9, None), None);
    assert!(config.1 <= 50, "{}", config.1);
    let parts: [(usize, &[u8]); 2] = [(0x100, &[1, 0, 1, 0x20]), (0x200, &[2, 0, 1, 0x10])];
    let mut config = Config::new(4096, &parts);
    assert_eq!(pci::extended(&mut config, 9, None), None);
    assert!(config.1 <= 480, "{}", config.1);
}

#[test]
fn a_pointer_into_the_header_or_out_of_it_ends_a_list() {
    for pointer in [0x04, 0x3c, 0x3f, 0x00] {
        // The header looks like what is looked for.
        let mut config = Config::new(256, &[(0x34, &[pointer]), (0, &[9; 4]), (0x3c, &[9; 4])]);
        assert_eq!(pci::capability(&mut config, 9, None), None, "{pointer:#x}");
    }
    let mut config = Config::new(4096, &[(0x100, &[1, 0, 1, 0x04]), (0x40, &[9, 0, 1, 0])]);
    assert_eq!(pci::extended(&mut config, 9, None), None);
}

#[test]
fn a_function_of_ones_has_nothing() {
    for size in [0, 256, 4096] {
        let mut config = Config(vec![0xff; size], 0);
        for id in [0, 1, 9, 0xff, 0xffff] {
            for after in [None, Some(0), Some(0x40), Some(0x100), Some(0xfffe), Some(0xffff)] {
                assert_eq!(pci::capability(&mut config, id, after), None);
                assert_eq!(pci::extended(&mut config, id, after), None);
            }
        }
        assert!(!pci::answers(&mut config));
        assert!(!pci::msix_enabled(&mut config));
        assert!(!pci::msi_enabled(&mut config));
        assert!(!pci::link_below_is_down(&mut config));
        assert_eq!(pci::power(&mut config), 0);
        assert_eq!(pci::size(&mut config), size as u64);
    }
}

#[test]
fn what_registers_say() {
    for (state, power) in [(0x00, 0), (0x01, 1), (0x02, 2), (0x03, 3), (0xf8, 0), (0xff, 3)] {
        let mut config = Config::new(256, &[(0x40, &[1, 0, 3, 0, state])]);
        assert_eq!(pci::power(&mut config), power);
    }
    assert_eq!(pci::power(&mut Config::new(256, &[])), 0);
    for (flags, on) in [(0x00, false), (0x01, true), (0xfe, false)] {
        assert_eq!(pci::msi_enabled(&mut Config::new(256, &[(0x40, &[5, 0, flags])])), on);
    }
    for (flags, on) in [(0x00, false), (0x80, true), (0x7f, false)] {
        assert_eq!(pci::msix_enabled(&mut Config::new(256, &[(0x40, &[0x11, 0, 0, flags])])), on);
    }
    // A port reports whether its link is up, or does not; others report the one above.
    for (kind, reports, active, down) in [
        (0x42, 0x10, 0x00, true),
        (0x62, 0x10, 0x00, true),
        (0x42, 0x10, 0x20, false),
        (0x42, 0xef, 0xdf, false),
        (0x02, 0x10, 0x00, false),
        (0x52, 0x10, 0x00, false),
        (0x72, 0x10, 0x00, false),
    ] {
        let express: [u8; 0x14] = std::array::from_fn(|at| match at {
            0 => 0x10,
            0x02 => kind,
            0x0e => reports,
            0x13 => active,
            _ => 0,
        });
        assert_eq!(pci::link_below_is_down(&mut Config::new(256, &[(0x40, &express)])), down);
    }
    // The vendor id of a virtual function has ones.
    for (vendor, class, answers) in
        [(0xfe, 0xff, true), (0xff, 0xfe, true), (0xff, 0xff, false), (0xfe, 0xfe, true)]
    {
        let parts: [(usize, &[u8]); 2] = [(0, &[0xff, vendor]), (8, &[0xff, 0xff, 0xff, class])];
        assert_eq!(pci::answers(&mut Config::new(256, &parts)), answers);
    }
    let mut config = Config::new(256, &[(0x04, &[0x07, 0x01])]);
    assert_eq!(pci::command(&mut config), 0x107);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_walk_ends_and_what_it_finds_is_there(
        mut bytes in proptest::collection::vec(any::<u8>(), 4096),
        pointers in proptest::collection::vec((0x40..0x100usize, 0x40..=0xffu8, 0..3u8), 0..64),
        extended in proptest::collection::vec((0x40..0x400usize, 0x100..0x1000u16, 0..3u8), 0..64),
        after in proptest::option::of(any::<u16>()),
        size in prop_oneof![Just(0usize), Just(255), Just(256), Just(4095), Just(4096)],
        id in 0..3u16,
    ) {
        bytes[6] = 0x10;
        bytes[0x34] = 0x40;
        for (at, pointer, id) in pointers {
            bytes[at & !3] = id;
            bytes[(at & !3) + 1] = pointer;
        }
        for (at, pointer, id) in extended {
            let header = u32::from(pointer) << 20 | 1 << 16 | u32::from(id);
            bytes[4 * at..][..4].copy_from_slice(&header.to_le_bytes());
        }
        bytes.truncate(size);
        let mut config = Config(bytes, 0);
        if let Some(found) = pci::capability(&mut config, id, after) {
            prop_assert!((0x40..0x100).contains(&found));
            prop_assert_eq!(u16::from(config.0[usize::from(found)]), id);
        }
        prop_assert!(config.1 <= 50);
        config.1 = 0;
        if let Some(found) = pci::extended(&mut config, id, after) {
            prop_assert!((0x100..0x1000).contains(&found));
            let at = usize::from(found);
            prop_assert_eq!(u16::from_le_bytes([config.0[at], config.0[at + 1]]), id);
        }
        prop_assert!(config.1 <= 481);
        let (_, _, _) =
            (pci::power(&mut config), pci::msi_enabled(&mut config), pci::msix_enabled(&mut config));
        let _ = pci::link_below_is_down(&mut config);
    }
}
