// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files to run the command on, and what came of it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::fs::{Mode, OFlags};
use synth::{Class, Endian, Image, Load, NoteSpec, Vmcore};
use tempfile::TempDir;

/// A folder in which the command runs, so that paths are short and the same.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub fn with(self, name: &str, image: &Image) -> Self {
        image.write(&self.path(name)).expect("written");
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// Whether files here can do without a name (`O_TMPFILE`).
    pub fn has_nameless_files(&self) -> bool {
        rustix::fs::open(self.root(), OFlags::TMPFILE | OFlags::RDWR, Mode::RUSR).is_ok()
    }

    /// The names of all files, in order.
    pub fn files(&self) -> Vec<String> {
        let entries = self.0.path().read_dir().expect("a folder");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("UTF-8")
        };
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vmcoredd"));
        command.current_dir(self.0.path());
        command
    }

    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        let output = self.command().args(arguments).output().expect("runs");
        Outcome::from(output)
    }
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub status: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

impl Outcome {
    pub fn stdout(&self) -> &str {
        str::from_utf8(&self.stdout).expect("UTF-8")
    }

    /// All of it, to be compared with a snapshot.
    pub fn shown(&self) -> String {
        let status = self.status.expect("not killed");
        let stdout = self.stdout();
        let stderr = &self.stderr;
        format!("--- exit status: {status}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }
}

/// A vmcore with two device dumps.
pub fn small() -> Vmcore {
    Vmcore::new(Class::Elf64, Endian::Little)
        .dump("nic0", b"state".to_vec())
        .dump("edu_0000:00:04.0", vec![2; 1000])
        .note(NoteSpec::prstatus(Endian::Little, 1))
        .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"))
        .load(Load::new(0x1000, vec![3; 4096]))
}
