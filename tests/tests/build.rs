// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What could panic does not become a kernel module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use system_tests::{Modules, files_in, root, without_outer_build};
use vmtest::{Kernel, Series};

const SHIM_H: &str = "
#ifndef SHIM_H
#define SHIM_H
#include <linux/types.h>
/** The byte at @index, which C chooses as it likes. */
u8 rust_byte(size_t index);
#endif
";

const SHIM_C: &str = "
#include <linux/module.h>
#include \"shim.h\"
static int __init shim_init(void)
{
	return rust_byte(jiffies & 7) ? 0 : -EINVAL;
}
module_init(shim_init);
MODULE_DESCRIPTION(\"test\");
MODULE_LICENSE(\"GPL\");
";

fn rust_byte(body: &str) -> String {
    format!(
        "#![no_std]
        const BYTES: [u8; 4] = [3, 1, 4, 1];
        #[unsafe(no_mangle)]
        pub extern \"C\" fn rust_byte(index: usize) -> u8 {{
            {body}
        }}
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! {{
            loop {{}}
        }}"
    )
}

/// The directory of a small module with this body of a Rust function.
fn module(name: &str, body: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(directory.join("c")).unwrap();
    fs::create_dir_all(directory.join("src")).unwrap();
    let rust = rust_byte(body);
    for (file, text) in [("src/lib.rs", rust.as_str()), ("c/shim.h", SHIM_H), ("c/shim.c", SHIM_C)]
    {
        fs::write(directory.join(file), text).unwrap();
    }
    directory
}

fn rust_module(directory: &Path) -> Command {
    let mut build = Command::new(root().join("kmod/build/rust-module"));
    build.args(["--name", "small", "--out"]).arg(directory.join("out"));
    build.arg("--cache").arg(vmtest::target_dir().join("kmod/cache"));
    build.arg("--crate").arg(format!("small={}", directory.join("src/lib.rs").display()));
    without_outer_build(&mut build);
    build
}

fn for_kernel(mut build: Command, directory: &Path, kernel: &Kernel) -> Command {
    build.arg("--kdir").arg(kernel.headers());
    build.arg("--c-source").arg(directory.join("c/shim.c"));
    build
}

fn build(name: &str, body: &str) -> Output {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let directory = module(name, body);
    for_kernel(rust_module(&directory), &directory, &kernel).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_cannot_panic_builds() {
    let output = build("careful", "BYTES.get(index).copied().unwrap_or_default()");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn what_could_panic_does_not() {
    let output = build("careless", "BYTES[index]");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("core::panicking::panic_bounds_check"), "{said}");
    assert!(said.contains("lib.rs:5"), "it says where: {said}");
}

/// The Rust object of one machine serves another one without a compiler: for the same code
/// and the same flags, and for no others.
#[test]
fn a_finished_object_needs_no_compiler() {
    const BODY: &str = "BYTES.get(index).copied().unwrap_or(7)";
    let kernels = [Series::V6_12, Series::V6_1].map(|series| Kernel::fetch(series).unwrap());
    let here = module("object-made", BODY);
    let make = |directory: &Path, objects: &Path, config: &Path| {
        let mut make = rust_module(directory);
        make.arg("--objects").arg(objects).arg("--object-for").arg(config);
        let made = make.output().unwrap();
        assert!(made.status.success(), "{}", said(&made));
    };
    // What the package is made by.
    make(&here, &here.join("objects"), &root().join("kmod/configs/x86_64-ibt-padding.config"));

    let there = module("object-taken", BODY);
    let take = |kernel: &Kernel| {
        let mut take = for_kernel(rust_module(&there), &there, kernel);
        take.arg("--objects").arg(here.join("objects")).env("RUSTC", "/nowhere/rustc");
        take.output().unwrap()
    };
    let built = take(&kernels[0]);
    assert!(built.status.success(), "{}", said(&built));
    assert!(there.join("out/small.ko").exists());
    let other_flags = take(&kernels[1]);
    assert_eq!(other_flags.status.code(), Some(2));
    assert!(said(&other_flags).contains("/nowhere/rustc: no Rust compiler there"));

    // The kernel's own configuration, in another place, gives the same object, byte by byte.
    make(&there, &there.join("objects"), &kernels[0].headers().join("include/config/auto.conf"));
    let objects = |directory: &Path| files_in(&directory.join("objects")).unwrap();
    assert_eq!(objects(&here).len(), 2, "the object, and how it was compiled");
    assert_eq!(objects(&here), objects(&there));

    fs::write(there.join("src/lib.rs"), rust_byte("BYTES.get(index).copied().unwrap_or(8)"))
        .unwrap();
    let other_code = take(&kernels[0]);
    assert_eq!(other_code.status.code(), Some(2), "{}", said(&other_code));
}

/// Before the panic, doctor reports a module that the kernel will refuse to load.
#[test]
fn doctor_knows_a_module_that_does_not_fit() {
    let [kernel, other] =
        [Series::V6_12, Series::V6_1].map(|series| Kernel::fetch(series).unwrap());
    let [fits, misfits] =
        [&kernel, &other].map(|kernel| Modules::build(kernel).unwrap().vmcoredd());
    let machine = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fits");
    let _ = fs::remove_dir_all(&machine);
    let release = kernel.release();
    let put = |path: &str, bytes: &[u8]| {
        let path = machine.join(path);
        fs::create_dir_all(path.with_file_name("")).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let modules = format!("lib/modules/{release}");
    put("proc/sys/kernel/osrelease", release.as_bytes());
    put("etc/default/kdump-tools", b"USE_KDUMP=1\n");
    put(&format!("{modules}/modules.dep"), b"kernel/own.ko:\nupdates/vmcoredd.ko:\n");
    let own = kernel.module("tun").unwrap();
    put(&format!("{modules}/kernel/own.ko"), &fs::read(own).unwrap());
    let symbols = fs::read_to_string(kernel.headers().join("Module.symvers")).unwrap();
    // The first column is the checksum of the symbol's type, as genksyms makes it.
    let (mut changed, mut lacking) = (String::new(), String::new());
    for line in symbols.lines() {
        let mut columns = line.splitn(3, '\t');
        let (_, name, rest) = (columns.next(), columns.next().unwrap(), columns.next().unwrap());
        if name == "filp_open" {
            changed += &format!("0x00000001\t{name}\t{rest}\n");
            continue;
        }
        changed += &format!("{line}\n");
        lacking += &format!("{line}\n");
    }
    let doctor = |module: &Path, symbols: &str| {
        put(&format!("{modules}/updates/vmcoredd.ko"), &fs::read(module).unwrap());
        put(&format!("{modules}/build/Module.symvers"), symbols.as_bytes());
        let mut doctor = Command::new(vmtest::static_program("vmcoredd").unwrap());
        let said = doctor.args(["doctor", "--root"]).arg(&machine).output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let line = said.lines().find(|line| line.contains("vmcoredd.ko")).unwrap_or_default();
        line.to_owned()
    };
    let has = format!("{release} has ");
    assert!(doctor(&fits, &symbols).contains(&has), "{}", doctor(&fits, &symbols));
    let said = doctor(&misfits, &symbols);
    // Both kernels have versions of symbols: the release alone is no reason to refuse.
    assert!(said.contains("vmcoredd.ko disagrees about version of symbol "), "{said}");
    assert!(said.ends_with(" more"), "{said}");
    let said = doctor(&fits, &changed);
    assert!(said.ends_with("vmcoredd.ko disagrees about version of symbol filp_open"), "{said}");
    let said = doctor(&fits, &lacking);
    assert!(said.ends_with("vmcoredd.ko needs unknown symbol filp_open"), "{said}");
}

/// As the kernel's own documentation is checked.
#[test]
fn the_interfaces_of_drivers_are_documented() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let mut check = Command::new(kernel.headers().join("scripts/kernel-doc"));
    check.arg("-none").current_dir(root());
    check.args(["kmod/include/vmcoredd.h", "kmod/driver-api/vmcoredd_driver_module.h"]);
    let output = check.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
