// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd verify`.

use std::io::Write;
use std::path::PathBuf;

use kdumpfile::{DeviceDump, Dump, Escaped, EscapedPath, Record};

use crate::account;
use crate::failure::{Failure, Status};
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

/// How a device dump was found to be.
enum Found {
    Good(String),
    Bad(String),
}

/// Checks every file; one that cannot be read does not stop the others.
pub fn run(arguments: &Arguments) -> Result<Status, Failure> {
    let mut stdout = crate::stdout::lock();
    let mut status = Status::Done;
    for path in &arguments.files {
        match read::open(path) {
            Ok(dump) => status = status.max(verify(&dump, arguments.quiet, &mut stdout)?),
            Err(error) => status = status.max(Failure::Input(error).report()),
        }
    }
    Ok(status)
}

fn verify(dump: &Dump, quiet: bool, stdout: &mut impl Write) -> Result<Status, Failure> {
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
    let mut tell = |name: &str, found: Found| -> Result<(), Failure> {
        let (text, is_bad) = match found {
            Found::Good(text) => (text, false),
            Found::Bad(text) => (text, true),
        };
        bad += usize::from(is_bad);
        if is_bad || !quiet {
            bar.suspend(|| writeln!(stdout, "{path}: {name}: {text}"))?;
        }
        Ok(())
    };
    for (device_dump, record) in contents.device_dumps.iter().zip(&matched.of_dumps) {
        let found = look_at(device_dump, record.as_ref(), |at| bar.set_position(done + at))?;
        done += device_dump.available();
        tell(&Escaped(device_dump.name()).to_string(), found)?;
    }
    bar.finish_and_clear();
    for record in matched.others().take(account::OTHERS_SHOWN) {
        let record = &record;
        let name = account::cut(record.name());
        let reason = account::reason(record).map(|reason| format!(", {reason}"));
        let text = format!("not in this file: {}{}", record.status(), reason.unwrap_or_default());
        tell(&name, Found::Bad(text))?;
    }
    let more = account::not_shown(&matched);
    if more > 0 {
        tell("manifest", Found::Bad(format!("{more} more collections are not in this file")))?;
    }
    let unrecorded = contents.manifest.unrecorded().unwrap_or_default();
    if unrecorded > 0 {
        tell("manifest", Found::Bad(format!("{unrecorded} collections have no record")))?;
    }
    stdout.flush()?;
    let of_contents = contents.complain(dump.path());
    Ok(if bad > 0 { of_contents.max(Status::Negative) } else { of_contents })
}

fn look_at(
    device_dump: &DeviceDump<'_>,
    record: Option<&Record<'_>>,
    progress: impl FnMut(u64),
) -> Result<Found, Failure> {
    let length = device_dump.length();
    if !device_dump.is_whole() {
        let there = device_dump.available();
        return Ok(Found::Bad(format!("damaged, {there} of {length} bytes are there")));
    }
    let Some(record) = record else {
        return Ok(Found::Good(format!("{length} bytes, no record of it to check against")));
    };
    if let Some(expected) = record.length().filter(|expected| *expected != length) {
        return Ok(Found::Bad(format!("damaged, expected {expected} bytes, found {length}")));
    }
    let checked = match record.crc32c() {
        Some(expected) => {
            let found = device_dump.crc32c_with_progress(progress)?;
            if found != expected {
                let text = format!("damaged, expected CRC-32C {expected:08x}, found {found:08x}");
                return Ok(Found::Bad(text));
            }
            if record.is_of_collection() {
                "as they were collected"
            } else {
                "as they were attached"
            }
        }
        None => "no checksum to check against",
    };
    let reason = account::reason(record).map(|reason| format!(", {reason}")).unwrap_or_default();
    Ok(match record.status() {
        kdumpfile::Status::Complete => {
            Found::Good(format!("ok{reason}, {length} bytes, {checked}"))
        }
        // It was attached, and what had become of its collection was not known.
        kdumpfile::Status::Unknown if !record.has_status() => {
            Found::Good(format!("{length} bytes, {checked}"))
        }
        status => Found::Bad(format!("{status}{reason}, {length} bytes, {checked}")),
    })
}
