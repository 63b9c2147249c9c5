// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where there is no vmcore to replace, the module goes when nobody uses it any
//! more, not earlier, and takes all that it brought with it.

use std::fs;

use system_tests::{Modules, OnEachKernel, Result, fault, module_log, names};
use vmtest::{Boot, Kernel, Run, Series};

const SCRIPT: &str = "
    insmod /modules/vmcoredd.ko
    [ ! -e /proc/vmcore ]
    vmtest-guest agree /proc/vmcoredd
    vmtest-guest refuse /proc/vmcoredd
    cat /proc/vmcoredd >/ports/empty
    cat /proc/vmcoredd >/tmp/empty

    echo '@@ unloading'
    exec 3</proc/vmcoredd
    fails rmmod vmcoredd
    cmp - /tmp/empty <&3
    exec 3<&-
    rmmod vmcoredd
    [ ! -e /proc/vmcoredd ]

    echo '@@ unloading what a driver uses'
    insmod /modules/vmcoredd.ko
    insmod /modules/misuse.ko
    fails rmmod vmcoredd
    rmmod misuse
    fails cmp -s /proc/vmcoredd /tmp/empty
    rmmod vmcoredd
    insmod /modules/vmcoredd.ko
    cmp /proc/vmcoredd /tmp/empty
    rmmod vmcoredd

    echo '@@ unloading over and over'
    used() {
        awk '/^(Slab|VmallocUsed):/ { used += $2 } END { print used }' /proc/meminfo
    }
    cycle() {
        insmod /modules/vmcoredd.ko
        insmod /modules/misuse.ko
        rmmod misuse
        rmmod vmcoredd
    }
    dmesg -n 1
    cycle
    used >/ports/used
    for cycle in 1 2 3 4 5 6 7 8; do
        cycle
    done
    used >/ports/used

    echo '@@ unloading under a reader'
    until [ -e /tmp/done ]; do
        if cat /proc/vmcoredd >/tmp/read 2>/tmp/error; then
            cmp /tmp/read /tmp/empty || touch /tmp/different
            touch /tmp/reader
        fi
    done &
    for cycle in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        insmod /modules/vmcoredd.ko
        rm -f /tmp/reader
        until [ -e /tmp/reader ]; do
            usleep 1000
        done
        until rmmod vmcoredd 2>/dev/null; do
            usleep 1000
        done
    done
    touch /tmp/done
    wait $!
    [ ! -e /tmp/different ]
";

fn boot(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch(series)?;
    let modules = Modules::build(&kernel)?;
    let vm = Boot::new(&kernel, &format!("unload-{series}")).smp(2);
    let vm = modules
        .add_to(vm)
        .file(modules.test_module("misuse")?, "/modules/misuse.ko")
        .file(vmtest::guest_program()?, "/bin/vmtest-guest")
        .port("empty")
        .port("used");
    Ok(vm.script(SCRIPT).run()?)
}

static RUN: OnEachKernel<Run> = OnEachKernel::new(boot);

fn says_why_and_serves_a_file_without_dumps(series: Series) {
    let run = RUN.get(series);
    let console = run.console();
    let reason = "vmcoredd: /proc/vmcore is left alone: this is not a crash kernel";
    assert!(console.contains(reason), "{console}");
    assert!(console.contains("agree: ok") && console.contains("refuse: ok"), "{console}");
    assert!(names(run.port("empty")).unwrap().is_empty());
    let file = fs::read(run.port("empty")).unwrap();
    assert_eq!(file.len(), 4096);
    assert_eq!(file[..6], *b"\x7fELF\x02\x01");
    assert_eq!((file[16], file[18]), (4, 62), "a core file of x86-64");
    assert_eq!((file[56], file[64]), (1, 4), "one PT_NOTE");
    assert!(file[96..104].iter().all(|byte| *byte == 0), "nothing in it");
}

fn goes_only_when_nobody_uses_it(series: Series) {
    let console = RUN.get(series).console();
    assert_eq!(console.matches("rmmod: can't unload module 'vmcoredd'").count(), 2, "{console}");
    assert_eq!(fault(console), None);
}

/// Each of eight rounds had over 4 MiB of dumps.
fn gives_its_memory_back(series: Series) {
    let used = fs::read_to_string(RUN.get(series).port("used")).unwrap();
    let used: Vec<u64> = used.lines().map(|kib| kib.parse().unwrap()).collect();
    let [before, after] = used[..] else { panic!("{used:?}") };
    assert!(after < before + 1024, "{before} KiB, then {after} KiB");
}

/// Then nothing can be done for a collector that crashes.
fn warns_of_panic_on_oops(series: Series) {
    let kernel = Kernel::fetch(series).unwrap();
    let modules = Modules::build(&kernel).unwrap();
    let vm = Boot::new(&kernel, &format!("panic-on-oops-{series}")).append("oops=panic");
    let run = modules.add_to(vm).script("insmod /modules/vmcoredd.ko").run().unwrap();
    let warning = "panic_on_oops is set: a collector that crashes ends this kernel";
    assert_eq!(module_log(run.dmesg())[0], warning);
}

system_tests::on_each_kernel! {
    says_why_and_serves_a_file_without_dumps
    goes_only_when_nobody_uses_it
    gives_its_memory_back
    warns_of_panic_on_oops
}
