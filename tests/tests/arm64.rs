// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A vmcore of an arm64 kernel can be saved, by whatever knows that kernel: `make test-arm64`.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use kdumpfile::{Dump, Kind};
use system_tests::registers::{self, BAR};
use system_tests::{Modules, make_adapter, names, payload, rearranged};
use vmtest::{Architecture, Kernel, PanicCycle, Series};

const ADAPTER_SIZE: usize = 1 << 20;

/// A drive's controller and a network adapter, which no driver of this kernel has.
const DEVICES: [&str; 2] = ["nvme,serial=1", "e1000e"];
/// Lets all devices decode memory, as a driver would.
const BEFORE_PANIC: &str = "
    for device in /sys/bus/pci/devices/*; do
        [ -e $device/driver ] || echo 1 >$device/enable
    done
";

const SCRIPT: &str = "
    insmod /modules/vmcoredd.ko
    vmcoredd collect --only-devices
    insmod /modules/edu.ko
    insmod /modules/ivshmem.ko
    echo '@@ saving'
    makedumpfile -E -d 31 -F /proc/vmcore >/ports/elf 2>/ports/said || true
    cp /proc/vmcore /ports/raw
    zstd -q -c -T1 </proc/vmcoredd >/ports/stream
";

/// What makedumpfile says of a kernel that is built for virtual addresses of 52 bits, with or
/// without us, up to version 1.7.8.
const CANNOT: &str = "VA Bits 52 not supported";

#[test]
#[ignore = "make test-arm64 chooses the architecture"]
fn what_saves_it_has_the_dumps() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    assert_ne!(kernel.architecture(), Architecture::X86_64, "VMTEST_ARCH=arm64 is needed");
    let modules = Modules::build(&kernel).unwrap();
    let directory = vmtest::target_dir().join("arm64");
    let adapter = directory.join("adapter.bin");
    make_adapter(&adapter, ADAPTER_SIZE, 5).unwrap();
    let vm = PanicCycle::new(&kernel, "arm64").edu().ivshmem(&adapter);
    let vm = ["elf", "said", "raw", "stream"].into_iter().fold(vm, |vm, port| vm.port(port));
    let vm = DEVICES.into_iter().fold(vm, |vm, device| vm.qemu_arg("-device").qemu_arg(device));
    let run = modules
        .add_to(vm)
        .before_panic(BEFORE_PANIC)
        .file(vmtest::static_program("vmcoredd").unwrap(), "/bin/vmcoredd")
        .program("/usr/bin/makedumpfile")
        .program("/usr/bin/zstd")
        .crash_script(SCRIPT)
        .run()
        .unwrap();
    let adapter = fs::read(adapter).unwrap();
    let has_the_dumps = |path: &Path| {
        let found = names(path).unwrap();
        let name = found.iter().find(|name| name.starts_with("ivshmem_0000:00:")).unwrap();
        assert!(payload(path, name).unwrap() == adapter, "{}", path.display());
        assert!(!found.iter().any(|name| name.starts_with("mca_")), "{found:?}");
        let regs = found.iter().filter(|name| name.starts_with("regs_"));
        let read: Vec<_> = regs
            .map(|name| registers::one(&payload(path, name).unwrap()).unwrap())
            .map(|device| (device.profile.clone(), device))
            .collect();
        let of = |profile: &str| {
            let found = read.iter().find(|(name, _)| name == profile);
            &found.unwrap_or_else(|| panic!("{profile}: {found:?} {read:x?}")).1
        };
        // NVMe's version 1.4, and that of QEMU's e1000e: its link is up, in full duplex.
        assert_eq!(of("nvme").register(BAR, 0, 8, 4), 0x1_0400);
        assert_eq!(of("e1000e").register(BAR, 0, 8, 4) & 3, 3);
        let all = registers::read(&payload(path, "pci-config").unwrap()).unwrap();
        assert!(all.len() >= 5, "{all:x?}");
    };

    let said = fs::read_to_string(run.port("said")).unwrap();
    if said.contains(CANNOT) {
        println!("makedumpfile does not know this kernel: {CANNOT}");
    } else {
        // The day that it works, this is what is to be relied on.
        println!("makedumpfile knows this kernel");
        has_the_dumps(&rearranged(run.port("elf"), &directory).unwrap());
    }

    has_the_dumps(run.port("raw"));
    let dump = Dump::open(run.port("raw")).unwrap();
    assert_eq!(dump.format().kind, Kind::Elf);
    assert_eq!(dump.machine().as_deref(), Some(&b"aarch64"[..]));
    // By virtual addresses, which the program headers have.
    let log = dump.memory().kernel_log().unwrap();
    let says = |record: &kdumpfile::LogRecord| record.text.ends_with(b"sysrq triggered crash");
    assert!(log.records.iter().any(says), "{} records", log.records.len());

    let stream = directory.join("vmcoredd");
    let mut zstd = Command::new("zstd");
    zstd.args(["-q", "-d", "-c"]).stdin(File::open(run.port("stream")).unwrap());
    zstd.stdout(File::create(&stream).unwrap());
    assert!(zstd.status().unwrap().success());
    has_the_dumps(&stream);
}
