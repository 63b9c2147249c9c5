// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Register dumps: configuration space by its own decoder, all else as profiles say.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use plan::dump::{self, Damage, Outcome};
use plan::plan::Kind;
use profile::{Area, By, Decoded as Block, Device, FieldValue, Library, Number, Segment};

use crate::behind::{self, Memory};
use crate::model::{
    All, Behaviour, Bytes, Decoded, Finding, Missing, NODES_MAX, Node, Severity, Value,
};
use crate::pci;

/// Whether `bytes` start as a register dump does.
#[must_use]
pub fn recognises(bytes: &[u8]) -> bool {
    bytes.starts_with(&dump::MAGIC)
}

/// What the register dump in `bytes` says of each of its devices, by the profiles of
/// `library`.
pub(crate) fn decode<'a>(
    bytes: &'a [u8],
    library: &'a mut Library,
    memory: Option<&'a dyn Memory>,
) -> All<'a> {
    let devices = match profile::devices(bytes) {
        Ok(devices) => devices,
        Err(damage) => return Box::new(iter::once(damaged(damage))),
    };
    let known: BTreeSet<String> = match profile::devices(bytes) {
        Ok(devices) => devices.flatten().filter_map(|device| slot(&device.about)).collect(),
        Err(_) => BTreeSet::new(),
    };
    Box::new(devices.map(move |device| match device {
        Ok(device) if pci::is_whole_device(&device) => of_function(&device, &known),
        Ok(mut device) => {
            device.decode(library);
            let profile = profile::text(&device.about.profile);
            let mut decoded = of_device(device, &known);
            if let Some(memory) = memory {
                behind::follow(&profile, &mut decoded, memory);
            }
            decoded
        }
        Err(damage) => damaged(damage),
    }))
}

/// What the dump `name` says that a driver made of a device, if a profile knows those of the
/// driver.
pub(crate) fn of_driver(name: &str, bytes: &[u8], library: &mut Library) -> Option<Decoded> {
    let device = profile::driver_dump(name, bytes, library)?;
    let driver = profile::text(&device.about.driver);
    let mut decoded = of_device(device, &BTreeSet::new());
    decoded.identity = None;
    decoded.remarks.push(format!(
        "dumped by the driver {driver}: registers that it does not read may be 0 here"
    ));
    Some(decoded)
}

fn damaged(damage: Damage) -> Decoded {
    let why = match damage {
        Damage::Magic => "offset 0: expected VMCDREGS, found something else".to_owned(),
        Damage::Version(found) => format!("offset 0x8: expected version 1, found {found}"),
        Damage::Cut(at, end) => {
            format!("offset {at:#x}: expected a whole record, found the end at {end:#x}")
        }
    };
    let missing = vec![Missing { what: "the rest of the dump".to_owned(), why: why.clone() }];
    let damage = Some(why);
    let decoder = "registers".to_owned();
    Decoded { decoder, title: "register dump".to_owned(), missing, damage, ..Decoded::default() }
}

/// The slot of a PCI function, as `0000:01:00.0`.
#[must_use]
pub fn slot(device: &dump::Device) -> Option<String> {
    let dump::Device { kind, domain, bus, devfn, .. } = *device;
    (kind == Kind::Pci).then(|| format!("{domain:04x}:{bus:02x}:{:02x}.{}", devfn >> 3, devfn & 7))
}

/// Which device it is, besides its slot.
fn identity(device: &dump::Device) -> String {
    let dump::Device { vendor, device: id, revision, address, .. } = *device;
    match device.kind {
        Kind::Pci => format!("[{vendor:04x}:{id:04x}] revision {revision:02x}"),
        Kind::Cpu => format!("processor {address}"),
        Kind::Drhd | Kind::Ivhd => format!("at {address:#x}"),
    }
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

/// The rules that need what was not read, each once.
fn undecided(device: &Device<'_>) -> impl Iterator<Item = Missing> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for rule in &device.undecided {
        *counts.entry(rule).or_default() += 1;
    }
    counts.into_iter().map(|(rule, count)| {
        let times = if count == 1 { String::new() } else { format!(", {count} times") };
        let why = format!("what says so was not read{times}");
        Missing { what: format!("whether \"{rule}\""), why }
    })
}

/// That a driver was bound to it, which may have changed its state.
fn driver(device: &Device<'_>) -> Option<String> {
    let driver = || format!("a driver had it already: {}", profile::text(&device.about.driver));
    device.about.bound.then(driver)
}

/// A function whose configuration space is all that was read.
fn of_function(device: &Device<'_>, known: &BTreeSet<String>) -> Decoded {
    let mut decoded = pci::decode(device, known);
    "pcie".clone_into(&mut decoded.decoder);
    decoded.about = about(device);
    decoded.missing.extend(unread(device));
    decoded.remarks.extend(driver(device));
    if decoded.findings.iter().all(|finding| finding.severity < Severity::Fatal) {
        decoded.findings.extend(does_not_answer(device));
        decoded.sort();
    }
    decoded
}

fn of_device(device: Device<'_>, known: &BTreeSet<String>) -> Decoded {
    let profile = profile::text(&device.about.profile);
    let mut missing = unread(&device);
    // Of what was not read at all, one line is enough.
    let is_read = device.segments.iter().any(|segment| !segment.bytes.is_empty());
    for unread in device.unread.iter().filter(|_| is_read) {
        let index = unread.index.map(|index| format!("[{index}]")).unwrap_or_default();
        let what = format!("{}{index}", unread.block);
        missing.push(Missing { what, why: unread.why.clone() });
    }
    if is_read {
        missing.extend(undecided(&device));
    }
    let mut remarks = Vec::new();
    let version = device.about.profile_version;
    match &device.by {
        By::Same => {}
        By::Version(other) => remarks.push(format!(
            "read by another file of profile {profile}, version {version}; decoded by version {other}"
        )),
        By::Nothing => {
            remarks.push(format!("there is no profile {profile}, version {version}, to decode it"));
        }
        By::Faulty(count, first) => {
            remarks.push(format!("profile {profile} has {count} errors, the first: {first}"));
        }
    }
    remarks.extend(driver(&device));
    let source = format!("profile {profile} version {version}");
    let mut decoded = Decoded {
        title: if device.title.is_empty() { profile.clone() } else { device.title.clone() },
        decoder: profile,
        slot: slot(&device.about),
        identity: Some(identity(&device.about)),
        headline: device.headline.clone(),
        findings: device
            .findings
            .iter()
            .map(|finding| of_finding(finding, &device, &source))
            .collect(),
        missing,
        about: about(&device),
        remarks,
        ..Decoded::default()
    };
    let mut configuration = None;
    match does_not_answer(&device) {
        Some(dead) => decoded.findings.push(dead),
        None if device.about.kind == Kind::Pci => {
            // What was read with other registers of the function.
            let mut space = pci::decode(&device, known);
            decoded.findings.append(&mut space.findings);
            configuration = Some(space.nodes).filter(|nodes| !nodes.is_empty());
        }
        None => {}
    }
    let mut room = NODES_MAX / 2;
    match device.by {
        By::Same | By::Version(_) => {
            let blocks = device.blocks.into_iter();
            decoded.nodes.extend(blocks.map(|block| of_block(block, &mut room)));
        }
        By::Nothing | By::Faulty(..) => {
            let segments = device.segments.iter();
            decoded.nodes.extend(segments.map(|segment| of_segment(segment, &mut room)));
        }
    }
    if let Some(children) = configuration {
        decoded.nodes.push(Node { children, ..Node::group("configuration space") });
    }
    if room == 0 {
        let why = "they are more than are decoded".to_owned();
        decoded.missing.push(Missing { what: "some registers".to_owned(), why });
    }
    if device.about.kind == Kind::Drhd {
        point_to_sources(&mut decoded);
    }
    decoded.sort();
    decoded
}

/// What an IOMMU of Intel waits for in vain points to the device that does not answer (VT-d
/// 4.1, Invalidation Queue Error Record Register). Which segment it serves is not in its
/// registers: it is 0 in nearly all machines.
fn point_to_sources(decoded: &mut Decoded) {
    let value = |block: &str, register: &str| {
        let block = decoded.nodes.iter().find(|node| node.name == block)?;
        block.find(&[register])?.unsigned()
    };
    let of = |finding: &Finding| {
        let says = |field: &str| finding.values.iter().any(|(path, _)| path.ends_with(field));
        let error = value("iqer", "IQER").filter(|error| *error != 0)?;
        match () {
            () if says("FSTS.ITE") => Some(error >> 32),
            () if says("FSTS.ICE") => Some(error >> 48),
            () => None,
        }
    };
    let sources: Vec<_> = decoded.findings.iter().map(of).collect();
    for (finding, source) in decoded.findings.iter_mut().zip(sources) {
        let slot = source.map(|id| {
            let (bus, device, function) = (id >> 8 & 0xff, id >> 3 & 0x1f, id & 7);
            format!("0000:{bus:02x}:{device:02x}.{function}")
        });
        finding.points_to = finding.points_to.take().or(slot);
    }
}

/// What the dump says of the device and of how it was read.
fn about(device: &Device<'_>) -> Vec<(&'static str, Value)> {
    let about = &device.about;
    let mut all = Vec::new();
    let mut add = |name, value| all.push((name, value));
    let kind = match about.kind {
        Kind::Pci => "pci",
        Kind::Cpu => "cpu",
        Kind::Drhd => "drhd",
        Kind::Ivhd => "ivhd",
    };
    let text = |text: &str| Value::Text(text.to_owned());
    let number = Value::Unsigned;
    add("kind", text(kind));
    if about.kind == Kind::Pci {
        add("vendor", number(about.vendor.into()));
        add("device", number(about.device.into()));
        add("subvendor", number(about.sub_vendor.into()));
        add("subdevice", number(about.sub_device.into()));
        add("class", number(about.class.into()));
        add("revision", number(about.revision.into()));
        add("power", number(about.power.into()));
    } else {
        add("address", number(about.address));
    }
    if about.bound {
        add("driver", text(&profile::text(&about.driver)));
    }
    add("profile", text(&profile::text(&about.profile)));
    add("profile_version", number(about.profile_version.into()));
    let digest: String = about.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    add("profile_digest", Value::Text(digest));
    match device.by {
        By::Same => add("decoded_by", number(about.profile_version.into())),
        By::Version(other) => add("decoded_by", number(other.into())),
        By::Nothing | By::Faulty(..) => {}
    }
    add("outcome", text(device.end.map_or("cut off", |end| end.outcome.words())));
    if let Some(end) = device.end.filter(|end| end.reason != dump::Reason::None) {
        add("reason", text(end.reason.words()));
    }
    all
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

/// The slot of the function that a unit blames: what a finding follows from is in a register
/// that has the fields BUS, DEVICE and FUNCTION, as a fault record of an IOMMU.
fn blamed(finding: &profile::Finding, device: &Device<'_>) -> Option<String> {
    let is_of_it = |block: &&Block| {
        Some(&block.name) == finding.block.as_ref() && block.index == finding.index
    };
    let mut registers = device.blocks.iter().filter(is_of_it).flat_map(|block| &block.registers);
    registers.find_map(|register| {
        let is_named = |(path, _): &(String, u64)| {
            path.split('.').next().is_some_and(|name| name == register.name)
        };
        if !finding.values.iter().any(is_named) {
            return None;
        }
        let field = |name: &str| {
            let found = register.fields.iter().find(|field| field.name == name)?;
            match found.value {
                Number::Integer(value) => u64::try_from(value).ok(),
                Number::Real(_) => None,
            }
        };
        let (bus, number, function) = (field("BUS")?, field("DEVICE")?, field("FUNCTION")?);
        Some(format!("{:04x}:{bus:02x}:{number:02x}.{function}", device.about.domain))
    })
}

fn of_finding(finding: &profile::Finding, device: &Device<'_>, source: &str) -> Finding {
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
        points_to: blamed(finding, device),
    }
}

fn of_block(block: Block, room: &mut usize) -> Node {
    let title = match block.area {
        Area::Bar(bar) => format!("BAR {bar}"),
        Area::Capability { .. } | Area::Config => "configuration space".to_owned(),
        Area::Port => "I/O port".to_owned(),
        Area::Msr => "MSR".to_owned(),
        Area::Memory => "memory".to_owned(),
        Area::Unit => "unit".to_owned(),
        Area::Window(number) => format!("window {number}"),
    };
    let name = numbered(block.name, block.index);
    let mut children = Vec::new();
    for register in block.registers {
        let taken = 1 + register.fields.len();
        let Some(rest) = room.checked_sub(taken) else {
            *room = 0;
            break;
        };
        *room = rest;
        children.push(of_register(register));
    }
    Node { address: Some(block.address), children, ..Node::group(name).titled(title) }
}

fn numbered(name: String, index: Option<u64>) -> String {
    match index {
        Some(index) => format!("{name}[{index}]"),
        None => name,
    }
}

fn of_register(register: profile::Value) -> Node {
    let size = u64::from(register.bits / 8);
    Node {
        title: register.title,
        value: Some(register.value.map_or_else(Value::Unknown, Value::Unsigned)),
        unit: register.unit,
        meaning: register.meaning,
        place: register.position.map(|at| at as u64..(at as u64).saturating_add(size)),
        bits: Some((0, register.bits.saturating_sub(1))),
        address: Some(register.address),
        points_to: register.points_to,
        behaviour: match (register.counter, register.volatile) {
            (true, _) => Behaviour::Counter,
            (false, true) => Behaviour::Volatile,
            (false, false) => Behaviour::Stable,
        },
        children: register.fields.into_iter().map(of_field).collect(),
        ..Node::group(numbered(register.name, register.index))
    }
}

fn of_field(field: FieldValue) -> Node {
    let value = match field.value {
        Number::Integer(value) => {
            u64::try_from(value).map_or(Value::Signed(value), Value::Unsigned)
        }
        Number::Real(value) => Value::Real(value),
    };
    Node {
        title: field.title,
        value: Some(value),
        unit: field.unit,
        meaning: field.meaning,
        bits: Some((field.low, field.high)),
        points_to: field.points_to,
        ..Node::group(field.name)
    }
}

/// A segment of what no profile names: its registers by their addresses.
fn of_segment(segment: &Segment<'_>, room: &mut usize) -> Node {
    let Segment { head, bytes, position } = segment;
    let size = usize::from(head.width.bytes()).max(1);
    let whole = Bytes::at(bytes, *position as u64);
    let mut address = head.offset;
    let mut children = Vec::new();
    for at in (0..bytes.len()).step_by(size).take(*room) {
        let size = size.min(bytes.len() - at);
        let value = if head.big { whole.big(at, size) } else { whole.little(at, size) };
        let value =
            value.map_or_else(|| Value::Unknown("it was not read".to_owned()), Value::Unsigned);
        children.push(Node {
            bits: Some((0, 8 * size as u32 - 1)),
            ..Node::value(format!("{address:#06x}"), value, whole.place(at, size))
        });
        address = address.wrapping_add(head.space.step(head.width));
    }
    *room = room.saturating_sub(children.len());
    let name = format!("{} {} at {:#x}", profile::space_word(head.space), head.index, head.offset);
    let what = format!("{} of {} bytes, {}", bytes.len(), head.wanted, head.status.words());
    Node { children, ..Node::group(name).titled(what) }
}
