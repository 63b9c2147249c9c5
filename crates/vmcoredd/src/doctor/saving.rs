// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where the crash kernel saves to, and what of the device dumps is saved there.

use std::path::Path;

use kdumpfile::{Escaped, EscapedPath};

use super::change::{Change, Task};
use super::check::{Check, Fix, mib};
use super::fixes;
use super::kdump::Kdump;
use super::machine::Machine;

/// Less free space than this is too little for any vmcore, in bytes.
const SPACE_MIN: u64 = 128 << 20;
/// A vmcore without free pages has this part of memory, or less.
const SPACE_PART: u64 = 8;
/// How deep devices may be stacked: LVM on LUKS on RAID, and some more.
const DEPTH_MAX: u32 = 8;

/// What is saved.
const SAVING: &str = "saving";
const SAVED_BESIDE: &str = "/proc/vmcoredd is saved beside the vmcore";

/// Where a vmcore goes.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// A directory of the running machine.
    Directory(String),
    /// Another machine, by this means.
    Remote(&'static str, String),
    /// A partition, without a file system.
    Raw(String),
    /// A directory on a device that need not be mounted now.
    Device(String),
    /// It is not known.
    Unknown(String),
}

/// Checks where a vmcore goes, and what of the device dumps is saved.
pub fn checks(machine: &Machine) -> Vec<Check> {
    let targets = targets(machine);
    let mut checks: Vec<_> =
        targets.iter().filter_map(|target| of_target(machine, target)).collect();
    for target in &targets {
        if let Target::Directory(directory) = target {
            checks.extend(storage(machine, directory));
            checks.push(space(machine, directory, true));
        }
    }
    let is_local = targets.iter().any(|target| matches!(target, Target::Directory(_)));
    if machine.kdump == Kdump::Tools && !is_local {
        // Ours is saved here whatever becomes of the vmcore.
        checks.extend(storage(machine, core_directory(machine)));
        checks.push(space(machine, core_directory(machine), false));
    }
    checks.push(match (machine.kdump, targets.as_slice()) {
        (Kdump::Ctl, [target]) => saved_by_kdumpctl(machine, target),
        _ => saved(machine),
    });
    checks.extend(baseline(machine));
    checks
}

/// Where kdump-tools saves to on this machine.
fn core_directory(machine: &Machine) -> &str {
    machine.setting("KDUMP_COREDIR").unwrap_or("/var/crash")
}

fn targets(machine: &Machine) -> Vec<Target> {
    match machine.kdump {
        Kdump::Tools => of_kdump_tools(machine),
        Kdump::Ctl => vec![of_kdumpctl(machine)],
        Kdump::Suse => of_suse(machine),
        Kdump::Other => vec![Target::Unknown("where a vmcore is saved is not known here".into())],
    }
}

/// kdump-config saves by FTP, by ssh, and, if neither is set or NFS is, to KDUMP_COREDIR,
/// where it mounts that NFS.
fn of_kdump_tools(machine: &Machine) -> Vec<Target> {
    let remote = |key: &'static str| Some(Target::Remote(key, machine.setting(key)?.to_owned()));
    let targets: Vec<_> = ["FTP", "SSH", "NFS"].into_iter().filter_map(remote).collect();
    if targets.is_empty() {
        return vec![Target::Directory(core_directory(machine).to_owned())];
    }
    targets
}

fn of_kdumpctl(machine: &Machine) -> Target {
    let text = machine.text("/etc/kdump.conf").unwrap_or_default();
    let option = |wanted: &[&str]| {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        let pairs = lines.filter_map(|line| line.split_once(char::is_whitespace));
        let mut found = pairs.filter(|(name, _)| wanted.contains(name));
        found.next_back().map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
    };
    let value = |wanted| option(&[wanted]).map(|(_, value)| value);
    if let Some(host) = value("nfs") {
        Target::Remote("NFS", host)
    } else if let Some(host) = value("ssh") {
        Target::Remote("SSH", host)
    } else if let Some(partition) = value("raw") {
        Target::Raw(partition)
    } else if let Some((_, device)) =
        option(&["ext2", "ext3", "ext4", "xfs", "btrfs", "minix", "virtiofs"])
    {
        Target::Device(device)
    } else {
        Target::Directory(value("path").unwrap_or_else(|| "/var/crash".to_owned()))
    }
}

/// KDUMP_SAVEDIR is a directory or an address; older releases take several.
fn of_suse(machine: &Machine) -> Vec<Target> {
    let of = |place: &str| match place.split_once("://") {
        None => Target::Directory(place.to_owned()),
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "file" => Target::Directory(rest.to_owned()),
            "nfs" => Target::Remote("NFS", rest.to_owned()),
            "ssh" | "scp" | "sftp" => Target::Remote("SSH", without_password(rest)),
            "ftp" => Target::Remote("FTP", without_password(rest)),
            "cifs" | "smb" => Target::Remote("CIFS", without_password(rest)),
            _ => Target::Unknown(format!("KDUMP_SAVEDIR is {}", Escaped(place.as_bytes()))),
        },
    };
    let places = machine.setting("KDUMP_SAVEDIR").unwrap_or("/var/crash");
    places.split_whitespace().map(of).collect()
}

/// `user:password@host` without the password.
fn without_password(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or_default()),
        None => address.to_owned(),
    }
}

/// A line for each target that is no directory of this machine.
fn of_target(machine: &Machine, target: &Target) -> Option<Check> {
    let name = "target";
    let (said, fix) = match target {
        Target::Directory(_) => return None,
        Target::Unknown(why) => return Some(Check::unknown(name, why.clone())),
        Target::Remote(how, place) => {
            let place = Escaped(place.as_bytes());
            if machine.kdump == Kdump::Tools {
                let directory = core_directory(machine);
                let said = format!(
                    "the vmcore goes to {place} by {how}; vmcoredd.<time>.zst and the crash \
                     kernel's log stay in {directory} of this machine"
                );
                return Some(Check::warning(name, said).fix("fetch both after a panic"));
            }
            (format!("the vmcore goes to {place} by {how}"), "whether that works is not known here")
        }
        Target::Raw(partition) => {
            let partition = Escaped(partition.as_bytes());
            let said = format!("the vmcore goes to {partition} without a file system");
            (said, "vmcoredd list reads it there")
        }
        Target::Device(device) => {
            let said =
                format!("the vmcore goes to a file system on {}", Escaped(device.as_bytes()));
            (said, "how much space is there is not known here")
        }
    };
    Some(Check::unknown(name, format!("{said}; {fix}")))
}

/// What `directory` is on, where the crash kernel may not get at it.
fn storage(machine: &Machine, directory: &str) -> Option<Check> {
    let name = "target";
    let mount = mount_of(machine, directory)?;
    let Mount { filesystem, source, device } = &mount;
    let network = ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "virtiofs"];
    if ["tmpfs", "ramfs"].contains(&filesystem.as_str()) {
        let said = format!("{directory} is in memory ({filesystem}): what is saved there is lost");
        let fix = "save to a disk".to_owned();
        Some(Check::failure(name, said).fix(fix))
    } else if network.contains(&filesystem.as_str()) || filesystem.starts_with("fuse") {
        let said = format!(
            "{directory} is on {} by {filesystem}: the crash kernel needs the network for that",
            Escaped(source.as_bytes())
        );
        Some(Check::warning(name, said).fix("save to a local disk, or see that it is mounted"))
    } else if is_encrypted(machine, device, DEPTH_MAX) {
        let said = format!(
            "{directory} is on LUKS ({}): the crash kernel asks for its passphrase, and waits",
            Escaped(source.as_bytes())
        );
        let fix = "save to a disk that is not encrypted, or have a key file or the TPM open it";
        Some(Check::warning(name, said).fix(fix))
    } else {
        None
    }
}

/// A line of /proc/self/mountinfo.
struct Mount {
    filesystem: String,
    source: String,
    /// Its directory below /sys/class/block.
    device: String,
}

/// What is mounted where `directory` is.
fn mount_of(machine: &Machine, directory: &str) -> Option<Mount> {
    let text = machine.text("/proc/self/mountinfo")?;
    let mut best: Option<(usize, Mount)> = None;
    for line in text.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let mut left = left.split(' ').skip(2);
        let (Some(number), Some(point)) = (left.next(), left.nth(1)) else { continue };
        let mut right = right.split(' ');
        let (Some(filesystem), Some(source)) = (right.next(), right.next()) else { continue };
        let point = point.replace("\\040", " ");
        if !Path::new(directory).starts_with(&point) {
            continue;
        }
        let mount = Mount {
            filesystem: filesystem.to_owned(),
            source: source.to_owned(),
            device: block_device(machine, number, source).unwrap_or_default(),
        };
        // Of two on one directory, the later one is on top.
        if best.as_ref().is_none_or(|(length, _)| *length <= point.len()) {
            best = Some((point.len(), mount));
        }
    }
    best.map(|(_, mount)| mount)
}

/// The name of a block device, by its number, or by its path where that is btrfs' own.
fn block_device(machine: &Machine, number: &str, source: &str) -> Option<String> {
    let base = source.rsplit('/').next().unwrap_or(source);
    let is_it = |name: &String| {
        let text = |file: &str| machine.text(&format!("/sys/class/block/{name}/{file}"));
        let is = |file: &str, wanted: &str| text(file).is_some_and(|text| text.trim() == wanted);
        is("dev", number) || (source.starts_with("/dev/") && (name == base || is("dm/name", base)))
    };
    machine.names("/sys/class/block").into_iter().find(is_it)
}

/// Whether the block device `name`, or one that it is stacked on, is encrypted by LUKS.
fn is_encrypted(machine: &Machine, name: &str, depth: u32) -> bool {
    if name.is_empty() || depth == 0 {
        return false;
    }
    let directory = format!("/sys/class/block/{name}");
    let uuid = machine.text(&format!("{directory}/dm/uuid")).unwrap_or_default();
    uuid.starts_with("CRYPT-LUKS")
        || machine
            .names(&format!("{directory}/slaves"))
            .iter()
            .any(|slave| is_encrypted(machine, slave, depth - 1))
}

fn space(machine: &Machine, directory: &str, is_of_vmcore: bool) -> Check {
    let name = "space";
    let path = machine.path(directory);
    let shown = EscapedPath(&path).to_string();
    let Some(free) = machine.free_space(&path) else {
        let said = format!("{shown}, where dumps are saved, is not there");
        let make = [Change::Directory(directory.to_owned())];
        return Check::failure(name, said).fix_by(Fix::new(format!("mkdir -p {shown}"), make));
    };
    let memory = if is_of_vmcore { machine.memory().unwrap_or(0) } else { 0 };
    let said = format!("{} are free in {shown}", mib(free));
    if free < SPACE_MIN {
        Check::failure(name, format!("{said}, too little for any vmcore")).fix("free some")
    } else if free < memory / SPACE_PART {
        let said = format!("{said}, and there are {} of memory", mib(memory));
        Check::warning(name, said).fix("free some, or save elsewhere")
    } else {
        Check::ok(name, said)
    }
}

/// kdumpctl's initramfs runs what is in post.d after it has saved `/proc/vmcore`; ours saves
/// to the same file system.
fn saved_by_kdumpctl(machine: &Machine, target: &Target) -> Check {
    let hook = "etc/kdump/post.d/vmcoredd";
    let said = "only what is in /proc/vmcore is saved";
    if matches!(target, Target::Remote("SSH", _) | Target::Raw(_)) {
        let said = format!("{said}: /proc/vmcoredd is saved to file systems alone");
        return Check::warning(SAVING, said).fix("save to a file system, or by NFS");
    }
    match machine.initramfs_files() {
        None => Check::unknown(SAVING, format!("whether the initramfs has /{hook} is not known")),
        Some(files) if files.iter().any(|file| file.ends_with(hook)) => {
            Check::ok(SAVING, SAVED_BESIDE)
        }
        Some(_) => Check::warning(SAVING, format!("{said}: the initramfs lacks /{hook}"))
            .fix_by(fixes::initramfs(machine)),
    }
}

fn saved(machine: &Machine) -> Check {
    let name = SAVING;
    let unit = "vmcoredd-save.service";
    let wanted = ["kdump-tools.service", "kdump-tools-dump.service"]
        .iter()
        .all(|by| machine.has(&format!("/etc/systemd/system/{by}.wants/{unit}")));
    if !machine.has("/usr/sbin/kdump-config") {
        let said = "without kdump-tools, only what is in /proc/vmcore is saved";
        return Check::warning(name, said).fix("save /proc/vmcoredd as well: docs/operate.md");
    }
    if wanted {
        Check::ok(name, SAVED_BESIDE)
    } else {
        let said = "/proc/vmcoredd is not saved: what is too large for /proc/vmcore would be lost";
        if ["/usr/lib", "/lib"]
            .iter()
            .all(|lib| !machine.has(&format!("{lib}/systemd/system/{unit}")))
        {
            return Check::failure(name, said).fix("apt-get install vmcoredd");
        }
        let enable = [Change::Task(Task::Enable)];
        Check::failure(name, said).fix_by(Fix::new(format!("systemctl enable {unit}"), enable))
    }
}

/// Whether snapshots of the healthy machine are kept. That is up to its operator: it is said,
/// and neither a fault nor something for `--fix`.
fn baseline(machine: &Machine) -> Option<Check> {
    let name = "baseline";
    let unit = "vmcoredd-baseline.timer";
    let is_there = |directory: &str| machine.has(&format!("{directory}/{unit}"));
    if is_there("/etc/systemd/system/timers.target.wants") {
        return Some(Check::ok(name, "snapshots of this machine are kept to compare a crash with"));
    }
    ["/usr/lib/systemd/system", "/lib/systemd/system"].into_iter().any(is_there).then(|| {
        let said = "no snapshots of this machine are kept to compare a crash with";
        Check::ok(name, format!("{said}; if wanted: systemctl enable --now {unit}"))
    })
}
