// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd doctor` and `vmcoredd collect`, on directories that look like machines. What
//! they do on real ones, tests/tests/install.rs has machines do.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use insta::assert_snapshot;

use crate::run::Folder;

const RELEASE: &str = "6.12.95+deb12-amd64";

/// A machine on which all is well.
struct Machine(Folder);

impl Machine {
    fn new() -> Self {
        let machine = Self(Folder::new());
        let modules = format!("/lib/modules/{RELEASE}");
        for (path, text) in [
            ("/sys/kernel/kexec_crash_size", "268435456\n"),
            ("/sys/kernel/kexec_crash_loaded", "1\n"),
            ("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n"),
            ("/sys/module/module/parameters/sig_enforce", "N\n"),
            ("/proc/cmdline", "root=/dev/vda crashkernel=256M\n"),
            ("/proc/meminfo", "MemTotal:        1000000 kB\n"),
            ("/proc/sys/kernel/osrelease", "6.1.0-1-amd64\n"),
            ("/etc/default/kdump-tools", "USE_KDUMP=1\nKDUMP_COREDIR=\"/var/crash\"\n"),
            ("/etc/vmcoredd/vmcoredd.conf", "MODULE_PARAMETERS=\"\"\n"),
            ("/etc/vmcoredd/modules", "# drivers\nnvme-regs\n"),
            ("/etc/vmcoredd/collect.d/README", "words\n"),
            ("/etc/vmcoredd/collect.d/lspci", "#!/bin/sh\nexec lspci\n"),
            ("/usr/sbin/kdump-config", ""),
            ("/usr/sbin/dkms", ""),
            (&format!("{modules}/updates/dkms/vmcoredd.ko.xz"), ""),
            (
                &format!("{modules}/modules.dep"),
                "updates/dkms/vmcoredd.ko.xz:\nupdates/nvme_regs.ko: updates/dkms/vmcoredd.ko.xz\n",
            ),
            ("/var/crash/kexec_cmd", ""),
            (&format!("/boot/vmlinuz-{RELEASE}"), ""),
            (&format!("/boot/config-{RELEASE}"), "# CONFIG_PROC_VMCORE_DEVICE_DUMP is not set\n"),
            ("/etc/systemd/system/kdump-tools.service.wants/vmcoredd-save.service", ""),
            ("/etc/systemd/system/kdump-tools-dump.service.wants/vmcoredd-save.service", ""),
        ] {
            machine.write(path, text);
        }
        machine.executable("lspci");
        fs::create_dir_all(machine.path("/var/lib/kdump")).expect("created");
        symlink(format!("/boot/vmlinuz-{RELEASE}"), machine.path("/var/lib/kdump/vmlinuz"))
            .expect("linked");
        machine.lists(&[
            "conf/initramfs.conf",
            "usr/bin/vmcoredd",
            "usr/lib/vmcoredd/crash-kernel",
            "usr/lib/modules/6.12.95+deb12-amd64/updates/dkms/vmcoredd.ko",
            "usr/lib/modules/6.12.95+deb12-amd64/updates/nvme_regs.ko",
            "etc/vmcoredd/collect.d/lspci",
        ]);
        machine
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.0.path("root").join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("created");
        fs::write(path, text).expect("written");
    }

    fn executable(&self, collector: &str) {
        let path = self.path(&format!("/etc/vmcoredd/collect.d/{collector}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    /// The crash kernel's initramfs has these files, as far as lsinitramfs tells here.
    fn lists(&self, files: &[&str]) {
        self.write("/var/lib/kdump/initrd.img", &files.join("\n"));
        self.write("/bin/lsinitramfs", "#!/bin/sh\nexec /bin/cat \"$1\"\n");
        let program = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path("/bin/lsinitramfs"), program).expect("executable");
    }

    /// What doctor says, but how much space there is, which no test decides.
    fn doctor(&self, arguments: &[&str]) -> String {
        let mut command = self.0.command();
        command.env("PATH", self.path("/bin")).args(["doctor", "--root", "root"]);
        let outcome = crate::run::Outcome::from(command.args(arguments).output().expect("runs"));
        let shown = outcome.shown();
        let words: Vec<_> = shown.split(' ').collect();
        let mut filtered: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        for (at, pair) in words.windows(3).enumerate() {
            if pair[1..] == ["MiB", "are"] && words.get(at + 3) == Some(&"free") {
                filtered[at] =
                    words[at].trim_end_matches(|c: char| c.is_ascii_digit()).to_owned() + "N";
            }
        }
        filtered.join(" ")
    }
}

#[test]
fn all_is_well() {
    let machine = Machine::new();
    assert_snapshot!("well", machine.doctor(&[]));
    assert_snapshot!("well_json", machine.doctor(&["--json"]));
}

type Spoil = fn(&Machine);

#[test]
fn each_fault_is_told_with_what_mends_it() {
    let cases: [(&str, Spoil); 17] = [
        ("not_reserved", |it| it.write("/sys/kernel/kexec_crash_size", "0\n")),
        ("too_little_reserved", |it| it.write("/sys/kernel/kexec_crash_size", "67108864\n")),
        ("not_loaded", |it| it.write("/sys/kernel/kexec_crash_loaded", "0\n")),
        ("budget_too_large", |it| {
            it.write("/etc/vmcoredd/vmcoredd.conf", "MODULE_PARAMETERS=\"budget_kib=300000\"\n");
        }),
        ("budget_no_number", |it| {
            it.write("/etc/vmcoredd/vmcoredd.conf", "MODULE_PARAMETERS='budget_kib=many'\n");
        }),
        ("switched_off", |it| {
            let text = "KDUMP_CMDLINE_APPEND=\"reset_devices novmcoredd nr_cpus=1\"\n";
            it.write("/etc/default/kdump-tools", text);
        }),
        ("switched_off_here", |it| it.write("/proc/cmdline", "quiet novmcoredd=1\n")),
        ("oops_panics", |it| {
            it.write("/etc/default/kdump-tools", "KDUMP_CMDLINE_APPEND=\"oops=panic\"\n");
        }),
        ("no_module", |it| it.write(&format!("/lib/modules/{RELEASE}/modules.dep"), "")),
        ("locked_down", |it| {
            it.write("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
        }),
        ("no_initramfs", |it| {
            fs::remove_file(it.path("/var/lib/kdump/initrd.img")).expect("removed");
        }),
        ("not_in_initramfs", |it| it.lists(&["conf/initramfs.conf", "usr/bin/vmcoredd"])),
        ("collector_not_executable", |it| {
            it.write("/etc/vmcoredd/collect.d/sel", "#!/bin/sh\n");
        }),
        ("collector_of_a_bad_name", |it| {
            it.write("/etc/vmcoredd/collect.d/sel.dpkg-old~", "#!/bin/sh\n");
        }),
        ("no_driver", |it| it.write("/etc/vmcoredd/modules", "nvme-regs\nmlx5 core\n")),
        ("nowhere_to_save", |it| fs::remove_dir_all(it.path("/var/crash")).expect("removed")),
        ("not_saved", |it| {
            let wants = "/etc/systemd/system/kdump-tools-dump.service.wants";
            fs::remove_dir_all(it.path(wants)).expect("removed");
        }),
    ];
    let well = Machine::new().doctor(&[]);
    for (name, spoil) in cases {
        let machine = Machine::new();
        spoil(&machine);
        let found = machine.doctor(&[]);
        assert_ne!(found, well, "{name}");
        let is_warning = ["oops_panics"].contains(&name);
        let status = if is_warning { 0 } else { 1 };
        assert!(found.starts_with(&format!("--- exit status: {status}\n")), "{name}: {found}");
        // Only what differs from the machine on which all is well.
        let differs: Vec<_> =
            found.lines().filter(|line| !well.lines().any(|other| other == *line)).collect();
        assert_snapshot!(format!("spoiled_{name}"), differs.join("\n"));
    }
}

#[test]
fn an_initramfs_that_is_older_than_what_is_in_it() {
    let machine = Machine::new();
    let old = std::time::SystemTime::UNIX_EPOCH;
    let initramfs = fs::File::options().write(true).open(machine.path("/var/lib/kdump/initrd.img"));
    initramfs.expect("there").set_modified(old).expect("set");
    let found = machine.doctor(&[]);
    assert!(found.contains("was changed after"), "{found}");
    assert!(found.starts_with("--- exit status: 0\n"), "{found}");
}

#[test]
fn a_machine_with_nothing() {
    let folder = Folder::new();
    fs::create_dir(folder.path("root")).expect("created");
    assert_snapshot!("nothing", Machine(folder).doctor(&[]));
}

/// Without vmcoredd.ko there is nowhere to put a dump.
#[test]
fn collectors_without_a_device() {
    let machine = Machine::new();
    let directory = machine.path("/etc/vmcoredd/collect.d");
    let collect = |directory: &Path| machine.0.run(["collect".as_ref(), directory.as_os_str()]);
    let outcome = collect(&directory);
    assert_eq!(outcome.status, Some(4));
    assert!(outcome.stderr.contains("is vmcoredd.ko loaded?"), "{}", outcome.stderr);
    // One that is not run does not matter for that.
    fs::remove_file(directory.join("lspci")).expect("removed");
    fs::write(directory.join("sel"), "#!/bin/sh\n").expect("written");
    let outcome = collect(&directory);
    assert_eq!(outcome.stderr, "vmcoredd: sel: is not run: it is not executable\n");
    assert_eq!(outcome.status, Some(1));
    // None at all is no error, and neither is no directory.
    for directory in [Path::new("missing"), &machine.path("/var/crash/")] {
        fs::remove_file(machine.path("/var/crash/kexec_cmd")).ok();
        assert_eq!(collect(directory).status, Some(0));
    }
}
