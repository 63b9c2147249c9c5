// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Whatever call of the kernel fails, the vmcore is there and whole: while the
//! module is loaded, while dumps are added, and while it is read.

use std::path::Path;

use system_tests::crash_header::{Load, OLD, OLD_SIZE, boot_with_header, core_header};
use system_tests::{Modules, OnEachKernel, Result, TAKES, fault, module_log};
use vmtest::{Boot, Kernel, Run, Series};

/// Two segments, of which one was moved and is compared whole.
fn crash_kernel(series: Series, test: &str) -> Result<Boot> {
    let kernel = Kernel::fetch(series)?;
    let name = format!("{test}-{series}");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
    let second = OLD + (1 << 20);
    let moved = Load { physical: second - 0x1000_0000, ..Load::new(second, 0x20000) };
    let header = core_header(&[Load::new(OLD, 1 << 20), moved]);
    let vm = boot_with_header(&kernel, &name, &directory, &header)?
        .append(&format!("memmap={OLD_SIZE:#x}${OLD:#x}"));
    let modules = Modules::build(&kernel)?;
    let adapters = modules.test_module("adapters")?;
    Ok(modules
        .add_to(vm)
        .file(Modules::build_with_faults(&kernel)?, "/modules/faults.ko")
        .file(adapters, "/modules/adapters.ko")
        .file(vmtest::guest_program()?, "/bin/vmtest-guest"))
}

const FUNCTIONS: &str = "
    parameters=/sys/module/vmcoredd/parameters
    look() {
        vmtest-guest digest /proc/vmcore
        [ \"$1\" ] || dd if=/proc/vmcore bs=4096 count=2 2>/dev/null | md5sum
    }
";

/// How many calls there are, with none of them failing.
fn calls(series: Series) -> Result<Run> {
    let script = format!(
        "
        {FUNCTIONS}
        insmod /modules/faults.ko
        echo calls: $(cat $parameters/calls)
        "
    );
    Ok(crash_kernel(series, "calls")?.script(&script).run()?)
}

static CALLS: OnEachKernel<Run> = OnEachKernel::new(calls);

/// The call that creates the entry in the place of the kernel's own; after it only the
/// device is created.
fn number_of_calls(series: Series) -> u32 {
    let console = CALLS.get(series).console();
    let line = console.lines().find_map(|line| line.strip_prefix("calls: "));
    let calls: u32 = line.unwrap_or_else(|| panic!("{console}")).trim().parse().unwrap();
    calls - 1
}

/// From each call on, all fail; and then the one step without a way back fails a
/// few times, as it may when memory is scarce for a moment.
fn loading(series: Series) {
    let calls = number_of_calls(series);
    assert!(calls > 100, "{calls}");
    let script = format!(
        "
        {FUNCTIONS}
        look >/tmp/before
        call=1
        while [ $call -lt {calls} ]; do
            ! insmod /modules/faults.ko fail_at=$call fail_count=1000000 2>/dev/null ||
                rmmod vmcoredd
            [ ! -e /proc/vmcoredd ]
            look >/tmp/after
            cmp /tmp/before /tmp/after
            call=$((call + 1))
        done
        echo $((call - 1)) faults: the kernel keeps its own
        insmod /modules/faults.ko fail_at={calls} fail_count=7
        fails rmmod vmcoredd
        look >/tmp/after
        cmp /tmp/before /tmp/after
        vmtest-guest agree /proc/vmcore --random 200
        "
    );
    let vm = crash_kernel(series, "faults-loading").unwrap();
    let run = vm.script(&script).time_limit(std::time::Duration::from_secs(300)).run().unwrap();
    let console = run.console();
    assert!(console.contains(&format!("{} faults: the kernel keeps its own", calls - 1)));
    assert!(console.contains("agree: ok"), "{console}");
    assert_eq!(fault(run.dmesg()), None);
    let said = module_log(run.dmesg());
    assert!(said.last().is_some_and(|line| line.starts_with(TAKES)), "{said:?}");
    // Where it could be loaded all the same, it said why it was left alone.
    let explains = |line: &&&str| {
        line.starts_with("/proc/vmcore is left alone: ")
            || **line == "/proc/cmdline cannot be read, error -24"
            || **line == "/proc/cmdline cannot be read, error -5"
    };
    let odd: Vec<_> = said[..said.len() - 1].iter().filter(|line| !explains(line)).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

/// Each call fails once, while dumps of both sizes are added; no dump is there that is not
/// whole and not marked, and memory reads as before.
fn adding(series: Series) {
    let script = format!(
        "
        {FUNCTIONS}
        insmod /modules/faults.ko
        look memory >/tmp/before
        for size in 1000 300000; do
            call=1
            while
                echo 0 >$parameters/calls
                echo $call >$parameters/fail_at
                insmod /modules/adapters.ko size=$size
                echo 0 >$parameters/fail_at
                rmmod adapters
                [ $(cat $parameters/calls) -ge $call ]
            do
                call=$((call + 1))
            done
            echo $size bytes: $((call - 1)) faults
            look memory >/tmp/after
            cmp /tmp/before /tmp/after
        done
        vmtest-guest agree /proc/vmcore --random 200
        cat /proc/vmcoredd >/ports/vmcoredd
        "
    );
    let vm = crash_kernel(series, "faults-adding").unwrap().port("vmcoredd");
    let run = vm.script(&script).run().unwrap();
    assert_eq!(fault(run.dmesg()), None);
    assert!(run.console().contains("agree: ok"), "{}", run.console());
    let said = module_log(run.dmesg());
    for size in [1000, 300_000] {
        let faults = format!("{size} bytes: ");
        let faults = run.console().lines().find_map(|line| line.strip_prefix(&faults));
        let faults: usize = faults.unwrap().strip_suffix(" faults").unwrap().parse().unwrap();
        assert!(faults >= 8, "{faults}");
        let complete = format!("complete, {size} bytes, ");
        // One more than there were faults: the last one had none.
        let complete = said.iter().filter(|line| line.contains(&complete)).count();
        assert!(complete >= 1 && complete <= faults + 1);
    }
    let whole = |line: &&&str| {
        [": complete, ", ": partial, no memory", ": failed, no memory"]
            .iter()
            .any(|outcome| line.contains(outcome))
    };
    let odd: Vec<_> = said[1..].iter().filter(|line| !whole(line)).collect();
    assert!(odd.is_empty(), "{odd:?}");
    assert!(said.iter().any(|line| line.contains(": failed, no memory")), "{said:?}");
    let there = system_tests::names(run.port("vmcoredd")).unwrap().len();
    let kept = said.iter().filter(|line| line.contains(" stored, ")).count();
    assert_eq!(there, kept, "what the log says is there is there");
}

/// Without memory for a snapshot, `/proc/vmcore` opens as the kernel's own was.
fn reading(series: Series) {
    let script = format!(
        "
        {FUNCTIONS}
        cat /proc/vmcore | md5sum >/tmp/before
        insmod /modules/faults.ko
        insmod /modules/adapters.ko size=300000
        echo 1 >$parameters/fail_at
        echo 1000000000 >$parameters/fail_count
        cat /proc/vmcore | md5sum >/tmp/after
        cmp /tmp/before /tmp/after
        fails cat /proc/vmcoredd
        echo 0 >$parameters/fail_at
        cat /proc/vmcore | md5sum >/tmp/after
        fails cmp -s /tmp/before /tmp/after
        "
    );
    let run = crash_kernel(series, "faults-reading").unwrap().script(&script).run().unwrap();
    assert_eq!(fault(run.dmesg()), None);
    let opened = "/proc/vmcore is opened without device dumps, error -12";
    assert!(module_log(run.dmesg()).contains(&opened), "{}", run.dmesg());
}

/// The last call of all creates the device: without it drivers dump as ever.
fn loading_without_the_device(series: Series) {
    let last = number_of_calls(series) + 1;
    let script = format!(
        "
        insmod /modules/faults.ko fail_at={last}
        [ $(cat /sys/module/vmcoredd/parameters/calls) = {last} ]
        fails ls /dev/vmcoredd
        insmod /modules/adapters.ko size=1000
        vmtest-guest agree /proc/vmcore --random 200
        cat /proc/vmcore >/ports/vmcore
        "
    );
    let vm = crash_kernel(series, "faults-device").unwrap().port("vmcore");
    let run = vm.script(&script).run().unwrap();
    assert_eq!(fault(run.dmesg()), None);
    let said = module_log(run.dmesg());
    assert!(said[0].starts_with(TAKES));
    assert_eq!(said[1], "/dev/vmcoredd is not there, error -12");
    assert_eq!(system_tests::names(run.port("vmcore")).unwrap().len(), 1);
}

system_tests::on_each_kernel! {
    loading
    loading_without_the_device
    adding
    reading
}
