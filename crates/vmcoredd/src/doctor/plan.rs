// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd doctor --fix`: what it would change, and how it does that.
//!
//! A check says by [`Change`]s what it wants changed. A variable is set in such a way that the
//! shell agrees: the file with the change is evaluated, and every variable that kdump
//! reads must be as it was, but for the one. Where that does not come out right, the
//! change is not made, and listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::Command;

use kdumpfile::EscapedPath;

use super::change::{Change, Task, Value};
use super::check::Check;
use super::grub;
use super::machine::{KEYS, Machine};
use super::shell::{self, Settings};
use crate::failure::{Failure, complain};
use crate::output;
use crate::temporary::Temporary;

/// All that is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    /// The new texts of files, by their path in the machine.
    files: BTreeMap<String, Edited>,
    executable: BTreeSet<String>,
    directories: BTreeSet<String>,
    commands: Vec<&'static [&'static str]>,
    /// What cannot be done here.
    by_hand: Vec<String>,
}

/// A file and what it becomes.
#[derive(Debug)]
struct Edited {
    /// `None` where it is not there.
    old: Option<String>,
    new: String,
}

impl Plan {
    /// What `checks` ask for.
    pub fn new(machine: &Machine, checks: &[Check]) -> Self {
        let mut plan = Self::default();
        let mut tasks = BTreeSet::new();
        for check in checks {
            let Some(fix) = &check.fix else { continue };
            if fix.changes.is_empty() {
                plan.by_hand.push(format!("{}: {}: {}", check.name, check.message, fix.words));
            }
            for change in &fix.changes {
                match plan.add(machine, change) {
                    Ok(Some(task)) => {
                        tasks.insert(task);
                    }
                    Ok(None) => {}
                    Err(why) => {
                        plan.by_hand.push(format!("{}: {}: {why}", check.name, fix.words));
                        break;
                    }
                }
            }
        }
        plan.files.retain(|_, file| file.old.as_ref() != Some(&file.new));
        let is_loaded = machine.is_loaded();
        if is_loaded && tasks.contains(&Task::Initramfs) {
            tasks.remove(&Task::Load);
        }
        // Without memory for it, that can only fail.
        if machine.number("/sys/kernel/kexec_crash_size").unwrap_or(0) == 0
            && tasks.remove(&Task::Load)
        {
            plan.by_hand.push("kdump: boot, so that memory is reserved".to_owned());
        }
        plan.commands.extend(tasks.into_iter().map(|task| task.command(is_loaded)));
        plan.by_hand.dedup();
        plan
    }

    /// Whether there is anything to do.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
            && self.executable.is_empty()
            && self.directories.is_empty()
            && self.commands.is_empty()
    }

    /// Takes one change in; returns the task that it is, if it is one.
    fn add(&mut self, machine: &Machine, change: &Change) -> Result<Option<Task>, String> {
        match change {
            Change::Task(task) => return Ok(Some(*task)),
            Change::Executable(path) => {
                self.executable.insert(path.clone());
            }
            Change::Directory(path) => {
                self.directories.insert(path.clone());
            }
            Change::File { path, text } => {
                let staged = staged(text)?;
                let settings = grub::settings(machine, Some(staged.path()))?;
                let word = text.trim_end().trim_end_matches('"').rsplit(' ').next();
                if !word.is_some_and(|word| grub::ends_in(&settings, word)) {
                    return Err(format!("{path}: another file of GRUB's overrides it"));
                }
                let old = self.old(machine, path)?;
                self.files.insert((*path).to_owned(), Edited { old, new: text.clone() });
            }
            Change::Variable { file, key, to } => {
                let text = match self.files.get(*file) {
                    Some(edited) => edited.new.clone(),
                    None => self.old(machine, file)?.unwrap_or_default(),
                };
                let new = with_variable(machine, &text, file, key, to)?;
                match self.files.get_mut(*file) {
                    Some(edited) => edited.new = new,
                    None => {
                        let old = self.old(machine, file)?;
                        self.files.insert((*file).to_owned(), Edited { old, new });
                    }
                }
            }
        }
        Ok(None)
    }

    fn old(&self, machine: &Machine, path: &str) -> Result<Option<String>, String> {
        match read(&machine.path(path)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{path}: cannot read: {error}")),
        }
    }

    /// Prints what would be done: diffs and commands, and what has to be done by hand.
    pub fn print(&self) -> io::Result<()> {
        let mut stdout = crate::stdout::lock();
        writeln!(stdout)?;
        for (path, Edited { old, new }) in &self.files {
            let mut options = diffy::DiffOptions::new();
            let before = if old.is_some() { path.as_str() } else { "/dev/null" };
            options.set_original_filename(before.to_owned()).set_modified_filename(path.clone());
            let patch = options.create_patch(old.as_deref().unwrap_or_default(), new).to_string();
            write!(stdout, "{}", printable(&patch))?;
        }
        for path in &self.executable {
            writeln!(stdout, "chmod +x {path}")?;
        }
        for path in &self.directories {
            writeln!(stdout, "mkdir -p {path}")?;
        }
        for command in &self.commands {
            writeln!(stdout, "{}", command.join(" "))?;
        }
        if !self.by_hand.is_empty() {
            writeln!(stdout, "not by --fix:")?;
            for words in &self.by_hand {
                writeln!(stdout, "  {}", printable(words))?;
            }
        }
        stdout.flush()
    }

    /// Asks at the terminal whether to go on; returns `None` where there is no terminal.
    pub fn confirmed() -> io::Result<Option<bool>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        print!("\nmake these changes? [y/N] ");
        io::stdout().flush()?;
        let mut answer = String::new();
        stdin.read_line(&mut answer)?;
        Ok(Some(matches!(answer.trim(), "y" | "Y" | "yes")))
    }

    /// Carries the plan out, and prints what it does; returns whether all commands succeeded.
    ///
    /// # Errors
    /// The first file that cannot be changed. Those before it are changed.
    pub fn apply(&self, machine: &Machine) -> Result<bool, Failure> {
        let mut stdout = io::stdout();
        writeln!(stdout)?;
        for (path, edited) in &self.files {
            let target = machine.path(path);
            let backup = edited.write(&target)?;
            match backup {
                Some(backup) => {
                    let root = machine.root().canonicalize();
                    let backup = root
                        .ok()
                        .and_then(|root| Some(Path::new("/").join(backup.strip_prefix(root).ok()?)))
                        .unwrap_or(backup);
                    writeln!(stdout, "{path}: changed; what it was is {}", EscapedPath(&backup))?;
                }
                None => writeln!(stdout, "{path}: made")?,
            }
        }
        for path in &self.executable {
            let target = machine.path(path);
            let failed = |error| Failure::output(&target, error);
            let mode = fs::metadata(&target).map_err(failed)?.permissions().mode();
            // As chmod does it: for those who may read it.
            let mode = mode | (mode & 0o444) >> 2;
            fs::set_permissions(&target, Permissions::from_mode(mode)).map_err(failed)?;
            writeln!(stdout, "{path}: is executable now")?;
        }
        for path in &self.directories {
            let target = machine.path(path);
            fs::create_dir_all(&target).map_err(|error| Failure::output(&target, error))?;
            writeln!(stdout, "{path}: made")?;
        }
        let mut is_well = true;
        for command in &self.commands {
            let shown = command.join(" ");
            writeln!(stdout, "{shown}")?;
            let status = run(machine, command);
            if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
                is_well = false;
                match status {
                    Ok(status) => complain(format_args!("{shown}: {status}")),
                    Err(error) => complain(format_args!("{shown}: cannot be started: {error}")),
                }
            }
        }
        writeln!(stdout)?;
        Ok(is_well)
    }
}

impl Edited {
    /// Replaces what is at `path` by the new text; returns where the old text is kept. A link
    /// stays a link: what it leads to is replaced.
    fn write(&self, path: &Path) -> Result<Option<PathBuf>, Failure> {
        let failed = |error| Failure::output(path, error);
        let Some(old) = &self.old else {
            self.write_new(path).map_err(failed)?;
            return Ok(None);
        };
        if read(path).map_err(failed)? != *old {
            return Err(failed(io::Error::other("it was changed meanwhile")));
        }
        let backup = path.canonicalize().and_then(|target| backup(&target, old)).map_err(failed)?;
        let replaced =
            output::replace(path, |to| to.write_all(self.new.as_bytes()).map_err(failed));
        if replaced.is_err() && read(path).is_ok_and(|text| text == *old) {
            // What it is a copy of is still there.
            let _ = fs::remove_file(&backup);
        }
        replaced.map(|()| Some(backup))
    }

    /// Makes the file, whatever the umask, such that all can read it.
    fn write_new(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or_else(|| Path::new("/"));
        fs::create_dir_all(folder)?;
        if fs::symlink_metadata(path).is_ok() {
            return Err(io::Error::other("there is something by now, or a link to nothing"));
        }
        let mut temporary = Temporary::new(folder)?;
        temporary.file().write_all(self.new.as_bytes())?;
        temporary.file().set_permissions(Permissions::from_mode(0o644))?;
        temporary.file().sync_all()?;
        temporary.keep(path)
    }
}

/// The text of the file at `path`.
fn read(path: &Path) -> io::Result<String> {
    // To open a pipe would be to wait for whoever writes to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    fs::read_to_string(path)
}

/// Writes `text` beside `path`, with its owner and mode, under a name that nothing takes
/// for a configuration.
fn backup(path: &Path, text: &str) -> io::Result<PathBuf> {
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let named = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".vmcoredd-backup-{time}"));
        if number > 1 {
            name.push(format!("-{number}"));
        }
        PathBuf::from(name)
    };
    let create =
        |name: &PathBuf| OpenOptions::new().write(true).create_new(true).mode(0o600).open(name);
    let mut number = 1;
    let (name, mut file) = loop {
        let name = named(number);
        match create(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            created => break (name, created?),
        }
    };
    let like = fs::metadata(path)?;
    file.write_all(text.as_bytes())?;
    fchown(&file, Some(like.uid()), Some(like.gid()))?;
    file.set_permissions(like.permissions())?;
    file.sync_all()?;
    Ok(name)
}

/// Runs `command` in the machine.
fn run(machine: &Machine, command: &[&str]) -> io::Result<std::process::ExitStatus> {
    let mut started = if machine.root() == Path::new("/") {
        Command::new(command.first().copied().unwrap_or_default())
    } else {
        let mut chroot = Command::new("chroot");
        chroot.arg(machine.root()).args(command.first());
        chroot
    };
    started.args(command.get(1..).unwrap_or_default()).stdin(std::process::Stdio::null()).status()
}

/// `text`, a file of shell assignments, such that the shell has `key` as it is wanted, and
/// all else as before.
fn with_variable(
    machine: &Machine,
    text: &str,
    file: &str,
    key: &str,
    to: &Value,
) -> Result<String, String> {
    let before = evaluated(machine, text)?;
    let value = match to {
        Value::Text(value) => value.clone(),
        Value::Words { default, removed, added } => {
            let words = before.get(key).unwrap_or(default).split_whitespace();
            let words = words.filter(|word| !removed.iter().any(|removed| removed == word));
            let mut words: Vec<_> = words.collect();
            words.extend(
                added
                    .iter()
                    .map(String::as_str)
                    .filter(|word| !words.contains(word))
                    .collect::<Vec<_>>(),
            );
            words.join(" ")
        }
    };
    if before.get(key).unwrap_or_default() == value {
        return Ok(text.to_owned());
    }
    let is_right = |text: &String| {
        let Ok(after) = evaluated(machine, text) else { return false };
        let is_as_before = |other: &&str| **other == *key || after.get(other) == before.get(other);
        after.get(key).unwrap_or_default() == value
            && KEYS.iter().all(is_as_before)
            && after.complaint.is_some() == before.complaint.is_some()
    };
    let line = format!("{key}={}", shell::quoted(&value));
    let candidates = [replaced(text, key, &line), Some(appended(text, &line))];
    let found = candidates.into_iter().flatten().find(is_right);
    found.ok_or_else(|| format!("{file}: no change there gives the shell that value of {key}"))
}

/// What the shell has after `text`.
fn evaluated(machine: &Machine, text: &str) -> Result<Settings, String> {
    let staged = staged(text)?;
    shell::evaluate(&[staged.path().to_owned()], &KEYS, machine.trust)
}

/// `text` in a file that is gone when the result is.
fn staged(text: &str) -> Result<tempfile::NamedTempFile, String> {
    let write = || {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(text.as_bytes())?;
        io::Result::Ok(file)
    };
    write().map_err(|error| format!("a temporary file: {error}"))
}

/// `text` with `line` in the place of the one line that assigns `key`, where that does
/// nothing else and says nothing else.
fn replaced(text: &str, key: &str, line: &str) -> Option<String> {
    let is_assignment = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        line.strip_prefix(key).is_some_and(|rest| rest.starts_with('='))
    };
    let mut found = text.lines().filter(|line| is_assignment(line));
    let old = found.next()?;
    if found.next().is_some() || old.contains(['#', ';', '&', '|', '$', '`', '<', '>']) {
        return None;
    }
    // `USE_KDUMP=0 OTHER=1` does more.
    let words = shlex::split(old)?;
    if words.iter().skip_while(|word| *word == "export").count() != 1 {
        return None;
    }
    let lines = text.split_inclusive('\n').map(|old| match old.strip_suffix('\n') {
        _ if !is_assignment(old) => old.to_owned(),
        Some(old) if old.trim_start().starts_with("export ") => format!("export {line}\n"),
        Some(_) => format!("{line}\n"),
        None => line.to_owned(),
    });
    Some(lines.collect())
}

/// `text` with `line` at its end, which overrides all before it.
fn appended(text: &str, line: &str) -> String {
    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{newline}# By vmcoredd doctor --fix.\n{line}\n")
}

/// `text` without what a terminal would obey.
fn printable(text: &str) -> String {
    let escaped = |letter: char| match letter {
        '\n' | '\t' => letter.to_string(),
        letter if letter.is_control() => letter.escape_default().to_string(),
        letter => letter.to_string(),
    };
    text.chars().map(escaped).collect()
}
