// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The main job, to watch: a stock kernel panics in a virtual machine, and the
//! vmcore that ordinary tools save has the memory of its adapters.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use system_tests::watched::{Steps, beside, described, show};
use system_tests::{Error, Modules, Result, make_adapter, names, payload, rearranged};
use vmtest::{Kernel, PanicCycle, Series};

const ADAPTERS: [(&str, usize); 2] = [("adapter0.bin", 1 << 20), ("adapter1.bin", 4 << 20)];

/// What the crash kernel does; its stages are shown.
const SCRIPT: &str = "
    echo '@@ loading vmcoredd and the drivers'
    insmod /modules/vmcoredd.ko
    insmod /modules/edu.ko
    insmod /modules/ivshmem.ko
    echo '@@ makedumpfile saves an ELF vmcore'
    makedumpfile -E -d 31 -F /proc/vmcore >/ports/vmcore
    echo '@@ makedumpfile saves a compressed one'
    makedumpfile -c -d 31 -F /proc/vmcore >/ports/vmcore.kdump
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
    let run = vm
        .program("/usr/bin/makedumpfile")
        .crash_script(SCRIPT)
        .port("vmcore")
        .port("vmcore.kdump")
        .on_stage(move |stage| shown.begin(described(stage)))
        .run()?;
    let vmcore = rearranged(run.port("vmcore"), &directory)?;
    rearranged(run.port("vmcore.kdump"), &directory)?;
    steps.end("done");

    show(Command::new("readelf").arg("-n"), &vmcore)?;
    show(Command::new(beside("vmcoredd")?).arg("list"), &vmcore)?;
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
