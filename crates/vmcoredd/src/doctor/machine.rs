// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! This machine's files, as far as `vmcoredd doctor` looks at them.

use std::cell::OnceCell;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use kdumpfile::Escaped;

use super::kdump::Kdump;
use super::shell::{self, Settings, Trust};

/// What kdump-tools, kdumpctl and SUSE's kdump read of their configuration, as far as it is
/// looked at here, or must stay as it is when another variable is changed.
pub const KEYS: [&str; 30] = [
    "USE_KDUMP",
    "KDUMP_KERNEL",
    "KDUMP_INITRD",
    "KDUMP_COREDIR",
    "KDUMP_COMPRESSION",
    "KDUMP_KEXEC_ARGS",
    "KDUMP_CMDLINE",
    "KDUMP_CMDLINE_APPEND",
    "NFS",
    "SSH",
    "FTP",
    "KDUMP_KERNELVER",
    "KDUMP_COMMANDLINE",
    "KDUMP_COMMANDLINE_REMOVE",
    "KDUMP_COMMANDLINE_APPEND",
    "KDUMP_CPUS",
    "KDUMP_SAVEDIR",
    "KDUMP_FAIL_CMD",
    "KDUMP_DUMP_DMESG",
    "KDUMP_NUM_DUMPS",
    "MAKEDUMP_ARGS",
    "HOSTTAG",
    "NFS_TIMEO",
    "NFS_RETRANS",
    "NFS_MOUNT_RETRY",
    "FTP_USER",
    "FTP_PASSWORD",
    "FTP_PORT",
    "SSH_KEY",
    "SSH_KDUMP_RETRY",
];
/// Our own configuration.
pub const VMCOREDD_CONF: &str = "/etc/vmcoredd/vmcoredd.conf";

/// A machine, or a directory that has its files.
#[derive(Debug)]
pub struct Machine {
    root: PathBuf,
    pub trust: Trust,
    /// What makes the crash kernel ready.
    pub kdump: Kdump,
    /// The configuration of kdump, or why that is not known.
    pub settings: Result<Settings, String>,
    /// Our own configuration.
    own: Result<Settings, String>,
    /// What is in the crash kernel's initramfs, once that was asked for.
    initramfs_files: OnceCell<Option<Vec<String>>>,
}

impl Machine {
    pub fn new(root: &Path) -> Self {
        let trust = if root == Path::new("/") { Trust::Own } else { Trust::Foreign };
        let evaluate = |file: &str, keys: &[&str]| shell::evaluate(&[at(root, file)], keys, trust);
        let ids = evaluate("/etc/os-release", &["ID", "ID_LIKE"]).unwrap_or_default();
        let ids = ["ID", "ID_LIKE"].map(|key| ids.get(key).unwrap_or_default().to_owned());
        let is_there = |path: &str| fs::symlink_metadata(at(root, path)).is_ok();
        let kdump = Kdump::of(is_there, &ids.join(" "));
        let none = Ok(Settings::default());
        Self {
            root: root.to_owned(),
            trust,
            kdump,
            settings: kdump.file().map_or(none, |file| evaluate(file, &KEYS)),
            own: evaluate(VMCOREDD_CONF, &["MODULE_PARAMETERS"]),
            initramfs_files: OnceCell::new(),
        }
    }

    /// The directory that has its files; `/` for the machine that runs now.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every configuration that was evaluated.
    pub fn configurations(&self) -> [&Result<Settings, String>; 2] {
        [&self.settings, &self.own]
    }

    /// Where the absolute `path` is.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        at(&self.root, path)
    }

    pub fn has(&self, path: &str) -> bool {
        // A link that leads nowhere from here is there as well.
        fs::symlink_metadata(self.path(path)).is_ok()
    }

    /// What the file at `path` says. From anything else, as a pipe that nobody writes to,
    /// nothing is read.
    pub fn text(&self, path: &str) -> Option<String> {
        let path = self.path(path);
        let bytes = path.is_file().then(|| fs::read(path).ok())??;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.trim().parse().ok()
    }

    /// The value of `key` in kdump's configuration; `None` where that is empty.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.as_ref().ok()?.get(key)
    }

    /// The parameters of the module that our own configuration has.
    pub fn module_parameters(&self) -> &str {
        let own = self.own.as_ref().ok();
        own.and_then(|own| own.get("MODULE_PARAMETERS")).unwrap_or_default()
    }

    /// Whether a crash kernel is loaded.
    pub fn is_loaded(&self) -> bool {
        self.number("/sys/kernel/kexec_crash_loaded") == Some(1)
    }

    /// Finds out in which container this is, if in any, as systemd-detect-virt does.
    pub fn container(&self) -> Option<String> {
        for path in ["/run/systemd/container", "/run/host/container-manager"] {
            if let Some(text) = self.text(path) {
                return Some(Escaped(text.trim().as_bytes()).to_string());
            }
        }
        let variable = self.text("/proc/1/environ").and_then(|text| {
            let value =
                text.split('\0').find_map(|variable| variable.strip_prefix("container="))?;
            Some(value.to_owned()).filter(|value| !value.is_empty())
        });
        if let Some(value) = variable {
            return Some(Escaped(value.as_bytes()).to_string());
        }
        let marks = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
        marks.iter().find(|(path, _)| self.has(path)).map(|(_, name)| (*name).to_owned())
    }

    /// The release of the running kernel.
    pub fn release(&self) -> Option<String> {
        Some(self.text("/proc/sys/kernel/osrelease")?.trim().to_owned())
    }

    /// The release of the kernel that is to be the crash kernel.
    pub fn crash_release(&self) -> Option<String> {
        self.settings.as_ref().ok()?;
        if let Some(release) = self.setting("KDUMP_KERNELVER") {
            return Some(release.to_owned());
        }
        let kernel = match self.kdump {
            Kdump::Tools => self.setting("KDUMP_KERNEL"),
            Kdump::Ctl | Kdump::Suse | Kdump::Other => None,
        };
        let Some(kernel) = kernel else { return self.release() };
        let link = fs::read_link(self.path(kernel)).unwrap_or_else(|_| PathBuf::from(kernel));
        let name = link.file_name()?.to_str()?;
        let release = name.strip_prefix("vmlinuz-").or_else(|| name.strip_prefix("vmlinux-"));
        release.map(str::to_owned).or_else(|| self.release())
    }

    /// Whether that kernel was built with device dumps.
    pub fn has_own_device_dumps(&self, release: &str) -> bool {
        self.is_built_with(release, "CONFIG_PROC_VMCORE_DEVICE_DUMP=y")
    }

    /// Whether the configuration of the kernel `release` has this line.
    pub fn is_built_with(&self, release: &str, wanted: &str) -> bool {
        [format!("/boot/config-{release}"), format!("/lib/modules/{release}/config")]
            .iter()
            .find_map(|path| self.text(path))
            .is_some_and(|text| text.lines().any(|line| line == wanted))
    }

    /// The file of a module of the kernel `release`, as depmod found it.
    pub fn module(&self, release: &str, name: &str) -> Option<PathBuf> {
        self.find_module(release, |path| is_module(path, name))
    }

    /// A module that came with the kernel `release`.
    pub fn own_module(&self, release: &str) -> Option<PathBuf> {
        self.find_module(release, |path| path.starts_with("kernel/"))
    }

    fn find_module(&self, release: &str, is_it: impl Fn(&str) -> bool) -> Option<PathBuf> {
        let directory = format!("/lib/modules/{release}");
        let found = self.text(&format!("{directory}/modules.dep"))?;
        let mut paths = found.lines().filter_map(|line| line.split(':').next());
        let path = paths.find(|path| is_it(path))?;
        Some(self.path(directory).join(path))
    }

    /// The initramfs of the crash kernel.
    pub fn crash_initramfs(&self) -> Option<PathBuf> {
        let release = self.crash_release().unwrap_or_default();
        let of_kdumpctl = |directory| format!("{directory}/initramfs-{release}kdump.img");
        let paths = match self.kdump {
            Kdump::Tools if self.setting("KDUMP_KERNEL").is_some() => {
                self.setting("KDUMP_INITRD").into_iter().map(str::to_owned).collect()
            }
            Kdump::Tools => vec![format!("/boot/initrd.img-{release}")],
            Kdump::Ctl => vec![of_kdumpctl("/boot"), of_kdumpctl("/var/lib/kdump")],
            Kdump::Suse => {
                vec!["/var/lib/kdump/initrd".to_owned(), format!("/boot/initrd-{release}-kdump")]
            }
            Kdump::Other => Vec::new(),
        };
        paths.into_iter().map(|path| self.path(path)).find(|path| path.is_file())
    }

    /// The files in the initramfs of the crash kernel; `None` where they cannot be listed.
    pub fn initramfs_files(&self) -> Option<&[String]> {
        let list = || {
            // zstd, by which lsinitramfs reads most, takes no links.
            let path = self.crash_initramfs()?.canonicalize().ok()?;
            let listed = |program: &&str| {
                let output = Command::new(program).arg(&path).output().ok()?;
                output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into())
            };
            // Where both are installed, each knows best what its own distribution makes.
            let programs = match self.kdump {
                Kdump::Tools | Kdump::Other => ["lsinitramfs", "lsinitrd"],
                Kdump::Ctl | Kdump::Suse => ["lsinitrd", "lsinitramfs"],
            };
            files_in(programs.iter().find_map(listed)?)
        };
        self.initramfs_files.get_or_init(list).as_deref()
    }

    /// A file of the configuration that is newer than `initramfs`.
    pub fn newer_than(&self, initramfs: &Path) -> Option<PathBuf> {
        let made = modified(initramfs)?;
        let newer = |path: &PathBuf| modified(path).is_some_and(|time| time > made);
        let mut paths = vec![
            self.path(VMCOREDD_CONF),
            self.path("/etc/vmcoredd/modules"),
            self.path("/usr/bin/vmcoredd"),
        ];
        let collectors = fs::read_dir(self.path("/etc/vmcoredd/collect.d"));
        paths.extend(collectors.into_iter().flatten().flatten().map(|entry| entry.path()));
        let module = self.crash_release().and_then(|release| self.module(&release, "vmcoredd"));
        paths.extend(module);
        paths.into_iter().find(newer)
    }

    /// When `path` was changed; `None` where that is not known.
    pub fn modified(&self, path: &str) -> Option<SystemTime> {
        modified(&self.path(path))
    }

    /// When the running kernel started.
    pub fn boot_time(&self) -> Option<SystemTime> {
        let text = self.text("/proc/stat")?;
        let seconds = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse();
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds.ok()?))
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

    /// The names in the directory `path`, in order.
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| {
            String::from_utf8_lossy(entry.file_name().as_bytes()).into_owned()
        };
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }
}

/// The files in what lsinitramfs or lsinitrd has listed. kdumpctl has dracut put most of them
/// into an image in the initramfs, which lsinitrd lists, too, below another directory; `None`
/// where it did not, for want of a program that reads the image.
fn files_in(listed: String) -> Option<Vec<String>> {
    const IMAGES: [&str; 3] = ["squash-root.img", "squashfs-root.img", "erofs-root.img"];
    const DIRECTORIES: [&str; 2] = ["squashfs-root/", "erofs-root/"];
    let mut has_image = false;
    let mut has_its_files = false;
    let mut files = Vec::new();
    for line in listed.lines() {
        // lsinitrd has what ls -l has.
        let Some(name) = line.split_whitespace().last() else { continue };
        has_image |= IMAGES.contains(&name);
        let inner = DIRECTORIES.iter().find_map(|directory| name.strip_prefix(directory));
        has_its_files |= inner.is_some();
        files.push(inner.unwrap_or(name).to_owned());
    }
    (has_its_files || !has_image).then_some(files)
}

fn at(root: &Path, path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Whether `path` is of the module `name`, compressed or not. The kernel takes dashes
/// and underscores for the same.
pub fn is_module(path: &str, name: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    let (stem, extension) = file.split_once(".ko").unwrap_or((file, "?"));
    matches!(extension, "" | ".xz" | ".zst" | ".gz")
        && stem.replace('-', "_") == name.replace('-', "_")
}

/// When the file at `path` was changed.
pub fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}
