// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Programs run in turns, and what each took.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use wait4::Wait4;

use crate::error::Error;
use crate::report::Report;

/// A program to be measured.
#[derive(Debug)]
pub struct Subject {
    /// What the report calls it.
    pub name: &'static str,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What it writes, which is removed before each run.
    pub output: Option<PathBuf>,
}

/// What one run took.
#[derive(Debug, Clone, Copy)]
struct Sample {
    elapsed: Duration,
    /// Bytes that were read by `read()` and `pread()`, those of the dynamic linker
    /// included; what was mapped is not.
    read: u64,
    /// The largest resident set, in bytes. Not below what this program had when it was
    /// started.
    peak: u64,
}

/// What several runs of one program took.
#[derive(Debug)]
pub struct Measured {
    name: &'static str,
    /// By time, the shortest one first.
    samples: Vec<Sample>,
}

impl Measured {
    /// The median, in seconds.
    pub fn median(&self) -> f64 {
        self.seconds(self.samples.len() / 2)
    }

    /// The quickest run, in seconds: what two programs are compared by, as whatever
    /// else the machine does only takes time.
    pub fn fastest(&self) -> f64 {
        self.seconds(0)
    }

    /// The most that any run read, in bytes.
    pub fn read(&self) -> u64 {
        self.samples.iter().map(|sample| sample.read).max().unwrap_or(0)
    }

    /// The most memory that any run had, in bytes.
    pub fn peak(&self) -> u64 {
        self.samples.iter().map(|sample| sample.peak).max().unwrap_or(0)
    }

    fn seconds(&self, place: usize) -> f64 {
        self.samples.get(place).map_or(f64::NAN, |sample| sample.elapsed.as_secs_f64())
    }
}

/// Runs each of `subjects` once to warm the caches, and then all of them in turns, so
/// often.
pub fn in_turns(title: &str, subjects: &[Subject], rounds: usize) -> Result<Vec<Measured>, Error> {
    let bar = ProgressBar::new(((rounds + 1) * subjects.len()) as u64);
    bar.set_style(
        indicatif::ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}")
            .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()),
    );
    bar.set_message(title.to_owned());
    let empty = |subject: &Subject| Measured { name: subject.name, samples: Vec::new() };
    let mut measured: Vec<_> = subjects.iter().map(empty).collect();
    for round in 0..=rounds {
        for (subject, measured) in subjects.iter().zip(&mut measured) {
            let sample = once(subject)?;
            if round > 0 {
                measured.samples.push(sample);
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    for each in &mut measured {
        each.samples.sort_by_key(|sample| sample.elapsed);
    }
    Ok(measured)
}

fn once(subject: &Subject) -> Result<Sample, Error> {
    let failed = |message: String| {
        let arguments = subject.arguments.join(" ");
        Error::Program { program: format!("{} {arguments}", subject.program.display()), message }
    };
    let error = |error: std::io::Error| failed(error.to_string());
    if let Some(output) = &subject.output
        && output.exists()
    {
        fs::remove_file(output).map_err(|error| Error::File { path: output.clone(), error })?;
    }
    // What this program had at most counts for its children: have that be what it has now.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let mut command = Command::new(&subject.program);
    command.args(&subject.arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let child = command.spawn().map_err(error)?;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(Pid::from_child(&child)), options).map_err(|errno| error(errno.into()))?;
    let elapsed = start.elapsed();
    let counters = fs::read_to_string(format!("/proc/{}/io", child.id())).map_err(error)?;
    let read = counters.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok());
    let used = child.wait4().map_err(error)?;
    if !used.status.success() {
        return Err(failed(used.status.to_string()));
    }
    let read = read.ok_or_else(|| failed("its counters have no rchar".to_owned()))?;
    Ok(Sample { elapsed, read, peak: used.rusage.maxrss })
}

/// Adds a table of all to the report. The first is what the others are compared with.
pub fn table(title: &str, measured: &[Measured], report: &mut Report) {
    let first = measured.first().map_or(f64::NAN, Measured::median);
    let row = |each: &Measured| {
        let time = |seconds: f64| format!("{:.2} ms", seconds * 1e3);
        vec![
            each.name.to_owned(),
            time(each.median()),
            time(each.fastest()),
            time(each.seconds(each.samples.len().saturating_sub(1))),
            format!("{:.2}", each.median() / first),
            mib(each.read()),
            mib(each.peak()),
        ]
    };
    report.text(&format!("### {title}"));
    let header = ["", "median", "fastest", "slowest", "ratio", "read", "peak memory"];
    report.table(&header, &measured.iter().map(row).collect::<Vec<_>>());
}

fn mib(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20))
}
