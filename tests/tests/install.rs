// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Whole Debian machines with kdump-tools, on which our packages are installed by apt,
//! panic in every way, and save their dumps.
//!
//! Takes half an hour, root, and 20 GB below `target/`: `make test-install`. One kernel of
//! one release takes a third of that: `make test-install MACHINE=trixie`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use kdumpfile::{Dump, Status};
use system_tests::registers::{self, Aer};
use system_tests::{
    Result, files_in, make_adapter, names, output, payload, root, without_outer_build,
};
use vmtest::qemu::{Device, Ended, KernelLog, Qemu, Watcher};
use vmtest::{Kernel, Monitor, Series};

const ADAPTER_SIZE: usize = 1 << 20;
/// How long a machine may take to boot, panic and save, twice over.
const LIMIT: Duration = Duration::from_secs(900);

/// A release of Debian.
#[derive(Debug, Clone, Copy)]
enum Debian {
    Bookworm,
    Trixie,
}

impl Debian {
    fn suite(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }

    /// Where its machines are.
    fn directory(self) -> PathBuf {
        vmtest::target_dir().join("machine").join(self.suite())
    }

    /// The disk with everything installed, which each machine has a copy of.
    fn disk(self) -> &'static Path {
        static DISKS: [OnceLock<PathBuf>; 2] = [OnceLock::new(), OnceLock::new()];
        DISKS[self as usize].get_or_init(|| self.make_disk())
    }

    fn make_disk(self) -> PathBuf {
        let directory = self.directory();
        let script = |name: &str| Command::new(root().join("tests/machine").join(name));
        // Only Debian's packages are in it: it is kept.
        let (base, made) = (directory.join("base"), directory.join("base.complete"));
        thread::scope(|scope| {
            // One waits for the network, the other one for the compiler.
            scope.spawn(debs);
            if !made.exists() {
                output(script("make-base").arg(self.suite()).arg(&base)).unwrap();
                File::create(&made).unwrap();
            }
        });
        let disk = directory.join("disk").join("disk");
        // So is the disk, as long as nothing that is on it changes.
        let sums = "find \"$1\"/*.deb tests/machine drivers kmod -type f | sort | xargs sha256sum";
        let mut sums_of = Command::new("bash");
        sums_of.current_dir(root()).args(["-c", sums, "sums"]).arg(debs());
        let (key, kept) = (output(&mut sums_of).unwrap(), directory.join("disk.key"));
        if fs::read_to_string(&kept).is_ok_and(|kept| kept == key) {
            return disk;
        }
        let _ = fs::remove_file(&kept);
        output(script("make-disk").arg(&base).arg(debs()).arg(&disk)).unwrap();
        fs::write(&kept, key).unwrap();
        disk
    }
}

/// Our packages.
fn debs() -> &'static Path {
    static DEBS: OnceLock<PathBuf> = OnceLock::new();
    DEBS.get_or_init(|| {
        let debs = vmtest::target_dir().join("deb");
        output(Command::new(root().join("scripts/build-debs")).arg(&debs)).unwrap();
        debs
    })
}

/// What is injected where a machine asks for it, and the TLP that it is said to be of.
const ERROR: &str = "pcie_aer_inject_error endpoint MALF_TLP 0x1 0x2 0x3 0x4";
/// The bit for it in the status of uncorrectable errors (PCI Express Base 4.0, 7.8.4.2).
const MALFORMED_TLP: u32 = 1 << 18;

/// Follows a machine, and injects an error.
#[derive(Default)]
struct Watch(KernelLog);

impl Watcher for Watch {
    fn line(&mut self, line: &str) {
        self.0.line(line);
    }

    fn died_before_init(&self) -> bool {
        self.0.died_before_init()
    }

    fn start_again(&mut self) {
        self.0.start_again();
    }

    fn pause(&mut self, name: &str, monitor: &mut Monitor) -> vmtest::Result<()> {
        assert_eq!(name, "aer");
        println!("{}", monitor.command(ERROR)?.trim());
        Ok(())
    }
}

/// A machine that boots one of the kernels on its disk, again and again.
struct Machine {
    debian: Debian,
    directory: PathBuf,
    release: String,
    /// The directories below /var/crash that were looked at.
    seen: Vec<String>,
}

/// What one boot left.
struct Stage {
    /// What the machine said of what it did.
    said: String,
    console: String,
    /// What kdump-tools saved, if it did.
    saved: Option<PathBuf>,
}

impl Machine {
    fn new(debian: Debian, series: Series, what: &str) -> Result<Self> {
        let disk = debian.disk();
        let directory = debian.directory().join(format!("{series}-{what}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let own = directory.join("disk");
        output(Command::new("cp").arg("--sparse=always").args([disk, &own]))?;
        let wanted = format!("vmlinuz-{series}.");
        let release = fs::read_dir(disk.with_file_name(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .find(|name| name.starts_with(&wanted))
            .expect("a kernel of each series")
            .replace("vmlinuz-", "");
        make_adapter(&directory.join("adapter.bin"), ADAPTER_SIZE, 3)?;
        Ok(Self { debian, directory, release, seen: Vec::new() })
    }

    /// Boots, and has the machine do what the script of that name says.
    fn boot(&mut self, stage: &str) -> Stage {
        let file = |name: &str| self.directory.join(format!("{stage}.{name}"));
        let disk = self.debian.disk();
        let beside_disk = |name: &str| disk.with_file_name(format!("{name}-{}", self.release));
        let append =
            format!("root=/dev/vda rw console=ttyS0 crashkernel=256M panic=-1 stage={stage}");
        let drive = self.directory.join("disk");
        let qemu = Qemu::new(&beside_disk("vmlinuz"), &beside_disk("initrd.img"), &append)
            .memory_mib(1024)
            .smp(2)
            .device(Device::Ivshmem(self.directory.join("adapter.bin")))
            .monitor()
            .port("aux", &file("aux"))
            .arg("-device")
            .arg("pcie-root-port,id=port0,chassis=1")
            .arg("-device")
            .arg("virtio-rng-pci,id=endpoint,bus=port0,aer=on,disable-legacy=on")
            .arg("-serial")
            .arg(format!("file:{}", file("said").display()))
            .arg("-drive")
            .arg(format!("file={},if=virtio,format=raw,cache=unsafe", drive.display()));
        let started = Instant::now();
        let mut log = Watch::default();
        let ended = qemu.run_watched(&file("console"), &file("qemu"), LIMIT, &mut log).unwrap();
        println!("{}, {stage}: {} s", self.directory.display(), started.elapsed().as_secs());
        let text = |name: &str| {
            let bytes = fs::read(file(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\r', "")
        };
        let (said, console) = (text("said"), text("console"));
        let told = format!("{stage}: see {}", file("console").display());
        assert_eq!(ended, Ended::ByGuest, "{told}");
        assert!(said.contains(&format!("stage {stage}: ")), "it did not come up: {told}");
        Stage { said, console, saved: self.newly_saved() }
    }

    /// What is below /var/crash that was not there before, in one directory.
    fn newly_saved(&mut self) -> Option<PathBuf> {
        let crash = self.directory.join("crash");
        let _ = fs::remove_dir_all(&crash);
        let request = format!("rdump /var/crash {}", self.directory.display());
        let disk = self.directory.join("disk");
        output(Command::new("debugfs").arg("-R").arg(request).arg(disk)).unwrap();
        let mut new: Vec<String> = fs::read_dir(&crash)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with('2') && !self.seen.contains(name))
            .collect();
        self.seen.extend(new.clone());
        new.sort();
        let last = crash.join(new.pop()?);
        // kdump-tools may start in the minute after the one in which our unit saved.
        for other in new {
            for entry in fs::read_dir(crash.join(other)).unwrap() {
                let path = entry.unwrap().path();
                fs::rename(&path, last.join(path.file_name().unwrap())).unwrap();
            }
        }
        Some(last)
    }
}

/// The file in the directory whose name starts so.
fn file_in(directory: &Path, start: &str) -> PathBuf {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(start))
        .unwrap_or_else(|| panic!("no {start}* in {}", directory.display()))
}

impl Stage {
    fn vmcore(&self) -> PathBuf {
        file_in(self.saved.as_ref().expect("a vmcore was saved"), "dump.")
    }

    /// The vmcore has what the driver and the collectors collected; so has what was
    /// saved of /proc/vmcoredd.
    fn check_dumps(&self, adapter: &[u8]) {
        check_dumps(&Dump::open(self.vmcore()).unwrap(), adapter);
        let compressed = file_in(self.saved.as_ref().unwrap(), "vmcoredd.");
        let whole = compressed.with_extension("");
        output(Command::new("zstd").args(["-q", "-d", "-f", "-o"]).args([&whole, &compressed]))
            .unwrap();
        check_dumps(&Dump::open(&whole).unwrap(), adapter);
    }

    /// The error that was injected is in the configuration space of the function that had
    /// it, and of the port above it.
    fn check_error(&self) {
        let spaces = payload(&self.vmcore(), "pci-config").unwrap();
        let functions = registers::read(&spaces).unwrap();
        let errors: Vec<Aer> = functions
            .iter()
            .filter(|function| function.has(registers::CONFIG, 0, 0x100))
            .filter_map(|function| registers::aer(&function.bytes(registers::CONFIG, 0, 0, 4096)))
            .filter(|aer| aer.uncorrectable == MALFORMED_TLP)
            .collect();
        assert_eq!(errors.len(), 1, "{errors:x?}");
        // QEMU puts the words of a header into its log with their bytes reversed.
        assert_eq!(errors[0].header, [1, 2, 3, 4].map(u32::swap_bytes));
    }

    /// What the boot after the one that crashed has added.
    fn check_next_boot(&self) {
        let compressed = file_in(self.saved.as_ref().unwrap(), "vmcoredd-after.");
        let names = names(&compressed).unwrap();
        assert!(names.contains(&"dmesg-next-boot".to_owned()), "{names:?}");
        let log = payload(&compressed, "dmesg-next-boot").unwrap();
        assert!(String::from_utf8_lossy(&log).contains("stage=oops"));
    }

    /// The vmcore is a plain one.
    fn check_plain(&self) {
        let dump = Dump::open(self.vmcore()).unwrap();
        assert_eq!(dump.device_dumps().count(), 0);
        assert!(dump.memory().size().unwrap() > 20 << 20);
        assert!(dump.vmcoreinfo().unwrap().is_some());
    }
}

fn check_dumps(dump: &Dump, adapter: &[u8]) {
    let dumps: Vec<_> = dump.device_dumps().map(|each| each.unwrap()).collect();
    let names: Vec<_> =
        dumps.iter().map(|each| String::from_utf8_lossy(each.name()).into_owned()).collect();
    // First devices are read, without any driver, and nothing was configured for that.
    assert_eq!(names[..2], ["pci-config", "mca_cpu0"], "{names:?}");
    let driver = names.iter().position(|name| name.starts_with("ivshmem_0000:00:")).unwrap();
    let (devices, others) = names.split_at(driver);
    // The disk over which the vmcore is saved, and the error's source, among them.
    let read = devices.iter().filter(|name| name.starts_with("regs_0000:")).count();
    assert!(devices.len() == 2 + read && read >= 4, "{names:?}");
    assert_eq!(others[1..], ["hangs", "interrupts", "leaves", "lspci", "dmesg-crash-kernel"]);
    let payloads = dumps[driver..].iter().map(|each| {
        let mut payload = Vec::new();
        each.copy_to(&mut payload).unwrap();
        payload
    });
    let payloads: Vec<Vec<u8>> = payloads.collect();
    assert!(payloads[0] == adapter);
    assert_eq!(payloads[1], b"before it hangs\n");
    let text = |payload: &[u8]| String::from_utf8_lossy(payload).into_owned();
    assert!(text(&payloads[2]).contains("CPU0"));
    assert_eq!(payloads[3], b"left a process behind\n");
    // The adapter's numbers, for its name is in a file that is not in the initramfs.
    assert!(text(&payloads[4]).contains("1af4:1110"));
    // Of this kernel, to what the last collector did.
    let log = text(&payloads[5]);
    assert!(log.starts_with("[    0.000000] Linux version "), "{log}");
    assert!(log.contains("vmcoredd: lspci: complete, "), "{log}");
    // What doctor --fix had added.
    assert!(log.contains(" mce=off hest_disable pci=noaer"), "{log}");
    let manifest = dump.manifest().unwrap().expect("a manifest");
    for (name, record) in names.iter().zip(manifest.matched(&dumps).of_dumps) {
        let expected = if name == "hangs" { Status::Partial } else { Status::Complete };
        assert_eq!(record.expect("a record").status(), Some(expected), "{name}");
    }
}

/// crash opens what kdump-tools saved, where Debian's knows the kernel.
fn check_crash(machine: &Machine, vmcore: &Path) {
    let kernel = Kernel::fetch(Series::V6_1.with_all_drivers()).unwrap();
    assert_eq!(kernel.release(), machine.release, "one is older: remove it from target/");
    let commands = machine.directory.join("commands");
    fs::write(&commands, "dev -V\nbt\nquit\n").unwrap();
    let vmlinux = kernel.vmlinux().unwrap();
    let said =
        output(Command::new("crash").args(["-s", "-i"]).arg(&commands).arg(vmlinux).arg(vmcore));
    let said = said.unwrap();
    assert!(said.contains("lspci") && said.contains("sysrq_handle_crash"), "{said}");
}

/// With what the driver and the collectors dump, whichever way it panics.
fn saves_its_dumps(debian: Debian, series: Series) {
    let mut machine = Machine::new(debian, series, "dumps").unwrap();
    let adapter = fs::read(machine.directory.join("adapter.bin")).unwrap();

    let stage = machine.boot("sysrq");
    assert!(stage.said.contains("doctor: 0\n"), "{}", stage.said);
    // kdump-tools' own configuration, which nobody has touched.
    let (before, after) = stage.said.split_once("fixed: ").expect("it tried");
    let cleared = "mce=off, hest_disable and pci=noaer are not given";
    assert!(before.contains(cleared) && !after.contains(cleared), "{}", stage.said);
    let looked = after.split("doctor: 0").next().unwrap();
    let mut wrong = looked
        .lines()
        .filter(|line| line.starts_with("warning") || line.starts_with("failure"))
        .collect::<Vec<_>>();
    // The newer kernel without a module, where there is one.
    if matches!(debian, Debian::Trixie) {
        let told = wrong.pop().unwrap_or_default();
        assert!(told.contains(" 7.") && told.contains(" is not covered: "), "{looked}");
    }
    assert!(wrong.is_empty(), "{looked}");
    for collector in ["interrupts", "lspci"] {
        let whole = format!("{{\"name\":\"{collector}\",\"bytes\":");
        assert!(stage.said.contains(&whole), "{}", stage.said);
    }
    let hangs = "\"problem\":\"its command did not end in time\"";
    assert!(stage.said.contains(hangs), "{}", stage.said);
    stage.check_dumps(&adapter);
    stage.check_error();
    if series == Series::V6_1 {
        check_crash(&machine, &stage.vmcore());
    }

    let oops = machine.boot("oops");
    oops.check_dumps(&adapter);
    stage.check_next_boot();
    let log = fs::read(file_in(oops.saved.as_ref().unwrap(), "dmesg.")).unwrap();
    let log = String::from_utf8_lossy(&log);
    assert!(log.contains("oops_init+") && log.contains("Oops: "));

    let stage = machine.boot("dracut");
    // initramfs-tools' script says what it begins.
    let of_crash_kernel = |stage: &Stage| {
        let (_, console) = stage.console.rsplit_once("Linux version").expect("a kernel");
        console.contains("Begin: Mounting root file system")
    };
    assert!(of_crash_kernel(&oops) && !of_crash_kernel(&stage));
    stage.check_dumps(&adapter);
}

/// Without them, when the module cannot be loaded, and when it is gone.
fn saves_plain_vmcores(debian: Debian, series: Series) {
    let mut machine = Machine::new(debian, series, "plain").unwrap();

    let stage = machine.boot("unloadable");
    assert!(stage.console.contains("vmcoredd: vmcoredd cannot be loaded: "));
    stage.check_plain();

    let log = fs::read(file_in(stage.saved.as_ref().unwrap(), "crash-kernel-dmesg.")).unwrap();
    assert!(String::from_utf8_lossy(&log).contains("vmcoredd: vmcoredd cannot be loaded: "));

    let stage = machine.boot("removed");
    assert!(stage.said.contains("in the initramfs: 1\n"), "{}", stage.said);
    stage.check_plain();

    let stage = machine.boot("last");
    assert!(stage.saved.is_none());
}

/// What the package has of compiled code is what anybody gets of its sources.
#[test]
#[ignore = "makes packages: make test-install"]
fn objects_are_what_a_rebuild_makes() {
    let directory = vmtest::target_dir().join("rebuild");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let package = file_in(debs(), "vmcoredd-dkms_");
    output(Command::new("dpkg-deb").arg("-x").arg(package).arg(&directory)).unwrap();
    let sources = file_in(&directory.join("usr/src"), "vmcoredd-");
    let mut make = Command::new("make");
    make.current_dir(&sources).args(["--no-print-directory", "objects", "OBJECTS=rebuilt"]);
    make.arg(format!("MODULE_CACHE={}", vmtest::target_dir().join("kmod/cache").display()));
    output(without_outer_build(&mut make)).unwrap();
    let files = |name: &str| files_in(&sources.join(name)).unwrap();
    let (shipped, rebuilt) = (files("objects"), files("rebuilt"));
    assert!(!shipped.is_empty());
    assert_eq!(shipped.keys().collect::<Vec<_>>(), rebuilt.keys().collect::<Vec<_>>());
    assert!(shipped == rebuilt);
}

macro_rules! machines {
    ($($name:ident: $debian:ident, $series:ident;)+) => {
        $(mod $name {
            use super::{Debian, Series};

            #[test]
            #[ignore = "takes minutes and root: make test-install"]
            fn saves_its_dumps() {
                super::saves_its_dumps(Debian::$debian, Series::$series);
            }

            #[test]
            #[ignore = "takes minutes and root: make test-install"]
            fn saves_plain_vmcores() {
                super::saves_plain_vmcores(Debian::$debian, Series::$series);
            }
        })+
    };
}

machines! {
    bookworm_with_6_12: Bookworm, V6_12;
    bookworm_with_6_1: Bookworm, V6_1;
    trixie_with_6_12: Trixie, V6_12;
}
