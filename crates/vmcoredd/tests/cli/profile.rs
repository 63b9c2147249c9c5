// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd profile`.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use crate::run::Folder;

const GOOD: &str = r#"profile good version=1 title="an example"
source "by hand"
match {
    pci vendor=0x1234 { device 0x11e8 0x11e9 0x11ea }
}
collect {
    config
    alive ID dead=0xffffffff
    window inner bar=0 base-at=0x40 base-mask=0xfffff000 at=0x1000 len=0x1000
    block ctrl bar=0 at=0 len=0x20
    block ports bar=0 at="SIZE * 4" len=8 count=4 stride=0x10 bits="ID.PORTS" if="!bound && SIZE > 2"
    block inside window=inner at=0x2000 len=0x100
    block queue bar=1 at=0 len=4 class=clears
    view power cap=1 at=4 len=4
    never bar=0 at=0x80 len=8 why="start a command"
    never bar=1 at=4 why="the rest is a queue"
}
block ctrl {
    reg ID at=0 { PORTS 0 3 }
    reg ICR at=8 instead=ICS effect=clear
    reg ICS at=0xc
    reg SIZE at=0x10
    reg TEST at=0x14 skip-if="ID.PORTS == 0"
    reg KEY at=0x18 skip=#true
}
block queue { reg NEXT at=0 effect=pop }
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    fs::write(folder.path("good.kdl"), GOOD).expect("written");
    let bad =
        GOOD.replace("profile good", "profile bad").replace("at=8 instead", "at=0x1e instead");
    fs::write(folder.path("bad.kdl"), bad.replace("len=4 class=clears", "len=4 class=clear"))
        .expect("written");
    fs::write(folder.path("named.kdl"), GOOD).expect("written");
    folder
}

#[test]
fn check() {
    let folder = folder();
    let good = folder.run(["profile", "check", "good.kdl"]);
    assert_eq!((good.status, good.stdout(), good.stderr.as_str()), (Some(0), "", ""));
    assert_snapshot!(
        "check",
        folder.run(["profile", "check", "bad.kdl", "good.kdl", "named.kdl"]).shown()
    );
    assert_snapshot!("check_missing", folder.run(["profile", "check", "missing.kdl"]).shown());
}

#[test]
fn compile() {
    let folder = folder();
    let outcome = folder.run(["profile", "compile", "good.kdl"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    let beside = fs::read(folder.path("good.plan")).expect("beside the profile");
    assert_eq!(&beside[..8], b"VMCDPLAN");
    let outcome = folder.run(["profile", "compile", "good.kdl", "-o", "there"]);
    assert_eq!(outcome.status, Some(0));
    assert!(fs::read(folder.path("there")).expect("there") == beside);
    let outcome = folder.run(["profile", "compile", "bad.kdl", "-o", "bad.plan"]);
    assert_eq!(outcome.status, Some(1));
    assert!(!folder.path("bad.plan").exists());
}

#[test]
fn show_and_list() {
    let folder = folder();
    assert_snapshot!("show", folder.run(["profile", "show", "good.kdl"]).shown());
    let by_name = folder.run(["profile", "show", "--profiles", ".", "good"]);
    assert_eq!(by_name.stdout, folder.run(["profile", "show", "good.kdl"]).stdout);
    let unknown = folder.run(["profile", "show", "--profiles", ".", "unknown"]);
    assert_eq!(unknown.status, Some(1));
    assert!(
        unknown.stderr.starts_with("vmcoredd: unknown: expected a profile, there are: bad, good, ")
    );
    // What is wrong with others is said, and does not hide them.
    let list = folder.run(["profile", "list", "--profiles", "."]);
    assert_eq!(list.status, Some(1));
    assert!(list.stderr.contains("bad.kdl:13:"), "{}", list.stderr);
    let good: Vec<_> = list.stdout().lines().filter(|line| line.contains("an example")).collect();
    assert_eq!(good.len(), 1, "{}", list.stdout());
    let words: Vec<_> = good[0].split_whitespace().collect();
    assert_eq!(words[..4], ["good", "1", "clears", "operator"]);
}

#[test]
fn converters() {
    let folder = Folder::new();
    fs::write(folder.path("nic.csv"), "name,offset\nA,0\nB,4\n").expect("written");
    let outcome = folder.run(["profile", "from-csv", "nic.csv"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    let whole = outcome.stdout().replace("// Which devices: ", "");
    fs::write(folder.path("nic.kdl"), whole).expect("written");
    assert_eq!(folder.run(["profile", "check", "nic.kdl"]).status, Some(0));
    let wrong = folder.run(["profile", "from-svd", "nic.csv"]);
    assert_eq!(wrong.status, Some(1));
    assert!(wrong.stderr.starts_with("vmcoredd: nic.csv: no SVD: "), "{}", wrong.stderr);
}

/// The module carries the plans of the profiles that are built in.
#[test]
fn the_module_has_these_plans() {
    let folder = Folder::new();
    let outcome = folder.run(["profile", "compile", "--all", "-o", "plans.bin"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kmod/src/plans.bin");
    let same = fs::read(folder.path("plans.bin")).expect("written")
        == fs::read(checked_in).expect("there");
    assert!(same, "make them again: vmcoredd profile compile --all -o kmod/src/plans.bin");
}
