// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Ids of crashes, fleets and machines.

use std::collections::HashSet;

use crash_id::{CrashId, FleetId, MachineId};

const MACHINE: &str = "3e1b6f1d0e9c4a0b8f6d2c5a7b9e0f12\n";

fn vmcoreinfo(time: u64, offset: u64) -> String {
    format!(
        "OSRELEASE=6.12.0-amd64\nBUILD-ID=8f3f1c9d2e7a5b6c4d0e1f2a3b4c5d6e7f809112\nPAGESIZE=4096\n\
         SYMBOL(init_uts_ns)={:x}\nNUMBER(phys_base)={}\nKERNELOFFSET={offset:x}\nCRASHTIME={time}\n",
        0xffff_ffff_8200_0000_u64 + offset,
        offset / 2,
    )
}

/// The ids are written down by whoever ships crashes: they must not change. These were
/// computed with Python's `hashlib` and `hmac`.
#[test]
fn ids_do_not_change() {
    let crash = CrashId::of_vmcoreinfo(b"OSRELEASE=6.12.0\nCRASHTIME=1732700000\n").unwrap();
    assert_eq!(crash.to_string(), "ecde47302c5c220dc086c102ebada0ce");
    let machine = MachineId::parse(MACHINE).unwrap();
    assert_eq!(machine.to_string(), "bf878684ece4418c853ca15aa31589ef");
    let fleet = FleetId::new(machine, crash);
    assert_eq!(fleet.to_string(), "47ef427182417c740110370e765a5708");
}

#[test]
fn what_is_no_machine_id_is_none() {
    for text in [
        "",
        "uninitialized\n",
        "00000000000000000000000000000000\n",
        "3e1b6f1d0e9c4a0b8f6d2c5a7b9e0f1",
        "3e1b6f1d0e9c4a0b8f6d2c5a7b9e0f123",
        "+e1b6f1d0e9c4a0b8f6d2c5a7b9e0f12",
        "3e1b6f1d0e9c4a0b8f6d2c5a7b9e0f12\n\n",
        "3e1b6f1d0e9c4a0b8f6d2c5a7b9e0f1é",
    ] {
        assert_eq!(MachineId::parse(text), None, "{text:?}");
    }
    assert_eq!(MachineId::parse(MACHINE.trim()), MachineId::parse(MACHINE));
}

/// Some tools keep the page that the text is in.
#[test]
fn fill_after_the_text_does_not_count() {
    let text = vmcoreinfo(1_732_700_000, 0);
    let id = CrashId::of_vmcoreinfo(text.as_bytes());
    assert!(id.is_some());
    let mut page = text.into_bytes();
    page.resize(4096, 0);
    assert_eq!(CrashId::of_vmcoreinfo(&page), id);
    for empty in [&[0; 16][..], &[]] {
        assert_eq!(CrashId::of_vmcoreinfo(empty), None);
    }
}

#[test]
fn two_panics_differ() {
    let id = |time, offset| CrashId::of_vmcoreinfo(vmcoreinfo(time, offset).as_bytes()).unwrap();
    let first = id(1_732_700_000, 0x1e00_0000);
    assert_ne!(id(1_732_700_001, 0x1e00_0000), first);
    assert_ne!(id(1_732_700_000, 0x1e20_0000), first);
    // Nothing else is known to differ.
    assert_eq!(id(1_732_700_000, 0x1e00_0000), first);
    let fleet =
        |machine: u128| FleetId::new(MachineId::parse(&format!("{machine:032x}")).unwrap(), first);
    assert_ne!(fleet(1), fleet(2));
    assert_eq!(fleet(1), fleet(1));
    assert_ne!(fleet(1).bytes(), first.bytes());
}

#[test]
fn a_million_crashes_have_a_million_ids() {
    let crash = |time: u64, offset: u64| {
        let text = format!("KERNELOFFSET={offset:x}\nCRASHTIME={}\n", 1_732_700_000 + time);
        CrashId::of_vmcoreinfo(text.as_bytes()).unwrap()
    };
    let crashes: HashSet<_> =
        (0..1_000_000).map(|number| crash(number / 512, (number % 512) << 21)).collect();
    assert_eq!(crashes.len(), 1_000_000);
    // A thousand machines, each with the same thousand crashes.
    let machine = |number| MachineId::parse(&format!("{number:032x}")).unwrap();
    let machines: Vec<_> = (1..=1000_u128).map(machine).collect();
    let of_each: Vec<_> = crashes.into_iter().take(1000).collect();
    let of_machine = |machine: &MachineId| {
        of_each.iter().map(|crash| FleetId::new(*machine, *crash)).collect::<Vec<_>>()
    };
    let fleet: HashSet<_> = machines.iter().flat_map(of_machine).collect();
    assert_eq!(fleet.len(), 1_000_000);
}
