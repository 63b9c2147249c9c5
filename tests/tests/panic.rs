// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A stock kernel panics; its vmcore has the memory of its adapters, and all
//! else is as it was without us.

use std::fs;
use std::path::PathBuf;

use system_tests::{
    Modules, OnEachKernel, Result, TAKES, fault, make_adapter, module_log, names,
    names_before_memory, outcome, payload,
};
use vmtest::{Kernel, PanicCycle, Run, Series};

const ADAPTERS: [(&str, usize); 2] = [("adapter0.bin", 1 << 20), ("adapter1.bin", 4 << 20)];

/// The value that the dead kernel leaves in the edu device's liveness register,
/// which reads back inverted.
const LIVENESS: u32 = 0x1234_5678;

/// Everything is looked at in one crash kernel, which is what takes the time.
const SCRIPT: &str = "
    kernels=$(stat -c '%a %n' /proc/vmcore)
    vmtest-guest digest /proc/vmcore >/ports/digest-before
    echo '@@ loading'
    insmod /modules/vmcoredd.ko
    [ \"$(stat -c '%a %n' /proc/vmcore)\" = \"$kernels\" ]
    insmod /modules/edu.ko
    insmod /modules/ivshmem.ko
    echo '@@ comparing'
    stat -c '%a %s' /proc/vmcore /proc/vmcoredd >/ports/stat
    vmtest-guest digest /proc/vmcore >/ports/digest-after
    echo '@@ reading'
    for file in /proc/vmcore /proc/vmcoredd; do
        vmtest-guest agree $file --random 3000 --seed 7
        vmtest-guest refuse $file
    done
    fails rmmod vmcoredd
    echo '@@ saving'
    cat /proc/vmcoredd >/ports/vmcoredd
    dd if=/proc/vmcore bs=1M count=16 of=/ports/vmcore-start
";

struct Saved {
    run: Run,
    adapters: Vec<PathBuf>,
}

fn panic(series: Series) -> Result<Saved> {
    let kernel = Kernel::fetch(series)?;
    let modules = Modules::build(&kernel)?;
    let name = format!("panic-{series}");
    let directory = vmtest::target_dir().join("adapters").join(&name);
    let mut adapters = Vec::new();
    let mut vm = PanicCycle::new(&kernel, &name).crashkernel_mib(160).edu();
    for (seed, (file, size)) in ADAPTERS.into_iter().enumerate() {
        let path = directory.join(file);
        make_adapter(&path, size, seed as u64 + 1)?;
        vm = vm.ivshmem(&path);
        adapters.push(path);
    }
    for port in ["digest-before", "digest-after", "stat", "vmcoredd", "vmcore-start"] {
        vm = vm.port(port);
    }
    let run = modules
        .add_to(vm)
        .file(vmtest::guest_program()?, "/bin/vmtest-guest")
        .before_panic(&format!(
            "for device in /sys/bus/pci/devices/*; do
                 [ $(cat $device/vendor) != 0x1234 ] || edu=$device
             done
             echo 1 >$edu/enable
             devmem $(head -n 1 $edu/resource | cut -d ' ' -f 1 | sed 's/$/+4/' |
                 {{ read sum; printf '0x%x' $(($sum)); }}) 32 {LIVENESS:#x}"
        ))
        .crash_script(SCRIPT)
        .run()?;
    Ok(Saved { run, adapters })
}

/// One panic of each kernel serves all tests of this file.
static SAVED: OnEachKernel<Saved> = OnEachKernel::new(panic);

fn saved(series: Series) -> &'static Saved {
    SAVED.get(series)
}

fn dumps_are_the_adapters_memory(series: Series) {
    let Saved { run, adapters } = saved(series);
    let [start, whole] = ["vmcore-start", "vmcoredd"].map(|port| run.port(port));
    for (file, found) in [(start, names_before_memory(start)), (whole, names(whole))] {
        let found = found.unwrap();
        let memories: Vec<&String> =
            found.iter().filter(|name| name.starts_with("ivshmem_0000:00:")).collect();
        assert_eq!(memories.len(), adapters.len(), "{found:?}");
        for (name, adapter) in memories.into_iter().zip(adapters) {
            let expected = fs::read(adapter).unwrap();
            assert!(payload(file, name).unwrap() == expected, "{name} in {}", file.display());
        }
        let edu = found.iter().find(|name| name.starts_with("edu_0000:00:")).unwrap();
        let registers = payload(file, edu).unwrap();
        assert_eq!(registers.len(), 0xa0);
        let register = |at: usize| u32::from_le_bytes(registers[at..at + 4].try_into().unwrap());
        assert_eq!(register(0) & 0xff, 0xed, "identification");
        assert_eq!(register(4), !LIVENESS, "what the dead kernel left in the device");
        assert_eq!(found.len(), 3);
    }
}

fn memory_is_as_it_was(series: Series) {
    let run = &saved(series).run;
    let digest = |port| fs::read_to_string(run.port(port)).unwrap();
    assert!(digest("digest-before").lines().count() >= 3);
    assert_eq!(digest("digest-before"), digest("digest-after"));
}

fn every_way_to_read_agrees(series: Series) {
    let console = saved(series).run.console();
    assert_eq!(console.matches("agree: ok").count(), 2, "{console}");
    assert_eq!(console.matches("refuse: ok").count(), 2, "{console}");
    assert!(console.contains("rmmod: can't unload module 'vmcoredd'"), "{console}");
}

fn sizes_and_modes_are_right(series: Series) {
    let run = &saved(series).run;
    let stat = fs::read_to_string(run.port("stat")).unwrap();
    let lines: Vec<(&str, u64)> = stat
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(mode, size)| (mode, size.parse().unwrap()))
        .collect();
    let [(vmcore_mode, vmcore), (vmcoredd_mode, vmcoredd)] = lines[..] else { panic!("{stat}") };
    assert_eq!((vmcore_mode, vmcoredd_mode), ("400", "400"));
    assert_eq!(vmcoredd, fs::metadata(run.port("vmcoredd")).unwrap().len());
    assert!(vmcore > vmcoredd + (256 << 20));
}

fn the_log_says_what_was_done(series: Series) {
    let dmesg = saved(series).run.dmesg();
    let ours = module_log(dmesg);
    assert!(ours[0].starts_with(TAKES), "{dmesg}");
    let dumps: Vec<&str> = ours[1..].iter().map(|line| outcome(line)).collect();
    assert!(dumps[0].starts_with("edu_0000:00:"), "{dmesg}");
    assert!(dumps[0].ends_with(": complete, 160 bytes"), "{dmesg}");
    assert!(dumps[1].ends_with(": complete, 1048576 bytes"), "{dmesg}");
    assert!(dumps[2].ends_with(": complete, 4194304 bytes"), "{dmesg}");
    assert_eq!(dumps.len(), 3, "{dmesg}");
    assert_eq!(fault(dmesg), None);
}

system_tests::on_each_kernel! {
    dumps_are_the_adapters_memory
    memory_is_as_it_was
    every_way_to_read_agrees
    sizes_and_modes_are_right
    the_log_says_what_was_done
}
