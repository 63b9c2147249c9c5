// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Parts of the source that a kernel was built from, as Debian patched it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt::from_archive;
use crate::command;
use crate::kernel::remake_dir;
use crate::workspace;
use crate::{Error, Kernel, Result, Series};

/// Extracted besides what is asked for: checkpatch, and what it reads.
const CHECKPATCH: [&str; 3] =
    ["scripts/checkpatch.pl", "scripts/spelling.txt", "scripts/const_structs.checkpatch"];

/// The file that remembers what was extracted.
const EXTRACTED: &str = ".extracted";

impl Kernel {
    /// The source tree that this kernel was built from, with these directories or
    /// files in it, given by their paths in the tree, and checkpatch.
    ///
    /// Each call that asks for what is not there yet downloads 150 MB and unpacks
    /// them: ask for everything at once. Do not write to the tree, which all flavours
    /// of a series have in common.
    pub fn source(&self, wanted: &[&str]) -> Result<PathBuf> {
        self.source_reporting(wanted, |_| {})
    }

    /// As [`Kernel::source`]; reports each step that takes a while.
    pub fn source_reporting(
        &self,
        wanted: &[&str],
        mut report: impl FnMut(&str),
    ) -> Result<PathBuf> {
        let name = format!("linux-source-{}", self.series().version());
        let version = self.debian_version()?;
        let kernels = workspace::target_dir().join("kernels");
        let root = kernels.join(format!("{name}_{version}"));
        let beside = |what| kernels.join(format!("{name}_{version}.{what}"));
        let _turn = workspace::lock(&beside("lock"))?;
        let missing = missing(&root, wanted);
        if missing.is_empty() {
            return Ok(root);
        }
        let partial = beside("partial");
        let package = format!("{name}={version}");
        download(self.series(), &package, &partial, &mut report)?;
        report(&format!("unpacking {package}"));
        extract(&partial, &name, &missing)?;
        for path in &missing {
            replace(&partial.join(path), &root.join(path))?;
        }
        let list = root.join(EXTRACTED);
        let extracted = fs::read_to_string(&list).unwrap_or_default();
        fs::write(&list, format!("{extracted}{}\n", missing.join("\n")))
            .map_err(Error::file("write", &list))?;
        fs::remove_dir_all(&partial).map_err(Error::file("remove", &partial))?;
        Ok(root)
    }

    /// The version of Debian's package, such as `6.12.117-1~deb12u1`.
    pub(crate) fn debian_version(&self) -> Result<String> {
        let header = self.headers().join("include/generated/utsversion.h");
        let text = fs::read_to_string(&header).map_err(Error::file("read", &header))?;
        text.lines().find_map(debian_version).ok_or_else(|| {
            let source = io::Error::other("it does not name a version of Debian's");
            Error::file("use", &header)(source)
        })
    }
}

/// Downloads a package to `directory`, in which nothing else is then.
pub(crate) fn download(
    series: Series,
    package: &str,
    directory: &Path,
    report: &mut dyn FnMut(&str),
) -> Result<()> {
    from_archive(series.suite(), report, |apt, report| {
        remake_dir(directory)?;
        report(&format!("downloading {package}"));
        apt.download(&[package], directory)
    })
}

/// The version in `#define UTS_VERSION "#1 SMP Debian 6.1.192-2 (2026-11-16)"`.
fn debian_version(line: &str) -> Option<String> {
    let (_, version) = line.strip_prefix("#define UTS_VERSION ")?.split_once(" Debian ")?;
    version.split_whitespace().next().map(str::to_owned)
}

/// What of `wanted` and of checkpatch was not extracted to `root` yet.
fn missing<'a>(root: &Path, wanted: &[&'a str]) -> Vec<&'a str> {
    let extracted = fs::read_to_string(root.join(EXTRACTED)).unwrap_or_default();
    let mut paths: Vec<&str> = wanted.iter().map(|path| path.trim_matches('/')).collect();
    paths.extend(CHECKPATCH);
    let is_there =
        |path: &str| extracted.lines().any(|extracted| Path::new(path).starts_with(extracted));
    let comes_with_another =
        |path: &str| paths.iter().any(|other| *other != path && Path::new(path).starts_with(other));
    let is_missing = |path: &&str| !is_there(path) && !comes_with_another(path);
    paths.iter().copied().filter(is_missing).collect()
}

/// Extracts `paths` of the package `name` in `directory`; neither the package nor
/// the rest of the tree is kept.
fn extract(directory: &Path, name: &str, paths: &[&str]) -> Result<()> {
    let extract = "\
        dpkg-deb --fsys-tarfile ./*.deb | tar -xO \"./usr/src/$1.tar.xz\" |
            tar -xJ --strip-components=1 \"${@:2}\"
        rm ./*.deb";
    let mut bash = Command::new("bash");
    bash.args(["-e", "-o", "pipefail", "-c", extract, "extract", name]);
    bash.args(paths.iter().map(|path| format!("{name}/{path}")));
    command::stdout(bash.current_dir(directory)).map(drop)
}

/// Moves a file or directory to where an older one, or none, is.
fn replace(new: &Path, path: &Path) -> Result<()> {
    let parent = path.with_file_name("");
    fs::create_dir_all(&parent).map_err(Error::file("create", &parent))?;
    if path.is_dir() {
        fs::remove_dir_all(path).map_err(Error::file("remove", path))?;
    }
    fs::rename(new, path).map_err(Error::file("rename", new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_version() {
        let line = |text| debian_version(text);
        let debians = "#define UTS_VERSION \"#1 SMP Debian 6.1.192-2 (2026-11-16)\"";
        assert_eq!(line(debians), Some("6.1.192-2".to_owned()));
        assert_eq!(line("#define UTS_VERSION \"#1 SMP\""), None);
        assert_eq!(line("#define UTS_MACHINE \"x86_64 Debian 1\""), None);
    }

    #[test]
    fn what_is_in_an_extracted_directory_is_not_missing() {
        let root = std::env::temp_dir().join(format!("vmtest-source-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join(EXTRACTED), format!("{}\ndrivers/misc\n", CHECKPATCH.join("\n")))
            .unwrap();
        let wanted = ["drivers/misc/", "drivers/misc/eeprom", "drivers/miscellany"];
        assert_eq!(missing(&root, &wanted), ["drivers/miscellany"]);
        assert_eq!(missing(&root, &["drivers/net/phy", "drivers/net"]), ["drivers/net"]);
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(missing(&root, &["drivers/misc"]).len(), 1 + CHECKPATCH.len());
    }
}
