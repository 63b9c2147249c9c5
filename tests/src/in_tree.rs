// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Drivers of the kernel's own source tree, built to use our module: what a user
//! of such a driver would do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use vmtest::Kernel;

use crate::{Modules, Result, file_error, output, turn_to_build};

/// What the tests need of the kernel's source, fetched at once.
const SOURCE: [&str; 2] = ["drivers/net/ethernet/chelsio", "drivers/net/ethernet/intel/e1000e"];

/// The part of `kernel`'s source tree that the tests need, as Debian has it. It is
/// not to be written to. `scripts/checkpatch.pl` is in it.
///
/// # Errors
/// [`Error::Vm`](crate::Error::Vm).
pub fn source(kernel: &Kernel) -> Result<PathBuf> {
    Ok(kernel.source(&SOURCE)?)
}

/// A driver to be built.
#[derive(Debug, Clone)]
pub struct InTreeDriver {
    name: String,
    directory: String,
    patches: Vec<PathBuf>,
    cflags: Vec<String>,
    variables: Vec<String>,
}

impl InTreeDriver {
    /// The driver whose module, `directory`'s last part, is built in that directory
    /// of the kernel's source. It is built for device dumps, otherwise as it is.
    #[must_use]
    pub fn new(directory: &str) -> Self {
        let module = directory.rsplit('/').next().unwrap_or(directory);
        Self {
            name: module.to_owned(),
            directory: directory.to_owned(),
            patches: Vec::new(),
            cflags: vec!["-DCONFIG_PROC_VMCORE_DEVICE_DUMP=1".to_owned()],
            variables: Vec::new(),
        }
    }

    /// Sets the name of the directory in which it is built, for a driver that is built
    /// in several ways; the module's if not called.
    #[must_use]
    pub fn build_name(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Adds a patch of the kernel's source.
    #[must_use]
    pub fn patch(mut self, patch: PathBuf) -> Self {
        self.patches.push(patch);
        self
    }

    /// Adds a flag for the C compiler.
    #[must_use]
    pub fn cflag(mut self, flag: &str) -> Self {
        self.cflags.push(flag.to_owned());
        self
    }

    /// Adds a variable for `make`, as `NAME=value`.
    #[must_use]
    pub fn variable(mut self, variable: &str) -> Self {
        self.variables.push(variable.to_owned());
        self
    }

    /// Builds it for `kernel`, which `modules` were built for; returns the module.
    ///
    /// # Errors
    /// [`Error::Program`](crate::Error::Program) with what patch or the build said.
    pub fn build(&self, kernel: &Kernel, modules: &Modules) -> Result<PathBuf> {
        let source = source(kernel)?;
        let _turn = turn_to_build()?;
        let tree = modules.out.join("in-tree").join(&self.name);
        self.lay_out(&source, &tree)?;
        let directory = tree.join(&self.directory);
        let symvers = modules.out.join("Module.symvers");
        let mut make = kernel.build_command("make", crate::root())?;
        make.arg("-C").arg(kernel.headers()).arg(format!("M={}", directory.display()));
        make.arg(format!("KCFLAGS={}", self.cflags.join(" ")));
        make.arg(format!("KBUILD_EXTRA_SYMBOLS={}", symvers.display()));
        // The kernel's own type information, which this would need, is not there.
        make.args(["CONFIG_DEBUG_INFO=", "CONFIG_DEBUG_INFO_BTF_MODULES="]);
        make.args(&self.variables).args(["--jobs=2", "modules"]);
        output(&mut make)?;
        let module = Path::new(&self.directory).file_name().unwrap_or_default();
        Ok(directory.join(module).with_extension("ko"))
    }

    /// Copies the driver's directory and patches it, unless that was done before.
    fn lay_out(&self, source: &Path, tree: &Path) -> Result<()> {
        let stamp = tree.join("stamp");
        let mut key = format!("{}\n", source.display());
        for patch in &self.patches {
            key += &fs::read_to_string(patch).map_err(file_error(patch))?;
        }
        if fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == key) {
            return Ok(());
        }
        if tree.exists() {
            fs::remove_dir_all(tree).map_err(file_error(tree))?;
        }
        let directory = tree.join(&self.directory);
        let parent = directory.with_file_name("");
        fs::create_dir_all(&parent).map_err(file_error(&parent))?;
        output(Command::new("cp").arg("-r").arg(source.join(&self.directory)).arg(&parent))?;
        for patch in &self.patches {
            let mut apply = Command::new("patch");
            apply.args(["--strip=1", "--fuzz=0", "--directory"]).arg(tree);
            output(apply.arg("--input").arg(patch))?;
        }
        fs::write(&stamp, key).map_err(file_error(&stamp))
    }
}
