// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Kernels that have device dumps of their own, as those of RHEL, Fedora, Ubuntu and SUSE.
//! Where theirs are switched off, ours take their place; where they are on, the kernel's
//! `/proc/vmcore` is left alone, and ours are beside it.
//!
//! Debian has no such kernel, so the tests build one, and another with KASAN: `make
//! test-own-dumps`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use system_tests::crash_header::{Load, OLD, OLD_SIZE, boot_with_header, core_header};
use system_tests::{
    Modules, Result, TAKES, fault, make_adapter, module_log, names, names_before_memory, own_dumps,
    payload, rearranged, root,
};
use vmtest::{Boot, Kernel, KexecCall, PanicCycle, Run};

const LEFT_ALONE: &str = "/proc/vmcore is left alone: this kernel adds device dumps itself";
/// What a driver logs that the kernel's own function has refused.
const REFUSED: &str = "adapters: kernels0: -22";
const ADAPTER_SIZE: usize = 1 << 20;
/// The first boot of a kernel with KASAN takes a minute.
const LIMIT: Duration = Duration::from_secs(400);

/// What the initramfs of a crash kernel runs: devices by their profiles, a driver of each
/// API, a collector. `adapters` calls the kernel's own function, and then ours.
const RUN: &str = "
    vmtest-guest digest /proc/vmcore >/ports/before
    modules=/lib/modules/$(uname -r)
    mkdir -p $modules /etc/vmcoredd/collect.d /etc/modprobe.d /run
    cp /modules/*.ko $modules
    depmod
    echo 'options adapters size=1000 name=kernels' >/etc/modprobe.d/adapters.conf
    printf '%s\\n' adapters ivshmem >/etc/vmcoredd/modules
    printf '#!/bin/sh\\necho collected\\n' >/etc/vmcoredd/collect.d/collected
    chmod +x /etc/vmcoredd/collect.d/collected
    sh /bin/crash-kernel
    rmmod adapters
    insmod /our-name/adapters.ko size=1000 name=ours
    rmmod adapters
    vmtest-guest digest /proc/vmcore >/ports/after
    vmtest-guest agree /proc/vmcore --random 1500 --seed 3
    cat /proc/vmcoredd >/ports/vmcoredd
    makedumpfile -l -d 31 -F /proc/vmcore >/ports/vmcore
";

/// Has the kernel panic, and runs `script` after [`RUN`] in the crash kernel.
fn panic(kernel: &Kernel, name: &str, append: &str, call: KexecCall, script: &str) -> Result<Run> {
    let modules = Modules::build(kernel)?;
    let mut vm = PanicCycle::new(kernel, name)
        .memory_mib(1024)
        .crashkernel_mib(448)
        .kexec_call(call)
        .crash_append(append)
        .time_limit(LIMIT)
        .ivshmem(adapter(name)?)
        .file(modules.vmcoredd(), "/modules/vmcoredd.ko")
        .file(modules.driver("ivshmem"), "/modules/ivshmem.ko")
        .file(modules.test_module("adapters")?, "/modules/adapters.ko")
        .file(modules.test_module_by_our_name("adapters")?, "/our-name/adapters.ko")
        .file(root().join("packaging/kdump/crash-kernel"), "/bin/crash-kernel")
        .file(root().join("packaging/kdump/kdump-post"), "/bin/kdump-post")
        .file(vmtest::static_program("vmcoredd")?, "/bin/vmcoredd")
        .file(vmtest::guest_program()?, "/bin/vmtest-guest")
        .program("/usr/bin/makedumpfile")
        .program("/usr/bin/zstd");
    for port in ["before", "after", "vmcoredd", "vmcore", "vmcore-start", "saved"] {
        vm = vm.port(port);
    }
    Ok(vm.crash_script(&format!("{RUN}{script}")).run()?)
}

/// The memory of the adapter of the machine `name`.
fn adapter(name: &str) -> Result<PathBuf> {
    let path = vmtest::target_dir().join("adapters").join(name).join("adapter.bin");
    make_adapter(&path, ADAPTER_SIZE, 1)?;
    Ok(path)
}

fn memory_is_as_it_was(run: &Run) {
    let digest = |port| fs::read_to_string(run.port(port)).unwrap();
    assert!(digest("before").lines().count() >= 3, "{}", run.console());
    assert_eq!(digest("before"), digest("after"));
    assert!(run.console().contains("agree: ok"), "{}", run.console());
    assert_eq!(fault(run.dmesg()), None);
}

/// Checks that `file` has the dumps of ours, and not what the kernel was given.
fn has_ours(file: &Path, machine: &str) {
    let found = names(file).unwrap();
    let is_there = |wanted: &str| found.iter().any(|name| name.starts_with(wanted));
    for wanted in ["pci-config", "ivshmem_0000:00:", "collected", "dmesg-crash-kernel", "ours0"] {
        assert!(is_there(wanted), "{wanted}: {found:?}");
    }
    assert!(!is_there("kernels0"), "{found:?}");
    let memory = found.iter().find(|name| name.starts_with("ivshmem_")).unwrap();
    let expected = fs::read(adapter(machine).unwrap()).unwrap();
    assert!(payload(file, memory).unwrap() == expected, "{memory}");
    assert_eq!(payload(file, "ours0").unwrap().len(), 1000);
}

/// The file of what makedumpfile wrote.
fn saved_by_makedumpfile(run: &Run) -> PathBuf {
    let directory = run.port("vmcore").with_file_name("saved-vmcore");
    fs::create_dir_all(&directory).unwrap();
    rearranged(run.port("vmcore"), &directory).unwrap()
}

fn switched_off_it_is_taken_over(kernel: &Kernel, name: &str, call: KexecCall) {
    let run = panic(kernel, name, "novmcoredd", call, "fails rmmod vmcoredd").unwrap();
    memory_is_as_it_was(&run);
    assert!(module_log(run.dmesg())[0].starts_with(TAKES), "{}", run.dmesg());
    assert!(run.dmesg().contains(REFUSED), "{}", run.dmesg());
    has_ours(run.port("vmcoredd"), name);
    has_ours(&saved_by_makedumpfile(&run), name);
}

/// What kdump of RHEL does once it has saved `/proc/vmcore`, with an older crash beside;
/// once without zstd. Then another dump of the kernel's own comes, and the module goes.
const BESIDE: &str = "
    dd if=/proc/vmcore bs=4096 count=3 of=/ports/vmcore-start

    mkdir /saved
    mount -t tmpfs saved /saved
    printf '%s\\n' '# path /tmp' 'path /crashes' >/etc/kdump.conf
    mkdir -p /saved/crashes/127.0.0.1-2020-01-01-00:00:00 /saved/crashes/other
    fails sh /bin/kdump-post 0
    directory=/saved/crashes/127.0.0.1-$(date +%Y-%m-%d-%T)
    mkdir $directory
    PATH=/sbin:/bin sh /bin/kdump-post 0
    sh /bin/kdump-post 0
    (cd /saved/crashes && find . -type f) | sed 's/.*-//' | sort >/ports/saved
    cat /proc/vmcoredd | cmp - $directory/vmcoredd
    zstd -q -d -c $directory/vmcoredd.zst | cmp - $directory/vmcoredd

    insmod /modules/adapters.ko size=1000 name=again
    rmmod adapters
    rmmod ivshmem
    rmmod vmcoredd
    [ ! -e /proc/vmcoredd ] && [ ! -e /dev/vmcoredd ]
    vmtest-guest digest /proc/vmcore | cmp - /tmp/after
    insmod /modules/vmcoredd.ko
    [ -e /proc/vmcoredd ]
";

fn switched_on_it_is_left_alone(kernel: &Kernel, name: &str) {
    // A port cannot be read again.
    let script = format!("vmtest-guest digest /proc/vmcore >/tmp/after\n{BESIDE}");
    let run = panic(kernel, name, "", KexecCall::FileLoad, &script).unwrap();
    memory_is_as_it_was(&run);
    let said = module_log(run.dmesg());
    assert_eq!(said[0], LEFT_ALONE);
    assert_eq!(said.iter().filter(|line| **line == LEFT_ALONE).count(), 2, "{said:?}");
    assert!(!run.dmesg().contains(REFUSED), "{}", run.dmesg());
    has_ours(run.port("vmcoredd"), name);
    // It comes after the dumps of the kernel's own.
    let info = kdumpfile::Dump::open(run.port("vmcoredd")).unwrap().vmcoreinfo().unwrap();
    assert!(info.is_some_and(|info| info.number("CRASHTIME").is_some()));
    assert_eq!(names_before_memory(run.port("vmcore-start")).unwrap(), ["kernels0"]);
    assert_eq!(names(&saved_by_makedumpfile(&run)).unwrap(), ["kernels0"]);
    let time = |line: &str| line.split_once('/').unwrap().1.to_owned();
    let files = fs::read_to_string(run.port("saved")).unwrap();
    assert_eq!(files.lines().map(time).collect::<Vec<_>>(), ["vmcoredd", "vmcoredd.zst"]);
}

/// A crash kernel that follows no panic, with these words on its command line; the module
/// has these parameters.
fn boot(kernel: &Kernel, name: &str, append: &str, parameters: &str) -> Result<Run> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let header = core_header(&[Load::new(OLD, 1 << 20)]);
    let modules = Modules::build(kernel)?;
    let vm = boot_with_header(kernel, name, &directory, &header)?
        .append(&format!("memmap={OLD_SIZE:#x}${OLD:#x}"))
        .append(append)
        .file(modules.vmcoredd(), "/modules/vmcoredd.ko")
        .file(modules.test_module("adapters")?, "/modules/adapters.ko")
        .script(&format!(
            "insmod /modules/vmcoredd.ko {parameters}
             insmod /modules/adapters.ko size=1000 name=kernels"
        ));
    Ok(vm.run()?)
}

fn with() -> Kernel {
    own_dumps::kernel_for_kexec_load(|_| {}).unwrap()
}

#[test]
#[ignore = "builds a kernel: make test-own-dumps"]
fn switched_off_and_loaded_by_kexec_file_load() {
    switched_off_it_is_taken_over(&with(), "own-dumps-off", KexecCall::FileLoad);
}

#[test]
#[ignore = "builds a kernel: make test-own-dumps"]
fn switched_off_and_loaded_by_kexec_load() {
    switched_off_it_is_taken_over(&with(), "own-dumps-off-load", KexecCall::Load);
}

#[test]
#[ignore = "builds a kernel: make test-own-dumps"]
fn switched_on() {
    switched_on_it_is_left_alone(&with(), "own-dumps-on");
}

/// With the kernel's own dumps on, to take its file over would be a use after free.
#[test]
#[ignore = "builds a kernel: make test-own-dumps"]
fn kasan_finds_nothing() {
    let kernel = own_dumps::kernel_with_kasan(|_| {}).unwrap();
    switched_off_it_is_taken_over(&kernel, "own-dumps-off-kasan", KexecCall::FileLoad);
    switched_on_it_is_left_alone(&kernel, "own-dumps-on-kasan");
}

/// Whatever is on the command line, what we take the kernel to do is what it does.
#[test]
#[ignore = "builds a kernel: make test-own-dumps"]
fn the_kernel_is_asked() {
    let kernel = with();
    for (number, (append, is_on)) in [
        ("", true),
        ("novmcoredd", false),
        ("novmcoredd=n", true),
        ("novmcoredd=\"1\"", false),
        ("-- novmcoredd", true),
    ]
    .into_iter()
    .enumerate()
    {
        let run = boot(&kernel, &format!("own-dumps-{number}"), append, "").unwrap();
        let said = module_log(run.dmesg());
        let starts = if is_on { LEFT_ALONE } else { TAKES };
        assert!(said[0].starts_with(starts), "{append}: {}", run.dmesg());
        assert_eq!(run.dmesg().contains(REFUSED), !is_on, "{append}: {}", run.dmesg());
        assert_eq!(fault(run.dmesg()), None);
    }
}

/// VMCOREINFO says which crash our dumps are of; in the kernel's file, it comes after theirs.
#[test]
#[ignore = "builds a kernel: make test-own-dumps"]
fn vmcoreinfo_is_found_after_the_kernels_own_dumps() {
    let kernel = with();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("own-dumps-vmcoreinfo");
    let header = core_header(&[Load::new(OLD, 1 << 20)]);
    let modules = Modules::build(&kernel).unwrap();
    let run = boot_with_header(&kernel, "own-dumps-vmcoreinfo", &directory, &header)
        .unwrap()
        .append(&format!("memmap={OLD_SIZE:#x}${OLD:#x}"))
        .file(modules.vmcoredd(), "/modules/vmcoredd.ko")
        .file(modules.test_module("adapters").unwrap(), "/modules/adapters.ko")
        .port("vmcoredd")
        .port("vmcore-start")
        .script(
            "insmod /modules/adapters.ko size=1000 name=kernels
             insmod /modules/vmcoredd.ko
             dd if=/proc/vmcore bs=4096 count=3 of=/ports/vmcore-start
             cat /proc/vmcoredd >/ports/vmcoredd",
        )
        .run()
        .unwrap();
    assert_eq!(module_log(run.dmesg())[0], LEFT_ALONE);
    assert_eq!(fault(run.dmesg()), None);
    assert_eq!(names_before_memory(run.port("vmcore-start")).unwrap(), ["kernels0"]);
    let info = kdumpfile::Dump::open(run.port("vmcoredd")).unwrap().vmcoreinfo().unwrap();
    assert_eq!(info.expect("VMCOREINFO").text(), b"OSRELEASE=made-up\n");
}

/// `novmcoredd` is the kernel's there, so there is a parameter of our own.
#[test]
#[ignore = "builds a kernel: make test-own-dumps"]
fn our_own_parameter_switches_ours_off() {
    let run = boot(&with(), "own-dumps-ours-off", "novmcoredd", "off=1").unwrap();
    assert_eq!(module_log(run.dmesg())[0], "/proc/vmcore is left alone: vmcoredd.off is set");
    assert_eq!(fault(run.dmesg()), None);
}

#[test]
#[ignore = "builds a kernel: make test-own-dumps"]
fn a_running_system_dumps_as_on_any_kernel() {
    let kernel = with();
    let modules = Modules::build(&kernel).unwrap();
    let adapters = modules.test_module_by_our_name("adapters").unwrap();
    let run = Boot::new(&kernel, "own-dumps-live")
        .append("novmcoredd")
        .file(modules.vmcoredd(), "/modules/vmcoredd.ko")
        .file(adapters, "/modules/adapters.ko")
        .port("vmcoredd")
        .script(
            "insmod /modules/vmcoredd.ko live=1
             insmod /modules/adapters.ko size=1000 name=ours
             cat /proc/vmcoredd >/ports/vmcoredd
             rmmod adapters
             rmmod vmcoredd",
        )
        .run()
        .unwrap();
    let said = module_log(run.dmesg());
    assert_eq!(said[0], "/proc/vmcore is left alone: this is not a crash kernel");
    assert_eq!(names(run.port("vmcoredd")).unwrap(), ["ours0"]);
    assert_eq!(fault(run.dmesg()), None);
}
