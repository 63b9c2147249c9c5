// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Registers of configuration space. The names are those that `lspci -vvv` prints, since
//! these are known; what it has no name for has that of the PCI Express specification.

/// What the values of a field mean.
#[derive(Clone, Copy)]
pub enum Words {
    /// The number says it.
    None,
    /// Some values have names.
    List(&'static [(u64, &'static str)]),
    /// A size of 128 bytes shifted by the value.
    Payload,
    /// The number of a function: bus, device and function.
    Function,
    /// A power of two.
    Power,
    /// One less than what is counted.
    LessOne,
}

/// A field: a part of a register.
pub struct Field {
    pub name: &'static str,
    pub low: u32,
    pub high: u32,
    pub words: Words,
}

/// A register, at an offset from its capability.
pub struct Register {
    pub name: &'static str,
    pub at: usize,
    pub size: usize,
    pub fields: &'static [Field],
}

/// A capability.
pub struct Capability {
    pub id: u64,
    pub name: &'static str,
    pub title: &'static str,
    pub registers: &'static [Register],
}

/// The highest of the one or two bits of a field.
const fn last(bits: &[u32]) -> u32 {
    bits[bits.len() - 1]
}

/// Fields, as `"name" low-high = words`.
macro_rules! fields {
    (@words) => { Words::None };
    (@words $words:expr) => { $words };
    ($($name:literal $low:literal $(- $high:literal)? $(= $words:expr)?),* $(,)?) => {
        &[$(Field {
            name: $name,
            low: $low,
            high: last(&[$low $(, $high)?]),
            words: fields!(@words $($words)?),
        }),*]
    };
}

/// Registers, as `"name" at size fields`.
macro_rules! registers {
    ($($name:literal $at:literal $size:literal $fields:expr),* $(,)?) => {
        &[$(Register { name: $name, at: $at, size: $size, fields: $fields }),*]
    };
}

/// Capabilities, as `id name title registers`.
macro_rules! capabilities {
    ($($id:literal $name:literal $title:literal $registers:expr),* $(,)?) => {
        &[$(Capability { id: $id, name: $name, title: $title, registers: $registers }),*]
    };
}

pub const NO_FIELDS: &[Field] = &[];
const NO_REGISTERS: &[Register] = &[];

pub const SPEEDS: &[(u64, &str)] =
    &[(1, "2.5GT/s"), (2, "5GT/s"), (3, "8GT/s"), (4, "16GT/s"), (5, "32GT/s"), (6, "64GT/s")];
const SPEED: Words = Words::List(SPEEDS);
const ASPM: Words = Words::List(&[(0, "Disabled"), (1, "L0s"), (2, "L1"), (3, "L0s L1")]);
const DEVSEL: Words = Words::List(&[(0, "fast"), (1, "medium"), (2, "slow")]);
const LED: Words = Words::List(&[(0, "Unknown"), (1, "On"), (2, "Blink"), (3, "Off")]);
const PIN: Words = Words::List(&[(0, "none"), (1, "A"), (2, "B"), (3, "C"), (4, "D")]);
const TIMEOUTS: Words = Words::List(&[
    (0, "50us to 50ms"),
    (1, "50us to 100us"),
    (2, "1ms to 10ms"),
    (5, "16ms to 55ms"),
    (6, "65ms to 210ms"),
    (9, "260ms to 900ms"),
    (10, "1s to 3.5s"),
    (13, "4s to 13s"),
    (14, "17s to 64s"),
]);
pub const PORT_TYPES: &[(u64, &str)] = &[
    (0, "Endpoint"),
    (1, "Legacy Endpoint"),
    (4, "Root Port"),
    (5, "Upstream Port"),
    (6, "Downstream Port"),
    (7, "PCI-Express to PCI/PCI-X Bridge"),
    (8, "PCI/PCI-X to PCI-Express Bridge"),
    (9, "Root Complex Integrated Endpoint"),
    (10, "Root Complex Event Collector"),
];

/// The first 64 bytes of every function.
pub const HEADER: &[Register] = registers! {
    "Vendor" 0x00 2 NO_FIELDS,
    "Device" 0x02 2 NO_FIELDS,
    "Control" 0x04 2 fields! {
        "I/O" 0, "Mem" 1, "BusMaster" 2, "SpecCycle" 3, "MemWINV" 4, "VGASnoop" 5, "ParErr" 6,
        "Stepping" 7, "SERR" 8, "FastB2B" 9, "DisINTx" 10,
    },
    "Status" 0x06 2 fields! {
        "ImmediateReady" 0, "INTx" 3, "Cap" 4, "66MHz" 5, "UDF" 6, "FastB2B" 7, "ParErr" 8,
        "DEVSEL" 9-10 = DEVSEL, ">TAbort" 11, "<TAbort" 12, "<MAbort" 13, ">SERR" 14, "<PERR" 15,
    },
    "Revision" 0x08 1 NO_FIELDS,
    "ProgIf" 0x09 1 NO_FIELDS,
    "Class" 0x0a 2 NO_FIELDS,
    "CacheLine" 0x0c 1 NO_FIELDS,
    "Latency" 0x0d 1 NO_FIELDS,
    "HeaderType" 0x0e 1 fields! {
        "Layout" 0-6 = Words::List(&[(0, "device"), (1, "bridge"), (2, "CardBus bridge")]),
        "MultiFunction" 7,
    },
    "BIST" 0x0f 1 fields! { "Code" 0-3, "Running" 6, "Capable" 7 },
    "CapPointer" 0x34 1 NO_FIELDS,
    "InterruptLine" 0x3c 1 NO_FIELDS,
    "InterruptPin" 0x3d 1 fields! { "Pin" 0-7 = PIN },
};

const BAR: &[Field] = fields! { "I/O" 0, "64bit" 2, "Prefetchable" 3 };

/// What layout 0 has besides.
pub const DEVICE: &[Register] = registers! {
    "BAR0" 0x10 4 BAR, "BAR1" 0x14 4 BAR, "BAR2" 0x18 4 BAR,
    "BAR3" 0x1c 4 BAR, "BAR4" 0x20 4 BAR, "BAR5" 0x24 4 BAR,
    "SubVendor" 0x2c 2 NO_FIELDS,
    "SubDevice" 0x2e 2 NO_FIELDS,
    "ROM" 0x30 4 fields! { "Enabled" 0 },
};

/// What layout 1 has besides.
pub const BRIDGE: &[Register] = registers! {
    "BAR0" 0x10 4 BAR, "BAR1" 0x14 4 BAR,
    "primary" 0x18 1 NO_FIELDS,
    "secondary" 0x19 1 NO_FIELDS,
    "subordinate" 0x1a 1 NO_FIELDS,
    "sec-latency" 0x1b 1 NO_FIELDS,
    "IOBase" 0x1c 1 NO_FIELDS,
    "IOLimit" 0x1d 1 NO_FIELDS,
    "Secondary status" 0x1e 2 fields! {
        "66MHz" 5, "FastB2B" 7, "ParErr" 8, "DEVSEL" 9-10 = DEVSEL, ">TAbort" 11, "<TAbort" 12,
        "<MAbort" 13, "<SERR" 14, "<PERR" 15,
    },
    "MemBase" 0x20 2 NO_FIELDS,
    "MemLimit" 0x22 2 NO_FIELDS,
    "PrefBase" 0x24 2 NO_FIELDS,
    "PrefLimit" 0x26 2 NO_FIELDS,
    "PrefBaseUpper" 0x28 4 NO_FIELDS,
    "PrefLimitUpper" 0x2c 4 NO_FIELDS,
    "IOBaseUpper" 0x30 2 NO_FIELDS,
    "IOLimitUpper" 0x32 2 NO_FIELDS,
    "BridgeCtl" 0x3e 2 fields! {
        "Parity" 0, "SERR" 1, "NoISA" 2, "VGA" 3, "VGA16" 4, "MAbort" 5, ">Reset" 6, "FastB2B" 7,
        "PriDiscTmr" 8, "SecDiscTmr" 9, "DiscTmrStat" 10, "DiscTmrSERREn" 11,
    },
};

/// MSI, with addresses of 32 bits.
pub const MSI32: &[Register] = registers! { "Address" 4 4 NO_FIELDS, "Data" 8 2 NO_FIELDS };
/// The same, with masks.
pub const MSI32_MASK: &[Register] =
    registers! { "Masking" 0x0c 4 NO_FIELDS, "Pending" 0x10 4 NO_FIELDS };
/// MSI, with addresses of 64 bits.
pub const MSI64: &[Register] = registers! { "Address" 4 8 NO_FIELDS, "Data" 0x0c 2 NO_FIELDS };
/// The same, with masks.
pub const MSI64_MASK: &[Register] =
    registers! { "Masking" 0x10 4 NO_FIELDS, "Pending" 0x14 4 NO_FIELDS };

/// The link of a PCI Express function.
pub const LINK: &[Register] = registers! {
    "LnkCap" 0x0c 4 fields! {
        "Speed" 0-3 = SPEED, "Width" 4-9, "ASPM" 10-11 = ASPM, "L0sExit" 12-14, "L1Exit" 15-17,
        "ClockPM" 18, "Surprise" 19, "LLActRep" 20, "BwNot" 21, "ASPMOptComp" 22, "Port" 24-31,
    },
    "LnkCtl" 0x10 2 fields! {
        "ASPM" 0-1 = ASPM, "RCB" 3 = Words::List(&[(0, "64 bytes"), (1, "128 bytes")]),
        "Disabled" 4, "Retrain" 5, "CommClk" 6, "ExtSynch" 7, "ClockPM" 8, "AutWidDis" 9,
        "BWInt" 10, "AutBWInt" 11,
    },
    "LnkSta" 0x12 2 fields! {
        "Speed" 0-3 = SPEED, "Width" 4-9, "TrErr" 10, "Train" 11, "SlotClk" 12, "DLActive" 13,
        "BWMgmt" 14, "ABWMgmt" 15,
    },
};

/// The slot of a port.
pub const SLOT: &[Register] = registers! {
    "SltCap" 0x14 4 fields! {
        "AttnBtn" 0, "PwrCtrl" 1, "MRL" 2, "AttnInd" 3, "PwrInd" 4, "Surprise" 5, "HotPlug" 6,
        "PowerLimit" 7-14, "PowerScale" 15-16, "Interlock" 17, "NoCompl" 18, "Slot" 19-31,
    },
    "SltCtl" 0x18 2 fields! {
        "AttnBtn" 0, "PwrFlt" 1, "MRL" 2, "PresDet" 3, "CmdCplt" 4, "HPIrq" 5,
        "AttnInd" 6-7 = LED, "PwrInd" 8-9 = LED, "Power" 10, "Interlock" 11, "LinkChg" 12,
    },
    "SltSta" 0x1a 2 fields! {
        "AttnBtn" 0, "PowerFlt" 1, "MRLChanged" 2, "PresDetChanged" 3, "CmdCplt" 4, "MRL" 5,
        "PresDet" 6, "Interlock" 7, "LinkState" 8,
    },
};

/// What a root port and an event collector have.
pub const ROOT: &[Register] = registers! {
    "RootCtl" 0x1c 2 fields! {
        "ErrCorrectable" 0, "ErrNon-Fatal" 1, "ErrFatal" 2, "PMEIntEna" 3, "CRSVisible" 4,
    },
    "RootCap" 0x1e 2 fields! { "CRSVisible" 0 },
    "RootSta" 0x20 4 fields! {
        "PMEReqID" 0-15 = Words::Function, "PMEStatus" 16, "PMEPending" 17,
    },
};

/// The second version of a PCI Express function.
pub const DEVICE2: &[Register] = registers! {
    "DevCap2" 0x24 4 fields! {
        "Ranges" 0-3, "TimeoutDis" 4, "ARIFwd" 5, "Routing" 6, "32bit" 7, "64bit" 8,
        "128bitCAS" 9, "NROPrPrP" 10, "LTR" 11, "TPHComp" 12, "ExtTPHComp" 13, "LNSystemCLS" 14-15,
        "10BitTagComp" 16, "10BitTagReq" 17, "OBFF" 18-19, "ExtFmt" 20, "EETLPPrefix" 21,
        "MaxEETLPPrefixes" 22-23, "EmergencyPowerReduction" 24-25,
        "EmergencyPowerReductionInit" 26, "FRS" 31,
    },
    "DevCtl2" 0x28 2 fields! {
        "Timeout" 0-3 = TIMEOUTS, "TimeoutDis" 4, "ARIFwd" 5, "ReqEn" 6, "EgressBlck" 7,
        "IDOReq" 8, "IDOCompl" 9, "LTR" 10, "EmergencyPowerReductionReq" 11, "10BitTagReq" 12,
        "OBFF" 13-14, "EETLPPrefixBlk" 15,
    },
};

/// The link of the second version.
pub const LINK2: &[Register] = registers! {
    "LnkCap2" 0x2c 4 fields! {
        "Speeds" 1-7, "Crosslink" 8, "Retimer" 23, "2Retimers" 24, "DRS" 31,
    },
    "LnkCtl2" 0x30 2 fields! {
        "TargetSpeed" 0-3 = SPEED, "EnterCompliance" 4, "SpeedDis" 5, "Deemphasis" 6,
        "TransmitMargin" 7-9, "EnterModifiedCompliance" 10, "ComplianceSOS" 11,
        "CompliancePreset" 12-15,
    },
    "LnkSta2" 0x32 2 fields! {
        "Deemphasis" 0 = Words::List(&[(0, "-6dB"), (1, "-3.5dB")]), "EqualizationComplete" 1,
        "EqualizationPhase1" 2, "EqualizationPhase2" 3, "EqualizationPhase3" 4,
        "LinkEqualizationRequest" 5, "Retimer" 6, "2Retimers" 7, "CrosslinkRes" 8-9, "Flit" 10,
        "DownstreamComp" 12-14, "DRS" 15,
    },
};

const PAYLOAD: Words = Words::Payload;

/// The capabilities in the first 256 bytes.
pub const CAPABILITIES: &[Capability] = capabilities! {
    0x01 "PM" "Power Management" registers! {
        "Flags" 2 2 fields! {
            "Version" 0-2, "PMEClk" 3, "ImmediateReady" 4, "DSI" 5, "AuxCurrent" 6-8, "D1" 9,
            "D2" 10, "PME.D0" 11, "PME.D1" 12, "PME.D2" 13, "PME.D3hot" 14, "PME.D3cold" 15,
        },
        "Status" 4 2 fields! {
            "State" 0-1 = Words::List(&[(0, "D0"), (1, "D1"), (2, "D2"), (3, "D3")]),
            "NoSoftRst" 3, "PME-Enable" 8, "DSel" 9-12, "DScale" 13-14, "PME" 15,
        },
        "Bridge" 6 1 fields! { "B2" 6, "PM" 7 },
    },
    0x02 "AGP" "AGP" NO_REGISTERS,
    0x03 "VPD" "Vital Product Data" registers! {
        "Address" 2 2 fields! { "Address" 0-14, "Done" 15 },
        "Data" 4 4 NO_FIELDS,
    },
    0x04 "SlotID" "Slot ID" registers! {
        "Expansion" 2 1 fields! { "Slots" 0-4, "First" 5 }, "Chassis" 3 1 NO_FIELDS,
    },
    0x05 "MSI" "MSI" registers! {
        "MSI" 2 2 fields! {
            "Enable" 0, "Asked" 1-3 = Words::Power, "Given" 4-6 = Words::Power, "64bit" 7,
            "Maskable" 8,
        },
    },
    0x06 "CompactPCI-hotswap" "CompactPCI hot-swap" NO_REGISTERS,
    0x07 "PCI-X" "PCI-X" NO_REGISTERS,
    0x08 "HyperTransport" "HyperTransport" NO_REGISTERS,
    0x09 "Vendor" "Vendor Specific Information" registers! { "Len" 2 1 NO_FIELDS },
    0x0a "Debug" "Debug port" registers! { "Port" 2 2 fields! { "Offset" 0-12, "BAR" 13-15 } },
    0x0b "CompactPCI" "CompactPCI central resource control" NO_REGISTERS,
    0x0c "HotPlug" "Hot-plug capable" NO_REGISTERS,
    0x0d "Subsystem" "Subsystem" registers! {
        "SubVendor" 4 2 NO_FIELDS, "SubDevice" 6 2 NO_FIELDS,
    },
    0x0e "AGP3" "AGP3" NO_REGISTERS,
    0x0f "Secure" "Secure device" NO_REGISTERS,
    0x10 "Express" "Express" registers! {
        "Flags" 2 2 fields! {
            "Version" 0-3, "Type" 4-7 = Words::List(PORT_TYPES), "Slot" 8, "MSI" 9-13,
        },
        "DevCap" 4 4 fields! {
            "MaxPayload" 0-2 = PAYLOAD, "PhantFunc" 3-4, "ExtTag" 5, "L0sLatency" 6-8,
            "L1Latency" 9-11, "AttnBtn" 12, "AttnInd" 13, "PwrInd" 14, "RBE" 15,
            "SlotPowerLimit" 18-25, "SlotPowerScale" 26-27, "FLReset" 28,
        },
        "DevCtl" 8 2 fields! {
            "CorrErr" 0, "NonFatalErr" 1, "FatalErr" 2, "UnsupReq" 3, "RlxdOrd" 4,
            "MaxPayload" 5-7 = PAYLOAD, "ExtTag" 8, "PhantFunc" 9, "AuxPwr" 10, "NoSnoop" 11,
            "MaxReadReq" 12-14 = PAYLOAD, "FLReset" 15,
        },
        "DevSta" 0x0a 2 fields! {
            "CorrErr" 0, "NonFatalErr" 1, "FatalErr" 2, "UnsupReq" 3, "AuxPwr" 4, "TransPend" 5,
        },
    },
    0x11 "MSI-X" "MSI-X" registers! {
        "MSI-X" 2 2 fields! { "Count" 0-10 = Words::LessOne, "Masked" 14, "Enable" 15 },
        "Vector table" 4 4 fields! { "BAR" 0-2, "Offset" 3-31 },
        "PBA" 8 4 fields! { "BAR" 0-2, "Offset" 3-31 },
    },
    0x12 "SATA" "SATA HBA" registers! {
        "Version" 2 2 fields! { "Minor" 0-3, "Major" 4-7 },
        "BAR" 4 4 fields! { "BAR" 0-3, "Offset" 4-23 },
    },
    0x13 "AF" "PCI Advanced Features" registers! {
        "AFCap" 3 1 fields! { "TP" 0, "FLR" 1 },
        "AFCtrl" 4 1 fields! { "FLR" 0 },
        "AFStatus" 5 1 fields! { "TP" 0 },
    },
    0x14 "EA" "Enhanced Allocation" registers! { "NumEntries" 2 1 fields! { "NumEntries" 0-5 } },
};

/// The bits of uncorrectable errors.
pub const UNCORRECTABLE: &[Field] = fields! {
    "DLP" 4, "SDES" 5, "TLP" 12, "FCP" 13, "CmpltTO" 14, "CmpltAbrt" 15, "UnxCmplt" 16,
    "RxOF" 17, "MalfTLP" 18, "ECRC" 19, "UnsupReq" 20, "ACSViol" 21, "UncorrIntErr" 22,
    "BlockedTLP" 23, "AtomicOpBlocked" 24, "TLPBlockedErr" 25, "PoisonTLPBlocked" 26,
    "DMWrReqBlocked" 27, "IDECheck" 28, "MisIDETLP" 29, "PCRC_CHECK" 30, "TLPXlatBlocked" 31,
};
/// The bits of correctable errors.
pub const CORRECTABLE: &[Field] = fields! {
    "RxErr" 0, "BadTLP" 6, "BadDLLP" 7, "Rollover" 8, "Timeout" 12, "AdvNonFatalErr" 13,
    "CorrIntErr" 14, "HeaderOF" 15,
};

/// What the AER of a root port and an event collector has besides.
pub const AER_ROOT: &[Register] = registers! {
    "RootCmd" 0x2c 4 fields! { "CERptEn" 0, "NFERptEn" 1, "FERptEn" 2 },
    "RootSta" 0x30 4 fields! {
        "CERcvd" 0, "MultCERcvd" 1, "UERcvd" 2, "MultUERcvd" 3, "FirstFatal" 4,
        "NonFatalMsg" 5, "FatalMsg" 6, "IntMsgNum" 27-31,
    },
    "ErrorSrc" 0x34 4 fields! {
        "ERR_COR" 0-15 = Words::Function, "ERR_FATAL/NONFATAL" 16-31 = Words::Function,
    },
};

/// The prefixes of a TLP.
pub const PREFIXES: &[Register] = registers! {
    "TLPPrefix0" 0x38 4 NO_FIELDS, "TLPPrefix1" 0x3c 4 NO_FIELDS,
    "TLPPrefix2" 0x40 4 NO_FIELDS, "TLPPrefix3" 0x44 4 NO_FIELDS,
};

const PIO: &[Field] = fields! {
    "CfgUR" 0, "CfgCA" 1, "CfgCTO" 2, "IOUR" 8, "IOCA" 9, "IOCTO" 10, "MemUR" 16, "MemCA" 17,
    "MemCTO" 18,
};

/// What the DPC of a root port has besides.
pub const DPC_ROOT: &[Register] = registers! {
    "PIOSta" 0x0c 4 PIO, "PIOMsk" 0x10 4 PIO, "PIOSvrt" 0x14 4 PIO, "PIOSysErr" 0x18 4 PIO,
    "PIOExc" 0x1c 4 PIO,
};

const ACS: &[Field] = fields! {
    "SrcValid" 0, "TransBlk" 1, "ReqRedir" 2, "CmpltRedir" 3, "UpstreamFwd" 4, "EgressCtrl" 5,
    "DirectTrans" 6,
};
const L1SUB: &[Field] = fields! { "PCI-PM_L1.2" 0, "PCI-PM_L1.1" 1, "ASPM_L1.2" 2, "ASPM_L1.1" 3 };
const LATENCY: &[Field] = fields! { "Value" 0-9, "Scale" 10-12, "Required" 15 };

/// The DVSEC of a CXL device (CXL 2.0, 8.1.3).
pub const CXL: &[Register] = registers! {
    "CXLCap" 0x0a 2 fields! {
        "Cache" 0, "IO" 1, "Mem" 2, "Mem HW Init" 3, "HDMCount" 4-5, "Viral" 14,
    },
    "CXLCtl" 0x0c 2 fields! {
        "Cache" 0, "IO" 1, "Mem" 2, "Cache SF Cov" 3-7, "Cache SF Gran" 8-10, "Cache Clean" 11,
        "Viral" 14,
    },
    "CXLSta" 0x0e 2 fields! { "Viral" 14 },
    "CXLCtl2" 0x10 2 NO_FIELDS,
    "CXLSta2" 0x12 2 fields! { "CacheInvalid" 0, "ResetComplete" 1, "ResetError" 2, "PMComplete" 15 },
    "Range1SizeHigh" 0x18 4 NO_FIELDS,
    "Range1SizeLow" 0x1c 4 fields! { "Valid" 0, "Active" 1, "Type" 2-4, "Class" 5-7 },
    "Range1BaseHigh" 0x20 4 NO_FIELDS,
    "Range1BaseLow" 0x24 4 NO_FIELDS,
    "Range2SizeHigh" 0x28 4 NO_FIELDS,
    "Range2SizeLow" 0x2c 4 fields! { "Valid" 0, "Active" 1, "Type" 2-4, "Class" 5-7 },
    "Range2BaseHigh" 0x30 4 NO_FIELDS,
    "Range2BaseLow" 0x34 4 NO_FIELDS,
};

/// The capabilities from 0x100 on.
pub const EXTENDED: &[Capability] = capabilities! {
    0x01 "AER" "Advanced Error Reporting" registers! {
        "UESta" 4 4 UNCORRECTABLE, "UEMsk" 8 4 UNCORRECTABLE, "UESvrt" 0x0c 4 UNCORRECTABLE,
        "CESta" 0x10 4 CORRECTABLE, "CEMsk" 0x14 4 CORRECTABLE,
        "AERCap" 0x18 4 fields! {
            "First" 0-4, "ECRCGenCap" 5, "ECRCGenEn" 6, "ECRCChkCap" 7, "ECRCChkEn" 8,
            "MultHdrRecCap" 9, "MultHdrRecEn" 10, "TLPPfxPres" 11, "HdrLogCap" 12,
            "FlitModeLog" 18,
        },
    },
    0x02 "VC" "Virtual Channel" registers! {
        "Caps" 4 4 fields! { "EVC" 0-2, "LPEVC" 4-6, "RefClk" 8-9, "PATEntryBits" 10-11 },
        "Ctrl" 0x0c 2 fields! { "ArbSelect" 1-3 },
        "Status" 0x0e 2 fields! { "InProgress" 0 },
    },
    0x03 "DSN" "Device Serial Number" registers! { "Number" 4 8 NO_FIELDS },
    0x04 "PB" "Power Budgeting" NO_REGISTERS,
    0x05 "RCLD" "Root Complex Link" NO_REGISTERS,
    0x06 "RCILC" "Root Complex Internal Link" NO_REGISTERS,
    0x07 "RCEC" "Root Complex Event Collector Endpoint Association" registers! {
        "RCiEPBitmap" 4 4 NO_FIELDS,
    },
    0x08 "MFVC" "Multi-Function Virtual Channel" NO_REGISTERS,
    0x09 "VC9" "Virtual Channel" NO_REGISTERS,
    0x0a "RCRB" "Root Complex Register Block" NO_REGISTERS,
    0x0b "VSEC" "Vendor Specific Information" registers! {
        "Header" 4 4 fields! { "ID" 0-15, "Rev" 16-19, "Len" 20-31 },
    },
    0x0c "CAC" "Configuration Access Correlation" NO_REGISTERS,
    0x0d "ACS" "Access Control Services" registers! { "ACSCap" 4 2 ACS, "ACSCtl" 6 2 ACS },
    0x0e "ARI" "Alternative Routing-ID Interpretation (ARI)" registers! {
        "ARICap" 4 2 fields! { "MFVC" 0, "ACS" 1, "NextFunction" 8-15 },
        "ARICtl" 6 2 fields! { "MFVC" 0, "ACS" 1, "FunctionGroup" 4-6 },
    },
    0x0f "ATS" "Address Translation Service (ATS)" registers! {
        "ATSCap" 4 2 fields! { "InvalidateQueueDepth" 0-4, "PageAligned" 5 },
        "ATSCtl" 6 2 fields! { "SmallestTranslationUnit" 0-4, "Enable" 15 },
    },
    0x10 "SR-IOV" "Single Root I/O Virtualization (SR-IOV)" registers! {
        "IOVCap" 4 4 fields! { "Migration" 0, "10BitTagReq" 2, "InterruptMessage" 21-31 },
        "IOVCtl" 8 2 fields! {
            "Enable" 0, "Migration" 1, "Interrupt" 2, "MSE" 3, "ARIHierarchy" 4, "10BitTagReq" 5,
        },
        "IOVSta" 0x0a 2 fields! { "Migration" 0 },
        "InitialVFs" 0x0c 2 NO_FIELDS, "TotalVFs" 0x0e 2 NO_FIELDS, "NumVFs" 0x10 2 NO_FIELDS,
        "DependencyLink" 0x12 1 NO_FIELDS, "VFOffset" 0x14 2 NO_FIELDS, "VFStride" 0x16 2 NO_FIELDS,
        "VFDevice" 0x1a 2 NO_FIELDS, "PageSizes" 0x1c 4 NO_FIELDS, "PageSize" 0x20 4 NO_FIELDS,
        "VFBAR0" 0x24 4 BAR, "VFBAR1" 0x28 4 BAR, "VFBAR2" 0x2c 4 BAR, "VFBAR3" 0x30 4 BAR,
        "VFBAR4" 0x34 4 BAR, "VFBAR5" 0x38 4 BAR,
        "MigrationState" 0x3c 4 fields! { "BAR" 0-2, "Offset" 3-31 },
    },
    0x11 "MR-IOV" "Multi-Root I/O Virtualization" NO_REGISTERS,
    0x12 "MCAST" "Multicast" NO_REGISTERS,
    0x13 "PRI" "Page Request Interface (PRI)" registers! {
        "PRICtl" 4 2 fields! { "Enable" 0, "Reset" 1 },
        "PRISta" 6 2 fields! { "RF" 0, "UPRGI" 1, "Stopped" 8, "PASID" 15 },
        "Capacity" 8 4 NO_FIELDS,
        "Allocation" 0x0c 4 NO_FIELDS,
    },
    0x15 "REBAR" "Physical Resizable BAR" NO_REGISTERS,
    0x16 "DPA" "Dynamic Power Allocation" NO_REGISTERS,
    0x17 "TPH" "Transaction Processing Hints" NO_REGISTERS,
    0x18 "LTR" "Latency Tolerance Reporting" registers! {
        "Max snoop latency" 4 2 LATENCY, "Max no snoop latency" 6 2 LATENCY,
    },
    0x19 "SecPCIe" "Secondary PCI Express" registers! {
        "LnkCtl3" 4 4 fields! { "PerformEqu" 0, "LnkEquIntrruptEn" 1 },
        "LaneErrStat" 8 4 NO_FIELDS,
    },
    0x1a "PMUX" "Protocol Multiplexing" NO_REGISTERS,
    0x1b "PASID" "Process Address Space ID (PASID)" registers! {
        "PASIDCap" 4 2 fields! { "Exec" 1, "Priv" 2, "MaxWidth" 8-12 },
        "PASIDCtl" 6 2 fields! { "Enable" 0, "Exec" 1, "Priv" 2 },
    },
    0x1c "LNR" "LN Requester" NO_REGISTERS,
    0x1d "DPC" "Downstream Port Containment" registers! {
        "DpcCap" 4 2 fields! {
            "INTMsg" 0-4, "RPExt" 5, "PoisonedTLP" 6, "SwTrigger" 7, "PIOLog" 8-11,
            "DL_ActiveErr" 12,
        },
        "DpcCtl" 6 2 fields! {
            "TriggerEnable" 0-1 = Words::List(
                &[(0, "off"), (1, "on fatal errors"), (2, "on fatal and non-fatal errors")]
            ),
            "Cmpl" 2, "INT" 3, "ErrCor" 4, "PoisonedTLP" 5, "SwTrigger" 6, "DL_ActiveErr" 7,
        },
        "DpcSta" 8 2 fields! {
            "Trigger" 0,
            "Reason" 1-2 = Words::List(&[
                (0, "uncorrectable error of the port"),
                (1, "non-fatal message from below"),
                (2, "fatal message from below"),
                (3, "see TriggerExt"),
            ]),
            "INT" 3, "RPBusy" 4,
            "TriggerExt" 5-6 = Words::List(&[(0, "error of a request of the port"), (1, "software")]),
            "PIOFirst" 8-12,
        },
        "Source" 0x0a 2 fields! { "Function" 0-15 = Words::Function },
    },
    0x1e "L1SS" "L1 PM Substates" registers! {
        "L1SubCap" 4 4 fields! {
            "PCI-PM_L1.2" 0, "PCI-PM_L1.1" 1, "ASPM_L1.2" 2, "ASPM_L1.1" 3, "L1_PM_Substates" 4,
            "CommonModeRestoreTime" 8-15, "PowerOnScale" 16-17, "PowerOnValue" 19-23,
        },
        "L1SubCtl1" 8 4 L1SUB,
        "L1SubCtl2" 0x0c 4 fields! { "PowerOnScale" 0-1, "PowerOnValue" 3-7 },
    },
    0x1f "PTM" "Precision Time Measurement" registers! {
        "PTMCap" 4 4 fields! { "Requester" 0, "Responder" 1, "Root" 2, "Granularity" 8-15 },
        "PTMControl" 8 4 fields! { "Enabled" 0, "RootSelected" 1, "Granularity" 8-15 },
    },
    0x20 "MPCIe" "PCI Express over M_PHY" NO_REGISTERS,
    0x21 "FRS" "FRS Queueing" NO_REGISTERS,
    0x22 "RTR" "Readiness Time Reporting" NO_REGISTERS,
    0x23 "DVSEC" "Designated Vendor-Specific" registers! {
        "Header1" 4 4 fields! { "Vendor" 0-15, "Rev" 16-19, "Len" 20-31 },
        "Header2" 8 2 fields! { "ID" 0-15 },
    },
    0x24 "VFREBAR" "Virtual Resizable BAR" NO_REGISTERS,
    0x25 "DLF" "Data Link Feature" registers! {
        "DLFCap" 4 4 fields! { "ScaledFlowControl" 0, "Exchange" 31 },
        "DLFSta" 8 4 fields! { "ScaledFlowControl" 0, "Valid" 31 },
    },
    0x26 "PL16" "Physical Layer 16.0 GT/s" registers! {
        "PL16Sta" 0x0c 4 fields! {
            "EquComplete" 0, "EquPhase1" 1, "EquPhase2" 2, "EquPhase3" 3, "LinkEquRequest" 4,
        },
        "LocalParity" 0x10 4 NO_FIELDS,
        "FirstRetimerParity" 0x14 4 NO_FIELDS,
        "SecondRetimerParity" 0x18 4 NO_FIELDS,
    },
    0x27 "Margining" "Lane Margining at the Receiver" NO_REGISTERS,
    0x28 "HIERARCHY" "Hierarchy ID" NO_REGISTERS,
    0x29 "NPEM" "Native PCIe Enclosure Management" registers! {
        "NPEMCap" 4 4 NO_FIELDS, "NPEMCtl" 8 4 NO_FIELDS, "NPEMSta" 0x0c 4 fields! { "CC" 0 },
    },
    0x2a "PL32" "Physical Layer 32.0 GT/s" registers! {
        "PL32Sta" 0x0c 4 fields! {
            "EquComplete" 0, "EquPhase1" 1, "EquPhase2" 2, "EquPhase3" 3, "LinkEquRequest" 4,
        },
    },
    0x2b "AP" "Alternate Protocol" NO_REGISTERS,
    0x2c "SFI" "System Firmware Intermediary" NO_REGISTERS,
    0x2d "SHADOW" "Shadow Functions" NO_REGISTERS,
    0x2e "DOE" "Data Object Exchange" registers! {
        "DOECap" 4 4 fields! { "IntSup" 0, "IntMsgNum" 1-11 },
        "DOECtl" 8 4 fields! { "Abort" 0, "IntEn" 1, "Go" 31 },
        "DOESta" 0x0c 4 fields! { "Busy" 0, "IntSta" 1, "Error" 2, "ObjectReady" 31 },
    },
    0x2f "DEV3" "Device 3" NO_REGISTERS,
    0x30 "IDE" "Integrity and Data Encryption" NO_REGISTERS,
    0x31 "PL64" "Physical Layer 64.0 GT/s" NO_REGISTERS,
};

/// What a class, or else a base class, is called: base class and subclass, 16 bits.
pub const CLASSES: &[(u64, &str)] = &[
    (0x0100, "SCSI storage controller"),
    (0x0101, "IDE interface"),
    (0x0104, "RAID bus controller"),
    (0x0106, "SATA controller"),
    (0x0107, "Serial Attached SCSI controller"),
    (0x0108, "Non-Volatile memory controller"),
    (0x0200, "Ethernet controller"),
    (0x0207, "Infiniband controller"),
    (0x0300, "VGA compatible controller"),
    (0x0302, "3D controller"),
    (0x0403, "Audio device"),
    (0x0500, "RAM memory"),
    (0x0502, "CXL memory"),
    (0x0600, "Host bridge"),
    (0x0601, "ISA bridge"),
    (0x0604, "PCI bridge"),
    (0x0806, "IOMMU"),
    (0x0807, "Root Complex Event Collector"),
    (0x0c03, "USB controller"),
    (0x0c05, "SMBus"),
];

/// What a base class is called.
pub const BASE_CLASSES: &[(u64, &str)] = &[
    (0x00, "Unclassified device"),
    (0x01, "Mass storage controller"),
    (0x02, "Network controller"),
    (0x03, "Display controller"),
    (0x04, "Multimedia controller"),
    (0x05, "Memory controller"),
    (0x06, "Bridge"),
    (0x07, "Communication controller"),
    (0x08, "System peripheral"),
    (0x09, "Input device controller"),
    (0x0a, "Docking station"),
    (0x0b, "Processor"),
    (0x0c, "Serial bus controller"),
    (0x0d, "Wireless controller"),
    (0x0e, "Intelligent controller"),
    (0x0f, "Satellite communications controller"),
    (0x10, "Encryption controller"),
    (0x11, "Signal processing controller"),
    (0x12, "Processing accelerators"),
    (0x13, "Non-Essential Instrumentation"),
];
