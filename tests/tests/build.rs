// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What could panic does not become a kernel module.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use system_tests::without_outer_build;
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

fn build(name: &str, body: &str) -> Output {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).unwrap();
    for (file, text) in
        [("lib.rs", rust_byte(body).as_str()), ("shim.h", SHIM_H), ("shim.c", SHIM_C)]
    {
        fs::write(directory.join(file), text).unwrap();
    }
    let mut build = Command::new(system_tests::root().join("kmod/build/rust-module"));
    build.args(["--name", name, "--kdir"]).arg(kernel.headers());
    build.arg("--out").arg(directory.join("out"));
    build.arg("--cache").arg(vmtest::target_dir().join("kmod/cache"));
    build.arg("--crate").arg(format!("{name}={}", directory.join("lib.rs").display()));
    build.arg("--c-source").arg(directory.join("shim.c"));
    without_outer_build(&mut build).output().unwrap()
}

#[test]
fn what_cannot_panic_builds() {
    let output = build("careful", "BYTES.get(index).copied().unwrap_or_default()");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_could_panic_does_not() {
    let output = build("careless", "BYTES[index]");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("core::panicking::panic_bounds_check"), "{said}");
    assert!(said.contains("lib.rs:5"), "it says where: {said}");
}

/// As the kernel's own documentation is checked.
#[test]
fn the_interfaces_of_drivers_are_documented() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let mut check = Command::new(kernel.headers().join("scripts/kernel-doc"));
    check.arg("-none").current_dir(system_tests::root());
    check.args(["kmod/include/vmcoredd.h", "kmod/driver-api/vmcoredd_driver_module.h"]);
    let output = check.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
