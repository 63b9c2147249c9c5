// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Debian's programs that run inside a virtual machine: the host's own, or those of another
//! architecture, unpacked and never installed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt::Apt;
use crate::architecture::Architecture;
use crate::command;
use crate::kernel::remake_dir;
use crate::workspace;
use crate::{Error, Result};

/// The packages whose programs scripts in virtual machines run. Their dependencies come along.
const PACKAGES: [&str; 6] =
    ["busybox-static", "ethtool", "kexec-tools", "makedumpfile", "pciutils", "zstd"];

/// Programs and their shared libraries.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// Where the tree of another architecture is; none for the host's.
    root: Option<PathBuf>,
}

impl Programs {
    /// Those that a machine of `architecture` runs. Those of another one than the host's are
    /// downloaded the first time.
    pub(crate) fn of(architecture: Architecture) -> Result<Self> {
        if architecture.is_native() {
            return Ok(Self { root: None });
        }
        unpacked(architecture, "programs", &PACKAGES).map(|root| Self { root: Some(root) })
    }

    /// The file on the host that is `path` in the virtual machine.
    fn host(&self, path: &Path) -> PathBuf {
        match &self.root {
            None => path.to_owned(),
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
        }
    }

    /// busybox, and the names of its applets.
    pub(crate) fn busybox(&self) -> Result<(PathBuf, Vec<String>)> {
        // One of another architecture does not list them; the host's is of the same release.
        let list = command::stdout(Command::new("/bin/busybox").arg("--list"))?;
        let applets = list.lines().map(str::to_owned).collect();
        Ok((self.host(Path::new("/bin/busybox")), applets))
    }

    /// The program at `path`, its shared libraries and its loader: each file of the host, and
    /// where it is to be.
    pub(crate) fn with_libraries(&self, path: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
        let Some(root) = &self.root else {
            let libraries = shared_libraries(path)?;
            return Ok(std::iter::once(path.to_owned())
                .chain(libraries)
                .map(|file| (file.clone(), file))
                .collect());
        };
        // One of ours, such as the command, is where cargo put it.
        let of_ours = path.starts_with(workspace::root());
        let program = if of_ours { path.to_owned() } else { self.host(path) };
        let mut files = vec![(program.clone(), path.to_owned())];
        let mut seen = BTreeSet::new();
        let mut to_read = vec![program];
        while let Some(file) = to_read.pop() {
            for name in needed(&file)? {
                if !seen.insert(name.clone()) {
                    continue;
                }
                let library = find_library(root, &name)?;
                files.push((library.clone(), PathBuf::from("/lib").join(&name)));
                to_read.push(library);
            }
        }
        Ok(files)
    }
}

/// Where the standard library of Rust for the architecture is that is
/// [chosen](Architecture::chosen): Debian's, downloaded the first time, for Debian's rustc, which
/// has that of its own alone. None where the rustc that is there has it, as rustup can install
/// it.
pub fn rust_sysroot() -> Result<Option<PathBuf>> {
    let architecture = Architecture::chosen()?;
    let has = |sysroot: &Path| {
        let library = sysroot.join("lib/rustlib").join(architecture.target()).join("lib");
        library.read_dir().is_ok_and(|mut files| files.next().is_some())
    };
    let sysroot = command::stdout(Command::new("rustc").args(["--print", "sysroot"]))?;
    if has(Path::new(sysroot.trim())) {
        return Ok(None);
    }
    unpacked(architecture, "rust", &["libstd-rust-web-dev"]).map(|root| Some(root.join("usr")))
}

/// The tree of these packages and of what they depend on.
fn unpacked(architecture: Architecture, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let kernels = workspace::target_dir().join("kernels");
    let root = kernels.join(format!("{name}-{}", architecture.debian()));
    let _turn = workspace::lock(&root.with_extension("lock"))?;
    if root.is_dir() {
        return Ok(root);
    }
    let partial = root.with_extension("partial");
    remake_dir(&partial)?;
    let debs = partial.join("debs");
    remake_dir(&debs.join("partial"))?;
    let apt = Apt::of(None, architecture)?;
    apt.update()?;
    apt.download_with_dependencies(packages, &debs)?;
    for deb in crate::kernel::list_dir(&debs)? {
        if deb.extension().is_some_and(|extension| extension == "deb") {
            command::stdout(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&partial))?;
        }
    }
    fs::remove_dir_all(&debs).map_err(Error::file("remove", &debs))?;
    // What some packages have in /bin, others have in /usr/bin, where all is installed.
    for name in ["bin", "lib", "sbin"] {
        let directory = partial.join(name);
        let usr = partial.join("usr").join(name);
        fs::create_dir_all(&usr).map_err(Error::file("create", &usr))?;
        if directory.is_dir() {
            command::stdout(Command::new("cp").arg("-aT").arg(&directory).arg(&usr))?;
            fs::remove_dir_all(&directory).map_err(Error::file("remove", &directory))?;
        }
        let target = format!("usr/{name}");
        std::os::unix::fs::symlink(target, &directory)
            .map_err(Error::file("create", &directory))?;
    }
    fs::rename(&partial, &root).map_err(Error::file("rename", &partial))?;
    Ok(root)
}

/// The names of the shared libraries that a program or a library needs, and of its loader.
fn needed(file: &Path) -> Result<Vec<String>> {
    let mut readelf = Command::new("readelf");
    readelf.args(["--wide", "--dynamic", "--program-headers"]).arg(file).env("LC_ALL", "C");
    Ok(command::stdout(&mut readelf)?.lines().filter_map(needed_name).collect())
}

/// The name in `(NEEDED) Shared library: [libc.so.6]` or in
/// `[Requesting program interpreter: /lib/ld.so]`.
fn needed_name(line: &str) -> Option<String> {
    let name = match line.split_once("Shared library: [") {
        Some((_, name)) => name,
        None => line.split_once("Requesting program interpreter: ")?.1,
    };
    let name = name.split(']').next()?;
    Some(name.rsplit('/').next().unwrap_or(name).to_owned())
}

fn find_library(root: &Path, name: &str) -> Result<PathBuf> {
    let directory = root.join("usr/lib");
    let multiarch = crate::kernel::list_dir(&directory)?.into_iter().filter(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("-linux-gnu"))
    });
    let mut libraries = multiarch.chain([directory]).map(|directory| directory.join(name));
    libraries.find(|library| library.exists()).ok_or_else(|| Error::Program {
        program: format!("{}", root.display()),
        problem: format!("has no library {name}"),
    })
}

/// What `ldd` names: the libraries and the loader, nothing for a static program.
fn shared_libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = command::output(Command::new("ldd").arg(program).env("LC_ALL", "C"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    let is_static = complaint.contains("not a dynamic executable");
    if said.contains("=> not found") || (!output.status.success() && !is_static) {
        return Err(Error::Program {
            program: format!("ldd {}", program.display()),
            problem: command::one_line(&format!("{complaint}{said}")),
        });
    }
    Ok(said.lines().filter_map(library_path).collect())
}

/// The path in `libc.so.6 => /lib/libc.so.6 (0x…)` or `/lib64/ld.so (0x…)`;
/// the vdso has none.
fn library_path(line: &str) -> Option<PathBuf> {
    let line = line.split_once("=> ").map_or(line, |(_, path)| path).trim();
    let path = line.split(" (").next()?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_ldd() {
        let path = |line| library_path(line).map(|path| path.display().to_string());
        assert_eq!(path("\tlinux-vdso.so.1 (0x00007ffd)"), None);
        assert_eq!(path("\tstatically linked"), None);
        assert_eq!(path("\tlibz.so.1 => /lib/libz.so.1 (0x7f)"), Some("/lib/libz.so.1".into()));
        assert_eq!(path("\t/lib64/ld.so (0x7f)"), Some("/lib64/ld.so".into()));
    }

    #[test]
    fn lines_of_readelf() {
        let name = |line| needed_name(line);
        let library = " 0x0000000000000001 (NEEDED)  Shared library: [libc.so.6]";
        assert_eq!(name(library), Some("libc.so.6".into()));
        let loader = "      [Requesting program interpreter: /lib/ld-linux-aarch64.so.1]";
        assert_eq!(name(loader), Some("ld-linux-aarch64.so.1".into()));
        assert_eq!(name(" 0x000000000000000e (SONAME)  Library soname: [libz.so.1]"), None);
    }
}
