// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which kernels vmcoredd was seen to work on: runs the tests on each kernel of the list, and
//! writes docs/reach.md. `VMTEST_ARCH` chooses the architecture.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use system_tests::{Error, KERNELS, Result, least_crashkernel, root, without_outer_build, write};
use vmtest::{Architecture, Kernel, Series};

/// Where the table is, below the root.
const TABLE: &str = "docs/reach.md";

/// The columns: what each is called, the file of the tests, and the test that it is, or all
/// in the file.
const COLUMNS: [(&str, &str, Option<&str>); 11] = [
    ("dumps", "panic", Some("dumps_are_the_adapters_memory")),
    ("ranges", "panic", Some("every_way_to_read_agrees")),
    ("memory", "panic", Some("memory_is_as_it_was")),
    ("makedumpfile", "tools", Some("makedumpfile_saves_from_the_crash_kernel")),
    ("vmcore-dmesg", "tools", Some("the_dead_kernels_log_is_that_of_vmcore_dmesg")),
    ("races", "race", None),
    ("8 adapters", "memory", Some("eight_adapters_where_they_fit")),
    ("collectors", "isolation", None),
    ("producers", "producers", None),
    ("profiles", "devices", None),
    ("live", "live", None),
];

const ABOVE: &str = "\
# Which kernels vmcoredd was seen to work on

`make test-reach` writes this table: each kernel is fetched from Debian's archive, the module
is built for it with the compiler of its release, and it panics in virtual machines. `yes` is
a test that passed, and **no** one that failed; a dash is what was not run. The date is that
of the run. Apart from this, `make test` runs all of it on 6.12, and the panics, collectors and
profiles on 6.1, for each change.

- dumps: built and loaded, and the payloads in `/proc/vmcore` and `/proc/vmcoredd` are the
  memory of the adapters;
- ranges: 3,000 random ranges of both files are the same by `read`, `pread` and `mmap`, and
  all else that these must refuse is refused;
- memory: all old memory has the digest that it had before the module was loaded;
- makedumpfile: it saves from the crash kernel, as zlib, LZO and ELF, with the dumps;
- vmcore-dmesg: what it finds is what `vmcoredd dmesg` finds;
- races: readers while drivers add dumps, for 20 seconds, on two processors;
- 8 adapters: of 32 MiB each, whole, with the least `crashkernel=` of those tried;
- collectors: they crash, hang, and write too much or too little;
- producers: processes add dumps;
- profiles: devices that no driver of ours knows are read, in a machine that died of a machine
  check; of a cloud kernel, its flavour with all drivers is taken;
- live: in a running system.

";

/// Runs the tests on each kernel that vmcoredd is for, and writes docs/reach.md
#[derive(Debug, Parser)]
struct Arguments {
    /// A kernel of the list, such as trixie-rt; all of them without it
    #[arg(long = "kernel")]
    kernels: Vec<Series>,
    /// Only write the table of what was run before
    #[arg(long)]
    report: bool,
}

fn main() -> ExitCode {
    match reach(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("reach: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether no test failed.
fn reach(arguments: &Arguments) -> Result<bool> {
    let architecture = Architecture::chosen()?;
    let wanted =
        |series: &&Series| arguments.kernels.is_empty() || arguments.kernels.contains(series);
    if !arguments.report {
        for series in KERNELS.iter().filter(wanted) {
            run(architecture, *series)?;
        }
    }
    let path = root().join(TABLE);
    // Rows of kernels that were not run here stay as they are.
    let mut rows = kept_rows(&fs::read_to_string(&path).unwrap_or_default());
    let mut passed = true;
    for series in KERNELS {
        let row = Row::read(architecture, series);
        passed &= row.as_ref().is_none_or(|row| !row.failed());
        let key = key(architecture, series);
        match row {
            Some(row) => drop(rows.insert(key, row.line(architecture, series))),
            None if !rows.contains_key(&key) => {
                drop(rows.insert(key, unknown_line(architecture, series)));
            }
            None => {}
        }
    }
    write(&path, table(&rows).as_bytes())?;
    Ok(passed)
}

/// Where the output of a file of tests on a kernel is kept.
fn log(architecture: Architecture, series: Series, file: &str) -> PathBuf {
    let directory = vmtest::target_dir().join("reach").join(architecture.to_string());
    directory.join(format!("{series}-{file}.log"))
}

/// Runs all tests on one kernel, the newest that the archive has.
fn run(architecture: Architecture, series: Series) -> Result<()> {
    for (_, file, _) in COLUMNS {
        let _ = fs::remove_file(log(architecture, series, file));
    }
    let kernel = match Kernel::fetch_newest(series, |step| eprintln!("{step}")) {
        Ok(kernel) => kernel,
        Err(error) if error.is_gone() => {
            eprintln!("{series}: {error}");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let module = format!("on_{}::", series.to_string().replace(['.', '-'], "_"));
    let mut last = "";
    for (_, file, _) in COLUMNS {
        if file == last {
            continue;
        }
        last = file;
        eprintln!("{series}: {} of {architecture}, tests of {file}", kernel.release());
        let path = log(architecture, series, file);
        write(&path, format!("kernel: {} {}\n", kernel.release(), today()?).as_bytes())?;
        let failed = |error| Error::File { path: path.clone(), error };
        let output = File::options().append(true).open(&path).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let mut test = Command::new(env!("CARGO"));
        test.current_dir(root()).args(["test", "--package", "system-tests", "--test", file]);
        test.args(["--", "--include-ignored", "--test-threads=1", &module]);
        test.stdout(output).stderr(errors);
        without_outer_build(&mut test).status().map_err(failed)?;
    }
    Ok(())
}

fn today() -> Result<String> {
    Ok(system_tests::output(Command::new("date").args(["--utc", "+%F"]))?.trim().to_owned())
}

/// What is known of one kernel.
struct Row {
    release: String,
    date: String,
    cells: Vec<Option<bool>>,
}

impl Row {
    /// From the output of tests; none where there is not any.
    fn read(architecture: Architecture, series: Series) -> Option<Self> {
        let mut row = Self { release: String::new(), date: String::new(), cells: Vec::new() };
        for (_, file, test) in COLUMNS {
            let text = fs::read_to_string(log(architecture, series, file)).unwrap_or_default();
            if let Some((release, date)) = first_line(&text) {
                // Of files that were run on other days, the last.
                if date >= row.date.as_str() {
                    row.date = date.to_owned();
                    row.release = release.to_owned();
                }
            }
            row.cells.push(outcome(&text, test));
        }
        row.cells.iter().any(Option::is_some).then_some(row)
    }

    fn failed(&self) -> bool {
        self.cells.contains(&Some(false))
    }

    fn line(&self, architecture: Architecture, series: Series) -> String {
        let mut line = format!("| {series} | {architecture} | {}", self.release);
        for ((column, _, _), cell) in COLUMNS.iter().zip(&self.cells) {
            let said = match cell {
                None => "–".to_owned(),
                Some(false) => "**no**".to_owned(),
                Some(true) if *column == "8 adapters" => {
                    format!("{} MiB", least_crashkernel(series))
                }
                Some(true) => "yes".to_owned(),
            };
            let _ = write!(line, " | {said}");
        }
        line + &format!(" | {} |", self.date)
    }
}

fn unknown_line(architecture: Architecture, series: Series) -> String {
    format!("| {series} | {architecture} | not run here |{} |", " – |".repeat(COLUMNS.len()))
}

/// The release and date in `kernel: 7.3.4+deb13-amd64 2026-11-27`.
fn first_line(text: &str) -> Option<(&str, &str)> {
    text.lines().next()?.strip_prefix("kernel: ")?.split_once(' ')
}

/// Whether a test, or each of them, is said to have passed; none if there is no word of it, or
/// if it was skipped.
fn outcome(text: &str, test: Option<&str>) -> Option<bool> {
    let mut outcome = None;
    for line in text.lines() {
        if line.contains("    skipped on ") {
            return None;
        }
        // What a test prints may come between its name and its end.
        let Some(rest) = line.strip_prefix("test on_") else { continue };
        let Some((name, ended)) = rest.split_once(" ... ") else { continue };
        let name = name.split_once("::").map_or(name, |(_, name)| name);
        let name = name.split(' ').next().unwrap_or_default();
        if test.is_none_or(|test| test == name) {
            let passed = !ended.ends_with("FAILED") && !text.contains(&format!("::{name} stdout"));
            outcome = Some(outcome.unwrap_or(true) && passed);
        }
    }
    // One that did not end has no result.
    if text.contains("test result: ") { outcome } else { outcome.map(|_| false) }
}

/// What orders rows: the architecture, and the place in the list.
type Key = (String, usize);

fn key(architecture: Architecture, series: Series) -> Key {
    let place = KERNELS.iter().position(|kernel| *kernel == series);
    (architecture.to_string(), place.unwrap_or(KERNELS.len()))
}

/// The rows of a table that was written before.
fn kept_rows(text: &str) -> BTreeMap<Key, String> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let series: Series = cells.next()?.parse().ok()?;
        let architecture: Architecture = cells.next()?.parse().ok()?;
        Some((key(architecture, series), line.to_owned()))
    };
    text.lines().filter_map(row).collect()
}

fn table(rows: &BTreeMap<Key, String>) -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _, _)| *name).collect();
    let mut text = ABOVE.to_owned();
    let _ = writeln!(text, "| kernel | of | release | {} | date |", names.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(COLUMNS.len() + 4));
    for row in rows.values() {
        text += row;
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "kernel: 7.3.4+deb13-cloud-amd64 2026-11-27\n\
        running 2 tests\n\
        test on_backports::one ... ok\n\
        test on_backports::two ...     said by it\n\
        FAILED\n\
        ---- on_backports::two stdout ----\n\
        test result: FAILED. 1 passed; 1 failed\n";

    #[test]
    fn outcomes_are_found_in_the_output() {
        assert_eq!(outcome(LOG, Some("one")), Some(true));
        assert_eq!(outcome(LOG, Some("two")), Some(false));
        assert_eq!(outcome(LOG, None), Some(false));
        assert_eq!(outcome(LOG, Some("three")), None);
        assert_eq!(outcome("test on_sid::one ... ok\nkilled", None), Some(false));
        assert_eq!(first_line(LOG), Some(("7.3.4+deb13-cloud-amd64", "2026-11-27")));
    }

    #[test]
    fn rows_of_other_machines_are_kept() {
        let line = "| sid | arm64 | 7.2.13 | yes | 2026-11-27 |".to_owned();
        let rows = kept_rows(&format!("{ABOVE}| kernel | of |\n|---|---|\n{line}\n"));
        assert_eq!(rows.values().collect::<Vec<_>>(), [&line]);
        assert!(table(&rows).ends_with(&format!("{line}\n")));
    }
}
