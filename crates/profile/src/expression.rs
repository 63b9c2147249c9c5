// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Expressions: numbers, names and what C computes of them, in 64 bits without a sign.

use std::ops::Range;

use plan::code::{Alu, Fact};

/// How deep an expression nests at most.
const DEPTH_MAX: usize = 24;
/// How long an expression is at most, in bytes.
const LENGTH_MAX: usize = 2048;

/// A computation of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unary {
    /// 1 for 0, 0 for all else.
    Not,
    /// Every bit the other way.
    Complement,
    /// What gives 0 with it, added.
    Negate,
}

/// A function that an expression calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// How many bits are set.
    PopCount,
    /// The offset of a capability in configuration space, or 0.
    Capability,
    /// The offset of an extended one.
    Extended,
    /// The offset of the next capability of this id after that at an offset.
    NextCapability,
    /// Eight bits of configuration space.
    Config8,
    /// 16 bits of it.
    Config16,
    /// 32 bits of it.
    Config32,
}

impl Function {
    /// Each with its name and how many arguments it takes.
    const ALL: [(Self, &'static str, usize); 7] = [
        (Self::PopCount, "popcount", 1),
        (Self::Capability, "cap", 1),
        (Self::Extended, "ecap", 1),
        (Self::NextCapability, "nextcap", 2),
        (Self::Config8, "config8", 1),
        (Self::Config16, "config16", 1),
        (Self::Config32, "config32", 1),
    ];

    /// Its name in expressions.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(each, ..)| *each == self).map_or("", |(_, name, _)| name)
    }
}

/// A register of the profile, or a field of one, by their numbers in their lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The block.
    pub block: usize,
    /// The register in it.
    pub register: usize,
    /// The field in it; the whole register without one.
    pub field: Option<usize>,
}

/// An expression. What it names is looked up after all of the profile was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// A number.
    Number(u64),
    /// A name that was not looked up, or names nothing; where it stands, in bytes.
    Name(Vec<String>, Range<usize>),
    /// A register or a field.
    Value(Reference),
    /// A value that `let` has a name for, by its number.
    Let(usize),
    /// What is known of the device.
    Fact(Fact),
    /// The number of the element of an array block.
    Index,
    /// A computation of one value.
    Unary(Unary, Box<Self>),
    /// A computation of two; where the first is `and` or `or`, the second may be unknown.
    Binary(Alu, Box<Self>, Box<Self>),
    /// A function.
    Call(Function, Vec<Self>),
}

impl Expression {
    /// The expression in `text`, whose first byte is at `start` of the file.
    ///
    /// # Errors
    /// Where something is wrong, and what.
    pub fn parse(text: &str, start: usize) -> Result<Self, (Range<usize>, String)> {
        if text.len() > LENGTH_MAX {
            let what = format!(
                "the expression is too long, expected {LENGTH_MAX} bytes at most, found {}",
                text.len()
            );
            return Err((start..start, what));
        }
        let tokens = tokens(text, start)?;
        let end = start + text.len();
        let mut parser = Parser { tokens: &tokens, end, depth: 0 };
        let expression = parser.binary(0)?;
        match parser.tokens.first() {
            None => Ok(expression),
            Some(_) => Err(parser.unexpected("an operator or the end of the expression")),
        }
    }

    /// Its value, if that depends on nothing.
    #[must_use]
    pub fn constant(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Unary(unary, inner) => Some(unary.of(inner.constant()?)),
            Self::Binary(alu, first, second) => Some(alu.of(first.constant()?, second.constant()?)),
            Self::Call(Function::PopCount, arguments) => {
                let value = arguments.first()?.constant()?;
                Some(Alu::PopCount.of(value, 0))
            }
            _ => None,
        }
    }

    /// Calls `each` with it and all that it is made of.
    pub fn visit(&self, each: &mut impl FnMut(&Self)) {
        each(self);
        match self {
            Self::Unary(_, inner) => inner.visit(each),
            Self::Binary(_, first, second) => {
                first.visit(each);
                second.visit(each);
            }
            Self::Call(_, arguments) => arguments.iter().for_each(|inner| inner.visit(each)),
            _ => {}
        }
    }

    /// Calls `each` with it and all that it is made of, to change it.
    pub fn visit_mut(&mut self, each: &mut impl FnMut(&mut Self)) {
        match self {
            Self::Unary(_, inner) => inner.visit_mut(each),
            Self::Binary(_, first, second) => {
                first.visit_mut(each);
                second.visit_mut(each);
            }
            Self::Call(_, arguments) => {
                arguments.iter_mut().for_each(|inner| inner.visit_mut(each));
            }
            _ => {}
        }
        each(self);
    }
}

impl Unary {
    /// Of `value`.
    #[must_use]
    pub fn of(self, value: u64) -> u64 {
        match self {
            Self::Not => u64::from(value == 0),
            Self::Complement => !value,
            Self::Negate => value.wrapping_neg(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Number(u64),
    Name(Vec<String>),
    Sign(&'static str),
}

/// The signs, those that begin like others after them.
const SIGNS: [&str; 22] = [
    "&&", "||", "<<", ">>", "<=", ">=", "==", "!=", "!", "~", "-", "+", "*", "/", "%", "<", ">",
    "&", "^", "|", "(", ")",
];

/// How a binary operator is written, what it computes, and how tightly it binds: as in C.
/// `>` and `>=` are `<` and `<=` of what stands on the other side.
const BINARY: [(&str, Alu, u8, bool); 18] = [
    ("||", Alu::LogicalOr, 1, false),
    ("&&", Alu::LogicalAnd, 2, false),
    ("|", Alu::Or, 3, false),
    ("^", Alu::Xor, 4, false),
    ("&", Alu::And, 5, false),
    ("==", Alu::Eq, 6, false),
    ("!=", Alu::Ne, 6, false),
    ("<", Alu::Lt, 7, false),
    ("<=", Alu::Le, 7, false),
    (">", Alu::Lt, 7, true),
    (">=", Alu::Le, 7, true),
    ("<<", Alu::Shl, 8, false),
    (">>", Alu::Shr, 8, false),
    ("+", Alu::Add, 9, false),
    ("-", Alu::Sub, 9, false),
    ("*", Alu::Mul, 10, false),
    ("/", Alu::Div, 10, false),
    ("%", Alu::Rem, 10, false),
];

type Fallible<T> = Result<T, (Range<usize>, String)>;

fn tokens(text: &str, start: usize) -> Fallible<Vec<(Token, Range<usize>)>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let at = start + (text.len() - rest.len());
        let (token, length) = if first.is_ascii_digit() {
            let word = word(rest, |c| c.is_ascii_alphanumeric() || c == '_');
            let found = number(word).ok_or_else(|| {
                let what = format!("expected a number of 64 bits, found {word}");
                (at..at + word.len(), what)
            })?;
            (Token::Number(found), word.len())
        } else if is_start(first) {
            let word = word(rest, |c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
            (Token::Name(word.split('.').map(str::to_owned).collect()), word.len())
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            (Token::Sign(sign), sign.len())
        } else if first == ',' {
            (Token::Sign(","), 1)
        } else {
            let what = format!("expected a name, a number or an operator, found {first}");
            return Err((at..at + first.len_utf8(), what));
        };
        tokens.push((token, at..at + length));
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

fn is_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}

fn word(text: &str, belongs: impl Fn(char) -> bool) -> &str {
    text.find(|c| !belongs(c)).and_then(|end| text.get(..end)).unwrap_or(text)
}

/// A number as profiles have it: decimal, hexadecimal, octal or binary, with `_` in it.
pub(crate) fn number(text: &str) -> Option<u64> {
    let digits = text.replace('_', "");
    let (digits, radix) = match digits.get(..2) {
        Some("0x") => (digits.get(2..)?, 16),
        Some("0b") => (digits.get(2..)?, 2),
        Some("0o") => (digits.get(2..)?, 8),
        _ => (digits.as_str(), 10),
    };
    u64::from_str_radix(digits, radix).ok()
}

/// What is left of an expression.
struct Parser<'a> {
    tokens: &'a [(Token, Range<usize>)],
    /// Where it ends, in bytes of the file.
    end: usize,
    depth: usize,
}

impl Parser<'_> {
    fn unexpected(&self, expected: &str) -> (Range<usize>, String) {
        match self.tokens.first() {
            None => {
                let what = format!("expected {expected}, found the end of the expression");
                (self.end..self.end, what)
            }
            Some((token, span)) => {
                let found = match token {
                    Token::Number(number) => number.to_string(),
                    Token::Name(names) => names.join("."),
                    Token::Sign(sign) => (*sign).to_owned(),
                };
                (span.clone(), format!("expected {expected}, found {found}"))
            }
        }
    }

    fn next_is(&self, wanted: &str) -> bool {
        matches!(self.tokens.first(), Some((Token::Sign(sign), _)) if *sign == wanted)
    }

    fn skip(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    fn take(&mut self, wanted: &str) -> Fallible<()> {
        if !self.next_is(wanted) {
            return Err(self.unexpected(wanted));
        }
        self.skip();
        Ok(())
    }

    /// Operators that bind tighter than `least`.
    fn binary(&mut self, least: u8) -> Fallible<Expression> {
        let mut first = self.unary()?;
        // Each operator makes what is before it one deeper.
        let mut deeper = 0;
        while let Some((Token::Sign(sign), span)) = self.tokens.first() {
            let Some((_, alu, binds, turned)) =
                BINARY.into_iter().find(|(name, ..)| name == sign).filter(|(.., b, _)| *b > least)
            else {
                break;
            };
            deeper += 1;
            if self.depth + deeper > DEPTH_MAX {
                return Err((span.clone(), too_deep()));
            }
            self.skip();
            self.depth += 1;
            let second = self.binary(binds)?;
            self.depth -= 1;
            let (left, right) = if turned { (second, first) } else { (first, second) };
            first = Expression::Binary(alu, Box::new(left), Box::new(right));
        }
        Ok(first)
    }

    fn unary(&mut self) -> Fallible<Expression> {
        let unary = match self.tokens.first() {
            Some((Token::Sign("!"), _)) => Unary::Not,
            Some((Token::Sign("~"), _)) => Unary::Complement,
            Some((Token::Sign("-"), _)) => Unary::Negate,
            _ => return self.operand(),
        };
        self.deeper(|parser| {
            parser.skip();
            Ok(Expression::Unary(unary, Box::new(parser.unary()?)))
        })
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Fallible<T>) -> Fallible<T> {
        if self.depth >= DEPTH_MAX {
            let span = self.tokens.first().map_or(self.end..self.end, |(_, span)| span.clone());
            return Err((span, too_deep()));
        }
        self.depth += 1;
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn operand(&mut self) -> Fallible<Expression> {
        let expected = "a name, a number or (";
        match self.tokens.first() {
            Some((Token::Number(number), _)) => {
                self.skip();
                Ok(Expression::Number(*number))
            }
            Some((Token::Name(names), span)) => {
                self.skip();
                if self.next_is("(") {
                    return self.deeper(|parser| parser.call(&names.join("."), span));
                }
                if names.iter().any(|name| !is_name(name)) || names.len() > 3 {
                    let what = format!(
                        "expected REGISTER, REGISTER.FIELD or BLOCK.REGISTER.FIELD, found {}",
                        names.join(".")
                    );
                    return Err((span.clone(), what));
                }
                Ok(Expression::Name(names.clone(), span.clone()))
            }
            Some((Token::Sign("("), _)) => self.deeper(|parser| {
                parser.skip();
                let inner = parser.binary(0)?;
                parser.take(")")?;
                Ok(inner)
            }),
            _ => Err(self.unexpected(expected)),
        }
    }

    fn call(&mut self, name: &str, span: &Range<usize>) -> Fallible<Expression> {
        let known = Function::ALL.into_iter().find(|(_, known, _)| *known == name);
        let Some((function, _, wanted)) = known else {
            let all: Vec<_> = Function::ALL.iter().map(|(_, name, _)| *name).collect();
            let what = format!("unknown function, expected {}, found {name}", all.join(", "));
            return Err((span.clone(), what));
        };
        self.take("(")?;
        let mut arguments = vec![self.binary(0)?];
        while self.next_is(",") {
            self.skip();
            arguments.push(self.binary(0)?);
        }
        self.take(")")?;
        if arguments.len() != wanted {
            let what = format!("{name}(): expected {wanted} arguments, found {}", arguments.len());
            return Err((span.clone(), what));
        }
        Ok(Expression::Call(function, arguments))
    }
}

fn too_deep() -> String {
    format!("the expression nests too deeply, expected {DEPTH_MAX} levels at most, found more")
}

/// Whether an expression can name it.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(is_start) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
