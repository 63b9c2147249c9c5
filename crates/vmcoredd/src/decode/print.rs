// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A device for people.

use std::io::{self, Write};

use ::decode::registers::slot;
use ::plan::dump::{End, Outcome};
use ::plan::place::Width;
use ::plan::plan::Kind;
use ::profile::{
    Area, By, Decoded, Device, FieldValue, Finding, Segment, Severity, Value, space_word, text,
};
use anstyle::{AnsiColor, Style};

/// How many registers of a segment stand on a line.
const WORDS: usize = 4;

/// Prints what `device` is, and, unless only what is `abnormal` is asked for, its registers.
pub fn print(
    to: &mut impl Write,
    name: &str,
    device: &Device<'_>,
    abnormal: bool,
) -> io::Result<()> {
    writeln!(to, "{name}: {}", what(device))?;
    if let Some(headline) = &device.headline {
        writeln!(to, "  {}", safe(headline))?;
    }
    for finding in &device.findings {
        print_finding(to, finding)?;
    }
    if abnormal {
        return Ok(());
    }
    state(device).iter().try_for_each(|line| writeln!(to, "  {line}"))?;
    for unread in &device.unread {
        let block = element(&unread.block, unread.index);
        writeln!(to, "  not read: {block}: {}", unread.why)?;
    }
    for rule in &device.undecided {
        writeln!(to, "  not known: {}", safe(rule))?;
    }
    match device.by {
        By::Same | By::Version(_) => device.blocks.iter().try_for_each(|b| print_block(to, b))?,
        By::Nothing | By::Faulty(..) => {
            device.segments.iter().try_for_each(|segment| print_segment(to, segment))?;
        }
    }
    if device.has_more {
        writeln!(to, "  there is more than is shown")?;
    }
    Ok(())
}

/// Text of a profile, fit for a terminal.
fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Kind, identity and place of a device.
fn what(device: &Device<'_>) -> String {
    let about = &device.about;
    let title = if device.title.is_empty() { text(&about.profile) } else { safe(&device.title) };
    match about.kind {
        Kind::Pci => format!(
            "{title}, {} [{:04x}:{:04x}] revision {:02x}",
            slot(about).unwrap_or_default(),
            about.vendor,
            about.device,
            about.revision
        ),
        Kind::Cpu => format!("{title}, processor {}", about.address),
        Kind::Drhd | Kind::Ivhd => format!("{title}, at {:#x}", about.address),
    }
}

/// In what state it was, and how it was decoded.
fn state(device: &Device<'_>) -> Vec<String> {
    let about = &device.about;
    let mut lines = Vec::new();
    match device.end {
        None => lines.push("cut off: its collector ended before it was done".to_owned()),
        Some(End { outcome: Outcome::Complete, .. }) => {}
        Some(end) => lines.push(format!("{}: {}", end.outcome.words(), end.reason.words())),
    }
    if about.bound {
        let driver = text(&about.driver);
        lines.push(format!("a driver had it already: {driver}"));
    }
    let profile = text(&about.profile);
    let version = about.profile_version;
    match &device.by {
        By::Same => {}
        By::Version(other) => lines.push(format!(
            "read by another file of profile {profile}, version {version}; decoded by version {other}"
        )),
        By::Nothing => {
            lines.push(format!("there is no profile {profile}, version {version}, to decode it"));
        }
        By::Faulty(count, first) => {
            lines.push(format!("profile {profile} has {count} errors: {}", safe(first)));
        }
    }
    lines
}

fn element(block: &str, index: Option<u64>) -> String {
    index.map_or_else(|| block.to_owned(), |index| format!("{block}[{index}]"))
}

fn print_finding(to: &mut impl Write, finding: &Finding) -> io::Result<()> {
    let style = match finding.severity {
        Severity::Fatal | Severity::Error => AnsiColor::Red.on_default(),
        Severity::Warn => AnsiColor::Yellow.on_default(),
        Severity::Info => Style::new(),
    };
    let word = finding.severity.word();
    let place = finding.block.as_deref().filter(|_| finding.index.is_some());
    let place = place.map(|block| format!("{}: ", element(block, finding.index)));
    let place = place.unwrap_or_default();
    writeln!(to, "  {style}{word:<5}{style:#} {place}{}", safe(&finding.text))?;
    let values = finding.values.iter().map(|(name, value)| format!("{name}={value:#x}"));
    let values = values.collect::<Vec<_>>().join(" ");
    if !values.is_empty() {
        writeln!(to, "        {values}")?;
    }
    finding.advice.iter().try_for_each(|advice| writeln!(to, "        {}", safe(advice)))
}

/// Where the registers of a block are, in words.
pub fn area(area: Area) -> String {
    match area {
        Area::Bar(bar) => format!("BAR {bar}"),
        Area::Capability { .. } | Area::Config => "configuration space".to_owned(),
        Area::Port => "I/O port".to_owned(),
        Area::Msr => "MSR".to_owned(),
        Area::Memory => "memory".to_owned(),
        Area::Unit => "unit".to_owned(),
        Area::Window(number) => format!("window {number}"),
    }
}

fn print_block(to: &mut impl Write, block: &Decoded) -> io::Result<()> {
    let name = element(&block.name, block.index);
    writeln!(to, "  {name}, {} at {:#x}", area(block.area), block.address)?;
    let names = block.registers.iter().map(|register| name_of(register).len());
    let width = names.max().unwrap_or(0);
    block.registers.iter().try_for_each(|register| print_register(to, register, width))
}

fn name_of(register: &Value) -> String {
    element(&register.name, register.index)
}

fn print_register(to: &mut impl Write, register: &Value, width: usize) -> io::Result<()> {
    let name = name_of(register);
    let title = register.title.as_deref().map(safe);
    write!(to, "    {:#06x}  {name:<width$}  ", register.address)?;
    match &register.value {
        Err(why) => write!(to, "({why})")?,
        Ok(value) => {
            write!(to, "{value:#0digits$x}", digits = register.bits as usize / 4 + 2)?;
            if let Some(unit) = &register.unit {
                write!(to, " = {value} {}", safe(unit))?;
            }
        }
    }
    let meaning = register.meaning.as_deref().map(safe);
    let words = [meaning, title].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let gap = if words.is_empty() { "" } else { "  " };
    writeln!(to, "{gap}{words}")?;
    let width = register.fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
    register.fields.iter().try_for_each(|field| print_field(to, field, width))
}

fn print_field(to: &mut impl Write, field: &FieldValue, width: usize) -> io::Result<()> {
    let bits = match field.high == field.low {
        true => field.low.to_string(),
        false => format!("{}:{}", field.high, field.low),
    };
    write!(to, "            {:<width$}  {bits:>5}  {}", field.name, field.value)?;
    if let Some(unit) = &field.unit {
        write!(to, " {}", safe(unit))?;
    }
    let words = [&field.meaning, &field.title].into_iter().flatten().map(|text| safe(text));
    let words = words.collect::<Vec<_>>().join(", ");
    let gap = if words.is_empty() { "" } else { "  " };
    writeln!(to, "{gap}{words}")
}

/// A segment as numbers, each of a register.
fn print_segment(to: &mut impl Write, segment: &Segment<'_>) -> io::Result<()> {
    let head = &segment.head;
    let name = space_word(head.space);
    let (index, status) = (head.index, head.status.words());
    let length = segment.bytes.len();
    writeln!(
        to,
        "  {name} {index} at {:#x}: {length} of {} bytes, {status}",
        head.offset, head.wanted
    )?;
    let size = usize::from(head.width.bytes());
    let mut address = head.offset;
    for line in segment.bytes.chunks(size * WORDS) {
        write!(to, "    {address:#06x} ")?;
        for word in line.chunks(size) {
            let value = number(word, head.big);
            write!(to, " {value:0digits$x}", digits = 2 * word.len())?;
            address = address.wrapping_add(head.space.step(head.width));
        }
        writeln!(to)?;
    }
    Ok(())
}

/// The number in `bytes`, of which there are no more than [`Width::W64`] has.
fn number(bytes: &[u8], big: bool) -> u64 {
    let add = |number: u64, byte: &u8| number.wrapping_shl(8) | u64::from(*byte);
    match big {
        true => bytes.iter().fold(0, add),
        false => bytes.iter().rev().fold(0, add),
    }
}

const _: () = assert!(Width::W64.bytes() == 8);
