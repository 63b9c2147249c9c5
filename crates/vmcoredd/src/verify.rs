// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd verify`.

use std::io::Write;
use std::path::PathBuf;

use kdumpfile::{DeviceDump, Dump, Escaped, EscapedPath, Record, status_word};

use crate::failure::{Exit, Failure};
use crate::outcome;
use crate::progress;
use crate::read::{self, Contents};

/// Check device dumps against their manifest
///
/// Looks at the structure of FILE as far as it has to do with notes, at whether its memory
/// is there to the end, at whether each device dump is whole, and at the length and the
/// checksum in the manifest, if there is one. The exit status is 1 when something is
/// damaged or missing, or a collection did not give all that it should have.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The dumps; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// What the check of a device dump says.
enum Verdict {
    Good(String),
    Bad(String),
}

/// Checks every file.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut stdout = crate::stdout::lock();
    read::each_file(&arguments.files, |_, dump| match dump {
        Ok(dump) => verify(dump, arguments.quiet, &mut stdout),
        Err(_) => Ok(Exit::Done),
    })
}

/// Checks the device dumps of one file.
fn verify(dump: &Dump, quiet: bool, stdout: &mut impl Write) -> Result<Exit, Failure> {
    let contents = Contents::read(dump);
    let path = EscapedPath(dump.path());
    let matched = contents.manifest.matched(&contents.device_dumps);
    if contents.device_dumps.is_empty() && contents.is_whole() && !quiet {
        writeln!(stdout, "{path}: no device dumps")?;
    }
    let mut bad = 0;
    let total = contents.device_dumps.iter().map(DeviceDump::available).sum();
    let bar = progress::bar(total, "verifying");
    let mut done = 0;
    let mut report = |name: &str, verdict: Verdict| -> Result<(), Failure> {
        let (text, is_bad) = match verdict {
            Verdict::Good(text) => (text, false),
            Verdict::Bad(text) => (text, true),
        };
        bad += usize::from(is_bad);
        if is_bad || !quiet {
            bar.suspend(|| writeln!(stdout, "{path}: {name}: {text}"))?;
        }
        Ok(())
    };
    for (device_dump, record) in contents.device_dumps.iter().zip(&matched.of_dumps) {
        let verdict = check(device_dump, record.as_ref(), |at| bar.set_position(done + at))?;
        done += device_dump.available();
        report(&Escaped(device_dump.name()).to_string(), verdict)?;
    }
    bar.finish_and_clear();
    for record in matched.others().take(outcome::OTHERS_SHOWN) {
        let record = &record;
        let name = outcome::cut(record.name());
        let reason = outcome::recorded_reason(record).map(|reason| format!(", {reason}"));
        let status = status_word(record.status());
        let text = format!("not in this file: {status}{}", reason.unwrap_or_default());
        report(&name, Verdict::Bad(text))?;
    }
    let more = outcome::not_shown(&matched);
    if more > 0 {
        report("manifest", Verdict::Bad(format!("{more} more collections are not in this file")))?;
    }
    let unrecorded = contents.manifest.unrecorded().unwrap_or_default();
    if unrecorded > 0 {
        report("manifest", Verdict::Bad(format!("{unrecorded} collections have no record")))?;
    }
    stdout.flush()?;
    let of_contents = contents.complain(dump.path());
    Ok(if bad > 0 { of_contents.max(Exit::Negative) } else { of_contents })
}

/// Checks a device dump against its record.
fn check(
    device_dump: &DeviceDump<'_>,
    record: Option<&Record<'_>>,
    progress: impl FnMut(u64),
) -> Result<Verdict, Failure> {
    let length = device_dump.length();
    if !device_dump.is_whole() {
        let there = device_dump.available();
        return Ok(Verdict::Bad(format!("damaged, {there} of {length} bytes are there")));
    }
    let Some(record) = record else {
        return Ok(Verdict::Good(format!("{length} bytes, no record of it to check against")));
    };
    if let Some(expected) = record.length().filter(|expected| *expected != length) {
        return Ok(Verdict::Bad(format!("damaged, expected {expected} bytes, found {length}")));
    }
    let checked = match record.crc32c() {
        Some(expected) => {
            let found = device_dump.crc32c_with_progress(progress)?;
            if found != expected {
                let text = format!("damaged, expected CRC-32C {expected:08x}, found {found:08x}");
                return Ok(Verdict::Bad(text));
            }
            if record.is_of_collection() {
                "as they were collected"
            } else {
                "as they were attached"
            }
        }
        None => "no checksum to check against",
    };
    let reason =
        outcome::recorded_reason(record).map(|reason| format!(", {reason}")).unwrap_or_default();
    Ok(match record.status() {
        Some(kdumpfile::Status::Complete) => {
            Verdict::Good(format!("ok{reason}, {length} bytes, {checked}"))
        }
        // It was attached, and what had become of its collection was not known.
        None if !record.has_status() => Verdict::Good(format!("{length} bytes, {checked}")),
        status => {
            let status = status_word(status);
            Verdict::Bad(format!("{status}{reason}, {length} bytes, {checked}"))
        }
    })
}
