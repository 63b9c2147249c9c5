// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The house of DESIGN.md: arrows point downwards only, between crates and between the
//! modules of each, and unsafe code has its rooms.

mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, MetadataCommand};
use modules::Files;
use system_tests::{output, root};

/// Each package and those of this workspace that it may use.
const MAY_USE: [(&str, &[&str]); 19] = [
    ("vmcore", &[]),
    ("kmem", &[]),
    ("plan", &["vmcore"]),
    ("profile", &["plan"]),
    ("devdump", &["kmem", "vmcore"]),
    ("kdumpfile", &["vmcore"]),
    ("vmcoredd-producer", &[]),
    ("decode", &["plan", "profile", "vmcore"]),
    ("crash-id", &[]),
    (
        "vmcoredd",
        &["crash-id", "decode", "kdumpfile", "plan", "profile", "vmcore", "vmcoredd-producer"],
    ),
    ("synth", &[]),
    ("vmtest", &[]),
    ("vmtest-guest", &[]),
    ("vmcoredd-kmod", &["kmem", "vmcore", "devdump", "plan"]),
    ("vmcoredd-driver", &[]),
    ("vmcoredd-driver-ivshmem", &["vmcoredd-driver"]),
    ("vmcoredd-driver-nvme-regs", &["vmcoredd-driver"]),
    ("system-tests", &["vmtest", "kdumpfile"]),
    ("bench", &["synth", "system-tests", "vmtest"]),
];

/// Packages of which the kernel module is made: nothing from elsewhere.
const IN_THE_KERNEL: [&str; 8] = [
    "kmem",
    "plan",
    "vmcore",
    "devdump",
    "vmcoredd-kmod",
    "vmcoredd-driver",
    "vmcoredd-driver-ivshmem",
    "vmcoredd-driver-nvme-regs",
];

/// Packages that may have unsafe code: what owns memory, the module's wrappers, what calls
/// `ioctl()`, and the checker in the virtual machine, which maps files.
const MAY_BE_UNSAFE: [&str; 5] =
    ["kmem", "vmcoredd-kmod", "vmcoredd-driver", "vmcoredd-producer", "vmtest-guest"];

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
            // The model checker stands in for atomics in tests alone.
            let checks_models = dependency.target.as_ref().map(ToString::to_string);
            if dependency.kind != DependencyKind::Normal
                || checks_models.as_deref() == Some("cfg(loom)")
            {
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

/// The crates that cargo knows, by their roots: libraries, programs, tests, build scripts. The
/// fuzz targets are a workspace of their own.
fn roots_of_cargo() -> BTreeSet<PathBuf> {
    let packages = ["Cargo.toml", "fuzz/Cargo.toml"].into_iter().flat_map(|manifest| {
        let manifest = root().join(manifest);
        MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap().packages
    });
    let targets = packages.flat_map(|package| package.targets);
    targets.map(|target| target.src_path.canonicalize().unwrap()).collect()
}

/// All crates of the repository, by their roots. A file that is in none that cargo knows is
/// the root of another: a build script has rustc compile it.
fn crates() -> BTreeMap<PathBuf, Files> {
    let with_files = |root: PathBuf| (root.clone(), Files::of(&root));
    let mut crates: BTreeMap<_, _> = roots_of_cargo().into_iter().map(with_files).collect();
    let read: BTreeSet<_> = crates.values().flat_map(|files| files.uses.keys().cloned()).collect();
    let mut list = Command::new("git");
    list.arg("-C").arg(root()).args(["ls-files", "--", "*.rs"]);
    let list = output(&mut list).unwrap();
    let files = list.lines().map(|file| root().join(file).canonicalize().unwrap());
    crates.extend(files.filter(|file| !read.contains(file)).map(with_files));
    crates
}

/// A path as it is in the repository.
fn shown(path: &Path) -> String {
    path.strip_prefix(root().canonicalize().unwrap()).unwrap_or(path).display().to_string()
}

/// The circles of a crate, one a line, with what uses what in it.
fn circles(files: &Files) -> Vec<String> {
    let circle = |circle: BTreeSet<&PathBuf>| {
        let uses = circle.iter().map(|file| {
            let used = files.uses[*file].iter().filter(|used| circle.contains(used));
            let used: Vec<_> = used.map(|used| shown(used)).collect();
            format!("  {} uses {}", shown(file), used.join(", "))
        });
        format!("{} files use one another:\n{}", circle.len(), uses.collect::<Vec<_>>().join("\n"))
    };
    files.circles().into_iter().map(circle).collect()
}

#[test]
fn no_module_uses_one_that_uses_it() {
    let mut wrong = Vec::new();
    for (crate_root, files) in crates() {
        let name = shown(&crate_root);
        wrong.extend(circles(&files).iter().map(|circle| format!("{name}: {circle}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
/// What they share is below them.
#[test]
fn no_subcommand_uses_another() {
    let files = Files::of(&root().join("crates/vmcoredd/src/main.rs").canonicalize().unwrap());
    // Each has its arguments, and main.rs has those of all.
    let is_subcommand =
        |module: &Vec<String>| module.len() == 1 && files.defines(module, "Arguments");
    let subcommands: Vec<_> = files.modules.keys().filter(|module| is_subcommand(module)).collect();
    assert!(subcommands.len() > 10, "{subcommands:?}");
    // The subcommand to which a file belongs.
    let of = |file: &PathBuf| {
        let module = files.modules.iter().find(|(_, of_module)| *of_module == file)?.0;
        subcommands.iter().find(|subcommand| module.starts_with(subcommand))
    };
    for (file, used) in &files.uses {
        let Some(subcommand) = of(file) else { continue };
        for used in used {
            let other = of(used).filter(|other| *other != subcommand);
            assert!(other.is_none(), "{} uses {}", shown(file), shown(used));
        }
    }
}
