// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The house of DESIGN.md: arrows point downwards only, and unsafe code has its
//! rooms.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each package and those of this workspace that it may use.
const MAY_USE: [(&str, &[&str]); 14] = [
    ("vmcore", &[]),
    ("devdump", &["vmcore"]),
    ("kdumpfile", &["vmcore"]),
    ("vmcoredd-producer", &[]),
    ("vmcoredd", &["kdumpfile", "vmcore", "vmcoredd-producer"]),
    ("synth", &[]),
    ("vmtest", &[]),
    ("vmtest-guest", &[]),
    ("vmcoredd-kmod", &["vmcore", "devdump"]),
    ("vmcoredd-driver", &[]),
    ("vmcoredd-driver-ivshmem", &["vmcoredd-driver"]),
    ("vmcoredd-driver-nvme-regs", &["vmcoredd-driver"]),
    ("system-tests", &["vmtest", "kdumpfile"]),
    ("bench", &["synth", "system-tests", "vmtest"]),
];

/// Packages of which the kernel module is made: nothing from elsewhere.
const IN_THE_KERNEL: [&str; 6] = [
    "vmcore",
    "devdump",
    "vmcoredd-kmod",
    "vmcoredd-driver",
    "vmcoredd-driver-ivshmem",
    "vmcoredd-driver-nvme-regs",
];

/// Packages that may have unsafe code: the module's wrappers, what calls `ioctl()`, and
/// the checker in the virtual machine, which maps files.
const MAY_BE_UNSAFE: [&str; 4] =
    ["vmcoredd-kmod", "vmcoredd-driver", "vmcoredd-producer", "vmtest-guest"];

#[test]
fn arrows_point_downwards() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let ours: BTreeSet<&str> =
        metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let may_use: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let allowed = may_use
            .get(name)
            .unwrap_or_else(|| panic!("{name} has no room in the house: see DESIGN.md"));
        for dependency in &package.dependencies {
            if dependency.kind != DependencyKind::Normal {
                continue;
            }
            let used = dependency.name.as_str();
            assert!(!ours.contains(used) || allowed.contains(&used), "{name} uses {used}");
            let inside = !IN_THE_KERNEL.contains(&name) || ours.contains(used);
            assert!(inside, "{name} is in the kernel and uses {used}");
        }
    }
}

#[test]
fn unsafe_code_has_its_rooms() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    for package in &metadata.packages {
        for target in &package.targets {
            let is_code = target.is_lib() || target.is_bin();
            if !is_code || MAY_BE_UNSAFE.contains(&package.name.as_str()) {
                continue;
            }
            let text = fs::read_to_string(&target.src_path).unwrap();
            // A driver's entry is unsafe by the macro that makes it, and only there.
            let forbids = text.contains("#![forbid(unsafe_code)]")
                || (package.name.starts_with("vmcoredd-driver-") && !text.contains("unsafe"));
            assert!(forbids, "{} does not forbid unsafe code", target.src_path);
        }
    }
}
