// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is shown of a run to somebody who watches it.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{Error, Result, output};

/// The widest line of another tool's output that is shown; readelf puts all of
/// a note on one.
const WIDTH: usize = 78;

/// What a stage of the run is to somebody who watches it.
#[must_use]
pub fn described(stage: &str) -> &str {
    match stage {
        "booting" => "booting it in a virtual machine",
        "first kernel up" => "loading the crash kernel",
        "crash kernel loaded" => "panic!",
        "error" => "a device reports an error",
        "panicked" => "booting the crash kernel",
        "crash kernel up" => "looking for the vmcore",
        "powered off" => "putting the saved files together",
        other => other,
    }
}

/// A program that was built together with this one.
///
/// # Errors
/// [`Error::File`].
pub fn beside(program: &str) -> Result<PathBuf> {
    let own =
        std::env::current_exe().map_err(|error| Error::File { path: program.into(), error })?;
    Ok(own.with_file_name(program))
}

/// Runs `command` on `file`, and shows what it says, each line cut at 78 characters.
///
/// # Errors
/// [`Error::Program`].
pub fn show(command: &mut Command, file: &Path) -> Result<()> {
    shown(command, file);
    print_cut(&output(command.arg(file))?);
    Ok(())
}

/// As [`show`], for a command that ends with status 1 where it has found something; whole
/// lines, of which the first `lines` are shown.
///
/// # Errors
/// [`Error::Program`].
pub fn show_found(command: &mut Command, file: &Path, lines: usize) -> Result<()> {
    shown(command, file);
    let program = format!("{command:?}");
    let failed = |message: String| Error::Program { program: program.clone(), message };
    let output = command.arg(file).output().map_err(|error| failed(error.to_string()))?;
    if output.status.code() != Some(1) {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(failed(format!("{}, expected 1: {said}", output.status)));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines().take(lines).for_each(|line| println!("{line}"));
    Ok(())
}

/// Shows the command itself.
fn shown(command: &Command, file: &Path) {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_owned();
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_owned()).collect();
    let file_shown = file.strip_prefix(crate::root()).unwrap_or(file);
    let words = [program].into_iter().chain(arguments);
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    println!("\n$ {} {}", words.join(" "), file_shown.display());
}

fn print_cut(said: &str) {
    for line in said.lines() {
        let cut: String = line.chars().take(WIDTH).collect();
        println!("{cut}{}", if cut.len() < line.len() { " …" } else { "" });
    }
}

/// Steps: a line each, with a spinner while it runs where there is a terminal.
pub struct Steps {
    running: Mutex<Option<Running>>,
    terminal: bool,
}

struct Running {
    what: String,
    since: Instant,
    spinner: ProgressBar,
}

impl Steps {
    /// None yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let terminal = std::io::stderr().is_terminal();
        Arc::new(Self { running: Mutex::new(None), terminal })
    }

    /// Ends the step that runs, and begins another.
    pub fn begin(&self, what: &str) {
        self.end("");
        let spinner =
            if self.terminal { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
            spinner.set_style(style);
        }
        spinner.set_message(what.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(100));
        let step = Running { what: what.to_owned(), since: Instant::now(), spinner };
        if let Ok(mut running) = self.running.lock() {
            *running = Some(step);
        }
    }

    /// Ends the step that runs, and says `how`.
    pub fn end(&self, how: &str) {
        let ended = self.running.lock().ok().and_then(|mut running| running.take());
        if let Some(Running { what, since, spinner }) = ended {
            spinner.finish_and_clear();
            eprintln!("  {what:<58} {:>5.1} s {how}", since.elapsed().as_secs_f32());
        }
    }
}
