// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Register dumps, by a profile that has one of everything.
#![no_main]

use std::alloc::System;
use std::cell::RefCell;

use cap::Cap;
use libfuzzer_sys::fuzz_target;
use profile::{Library, devices};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 256 << 20);

const PROFILE: &str = include_str!("everything.kdl");

thread_local! {
    /// It is compiled once.
    static LIBRARY: RefCell<Library> = const { RefCell::new(Library::empty()) };
}

fuzz_target!(init: LIBRARY.with_borrow_mut(|library| {
    library.add("everything".to_owned(), PROFILE.as_bytes().into());
    let compiled = library.named("everything").expect("it is there");
    assert!(compiled.is_ok(), "{compiled:?}");
}), |dump: &[u8]| LIBRARY.with_borrow_mut(|library| check(dump, library)));

fn check(dump: &[u8], library: &mut Library) {
    let Ok(devices) = devices(dump) else { return };
    let mut has_damage = false;
    for device in devices {
        assert!(!has_damage, "nothing is after what is damaged");
        let Ok(mut device) = device else {
            has_damage = true;
            continue;
        };
        device.decode(library);
        let registers = device.blocks.iter().flat_map(|block| &block.registers);
        for register in registers {
            assert_eq!(register.position.is_some(), register.value.is_ok());
            let end = register.position.unwrap_or(0) + register.bits as usize / 8;
            assert!(register.position.is_none() || end <= dump.len());
            let all = u64::MAX >> (64 - register.bits);
            assert!(
                register.value.as_ref().is_ok_and(|value| value & !all == 0)
                    || register.value.is_err()
            );
            assert!(register.fields.is_empty() || register.value.is_ok());
        }
        assert!(device.findings.is_sorted_by_key(|finding| finding.severity));
        for segment in &device.segments {
            let bytes = dump.get(segment.position..segment.position + segment.bytes.len());
            assert_eq!(bytes, Some(segment.bytes));
        }
    }
}
