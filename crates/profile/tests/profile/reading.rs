// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a compiled profile reads of a device, and what it leaves alone.

use plan::dump::{Outcome, Reason, Status};
use plan::place::Space;
use plan::plan::Kind;
use profile::{Severity, compile};

use crate::emulated::{ALL, Emulated, PURE, Register, of, value};

#[test]
fn what_changes_by_being_read_is_not_read() {
    let text = of(
        "config\nblock regs bar=0 at=0 len=0x20\nnever bar=0 at=0x20 why=\"doorbells\"",
        "block regs {
            reg STATUS at=0x00
            reg ICR at=0x04 effect=clear instead=ICS { LSC 2 }
            reg ERRORS at=0x08 effect=clear
            reg FIFO at=0x10 effect=pop
            reg GONE at=0x14 skip=#true
            reg ICS at=0x18
            reg LAST at=0x1c
        }
        abnormal warn \"the link changed\" when=\"ICR.LSC\"
        abnormal warn \"errors\" when=\"ERRORS\"
        abnormal warn \"either\" when=\"STATUS == 0 || ERRORS\"
        abnormal warn \"surely\" when=\"STATUS || ERRORS\"
        abnormal warn \"surely not\" when=\"STATUS == 0 && ERRORS\"",
    );
    let mut device = Emulated::new()
        .bar(0, 7)
        .register(Space::Bar, 4, Register::Clears(4))
        .register(Space::Bar, 8, Register::Clears(99))
        .bar(0x18, 4)
        .bar(0x1c, 8)
        .forbid(0x04..0x0c)
        .forbid(0x10..0x18)
        .forbid(0x20..0x10000);
    let end = device.collect(&text, ALL);
    assert_eq!((end.outcome, end.reason), (Outcome::Complete, Reason::None));
    assert_eq!(device.touched_in_bar(), [0, 0xc, 0x18, 0x1c].into());
    let decoded = device.decoded(&text);
    assert_eq!(value(&decoded, "STATUS"), Ok(7));
    assert_eq!(value(&decoded, "ICR"), Ok(4));
    assert_eq!(value(&decoded, "LAST"), Ok(8));
    let why = value(&decoded, "ERRORS").expect_err("not read");
    assert_eq!(why, "left out, since reading it changes it");
    let why = value(&decoded, "GONE").expect_err("not read");
    assert_eq!(why, "the profile leaves it out");
    // The rule about what was not read is not known, and not false.
    let texts: Vec<_> = decoded.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(texts, ["the link changed", "surely"]);
    assert_eq!(decoded.undecided, ["errors", "either"]);
    assert_eq!(decoded.findings[0].values, [("ICR.LSC".to_owned(), 1)]);
}

#[test]
fn what_clears_comes_last_and_when_asked_for() {
    let text = of(
        "block counters bar=0 at=0x100 len=8 class=clears\nblock regs bar=0 at=0 len=8",
        "block counters { reg A at=0 effect=clear; reg B at=4 effect=pop }
         block regs { reg X at=0 }",
    );
    let made = || {
        Emulated::new().bar(0, 1).register(Space::Bar, 0x100, Register::Clears(5)).register(
            Space::Bar,
            0x104,
            Register::Pops([6, 7].into()),
        )
    };
    let mut device = made();
    device.collect(&text, PURE);
    let decoded = device.decoded(&text);
    assert_eq!(value(&decoded, "X"), Ok(1));
    assert_eq!(decoded.unread[0].block, "counters");
    assert_eq!(decoded.unread[0].why, Status::LeftOut.words());
    assert_eq!(device.touched_in_bar(), [0, 4].into());
    let mut device = made();
    device.collect(&text, ALL);
    let decoded = device.decoded(&text);
    assert_eq!((value(&decoded, "A"), value(&decoded, "B")), (Ok(5), Ok(6)));
    let order: Vec<_> = device.touched.iter().map(|(_, _, at)| *at).collect();
    assert_eq!(order, [0, 4, 0x100, 0x104]);
    // One whose driver has it is read by pure reads alone.
    let mut device = made();
    device.collect_as(&text, ALL, Kind::Pci, true);
    assert_eq!(device.touched_in_bar(), [0, 4].into());
}

#[test]
fn a_register_that_is_skipped_in_a_state() {
    let text = of(
        "config\nblock ctrl bar=0 at=0 len=0x14",
        "block ctrl { reg CAP at=0 bits=64; reg INTMS at=0x0c skip-if=\"msix.enabled\"; reg CC at=0x10 }",
    );
    let msix = |control: u8| {
        Emulated::new()
            .config(0x34, &[0x40])
            .config(0x40, &[0x11, 0, 3, control])
            .bar(0, 0x1234_5678)
            .bar(4, 0x9abc)
            .bar(0xc, 3)
            .bar(0x10, 4)
    };
    let mut device = msix(0x80).forbid(0xc..0x10);
    let decoded = device.both(&text, PURE);
    assert_eq!(value(&decoded, "CAP"), Ok(0x9abc_1234_5678));
    assert_eq!(value(&decoded, "CC"), Ok(4));
    assert_eq!(value(&decoded, "INTMS"), Err("left out: in this state it is not read".to_owned()));
    let mut device = msix(0);
    assert_eq!(value(&device.both(&text, PURE), "INTMS"), Ok(3));
}

#[test]
fn elements_that_are_there() {
    let text = of(
        "block hba bar=0 at=0 len=0x10\nblock port bar=0 at=0x100 len=0x10 count=32 stride=0x80 bits=PI",
        "block hba { reg PI at=0x0c }
         block port {
            reg SSTS at=0x08
            abnormal error \"no link\" when=\"SSTS != 3\"
         }",
    );
    let mut device = Emulated::new()
        .bar(0xc, 0b1010)
        .bar(0x188, 3)
        .bar(0x288, 1)
        .forbid(0x100..0x180)
        .forbid(0x200..0x280)
        .forbid(0x300..0x10000);
    let decoded = device.both(&text, PURE);
    let ports: Vec<_> = decoded.blocks.iter().filter(|block| block.name == "port").collect();
    assert_eq!(ports.iter().map(|port| port.index).collect::<Vec<_>>(), [Some(1), Some(3)]);
    assert_eq!(ports[1].address, 0x280);
    assert_eq!(decoded.findings.len(), 1);
    assert_eq!(
        (decoded.findings[0].index, decoded.findings[0].severity),
        (Some(3), Severity::Error)
    );
}

/// Machine check banks: an address is only there if the status says so.
#[test]
fn banks_of_a_processor() {
    let text = "profile mca version=1\nsource x\nmatch { cpu vendor=intel }\ncollect {
        block mcg space=msr at=0x179 len=2
        block bank space=msr at=0x400 len=4 count=\"MCG_CAP.COUNT\" stride=4
    }
    block mcg { reg MCG_CAP at=0 { COUNT 0 7 }; reg MCG_STATUS at=1 }
    block bank {
        reg CTL at=0
        reg STATUS at=1 { ADDRV 58; MISCV 59; VAL 63 }
        reg ADDR at=2 skip-if=\"!STATUS.VAL || !STATUS.ADDRV\"
        reg MISC at=3 skip-if=\"!STATUS.VAL || !STATUS.MISCV\"
        abnormal fatal \"an error\" when=\"STATUS.VAL\"
    }";
    let mut device = Emulated::new()
        .msr(0x179, 0xff00_0002)
        .msr(0x17a, 5)
        .msr(0x400, 1)
        .msr(0x401, 0)
        .msr(0x404, 2)
        .msr(0x405, 0x8400_0000_0000_0135)
        .msr(0x406, 0xdead_b000);
    device.forbidden.push((Space::Msr, 0, 0x402..0x404));
    device.forbidden.push((Space::Msr, 0, 0x407..0x500));
    device.collect_as(text, PURE, Kind::Cpu, false);
    let decoded = device.decoded(text);
    let banks: Vec<_> = decoded.blocks.iter().filter(|block| block.name == "bank").collect();
    assert_eq!(banks.len(), 2);
    assert_eq!(banks[1].registers[1].value, Ok(0x8400_0000_0000_0135));
    assert_eq!(banks[1].registers[2].value, Ok(0xdead_b000));
    assert!(banks[0].registers[2].value.is_err() && banks[1].registers[3].value.is_err());
    assert_eq!(decoded.findings.len(), 1);
    assert_eq!(decoded.findings[0].index, Some(1));
}

#[test]
fn computed_places() {
    let text = of(
        "block cap bar=0 at=0 len=8
         block op bar=0 at=\"CAP.LENGTH\" len=8
         let ports \"CAP.PORTS\"
         block port bar=0 at=\"CAP.LENGTH + 0x400\" len=4 count=ports stride=0x10
         block log bar=0 at=0x800 len=\"SIZE * 4\"",
        "block cap { reg CAP at=0 { LENGTH 0 7; PORTS 24 31 }; reg SIZE at=4 }
         block op { reg CMD at=0; reg STS at=4 }
         block port { reg SC at=0 }
         block log { reg ENTRY at=0 count=3 }",
    );
    let mut device = Emulated::new()
        .bar(0, 0x0200_0040)
        .bar(4, 2)
        .bar(0x44, 9)
        .bar(0x440, 1)
        .bar(0x450, 2)
        .bar(0x800, 10)
        .bar(0x804, 11)
        .bar(0x808, 12)
        .forbid(0x808..0x900);
    let decoded = device.both(&text, PURE);
    assert_eq!(value(&decoded, "STS"), Ok(9));
    assert_eq!(decoded.blocks.iter().filter(|block| block.name == "port").count(), 2);
    let log = decoded.blocks.iter().find(|block| block.name == "log").expect("there");
    let entries: Vec<_> = log.registers.iter().map(|each| each.value.clone().ok()).collect();
    assert_eq!(entries, [Some(10), Some(11), None]);
    // A device that says nonsense of itself does not end the plan: 0x41 is no address.
    let mut device = Emulated::new().bar(0, 0x41).bar(4, 1);
    let end = device.collect(&text, PURE);
    assert_eq!((end.outcome, end.reason), (Outcome::Complete, Reason::None));
    assert_eq!(device.touched_in_bar(), [0, 4, 0x800].into());
}

#[test]
fn capabilities_and_what_is_after_them() {
    // Two vendor-specific capabilities, of which the second has type 4.
    let text = of(
        "config
         let first \"cap(9)\"
         let second \"nextcap(9, first)\"
         let third \"nextcap(9, second)\"
         block isr bar=0 at=\"config32(second + 8)\" len=4 if=\"config8(second + 3) == 4\"
         view power cap=1 at=4 len=4
         view aer ecap=1 at=4 len=4",
        "block isr { reg ISR at=0 }
         block power { reg CONTROL at=0 bits=16 { STATE 0 1 } }
         block aer { reg UNCORRECTABLE at=0 }
         headline \"{first} {second} {third} {CONTROL.STATE} {UNCORRECTABLE}\"",
    );
    let mut device = Emulated::new()
        .config(0x34, &[0x40])
        .config(0x40, &[9, 0x50, 16, 1])
        .config(0x50, &[9, 0x60, 16, 4, 0, 0, 0, 0, 0x20, 3])
        .config(0x60, &[1, 0, 0, 0, 1])
        .config(0x100, &[1, 0, 1, 0, 0, 0, 4, 0])
        .bar(0x320, 77)
        // In power state D1 no register is read.
        .config(0x64, &[0]);
    let decoded = device.both(&text, PURE);
    assert_eq!(value(&decoded, "ISR"), Ok(77));
    assert_eq!(decoded.headline.as_deref(), Some("0x40 0x50 0x0 0 0x00040000"));
}

/// What only a block that is not there has is not asked for, and is 0.
#[test]
fn a_register_of_a_block_that_is_not_there() {
    let text = of(
        "config\nblock probe bar=0 at=0x100 len=4 if=\"vendor == 1\"\nlet big \"PROBE\"\n\
         block small bar=0 at=0 len=4 if=\"!big\"\nblock large bar=0 at=0 len=8 if=big",
        "block probe { reg PROBE at=0 }\nblock small { reg A at=0 }\nblock large { reg B at=0 }\n\
         headline \"{PROBE}{A}{B}\"",
    );
    let mut device = Emulated::new().bar(0, 3).forbid(0x100..0x104);
    let decoded = device.both(&text, PURE);
    assert_eq!(decoded.headline.as_deref(), Some("0x00000003"));
    assert_eq!((decoded.blocks.len(), decoded.unread.len()), (1, 0));
    // Whether it is there does not depend on itself.
    let circle = text.replace("vendor == 1", "PROBE");
    let faults = compile(&circle).expect_err("a circle");
    assert!(faults[0].what.contains("circle"), "{faults:?}");
}

/// Big-endian numbers of each size, in a condition and in what is decoded.
#[test]
fn big_endian() {
    let text = of(
        "block health bar=0 at=0x10 len=0x10 order=big
         block more bar=0 at=0x40 len=4 if=\"SYNDROME == 0x12 && LONG == 0x0102030405060708 && SHORT == 0xabcd\"",
        "block health {
            reg SYNDROME at=0 { LOW 0 7 }
            reg BYTE at=4 bits=8
            reg SHORT at=6 bits=16
            reg LONG at=8 bits=64
         }
         block more { reg MORE at=0 }",
    );
    let mut device = Emulated::new()
        .bar(0x10, 0x12_u32.swap_bytes())
        .bar(0x14, u32::from_le_bytes([0x77, 0, 0xab, 0xcd]))
        .bar(0x18, u32::from_le_bytes([1, 2, 3, 4]))
        .bar(0x1c, u32::from_le_bytes([5, 6, 7, 8]))
        .bar(0x40, 1);
    let decoded = device.both(&text, PURE);
    assert_eq!(value(&decoded, "SYNDROME"), Ok(0x12));
    assert_eq!(value(&decoded, "BYTE"), Ok(0x77));
    assert_eq!(value(&decoded, "SHORT"), Ok(0xabcd));
    assert_eq!(value(&decoded, "LONG"), Ok(0x0102_0304_0506_0708));
    assert_eq!(value(&decoded, "MORE"), Ok(1));
}

#[test]
fn never_is_never_touched() {
    // A computed address is compared when it is known.
    let text = of(
        "block cap bar=0 at=0 len=4\nblock op bar=0 at=OFFSET len=8\nnever bar=0 at=0x80 len=4 why=doorbell",
        "block cap { reg OFFSET at=0 }
         block op { reg A at=0 }",
    );
    let mut device = Emulated::new().bar(0, 0x7c).forbid(0x80..0x84);
    device.collect(&text, ALL);
    let decoded = device.decoded(&text);
    assert_eq!(decoded.unread[0].why, Status::Never.words());
    // A constant one does not compile, of a block, of an element, of alive.
    for collect in [
        "block op bar=0 at=0x78 len=0xc",
        "block op bar=0 at=0x40 len=8 count=9 stride=8",
        "alive A dead=0\nblock op bar=0 at=0x80 len=4",
    ] {
        let text = of(
            &format!("{collect}\nnever bar=0 at=0x80 len=4 why=doorbell"),
            "block op { reg A at=0 }",
        );
        let faults = compile(&text).expect_err("it touches what is never read");
        assert!(faults.iter().all(|fault| fault.what.contains("doorbell")), "{faults:?}");
    }
}

#[test]
fn a_device_that_is_dead_or_dies() {
    let text = of(
        "alive A dead=0xffffffff\nblock one bar=0 at=0 len=8\nblock two bar=0 at=0x40 len=8",
        "block one { reg A at=0; reg B at=4 }
         block two { reg C at=0 { F 0 } }
         abnormal fatal \"it failed\" when=\"C.F\"
         headline \"{A} {C.F} {C}\"",
    );
    let made = || Emulated::new().bar(0, 1).bar(4, 2).bar(0x40, 3);
    let mut device = made();
    device.dies_after = Some(0);
    let end = device.collect(&text, PURE);
    assert_eq!((end.outcome, end.reason), (Outcome::LeftAlone, Reason::NoAnswer));
    let mut device = made();
    // Asked at first, before and after two registers, and before the next one: it dies then.
    device.dies_after = Some(6);
    let end = device.collect(&text, PURE);
    assert_eq!((end.outcome, end.reason), (Outcome::Partial, Reason::Stopped));
    let decoded = device.decoded(&text);
    assert_eq!(value(&decoded, "B"), Ok(2));
    assert_eq!(decoded.headline.as_deref(), Some("0x00000001 ? ?"));
    assert_eq!(decoded.findings, []);
    assert_eq!(decoded.undecided, ["it failed"]);
    assert_eq!(decoded.unread[0].block, "two");
    assert_eq!(decoded.unread[0].why, Status::NoAnswer.words());
}

#[test]
fn a_zero_that_is_read_again() {
    let text =
        of("block regs bar=0 at=0 len=8", "block regs { reg A at=0 retry-zero=3; reg B at=4 }");
    let mut device = Emulated::new()
        .register(Space::Bar, 0, Register::Pops([0, 0, 5, 6].into()))
        .register(Space::Bar, 4, Register::Pops([0, 9].into()));
    let decoded = device.both(&text, PURE);
    assert_eq!((value(&decoded, "A"), value(&decoded, "B")), (Ok(5), Ok(0)));
}
