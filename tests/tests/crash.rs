// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `crash` reads our vmcores: on 6.1, for which Debian 12's is made.
//!
//! Needs the kernel's debug symbols, a large download: `make test-crash`.

use std::fs;
use std::process::Command;

use system_tests::{Modules, make_adapter, output, rearranged};
use vmtest::{Kernel, PanicCycle, Series};

#[test]
#[ignore = "downloads 300 MB: make test-crash"]
fn crash_lists_and_extracts_the_dumps() {
    let kernel = Kernel::fetch(Series::V6_1).unwrap();
    let vmlinux = kernel.vmlinux().unwrap();
    let modules = Modules::build(&kernel).unwrap();
    let directory = vmtest::target_dir().join("tools").join("crash");
    let adapter = directory.join("adapter.bin");
    make_adapter(&adapter, 1 << 20, 5).unwrap();
    let vm = PanicCycle::new(&kernel, "crash").crashkernel_mib(192).edu().ivshmem(&adapter);
    let run = modules
        .add_to(vm)
        .program("/usr/bin/makedumpfile")
        .crash_script(
            "insmod /modules/vmcoredd.ko
             insmod /modules/edu.ko
             insmod /modules/ivshmem.ko
             makedumpfile -c -d 31 -F /proc/vmcore >/ports/kdump
             makedumpfile -E -d 31 -F /proc/vmcore >/ports/elf",
        )
        .port("kdump")
        .port("elf")
        .run()
        .unwrap();
    for port in ["kdump", "elf"] {
        let dump = rearranged(run.port(port), &directory).unwrap();
        let extracted = directory.join("extracted");
        let _ = fs::remove_file(&extracted);
        let commands = directory.join("commands");
        let text = format!("dev -V\ndev -v 1 {}\nsys\nbt\nquit\n", extracted.display());
        fs::write(&commands, text).unwrap();
        let said = output(
            Command::new("crash").args(["-s", "-i"]).arg(&commands).arg(&vmlinux).arg(&dump),
        )
        .unwrap();
        assert!(said.contains("edu_0000:00:"), "{port}: {said}");
        assert!(said.contains("ivshmem_0000:00:"), "{port}: {said}");
        assert!(
            said.contains("PANIC: \"Kernel panic - not syncing: sysrq triggered crash\""),
            "{said}"
        );
        assert!(said.contains("sysrq_handle_crash"), "{port}: {said}");
        assert!(fs::read(&extracted).unwrap() == fs::read(&adapter).unwrap(), "{port}: {said}");
    }
}
