// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A collector that crashes, hangs, loops or fails costs nothing but what it did not
//! write: its dump is there, marked, the probe goes on, and so does the machine.

use std::fs;
use std::time::Duration;

use system_tests::{
    Modules, OnEachKernel, Result, fault, module_log, names, outcome, payload, root,
};
use vmtest::{Boot, Kernel, PanicCycle, Run, Series, Vm};

const SIZE: usize = 200_000;
const HALF: usize = SIZE / 2;

/// Each collector in a crash kernel: which, what it returned, what the module said.
const AFTER_PANIC: &[(&str, i32, &str)] = &[
    ("callback-whole", 0, "complete, 200000 bytes"),
    ("callback-crashes", EFAULT, "partial, its collector crashed, 200000 bytes"),
    ("callback-bug", EFAULT, "partial, its collector crashed, 200000 bytes"),
    ("callback-hungry", 0, "complete, 200000 bytes"),
    ("callback-fails", EIO, "failed, its collector gave error -5"),
    ("pieces-whole", 0, "complete, 200000 bytes"),
    ("pieces-shorter", 0, "partial, it is shorter than declared, 200000 bytes"),
    ("pieces-longer", 0, "complete, it is longer than declared, 200000 bytes"),
    ("pieces-crash", EFAULT, "partial, its collector crashed, 100000 bytes"),
    ("pieces-bad-address", EFAULT, "partial, its collector wrote from a bad address, 100000 bytes"),
];
/// How long a callback of mainline's API may take by default, in milliseconds.
const CALLBACK_DEADLINE: u64 = 60_000;
/// How long a machine may take that waits so long.
const TIME_LIMIT: Duration = Duration::from_millis(4 * CALLBACK_DEADLINE);
const EIO: i32 = -5;
const EFAULT: i32 = -14;

/// The manifest in a file.
const FUNCTIONS: &str = r"
    manifest() { strings $1 | sed -n '/^VERSION=1$/,$p'; }
    collector() { insmod /modules/collectors.ko what=$1; }
";

fn prepared<Mode>(vm: Vm<Mode>, kernel: &Kernel) -> Result<Vm<Mode>> {
    let modules = Modules::build(kernel)?;
    let collectors = modules.test_module("collectors")?;
    Ok(modules.add_to(vm).file(collectors, "/modules/collectors.ko").port("vmcoredd"))
}

/// Whatever a collector does, the next one is called, makedumpfile saves the vmcore,
/// and the machine powers off: the kernel waits for probes that hang then.
fn after_panic(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch(series)?;
    let vm = PanicCycle::new(&kernel, &format!("isolation-{series}")).crashkernel_mib(160);
    let collectors: String = AFTER_PANIC
        .iter()
        .map(|(what, ..)| format!("collector {what}\nrmmod collectors\n"))
        .collect();
    let script = format!(
        "
        {FUNCTIONS}
        insmod /modules/vmcoredd.ko
        [ $(cat /sys/module/vmcoredd/parameters/callback_deadline_ms) -eq {CALLBACK_DEADLINE} ]
        {collectors}
        cat /proc/vmcoredd >/ports/vmcoredd
        makedumpfile -l -d 31 -F /proc/vmcore >/ports/vmcore
        # One thread waits for the next collector.
        [ \"$(ps | grep -c '[v]mcoredd')\" -eq 1 ]
        "
    );
    let vm = prepared(vm, &kernel)?.program("/usr/bin/makedumpfile").port("vmcore");
    Ok(vm.crash_script(&script).run()?)
}

/// Collectors that take their time, and a time limit.
fn limited(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch(series)?;
    let vm = Boot::new(&kernel, &format!("deadline-{series}")).smp(2);
    let script = format!(
        "
        {FUNCTIONS}
        # The driver stays until its collector has ended.
        go_on() {{
            fails rmmod collectors 2>/dev/null
            echo 1 >/sys/module/collectors/parameters/go_on
            until rmmod collectors 2>/dev/null; do
                usleep 10000
            done
        }}
        # Of callbacks, with the page that the kernel leaves free after each.
        buffers() {{ grep -c ' {mapped} .* vmap' /proc/vmallocinfo || true; }}
        insmod /modules/vmcoredd.ko deadline_ms=1000 callback_deadline_ms=1500

        echo '@@ a callback hangs'
        collector callback-hangs &
        sleep 0.5
        manifest /proc/vmcoredd >/ports/meanwhile
        wait $!
        insmod /modules/adapters.ko size={SIZE}
        cat /proc/vmcoredd >/tmp/before
        [ $(buffers) -eq 1 ]
        fails rmmod vmcoredd
        go_on
        [ $(buffers) -eq 0 ]
        cmp /proc/vmcoredd /tmp/before
        rmmod adapters

        echo '@@ a collector hangs'
        collector pieces-hang
        go_on

        echo '@@ a release function hangs'
        collector pieces-release-hangs
        go_on

        echo '@@ a collector loops'
        collector pieces-loop
        rmmod collectors
        cat /proc/vmcoredd >/ports/vmcoredd
        until rmmod vmcoredd 2>/dev/null; do
            usleep 10000
        done
        [ ! \"$(ps | grep '[v]mcoredd')\" ]
        ",
        mapped = SIZE.next_multiple_of(4096) + 4096
    );
    let adapters = Modules::build(&kernel)?.test_module("adapters")?;
    let vm = prepared(vm, &kernel)?.file(adapters, "/modules/adapters.ko");
    Ok(vm.port("meanwhile").script(&script).run()?)
}

/// The limit for callbacks in [`hanging`]: the default, which takes its time, once.
fn limit(series: Series) -> (&'static str, u64) {
    match series {
        Series::V6_12 => ("", CALLBACK_DEADLINE),
        _ => ("callback_deadline_ms=2000", 2000),
    }
}

/// In a crash kernel that loads its drivers one by one, the first one's callback hangs.
fn hanging(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch(series)?;
    let vm = PanicCycle::new(&kernel, &format!("hanging-{series}")).crashkernel_mib(160);
    let script = format!(
        "
        {FUNCTIONS}
        vmtest-guest digest /proc/vmcore >/ports/before
        insmod /modules/vmcoredd.ko {}
        collector callback-hangs
        insmod /modules/adapters.ko size=1000
        cat /proc/vmcoredd >/ports/vmcoredd
        makedumpfile -l -d 31 -F /proc/vmcore >/ports/vmcore
        vmtest-guest digest /proc/vmcore >/ports/after
        ",
        limit(series).0
    );
    let adapters = Modules::build(&kernel)?.test_module("adapters")?;
    let vm = prepared(vm, &kernel)?
        .program("/usr/bin/makedumpfile")
        .file(vmtest::guest_program()?, "/bin/vmtest-guest")
        .file(adapters, "/modules/adapters.ko");
    let vm = ["vmcore", "before", "after"].into_iter().fold(vm, PanicCycle::port);
    Ok(vm.crash_script(&script).time_limit(TIME_LIMIT).run()?)
}

/// What the initramfs of a crash kernel runs, with a driver that hangs in its probe, and
/// another one after it.
fn hanging_probe() -> Result<Run> {
    let kernel = Kernel::fetch(Series::V6_12)?;
    let vm = PanicCycle::new(&kernel, "hanging-probe").crashkernel_mib(160);
    let script = "
        modules=/lib/modules/$(uname -r)
        mkdir -p $modules /etc/vmcoredd/collect.d /etc/modprobe.d /run
        cp /modules/*.ko $modules
        depmod
        echo 'options collectors what=probe-hangs' >/etc/modprobe.d/collectors.conf
        printf '%s\\n' missing collectors adapters >/etc/vmcoredd/modules
        # Nor are devices read where that is switched off.
        printf '%s\\n' MODULE_DEADLINE=2 DEVICES=no >/etc/vmcoredd/vmcoredd.conf
        printf '#!/bin/sh\\necho collected\\n' >/etc/vmcoredd/collect.d/after
        chmod +x /etc/vmcoredd/collect.d/after
        sh /bin/crash-kernel
        cat /proc/vmcoredd >/ports/vmcoredd
        # The kernel waits for the probe when it powers off.
        echo 1 >/sys/module/collectors/parameters/go_on
    ";
    let adapters = Modules::build(&kernel)?.test_module("adapters")?;
    let vm = prepared(vm, &kernel)?
        .file(adapters, "/modules/adapters.ko")
        .file(root().join("packaging/kdump/crash-kernel"), "/bin/crash-kernel")
        .file(vmtest::static_program("vmcoredd")?, "/bin/vmcoredd");
    Ok(vm.crash_script(script).run()?)
}

/// Without a limit, the caller of a callback waits as mainline's does; nobody else.
fn unlimited(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch(series)?;
    // Once, longer than the default.
    let seconds = match series {
        Series::V6_1 => CALLBACK_DEADLINE / 1000 + 2,
        _ => 4,
    };
    let vm = Boot::new(&kernel, &format!("no-deadline-{series}")).smp(2);
    let script = format!(
        "
        {FUNCTIONS}
        insmod /modules/vmcoredd.ko callback_deadline_ms=0
        collector callback-hangs &
        sleep {seconds}
        kill -0 $!
        for file in before-add after-add; do
            stat -c %s /proc/vmcoredd >>/ports/sizes
            cat /proc/vmcoredd | wc -c >>/ports/sizes
            manifest /proc/vmcoredd >/ports/$file
            [ $file = after-add ] || {{
                insmod /modules/adapters.ko size=1000
            }}
        done
        exec 3</proc/vmcoredd
        echo 1 >/sys/module/collectors/parameters/go_on
        wait $!
        stat -c %s /proc/vmcoredd >>/ports/sizes
        cat /proc/vmcoredd | wc -c >>/ports/sizes
        cat /proc/vmcoredd >/ports/vmcoredd
        cat <&3 >/tmp/opened-before
        manifest /tmp/opened-before >/ports/opened-before
        exec 3<&-
        rmmod collectors
        "
    );
    let adapters = Modules::build(&kernel)?.test_module("adapters")?;
    let vm = prepared(vm, &kernel)?.file(adapters, "/modules/adapters.ko");
    let vm = ["sizes", "before-add", "after-add", "opened-before"].into_iter().fold(vm, Vm::port);
    Ok(vm.script(&script).time_limit(TIME_LIMIT).run()?)
}

static AFTER_PANIC_ON: OnEachKernel<Run> = OnEachKernel::new(after_panic);
static LIMITED_ON: OnEachKernel<Run> = OnEachKernel::new(limited);
static HANGING_ON: OnEachKernel<Run> = OnEachKernel::new(hanging);
static UNLIMITED_ON: OnEachKernel<Run> = OnEachKernel::new(unlimited);

/// What a collector writes: all of it, or the half before it does something else.
fn written(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + (at >> 8) + 1) as u8).collect()
}

/// What a collector leaves in its buffer of which it filled half.
fn half_filled() -> Vec<u8> {
    let mut bytes = written(HALF);
    bytes.resize(SIZE, 0);
    bytes
}

fn every_outcome_is_told(series: Series) {
    let dmesg = AFTER_PANIC_ON.get(series).dmesg();
    let said = module_log(dmesg);
    let expected = AFTER_PANIC.iter().map(|(what, _, outcome)| format!("{what}: {outcome}"));
    assert_eq!(
        said[1..].iter().map(|line| outcome(line)).collect::<Vec<_>>(),
        expected.collect::<Vec<_>>()
    );
    for (what, returned, _) in AFTER_PANIC {
        assert!(dmesg.contains(&format!("collectors: {what}: {returned}\n")), "{what}: {dmesg}");
        let released = dmesg.contains(&format!("collectors: {what}: released\n"));
        let crashed = what.ends_with("-crash");
        assert_eq!(released, what.starts_with("pieces-") && !crashed, "{what}");
    }
    assert!(dmesg.contains("collectors: bad write: -14"), "{dmesg}");
    // Three crashed; the kernel says so itself, and nothing else.
    assert_eq!(dmesg.matches("Call Trace:").count(), 3, "{dmesg}");
}

fn what_was_written_is_kept(series: Series) {
    let run = AFTER_PANIC_ON.get(series);
    let kept = [
        ("callback-whole", written(SIZE)),
        ("callback-crashes", half_filled()),
        ("callback-bug", half_filled()),
        ("callback-hungry", written(SIZE)),
        ("pieces-whole", written(SIZE)),
        ("pieces-shorter", written(SIZE)),
        ("pieces-longer", written(SIZE)),
        ("pieces-crash", written(HALF)),
        ("pieces-bad-address", written(HALF)),
    ];
    let file = run.port("vmcoredd");
    assert_eq!(names(file).unwrap(), kept.each_ref().map(|(name, _)| name.to_string()));
    for (name, expected) in &kept {
        assert!(payload(file, name).unwrap() == *expected, "{name}");
    }
    // What makedumpfile saved has them, too: names of dumps are not compressed.
    let saved = fs::read(run.port("vmcore")).unwrap();
    let has = |needle: &[u8]| saved.windows(needle.len()).any(|window| window == needle);
    assert!(has(b"pieces-crash\0") && has(b"STATUS=partial\n"));
}

fn late_collectors_are_left_to_themselves(series: Series) {
    let run = LIMITED_ON.get(series);
    let said = module_log(run.dmesg());
    let late = "its collector did not end in time";
    assert_eq!(outcome(said[1]), format!("callback-hangs: partial, {late}, 200000 bytes"));
    assert_eq!(outcome(said[2]), "adapter0: complete, 200000 bytes");
    assert_eq!(outcome(said[3]), format!("pieces-hang: partial, {late}, 100000 bytes"));
    assert_eq!(outcome(said[4]), format!("pieces-release-hangs: partial, {late}, 200000 bytes"));
    let looped = outcome(said[5]);
    assert!(looped.starts_with(&format!("pieces-loop: partial, {late}, ")), "{looped}");
    for line in [
        "callback-hangs: -110",
        "pieces-hang: -110",
        "late write: -110",
        "pieces-hang: released",
        "pieces-release-hangs: -110",
        "pieces-release-hangs: released",
        "write: -110",
        "write again: -110",
        "pieces-loop: -110",
        "pieces-loop: released",
    ] {
        assert!(run.dmesg().contains(&format!("collectors: {line}\n")), "{line}: {}", run.dmesg());
    }
    assert_eq!(fault(run.dmesg()), None);

    let file = run.port("vmcoredd");
    assert!(payload(file, "callback-hangs").unwrap() == half_filled());
    assert!(payload(file, "pieces-hang").unwrap() == written(HALF));
    let looped = payload(file, "pieces-loop").unwrap();
    assert!(looped.len() > HALF && looped == written(looped.len()));
    let meanwhile = fs::read_to_string(run.port("meanwhile")).unwrap();
    assert!(meanwhile.contains("NAME=callback-hangs\nSTATUS=running\n"), "{meanwhile}");
}

fn a_hanging_callback_costs_only_its_own_dump(series: Series) {
    let run = HANGING_ON.get(series);
    let said = module_log(run.dmesg());
    let expected = "callback-hangs: partial, its collector did not end in time, 200000 bytes";
    assert_eq!(outcome(said[1]), expected);
    assert_eq!(outcome(said[2]), "adapter0: complete, 1000 bytes");
    assert!(run.dmesg().contains("collectors: callback-hangs: -110\n"), "{}", run.dmesg());
    assert_eq!(fault(run.dmesg()), None);
    let words: Vec<_> = said[1].split(' ').collect();
    let [.., took, "ms"] = words[..] else { panic!("{said:?}") };
    let (_, limit) = limit(series);
    // The kernel counts ticks, and a busy host takes its time.
    assert!((limit - 10..limit + 5000).contains(&took.parse().unwrap()), "{took} ms");

    let file = run.port("vmcoredd");
    assert!(payload(file, "callback-hangs").unwrap() == half_filled());
    assert_eq!(payload(file, "adapter0").unwrap().len(), 1000);
    let memory = |port| fs::read_to_string(run.port(port)).unwrap();
    assert!(memory("before").lines().count() >= 3);
    assert_eq!(memory("before"), memory("after"));
    // As it was saved.
    let saved = fs::read(run.port("vmcore")).unwrap();
    let record = b"NAME=callback-hangs\nSTATUS=partial\nREASON=its collector did not end in time\n";
    assert!(saved.windows(record.len()).any(|window| window == record));
}

#[test]
fn a_hanging_probe_is_left_behind() {
    let run = hanging_probe().unwrap();
    let said = module_log(run.dmesg());
    let [_, missing, hangs, adapter, after, ..] = said[..] else { panic!("{said:?}") };
    assert!(missing.starts_with("missing cannot be loaded: "), "{missing}");
    assert_eq!(hangs, "collectors is not loaded after 2 seconds, and left behind");
    assert_eq!(outcome(adapter), "adapter0: complete, 33558232 bytes");
    assert_eq!(outcome(after), "after: complete, 10 bytes");
    assert_eq!(names(run.port("vmcoredd")).unwrap(), ["adapter0", "after", "dmesg-crash-kernel"]);
}

fn nobody_waits_for_a_collector(series: Series) {
    let run = UNLIMITED_ON.get(series);
    let manifest = |port| fs::read_to_string(run.port(port)).unwrap();
    let running = "NAME=callback-hangs\nSTATUS=running\n";
    assert_eq!(manifest("before-add"), format!("VERSION=1\n{running}"));
    let after = manifest("after-add");
    assert!(
        after.contains("NAME=adapter0\nSTATUS=complete\n") && after.ends_with(running),
        "{after}"
    );
    assert_eq!(manifest("opened-before"), after, "an open file stays as it was");
    let said = module_log(run.dmesg());
    assert_eq!(outcome(said[2]), "callback-hangs: complete, 200000 bytes");
    assert!(payload(run.port("vmcoredd"), "callback-hangs").unwrap() == written(SIZE));
    assert_eq!(fault(run.dmesg()), None);

    let sizes = fs::read_to_string(run.port("sizes")).unwrap();
    let sizes: Vec<u64> = sizes.lines().map(|size| size.parse().unwrap()).collect();
    let [a, b, c, d, e, f] = sizes[..] else { panic!("{sizes:?}") };
    assert_eq!((a, c, e), (b, d, f), "what stat says is what there is to read");
    assert!(e > c, "{sizes:?}");
}

system_tests::on_each_kernel! {
    every_outcome_is_told
    what_was_written_is_kept
    late_collectors_are_left_to_themselves
    a_hanging_callback_costs_only_its_own_dump
    nobody_waits_for_a_collector
}
