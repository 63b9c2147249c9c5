// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An initramfs, put together in memory and written as a newc archive.
//!
//! The same content gives the same bytes: entries are sorted, times are zero.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cpio::newc::{Builder, ModeFileType, trailer};

use crate::programs::Programs;
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

    /// Adds a program at its path, with its shared libraries and its loader.
    pub(crate) fn program(&mut self, programs: &Programs, path: &Path) -> Result<&mut Self> {
        for (host, path) in programs.with_libraries(path)? {
            self.file(&host, &path.to_string_lossy());
        }
        Ok(self)
    }

    /// Adds the static busybox and a link in `/bin` for each applet.
    pub(crate) fn busybox(&mut self, programs: &Programs) -> Result<&mut Self> {
        let (busybox, applets) = programs.busybox()?;
        for applet in applets.iter().filter(|applet| *applet != "busybox") {
            self.symlink(&format!("bin/{applet}"), "busybox");
        }
        self.file(&busybox, "bin/busybox");
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

#[cfg(test)]
mod tests {
    use super::*;

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
