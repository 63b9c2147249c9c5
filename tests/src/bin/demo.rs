// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The main job, to watch: a stock kernel panics in a virtual machine, and the
//! vmcore that ordinary tools save has the registers of its devices and the memory of its
//! adapters. One of the devices has an error, which is found.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use system_tests::watched::{Steps, beside, described, show, show_found};
use system_tests::{Error, Modules, Result, make_adapter, names, payload, rearranged};
use vmtest::{Architecture, Kernel, PanicCycle, Series};

const ADAPTERS: [(&str, usize); 2] = [("adapter0.bin", 1 << 20), ("adapter1.bin", 4 << 20)];

/// An adapter below a port, of which an error is to be reported.
const DEVICES: [&str; 2] = [
    "pcie-root-port,id=port0,chassis=1",
    "virtio-rng-pci,id=broken,bus=port0,aer=on,disable-legacy=on",
];
/// The error, a packet that breaks the rules, with its header.
const ERROR: &str = "pcie_aer_inject_error broken MALF_TLP 0x1 0x2 0x3 0x4";
/// The kernel that dies would clear the error, where it is told of it.
const BEFORE_PANIC: &str = "
    for service in /sys/bus/pci_express/drivers/aer/*:pcie002; do
        echo ${service##*/} >/sys/bus/pci_express/drivers/aer/unbind
    done
    pause error
";
/// What keeps the crash kernel from clearing it: `vmcoredd doctor --fix` gives these.
const KEEPS: &str = "mce=off hest_disable pci=noaer";
/// How many lines of what the dumps mean are shown.
const EXPLAINED: usize = 12;

/// What the crash kernel does; its stages are shown.
const SCRIPT: &str = "
    echo '@@ loading vmcoredd, which reads the devices'
    insmod /modules/vmcoredd.ko
    VMCOREDD collect --only-devices
    echo '@@ loading the drivers'
    insmod /modules/edu.ko
    insmod /modules/ivshmem.ko
";
const SAVING: &str = "
    echo '@@ makedumpfile saves an ELF vmcore'
    makedumpfile -E -d 31 -F /proc/vmcore >/ports/vmcore
    echo '@@ makedumpfile saves a compressed one'
    makedumpfile -c -d 31 -F /proc/vmcore >/ports/vmcore.kdump
";
/// The same where makedumpfile may be too old for the kernel, as it is for all of arm64 whose
/// virtual addresses have up to 52 bits.
const SAVING_SOMEHOW: &str = "
    echo '@@ makedumpfile saves an ELF vmcore'
    if makedumpfile -E -d 31 -F /proc/vmcore >/ports/vmcore; then
        echo '@@ makedumpfile saves a compressed one'
        makedumpfile -c -d 31 -F /proc/vmcore >/ports/vmcore.kdump
    else
        echo '@@ it does not know this kernel: cat saves the vmcore'
        cat /proc/vmcore >/ports/vmcore
    fi
";

fn main() -> ExitCode {
    let steps = Steps::new();
    match demonstrate(&steps) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            steps.end("failed");
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate(steps: &Arc<Steps>) -> Result<()> {
    let directory = vmtest::target_dir().join("demo");
    let adapters = ADAPTERS.map(|(name, _)| directory.join(name));

    steps.begin("fetching Debian's 6.12 kernel");
    let kernel = Kernel::fetch(Series::V6_12)?;
    steps.begin(&format!("building vmcoredd.ko for {}", kernel.release()));
    let modules = Modules::build(&kernel)?;
    for (seed, (path, (_, size))) in adapters.iter().zip(ADAPTERS).enumerate() {
        make_adapter(path, size, seed as u64 + 1)?;
    }

    let shown = Arc::clone(steps);
    let vm = PanicCycle::new(&kernel, "demo").crashkernel_mib(160).edu();
    let vm = adapters.iter().fold(modules.add_to(vm), |vm, adapter| vm.ivshmem(adapter));
    let vm = DEVICES.iter().fold(vm, |vm, device| vm.qemu_arg("-device").qemu_arg(device));
    let vmcoredd = beside("vmcoredd")?;
    let (inside, saving) = if kernel.architecture() == Architecture::X86_64 {
        (vmcoredd.clone(), SAVING)
    } else {
        (vmtest::static_program("vmcoredd")?, SAVING_SOMEHOW)
    };
    let script = format!("{SCRIPT}{saving}").replace("VMCOREDD", &inside.display().to_string());
    let run = vm
        .before_panic(BEFORE_PANIC)
        .at_pause("error", |monitor| monitor.command(ERROR).map(|_| ()))
        .crash_append(KEEPS)
        .program("/usr/bin/makedumpfile")
        .program(&inside)
        .crash_script(&script)
        .port("vmcore")
        .port("vmcore.kdump")
        .on_stage(move |stage| shown.begin(described(stage)))
        .run()?;
    let vmcore = rearranged(run.port("vmcore"), &directory)?;
    let compressed = run.port("vmcore.kdump");
    if fs::metadata(compressed).is_ok_and(|metadata| metadata.len() > 0) {
        rearranged(compressed, &directory)?;
    }
    steps.end("done");

    show(Command::new("readelf").arg("-n"), &vmcore)?;
    show(Command::new(&vmcoredd).arg("list"), &vmcore)?;
    show_found(Command::new(&vmcoredd).arg("explain"), &vmcore, EXPLAINED)?;
    compare(&vmcore, &adapters)
}

fn compare(vmcore: &Path, adapters: &[PathBuf]) -> Result<()> {
    let dumps: Vec<String> =
        names(vmcore)?.into_iter().filter(|name| name.starts_with("ivshmem_")).collect();
    if dumps.len() != adapters.len() {
        let found = dumps.len();
        return Err(Error::Different(format!(
            "{found} adapters in the vmcore, not {}",
            adapters.len()
        )));
    }
    for (name, adapter) in dumps.iter().zip(adapters) {
        let memory =
            fs::read(adapter).map_err(|error| Error::File { path: adapter.clone(), error })?;
        if payload(vmcore, name)? != memory {
            let adapter = adapter.display();
            return Err(Error::Different(format!("{name} is not the memory of {adapter}")));
        }
    }
    println!("\nThe device dumps equal the adapters' memory, byte for byte.");
    Ok(())
}
