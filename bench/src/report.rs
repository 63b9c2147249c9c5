// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What was measured, as Markdown: printed while it is measured, and kept.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use comfy_table::{CellAlignment, Table, presets};

use crate::error::Error;

/// The report so far.
#[derive(Debug, Default)]
pub struct Report {
    text: String,
}

impl Report {
    /// Adds a paragraph, a heading or the like.
    pub fn text(&mut self, text: &str) {
        println!("\n{text}");
        let _ = writeln!(self.text, "\n{text}");
    }

    /// Adds a table. All but its first column are numbers.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header(header);
        (1..header.len()).for_each(|column| {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        });
        rows.iter().for_each(|row| {
            table.add_row(row);
        });
        println!("\n{table}");
        // Markdown's own way of aligning, which the table does not know.
        for (number, line) in table.to_string().lines().enumerate() {
            let line = line.trim_end();
            if number == 1 {
                let _ = writeln!(self.text, "|---|{}", "--:|".repeat(header.len() - 1));
            } else {
                let separator = if number == 0 { "\n" } else { "" };
                let _ = writeln!(self.text, "{separator}{line}");
            }
        }
    }

    /// Adds a picture that is in the directory of the report.
    pub fn picture(&mut self, file: &str, title: &str) {
        let _ = writeln!(self.text, "\n![{title}]({file})");
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        fs::write(path, self.text.trim_start())
            .map_err(|error| Error::File { path: path.to_path_buf(), error })
    }
}

/// The machine and the versions of what was measured, a row each.
pub fn machine() -> Vec<Vec<String>> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, model)| model);
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let mut rows = vec![vec!["Processor".to_owned(), format!("{model}, {cpus} CPUs")]];
    for (what, program) in [
        ("Virtual machines, by software emulation", "qemu-system-x86_64"),
        ("C compiler", "gcc"),
        ("Rust compiler", "rustc"),
        ("makedumpfile", "makedumpfile"),
        ("readelf", "readelf"),
        ("eu-readelf", "eu-readelf"),
        ("crash", "crash"),
    ] {
        let option = if program == "makedumpfile" { "-v" } else { "--version" };
        let output = Command::new(program).arg(option).output();
        let said = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let line = said.lines().map(str::trim).find(|line| !line.is_empty());
        rows.push(vec![what.to_owned(), line.unwrap_or("not there").to_owned()]);
    }
    rows
}
