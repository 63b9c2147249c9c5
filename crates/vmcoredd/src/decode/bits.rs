// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Registers bit by bit.

use std::io::{self, Write};

use ::decode::model::{Node, Value};

use super::values::{of_field, of_register, shown};
use crate::finding::safe;

/// In which column the bit `bit` of `bits` is, in groups of four.
fn column(bits: u32, bit: u32) -> usize {
    let before = bits - 1 - bit;
    // The first group may have fewer than four.
    let groups = (bits - 1) / 4 - bit / 4;
    (before + groups) as usize
}

/// Prints the bits of a register, and of each field a line from its lowest bit to its name and
/// value; returns whether `node` is a register that has fields.
pub fn print(to: &mut impl Write, node: &Node, indent: usize) -> io::Result<bool> {
    let (Some(bits @ 1..=64), Some(Value::Unsigned(value))) = (of_register(node), &node.value)
    else {
        return Ok(false);
    };
    let mut fields: Vec<_> = node
        .children
        .iter()
        .filter_map(|field| Some((of_field(field)?, field)))
        .filter(|((_, high), _)| *high < bits)
        .collect();
    if fields.is_empty() || fields.len() < node.children.len() {
        return Ok(false);
    }
    fields.sort_by_key(|((low, _), _)| *low);
    write!(to, "{:indent$}", "")?;
    for bit in (0..bits).rev() {
        let gap = if bit % 4 == 0 && bit > 0 { "_" } else { "" };
        write!(to, "{}{gap}", value >> bit & 1)?;
    }
    writeln!(to)?;
    let end = column(bits, 0) + 1;
    for (number, ((low, high), field)) in fields.iter().enumerate() {
        let at = column(bits, *low);
        let mut line = vec![b' '; end];
        for ((low, _), _) in fields.iter().skip(number + 1) {
            line.get_mut(column(bits, *low)).into_iter().for_each(|mark| *mark = b'|');
        }
        for (column, mark) in line.iter_mut().enumerate().skip(at) {
            *mark = if column == at { b'+' } else { b'-' };
        }
        let line = String::from_utf8_lossy(&line);
        let place = if low == high { low.to_string() } else { format!("{high}:{low}") };
        let value = field.value.as_ref().map(|value| shown(field, value)).unwrap_or_default();
        let meaning = field.meaning.as_deref().or(field.title.as_deref());
        let meaning = meaning.map(|words| format!("  {}", safe(words))).unwrap_or_default();
        writeln!(to, "{:indent$}{line}-- {} [{place}] = {value}{meaning}", "", safe(&field.name))?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagram(bits: u32, value: u64, fields: &[(&str, u32, u32)]) -> String {
        let children = fields.iter().map(|(name, low, high)| Node {
            value: Some(Value::Unsigned(value >> low & (u64::MAX >> (63 - (high - low))))),
            bits: Some((*low, *high)),
            ..Node::group(*name)
        });
        let register = Node {
            bits: Some((0, bits - 1)),
            address: Some(0),
            children: children.collect(),
            ..Node::value("R", Value::Unsigned(value), 0..4)
        };
        let mut to = Vec::new();
        print(&mut to, &register, 2).expect("written");
        String::from_utf8(to).expect("text")
    }

    #[test]
    fn a_line_leads_from_each_field_to_its_name() {
        let fields = [("RDY", 0, 0), ("CFS", 1, 1), ("SHST", 2, 3), ("HIGH", 6, 7)];
        let found = diagram(8, 0x86, &fields);
        let lines: Vec<_> = found.lines().collect();
        assert_eq!(
            lines,
            [
                "  1000_0110",
                "   |    ||+-- RDY [0] = 0",
                "   |    |+--- CFS [1] = 1",
                "   |    +---- SHST [3:2] = 1",
                "   +--------- HIGH [7:6] = 2",
            ]
        );
    }

    #[test]
    fn any_width() {
        for bits in 1..=64 {
            let found = diagram(bits, 1, &[("LOW", 0, 0), ("HIGH", bits - 1, bits - 1)]);
            let row = found.lines().next().unwrap_or_default();
            assert_eq!(row.matches(['0', '1']).count(), bits as usize, "{row}");
        }
        // A field that its register does not have, of a hostile profile.
        assert_eq!(diagram(8, 1, &[("HIGH", 8, 9)]), "");
    }
}
