// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A crash kernel loaded by the older system call: the lowest memory of the
//! dead kernel is not where its physical address says, but in a backup.

use std::fs;

use system_tests::{Modules, TAKES, fault, module_log, names};
use vmtest::{Kernel, KexecCall, PanicCycle, Series};

fn the_backup_is_what_readers_see(series: Series) {
    let kernel = Kernel::fetch(series).unwrap();
    let modules = Modules::build(&kernel).unwrap();
    let vm = PanicCycle::new(&kernel, &format!("kexec-load-{series}"))
        .kexec_call(KexecCall::Load)
        .crashkernel_mib(160)
        .edu();
    let run = modules
        .add_to(vm)
        .file(vmtest::guest_program().unwrap(), "/bin/vmtest-guest")
        .crash_script(
            "vmtest-guest digest /proc/vmcore >/ports/before
             insmod /modules/vmcoredd.ko
             insmod /modules/edu.ko
             vmtest-guest digest /proc/vmcore >/ports/after
             vmtest-guest agree /proc/vmcore
             cat /proc/vmcoredd >/ports/vmcoredd
             cat /proc/cmdline /proc/iomem",
        )
        .port("before")
        .port("after")
        .port("vmcoredd")
        .run()
        .unwrap();
    let digest = |port| fs::read_to_string(run.port(port)).unwrap();
    assert_eq!(digest("before"), digest("after"));
    assert!(module_log(run.dmesg())[0].starts_with(TAKES), "{}", run.dmesg());
    assert_eq!(fault(run.dmesg()), None);
    assert_eq!(names(run.port("vmcoredd")).unwrap().len(), 1);
}

system_tests::on_each_kernel! {
    the_backup_is_what_readers_see
}
