// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Register dumps, as profiles say.

use plan::dump::{self, Damage, Outcome};
use plan::plan::Kind;
use profile::{By, Decoded as Block, Device, FieldValue, Library, Number};

use crate::model::{Behaviour, Decoded, Finding, Missing, NODES_MAX, Node, Severity, Value};

/// Whether `bytes` start as a register dump does.
#[must_use]
pub fn recognises(bytes: &[u8]) -> bool {
    bytes.starts_with(&dump::MAGIC)
}

/// What the register dump in `bytes` says of each of its devices, by the profiles of
/// `library`.
#[must_use]
pub fn decode(bytes: &[u8], library: &mut Library) -> Vec<Decoded> {
    let mut all = Vec::new();
    let mut room = NODES_MAX;
    match profile::decode(bytes, library) {
        Ok(devices) => {
            for device in devices {
                match device {
                    Ok(device) => all.push(of_device(&device, &mut room)),
                    Err(damage) => all.push(damaged(damage)),
                }
            }
        }
        Err(damage) => all.push(damaged(damage)),
    }
    all
}

pub(crate) fn damaged(damage: Damage) -> Decoded {
    let why = match damage {
        Damage::Magic => "it does not begin as a register dump".to_owned(),
        Damage::Version(version) => format!("it is of version {version}, expected 1"),
        Damage::Cut(at, end) => format!("the record at {at:#x} ends after the dump, at {end:#x}"),
    };
    let missing = vec![Missing { what: "the rest of the dump".to_owned(), why }];
    Decoded { title: "register dump".to_owned(), missing, ..Decoded::default() }
}

/// The slot of a PCI function, as `0000:01:00.0`.
#[must_use]
pub fn slot(device: &dump::Device) -> Option<String> {
    let dump::Device { kind, domain, bus, devfn, .. } = *device;
    (kind == Kind::Pci).then(|| format!("{domain:04x}:{bus:02x}:{:02x}.{}", devfn >> 3, devfn & 7))
}

/// What is missing of a device as a whole.
fn unread(device: &Device<'_>) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut add = |what: &str, why: &str| {
        missing.push(Missing { what: what.to_owned(), why: why.to_owned() });
    };
    match device.end {
        None => add("the rest", "its collector was cut off"),
        Some(end) if end.outcome == Outcome::LeftAlone || device.segments.is_empty() => {
            add("the device", end.reason.words());
        }
        Some(end) if end.outcome == Outcome::Partial => add("the rest", end.reason.words()),
        Some(_) => {}
    }
    if device.has_more {
        add("more registers", "they are more than are decoded");
    }
    missing
}

fn of_device(device: &Device<'_>, room: &mut usize) -> Decoded {
    let profile = profile::text(&device.about.profile);
    let mut missing = unread(device);
    // Of what was not read at all, one line is enough.
    let is_read = device.segments.iter().any(|segment| !segment.bytes.is_empty());
    for unread in device.unread.iter().filter(|_| is_read) {
        let index = unread.index.map(|index| format!("[{index}]")).unwrap_or_default();
        let what = format!("{}{index}", unread.block);
        missing.push(Missing { what, why: unread.why.clone() });
    }
    if is_read && !device.undecided.is_empty() {
        let what = match device.undecided.len() {
            1 => "one rule of its profile".to_owned(),
            count => format!("{count} rules of its profile"),
        };
        missing.push(Missing { what, why: "what is needed for it was not read".to_owned() });
    }
    let mut remarks = Vec::new();
    match &device.by {
        By::Same => {}
        By::Version(version) => remarks.push(format!(
            "read by profile {profile} version {}, decoded by another file of it, version {version}",
            device.about.profile_version
        )),
        By::Nothing => remarks.push(format!("there is no profile {profile}")),
        By::Faulty(count, first) => {
            remarks.push(format!("profile {profile} has {count} errors, the first: {first}"));
        }
    }
    if device.about.bound {
        let driver = profile::text(&device.about.driver);
        remarks.push(format!("its driver had it already: {driver}"));
    }
    let source = format!("profile {profile} version {}", device.about.profile_version);
    let mut decoded = Decoded {
        title: if device.title.is_empty() { profile.to_string() } else { device.title.clone() },
        slot: slot(&device.about),
        headline: device.headline.clone(),
        findings: device.findings.iter().map(|finding| of_finding(finding, &source)).collect(),
        nodes: device.blocks.iter().map(|block| of_block(block, room)).collect(),
        missing,
        remarks,
    };
    if let Some(dead) = does_not_answer(device) {
        decoded.findings.push(dead);
    }
    point_to_sources(&mut decoded, device.about.domain);
    decoded.sort();
    decoded
}

/// The block of the root port's error registers in the profile of configuration space, and
/// the register that has who sent the first error message of each kind (PCI Express Base
/// 4.0, section 7.8.4.10: Error Source Identification).
const ROOT_ERRORS: [&str; 2] = ["aer-root", "ERROR_SOURCE"];

/// What a root port says of error messages points to who sent them.
fn point_to_sources(decoded: &mut Decoded, domain: u32) {
    let [block, register] = ROOT_ERRORS;
    let root_errors = decoded.nodes.iter().find(|node| node.name == block);
    let Some(source) = root_errors.and_then(|node| node.find(&[register])?.unsigned()) else {
        return;
    };
    let slot = |id: u64| {
        let (bus, device, function) = (id >> 8 & 0xff, id >> 3 & 0x1f, id & 7);
        format!("{domain:04x}:{bus:02x}:{device:02x}.{function}")
    };
    for finding in &mut decoded.findings {
        let says = |field: &str| finding.values.iter().any(|(path, _)| path.ends_with(field));
        let id = match () {
            () if says("ROOT_STATUS.FATAL") || says("ROOT_STATUS.NONFATAL") => source >> 16,
            () if says("ROOT_STATUS.CORRECTABLE") => source & 0xffff,
            () => continue,
        };
        finding.points_to = Some(slot(id));
    }
}

/// That a device does not answer is the first thing to know of it, whatever its profile.
fn does_not_answer(device: &Device<'_>) -> Option<Finding> {
    let end = device.end?;
    if !matches!(end.reason, dump::Reason::NoAnswer | dump::Reason::Stopped) {
        return None;
    }
    Some(Finding {
        severity: Severity::Fatal,
        text: end.reason.words().to_owned(),
        advice: Some(
            "It has all ones where it cannot have them: it has no power, its link is lost, or it \
             hangs. The port above it may say more."
                .to_owned(),
        ),
        source: "register dump".to_owned(),
        values: Vec::new(),
        points_to: None,
    })
}

fn of_finding(finding: &profile::Finding, source: &str) -> Finding {
    let severity = match finding.severity {
        profile::Severity::Fatal => Severity::Fatal,
        profile::Severity::Error => Severity::Error,
        profile::Severity::Warn => Severity::Warning,
        profile::Severity::Info => Severity::Info,
    };
    let element = |block: &String| match finding.index {
        Some(index) => format!(", {block}[{index}]"),
        None => format!(", {block}"),
    };
    Finding {
        severity,
        text: finding.text.clone(),
        advice: finding.advice.clone(),
        source: format!("{source}{}", finding.block.as_ref().map(element).unwrap_or_default()),
        values: finding.values.clone(),
        points_to: None,
    }
}

fn of_block(block: &Block, room: &mut usize) -> Node {
    let name = match block.index {
        Some(index) => format!("{}[{index}]", block.name),
        None => block.name.clone(),
    };
    let registers = block.registers.iter().take(*room);
    let children: Vec<Node> = registers.map(of_register).collect();
    let taken: usize = children.iter().map(|child| 1 + child.children.len()).sum();
    *room = room.saturating_sub(taken);
    Node { address: Some(block.address), children, ..Node::group(name) }
}

fn of_register(register: &profile::Value) -> Node {
    let name = match register.index {
        Some(index) => format!("{}[{index}]", register.name),
        None => register.name.clone(),
    };
    let value = match &register.value {
        Ok(value) => Value::Unsigned(*value),
        Err(why) => Value::Unknown(why.clone()),
    };
    let size = u64::from(register.bits / 8);
    Node {
        title: register.title.clone(),
        value: Some(value),
        unit: register.unit.clone(),
        meaning: register.meaning.clone(),
        place: register.position.map(|at| at as u64..(at as u64).saturating_add(size)),
        bits: Some((0, register.bits.saturating_sub(1))),
        address: Some(register.address),
        behaviour: match (register.counter, register.volatile) {
            (true, _) => Behaviour::Counter,
            (false, true) => Behaviour::Volatile,
            (false, false) => Behaviour::Stable,
        },
        children: register.fields.iter().map(of_field).collect(),
        ..Node::group(name)
    }
}

fn of_field(field: &FieldValue) -> Node {
    let value = match field.value {
        Number::Integer(value) => {
            u64::try_from(value).map_or(Value::Signed(value), Value::Unsigned)
        }
        Number::Real(value) => Value::Real(value),
    };
    Node {
        title: field.title.clone(),
        value: Some(value),
        unit: field.unit.clone(),
        meaning: field.meaning.clone(),
        bits: Some((field.low, field.high)),
        ..Node::group(field.name.clone())
    }
}
