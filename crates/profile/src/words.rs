// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A profile in words.

use plan::code::Alu;
use plan::place::{Class, Space};
use plan::plan::{Kind, Match};

use crate::expression::{Expression, Function, Unary};
use crate::model::{Area, Item, Profile, Reading, Register};
use crate::names::fact_name;

/// How an operator is written.
fn sign(alu: Alu) -> &'static str {
    match alu {
        Alu::Add => "+",
        Alu::Sub => "-",
        Alu::Mul => "*",
        Alu::Div => "/",
        Alu::Rem => "%",
        Alu::And => "&",
        Alu::Or => "|",
        Alu::Xor => "^",
        Alu::Shl => "<<",
        Alu::Shr => ">>",
        Alu::Eq => "==",
        Alu::Ne => "!=",
        Alu::Lt => "<",
        Alu::Le => "<=",
        Alu::LogicalAnd => "&&",
        Alu::LogicalOr => "||",
        Alu::PopCount => "popcount",
    }
}

impl Profile {
    /// An expression as a profile has it, with parentheses around all that is computed.
    #[must_use]
    pub fn shown(&self, expression: &Expression) -> String {
        let inner = |expression: &Expression| match expression {
            Expression::Binary(..) => format!("({})", self.shown(expression)),
            _ => self.shown(expression),
        };
        match expression {
            Expression::Number(number) if *number < 10 => number.to_string(),
            Expression::Number(number) => format!("{number:#x}"),
            Expression::Name(path, _) => path.join("."),
            Expression::Value(reference) => self.name_of(*reference),
            Expression::Let(number) => {
                self.lets.get(*number).map(|each| each.name.clone()).unwrap_or_default()
            }
            Expression::Fact(fact) => fact_name(*fact).to_owned(),
            Expression::Index => "index".to_owned(),
            Expression::Unary(unary, of) => {
                let sign = match unary {
                    Unary::Not => "!",
                    Unary::Complement => "~",
                    Unary::Negate => "-",
                };
                format!("{sign}{}", inner(of))
            }
            Expression::Binary(alu, first, second) => {
                format!("{} {} {}", inner(first), sign(*alu), inner(second))
            }
            Expression::Call(function, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(|each| self.shown(each)).collect();
                format!("{}({})", Function::name(*function), arguments.join(", "))
            }
        }
    }

    /// Where something is, in words.
    #[must_use]
    pub fn place(&self, area: Area, at: &Expression) -> String {
        let at = self.shown(at);
        match area {
            Area::Bar(bar) => format!("BAR {bar} at {at}"),
            Area::Capability { id, extended: false } => format!("capability {id:#04x} at {at}"),
            Area::Capability { id, extended: true } => {
                format!("extended capability {id:#06x} at {at}")
            }
            Area::Config => format!("config at {at}"),
            Area::Port => format!("I/O port {at}"),
            Area::Msr => format!("MSR {at}"),
            Area::Memory => format!("memory at {at}"),
            Area::Unit => format!("unit at {at}"),
            Area::Window(number) => {
                let name = self.windows.get(number).map(|window| window.name.as_str());
                format!("window {} at {at}", name.unwrap_or_default())
            }
        }
    }

    /// What its blocks do at most besides being read.
    #[must_use]
    pub fn class(&self) -> Class {
        let blocks = self.blocks.iter().filter(|block| !block.is_view);
        blocks.map(|block| block.class).max().unwrap_or(Class::Pure)
    }

    /// What is read, in the order in which it is: `None` is configuration space.
    pub fn reads(&self) -> impl Iterator<Item = Option<&crate::model::Block>> {
        let read = |item: &Item| match item {
            Item::Config => Some(None),
            Item::Block(number) => {
                self.blocks.get(*number).filter(|block| !block.is_view).map(Some)
            }
            Item::Alive(_) | Item::Let(_) => None,
        };
        let last = |block: &Option<&crate::model::Block>| {
            block.is_some_and(|block| block.class == Class::Clears)
        };
        let all: Vec<_> = self.items.iter().filter_map(read).collect();
        let (late, early): (Vec<_>, Vec<_>) = all.into_iter().partition(last);
        early.into_iter().chain(late)
    }

    /// Why a register is not read as the rest of its block, in words.
    #[must_use]
    pub fn reading(&self, register: &Register, class: Class) -> Option<String> {
        match &register.reading {
            Reading::Changes if class == Class::Clears => None,
            Reading::Plain => None,
            Reading::Skipped => Some("never".to_owned()),
            Reading::Unless(condition) => Some(format!("not if {}", self.shown(condition))),
            Reading::Instead(other) => {
                let block = self.blocks.iter().find(|block| block.registers.contains(register));
                let other = block.and_then(|block| block.registers.get(*other));
                let other = other.map(|other| other.name.as_str()).unwrap_or_default();
                Some(format!("{other} is read instead"))
            }
            Reading::Changes => Some("reading it changes it".to_owned()),
        }
    }
}

/// What a class is called in profiles.
#[must_use]
pub fn class_word(class: Class) -> &'static str {
    match class {
        Class::Pure => "pure",
        Class::Touches => "touches",
        Class::Clears => "clears",
    }
}

/// What a match is for, in words.
#[must_use]
pub fn match_words(each: &Match) -> String {
    let ids = [
        ("", each.vendor),
        (":", each.device),
        (" subsystem ", each.sub_vendor),
        (":", each.sub_device),
    ];
    match each.kind {
        Kind::Cpu => match each.vendor {
            Some(1) => "Intel processors".to_owned(),
            Some(2) => "AMD processors".to_owned(),
            _ => "processors".to_owned(),
        },
        Kind::Drhd => "Intel IOMMUs".to_owned(),
        Kind::Ivhd => "AMD IOMMUs".to_owned(),
        Kind::Pci if each.vendor.is_none() && each.class_mask == 0 => "PCI functions".to_owned(),
        Kind::Pci => {
            let ids = ids.into_iter().filter_map(|(sign, id)| Some(format!("{sign}{:04x}", id?)));
            let mut words = ids.collect::<String>();
            if each.class_mask != 0 {
                let gap = if words.is_empty() { "" } else { " " };
                words.push_str(&format!("{gap}class {:06x}", each.class));
            }
            words
        }
    }
}

/// What a space is called in profiles.
#[must_use]
pub fn space_word(space: Space) -> &'static str {
    match space {
        Space::Config => "config",
        Space::Bar => "bar",
        Space::Port => "port",
        Space::Msr => "msr",
        Space::Memory => "memory",
        Space::Unit => "unit",
        Space::Window => "window",
    }
}
