// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the module finds in devices that no driver of ours knows: a machine with many of
//! them, and errors in flight, dies of a machine check.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use system_tests::registers::{
    self, Aer, BAR, CONFIG, Config, Device, End, LOOK, PORT, PRINT_CONFIGS, Recorded, UNIT,
};
use system_tests::{
    Modules, OnEachKernel, Result, explained, fault, findings, names, output, payload,
    with_dependencies,
};
use vmtest::{Kernel, Monitor, PanicCycle, Run, Series, Vm};

/// Much is set up before the panic.
const LIMIT: Duration = Duration::from_secs(240);

/// What keeps the crash kernel from clearing what the devices and the processor report.
const KEEPS: &str = "mce=off hest_disable pci=noaer";

/// Root ports, and below the first three what errors are injected into.
const ERRING: [&str; 7] = [
    "pcie-root-port,id=port0,chassis=1,slot=1,addr=4.0,multifunction=on",
    "pcie-root-port,id=port1,chassis=2,slot=2,addr=4.1",
    "pcie-root-port,id=port2,chassis=3,slot=3,addr=4.2",
    "virtio-rng-pci,id=malformed,bus=port0,aer=on,disable-legacy=on",
    "virtio-rng-pci,id=timeout,bus=port1,aer=on,disable-legacy=on",
    "virtio-rng-pci,id=corrected,bus=port2,aer=on,disable-legacy=on",
    "edu,addr=3.0",
];
const MALFORMED: [&str; 2] = ["0000:00:04.0", "0000:01:00.0"];
const TIMEOUT: [&str; 2] = ["0000:00:04.1", "0000:02:00.0"];
/// QEMU does not report a corrected error to its root port.
const CORRECTED: &str = "0000:03:00.0";

/// The other devices, in the slots that follow. The two network adapters share a cable.
const MANY: [&str; 11] = [
    "pcie-root-port,id=port3,chassis=4,slot=4,addr=4.3",
    "pcie-root-port,id=port4,chassis=5,slot=5,addr=4.4",
    "pcie-root-port,id=port5,chassis=6,slot=6,addr=4.5",
    "pcie-root-port,id=port6,chassis=7,slot=7,addr=4.6",
    "pcie-root-port,id=port7,chassis=8,slot=8,addr=4.7",
    "nvme,bus=port3,drive=disk0,serial=0",
    "nvme,bus=port4,drive=disk1,serial=1",
    "e1000e,bus=port5,netdev=plug0,romfile=",
    "qemu-xhci,bus=port6",
    "megasas-gen2,bus=port7",
    "virtio-net-pci,addr=5.0,netdev=plug1,romfile=",
];
const NVME: &str = "0000:04:00.0";
const FAILED_NVME: &str = "0000:05:00.0";
const E1000E: &str = "0000:06:00.0";
const XHCI: &str = "0000:07:00.0";
const MEGASAS: &str = "0000:08:00.0";
/// What the guest's files come out through.
const PORTS: &str = "0000:00:01.0";
/// Of the machine itself: `ich9-ahci`, and the bridge that has the watchdog.
const AHCI: &str = "0000:00:1f.2";
const LPC: &str = "0000:00:1f.0";

/// What else there is: memory that the devices have, and a trace of what the first of them
/// was asked for.
const MORE: [[&str; 2]; 9] = [
    ["-blockdev", "driver=null-co,node-name=disk0,size=16777216,read-zeroes=on"],
    ["-blockdev", "driver=null-co,node-name=disk1,size=16777216,read-zeroes=on"],
    ["-blockdev", "driver=null-co,node-name=disk2,size=16777216,read-zeroes=on"],
    ["-device", "ide-hd,bus=ide.0,drive=disk2"],
    ["-device", "usb-kbd"],
    ["-netdev", "hubport,id=plug0,hubid=0"],
    ["-netdev", "hubport,id=plug1,hubid=0"],
    ["-trace", "pci_nvme_admin_cmd"],
    ["-trace", "pci_nvme_mmio_start_success"],
];

/// Has errors reported to the root ports as firmware does, and the kernel leave them
/// alone, which would clear them before it panics.
const REPORT_ERRORS: &str = "
    aer=/sys/bus/pci_express/drivers/aer
    for service in $aer/*:pcie002; do
        echo ${service##*/} >$aer/unbind
    done
    for device in /sys/bus/pci/devices/*; do
        [ $(wc -c <$device/config) = 4096 ] || continue
        setpci -s ${device##*/} COMMAND.w=100:100 CAP_EXP+8.w=7:7
        [ $(cat $device/class) != 0x060400 ] || setpci -s ${device##*/} BRIDGE_CONTROL.w=2:2
    done
";

/// What is injected, in this order. The kernel panics of the last one: bank 9 says that
/// the processor's context is corrupt, and has an address and a miscellaneous register.
const INJECTED: [&str; 4] = [
    "pcie_aer_inject_error malformed MALF_TLP 0x1 0x2 0x3 0x4",
    "pcie_aer_inject_error timeout COMP_TIME 0x5 0x6 0x7 0x8",
    "pcie_aer_inject_error -c corrected BAD_TLP",
    "mce 0 9 0xbe00000000000135 0x5 0x12345000 0x8c",
];
const INJECT: &str = "pause inject\n sleep 100";

/// PCI Express Base Specification, 7.8.4: bits of the error status registers.
const MALFORMED_TLP: u32 = 1 << 18;
const COMPLETION_TIMEOUT: u32 = 1 << 14;
const BAD_TLP: u32 = 1 << 6;
/// Of a root port's: an uncorrectable error was received, and it is not fatal.
const ROOT_NONFATAL: u32 = 0x24;
/// Of a root port's: an uncorrectable error was received, the first is fatal, one is.
const ROOT_FATAL: u32 = 0x54;

/// The machine check: the registers of bank 9, and that of the processor.
const BANK: [(u64, u64); 4] =
    [(0x425, 0xbe00_0000_0000_0135), (0x426, 0x1234_5000), (0x427, 0x8c), (0x17a, 5)];

fn inject(monitor: &mut Monitor) -> vmtest::Result<()> {
    for command in INJECTED {
        let said = monitor.command(command)?;
        assert!(said.is_empty() || said.starts_with("OK "), "{command}: {said}");
    }
    Ok(())
}

/// Adds devices in this order.
fn with_devices(vm: PanicCycle, devices: &[&str]) -> PanicCycle {
    devices.iter().fold(vm, |vm, device| vm.qemu_arg("-device").qemu_arg(*device))
}

/// A machine into which errors are injected at the pause `inject`.
fn erring(kernel: &Kernel, name: &str) -> Result<PanicCycle> {
    let modules = Modules::build(kernel)?;
    let name = format!("{name}-{}", kernel.series());
    let vm = PanicCycle::new(kernel, &name).crashkernel_mib(192).time_limit(LIMIT);
    Ok(with_devices(vm, &ERRING)
        .append("iomem=relaxed")
        .crash_append("iomem=relaxed")
        .first_program("/usr/bin/setpci")
        .first_file(vmtest::guest_program()?, "/bin/vmtest-guest")
        .file(vmtest::guest_program()?, "/bin/vmtest-guest")
        .file(modules.vmcoredd(), "/modules/vmcoredd.ko")
        .file(vmtest::static_program("vmcoredd")?, "/bin/vmcoredd")
        .at_pause("inject", inject)
        .program("/usr/bin/makedumpfile")
        .port("configs")
        .port("vmcore")
        .port("vmcoredd"))
}

/// Sets up what the drivers of the first kernel do not, and looks at what is to be there
/// after the panic.
fn before_panic() -> String {
    format!(
        "{LOOK}
        bus=/sys/bus/pci/devices
        # One controller is the driver's, the other one, which firmware has used, is enabled
        # with queues of no size.
        echo none >$bus/{FAILED_NVME}/driver_override
        for module in /first/*; do
            insmod $module
        done
        echo 1 >$bus/{FAILED_NVME}/enable
        nvme=$(head -n 1 $bus/{FAILED_NVME}/resource | cut -d ' ' -f 1)
        for register in 0x14/0 0x24/0 0x14/0x460001; do
            devmem $(printf %#x $((nvme + ${{register%/*}}))) 32 ${{register#*/}}
        done
        echo 1 >$bus/{MEGASAS}/enable
        network=$(ls $bus/{E1000E}/net)
        ip link set $network up
        # The watchdog runs out after four ticks of 0.6 s, and is halted, as the next time
        # would follow.
        vmtest-guest port 0x672 4
        vmtest-guest port 0x660 1
        vmtest-guest port 0x668 0
        until [ \"$(cat /sys/class/net/$network/carrier)\" = 1 ]; do
            usleep 10000
        done
        until [ $(($(vmtest-guest port 0x664) & 8)) = 8 ]; do
            usleep 10000
        done
        vmtest-guest port 0x668 0x800
        sleep 1
        for port in 0x664 0x666 0x668 0x672; do
            echo $port $(vmtest-guest port $port)
        done >/ports/watchdog
        {{
            look {NVME} 0 0/64 8/32 0x14/32 0x1c/32 0x24/32 0x28/64 0x30/64
            look {FAILED_NVME} 0 0/64 0x14/32 0x1c/32 0x24/32
            look {AHCI} 5 0/32 4/32 0xc/32 0x10/32 0x100/32 0x104/32 0x108/32 0x114/32 \\
                0x118/32 0x120/32 0x124/32 0x128/32 0x130/32
            look {XHCI} 0 0/32 4/32 8/32 0xc/32 0x10/32 0x14/32 0x18/32 0x70/64 \\
                0x78/32 0x440/32 0x1028/32 0x1030/64
            look {E1000E} 0 0/32 8/32 0xd0/32 0x100/32 0x400/32 0x2800/32 0x2808/32 \\
                0x3800/32 0x3808/32
            look {MEGASAS} 1 0xb0/32 0xb4/32
        }} >/ports/recorded
        {REPORT_ERRORS}
        {INJECT}"
    )
}

/// How many frames to everyone the adapter receives once its kernel is dead.
const BROADCASTS: u64 = 2;

/// In the crash kernel the adapter still receives; its counters have what its driver has
/// not seen.
fn crash_script() -> String {
    format!(
        "{LOOK}
        for module in /network/*; do
            insmod $module
        done
        network=$(ls /sys/bus/pci/devices/0000:00:05.0/virtio*/net)
        ip address add 192.0.2.1/24 dev $network
        ip link set $network up
        arping -q -c {BROADCASTS} -w {BROADCASTS} -I $network 192.0.2.2 || true
        {{ {PRINT_CONFIGS} }} >/ports/configs
        insmod /modules/vmcoredd.ko
        {COLLECT}
        {{ {PRINT_CONFIGS} }} >/ports/configs-after
        # Broadcast frames received: the register is cleared when it is read.
        {{
            look {E1000E} 0 0x4078/32 0x4078/32
            look {NVME} 0 0x24/32 0x28/64
        }} >/ports/after
        "
    )
}

/// The first kernel has the IOMMU refuse what `edu` reads, whose address nobody has
/// mapped, with the fault's interrupt masked, so that its handler does not clear it.
const FORBIDDEN_DMA: &str = "
    unit=0xfed90000
    devmem $(printf %#x $((unit + 0x38))) 32 0x80000000
    edu=/sys/bus/pci/devices/0000:00:03.0
    echo 1 >$edu/enable
    setpci -s 00:03.0 COMMAND.w=6:6
    bar=$(head -n 1 $edu/resource | cut -d ' ' -f 1)
    for register in 0x80/0x7654000 0x88/0x40000 0x90/0x10 0x98/1; do
        devmem $(printf %#x $((bar + ${register%/*}))) 64 ${register#*/}
    done
    until [ $(($(devmem $(printf %#x $((unit + 0x34))) 32) & 2)) = 2 ]; do
        usleep 10000
    done
    for register in 0x34/32 0x220/64 0x228/64; do
        echo $register $(devmem $(printf %#x $((unit + ${register%/*}))) ${register#*/})
    done >/ports/unit
";

const COLLECT: &str = "
        vmcoredd collect
        cat /proc/vmcoredd >/ports/vmcoredd
        makedumpfile -c -d 31 -F /proc/vmcore >/ports/vmcore
";

fn panic(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch(series.with_all_drivers())?;
    let mut vm = with_devices(erring(&kernel, "devices")?, &MANY).memory_mib(768);
    for [option, value] in MORE {
        vm = vm.qemu_arg(option).qemu_arg(value);
    }
    let drivers = with_dependencies(&kernel, &["nvme", "ahci", "sd_mod", "xhci_pci", "e1000e"])?;
    for (position, module) in drivers.iter().enumerate() {
        vm = vm.first_file(module, &format!("/first/{position:02}.ko"));
    }
    for (position, module) in with_dependencies(&kernel, &["virtio_net"])?.iter().enumerate() {
        vm = vm.file(module, &format!("/network/{position:02}.ko"));
    }
    let ports = ["recorded", "watchdog", "configs-after", "after"];
    let run = ports
        .into_iter()
        .fold(vm, Vm::port)
        .crash_append(KEEPS)
        .before_panic(&before_panic())
        .crash_script(&crash_script())
        .run()?;
    Ok(run)
}

static RUN: OnEachKernel<Run> = OnEachKernel::new(panic);

/// The registers are of a dump; the file has all of them.
fn dump(run: &Run, name: &str) -> Vec<Device> {
    registers::read(&payload(run.port("vmcoredd"), name).unwrap()).unwrap()
}

/// The one device of a dump, which was read to its end.
fn whole(run: &Run, name: &str) -> Device {
    let device = registers::one(&payload(run.port("vmcoredd"), name).unwrap()).unwrap();
    assert_eq!(device.end, Some(End { status: 0, reason: 0 }), "{device:x?}");
    device
}

/// The error status that a function has in the dump of all configuration spaces.
fn dumped_aer(run: &Run, slot: &str) -> Aer {
    let functions = dump(run, "pci-config");
    let function = functions.iter().find(|function| function.slot == slot).expect(slot);
    registers::aer(&function.bytes(CONFIG, 0, 0, 4096)).unwrap()
}

/// QEMU puts the words of a packet's header into its log with their bytes reversed.
fn logged(header: [u32; 4]) -> [u32; 4] {
    header.map(u32::swap_bytes)
}

fn errors_in_flight_are_there(series: Series) {
    let run = RUN.get(series);
    let [port, function] = MALFORMED.map(|slot| dumped_aer(run, slot));
    assert_eq!((function.uncorrectable, function.correctable), (MALFORMED_TLP, 0));
    assert_eq!(function.header, logged([1, 2, 3, 4]));
    assert_eq!((port.root, port.source >> 16), (ROOT_FATAL, 0x0100), "{port:x?}");
    let [port, function] = TIMEOUT.map(|slot| dumped_aer(run, slot));
    assert_eq!((function.uncorrectable, function.correctable), (COMPLETION_TIMEOUT, 0));
    assert_eq!(function.header, logged([5, 6, 7, 8]));
    assert_eq!((port.root, port.source >> 16), (ROOT_NONFATAL, 0x0200), "{port:x?}");
    let function = dumped_aer(run, CORRECTED);
    assert_eq!((function.uncorrectable, function.correctable), (0, BAD_TLP));
}

fn the_machine_check_is_there(series: Series) {
    let processor = whole(RUN.get(series), "mca_cpu0");
    assert_eq!((processor.kind, processor.address), (2, 0));
    for (register, value) in BANK {
        assert_eq!(processor.msr(register), value, "{register:#x}");
    }
}

/// Every function has its configuration space in one dump, as the kernel reads it, and it
/// is the same after all has been read.
fn configuration_spaces_are_as_they_are(series: Series) {
    let run = RUN.get(series);
    let read = |port: &str| registers::configs(&fs::read(run.port(port)).unwrap()).unwrap();
    let (before, after) = (read("configs"), read("configs-after"));
    assert!(before.len() > 20 && before == after);
    let dumped: Vec<Config> = dump(run, "pci-config")
        .iter()
        .zip(&before)
        .map(|(function, config)| {
            assert_eq!(function.end, Some(End { status: 0, reason: 0 }), "{function:x?}");
            let bytes = function.bytes(CONFIG, 0, 0, config.bytes.len());
            assert!(!function.has(CONFIG, 0, bytes.len() as u64), "{}", function.slot);
            Config { slot: function.slot.clone(), bytes }
        })
        .collect();
    for (dumped, config) in dumped.iter().zip(&before) {
        assert_eq!(dumped, config);
    }
    assert_eq!(dumped.len(), before.len());
}

/// All that a script has looked at before the panic, by the slot of its device. Not
/// USBCMD of xHCI: a quirk of the crash kernel stops the controller before any module runs.
fn devices_are_as_the_dead_kernel_left_them(series: Series) {
    let run = RUN.get(series);
    let recorded = fs::read_to_string(run.port("recorded")).unwrap();
    let recorded = registers::recorded(&recorded).unwrap();
    for slot in [NVME, FAILED_NVME, AHCI, XHCI, E1000E, MEGASAS] {
        let device = whole(run, &format!("regs_{slot}"));
        assert_eq!((device.power, device.flags, device.driver.as_str()), (0, 0, ""), "{slot}");
        let of_it: Vec<&Recorded> =
            recorded.iter().filter(|register| register.slot == slot).collect();
        assert!(of_it.len() > 1, "{slot}");
        for register in of_it {
            assert_eq!(device.now(register), register.value, "{register:x?}");
        }
    }
}

fn nvme_was_running_and_the_other_one_had_failed(series: Series) {
    let run = RUN.get(series);
    let [running, failed] = [NVME, FAILED_NVME].map(|slot| whole(run, &format!("regs_{slot}")));
    assert_eq!((running.profile.as_str(), running.class), ("nvme", 0x01_0802));
    let status = |device: &Device| device.register(BAR, 0, 0x1c, 4);
    assert_eq!((status(&running), status(&failed)), (1, 2), "ready; fatal status");
    assert_eq!(running.register(BAR, 0, 0x14, 4) & 1, 1, "enabled");
    // What the vmcore has where the dump says that the queue of commands is.
    let after = fs::read_to_string(run.port("after")).unwrap();
    let after = registers::recorded(&after).unwrap();
    let queue = after.iter().find(|register| register.slot == NVME && register.offset == 0x28);
    assert_eq!(running.register(BAR, 0, 0x28, 8), queue.unwrap().value);
    let commands = commands(run);
    let decoded = decoded(run, &format!("regs_{NVME}"));
    let entries = values(&decoded, &["ctrl", "ASQ"]);
    let entry = |index: usize| {
        let command = &entries[index];
        assert_eq!(command["name"], format!("command[{index}]"));
        (command["value"].as_u64().unwrap(), value(command, "CID"))
    };
    assert!(commands.len() > 10 && commands.len() <= entries.len(), "{commands:x?}");
    for (index, (code, number)) in commands.iter().enumerate() {
        assert_eq!(entry(index), (u64::from(*code), u64::from(*number)), "{index}");
    }
    // All but the request for events were answered, and none with an error.
    let completions = values(&decoded, &["ctrl", "ACQ"]);
    let number = |completion: &Value| value(completion, "CID");
    let answered: BTreeSet<u64> = completions.iter().map(number).collect();
    let asked = commands.iter().filter(|(code, _)| *code != 0x0c);
    assert_eq!(answered, asked.map(|(_, number)| u64::from(*number)).collect());
    for completion in completions {
        assert_eq!(completion["meaning"], "success", "{completion}");
    }
}

/// What `vmcoredd decode` says of a dump in the vmcore, which makedumpfile has saved with as
/// little memory as it can.
fn decoded(run: &Run, dump: &str) -> Value {
    let command = vmtest::static_program("vmcoredd").unwrap();
    let mut decode = Command::new(command);
    let json = decode.arg("decode").arg("--json").arg(run.port("vmcore")).arg(dump);
    serde_json::from_str(&output(json).unwrap()).unwrap()
}

/// The values that the one at this path consists of.
fn values<'a>(decoded: &'a Value, path: &[&str]) -> &'a [Value] {
    let of = |node: &'a Value| node["values"].as_array().unwrap();
    path.iter().fold(of(decoded), |all, name| of(named(all, name)))
}

/// The value that is called so.
fn named<'a>(all: &'a [Value], name: &str) -> &'a Value {
    let found = all.iter().find(|node| node["name"] == name);
    found.unwrap_or_else(|| panic!("{name}: {all:#?}"))
}

/// The number that is called so in `node`.
fn value(node: &Value, name: &str) -> u64 {
    let found = named(values(node, &[]), name);
    found["value"].as_u64().unwrap_or_else(|| panic!("{found}"))
}

/// The operation code and the number of each command that the driver has sent, by what the
/// controller says itself; firmware came before it.
fn commands(run: &Run) -> Vec<(u8, u16)> {
    let trace = fs::read_to_string(run.console_path().with_file_name("qemu.log")).unwrap();
    let (_, of_the_driver) = trace.rsplit_once("pci_nvme_mmio_start_success").unwrap();
    let lines = of_the_driver.lines().filter_map(|line| line.strip_prefix("pci_nvme_admin_cmd "));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let ["cid", number, "sqid", "0", "opc", code, ..] = words[..] else {
                panic!("{line}");
            };
            let code = u8::from_str_radix(code.trim_start_matches("0x"), 16).unwrap();
            (code, number.parse().unwrap())
        })
        .collect()
}

/// What the disk was asked, the events of the keyboard, and the buffers of the adapter, which
/// still received when its kernel was dead.
fn what_registers_point_to_is_decoded(series: Series) {
    let run = RUN.get(series);
    let words = |node: &Value| node["meaning"].as_str().unwrap_or_default().to_owned();
    let ahci = decoded(run, &format!("regs_{AHCI}"));
    let slots = values(&ahci, &["port[0]", "CLB"]);
    let asked: Vec<String> = slots.iter().map(words).collect();
    assert!(asked.contains(&"IDENTIFY DEVICE".to_owned()), "{asked:?}");
    // The table of partitions was looked for.
    let reads_table = |slot: &Value| {
        let command = named(values(slot, &[]), "CTBA");
        words(slot) == "READ FPDMA QUEUED" && value(command, "LBA") == 0
    };
    assert!(slots.iter().any(reads_table), "{slots:#?}");
    let answer = named(values(&ahci, &["port[0]", "FB"]), "REGISTER_FIS");
    assert_eq!((value(answer, "STATUS"), value(answer, "ERROR")), (0x50, 0));

    let xhci = decoded(run, &format!("regs_{XHCI}"));
    let keyboard = values(&xhci, &["op", "DCBAAP", "slot[1]"]);
    assert_eq!(words(named(keyboard, "STATE")), "configured");
    assert_eq!(words(named(keyboard, "endpoint[3]")), "interrupt in, running");
    let port = value(named(values(&xhci, &["op", "DCBAAP"]), "slot[1]"), "ROOT_PORT");
    let events = values(&xhci, &["intr", "ERSTBA", "segment[0]"]);
    let events: Vec<String> = events.iter().map(words).filter(|words| !words.is_empty()).collect();
    assert!(events.contains(&format!("Port Status Change Event: success, port {port}")));
    assert!(events.contains(&"Command Completion Event: success, slot 1".to_owned()));
    let went_well =
        |event: &String| event.contains(": success") || event.contains(": short packet");
    assert!(events.iter().all(went_well), "{events:#?}");

    let adapter = decoded(run, &format!("regs_{E1000E}"));
    let buffers = values(&adapter, &["rx", "RDBA"]);
    let received = buffers.iter().filter(|buffer| words(buffer).starts_with("packet of 60 bytes"));
    assert!(received.count() as u64 >= BROADCASTS, "{buffers:#?}");
    let free = buffers.iter().filter(|buffer| words(buffer) == "a buffer, the device's");
    assert!(free.count() > 200, "{buffers:#?}");
}

/// A second reader sees what came in since the driver had looked, and clears it; ICR, the
/// statistics and SWSM are not in the dump.
fn counters_of_e1000e_are_left_alone(series: Series) {
    let run = RUN.get(series);
    let adapter = whole(run, &format!("regs_{E1000E}"));
    for offset in [0xc0, 0x4000, 0x4078, 0x40d0, 0x5b50] {
        assert!(!adapter.has(BAR, 0, offset), "{offset:#x}");
    }
    let after = fs::read_to_string(run.port("after")).unwrap();
    let after = registers::recorded(&after).unwrap();
    let counts: Vec<u64> =
        after.iter().filter(|register| register.slot == E1000E).map(|r| r.value).collect();
    assert_eq!(counts, [BROADCASTS, 0]);
}

fn the_watchdog_has_run_out(series: Series) {
    let run = RUN.get(series);
    let bridge = whole(run, &format!("regs_{LPC}"));
    let text = fs::read_to_string(run.port("watchdog")).unwrap();
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let recorded: Vec<(u64, u64)> = text
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(port, value)| (number(port), number(value)))
        .collect();
    assert_eq!(recorded[0], (0x664, 8), "it has run out once");
    for (port, value) in recorded {
        assert_eq!(bridge.register(PORT, 0, port, 2), value, "{port:#x}");
    }
}

/// The kernel has a driver for virtio built in, which came first.
fn what_a_driver_has_is_marked(series: Series) {
    let run = RUN.get(series);
    let slot = MALFORMED[1];
    let device = whole(run, &format!("regs_{slot}"));
    assert_eq!((device.profile.as_str(), device.driver.as_str()), ("virtio", "virtio-pci"));
    assert_eq!(device.flags & 1, 1);
    assert!(device.segments.iter().all(|segment| segment.flags & 2 == 2), "{device:x?}");
    let ports = whole(run, &format!("regs_{PORTS}"));
    assert_eq!((ports.profile.as_str(), ports.driver.as_str()), ("virtio", "virtio-pci"));
    assert_eq!(ports.register(BAR, 4, 0x14, 1), 0xf, "all of its status bits but those for faults");
}

/// Each fault is of the device that has it, and not of the one that reports it.
fn explain_names_the_device_first(series: Series) {
    let explained = explained(RUN.get(series).port("vmcoredd")).unwrap();
    insta::assert_snapshot!("explained", explained);
    let heads = findings(&explained);
    assert!(heads[0].contains(MALFORMED[1]), "{explained}");
    let faults = [
        (&MALFORMED[..], MALFORMED[1], "fatal "),
        (&TIMEOUT, TIMEOUT[1], "error "),
        (&[CORRECTED], CORRECTED, "warn "),
        (&["mca_cpu0"], "mca_cpu0", "fatal "),
        (&[FAILED_NVME], FAILED_NVME, "fatal "),
        (&[LPC], LPC, "error "),
    ];
    for (of_it, device, severity) in faults {
        let first = heads.iter().find(|head| of_it.iter().any(|slot| head.contains(slot)));
        let first = first.expect(device);
        assert!(first.contains(device) && first.starts_with(severity), "{first}");
    }
}

/// What `vmcoredd decode` finds abnormal, by the dump in which it is.
fn abnormal(run: &Run, dump: &str) -> String {
    let command = vmtest::static_program("vmcoredd").unwrap();
    let mut decode = Command::new(command);
    output(decode.arg("decode").arg(run.port("vmcoredd")).arg(dump).arg("--abnormal")).unwrap()
}

fn what_is_abnormal_is_reported(series: Series) {
    let run = RUN.get(series);
    let failed = abnormal(run, &format!("regs_{FAILED_NVME}"));
    assert!(failed.contains("  fatal controller fatal status: "), "{failed}");
    let running = abnormal(run, &format!("regs_{NVME}"));
    assert!(!running.contains("  fatal "), "{running}");
    let functions = abnormal(run, "pci-config");
    let of = |slot: &str| {
        let mut parts = functions.split("pci-config: ");
        let part = parts.find(|part| part.lines().next().is_some_and(|line| line.contains(slot)));
        part.unwrap_or_else(|| panic!("{slot}: {functions}"))
    };
    assert!(of(MALFORMED[1]).contains("  fatal malformed TLP"), "{functions}");
    assert!(of(TIMEOUT[1]).contains("  error completion timeout"), "{functions}");
    let processor = abnormal(run, "mca_cpu0");
    assert!(processor.contains("  fatal bank 9: uncorrected error"), "{processor}");
    let bridge = abnormal(run, &format!("regs_{LPC}"));
    assert!(bridge.contains("  error the watchdog expired"), "{bridge}");
}

/// The function that sent a malformed packet is the first; the dead kernel's log has what the
/// kernel died of, and supports what a device says.
fn the_worst_is_explained(series: Series) {
    let run = RUN.get(series);
    let command = vmtest::static_program("vmcoredd").unwrap();
    let explain = Command::new(command).arg("explain").arg(run.port("vmcore")).output().unwrap();
    let text = String::from_utf8(explain.stdout).unwrap();
    assert_eq!((explain.status.code(), explain.stderr.as_slice()), (Some(1), &b""[..]), "{text}");
    let first = text.lines().find(|line| line.starts_with("fatal")).unwrap();
    assert!(first.contains(MALFORMED[1]), "{text}");
    let panic = "dead kernel's log: the kernel stopped for a machine check: ";
    assert!(text.contains(panic), "{text}");
    assert!(text.contains("\n    also: dead kernel's log: ["), "{text}");
}

fn all_is_well(series: Series) {
    let run = RUN.get(series);
    assert_eq!(fault(run.dmesg()), None);
    let found: BTreeSet<String> = names(run.port("vmcoredd")).unwrap().into_iter().collect();
    let slots = [NVME, FAILED_NVME, AHCI, XHCI, E1000E, MEGASAS, LPC, MALFORMED[1], TIMEOUT[1]];
    let expected = slots.map(|slot| format!("regs_{slot}"));
    for name in expected.iter().map(String::as_str).chain(["pci-config", "mca_cpu0"]) {
        assert!(found.contains(name), "{name}: {found:?}");
    }
}

system_tests::on_each_kernel! {
    errors_in_flight_are_there
    the_machine_check_is_there
    configuration_spaces_are_as_they_are
    devices_are_as_the_dead_kernel_left_them
    nvme_was_running_and_the_other_one_had_failed
    what_registers_point_to_is_decoded
    counters_of_e1000e_are_left_alone
    the_watchdog_has_run_out
    what_a_driver_has_is_marked
    what_is_abnormal_is_reported
    the_worst_is_explained
    explain_names_the_device_first
    all_is_well
}

/// Without the arguments, and with an IOMMU, which keeps its faults.
fn panic_without() -> Result<Run> {
    let kernel = Kernel::fetch(Series::V6_12.with_all_drivers())?;
    let run = erring(&kernel, "devices-plain")?
        .qemu_arg("-device")
        .qemu_arg("intel-iommu")
        .append("intel_iommu=on")
        .first_file(kernel.module("msr")?, "/msr.ko")
        .file(kernel.module("msr")?, "/msr.ko")
        .before_panic(&format!("{FORBIDDEN_DMA}\n{REPORT_ERRORS}\n{INJECT}"))
        .crash_script(&format!(
            "{{ {PRINT_CONFIGS} }} >/ports/configs
            insmod /modules/vmcoredd.ko
            {COLLECT}"
        ))
        .port("unit")
        .run()?;
    Ok(run)
}

static WITHOUT: OnEachKernel<Run> = OnEachKernel::new(|_| panic_without());

fn without() -> &'static Run {
    WITHOUT.get(Series::V6_12)
}

/// The crash kernel clears them before any module runs. What it does not clear shows that
/// they were there.
#[test]
fn without_its_arguments_the_crash_kernel_clears_errors() {
    let run = without();
    for (slot, header) in [(MALFORMED[1], [1, 2, 3, 4]), (TIMEOUT[1], [5, 6, 7, 8])] {
        let function = dumped_aer(run, slot);
        assert_eq!((function.uncorrectable, function.correctable), (0, 0), "{slot}");
        assert_eq!(function.header, logged(header), "{slot}");
    }
    for slot in [MALFORMED[0], TIMEOUT[0]] {
        assert_eq!(dumped_aer(run, slot).root, 0, "{slot}");
    }
    assert_eq!(dumped_aer(run, CORRECTED).correctable, 0);
    let processor = whole(run, "mca_cpu0");
    assert_eq!(processor.msr(0x17a), 5);
    assert_eq!(processor.msr(0x425), 0);
}

/// The kernel says what the fault was, and clears the bit that says that there is one. The
/// record has the source, the address and the reason: it may not be read.
#[test]
fn a_forbidden_access_to_memory_is_there() {
    let run = without();
    let before = fs::read_to_string(run.port("unit")).unwrap();
    assert!(before.contains("0x228/64 0xC0FFFF0600000018"), "{before}");
    let unit = whole(run, "vt-d_fed90000");
    assert_eq!((unit.kind, unit.address, unit.profile.as_str()), (3, 0xfed9_0000, "vt-d"));
    assert_eq!(unit.register(UNIT, 0, 0x220, 8), 0x765_4000);
    let source = 3 << 3;
    assert_eq!(unit.register(UNIT, 0, 0x228, 8), 0x40ff_ff06_0000_0000 | source);
    let line = "DMAR: [DMA Read NO_PASID] Request device [00:03.0] fault addr 0x7654000";
    assert!(run.dmesg().contains(line), "{}", run.dmesg());
    let found = abnormal(run, "vt-d_fed90000");
    assert!(found.contains("a device did DMA, or sent an interrupt, that was refused"), "{found}");
    assert!(found.contains("points to 0000:00:03.0"), "{found}");
    // The root table is that of the crash kernel, which has read the record, too.
    let decoded = decoded(run, "vt-d_fed90000");
    let root = named(values(&decoded, &["fault[0]"]), "ROOT_ENTRY");
    assert!(root["unknown"].as_str().unwrap().starts_with("not in the dump; "), "{root}");
}

/// The same, and a crash kernel that leaves the IOMMU as it is.
fn panic_refused() -> Result<Run> {
    let kernel = Kernel::fetch(Series::V6_12.with_all_drivers())?;
    let modules = Modules::build(&kernel)?;
    let vm = PanicCycle::new(&kernel, "devices-refused").crashkernel_mib(192).time_limit(LIMIT);
    let run = with_devices(vm, &["edu,addr=3.0", "intel-iommu"])
        .append("iomem=relaxed intel_iommu=on")
        .crash_append("intel_iommu=off")
        .first_program("/usr/bin/setpci")
        .program("/usr/bin/makedumpfile")
        .file(modules.vmcoredd(), "/modules/vmcoredd.ko")
        .file(vmtest::static_program("vmcoredd")?, "/bin/vmcoredd")
        .before_panic(FORBIDDEN_DMA)
        .crash_script(&format!("insmod /modules/vmcoredd.ko\n{COLLECT}"))
        .port("unit")
        .port("vmcore")
        .port("vmcoredd")
        .run()?;
    Ok(run)
}

/// The tables of the dead kernel say how the device was translated, whose access it refused.
#[test]
fn entries_of_the_iommu_are_found_in_memory() {
    let run = panic_refused().unwrap();
    let decoded = decoded(&run, "vt-d_fed90000");
    let fault = values(&decoded, &["fault[0]"]);
    let high = named(fault, "FRCD_HIGH")["value"].as_u64().unwrap();
    // Reading was not allowed, for 00:03.0.
    assert_eq!((high >> 32 & 0xff, high & 0xffff), (6, 3 << 3), "{high:#x}");
    for name in ["ROOT_ENTRY", "CONTEXT_ENTRY"] {
        assert_eq!(named(fault, name)["meaning"], "present", "{fault:#?}");
    }
    let context = named(fault, "CONTEXT_ENTRY");
    assert!(value(context, "DOMAIN") > 0 && value(context, "PAGE_TABLE") > 0, "{context:#}");
    let found = abnormal(&run, "vt-d_fed90000");
    assert!(found.contains("points to 0000:00:03.0"), "{found}");
}

/// The IOMMU reports the fault, and the finding points to the device that had it.
#[test]
fn explain_names_the_device_of_a_forbidden_access() {
    let explained = explained(without().port("vmcoredd")).unwrap();
    insta::assert_snapshot!("explained_fault_of_an_iommu", explained);
    let (_, fault) = explained.split_once("(vt-d_fed90000)").unwrap();
    let (fault, _) = fault.split_once("\n\n").unwrap_or((fault, ""));
    assert!(fault.contains("\n    points to 0000:00:03.0\n"), "{explained}");
}
