// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! In a running system that is locked down, the module reads devices whose drivers have
//! them: what no read changes, and by its own plans only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use system_tests::registers::{self, BAR, CONFIG, Device, End, LOOK, Recorded};
use system_tests::{
    Modules, OnEachKernel, Result, fault, names, output, payload, root, with_dependencies, write,
};
use vmtest::{Boot, Kernel, Run, Series, Vm};

const NVME: &str = "0000:00:04.0";
const E1000E: &str = "0000:00:05.0";
/// No driver has it.
const EDU: &str = "0000:00:06.0";

/// Eight snapshots are taken.
const LIMIT: Duration = Duration::from_secs(240);

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

/// What `vmcoredd-baseline.service` runs, twice and then twice at a time; then the adapter
/// takes all packets, and a crash is said to have been saved; last, the disk is full.
const KEEP: &str = "
        mkdir -p /out /etc/vmcoredd /var/crash/202611271639
        echo BASELINES=2 >/etc/vmcoredd/vmcoredd.conf
        kept=/var/lib/vmcoredd/baseline
        # The module is there for a snapshot alone, as modprobe has it.
        fresh() { rmmod vmcoredd 2>/dev/null || :; insmod /modules/vmcoredd.ko; }
        fresh
        /usr/lib/vmcoredd/baseline
        ls $kept >/out/first
        cp $kept/snapshot.* /out/snapshot
        sleep 1
        fresh
        /usr/lib/vmcoredd/baseline
        sleep 1
        fresh
        /usr/lib/vmcoredd/baseline &
        /usr/lib/vmcoredd/baseline
        wait $!
        touch $kept/mine
        ls -A $kept >/out/kept
        stat -c %a $kept $kept/snapshot.* >/out/modes

        fresh
        ip link set $network promisc on
        crash=/var/crash/202611271639/dump
        vmcoredd snapshot --output $crash
        vmcoredd explain $crash >/out/explained || :
        cp $crash /tmp/elsewhere
        vmcoredd explain /tmp/elsewhere >/out/elsewhere || :
        vmcoredd explain /tmp/elsewhere --baseline $kept >/out/chosen || :

        fresh
        size=$(cat $kept/snapshot.* | wc -c)
        mount -t tmpfs -o size=$((size * 5 / 4)) none $kept
        /usr/lib/vmcoredd/baseline
        sleep 1
        /usr/lib/vmcoredd/baseline
        ls -A $kept >/out/full
        sleep 1
        fails /usr/lib/vmcoredd/baseline 2>/out/no-space
        ls -A $kept >>/out/full
        rmmod vmcoredd
        tar -c -C /out . >/ports/baseline
";

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
        {KEEP}
        ip link set $network promisc off
        insmod /modules/vmcoredd.ko
        vmtest-guest plans /dev/vmcoredd /foreign.plan >/ports/plans
        mount -t securityfs securityfs /sys/kernel/security
        echo integrity >/sys/kernel/security/lockdown
        fails devmem 0xfed00000 32
        vmtest-guest plans /dev/vmcoredd /foreign.plan >>/ports/plans
        ethtool -d $network >/ports/ethtool
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
    let kernel = Kernel::fetch(series.with_all_drivers())?;
    let modules = Modules::build(&kernel)?;
    let name = format!("devices-live-{series}");
    let directory = vmtest::target_dir().join("adapters").join(&name);
    let (foreign, plan) = (directory.join("foreign.kdl"), directory.join("foreign.plan"));
    write(&foreign, FOREIGN.as_bytes())?;
    let command = vmtest::static_program("vmcoredd")?;
    let mut compile = Command::new(&command);
    output(compile.args(["profile", "compile"]).arg(&foreign).arg("--output").arg(&plan))?;
    let mut vm = Boot::new(&kernel, &name).append("iomem=relaxed").time_limit(LIMIT);
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
        .file(root().join("packaging/kdump/baseline"), "/usr/lib/vmcoredd/baseline")
        .program("/usr/sbin/ethtool")
        .script(&script());
    let ports = ["recorded", "plans", "said", "ethtool", "snapshot", "drivers", "baseline"];
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

/// The directory of what [`KEEP`] has put out.
fn out() -> &'static Path {
    static OUT: OnceLock<PathBuf> = OnceLock::new();
    OUT.get_or_init(|| {
        let archive = run().port("baseline");
        let directory = archive.with_file_name("out");
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        output(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&directory)).unwrap();
        directory
    })
}

fn kept(name: &str) -> String {
    fs::read_to_string(out().join(name)).unwrap()
}

/// Of the registers that both have, ethtool has the same values from the driver.
#[test]
fn ethtool_has_the_same_registers() {
    let said = fs::read_to_string(run().port("ethtool")).unwrap();
    let mut decode = Command::new(vmtest::static_program("vmcoredd").unwrap());
    decode.args(["decode", "--json"]).arg(run().port("snapshot")).arg(format!("regs_{E1000E}"));
    let decoded: Value = serde_json::from_str(&output(&mut decode).unwrap()).unwrap();
    let blocks = decoded["values"].as_array().unwrap();
    let registers: Vec<&Value> =
        blocks.iter().flat_map(|block| block["values"].as_array().unwrap()).collect();
    let mut compared = Vec::new();
    // 0x00100: RCTL (Receive control register)    0x04008002
    for line in said.lines().filter(|line| line.starts_with("0x")) {
        let (address, rest) = line.split_once(": ").unwrap();
        let address = u64::from_str_radix(&address[2..], 16).unwrap();
        let name = rest.split([' ', '(']).next().unwrap();
        let value = rest.rsplit_once("0x").unwrap().1;
        let value = u64::from_str_radix(value.trim(), 16).unwrap();
        let register = registers.iter().find(|register| register["address"] == address);
        let Some(register) = register else { continue };
        assert_eq!(register["name"], name, "{said}");
        // Packets may come and go between the two.
        let moves = ["RDH", "RDT", "TDH", "TDT"].contains(&name);
        if register["behaviour"] != "volatile" && !moves {
            assert_eq!(register["value"], value, "{name}: {said}");
            compared.push(name);
        }
    }
    let least = ["CTRL", "STATUS", "RCTL", "RDLEN", "RDTR", "TCTL", "TDLEN", "TIDV"];
    assert!(least.iter().all(|name| compared.contains(name)), "{compared:?}: {said}");
}

/// The newest two are there, whatever else runs; nothing is left of what is not whole.
#[test]
fn the_newest_snapshots_are_kept() {
    let first = kept("first");
    let all: Vec<String> = kept("kept").lines().map(str::to_owned).collect();
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(all[0], "mine");
    assert!(
        all[1..].iter().all(|name| name.starts_with("snapshot.") && name.as_str() > first.trim())
    );
    assert_eq!(kept("modes"), "700\n400\n400\n");
    let dumps = names(&out().join("snapshot")).unwrap();
    assert!(dumps.contains(&format!("regs_{E1000E}")) && dumps.contains(&"pci-config".to_owned()));
}

/// Of a file elsewhere it is not known whether it is of this machine.
#[test]
fn a_crash_is_compared_with_the_machine_that_had_it() {
    let changed =
        |name: &str| kept(name).split_once("\nchanged since ").map(|(_, rest)| rest.to_owned());
    let explained = changed("explained").unwrap();
    assert!(explained.starts_with("/var/lib/vmcoredd/baseline/snapshot."), "{explained}");
    assert!(explained.contains(&format!("  {E1000E} (regs_{E1000E})\n")), "{explained}");
    assert!(explained.contains("RCTL.UPE: 0 -> 1"), "{explained}");
    // All else is as it was.
    assert!(explained.lines().count() < 10, "{explained}");
    assert_eq!(changed("elsewhere"), None);
    assert_eq!(changed("chosen"), Some(explained));
}

#[test]
fn a_full_disk_costs_the_new_snapshot_alone() {
    let full = kept("full");
    let lines: Vec<&str> = full.lines().collect();
    assert_eq!(lines.len(), 4, "{full}");
    assert_eq!(lines[..2], lines[2..], "{full}");
    let said = kept("no-space");
    assert!(said.contains("cannot write: No space left on device"), "{said}");
}
