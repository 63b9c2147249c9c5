// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a dump says, for people.

use std::io::{self, Write};

use ::decode::model::{Decoded, Node, Value};

use super::bits;
use super::values::{of_field, shown};
use crate::finding::{print_details, print_head, safe};

/// How wide a column of names is at most, in characters.
const NAME_MAX: usize = 32;
/// How long a title may be that stands after a value, in characters.
const TITLE_MAX: usize = 60;
/// How many bytes of what is not decoded are shown.
const BYTES_SHOWN: u64 = 256;
/// How many bytes stand on a line.
const BYTES: usize = 16;

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Only what is abnormal.
    pub abnormal: bool,
    /// Only values, since these were asked for.
    pub values: bool,
    /// A diagram of the bits of each register.
    pub bits: bool,
}

/// Prints what is `decoded` of the dump `name` that has `bytes`.
pub fn print(
    to: &mut impl Write,
    name: &str,
    bytes: &[u8],
    decoded: &Decoded,
    how: How,
) -> io::Result<()> {
    let slot = decoded.slot.as_ref().map(|slot| format!(", {slot}")).unwrap_or_default();
    let identity = decoded.identity.as_deref().unwrap_or_default();
    let gap = match (slot.as_str(), identity) {
        (_, "") => "",
        ("", _) => ", ",
        _ => " ",
    };
    writeln!(to, "{name}: {}{slot}{gap}{identity}", safe(&decoded.title))?;
    if !how.values {
        decoded.headline.iter().try_for_each(|line| writeln!(to, "  {}", safe(line)))?;
        for finding in &decoded.findings {
            print_head(to, finding, None, 2)?;
            print_details(to, finding, &[], 8)?;
        }
    }
    if how.abnormal {
        return Ok(());
    }
    if !how.values {
        decoded.remarks.iter().try_for_each(|line| writeln!(to, "  {}", safe(line)))?;
        for missing in &decoded.missing {
            writeln!(to, "  not read: {}: {}", safe(&missing.what), safe(&missing.why))?;
        }
    }
    let printer = Printer { bytes, how };
    printer.nodes(to, &decoded.nodes, 1)
}

struct Printer<'a> {
    bytes: &'a [u8],
    how: How,
}

impl Printer<'_> {
    /// Prints siblings, with their names in a column.
    fn nodes(&self, to: &mut impl Write, nodes: &[Node], depth: usize) -> io::Result<()> {
        let with_value = nodes.iter().filter(|node| node.value.is_some());
        let width = with_value.map(|node| node.name.chars().count()).max().unwrap_or(0);
        nodes.iter().try_for_each(|node| self.node(to, node, depth, width.min(NAME_MAX)))
    }

    fn node(&self, to: &mut impl Write, node: &Node, depth: usize, width: usize) -> io::Result<()> {
        let indent = 2 * depth;
        write!(to, "{:indent$}", "")?;
        let name = safe(&node.name);
        let title = node.title.as_deref();
        let Some(value) = &node.value else {
            let address = node.address.map(|address| format!(" at {address:#x}"));
            let address = address.unwrap_or_default();
            let comma = if title.is_some() { ", " } else { "" };
            writeln!(to, "{name}{comma}{}{address}", title.map(safe).unwrap_or_default())?;
            return self.nodes(to, &node.children, depth + 1);
        };
        let title = title.filter(|title| title.chars().count() <= TITLE_MAX);
        if let Some(address) = node.address {
            write!(to, "{address:#06x}  ")?;
        }
        write!(to, "{name:<width$}  ")?;
        if let Some((low, high)) = of_field(node) {
            let bits = if low == high { low.to_string() } else { format!("{high}:{low}") };
            write!(to, "{bits:>5}  ")?;
        }
        write!(to, "{}", shown(node, value))?;
        let words = [node.meaning.as_deref(), title].into_iter().flatten().map(safe);
        let words = words.collect::<Vec<_>>().join(", ");
        let gap = if words.is_empty() { "" } else { "  " };
        writeln!(to, "{gap}{words}")?;
        if matches!(value, Value::Bytes) && node.children.is_empty() {
            self.hexadecimal(to, node, indent + 2)?;
        }
        if self.how.bits && bits::print(to, node, indent + 4)? {
            return Ok(());
        }
        // Fields stand below the names of their registers.
        let deeper = if node.address.is_some() { 4 } else { 1 };
        self.nodes(to, &node.children, depth + deeper)
    }

    /// Prints the bytes of a node as far as they are few; that there are more is said.
    fn hexadecimal(&self, to: &mut impl Write, node: &Node, indent: usize) -> io::Result<()> {
        let Some(place) = &node.place else { return Ok(()) };
        let shown = place.end.min(place.start.saturating_add(BYTES_SHOWN));
        let range = usize::try_from(place.start).ok().zip(usize::try_from(shown).ok());
        let bytes = range.and_then(|(start, end)| self.bytes.get(start..end)).unwrap_or_default();
        for (row, bytes) in bytes.chunks(BYTES).enumerate() {
            write!(to, "{:indent$}{:04x} ", "", row * BYTES)?;
            bytes.iter().try_for_each(|byte| write!(to, " {byte:02x}"))?;
            writeln!(to)?;
        }
        match place.end.saturating_sub(shown) {
            0 => Ok(()),
            more => writeln!(to, "{:indent$}{more} more bytes", ""),
        }
    }
}
