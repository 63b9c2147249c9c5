// SPDX-License-Identifier: GPL-2.0-only
//! The bindings for cargo, which only checks and documents what `rust-module`
//! builds: shared by the build scripts of the packages below `kmod`.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

#[path = "bindings.rs"]
#[allow(dead_code, missing_docs, reason = "its own program uses more of it")]
mod bindings;

/// Puts the bindings of each header where its crate includes them.
pub fn generate(headers: &[&str]) -> Result<(), Box<dyn Error>> {
    let to = env::var("OUT_DIR")?;
    println!("cargo::rustc-check-cfg=cfg(vmcoredd_module)");
    for header in headers {
        println!("cargo::rerun-if-changed={header}");
        let rust = bindings::generate(&fs::read_to_string(header)?)
            .map_err(|error| format!("{header}:{error}"))?;
        let name = Path::new(header).with_extension("rs");
        fs::write(Path::new(&to).join(name.file_name().ok_or("no name")?), rust)?;
    }
    Ok(())
}
