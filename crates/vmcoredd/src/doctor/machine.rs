// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! This machine's files, as far as `vmcoredd doctor` looks at them.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// A machine, or a directory that has its files.
#[derive(Debug)]
pub struct Machine {
    root: PathBuf,
    /// What is in the crash kernel's initramfs, once that was asked for.
    initramfs_files: OnceCell<Option<Vec<String>>>,
}

impl Machine {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), initramfs_files: OnceCell::new() }
    }

    /// Where the absolute `path` is.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    pub fn has(&self, path: &str) -> bool {
        // A link that leads nowhere from here is there as well.
        fs::symlink_metadata(self.path(path)).is_ok()
    }

    pub fn text(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.path(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.trim().parse().ok()
    }

    /// The last value of `key` in a file of shell assignments; `None` where it has none,
    /// or is empty.
    pub fn setting(&self, path: &str, key: &str) -> Option<String> {
        let text = self.text(path)?;
        let value = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))
            .next_back()?;
        let quotes = |character| matches!(character, '"' | '\'');
        let value = value.trim().trim_matches(quotes);
        Some(value.to_owned()).filter(|value| !value.is_empty())
    }

    /// The release of the kernel that is to be the crash kernel.
    pub fn crash_release(&self) -> Option<String> {
        let configured = self.setting("/etc/default/kdump-tools", "KDUMP_KERNEL");
        let kernel = configured.unwrap_or_else(|| "/var/lib/kdump/vmlinuz".to_owned());
        let link = fs::read_link(self.path(&kernel)).unwrap_or_else(|_| PathBuf::from(kernel));
        let name = link.file_name()?.to_str()?;
        if let Some(release) = name.strip_prefix("vmlinuz-") {
            return Some(release.to_owned());
        }
        Some(self.text("/proc/sys/kernel/osrelease")?.trim().to_owned())
    }

    /// Whether that kernel was built with device dumps.
    pub fn has_own_device_dumps(&self, release: &str) -> bool {
        let configuration = self.text(&format!("/boot/config-{release}"));
        configuration
            .is_some_and(|text| text.lines().any(|line| line == "CONFIG_PROC_VMCORE_DEVICE_DUMP=y"))
    }

    /// The file of a module of the kernel `release`, as depmod found it.
    pub fn module(&self, release: &str, name: &str) -> Option<PathBuf> {
        let directory = format!("/lib/modules/{release}");
        let found = self.text(&format!("{directory}/modules.dep"))?;
        let mut paths = found.lines().filter_map(|line| line.split(':').next());
        let path = paths.find(|path| is_module(path, name))?;
        Some(self.path(directory).join(path))
    }

    /// The initramfs of the crash kernel: that of kdump-tools, or of kexec-tools.
    pub fn crash_initramfs(&self) -> Option<PathBuf> {
        let configured = self.setting("/etc/default/kdump-tools", "KDUMP_INITRD");
        let of_kdump_tools = configured.unwrap_or_else(|| "/var/lib/kdump/initrd.img".to_owned());
        let release = self.crash_release().unwrap_or_default();
        [of_kdump_tools, format!("/boot/initramfs-{release}kdump.img")]
            .into_iter()
            .map(|path| self.path(path))
            .find(|path| path.exists())
    }

    /// The files in the initramfs of the crash kernel.
    pub fn initramfs_files(&self) -> Option<&[String]> {
        let list = || {
            // zstd, by which lsinitramfs reads most, takes no links.
            let path = self.crash_initramfs()?.canonicalize().ok()?;
            let listed = |program: &str, options: &[&str]| {
                let output = Command::new(program).args(options).arg(&path).output().ok()?;
                output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into())
            };
            let lines: String = listed("lsinitramfs", &[]).or_else(|| listed("lsinitrd", &[]))?;
            // lsinitrd has what ls -l has.
            let name = |line: &str| line.split_whitespace().last().map(str::to_owned);
            Some(lines.lines().filter_map(name).collect())
        };
        self.initramfs_files.get_or_init(list).as_deref()
    }

    /// A file of the configuration that is newer than `initramfs`.
    pub fn newer_than(&self, initramfs: &Path) -> Option<PathBuf> {
        let made = modified(initramfs)?;
        let newer = |path: &PathBuf| modified(path).is_some_and(|time| time > made);
        let mut paths = vec![
            self.path("/etc/vmcoredd/vmcoredd.conf"),
            self.path("/etc/vmcoredd/modules"),
            self.path("/usr/bin/vmcoredd"),
        ];
        let collectors = fs::read_dir(self.path("/etc/vmcoredd/collect.d"));
        paths.extend(collectors.into_iter().flatten().flatten().map(|entry| entry.path()));
        let module = self.crash_release().and_then(|release| self.module(&release, "vmcoredd"));
        paths.extend(module);
        paths.into_iter().find(newer)
    }

    /// Where kdump-tools saves to.
    pub fn dump_directory(&self) -> PathBuf {
        let configured = self.setting("/etc/default/kdump-tools", "KDUMP_COREDIR");
        self.path(configured.unwrap_or_else(|| "/var/crash".to_owned()))
    }

    /// How many bytes whoever is root can write to `directory`.
    pub fn free_space(&self, directory: &Path) -> Option<u64> {
        let found = rustix::fs::statvfs(directory).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// How much memory there is, in bytes.
    pub fn memory(&self) -> Option<u64> {
        let text = self.text("/proc/meminfo")?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib.saturating_mul(1024))
    }
}

/// Whether `path` is of the module `name`, compressed or not. The kernel takes dashes
/// and underscores for the same.
pub fn is_module(path: &str, name: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    let (stem, extension) = file.split_once(".ko").unwrap_or((file, "?"));
    matches!(extension, "" | ".xz" | ".zst" | ".gz")
        && stem.replace('-', "_") == name.replace('-', "_")
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}
