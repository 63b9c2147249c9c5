// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Programs of this workspace that run inside the virtual machine.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command;
use crate::programs;
use crate::workspace;
use crate::{Architecture, Result};

/// What a nested cargo may know of the environment's cargo and rustc settings:
/// where the registry is and how to reach it. The rest belongs to the outer build.
const KEPT: [&str; 4] = ["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR"];

/// Builds `vmtest-guest`, which measures and checks inside the virtual machine; see
/// [`static_program`].
pub fn guest_program() -> Result<PathBuf> {
    static_program("vmtest-guest")
}

/// Builds the program of the workspace's package `name`, statically linked, for virtual
/// machines, and returns its path.
///
/// Its architecture is the one that is [chosen](Architecture::chosen). For another one than
/// the host's the standard library comes from rustup, where that has installed it, or from
/// Debian's archive, for Debian's compiler.
///
/// It has a target directory of its own, since the outer cargo may hold the lock
/// of the usual one; cargo's lock on it also makes concurrent callers take turns.
pub fn static_program(name: &str) -> Result<PathBuf> {
    build(name, Architecture::chosen()?)
}

/// As [`static_program`], for the host.
pub fn host_program(name: &str) -> Result<PathBuf> {
    build(name, Architecture::host())
}

fn build(name: &str, architecture: Architecture) -> Result<PathBuf> {
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
        .args(["--target", architecture.target()])
        .arg("--target-dir")
        .arg(&target_dir)
        .current_dir(workspace::root())
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2")
        .env("CARGO_PROFILE_RELEASE_STRIP", "true");
    if !architecture.is_native() {
        cross(architecture, &mut build)?;
    }
    command::stdout(&mut build)?;
    Ok(target_dir.join(architecture.target()).join("release").join(name))
}

/// Lets a build be for another architecture than the host's.
fn cross(architecture: Architecture, build: &mut Command) -> Result<()> {
    let variable = architecture.target().to_uppercase().replace('-', "_");
    build.env(format!("CARGO_TARGET_{variable}_LINKER"), architecture.cross_linker());
    if let Some(sysroot) = programs::rust_sysroot()? {
        let flags = format!("-C target-feature=+crt-static --sysroot={}", sysroot.display());
        build.env("RUSTFLAGS", flags).env("RUSTC", Path::new("/usr/bin/rustc"));
    }
    Ok(())
}

fn starts_with_any(text: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| text.starts_with(prefix))
}
