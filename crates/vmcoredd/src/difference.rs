// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A value that differs between two dumps, for people.

use decode::compare::{Difference, Side};
use decode::model::{Behaviour, Value};

use crate::finding::safe;

/// The path, and what each side has.
pub fn shown(difference: &Difference) -> String {
    let Difference { path, behaviour, a, b, .. } = difference;
    let more = match (behaviour, a, b) {
        (
            Behaviour::Counter,
            Some(Side { value: Value::Unsigned(a), .. }),
            Some(Side { value: Value::Unsigned(b), .. }),
        ) if b > a => format!("  (+{})", b - a),
        _ => String::new(),
    };
    safe(&format!("{path}: {} -> {}{more}", side(a.as_ref()), side(b.as_ref())))
}

/// The value of a side, and what it means.
pub fn side(side: Option<&Side>) -> String {
    let Some(Side { value, meaning }) = side else {
        return "not there".to_owned();
    };
    let value = match value {
        Value::Unsigned(value) if *value < 10 => value.to_string(),
        Value::Unsigned(value) => format!("{value:#x}"),
        Value::Signed(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::Bytes => "bytes".to_owned(),
        Value::Unknown(why) => format!("unknown ({why})"),
    };
    meaning.as_ref().map_or(value.clone(), |meaning| format!("{value} ({meaning})"))
}
