// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the dead kernel says: its log, which crash it is, and why it crashed.

use std::borrow::Cow;

use crash_id::{CrashId, SIGNATURE_VERSION, Signature};
use decode::dead_log::{self, DeadLog};
use decode::model::Missing;
use decode::verdict::Unread;
use kdumpfile::{Dump, Fault, KernelLog};
use serde::Serialize;

use crate::failure::Failure;
use crate::payload;
use crate::read;

/// The log of the dead kernel, and what of it was not read. Where the file has no memory, it
/// is no vmcore of a kernel, and nothing is missing.
pub fn log(dump: &Dump) -> Result<(Option<KernelLog>, Option<Unread>), Failure> {
    let unread = |what: &str, why: String| Unread {
        dump: dead_log::NAME.to_owned(),
        slot: None,
        missing: Missing { what: what.to_owned(), why },
    };
    if payload::memory(dump).is_none() {
        return Ok((None, None));
    }
    if !payload::is_at_hand(dump) {
        return Ok((None, Some(unread("all of it", payload::IS_STREAM.to_owned()))));
    }
    let log = match dump.memory().kernel_log() {
        Ok(log) => log,
        Err(error) if read::is_read(&error) => return Err(Failure::Input(error)),
        Err(error) => {
            let why = match error.fault {
                Fault::NoLog { expected } => format!("expected {expected}"),
                fault => fault.to_string(),
            };
            return Ok((None, Some(unread("all of it", why))));
        }
    };
    let missing = log.unread + log.left_out;
    let why = if log.unread > 0 { "not in the dump" } else { "more than are looked at" };
    let missing = (missing > 0).then(|| unread(&format!("{missing} records"), why.to_owned()));
    Ok((Some(log), missing))
}

/// What the log says of devices.
pub fn lines_of_devices(log: &KernelLog) -> DeadLog {
    DeadLog::new(log.records.iter().map(|record| dead_log::Record {
        time: record.time,
        level: record.level,
        device: &record.device,
        text: &record.text,
    }))
}

/// Which crash it is, and what it has in common with others.
#[derive(Debug, Default)]
pub struct Identity {
    /// By VMCOREINFO; nothing without it.
    pub crash: Option<CrashId>,
    /// By the log; nothing without one, or where it does not say why the kernel crashed.
    pub signature: Option<Signature>,
}

impl Identity {
    /// That of the crash of which `dump` is, with this log. That VMCOREINFO cannot be read is
    /// reported where it is shown.
    pub fn new(dump: &Dump, log: Option<&KernelLog>) -> Self {
        let info = dump.vmcoreinfo().ok().flatten();
        Self {
            crash: info.and_then(|info| CrashId::of_vmcoreinfo(info.text())),
            signature: log.and_then(signature),
        }
    }
}

fn signature(log: &KernelLog) -> Option<Signature> {
    // What processes write to the log has another facility.
    let of_kernel = log.records.iter().filter(|record| record.facility == 0);
    let texts: Vec<Cow<'_, str>> =
        of_kernel.map(|record| String::from_utf8_lossy(&record.text)).collect();
    Signature::of_log(texts.iter().flat_map(|text| text.lines()))
}

/// A signature or a syndrome: see docs/json.md.
#[derive(Debug, Serialize)]
pub struct Likeness {
    /// The version of the rules.
    pub version: u32,
    pub coarse: String,
    pub fine: String,
}

impl Likeness {
    /// That of the panic.
    pub fn of(signature: &Signature) -> Self {
        Self { version: SIGNATURE_VERSION, coarse: signature.coarse(), fine: signature.fine() }
    }
}
