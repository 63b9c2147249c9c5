// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Text of a profile: whatever it is, there are faults with places in it, or a plan that the
//! module takes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plan::Plan;

fuzz_target!(|text: &[u8]| {
    match profile::compile_file("x", text) {
        Ok((profile, plan)) => {
            // What matches nothing but dumps of drivers reads no device.
            assert_eq!(plan.is_empty(), profile.matches.is_empty());
            if !plan.is_empty() {
                let (parsed, rest) = Plan::parse(&plan).expect("what compiles is a plan");
                assert!(rest.is_empty() && parsed.name() == b"x");
                assert_eq!(parsed.matches().count(), profile.matches.len());
            }
            // All that is shown of it can be shown.
            for block in profile.reads().flatten() {
                assert!(!profile.shown(&block.length).is_empty());
                for register in &block.registers {
                    let _ = profile.reading(register, block.class);
                }
            }
        }
        Err(faults) => {
            assert!(!faults.is_empty() && faults.len() <= 100);
            assert!(faults.is_sorted());
            let lines = text.split(|byte| *byte == b'\n').count();
            for fault in &faults {
                assert!((1..=lines).contains(&fault.position.line), "{fault}");
                assert!(fault.position.column > 0 && !fault.what.contains(char::is_control));
            }
        }
    }
    let Ok(text) = std::str::from_utf8(text) else { return };
    // What a list becomes lacks only the devices that it is for.
    if let Ok(skeleton) = profile::from_csv("x", "x", text) {
        let whole = skeleton.replace("    // Which devices: ", "    ");
        let faults = profile::compile(&whole).err().unwrap_or_default();
        let syntax = faults.iter().find(|fault| fault.what.starts_with("no KDL"));
        assert_eq!(syntax, None, "{whole}");
    }
});
