// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! In a running system that is locked down, the module reads devices whose drivers have
//! them: what no read changes, and by its own plans only.

use std::fs;
use std::process::Command;

use system_tests::registers::{self, BAR, CONFIG, Device, End, LOOK, Recorded};
use system_tests::{
    Modules, OnEachKernel, Result, fault, names, output, payload, with_dependencies, write,
};
use vmtest::{Boot, Flavour, Kernel, Run, Series, Vm};

const NVME: &str = "0000:00:04.0";
const E1000E: &str = "0000:00:05.0";
/// No driver has it.
const EDU: &str = "0000:00:06.0";

const DEVICES: [[&str; 2]; 5] = [
    ["-blockdev", "driver=null-co,node-name=disk,size=16777216,read-zeroes=on"],
    ["-device", "nvme,addr=4.0,drive=disk,serial=0"],
    ["-netdev", "user,id=network"],
    ["-device", "e1000e,addr=5.0,netdev=network,romfile="],
    ["-device", "edu,addr=6.0"],
];

/// A plan of somebody else's.
const FOREIGN: &str = r#"
profile "foreign" version=1 title="of somebody else"
source "a data sheet"
match { pci vendor=0x1234 device=0x11e8 }
collect {
    config
    block start bar=0 at=0x0 len=0x4 width=32
}
block start { reg ID at=0 }
"#;

fn script() -> String {
    format!(
        "{LOOK}
        for module in /first/*; do
            insmod $module
        done
        network=$(ls /sys/bus/pci/devices/{E1000E}/net)
        ip link set $network up
        until [ \"$(cat /sys/class/net/$network/carrier)\" = 1 ] && [ -e /dev/nvme0n1 ]; do
            usleep 10000
        done
        sleep 1
        {{
            look {NVME} 0 0/64 8/32 0x14/32 0x1c/32 0x24/32 0x28/64 0x30/64
            look {E1000E} 0 0/32 8/32 0xd0/32 0x100/32 0x400/32 0x2800/32 0x2808/32 0x3800/32
        }} >/ports/recorded
        insmod /modules/vmcoredd.ko
        vmtest-guest plans /dev/vmcoredd /foreign.plan >/ports/plans
        mount -t securityfs securityfs /sys/kernel/security
        echo integrity >/sys/kernel/security/lockdown
        fails devmem 0xfed00000 32
        vmtest-guest plans /dev/vmcoredd /foreign.plan >>/ports/plans
        vmcoredd snapshot --output /tmp/snapshot >/ports/said
        fails vmcoredd snapshot --output /tmp/none 0000:7f:1f.7
        cat /tmp/snapshot >/ports/snapshot
        head -c 1000000 /dev/nvme0n1 >/dev/null
        for device in {NVME} {E1000E}; do
            basename $(readlink /sys/bus/pci/devices/$device/driver)
        done >/ports/drivers
        "
    )
}

fn run_it(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch_flavour(series, Flavour::Full)?;
    let modules = Modules::build(&kernel)?;
    let name = format!("devices-live-{series}");
    let directory = vmtest::target_dir().join("adapters").join(&name);
    let (foreign, plan) = (directory.join("foreign.kdl"), directory.join("foreign.plan"));
    write(&foreign, FOREIGN.as_bytes())?;
    let command = vmtest::static_program("vmcoredd")?;
    let mut compile = Command::new(&command);
    output(compile.args(["profile", "compile"]).arg(&foreign).arg("--output").arg(&plan))?;
    let mut vm = Boot::new(&kernel, &name).append("iomem=relaxed");
    for [option, value] in DEVICES {
        vm = vm.qemu_arg(option).qemu_arg(value);
    }
    for (position, module) in with_dependencies(&kernel, &["nvme", "e1000e"])?.iter().enumerate() {
        vm = vm.file(module, &format!("/first/{position:02}.ko"));
    }
    let vm = vm
        .file(modules.vmcoredd(), "/modules/vmcoredd.ko")
        .file(command, "/bin/vmcoredd")
        .file(vmtest::guest_program()?, "/bin/vmtest-guest")
        .file(plan, "/foreign.plan")
        .script(&script());
    let ports = ["recorded", "plans", "said", "snapshot", "drivers"];
    Ok(ports.into_iter().fold(vm, Vm::port).run()?)
}

static RUN: OnEachKernel<Run> = OnEachKernel::new(run_it);

fn run() -> &'static Run {
    RUN.get(Series::V6_12)
}

fn device(name: &str) -> Device {
    registers::one(&payload(run().port("snapshot"), name).unwrap()).unwrap()
}

#[test]
fn a_driver_keeps_its_device() {
    let drivers = fs::read_to_string(run().port("drivers")).unwrap();
    assert_eq!(drivers, "nvme\ne1000e\n");
    assert_eq!(fault(run().dmesg()), None);
}

/// What a driver has set up is there, marked as its own; nothing of it changes by that.
#[test]
fn devices_in_use_are_read() {
    let recorded = fs::read_to_string(run().port("recorded")).unwrap();
    let recorded = registers::recorded(&recorded).unwrap();
    for (slot, driver) in [(NVME, "nvme"), (E1000E, "e1000e")] {
        let device = device(&format!("regs_{slot}"));
        assert_eq!((device.flags, device.driver.as_str()), (1, driver));
        assert_eq!(device.end, Some(End { status: 0, reason: 0 }));
        assert!(device.segments.iter().all(|segment| segment.flags & 2 == 2));
        let of_it: Vec<&Recorded> =
            recorded.iter().filter(|register| register.slot == slot).collect();
        assert!(of_it.len() > 5, "{slot}");
        for register in of_it {
            assert_eq!(device.now(register), register.value, "{register:x?}");
        }
    }
    // While MSI-X is on, the masks of interrupts are not to be touched.
    let nvme = device(&format!("regs_{NVME}"));
    assert!(nvme.has(BAR, 0, 8) && !nvme.has(BAR, 0, 0xc) && !nvme.has(BAR, 0, 0x10));
    let functions = registers::read(&payload(run().port("snapshot"), "pci-config").unwrap());
    let functions = functions.unwrap();
    assert!(functions.len() > 5 && functions.iter().all(|function| function.has(CONFIG, 0, 0)));
}

/// A plan of somebody else's is carried out, and where the kernel is locked down it is not.
#[test]
fn foreign_plans_are_refused_under_lockdown() {
    let said = fs::read_to_string(run().port("plans")).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.len() == 2 && lines[0] == "taken", "{said}");
    assert!(lines[1].starts_with("refused: ") && lines[1].contains("PermissionDenied"), "{said}");
    assert_eq!(device(&format!("regs_{EDU}")).profile, "foreign");
    let names = names(run().port("snapshot")).unwrap();
    let of_edu = names.iter().filter(|name| name.contains(EDU)).count();
    assert_eq!(of_edu, 1, "{names:?}");
    let dmesg = run().dmesg();
    assert!(dmesg.contains("refused, a foreign plan: the kernel is locked down"), "{dmesg}");
}

#[test]
fn it_says_what_there_is() {
    let said = fs::read_to_string(run().port("said")).unwrap();
    let count = names(run().port("snapshot")).unwrap().len();
    assert!(said.contains(&format!("/tmp/snapshot: {count} device dumps, ")), "{said}");
}
