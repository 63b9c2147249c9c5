// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An initramfs, put together in memory and written as a newc archive.
//!
//! The same content gives the same bytes: entries are sorted, times are zero.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use cpio::newc::{Builder, ModeFileType, trailer};

use crate::command;
use crate::{Error, Result};

/// The tree of an initramfs.
#[derive(Debug, Clone, Default)]
pub struct Initramfs {
    /// By path without the leading `/`; sorting puts parents before children.
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone)]
enum Entry {
    Directory,
    Symlink(String),
    Text { text: String, mode: u32 },
    HostFile(PathBuf),
}

impl Initramfs {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory and its parents.
    pub fn directory(&mut self, path: &str) -> &mut Self {
        self.add(path, Entry::Directory)
    }

    /// Adds a symbolic link.
    pub fn symlink(&mut self, path: &str, target: &str) -> &mut Self {
        self.add(path, Entry::Symlink(target.to_owned()))
    }

    /// Adds a file with this content.
    pub fn text(&mut self, path: &str, text: &str) -> &mut Self {
        let text = text.to_owned();
        self.add(path, Entry::Text { text, mode: 0o644 })
    }

    /// Adds an executable file with this content.
    pub fn script(&mut self, path: &str, text: &str) -> &mut Self {
        let text = text.to_owned();
        self.add(path, Entry::Text { text, mode: 0o755 })
    }

    /// Adds a file of the host, executable if it is so there.
    pub fn file(&mut self, host: &Path, path: &str) -> &mut Self {
        self.add(path, Entry::HostFile(host.to_path_buf()))
    }

    /// Adds a program of the host at the same path, with its shared libraries
    /// and its loader.
    pub fn program(&mut self, host: &Path) -> Result<&mut Self> {
        for file in std::iter::once(host.to_path_buf()).chain(shared_libraries(host)?) {
            let path = file.to_string_lossy().into_owned();
            self.file(&file, &path);
        }
        Ok(self)
    }

    /// Adds the host's static busybox and a link in `/bin` for each applet.
    pub fn busybox(&mut self) -> Result<&mut Self> {
        let busybox = Path::new("/bin/busybox");
        let applets = command::stdout(Command::new(busybox).arg("--list"))?;
        for applet in applets.lines().filter(|applet| *applet != "busybox") {
            self.symlink(&format!("bin/{applet}"), "busybox");
        }
        self.file(busybox, "bin/busybox");
        Ok(self)
    }

    /// Writes the archive.
    pub fn write(&self, path: &Path) -> Result<()> {
        let file = File::create(path).map_err(Error::file("create", path))?;
        let mut output = BufWriter::with_capacity(1 << 20, file);
        for (inode, (name, entry)) in (1..).zip(&self.entries) {
            output = entry.write(name, inode, output, path)?;
        }
        trailer(output).and_then(|mut output| output.flush()).map_err(Error::file("write", path))
    }

    fn add(&mut self, path: &str, entry: Entry) -> &mut Self {
        let path = path.trim_matches('/');
        for (end, _) in path.match_indices('/') {
            let parent = path[..end].to_owned();
            self.entries.entry(parent).or_insert(Entry::Directory);
        }
        self.entries.insert(path.to_owned(), entry);
        self
    }
}

impl Entry {
    fn write<W: Write>(&self, name: &str, inode: u32, output: W, archive: &Path) -> Result<W> {
        let header = Builder::new(name).ino(inode);
        match self {
            Self::Directory => {
                let header = header.mode(0o755).set_mode_file_type(ModeFileType::Directory);
                write_body(header, output, &mut io::empty(), 0)
            }
            Self::Symlink(target) => {
                let header = header.mode(0o777).set_mode_file_type(ModeFileType::Symlink);
                write_body(header, output, &mut target.as_bytes(), target.len() as u64)
            }
            Self::Text { text, mode } => {
                let header = header.mode(*mode).set_mode_file_type(ModeFileType::Regular);
                write_body(header, output, &mut text.as_bytes(), text.len() as u64)
            }
            Self::HostFile(host) => return write_host_file(header, output, host, archive),
        }
        .map_err(Error::file("write", archive))
    }
}

fn write_host_file<W: Write>(header: Builder, output: W, host: &Path, archive: &Path) -> Result<W> {
    let mut file = File::open(host).map_err(Error::file("read", host))?;
    let metadata = file.metadata().map_err(Error::file("read", host))?;
    let executable = metadata.permissions().mode() & 0o111 != 0;
    let header = header
        .mode(if executable { 0o755 } else { 0o644 })
        .set_mode_file_type(ModeFileType::Regular);
    write_body(header, output, &mut file, metadata.len()).map_err(Error::file("write", archive))
}

fn write_body<W: Write>(
    header: Builder,
    output: W,
    body: &mut dyn io::Read,
    size: u64,
) -> io::Result<W> {
    let size = u32::try_from(size).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut writer = header.write(output, size);
    let copied = io::copy(body, &mut writer)?;
    if copied != u64::from(size) {
        return Err(io::Error::other("a file changed its size while it was added"));
    }
    writer.finish()
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
    fn parents_come_first_and_bytes_repeat() {
        let directory = crate::target_dir().join("vmtest/initramfs-unit-test");
        std::fs::create_dir_all(&directory).unwrap();
        let archive = |name: &str| {
            let path = directory.join(name);
            let mut tree = Initramfs::new();
            tree.script("/a/b/run", "exit 0\n").symlink("a/link", "b/run");
            tree.write(&path).unwrap();
            std::fs::read(path).unwrap()
        };
        let bytes = archive("one");
        assert_eq!(bytes, archive("two"));

        let mut names = Vec::new();
        let mut input = bytes.as_slice();
        loop {
            let entry = cpio::NewcReader::new(input).unwrap();
            if entry.entry().is_trailer() {
                break;
            }
            names.push(entry.entry().name().to_owned());
            input = entry.finish().unwrap();
        }
        assert_eq!(names, ["a", "a/b", "a/b/run", "a/link"]);
    }
}
