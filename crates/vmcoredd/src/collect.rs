// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd collect`.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use kdumpfile::Escaped;

use crate::collectors::{self, DEADLINE, DIRECTORY};
use crate::devices;
use crate::failure::{Exit, Failure, complain};
use crate::names::seconds;

/// How long all of them may run unless told otherwise, in seconds.
const TOTAL: &str = "60";

/// Read devices by their profiles, and run all collectors of a directory
///
/// The module reads the configuration space of all PCI functions, and the registers of
/// those devices that there are profiles for; each becomes a device dump, and so does what
/// each collector prints. A collector is run as by `vmcoredd run`, in the order of their names, which are those of the
/// device dumps. One that fails or is killed keeps no other from being run. In a crash
/// kernel with the packages' initramfs, this is done before drivers are loaded.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The directory; executables in it are collectors
    #[arg(default_value = DIRECTORY)]
    directory: PathBuf,
    /// How long one collector may run, in seconds
    #[arg(short, long, value_name = "SECONDS", default_value = DEADLINE,
          value_parser = seconds)]
    deadline: Duration,
    /// How long all may run, in seconds; those that are left then are not run
    #[arg(short, long, value_name = "SECONDS", default_value = TOTAL,
          value_parser = seconds)]
    total: Duration,
    /// Read no devices
    #[arg(long, conflicts_with_all = ["leave_out", "touches", "clears"])]
    no_devices: bool,
    /// Run no collectors
    #[arg(long, conflicts_with_all = ["no_devices", "directory"])]
    only_devices: bool,
    #[command(flatten)]
    reading: devices::Reading,
}

/// Runs all collectors.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { directory, deadline, total, no_devices, only_devices, reading } = arguments;
    let mut status = Exit::Done;
    if !no_devices {
        match reading.read(&[]) {
            // There is nowhere to put the others either.
            Err(failure) if devices::is_not_loaded(&failure) => return Err(failure),
            done => status = done.unwrap_or_else(|failure| failure.report()),
        }
    }
    if *only_devices {
        return Ok(status);
    }
    let end = Instant::now().checked_add(*total);
    let mut stdout = crate::stdout::lock();
    for collector in collectors::find(directory)? {
        let name = Escaped(collector.name()).to_string();
        if let Some(why) = collector.problem {
            complain(format_args!("{name}: is not run: {why}"));
            status = status.max(Exit::Negative);
            continue;
        }
        let left = end.map_or(*deadline, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            complain(format_args!("{name}: is not run: the collectors have used up their time"));
            status = status.max(Exit::Negative);
            continue;
        }
        let start = Instant::now();
        match collector.run(left.min(*deadline)) {
            Ok(length) => {
                let elapsed = start.elapsed().as_millis();
                writeln!(stdout, "{name}: {length} bytes, {elapsed} ms")?;
            }
            // There is nowhere to put the others either.
            Err(failure @ Failure::Device(_)) => return Err(failure),
            Err(failure) => status = status.max(failure.report()),
        }
    }
    stdout.flush()?;
    Ok(status)
}
