// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is abnormal in configuration space.

use std::collections::BTreeSet;

use super::names::{find, function_name, number};
use super::space::Function;
use super::tables::SPEEDS;
use super::tlp;
use crate::fields::known_word;
use crate::model::{Decoded, Finding, Node, Severity};

use Severity::{Error, Fatal, Info, Warning};

/// A bit that is abnormal where it is set.
struct Bit {
    path: &'static [&'static str],
    severity: Severity,
    text: &'static str,
    advice: &'static str,
    section: &'static str,
}

/// Bits, as `path severity text advice section`.
macro_rules! bits {
    ($([$($path:literal)+] $severity:ident $text:literal $advice:literal $section:literal;)+) => {
        &[$(Bit {
            path: &[$($path),+],
            severity: $severity,
            text: $text,
            advice: $advice,
            section: $section,
        }),+]
    };
}

const BITS: &[Bit] = bits! {
    ["Header" "Status" ">SERR"] Warning "the function sent a system error"
        "It sent an error message to the root complex. Its AER status says which, if it has AER." "7.5.1.1.4";
    ["Header" "Status" "<PERR"] Warning "a poisoned TLP or a parity error arrived"
        "Data was marked as damaged on its way: often memory with an uncorrectable error, or the device at the other end. Look at the machine checks." "7.5.1.1.4";
    ["Header" "Status" "ParErr"] Warning "data parity error on a transfer of this function"
        "A completion for it, or a write of it, carried poisoned data. Look at the machine checks and at the memory." "7.5.1.1.4";
    ["Header" "Status" "<TAbort"] Info "a request of this function was aborted by its target"
        "The target answered with Completer Abort. An IOMMU that refuses the address does this: look at its fault records." "7.5.1.1.4";
    ["Header" "Secondary status" "<SERR"] Warning "an error message came from a device below this bridge"
        "Look at the AER status of the functions on its buses, and at the source in the root port." "7.5.1.3.7";
    ["Header" "Secondary status" "<PERR"] Warning "poisoned data came from below this bridge"
        "Look at the AER status of the functions on its buses." "7.5.1.3.7";
    ["Header" "BridgeCtl" ">Reset"] Info "the secondary bus is held in reset"
        "No function below answers until the reset ends." "7.5.1.3.13";
    ["Express" "DevSta" "FatalErr"] Fatal "the function detected a fatal error"
        "The link or the function has lost state; a reset of it is needed. The AER status names the error, the header log the request." "7.5.3.5";
    ["Express" "DevSta" "NonFatalErr"] Error "the function detected a non-fatal error"
        "A transaction failed, the link works. The AER status names the error, the header log the request." "7.5.3.5";
    ["Express" "DevSta" "CorrErr"] Info "the function detected a correctable error"
        "The hardware repaired it. Many of them mean a marginal link: cable, riser, connector, or link power management." "7.5.3.5";
    ["Express" "DevSta" "TransPend"] Info "requests of the function were not answered yet"
        "Usual if its driver was at work. If nothing else of the device moves, look for a completion timeout at the root port." "7.5.3.5";
    ["Express" "LnkCtl" "Disabled"] Info "software has disabled the link"
        "Nothing below answers until the link is enabled." "7.5.3.7";
    ["Express" "LnkSta2" "LinkEqualizationRequest"] Info "the link asks to be equalised again"
        "The signal is marginal at this speed: look at card, riser and cables." "7.5.3.20";
    ["DPC" "DpcSta" "RPBusy"] Info "the root port is still busy with what it contained"
        "DPC cannot be released before it is done." "7.9.15.4";
    ["PRI" "PRISta" "RF"] Error "the IOMMU refused a page request of the function"
        "The driver of the IOMMU answered a page request with a failure: look at its fault records." "10.5.2.3";
    ["PRI" "PRISta" "UPRGI"] Error "an answer came for a page request that the function has not made"
        "The IOMMU's driver and the device disagree about the page requests." "10.5.2.3";
    ["DOE" "DOESta" "Error"] Warning "a data object exchange failed"
        "Software must abort it before the mailbox works again." "6.30";
    ["DVSEC" "CXLSta" "Viral"] Fatal "the CXL device is viral: it gives no more data, since an error was not contained"
        "Only a reset ends this. Look at its RAS registers and at the machine checks." "CXL 2.0, 8.1.3.3";
    ["DVSEC" "CXLSta2" "ResetError"] Error "the reset of the CXL device failed"
        "It needs a reset of its whole link or power." "CXL 2.0, 8.1.3.6";
};

/// The name in words and the advice for a bit of the AER status.
const UNCORRECTABLE: &[(&str, &str, &str)] = &[
    (
        "DLP",
        "data link protocol error",
        "The two ends of the link disagree about sequence numbers: broken hardware or a broken link.",
    ),
    (
        "SDES",
        "surprise down",
        "The link was lost without warning: somebody pulled the card, it lost power, or its firmware crashed.",
    ),
    (
        "TLP",
        "poisoned TLP received",
        "Data was marked as damaged where it came from: look at the machine checks and at the sender.",
    ),
    (
        "FCP",
        "flow control protocol error",
        "The credits of the link are wrong: broken hardware or firmware at one of its ends.",
    ),
    (
        "CmpltTO",
        "completion timeout",
        "A request of this function got no answer: the target hangs, lost power or its link is down.",
    ),
    (
        "CmpltAbrt",
        "completer abort",
        "The function refused a request, which breaks its programming model: a fault of its driver or firmware.",
    ),
    (
        "UnxCmplt",
        "unexpected completion",
        "An answer came for a request that was not made, or too late after a timeout, or by a switch that routes wrongly.",
    ),
    (
        "RxOF",
        "receiver overflow",
        "The sender ignored the credits of the link: broken hardware or firmware.",
    ),
    (
        "MalfTLP",
        "malformed TLP",
        "A packet broke the rules of its form: often MaxPayload is set differently on the path, or hardware is broken.",
    ),
    (
        "ECRC",
        "end-to-end CRC error",
        "A packet was damaged between its sender and this function, most likely in a switch.",
    ),
    (
        "UnsupReq",
        "unsupported request",
        "Often left from the search for devices at boot. If it is the first error, the header log has the address that nobody answered.",
    ),
    (
        "ACSViol",
        "access control violation",
        "A device below sent a request with a wrong requester id or to a forbidden peer.",
    ),
    (
        "UncorrIntErr",
        "uncorrectable internal error",
        "The function found a fault in itself: update its firmware, or replace it.",
    ),
    ("BlockedTLP", "multicast TLP blocked", "The multicast settings forbid the packet."),
    (
        "AtomicOpBlocked",
        "atomic operation blocked",
        "A bridge on the path does not pass on atomic operations.",
    ),
    (
        "TLPBlockedErr",
        "TLP prefix blocked",
        "A bridge on the path does not pass on the prefix of the packet.",
    ),
    (
        "PoisonTLPBlocked",
        "poisoned TLP blocked",
        "The port held back damaged data: look at the machine checks and at the sender.",
    ),
    (
        "DMWrReqBlocked",
        "deferrable write blocked",
        "A bridge on the path does not pass on deferrable writes.",
    ),
    (
        "IDECheck",
        "IDE check failed",
        "An encrypted packet failed its check: it was changed on its way, or the keys differ.",
    ),
    ("MisIDETLP", "misrouted IDE TLP", "An encrypted packet came to a port that it is not for."),
    ("PCRC_CHECK", "PCRC check failed", "An encrypted packet was damaged on its way."),
    (
        "TLPXlatBlocked",
        "translated TLP blocked",
        "The port does not pass on packets with translated addresses.",
    ),
];

const CORRECTABLE: &[(&str, &str, &str)] = &[
    ("RxErr", "receiver error", LINK),
    ("BadTLP", "bad TLP", LINK),
    ("BadDLLP", "bad DLLP", LINK),
    ("Rollover", "a packet was repeated four times", LINK),
    ("Timeout", "no acknowledge in time", LINK),
    (
        "AdvNonFatalErr",
        "advisory non-fatal error",
        "An uncorrectable error that another agent handles; UESta names it.",
    ),
    (
        "CorrIntErr",
        "corrected internal error",
        "The device corrected a fault in itself, such as an ECC error. Watch whether it comes more often.",
    ),
    ("HeaderOF", "more errors than the header log holds", "Some errors have left no header."),
];
const LINK: &str = "Bits are lost on the wire and repeated. Reseat card, cables and riser; try a lower link speed, or pcie_aspm=off.";
const NAMED: &str = "Look at the AER status and the header log of that function.";

/// The section of the PCI Express Base Specification 5.0, or another specification.
fn source(section: &str) -> String {
    match section.split_once(", ") {
        Some(_) => section.to_owned(),
        None => format!("PCI Express 5.0, {section}"),
    }
}

/// A finding that follows from the nodes with these paths.
fn finding(
    nodes: &[Node],
    severity: Severity,
    text: impl Into<String>,
    advice: &str,
    section: &str,
    paths: &[&[&str]],
) -> Finding {
    let values =
        paths.iter().filter_map(|path| Some((path.join("."), number(nodes, path)?))).collect();
    Finding {
        severity,
        text: text.into(),
        advice: Some(advice.to_owned()),
        source: source(section),
        values,
        points_to: None,
    }
}

/// The value at `path`, unless its register has all ones, which is no answer.
fn set(nodes: &[Node], path: &[&str]) -> Option<u64> {
    let (_, register) = path.split_last()?;
    let register = find(nodes, register)?;
    let ones = u64::MAX >> (63 - register.bits?.1);
    let value = number(nodes, path)?;
    (register.unsigned()? != ones && value != 0).then_some(value)
}

/// Whether a function has all ones. Virtual functions have them as their vendor and device
/// only.
pub fn is_dead(nodes: &[Node]) -> bool {
    ["Vendor", "Control", "Status"]
        .iter()
        .all(|register| number(nodes, &["Header", register]) == Some(0xffff))
}

/// Whether AER of the function has the registers of a root port: its type says so, in the
/// first PCI Express capability.
pub fn has_root(function: &Function<'_>) -> bool {
    let mut at = function.read(0x34, 1).unwrap_or(0) & 0xfc;
    for _ in 0..48 {
        let Some(head) = function.read(at as usize, 4).filter(|_| at != 0) else { return false };
        if head & 0xff == 0x10 {
            return matches!(head >> 20 & 15, 4 | 10);
        }
        at = head >> 8 & 0xfc;
    }
    false
}

/// What is abnormal in a function itself.
pub fn of_function(decoded: &mut Decoded, function: &Function<'_>) {
    let nodes = &decoded.nodes;
    let mut found = Vec::new();
    if is_dead(nodes) {
        found.push(finding(
            nodes,
            Fatal,
            "the function does not answer",
            "It was unplugged, lost power, or its link is down. Look at the port above it: link status, surprise down, DPC.",
            "2.3.2",
            &[&["Header", "Vendor"]],
        ));
        decoded.findings = found;
        return;
    }
    for bit in BITS.iter().filter(|bit| set(nodes, bit.path).is_some()) {
        found.push(finding(nodes, bit.severity, bit.text, bit.advice, bit.section, &[bit.path]));
    }
    // Bridges have it from every search for devices below them.
    let is_device = number(nodes, &["Header", "HeaderType", "Layout"]) == Some(0);
    if is_device && set(nodes, &["Header", "Status", "<MAbort"]).is_some() {
        found.push(finding(
            nodes,
            Info,
            "a request of this function was not accepted by anyone",
            "Its DMA went to an address that nobody owns: look at the IOMMU's fault records.",
            "7.5.1.1.4",
            &[&["Header", "Status", "<MAbort"]],
        ));
    }
    aer(nodes, &mut found, function);
    link(nodes, &mut found);
    slot(nodes, &mut found);
    decoded.findings = found;
}

fn aer(nodes: &[Node], found: &mut Vec<Finding>, function: &Function<'_>) {
    let first = number(nodes, &["AER", "AERCap", "First"]);
    let log = find(nodes, &["AER", "HeaderLog"]).and_then(|log| {
        let at = find(nodes, &["AER"])?.address? as usize;
        let word = |index: usize| function.read(at + 0x1c + 4 * index, 4).unwrap_or(0);
        tlp::decode(&log.name, [0, 1, 2, 3].map(word), None).1
    });
    for (name, text, advice) in UNCORRECTABLE {
        let path: &[&str] = &["AER", "UESta", name];
        if set(nodes, path).is_none() {
            continue;
        }
        let is_first = find(nodes, path).and_then(|bit| Some(bit.bits?.0.into())) == first;
        let is = |register| number(nodes, &["AER", register, name]) == Some(1);
        let severity = match (is("UEMsk"), *name == "UnsupReq", is("UESvrt")) {
            (true, ..) => Info,
            (false, true, _) if !is_first => Info,
            (false, true, _) => Warning,
            (false, false, true) => Fatal,
            (false, false, false) => Error,
        };
        let mut text = (*text).to_owned();
        if is("UEMsk") {
            text.push_str(" (masked)");
        }
        if let Some(log) = log.as_ref().filter(|_| is_first) {
            text.push_str(&format!(": {log}"));
        }
        found.push(finding(nodes, severity, text, advice, "7.8.4.2", &[path]));
    }
    for (name, text, advice) in CORRECTABLE {
        let path: &[&str] = &["AER", "CESta", name];
        if set(nodes, path).is_some() {
            let is_masked = number(nodes, &["AER", "CEMsk", name]) == Some(1);
            let severity = if is_masked || *name == "AdvNonFatalErr" { Info } else { Warning };
            found.push(finding(nodes, severity, *text, advice, "7.8.4.5", &[path]));
        }
    }
    // A request of the processor that failed; what is masked is not reported.
    if let Some(status) = set(nodes, &["DPC", "PIOSta"]) {
        let mask = number(nodes, &["DPC", "PIOMsk"]).unwrap_or(0);
        if status & !mask & 0x7_0707 != 0 {
            found.push(finding(
                nodes,
                Error,
                "a request of the processor to a device below failed",
                "PIOHeaderLog has the request.",
                "7.9.15.6",
                &[&["DPC", "PIOSta"]],
            ));
        }
    }
    if let Some(lanes) = set(nodes, &["SecPCIe", "LaneErrStat"]) {
        let lanes: Vec<String> =
            (0..32).filter(|lane| lanes >> lane & 1 == 1).map(|lane| lane.to_string()).collect();
        let text = format!("errors on the lanes {}", lanes.join(", "));
        found.push(finding(nodes, Warning, text, LINK, "7.7.3.3", &[&["SecPCIe", "LaneErrStat"]]));
    }
}

fn link(nodes: &[Node], found: &mut Vec<Finding>) {
    let get = |register: &str, field: &str| number(nodes, &["Express", register, field]);
    // A port often has more lanes than its card: it is judged at the lower end only.
    let is_lower = matches!(get("Flags", "Type"), Some(0 | 1 | 5));
    let mut lower = |field: &str, severity, text: &dyn Fn(u64, u64) -> String, advice: &str| {
        let paths: [&[&str]; 2] = [&["Express", "LnkSta", field], &["Express", "LnkCap", field]];
        let now = set(nodes, &["Express", "LnkSta", field]);
        let (Some(now), Some(most)) = (now, get("LnkCap", field)) else { return };
        if is_lower && now < most {
            found.push(finding(nodes, severity, text(now, most), advice, "7.5.3.8", &paths));
        }
    };
    lower(
        "Width",
        Warning,
        &|now, most| format!("the link has {now} lanes, the device could use {most}"),
        "Either the slot has fewer lanes, which is no fault, or lanes failed: reseat the card, look at contacts, risers and cables.",
    );
    let speed = |value| known_word(SPEEDS, value).unwrap_or("an unknown speed");
    lower(
        "Speed",
        Info,
        &|now, most| format!("the link has {}, the device could have {}", speed(now), speed(most)),
        "The port above may be slower, or power saving lowered it. If neither is so, the link fell back after errors.",
    );
    let is_down = get("LnkCap", "LLActRep") == Some(1)
        && get("LnkSta", "DLActive") == Some(0)
        && get("LnkCtl", "Disabled") == Some(0);
    if is_down && set(nodes, &["Express", "SltSta", "PresDet"]).is_some() {
        found.push(finding(
            nodes,
            Warning,
            "the port's link is down though its slot holds a card",
            "The card does not train its link: it has no power, is broken, or DPC holds the link down.",
            "7.5.3.8",
            &[&["Express", "LnkSta"], &["Express", "SltSta"]],
        ));
    }
}

fn slot(nodes: &[Node], found: &mut Vec<Finding>) {
    let is = |register: &str, field: &str| set(nodes, &["Express", register, field]).is_some();
    let has_controller = number(nodes, &["Express", "SltCap", "PwrCtrl"]) == Some(1);
    let mut add = |is: bool, severity, text: &str, advice: &str| {
        if is {
            let paths: &[&[&str]] = &[&["Express", "SltSta"]];
            found.push(finding(nodes, severity, text, advice, "7.5.3.11", paths));
        }
    };
    add(
        is("SltSta", "PowerFlt") && has_controller,
        Fatal,
        "power fault at the slot",
        "The slot's power controller switched the card off or saw an overload: look at the card and at the power supply.",
    );
    // Where nobody listens, both are left from the start of the machine.
    let is_watched = is("SltCtl", "HPIrq");
    add(
        is("SltSta", "PresDetChanged") && is_watched,
        Warning,
        "the card in the slot came or went",
        "Somebody pulled or plugged the card, or its contact is loose.",
    );
    add(
        is("SltSta", "LinkState") && is_watched,
        Warning,
        "the link of the slot went up or down",
        "Nobody has taken notice of the change: the link was lost shortly before the crash.",
    );
    add(
        is("SltCtl", "Power") && has_controller,
        Info,
        "the slot is switched off",
        "The function below has no power.",
    );
}

/// What a function says of others, of which the names `known` are in the dump: who sent the
/// messages that a root port has received, and the one on which a port has cut off its link.
pub fn of_others(decoded: &mut Decoded, function: &Function<'_>, known: &BTreeSet<String>) {
    let nodes = &decoded.nodes;
    let mut found = Vec::new();
    let mut add = |severity, what: &str, advice: &str, section, path: &[&str], id: Option<u64>| {
        let name = id.map(|id| function_name(function.about.domain, id));
        let mut text = what.to_owned();
        if let Some(name) = &name {
            text.push_str(&format!(" from {name}"));
            if !known.contains(name) {
                text.push_str(", which is not in the dump");
            }
        }
        let mut finding = finding(nodes, severity, text, advice, section, &[path]);
        finding.points_to = name.filter(|name| Some(name) != decoded.slot.as_ref());
        found.push(finding);
    };
    let is = |field: &str| set(nodes, &["AER", "RootSta", field]).is_some();
    let sender = |field: &str| number(nodes, &["AER", "ErrorSrc", field]);
    let uncorrectable = sender("ERR_FATAL/NONFATAL");
    // The source is that of the first uncorrectable message of either kind.
    let first_is_fatal = is("FirstFatal");
    let path = ["AER", "RootSta", "FatalMsg"];
    if is("FatalMsg") {
        let id = uncorrectable.filter(|_| first_is_fatal || !is("NonFatalMsg"));
        add(Fatal, "the root port received a fatal error message", NAMED, "7.8.4.10", &path, id);
    }
    let path = ["AER", "RootSta", "NonFatalMsg"];
    if is("NonFatalMsg") {
        let id = uncorrectable.filter(|_| !first_is_fatal);
        let text = "the root port received a non-fatal error message";
        add(Error, text, NAMED, "7.8.4.10", &path, id);
    }
    let path = ["AER", "RootSta", "CERcvd"];
    if is("CERcvd") {
        let text = "the root port received a correctable error message";
        add(Warning, text, NAMED, "7.8.4.10", &path, sender("ERR_COR"));
    }
    if is("MultCERcvd") || is("MultUERcvd") {
        let text = "several error messages came, only the first sender is known";
        let advice = "Look at the AER status of every function below the port.";
        add(Warning, text, advice, "7.8.4.10", &["AER", "RootSta"], None);
    }
    if set(nodes, &["DPC", "DpcSta", "Trigger"]).is_some() {
        // Only a message has a sender.
        let reason = number(nodes, &["DPC", "DpcSta", "Reason"]);
        let id = number(nodes, &["DPC", "Source"]).filter(|_| matches!(reason, Some(1 | 2)));
        let text = match reason {
            Some(1) => "the port cut off everything below on a non-fatal error message",
            Some(2) => "the port cut off everything below on a fatal error message",
            Some(0) => "the port cut off everything below on an uncorrectable error of its own",
            _ => "the port cut off everything below on a failed request or by software",
        };
        let advice = "The link stays down until software releases it: devices below cannot answer.";
        add(Fatal, text, advice, "7.9.15.4", &["DPC", "DpcSta"], id);
    }
    decoded.findings.extend(found);
}
