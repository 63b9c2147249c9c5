// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Where modules are built for kernels whose headers have programs that do not run on this
//! machine: in a root directory of the kernel's own release of Debian.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt::{Apt, from_archive};
use crate::command;
use crate::kernel::remake_dir;
use crate::workspace;
use crate::{Error, Kernel, Result, Suite};

/// What a build takes besides the compiler that the kernel's headers name. There is no Rust
/// compiler: not every release has one that is new enough.
const TOOLS: [&str; 3] = ["make", "libc6-dev", "binutils"];

impl Kernel {
    /// Whether [`Kernel::build_command`] runs elsewhere than on this machine.
    pub fn builds_elsewhere(&self) -> bool {
        self.series().foreign_tools().is_some()
    }

    /// A command that runs `program` in `directory`, which is in the workspace, where
    /// modules for this kernel can be built: on this machine, or in a root directory of the
    /// kernel's release, which takes root, a minute and half a gigabyte the first time.
    ///
    /// # Errors
    /// [`Error::Program`] where such a directory cannot be made.
    pub fn build_command(&self, program: impl AsRef<Path>, directory: &Path) -> Result<Command> {
        let Some(suite) = self.series().foreign_tools() else {
            let mut command = Command::new(program.as_ref());
            command.current_dir(directory);
            // What an outer make or cargo set for itself.
            for variable in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "LD_LIBRARY_PATH"] {
                command.env_remove(variable);
            }
            return Ok(command);
        };
        let root = tools_of(self, suite)?;
        let mut command = inside(&root, directory)?;
        command.arg(program.as_ref());
        Ok(command)
    }
}

/// A command in `root`, without a program yet.
fn inside(root: &Path, directory: &Path) -> Result<Command> {
    // Kernels may be kept elsewhere by a link.
    let mut places = String::from("/proc /dev");
    for place in [workspace::root(), workspace::target_dir().join("kernels")] {
        let real = fs::canonicalize(&place).map_err(Error::file("find", &place))?;
        places += &format!(" {}", real.display());
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]);
    command.arg(workspace::root().join("crates/vmtest/src/inside.sh"));
    command.arg(root).arg(directory).arg(places);
    Ok(command)
}

/// The root directory of a suite with what `kernel` takes, made where there is none.
fn tools_of(kernel: &Kernel, suite: Suite) -> Result<PathBuf> {
    let kernels = workspace::target_dir().join("kernels");
    let root = kernels.join(format!("tools-{}", suite.release()));
    let _turn = workspace::lock(&root.with_extension("lock"))?;
    let headers = format!("linux-headers-{}", kernel.release());
    // Debian 13's root serves its backports as well.
    let suite = if suite == Suite::Trixie { Suite::TrixieBackports } else { suite };
    let listed = root.join("vmtest-has");
    let has = fs::read_to_string(&listed).unwrap_or_default();
    if has.lines().any(|line| line == headers) {
        return Ok(root);
    }
    if !root.is_dir() {
        from_archive(Some(suite), &mut |_| {}, |apt, _| make_root(apt, suite, &root))?;
    }
    let packages = from_archive(Some(suite), &mut |_| {}, |apt, _| tools_for(apt, &headers))?;
    for arguments in [
        &["update", "--quiet"][..],
        &["install", "--yes", "--quiet", "--no-install-recommends"][..],
    ] {
        let mut apt = inside(&root, Path::new("/"))?;
        apt.arg("apt-get").args(arguments);
        if arguments[0] == "install" {
            apt.args(&packages);
        }
        command::stdout(&mut apt)?;
    }
    fs::write(&listed, format!("{has}{headers}\n")).map_err(Error::file("write", &listed))?;
    Ok(root)
}

/// The compiler and the programs that the headers depend on.
fn tools_for(apt: &Apt, headers: &str) -> Result<Vec<String>> {
    let is_compiler = |name: &str| name.starts_with("linux-compiler-") || name.starts_with("gcc-");
    let compiler = apt.dependency(headers, "compiler", is_compiler)?;
    let kbuild =
        apt.dependency(headers, "kbuild", |name: &str| name.starts_with("linux-kbuild-"))?;
    Ok(vec![compiler, kbuild])
}

fn make_root(apt: &Apt, suite: Suite, root: &Path) -> Result<()> {
    let Some(configuration) = apt.configuration() else {
        return Err(Error::Suite(suite.name().to_owned()));
    };
    let partial = root.with_extension("partial");
    remake_dir(&partial)?;
    let shown = configuration.display();
    let mut debootstrap = Command::new("mmdebstrap");
    debootstrap.args(["--quiet", "--variant=apt", "--mode=root", "--format=directory"]);
    debootstrap.arg(format!("--include={}", TOOLS.join(",")));
    debootstrap.arg(format!("--keyring={shown}/trusted.gpg.d"));
    debootstrap.arg("--aptopt=APT::Install-Recommends \"false\"");
    debootstrap.arg(format!("--aptopt={shown}/apt.conf"));
    debootstrap
        .arg(format!("--customize-hook=cp {shown}/trusted.gpg.d/* \"$1\"/etc/apt/trusted.gpg.d"));
    debootstrap.arg(suite.release().name()).arg(&partial).arg(configuration.join("sources.list"));
    command::stdout(&mut debootstrap)?;
    fs::rename(&partial, root).map_err(Error::file("rename", &partial))
}
