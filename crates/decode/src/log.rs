// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Lines of a kernel's log that say something of hardware: of the crash kernel, of the next
//! boot, of the dead kernel.
//!
//! A crash kernel clears much of the evidence while it starts, but prints some of it first:
//! then its log is the only place that has it. Facts: the messages of Linux 6.12.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::fields::{list, too_many};
use crate::mca::{self, Bank, Vendor};
use crate::model::{
    Bytes, Decoded, Decoder, Finding, Missing, Node, Severity, TEXT_MAX, Value, text,
};

/// The decoder of kernel logs.
#[derive(Debug, Clone, Copy)]
pub struct Log;

/// How many lines of one kind become findings; the others are counted.
const OF_A_KIND: usize = 8;
/// How many lines become values.
const LINES: usize = 4096;

/// A kind of line: all of `has` must be in it.
struct Pattern {
    has: &'static [&'static str],
    severity: Severity,
    text: &'static str,
    advice: &'static str,
    /// Where the message is in the kernel's source.
    source: &'static str,
}

const fn pattern(
    has: &'static [&'static str],
    severity: Severity,
    text: &'static str,
    advice: &'static str,
    source: &'static str,
) -> Pattern {
    Pattern { has, severity, text, advice, source }
}

use Severity::{Error, Fatal, Info, Warning};

const DMA: &str = "The device used an address that it was not given: look at its driver and firmware. In a crash kernel it may only be a transfer that the dead kernel had begun.";
const HANG: &str = "The adapter did not send what it was given: look at its link, its firmware and its PCI Express errors.";
const PORT: &str = "Look at the device, its slot, cable and riser; update its firmware.";
const FIRMWARE: &str =
    "Update the adapter's firmware; give the lines after this one to its vendor.";
const HEALTH: &str = "dmesg has the record's sections in the lines after this one.";
const STUCK: &str = "Look at what the processor's stack trace is in.";

/// The first that fits decides.
const PATTERNS: &[Pattern] = &[
    pattern(
        &["DMAR", "Request device [", "fault"],
        Error,
        "the IOMMU stopped a device",
        DMA,
        "drivers/iommu/intel/dmar.c",
    ),
    pattern(
        &["DMAR", "VT-d detected Invalidation"],
        Error,
        "a device did not answer the IOMMU",
        PORT,
        "drivers/iommu/intel/dmar.c",
    ),
    pattern(
        &["DMAR", "DRHD: handling fault status"],
        Info,
        "the IOMMU had a fault",
        DMA,
        "drivers/iommu/intel/dmar.c",
    ),
    pattern(
        &["AMD-Vi", "Event logged ["],
        Error,
        "the IOMMU stopped a device",
        DMA,
        "drivers/iommu/amd/iommu.c",
    ),
    pattern(
        &["Hardware Error]: CPU ", "Machine Check", " Bank "],
        Error,
        "machine check",
        "Look at the bank's address and the machine's event log.",
        "arch/x86/kernel/cpu/mce/core.c",
    ),
    pattern(
        &["Kernel panic - not syncing: ", "achine check"],
        Fatal,
        "the kernel stopped for a machine check",
        "Look at the machine check banks.",
        "arch/x86/kernel/cpu/mce/core.c",
    ),
    pattern(
        &["Memory failure: 0x"],
        Error,
        "memory was damaged",
        "Replace the memory module.",
        "mm/memory-failure.c",
    ),
    pattern(
        &["EDAC ", " UE "],
        Error,
        "uncorrected memory error",
        "Replace the memory module that the line names.",
        "drivers/edac/edac_mc.c",
    ),
    pattern(
        &["EDAC ", " CE "],
        Warning,
        "corrected memory error",
        "Watch the memory module that the line names.",
        "drivers/edac/edac_mc.c",
    ),
    pattern(
        &["BERT: ", "Error records from previous boot"],
        Error,
        "firmware kept an error of the boot before",
        HEALTH,
        "drivers/acpi/apei/bert.c",
    ),
    pattern(
        &["Hardware error from APEI Generic Hardware Error Source"],
        Error,
        "firmware reported an error",
        HEALTH,
        "drivers/acpi/apei/ghes.c",
    ),
    pattern(
        &["[Hardware Error]", "event severity: fatal"],
        Fatal,
        "firmware reported a fatal error",
        HEALTH,
        "drivers/firmware/efi/cper.c",
    ),
    pattern(
        &["[Hardware Error]", "section_type: "],
        Info,
        "section of a firmware error record",
        HEALTH,
        "drivers/firmware/efi/cper.c",
    ),
    pattern(
        &["PCIe Bus Error: severity=Uncorrect", "(Fatal)"],
        Fatal,
        "fatal PCI Express error",
        PORT,
        "drivers/pci/pcie/aer.c",
    ),
    pattern(
        &["PCIe Bus Error: severity=Uncorrect"],
        Error,
        "uncorrected PCI Express error",
        PORT,
        "drivers/pci/pcie/aer.c",
    ),
    pattern(
        &["PCIe Bus Error: severity=Correct"],
        Warning,
        "corrected PCI Express error",
        PORT,
        "drivers/pci/pcie/aer.c",
    ),
    pattern(
        &["AER: ", " received", "Uncorrect", "(Fatal)"],
        Fatal,
        "fatal PCI Express error",
        PORT,
        "drivers/pci/pcie/aer.c",
    ),
    pattern(
        &["AER: ", " received", "Uncorrect"],
        Error,
        "uncorrected PCI Express error",
        PORT,
        "drivers/pci/pcie/aer.c",
    ),
    pattern(
        &["AER: ", " received", "Correct"],
        Warning,
        "corrected PCI Express error",
        PORT,
        "drivers/pci/pcie/aer.c",
    ),
    pattern(
        &["aer_status: 0x", "aer_mask: 0x"],
        Error,
        "firmware reported a PCI Express error",
        PORT,
        "drivers/pci/pcie/aer.c",
    ),
    pattern(
        &["DPC: containment event"],
        Error,
        "a port cut off what is below it",
        PORT,
        "drivers/pci/pcie/dpc.c",
    ),
    pattern(
        &["nvme ", "controller is down; will reset"],
        Error,
        "NVMe controller stopped",
        "Update the drive's firmware; look at its link and power saving.",
        "drivers/nvme/host/pci.c",
    ),
    pattern(
        &["nvme ", "Device not ready; aborting"],
        Error,
        "NVMe controller did not become ready",
        "Replace the drive if a power cycle does not help.",
        "drivers/nvme/host/core.c",
    ),
    pattern(
        &["nvme ", "Disabling device after reset failure"],
        Error,
        "NVMe controller was given up",
        "Replace the drive if a power cycle does not help.",
        "drivers/nvme/host/pci.c",
    ),
    pattern(
        &["nvme ", " timeout, "],
        Warning,
        "NVMe command did not complete in time",
        "Look at the drive's health and at its link.",
        "drivers/nvme/host/pci.c",
    ),
    pattern(
        &["nvme ", "frozen state error detected"],
        Error,
        "NVMe controller had a PCI Express error",
        PORT,
        "drivers/nvme/host/pci.c",
    ),
    pattern(
        &["mlx5_core", "Health issue observed"],
        Error,
        "mlx5 adapter reports that it is ill",
        FIRMWARE,
        "drivers/net/ethernet/mellanox/mlx5/core/health.c",
    ),
    pattern(
        &["mlx5_core", "Fatal error ", "detected"],
        Fatal,
        "mlx5 adapter had a fatal error",
        FIRMWARE,
        "drivers/net/ethernet/mellanox/mlx5/core/health.c",
    ),
    pattern(
        &["mlx5_core", "health compromised"],
        Fatal,
        "mlx5 adapter stopped",
        FIRMWARE,
        "drivers/net/ethernet/mellanox/mlx5/core/health.c",
    ),
    pattern(
        &["mlx5_core", "PCI slot is unavailable"],
        Fatal,
        "mlx5 adapter is gone from the bus",
        PORT,
        "drivers/net/ethernet/mellanox/mlx5/core/health.c",
    ),
    pattern(
        &["mlx5_core", "health recovery"],
        Error,
        "mlx5 adapter was to be started again",
        FIRMWARE,
        "drivers/net/ethernet/mellanox/mlx5/core/health.c",
    ),
    pattern(
        &["NETDEV WATCHDOG: ", "timed out"],
        Error,
        "a network adapter did not send",
        HANG,
        "net/sched/sch_generic.c",
    ),
    pattern(
        &["Malicious Driver Detection event"],
        Error,
        "network adapter refused what its driver did",
        FIRMWARE,
        "drivers/net/ethernet/intel",
    ),
    pattern(
        &["Detected Hardware Unit Hang"],
        Error,
        "network adapter hung",
        HANG,
        "drivers/net/ethernet/intel/e1000e/netdev.c",
    ),
    pattern(
        &["Detected Tx Unit Hang"],
        Error,
        "network adapter hung",
        HANG,
        "drivers/net/ethernet/intel",
    ),
    pattern(
        &["tx_timeout"],
        Error,
        "a network adapter did not send",
        HANG,
        "drivers/net/ethernet/intel/i40e/i40e_main.c",
    ),
    pattern(
        &["initiating reset due to tx timeout"],
        Error,
        "network adapter is reset",
        HANG,
        "drivers/net/ethernet/intel/ixgbe/ixgbe_main.c",
    ),
    pattern(
        &["Received ECC Err, initiating reset"],
        Error,
        "network adapter's memory was damaged",
        FIRMWARE,
        "drivers/net/ethernet/intel/ixgbe/ixgbe_main.c",
    ),
    pattern(
        &["i40e ", "PF reset failed"],
        Error,
        "network adapter could not be reset",
        FIRMWARE,
        "drivers/net/ethernet/intel/i40e/i40e_main.c",
    ),
    pattern(
        &["i40e ", "device will be reset"],
        Warning,
        "network adapter is reset",
        HANG,
        "drivers/net/ethernet/intel/i40e/i40e_main.c",
    ),
    pattern(
        &["i40e ", "recovery mode"],
        Error,
        "network adapter's firmware is in recovery mode",
        FIRMWARE,
        "drivers/net/ethernet/intel/i40e/i40e_main.c",
    ),
    pattern(
        &["ice ", "reset ", " failed"],
        Error,
        "network adapter could not be reset",
        FIRMWARE,
        "drivers/net/ethernet/intel/ice/ice_main.c",
    ),
    pattern(
        &["ixgbe ", "Reset adapter"],
        Warning,
        "network adapter is reset",
        HANG,
        "drivers/net/ethernet/intel/ixgbe/ixgbe_main.c",
    ),
    pattern(
        &["Watchdog detected hard LOCKUP"],
        Fatal,
        "a processor was stuck with interrupts off",
        STUCK,
        "kernel/watchdog.c",
    ),
    pattern(&["BUG: soft lockup"], Error, "a processor was stuck", STUCK, "kernel/watchdog.c"),
    pattern(
        &["rcu: INFO: ", "detected stall"],
        Error,
        "a processor was stuck",
        STUCK,
        "kernel/rcu/tree_stall.h",
    ),
    pattern(
        &["INFO: task ", "blocked for more than"],
        Warning,
        "a task waited for too long",
        "Look at the device that the task's stack trace waits for.",
        "kernel/hung_task.c",
    ),
    pattern(
        &["NMI: PCI system error (SERR)"],
        Fatal,
        "a device signalled a system error",
        "Look at the status of the PCI devices and bridges.",
        "arch/x86/kernel/nmi.c",
    ),
    pattern(
        &["NMI: IOCK error"],
        Fatal,
        "an I/O device signalled a check",
        "Look at the status of the PCI devices and bridges.",
        "arch/x86/kernel/nmi.c",
    ),
    pattern(
        &["Kernel panic - not syncing"],
        Info,
        "the kernel stopped",
        "It is the end of the story: look at the lines before it.",
        "kernel/panic.c",
    ),
    pattern(
        &["[Hardware Error]"],
        Info,
        "line of a hardware error",
        HEALTH,
        "include/linux/printk.h",
    ),
];

/// Finds the first words of all patterns at once. To make it takes longer than to search a
/// short log with it. It is there, for the patterns are few.
static FIRST: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::new(PATTERNS.iter().filter_map(|pattern| pattern.has.first())).ok()
});

/// The PCI slot at the end of `prefix` in `line`: `0000:01:00.0`, or without the domain.
fn slot_after(line: &str, prefix: &str) -> Option<String> {
    let (_, rest) = line.split_once(prefix)?;
    slot_at(rest)
}

/// The PCI slot that `text` starts with. The kernel does not print the domain everywhere; it
/// is 0 in nearly all machines.
fn slot_at(text: &str) -> Option<String> {
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let length = text.bytes().take_while(|byte| is_part(byte)).count();
    let text = text.get(..length)?.trim_end_matches([':', '.']);
    let (head, function) = text.split_once('.')?;
    let mut parts = head.rsplit(':');
    let (device, bus, domain) = (parts.next()?, parts.next()?, parts.next());
    let hex = |text: &str, digits: usize| {
        let value = (text.len() <= digits).then(|| u32::from_str_radix(text, 16));
        value.and_then(Result::ok)
    };
    if parts.next().is_some() {
        return None;
    }
    let domain = domain.map_or(Some(0), |domain| hex(domain, 8))?;
    let (bus, device, function) = (hex(bus, 2)?, hex(device, 2)?, hex(function, 1)?);
    let fits = device < 32 && function < 8;
    fits.then(|| format!("{domain:04x}:{bus:02x}:{device:02x}.{function}"))
}

/// The PCI slot that `line` is about. A port that received a message is not the one that
/// sent it.
pub(crate) fn slot_of(line: &str) -> Option<String> {
    let told = ["message received from ", "error received: ", "Request device [", "device="];
    if let Some(slot) = told.iter().find_map(|prefix| slot_after(line, prefix)) {
        return Some(slot);
    }
    line.split([' ', '[', '(', ',', '=']).find_map(|word| {
        // A word of a slot has a domain here: a time of day looks like a short one.
        (word.matches(':').count() >= 2).then(|| slot_at(word)).flatten()
    })
}

fn hex_after(line: &str, prefix: &str) -> Option<u64> {
    let (_, rest) = line.split_once(prefix)?;
    let rest = rest.trim_start_matches("0x");
    let length = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
    u64::from_str_radix(rest.get(..length)?, 16).ok()
}

/// What a line with a number in it says, beyond its kind.
fn detail(line: &str) -> Option<(Severity, String)> {
    if let Some((_, rest)) = line.split_once(" Bank ")
        && let Some((number, status)) = rest.split_once(": ")
        && line.contains("Machine Check")
    {
        let bank =
            Bank { vendor: Vendor::Unknown, status: hex_after(status, "")?, ..Bank::default() };
        let meaning = mca::explain(&bank)?;
        return Some((meaning.severity, format!("bank {}: {}", number.trim(), meaning.text)));
    }
    if let Some(status) = hex_after(line, "aer_status: ").filter(|status| *status != 0) {
        // The line does not say which of the two registers it is; they share few bits.
        let uncorrectable = list(status, crate::cper::UNCORRECTABLE, "");
        let correctable = list(status, crate::cper::CORRECTABLE, "");
        return Some((Error, [uncorrectable, correctable].join(" or ")));
    }
    let status = hex_after(line, "CSTS=").filter(|_| line.contains("controller is down"))?;
    if status == 0xffff_ffff {
        return Some((Error, "the controller does not answer".to_owned()));
    }
    let fatal = status & 2 != 0;
    fatal.then(|| (Error, "the controller says that it had a fatal error".to_owned()))
}

impl Decoder for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn recognises(&self, name: &str, bytes: &[u8]) -> bool {
        let is_text = !bytes.iter().take(256).any(|byte| *byte == 0);
        name.starts_with("dmesg") && is_text
    }

    fn decode(&self, name: &str, bytes: &[u8]) -> Vec<Decoded> {
        let whole = Bytes::new(bytes);
        let mut decoded = Decoded { title: format!("kernel log {name}"), ..Decoded::default() };
        let Some(first) = &*FIRST else { return vec![decoded] };
        let mut counts = vec![0usize; PATTERNS.len()];
        let mut left = 0;
        let mut at = 0_usize;
        let mut lines = 0;
        for (number, raw) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let start = at;
            at = at.saturating_add(raw.len()).saturating_add(1);
            lines = number + usize::from(!raw.is_empty());
            // A longer line is not of a kernel, whose lines have 1 KiB at most.
            let short = raw.get(..TEXT_MAX).unwrap_or(raw);
            // Nearly all lines have nothing of any pattern, so one search for all comes first.
            let mut kinds: Vec<_> = first
                .find_overlapping_iter(short)
                .map(|found| found.pattern().as_usize())
                .collect();
            if kinds.is_empty() {
                continue;
            }
            kinds.sort_unstable();
            let line = text(short).trim_end().to_owned();
            let found = kinds.into_iter().find_map(|kind| {
                let pattern = PATTERNS.get(kind)?;
                let fits = pattern.has.iter().all(|needle| line.contains(needle));
                fits.then_some((kind, pattern))
            });
            let Some((kind, pattern)) = found else { continue };
            let Some(count) = counts.get_mut(kind) else { continue };
            *count += 1;
            let slot = slot_of(&line);
            if decoded.nodes.len() < LINES {
                let place = whole.place(start, raw.len());
                let value = Value::Text(line.clone());
                let node = Node::value(format!("line {}", number + 1), value, place);
                decoded.nodes.push(node.meaning(pattern.text));
            } else {
                left += 1;
            }
            if *count > OF_A_KIND {
                continue;
            }
            let detail = detail(&line);
            let severity = detail.as_ref().map_or(pattern.severity, |(severity, _)| *severity);
            let mut text = pattern.text.to_owned();
            if let Some((_, detail)) = detail {
                text.push_str(&format!(" ({detail})"));
            }
            decoded.findings.push(Finding {
                severity,
                text: format!("{text}: {line}"),
                advice: Some(pattern.advice.to_owned()),
                source: format!("linux {}", pattern.source),
                values: Vec::new(),
                points_to: slot,
            });
        }
        let more = PATTERNS.iter().zip(&counts).filter(|(_, count)| **count > OF_A_KIND);
        for (pattern, count) in more {
            let (kind, count) = (pattern.text, count - OF_A_KIND);
            decoded.remarks.push(format!("{count} more lines like \"{kind}\""));
        }
        if left > 0 {
            decoded.missing.push(too_many("lines", left));
        }
        if bytes.contains(&0) {
            let why = "there are zero bytes in it".to_owned();
            decoded.missing.push(Missing { what: "text, perhaps".to_owned(), why });
        }
        let found = decoded.nodes.len() + left;
        decoded.headline = Some(format!("{found} of {lines} lines are of hardware"));
        decoded.sort();
        vec![decoded]
    }
}
