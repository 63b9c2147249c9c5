// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Stock Debian kernels with their headers, unpacked but never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt::{Apt, from_archive_of};
use crate::command;
use crate::workspace;
use crate::{Architecture, Error, Result, Series};

/// A kernel unpacked under `target/kernels/<release>/`.
#[derive(Debug, Clone)]
pub struct Kernel {
    series: Series,
    architecture: Architecture,
    release: String,
    root: PathBuf,
}

impl Kernel {
    /// Returns the newest kernel of a series, downloading it the first time, for the
    /// architecture that is [chosen](Architecture::chosen).
    ///
    /// Later calls need no network and stay with the kernel first found; see
    /// [`Kernel::fetch_newest`].
    ///
    /// # Errors
    /// One that [`Error::is_gone`] when the archive has no such kernel.
    pub fn fetch(series: Series) -> Result<Self> {
        Self::fetch_reporting(series, |_| {})
    }

    /// As [`Kernel::fetch`]; reports each step that takes a while.
    pub fn fetch_reporting(series: Series, mut report: impl FnMut(&str)) -> Result<Self> {
        let kernels = workspace::target_dir().join("kernels");
        let architecture = Architecture::chosen()?;
        if let Some(kernel) = Self::unpacked(series, architecture, &kernels) {
            return Ok(kernel);
        }
        let lock = resolved_file(series, architecture, &kernels).with_extension("lock");
        let _turn = workspace::lock(&lock)?;
        // Whoever had the lock before may have done the work.
        if let Some(kernel) = Self::unpacked(series, architecture, &kernels) {
            return Ok(kernel);
        }
        from_archive_of(series.suite(), architecture, &mut report, |apt, report| {
            download(series, architecture, &kernels, apt, report)
        })
    }

    /// As [`Kernel::fetch_reporting`], but asks the archive for one that is newer than the
    /// one found before.
    ///
    /// # Errors
    /// One that [`Error::is_gone`] also when there is such a kernel here, but the archive
    /// has none any more.
    pub fn fetch_newest(series: Series, mut report: impl FnMut(&str)) -> Result<Self> {
        let kernels = workspace::target_dir().join("kernels");
        let architecture = Architecture::chosen()?;
        let lock = resolved_file(series, architecture, &kernels).with_extension("lock");
        let _turn = workspace::lock(&lock)?;
        let apt = Apt::of(series.suite(), architecture)?;
        apt.update()?;
        download(series, architecture, &kernels, &apt, &mut report)
    }

    /// The release as `uname -r` shows it.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// The architecture it is for.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The series it was fetched for.
    pub fn series(&self) -> Series {
        self.series
    }

    /// The bootable image.
    pub fn vmlinuz(&self) -> PathBuf {
        self.root.join(format!("boot/vmlinuz-{}", self.release))
    }

    /// The directory that external modules are built with: `make -C … M=…`.
    pub fn headers(&self) -> PathBuf {
        headers(&self.root, &self.release)
    }

    /// The `.ko` of a module that came with the kernel, decompressed.
    ///
    /// As for `modprobe`, `-` and `_` in the name are the same.
    pub fn module(&self, name: &str) -> Result<PathBuf> {
        let name = name.replace('-', "_");
        let modules = self.root.join("lib/modules").join(&self.release);
        let found = find_module(&modules.join("kernel"), &name)?;
        let found = found
            .ok_or_else(|| Error::Module { release: self.release.clone(), module: name.clone() })?;
        if found.extension().is_some_and(|extension| extension == "ko") {
            return Ok(found);
        }
        self.decompressed(&found, &name)
    }

    /// The kernel with its debug symbols, for tools that analyse dumps; a large
    /// download the first time.
    pub fn vmlinux(&self) -> Result<PathBuf> {
        let inside = format!("usr/lib/debug/boot/vmlinux-{}", self.release);
        let vmlinux = self.root.join(&inside);
        let _turn = workspace::lock(&self.root.join("debug.lock"))?;
        if vmlinux.exists() {
            return Ok(vmlinux);
        }
        // The package has every module's symbols, too: only one file is taken.
        let partial = self.root.join("debug.partial");
        remake_dir(&partial)?;
        let package = format!("linux-image-{}-dbg", self.release);
        from_archive_of(self.series.suite(), self.architecture, &mut |_| {}, |apt, _| {
            apt.download(&[&package], &partial)
        })?;
        let extract = "dpkg-deb --fsys-tarfile ./*.deb | tar -x \"$1\"";
        command::stdout(
            Command::new("bash")
                .args(["-e", "-o", "pipefail", "-c", extract, "extract"])
                .arg(format!("./{inside}"))
                .current_dir(&partial),
        )?;
        let directory = vmlinux.with_file_name("");
        fs::create_dir_all(&directory).map_err(Error::file("create", &directory))?;
        let extracted = partial.join(&inside);
        fs::rename(&extracted, &vmlinux).map_err(Error::file("rename", &extracted))?;
        fs::remove_dir_all(&partial).map_err(Error::file("remove", &partial))?;
        Ok(vmlinux)
    }

    /// virtio-serial's modules in loading order; empty where it is built in.
    pub fn virtio_serial_modules(&self) -> Result<Vec<PathBuf>> {
        match self.modules_with_dependencies(&["virtio_pci", "virtio_console"]) {
            Err(Error::Module { .. }) => Ok(Vec::new()),
            modules => modules,
        }
    }

    /// As [`Kernel::module`], for several and all that they depend on, in an order in which
    /// they can be loaded.
    pub fn modules_with_dependencies(&self, names: &[&str]) -> Result<Vec<PathBuf>> {
        let mut modules = Vec::new();
        names.iter().try_for_each(|name| self.add_module(name, &mut modules))?;
        Ok(modules)
    }

    fn add_module(&self, name: &str, modules: &mut Vec<PathBuf>) -> Result<()> {
        let module = self.module(name)?;
        if modules.contains(&module) {
            return Ok(());
        }
        let bytes = fs::read(&module).map_err(Error::file("read", &module))?;
        for dependency in depends(&bytes).split(',').filter(|name| !name.is_empty()) {
            self.add_module(dependency, modules)?;
        }
        modules.push(module);
        Ok(())
    }

    /// The kernel of the host's architecture that is in `root`.
    pub(crate) fn at(series: Series, release: &str, root: PathBuf) -> Self {
        Self { series, architecture: Architecture::host(), release: release.to_owned(), root }
    }

    fn unpacked(series: Series, architecture: Architecture, kernels: &Path) -> Option<Self> {
        let release = fs::read_to_string(resolved_file(series, architecture, kernels)).ok()?;
        let release = release.trim().to_owned();
        let root = kernels.join(&release);
        root.is_dir().then_some(Self { series, architecture, release, root })
    }

    fn decompressed(&self, compressed: &Path, name: &str) -> Result<PathBuf> {
        let directory = self.root.join("decompressed");
        let module = directory.join(format!("{name}.ko"));
        if module.exists() {
            return Ok(module);
        }
        let _turn = workspace::lock(&directory.join("lock"))?;
        let partial = directory.join(format!("{name}.partial"));
        let output = command::output(Command::new("xz").arg("-dc").arg(compressed))?;
        if !output.status.success() {
            return Err(Error::Program {
                program: format!("xz -dc {}", compressed.display()),
                problem: command::one_line(&String::from_utf8_lossy(&output.stderr)),
            });
        }
        fs::write(&partial, &output.stdout).map_err(Error::file("write", &partial))?;
        fs::rename(&partial, &module).map_err(Error::file("rename", &partial))?;
        Ok(module)
    }
}

/// The file that remembers which release a series resolved to.
fn resolved_file(series: Series, architecture: Architecture, kernels: &Path) -> PathBuf {
    kernels.join(format!("{series}{}.release", architecture.suffix()))
}

fn headers(root: &Path, release: &str) -> PathBuf {
    root.join(format!("usr/src/linux-headers-{release}"))
}

fn download(
    series: Series,
    architecture: Architecture,
    kernels: &Path,
    apt: &Apt,
    report: &mut dyn FnMut(&str),
) -> Result<Kernel> {
    let release = newest_release(series, architecture, apt)?;
    let root = kernels.join(&release);
    if !root.is_dir() {
        let partial = kernels.join(format!("{release}.partial"));
        remake_dir(&partial)?;
        let packages = packages(&release, apt)?;
        report(&format!("downloading {}", packages.join(", ")));
        unpack(&packages, &partial, apt, report)?;
        relocate(&partial, &release)?;
        fs::rename(&partial, &root).map_err(Error::file("rename", &partial))?;
    }
    let resolved = resolved_file(series, architecture, kernels);
    let partial = resolved.with_extension("partial");
    fs::write(&partial, format!("{release}\n")).map_err(Error::file("write", &partial))?;
    fs::rename(&partial, &resolved).map_err(Error::file("rename", &partial))?;
    Ok(Kernel { series, architecture, release, root })
}

fn newest_release(series: Series, architecture: Architecture, apt: &Apt) -> Result<String> {
    let image = |meta: &String| apt.dependency(meta, "image", |name| series.has_image(name));
    let metas = series.image_metas(architecture);
    let mut found = Err(Error::Series(series.to_string()));
    for meta in &metas {
        found = image(meta);
        if found.is_ok() {
            break;
        }
    }
    Ok(found?.trim_start_matches("linux-image-").to_owned())
}

/// The packages that a module build and a boot need.
fn packages(release: &str, apt: &Apt) -> Result<Vec<String>> {
    let headers = format!("linux-headers-{release}");
    let common = apt.dependency(&headers, "common headers", |name| name.contains("-common"))?;
    let kbuild = apt.dependency(&headers, "kbuild", |name| name.starts_with("linux-kbuild-"))?;
    // Its programs run on the host, for whatever the kernel is.
    let kbuild = format!("{kbuild}:{}", Architecture::host().debian());
    let image = format!("linux-image-{release}");
    let mut packages = vec![headers, common, kbuild];
    // Since Linux 7 the image's package is empty, and depends on three others.
    match apt.dependency(&image, "binary", |name| name.starts_with("linux-binary-")) {
        Ok(binary) => {
            let parts = ["linux-base-", "linux-modules-"].map(|part| format!("{part}{release}"));
            packages.extend(parts.into_iter().chain([binary]));
        }
        Err(_) => packages.push(image),
    }
    Ok(packages)
}

fn unpack(packages: &[String], root: &Path, apt: &Apt, report: &mut dyn FnMut(&str)) -> Result<()> {
    let debs = root.join("debs");
    remake_dir(&debs)?;
    apt.download(packages, &debs)?;
    for deb in list_dir(&debs)? {
        let name = deb.file_name().unwrap_or_default().to_string_lossy();
        report(&format!("unpacking {name}"));
        command::stdout(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(root))?;
    }
    // Since Debian 13 packages have nothing in /lib, which is a link there.
    let lib = root.join("lib");
    if !lib.exists() {
        std::os::unix::fs::symlink("usr/lib", &lib).map_err(Error::file("create", &lib))?;
    }
    fs::remove_dir_all(&debs).map_err(Error::file("remove", &debs))
}

/// Makes what the packages say about `/usr/src` relative, so that nothing has
/// to be installed there.
fn relocate(root: &Path, release: &str) -> Result<()> {
    let makefile = headers(root, release).join("Makefile");
    let text = fs::read_to_string(&makefile).map_err(Error::file("read", &makefile))?;
    let here = "$(abspath $(dir $(lastword $(MAKEFILE_LIST))))";
    let text = text.replace("include /usr/src/", &format!("include {here}/../")).replace(
        &format!("KBUILD_OUTPUT=/usr/src/linux-headers-{release}"),
        &format!("KBUILD_OUTPUT:={here}"),
    );
    fs::write(&makefile, text).map_err(Error::file("write", &makefile))?;

    let modules = root.join("lib/modules").join(release);
    // Since Linux 7 the image is with the modules.
    let vmlinuz = root.join(format!("boot/vmlinuz-{release}"));
    if !vmlinuz.exists() {
        let boot = root.join("boot");
        fs::create_dir_all(&boot).map_err(Error::file("create", &boot))?;
        let image = format!("../lib/modules/{release}/vmlinuz");
        std::os::unix::fs::symlink(image, &vmlinuz).map_err(Error::file("create", &vmlinuz))?;
    }
    let up = if root.join("lib").is_symlink() { "../../../.." } else { "../../.." };
    for name in ["build", "source"] {
        let link = modules.join(name);
        let target = fs::read_link(&link).map_err(Error::file("read", &link))?;
        if let Ok(inside) = target.strip_prefix("/") {
            fs::remove_file(&link).map_err(Error::file("remove", &link))?;
            std::os::unix::fs::symlink(Path::new(up).join(inside), &link)
                .map_err(Error::file("create", &link))?;
        }
    }
    Ok(())
}

/// What a module says of the modules that it depends on, in its section `.modinfo`.
fn depends(module: &[u8]) -> String {
    let key = b"\0depends=";
    let found = module.windows(key.len()).position(|window| window == key);
    let value = found.map_or(&[][..], |at| &module[at + key.len()..]);
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

fn find_module(directory: &Path, name: &str) -> Result<Option<PathBuf>> {
    for path in list_dir(directory)? {
        if path.is_dir() {
            if let Some(found) = find_module(&path, name)? {
                return Ok(Some(found));
            }
        } else if module_name(&path).as_deref() == Some(name) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn module_name(path: &Path) -> Option<String> {
    let (name, extension) = path.file_name()?.to_str()?.split_once('.')?;
    matches!(extension, "ko" | "ko.xz").then(|| name.replace('-', "_"))
}

pub(crate) fn remake_dir(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(Error::file("remove", directory))?;
    }
    fs::create_dir_all(directory).map_err(Error::file("create", directory))
}

pub(crate) fn list_dir(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).map_err(Error::file("list", directory))?;
    let paths: std::io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(Error::file("list", directory))?;
    paths.sort();
    Ok(paths)
}
