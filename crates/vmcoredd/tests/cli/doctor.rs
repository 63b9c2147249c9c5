// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd doctor` and `vmcoredd collect`, on directories that look like machines. What
//! they do on real ones, tests/tests/install.rs has machines do.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use insta::assert_snapshot;

use crate::run::Folder;

const RELEASE: &str = "6.12.95+deb12-amd64";

/// What kdump-tools installs, without most of its comments.
const KDUMP_TOOLS: &str = "\
# kdump-tools configuration
USE_KDUMP=1

KDUMP_KERNEL=/var/lib/kdump/vmlinuz
KDUMP_INITRD=/var/lib/kdump/initrd.img

KDUMP_COREDIR=\"/var/crash\"
#KDUMP_FAIL_CMD=\"reboot -f\"

#KDUMP_CMDLINE_APPEND=\"reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1\"
";

const KEEPS_EVIDENCE: &str = "mce=off hest_disable pci=noaer";

/// What kdump-config 1.8.1 records when it has loaded the crash kernel with that.
const KEXEC_CMD: &str = "/sbin/kexec -p --command-line=\"root=/dev/vda \
    mce=off hest_disable pci=noaer reset_devices \
    systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll usbcore.nousb\" \
    --initrd=/var/lib/kdump/initrd.img /var/lib/kdump/vmlinuz\n";

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
            ("/proc/stat", "cpu 1 2 3\nbtime 1000000000\n"),
            ("/proc/meminfo", "MemTotal:        1000000 kB\n"),
            ("/proc/sys/kernel/osrelease", "6.1.0-1-amd64\n"),
            ("/etc/default/kdump-tools", KDUMP_TOOLS),
            ("/etc/vmcoredd/vmcoredd.conf", "MODULE_PARAMETERS=\"\"\n"),
            ("/etc/vmcoredd/modules", "# drivers\nnvme-regs\n"),
            ("/etc/vmcoredd/collect.d/README", "words\n"),
            ("/etc/vmcoredd/collect.d/lspci", "#!/bin/sh\nexec lspci\n"),
            ("/usr/sbin/kdump-config", ""),
            ("/usr/sbin/dkms", ""),
            ("/usr/sbin/vmcoredd-update-initramfs", ""),
            ("/usr/lib/systemd/system/vmcoredd-save.service", ""),
            (&format!("{modules}/updates/dkms/vmcoredd.ko.xz"), ""),
            (
                &format!("{modules}/modules.dep"),
                "updates/dkms/vmcoredd.ko.xz:\nupdates/nvme_regs.ko: updates/dkms/vmcoredd.ko.xz\n",
            ),
            (&format!("/boot/vmlinuz-{RELEASE}"), ""),
            (&format!("/boot/config-{RELEASE}"), "# CONFIG_PROC_VMCORE_DEVICE_DUMP is not set\n"),
            ("/etc/systemd/system/kdump-tools.service.wants/vmcoredd-save.service", ""),
            ("/etc/systemd/system/kdump-tools-dump.service.wants/vmcoredd-save.service", ""),
        ] {
            machine.write(path, text);
        }
        machine.boots_with("root=/dev/vda crashkernel=256M");
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
        machine.write("/var/crash/kexec_cmd", KEXEC_CMD);
        machine
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.0.path("root").join(path.trim_start_matches('/'))
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("created");
        fs::write(&path, text).expect("written");
        // The initramfs is made after its parts, and loaded after that.
        let hours = match name {
            "/var/lib/kdump/initrd.img" => 1,
            "/var/crash/kexec_cmd" => 2,
            _ => return,
        };
        self.date(name, SystemTime::now() + Duration::from_secs(hours * 3600));
    }

    /// The running kernel's command line has these words, and what has the crash kernel
    /// keep what the hardware recorded, which is asked for here where it is one way for all.
    fn boots_with(&self, words: &str) {
        self.write("/proc/cmdline", &format!("{words} {KEEPS_EVIDENCE}\n"));
    }

    fn date(&self, path: &str, time: SystemTime) {
        let file = fs::File::options().write(true).open(self.path(path)).expect("there");
        file.set_modified(time).expect("set");
    }

    fn executable(&self, collector: &str) {
        let path = self.path(&format!("/etc/vmcoredd/collect.d/{collector}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    /// The crash kernel's initramfs has these files, as far as lsinitramfs says here.
    fn lists(&self, files: &[&str]) {
        self.write("/var/lib/kdump/initrd.img", &files.join("\n"));
        self.write("/bin/lsinitramfs", "#!/bin/sh\nexec /bin/cat \"$1\"\n");
        let program = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path("/bin/lsinitramfs"), program).expect("executable");
    }

    /// kdump-tools' configuration with `lines` at its end.
    fn configure(&self, lines: &str) {
        self.write("/etc/default/kdump-tools", &format!("{KDUMP_TOOLS}{lines}\n"));
    }

    fn remove(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
            .expect("removed");
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.0.command();
        command.env("PATH", self.path("/bin")).args(["doctor", "--root", "root"]).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> crate::run::Outcome {
        crate::run::Outcome::from(self.command(arguments).output().expect("runs"))
    }

    /// What doctor says, but how much space there is and what time it is, which no test
    /// decides.
    fn doctor(&self, arguments: &[&str]) -> String {
        let shown = self.run(arguments).shown();
        let words: Vec<_> = shown.split(' ').collect();
        let mut filtered: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        for (at, pair) in words.windows(3).enumerate() {
            if pair[1..] == ["MiB", "are"] && words.get(at + 3) == Some(&"free") {
                filtered[at] =
                    words[at].trim_end_matches(|c: char| c.is_ascii_digit()).to_owned() + "N";
            }
        }
        let mut shown = filtered.join(" ");
        let mark = ".vmcoredd-backup-";
        for at in shown.match_indices(mark).map(|(at, _)| at + mark.len()).collect::<Vec<_>>() {
            shown.replace_range(at..at + "20261127T044400Z".len(), "yyyymmddThhmmssZ");
        }
        shown
    }
}

#[test]
fn all_is_well() {
    let machine = Machine::new();
    assert_snapshot!("well", machine.doctor(&[]));
    assert_snapshot!("well_json", machine.doctor(&["--json"]));
}

/// Snapshots are up to the operator: that there are none is no fault.
#[test]
fn snapshots_are_proposed() {
    let machine = Machine::new();
    let said = |machine: &Machine| {
        let all = machine.run(&["--fix"]);
        assert_eq!(all.status, Some(0), "{all:?}");
        let said = all.stdout().lines().filter(|line| line.contains(" baseline "));
        said.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(said(&machine), [""; 0]);
    machine.write("/usr/lib/systemd/system/vmcoredd-baseline.timer", "");
    let [proposed] = &said(&machine)[..] else { panic!("one line") };
    let command = "systemctl enable --now vmcoredd-baseline.timer";
    assert!(proposed.starts_with("ok ") && proposed.ends_with(command), "{proposed}");
    machine.write("/etc/systemd/system/timers.target.wants/vmcoredd-baseline.timer", "");
    let [kept] = &said(&machine)[..] else { panic!("one line") };
    assert!(kept.starts_with("ok ") && kept.contains("are kept"), "{kept}");
}

type Spoil = fn(&Machine);

/// Only what differs from the machine on which all is well.
fn differing(found: &str, well: &str) -> String {
    let differs: Vec<_> =
        found.lines().filter(|line| !well.lines().any(|other| other == *line)).collect();
    differs.join("\n")
}

#[test]
fn each_fault_is_told_with_what_corrects_it() {
    let failures: [(&str, Spoil); 45] = [
        ("no_configuration", |it| it.remove("/etc/default/kdump-tools")),
        ("no_package", |it| {
            it.remove("/usr/sbin/vmcoredd-update-initramfs");
            it.remove("/usr/lib/systemd/system/vmcoredd-save.service");
            it.remove("/etc/systemd/system/kdump-tools.service.wants");
            it.lists(&["conf/initramfs.conf"]);
        }),
        ("not_reserved", |it| it.write("/sys/kernel/kexec_crash_size", "0\n")),
        ("reserved_in_vain", |it| {
            it.write("/sys/kernel/kexec_crash_size", "0\n");
            it.boots_with("root=/dev/vda");
            it.write("/etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=quiet\n");
        }),
        ("too_little_reserved", |it| it.write("/sys/kernel/kexec_crash_size", "67108864\n")),
        ("by_firmware", |it| {
            it.write("/sys/kernel/kexec_crash_loaded", "0\n");
            it.write("/sys/kernel/fadump_enabled", "1\n");
            it.write("/sys/kernel/kexec_crash_size", "0\n");
        }),
        ("not_loaded", |it| it.write("/sys/kernel/kexec_crash_loaded", "0\n")),
        ("budget_too_large", |it| {
            it.write("/etc/vmcoredd/vmcoredd.conf", "MODULE_PARAMETERS=\"budget_kib=300000\"\n");
        }),
        ("budget_no_number", |it| {
            it.write("/etc/vmcoredd/vmcoredd.conf", "MODULE_PARAMETERS='budget_kib=many'\n");
        }),
        ("budget_on_the_command_line", |it| {
            it.configure("KDUMP_CMDLINE_APPEND='nr_cpus=1 vmcoredd.budget_kib=300000'");
        }),
        ("parameter_refused", |it| {
            it.configure("KDUMP_CMDLINE_APPEND='nr_cpus=1 vmcoredd.deadline_ms=1s'");
        }),
        ("switched_off", |it| {
            it.configure("KDUMP_CMDLINE_APPEND=\"reset_devices novmcoredd nr_cpus=1\"");
        }),
        ("switched_off_by_export", |it| {
            it.configure("export KDUMP_CMDLINE_APPEND='novmcoredd=Y nr_cpus=1'");
        }),
        ("switched_off_on_the_next_line", |it| {
            it.configure("KDUMP_CMDLINE_APPEND=\"nr_cpus=1 \\\nnovmcoredd\"");
        }),
        ("switched_off_before_a_comment", |it| {
            it.configure("KDUMP_CMDLINE_APPEND='nr_cpus=1 novmcoredd' # 'nr_cpus=1'");
        }),
        ("switched_off_by_a_variable", |it| {
            it.configure("OFF=novmcoredd\nKDUMP_CMDLINE_APPEND=\"nr_cpus=1 $OFF\"");
        }),
        ("switched_off_in_quotes", |it| {
            it.configure("KDUMP_CMDLINE_APPEND='nr_cpus=1 novmcoredd=\"1\"'");
        }),
        ("switched_off_instead", |it| it.configure("KDUMP_CMDLINE='root=/dev/vda novmcoredd=t'")),
        ("switched_off_here", |it| it.boots_with("quiet novmcoredd=1")),
        ("switched_off_as_loaded", |it| {
            let loaded = KEXEC_CMD.replace("irqpoll", "irqpoll novmcoredd=on");
            it.write("/var/crash/kexec_cmd", &loaded);
        }),
        ("switched_off_by_our_own_parameter", |it| {
            it.configure("KDUMP_CMDLINE_APPEND='vmcoredd.off=1 nr_cpus=1'");
        }),
        ("switched_off_by_our_configuration", |it| {
            it.write("/etc/vmcoredd/vmcoredd.conf", "MODULE_PARAMETERS='off'\n");
        }),
        ("forbidden", |it| it.boots_with("module_blacklist=nouveau,vmcoredd")),
        ("another_initramfs_script", |it| it.boots_with("rdinit=/bin/sh")),
        ("not_used", |it| it.configure("USE_KDUMP=0")),
        ("not_used_by_a_word", |it| it.configure("USE_KDUMP=yes")),
        ("not_configured", |it| it.write("/etc/default/kdump-tools", "#USE_KDUMP=1\n")),
        ("no_kernel", |it| it.configure("KDUMP_KERNEL=/boot/vmlinuz")),
        ("configuration_with_an_error", |it| it.configure("SSH=\"root@host")),
        ("configuration_that_ends_the_shell", |it| it.configure("[ -e /missing ] || exit 3")),
        ("configuration_that_loops", |it| it.configure("while :; do :; done")),
        ("configuration_that_waits", |it| it.configure("sleep 1000")),
        ("configuration_that_prints", |it| it.configure("while :; do echo no >&2; done")),
        ("configuration_of_others", |it| {
            let path = it.path("/etc/default/kdump-tools");
            fs::set_permissions(path, fs::Permissions::from_mode(0o666)).expect("set");
        }),
        ("no_module", |it| it.write(&format!("/lib/modules/{RELEASE}/modules.dep"), "")),
        ("no_module_by_dkms", |it| {
            it.write(&format!("/lib/modules/{RELEASE}/modules.dep"), "");
            it.write("/etc/vmcoredd/modules", "");
            let conf = "BUILT_MODULE_NAME[0]=vmcoredd\nBUILD_EXCLUSIVE_KERNEL=\"^7\\.(1|2)\\.\"\n";
            it.write("/usr/src/vmcoredd-0.1.0/dkms.conf", conf);
            symlink("/bin/grep", it.path("/bin/grep")).expect("linked");
        }),
        ("locked_down", |it| {
            it.write("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
        }),
        ("no_initramfs", |it| it.remove("/var/lib/kdump/initrd.img")),
        ("not_in_initramfs", |it| it.lists(&["conf/initramfs.conf", "usr/bin/vmcoredd"])),
        ("collector_not_executable", |it| {
            it.write("/etc/vmcoredd/collect.d/sel", "#!/bin/sh\n");
        }),
        ("collector_of_a_bad_name", |it| {
            it.write("/etc/vmcoredd/collect.d/sel.dpkg-old~", "#!/bin/sh\n");
        }),
        ("no_driver", |it| it.write("/etc/vmcoredd/modules", "nvme-regs\nmlx5 core\n")),
        ("nowhere_to_save", |it| it.remove("/var/crash")),
        ("saved_to_memory", |it| {
            it.write("/proc/self/mountinfo", "1 0 0:1 / / rw - ext4 /dev/vda rw\n2 1 0:2 / /var/crash rw shared:1 - tmpfs tmpfs rw\n");
        }),
        ("not_saved", |it| {
            it.remove("/etc/systemd/system/kdump-tools-dump.service.wants");
        }),
    ];
    let warnings: [(&str, Spoil); 21] = [
        // As Ubuntu has it.
        ("own_dumps", |it| {
            it.write(&format!("/boot/config-{RELEASE}"), "CONFIG_PROC_VMCORE_DEVICE_DUMP=y\n");
        }),
        ("uncovered_kernel", |it| it.write("/boot/vmlinuz-7.3.1+deb13-cloud-amd64", "")),
        ("oops_panics", |it| it.configure("KDUMP_CMDLINE_APPEND=\"oops=panic nr_cpus=1\"")),
        ("oops_panics_here", |it| it.boots_with("oops=panic")),
        ("oops_panics_as_built", |it| {
            it.write(&format!("/boot/config-{RELEASE}"), "CONFIG_PANIC_ON_OOPS=y\n");
        }),
        ("warnings_panic", |it| it.boots_with("panic_on_warn=1")),
        ("another_init", |it| it.boots_with("init=/bin/bash")),
        ("all_processors", |it| it.configure("KDUMP_CMDLINE_APPEND=irqpoll")),
        ("expanded", |it| it.boots_with("a=$HOME")),
        ("evidence_is_cleared", |it| it.write("/proc/cmdline", "quiet pci=nomsi\n")),
        ("errors_of_links_are_cleared", |it| {
            it.write("/proc/cmdline", "mce=bootlog mce=off pci=nomsi,noacpi hest_disable\n");
        }),
        ("words_for_init", |it| it.boots_with("quiet -- novmcoredd")),
        ("loaded_before_the_initramfs", |it| {
            let later = SystemTime::now() + Duration::from_secs(3 * 3600);
            it.date("/var/lib/kdump/initrd.img", later);
        }),
        ("stale", |it| it.configure("KDUMP_CMDLINE_APPEND='irqpoll nr_cpus=1'")),
        ("configuration_with_a_command", |it| it.configure("nonsense --now")),
        ("no_such_compression", |it| it.configure("KDUMP_COMPRESSION=zstd")),
        ("by_nfs", |it| it.configure("NFS=\"server:/srv/crash\"")),
        ("by_ssh_and_ftp", |it| it.configure("SSH=root@host\nFTP=ftpserver:/in")),
        ("on_nfs", |it| {
            it.write("/proc/self/mountinfo", "1 0 0:1 / / rw - nfs4 server:/root rw\n");
        }),
        ("on_luks", |it| {
            it.write("/proc/self/mountinfo", "1 0 254:1 / / rw - ext4 /dev/mapper/vg-root rw\n");
            it.write("/sys/class/block/dm-1/dev", "254:1\n");
            it.write("/sys/class/block/dm-1/dm/uuid", "LVM-abc\n");
            it.write("/sys/class/block/dm-1/slaves/dm-0/x", "");
            it.write("/sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS2-abc-sda3_crypt\n");
        }),
        ("in_a_container", |it| it.write("/proc/1/environ", "PATH=/bin\0container=lxc\0")),
    ];
    let well = Machine::new().doctor(&[]);
    for (status, cases) in [(1, &failures[..]), (0, &warnings[..])] {
        for (name, spoil) in cases {
            let machine = Machine::new();
            spoil(&machine);
            let found = machine.doctor(&[]);
            assert_ne!(found, well, "{name}");
            assert!(found.starts_with(&format!("--- exit status: {status}\n")), "{name}: {found}");
            assert_snapshot!(format!("spoiled_{name}"), differing(&found, &well));
        }
    }
}

/// What looks like a fault, and is none.
#[test]
fn what_the_kernel_and_kdump_tools_take_is_right() {
    let cases: [(&str, Spoil); 14] = [
        ("a boolean that is false", |it| {
            it.configure("KDUMP_CMDLINE_APPEND='nr_cpus=1 novmcoredd=n'");
        }),
        ("one that is false in the end", |it| it.boots_with("novmcoredd novmcoredd=f")),
        ("a value that the kernel refuses", |it| it.boots_with("novmcoredd=maybe")),
        // kdump-config escapes the quotation mark, so that the value starts with a backslash.
        ("a value in quotes here", |it| it.boots_with("novmcoredd=\"1\"")),
        ("a comment", |it| it.configure("KDUMP_CMDLINE_APPEND='nr_cpus=1' # novmcoredd")),
        ("a line that is overridden", |it| {
            it.configure("KDUMP_CMDLINE_APPEND=novmcoredd\nKDUMP_CMDLINE_APPEND=nr_cpus=1");
        }),
        ("a line that is not reached", |it| {
            it.configure("if false; then KDUMP_CMDLINE_APPEND=novmcoredd; fi");
        }),
        ("an empty one", |it| it.configure("KDUMP_CMDLINE_APPEND=\"\"")),
        ("oops=panic that is undone", |it| {
            it.boots_with("oops=panic");
            it.configure("KDUMP_CMDLINE_APPEND='nr_cpus=1 sysctl.kernel.panic_on_oops=0'");
        }),
        ("another command line", |it| {
            it.boots_with("novmcoredd");
            it.configure(&format!("KDUMP_CMDLINE='root=/dev/vda {KEEPS_EVIDENCE}'"));
        }),
        // modprobe does not heed that for a module that is loaded by its name.
        ("modprobe's list", |it| it.boots_with("modprobe.blacklist=vmcoredd")),
        ("errors that are kept in other ways", |it| {
            it.write("/proc/cmdline", "mce=off pcie_ports=compat hest_disable\n");
        }),
        ("one word of several", |it| {
            it.write("/proc/cmdline", "mce=off pci=nomsi,noaer hest-disable\n");
        }),
        ("a number in C's way", |it| it.configure("USE_KDUMP=' 2 '")),
    ];
    for (name, change) in cases {
        let machine = Machine::new();
        // What was loaded with another command line is not what this is about.
        machine.remove("/var/crash/kexec_cmd");
        change(&machine);
        let found = machine.doctor(&[]);
        assert!(found.contains("\nthe next panic will be captured"), "{name}: {found}");
        assert!(found.contains("as configured, nothing on it is in the way"), "{name}: {found}");
    }
}

/// The record of what was loaded outlives a boot, and then says nothing.
#[test]
fn what_was_loaded_before_the_boot_does_not_count() {
    let machine = Machine::new();
    machine.write("/var/crash/kexec_cmd", &KEXEC_CMD.replace("irqpoll", "novmcoredd"));
    machine.write("/proc/stat", "btime 9000000000\n");
    let found = machine.doctor(&[]);
    assert!(found.starts_with("--- exit status: 0\n"), "{found}");
    machine.write("/proc/stat", "btime 1000000000\n");
    let found = machine.doctor(&[]);
    assert!(found.starts_with("--- exit status: 1\n"), "{found}");
    // Nor does it where nothing is loaded.
    machine.write("/sys/kernel/kexec_crash_loaded", "0\n");
    let found = machine.doctor(&[]);
    assert!(!found.contains("novmcoredd"), "{found}");
}

/// Evaluating a file changes nothing, whatever it says.
#[test]
fn a_configuration_has_no_side_effects() {
    let machine = Machine::new();
    machine.configure(
        "touch made; echo 1 >made; mkdir made; kill -9 $PPID\n\
         rm -r root var/crash/kexec_cmd; echo >root/etc/default/kdump-tools",
    );
    let found = machine.doctor(&[]);
    assert!(found.contains("touch: cannot touch 'made': Permission denied\n"), "{found}");
    assert!(!machine.0.path("made").exists());
    assert!(machine.path("/var/crash/kexec_cmd").exists());
    let text = fs::read_to_string(machine.path("/etc/default/kdump-tools")).expect("read");
    assert!(text.starts_with(KDUMP_TOOLS));
}

/// Nobody writes to these pipes, so that opening one would take for ever.
#[test]
fn what_is_no_file_is_not_opened() {
    for path in [
        "/etc/default/kdump-tools",
        "/etc/default/grub.d/vmcoredd.cfg",
        "/etc/vmcoredd/vmcoredd.conf",
        "/etc/vmcoredd/modules",
        "/proc/cmdline",
        "/var/crash/kexec_cmd",
        "/var/lib/kdump/initrd.img",
    ] {
        let machine = Machine::new();
        machine.write("/sys/kernel/kexec_crash_size", "0\n");
        machine.write("/etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=quiet\n");
        machine.write(path, "");
        machine.remove(path);
        let made = std::process::Command::new("mkfifo").arg(machine.path(path)).status();
        assert!(made.expect("mkfifo of coreutils").success());
        let mut doctor = machine.command(&["--fix"]);
        let ended = run_for(Duration::from_secs(20), doctor.stdout(std::process::Stdio::null()));
        assert_eq!(ended.and_then(|status| status.code()), Some(1), "{path}");
    }
}

/// How `command` ended; `None` where it did not in that time.
fn run_for(
    time: Duration,
    command: &mut std::process::Command,
) -> Option<std::process::ExitStatus> {
    let mut child = command.spawn().expect("runs");
    let end = std::time::Instant::now() + time;
    loop {
        let status = child.try_wait().expect("waited");
        if status.is_some() || std::time::Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            return status;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// As where a configuration has started as many processes as there can be.
#[test]
fn without_another_thread_it_is_told() {
    let machine = Machine::new();
    for which in 1..=12 {
        let inject = format!("inject=clone,clone3:error=EAGAIN:when={which}");
        let mut traced = std::process::Command::new("strace");
        traced.args(["-qq", "-o", "/dev/null", "-e", &inject]);
        traced.arg(env!("CARGO_BIN_EXE_vmcoredd")).args(["doctor", "--root", "root"]);
        traced.current_dir(machine.0.root()).env("PATH", "/usr/bin:/bin");
        let ended = crate::run::Outcome::from(traced.output().expect("strace is installed"));
        assert_eq!(ended.stderr, "", "call {which}");
        assert!(matches!(ended.status, Some(0 | 1)), "call {which}: {ended:?}");
    }
}

/// The distributions whose kdump is another one.
#[test]
fn what_is_not_debian_is_not_told_debians_answers() {
    let cases: [(&str, Spoil); 7] = [
        ("rhel", |it| {
            it.of_rhel("path /var/crash\ncore_collector makedumpfile -l -d 31\n");
            let initramfs = format!("/boot/initramfs-{RELEASE}kdump.img");
            let files = fs::read_to_string(it.path(&initramfs)).expect("read");
            it.write(&initramfs, &format!("{files}\netc/kdump/post.d/vmcoredd"));
        }),
        ("rhel_by_ssh", |it| it.of_rhel("ssh root@host\n")),
        ("suse_with_own_dumps", |it| {
            it.of_suse("KDUMP_SAVEDIR=\"/var/crash\"\n");
            it.write(&format!("/boot/config-{RELEASE}"), "CONFIG_PROC_VMCORE_DEVICE_DUMP=y\n");
        }),
        ("rhel_by_nfs", |it| it.of_rhel("nfs server:/srv # there\n")),
        ("fedora_raw", |it| {
            it.of_rhel("raw /dev/vdb1\n");
            it.write("/etc/os-release", "ID=fedora\n");
            it.boots_with("root=UUID=1 crashkernel=256M novmcoredd=0");
            it.write("/etc/sysconfig/kdump", "KDUMP_COMMANDLINE_APPEND=\"nr_cpus=1\"\n");
        }),
        ("suse", |it| it.of_suse("KDUMP_SAVEDIR=\"/var/crash\"\n")),
        ("suse_by_sftp", |it| {
            it.of_suse(
                "KDUMP_SAVEDIR=sftp://root:secret@host/srv\nKDUMP_COMMANDLINE_APPEND=novmcoredd\n",
            );
        }),
    ];
    for (name, make) in cases {
        let machine = Machine::new();
        make(&machine);
        let found = machine.doctor(&[]);
        assert!(!found.contains("apt-get"), "{name}: {found}");
        assert!(!found.contains("kdump-config"), "{name}: {found}");
        assert!(!found.contains("secret"), "{name}: {found}");
        // There is nothing that --fix does there.
        let fixed = machine.doctor(&["--fix", "--yes"]);
        assert!(fixed.contains("there is nothing that --fix would change"), "{name}: {fixed}");
        assert_snapshot!(format!("other_{name}"), found);
    }
}

impl Machine {
    /// As RHEL 9 has it: its kernel has device dumps of its own.
    fn of_rhel(&self, configuration: &str) {
        self.remove("/usr/sbin/kdump-config");
        self.remove("/etc/default/kdump-tools");
        self.remove("/etc/systemd");
        self.write("/etc/os-release", "ID=\"rhel\"\nID_LIKE=\"fedora\"\n");
        self.write("/etc/kdump.conf", configuration);
        self.write("/usr/bin/kdumpctl", "");
        self.write("/etc/sysconfig/kdump", RHEL_SYSCONFIG);
        self.write("/proc/sys/kernel/osrelease", &format!("{RELEASE}\n"));
        self.boots_with("root=UUID=1 crashkernel=256M");
        self.write(&format!("/boot/config-{RELEASE}"), "CONFIG_PROC_VMCORE_DEVICE_DUMP=y\n");
        let initramfs = format!("/boot/initramfs-{RELEASE}kdump.img");
        fs::rename(self.path("/var/lib/kdump/initrd.img"), self.path(&initramfs)).expect("moved");
    }

    /// As SUSE has it.
    fn of_suse(&self, configuration: &str) {
        self.remove("/usr/sbin/kdump-config");
        self.remove("/etc/default/kdump-tools");
        self.remove("/etc/systemd");
        self.write("/etc/os-release", "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n");
        self.write("/etc/sysconfig/kdump", configuration);
        self.write("/proc/sys/kernel/osrelease", &format!("{RELEASE}\n"));
        let initramfs = format!("/boot/initrd-{RELEASE}-kdump");
        fs::rename(self.path("/var/lib/kdump/initrd.img"), self.path(&initramfs)).expect("moved");
    }

    /// A machine whose faults can be corrected, with commands that say that they were run.
    fn fixable() -> Self {
        let machine = Self::new();
        machine.write("/etc/default/kdump-tools", &FIXABLE.replace("USE_KDUMP=1", "USE_KDUMP=0"));
        machine.boots_with("root=/dev/vda oops=panic");
        machine.write("/etc/vmcoredd/collect.d/sel", "#!/bin/sh\n");
        machine.write("/etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n");
        machine.write("/sys/kernel/kexec_crash_size", "67108864\n");
        machine.remove("/etc/systemd/system/kdump-tools-dump.service.wants");
        machine.write("/bin/chroot", "#!/bin/sh\nshift\necho \"(runs: $*)\"\n");
        let program = fs::Permissions::from_mode(0o755);
        fs::set_permissions(machine.path("/bin/chroot"), program).expect("executable");
        machine
    }

    /// What is in `directory`, with the time of a backup left out.
    fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(directory)).expect("a directory");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            let mark = "backup-";
            name.split_once(mark).map_or(name.clone(), |(start, _)| format!("{start}{mark}"))
        };
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }
}

/// What is squashed in the initramfs is in it, as lsinitrd lists it; where it cannot list
/// that, nothing is reported to be missing.
#[test]
fn an_initramfs_of_rhel_is_squashed() {
    let machine = Machine::new();
    machine.of_rhel("path /var/crash\n");
    let initramfs = format!("/boot/initramfs-{RELEASE}kdump.img");
    let lists = |more: &str| {
        let image = "-rw-r--r--  1 root     root     18137088 Nov 27 22:34 squashfs-root.img\n";
        machine.write(&initramfs, &format!("{image}{more}"));
        machine.date(&initramfs, SystemTime::now() + Duration::from_secs(3600));
        machine.doctor(&[])
    };
    fs::rename(machine.path("/bin/lsinitramfs"), machine.path("/bin/lsinitrd")).expect("moved");

    let found = lists("");
    assert!(found.contains("what is in it is not known"), "{found}");
    assert!(!found.contains("lacks"), "{found}");
    assert!(!found.contains("is not in the initramfs"), "{found}");

    let inside =
        |path: &str| format!("-rwxr-xr-x root/root  1000 2026-11-27 22:33 squashfs-root/{path}\n");
    let all: String = [
        "usr/bin/vmcoredd",
        "usr/lib/vmcoredd/crash-kernel",
        "usr/lib/modules/6.12.95+deb12-amd64/updates/dkms/vmcoredd.ko",
        "usr/lib/modules/6.12.95+deb12-amd64/updates/nvme_regs.ko",
        "etc/vmcoredd/collect.d/lspci",
        "etc/kdump/post.d/vmcoredd",
    ]
    .map(inside)
    .concat();
    let found = lists(&all);
    assert!(found.contains("kdump.img has vmcoredd.ko and the command"), "{found}");
    assert!(!found.contains("is not in the initramfs"), "{found}");
    assert!(lists(&inside("etc/kdump/post.d/vmcoredd")).contains("kdump.img lacks vmcoredd.ko"));
}

/// What RHEL 9 installs, but for the comments.
const RHEL_SYSCONFIG: &str = "\
KDUMP_KERNELVER=\"\"
KDUMP_COMMANDLINE=\"\"
KDUMP_COMMANDLINE_REMOVE=\"hugepages hugepagesz slub_debug quiet log_buf_len swiotlb\"
KDUMP_COMMANDLINE_APPEND=\"irqpoll nr_cpus=1 reset_devices cgroup_disable=memory mce=off \
numa=off udev.children-max=2 panic=10 acpi_no_memhotplug transparent_hugepage=never nokaslr \
novmcoredd hest_disable\"
KEXEC_ARGS=\"-s\"
KDUMP_IMG=\"vmlinuz\"
";

/// A configuration with something to take out.
const FIXABLE: &str = "\
# mine
USE_KDUMP=1
KDUMP_KERNEL=/var/lib/kdump/vmlinuz
KDUMP_INITRD=/var/lib/kdump/initrd.img
export KDUMP_CMDLINE_APPEND=\"novmcoredd nr_cpus=1 a=\\\"b\\\"\"
SSH_KEY=/root/key
";

#[test]
fn fix_changes_nothing_without_yes() {
    let machine = Machine::fixable();
    let before = fs::read(machine.path("/etc/default/kdump-tools")).expect("read");
    assert_snapshot!("fix_asks", machine.doctor(&["--fix"]));
    assert_eq!(fs::read(machine.path("/etc/default/kdump-tools")).expect("read"), before);
    assert_eq!(machine.names("/etc/default"), ["grub", "kdump-tools"]);
}

#[test]
fn fix_corrects_what_can_be_corrected() {
    let machine = Machine::fixable();
    // What is a link stays one; owner and mode stay.
    let real = machine.path("/etc/kdump-tools.mine");
    fs::rename(machine.path("/etc/default/kdump-tools"), &real).expect("moved");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("set");
    symlink("../kdump-tools.mine", machine.path("/etc/default/kdump-tools")).expect("linked");
    let before = fs::read_to_string(&real).expect("read");
    assert_snapshot!("fix_yes", machine.doctor(&["--fix", "--yes"]));
    let link = fs::symlink_metadata(machine.path("/etc/default/kdump-tools")).expect("there");
    assert!(link.is_symlink());
    assert_eq!(fs::metadata(&real).expect("there").permissions().mode() & 0o7777, 0o640);
    assert_snapshot!("fix_made", fs::read_to_string(&real).expect("read"));
    assert_eq!(machine.names("/etc/default"), ["grub", "grub.d", "kdump-tools"]);
    assert_eq!(machine.names("/etc/default/grub.d"), ["vmcoredd.cfg"]);
    let backup = fs::read_dir(machine.path("/etc")).expect("a directory").find_map(|entry| {
        let path = entry.expect("an entry").path();
        path.to_string_lossy().contains("backup").then_some(path)
    });
    let backup = backup.expect("there");
    assert_eq!(fs::read_to_string(&backup).expect("read"), before);
    assert_eq!(fs::metadata(&backup).expect("there").permissions().mode() & 0o7777, 0o640);
    // A second time there is no file to change; what needs a command or a boot is left.
    let after = fs::read(&real).expect("read");
    let again = machine.doctor(&["--fix", "--yes"]);
    assert!(!again.contains("+++"), "{again}");
    assert_eq!(fs::read(&real).expect("read"), after);
    assert_eq!(machine.names("/etc").iter().filter(|name| name.contains("backup")).count(), 1);
    // Where the commands did what they do, there is nothing at all.
    machine.write("/sys/kernel/kexec_crash_size", "268435456\n");
    machine.write("/etc/systemd/system/kdump-tools-dump.service.wants/vmcoredd-save.service", "");
    machine.remove("/etc/vmcoredd/collect.d/sel");
    machine.remove("/var/crash/kexec_cmd");
    let again = machine.doctor(&["--fix", "--yes"]);
    assert!(again.starts_with("--- exit status: 0\n"), "{again}");
    assert!(again.contains("there is nothing that --fix would change"), "{again}");
}

/// Where a line cannot be replaced without another effect, or without effect, one more
/// line at the end does it.
#[test]
fn fix_adds_a_line_where_replacing_one_is_wrong() {
    for lines in [
        "KDUMP_CMDLINE_APPEND='novmcoredd nr_cpus=1'; mine=1",
        "KDUMP_CMDLINE_APPEND='novmcoredd nr_cpus=1' mine=1",
        "export KDUMP_CMDLINE_APPEND='novmcoredd nr_cpus=1' mine=1",
        "KDUMP_CMDLINE_APPEND='novmcoredd nr_cpus=1' # as I want it",
        "KDUMP_CMDLINE_APPEND='novmcoredd nr_cpus=1'\nHOSTTAG=$KDUMP_CMDLINE_APPEND",
        "KDUMP_CMDLINE_APPEND=x; eval 'KDUMP_CMDLINE_APPEND=\"novmcoredd nr_cpus=1\"'",
        "KDUMP_CMDLINE_APPEND=x\neval 'KDUMP_CMDLINE_APPEND=\"novmcoredd nr_cpus=1\"'",
        "KDUMP_CMDLINE_APPEND=\"novmcoredd \\\n nr_cpus=1\"",
        "KDUMP_CMDLINE_APPEND=novmcoredd\nKDUMP_CMDLINE_APPEND=\"nr_cpus=1 $KDUMP_CMDLINE_APPEND\"",
    ] {
        let machine = Machine::new();
        machine.configure(lines);
        machine.doctor(&["--fix", "--yes"]);
        let text = fs::read_to_string(machine.path("/etc/default/kdump-tools")).expect("read");
        let added = "# By vmcoredd doctor --fix.\nKDUMP_CMDLINE_APPEND=";
        let rest = text.strip_prefix(&format!("{KDUMP_TOOLS}{lines}\n{added}"));
        assert!(matches!(rest, Some("nr_cpus=1\n" | "\"nr_cpus=1\"\n")), "{text}");
    }
}

/// However often that is in a second, and whatever fails, nothing of the file is lost.
#[test]
fn fix_keeps_each_file_that_it_changes_and_no_other() {
    let machine = Machine::new();
    let is_backup = |name: &String| name.contains(".vmcoredd-backup-");
    let backups = || machine.names("/etc/default").into_iter().filter(is_backup).count();
    for number in 1..=4 {
        machine.configure("USE_KDUMP=0");
        machine.run(&["--fix", "--yes"]);
        assert_eq!(backups(), number);
    }
    // The new file does not get the name of the old one.
    machine.configure("USE_KDUMP=0");
    let mut traced = std::process::Command::new("strace");
    let inject = "inject=rename,renameat,renameat2:error=EIO";
    traced.args(["-qq", "-o", "/dev/null", "-e", inject, env!("CARGO_BIN_EXE_vmcoredd")]);
    traced.args(["doctor", "--root", "root", "--fix", "--yes"]);
    traced.current_dir(machine.0.root());
    let ended = crate::run::Outcome::from(traced.output().expect("strace is installed"));
    assert_eq!(ended.status, Some(4), "{ended:?}");
    let said = "vmcoredd: root/etc/default/kdump-tools: cannot write: Input/output error\n";
    assert!(ended.stderr.ends_with(said), "{ended:?}");
    assert_eq!(backups(), 4);
    let text = fs::read_to_string(machine.path("/etc/default/kdump-tools")).expect("read");
    assert!(text.ends_with("USE_KDUMP=0\n"), "{text}");
}

/// Answers the question at a terminal, after `meanwhile`.
fn at_a_terminal(machine: &Machine, answer: &str, meanwhile: fn(&Machine)) -> String {
    let command = format!("{} doctor --root root --fix", env!("CARGO_BIN_EXE_vmcoredd"));
    let mut child = std::process::Command::new("script")
        .args(["-q", "-e", "-c", &command, "/dev/null"])
        .current_dir(machine.0.root())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("script of util-linux");
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = child.stdout.take().expect("piped");
    let mut said = Vec::new();
    let mut byte = [0];
    while !said.ends_with(b"[y/N] ") && stdout.read(&mut byte).expect("read") == 1 {
        said.extend(byte);
    }
    meanwhile(machine);
    writeln!(stdin, "{answer}").expect("written");
    stdout.read_to_end(&mut said).expect("read");
    let status = child.wait().expect("ended").code().expect("not killed");
    format!("{}--- exit status: {status}", String::from_utf8(said).expect("UTF-8"))
}

#[test]
fn fix_asks_at_a_terminal() {
    let wants_used = || {
        let machine = Machine::new();
        machine.configure("USE_KDUMP=0");
        machine
    };
    let text =
        |machine: &Machine| fs::read_to_string(machine.path("/etc/default/kdump-tools")).unwrap();
    let machine = wants_used();
    let said = at_a_terminal(&machine, "", |_| {});
    assert!(said.ends_with("--- exit status: 1"), "{said}");
    assert!(text(&machine).ends_with("USE_KDUMP=0\n"), "{said}");
    let said = at_a_terminal(&machine, "y", |_| {});
    assert!(text(&machine).ends_with("USE_KDUMP=1\n"), "{said}");
    // What somebody else changed meanwhile is not lost.
    let machine = wants_used();
    let said = at_a_terminal(&machine, "y", |machine| machine.configure("USE_KDUMP=0 # mine"));
    assert!(said.contains("it was changed meanwhile"), "{said}");
    assert!(said.ends_with("--- exit status: 4"), "{said}");
    assert!(text(&machine).ends_with("USE_KDUMP=0 # mine\n"), "{said}");
    assert_eq!(machine.names("/etc/default"), ["kdump-tools"]);
}

/// What does not come out right in the shell is listed, and left.
#[test]
fn fix_leaves_what_it_cannot_change_rightly() {
    for (name, lines) in [
        ("read-only", "readonly KDUMP_CMDLINE_APPEND='novmcoredd nr_cpus=1'"),
        ("an error", "KDUMP_CMDLINE_APPEND='novmcoredd nr_cpus=1"),
        ("a file that ends the shell", "KDUMP_CMDLINE_APPEND='novmcoredd nr_cpus=1'; exit"),
    ] {
        let machine = Machine::new();
        machine.configure(lines);
        let before = fs::read(machine.path("/etc/default/kdump-tools")).expect("read");
        let found = machine.doctor(&["--fix", "--yes"]);
        assert!(found.contains("not by --fix:"), "{name}: {found}");
        assert!(!found.contains("+++"), "{name}: {found}");
        assert_eq!(fs::read(machine.path("/etc/default/kdump-tools")).expect("read"), before);
    }
}

/// A command that fails makes the exit status 1, and keeps no other from being run.
#[test]
fn fix_says_which_command_failed() {
    let machine = Machine::new();
    machine.remove("/etc/systemd/system/kdump-tools-dump.service.wants");
    machine.lists(&["conf/initramfs.conf"]);
    machine.write("/bin/chroot", "#!/bin/sh\nshift\necho \"(runs: $*)\"\nexit 3\n");
    let program = fs::Permissions::from_mode(0o755);
    fs::set_permissions(machine.path("/bin/chroot"), program).expect("executable");
    let outcome = machine.run(&["--fix", "--yes"]);
    assert_eq!(outcome.status, Some(1));
    assert_eq!(
        outcome.stderr,
        "vmcoredd: systemctl enable vmcoredd-save.service: exit status: 3\n\
         vmcoredd: vmcoredd-update-initramfs: exit status: 3\n"
    );
    assert!(outcome.stdout().contains("(runs: vmcoredd-update-initramfs)"), "{}", outcome.stdout());
}

#[test]
fn fix_and_yes_belong_together() {
    let machine = Machine::new();
    for arguments in [&["--yes"][..], &["--fix", "--json"], &["--fix", "--rehearse"]] {
        assert_eq!(machine.run(arguments).status, Some(2), "{arguments:?}");
    }
}

#[test]
fn an_initramfs_that_is_older_than_what_is_in_it() {
    let machine = Machine::new();
    machine.date("/var/lib/kdump/initrd.img", SystemTime::UNIX_EPOCH);
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
    let outcome = machine.0.run(["collect"]);
    assert_eq!(outcome.status, Some(4), "the module reads devices");
    let collect = |directory: &Path| {
        machine.0.run(["collect".as_ref(), "--no-devices".as_ref(), directory.as_os_str()])
    };
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
