// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Kernels built from Debian's source, where a stock one is not configured as needed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::command;
use crate::kernel::remake_dir;
use crate::workspace;
use crate::{Error, Kernel, Result};

impl Kernel {
    /// Builds a kernel from the source that this one was built from, and keeps it.
    ///
    /// Its configuration is the smallest one with the lines of `config` in it, each as in
    /// `.config`. It is called `<version>-<name>`. Where a kernel of another name is
    /// given as `like`, its build goes on from what that one's left, which takes a minute
    /// instead of several. Needs bc, bison, flex and libelf-dev, and 3 GB below `target/`.
    ///
    /// # Errors
    /// [`Error::Program`] with what the build said, also when the kernel's configuration
    /// does not take a line.
    pub fn build(
        &self,
        name: &str,
        config: &str,
        like: Option<&Self>,
        mut report: impl FnMut(&str),
    ) -> Result<Self> {
        let kernels = workspace::target_dir().join("kernels");
        let directory = kernels.join(format!("built-{name}"));
        let beside = |what| kernels.join(format!("built-{name}.{what}"));
        let _turn = workspace::lock(&beside("lock"))?;
        let release_file = directory.join("release");
        let key = format!("{}\n{config}", self.release());
        let key_file = directory.join("config");
        if fs::read_to_string(&key_file).is_ok_and(|kept| kept == key) {
            let release =
                fs::read_to_string(&release_file).map_err(Error::file("read", &release_file))?;
            return Ok(Self::at(self.series(), release.trim(), directory));
        }
        let partial = beside("partial");
        remake_dir(&partial)?;
        let tree = partial.join("tree");
        match like {
            Some(like) => {
                let mut copy = Command::new("cp");
                copy.args(["-a", "--reflink=auto"]).arg(like.headers()).arg(&tree);
                command::stdout(&mut copy)?;
            }
            None => self.whole_source(&partial, &tree, &mut report)?,
        }
        report(&format!("building the kernel {name}"));
        let release = build_in(&tree, name, config)?;

        let boot = partial.join("boot");
        fs::create_dir_all(&boot).map_err(Error::file("create", &boot))?;
        let image = tree.join("arch/x86/boot/bzImage");
        let vmlinuz = boot.join(format!("vmlinuz-{release}"));
        fs::copy(&image, &vmlinuz).map_err(Error::file("copy", &image))?;
        let headers = partial.join(format!("usr/src/linux-headers-{release}"));
        let parent = headers.with_file_name("");
        fs::create_dir_all(&parent).map_err(Error::file("create", &parent))?;
        fs::rename(&tree, &headers).map_err(Error::file("rename", &tree))?;
        for (file, text) in [("release", &release), ("config", &key)] {
            let path = partial.join(file);
            fs::write(&path, text).map_err(Error::file("write", &path))?;
        }
        if directory.exists() {
            fs::remove_dir_all(&directory).map_err(Error::file("remove", &directory))?;
        }
        fs::rename(&partial, &directory).map_err(Error::file("rename", &partial))?;
        Ok(Self::at(self.series(), &release, directory))
    }

    /// Unpacks the whole source to `tree`, by way of `partial`.
    fn whole_source(
        &self,
        partial: &Path,
        tree: &Path,
        report: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let name = format!("linux-source-{}", self.series().version());
        let package = format!("{name}={}", self.debian_version()?);
        crate::source::download(self.series(), &package, partial, report)?;
        report(&format!("unpacking {package}"));
        fs::create_dir_all(tree).map_err(Error::file("create", tree))?;
        let extract = "\
            dpkg-deb --fsys-tarfile ../*.deb | tar -xO \"./usr/src/$1.tar.xz\" |
                tar -xJ --strip-components=1
            rm ../*.deb";
        let mut bash = Command::new("bash");
        bash.args(["-e", "-o", "pipefail", "-c", extract, "extract", &name]);
        command::stdout(bash.current_dir(tree)).map(drop)
    }
}

/// Configures the tree and builds a kernel in it; returns its release.
fn build_in(tree: &Path, name: &str, config: &str) -> Result<String> {
    let fragment = tree.join("fragment.config");
    let text = format!("{config}\nCONFIG_LOCALVERSION=\"-{name}\"\n");
    fs::write(&fragment, text).map_err(Error::file("write", &fragment))?;
    let build = "\
        make --silent tinyconfig
        scripts/kconfig/merge_config.sh -m .config fragment.config
        make --silent olddefconfig
        while IFS= read -r line; do
            [[ -z $line || $line == '#'* ]] || grep -qxF -- \"$line\" .config || {
                echo \"its configuration does not take $line\" >&2
                exit 1
            }
        done <fragment.config
        make --silent --jobs=\"$1\" bzImage modules";
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let mut bash = Command::new("bash");
    bash.args(["-e", "-o", "pipefail", "-c", build, "build", &jobs.to_string()]);
    // What an outer make or cargo set for itself, and what would make the builds differ.
    for variable in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "LD_LIBRARY_PATH"] {
        bash.env_remove(variable);
    }
    command::stdout(bash.current_dir(tree))?;
    let release = tree.join("include/config/kernel.release");
    let text = fs::read_to_string(&release).map_err(Error::file("read", &release))?;
    Ok(text.trim().to_owned())
}
