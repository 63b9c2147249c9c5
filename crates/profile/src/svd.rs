// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! From CMSIS-SVD, in which makers of controllers publish registers.

use svd_parser::svd::{Access, Cluster, Field, MaybeArray, ReadAction, Register, RegisterCluster};
use svd_parser::{Config, parse_with_config};

use crate::skeleton::{self, Known, KnownField};
use crate::syntax::SIZE_MAX;

/// How large such a file is at most, in bytes: many have several megabytes.
const FILE_MAX: usize = 16 * SIZE_MAX;
/// How many registers it has at most, each element of an array counted.
const REGISTERS_MAX: u64 = 1 << 16;

/// A profile to be completed, of the SVD file that has `text`; `source` names that.
///
/// # Errors
/// Why the file is none.
pub fn from_svd(name: &str, source: &str, text: &str) -> Result<String, String> {
    if text.len() > FILE_MAX {
        return Err(format!("expected {FILE_MAX} bytes at most, found {}", text.len()));
    }
    // Arrays say how long they are, and only then are made.
    let short = parse_with_config(text, &Config::default())
        .map_err(|error| format!("no SVD: {error:#}"))?;
    let all = short.peripherals.iter().map(|each| {
        let registers = each.registers.iter().flatten();
        registers.map(count).fold(0, u64::saturating_add).saturating_mul(dimension(each))
    });
    let all = all.fold(0, u64::saturating_add);
    if all > REGISTERS_MAX {
        return Err(format!("expected {REGISTERS_MAX} registers at most, found {all}"));
    }
    let config = Config::default().expand(true).expand_properties(true);
    let device = parse_with_config(text, &config).map_err(|error| format!("no SVD: {error:#}"))?;
    let runs = device.peripherals.iter().flat_map(|peripheral| {
        let registers = peripheral.registers().filter_map(register).collect();
        let title = peripheral.description.as_deref();
        let name = |_: &Known| peripheral.name.to_lowercase();
        skeleton::runs(registers, peripheral.base_address, title, name)
    });
    skeleton::text(name, &device.description, source, &runs.collect::<Vec<_>>())
}

fn dimension<T>(each: &MaybeArray<T>) -> u64 {
    match each {
        MaybeArray::Single(_) => 1,
        MaybeArray::Array(_, dimension) => dimension.dim.into(),
    }
}

/// How many registers there are, each element of an array counted.
fn count(each: &RegisterCluster) -> u64 {
    match each {
        RegisterCluster::Register(register) => dimension(register),
        RegisterCluster::Cluster(cluster) => {
            let inner: &Cluster = cluster;
            let inside = inner.children.iter().map(count).fold(0, u64::saturating_add);
            inside.saturating_mul(dimension(cluster))
        }
    }
}

fn register(register: &Register) -> Option<Known> {
    let bits = register.properties.size.unwrap_or(32);
    // What only can be written has no value; what changes is for its author to decide.
    let more = match (register.properties.access, register.read_action) {
        (Some(Access::WriteOnly | Access::WriteOnce), _) => " skip=#true",
        (_, Some(ReadAction::ModifyExternal)) => " effect=pop",
        (_, Some(_)) => " effect=clear",
        _ => "",
    };
    [8, 16, 32, 64].contains(&bits).then(|| Known {
        name: register.name.clone(),
        title: register.description.clone(),
        at: register.address_offset.into(),
        bits,
        more,
        fields: register.fields().map(field).collect(),
    })
}

fn field(field: &Field) -> KnownField {
    let values = field.enumerated_values.iter().flat_map(|each| &each.values);
    let meaning = |value: &svd_parser::svd::EnumeratedValue| {
        Some((value.value?, value.description.clone().unwrap_or_else(|| value.name.clone())))
    };
    KnownField {
        name: field.name.clone(),
        title: field.description.clone(),
        low: field.bit_range.lsb(),
        high: field.bit_range.msb(),
        meanings: values.filter_map(meaning).collect(),
    }
}
