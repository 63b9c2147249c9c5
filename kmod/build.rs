// SPDX-License-Identifier: GPL-2.0-only
//! Makes the bindings of `c/shim.h` where the sources expect them.

use std::error::Error;

#[path = "build/cargo.rs"]
mod cargo;

fn main() -> Result<(), Box<dyn Error>> {
    cargo::generate(&["c/shim.h"])
}
