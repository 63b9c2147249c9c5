// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Devices that the module reads by profiles.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kdumpfile::EscapedPath;
use rustix::io::Errno;
use vmcoredd_producer::Request;

use crate::failure::{Exit, Failure, complain};
use crate::names::seconds;
use crate::own_profiles;

/// How devices are read.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Reading {
    /// Leave out a device, by its slot (0000:01:00.0), its dump or its profile
    #[arg(long, value_name = "WHAT")]
    leave_out: Vec<String>,
    /// Read what is behind a window of a device, too, which is moved for that
    #[arg(long)]
    touches: bool,
    /// Read registers that change by it, too, such as counters that are reset
    #[arg(long)]
    clears: bool,
    /// How long reading one device may take, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    device_deadline: Option<Duration>,
    /// The directory of your own profiles, which come before those of the module
    #[arg(long, value_name = "DIRECTORY", default_value = own_profiles::DIRECTORY)]
    profiles: PathBuf,
}

impl Reading {
    /// Has the module read all devices but those that are left out, or, where `only` has
    /// any, these and no others.
    ///
    /// Of the operator's profiles, one that has an error is reported and not used; where
    /// the kernel is locked down none is.
    pub fn read(&self, only: &[String]) -> Result<Exit, Failure> {
        let (plans, status) = own_plans(&self.profiles)?;
        let words = if only.is_empty() { &self.leave_out } else { only };
        let mut request = Request {
            plans,
            words: words.iter().map(|word| whole_slot(word)).collect(),
            only: !only.is_empty(),
            built_in: true,
            touches: self.touches,
            clears: self.clears,
            deadline: self.device_deadline,
        };
        match request.send() {
            Err(error) if why_not_own(&error).is_some() && !request.plans.is_empty() => {
                let directory = EscapedPath(&self.profiles);
                let why = why_not_own(&error).unwrap_or_default();
                complain(format_args!("{directory}: not used: {why}"));
                request.plans.clear();
                request.send().map_err(Failure::Device)?;
                Ok(Exit::Negative)
            }
            done => done.map(|()| status).map_err(Failure::Device),
        }
    }
}

/// Why the module does not take the operator's plans, if they are the reason for `error`.
fn why_not_own(error: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(error)? {
        Errno::PERM => {
            Some("the kernel is locked down, and takes only the profiles that its module has")
        }
        Errno::FBIG => Some("their plans have more than 1 MiB"),
        Errno::INVAL => Some("the module refuses one of their plans, and its log says why"),
        _ => None,
    }
}

/// The plans of the profiles in `directory`, and what is to be said of those that have an
/// error.
fn own_plans(directory: &Path) -> Result<(Vec<u8>, Exit), Failure> {
    let mut plans = Vec::new();
    let mut status = Exit::Done;
    for (file, bytes) in own_profiles::read(directory)? {
        match profile::compile_file(&own_profiles::name(&file), &bytes) {
            Ok((_, plan)) => plans.extend(plan),
            Err(faults) => {
                for fault in faults {
                    complain(format_args!("{}:{fault}", EscapedPath(&file)));
                }
                status = Exit::Negative;
            }
        }
    }
    Ok((plans, status))
}

/// A slot as lspci prints it, `01:00.0`, is one of domain 0.
pub fn whole_slot(word: &str) -> String {
    let is_slot = word.len() == 7
        && word.bytes().zip(b"xx:xx.x").all(|(byte, form)| match form {
            b'x' => byte.is_ascii_hexdigit(),
            _ => byte == *form,
        });
    if is_slot { format!("0000:{word}") } else { word.to_owned() }
}

/// Whether the module is not loaded.
pub fn is_not_loaded(failure: &Failure) -> bool {
    matches!(failure, Failure::Device(error) if error.kind() == ErrorKind::NotFound)
}

/// What the module says where it cannot be loaded.
pub fn not_loaded() -> Failure {
    Failure::Device(ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_a_domain() {
        let whole = ["01:00.0", "0000:01:00.0", "nvme", "01-00.0", "fa:1f.7"].map(whole_slot);
        assert_eq!(whole, ["0000:01:00.0", "0000:01:00.0", "nvme", "01-00.0", "0000:fa:1f.7"]);
    }
}
