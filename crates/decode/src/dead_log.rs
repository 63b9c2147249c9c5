// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The dead kernel's log, as it is in its memory: what it says of a device supports what the
//! dump of the device says.

use std::collections::BTreeMap;

use crate::log::{Log, slot_of};
use crate::model::{Decoded, Decoder, text};

/// How the log is called where a device dump has its name.
pub const NAME: &str = "dead kernel's log";

/// How many lines of one device are kept: the last ones.
const OF_A_DEVICE: usize = 3;
/// How many devices have lines.
const DEVICES_MAX: usize = 4096;
/// The level of what is only information (`KERN_INFO`); a greater one is less.
const INFORMATION: u8 = 6;

/// A record of the log.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// When it was written, in nanoseconds since the boot.
    pub time: u64,
    /// How important it is, from 0, an emergency, to 7, debugging.
    pub level: u8,
    /// The device that it is about, as `+pci:0000:01:00.0`; empty where it names none.
    pub device: &'a [u8],
    /// Its text; it may have several lines.
    pub text: &'a [u8],
}

/// The dead kernel's log.
#[derive(Debug, Clone, Default)]
pub struct DeadLog {
    /// All of it, a line after another, as `dmesg` prints it.
    text: String,
    /// The last lines that name a PCI function, by its slot.
    of_slots: BTreeMap<String, Vec<String>>,
    /// The slots of devices that have other names, as `nvme0`.
    names: BTreeMap<String, String>,
}

impl DeadLog {
    /// That of these records, the oldest first.
    #[must_use]
    pub fn new<'a>(records: impl IntoIterator<Item = Record<'a>>) -> Self {
        let mut log = Self::default();
        for record in records {
            log.add(&record);
        }
        log
    }

    fn add(&mut self, record: &Record<'_>) {
        let (seconds, micros) = (record.time / 1_000_000_000, record.time / 1000 % 1_000_000);
        let device = text(record.device);
        for line in text(record.text).lines() {
            let shown = format!("[{seconds:5}.{micros:06}] {line}");
            let slot = device.strip_prefix("+pci:").map(str::to_owned);
            let slot = slot.or_else(|| slot_of(line)).or_else(|| self.slot_of_name(line));
            if let Some((name, rest)) = line.split_once(": pci function ")
                && let Some(name) = name.strip_prefix("nvme ")
                && let Some(slot) = slot_of(rest)
                && self.names.len() < DEVICES_MAX
            {
                self.names.insert(name.to_owned(), slot);
            }
            // What the kernel prints of every device while it boots says nothing.
            let is_of_the_boot = line.starts_with("pci ") && record.level >= INFORMATION;
            if let Some(slot) = slot.filter(|_| !is_of_the_boot) {
                self.keep(slot, &shown);
            }
            self.text.push_str(&shown);
            self.text.push('\n');
        }
    }

    fn keep(&mut self, slot: String, line: &str) {
        if self.of_slots.len() >= DEVICES_MAX && !self.of_slots.contains_key(&slot) {
            return;
        }
        let lines = self.of_slots.entry(slot).or_default();
        if lines.len() == OF_A_DEVICE {
            lines.remove(0);
        }
        lines.push(line.to_owned());
    }

    /// The slot of the device that `line` calls by a name which an earlier line explains.
    fn slot_of_name(&self, line: &str) -> Option<String> {
        let word = |word: &str| self.names.get(word.trim_end_matches(':'));
        line.split(' ').find_map(word).cloned()
    }

    /// The last lines that name the PCI function at `slot`, the oldest first.
    #[must_use]
    pub fn of(&self, slot: &str) -> &[String] {
        self.of_slots.get(slot).map(Vec::as_slice).unwrap_or_default()
    }

    /// What its lines say of hardware.
    #[must_use]
    pub fn decode(&self) -> Decoded {
        let all = Log.decode(NAME, self.text.as_bytes());
        let mut decoded = all.into_iter().next().unwrap_or_default();
        Log.name().clone_into(&mut decoded.decoder);
        NAME.clone_into(&mut decoded.title);
        for finding in &mut decoded.findings {
            if finding.points_to.is_none() {
                finding.points_to = self.slot_of_name(&finding.text);
            }
        }
        decoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>(level: u8, device: &'a str, text: &'a str) -> Record<'a> {
        let (device, text) = (device.as_bytes(), text.as_bytes());
        Record { time: 12_345_678_901, level, device, text }
    }

    #[test]
    fn lines_are_found_by_slot_and_by_name() {
        let log = DeadLog::new([
            record(6, "", "pci 0000:04:00.0: [1b36:0010] type 00 class 0x010802"),
            record(6, "+pci:0000:04:00.0", "nvme nvme0: pci function 0000:04:00.0"),
            record(6, "c240:0", "nvme nvme0: 2/0/0 default/read/poll queues"),
            record(6, "", "pci 0000:07:00.0: [1b36:000d] type 00 class 0x0c0330"),
            record(4, "", "nvme nvme1: I/O 7 QID 0 timeout, disable controller"),
            record(6, "", "e1000e 0000:06:00.0 eth0: NIC Link is Up\nof two lines"),
            record(4, "", "pci 0000:06:00.0: BAR 0: can't assign"),
            record(4, "", "nvme nvme0: controller is down; will reset: CSTS=0x3, PCI_STATUS=0x10"),
            record(3, "", "DMAR: [DMA Read] Request device [00:03.0] fault addr 0x7654000"),
        ]);
        assert_eq!(
            log.of("0000:04:00.0"),
            [
                "[   12.345678] nvme nvme0: pci function 0000:04:00.0",
                "[   12.345678] nvme nvme0: 2/0/0 default/read/poll queues",
                "[   12.345678] nvme nvme0: controller is down; will reset: CSTS=0x3, \
                 PCI_STATUS=0x10",
            ]
        );
        assert_eq!(
            log.of("0000:06:00.0"),
            [
                "[   12.345678] e1000e 0000:06:00.0 eth0: NIC Link is Up",
                "[   12.345678] pci 0000:06:00.0: BAR 0: can't assign",
            ]
        );
        assert_eq!(log.of("0000:00:03.0").len(), 1);
        assert_eq!(log.of("0000:05:00.0").len(), 0);
        assert_eq!(log.of("0000:07:00.0").len(), 0);
        // Only of which the slot is known, it is.
        let found = log.decode().findings;
        let to: Vec<_> = found.iter().map(|finding| finding.points_to.as_deref()).collect();
        assert_eq!(to, [Some("0000:04:00.0"), Some("0000:00:03.0"), None]);
    }

    #[test]
    fn the_last_lines_are_kept() {
        let texts: Vec<String> =
            (0..9).map(|number| format!("nvme 0000:01:00.0: event {number}")).collect();
        let log = DeadLog::new(texts.iter().map(|text| record(6, "", text)));
        let lines = log.of("0000:01:00.0");
        assert_eq!(lines.len(), 3);
        assert!(lines[0].ends_with("event 6") && lines[2].ends_with("event 8"), "{lines:?}");
    }
}
