// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Devices that the module reads by profiles.

use std::io::ErrorKind;
use std::time::Duration;

use vmcoredd_producer::Request;

use crate::failure::Failure;
use crate::names::seconds;

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
}

impl Reading {
    /// Has the module read all devices but those that are left out, or, where `only` has
    /// any, these and no others.
    pub fn read(&self, only: &[String]) -> Result<(), Failure> {
        let words = if only.is_empty() { &self.leave_out } else { only };
        let request = Request {
            plans: Vec::new(),
            words: words.iter().map(|word| whole_slot(word)).collect(),
            only: !only.is_empty(),
            built_in: true,
            touches: self.touches,
            clears: self.clears,
            deadline: self.device_deadline,
        };
        request.send().map_err(Failure::Device)
    }
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
