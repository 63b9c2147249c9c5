// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! For authors of drivers: a stock kernel panics in a virtual machine that has their
//! device, the crash kernel loads vmcoredd.ko and their driver, and the vmcore is
//! saved.
#![forbid(unsafe_code)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use clap::Parser;
use system_tests::watched::{Steps, beside, described, show};
use system_tests::{Error, Modules, Result, module_log, rearranged};
use vmtest::{Kernel, PanicCycle, Series};

/// Panics a kernel, and saves what drivers dump of their devices
#[derive(Debug, Parser)]
struct Arguments {
    /// The modules, in the order in which the crash kernel loads them
    #[arg(required = true)]
    modules: Vec<PathBuf>,
    /// A device, as for qemu-system-x86_64 -device
    #[arg(long = "device")]
    devices: Vec<String>,
    /// The series of the kernel, such as 6.12, 6.1, trixie-rt or backports
    #[arg(long, default_value = "6.12")]
    series: Series,
}

fn main() -> ExitCode {
    let steps = Steps::new();
    match try_driver(&Arguments::parse(), &steps) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            steps.end("failed");
            eprintln!("try_driver: {error}");
            ExitCode::FAILURE
        }
    }
}

fn try_driver(arguments: &Arguments, steps: &Arc<Steps>) -> Result<()> {
    for module in &arguments.modules {
        fs::metadata(module).map_err(|error| Error::File { path: module.clone(), error })?;
    }
    steps.begin(&format!("building vmcoredd.ko for Debian's {}", arguments.series));
    let kernel = Kernel::fetch(arguments.series)?;
    let modules = Modules::build(&kernel)?;

    let mut script = "insmod /modules/vmcoredd.ko\n".to_owned();
    let mut vm = PanicCycle::new(&kernel, "try").crashkernel_mib(160);
    vm = vm.file(modules.vmcoredd(), "/modules/vmcoredd.ko");
    for device in &arguments.devices {
        vm = vm.qemu_arg("-device").qemu_arg(device);
    }
    for (index, module) in arguments.modules.iter().enumerate() {
        // A driver that leaves its device to others is as good as one that keeps it.
        script += &format!("insmod /modules/{index}.ko || echo '@@ insmod failed'\n");
        vm = vm.file(module, &format!("/modules/{index}.ko"));
    }
    script += "makedumpfile -E -d 31 -F /proc/vmcore >/ports/vmcore\n";
    let shown = Arc::clone(steps);
    let run = vm
        .program("/usr/bin/makedumpfile")
        .crash_script(&script)
        .port("vmcore")
        .on_stage(move |stage| shown.begin(described(stage)))
        .run()?;
    let directory = vmtest::target_dir().join("try");
    fs::create_dir_all(&directory)
        .map_err(|error| Error::File { path: directory.clone(), error })?;
    let vmcore = rearranged(run.port("vmcore"), &directory)?;
    steps.end("done");

    println!("\n$ dmesg | grep vmcoredd:");
    for line in module_log(run.dmesg()) {
        println!("{line}");
    }
    show(Command::new(beside("vmcoredd")?).arg("list"), &vmcore)?;
    println!("\nThe console of both kernels is in {}", run.console_path().display());
    Ok(())
}
