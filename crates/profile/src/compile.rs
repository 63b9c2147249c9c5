// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! From a profile to its plan.

use plan::code::{Address, Alu, Fact, Instruction, LOOPS, NONE, VARIABLES};
use plan::place::{Class, Place, Space, Width};
use plan::plan::{About, INSTRUCTIONS_MAX, NAME_SIZE, Never, Plan, READS_MAX};

use crate::expression::{Expression, Function, Reference, Unary};
use crate::fault::Faults;
use crate::model::{
    Alive, Area, Array, Block, Item, Profile, Reading, Register, Span, Window, WindowKind,
};
use crate::read::place_of;

/// How long a block of computed length is at most, in addresses.
const LENGTH_MAX: u64 = 1 << 16;
/// How many elements an array of computed count has at most.
const COUNT_MAX: u32 = 1024;
/// How many pages of a window a block has at most.
const PAGES_MAX: u64 = 64;
/// How long a lock of a window is waited for, in milliseconds.
const LOCK_MILLISECONDS: u16 = 10;

/// The plan of `profile`, which has no other faults.
pub(crate) fn plan(profile: &Profile, faults: &mut Faults<'_>) -> Vec<u8> {
    let mut compiler = Compiler {
        profile,
        faults,
        span: 0..0,
        code: Vec::new(),
        used: 0,
        is_short: false,
        lets: vec![NONE; profile.lets.len()],
        element: None,
        most: 0,
    };
    // What changes by being read comes last, when all else has been.
    compiler.items(|class| class != Class::Clears);
    compiler.items(|class| class == Class::Clears);
    compiler.code.push(Instruction::End);
    compiler.bytes()
}

/// A value, as far as it is known when the plan is made.
#[derive(Debug, Clone, Copy)]
enum Operand {
    Constant(u64),
    Variable(u8),
}

/// The element of an array whose code is being made.
#[derive(Debug, Clone, Copy)]
struct Element {
    block: usize,
    /// The variable with its number.
    index: u8,
    address: Address,
}

/// Where a block is.
#[derive(Debug, Clone, Copy)]
struct Base {
    address: Address,
    /// The variable that is 0 where there is no such place.
    guard: Option<u8>,
}

/// A part of a block, in addresses from its start.
struct Part<'p> {
    start: u64,
    end: u64,
    unless: Option<&'p Expression>,
    retry_zero: bool,
}

struct Compiler<'p, 'f, 't> {
    profile: &'p Profile,
    faults: &'f mut Faults<'t>,
    /// What is being compiled.
    span: Span,
    code: Vec<Instruction>,
    /// How many variables are in use.
    used: u8,
    /// Whether more were wanted than there are.
    is_short: bool,
    /// The variables of the values that were computed.
    lets: Vec<u8>,
    element: Option<Element>,
    /// How many bytes are read at most.
    most: u64,
}

impl<'p> Compiler<'p, '_, '_> {
    fn items(&mut self, wanted: impl Fn(Class) -> bool) {
        let profile = self.profile;
        let mut number = 0;
        for item in &profile.items {
            match item {
                Item::Config => {
                    if wanted(Class::Pure) {
                        self.config(number);
                    }
                    number += 1;
                }
                Item::Alive(alive) if wanted(Class::Pure) => self.alive(alive),
                Item::Let(each) if wanted(Class::Pure) => self.compute(*each),
                Item::Alive(_) | Item::Let(_) => {}
                Item::Block(each) => {
                    let Some(block) = profile.blocks.get(*each).filter(|block| !block.is_view)
                    else {
                        continue;
                    };
                    if wanted(block.class) {
                        self.span = block.span.clone();
                        self.block(*each, block, number);
                    }
                    number += 1;
                }
            }
        }
    }

    fn bytes(self) -> Vec<u8> {
        let profile = self.profile;
        // What only decodes the dumps of drivers reads nothing.
        if profile.matches.is_empty() {
            return Vec::new();
        }
        let mut name = [0; NAME_SIZE];
        for (to, from) in name.iter_mut().take(NAME_SIZE - 1).zip(profile.name.bytes()) {
            *to = from;
        }
        let about = About {
            name,
            version: profile.version,
            most: self.most.min(READS_MAX.into()) as u32,
            digest: profile.digest,
        };
        let counts = (profile.matches.len(), profile.nevers.len(), self.code.len());
        let header = about.header(counts.0, counts.1, counts.2);
        let Some(header) = header.filter(|_| counts.2 <= INSTRUCTIONS_MAX as usize) else {
            let what = format!(
                "the plan is too large, expected {INSTRUCTIONS_MAX} instructions at most, found {}",
                counts.2
            );
            self.faults.add(&(0..0), what);
            return Vec::new();
        };
        let mut bytes = header.to_vec();
        bytes.extend(profile.matches.iter().flat_map(|each| each.to_bytes()));
        bytes.extend(profile.nevers.iter().flat_map(|(each, _)| each.to_bytes()));
        bytes.extend(self.code.iter().flat_map(|each| each.to_bytes()));
        if self.faults.is_empty()
            && let Err(error) = Plan::parse(&bytes)
        {
            // All else was reported with its place.
            self.faults.add(&(0..0), format_args!("the plan is refused: {}", error.words()));
        }
        bytes
    }

    fn wrong(&mut self, what: impl std::fmt::Display) {
        self.faults.add(&self.span, what);
    }

    /// A variable that is in use until `used` is set back.
    fn variable(&mut self) -> u8 {
        if self.used < VARIABLES {
            self.used += 1;
            return self.used - 1;
        }
        if !self.is_short {
            self.is_short = true;
            let what = format!("expected less than {VARIABLES} values at once, found more");
            self.wrong(what);
        }
        0
    }

    fn in_variable(&mut self, operand: Operand) -> u8 {
        match operand {
            Operand::Variable(variable) => variable,
            Operand::Constant(value) => {
                let to = self.variable();
                self.code.push(Instruction::Set { to, value });
                to
            }
        }
    }

    /// What `alu` computes, in a variable of its own or of what is no longer needed.
    fn alu(&mut self, alu: Alu, first: Operand, second: Operand, to: u8) {
        let first = self.in_variable(first);
        let (second, constant) = match second {
            Operand::Variable(variable) => (variable, 0),
            Operand::Constant(value) => (NONE, value),
        };
        self.code.push(Instruction::Alu { to, alu, first, second, constant });
    }

    /// Skips what comes until [`Self::here`] where `unless` is 0.
    fn skip(&mut self, unless: u8) -> usize {
        self.code.push(Instruction::Skip { unless, count: 0 });
        self.code.len() - 1
    }

    fn here(&mut self, skip: usize) {
        let after = self.code.len();
        let length = after.saturating_sub(skip + 1) as u32;
        match self.code.get_mut(skip) {
            Some(Instruction::Skip { count, .. }) => *count = length,
            Some(Instruction::Loop { body, .. }) => *body = length,
            _ => {}
        }
    }

    fn compute(&mut self, number: usize) {
        let Some(each) = self.profile.lets.get(number) else { return };
        self.span = each.span.clone();
        let to = self.variable();
        let value = self.value(&each.value);
        self.copy(value, to);
        self.used = to + 1;
        if let Some(known) = self.lets.get_mut(number) {
            *known = to;
        }
    }

    fn copy(&mut self, from: Operand, to: u8) {
        match from {
            Operand::Constant(value) => self.code.push(Instruction::Set { to, value }),
            Operand::Variable(_) => self.alu(Alu::Add, from, Operand::Constant(0), to),
        }
    }

    /// The value of an expression. What it needed besides is free again.
    fn value(&mut self, expression: &Expression) -> Operand {
        if let Some(value) = expression.constant() {
            return Operand::Constant(value);
        }
        let before = self.used;
        let result = match expression {
            Expression::Let(number) => {
                return Operand::Variable(self.lets.get(*number).copied().unwrap_or(NONE));
            }
            Expression::Index => {
                return self.element.map_or(Operand::Constant(0), |e| Operand::Variable(e.index));
            }
            Expression::Number(value) => return Operand::Constant(*value),
            Expression::Name(..) => return Operand::Constant(0),
            Expression::Fact(fact) => self.fact(*fact),
            Expression::Value(reference) => self.load(*reference),
            Expression::Unary(unary, inner) => {
                let inner = self.value(inner);
                let to = self.reuse(before);
                let (alu, with) = match unary {
                    Unary::Not => (Alu::Eq, 0),
                    Unary::Complement | Unary::Negate => (Alu::Xor, u64::MAX),
                };
                self.alu(alu, inner, Operand::Constant(with), to);
                if *unary == Unary::Negate {
                    self.alu(Alu::Add, Operand::Variable(to), Operand::Constant(1), to);
                }
                to
            }
            Expression::Binary(alu, first, second) => {
                let first = self.value(first);
                let second = self.value(second);
                let to = self.reuse(before);
                // The first must be in a variable, and that may be the result's.
                let first = match (first, second) {
                    (Operand::Constant(_), Operand::Variable(second)) if second == to => {
                        let more = self.variable();
                        self.copy(first, more);
                        Operand::Variable(more)
                    }
                    (Operand::Constant(_), _) => {
                        self.copy(first, to);
                        Operand::Variable(to)
                    }
                    _ => first,
                };
                self.alu(*alu, first, second, to);
                to
            }
            Expression::Call(function, arguments) => self.call(*function, arguments, before),
        };
        // Its result is in the first variable that it used.
        self.used = (before + 1).min(VARIABLES);
        Operand::Variable(result)
    }

    /// The first variable after those in use at `before`.
    fn reuse(&mut self, before: u8) -> u8 {
        if self.used == before { self.variable() } else { before }
    }

    fn fact(&mut self, fact: Fact) -> u8 {
        let to = self.variable();
        self.code.push(Instruction::Fact { to, fact });
        to
    }

    fn call(&mut self, function: Function, arguments: &[Expression], before: u8) -> u8 {
        let [first, more @ ..] = arguments else { return 0 };
        let id = first.constant().unwrap_or(0) as u16;
        let extended = function == Function::Extended;
        match function {
            Function::PopCount => {
                let value = self.value(first);
                let to = self.reuse(before);
                self.alu(Alu::PopCount, value, Operand::Constant(0), to);
                to
            }
            Function::Capability | Function::Extended => {
                let to = self.variable();
                self.code.push(Instruction::Capability { to, after: NONE, id, extended });
                to
            }
            Function::NextCapability => {
                let to = self.variable();
                self.code.push(Instruction::Set { to, value: 0 });
                let after = more.first().map_or(Operand::Constant(0), |after| self.value(after));
                let after = self.in_variable(after);
                // After none there is none.
                let none = self.skip(after);
                self.code.push(Instruction::Capability { to, after, id, extended });
                self.here(none);
                to
            }
            Function::Config8 | Function::Config16 | Function::Config32 => {
                let width = match function {
                    Function::Config8 => Width::W8,
                    Function::Config16 => Width::W16,
                    _ => Width::W32,
                };
                let place = Place::new(Space::Config, 0, width);
                let align = !(u64::from(width.bytes()) - 1);
                let address = match self.value(first) {
                    Operand::Constant(at) => Address::constant(at & align),
                    at @ Operand::Variable(_) => {
                        let base = self.reuse(before);
                        self.alu(Alu::And, at, Operand::Constant(align), base);
                        Address { base, offset: 0 }
                    }
                };
                let to = self.reuse(before);
                self.code.push(Instruction::Load { to, place, address });
                to
            }
        }
    }

    /// Where a block is, or the element of it that is being made.
    fn base(&mut self, number: usize, block: &Block) -> Base {
        if let Some(element) = self.element.filter(|element| element.block == number) {
            return Base { address: element.address, guard: None };
        }
        if let Area::Capability { id, extended } = block.location.area {
            let guard = self.variable();
            self.code.push(Instruction::Capability { to: guard, after: NONE, id, extended });
            let address = match self.value(&block.location.at) {
                Operand::Constant(offset) => Address { base: guard, offset },
                at @ Operand::Variable(base) => {
                    self.alu(Alu::Add, at, Operand::Variable(guard), base);
                    Address { base, offset: 0 }
                }
            };
            return Base { address, guard: Some(guard) };
        }
        let base = match self.value(&block.location.at) {
            Operand::Constant(offset) => {
                return Base { address: Address::constant(offset), guard: None };
            }
            Operand::Variable(base) => base,
        };
        let address = Address { base, offset: 0 };
        let width = u64::from(block.width.bytes());
        if matches!(block.location.area, Area::Msr | Area::Port) || width == 1 {
            return Base { address, guard: None };
        }
        // What a broken device says of itself must not end the plan.
        let guard = self.variable();
        let value = Operand::Variable(base);
        self.alu(Alu::And, value, Operand::Constant(width - 1), guard);
        self.alu(Alu::Eq, Operand::Variable(guard), Operand::Constant(0), guard);
        Base { address, guard: Some(guard) }
    }

    /// Reads a register, or a field of it, into a variable: the next one.
    fn load(&mut self, reference: Reference) -> u8 {
        let to = self.variable();
        // Where blocks are may depend on others many times over.
        if self.code.len() > INSTRUCTIONS_MAX as usize {
            return to;
        }
        let Some(block) = self.profile.blocks.get(reference.block) else { return to };
        let Some(named) = block.registers.get(reference.register) else { return to };
        let register = read_for(block, named);
        let is_inside = self.element.is_some_and(|element| element.block == reference.block);
        // A block that is not there has zeros, and is not asked.
        let condition = block.condition.as_ref().filter(|_| !block.is_view && !is_inside);
        let mut skips = Vec::new();
        if let Some(condition) = condition {
            let condition = self.value(condition);
            let condition = self.in_variable(condition);
            self.code.push(Instruction::Set { to, value: 0 });
            skips.push(self.skip(condition));
        }
        let base = self.base(reference.block, block);
        if let Some(guard) = base.guard {
            self.code.push(Instruction::Set { to, value: 0 });
            skips.push(self.skip(guard));
        }
        let shift = self.load_words(to, block, register, base.address);
        let field = reference.field.and_then(|field| named.fields.get(field));
        let (low, high) = field.map_or((0, named.bits.saturating_sub(1)), |f| (f.low, f.high));
        let bits = high.saturating_sub(low).saturating_add(1);
        let shift = shift + u64::from(low);
        let value = Operand::Variable(to);
        if shift > 0 {
            self.alu(Alu::Shr, value, Operand::Constant(shift), to);
        }
        if bits < 64 {
            self.alu(Alu::And, value, Operand::Constant((1 << bits) - 1), to);
        }
        if let Some(add) = field.map(|field| field.add).filter(|add| *add != 0) {
            self.alu(Alu::Add, value, Operand::Constant(add as u64), to);
        }
        for skip in skips {
            self.here(skip);
        }
        to
    }

    /// Reads what of a block has a register in it, and says from which bit on it is that.
    fn load_words(&mut self, to: u8, block: &Block, register: &Register, base: Address) -> u64 {
        let big = register.big.unwrap_or(block.big);
        let place = Place { big, ..place(block, register.retry_zero) };
        let width = u64::from(block.width.bytes());
        let bytes = register.bytes();
        let (start, words) = match block.location.area {
            Area::Msr => (register.at, 1),
            _ => {
                let start = register.at - register.at % width;
                (start, (register.at + bytes - start).div_ceil(width))
            }
        };
        let whole = words * width;
        if whole > 8 {
            let what = format!(
                "{}: expected a register in words of {width} bytes, found it across them",
                register.name
            );
            self.wrong(what);
            return 0;
        }
        for word in 0..words {
            let offset = base.offset.wrapping_add(start).wrapping_add(word * width);
            let address = Address { base: base.base, offset };
            self.check_never(place, address, place.space.step(place.width));
            if word == 0 {
                self.load_word(to, block, place, address);
                continue;
            }
            let more = self.variable();
            self.load_word(more, block, place, address);
            let (shifted, by) = if big { (to, width * 8) } else { (more, word * width * 8) };
            let by = Operand::Constant(by);
            self.alu(Alu::Shl, Operand::Variable(shifted), by, shifted);
            self.alu(Alu::Or, Operand::Variable(to), Operand::Variable(more), to);
            self.used -= 1;
        }
        let before = if block.location.area == Area::Msr { 0 } else { register.at - start };
        if big { (whole - before - bytes) * 8 } else { before * 8 }
    }

    fn load_word(&mut self, to: u8, block: &Block, place: Place, address: Address) {
        let Area::Window(number) = block.location.area else {
            self.code.push(Instruction::Load { to, place, address });
            return;
        };
        // Its page is moved first; that a page has it all follows from both being aligned.
        let Some(window) = self.profile.windows.get(number) else { return };
        let WindowKind::Paged { base_at, base_mask, at, length: page } = window.kind else {
            return;
        };
        let (space, index) = place_of(window.area);
        let place = Place { space, index, ..place };
        let base_place = Place { width: Width::W32, retry_zero: false, ..place };
        let before = self.used;
        let (start, inside) = (self.variable(), self.variable());
        let offset = Operand::Constant(address.offset);
        match address.base {
            NONE => self.copy(offset, start),
            base => self.alu(Alu::Add, Operand::Variable(base), offset, start),
        }
        self.alu(Alu::And, Operand::Variable(start), Operand::Constant(page - 1), inside);
        self.alu(Alu::And, Operand::Variable(start), Operand::Constant(base_mask), start);
        let address = Address::constant(base_at);
        self.check_never(base_place, address, 4);
        self.code.push(Instruction::Write { value: start, place: base_place, address });
        let address = Address { base: inside, offset: at };
        self.code.push(Instruction::Load { to, place, address });
        self.used = before;
    }

    /// Reports a constant address that is never to be touched.
    fn check_never(&mut self, place: Place, address: Address, length: u64) {
        let start = address.offset;
        let covers = |never: &&(Never, String)| never.0.covers(place, start, length);
        let found = self.profile.nevers.iter().find(covers);
        if let Some((never, why)) = found.filter(|_| address.base == NONE) {
            let what = format!(
                "reads what is never to be read, expected nothing of {:#x} to {:#x} ({why}), found \
                 {start:#x} to {:#x}",
                never.start,
                never.end,
                start.saturating_add(length)
            );
            self.wrong(what);
        }
    }

    fn config(&mut self, number: u8) {
        let length = self.fact(Fact::ConfigSize);
        let place = Place::new(Space::Config, 0, Width::W32);
        let address = Address::constant(0);
        self.span = 0..0;
        self.check_never(place, address, plan::pci::SIZE_EXTENDED);
        self.code.push(Instruction::Read { block: number, place, address, length });
        self.most += plan::pci::SIZE_EXTENDED;
        self.used -= 1;
    }

    fn alive(&mut self, alive: &Alive) {
        self.span = alive.span.clone();
        let before = self.used;
        let Expression::Value(reference) = &alive.register else { return };
        let Some(block) = self.profile.blocks.get(reference.block) else { return };
        let Some(register) = block.registers.get(reference.register) else { return };
        let register = read_for(block, register);
        let base = self.base(reference.block, block);
        let skip = base.guard.map(|guard| self.skip(guard));
        let big = register.big.unwrap_or(block.big);
        let place = Place { big, ..place(block, false) };
        let offset = base.address.offset.wrapping_add(register.at);
        let address = Address { base: base.address.base, offset };
        self.check_never(place, address, place.space.step(place.width));
        let dead = self.in_variable(Operand::Constant(alive.dead));
        self.code.push(Instruction::Alive { place, address, dead });
        if let Some(skip) = skip {
            self.here(skip);
        }
        self.used = before;
    }

    fn block(&mut self, number: usize, block: &'p Block, of_read: u8) {
        let before = self.used;
        let mut skips = Vec::new();
        if let Some(condition) = &block.condition {
            let condition = self.value(condition);
            let condition = self.in_variable(condition);
            skips.push(self.skip(condition));
        }
        let base = self.base(number, block);
        skips.extend(base.guard.map(|guard| self.skip(guard)));
        let length = self.length(block);
        match &block.array {
            None => self.element_of(block, base.address, length, 1, of_read),
            Some(array) => self.array(number, block, array, base.address, length, of_read),
        }
        for skip in skips {
            self.here(skip);
        }
        self.used = before;
    }

    /// How long a block is, in addresses.
    fn length(&mut self, block: &Block) -> Operand {
        let value = self.value(&block.length);
        let Operand::Variable(_) = value else { return value };
        let length = self.variable();
        let align = match block.location.area {
            Area::Msr => u64::MAX,
            _ => !(u64::from(block.width.bytes()) - 1),
        };
        self.alu(Alu::And, value, Operand::Constant(align), length);
        let long = self.variable();
        let length = Operand::Variable(length);
        self.alu(Alu::Le, length, Operand::Constant(LENGTH_MAX), long);
        self.alu(Alu::Eq, Operand::Variable(long), Operand::Constant(0), long);
        let skip = self.skip(long);
        if let Operand::Variable(length) = length {
            self.code.push(Instruction::Set { to: length, value: LENGTH_MAX });
        }
        self.here(skip);
        length
    }

    fn array(
        &mut self,
        number: usize,
        block: &'p Block,
        array: &Array,
        base: Address,
        length: Operand,
        of_read: u8,
    ) {
        let bits = array.bits.as_ref().map(|bits| self.value(bits));
        let bits = bits.map(|bits| self.in_variable(bits));
        let count = self.value(&array.count);
        let most = match (count, bits) {
            (_, Some(_)) => 64,
            (Operand::Constant(count), None) => count.min(plan::code::TIMES_MAX.into()) as u32,
            (Operand::Variable(_), None) => COUNT_MAX,
        };
        if let Operand::Constant(count) = count
            && count > u64::from(most)
        {
            let what = format!("count: expected {most} at most, found {count}");
            self.wrong(what);
        }
        // What is constant of all elements is checked here, not only of the first.
        if let (NONE, Operand::Constant(length), Operand::Constant(count)) =
            (base.base, length, count)
        {
            let all = array.stride.saturating_mul(count.saturating_sub(1)).saturating_add(length);
            if all < 1 << 32 {
                self.check_elements(block, base.offset, array.stride, count);
            }
        }
        let count = self.in_variable(count);
        let index = self.variable();
        self.code.push(Instruction::Loop { to: index, count, most, body: 0 });
        let start = self.code.len() - 1;
        let mut absent = None;
        if let Some(bits) = bits {
            let there = self.variable();
            self.alu(Alu::Shr, Operand::Variable(bits), Operand::Variable(index), there);
            self.alu(Alu::And, Operand::Variable(there), Operand::Constant(1), there);
            absent = Some(self.skip(there));
        }
        let at = self.variable();
        self.alu(Alu::Mul, Operand::Variable(index), Operand::Constant(array.stride), at);
        if base.base != NONE {
            self.alu(Alu::Add, Operand::Variable(at), Operand::Variable(base.base), at);
        }
        let address = Address { base: at, offset: base.offset };
        self.element = Some(Element { block: number, index, address });
        self.element_of(block, address, length, u64::from(most), of_read);
        self.element = None;
        if let Some(absent) = absent {
            self.here(absent);
        }
        self.here(start);
    }

    fn check_elements(&mut self, block: &'p Block, base: u64, stride: u64, count: u64) {
        let length = block.length.constant().unwrap_or(0);
        let place = place(block, false);
        for part in self.parts(block, length) {
            for number in 0..count {
                let offset =
                    base.wrapping_add(number.wrapping_mul(stride)).wrapping_add(part.start);
                self.check_never(place, Address::constant(offset), part.end - part.start);
            }
        }
    }

    /// Reads a block, or an element of one, of which there are `times` at most.
    fn element_of(
        &mut self,
        block: &'p Block,
        base: Address,
        length: Operand,
        times: u64,
        of_read: u8,
    ) {
        let bytes = block.location.area.bytes();
        let longest = match length {
            Operand::Constant(length) => length,
            Operand::Variable(_) => LENGTH_MAX,
        };
        let all = longest.saturating_mul(bytes).saturating_mul(times);
        self.most = self.most.saturating_add(all);
        if matches!(length, Operand::Constant(_)) && all > READS_MAX.into() {
            let what = format!("expected {READS_MAX} bytes at most, found {all}");
            self.wrong(what);
            return;
        }
        let parts = self.parts(block, longest);
        if let Operand::Variable(length) = length {
            if !matches!(parts.as_slice(), [Part { start: 0, unless: None, .. }]) {
                self.wrong(
                    "expected a constant length of a block of which not all is read, found a \
                     computed one",
                );
            }
            let before = self.used;
            let in_bytes = self.variable();
            let length = Operand::Variable(length);
            self.alu(Alu::Mul, length, Operand::Constant(bytes), in_bytes);
            self.read(block, place(block, block.retry_zero), base, in_bytes, None, of_read);
            self.used = before;
            return;
        }
        for part in parts {
            let before = self.used;
            let skip = part.unless.map(|unless| {
                let unless = self.value(unless);
                let to = self.variable();
                self.alu(Alu::Eq, unless, Operand::Constant(0), to);
                self.skip(to)
            });
            let address = Address { offset: base.offset.wrapping_add(part.start), ..base };
            let addresses = part.end - part.start;
            let length = self.in_variable(Operand::Constant(addresses * bytes));
            let place = place(block, part.retry_zero);
            self.read(block, place, address, length, Some(addresses), of_read);
            if let Some(skip) = skip {
                self.here(skip);
            }
            self.used = before;
        }
    }

    /// What of a block is read, up to `length`.
    fn parts(&mut self, block: &'p Block, length: u64) -> Vec<Part<'p>> {
        let width = match block.location.area {
            Area::Msr => 1,
            _ => u64::from(block.width.bytes()),
        };
        let bytes = block.location.area.bytes();
        let mut plain = Vec::new();
        let mut special = Vec::new();
        for register in &block.registers {
            let is_read = match &register.reading {
                Reading::Plain => true,
                Reading::Changes => block.class == Class::Clears,
                Reading::Skipped | Reading::Unless(_) | Reading::Instead(_) => false,
            };
            let is_plain = is_read && (!register.retry_zero || block.retry_zero);
            for number in 0..register.count() {
                let start = register.address(number);
                let end = start.saturating_add(register.bytes().div_ceil(bytes));
                if is_plain {
                    plain.push((start, end, register));
                } else {
                    let (start, end) = (start - start % width, end.next_multiple_of(width));
                    special.push((start, end, register, is_read));
                }
            }
        }
        plain.sort_by_key(|(start, ..)| *start);
        special.sort_by_key(|(start, ..)| *start);
        let mut parts = Vec::new();
        let mut push = |start: u64, end: u64, unless, retry_zero| {
            let end = end.min(length);
            if start < end {
                parts.push(Part { start, end, unless, retry_zero });
            }
        };
        let mut at = 0;
        let mut shared = None;
        for (start, end, register, is_read) in special {
            let next = plain.partition_point(|(_, plain_end, _)| *plain_end <= start);
            let other = plain.get(next).filter(|(plain_start, ..)| *plain_start < end);
            if let Some((_, _, other)) = other.filter(|(.., other)| other.condition.is_none()) {
                shared.get_or_insert((register, other.name.as_str()));
            }
            if start < at {
                shared.get_or_insert((register, "another that is read in its own way"));
            }
            push(at, start, None, block.retry_zero);
            match &register.reading {
                Reading::Unless(unless) => {
                    push(start, end, Some(unless), block.retry_zero || register.retry_zero);
                }
                _ if is_read => push(start, end, None, true),
                _ => {}
            }
            at = end.max(at);
        }
        push(at, length, None, block.retry_zero);
        if let Some((register, other)) = shared {
            let what = format!(
                "{}: expected {width} bytes of its own, since it is not read as the rest of its \
                 block, found them shared with {other}",
                register.name
            );
            self.faults.add(&register.span, what);
        }
        parts
    }

    /// Reads `length` bytes, which are `addresses` if that is known.
    fn read(
        &mut self,
        block: &Block,
        place: Place,
        address: Address,
        length: u8,
        addresses: Option<u64>,
        of_read: u8,
    ) {
        self.check_never(place, address, addresses.unwrap_or(1));
        let Area::Window(number) = block.location.area else {
            self.code.push(Instruction::Read { block: of_read, place, address, length });
            return;
        };
        let Some(window) = self.profile.windows.get(number) else { return };
        let (space, index) = place_of(window.area);
        let real = Place { space, index, ..place };
        match &window.kind {
            WindowKind::Paged { .. } => {
                self.paged(window, place, real, address, length, addresses, of_read);
            }
            WindowKind::Indexed { .. } => {
                self.indexed(window, place, real, address, length, of_read);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all that is known of a read, and its window")]
    fn paged(
        &mut self,
        window: &Window,
        shown: Place,
        real: Place,
        address: Address,
        length: u8,
        addresses: Option<u64>,
        of_read: u8,
    ) {
        let WindowKind::Paged { base_at, base_mask, at, length: page } = window.kind else {
            return;
        };
        let base_place = Place { width: Width::W32, retry_zero: false, ..real };
        let base_address = Address::constant(base_at);
        self.check_never(base_place, base_address, 4);
        if let (NONE, Some(addresses)) = (address.base, addresses) {
            let end = address.offset.saturating_add(addresses);
            let mut start = address.offset;
            if addresses.div_ceil(page) > PAGES_MAX {
                let what = format!("expected {PAGES_MAX} pages of a window at most, found more");
                self.wrong(what);
                return;
            }
            while start < end {
                let before = self.used;
                let inside = start & (page - 1);
                let next = start.saturating_add(page - inside).min(end);
                let value = self.in_variable(Operand::Constant(start & base_mask));
                let write = Instruction::Write { value, place: base_place, address: base_address };
                self.code.push(write);
                let length = self.in_variable(Operand::Constant(next - start));
                let seen = Address::constant(at.wrapping_add(inside));
                self.check_never(real, seen, next - start);
                self.code.push(Instruction::As { place: shown, address: Address::constant(start) });
                let read = Instruction::Read { block: of_read, place: real, address: seen, length };
                self.code.push(read);
                self.used = before;
                start = next;
            }
            return;
        }
        // A computed address: what does not fit into one page is not read.
        let before = self.used;
        let start = self.variable();
        let offset = Operand::Constant(address.offset);
        match address.base {
            NONE => self.copy(offset, start),
            base => self.alu(Alu::Add, Operand::Variable(base), offset, start),
        }
        let inside = self.variable();
        self.alu(Alu::And, Operand::Variable(start), Operand::Constant(page - 1), inside);
        let fits = self.variable();
        self.alu(Alu::Add, Operand::Variable(inside), Operand::Variable(length), fits);
        self.alu(Alu::Le, Operand::Variable(fits), Operand::Constant(page), fits);
        let skip = self.skip(fits);
        let value = fits;
        self.alu(Alu::And, Operand::Variable(start), Operand::Constant(base_mask), value);
        let write = Instruction::Write { value, place: base_place, address: base_address };
        self.code.push(write);
        let shown_at = Address { base: start, offset: 0 };
        self.code.push(Instruction::As { place: shown, address: shown_at });
        let seen = Address { base: inside, offset: at };
        let read = Instruction::Read { block: of_read, place: real, address: seen, length };
        self.code.push(read);
        self.here(skip);
        self.used = before;
    }

    fn indexed(
        &mut self,
        window: &Window,
        shown: Place,
        real: Place,
        address: Address,
        length: u8,
        of_read: u8,
    ) {
        let WindowKind::Indexed { index_at, data_at, width, lock, done } = window.kind else {
            return;
        };
        let place = Place { width, ..real };
        let writes = Place { retry_zero: false, ..place };
        let polls = Place { class: Class::Touches, ..writes };
        let bytes = u64::from(width.bytes());
        let before = self.used;
        let count = self.variable();
        let each = Operand::Constant(bytes);
        self.alu(Alu::Div, Operand::Variable(length), each, count);
        let one = self.in_variable(each);
        let number = self.variable();
        let most = plan::code::TIMES_MAX;
        self.code.push(Instruction::Loop { to: number, count, most, body: 0 });
        let start = self.code.len() - 1;
        let at = self.variable();
        self.alu(Alu::Mul, Operand::Variable(number), each, at);
        self.alu(Alu::Add, Operand::Variable(at), Operand::Constant(address.offset), at);
        if address.base != NONE {
            self.alu(Alu::Add, Operand::Variable(at), Operand::Variable(address.base), at);
        }
        let value = self.variable();
        let registers = [Some(index_at), Some(data_at), lock.map(|l| l.0), done.map(|d| d.0)];
        for register in registers.into_iter().flatten() {
            self.check_never(place, Address::constant(register), bytes);
        }
        if let Some((lock_at, bit)) = lock {
            let address = Address::constant(lock_at);
            self.code.push(Instruction::Set { to: value, value: 1 << bit });
            self.code.push(Instruction::Write { value, place: writes, address });
            let milliseconds = LOCK_MILLISECONDS;
            let poll = Instruction::Poll { bit, set: true, place: polls, address, milliseconds };
            self.code.push(poll);
        }
        let address = Address::constant(index_at);
        self.code.push(Instruction::Write { value: at, place: writes, address });
        if let Some((done_at, bit, milliseconds)) = done {
            let address = Address::constant(done_at);
            let poll = Instruction::Poll { bit, set: true, place: polls, address, milliseconds };
            self.code.push(poll);
        }
        let shown = Place { width, ..shown };
        self.code.push(Instruction::As { place: shown, address: Address { base: at, offset: 0 } });
        let address = Address::constant(data_at);
        self.code.push(Instruction::Read { block: of_read, place, address, length: one });
        if let Some((lock_at, _)) = lock {
            let address = Address::constant(lock_at);
            self.code.push(Instruction::Set { to: value, value: 0 });
            self.code.push(Instruction::Write { value, place: writes, address });
        }
        self.here(start);
        self.used = before;
    }
}

/// The register that is read for the value of `register`.
fn read_for<'p>(block: &'p Block, register: &'p Register) -> &'p Register {
    match register.reading {
        Reading::Instead(other) => block.registers.get(other).unwrap_or(register),
        _ => register,
    }
}

/// How registers of a block are read, and in which space.
fn place(block: &Block, retry_zero: bool) -> Place {
    let (space, index) = place_of(block.location.area);
    let width = block.width;
    Place { space, index, width, big: block.big, class: block.class, retry_zero }
}

// A loop around the elements of an array, and one around the registers of a window.
const _: () = assert!(LOOPS == 2);
