// SPDX-License-Identifier: GPL-2.0-only

//! Rust bindings from the header that is the contract between C and Rust.
//!
//! The header is read in a strict subset of C, so that what it says can be
//! carried over without a C compiler: opaque and plain structs, integer
//! constants, prototypes of scalars and pointers. Anything else is an error
//! with its line, never skipped.
//!
//! Comments divide the prototypes: those after `/* Implemented in C. */` become
//! an `extern` block, those after `/* Implemented in Rust. */` become the macro
//! `check_entries!`, which makes the compiler compare each definition with the
//! header.
//!
//! Layouts are those of LP64; both compilers are made to confirm the numbers.

use std::fmt::{self, Write as _};

/// The comment after which prototypes are functions of the C side.
pub const IN_C: &str = "Implemented in C.";
/// The comment after which prototypes are functions of the Rust side.
pub const IN_RUST: &str = "Implemented in Rust.";

/// Why a header was refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Error {
    /// Line in the header, from 1.
    pub line: usize,
    /// What was expected there.
    pub expected: String,
    /// The line as it stands in the header.
    pub text: String,
}

impl fmt::Display for Error {
    /// Starts with the line number, so that `{file}:{error}` reads like a
    /// compiler's message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    {}", self.line, self.expected, self.text)
    }
}

impl std::error::Error for Error {}

/// Rust source of everything the header declares.
pub fn generate(header_text: &str) -> Result<String, Error> {
    Header::parse(header_text).map(|header| header.to_rust())
}

/// C source which makes the C compiler confirm the layouts that [`generate`]
/// asserts on the Rust side. `include` is the header's name in `#include`.
pub fn generate_c_check(header_text: &str, include: &str) -> Result<String, Error> {
    Header::parse(header_text).map(|header| header.to_c_check(include))
}

/// Names of the functions implemented in Rust: what the linker has to keep.
pub fn roots(header_text: &str) -> Result<Vec<String>, Error> {
    let header = Header::parse(header_text)?;
    Ok(header.functions_in(Side::Rust).map(|function| function.name.clone()).collect())
}

// ---------------------------------------------------------------------------
// What a header says
// ---------------------------------------------------------------------------

#[derive(Default)]
struct Header {
    constants: Vec<Constant>,
    structs: Vec<Struct>,
    functions: Vec<Function>,
}

struct Constant {
    name: String,
    value: i128,
    rust_type: &'static str,
    doc: Doc,
}

struct Struct {
    name: String,
    /// `None` for a struct of which Rust knows only the address.
    fields: Option<Vec<Field>>,
    doc: Doc,
}

struct Field {
    name: String,
    ty: Type,
    /// Number of elements if the field is an array.
    count: Option<usize>,
    offset: usize,
    c: String,
}

struct Function {
    name: String,
    result: Type,
    parameters: Vec<Parameter>,
    side: Side,
    doc: Doc,
    c: String,
}

#[derive(Clone, PartialEq, Eq)]
struct Parameter {
    name: String,
    ty: Type,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    C,
    Rust,
}

#[derive(Clone, PartialEq, Eq)]
enum Type {
    Void,
    Scalar(&'static Scalar),
    Struct(String),
    Pointer { to: Box<Type>, constant: bool },
    Function { result: Box<Type>, parameters: Vec<Parameter> },
}

#[derive(PartialEq, Eq)]
struct Scalar {
    c: &'static str,
    rust: &'static str,
    size: usize,
}

const POINTER_SIZE: usize = 8;

const fn scalar(c: &'static str, rust: &'static str, size: usize) -> Scalar {
    Scalar { c, rust, size }
}

/// `char` is `u8` on every kernel: text is bytes.
static SCALARS: [Scalar; 17] = [
    scalar("bool", "bool", 1),
    scalar("char", "u8", 1),
    scalar("u8", "u8", 1),
    scalar("u16", "u16", 2),
    scalar("u32", "u32", 4),
    scalar("u64", "u64", 8),
    scalar("s8", "i8", 1),
    scalar("s16", "i16", 2),
    scalar("s32", "i32", 4),
    scalar("s64", "i64", 8),
    scalar("int", "core::ffi::c_int", 4),
    scalar("unsigned int", "core::ffi::c_uint", 4),
    scalar("long", "core::ffi::c_long", 8),
    scalar("unsigned long", "core::ffi::c_ulong", 8),
    scalar("size_t", "usize", 8),
    scalar("ssize_t", "isize", 8),
    scalar("loff_t", "i64", 8),
];

impl Type {
    fn size(&self) -> usize {
        match self {
            Type::Scalar(scalar) => scalar.size,
            Type::Pointer { .. } | Type::Function { .. } => POINTER_SIZE,
            Type::Void | Type::Struct(_) => 0,
        }
    }

    fn to_rust(&self) -> String {
        match self {
            Type::Void => "core::ffi::c_void".into(),
            Type::Scalar(scalar) => scalar.rust.into(),
            Type::Struct(name) => name.clone(),
            Type::Pointer { to, constant: true } => format!("*const {}", to.to_rust()),
            Type::Pointer { to, constant: false } => format!("*mut {}", to.to_rust()),
            Type::Function { result, parameters } => {
                format!("Option<{}>", function_type(result, parameters))
            }
        }
    }
}

fn function_type(result: &Type, parameters: &[Parameter]) -> String {
    format!("unsafe extern \"C\" fn{}", signature(result, parameters))
}

fn signature(result: &Type, parameters: &[Parameter]) -> String {
    let parameters: Vec<String> = parameters
        .iter()
        .map(|parameter| format!("{}: {}", rust_name(&parameter.name), parameter.ty.to_rust()))
        .collect();
    let result = match result {
        Type::Void => String::new(),
        other => format!(" -> {}", other.to_rust()),
    };
    format!("({}){result}", parameters.join(", "))
}

/// A C name which is a word of the Rust language needs `r#`.
fn rust_name(name: &str) -> String {
    const WORDS: [&str; 34] = [
        "abstract", "as", "async", "await", "become", "box", "dyn", "enum", "final", "fn", "gen",
        "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv",
        "pub", "ref", "trait", "try", "type", "unsafe", "unsized", "use", "virtual", "where",
        "yield", "typeof",
    ];
    if WORDS.contains(&name) { format!("r#{name}") } else { name.into() }
}

/// The text of a kernel-doc comment.
#[derive(Clone, Default)]
struct Doc {
    lines: Vec<String>,
    /// `@name: text` of parameters and fields.
    members: Vec<(String, Vec<String>)>,
}

impl Doc {
    fn parse(comment: &str) -> Doc {
        let mut doc = Doc::default();
        let mut in_member = false;
        for line in comment.lines().map(|line| line.trim().trim_start_matches('*').trim()) {
            let described = line.strip_prefix('@').and_then(|rest| rest.split_once(':'));
            if let Some((name, text)) = described {
                doc.members.push((name.into(), vec![text.trim().into()]));
                in_member = true;
                continue;
            }
            in_member &= !line.is_empty();
            match doc.members.last_mut() {
                Some((_, text)) if in_member => text.push(line.into()),
                _ if doc.lines.is_empty() => doc.lines.extend(summary(line)),
                _ => doc.lines.push(line.into()),
            }
        }
        doc.lines.dedup_by(|line, previous| line.is_empty() && previous.is_empty());
        if doc.lines.last().is_some_and(String::is_empty) {
            doc.lines.pop();
        }
        doc
    }

    fn member(&self, name: &str) -> Doc {
        let found = self.members.iter().find(|(member, _)| member == name);
        let lines = found.map(|(_, lines)| lines.clone()).unwrap_or_default();
        Doc { lines, members: Vec::new() }
    }

    /// The text with the parameters as a list below it.
    fn with_members(&self) -> Doc {
        let mut lines = self.lines.clone();
        if !lines.is_empty() && !self.members.is_empty() {
            lines.push(String::new());
        }
        for (name, text) in &self.members {
            lines.push(format!("* `{name}`: {}", text.join("\n  ")));
        }
        let lines = lines.iter().flat_map(|line| line.split('\n')).map(String::from).collect();
        Doc { lines, members: Vec::new() }
    }
}

/// The first line of a kernel-doc comment repeats the name: `name() - text`.
fn summary(line: &str) -> Option<String> {
    let text = line.split_once(" - ").map_or(line, |(_, text)| text);
    (!text.is_empty()).then(|| text.into())
}

// ---------------------------------------------------------------------------
// Reading
// ---------------------------------------------------------------------------

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Number(String),
    Punctuation(char),
    Directive(String),
    Doc(String),
    Marker(Side),
}

struct Parser<'a> {
    lines: Vec<&'a str>,
    tokens: Vec<(Token, usize)>,
    next: usize,
    header: Header,
}

impl Header {
    fn parse(text: &str) -> Result<Header, Error> {
        let lines: Vec<&str> = text.lines().collect();
        let tokens = tokens(text).map_err(|(line, expected)| error(&lines, line, expected))?;
        let mut parser = Parser { lines, tokens, next: 0, header: Header::default() };
        parser.header()?;
        Ok(parser.header)
    }

    fn functions_in(&self, side: Side) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(move |function| function.side == side)
    }
}

fn error(lines: &[&str], line: usize, expected: impl Into<String>) -> Error {
    let text = lines.get(line - 1).map_or("end of file", |line| line.trim());
    Error { line, expected: expected.into(), text: text.into() }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn tokens(text: &str) -> Result<Vec<(Token, usize)>, (usize, String)> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    let mut line_is_blank = true;
    while let Some(first) = rest.chars().next() {
        let start = line;
        let length = if first.is_whitespace() {
            line_is_blank |= first == '\n';
            first.len_utf8()
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").ok_or((start, "this comment does not end".to_string()))?;
            let body = &rest[2..end];
            tokens.extend(comment(body).map(|token| (token, start)));
            end + 2
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '#' && line_is_blank {
            let length = rest.find('\n').unwrap_or(rest.len());
            tokens.push((Token::Directive(rest[1..length].trim().into()), start));
            length
        } else if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let word = rest[..length].to_string();
            let number = first.is_ascii_digit();
            let token = if number { Token::Number(word) } else { Token::Word(word) };
            tokens.push((token, start));
            length
        } else if "*(){}[];,".contains(first) {
            tokens.push((Token::Punctuation(first), start));
            1
        } else {
            return Err((start, format!("`{first}` is outside the subset of C read here")));
        };
        if !first.is_whitespace() {
            line_is_blank = false;
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens.push((Token::Punctuation('\0'), line));
    Ok(tokens)
}

/// Comments carry meaning only as kernel-doc and as the two markers.
fn comment(body: &str) -> Option<Token> {
    match body.strip_prefix('*') {
        Some(doc) => Some(Token::Doc(doc.into())),
        None if body.trim() == IN_C => Some(Token::Marker(Side::C)),
        None if body.trim() == IN_RUST => Some(Token::Marker(Side::Rust)),
        None => None,
    }
}

impl Parser<'_> {
    fn header(&mut self) -> Result<(), Error> {
        let mut side = None;
        let mut guard: Option<String> = None;
        let mut guards_open = 0;
        loop {
            let doc = self.docs();
            let line = self.line();
            match self.peek().clone() {
                Token::Punctuation('\0') if guards_open == 0 => return Ok(()),
                Token::Punctuation('\0') => return Err(self.expected("#endif")),
                Token::Marker(marked) => {
                    self.next += 1;
                    side = Some(marked);
                }
                Token::Directive(directive) => {
                    self.next += 1;
                    let (name, rest) = split_word(&directive);
                    match name {
                        "include" => {}
                        "ifndef" if guard.is_none() => {
                            guard = Some(rest.into());
                            guards_open += 1;
                        }
                        "endif" if guards_open == 1 => guards_open = 0,
                        "define" if guard.as_deref() == Some(rest) => {}
                        "define" => self.constant(rest, doc, line)?,
                        _ => {
                            let expected = "expected #include, #define or one include guard";
                            return Err(error(&self.lines, line, expected));
                        }
                    }
                }
                Token::Word(word) if word == "struct" && self.declares_struct() => {
                    self.structure(doc)?;
                }
                _ => self.prototype(side, doc)?,
            }
        }
    }

    /// The last kernel-doc comment before an item belongs to it.
    fn docs(&mut self) -> Doc {
        let mut doc = Doc::default();
        while let Token::Doc(text) = self.peek() {
            doc = Doc::parse(text);
            self.next += 1;
        }
        doc
    }

    fn declares_struct(&self) -> bool {
        matches!(self.tokens.get(self.next + 2), Some((Token::Punctuation(';' | '{'), _)))
    }

    fn constant(&mut self, rest: &str, doc: Doc, line: usize) -> Result<(), Error> {
        let (name, value) = split_word(rest);
        let refuse = |expected: &str| Err(error(&self.lines, line, expected));
        if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return refuse("expected #define NAME INTEGER");
        }
        let value = match value.find("/*") {
            Some(comment) if value.ends_with("*/") => value[..comment].trim(),
            _ => value,
        };
        let Some((value, rust_type)) = integer(value) else {
            return refuse(
                "expected an integer: i32 without suffix, u32 with U, u64 with ULL, \
                 a negative one in parentheses",
            );
        };
        let name = name.to_string();
        if self.header.constants.iter().any(|constant| constant.name == name) {
            return refuse("this constant is defined twice");
        }
        self.header.constants.push(Constant { name, value, rust_type, doc });
        Ok(())
    }

    fn structure(&mut self, doc: Doc) -> Result<(), Error> {
        let line = self.line();
        self.next += 1;
        let name = self.name("a struct's name")?;
        let fields = if self.accept('{') { Some(self.fields()?) } else { None };
        self.punctuation(';')?;
        let known = self.header.structs.iter_mut().find(|known| known.name == name);
        match (known, fields) {
            (None, fields) => self.header.structs.push(Struct { name, fields, doc }),
            (Some(known), Some(fields)) if known.fields.is_none() => {
                known.fields = Some(fields);
                known.doc = doc;
            }
            (Some(_), None) => {}
            (Some(_), Some(_)) => {
                return Err(error(&self.lines, line, "this struct is defined twice"));
            }
        }
        Ok(())
    }

    fn fields(&mut self) -> Result<Vec<Field>, Error> {
        let mut fields: Vec<Field> = Vec::new();
        let mut offset = 0;
        while !self.accept('}') {
            self.docs();
            let line = self.line();
            let first = self.next;
            let (name, ty) = self.declaration()?;
            if ty.size() == 0 {
                return Err(error(&self.lines, line, "a field is a scalar, pointer or array"));
            }
            let count = if self.accept('[') { Some(self.array_length()?) } else { None };
            if count.is_some() && !matches!(ty, Type::Scalar(_)) {
                return Err(error(&self.lines, line, "an array is one of scalars"));
            }
            self.punctuation(';')?;
            offset = round_up(offset, ty.size());
            let size = ty.size() * count.unwrap_or(1);
            let c = self.source(first);
            if fields.iter().any(|earlier| earlier.name == name) {
                return Err(error(&self.lines, line, "this field is declared twice"));
            }
            fields.push(Field { name, ty, count, offset, c });
            offset += size;
        }
        if fields.is_empty() {
            return Err(self.previous("a struct with at least one field"));
        }
        Ok(fields)
    }

    fn array_length(&mut self) -> Result<usize, Error> {
        let (token, line) = self.take();
        let length = match &token {
            Token::Number(number) => integer(number).map(|(value, _)| value),
            Token::Word(name) => self
                .header
                .constants
                .iter()
                .find(|constant| constant.name == *name)
                .map(|constant| constant.value),
            _ => None,
        };
        let Some(length) = length.and_then(|length| usize::try_from(length).ok()) else {
            return Err(error(&self.lines, line, "expected a number or a constant defined above"));
        };
        if length == 0 {
            return Err(error(&self.lines, line, "an array has at least one element"));
        }
        self.punctuation(']')?;
        Ok(length)
    }

    fn prototype(&mut self, side: Option<Side>, doc: Doc) -> Result<(), Error> {
        let first = self.next;
        let line = self.line();
        let result = self.type_name()?;
        self.check_value(&result, line, true)?;
        let name = self.name("a function's name")?;
        let parameters = self.parameters()?;
        self.punctuation(';')?;
        let refuse = |expected: &str| Err(error(&self.lines, line, expected));
        let Some(side) = side else {
            return refuse(&format!("expected /* {IN_C} */ or /* {IN_RUST} */ before prototypes"));
        };
        if self.header.functions.iter().any(|function| function.name == name) {
            return refuse("this function is declared twice");
        }
        let c = self.source(first);
        self.header.functions.push(Function { name, result, parameters, side, doc, c });
        Ok(())
    }

    fn parameters(&mut self) -> Result<Vec<Parameter>, Error> {
        self.punctuation('(')?;
        if self.peek() == &Token::Word("void".into())
            && self.tokens[self.next + 1].0 == Token::Punctuation(')')
        {
            self.next += 2;
            return Ok(Vec::new());
        }
        let mut parameters = Vec::new();
        loop {
            let line = self.line();
            let (name, ty) = self.declaration()?;
            self.check_value(&ty, line, false)?;
            parameters.push(Parameter { name, ty });
            if self.accept(')') {
                return Ok(parameters);
            }
            self.punctuation(',')?;
        }
    }

    /// A type and a name, or a pointer to a function around its name.
    fn declaration(&mut self) -> Result<(String, Type), Error> {
        let line = self.line();
        let ty = self.type_name()?;
        if !self.accept('(') {
            return Ok((self.name("a name")?, ty));
        }
        self.check_value(&ty, line, true)?;
        self.punctuation('*')?;
        let name = self.name("the name of a function pointer")?;
        self.punctuation(')')?;
        let parameters = self.parameters()?;
        Ok((name, Type::Function { result: Box::new(ty), parameters }))
    }

    fn check_value(&self, ty: &Type, line: usize, void: bool) -> Result<(), Error> {
        match ty {
            Type::Struct(_) => Err(error(&self.lines, line, "a struct is passed by pointer")),
            Type::Void if !void => Err(error(&self.lines, line, "expected a type other than void")),
            _ => Ok(()),
        }
    }

    fn type_name(&mut self) -> Result<Type, Error> {
        let mut constant = self.accept_word("const");
        let mut ty = self.base_type()?;
        while self.accept('*') {
            ty = Type::Pointer { to: Box::new(ty), constant };
            constant = self.accept_word("const");
        }
        // A const value means nothing to the caller.
        if constant {
            return Err(self.previous("const belongs to what a pointer points to"));
        }
        Ok(ty)
    }

    fn base_type(&mut self) -> Result<Type, Error> {
        let line = self.line();
        let mut name = self.word("a type")?;
        if name == "void" {
            return Ok(Type::Void);
        }
        if name == "struct" {
            let name = self.name("a struct's name")?;
            if !self.header.structs.iter().any(|known| known.name == name) {
                let expected = format!("expected a declaration of struct {name} above");
                return Err(error(&self.lines, line, expected));
            }
            return Ok(Type::Struct(name));
        }
        if name == "unsigned" {
            let kind = self.word("int or long")?;
            name = format!("unsigned {kind}");
        }
        match SCALARS.iter().find(|scalar| scalar.c == name) {
            Some(scalar) => Ok(Type::Scalar(scalar)),
            None => {
                let expected = format!("`{name}` is not among the types read here");
                Err(error(&self.lines, line, expected))
            }
        }
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.next].0
    }

    fn line(&self) -> usize {
        self.tokens[self.next].1
    }

    fn take(&mut self) -> (Token, usize) {
        let token = self.tokens[self.next].clone();
        // The token at the end of the file stays.
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    fn accept(&mut self, punctuation: char) -> bool {
        let found = self.peek() == &Token::Punctuation(punctuation);
        self.next += usize::from(found);
        found
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(found) if found == word);
        self.next += usize::from(found);
        found
    }

    fn punctuation(&mut self, punctuation: char) -> Result<(), Error> {
        if self.accept(punctuation) {
            return Ok(());
        }
        Err(self.expected(&format!("`{punctuation}`")))
    }

    fn word(&mut self, what: &str) -> Result<String, Error> {
        match self.peek().clone() {
            Token::Word(word) if word != "const" => {
                self.next += 1;
                Ok(word)
            }
            _ => Err(self.expected(what)),
        }
    }

    /// A word that both languages take as a name, given `r#` where needed.
    fn name(&mut self, what: &str) -> Result<String, Error> {
        const NOT_IN_C: [&str; 13] = [
            "char", "double", "enum", "extern", "float", "int", "long", "short", "static",
            "struct", "union", "unsigned", "void",
        ];
        const NOT_IN_RUST: [&str; 4] = ["crate", "self", "Self", "super"];
        match self.peek() {
            Token::Word(word)
                if NOT_IN_C.contains(&word.as_str()) || NOT_IN_RUST.contains(&word.as_str()) =>
            {
                Err(self.expected(what))
            }
            _ => self.word(what),
        }
    }

    fn expected(&self, what: &str) -> Error {
        let found = match self.peek() {
            Token::Word(text) | Token::Number(text) => format!("`{text}`"),
            Token::Punctuation('\0') => "the end of the file".into(),
            Token::Punctuation(c) => format!("`{c}`"),
            Token::Directive(text) => format!("`#{text}`"),
            Token::Doc(_) | Token::Marker(_) => "a comment".into(),
        };
        error(&self.lines, self.line(), format!("expected {what}, found {found}"))
    }

    fn previous(&self, expected: &str) -> Error {
        error(&self.lines, self.tokens[self.next - 1].1, format!("expected {expected}"))
    }

    /// The C text from a token to here, on one line.
    fn source(&self, first: usize) -> String {
        let mut text = String::new();
        let tokens = &self.tokens[first..self.next];
        for (index, (token, _)) in tokens.iter().enumerate() {
            let (Token::Word(_) | Token::Number(_) | Token::Punctuation(_)) = token else {
                continue;
            };
            let is_pointer =
                |at: usize| matches!(tokens.get(at), Some((Token::Punctuation('*'), _)));
            let opens_pointer = token == &Token::Punctuation('(') && is_pointer(index + 1);
            let spaced = matches!(token, Token::Word(_)) || is_pointer(index) || opens_pointer;
            if spaced && text.ends_with(|c| is_word(c) || c == ',') {
                text.push(' ');
            }
            match token {
                Token::Word(word) | Token::Number(word) => text.push_str(word),
                Token::Punctuation(c) => text.push(*c),
                _ => {}
            }
        }
        text
    }
}

fn split_word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

fn round_up(value: usize, to: usize) -> usize {
    value.div_ceil(to) * to
}

/// The value of a C integer and the Rust type that its suffix asks for.
fn integer(text: &str) -> Option<(i128, &'static str)> {
    let inner = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let text = inner.unwrap_or(text).trim();
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) if inner.is_some() => (true, rest),
        Some(_) => return None,
        None => (false, text),
    };
    let end = text.find(['U', 'L']).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let (rust_type, range) = match suffix {
        "" => ("i32", i128::from(i32::MIN)..=i128::from(i32::MAX)),
        "U" => ("u32", 0..=i128::from(u32::MAX)),
        "ULL" => ("u64", 0..=i128::from(u64::MAX)),
        _ => return None,
    };
    let value = match digits.strip_prefix("0x") {
        Some(hexadecimal) => i128::from(u64::from_str_radix(hexadecimal, 16).ok()?),
        // A leading zero would mean octal to C.
        None if digits.len() > 1 && digits.starts_with('0') => return None,
        None => i128::from(digits.parse::<u64>().ok()?),
    };
    let value = if negative { -value } else { value };
    range.contains(&value).then_some((value, rust_type))
}

// ---------------------------------------------------------------------------
// Writing
// ---------------------------------------------------------------------------

impl Struct {
    fn size(&self) -> usize {
        let fields = self.fields.as_deref().unwrap_or_default();
        let end = fields
            .last()
            .map_or(0, |field| field.offset + field.ty.size() * field.count.unwrap_or(1));
        let alignment = fields.iter().map(|field| field.ty.size()).max().unwrap_or(1);
        round_up(end, alignment)
    }
}

impl Header {
    fn to_rust(&self) -> String {
        let mut out = Text::default();
        out.line("// Generated from the C header; the header is what to edit.");
        for constant in &self.constants {
            out.line("");
            out.doc("", &constant.doc, &format!("#define {} {}", constant.name, constant.value));
            let Constant { name, value, rust_type, .. } = constant;
            out.line(&format!("pub const {name}: {rust_type} = {value};"));
        }
        for known in &self.structs {
            out.line("");
            match &known.fields {
                None => out.opaque(known),
                Some(fields) => out.structure(known, fields),
            }
        }
        self.extern_block(&mut out);
        self.entry_checks(&mut out);
        out.0
    }

    fn extern_block(&self, out: &mut Text) {
        if self.functions_in(Side::C).next().is_none() {
            return;
        }
        out.line("");
        out.line("unsafe extern \"C\" {");
        for (index, function) in self.functions_in(Side::C).enumerate() {
            if index > 0 {
                out.line("");
            }
            out.doc("    ", &function.doc.with_members(), &function.c);
            let signature = signature(&function.result, &function.parameters);
            out.line(&format!("    pub fn {}{signature};", rust_name(&function.name)));
        }
        out.line("}");
    }

    /// The types are named in the module that includes this text, so the macro
    /// is to be called there.
    fn entry_checks(&self, out: &mut Text) {
        if self.functions_in(Side::Rust).next().is_none() {
            return;
        }
        out.line("");
        out.line("/// Refuses to compile unless the module at the given path defines every");
        out.line("/// function that the header leaves to Rust, with exactly the header's type.");
        out.line("macro_rules! check_entries {");
        out.line("    ($($entry:tt)*) => {");
        for function in self.functions_in(Side::Rust) {
            let ty = function_type(&function.result, &function.parameters);
            let name = rust_name(&function.name);
            out.line(&format!("        const _: {ty} = $($entry)*::{name};"));
        }
        out.line("    };");
        out.line("}");
    }

    fn to_c_check(&self, include: &str) -> String {
        let mut out = Text::default();
        out.line("// SPDX-License-Identifier: GPL-2.0-only");
        out.line("/* Generated from the header, with the numbers that Rust asserts. */");
        out.line("#include <linux/build_bug.h>");
        out.line("#include <linux/stddef.h>");
        out.line(&format!("#include \"{include}\""));
        for known in &self.structs {
            let Some(fields) = &known.fields else {
                continue;
            };
            let name = &known.name;
            out.line("");
            out.line(&format!("static_assert(sizeof(struct {name}) == {});", known.size()));
            for Field { name: field, offset, .. } in fields {
                out.line(&format!("static_assert(offsetof(struct {name}, {field}) == {offset});"));
            }
        }
        out.0
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        writeln!(self.0, "{line}").expect("a String takes every write");
    }

    fn doc(&mut self, indent: &str, doc: &Doc, c: &str) {
        if doc.lines.is_empty() {
            return self.line(&format!("{indent}/// `{c}`"));
        }
        for line in &doc.lines {
            self.line(format!("{indent}/// {line}").trim_end());
        }
    }

    fn opaque(&mut self, known: &Struct) {
        self.doc("", &known.doc, &format!("struct {};", known.name));
        self.line("#[repr(C)]");
        self.line(&format!("pub struct {} {{", known.name));
        self.line("    _p: [u8; 0],");
        // Neither Send nor Sync nor Unpin: C decides who may touch it and where.
        self.line("    _m: core::marker::PhantomData<(*mut u8, core::marker::PhantomPinned)>,");
        self.line("}");
    }

    fn structure(&mut self, known: &Struct, fields: &[Field]) {
        let name = &known.name;
        self.doc("", &known.doc, &format!("struct {name}"));
        self.line("#[repr(C)]");
        self.line("#[derive(Clone, Copy)]");
        self.line(&format!("pub struct {name} {{"));
        for field in fields {
            self.doc("    ", &known.doc.member(&field.name), &field.c);
            let ty = match field.count {
                Some(count) => format!("[{}; {count}]", field.ty.to_rust()),
                None => field.ty.to_rust(),
            };
            self.line(&format!("    pub {}: {ty},", rust_name(&field.name)));
        }
        self.line("}");
        self.line("const _: () = {");
        self.line(&format!("    assert!(size_of::<{name}>() == {});", known.size()));
        for field in fields {
            let (field, offset) = (rust_name(&field.name), field.offset);
            self.line(&format!("    assert!(core::mem::offset_of!({name}, {field}) == {offset});"));
        }
        self.line("};");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_H
#define SHIM_H

#include <linux/types.h>

/** NAME_MAX - Longest name. */
#define NAME_MAX 44
#define MASK 0xffU /* low byte */
#define BIG 0xffffffffffffffffULL
#define AGAIN (-11)

struct file;

/**
 * struct dump - One dump
 * @length: its length,
 *          in bytes
 */
struct dump {
	u8 kind;
	u64 length;
	char name[NAME_MAX];
	struct file *type;
};

/* Implemented in C. */

/**
 * file_open() - Open a file
 * @path: zero-terminated
 *
 * Return: the file or NULL.
 */
struct file *file_open(const char *path);
int each(int (*step)(void *context, unsigned long value), void *context);
void stop(void);

/* Implemented in Rust. */
ssize_t dump_read(const struct dump *dump, void **in, loff_t at);

#endif /* SHIM_H */
"#;

    fn refused(text: &str) -> Error {
        generate(text).expect_err("outside the subset")
    }

    fn has(text: &str, part: &str) {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }

    #[test]
    fn constants_take_their_type_from_the_suffix() {
        let rust = generate(HEADER).unwrap();
        has(&rust, "/// Longest name.\npub const NAME_MAX: i32 = 44;\n");
        has(&rust, "pub const MASK: u32 = 255;\n");
        has(&rust, "pub const BIG: u64 = 18446744073709551615;\n");
        has(&rust, "pub const AGAIN: i32 = -11;\n");
        assert!(!rust.contains("SHIM_H"));
    }

    #[test]
    fn integers_outside_their_type_are_refused() {
        for text in
            ["2147483648", "4294967296U", "1UL", "017", "-1", "1.5", "\"text\"", "(-1U)", ""]
        {
            assert_eq!(integer(text), None, "{text}");
        }
        assert_eq!(integer("(-2147483648)"), Some((i128::from(i32::MIN), "i32")));
    }

    #[test]
    fn both_sides_assert_the_same_layout() {
        let rust = generate(HEADER).unwrap();
        has(&rust, "pub struct dump {\n    /// `u8 kind;`\n    pub kind: u8,\n");
        has(&rust, "    /// its length,\n    /// in bytes\n    pub length: u64,\n");
        has(
            &rust,
            "    pub name: [u8; 44],\n    /// `struct file *type;`\n    pub r#type: *mut file,\n",
        );
        has(&rust, "assert!(size_of::<dump>() == 72);");
        has(&rust, "assert!(core::mem::offset_of!(dump, r#type) == 64);");
        let c = generate_c_check(HEADER, "shim.h").unwrap();
        has(&c, "#include \"shim.h\"\n");
        has(&c, "static_assert(sizeof(struct dump) == 72);\n");
        has(&c, "static_assert(offsetof(struct dump, type) == 64);\n");
    }

    #[test]
    fn functions_of_c_are_declared() {
        let rust = generate(HEADER).unwrap();
        has(
            &rust,
            "    /// Open a file\n    ///\n    /// Return: the file or NULL.\n    ///\n    \
             /// * `path`: zero-terminated\n    \
             pub fn file_open(path: *const u8) -> *mut file;\n",
        );
        has(
            &rust,
            "    /// `int each(int (*step)(void *context, unsigned long value), void *context);`\n    \
             pub fn each(step: Option<unsafe extern \"C\" fn(context: *mut core::ffi::c_void, \
             value: core::ffi::c_ulong) -> core::ffi::c_int>, \
             context: *mut core::ffi::c_void) -> core::ffi::c_int;\n",
        );
        has(&rust, "    pub fn stop();\n");
    }

    #[test]
    fn functions_of_rust_are_checked_and_kept() {
        let rust = generate(HEADER).unwrap();
        has(
            &rust,
            "const _: unsafe extern \"C\" fn(dump: *const dump, \
             r#in: *mut *mut core::ffi::c_void, at: i64) -> isize = $($entry)*::dump_read;",
        );
        assert!(!rust.contains("pub fn dump_read"));
        assert_eq!(roots(HEADER).unwrap(), ["dump_read"]);
    }

    #[test]
    fn an_error_names_the_line() {
        let error = refused("\n/* Implemented in C. */\n\tfloat ratio(int a);\n");
        assert_eq!(error.line, 3);
        assert_eq!(error.text, "float ratio(int a);");
        assert_eq!(
            format!("shim.h:{error}"),
            "shim.h:3: `float` is not among the types read here\n    float ratio(int a);"
        );
    }

    #[test]
    fn nothing_outside_the_subset_is_skipped() {
        for text in [
            "int early(void);",
            "/* Implemented in C. */ int unnamed(int);",
            "/* Implemented in C. */ int old_style();",
            "/* Implemented in C. */ int variadic(int a, ...);",
            "/* Implemented in C. */ int by_value(struct file f);",
            "/* Implemented in C. */ int hidden(struct hidden *h);",
            "/* Implemented in C. */ int valueless(void v);",
            "/* Implemented in C. */ int late(const int a);",
            "/* Implemented in C. */ int twice(void); int twice(void);",
            "/* Implemented in C. */ int __must_check attribute(void);",
            "/* Implemented in C. */ static inline int inlined(void) { return 0; }",
            "/* Implemented in C. */ int unfinished(void)",
            "/* Implemented in C. */ long long wide(void);",
            "struct empty { };",
            "struct inner { int a; }; struct outer { struct inner i; };",
            "struct bits { u32 a:3; };",
            "struct many { int a, b; };",
            "struct twice { int a; int a; };",
            "struct zero { int a[0]; };",
            "struct flexible { int a[]; };",
            "struct pointers { void *a[3]; };",
            "struct packed { u8 a; } __packed;",
            "struct again { int a; }; struct again { int a; };",
            "enum kind { A };",
            "typedef int number;",
            "union either { int a; };",
            "extern int variable;",
            "struct file; /* Implemented in C. */ int method(struct file *self);",
            "#define EXPRESSION (1 << 3)",
            "#define TEXT \"text\"",
            "#define CALL(x) 1",
            "#define TWICE 1\n#define TWICE 2",
            "#ifdef CONFIG_X\n#endif",
            "#ifndef GUARD\n#define GUARD",
            "#pragma once",
            "/* endless",
        ] {
            refused(text);
        }
    }
}
