// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the names in expressions lead to.

use std::collections::{BTreeMap, BTreeSet};

use plan::code::Fact;

use crate::expression::{Expression, Reference};
use crate::fault::Faults;
use crate::model::{Field, Item, Piece, Profile, Reading, Register, Span};

/// What is known of a device before any register is read, by its names in expressions.
const FACTS: [(&str, Fact); 20] = [
    ("vendor", Fact::Vendor),
    ("device", Fact::Device),
    ("subvendor", Fact::SubVendor),
    ("subdevice", Fact::SubDevice),
    ("class", Fact::ClassCode),
    ("revision", Fact::Revision),
    ("command", Fact::Command),
    ("msix.enabled", Fact::MsixEnabled),
    ("msi.enabled", Fact::MsiEnabled),
    ("bound", Fact::Bound),
    ("bar0.size", Fact::Bar0Size),
    ("bar1.size", Fact::Bar1Size),
    ("bar2.size", Fact::Bar2Size),
    ("bar3.size", Fact::Bar3Size),
    ("bar4.size", Fact::Bar4Size),
    ("bar5.size", Fact::Bar5Size),
    ("config.size", Fact::ConfigSize),
    ("cpu.vendor", Fact::CpuVendor),
    ("cpu.family", Fact::CpuFamily),
    ("cpu.model", Fact::CpuModel),
];

/// The name of a fact in expressions.
pub(crate) fn fact_name(fact: Fact) -> &'static str {
    FACTS.iter().find(|(_, each)| *each == fact).map_or("", |(name, _)| name)
}

impl Profile {
    /// The register that is named.
    #[must_use]
    pub fn register(&self, reference: Reference) -> Option<&Register> {
        self.blocks.get(reference.block)?.registers.get(reference.register)
    }

    /// A reference in words.
    #[must_use]
    pub fn name_of(&self, reference: Reference) -> String {
        let Some(register) = self.register(reference) else { return String::new() };
        match reference.field.and_then(|field| register.fields.get(field)) {
            Some(field) => format!("{}.{}", register.name, field.name),
            None => register.name.clone(),
        }
    }
}

/// Looks up all names of `profile`.
pub(crate) fn resolve(profile: &mut Profile, faults: &mut Faults<'_>) {
    let names = Names::new(profile, faults);
    // The names lead into what is changed.
    let layout = profile.clone();
    let mut look = |expression: &mut Expression, context: Option<usize>| {
        expression.visit_mut(&mut |each| {
            if let Expression::Name(path, span) = each {
                *each = names.find(&layout, path, context).unwrap_or_else(|what| {
                    faults.add(span, what);
                    Expression::Number(0)
                });
            }
        });
    };
    for each in &mut profile.lets {
        look(&mut each.value, None);
    }
    for item in &mut profile.items {
        if let Item::Alive(alive) = item {
            look(&mut alive.register, None);
        }
    }
    for rule in &mut profile.rules {
        look(&mut rule.when, None);
    }
    for piece in &mut profile.headline {
        if let Piece::Value(value) = piece {
            look(value, None);
        }
    }
    for (number, block) in profile.blocks.iter_mut().enumerate() {
        look(&mut block.location.at, None);
        look(&mut block.length, None);
        block.condition.iter_mut().for_each(|condition| look(condition, None));
        if let Some(array) = &mut block.array {
            look(&mut array.count, None);
            array.bits.iter_mut().for_each(|bits| look(bits, None));
        }
        for rule in &mut block.rules {
            look(&mut rule.when, Some(number));
        }
        for register in &mut block.registers {
            let own = [&mut register.condition, &mut register.points_to];
            let fields = register.fields.iter_mut().map(|field| &mut field.points_to);
            let own = own.into_iter().chain(fields).flatten();
            own.for_each(|each| look(each, Some(number)));
            if let Reading::Unless(condition) = &mut register.reading {
                look(condition, Some(number));
            }
        }
    }
}

/// What names lead to.
struct Names {
    lets: BTreeMap<String, usize>,
    blocks: BTreeMap<String, usize>,
    /// The registers of each name.
    registers: BTreeMap<String, Vec<Reference>>,
}

impl Names {
    fn new(profile: &Profile, faults: &mut Faults<'_>) -> Self {
        let mut names =
            Self { lets: BTreeMap::new(), blocks: BTreeMap::new(), registers: BTreeMap::new() };
        let mut twice = |span: &Span, what: &str, name: &str| {
            faults.add(span, format_args!("expected each {what} once, found {name} twice"));
        };
        for (number, each) in profile.lets.iter().enumerate() {
            if names.lets.insert(each.name.clone(), number).is_some() {
                twice(&each.span, "let", &each.name);
            }
        }
        let mut windows = BTreeSet::new();
        for window in &profile.windows {
            if !windows.insert(&window.name) {
                twice(&window.span, "window", &window.name);
            }
        }
        for (number, block) in profile.blocks.iter().enumerate() {
            if names.blocks.insert(block.name.clone(), number).is_some() {
                twice(&block.span, "block", &block.name);
            }
            let mut own = BTreeSet::new();
            for (register, each) in block.registers.iter().enumerate() {
                if !own.insert(&each.name) {
                    twice(&each.span, "register of a block", &each.name);
                }
                let reference = Reference { block: number, register, field: None };
                names.registers.entry(each.name.clone()).or_default().push(reference);
                let mut fields = BTreeSet::new();
                for field in each.fields.iter().filter(|field| !fields.insert(&field.name)) {
                    let name = format!("{}.{}", each.name, field.name);
                    twice(&each.span, "field of a register", &name);
                }
            }
        }
        names
    }

    /// What `path` names in the block `context`, or outside of all blocks.
    fn find(
        &self,
        profile: &Profile,
        path: &[String],
        context: Option<usize>,
    ) -> Result<Expression, String> {
        let whole = path.join(".");
        let mut found = Vec::new();
        if let [name] = path {
            let block = context.and_then(|block| profile.blocks.get(block));
            if name == "index" && block.is_some_and(|block| block.array.is_some()) {
                return Ok(Expression::Index);
            }
            found.extend(self.lets.get(name).map(|number| Expression::Let(*number)));
        }
        let fact = FACTS.iter().find(|(name, _)| *name == whole);
        found.extend(fact.map(|(_, fact)| Expression::Fact(*fact)));
        let mut values = self.values(profile, path);
        // In a block, its own registers come before those of others.
        if values.iter().any(|value| Some(value.block) == context) {
            values.retain(|value| Some(value.block) == context);
        }
        found.extend(values.iter().copied().map(Expression::Value));
        match found.as_slice() {
            [Expression::Value(value)] => {
                is_one(profile, *value, context, &whole)?;
                Ok(Expression::Value(*value))
            }
            [one] => Ok(one.clone()),
            [] => {
                let near = self.near(profile, &whole);
                let near = near.map(|near| format!(" (is it {near}?)")).unwrap_or_default();
                let expected = "expected a register, a field, a let or a fact";
                Err(format!("a name that names nothing, {expected}, found {whole}{near}"))
            }
            [_, _, ..] => {
                let name = |value: &Reference| {
                    let block = profile.blocks.get(value.block)?;
                    Some(format!("{}.{}", block.name, profile.name_of(*value)))
                };
                let mut all: Vec<_> = values.iter().filter_map(name).collect();
                if found.iter().any(|each| !matches!(each, Expression::Value(_))) {
                    all.push("another name of the let or the fact".to_owned());
                }
                Err(format!("ambiguous name, expected one of {}, found {whole}", all.join(", ")))
            }
        }
    }

    /// Registers and fields that are named so.
    fn values(&self, profile: &Profile, path: &[String]) -> Vec<Reference> {
        let registers = |name: &String| self.registers.get(name).cloned().unwrap_or_default();
        let in_block = |name: &String, values: Vec<Reference>| {
            let block = self.blocks.get(name).copied();
            values.into_iter().filter(|value| Some(value.block) == block).collect::<Vec<_>>()
        };
        let with_field = |values: Vec<Reference>, name: &String| {
            let with = |value: Reference| {
                let register = profile.register(value)?;
                let field = register.fields.iter().position(|field| field.name == *name)?;
                Some(Reference { field: Some(field), ..value })
            };
            values.into_iter().filter_map(with).collect::<Vec<_>>()
        };
        match path {
            [register] => registers(register),
            [first, second] => {
                let mut found = with_field(registers(first), second);
                found.extend(in_block(first, registers(second)));
                found
            }
            [block, register, field] => with_field(in_block(block, registers(register)), field),
            _ => Vec::new(),
        }
    }

    /// A name that differs from `name` in case or in one character.
    fn near(&self, profile: &Profile, name: &str) -> Option<String> {
        let registers = profile.blocks.iter().flat_map(|block| &block.registers);
        let all = registers.flat_map(|register| {
            let field = |field: &Field| format!("{}.{}", register.name, field.name);
            std::iter::once(register.name.clone()).chain(register.fields.iter().map(field))
        });
        let facts = FACTS.iter().map(|(name, _)| (*name).to_owned());
        let mut all = all.chain(self.lets.keys().cloned()).chain(facts);
        all.find(|other| is_near(other, name))
    }
}

/// An array has no one value.
fn is_one(
    profile: &Profile,
    value: Reference,
    context: Option<usize>,
    name: &str,
) -> Result<(), String> {
    let expected = "expected a register that is there once";
    let block = profile.blocks.get(value.block);
    if let Some(block) = block.filter(|block| block.array.is_some())
        && context != Some(value.block)
    {
        let block = &block.name;
        return Err(format!(
            "{expected}, found {name} of each element of {block}, which only block {block} can name"
        ));
    }
    if profile.register(value).is_some_and(|register| register.array.is_some()) {
        return Err(format!("{expected}, found the array {name}"));
    }
    Ok(())
}

/// Whether one character more, less or another makes one of the other, in any case.
fn is_near(first: &str, second: &str) -> bool {
    // Of two characters, another one makes anything.
    if first.len() < 3 || second.len() < 3 {
        return first.eq_ignore_ascii_case(second);
    }
    let (first, second) = (first.as_bytes(), second.as_bytes());
    let same = first.iter().zip(second).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let rest = |of: &[u8], skip: usize| of.get(same + skip..).map(<[u8]>::to_ascii_lowercase);
    let (a, b) = (rest(first, 0), rest(second, 0));
    let (after_a, after_b) = (rest(first, 1), rest(second, 1));
    a == b || after_a == b || a == after_b || (after_a.is_some() && after_a == after_b)
}
