// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is said of profiles that are wrong: a line for each fault, with its place.

use insta::assert_snapshot;
use profile::{compile, compile_file};

use crate::emulated::of;

/// The faults of `text`, each on a line.
fn faults(text: &str) -> String {
    match compile(text) {
        Ok(_) => "none\n".to_owned(),
        Err(faults) => faults.iter().map(|fault| format!("{fault}\n")).collect(),
    }
}

/// The faults of each text, which is shown before them.
fn all(texts: &[String]) -> String {
    texts.iter().map(|text| format!("--- {}\n{}", text.trim_end(), faults(text))).collect()
}

/// Profiles that collect this, with a register A in block b and an array of blocks.
fn with_collect(collects: &[&str]) -> Vec<String> {
    let with = |collect: &&str| {
        let layout = "block b { reg A at=0 { F 0 3 } }\nblock e { reg E at=0 }";
        of(
            &format!(
                "block b bar=0 at=0 len=8\nblock e bar=0 at=0x100 len=4 count=2 stride=4\n{collect}"
            ),
            layout,
        )
    };
    collects.iter().map(with).collect()
}

#[test]
fn what_is_no_profile() {
    let deep = "a {".repeat(9);
    let texts = [
        "",
        "profile x version=1",
        "profile Wrong_Name version=1 titel=x",
        "profile x version=1\nnode",
        "profile x version=1\nregister \"a",
        "profile x version=1 }",
        "profile x version=-1 version=2",
        "profile x y version=1\nsource 3\nmatch { usb; pci; pci vendor=0x12345 { id 3 }; cpu vendor=via }\ncollect",
        "/* a comment */",
        "/- profile",
        "(u8)profile",
        &deep,
    ];
    assert_snapshot!(all(&texts.map(str::to_owned)));
}

#[test]
fn files() {
    let text = of("config", "");
    let found = compile_file("other", text.as_bytes()).expect_err("another name");
    assert_eq!(
        found[0].to_string(),
        "1:1: expected the name of the file, other, as the profile's, found test"
    );
    let found = compile_file("test", b"profile test\n  \xc3\xa9\xff").expect_err("no UTF-8");
    assert_eq!(found[0].to_string(), "2:4: expected UTF-8, found the byte 0xff");
    let large = " ".repeat((1 << 20) + 1);
    let found = compile_file("test", large.as_bytes()).expect_err("too large");
    assert_eq!(
        found[0].to_string(),
        "1:1: the file is too large, expected 1048576 bytes at most, found 1048577"
    );
}

#[test]
fn layouts() {
    let layouts = [
        "reg A",
        "reg A at=0 bits=12",
        "reg A at=0x10",
        "reg A at=0\nreg B at=2 bits=16",
        "reg A at=0 count=4\nreg B at=0xc",
        "reg A at=0 count=2 stride=2",
        "reg A at=0 count=0",
        "reg A at=0 stride=4",
        "reg A at=0\nreg A at=4",
        "reg A at=0 bits=8 { F 8 }",
        "reg A at=0 { F 3 1 }",
        "reg A at=0 { F; G 1 2 3 }",
        "reg A at=0 { F 0; F 1 }",
        "reg A at=0 { F 0 1 { is 4 x; is 1 a; is 1 b } }",
        "reg A at=0 { F 0 1 { not 1 } }",
        "reg A at=0 { F 0 add=x scale=0 bits=3 }",
        "reg A at=0 { 9F 1 }",
        "reg A at=0 { F-G 1 }",
        "reg A at=0 { is 1 }",
        "reg A at=0 phys=#true",
        "reg A at=0 len=4",
        "reg A at=0 phys=yes",
        "reg A at=0 skip=#true skip-if=\"1\"",
        "reg A at=0 instead=B",
        "reg A at=0 effect=explode",
        "reg A at=0 bits=8 skip=#true\nreg B at=1 bits=8",
        "reg A-B at=0",
        "field A at=0",
        "abnormal bad \"x\" when=1",
        "abnormal warn when=1",
        "abnormal warn \"x\"",
        "abnormal warn \"x\" when=\"1 + 1\"",
    ];
    let shown = |layout: &&str| {
        let text = of("block b bar=0 at=0 len=0x10", &format!("block b {{\n{layout}\n}}"));
        format!("--- {layout}\n{}", faults(&text))
    };
    assert_snapshot!(layouts.iter().map(shown).collect::<String>());
}

#[test]
fn expressions() {
    let rules = [
        "A +",
        "A + )",
        "(A",
        "A ? 1",
        "A.F.G.H",
        "A..F",
        "0xg",
        "99999999999999999999",
        "Q",
        "a",
        "A.G",
        "E",
        "sin(A)",
        "popcount(A, A)",
        "cap(A)",
        "A B",
        "index",
        "!",
        "1 = A",
    ];
    let texts: Vec<_> = rules
        .iter()
        .map(|rule| with_collect(&[&format!("let v \"{rule}\"")]).concat())
        .chain([
            with_collect(&[&format!("let v \"{}A\"", "!".repeat(30))]).concat(),
            with_collect(&[&format!("let v \"{}A{}\"", "(".repeat(30), ")".repeat(30))]).concat(),
            with_collect(&[&format!("let v \"A{}\"", " + A".repeat(30))]).concat(),
            with_collect(&[&format!("let v \"A{}\"", " ".repeat(3000))]).concat(),
        ])
        .collect();
    // The line of the expression alone.
    let shown = |text: &String| {
        let line = text.lines().find(|line| line.starts_with("let")).unwrap_or_default();
        format!("--- {}\n{}", line.get(..60).unwrap_or(line), faults(text))
    };
    assert_snapshot!(texts.iter().map(shown).collect::<String>());
}

#[test]
fn collecting() {
    let texts = with_collect(&[
        "config\nconfig",
        "block c",
        "block c bar=6 at=0 len=4",
        "block c bar=0 cap=1 len=4",
        "block c space=moon at=0 len=4",
        "block c window=w at=0 len=4",
        "block c bar=0 at=2 len=6",
        "block c bar=0 at=0 len=0",
        "block c bar=0 at=0 len=4 count=2",
        "block c bar=0 at=0 len=8 count=2 stride=4",
        "block c bar=0 at=0 len=4 bits=3",
        "block c bar=0 at=0 len=4 width=12",
        "block c bar=0 at=0 len=4 order=middle class=clean retry-zero=9 size=3",
        "block c space=config at=0xffc len=8",
        "block c space=config at=0 len=8 width=64",
        "block c space=msr at=0 len=1",
        "block c space=unit at=0 len=4",
        "block b bar=0 at=0x100 len=4",
        "view c bar=0 at=0 len=4 class=clears retry-zero=1",
        "block c bar=0 at=0 len=4 count=100 stride=4 bits=A",
        "block c bar=0 at=0 len=0x2000000",
        "let v \"w\"\nlet w 1",
        "let v \"v\"",
        "let v 1\nlet v 2",
        "alive A.F dead=0",
        "alive A dead=0x100000000",
        "never bar=0 at=4 len=4",
        "never bar=0 at=4 len=0 why=x",
        "never cap=1 at=0 why=x",
        "never bar=0 at=4 len=4 why=\"a doorbell\"",
        "window w bar=0 base-at=0 base-mask=0xfff at=0x1000 len=0x1001",
        "window w bar=0 base-at=0 index-at=4 base-mask=0xfffff000 at=0x1000 len=0x1000",
        "window w bar=0 index-at=4",
        "window w bar=0 index-at=4 data-at=8 lock-at=3\nwindow w bar=0 index-at=4 data-at=8",
        "window w space=memory index-at=4 data-at=8",
        "window w bar=0 index-at=4 data-at=8\nblock c window=w at=0 len=4 class=pure",
        "window w bar=0 index-at=0x40 data-at=0x44\nblock c window=w at=A len=4\nnever window=w at=8 len=4 why=x",
        "window w bar=0 index-at=0x40 data-at=0x44\nblock c window=w at=0 len=4\nnever bar=0 at=0x44 len=4 why=x",
        "read everything",
    ]);
    let shown = |text: &String| {
        let collect: Vec<_> = text.lines().skip(6).take_while(|line| *line != "}").collect();
        format!("--- {}\n{}", collect.join("\n    "), faults(text))
    };
    assert_snapshot!(texts.iter().map(shown).collect::<String>());
}

#[test]
fn names() {
    let two = "block x bar=0 at=0 len=8\nblock y bar=0 at=8 len=8\nlet A 3\n";
    let layout = "block x { reg A at=0; reg R at=4 { F 0 } }\nblock y { reg R at=0 { F 0 }; reg S at=4 skip=#true }\nblock z { reg A at=0 }";
    let texts = [
        of(
            two,
            &format!(
                "{layout}\nabnormal warn x when=\"R\"\nabnormal warn x when=\"R.F\"\nabnormal warn x when=\"y.R.F && x.R && A\"\nheadline \"{{S}} {{T}}\""
            ),
        ),
        of(
            &format!("{two}block w bar=0 at=S len=4"),
            "block x { reg R at=0 }\nblock x { reg R at=0 }\nblock y { reg S at=4 skip=#true }",
        ),
        of(
            "block p bar=0 at=\"Q.F\" len=4\nblock q bar=0 at=P len=4",
            "block p { reg P at=0 }\nblock q { reg Q at=0 { F 0 7 } }",
        ),
        of("block p bar=0 at=0 len=4", "block p { reg P at=0 }\nheadline \"{P\""),
    ];
    assert_snapshot!(all(&texts));
}

#[test]
fn kinds_of_devices() {
    let text = |matches: &str, collect: &str| {
        format!("profile x version=1\nsource x\nmatch {{ {matches} }}\ncollect {{ {collect} }}\n")
    };
    let texts = [
        text("cpu; drhd", "block c space=memory at=0 len=4"),
        text("cpu", "config; block c bar=0 at=0 len=4"),
        text("ivhd", "block c space=msr at=0 len=1"),
        text("pci class-mask=0xff", "config"),
    ];
    assert_snapshot!(all(&texts));
}

/// A profile that has all of it is not much of a file.
#[test]
fn what_would_be_too_large() {
    let blocks: String =
        (0..201).map(|number| format!("block b{number} bar=0 at={} len=4\n", number * 4)).collect();
    assert!(
        faults(&of(&blocks, "")).contains("expected 200 of blocks and views at most, found 201")
    );
    let lets: String =
        (0..17).map(|number| format!("let l{number} \"config8({number})\"\n")).collect();
    assert!(faults(&of(&lets, "")).contains("expected 16 of let at most, found 17"));
    // Each block is where two registers of the one before say: the plan would double with each.
    let chain: String = (1..=8)
        .map(|number| format!("block b{number} bar=0 at=\"A{0} + A{0} * 2\" len=4\n", number - 1))
        .collect();
    let layouts: String =
        (0..=8).map(|number| format!("block b{number} {{ reg A{number} at=0 }}\n")).collect();
    let doubled = faults(&of(&format!("block b0 bar=0 at=0 len=4\n{chain}"), &layouts));
    assert!(!doubled.is_empty(), "{doubled}");
    let longer = format!(
        "block b0 bar=0 at=0 len=4\n{chain}block b9 bar=0 at=A8 len=4\nblock b10 bar=0 at=A9 len=4\n"
    );
    let layouts = format!("{layouts}block b9 {{ reg A9 at=0 }}\n");
    let faults = faults(&of(&longer, &layouts));
    assert!(
        faults.contains("b10: expected 8 blocks at most on which it depends, found 10"),
        "{faults}"
    );
}
