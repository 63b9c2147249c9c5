// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Each field of the specifications' tables, at its offset and with its words.

use decode::mca::{Bank, Part, Vendor, explain};
use decode::model::Severity;
use synth::records::{self, Raw, Section};

use super::{decoded, printed};

const NMI: &str = "5bad89ff-b7e6-42c9-814a-cf2485d6e98a";

#[test]
fn error_record() {
    let bytes = records::cper(1, NMI, &records::sections());
    insta::assert_snapshot!(printed("erst_1", &bytes));
}

#[test]
fn error_status_block() {
    let memory = Section::new("a5bc1114-6f64-4ede-b863-3e83ed7c83b1", 0, records::memory());
    let pcie = Section::new("d995e954-bbc1-430f-ad91-b44dcb3c6f35", 1, records::pcie());
    let mut bytes = records::status_block(1, &[memory.unit("DIMM_B2"), pcie.clone()], true);
    bytes.extend(records::status_block(1, &[pcie], false));
    // A region of firmware has room for more.
    bytes.extend([0; 512]);
    insta::assert_snapshot!(printed("bert", &bytes));
}

#[test]
fn block_that_was_read() {
    let section = Section::new("d995e954-bbc1-430f-ad91-b44dcb3c6f35", 1, records::pcie());
    let mut bytes = records::status_block(1, &[section], false);
    bytes[..4].fill(0);
    let all = decoded("bert", &bytes);
    assert_eq!(all.len(), 1);
    assert!(all[0].remarks.iter().any(|remark| remark.contains("read already")));
    assert_eq!(all[0].slot.as_deref(), Some("0001:3b:02.1"));
}

/// A machine check that firmware or Linux saved is said in words.
#[test]
fn machine_check_in_a_record() {
    let mce = Raw::new(120)
        .at(0, 8, 0xbe00_0000_0000_0135)
        .at(8, 8, 0x86)
        .at(16, 8, 0x1234_5680)
        .at(24, 8, 4)
        .at(48, 8, 1_795_788_309)
        .at(65, 1, 1);
    let section = Section::new("fe08ffbe-95e4-4be7-bc73-4096044a38fc", 1, mce);
    let amd = Raw::new(64 + 16 + 48)
        .at(0, 8, 0b01 | 1 << 8)
        .at(8, 8, 3)
        .at(64, 2, 1)
        .at(66, 2, 48)
        .at(68, 4, 0xc000_2151)
        // Status, address, miscellaneous, configuration, identity, syndrome of bank 21.
        .at(80, 8, 0xbc20_0000_0000_011b)
        .at(88, 8, 0x5000)
        .at(112, 8, 0x0000_0096_0000_0000);
    let amd = Section::new("dc3ea0b0-a144-4797-b95b-53fa242b6e1d", 1, amd);
    let bytes = records::cper(1, "e8f56ffe-919c-4cc5-ba88-65abe14913bb", &[section, amd]);
    let all = decoded("erst_2", &bytes);
    let text: Vec<_> = all[0].findings.iter().map(|finding| finding.text.as_str()).collect();
    assert!(
        text.contains(&"bank 1: uncorrected error, the processor's context is corrupt: data cache, level 1, data read, address 0x12345680"),
        "{text:#?}"
    );
    assert!(
        text.contains(&"bank 21: uncorrected error: memory controller, DRAM ECC, address 0x5000"),
        "{text:#?}"
    );
}

#[test]
fn machine_checks_of_intel() {
    let registers = [
        (0x179, 0x0f00_0c14),
        (0x17a, 5),
        (0x400, 0xff),
        (0x401, 0),
        // Bank 7: memory read, channel 1, uncorrected, context corrupt; ADDR and MISC.
        (0x41d, 0xbe00_0000_0001_0091),
        (0x41e, 0x1_0000_0040),
        (0x41f, 0x86),
        // Bank 9: corrected scrub of channel 2, three times, no address.
        (0x425, 0x9000_00c0_0000_00c2),
        (0x426, 0xdead),
        // Bank 6: I/O error of 0000:3b:00.1.
        (0x419, 0xba00_0000_0000_0e0b),
        (0x41b, 0x3b01_0000),
    ];
    let bytes = records::machine_checks(3, 1, &registers);
    insta::assert_snapshot!(printed("mca_cpu3", &bytes));
}

#[test]
fn machine_checks_of_amd() {
    let registers = [
        (0x179, 0x11c),
        (0x17a, 0),
        (0xc000_2001, 0),
        (0xc000_2005, 0x0000_00b0_0000_0000),
        // Bank 1, load/store unit of the second kind: poison was used.
        (0xc000_2011, 0xbc00_0800_0001_0135),
        (0xc000_2012, 0x8000),
        (0xc000_2015, 0x0010_00b0_0000_0000),
        // Bank 21, memory controller: deferred, with a syndrome.
        (0xc000_2151, 0x8420_1000_0000_011b),
        (0xc000_2152, 0x1_2340),
        (0xc000_2155, 0x0000_0096_0015_0f00),
        (0xc000_2156, 0x0a00_0000),
        // And another one that was deferred.
        (0xc000_2158, 0x8400_1000_0000_011b),
        (0xc000_2159, 0x5_6780),
    ];
    let bytes = records::machine_checks(0, 2, &registers);
    insta::assert_snapshot!(printed("mca_cpu0", &bytes));
}

/// Codes of Intel's SDM ("Compound Error Code Encoding") and of AMD's manual.
#[test]
fn machine_check_codes() {
    const VALID: u64 = 1 << 63;
    let explain = |vendor, status: u64| {
        let meaning = explain(&Bank { vendor, status: VALID | status, ..Bank::default() });
        let meaning = meaning.expect("it is valid");
        (meaning.part, meaning.severity, meaning.text)
    };
    let intel = |status| explain(Vendor::Intel, status);
    let (uc, pcc, s, ar) = (1 << 61, 1 << 57, 1 << 56, 1 << 55);
    let cases: &[(u64, Part, Severity, &str)] = &[
        (0x0005, Part::Processor, Severity::Warning, "corrected error: internal parity error"),
        (uc | pcc | 0x0400, Part::Timer, Severity::Fatal, "internal timer expired"),
        (uc | pcc | 0x0403, Part::Processor, Severity::Fatal, "internal error 0x3 of"),
        (0x000d, Part::Cache, Severity::Warning, "cache hierarchy, level 1"),
        (0x0015, Part::Tlb, Severity::Warning, "data translation buffer, level 1"),
        (
            uc | s | ar | 0x0134,
            Part::Cache,
            Severity::Error,
            "being used: data cache, level 0, data read",
        ),
        (
            uc | s | 0x00cf,
            Part::Memory,
            Severity::Error,
            "not used yet: memory controller, scrub, channel not known",
        ),
        (
            uc | 0x009f,
            Part::Memory,
            Severity::Warning,
            "no action was needed: memory controller, read, channel not known",
        ),
        (0x0293, Part::Memory, Severity::Warning, "memory used as a cache, read, channel 3"),
        (
            uc | pcc | 0x0f0f,
            Part::Bus,
            Severity::Fatal,
            "error, other, any level, participant not known, timed out",
        ),
        (
            uc | pcc | 0x0813,
            Part::Bus,
            Severity::Fatal,
            "bus or interconnect, read, memory, any level, this processor asked",
        ),
        (uc | pcc | 0x0e0b, Part::Io, Severity::Fatal, "I/O error"),
        // Bit 12: the corrected errors were filtered.
        (0x1119, Part::Cache, Severity::Warning, "generic cache, level 1, read"),
        (0x0200, Part::Unknown, Severity::Warning, "error code 0x0200"),
    ];
    for (status, part, severity, words) in cases {
        let (of, worst, text) = intel(*status);
        assert_eq!((of, worst), (*part, *severity), "{status:#x}: {text}");
        assert!(text.contains(words), "{status:#x}: {text}");
    }
    let (part, _, text) = explain(Vendor::Amd, 0x0e0b);
    assert_eq!(part, Part::Bus, "{text}");
    assert_eq!(decode::mca::explain(&Bank { status: uc, ..Bank::default() }), None);
}

#[test]
fn nvme_pages() {
    for (name, bytes) in [
        ("nvme-smart_nvme0", records::nvme_smart()),
        ("nvme-error_nvme0", records::nvme_errors()),
        ("nvme-fw_nvme0", records::nvme_firmware()),
        ("nvme-persistent_nvme0", records::nvme_persistent()),
        ("nvme-telemetry_nvme0", records::nvme_telemetry()),
        ("nvme-ocp_nvme0", records::nvme_ocp()),
    ] {
        insta::assert_snapshot!(name, printed(name, &bytes));
    }
}

#[test]
fn healthy_drive() {
    let bytes = Raw::new(512).at(1, 2, 300).at(3, 1, 100).at(4, 1, 10).into_bytes();
    let all = decoded("nvme-smart_nvme1", &bytes);
    assert!(all[0].findings.is_empty(), "{:?}", all[0].findings);
    let bytes = Raw::new(512).at(3, 1, 9).at(4, 1, 10).into_bytes();
    let all = decoded("nvme-smart_nvme1", &bytes);
    assert_eq!(all[0].worst(), Some(Severity::Error));
    let empty = decoded("nvme-error_nvme1", &[0; 4096]);
    assert!(empty[0].findings.is_empty() && empty[0].nodes.is_empty());
}

#[test]
fn counters_beyond_64_bits() {
    let bytes = Raw::new(512).at(160, 16, 1 << 70).into_bytes();
    let all = decoded("nvme-smart_nvme1", &bytes);
    assert!(all[0].findings.iter().any(|finding| finding.text.contains("read back")));
}

#[test]
fn event_log_of_a_controller() {
    insta::assert_snapshot!(printed("ipmi-sel", &records::ipmi_sel()));
}

#[test]
fn sensors_of_a_controller() {
    let records = records::ipmi_sdr();
    insta::assert_snapshot!(printed("ipmi-sdr", &records));
    // What is cut is said, and what comes before is there.
    let cut = decoded("ipmi-sdr", &records[..records.len() - 3]).swap_remove(0);
    assert_eq!(cut.nodes.len(), 7);
    assert!(cut.missing[0].why.contains("expected 7 bytes after the head, found 4"));
}

#[test]
fn kernel_log() {
    insta::assert_snapshot!(printed("dmesg-crash-kernel", LOG.as_bytes()));
}

/// A line of each kind, in the form that Linux 6.12 prints them.
const LOG: &str = "\
[    0.000000] Linux version 6.12.0 (gcc 12:34:56.7) #1 SMP
[    1.100000] DMAR: DRHD: handling fault status reg 2
[    1.100001] DMAR: [DMA Write NO_PASID] Request device [3b:00.1] fault addr 0xdead0000 [fault reason 0x05] PTE Write access is not set
[    1.200000] mlx5_core 0000:3b:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0001 address=0x1000 flags=0x0020]
[    1.300000] AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:41:00.0 domain=0x0001 address=0x1000 flags=0x0020]
[    1.400000] mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 9: be00000000000135
[    1.400001] mce: [Hardware Error]: TSC 0 ADDR 12345000 MISC 86
[    1.500000] BERT: Error records from previous boot:
[    1.500001] [Hardware Error]: event severity: fatal
[    1.600000] {1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 4
[    1.700000] pcieport 0000:3a:00.0: AER: Uncorrectable (Fatal) error message received from 0000:3b:00.0
[    1.700001] mlx5_core 0000:3b:00.0: PCIe Bus Error: severity=Uncorrectable (Non-Fatal), type=Transaction Layer, (Receiver ID)
[    1.700002] nvme 0000:01:00.0: PCIe Bus Error: severity=Correctable, type=Physical Layer, (Receiver ID)
[    1.700003] pcieport 0000:3a:00.0: AER: enabled with IRQ 30
[    1.800000] pcieport 0000:3a:00.0: DPC: containment event, status:0x1f01 source:0x0000
[    1.900000] nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0x10
[    1.900001] nvme nvme0: controller is down; will reset: CSTS=0x3, PCI_STATUS=0x10
[    1.900002] nvme nvme0: 4/0/0 default/read/poll queues
[    2.000000] mlx5_core 0000:3b:00.0: Health issue observed, firmware internal error, severity(3) ERROR:
[    2.000001] mlx5_core 0000:3b:00.0: mlx5_health_check:801:(pid 0): device's health compromised - reached miss count
[    2.100000] i40e 0000:af:00.0 eth0: NETDEV WATCHDOG: CPU: 3: transmit queue 2 timed out 5120 ms
[    2.100001] i40e 0000:af:00.0: Malicious Driver Detection event 0x02 on TX queue 3 PF number 0x00 VF number 0x00
[    2.200000] ice 0000:b1:00.0: reset 2 failed
[    2.300000] ixgbe 0000:b3:00.0 eth2: Reset adapter
[    2.400000] watchdog: Watchdog detected hard LOCKUP on cpu 2
[    2.500000] watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [swapper/1:0]
[    2.600000] EDAC MC0: 1 UE memory read error on CPU_SrcID#0_Ha#0_Chan#1_DIMM#0
[    2.700000] Kernel panic - not syncing: Fatal machine check
[    2.700001] Kernel panic - not syncing: sysrq triggered crash
";

/// A flood of one kind does not hide the others.
#[test]
fn flood_of_lines() {
    let line = "[ 1.0] nvme 0000:01:00.0: PCIe Bus Error: severity=Correctable, type=x\n";
    let log = line.repeat(10_000) + "[ 2.0] mlx5_core 0000:3b:00.0: PCI slot is unavailable\n";
    let all = decoded("dmesg", log.as_bytes());
    assert_eq!(all[0].findings.len(), 9);
    assert_eq!(all[0].worst(), Some(Severity::Fatal));
    assert_eq!(all[0].findings[0].points_to.as_deref(), Some("0000:3b:00.0"));
    assert!(all[0].remarks[0].starts_with("9992 more lines"), "{:?}", all[0].remarks);
    assert_eq!(all[0].missing.len(), 1);
}

/// What is cut is named, with what is missing of it.
#[test]
fn cut_dumps() {
    let record = records::cper(1, NMI, &records::sections());
    let all = decoded("erst", &record[..record.len() - 300]);
    assert!(!all[0].missing.is_empty());
    assert!(all[0].findings.iter().any(|finding| finding.text.contains("memory error")));
    let all = decoded("nvme-smart_nvme0", &records::nvme_smart()[..100]);
    assert_eq!(all[0].missing[0].what, "page from BUSY_TIME on");
    let all = decoded("ipmi-sel", &records::ipmi_sel()[..40]);
    assert_eq!((all[0].nodes.len(), all[0].missing.len()), (2, 1));
    let bytes = records::machine_checks(1, 1, &[(0x401, 1 << 63), (0x402, 7)]);
    let all = decoded("mca_cpu1", &bytes[..bytes.len() - 20]);
    let missing: Vec<_> = all[0].missing.iter().map(|missing| missing.what.as_str()).collect();
    assert_eq!(missing, ["the rest of the processor", "the rest"]);
    assert_eq!(all[0].findings.len(), 1);
}

/// What was not read of a processor is said, with the reason.
#[test]
fn machine_checks_that_were_not_read() {
    let mut bytes = records::machine_checks(1, 1, &[(0x401, 0), (0x404, 0)]);
    assert_eq!(decoded("mca_cpu1", &bytes)[0].missing, []);
    // The second segment faulted: 16 bytes were wanted, 8 are there.
    let second = 16 + 144 + 40;
    bytes[second + 8 + 4] = 5;
    bytes[second + 8 + 16] = 16;
    let end = second + 40;
    // The end: partial, for the time was over.
    bytes[end + 8] = 1;
    bytes[end + 9] = 6;
    let all = decoded("mca_cpu1", &bytes);
    let missing = all[0].missing.iter().map(|missing| format!("{}: {}", missing.what, missing.why));
    let expected = [
        "registers 0x405 to 0x405: to read it causes a fault",
        "the rest of the processor: partial: the time was over",
    ];
    assert_eq!(missing.collect::<Vec<_>>(), expected);
}

/// Other dumps are left to others.
#[test]
fn what_is_not_recognised() {
    for (name, bytes) in [
        ("nvme_0000:01:00.0", &b"VMCDREGS"[..]),
        ("berta", &[1; 64]),
        ("self", &[0; 16]),
        ("nvme-smarter", &[0; 512]),
        ("bert", &[0; 512]),
        ("cxgb4_0000:01:00.0", &[7; 4096]),
    ] {
        let found = decode::DECODERS.iter().find(|decoder| decoder.recognises(name, bytes));
        assert!(found.is_none(), "{name}");
    }
}

/// The values of a section's body that `valid` says are there.
fn valid_fields(kind: &'static str, body: Raw, size: usize, valid: u128) -> Vec<String> {
    let section = Section::new(kind, 0, body.at(0, size, valid));
    let all = decoded("erst", &records::cper(0, NMI, &[section]));
    assert_eq!(all[0].missing, [], "{kind}, {valid:#x}");
    let body = all[0].nodes.iter().find_map(|node| node.find(&["BODY"])).expect("a body");
    body.children.iter().map(|node| node.name.clone()).collect()
}

/// Which section, how its body is made, and the fields of each bit.
type Table<'a> = (usize, fn() -> Raw, &'a [&'a str]);

/// Each bit of a validation mask stands for the fields that its table says, and for no other.
#[test]
fn validation_bits() {
    let processor = [
        "PROCESSOR_TYPE",
        "PROCESSOR_ISA",
        "PROCESSOR_ERROR_TYPE",
        "OPERATION",
        "FLAGS",
        "LEVEL",
        "CPU_VERSION",
        "CPU_BRAND",
        "PROCESSOR_ID",
        "TARGET_ADDRESS",
        "REQUESTOR_ID",
        "RESPONDER_ID",
        "INSTRUCTION_POINTER",
    ];
    let memory = [
        "ERROR_STATUS",
        "PHYSICAL_ADDRESS",
        "PHYSICAL_ADDRESS_MASK",
        "NODE",
        "CARD",
        "MODULE",
        "BANK",
        "DEVICE",
        "ROW",
        "COLUMN",
        "BIT_POSITION",
        "REQUESTOR_ID",
        "RESPONDER_ID",
        "TARGET_ID",
        "MEMORY_ERROR_TYPE",
        "RANK",
        "CARD_HANDLE",
        "MODULE_HANDLE",
        "EXTENDED ROW",
        "BANK_GROUP",
        "BANK_ADDRESS",
        "CHIP_ID",
    ];
    let memory_2 = [
        "ERROR_STATUS",
        "PHYSICAL_ADDRESS",
        "PHYSICAL_ADDRESS_MASK",
        "NODE",
        "CARD",
        "MODULE",
        "BANK",
        "DEVICE",
        "ROW",
        "COLUMN",
        "RANK",
        "BIT_POSITION",
        "CHIP_ID",
        "MEMORY_ERROR_TYPE",
        "STATUS",
        "REQUESTOR_ID",
        "RESPONDER_ID",
        "TARGET_ID",
        "CARD_HANDLE",
        "MODULE_HANDLE",
    ];
    let pcie = [
        "PORT_TYPE",
        "VERSION",
        "COMMAND STATUS",
        "VENDOR_ID DEVICE_ID CLASS FUNCTION DEVICE SEGMENT BUS SECONDARY_BUS SLOT",
        "SERIAL_NUMBER",
        "SECONDARY_STATUS BRIDGE_CONTROL",
        "CAPABILITY",
        "AER",
    ];
    let cxl = [
        "AGENT_TYPE",
        "AGENT_ADDRESS",
        "VENDOR_ID DEVICE_ID SUBSYSTEM_VENDOR_ID SUBSYSTEM_ID CLASS SLOT",
        "SERIAL_NUMBER",
        "CAPABILITY",
        "DVSEC_LENGTH DVSEC",
    ];
    let sections = records::sections();
    let tables: [Table<'_>; 5] = [
        (0, records::processor, &processor),
        (3, records::memory, &memory),
        (4, records::memory_2, &memory_2),
        (5, records::pcie, &pcie),
        (7, records::cxl, &cxl),
    ];
    for (index, body, fields) in tables {
        let kind = sections[index].kind;
        assert_eq!(valid_fields(kind, body(), 8, 0), ["VALIDATION"]);
        for (bit, names) in fields.iter().enumerate() {
            let found = valid_fields(kind, body(), 8, 1 << bit);
            assert_eq!(found[1..].join(" "), *names, "bit {bit} of {kind}");
        }
    }
}

/// A memory error of UEFI 2.1 ends after its type, and has no extension of the row.
#[test]
fn old_memory_error() {
    let mut bytes = records::memory().into_bytes();
    bytes.truncate(73);
    let body = Raw::new(73).bytes(0, &bytes).at(0, 8, 0x7fff);
    let section = Section::new("a5bc1114-6f64-4ede-b863-3e83ed7c83b1", 0, body);
    let all = decoded("erst", &records::cper(0, NMI, &[section]));
    assert_eq!(all[0].missing, []);
    let text = &all[0].findings[0].text;
    assert!(text.contains("module 3, bank 517, device 6, row 4660, column 86"), "{text}");
}
