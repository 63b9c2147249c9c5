// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! In a running system, the module keeps dumps without touching `/proc/vmcore`: a
//! driver's collector is tried without a panic, and what a healthy device says is
//! there to be compared with what it said when the kernel had crashed.

use std::fs;

use system_tests::{
    Error, Modules, OnEachKernel, Result, fault, make_adapter, module_log, names, outcome, payload,
    with_dependencies,
};
use vmtest::{Kernel, PanicCycle, Run, Series, Vm};

/// The NVMe device stays with the kernel's own driver; ivshmem has none.
const RUNNING: &str = "
    insmod /modules/vmcoredd.ko
    insmod /modules/nvme_regs.ko
    cat /dev/vmcoredd >/ports/not-wanted
    rmmod nvme_regs
    rmmod vmcoredd

    insmod /modules/vmcoredd.ko live=1
    insmod /modules/nvme_regs.ko
    insmod /modules/ivshmem.ko
    fails rmmod vmcoredd
    cat /dev/vmcoredd >/ports/healthy
    vmcoredd list /dev/vmcoredd >/ports/list
    vmcoredd extract /dev/vmcoredd 1 -o /ports/extracted
    ls /sys/bus/pci/drivers/nvme/ | grep '^0000:' >/ports/bound
    head -c 1000000 /dev/nvme0n1 >/dev/null
    rmmod ivshmem
    rmmod nvme_regs
    rmmod vmcoredd
    [ ! -e /proc/vmcoredd ]
    dmesg >/ports/dmesg-running
";

/// That driver is built into cloud kernels; of others it is loaded as a running system does.
const ITS_DRIVER: &str = "
    for module in /nvme/*; do [ ! -e $module ] || insmod $module; done
    for _ in $(seq 100); do [ -e /dev/nvme0n1 ] || usleep 100000; done
";

/// It must not come first in the crash kernel.
const BEFORE_ITS_DRIVER: &str = "initcall_blacklist=nvme_init";

const CRASHED: &str = "
    insmod /modules/vmcoredd.ko
    insmod /modules/nvme_regs.ko
    cat /proc/vmcoredd >/ports/crashed
";

fn prepared(series: Series, name: &str) -> Result<PanicCycle> {
    let kernel = Kernel::fetch(series)?;
    let modules = Modules::build(&kernel)?;
    let adapter = vmtest::target_dir().join(format!("adapters/{name}-{series}/adapter.bin"));
    make_adapter(&adapter, 1 << 20, 1)?;
    let vm = PanicCycle::new(&kernel, &format!("{name}-{series}"))
        .crashkernel_mib(160)
        .ivshmem(&adapter)
        .qemu_arg("-blockdev")
        .qemu_arg("driver=null-co,node-name=disk,size=16777216,read-zeroes=on")
        .qemu_arg("-device")
        .qemu_arg("nvme,drive=disk,serial=1");
    let own = match with_dependencies(&kernel, &["nvme"]) {
        // It is built in.
        Err(Error::Vm(vmtest::Error::Module { .. })) => Vec::new(),
        modules => modules?,
    };
    let vm = own.iter().enumerate().fold(vm, |vm, (place, module)| {
        let guest = format!("/nvme/{place:02}.ko");
        vm.first_file(module, &guest).file(module, &guest)
    });
    let vm = ["vmcoredd", "nvme_regs", "ivshmem"].into_iter().fold(vm, |vm, module| {
        let file = match module {
            "vmcoredd" => modules.vmcoredd(),
            driver => modules.driver(driver),
        };
        let guest = format!("/modules/{module}.ko");
        vm.first_file(&file, &guest).file(&file, &guest)
    });
    Ok(vm.first_file(vmtest::static_program("vmcoredd")?, "/bin/vmcoredd"))
}

fn panic(series: Series) -> Result<Run> {
    let ports = ["not-wanted", "healthy", "list", "extracted", "bound", "dmesg-running", "crashed"];
    let vm = prepared(series, "live")?.crash_append(BEFORE_ITS_DRIVER);
    let vm = ports.into_iter().fold(vm, Vm::port);
    Ok(vm.before_panic(&format!("{ITS_DRIVER}{RUNNING}")).crash_script(CRASHED).run()?)
}

static RUN: OnEachKernel<Run> = OnEachKernel::new(panic);

/// The registers of BAR 0 that a kernel's driver programs: NVM Express Base
/// Specification 2.0, 3.1.3.
#[derive(Debug, PartialEq, Eq)]
struct Registers {
    capabilities: u64,
    version: u32,
    configuration: u32,
    status: u32,
    queue_sizes: u32,
    submission_queue: u64,
    completion_queue: u64,
}

impl Registers {
    fn read(dump: &[u8]) -> Self {
        assert_eq!(dump.len(), 0x6c);
        let word = |at: usize| u32::from_le_bytes(dump[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        Self {
            capabilities: long(0),
            version: word(8),
            configuration: word(0x14),
            status: word(0x1c),
            queue_sizes: word(0x24),
            submission_queue: long(0x28),
            completion_queue: long(0x30),
        }
    }
}

fn nvme(run: &Run, port: &str) -> Registers {
    let file = run.port(port);
    let names = names(file).unwrap();
    let name = names.iter().find(|name| name.starts_with("nvme-regs_0000:00:"));
    Registers::read(&payload(file, name.expect(port)).unwrap())
}

fn drivers_are_asked_only_where_it_is_wanted(series: Series) {
    let run = RUN.get(series);
    assert!(names(run.port("not-wanted")).unwrap().is_empty());
    let dmesg = fs::read_to_string(run.port("dmesg-running")).unwrap();
    let said: Vec<&str> = module_log(&dmesg).into_iter().map(outcome).collect();
    let left_alone = "/proc/vmcore is left alone: this is not a crash kernel";
    assert_eq!(said[..2], [left_alone; 2]);
    assert!(said[2].starts_with("nvme-regs_") && said[2].ends_with(": complete, 108 bytes"));
    assert!(said[3].starts_with("ivshmem_") && said[3].ends_with(": complete, 1048576 bytes"));
    assert_eq!(fault(&dmesg), None);
}

fn a_collector_is_tried_without_a_panic(series: Series) {
    let run = RUN.get(series);
    let list = fs::read_to_string(run.port("list")).unwrap();
    assert_eq!(list.lines().filter(|line| line.contains("complete")).count(), 2, "{list}");
    let adapter = vmtest::target_dir().join(format!("adapters/live-{series}/adapter.bin"));
    assert!(fs::read(run.port("extracted")).unwrap() == fs::read(adapter).unwrap());
    let bound = fs::read_to_string(run.port("bound")).unwrap();
    assert_eq!(bound.lines().count(), 1, "its driver still has the device: {bound}");
}

/// The dead kernel left the controller running, with its queues where they were.
fn a_crashed_device_is_compared_with_a_healthy_one(series: Series) {
    let run = RUN.get(series);
    let healthy = nvme(run, "healthy");
    assert_eq!(nvme(run, "crashed"), healthy);
    assert_eq!((healthy.configuration & 1, healthy.status & 1), (1, 1), "{healthy:?}");
    assert!(healthy.queue_sizes > 0 && healthy.submission_queue > 1 << 20, "{healthy:?}");
    assert_ne!(healthy.submission_queue, healthy.completion_queue);
    assert_eq!(fault(run.dmesg()), None);
}

/// Where the device's own driver came first, there is nothing left to save, and a
/// line that says so.
fn a_dump_that_comes_too_late_is_not_taken(series: Series) {
    let vm = prepared(series, "late").unwrap().port("crashed");
    let run = vm.crash_script(&format!("{ITS_DRIVER}{CRASHED}")).run().unwrap();
    assert!(names(run.port("crashed")).unwrap().is_empty());
    let line = "no device dump: nvme has initialised it";
    assert!(run.dmesg().contains(line), "{}", run.dmesg());
}

system_tests::on_each_kernel! {
    drivers_are_asked_only_where_it_is_wanted
    a_collector_is_tried_without_a_panic
    a_crashed_device_is_compared_with_a_healthy_one
    a_dump_that_comes_too_late_is_not_taken
}
