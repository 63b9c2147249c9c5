// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Error records, log pages and register dumps, written from the tables of their
//! specifications: each value stands at the byte offset that the table has.

/// Bytes that are filled in by offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw(Vec<u8>);

impl Raw {
    /// `length` zero bytes.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self(vec![0; length])
    }

    /// The same with the little-endian number `value` of `size` bytes at `at`.
    ///
    /// # Panics
    /// If it is not inside, or does not fit.
    #[must_use]
    pub fn at(mut self, at: usize, size: usize, value: u128) -> Self {
        assert!(size == 16 || value >> (8 * size) == 0, "{value:#x} at {at}");
        self.0[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        self
    }

    /// The same with `bytes` at `at`.
    ///
    /// # Panics
    /// If they are not inside.
    #[must_use]
    pub fn bytes(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// The same with the GUID that is written as `text` at `at`.
    ///
    /// # Panics
    /// If it is none, or not inside.
    #[must_use]
    pub fn guid(self, at: usize, text: &str) -> Self {
        let bytes = guid(text);
        self.bytes(at, &bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The 16 bytes of an `EFI_GUID` that is written as `text` (UEFI, appendix A).
///
/// # Panics
/// If it is none.
#[must_use]
pub fn guid(text: &str) -> [u8; 16] {
    let digits: String = text.chars().filter(|character| *character != '-').collect();
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("a GUID");
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    order.map(byte)
}

/// A section of an error record.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its type, as a GUID is written.
    pub kind: &'static str,
    /// Its severity: 0 recoverable, 1 fatal, 2 corrected, 3 informational.
    pub severity: u32,
    /// Its flags.
    pub flags: u32,
    /// The text of its field replaceable unit.
    pub unit: Option<&'static str>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Section {
    /// One with the severity `severity`.
    #[must_use]
    pub fn new(kind: &'static str, severity: u32, body: Raw) -> Self {
        Self { kind, severity, flags: 1, unit: None, body: body.into_bytes() }
    }

    /// The same with the text of a field replaceable unit.
    #[must_use]
    pub fn unit(self, unit: &'static str) -> Self {
        Self { unit: Some(unit), ..self }
    }
}

/// An error record (UEFI N.2.1, tables N.1 and N.2) of `notification`, with a time.
#[must_use]
pub fn cper(severity: u32, notification: &str, sections: &[Section]) -> Vec<u8> {
    let bodies: usize = sections.iter().map(|section| section.body.len()).sum();
    let mut offset = 128 + 72 * sections.len();
    let length = offset + bodies;
    let mut raw = Raw::new(length)
        .bytes(0, b"CPER")
        .at(4, 2, 0x0101)
        .at(6, 4, 0xffff_ffff)
        .at(10, 2, sections.len() as u128)
        .at(12, 4, severity.into())
        .at(16, 4, 0b11)
        .at(20, 4, length as u128)
        // 2026-11-27 14:05:09, precise: seconds, minutes, hours, flags, day, month, year, century.
        .bytes(24, &[0x09, 0x05, 0x14, 0x01, 0x27, 0x11, 0x26, 0x20])
        .guid(32, "00112233-4455-6677-8899-aabbccddeeff")
        .guid(80, notification)
        .at(96, 8, 0x1234_5678_9abc_def0);
    for (index, section) in sections.iter().enumerate() {
        let at = 128 + 72 * index;
        raw = raw
            .at(at, 4, offset as u128)
            .at(at + 4, 4, section.body.len() as u128)
            .at(at + 8, 2, 0x0300)
            .at(at + 10, 1, if section.unit.is_some() { 2 } else { 0 })
            .at(at + 12, 4, section.flags.into())
            .guid(at + 16, section.kind)
            .at(at + 48, 4, section.severity.into())
            .bytes(at + 52, section.unit.unwrap_or_default().as_bytes())
            .bytes(offset, &section.body);
        offset += section.body.len();
    }
    raw.into_bytes()
}

/// A generic error status block (ACPI 18.3.2.7.1) with entries of revision 3.0, which have a
/// time, or of revision 2.1.
#[must_use]
pub fn status_block(severity: u32, sections: &[Section], with_time: bool) -> Vec<u8> {
    let head = if with_time { 72 } else { 64 };
    let data: usize = sections.iter().map(|section| head + section.body.len()).sum();
    let status = 1 | (sections.len() as u128) << 4;
    let mut raw =
        Raw::new(20 + data).at(0, 4, status).at(12, 4, data as u128).at(16, 4, severity.into());
    let mut at = 20;
    for section in sections {
        let unit = if section.unit.is_some() { 2 } else { 0 };
        raw = raw
            .guid(at, section.kind)
            .at(at + 16, 4, section.severity.into())
            .at(at + 20, 2, if with_time { 0x300 } else { 0x201 })
            .at(at + 22, 1, if with_time { unit | 4 } else { unit })
            .at(at + 23, 1, section.flags.into())
            .at(at + 24, 4, section.body.len() as u128)
            .bytes(at + 44, section.unit.unwrap_or_default().as_bytes());
        if with_time {
            raw = raw.bytes(at + 64, &[0x59, 0x58, 0x23, 0x00, 0x31, 0x12, 0x99, 0x19]);
        }
        raw = raw.bytes(at + head, &section.body);
        at += head + section.body.len();
    }
    raw.into_bytes()
}

/// Sections with a value in every field, in the order of UEFI N.2.4 to N.2.13.
#[must_use]
pub fn sections() -> Vec<Section> {
    vec![
        Section::new("9876ccad-47b4-4bdb-b65e-16f193c4f3db", 1, processor()),
        Section::new("dc3ea0b0-a144-4797-b95b-53fa242b6e1d", 1, processor_x86()),
        Section::new("e19e3d16-bc11-11e4-9caa-c2051d5d46b0", 0, processor_arm()),
        Section::new("a5bc1114-6f64-4ede-b863-3e83ed7c83b1", 2, memory()).unit("DIMM_A1"),
        Section::new("61ec04fc-48e6-d813-25c9-8daa44750b12", 0, memory_2()),
        Section::new("d995e954-bbc1-430f-ad91-b44dcb3c6f35", 1, pcie()),
        Section::new("81212a96-09ed-4996-9471-8d729c8e69ed", 1, firmware()),
        Section::new("80b9efb4-52b5-4de3-a777-68784b771048", 0, cxl()),
        // Nobody's.
        Section::new("01234567-89ab-cdef-0123-456789abcdef", 3, Raw::new(24).at(0, 8, 0x55)),
    ]
}

/// Table N.14, generic processor error.
#[must_use]
pub fn processor() -> Raw {
    Raw::new(192)
        .at(0, 8, 0x1fff)
        .at(8, 1, 0) // x86
        .at(9, 1, 2) // x86-64
        .at(10, 1, 0b0101) // cache and bus
        .at(11, 1, 2) // data write
        .at(12, 1, 0b0110) // precise, overflow
        .at(13, 1, 2)
        .at(16, 8, 0x000a_0f11)
        .bytes(24, b"A processor")
        .at(152, 8, 0x2a)
        .at(160, 8, 0x1_2345_6780)
        .at(168, 8, 0x11)
        .at(176, 8, 0x22)
        .at(184, 8, 0xffff_ffff_8100_1000)
}

/// Tables N.15 to N.21: a cache and a bus check, a micro-architectural one, and a context
/// with the registers of machine check bank 7.
#[must_use]
pub fn processor_x86() -> Raw {
    // Valid: all of a cache check. Data, eviction, level 1, uncorrected, overflow.
    let cache = 0x00ff | 1 << 16 | 7 << 18 | 1 << 22 | 1 << 26 | 1 << 29;
    // All of a bus check. Generic, data write, context corrupt, responded, timed out, I/O.
    let bus = 0x07ff | 2 << 16 | 4 << 18 | 1 << 25 | 1 << 30 | 1 << 32 | 2 << 33;
    // All of a micro-architectural check. Microcode ROM parity, uncorrected.
    let micro = 0x3f | 2 << 16 | 1 << 20;
    let information = |raw: Raw, at: usize, kind: &str, valid: u128, check: u128| {
        raw.guid(at, kind)
            .at(at + 16, 8, valid)
            .at(at + 24, 8, check)
            .at(at + 32, 8, 0xabc0)
            .at(at + 40, 8, 0x31)
            .at(at + 48, 8, 0x32)
            .at(at + 56, 8, 0x4000)
    };
    let mut raw = Raw::new(64 + 3 * 64 + 16 + 32)
        .at(0, 8, 0b11 | 3 << 2 | 1 << 8)
        .at(8, 8, 0x2c)
        .at(16, 8, 0x000a_0f11);
    raw = information(raw, 64, "a55701f5-e3ef-43de-ac72-249b573fad2c", 0b11111, cache);
    raw = information(raw, 128, "1cf3f8b3-c5b1-49a2-aa59-5eef92ffa63c", 0b00011, bus);
    raw = information(raw, 192, "48ab7f57-dc34-4f6c-a7d3-b0b5b0a74314", 0b00001, micro);
    // Context of model specific registers: from the control register of bank 7 on.
    raw.at(256, 2, 1)
        .at(258, 2, 32)
        .at(260, 4, 0x41c)
        .at(272, 8, 0xffff_ffff)
        // Valid, uncorrected, enabled, MISC and ADDR valid, context corrupt: memory read, channel 1.
        .at(280, 8, 0xbe00_0000_0001_0091)
        .at(288, 8, 0x1_0000_0040)
        .at(296, 8, 0x86)
}

/// Tables N.22 to N.28: a cache error, and a bus error of the vendor.
#[must_use]
pub fn processor_arm() -> Raw {
    // Valid: transaction, operation, level, context corrupt, corrected. Data, data read, level 2.
    let cache = 0x1f | 1 << 16 | 3 << 18 | 2 << 22 | 1 << 25;
    Raw::new(40 + 2 * 32 + 8 + 16)
        .at(0, 4, 0b1111)
        .at(4, 2, 2)
        .at(6, 2, 1)
        .at(8, 4, 128)
        .at(12, 1, 1)
        .at(16, 8, 0x8100_0003)
        .at(24, 8, 0x410f_d0c0)
        .at(32, 4, 1)
        .at(41, 1, 32)
        .at(42, 2, 0b11111)
        .at(44, 1, 0b00010)
        .at(45, 2, 4)
        .at(47, 1, 0b0101)
        .at(48, 8, cache)
        .at(56, 8, 0xffff_0000_0801_0000)
        .at(64, 8, 0x8_8000_1000)
        .at(73, 1, 32)
        .at(74, 2, 0b00100)
        .at(76, 1, 0b10000)
        .at(80, 8, 0xdead)
        // Context of AArch64 EL1, 16 bytes of registers.
        .at(106, 2, 5)
        .at(108, 4, 16)
}

/// Table N.31, memory error: each field has its own value.
#[must_use]
pub fn memory() -> Raw {
    Raw::new(80)
        .at(0, 8, 0x3f_ffff & !(1 << 6))
        .at(8, 8, 4 << 8 | 1 << 18)
        .at(16, 8, 0x12_3456_7000)
        .at(24, 8, 0xffff_ffff_ffff_f000)
        .at(32, 2, 1)
        .at(34, 2, 2)
        .at(36, 2, 3)
        .at(38, 2, 0x0205) // group 2, address 5
        .at(40, 2, 6)
        .at(42, 2, 0x1234)
        .at(44, 2, 0x56)
        .at(46, 2, 9)
        .at(48, 8, 0xa1)
        .at(56, 8, 0xa2)
        .at(64, 8, 0xa3)
        .at(72, 1, 2)
        .at(73, 1, 0b1010_0001) // bit 16 of the row, chip 5
        .at(74, 2, 1)
        .at(76, 2, 0x1100)
        .at(78, 2, 0x1101)
}

/// Table N.32, memory error 2.
#[must_use]
pub fn memory_2() -> Raw {
    Raw::new(96)
        .at(0, 8, 0xf_ffff)
        .at(8, 8, 26 << 8)
        .at(16, 8, 0x20_0000_0040)
        .at(24, 8, 0xffff_ffff_ffff_ffc0)
        .at(32, 2, 1)
        .at(34, 2, 7)
        .at(36, 2, 4)
        .at(38, 2, 11)
        .at(40, 4, 12)
        .at(44, 4, 0x1_2345)
        .at(48, 4, 0x678)
        .at(52, 4, 2)
        .at(56, 4, 33)
        .at(60, 1, 3)
        .at(61, 1, 14)
        .at(62, 1, 1)
        .at(64, 8, 0xb1)
        .at(72, 8, 0xb2)
        .at(80, 8, 0xb3)
        .at(88, 4, 0x1200)
        .at(92, 4, 0x1201)
}

/// Table N.33, PCI Express error: an endpoint at 0001:3b:02.1 with a malformed TLP, which is
/// the header of a memory write, and bad TLPs.
#[must_use]
pub fn pcie() -> Raw {
    Raw::new(208)
        .at(0, 8, 0xff)
        .at(8, 4, 0)
        .at(12, 4, 0x0101)
        .at(16, 2, 0x0406)
        .at(18, 2, 0x4010)
        .at(24, 2, 0x15b3)
        .at(26, 2, 0x1017)
        .at(28, 3, 0x02_0000)
        .at(31, 1, 1)
        .at(32, 1, 2)
        .at(33, 2, 1)
        .at(35, 1, 0x3b)
        .at(36, 1, 0)
        .at(37, 2, 5 << 3)
        .at(40, 8, 0x0002_c903_0011_2233)
        .at(48, 2, 0)
        .at(50, 2, 0)
        .at(52, 1, 0x10)
        .at(112, 4, 0x1402_0001)
        .at(116, 4, 1 << 18)
        .at(120, 4, 1 << 20)
        .at(124, 4, 0x0046_2030)
        .at(128, 4, 1 << 6)
        .at(132, 4, 0x2000)
        .at(136, 4, 0x12)
        .at(140, 4, 0x4000_0001)
        .at(144, 4, 0x3b11_000f)
        .at(148, 4, 0xfe00_0000)
}

/// Table N.36, firmware error record reference, with 16 bytes of the vendor.
#[must_use]
pub fn firmware() -> Raw {
    Raw::new(48)
        .at(0, 1, 2)
        .at(1, 1, 2)
        .at(8, 8, 0x77)
        .guid(16, "8f87f311-c998-4d9e-a0c4-6065518c4f6d")
        .at(32, 8, 0x1122)
}

/// Table N.39, CXL protocol error, of a CXL device at 0000:17:00.0 that received poison.
#[must_use]
pub fn cxl() -> Raw {
    Raw::new(116 + 16 + 88)
        .at(0, 8, 0x7f)
        .at(8, 1, 2)
        .at(18, 1, 0x17)
        .at(24, 2, 0x1e98)
        .at(26, 2, 0x0010)
        .at(28, 2, 0x1e98)
        .at(30, 2, 0x0011)
        .at(32, 2, 0x0502)
        .at(34, 2, 3 << 3)
        .at(40, 8, 0x99)
        .at(108, 2, 16)
        .at(110, 2, 88)
        .at(116, 4, 0x0001_0023)
        .at(132, 4, 1 << 10)
        .at(136, 4, 0xffff)
        .at(140, 4, 1 << 10)
        .at(144, 4, 1 << 5)
}

/// A register dump of model specific registers, `VMCDREGS`: the machine check registers of
/// processor `number`, each a number and a value. `vendor` is 1 for Intel, 2 for AMD.
#[must_use]
pub fn machine_checks(number: u64, vendor: u16, registers: &[(u64, u64)]) -> Vec<u8> {
    let mut bytes = Raw::new(16).bytes(0, b"VMCDREGS").at(8, 2, 1).at(10, 2, 16).into_bytes();
    let device = Raw::new(144)
        .at(0, 2, 1)
        .at(4, 4, 136)
        // The kind is the number of a processor's.
        .at(8, 2, 2)
        .at(8 + 12, 2, vendor.into())
        .at(8 + 24, 8, number.into())
        .at(8 + 32, 4, 1)
        .bytes(8 + 72, b"mca");
    bytes.extend(device.into_bytes());
    for (register, value) in registers {
        let segment = Raw::new(40)
            .at(0, 2, 2)
            .at(4, 4, 32)
            .at(8, 1, MSR)
            .at(10, 1, 8)
            .at(16, 8, (*register).into())
            .at(24, 8, 8)
            .at(32, 8, (*value).into());
        bytes.extend(segment.into_bytes());
    }
    let end = Raw::new(16).at(0, 2, 3).at(4, 4, 8).at(12, 4, registers.len() as u128);
    bytes.extend(end.into_bytes());
    bytes
}

/// The space of model specific registers.
const MSR: u128 = 4;

/// NVMe's health page (figure 207 of NVM Express 2.0): each field has its own value.
#[must_use]
pub fn nvme_smart() -> Vec<u8> {
    let mut raw =
        Raw::new(512).at(0, 1, 0b0101).at(1, 2, 273 + 41).at(3, 1, 7).at(4, 1, 10).at(5, 1, 103);
    for index in 0..10 {
        raw = raw.at(32 + 16 * index, 16, 1001 + index as u128);
    }
    raw = raw.at(192, 4, 11).at(196, 4, 12).at(200, 2, 273 + 40).at(202, 2, 273 + 52);
    raw = raw.at(216, 4, 13).at(220, 4, 14).at(224, 4, 15).at(228, 4, 16);
    raw.into_bytes()
}

/// NVMe's error log with two entries of four (figure 206): an unrecovered read error, and an
/// invalid field of an admin command.
#[must_use]
pub fn nvme_errors() -> Vec<u8> {
    Raw::new(256)
        .at(0, 8, 17)
        .at(8, 2, 3)
        .at(10, 2, 0x4d)
        .at(12, 2, (0x4281 << 1) | 1)
        .at(14, 2, 0xffff)
        .at(16, 8, 0x1234_5678)
        .at(24, 4, 1)
        .at(64, 8, 16)
        .at(72, 2, 0)
        .at(74, 2, 0x15)
        .at(76, 2, 0x4002 << 1)
        .at(78, 2, 0x0028)
        .at(88, 4, 0xffff_ffff)
        .at(96, 8, 0x42)
        .into_bytes()
}

/// NVMe's firmware slots (figure 208): slot 2 is used, slot 3 will be.
#[must_use]
pub fn nvme_firmware() -> Vec<u8> {
    Raw::new(512)
        .at(0, 1, 0x32)
        .bytes(8, b"1.0     ")
        .bytes(16, b"2.1.7   ")
        .bytes(24, b"3.0     ")
        .into_bytes()
}

/// A persistent event log (figures 214 to 229) of six events: a start, a change of time, a
/// firmware commit, a fatal PCI Express error, a thermal excursion, a health snapshot.
#[must_use]
pub fn nvme_persistent() -> Vec<u8> {
    // 2026-11-27 14:05:09 in milliseconds.
    let time: u128 = 1_795_788_309_000;
    let event = |kind: u128, vendor: &[u8], data: &[u8]| {
        let length = vendor.len() + data.len();
        let raw = Raw::new(24 + length)
            .at(0, 1, kind)
            .at(1, 1, 1)
            .at(2, 1, 21)
            .at(4, 2, 1)
            .at(6, 8, time + kind * 1000)
            .at(20, 2, vendor.len() as u128)
            .at(22, 2, length as u128);
        raw.bytes(24, vendor).bytes(24 + vendor.len(), data).into_bytes()
    };
    let commit = Raw::new(22)
        .bytes(0, b"1.0     ")
        .bytes(8, b"2.1.7   ")
        .at(16, 1, 3)
        .at(17, 1, 2)
        .into_bytes();
    let change = Raw::new(16).at(0, 8, time - 5000).at(8, 8, 777).into_bytes();
    let events: Vec<u8> = [
        event(4, b"", b"2.1.7   "),
        event(3, b"", &change),
        event(2, b"", &commit),
        event(5, b"abcd", &[3, 0, 0, 0]),
        event(13, b"", &[6, 2]),
        event(1, b"", &nvme_smart()),
    ]
    .concat();
    let mut bytes = Raw::new(512)
        .at(0, 1, 13)
        .at(4, 4, 6)
        .at(8, 8, 512 + events.len() as u128)
        .at(16, 1, 1)
        .at(18, 2, 492)
        .at(20, 8, time + 60_000)
        .at(28, 16, 4321)
        .at(44, 8, 99)
        .at(52, 2, 0x1b36)
        .at(54, 2, 0x1af4)
        .bytes(56, b"SN-0001             ")
        .bytes(76, b"A drive                                 ")
        .bytes(116, b"nqn.2014-08.org.example:drive")
        .into_bytes();
    bytes.extend(events);
    bytes
}

/// NVMe's telemetry header (figure 212) with one block of data, where it promises two.
#[must_use]
pub fn nvme_telemetry() -> Vec<u8> {
    Raw::new(1024)
        .at(0, 1, 8)
        .at(5, 3, 0x00_2538)
        .at(8, 2, 1)
        .at(10, 2, 2)
        .at(12, 2, 2)
        .at(382, 1, 1)
        .at(383, 1, 5)
        .bytes(384, b"assert")
        .into_bytes()
}

/// OCP's extended health page (LID 0xc0 of the OCP datacenter NVMe SSD specification).
#[must_use]
pub fn nvme_ocp() -> Vec<u8> {
    Raw::new(512)
        .at(0, 16, 1 << 40)
        .at(16, 16, 1 << 41)
        .at(32, 6, 21)
        .at(38, 2, 98)
        .at(40, 6, 22)
        .at(46, 2, 97)
        .at(48, 8, 23)
        .at(56, 8, 24)
        .at(64, 8, 25)
        .at(72, 4, 26)
        .at(76, 4, 27)
        .at(80, 1, 28)
        .at(81, 7, 29)
        .at(88, 4, 31)
        .at(92, 4, 30)
        .at(96, 1, 32)
        .at(97, 1, 1)
        .at(104, 8, 33)
        .at(112, 4, 34)
        .at(120, 1, 35)
        .at(128, 2, 90)
        .at(136, 8, 37)
        .at(144, 8, 38)
        .at(152, 8, 39)
        .at(160, 16, 40)
        .at(176, 16, 41)
        .at(192, 8, 42)
        .at(200, 8, 43)
        .at(494, 2, 3)
        .at(496, 16, 0xafd5_14c9_7c6f_4f9c_a4f2_bfea_2810_afc5)
        .into_bytes()
}

/// Sensors of a management controller (IPMI 2.0, 43): a temperature with thresholds, a voltage
/// whose readings have an offset and a sign, a fan, discrete sensors, and locators.
#[must_use]
pub fn ipmi_sdr() -> Vec<u8> {
    let record = |id: u128, kind: u128, length: usize| {
        let body = length as u128 - 5;
        Raw::new(length).at(0, 2, id).at(2, 1, 0x51).at(3, 1, kind).at(4, 1, body)
    };
    let full = |id: u128, number: u128, entity: u128, sensor: u128, name: &[u8]| {
        record(id, 1, 48 + name.len())
            .at(5, 1, 0x20)
            .at(7, 1, number)
            .at(8, 1, entity)
            .at(9, 1, 1)
            .at(11, 1, 1 << 2)
            .at(12, 1, sensor)
            .at(13, 1, 1)
            .at(47, 1, 0xc0 | name.len() as u128)
            .bytes(48, name)
    };
    let compact = |id: u128, number: u128, sensor: u128, name: &[u8]| {
        record(id, 2, 32 + name.len())
            .at(5, 1, 0x20)
            .at(7, 1, number)
            .at(8, 1, 0x23)
            .at(9, 1, 1)
            .at(12, 1, sensor)
            .at(13, 1, 0x6f)
            .at(31, 1, 0xc0 | name.len() as u128)
            .bytes(32, name)
    };
    [
        // Degrees as they are.
        full(1, 0x30, 3, 1, b"CPU0 Temp")
            .at(18, 1, 0x3f)
            .at(21, 1, 1)
            .at(24, 1, 1)
            .at(30, 1, 7)
            .bytes(31, &[40, 70, 5, 255, 0, 105, 100, 95, 1, 3, 6])
            .into_bytes(),
        // 0.01 V a step from -1.28 V on, in two's complement.
        full(2, 0x31, 7, 2, b"P12V")
            .at(18, 1, 0x12)
            .at(20, 1, 0x80)
            .at(21, 1, 4)
            .at(24, 1, 1)
            .at(26, 1, 0x80)
            .at(27, 1, 0xc0)
            .at(29, 1, 0xe0)
            .at(30, 1, 1)
            .bytes(31, &[0x9c, 0, 0, 0, 0, 0, 0x7f, 0, 0, 0x81, 0])
            .into_bytes(),
        full(3, 0x32, 0x1d, 4, b"FAN1")
            .at(18, 1, 2)
            .at(21, 1, 18)
            .at(24, 1, 0x2c)
            .at(25, 1, 0x40)
            .at(30, 1, 1)
            .bytes(31, &[20])
            .at(40, 1, 2)
            .into_bytes(),
        compact(4, 0x70, 0x20, b"OS Stop").into_bytes(),
        record(5, 3, 17 + 6)
            .at(5, 1, 0x20)
            .at(7, 1, 0x71)
            .at(8, 1, 3)
            .at(9, 1, 2)
            .at(10, 1, 7)
            .at(11, 1, 0x6f)
            .at(16, 1, 0xc6)
            .bytes(17, b"CPU MC")
            .into_bytes(),
        // "BOARD1", of six bits a character.
        record(6, 0x11, 16 + 5)
            .at(5, 1, 0x20)
            .at(12, 1, 7)
            .at(13, 1, 1)
            .at(15, 1, 0x85)
            .bytes(16, &[0xe2, 0x1b, 0xca, 0x64, 0x04])
            .into_bytes(),
        record(7, 0x12, 16 + 3)
            .at(5, 1, 0x20)
            .at(12, 1, 0x2e)
            .at(13, 1, 1)
            .at(15, 1, 0xc3)
            .bytes(16, b"BMC")
            .into_bytes(),
        record(8, 0xc0, 5 + 7).bytes(5, &[0xa2, 2, 0, 1, 2, 3, 4]).into_bytes(),
    ]
    .concat()
}

/// An event log of a management controller (IPMI 2.0, 32.1): the kinds of records, and events
/// that are abnormal and that are not.
#[must_use]
pub fn ipmi_sel() -> Vec<u8> {
    // Record id, time, sensor type, sensor, direction and type, three bytes of data.
    let event = |id: u128, time: u128, sensor: u128, number: u128, kind: u128, data: [u8; 3]| {
        Raw::new(16)
            .at(0, 2, id)
            .at(2, 1, 2)
            .at(3, 4, time)
            .at(7, 2, 0x20)
            .at(9, 1, 4)
            .at(10, 1, sensor)
            .at(11, 1, number)
            .at(12, 1, kind)
            .bytes(13, &data)
            .into_bytes()
    };
    let time = 1_795_788_309;
    [
        event(1, 17, 0x10, 0x09, 0x6f, [2, 0xff, 0xff]),
        event(2, time, 0x0c, 0x53, 0x6f, [0xa1, 0xff, 0x03]),
        event(3, time + 1, 0x13, 0x60, 0x6f, [0xa5, 0x3b, 0x11]),
        event(4, time + 2, 0x01, 0x30, 0x01, [0x59, 100, 95]),
        event(5, time + 3, 0x01, 0x30, 0x81, [0x59, 90, 95]),
        event(6, time + 4, 0x20, 0x70, 0x6f, [0x01, 0xff, 0xff]),
        event(7, time + 5, 0x07, 0x71, 0x6f, [0x0b, 0xff, 0xff]),
        event(8, time + 6, 0x09, 0x72, 0x0b, [0x01, 0xff, 0xff]),
        Raw::new(16)
            .at(0, 2, 9)
            .at(2, 1, 0xc1)
            .at(3, 4, time)
            .at(7, 3, 0x00_02a2)
            .bytes(10, &[1, 2, 3, 4, 5, 6])
            .into_bytes(),
        Raw::new(16).at(0, 2, 10).at(2, 1, 0xe1).bytes(3, b"vendor's data").into_bytes(),
    ]
    .concat()
}

/// A dump of each format of error records and logs, under the name that it is recognised by.
#[must_use]
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    let sections = sections();
    let boot = "3d61a466-ab40-409a-a698-f362d464b38f";
    let checks = [(0x179, 0x0f00_0c14), (0x17a, 5), (0x41d, !0), (0x41e, 0x1000), (0x41f, 0x86)];
    let scalable = [(0xc000_2001, !0), (0xc000_2005, 0x0000_0096_0000_0000), (0xc000_2008, !0)];
    vec![
        ("erst", cper(1, boot, &sections)),
        ("bert", status_block(1, &sections, true)),
        ("ghes", status_block(0, &sections, false)),
        ("mca_cpu0", machine_checks(0, 1, &checks)),
        ("mca_cpu1", machine_checks(1, 2, &scalable)),
        ("nvme-smart", nvme_smart()),
        ("nvme-error", nvme_errors()),
        ("nvme-fw", nvme_firmware()),
        ("nvme-persistent", nvme_persistent()),
        ("nvme-telemetry", nvme_telemetry()),
        ("nvme-ocp", nvme_ocp()),
        ("ipmi-sel", ipmi_sel()),
        ("ipmi-sdr", ipmi_sdr()),
        ("dmesg", LINES.as_bytes().to_vec()),
    ]
}

/// Lines of a kernel's log.
const LINES: &str = "\
[    1.1] DMAR: [DMA Write NO_PASID] Request device [3b:00.1] fault addr 0x0 [fault reason 0x05]
[    1.4] mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 9: be00000000000135
[    1.7] mlx5_core 0000:3b:00.0: PCIe Bus Error: severity=Uncorrectable (Fatal), type=x
[    1.9] nvme nvme0: controller is down; will reset: CSTS=0x3, PCI_STATUS=0x10
";
