// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Whole panic cycles in QEMU, on each series of kernels.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use vmtest::{Boot, Error, Failure, Kernel, PanicCycle, Result, Series};

#[test]
fn saves_a_vmcore_on_6_12() -> Result<()> {
    saves_a_vmcore(Series::V6_12)
}

#[test]
fn saves_a_vmcore_on_6_1() -> Result<()> {
    saves_a_vmcore(Series::V6_1)
}

fn saves_a_vmcore(series: Series) -> Result<()> {
    let stages = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&stages);
    let kernel = Kernel::fetch(series)?;
    let run = PanicCycle::new(&kernel, &format!("saves-a-vmcore-on-{series}"))
        .file(vmtest::guest_program()?, "/bin/vmtest-guest")
        .before_panic("echo 'written before the panic' >/ports/before")
        .crash_script(
            "echo '@@ saving'
             stat -c %s /proc/vmcore >/ports/size
             cp /proc/vmcore /ports/vmcore
             vmtest-guest digest /proc/vmcore >/ports/digest
             echo '@@ checking'
             vmtest-guest agree /proc/vmcore
             vmtest-guest refuse /proc/vmcore
             cat /proc/cmdline
             # A kernel that hangs dies before its init, and not afterwards.
             grep -q ' softlockup_panic=1' /proc/cmdline
             [ $(cat /proc/sys/kernel/softlockup_panic) = 0 ]
             echo '<6>said by the script' >/dev/kmsg",
        )
        .crash_append("novmcoredd")
        .port("before")
        .port("size")
        .port("vmcore")
        .port("digest")
        .on_stage(move |stage| seen.lock().unwrap().push(stage.to_owned()))
        .run()?;

    let expected = [
        "booting",
        "first kernel up",
        "crash kernel loaded",
        "panicked",
        "crash kernel up",
        "saving",
        "checking",
        "powered off",
    ];
    assert_eq!(*stages.lock().unwrap(), expected);
    let port = |name| fs::read_to_string(run.port(name)).unwrap();
    assert_eq!(port("before"), "written before the panic\n");
    let size: u64 = port("size").trim().parse().unwrap();
    assert!(size > 300 << 20, "{size}");
    assert_eq!(fs::metadata(run.port("vmcore")).unwrap().len(), size);
    let mut magic = [0; 4];
    let mut vmcore = File::open(run.port("vmcore")).unwrap();
    vmcore.read_exact(&mut magic).unwrap();
    assert_eq!(&magic, b"\x7fELF");

    let digest = Command::new(vmtest::guest_program()?)
        .arg("digest")
        .arg(run.port("vmcore"))
        .output()
        .unwrap();
    assert_eq!(port("digest"), String::from_utf8(digest.stdout).unwrap());

    assert!(run.console().contains("\nagree: ok\n"));
    assert!(run.console().contains("\nrefuse: ok\n"));
    assert!(run.console().contains(" novmcoredd"), "{}", run.console());
    assert!(run.console().contains("] said by the script\n"));
    assert!(run.dmesg().contains("] said by the script\n"));
    fs::remove_file(run.port("vmcore")).unwrap();
    Ok(())
}

#[test]
fn devices_survive_the_panic() -> Result<()> {
    let backing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("devices-survive");
    File::create(&backing).unwrap().set_len(1 << 20).unwrap();
    let kernel = Kernel::fetch(Series::V6_12)?;
    let run = PanicCycle::new(&kernel, "devices-survive")
        .ivshmem(&backing)
        .edu()
        .before_panic(&format!("{BAR}; devmem $(bar 0x1110 3) 32 0x12345678"))
        .crash_script(&format!(
            "{BAR}
             devmem $(bar 0x1110 3) 32 >/ports/shared
             devmem $(bar 0x11e8 1) 32 >/ports/edu"
        ))
        .port("shared")
        .port("edu")
        .run()?;
    let port = |name| fs::read_to_string(run.port(name)).unwrap();
    assert_eq!(port("shared"), "0x12345678\n");
    assert_eq!(port("edu"), "0x010000ED\n");
    assert_eq!(fs::read(&backing).unwrap()[..4], 0x1234_5678_u32.to_le_bytes());
    Ok(())
}

/// Enables the PCI device with an ID and prints the address in a line of its resources.
const BAR: &str = r#"bar() {
    for device in /sys/bus/pci/devices/*; do
        if [ "$(cat $device/device)" = "$1" ]; then
            echo 1 >$device/enable
            sed -n "$2p" $device/resource | cut -d ' ' -f 1
        fi
    done
}"#;

#[test]
fn the_full_flavour_loads_a_driver_before_the_panic() -> Result<()> {
    let kernel = Kernel::fetch(Series::V6_12.with_all_drivers())?;
    let run = PanicCycle::new(&kernel, "the-full-flavour")
        .crashkernel_mib(160)
        .first_file(kernel.module("e1000e")?, "/e1000e.ko")
        .before_panic("insmod /e1000e.ko; lsmod >/ports/lsmod")
        .crash_script("[ -e /proc/vmcore ]; [ ! -e /e1000e.ko ]")
        .port("lsmod")
        .run()?;
    let lsmod = fs::read_to_string(run.port("lsmod")).unwrap();
    assert!(lsmod.contains("\ne1000e "), "{lsmod}");
    Ok(())
}

#[test]
fn a_plain_boot_loads_a_module() -> Result<()> {
    let kernel = Kernel::fetch(Series::V6_12)?;
    let run = Boot::new(&kernel, "a-plain-boot")
        .file(kernel.module("virtio-rng")?, "/virtio-rng.ko")
        .script("insmod /virtio-rng.ko; lsmod >/ports/lsmod")
        .port("lsmod")
        .run()?;
    let lsmod = fs::read_to_string(run.port("lsmod")).unwrap();
    assert!(lsmod.contains("\nvirtio_rng "), "{lsmod}");
    Ok(())
}

/// The script waits meanwhile; a pause at which nothing is to be done ends the run.
#[test]
fn the_host_acts_at_a_pause() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let status = Arc::clone(&said);
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let run = Boot::new(&kernel, "the-host-acts-at-a-pause")
        .port("file")
        .script("echo before >/ports/file\n pause known\n echo after >/ports/file\n pause other")
        .at_pause("known", move |monitor| {
            status.lock().unwrap().push(monitor.command("info status")?);
            assert!(monitor.command("no such command")?.starts_with("unknown command"));
            Ok(())
        })
        .run();
    assert!(matches!(run, Err(Error::Pause(name)) if name == "other"));
    assert_eq!(*said.lock().unwrap(), ["VM status: running\n"]);
    let file = vmtest::target_dir().join("vmtest/the-host-acts-at-a-pause/file");
    assert_eq!(fs::read_to_string(file).unwrap(), "before\nafter\n");
}

#[test]
fn a_failing_script_is_an_error_that_names_the_console() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let error = Boot::new(&kernel, "a-failing-script")
        .script(
            "echo so it ends
             for line in 1 2 3 4 5; do echo '<1>the kernel, too' >/dev/kmsg; done
             (exit 7) | cat
             echo not reached",
        )
        .run()
        .unwrap_err();
    let line = error.to_string();
    assert!(line.contains("status 7"), "{line}");
    assert!(line.contains("so it ends"), "{line}");
    assert!(!line.contains("the kernel, too"), "{line}");
    assert!(!line.contains('\n'), "{line}");
    let Error::Run { console, .. } = error else {
        panic!("{line}");
    };
    assert!(line.contains(console.to_str().unwrap()), "{line}");
    assert!(console.is_file());
}

#[test]
fn lines_that_fail_before_the_panic_are_told_apart() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let failure =
        failure(PanicCycle::new(&kernel, "fails-before-panic").before_panic("false").run());
    assert_eq!(failure, Failure::BeforePanic(1));
}

#[test]
fn a_crash_kernel_without_room_is_told_apart() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let failure = failure(PanicCycle::new(&kernel, "no-room").crashkernel_mib(16).run());
    assert!(matches!(failure, Failure::KexecLoad(_)), "{failure}");
}

#[test]
fn a_hanging_script_ends_at_the_time_limit() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let started = Instant::now();
    let limit = Duration::from_secs(30);
    let failure = failure(
        Boot::new(&kernel, "a-hanging-script")
            .script("echo '@@ hanging'; sleep 1000")
            .time_limit(limit)
            .run(),
    );
    let stage = "hanging".to_owned();
    assert_eq!(failure, Failure::TimeLimit { limit, stage });
    assert!(started.elapsed() < limit + Duration::from_secs(5));
}

#[test]
fn names_that_cannot_be_files_are_refused() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let escaping = Boot::new(&kernel, "../outside").run();
    assert!(matches!(escaping, Err(Error::Name(name)) if name == "../outside"));
    let reserved = Boot::new(&kernel, "reserved-port").port("status").run();
    assert!(matches!(reserved, Err(Error::Name(name)) if name == "status"));
}

fn failure<T>(result: Result<T>) -> Failure {
    match result {
        Err(Error::Run { failure, .. }) => failure,
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("the run did not fail"),
    }
}

#[test]
fn a_kernel_that_dies_before_its_init_is_started_again() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let stages = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&stages);
    let boot = Boot::new(&kernel, "dies-before-init")
        .append("rdinit=/not-there")
        .on_stage(move |stage| seen.lock().unwrap().push(stage.to_owned()));
    let Err(Error::Run { failure, console, .. }) = boot.run() else {
        panic!("a kernel without an init did well");
    };
    assert_eq!(failure, Failure::NoStatus);
    let again = "booting again, as the kernel died before its init";
    let expected = ["booting", "panicked", again, "panicked", again, "panicked"];
    assert_eq!(*stages.lock().unwrap(), expected);
    for kept in ["console-1.log", "console-2.log", "console.log"] {
        let text = fs::read_to_string(console.with_file_name(kept)).unwrap();
        assert!(text.contains("Unable to mount root fs"), "{kept}");
    }
}
