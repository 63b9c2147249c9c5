// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A network driver of the kernel's own source tree, with the patch that makes it
//! dump: what it saves is what the dead kernel had left in the adapter.

use std::fs;
use std::process::Command;

use serde_json::Value;
use system_tests::{
    InTreeDriver, Modules, OnEachKernel, Result, TAKES, fault, module_log, names, outcome, output,
    payload, root,
};
use vmtest::{Kernel, PanicCycle, Run, Series};

const PATCH: &str = "drivers/e1000e/0001-e1000e-collect-a-device-dump-in-the-crash-kernel.patch";

/// The adapter's own address, which a reset brings back.
const PERMANENT_MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

/// The one that the dead kernel gave it.
const MAC: [u8; 6] = [0x02, 0, 0x5e, 0x10, 0x20, 0x30];

/// Registers that stay as they are between the look that the tests have at them and
/// the panic, in the order in which [`registers`] prints them.
const REGISTERS: [(&str, usize); 11] = [
    ("CTRL", 0),
    ("STATUS", 0x8),
    ("IMS", 0xd0),
    ("RCTL", 0x100),
    ("TCTL", 0x400),
    ("RDBAL", 0x2800),
    ("RDLEN", 0x2808),
    ("TDBAL", 0x3800),
    ("RXCSUM", 0x5000),
    ("RAL", 0x5400),
    ("RAH", 0x5404),
];

/// Registers that a read changes: ICR, the statistics, and SWSM.
const NOT_TO_BE_READ: [(usize, usize); 3] = [(0xc0, 0xc4), (0x4000, 0x4200), (0x5b50, 0x5b54)];

/// A shell function that reads the adapter's registers, past its driver.
fn registers() -> String {
    let reads: String = REGISTERS
        .iter()
        .map(|(name, at)| format!("echo {name} $(devmem $(($bar + {at:#x})) 32)\n"))
        .collect();
    format!(
        "registers() {{
             bar=$(head -n 1 /sys/class/net/eth0/device/resource | cut -d ' ' -f 1)
             {reads}
         }}"
    )
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn panic(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch(series.with_all_drivers())?;
    let modules = Modules::build(&kernel)?;
    let patched = InTreeDriver::new("drivers/net/ethernet/intel/e1000e")
        .patch(root().join(PATCH))
        .build(&kernel, &modules)?;
    let registers = registers();
    let run = PanicCycle::new(&kernel, "e1000e")
        .crashkernel_mib(160)
        // Lets devmem read registers that a driver uses.
        .append("iomem=relaxed")
        .crash_append("iomem=relaxed")
        .qemu_arg("-netdev")
        .qemu_arg("user,id=network")
        .qemu_arg("-device")
        .qemu_arg(format!("e1000e,netdev=network,romfile=,mac={}", mac_text(PERMANENT_MAC)))
        .first_file(kernel.module("e1000e")?, "/e1000e.ko")
        .file(modules.vmcoredd(), "/modules/vmcoredd.ko")
        .file(&patched, "/modules/e1000e.ko")
        .before_panic(&format!(
            "{registers}
             insmod /e1000e.ko
             ip link set eth0 address {}
             ip link set eth0 up
             until [ \"$(cat /sys/class/net/eth0/carrier)\" = 1 ]; do
                 usleep 10000
             done
             sleep 1
             registers >/ports/before-panic",
            mac_text(MAC)
        ))
        .crash_script(&format!(
            "{registers}
             insmod /modules/vmcoredd.ko
             insmod /modules/e1000e.ko
             registers >/ports/after-probe
             basename $(readlink /sys/class/net/eth0/device) >/ports/address
             cat /proc/vmcoredd >/ports/vmcoredd
             ip link set eth0 up"
        ))
        .port("before-panic")
        .port("after-probe")
        .port("address")
        .port("vmcoredd")
        .run()?;
    Ok(run)
}

/// One panic serves all tests of this file.
static PANICKED: OnEachKernel<Run> = OnEachKernel::new(panic);

/// The patch is for this series.
fn run() -> &'static Run {
    PANICKED.get(Series::V6_12)
}

/// What [`registers`] printed to a port.
fn printed(port: &str) -> [u32; REGISTERS.len()] {
    let text = fs::read_to_string(run().port(port)).unwrap();
    let values: Vec<u32> = text
        .lines()
        .zip(REGISTERS)
        .map(|(line, (name, _))| {
            let value = line.strip_prefix(name).unwrap().trim_start_matches(" 0x");
            u32::from_str_radix(value, 16).unwrap()
        })
        .collect();
    values.try_into().unwrap()
}

/// The value of a register among [`REGISTERS`].
fn register(values: &[u32], name: &str) -> u32 {
    values[REGISTERS.iter().position(|(register, _)| *register == name).unwrap()]
}

fn dump() -> Vec<u8> {
    let address = fs::read_to_string(run().port("address")).unwrap();
    let name = format!("e1000e_{}", address.trim());
    assert_eq!(names(run().port("vmcoredd")).unwrap(), [name.as_str()]);
    payload(run().port("vmcoredd"), &name).unwrap()
}

/// RAL and RAH for an address; bit 31 of RAH makes it valid.
fn receive_address(mac: [u8; 6]) -> (u32, u32) {
    let [a, b, c, d, e, f] = mac;
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, 0, 0x80]))
}

#[test]
fn the_dump_has_what_the_dead_kernel_left() {
    let dump = dump();
    let dumped = REGISTERS.map(|(_, at)| u32::from_le_bytes(dump[at..at + 4].try_into().unwrap()));
    let before_panic = printed("before-panic");
    for (name, _) in REGISTERS {
        let (dumped, before_panic) = (register(&dumped, name), register(&before_panic, name));
        assert_eq!(dumped, before_panic, "{name}: {dumped:#x}, {before_panic:#x}");
    }
    let address = (register(&dumped, "RAL"), register(&dumped, "RAH"));
    assert_eq!(address, receive_address(MAC));
    assert_ne!(register(&dumped, "IMS"), 0, "its driver had interrupts enabled");
    assert_eq!(register(&dumped, "RCTL") & 2, 2, "and the receiver");
}

/// The profile of the adapter decodes what the driver has dumped itself.
#[test]
fn its_registers_have_names() {
    let dump = dump();
    let address = fs::read_to_string(run().port("address")).unwrap();
    let mut decode = Command::new(vmtest::static_program("vmcoredd").unwrap());
    decode.arg("decode").arg("--json").arg(run().port("vmcoredd"));
    let decoded: Value = serde_json::from_str(&output(&mut decode).unwrap()).unwrap();
    assert_eq!(decoded["slot"], address.trim());
    let blocks = decoded["values"].as_array().unwrap();
    let registers: Vec<&Value> =
        blocks.iter().flat_map(|block| block["values"].as_array().unwrap()).collect();
    // The profile has neither checksums nor addresses.
    let known = REGISTERS.into_iter().filter(|(name, _)| !["RXCSUM", "RAL", "RAH"].contains(name));
    for (name, at) in known {
        // The addresses of descriptor rings have 64 bits, and one name.
        let found = registers.iter().find(|register| register["address"] == at).unwrap();
        let known = found["name"].as_str().unwrap();
        assert!(known.starts_with(name.trim_end_matches(['L', 'H'])), "{name}: {known}");
        let low = u32::from_le_bytes(dump[at..at + 4].try_into().unwrap());
        assert_eq!(found["value"].as_u64().unwrap() as u32, low, "{name}");
    }
}

/// Had it been taken later, it would have had something else.
#[test]
fn the_driver_has_reset_the_adapter_since() {
    let (before_panic, after_probe) = (printed("before-panic"), printed("after-probe"));
    for name in ["IMS", "RCTL", "TCTL", "RAL", "RAH"] {
        assert_ne!(register(&before_panic, name), register(&after_probe, name), "{name}");
    }
    let address = (register(&after_probe, "RAL"), register(&after_probe, "RAH"));
    assert_eq!(address, receive_address(PERMANENT_MAC));
}

#[test]
fn registers_that_a_read_changes_are_left_alone() {
    let dump = dump();
    for (start, end) in NOT_TO_BE_READ {
        assert!(dump[start..end].iter().all(|byte| *byte == 0), "{start:#x}");
    }
}

#[test]
fn the_log_says_what_was_done() {
    let dmesg = run().dmesg();
    let ours = module_log(dmesg);
    assert!(ours[0].starts_with(TAKES), "{dmesg}");
    assert!(outcome(ours[1]).starts_with("e1000e_0000:00:"), "{dmesg}");
    assert!(outcome(ours[1]).ends_with(": complete, 23392 bytes"), "{dmesg}");
    assert_eq!(ours.len(), 2, "{dmesg}");
    assert_eq!(fault(dmesg), None);
}
