// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the module reads of devices that QEMU does not emulate, and of those that are not
//! well: functions made of memory, and many that are there to be counted.

use std::fs;

use kdumpfile::Status;
use system_tests::registers::{
    self, BAR, CONFIG, Device, End, LEFT_OUT, NOT_ANSWERED, Segment, UNIT, WINDOW,
};
use system_tests::soft::{self, Function};
use system_tests::{Modules, OnEachKernel, Result, explained, findings, names, payload, write};
use vmtest::{Kernel, PanicCycle, Run, Series, Vm};

/// Where the functions are: not at the end of memory, where QEMU puts the initramfs.
const BASE: u64 = 0x2000_0000;
const RESERVED: &str = "memmap=4M$0x20000000";

/// The processor has 40 bits of address: a read there faults, and never returns.
const FAULTS: u64 = 1 << 50;

const MELLANOX: [u16; 2] = [0x15b3, 0x1017];
const BROADCOM: [u16; 2] = [0x14e4, 0x16d7];
const NETWORK: u32 = 0x02_0000;
const BRIDGE: u32 = 0x06_0400;

/// The functions, in this order; each is in the slot of that number, but for the one below
/// the port.
const SLOTS: [&str; 9] = [
    "10001:00:00.0",
    "10001:00:01.0",
    "10001:00:02.0",
    "10001:00:03.0",
    "10001:00:04.0",
    "10001:00:05.0",
    "10001:00:06.0",
    "10001:00:07.0",
    "10001:01:00.0",
];
const HEALTHY: usize = 0;
const DYING: usize = 1;
const DEAD: usize = 2;
const BNXT: usize = 3;
const FAULTING: usize = 4;
const ASLEEP: usize = 5;
const UNDECODED: usize = 6;
const PORT: usize = 7;
const BELOW: usize = 8;

/// What a function of mlx5 has at the start of its BAR, big-endian: firmware 20.31; the
/// health buffer: an assertion with its pointer, its version, its severity, a syndrome (an
/// internal error of the firmware); a counter.
const ASSERTION: u32 = 0x1234_5678;
const SYNDROME: u8 = 1;
const COUNTER: u32 = 0x42;

fn mlx5(place: usize) -> Function {
    let address = BASE + (place * soft::SIZE) as u64;
    let [vendor, device] = MELLANOX;
    Function::new(address, place as u8, vendor, device, NETWORK)
        .bar(0, &0x001f_0014_u32.to_be_bytes())
        .bar(0x18, &[0xd0; 4])
        .bar(0x200, &ASSERTION.to_be_bytes())
        .bar(0x220, &0x2040_6080_u32.to_be_bytes())
        .bar(0x238, &[0x8a, 0, 0, 0x17])
        .bar(0x23c, &[2, SYNDROME, 0, 0x11])
        .bar(0x1010, &COUNTER.to_be_bytes())
}

/// A function of bnxt: a structure in the chip says where the state of the firmware is, in
/// the chip as well. Both are seen through a window, which has to be moved.
const BNXT_STRUCTURE: u32 = 0x310_01f0;
const BNXT_STATE: u32 = 0x20_0010;
const BNXT_BASE: u32 = 0x408;
const CRASHED: u32 = 0x8001;

fn bnxt() -> Function {
    let [vendor, device] = BROADCOM;
    let page = |address: u32| (address & !0xfff, (address & 0xfff) as usize);
    let ((structure, at), (state, state_at)) = (page(BNXT_STRUCTURE), page(BNXT_STATE));
    let mut signature = (0x48_4353_u32 << 8 | 1).to_le_bytes().to_vec();
    signature.extend((BNXT_STATE | 1).to_le_bytes());
    Function::new(BASE + (BNXT * soft::SIZE) as u64, BNXT as u8, vendor, device, NETWORK).window(
        BNXT_BASE,
        0x3000,
        [(structure, at, &signature), (state, state_at, &CRASHED.to_le_bytes())],
    )
}

fn functions() -> [Function; 9] {
    let [vendor, device] = MELLANOX;
    let port = Function::new(BASE, PORT as u8, 0x1b36, 0xc, BRIDGE);
    [
        mlx5(HEALTHY),
        mlx5(DYING).dies_at(&format!(
            "{}: reads 4 bytes of base address register 0 at 0x1010",
            SLOTS[DYING]
        )),
        Function::new(BASE + (DEAD * soft::SIZE) as u64, DEAD as u8, vendor, device, NETWORK)
            .bar(0, &[0xff; soft::BAR_SIZE]),
        bnxt(),
        mlx5(FAULTING).with_bar_at(FAULTS),
        mlx5(ASLEEP).in_power_state(3),
        mlx5(UNDECODED).without_memory_decode(),
        port.root_port_with_its_link_down(1),
        mlx5(BELOW).on_bus(1),
    ]
}

/// The IOMMU that the machine has as well, AMD's, and registers that stay as its driver has
/// set them up: tables and logs, what it can do, and how it is configured.
const IOMMU: u64 = 0xfed8_0000;
const IOMMU_REGISTERS: &str = "0x0 0x8 0x10 0x18 0x30";

/// 64 functions, in eight slots.
fn with_many_functions(vm: PanicCycle) -> PanicCycle {
    (0..64).fold(vm, |vm, number| {
        let (slot, function) = (8 + number / 8, number % 8);
        let device = format!("pci-testdev,addr={slot:x}.{function},multifunction=on");
        vm.qemu_arg("-device").qemu_arg(device)
    })
}

/// A profile of the operator's own, of a device that we have none for.
const OWN_PROFILE: &str = r#"
profile "own" version=7 title="of the operator"
source "a data sheet"
match { pci vendor=0x1234 device=0x11e8 }
collect {
    config
    block start bar=0 at=0x0 len=0x4 width=32
}
block start { reg ID at=0 }
"#;

fn panic(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch(series.with_all_drivers())?;
    let modules = Modules::build(&kernel)?;
    let name = format!("devices-soft-{series}");
    let directory = vmtest::target_dir().join("adapters").join(&name);
    let memory = directory.join("memory.bin");
    write(&memory, &soft::memory(&functions()))?;
    let (own, random) = (directory.join("own.kdl"), directory.join("random.plan"));
    write(&own, OWN_PROFILE.as_bytes())?;
    write(&random, &[0x5a; 4096])?;

    // What is below the port is there until the kernel has found it.
    let gone = BASE + Function::place_of_bus() + (BELOW * soft::SIZE) as u64;
    let window_base = BASE + (BNXT * soft::SIZE) as u64 + Function::place(BNXT_BASE as usize);
    let count = SLOTS.len();
    let script = format!(
        "
        insmod /modules/softfunctions.ko base={BASE:#x} count={count} address_bits=52
        devmem {gone:#x} 32 0xff
        insmod /modules/vmcoredd.ko
        vmcoredd collect --no-devices
        cat /proc/vmcoredd >/ports/nothing
        vmtest-guest run --label lspci -- /usr/bin/lspci -xxxx >/dev/null
        vmtest-guest run --label lspci -- /usr/bin/lspci -xxxx >/ports/lspci
        for register in {IOMMU_REGISTERS}; do
            echo $register $(devmem $(printf %#x $(({IOMMU:#x} + register))) 64)
        done >/ports/iommu
        vmcoredd collect --leave-out {HEALTHY_SLOT} || echo \"collect: $?\"
        devmem {window_base:#x} 32 >/ports/window
        vmcoredd collect --touches --leave-out {FAULTING_SLOT} || echo \"collect: $?\"
        devmem {window_base:#x} 32 >>/ports/window
        # A driver that has the device and does nothing with it.
        insmod /modules/pci-stub.ko ids={BNXT_VENDOR:04x}:{BNXT_DEVICE:04x}
        devmem {window_base:#x} 32 0
        vmcoredd collect --touches --leave-out {FAULTING_SLOT} || echo \"collect: $?\"
        devmem {window_base:#x} 32 >>/ports/window
        vmtest-guest plans /dev/vmcoredd /random.plan >/ports/plans
        cat /proc/vmcoredd >/ports/vmcoredd
        ",
        BNXT_VENDOR = BROADCOM[0],
        BNXT_DEVICE = BROADCOM[1],
        HEALTHY_SLOT = SLOTS[HEALTHY],
        FAULTING_SLOT = SLOTS[FAULTING],
    );
    let vm = PanicCycle::new(&kernel, &name)
        .memory_mib(1024)
        .crashkernel_mib(192)
        .append(RESERVED)
        .crash_append("iomem=relaxed")
        .qemu_arg("-device")
        .qemu_arg("amd-iommu")
        .qemu_arg("-device")
        .qemu_arg(format!("loader,file={},addr={BASE:#x},force-raw=on", memory.display()))
        .edu()
        .file(modules.test_module("softfunctions")?, "/modules/softfunctions.ko")
        .file(kernel.module("pci-stub")?, "/modules/pci-stub.ko")
        .file(modules.vmcoredd(), "/modules/vmcoredd.ko")
        .file(vmtest::static_program("vmcoredd")?, "/bin/vmcoredd")
        .file(vmtest::guest_program()?, "/bin/vmtest-guest")
        .file(own, "/etc/vmcoredd/profiles.d/own.kdl")
        .file(random, "/random.plan")
        .program("/usr/bin/lspci")
        .crash_script(&script);
    let ports = ["iommu", "nothing", "lspci", "window", "plans", "vmcoredd"];
    Ok(ports.into_iter().fold(with_many_functions(vm), Vm::port).run()?)
}

static RUN: OnEachKernel<Run> = OnEachKernel::new(panic);

fn run() -> &'static Run {
    RUN.get(Series::V6_12)
}

const WHOLE: Option<End> = Some(End { status: 0, reason: 0 });

/// The device of a dump.
fn device(name: &str) -> Device {
    registers::one(&payload(run().port("vmcoredd"), name).unwrap()).unwrap()
}

/// The dump of a function in one collection: the first, or the second, whose names have a
/// number, as those of the third have.
fn first(function: usize) -> Device {
    device(&format!("regs_{}", SLOTS[function]))
}

fn second(function: usize) -> Device {
    device(&format!("regs_{}#2", SLOTS[function]))
}

/// What the manifest says of a dump: its status, the reason, and how long it took.
fn record(name: &str) -> (Option<Status>, String, Option<u64>) {
    let dump = kdumpfile::Dump::open(run().port("vmcoredd")).unwrap();
    let manifest = dump.manifest().unwrap().unwrap();
    let record = manifest.records().find(|record| record.name() == name.as_bytes());
    let record = record.expect(name);
    let reason = record.reason().unwrap_or_default();
    let reason = String::from_utf8_lossy(reason).into_owned();
    (record.status(), reason, record.milliseconds())
}

/// One that is partial, and why; in less than a tenth of a second.
fn partial(function: usize) -> String {
    let (status, reason, milliseconds) = record(&format!("regs_{}", SLOTS[function]));
    assert_eq!(status, Some(Status::Partial), "{reason}");
    assert!(milliseconds.unwrap() < 100, "{milliseconds:?}");
    reason
}

/// What a big-endian device has is in the dump as it is in the device, the doorbell of its
/// commands is not.
#[test]
fn mlx5_is_read_in_its_own_byte_order() {
    let adapter = second(HEALTHY);
    assert_eq!((adapter.end, adapter.profile.as_str()), (WHOLE, "mlx5"));
    assert_eq!(adapter.bytes(BAR, 0, 0x200, 4), ASSERTION.to_be_bytes());
    assert_eq!(adapter.bytes(BAR, 0, 0x238, 4), [0x8a, 0, 0, 0x17]);
    assert_eq!(adapter.bytes(BAR, 0, 0x1010, 4), COUNTER.to_be_bytes());
    assert!(!adapter.has(BAR, 0, 0x18));
    let in_memory = adapter.segments.iter().filter(|segment| segment.space == BAR);
    assert!(in_memory.into_iter().all(|segment| segment.flags == 1), "{adapter:x?}");
}

fn of_the_window(device: &Device) -> Vec<Segment> {
    let segments = device.segments.iter().filter(|segment| segment.space == WINDOW);
    segments.cloned().collect()
}

/// The window is moved where that is asked for and no driver has the device, and nowhere
/// else.
#[test]
fn bnxt_is_read_through_its_window() {
    let bound = device(&format!("regs_{}#3", SLOTS[BNXT]));
    assert_eq!((bound.flags, bound.driver.as_str()), (1, "pci-stub"));
    assert!(bound.segments.iter().all(|segment| segment.flags & 2 == 2));
    for device in [first(BNXT), bound] {
        let segments = of_the_window(&device);
        assert!(!segments.is_empty());
        let is_left_out =
            |segment: &Segment| segment.status == LEFT_OUT && segment.bytes.is_empty();
        assert!(segments.iter().all(is_left_out), "{segments:x?}");
    }
    let adapter = second(BNXT);
    assert_eq!((adapter.end, adapter.profile.as_str()), (WHOLE, "bnxt"));
    let segments = of_the_window(&adapter);
    let found: Vec<(u64, &[u8])> =
        segments.iter().map(|segment| (segment.offset, segment.bytes.as_slice())).collect();
    let signature = [(0x48_4353_u32 << 8 | 1).to_le_bytes(), (BNXT_STATE | 1).to_le_bytes()];
    assert_eq!(
        found,
        [
            (BNXT_STRUCTURE.into(), signature.concat().as_slice()),
            (BNXT_STATE.into(), CRASHED.to_le_bytes().as_slice()),
        ]
    );
    let bases = fs::read_to_string(run().port("window")).unwrap();
    let bases: Vec<&str> = bases.lines().collect();
    assert_eq!(bases.len(), 3);
    assert_eq!((bases[0], bases[2]), ("0x00000000", "0x00000000"));
    assert_ne!(bases[1], "0x00000000");
}

#[test]
fn the_iommu_of_amd_is_read() {
    let unit = device("amd-iommu_fed80000");
    assert_eq!((unit.kind, unit.address, unit.end), (4, IOMMU, WHOLE));
    let text = fs::read_to_string(run().port("iommu")).unwrap();
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let registers: Vec<(u64, u64)> = text
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(offset, value)| (number(offset), number(value)))
        .collect();
    assert!(registers.len() == 5 && registers.iter().any(|(_, value)| *value != 0), "{text}");
    for (offset, value) in registers {
        assert_eq!(unit.register(UNIT, 0, offset, 8), value, "{offset:#x}");
    }
}

#[test]
fn what_a_device_says_before_it_dies_is_kept() {
    assert_eq!(partial(DYING), "its device stopped answering");
    let adapter = first(DYING);
    assert_eq!(adapter.end, Some(End { status: 1, reason: 5 }));
    assert_eq!(adapter.bytes(BAR, 0, 0x200, 4), ASSERTION.to_be_bytes());
    let last = adapter.segments.last().unwrap();
    assert_eq!((last.offset, last.status, last.bytes.len()), (0x1010, NOT_ANSWERED, 0));
}

#[test]
fn a_dead_device_costs_no_time() {
    assert_eq!(partial(DEAD), "its device does not answer");
    let adapter = first(DEAD);
    assert_eq!(adapter.end, Some(End { status: 1, reason: 1 }));
    assert_eq!(adapter.bytes(CONFIG, 0, 0, 2), MELLANOX[0].to_le_bytes());
    assert!(
        adapter.segments.iter().all(|segment| segment.bytes.is_empty() || segment.space == CONFIG)
    );
}

/// The thread of its collector dies in the read, and those of the others go on.
#[test]
fn a_read_that_faults_costs_its_own_dump() {
    assert_eq!(partial(FAULTING), "its collector crashed");
    let adapter = first(FAULTING);
    assert_eq!(adapter.end, None);
    assert_eq!(adapter.bytes(CONFIG, 0, 0, 2), MELLANOX[0].to_le_bytes());
    let dmesg = run().dmesg();
    assert_eq!(dmesg.matches("Call Trace:").count(), 1, "{dmesg}");
    assert!(dmesg.contains("RIP: 0010:shim_registers_read"), "{dmesg}");
}

/// Of a device that is asleep, or does not decode memory, there is the configuration space.
#[test]
fn what_must_not_be_touched_is_left_alone() {
    for (function, reason, power, flags, end) in [
        (ASLEEP, "its device is not in power state D0", 3, 0, End { status: 1, reason: 2 }),
        (UNDECODED, "its device does not decode memory", 0, 4, End { status: 1, reason: 4 }),
    ] {
        assert_eq!(partial(function), reason);
        let adapter = first(function);
        assert_eq!((adapter.power, adapter.flags, adapter.end), (power, flags, Some(end)));
        assert_eq!(adapter.bytes(CONFIG, 0, 0, 2), MELLANOX[0].to_le_bytes());
        assert!(adapter.segments.iter().all(|segment| segment.space == CONFIG));
    }
    assert_eq!(partial(BELOW), "the link of its device is down");
    let adapter = first(BELOW);
    assert_eq!((adapter.flags, adapter.end), (2, Some(End { status: 2, reason: 3 })));
    assert!(adapter.segments.is_empty());
    // That is known before anything is read.
    let dmesg = run().dmesg();
    for function in [DEAD, ASLEEP, UNDECODED, BELOW] {
        assert!(!dmesg.contains(&format!("{}: reads", SLOTS[function])), "{dmesg}");
    }
}

#[test]
fn what_is_left_out_is_said() {
    let (status, reason, _) = record(&format!("regs_{}", SLOTS[HEALTHY]));
    assert_eq!(status, Some(Status::Refused));
    assert_eq!(reason, "the configuration leaves it out");
    let first_collection = run().dmesg().split("pci-config#2").next().unwrap();
    assert!(!first_collection.contains(&format!("{}: reads", SLOTS[HEALTHY])));
}

#[test]
fn a_profile_of_the_operators_own_is_used() {
    let names = names(run().port("vmcoredd")).unwrap();
    let own = names.iter().filter_map(|name| device_or_none(name));
    let own: Vec<Device> = own.filter(|device| device.profile == "own").collect();
    assert_eq!(own.len(), 3, "{names:?}");
    for device in own {
        assert_eq!((device.ids[0], device.ids[1], device.end), (0x1234, 0x11e8, WHOLE));
        assert_eq!(device.register(BAR, 0, 0, 4), 0x0100_00ed);
    }
}

fn device_or_none(name: &str) -> Option<Device> {
    registers::one(&payload(run().port("vmcoredd"), name).unwrap()).ok()
}

#[test]
fn what_is_no_plan_is_refused() {
    let said = fs::read_to_string(run().port("plans")).unwrap();
    assert!(said.starts_with("refused: ") && said.contains("InvalidInput"), "{said}");
}

/// All configuration spaces, in no more time and little memory; and nothing at all where
/// that is switched off.
#[test]
fn many_functions_are_read_quickly() {
    let functions =
        registers::read(&payload(run().port("vmcoredd"), "pci-config").unwrap()).unwrap();
    assert!(functions.len() > 64, "{}", functions.len());
    let (status, _, milliseconds) = record("pci-config");
    assert_eq!(status, Some(Status::Complete));
    let lspci = fs::read_to_string(run().port("lspci")).unwrap();
    let nanoseconds: u64 = lspci.trim().strip_prefix("lspci ").unwrap().parse().unwrap();
    assert!(milliseconds.unwrap() * 1_000_000 <= nanoseconds, "{milliseconds:?}, {lspci}");
    let dump = kdumpfile::Dump::open(run().port("vmcoredd")).unwrap();
    let manifest = dump.manifest().unwrap().unwrap();
    let stored: u64 = manifest.records().filter_map(|record| record.stored()).sum();
    assert!(stored > 1000 && stored < 256 << 10, "{stored}");
    assert!(names(run().port("nothing")).unwrap().is_empty());
}

/// An assertion of firmware, a device that died while it was read, and one that was dead.
#[test]
fn explain_names_the_devices() {
    let explained = explained(run().port("vmcoredd")).unwrap();
    insta::assert_snapshot!("explained", explained);
    let heads = findings(&explained);
    let stopped = |head: &&&str| head.ends_with("it stopped answering");
    assert!(heads.iter().find(stopped).is_some_and(|head| head.contains(SLOTS[DYING])));
    for (function, text) in [
        (HEALTHY, "the firmware reports an error and asks for a reset"),
        (DYING, "the firmware reports an error and asks for a reset"),
        (DEAD, "it does not answer"),
        (BNXT, "the firmware has crashed"),
    ] {
        let first = heads.iter().find(|head| head.contains(SLOTS[function])).expect(text);
        assert!(first.starts_with("fatal ") && first.ends_with(text), "{first}");
    }
}
