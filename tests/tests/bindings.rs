// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The Rust declarations that are checked in are what bindgen makes of the C headers, for
//! each kernel.
//!
//! bindgen is a library here, of one version: the programs of two distributions write the
//! same header differently.

use std::fs;
use std::path::{Path, PathBuf};

use bindgen::{Formatter, RustEdition, RustTarget};
use system_tests::root;
use vmtest::{Kernel, Series};

/// Where the kernel's own headers are: the architecture's and the generated ones first, as
/// in its Makefile.
fn include_directories(kernel: &Kernel) -> Vec<PathBuf> {
    let own = kernel.headers();
    let makefile = fs::read_to_string(own.join("Makefile")).unwrap();
    let common = makefile.lines().find_map(|line| line.strip_prefix("include ")).unwrap();
    let common = own.with_file_name(Path::new(common).parent().unwrap().file_name().unwrap());
    [
        common.join("arch/x86/include"),
        own.join("arch/x86/include/generated"),
        common.join("include"),
        own.join("include"),
        common.join("arch/x86/include/uapi"),
        own.join("arch/x86/include/generated/uapi"),
        common.join("include/uapi"),
        own.join("include/generated/uapi"),
    ]
    .into()
}

/// What bindgen makes of `headers`.
fn bindings(kernel: &Kernel, headers: &[&str]) -> String {
    let mut builder = bindgen::builder()
        .use_core()
        .rust_target(RustTarget::stable(85, 0).unwrap_or_default())
        .rust_edition(RustEdition::Edition2024)
        .generate_comments(false)
        .derive_copy(false)
        .derive_debug(false)
        .merge_extern_blocks(true)
        .sort_semantically(true)
        .formatter(Formatter::Rustfmt)
        .rustfmt_configuration_file(Some(root().join("rustfmt.toml")))
        .disable_header_comment()
        .raw_line("// SPDX-License-Identifier: GPL-2.0-only")
        .raw_line("//! What the C headers declare, as bindgen writes it.");
    builder = builder.clang_args(["--target=x86_64-linux-gnu", "-nostdinc", "-D__KERNEL__"]);
    for directory in include_directories(kernel) {
        assert!(directory.is_dir(), "{}", directory.display());
        builder = builder.clang_arg(format!("-I{}", directory.display()));
    }
    builder = builder.clang_args(["-include", "linux/compiler_types.h"]);
    for header in headers {
        let header = root().join(header).to_str().unwrap().to_owned();
        builder = builder.allowlist_file(&header).header(header);
    }
    builder.generate().unwrap().to_string()
}

/// Compares the file `checked_in` with what bindgen makes of `headers`, for each kernel.
/// Where that differs it is in a file to be copied.
fn check(checked_in: &str, headers: &[&str]) {
    let there = fs::read_to_string(root().join(checked_in)).unwrap_or_default();
    for series in [Series::V6_12, Series::V6_1] {
        let made = bindings(&Kernel::fetch(series).unwrap(), headers);
        if made != there {
            let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join(checked_in.replace('/', "-"));
            fs::write(&new, made).unwrap();
            panic!("{checked_in} is not what bindgen makes of {headers:?}: {}", new.display());
        }
    }
}

#[test]
fn the_modules_declarations_are_those_of_its_header() {
    check("kmod/src/kernel/shim.rs", &["kmod/c/shim.h"]);
}

#[test]
fn the_declarations_of_drivers_are_those_of_their_headers() {
    check("kmod/driver-api/src/shim.rs", &["kmod/driver-api/driver.h", "kmod/include/vmcoredd.h"]);
}
