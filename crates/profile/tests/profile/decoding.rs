// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a register dump says, and what of a damaged one.

use plan::dump::Damage;
use profile::{By, Library, Number, compile};

use crate::decode;
use proptest::prelude::*;
use synth::{RegisterDevice, RegisterSpace, Registers};

use crate::emulated::{Emulated, PURE, of, value};

const TEXT: &str = "profile test version=3 title=\"a test device\"
source x
match { pci class=0 class-mask=0 }
collect {
    config
    block regs bar=0 at=0 len=0x20
    view id space=config at=0 len=4
    view bridge space=config at=0x18 len=4 if=\"ID.VENDOR == 1\"
}
block regs {
    reg CAP at=0 title=\"what it can\" {
        TIMEOUT 24 31 scale=500 unit=ms
        QUEUES 0 7 add=1
        HEAT 8 15 scale=0.5 add=-40 unit=C
        STATE 16 17 { is 0 stopped; is 1 runs; is 2 failed }
    }
    reg MODE at=4 { is 3 turbo }
    reg COUNT at=8 counter=#true unit=frames
    reg RING at=0x10 bits=64 phys=#true len=\"CAP.QUEUES * 16\"
    reg OLD at=0x18 if=\"CAP.STATE == 1\"
    reg NEW at=0x18 if=\"CAP.STATE == 2\"
}
block id { reg ID at=0 { VENDOR 0 15; DEVICE 16 31 } }
block bridge { reg BUSES at=0 }
abnormal info \"a note\" when=\"CAP.QUEUES\"
abnormal fatal \"it has failed\" when=\"CAP.STATE == 2\" advice=\"Replace it.\"
abnormal warn \"about a bridge\" when=\"BUSES\"
headline \"state {CAP.STATE}, {CAP.TIMEOUT}, mode {MODE}, {COUNT}, bus {BUSES}\"
";

fn made() -> Emulated {
    Emulated::new()
        .bar(0, 0x0f02_3207)
        .bar(4, 3)
        .bar(8, 1000)
        .bar(0x10, 0x4000)
        .bar(0x14, 1)
        .bar(0x18, 5)
}

#[test]
fn fields_meanings_and_findings() {
    let mut device = made();
    let decoded = device.both(TEXT, PURE);
    assert_eq!((&decoded.by, decoded.title.as_str()), (&By::Same, "a test device"));
    assert_eq!(
        decoded.headline.as_deref(),
        Some("state failed, 7500 ms, mode turbo, 1000 frames, bus ")
    );
    let registers = &decoded.blocks[0].registers;
    let fields: Vec<_> = registers[0]
        .fields
        .iter()
        .map(|field| (field.raw, field.value, field.meaning.as_deref()))
        .collect();
    assert_eq!(
        fields,
        [
            (0x0f, Number::Integer(7500), None),
            (7, Number::Integer(8), None),
            (0x32, Number::Real(5.0), None),
            (2, Number::Integer(2), Some("failed")),
        ]
    );
    assert_eq!(value(&decoded, "RING"), Ok(0x1_0000_4000));
    assert_eq!(registers[3].points_to, Some(128));
    // Of two registers at one place, that which is there.
    assert_eq!(value(&decoded, "NEW"), Ok(5));
    assert!(registers.iter().all(|register| register.name != "OLD"));
    let found: Vec<_> = decoded.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(found, ["it has failed", "a note"]);
    assert_eq!(decoded.findings[0].advice.as_deref(), Some("Replace it."));
    // A rule about what is not there is not undecided.
    assert_eq!((decoded.undecided.len(), decoded.unread.len()), (0, 0));
    // Positions lead to the bytes.
    for register in registers {
        let (at, known) = (register.position.expect("read"), register.value.clone().expect("read"));
        let bytes = &device.dump[at..at + register.bits as usize / 8];
        let found = bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
        assert_eq!(found, known, "{}", register.name);
    }
}

#[test]
fn another_version_and_none() {
    let mut device = made();
    device.collect(TEXT, PURE);
    let other = TEXT.replace("version=3", "version=4");
    let mut library = Library::empty();
    library.add("test".to_owned(), other.into_bytes().into());
    let found = |library: &mut Library| {
        let mut devices = decode(&device.dump, library).expect("a dump");
        devices.next().expect("one").expect("whole")
    };
    let decoded = found(&mut library);
    assert_eq!(decoded.by, By::Version(4));
    assert_eq!(value(&decoded, "MODE"), Ok(3));
    // The file that it was read by comes before others of the name.
    library.add("test".to_owned(), TEXT.as_bytes().to_vec().into());
    assert_eq!(found(&mut library).by, By::Same);
    let none = found(&mut Library::empty());
    assert_eq!((none.by, none.blocks.len(), none.segments.len()), (By::Nothing, 0, 9));
    let mut faulty = Library::empty();
    faulty.add("test".to_owned(), b"profile other version=1".to_vec().into());
    assert!(matches!(found(&mut faulty).by, By::Faulty(3, _)));
}

#[test]
fn several_devices_and_what_is_cut() {
    let mut device = made();
    device.collect(TEXT, PURE);
    let first = device.dump.len();
    device.collect(TEXT, PURE);
    let mut library = Library::empty();
    library.add("test".to_owned(), TEXT.as_bytes().to_vec().into());
    assert_eq!(decode(&device.dump, &mut library).expect("a dump").count(), 2);
    // Wherever it ends, what is whole is decoded, and that it was cut is said.
    for end in (0..first).rev() {
        match decode(&device.dump[..end], &mut library) {
            Err(damage) => assert!(matches!(damage, Damage::Magic | Damage::Cut(..)), "{end}"),
            Ok(devices) => {
                for found in devices.flatten() {
                    let is_whole = found.end.is_some();
                    assert!(!is_whole || end + 8 > first, "{end} of {first}");
                }
            }
        }
    }
}

/// Segments may overlap, and registers may be in several.
#[test]
fn segments_that_overlap_or_continue() {
    let text = "profile x version=1\nsource x\nmatch { cpu }\ncollect {
        block a space=memory at=0x100 len=0x14
        block m space=msr at=0x400 len=3
    }
    block a { reg A at=0; reg B at=4; reg C at=8; reg D at=0xc bits=64 }
    block m { reg M at=0; reg N at=1; reg O at=2 }";
    let words =
        |words: &[u32]| words.iter().flat_map(|each| each.to_le_bytes()).collect::<Vec<_>>();
    let dump = Registers::new()
        .device(&RegisterDevice { kind: 2, ..RegisterDevice::pci("x", 1, [0; 32]) })
        .read(RegisterSpace::Memory, 0, 0x104, &words(&[9]))
        .read(RegisterSpace::Memory, 0, 0x100, &words(&[1, 2, 3, 4]))
        .read(RegisterSpace::Memory, 0, 0x108, &words(&[9]))
        .read(RegisterSpace::Memory, 0, 0x10c, &words(&[9, 5]))
        .read(RegisterSpace::Msr, 0, 0x401, &words(&[0, 9, 3, 7]))
        .read(RegisterSpace::Msr, 0, 0x400, &words(&[1, 7, 2, 7]))
        .end(0, 0);
    let mut library = Library::empty();
    library.add("x".to_owned(), text.as_bytes().to_vec().into());
    let mut devices = decode(dump.bytes(), &mut library).expect("a dump");
    let device = devices.next().expect("one").expect("whole");
    assert_eq!(
        ["A", "B", "C", "D"].map(|name| value(&device, name)),
        [Ok(1), Ok(2), Ok(3), Ok(0x5_0000_0004)]
    );
    let high = |low: u64| Ok(7 << 32 | low);
    assert_eq!(["M", "N", "O"].map(|name| value(&device, name)), [high(1), high(2), high(3)]);
}

/// A device without a name, with registers of every kind.
fn everything() -> String {
    of(
        "config\nblock regs bar=0 at=0 len=0x40\nblock op bar=0 at=OFF len=LEN count=COUNT stride=4\n\
         block some bar=0 at=0 len=4 count=64 stride=4 bits=BITS\nview cap cap=1 at=0 len=4",
        "block regs { reg OFF at=0; reg LEN at=4; reg COUNT at=8 bits=64; reg BITS at=0x10 bits=64; reg MANY at=0x18 count=4 order=big }\n\
         block op { reg A at=0\nabnormal warn \"a\" when=\"A + index\" }\n\
         block some { reg S at=0 bits=8 { F 0 6 scale=1e300 } }\nblock cap { reg C at=0 phys=#true len=\"C << C\" }\nheadline \"{C} {OFF}\"",
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    /// Whatever a dump has in it, it is decoded, or is said to be damaged.
    #[test]
    fn nonsense(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40)) {
        let text = everything();
        let mut device = made();
        device.collect(&text, PURE);
        let mut dump = device.dump;
        // All but the digest and the name, by which the profile is found.
        for (at, byte) in changes {
            let at = at.index(dump.len());
            if !(64..128).contains(&at) && at > 16 {
                dump[at] = byte;
            }
        }
        let mut library = Library::empty();
        library.add("test".to_owned(), text.into_bytes().into());
        if let Ok(devices) = decode(&dump, &mut library) {
            for device in devices.flatten() {
                let registers: usize = device.blocks.iter().map(|block| block.registers.len()).sum();
                prop_assert!(registers <= 1 << 16);
                for register in device.blocks.iter().flat_map(|block| &block.registers) {
                    let end = register.position.map_or(0, |at| at + register.bits as usize / 8);
                    prop_assert!(end <= dump.len());
                    prop_assert_eq!(register.position.is_some(), register.value.is_ok());
                }
            }
        }
    }
}

#[test]
fn profiles_that_are_built_in() {
    for (name, text) in profile::BUILT_IN {
        let (profile, plan) = compile(text).unwrap_or_else(|faults| panic!("{name}: {faults:#?}"));
        assert_eq!(profile.name, *name);
        let has_plan = !profile.matches.is_empty();
        assert_eq!(plan::Plan::parse(&plan).is_ok(), has_plan, "{name}");
        assert_eq!(plan.is_empty(), !has_plan, "{name}");
    }
}
