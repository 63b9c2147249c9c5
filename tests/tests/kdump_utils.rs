// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A machine with kdump-utils, the kdump of RHEL and Fedora, on a kernel that has device
//! dumps of its own, as theirs do: it panics, and kdump-utils saves its dumps.
//!
//! All but the kernel and kdump-utils is of Debian 13. The source of kdump-utils is no part
//! of this tree: `make test-kdump-utils KDUMP_UTILS=<its directory>`.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use kdumpfile::Dump;
use system_tests::{
    Modules, Result, TAKES, make_adapter, module_log, names, output, own_dumps, payload, root,
};
use vmtest::qemu::{Device, Ended, KernelLog, Qemu};

const ADAPTER_SIZE: usize = 1 << 20;
/// How long the machine may take to boot, panic and save.
const LIMIT: Duration = Duration::from_secs(900);

/// The machine, which is booted once for each panic.
struct Machine {
    directory: PathBuf,
}

/// What a panic left.
struct Saved {
    /// What the machine reported before it.
    said: String,
    console: String,
    /// The directory that kdump-utils has saved to.
    directory: PathBuf,
}

fn script(name: &str) -> Command {
    Command::new(root().join("tests/machine").join(name))
}

impl Machine {
    fn new() -> Result<Self> {
        let source = env::var_os("KDUMP_UTILS").expect("KDUMP_UTILS: the source of kdump-utils");
        let machines = vmtest::target_dir().join("machine");
        let (base, made) = (machines.join("trixie/base"), machines.join("trixie/base.complete"));
        if !made.exists() {
            output(script("make-base").arg("trixie").arg(&base))?;
            File::create(&made).unwrap();
        }
        let kernel = own_dumps::kernel_for_machine(|line| println!("{line}"))?;
        let modules = Modules::build(&kernel)?;
        let directory = machines.join("kdump-utils");
        let files = machines.join("kdump-utils.files");
        let _ = fs::remove_dir_all(&files);
        fs::create_dir_all(&files).unwrap();
        for file in [
            vmtest::static_program("vmcoredd")?,
            modules.vmcoredd(),
            modules.driver("ivshmem"),
            modules.test_module("adapters")?,
        ] {
            fs::copy(&file, files.join(file.file_name().unwrap())).unwrap();
        }
        let mut make = script("make-kdump-utils-disk");
        make.arg(&base).arg(source).arg(kernel.headers()).arg(&files).arg(directory.join("disk"));
        output(&mut make)?;
        make_adapter(&directory.join("adapter.bin"), ADAPTER_SIZE, 5)?;
        Ok(Self { directory })
    }

    /// Boots, and has the machine panic as the stage of that name does.
    fn panic(&self, stage: &str) -> Saved {
        let file = |name: &str| self.directory.join(format!("{stage}.{name}"));
        let append =
            format!("root=/dev/vda rw console=ttyS0 crashkernel=256M panic=-1 stage={stage}");
        let beside = |name| self.directory.join(name);
        let qemu = Qemu::new(&beside("vmlinuz"), &beside("initrd"), &append)
            .memory_mib(2048)
            .smp(2)
            .device(Device::Ivshmem(self.directory.join("adapter.bin")))
            .arg("-serial")
            .arg(format!("file:{}", file("said").display()))
            .arg("-drive")
            .arg(format!(
                "file={},if=virtio,format=raw,cache=unsafe",
                self.directory.join("disk").display()
            ));
        let started = Instant::now();
        let mut log = KernelLog::default();
        let ended = qemu.run_watched(&file("console"), &file("qemu"), LIMIT, &mut log).unwrap();
        println!("{stage}: {} s, {}", started.elapsed().as_secs(), self.directory.display());
        let text = |name: &str| {
            let bytes = fs::read(file(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\r', "")
        };
        let (said, console) = (text("said"), text("console"));
        assert_eq!(ended, Ended::ByGuest, "{said}");
        Saved { said, console, directory: self.newly_saved(stage) }
    }

    /// The directory of this crash, which is the newest one.
    fn newly_saved(&self, stage: &str) -> PathBuf {
        let directory = self.directory.join(stage);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let request = format!("rdump /var/crash {}", directory.display());
        let disk = self.directory.join("disk");
        output(Command::new("debugfs").arg("-R").arg(request).arg(disk)).unwrap();
        let mut saved: Vec<PathBuf> = fs::read_dir(directory.join("crash"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        saved.sort();
        saved.pop().expect("kdump-utils saved something")
    }
}

impl Saved {
    fn vmcore(&self) -> PathBuf {
        self.directory.join("vmcore")
    }

    /// What our script saved of `/proc/vmcoredd`.
    fn vmcoredd(&self) -> PathBuf {
        let whole = self.directory.join("vmcoredd");
        output(
            Command::new("zstd")
                .args(["-q", "-d", "-f", "-o"])
                .args([&whole, &self.directory.join("vmcoredd.zst")]),
        )
        .unwrap();
        whole
    }

    /// What the module said in the crash kernel, by the log that kdump-utils saves.
    fn module_log(&self) -> Vec<String> {
        let log = fs::read(self.directory.join("kexec-dmesg.log")).unwrap();
        let log = String::from_utf8_lossy(&log);
        module_log(&log).into_iter().map(str::to_owned).collect()
    }

    /// What kdump-utils itself saves is whole: the memory, and the log of the kernel.
    fn check_plain(&self) {
        let dump = Dump::open(self.vmcore()).unwrap();
        assert!(dump.memory().size().unwrap() > 20 << 20);
        assert!(dump.vmcoreinfo().unwrap().is_some());
        let log = fs::read(self.directory.join("vmcore-dmesg.txt")).unwrap();
        assert!(String::from_utf8_lossy(&log).contains("sysrq: Trigger a crash"));
    }

    /// The file has what devices, a driver and collectors gave.
    fn has_ours(&self, file: &Path, adapter: &[u8]) {
        let found = names(file).unwrap();
        let ivshmem = found.iter().find(|name| name.starts_with("ivshmem_")).expect("its dump");
        assert!(payload(file, ivshmem).unwrap() == adapter, "{ivshmem}");
        for wanted in ["pci-config", "interrupts", "lspci", "dmesg-crash-kernel"] {
            assert!(!payload(file, wanted).unwrap().is_empty(), "{wanted}");
        }
        assert!(!found.iter().any(|name| name.starts_with("kernels")), "{found:?}");
        let command = vmtest::static_program("vmcoredd").unwrap();
        output(Command::new(command).arg("verify").arg(file)).unwrap();
    }
}

#[test]
#[ignore = "takes minutes, root, and kdump-utils: make test-kdump-utils"]
fn kdump_utils_saves_device_dumps() {
    let machine = Machine::new().unwrap();
    let adapter = fs::read(machine.directory.join("adapter.bin")).unwrap();

    // The kernel's own dumps are off, as kdump-utils has it.
    let off = machine.panic("off");
    assert!(off.said.contains("novmcoredd"), "{}", off.said);
    assert!(off.module_log()[0].starts_with(TAKES), "{:?}", off.module_log());
    assert!(off.said.contains("kdump.img has vmcoredd.ko and the command"), "{}", off.said);
    off.check_plain();
    off.has_ours(&off.vmcore(), &adapter);
    off.has_ours(&off.vmcoredd(), &adapter);

    let on = machine.panic("on");
    assert_ne!(off.directory.file_name(), on.directory.file_name(), "{}", on.console);
    let alone = "/proc/vmcore is left alone: this kernel adds device dumps itself";
    assert_eq!(on.module_log()[0], alone);
    on.check_plain();
    assert_eq!(names(&on.vmcore()).unwrap(), ["kernels0"]);
    on.has_ours(&on.vmcoredd(), &adapter);
}
