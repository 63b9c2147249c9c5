// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What registers point to, in memory made by another hand.

mod ahci;
mod e1000e;
mod nvme;
mod vt_d;
mod xhci;

use decode::behind::{Absent, Memory};
use decode::model::{Decoded, Node, Value};
use profile::Library;
use proptest::collection::vec;
use proptest::prelude::*;
use synth::{Pages, RegisterDevice, RegisterSpace, Registers};

struct Made(Pages);

impl Memory for Made {
    fn read(&self, physical: u64, to: &mut [u8]) -> Result<(), Absent> {
        self.0.read(physical, to).then_some(()).ok_or(Absent("not in the dump".to_owned()))
    }
}

/// A device of `profile` that has `registers`, each 4 bytes, in the space.
fn dump(profile: &str, space: (RegisterSpace, u8), registers: &[(u64, &[u32])]) -> Registers {
    let device = match space.0 {
        RegisterSpace::Unit => {
            let device = RegisterDevice::pci(profile, 1, [0; 32]);
            RegisterDevice { kind: 3, address: 0xfed9_0000, ..device }
        }
        _ => RegisterDevice::pci(profile, 1, [0; 32]),
    };
    let mut dump = Registers::new().device(&device);
    for (at, words) in registers {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        dump = dump.read(space.0, space.1, *at, &bytes);
    }
    dump.end(0, 0)
}

/// What the dump of one device says, with that memory.
fn decode(dump: &Registers, pages: &Pages) -> Decoded {
    let mut library = Library::with_built_in([]);
    let memory = Made(pages.clone());
    let all = decode::decode_with("regs", dump.bytes(), &mut library, Some(&memory));
    let [one] = all.collect::<Vec<_>>().try_into().expect("one device");
    one
}

/// The node with that path.
fn node<'a>(decoded: &'a Decoded, path: &[&str]) -> &'a Node {
    let (first, rest) = path.split_first().expect("a path");
    let block = decoded.nodes.iter().find(|node| node.name == *first);
    block.and_then(|block| block.find(rest)).unwrap_or_else(|| panic!("{path:?}: {decoded:#?}"))
}

/// Name, value and meaning of each child that is no field.
fn shown(node: &Node) -> Vec<String> {
    let children = node.children.iter().filter(|child| child.bits.is_none());
    let line = |child: &Node| {
        let value = match &child.value {
            Some(Value::Unsigned(value)) => format!("{value:#x}"),
            Some(Value::Unknown(why)) => format!("({why})"),
            other => format!("{other:?}"),
        };
        let meaning = child.meaning.as_ref().map(|words| format!(" {words}"));
        format!("{} {value}{}", child.name, meaning.unwrap_or_default())
    };
    children.map(line).collect()
}

/// Registers that lie about where their rings are, and how long: all memory is these bytes.
struct Anything(Vec<u8>);

impl Memory for Anything {
    fn read(&self, physical: u64, to: &mut [u8]) -> Result<(), Absent> {
        if physical >> 12 & 7 == 3 {
            return Err(Absent("not in the dump".to_owned()));
        }
        for (at, byte) in (0..).zip(to) {
            *byte = self.0[physical.wrapping_add(at) as usize % self.0.len()];
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_memory_has_is_decoded(
        profile in 0..5_usize,
        registers in vec(prop_oneof![any::<u32>(), 0..0x1_0000_u32, Just(u32::MAX)], 0x1100),
        memory in vec(any::<u8>(), 1..500),
    ) {
        let profiles = [("nvme", 0), ("ahci", 5), ("xhci", 0), ("e1000e", 0), ("vt-d", 0)];
        let (name, bar) = profiles[profile];
        let space = match name {
            "vt-d" => RegisterSpace::Unit,
            _ => RegisterSpace::Bar,
        };
        let dump = dump(name, (space, bar), &[(0, &registers)]);
        let mut library = Library::with_built_in([]);
        let memory = Anything(memory);
        let all = decode::decode_with("regs", dump.bytes(), &mut library, Some(&memory));
        for decoded in all {
            let count: usize = decoded.nodes.iter().map(count).sum();
            prop_assert!(count < 1 << 17, "{count}");
        }
    }
}

fn count(node: &Node) -> usize {
    1 + node.children.iter().map(count).sum::<usize>()
}
