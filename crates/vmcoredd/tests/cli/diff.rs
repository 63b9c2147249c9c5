// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd diff`.

use insta::assert_snapshot;
use synth::{Class, Endian, Image, Kdump, Vmcore, Width};

use crate::run::Folder;

/// Device dumps with these payloads, of which the name has colons.
fn elf(nic: &[u8], more: &[(&str, &[u8])]) -> Image {
    let made = Vmcore::new(Class::Elf64, Endian::Little).dump("nic_0000:00:02.0", nic.to_vec());
    more.iter().fold(made, |made, (name, payload)| made.dump(name, payload.to_vec())).image()
}

fn changed(at: &[usize]) -> Vec<u8> {
    let mut payload: Vec<u8> = (0..100_000_u32).map(|at| (at / 5) as u8).collect();
    at.iter().for_each(|at| payload[*at] ^= 0x55);
    payload
}

#[test]
fn what_differs_is_shown_side_by_side() {
    let healthy = elf(&changed(&[]), &[("same", b"same"), ("gone", b"1")]);
    let crashed = elf(
        &changed(&[0, 3, 11, 40, 65_535, 65_536, 99_999]),
        &[("same", b"same"), ("new", b"2"), ("longer", b"12")],
    );
    let folder = Folder::new().with("healthy", &healthy).with("crashed", &crashed);
    assert_snapshot!("all", folder.run(["diff", "healthy", "crashed"]).shown());
    assert_snapshot!("brief", folder.run(["diff", "--brief", "healthy", "crashed"]).shown());
    let one = folder.run(["diff", "healthy:nic_0000:00:02.0", "crashed"]);
    assert_snapshot!("one", one.shown());
    assert_eq!(folder.run(["diff", "healthy", "crashed:nic_0000:00:02.0"]), one);
    assert_snapshot!("other_names", folder.run(["diff", "healthy:same", "crashed:longer"]).shown());
    assert_snapshot!("not_there", folder.run(["diff", "healthy:gone", "crashed"]).shown());
    assert_snapshot!("missing", folder.run(["diff", "healthy", "missing"]).shown());
}

#[test]
fn equal_ones_are_status_0_in_whatever_format() {
    let payload = changed(&[]);
    let kdump =
        Kdump::new(Width::Bits64, Endian::Little, 6).dump("nic_0000:00:02.0", payload.clone());
    let folder = Folder::new().with("elf", &elf(&payload, &[])).with("kdump", &kdump.image());
    assert_snapshot!("equal", folder.run(["diff", "elf", "kdump"]).shown());
}

#[test]
fn many_differences_are_counted_and_shown_if_asked_for() {
    let many: Vec<usize> = (0..100_000).step_by(50).collect();
    let long = [vec![1; 1000], vec![0; 500]].concat();
    let other = [vec![2; 1000], vec![0; 400]].concat();
    let a = elf(&changed(&[]), &[("long", &long)]);
    let b = elf(&changed(&many), &[("long", &other)]);
    let folder = Folder::new().with("a", &a).with("b", &b);
    assert_snapshot!("many", folder.run(["diff", "a", "b"]).shown());
    let all = folder.run(["diff", "--all", "a", "b"]);
    assert_eq!(all.stdout().lines().count(), 2 + many.len() + 125);
}
