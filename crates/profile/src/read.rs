// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! From KDL to a profile, whose names are not looked up yet.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use kdl::{KdlDocument, KdlEntry, KdlNode, KdlValue};
use plan::place::{Class, Space, Width};
use plan::plan::{Kind, Match, NAME_SIZE, Never};
use sha2::{Digest, Sha256};

use crate::expression::Expression;
use crate::fault::Faults;
use crate::model::{
    Alive, Area, Array, Block, DriverDump, Field, Item, Let, Location, Piece, Profile, Reading,
    Register, Rule, Severity, Span, Window, WindowKind,
};
use crate::syntax;

/// How many blocks and views a profile has at most: their numbers have eight bits.
const BLOCKS_MAX: usize = 200;
/// How many registers a block has at most.
const REGISTERS_MAX: usize = 8192;
/// How many elements a register array has at most.
const ELEMENTS_MAX: u64 = 4096;
/// How many values are computed at most.
const LETS_MAX: usize = 16;
/// How many ranges are never read at most, and how many devices a profile is for.
const MATCHES_MAX: usize = 4096;

/// How much of what is no KDL is shown, in characters.
const FOUND_SHOWN: usize = 20;

/// The profile in `text`; without faults, if none were found.
pub(crate) fn profile(text: &str, faults: &mut Faults<'_>) -> Profile {
    let mut reader = Reader { text, faults, layouts: BTreeMap::new(), insteads: Vec::new() };
    let mut profile = empty(text);
    if let Some((span, what)) = syntax::refused(text) {
        reader.faults.add(&span, what);
        return profile;
    }
    match KdlDocument::parse_v2(text) {
        Ok(document) => reader.document(&document, &mut profile),
        Err(error) => {
            for diagnostic in &error.diagnostics {
                let at = diagnostic.span.offset();
                let message = diagnostic.message.as_deref().unwrap_or("Expected KDL");
                let message = message.trim_end_matches('.').to_lowercase();
                let found = text.get(at..).and_then(|rest| rest.lines().next());
                let found: String = found.unwrap_or_default().chars().take(FOUND_SHOWN).collect();
                let found = if found.is_empty() { "the end of the line" } else { &found };
                reader.add(&(at..at), format_args!("no KDL 2: {message}, found {found}"));
            }
            if error.diagnostics.is_empty() {
                reader.faults.add(&(0..0), "expected KDL, found something else");
            }
        }
    }
    profile
}

fn empty(text: &str) -> Profile {
    Profile {
        name: String::new(),
        version: 0,
        title: String::new(),
        digest: Sha256::digest(text.as_bytes()).into(),
        sources: Vec::new(),
        matches: Vec::new(),
        dumps: Vec::new(),
        items: Vec::new(),
        lets: Vec::new(),
        blocks: Vec::new(),
        windows: Vec::new(),
        nevers: Vec::new(),
        rules: Vec::new(),
        headline: Vec::new(),
    }
}

/// The layout of a block, whose location is elsewhere.
struct Layout {
    span: Span,
    registers: Vec<Register>,
    rules: Vec<Rule>,
}

struct Reader<'a, 'f> {
    text: &'a str,
    faults: &'a mut Faults<'f>,
    layouts: BTreeMap<String, Layout>,
    /// Registers that are read instead of others: the block, the register, and the name.
    insteads: Vec<(String, usize, String, Span)>,
}

/// What stands in a node besides its children.
struct Entries<'k> {
    node: &'k KdlNode,
    /// Those without a name.
    arguments: Vec<&'k KdlEntry>,
    properties: BTreeMap<&'k str, &'k KdlEntry>,
}

fn entry_span(entry: &KdlEntry) -> Span {
    let span = entry.span();
    span.offset()..span.offset().saturating_add(span.len())
}

/// Where the name of a node stands.
fn node_span(node: &KdlNode) -> Span {
    let span = node.name().span();
    span.offset()..span.offset().saturating_add(span.len())
}

/// What a value is, in words.
fn shown(value: &KdlValue) -> String {
    match value {
        KdlValue::String(text) => format!("\"{text}\""),
        KdlValue::Integer(number) => number.to_string(),
        KdlValue::Float(number) => number.to_string(),
        KdlValue::Bool(value) => format!("#{value}"),
        KdlValue::Null => "#null".to_owned(),
    }
}

fn nodes(of: &KdlNode) -> &[KdlNode] {
    of.children().map(KdlDocument::nodes).unwrap_or_default()
}

const LOCATION: [&str; 6] = ["bar", "cap", "ecap", "space", "window", "at"];
const BLOCK: [&str; 15] = [
    "bar",
    "cap",
    "ecap",
    "space",
    "window",
    "at",
    "len",
    "width",
    "order",
    "if",
    "count",
    "stride",
    "bits",
    "class",
    "retry-zero",
];

impl<'k> Reader<'_, '_> {
    fn add(&mut self, span: &Range<usize>, what: impl std::fmt::Display) {
        self.faults.add(span, what);
    }

    /// What stands in `node`, whose properties are among `known`.
    fn entries(&mut self, node: &'k KdlNode, known: &[&str]) -> Entries<'k> {
        let mut entries = Entries { node, arguments: Vec::new(), properties: BTreeMap::new() };
        for entry in node.entries() {
            let Some(name) = entry.name().map(kdl::KdlIdentifier::value) else {
                entries.arguments.push(entry);
                continue;
            };
            let node_name = node.name().value();
            if !known.contains(&name) {
                let expected = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let what =
                    format!("unknown property of {node_name}, expected {expected}, found {name}");
                self.add(&entry_span(entry), what);
            } else if entries.properties.insert(name, entry).is_some() {
                let what = format!("expected the property once, found {name} twice");
                self.add(&entry_span(entry), what);
            }
        }
        entries
    }

    fn no_children(&mut self, node: &KdlNode) {
        for child in nodes(node) {
            self.unknown(child, &format!("in {}", node.name().value()), "nothing");
        }
    }

    fn unknown(&mut self, node: &KdlNode, place: &str, expected: &str) {
        let name = node.name().value();
        self.add(
            &node_span(node),
            format_args!("unknown node {place}, expected {expected}, found {name}"),
        );
    }

    /// The arguments, of which there are `least` to `most`.
    fn arguments(&mut self, entries: &Entries<'k>, least: usize, most: usize, what: &str) -> bool {
        let found = entries.arguments.len();
        if (least..=most).contains(&found) {
            return true;
        }
        let name = entries.node.name().value();
        let span = match entries.arguments.get(most) {
            Some(entry) => entry_span(entry),
            None => node_span(entries.node),
        };
        self.add(&span, format_args!("{name}: expected {what}, found {found} values"));
        false
    }

    fn text_of(&mut self, entry: &KdlEntry) -> Option<String> {
        match entry.value() {
            KdlValue::String(text) => Some(text.clone()),
            other => {
                self.add(&entry_span(entry), format_args!("expected text, found {}", shown(other)));
                None
            }
        }
    }

    /// A number from 0 to `most`.
    fn number_of(&mut self, entry: &KdlEntry, most: u64) -> Option<u64> {
        let found = match entry.value() {
            KdlValue::Integer(number) => {
                u64::try_from(*number).ok().filter(|number| *number <= most)
            }
            _ => None,
        };
        if found.is_none() {
            let value = shown(entry.value());
            self.add(
                &entry_span(entry),
                format_args!("expected a number up to {most:#x}, found {value}"),
            );
        }
        found
    }

    fn text(&mut self, entries: &Entries<'k>, name: &str) -> Option<String> {
        let entry = *entries.properties.get(name)?;
        self.text_of(entry)
    }

    fn number(&mut self, entries: &Entries<'k>, name: &str, most: u64) -> Option<u64> {
        let entry = *entries.properties.get(name)?;
        self.number_of(entry, most)
    }

    /// The same of a property that must be there; 0 where it is not.
    fn needed(&mut self, entries: &Entries<'k>, name: &str, most: u64) -> u64 {
        self.must_have(entries, name);
        self.number(entries, name, most).unwrap_or(0)
    }

    fn must_have(&mut self, entries: &Entries<'k>, name: &str) {
        if !entries.properties.contains_key(name) {
            let node = entries.node.name().value();
            self.add(
                &node_span(entries.node),
                format_args!("expected the property {name}= of {node}, found none"),
            );
        }
    }

    fn flag(&mut self, entries: &Entries<'k>, name: &str) -> bool {
        match entries.properties.get(name).map(|entry| (entry, entry.value())) {
            None => false,
            Some((_, KdlValue::Bool(value))) => *value,
            Some((entry, other)) => {
                let what = format!("expected #true or #false, found {}", shown(other));
                self.add(&entry_span(entry), what);
                false
            }
        }
    }

    /// One of few words.
    fn one_of<T: Copy>(
        &mut self,
        entries: &Entries<'k>,
        name: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let entry = *entries.properties.get(name)?;
        let text = self.text_of(entry)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let what = format!("{name}: expected {}, found {text}", words.join(" or "));
            self.add(&entry_span(entry), what);
        }
        found
    }

    fn expression(&mut self, entries: &Entries<'k>, name: &str) -> Option<Expression> {
        let entry = *entries.properties.get(name)?;
        self.expression_of(entry)
    }

    /// A number, or an expression in text.
    fn expression_of(&mut self, entry: &KdlEntry) -> Option<Expression> {
        let span = entry_span(entry);
        let text = match entry.value() {
            KdlValue::Integer(_) => {
                return self.number_of(entry, u64::MAX).map(Expression::Number);
            }
            KdlValue::String(text) => text,
            other => {
                let what = format!("expected an expression, found {}", shown(other));
                self.add(&span, what);
                return None;
            }
        };
        // Where the text starts: it is at the end of the entry, with its quote. With escapes
        // in it, columns in it are near what they are about.
        let written = self.text.get(span.clone()).unwrap_or_default();
        let quoted = written.ends_with('"');
        let start = span.end.saturating_sub(text.len() + usize::from(quoted)).max(span.start);
        match Expression::parse(text, start) {
            Ok(expression) => Some(expression),
            Err((span, what)) => {
                self.add(&span, what);
                None
            }
        }
    }

    fn needed_expression(&mut self, entries: &Entries<'k>, name: &str) -> Expression {
        self.must_have(entries, name);
        self.expression(entries, name).unwrap_or(Expression::Number(0))
    }

    /// The name that is the first argument of a node, if it is one that others can name.
    fn name(&mut self, entries: &Entries<'k>, dash: bool) -> String {
        let Some(entry) = entries.arguments.first() else { return String::new() };
        let Some(name) = self.text_of(entry) else { return String::new() };
        let is_name = if dash {
            crate::expression::is_name(&name.replace('-', "_"))
        } else {
            crate::expression::is_name(&name)
        };
        if !is_name {
            let what = format!("expected a name of letters, digits and _, found {name}");
            self.add(&entry_span(entry), what);
        }
        name
    }

    fn document(&mut self, document: &'k KdlDocument, profile: &mut Profile) {
        let mut has_profile = false;
        let mut collects = 0;
        for node in document.nodes() {
            match node.name().value() {
                "profile" if !has_profile => {
                    has_profile = true;
                    self.about(node, profile);
                }
                "source" => {
                    let entries = self.entries(node, &[]);
                    self.arguments(&entries, 1, usize::MAX, "texts");
                    let texts = entries.arguments.iter().filter_map(|entry| self.text_of(entry));
                    profile.sources.extend(texts);
                    self.no_children(node);
                }
                "match" => self.matches(node, profile),
                "collect" => {
                    collects += 1;
                    if collects > 1 {
                        self.add(&node_span(node), "expected collect once, found it twice");
                    }
                    self.windows(node, profile);
                    self.collect(node, profile);
                }
                "block" => self.layout(node),
                "abnormal" => {
                    let rule = self.rule(node);
                    profile.rules.extend(rule);
                }
                "headline" => self.headline(node, profile),
                _ => self.unknown(
                    node,
                    "of a profile",
                    "profile (once), source, match, collect, block, abnormal or headline",
                ),
            }
        }
        for (is_there, what) in [
            (has_profile, "profile NAME version=N"),
            (!profile.sources.is_empty() || !has_profile, "source, where its facts are from"),
            (
                !profile.matches.is_empty() || !profile.dumps.is_empty() || !has_profile,
                "match, with a device or a dump in it",
            ),
            (collects > 0 || !has_profile, "collect"),
        ] {
            if !is_there {
                self.add(&(0..0), format_args!("expected {what}, found none"));
            }
        }
        self.join(profile);
    }

    fn about(&mut self, node: &'k KdlNode, profile: &mut Profile) {
        let entries = self.entries(node, &["version", "title"]);
        self.arguments(&entries, 1, 1, "a name");
        self.no_children(node);
        if let Some(entry) = entries.arguments.first() {
            profile.name = self.text_of(entry).unwrap_or_default();
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let name = &profile.name;
            if name.is_empty() || name.len() >= NAME_SIZE || !name.chars().all(allowed) {
                let what = format!(
                    "expected a name of 1 to {} of a to z, 0 to 9 and -, found {name}",
                    NAME_SIZE - 1
                );
                self.add(&entry_span(entry), what);
            }
        }
        profile.version = self.needed(&entries, "version", u32::MAX.into()) as u32;
        profile.title = self.text(&entries, "title").unwrap_or_default();
    }

    fn matches(&mut self, node: &'k KdlNode, profile: &mut Profile) {
        let entries = self.entries(node, &[]);
        self.arguments(&entries, 0, 0, "no value");
        for child in nodes(node) {
            match child.name().value() {
                "pci" => self.pci(child, profile),
                "cpu" => {
                    let entries = self.entries(child, &["vendor"]);
                    self.arguments(&entries, 0, 0, "vendor= alone");
                    self.no_children(child);
                    let vendors = [("intel", 1), ("amd", 2)];
                    let vendor = self.one_of(&entries, "vendor", &vendors);
                    profile.matches.push(Match { vendor, ..Match::any(Kind::Cpu) });
                }
                name @ ("drhd" | "ivhd") => {
                    let entries = self.entries(child, &[]);
                    self.arguments(&entries, 0, 0, "no value");
                    self.no_children(child);
                    let kind = if name == "drhd" { Kind::Drhd } else { Kind::Ivhd };
                    profile.matches.push(Match::any(kind));
                }
                "dump" => {
                    let entries = self.entries(child, &["bar", "at"]);
                    self.arguments(&entries, 1, 1, "a driver");
                    self.no_children(child);
                    let driver = entries.arguments.first().and_then(|entry| self.text_of(entry));
                    let bar = self.needed(&entries, "bar", 5) as u8;
                    let at = self.number(&entries, "at", u32::MAX.into()).unwrap_or(0);
                    profile.dumps.extend(driver.map(|driver| DriverDump { driver, bar, at }));
                }
                _ => self.unknown(child, "in match", "pci, cpu, drhd, ivhd or dump"),
            }
        }
        if profile.matches.len() > MATCHES_MAX {
            profile.matches.truncate(MATCHES_MAX);
            let what = format!("expected {MATCHES_MAX} devices at most, found more");
            self.add(&node_span(node), what);
        }
    }

    fn pci(&mut self, node: &'k KdlNode, profile: &mut Profile) {
        const KNOWN: [&str; 6] =
            ["vendor", "device", "subvendor", "subdevice", "class", "class-mask"];
        let entries = self.entries(node, &KNOWN);
        self.arguments(&entries, 0, 0, "properties alone");
        let mut id = |name| self.number(&entries, name, 0xffff).map(|id| id as u16);
        let mut found = Match {
            vendor: id("vendor"),
            device: id("device"),
            sub_vendor: id("subvendor"),
            sub_device: id("subdevice"),
            ..Match::any(Kind::Pci)
        };
        let class = self.number(&entries, "class", 0xff_ffff);
        let mask = self.number(&entries, "class-mask", 0xff_ffff);
        if class.is_none() && mask.is_some() {
            self.must_have(&entries, "class");
        }
        found.class = class.unwrap_or(0) as u32;
        found.class_mask = class.map_or(0, |_| mask.unwrap_or(0xff_ffff)) as u32;
        if entries.properties.is_empty() {
            let what = "pci: expected vendor=, device= or class= (class=0 class-mask=0 is every \
                        function), found none";
            self.add(&node_span(node), what);
        }
        if nodes(node).is_empty() {
            profile.matches.push(found);
        }
        for child in nodes(node) {
            if child.name().value() != "device" {
                self.unknown(child, "in pci", "device");
                continue;
            }
            let ids = self.entries(child, &[]);
            self.arguments(&ids, 1, usize::MAX, "ids");
            self.no_children(child);
            for entry in ids.arguments {
                let device = self.number_of(entry, 0xffff).map(|id| id as u16);
                profile.matches.push(Match { device, ..found });
            }
        }
    }

    fn area(&mut self, entries: &Entries<'k>, profile: &Profile) -> Option<Area> {
        let mut areas = Vec::new();
        for name in LOCATION {
            let Some(entry) = entries.properties.get(name).copied().filter(|_| name != "at") else {
                continue;
            };
            let area = match name {
                "bar" => self.number_of(entry, 5).map(|bar| Area::Bar(bar as u8)),
                "cap" => self
                    .number_of(entry, 0xff)
                    .map(|id| Area::Capability { id: id as u16, extended: false }),
                "ecap" => self
                    .number_of(entry, 0xffff)
                    .map(|id| Area::Capability { id: id as u16, extended: true }),
                "space" => self.one_of(entries, "space", &SPACES),
                _ => self.text_of(entry).and_then(|name| {
                    let found = profile.windows.iter().position(|window| window.name == name);
                    if found.is_none() {
                        let what =
                            format!("expected the name of a window of collect, found {name}");
                        self.add(&entry_span(entry), what);
                    }
                    found.map(Area::Window)
                }),
            };
            areas.push((area, entry));
        }
        match areas.as_slice() {
            [(area, _)] => *area,
            [] => {
                let name = entries.node.name().value();
                let what =
                    format!("{name}: expected bar=, cap=, ecap=, space= or window=, found none");
                self.add(&node_span(entries.node), what);
                None
            }
            [_, (_, second), ..] => {
                let what = "expected one of bar=, cap=, ecap=, space= and window=, found several";
                self.add(&entry_span(second), what);
                None
            }
        }
    }

    /// Windows are named by what stands before and after them.
    fn windows(&mut self, node: &'k KdlNode, profile: &mut Profile) {
        const KNOWN: [&str; 14] = [
            "bar",
            "space",
            "base-at",
            "base-mask",
            "at",
            "len",
            "index-at",
            "data-at",
            "width",
            "lock-at",
            "lock-bit",
            "done-at",
            "done-bit",
            "timeout-ms",
        ];
        for child in nodes(node).iter().filter(|child| child.name().value() == "window") {
            let entries = self.entries(child, &KNOWN);
            self.arguments(&entries, 1, 1, "a name");
            self.no_children(child);
            let name = self.name(&entries, true);
            let Some(area) = self.area(&entries, profile) else { continue };
            if !matches!(area, Area::Bar(_) | Area::Config | Area::Port) {
                let what = "a window: expected bar=, space=config or space=port, found another";
                self.add(&node_span(child), what);
            }
            let kind = if entries.properties.contains_key("base-at") {
                self.paged(&entries)
            } else {
                self.indexed(&entries)
            };
            profile.windows.push(Window { name, span: node_span(child), area, kind });
        }
    }

    fn paged(&mut self, entries: &Entries<'k>) -> WindowKind {
        for name in ["index-at", "data-at", "lock-at", "done-at"] {
            if let Some(entry) = entries.properties.get(name) {
                let what = format!("a window with base-at=: expected no {name}=, found it");
                self.add(&entry_span(entry), what);
            }
        }
        let length = self.needed(entries, "len", 1 << 30);
        let base_mask = self.needed(entries, "base-mask", u32::MAX.into());
        if !length.is_power_of_two() || base_mask & length.wrapping_sub(1) != 0 {
            let what = format!(
                "expected len= to be a power of two whose bits base-mask= has not, found {length:#x} \
                 and {base_mask:#x}"
            );
            self.add(&node_span(entries.node), what);
        }
        WindowKind::Paged {
            base_at: self.needed(entries, "base-at", u64::MAX),
            base_mask,
            at: self.needed(entries, "at", u64::MAX),
            length: length.max(1),
        }
    }

    fn indexed(&mut self, entries: &Entries<'k>) -> WindowKind {
        let bit = |reader: &mut Self, at: &str, bit: &str| {
            let address = reader.number(entries, at, u64::MAX);
            if address.is_some() || entries.properties.contains_key(bit) {
                reader.must_have(entries, at);
                return Some((address?, reader.needed(entries, bit, 63) as u8));
            }
            None
        };
        let lock = bit(self, "lock-at", "lock-bit");
        let done = bit(self, "done-at", "done-bit");
        let timeout = self.number(entries, "timeout-ms", 1000).unwrap_or(10) as u16;
        WindowKind::Indexed {
            index_at: self.needed(entries, "index-at", u64::MAX),
            data_at: self.needed(entries, "data-at", u64::MAX),
            width: self.one_width(entries),
            lock,
            done: done.map(|(at, bit)| (at, bit, timeout)),
        }
    }

    fn one_width(&mut self, entries: &Entries<'k>) -> Width {
        self.bits(entries, "width").unwrap_or(Width::W32)
    }

    fn bits(&mut self, entries: &Entries<'k>, name: &str) -> Option<Width> {
        let entry = *entries.properties.get(name)?;
        let bits = self.number_of(entry, 64)?;
        let width =
            u8::try_from(bits / 8).ok().filter(|_| bits % 8 == 0).and_then(Width::from_bytes);
        if width.is_none() {
            let what = format!("{name}: expected 8, 16, 32 or 64, found {bits}");
            self.add(&entry_span(entry), what);
        }
        width
    }

    fn big(&mut self, entries: &Entries<'k>) -> Option<bool> {
        self.one_of(entries, "order", &[("big", true), ("little", false)])
    }

    fn retry(&mut self, entries: &Entries<'k>) -> bool {
        // The interpreter has one number for all.
        self.number(entries, "retry-zero", 3).is_some_and(|times| times > 0)
    }

    fn collect(&mut self, node: &'k KdlNode, profile: &mut Profile) {
        let entries = self.entries(node, &[]);
        self.arguments(&entries, 0, 0, "no value");
        for child in nodes(node) {
            match child.name().value() {
                "window" => {}
                "config" if profile.items.contains(&Item::Config) => {
                    self.add(&node_span(child), "expected config once, found it twice");
                }
                "config" => {
                    let entries = self.entries(child, &[]);
                    self.arguments(&entries, 0, 0, "no value");
                    self.no_children(child);
                    profile.items.push(Item::Config);
                }
                "alive" => self.alive(child, profile),
                "let" => {
                    let entries = self.entries(child, &[]);
                    self.no_children(child);
                    if !self.arguments(&entries, 2, 2, "a name and an expression") {
                        continue;
                    }
                    let name = self.name(&entries, false);
                    let value =
                        entries.arguments.get(1).and_then(|entry| self.expression_of(entry));
                    let value = value.unwrap_or(Expression::Number(0));
                    profile.items.push(Item::Let(profile.lets.len()));
                    profile.lets.push(Let { name, value, span: node_span(child) });
                }
                "block" | "view" => {
                    if let Some(block) = self.block(child, profile) {
                        profile.items.push(Item::Block(profile.blocks.len()));
                        profile.blocks.push(block);
                    }
                }
                "never" => self.never(child, profile),
                _ => self.unknown(
                    child,
                    "in collect",
                    "config, alive, let, block, view, window or never",
                ),
            }
        }
        for (found, most, what) in [
            (profile.blocks.len(), BLOCKS_MAX, "blocks and views"),
            (profile.lets.len(), LETS_MAX, "let"),
            (profile.nevers.len(), MATCHES_MAX, "never"),
        ] {
            if found > most {
                let what = format!("expected {most} of {what} at most, found {found}");
                self.add(&node_span(node), what);
            }
        }
    }

    fn alive(&mut self, node: &'k KdlNode, profile: &mut Profile) {
        let entries = self.entries(node, &["dead"]);
        self.no_children(node);
        if !self.arguments(&entries, 1, 1, "a register") {
            return;
        }
        let dead = self.needed(&entries, "dead", u64::MAX);
        let register = entries.arguments.first().and_then(|entry| self.expression_of(entry));
        if let Some(register) = register {
            profile.items.push(Item::Alive(Alive { register, dead, span: node_span(node) }));
        }
    }

    fn block(&mut self, node: &'k KdlNode, profile: &Profile) -> Option<Block> {
        let is_view = node.name().value() == "view";
        let entries = self.entries(node, &BLOCK);
        self.arguments(&entries, 1, 1, "a name");
        self.no_children(node);
        let name = self.name(&entries, true);
        let area = self.area(&entries, profile);
        let at = self.expression(&entries, "at").unwrap_or(Expression::Number(0));
        let length = self.needed_expression(&entries, "len");
        let count = self.expression(&entries, "count");
        let stride = self.number(&entries, "stride", 1 << 30);
        let bits = self.expression(&entries, "bits");
        let array = match (count, stride) {
            (Some(count), Some(stride)) => Some(Array { count, stride, bits }),
            (None, None) if bits.is_none() => None,
            _ => {
                let what = "an array: expected count= and stride=, found one without the other";
                self.add(&node_span(node), what);
                None
            }
        };
        let area = area?;
        let default = match area {
            Area::Msr => Width::W64,
            _ => Width::W32,
        };
        let classes =
            [("pure", Class::Pure), ("touches", Class::Touches), ("clears", Class::Clears)];
        let class = self.one_of(&entries, "class", &classes);
        if matches!(area, Area::Window(_)) && class == Some(Class::Pure) {
            let what = "a block in a window: expected class=touches or clears, found pure";
            self.add(&node_span(node), what);
        }
        let by_window = if matches!(area, Area::Window(_)) { Class::Touches } else { Class::Pure };
        Some(Block {
            name,
            span: node_span(node),
            is_view,
            location: Location { area, at },
            length,
            width: self.bits(&entries, "width").unwrap_or(default),
            big: self.big(&entries).unwrap_or(false),
            condition: self.expression(&entries, "if"),
            array,
            class: class.unwrap_or(by_window),
            retry_zero: self.retry(&entries),
            registers: Vec::new(),
            rules: Vec::new(),
        })
    }

    fn never(&mut self, node: &'k KdlNode, profile: &mut Profile) {
        let known: Vec<_> = LOCATION.into_iter().chain(["len", "why"]).collect();
        let entries = self.entries(node, &known);
        self.arguments(&entries, 0, 0, "properties alone");
        self.no_children(node);
        self.must_have(&entries, "why");
        let why = self.text(&entries, "why").unwrap_or_default();
        let start = self.needed(&entries, "at", u64::MAX);
        // Without a length it is all that follows.
        let length = self.number(&entries, "len", u64::MAX).unwrap_or(u64::MAX);
        let (space, index) = match self.area(&entries, profile) {
            Some(Area::Capability { .. }) => {
                let what = "never: expected bar=, space= or window=, found a capability";
                self.add(&node_span(node), what);
                return;
            }
            Some(area) => place_of(area),
            None => return,
        };
        let never = Never { space, index, start, end: start.saturating_add(length) };
        if never.start >= never.end {
            self.add(&node_span(node), "never: expected a range, found an empty one");
            return;
        }
        profile.nevers.push((never, why));
    }

    fn layout(&mut self, node: &'k KdlNode) {
        let entries = self.entries(node, &[]);
        if !self.arguments(&entries, 1, 1, "a name") {
            return;
        }
        let name = self.name(&entries, true);
        let mut layout = Layout { span: node_span(node), registers: Vec::new(), rules: Vec::new() };
        for child in nodes(node) {
            match child.name().value() {
                "reg" => {
                    let register = self.register(child, &name, layout.registers.len());
                    layout.registers.extend(register);
                }
                "abnormal" => layout.rules.extend(self.rule(child)),
                _ => self.unknown(child, "in block", "reg or abnormal"),
            }
        }
        if layout.registers.len() > REGISTERS_MAX {
            let found = layout.registers.len();
            let what = format!("expected {REGISTERS_MAX} registers at most, found {found}");
            self.add(&layout.span, what);
            layout.registers.truncate(REGISTERS_MAX);
        }
        match self.layouts.entry(name) {
            Entry::Vacant(free) => {
                free.insert(layout);
            }
            Entry::Occupied(other) => {
                let name = other.key();
                let what =
                    format!("expected the layout of each block once, found another of {name}");
                self.faults.add(&layout.span, what);
            }
        }
    }

    fn register(&mut self, node: &'k KdlNode, block: &str, number: usize) -> Option<Register> {
        const KNOWN: [&str; 17] = [
            "at",
            "bits",
            "count",
            "stride",
            "order",
            "if",
            "volatile",
            "counter",
            "phys",
            "len",
            "skip",
            "skip-if",
            "instead",
            "effect",
            "retry-zero",
            "title",
            "unit",
        ];
        let entries = self.entries(node, &KNOWN);
        if !self.arguments(&entries, 1, 1, "a name") {
            return None;
        }
        let name = self.name(&entries, false);
        let at = self.needed(&entries, "at", 1 << 48);
        // 0 until the block says what is usual in its space.
        let bits = self.bits(&entries, "bits").map_or(0, |width| u32::from(width.bytes()) * 8);
        let count = self.number(&entries, "count", ELEMENTS_MAX);
        let stride = self.number(&entries, "stride", 1 << 30);
        let array = match (count, stride) {
            (Some(count), Some(stride)) => Some((count, stride)),
            // One after the other.
            (Some(count), None) => Some((count, 0)),
            (None, None) => None,
            (None, Some(_)) => {
                self.must_have(&entries, "count");
                None
            }
        };
        let reading = self.reading(&entries, block, number);
        let mut register = Register {
            name,
            span: node_span(node),
            title: self.text(&entries, "title"),
            at,
            bits,
            array,
            big: self.big(&entries),
            condition: self.expression(&entries, "if"),
            volatile: self.flag(&entries, "volatile"),
            counter: self.flag(&entries, "counter"),
            points_to: self.points_to(&entries),
            reading,
            retry_zero: self.retry(&entries),
            unit: self.text(&entries, "unit"),
            meanings: Vec::new(),
            fields: Vec::new(),
        };
        for child in nodes(node) {
            if child.name().value() == "is" {
                let meaning = self.meaning(child);
                register.meanings.extend(meaning);
            } else if register.fields.len() < 64 {
                let field = self.field(child);
                register.fields.extend(field);
            } else {
                self.add(&node_span(child), "expected 64 fields at most, found more");
            }
        }
        Some(register)
    }

    fn points_to(&mut self, entries: &Entries<'k>) -> Option<Expression> {
        match (self.flag(entries, "phys"), self.expression(entries, "len")) {
            (true, Some(length)) => Some(length),
            (false, None) => None,
            _ => {
                let what = "a pointer: expected phys=#true and len=, found one without the other";
                self.add(&node_span(entries.node), what);
                None
            }
        }
    }

    fn reading(&mut self, entries: &Entries<'k>, block: &str, number: usize) -> Reading {
        let ways: Vec<_> = ["skip", "skip-if", "instead"]
            .into_iter()
            .filter_map(|name| entries.properties.get(name))
            .collect();
        if let [_, second, ..] = ways.as_slice() {
            let what = "expected one of skip=, skip-if= and instead=, found several";
            self.add(&entry_span(second), what);
        }
        // Reading another one is why the effect does not happen.
        let effect = self.one_of(entries, "effect", &[("clear", ()), ("pop", ())]);
        if self.flag(entries, "skip") {
            return Reading::Skipped;
        }
        if let Some(condition) = self.expression(entries, "skip-if") {
            return Reading::Unless(condition);
        }
        if let Some(name) = self.text(entries, "instead") {
            if let Some(entry) = entries.properties.get("instead") {
                self.insteads.push((block.to_owned(), number, name, entry_span(entry)));
            }
            return Reading::Skipped;
        }
        if effect.is_some() { Reading::Changes } else { Reading::Plain }
    }

    fn meaning(&mut self, node: &'k KdlNode) -> Option<(u64, String)> {
        let entries = self.entries(node, &[]);
        self.no_children(node);
        if !self.arguments(&entries, 2, 2, "a value and what it means") {
            return None;
        }
        let [value, meaning] = entries.arguments.as_slice() else { return None };
        Some((self.number_of(value, u64::MAX)?, self.text_of(meaning)?))
    }

    fn field(&mut self, node: &'k KdlNode) -> Option<Field> {
        let entries = self.entries(node, &["add", "scale", "unit", "title", "phys", "len"]);
        let name = node.name().value().to_owned();
        if !crate::expression::is_name(&name) {
            let what = format!("expected a field's name of letters, digits and _, found {name}");
            self.add(&node_span(node), what);
        }
        if !self.arguments(&entries, 1, 2, "the lowest bit, and the highest") {
            return None;
        }
        let mut bits = entries.arguments.iter().map(|entry| self.number_of(entry, 63));
        let low = bits.next()??;
        let high = bits.next().unwrap_or(Some(low))?;
        drop(bits);
        if high < low {
            let what = format!("expected the lowest bit first, found {low} and {high}");
            self.add(&node_span(node), what);
            return None;
        }
        let mut field = Field {
            name,
            title: self.text(&entries, "title"),
            low: low as u32,
            high: high as u32,
            add: self.add_of(&entries),
            scale: self.scale_of(&entries),
            points_to: self.points_to(&entries),
            unit: self.text(&entries, "unit"),
            meanings: Vec::new(),
        };
        for child in nodes(node) {
            if child.name().value() == "is" {
                let meaning = self.meaning(child);
                field.meanings.extend(meaning);
            } else {
                self.unknown(child, "in a field", "is");
            }
        }
        Some(field)
    }

    fn add_of(&mut self, entries: &Entries<'k>) -> i64 {
        let Some(entry) = entries.properties.get("add") else { return 0 };
        match entry.value() {
            KdlValue::Integer(number) if i64::try_from(*number).is_ok() => *number as i64,
            other => {
                let what = format!("add: expected a number, found {}", shown(other));
                self.add(&entry_span(entry), what);
                0
            }
        }
    }

    fn scale_of(&mut self, entries: &Entries<'k>) -> f64 {
        let Some(entry) = entries.properties.get("scale") else { return 1.0 };
        let scale = match entry.value() {
            KdlValue::Integer(number) => *number as f64,
            KdlValue::Float(number) => *number,
            _ => 0.0,
        };
        if scale.is_finite() && scale > 0.0 {
            return scale;
        }
        let what = format!("scale: expected a number above 0, found {}", shown(entry.value()));
        self.add(&entry_span(entry), what);
        1.0
    }

    fn rule(&mut self, node: &'k KdlNode) -> Option<Rule> {
        let entries = self.entries(node, &["when", "advice"]);
        self.no_children(node);
        let when = self.needed_expression(&entries, "when");
        if !self.arguments(&entries, 2, 2, "how bad it is, and what") {
            return None;
        }
        let [severity, text] = entries.arguments.as_slice() else { return None };
        let word = self.text_of(severity)?;
        let Some(found) = Severity::ALL.into_iter().find(|each| each.word() == word) else {
            let what = format!("expected fatal, error, warn or info, found {word}");
            self.add(&entry_span(severity), what);
            return None;
        };
        Some(Rule {
            severity: found,
            text: self.text_of(text)?,
            when,
            advice: self.text(&entries, "advice"),
            span: node_span(node),
        })
    }

    fn headline(&mut self, node: &'k KdlNode, profile: &mut Profile) {
        let entries = self.entries(node, &[]);
        self.no_children(node);
        if !profile.headline.is_empty() {
            self.add(&node_span(node), "expected headline once, found it twice");
        }
        if !self.arguments(&entries, 1, 1, "text") {
            return;
        }
        let Some(entry) = entries.arguments.first() else { return };
        let Some(text) = self.text_of(entry) else { return };
        let start = entry_span(entry).start + 1;
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            profile.headline.push(Piece::Text(before.to_owned()));
            let at = start + (text.len() - after.len());
            let Some((name, left)) = after.split_once('}') else {
                self.add(&(at..at), "headline: expected } after {, found none");
                return;
            };
            match Expression::parse(name, at) {
                Ok(value) => profile.headline.push(Piece::Value(value)),
                Err((span, what)) => self.add(&span, what),
            }
            rest = left;
        }
        profile.headline.push(Piece::Text(rest.to_owned()));
    }

    /// Gives each block its layout.
    fn join(&mut self, profile: &mut Profile) {
        let insteads = std::mem::take(&mut self.insteads);
        for (block, number, name, span) in insteads {
            let Some(layout) = self.layouts.get_mut(&block) else { continue };
            let other = layout.registers.iter().position(|register| register.name == name);
            match (other, layout.registers.get_mut(number)) {
                (Some(other), Some(register)) => register.reading = Reading::Instead(other),
                _ => self.add(
                    &span,
                    format_args!("instead: expected a register of block {block}, found {name}"),
                ),
            }
        }
        for block in &mut profile.blocks {
            if let Some(layout) = self.layouts.remove(&block.name) {
                block.registers = layout.registers;
                block.rules = layout.rules;
            }
            let bits = if block.location.area == Area::Msr { 64 } else { 32 };
            for register in &mut block.registers {
                if register.bits == 0 {
                    register.bits = bits;
                }
                let stride = register.bytes() / block.location.area.bytes();
                if let Some((_, each @ 0)) = &mut register.array {
                    *each = stride.max(1);
                }
            }
        }
        for (name, layout) in std::mem::take(&mut self.layouts) {
            let what = format!("expected block {name} or view {name} in collect, found neither");
            self.add(&layout.span, what);
        }
    }
}

/// Spaces by their names.
const SPACES: [(&str, Area); 5] = [
    ("config", Area::Config),
    ("port", Area::Port),
    ("msr", Area::Msr),
    ("memory", Area::Memory),
    ("unit", Area::Unit),
];

/// The space of an area, and its number there.
pub(crate) fn place_of(area: Area) -> (Space, u8) {
    match area {
        Area::Bar(bar) => (Space::Bar, bar),
        Area::Config | Area::Capability { .. } => (Space::Config, 0),
        Area::Port => (Space::Port, 0),
        Area::Msr => (Space::Msr, 0),
        Area::Memory => (Space::Memory, 0),
        Area::Unit => (Space::Unit, 0),
        Area::Window(number) => (Space::Window, number as u8),
    }
}
