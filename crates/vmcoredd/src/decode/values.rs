// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Values as they are printed.

use ::decode::model::{Node, Value};

use crate::finding::safe;

/// How many bits a register has, where `node` is one: its bits are all of its value.
pub fn of_register(node: &Node) -> Option<u32> {
    let is_register = node.address.is_some() || node.place.is_some();
    node.bits.filter(|(low, _)| is_register && *low == 0).map(|(_, high)| high + 1)
}

/// The lowest and the highest bit of a field, where `node` is one.
pub fn of_field(node: &Node) -> Option<(u32, u32)> {
    node.bits.filter(|_| of_register(node).is_none())
}

/// The value of a node, as a number has it that is a register, a field, or an amount.
pub fn shown(node: &Node, value: &Value) -> String {
    let unit = node.unit.as_ref().map(|unit| format!(" {}", safe(unit))).unwrap_or_default();
    let plain = match value {
        Value::Unsigned(value) => match of_register(node) {
            Some(bits) => {
                let amount = node.unit.as_ref().map(|_| format!(" = {value}"));
                let digits = bits.div_ceil(4) as usize + 2;
                format!("{value:#0digits$x}{}", amount.unwrap_or_default())
            }
            None if node.unit.is_some() || *value < 10 => value.to_string(),
            None => format!("{value:#x}"),
        },
        Value::Signed(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Text(text) => safe(text),
        Value::Bytes => {
            let length =
                node.place.as_ref().map_or(0, |place| place.end.saturating_sub(place.start));
            return format!("{length} bytes");
        }
        Value::Unknown(why) => return format!("({})", safe(why)),
    };
    format!("{plain}{unit}")
}
