// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Programs of this workspace that run inside the virtual machine.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::command;
use crate::workspace;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What a nested cargo may know of the environment's cargo and rustc settings:
/// where the registry is and how to reach it. The rest belongs to the outer build.
const KEPT: [&str; 4] = ["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR"];

/// Builds `vmtest-guest`, which measures and checks inside the virtual machine; see
/// [`static_program`].
pub fn guest_program() -> Result<PathBuf> {
    static_program("vmtest-guest")
}

/// Builds the program of the workspace's package `name`, statically linked, and returns
/// its path.
///
/// It has a target directory of its own, since the outer cargo may hold the lock
/// of the usual one; cargo's lock on it also makes concurrent callers take turns.
pub fn static_program(name: &str) -> Result<PathBuf> {
    let target_dir = workspace::target_dir().join("guest");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let of_a_build = ["CARGO_", "RUSTC", "RUSTFLAGS", "RUSTDOC", "MAKEFLAGS"];
        if starts_with_any(&text, &of_a_build) && !starts_with_any(&text, &KEPT) {
            build.env_remove(&name);
        }
    }
    build
        .args(["build", "--quiet", "--release", "--package", name])
        .args(["--target", TARGET])
        .arg("--target-dir")
        .arg(&target_dir)
        .current_dir(workspace::root())
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2")
        .env("CARGO_PROFILE_RELEASE_STRIP", "true");
    command::stdout(&mut build)?;
    Ok(target_dir.join(TARGET).join("release").join(name))
}

fn starts_with_any(text: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| text.starts_with(prefix))
}
