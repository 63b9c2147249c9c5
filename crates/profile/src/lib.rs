// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Device profiles: what may be read of a device, what it means, and what is abnormal.
//!
//! A profile is a file in KDL 2; docs/profiles.md has the language.
#![forbid(unsafe_code)]

mod check;
mod compile;
mod decode;
mod driver;
mod expression;
mod fault;
mod library;
mod lists;
mod model;
mod names;
mod read;
mod segments;
mod skeleton;
mod svd;
mod syntax;
mod values;
mod words;

use fault::Faults;

pub use decode::{
    By, Decoded, Device, Devices, FieldValue, Finding, Number, Unread, Value, devices, text,
};
pub use driver::{driver_dump, knows_driver};
pub use expression::{Expression, Function, Reference, Unary};
pub use fault::{Fault, Position};
pub use library::{BUILT_IN, Compiled, Library};
pub use lists::from_csv;
pub use model::*;
pub use segments::Segment;
pub use svd::from_svd;
pub use syntax::SIZE_MAX;
pub use words::{class_word, match_words, space_word};

/// The profile in `text`, and its plan.
///
/// # Errors
/// What is wrong with it, in the order of the file.
pub fn compile(text: &str) -> Result<(Profile, Vec<u8>), Vec<Fault>> {
    let mut faults = Faults::new(text);
    let mut profile = read::profile(text, &mut faults);
    names::resolve(&mut profile, &mut faults);
    if faults.is_empty() {
        check::check(&profile, &mut faults);
    }
    let plan = if faults.is_empty() { compile::plan(&profile, &mut faults) } else { Vec::new() };
    if faults.is_empty() { Ok((profile, plan)) } else { Err(faults.into_vec()) }
}

/// The profile of the name `name` in a file that has `bytes`, and its plan.
///
/// # Errors
/// What is wrong with it, in the order of the file: besides what [`compile`] finds, that the
/// file is not UTF-8 and that its name is another.
pub fn compile_file(name: &str, bytes: &[u8]) -> Result<(Profile, Vec<u8>), Vec<Fault>> {
    let fault =
        |line, column, what: String| vec![Fault { position: Position { line, column }, what }];
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n');
        let column = line.clone().next_back().unwrap_or_default().utf8_chunks();
        let column = column.map(|chunk| chunk.valid().chars().count()).sum::<usize>();
        let found = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
        fault(line.count(), column + 1, format!("expected UTF-8, found the byte {found:#04x}"))
    })?;
    let (profile, plan) = compile(text)?;
    if profile.name == name {
        return Ok((profile, plan));
    }
    let found = &profile.name;
    let what = format!("expected the name of the file, {name}, as the profile's, found {found}");
    Err(fault(1, 1, what))
}
