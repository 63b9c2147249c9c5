// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd snapshot`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kdumpfile::{Escaped, EscapedPath};

use crate::baseline::Directory;
use crate::devices;
use crate::failure::{Exit, Failure, complain};
use crate::outcome;
use crate::output;
use crate::read::{self, Contents};

/// The file of the module that has the dumps.
const DUMPS: &str = "/proc/vmcoredd";
/// The module.
const MODULE: &str = "vmcoredd";

/// Read the registers of devices of this running system into a file
///
/// The module reads what the crash kernel would read, by the same profiles, and OUT becomes
/// an ELF file of device dumps, for `list`, `decode`, `diff` and the others. So one can see
/// in peace time what a dump will have, and compare it later with that of a crash. It works
/// where the kernel is locked down, too, since the module reads.
///
/// A device that has a driver is in use: of it only registers are read that no read
/// changes, and no window is moved, whatever the options say. If vmcoredd.ko is not loaded,
/// it is loaded for this and removed after it; if it is, OUT has what it had before, too.
///
/// With --keep, OUT is a directory in which the newest snapshots are kept, to compare a
/// crash with: see vmcoredd-baseline.timer. One is written whole or not at all, and older
/// ones go only after that. Only root can read them.
///
/// The exit status is 1 where a device that was asked for has no whole dump.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Only these devices: slots (0000:01:00.0 or 01:00.0), profiles, names of dumps
    #[arg(value_name = "DEVICE", conflicts_with = "leave_out")]
    devices: Vec<String>,
    /// Where the file is written
    #[arg(short, long, value_name = "OUT", default_value = "vmcoredd-snapshot")]
    output: PathBuf,
    /// Write to a file of its own in the directory OUT, and keep the newest COUNT of them
    #[arg(long, value_name = "COUNT", requires = "output")]
    keep: Option<NonZeroUsize>,
    #[command(flatten)]
    reading: devices::Reading,
}

/// Takes a snapshot.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Some(count) = arguments.keep else {
        return take(arguments, &arguments.output).map(|(status, _)| status);
    };
    let directory = Directory::lock(&arguments.output)?;
    let path = directory.next();
    let (status, dumps) = take(arguments, &path)?;
    if dumps == 0 {
        // Nothing can be compared with it: it takes no other's place.
        fs::remove_file(&path).map_err(|error| Failure::output(&path, error))?;
        return Ok(status.max(Exit::Negative));
    }
    directory.keep(count.get(), &path)?;
    Ok(status)
}

/// Takes one into `output`; returns the status, and how many device dumps it has.
fn take(arguments: &Arguments, output: &Path) -> Result<(Exit, usize), Failure> {
    let Arguments { devices, reading, .. } = arguments;
    let (_loaded, read) = match reading.read(devices) {
        Err(failure) if devices::is_not_loaded(&failure) => {
            (Some(Loaded::load()?), reading.read(devices)?)
        }
        done => (None, done?),
    };
    let length = output::write(output, &[Path::new(DUMPS)], |to, _| {
        let failed = |error| Failure::Blob { path: DUMPS.into(), error };
        let mut from = File::open(DUMPS).map_err(failed)?;
        io::copy(&mut from, to).map_err(|error| Failure::output(output, error))
    })?;
    if !output.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Ok((read, 0));
    }
    let dump = read::open(output)?;
    let contents = Contents::read(&dump);
    let status = report(&contents, devices)?;
    let mut stdout = crate::stdout::lock();
    let count = contents.device_dumps.len();
    let path = EscapedPath(output);
    writeln!(stdout, "{path}: {count} device dumps, {length} bytes")?;
    stdout.flush()?;
    Ok((status.max(read).max(contents.complain(output)), count))
}

/// Says which dumps are not whole, and which of `wanted` there are none of.
fn report(contents: &Contents<'_>, wanted: &[String]) -> Result<Exit, Failure> {
    let matched = contents.manifest.matched(&contents.device_dumps);
    let mut status = Exit::Done;
    for (device_dump, record) in contents.device_dumps.iter().zip(&matched.of_dumps) {
        if let Some(reason) = outcome::reason(device_dump, record.as_ref()) {
            let name = Escaped(device_dump.name());
            complain(format_args!("{name}: {reason}"));
            status = Exit::Negative;
        }
    }
    for line in outcome::lines(&contents.manifest, &matched) {
        complain(line);
    }
    for word in wanted {
        let slot = devices::whole_slot(word);
        let is_it = |name: &str| {
            let (kind, device) = name.split_once('_').unwrap_or((name, ""));
            [name, kind, device].contains(&slot.as_str())
        };
        let names = contents.device_dumps.iter().map(|dump| String::from_utf8_lossy(dump.name()));
        if !names.into_iter().any(|name| is_it(&name)) {
            complain(format_args!("{word}: no device dump: there is no such device or profile"));
            status = Exit::Negative;
        }
    }
    Ok(status)
}

/// The module, which was loaded for this.
struct Loaded;

impl Loaded {
    /// Loads it.
    fn load() -> Result<Self, Failure> {
        match modprobe(&[MODULE]) {
            true => Ok(Self),
            false => Err(devices::not_loaded()),
        }
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // Where somebody else uses it by now, it stays.
        modprobe(&["-r", "-q", MODULE]);
    }
}

fn modprobe(arguments: &[&str]) -> bool {
    let status = Command::new("modprobe").args(arguments).stdin(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
