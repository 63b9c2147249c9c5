// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Profiles that are made of what others publish, and completed.

use insta::assert_snapshot;
use profile::{compile, from_csv, from_svd};

/// What its author adds: the devices that it is for.
fn completed(skeleton: &str) -> String {
    let faults = compile(skeleton).expect_err("it is for no device yet");
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].what.contains("match"), "{faults:#?}");
    skeleton.replace("    // Which devices: ", "    ")
}

const SVD: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<device schemaVersion="1.3">
  <name>ACME9</name><version>1.0</version><description>A "test"
     controller</description>
  <addressUnitBits>8</addressUnitBits><width>32</width><size>32</size><access>read-write</access>
  <peripherals>
    <peripheral>
      <name>UART</name><description>serial port</description><baseAddress>0x1000</baseAddress>
      <registers>
        <register><name>STATUS</name><description>status</description><addressOffset>0</addressOffset>
          <fields>
            <field><name>READY</name><bitOffset>0</bitOffset><bitWidth>1</bitWidth></field>
            <field><name>MODE</name><description>mode of work</description><bitRange>[5:4]</bitRange>
              <enumeratedValues>
                <enumeratedValue><name>OFF</name><value>0</value></enumeratedValue>
                <enumeratedValue><name>FAST</name><description>very fast</description><value>0b11</value></enumeratedValue>
              </enumeratedValues>
            </field>
          </fields>
        </register>
        <register><name>DATA</name><addressOffset>4</addressOffset><readAction>modifyExternal</readAction></register>
        <register><name>IRQ</name><addressOffset>8</addressOffset><readAction>clear</readAction></register>
        <register><name>KEY</name><addressOffset>0xc</addressOffset><access>write-only</access></register>
        <register><name>SAME</name><alternateRegister>KEY</alternateRegister><addressOffset>0xc</addressOffset></register>
        <register><dim>2</dim><dimIncrement>4</dimIncrement><name>BUF%s</name><addressOffset>0x20</addressOffset></register>
      </registers>
    </peripheral>
    <peripheral derivedFrom="UART"><name>UART2</name><baseAddress>0x2000</baseAddress></peripheral>
  </peripherals>
</device>
"#;

#[test]
fn svd() {
    let skeleton = from_svd("acme_9", "acme9.svd", SVD).expect("an SVD file");
    assert_snapshot!(skeleton);
    let (profile, _) = compile(&completed(&skeleton)).expect("whole");
    // The gap before the buffers is not read.
    let lengths: Vec<_> = profile.blocks.iter().map(|block| block.length.constant()).collect();
    assert_eq!(lengths, [Some(0x10), Some(8), Some(0x10), Some(8)]);
    assert_eq!(profile.blocks[1].registers.len(), 2);
    let huge = SVD.replace("<dim>2</dim>", "<dim>100000</dim>");
    let error = from_svd("x", "x", &huge).expect_err("too many");
    assert_eq!(error, "expected 65536 registers at most, found 100005");
    for wrong in ["", "<device>", &SVD.replace("0x1000", "here"), &SVD.replace("UART\"", "NONE\"")]
    {
        let error = from_svd("x", "x", wrong).expect_err("no SVD file");
        assert!(error.starts_with("no SVD: ") && !error.contains('\n'), "{error}");
    }
}

#[test]
fn lists_with_names() {
    let text = "Name,Offset,Width,Title\n\
                CTRL,0x0,32,\"control, \"\"main\"\"\"\nSTATUS,0x8,32,\nVERSION,0xc,16,\nMINOR,14,16,\n# far away\nMAC0,0x5400,32,\n";
    let skeleton = from_csv("nic", "nic.csv", text).expect("a list");
    assert_snapshot!(skeleton);
    let (profile, _) = compile(&completed(&skeleton)).expect("whole");
    // What is between them is not read: nobody said that it can be.
    let places: Vec<_> = profile
        .blocks
        .iter()
        .map(|block| (block.location.at.constant(), block.length.constant()))
        .collect();
    assert_eq!(places, [(Some(0), Some(4)), (Some(8), Some(8)), (Some(0x5400), Some(4))]);
}

#[test]
fn lists_of_ranges() {
    let text = "# address, count, enable\n0x000000,5,0x00000\n0x00f014,1,0x0\n0x010000,3,0x20000\n0x012000,4\n";
    let skeleton = from_csv("adapter", "adapter.csv", text).expect("a list");
    let (profile, _) = compile(&completed(&skeleton)).expect("whole");
    let places: Vec<_> = profile
        .blocks
        .iter()
        .map(|block| (block.location.at.constant(), block.length.constant()))
        .collect();
    assert_eq!(places, [(Some(0), Some(20)), (Some(0xf014), Some(4)), (Some(0x1_2000), Some(16))]);
}

#[test]
fn lists_that_are_wrong() {
    let many: String = (0..201).map(|at| format!("{},1\n", at * 8)).collect();
    for (text, error) in [
        ("", "expected a list, found nothing"),
        ("0x10,x", "line 1, column 2: expected a number up to 0x400000, found x"),
        ("0,1\n0x20", "line 2, column 2: expected a number up to 0x400000, found "),
        (
            "name,offset\nA,-4",
            "line 2, column 2: expected a number up to 0x1000000000000, found -4",
        ),
        ("name,offset,width\nA,4,12", "line 2: expected a width of 8, 16, 32 or 64, found 12"),
        ("0,1,0x40", "expected ranges that can always be read, found none"),
        (&many, "expected 200 ranges without gaps at most, found 201"),
    ] {
        assert_eq!(from_csv("x", "x", text), Err(error.to_owned()), "{text}");
    }
}
