// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `crash` reads our vmcores: on 6.1, for which Debian 12's is made.
//!
//! Needs the kernel's debug symbols, a large download: `make test-crash`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use kdumpfile::{Dump, Name, NewDump, NewPayload};
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
    let adapter = fs::read(&adapter).unwrap();
    for port in ["kdump", "elf"] {
        let dump = rearranged(run.port(port), &directory).unwrap();
        let crash = |commands: &str| {
            let list = directory.join("commands");
            fs::write(&list, format!("{commands}\nquit\n")).unwrap();
            output(Command::new("crash").args(["-s", "-i"]).arg(&list).arg(&vmlinux).arg(&dump))
        };
        let extracted = directory.join("extracted");
        let extract = format!("dev -V\ndev -v 1 {}", extracted.display());
        let _ = fs::remove_file(&extracted);
        let said = crash(&format!("{extract}\nsys\nbt")).unwrap();
        assert!(said.contains("edu_0000:00:"), "{port}: {said}");
        assert!(said.contains("ivshmem_0000:00:"), "{port}: {said}");
        assert!(
            said.contains("PANIC: \"Kernel panic - not syncing: sysrq triggered crash\""),
            "{said}"
        );
        assert!(said.contains("sysrq_handle_crash"), "{port}: {said}");
        assert!(fs::read(&extracted).unwrap() == adapter, "{port}: {said}");

        // What is attached afterwards is there as well, and all else as before.
        let late = make_late(&directory);
        attach(&dump, &late);
        fs::remove_file(&extracted).unwrap();
        let late_extracted = directory.join("extracted-late");
        let _ = fs::remove_file(&late_extracted);
        let said = crash(&format!("{extract}\ndev -v 2 {}\nbt", late_extracted.display())).unwrap();
        assert!(said.contains("late0"), "{port}: {said}");
        assert!(said.contains("sysrq_handle_crash"), "{port}: {said}");
        assert!(fs::read(&extracted).unwrap() == adapter, "{port}: {said}");
        assert!(fs::read(&late_extracted).unwrap() == fs::read(&late).unwrap(), "{port}: {said}");
    }
}

fn make_late(directory: &Path) -> PathBuf {
    let path = directory.join("late.bin");
    make_adapter(&path, 100_000, 6).unwrap();
    path
}

/// Adds the file `late` to `path`.
fn attach(path: &Path, late: &Path) {
    let dump = Dump::open(path).unwrap();
    let copy = path.with_extension("attached");
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&copy);
    let payload = NewPayload::File(File::open(late).unwrap());
    let new = NewDump { name: Name::new(b"late0").unwrap(), payload };
    dump.attach_to_copy(&file.unwrap(), vec![new], |_| {}).unwrap();
    fs::rename(&copy, path).unwrap();
}
