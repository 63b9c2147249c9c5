// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Whether a profile contradicts itself, or asks for what cannot be done.

use std::collections::BTreeSet;

use plan::place::{Class, Space, Width};
use plan::plan::Kind;

use crate::expression::{Expression, Function, Reference};
use crate::fault::Faults;
use crate::model::{Alive, Area, Block, Item, Profile, Reading, Register, Rule, Span, WindowKind};

/// How many registers a block has at most, each element of an array counted.
const ELEMENTS_MAX: u64 = 1 << 16;

/// On how many blocks it may depend where another is: each is looked for by the next.
const CHAIN_MAX: usize = 8;

/// Adds what is wrong with `profile`, whose names were looked up, to `faults`.
pub(crate) fn check(profile: &Profile, faults: &mut Faults<'_>) {
    kinds(profile, faults);
    for block in &profile.blocks {
        registers(block, faults);
        place(block, faults);
    }
    order(profile, faults);
    collected(profile, faults);
    windows(profile, faults);
    for rule in profile.rules.iter().chain(profile.blocks.iter().flat_map(|block| &block.rules)) {
        depends_on_the_device(rule, faults);
    }
}

/// A profile is for devices of one kind, and reads what these have.
fn kinds(profile: &Profile, faults: &mut Faults<'_>) {
    // What drivers dump are base address registers of PCI functions.
    let first = profile.matches.first().map_or(Kind::Pci, |each| each.kind);
    if profile.matches.iter().any(|each| each.kind != first) {
        faults.add(&(0..0), "match: expected devices of one kind, found several");
    }
    let has = |area: Area| match area {
        Area::Bar(_) | Area::Capability { .. } | Area::Config => first == Kind::Pci,
        Area::Msr => first == Kind::Cpu,
        Area::Unit => matches!(first, Kind::Drhd | Kind::Ivhd),
        Area::Port | Area::Memory | Area::Window(_) => true,
    };
    let places = profile.blocks.iter().map(|block| (block.location.area, &block.span));
    let windows = profile.windows.iter().map(|window| (window.area, &window.span));
    for (_, span) in places.chain(windows).filter(|(area, _)| !has(*area)) {
        faults.add(
            span,
            "expected a space that the devices in match have, found one of another kind of device",
        );
    }
    if first != Kind::Pci && profile.items.contains(&Item::Config) {
        faults.add(&(0..0), "config: expected PCI functions in match, found others");
    }
}

/// Each register is in its block, alone, and its fields are in it.
fn registers(block: &Block, faults: &mut Faults<'_>) {
    let length = block.length.constant();
    let step = block.location.area.bytes();
    let mut places = Vec::new();
    let mut elements: u64 = 0;
    for register in &block.registers {
        fields(register, faults);
        let addresses = register.bytes().div_ceil(step);
        if block.location.area == Area::Msr && register.bits != 64 {
            faults
                .add(&register.span, "expected a model-specific register of 64 bits, found fewer");
        }
        if let Some((count, stride)) = register.array
            && (count == 0 || stride < addresses)
        {
            let what = format!(
                "an array: expected a count above 0 and a stride of {addresses:#x} at least, found \
                 {count} and {stride:#x}"
            );
            faults.add(&register.span, what);
            continue;
        }
        elements = elements.saturating_add(register.count());
        if elements > ELEMENTS_MAX {
            let what = format!("expected {ELEMENTS_MAX} registers of a block at most, found more");
            faults.add(&register.span, what);
            return;
        }
        let last = register.address(register.count().saturating_sub(1)).saturating_add(addresses);
        if let Some(length) = length.filter(|length| last > *length) {
            let what = format!(
                "{} is outside its block, expected its end at {length:#x} at most, found {last:#x}",
                register.name
            );
            faults.add(&register.span, what);
        }
        if register.condition.is_none() {
            places.extend((0..register.count()).map(|number| {
                let start = register.address(number);
                (start, start.saturating_add(addresses), register)
            }));
        }
    }
    places.sort_by_key(|(start, end, register)| (*start, *end, register.span.start));
    let mut reported = BTreeSet::new();
    for pair in places.windows(2) {
        let [(_, end, first), (start, _, second)] = pair else { continue };
        if start < end && reported.insert(second.span.start) {
            let what = format!(
                "two registers at one place, expected one at {start:#x}, found {} and {}",
                first.name, second.name
            );
            faults.add(&second.span, what);
        }
    }
}

fn fields(register: &Register, faults: &mut Faults<'_>) {
    let mut meanings = |name: &str, bits: u32, meanings: &[(u64, String)]| {
        let mut values = BTreeSet::new();
        for (value, _) in meanings {
            if value.checked_shr(bits).unwrap_or(0) != 0 {
                let what = format!("{name}: expected values of {bits} bits, found {value:#x}");
                faults.add(&register.span, what);
            }
            if !values.insert(value) {
                let what = format!("{name}: expected each value once, found {value:#x} twice");
                faults.add(&register.span, what);
            }
        }
    };
    meanings(&register.name, register.bits, &register.meanings);
    for field in &register.fields {
        let bits = field.high.saturating_sub(field.low).saturating_add(1);
        meanings(&format!("{}.{}", register.name, field.name), bits, &field.meanings);
    }
    for field in register.fields.iter().filter(|field| field.high >= register.bits) {
        let what = format!(
            "{}.{} is outside its register, expected bits up to {}, found {}",
            register.name,
            field.name,
            register.bits.saturating_sub(1),
            field.high
        );
        faults.add(&register.span, what);
    }
}

/// A block is in its space, and what is constant of its place is aligned.
fn place(block: &Block, faults: &mut Faults<'_>) {
    let span = &block.span;
    let area = block.location.area;
    let space_end = match area {
        Area::Config | Area::Capability { .. } => 1 << 12,
        Area::Port => 1 << 16,
        Area::Msr => 1 << 32,
        _ => u64::MAX,
    };
    let at = block.location.at.constant();
    let length = block.length.constant();
    let end = at.unwrap_or(0).saturating_add(length.unwrap_or(0));
    if end > space_end {
        let what = format!("expected the block's end at {space_end:#x} at most, found {end:#x}");
        faults.add(span, what);
    }
    if length == Some(0) {
        faults.add(span, "expected a length above 0, found 0");
    }
    let array = block.array.as_ref();
    if let (Some(array), Some(length)) = (array, length)
        && array.stride < length
    {
        let what = format!(
            "expected a stride of the block's length, {length:#x}, at least, found {:#x}",
            array.stride
        );
        faults.add(span, what);
    }
    if block.is_view {
        for (what, wrong) in [
            ("class=", block.class != Class::Pure && !matches!(area, Area::Window(_))),
            ("retry-zero=", block.retry_zero),
        ] {
            if wrong {
                faults.add(span, format_args!("a view is not read, expected no {what}, found it"));
            }
        }
        return;
    }
    let width = u64::from(block.width.bytes());
    let is_wide = block.width == Width::W64;
    match area {
        Area::Msr if !is_wide => {
            faults.add(span, "expected width=64 of model-specific registers, found another");
        }
        Area::Msr => return,
        Area::Config | Area::Capability { .. } | Area::Port if is_wide => {
            let what = "expected width=8, 16 or 32 of configuration space and ports, found 64";
            faults.add(span, what);
        }
        _ => {}
    }
    for (what, found) in [("at", at), ("len", length), ("stride", array.map(|array| array.stride))]
    {
        if let Some(found) = found.filter(|found| !found.is_multiple_of(width)) {
            let what = format!("{what}: expected a multiple of {width} bytes, found {found:#x}");
            faults.add(span, what);
        }
    }
}

/// Where blocks are and what is computed does not depend on itself, nor on what is computed
/// after it.
fn order(profile: &Profile, faults: &mut Faults<'_>) {
    let mut has_circle = false;
    let blocks = profile.blocks.iter().enumerate().map(|(number, block)| {
        let what = "where it is, or whether it is there";
        (Node::Block(number), found_by(block), &block.span, &block.name, what)
    });
    let lets = profile.lets.iter().enumerate().map(|(number, each)| {
        (Node::Let(number), vec![&each.value], &each.span, &each.name, "its value")
    });
    for (node, expressions, span, name, what) in blocks.chain(lets) {
        let all = reached(profile, expressions);
        let blocks = all.iter().filter(|node| matches!(node, Node::Block(_))).count();
        if blocks > CHAIN_MAX {
            let what = format!(
                "{name}: expected {CHAIN_MAX} blocks at most on which it depends, found {blocks}"
            );
            faults.add(span, what);
        }
        if all.contains(&node) {
            has_circle = true;
            let expected = "expected what does not depend on itself";
            faults.add(span, format_args!("{name}: {expected}, found a circle: {what}"));
        }
    }
    if has_circle {
        return;
    }
    let mut known = BTreeSet::new();
    for item in &profile.items {
        let Some((span, expressions)) = of_item(profile, item) else { continue };
        let needed = reached(profile, expressions);
        for late in needed {
            if let Node::Let(number) = late
                && !known.contains(&number)
                && let Some(each) = profile.lets.get(number)
            {
                let what = format!("expected a let that stands before this, found {}", each.name);
                faults.add(span, what);
            }
        }
        if let Item::Let(number) = item {
            known.insert(*number);
        }
    }
}

/// Where an item stands, and what has to be known for it.
fn of_item<'p>(profile: &'p Profile, item: &'p Item) -> Option<(&'p Span, Vec<&'p Expression>)> {
    Some(match item {
        Item::Config => return None,
        Item::Alive(alive) => (&alive.span, vec![&alive.register]),
        Item::Let(number) => {
            let each = profile.lets.get(*number)?;
            (&each.span, vec![&each.value])
        }
        Item::Block(number) => {
            let block = profile.blocks.get(*number)?;
            (&block.span, of_block(block))
        }
    })
}

/// What has to be known to find and read a block.
fn of_block(block: &Block) -> Vec<&Expression> {
    let mut all = vec![&block.location.at, &block.length];
    all.extend(&block.condition);
    if let Some(array) = &block.array {
        all.push(&array.count);
        all.extend(&array.bits);
    }
    all.extend(block.registers.iter().filter_map(|register| match &register.reading {
        Reading::Unless(condition) => Some(condition),
        _ => None,
    }));
    all
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    /// Where a block is.
    Block(usize),
    /// What a let is.
    Let(usize),
}

/// What has to be known to read a register of a block: where it is, and of a block that is
/// read, whether it is there.
fn found_by(block: &Block) -> Vec<&Expression> {
    let condition = block.condition.as_ref().filter(|_| !block.is_view);
    std::iter::once(&block.location.at).chain(condition).collect()
}

/// All that `expressions` need, and that needs, and so on.
fn reached<'p>(profile: &'p Profile, expressions: Vec<&'p Expression>) -> BTreeSet<Node> {
    let mut reached = BTreeSet::new();
    let mut left = expressions;
    while let Some(next) = left.pop() {
        next.visit(&mut |each| {
            let node = match each {
                Expression::Value(value) => Node::Block(value.block),
                Expression::Let(number) => Node::Let(*number),
                _ => return,
            };
            if reached.insert(node) {
                match node {
                    Node::Block(number) => {
                        left.extend(profile.blocks.get(number).into_iter().flat_map(found_by));
                    }
                    Node::Let(number) => {
                        left.extend(profile.lets.get(number).map(|each| &each.value));
                    }
                }
            }
        });
    }
    reached
}

/// What decides what is read can be read when it is asked for.
fn collected(profile: &Profile, faults: &mut Faults<'_>) {
    for item in &profile.items {
        let Some((span, expressions)) = of_item(profile, item) else { continue };
        let is_view = matches!(item, Item::Block(number)
            if profile.blocks.get(*number).is_some_and(|block| block.is_view));
        for expression in expressions {
            expression.visit(&mut |each| {
                let what = match each {
                    Expression::Value(value) if !is_view => readable(profile, *value).err(),
                    Expression::Call(function, arguments) => literal(*function, arguments).err(),
                    _ => None,
                };
                if let Some(what) = what {
                    faults.add(span, what);
                }
            });
        }
        if let Item::Alive(each) = item {
            alive(profile, each, faults);
        }
    }
}

fn alive(profile: &Profile, alive: &Alive, faults: &mut Faults<'_>) {
    let Expression::Value(reference @ Reference { field: None, .. }) = alive.register else {
        faults.add(&alive.span, "alive: expected a register, found something else");
        return;
    };
    let bits = profile.register(reference).map_or(64, |register| register.bits);
    let block = profile.blocks.get(reference.block);
    let width = block.map_or(0, |block| u32::from(block.width.bytes()) * 8);
    if alive.dead.checked_shr(bits).unwrap_or(0) != 0 {
        let what = format!("dead: expected {bits} bits, found {:#x}", alive.dead);
        faults.add(&alive.span, what);
    }
    if bits != width {
        let what = format!(
            "alive: expected a register of {width} bits, which its block is read by, found {bits}"
        );
        faults.add(&alive.span, what);
    }
    if block.is_some_and(|block| block.class != Class::Pure) {
        faults.add(&alive.span, "alive: expected a block of class pure, found another");
    }
}

/// Whether a register can be read to decide what else is.
fn readable(profile: &Profile, value: Reference) -> Result<(), String> {
    let (Some(block), Some(register)) = (profile.blocks.get(value.block), profile.register(value))
    else {
        return Ok(());
    };
    let why = match register.reading {
        _ if is_indexed(profile, block) => "which is reached by index and data registers",
        _ if block.class == Class::Clears => "of a block of class clears",
        Reading::Skipped => "which is not read",
        Reading::Changes => "which changes when it is read",
        Reading::Instead(_) | Reading::Plain | Reading::Unless(_) => return Ok(()),
    };
    let name = &register.name;
    Err(format!("expected a register that can be read at any time, found {name}, {why}"))
}

fn is_indexed(profile: &Profile, block: &Block) -> bool {
    let Area::Window(number) = block.location.area else { return false };
    let window = profile.windows.get(number);
    window.is_some_and(|window| matches!(window.kind, WindowKind::Indexed { .. }))
}

/// Ids of capabilities are known when a profile is compiled.
fn literal(function: Function, arguments: &[Expression]) -> Result<(), String> {
    let needs_id =
        matches!(function, Function::Capability | Function::Extended | Function::NextCapability);
    match arguments.first().and_then(Expression::constant) {
        Some(0..=0xffff) => Ok(()),
        _ if !needs_id => Ok(()),
        _ => Err("expected the id of a capability as a number, found something else".to_owned()),
    }
}

/// Addresses in a window are compared with `never` here, and nowhere else: they must be known.
fn windows(profile: &Profile, faults: &mut Faults<'_>) {
    for (number, window) in profile.windows.iter().enumerate() {
        let is_own = |space, index: u8| space == Space::Window && usize::from(index) == number;
        if !profile.nevers.iter().any(|(never, _)| is_own(never.space, never.index)) {
            continue;
        }
        for block in profile.blocks.iter().filter(|b| b.location.area == Area::Window(number)) {
            let count = block.array.as_ref().map_or(Some(1), |array| array.count.constant());
            let all = [block.location.at.constant(), block.length.constant(), count];
            if all.contains(&None) {
                let what = format!(
                    "expected constants, since some of window {} is never to be read, found a \
                     computed address, length or count",
                    window.name
                );
                faults.add(&block.span, what);
            }
        }
    }
}

/// A rule that depends on nothing says nothing.
fn depends_on_the_device(rule: &Rule, faults: &mut Faults<'_>) {
    if let Some(value) = rule.when.constant() {
        let what = format!("a rule: expected what depends on the device, found always {value}");
        faults.add(&rule.span, what);
    }
}
