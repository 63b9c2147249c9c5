// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tables of any number of rows, of which none is kept: they are made twice, once to see
//! how wide they are.

use std::io::{self, Write};

use anstyle::Style;

/// To which side of its column a text is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// A column: its title, and how its texts are aligned.
pub type Column = (&'static str, Align);

/// A table with these columns, of which the first `always` are there even where they
/// are empty.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a, const N: usize> {
    pub columns: &'a [Column; N],
    pub always: usize,
}

impl<const N: usize> Table<'_, N> {
    /// Prints the `rows`, of printable ASCII, with `style` for the text of a column, to
    /// `to`, which removes it where that is no terminal.
    pub fn print<R: Iterator<Item = [String; N]>>(
        self,
        to: &mut impl Write,
        rows: impl Fn() -> R,
        style: impl Fn(usize, &str) -> Style,
    ) -> io::Result<()> {
        let mut widths = [0; N];
        for row in rows() {
            for (width, text) in widths.iter_mut().zip(&row) {
                *width = text.len().max(*width);
            }
        }
        for (at, (width, (title, _))) in widths.iter_mut().zip(self.columns).enumerate() {
            if *width > 0 || at < self.always {
                *width = title.len().max(*width);
            }
        }
        let titles = self.columns.map(|(title, _)| title.to_owned());
        self.row(to, &widths, &titles, |_, _| Style::new())?;
        rows().try_for_each(|row| self.row(to, &widths, &row, &style))
    }

    fn row(
        self,
        to: &mut impl Write,
        widths: &[usize; N],
        texts: &[String; N],
        style: impl Fn(usize, &str) -> Style,
    ) -> io::Result<()> {
        // Spaces are written when something comes after them.
        let mut spaces = 0;
        let columns = widths.iter().zip(texts).zip(self.columns).enumerate();
        for (at, ((width, text), (_, align))) in columns.filter(|(_, ((width, _), _))| **width > 0)
        {
            let rest = width - text.len();
            let (before, after) = if *align == Align::Right { (rest, 0) } else { (0, rest) };
            if !text.is_empty() {
                let style = style(at, text);
                write!(to, "{:1$}{style}{text}{style:#}", "", spaces + before)?;
                spaces = 0;
            } else {
                spaces += before;
            }
            spaces += after + 2;
        }
        writeln!(to)
    }
}
