// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is wrong with a profile, and where.

use std::fmt;
use std::ops::Range;

/// How many faults of a file are reported at most.
const FAULTS_MAX: usize = 100;

/// Where something stands in a file: both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Something that is wrong with a profile. It is shown as `LINE:COLUMN: what`, after which
/// stand what was expected and what was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fault {
    /// Where it is.
    pub position: Position,
    /// What it is, on one line.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.position.line, self.position.column, self.what)
    }
}

impl std::error::Error for Fault {}

/// The faults of a file, while they are found.
#[derive(Debug)]
pub(crate) struct Faults<'a> {
    text: &'a str,
    /// Where each line starts, in bytes.
    lines: Vec<usize>,
    found: Vec<Fault>,
}

impl<'a> Faults<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { text, lines, found: Vec::new() }
    }

    /// Something is wrong at `span`, in bytes.
    pub(crate) fn add(&mut self, span: &Range<usize>, what: impl fmt::Display) {
        let position = self.position(span.start);
        // What others wrote must stay on one line.
        let what = what.to_string().chars().map(printable).collect();
        self.found.push(Fault { position, what });
    }

    fn position(&self, at: usize) -> Position {
        let line = self.lines.partition_point(|start| *start <= at).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..at).unwrap_or_default();
        Position { line, column: before.chars().count() + 1 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them in the order of the file, each once.
    pub(crate) fn into_vec(mut self) -> Vec<Fault> {
        self.found.sort();
        self.found.dedup();
        self.found.truncate(FAULTS_MAX);
        self.found
    }
}

fn printable(character: char) -> char {
    if character.is_control() { '\u{fffd}' } else { character }
}
