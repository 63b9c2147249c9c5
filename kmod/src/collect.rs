// SPDX-License-Identifier: GPL-2.0-only
//! Taking a driver's dump: the outcome of every collection is in the manifest and
//! in the log.

use devdump::{Collection, DumpWriter, Ending};
use kmem::NoMemory;
use vmcore::device_dump::{LENGTH_MAX, Name, NameError};
use vmcore::manifest::{Reason, Record, Renamed, Status};
use vmcore::note::until_zero;

use crate::job::{Callback, Collector, Job};
use crate::kernel::buffer::PageBuffer;
use crate::kernel::error::{EINVAL, Errno};
use crate::kernel::log::log;
use crate::kernel::memory::{Arc, KernelMemory};
use crate::module::Module;
use crate::reading::Reading;

/// How long a collector that writes in pieces may take unless the operator says
/// otherwise, in milliseconds.
const DEADLINE: u32 = 30_000;
/// How long such a collector has to end by itself, once it can write no more, in
/// milliseconds.
const GRACE: u32 = 1_000;

/// The name that a driver asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    name: Name,
    renamed: Renamed,
}

impl Wanted {
    /// The name in `bytes`, up to a terminating zero or their end.
    ///
    /// # Errors
    /// The [`Reason`] why that is none.
    pub fn new(bytes: &[u8]) -> Result<Self, Reason> {
        let name = Name::new(bytes).map_err(|error| match error {
            NameError::Empty => Reason::NoName,
            NameError::Unterminated => Reason::NameTooLong,
        })?;
        let unprintable = name.as_bytes() != until_zero(bytes);
        Ok(Self { name, renamed: Renamed { unprintable, taken: false } })
    }
}

/// What makes a dump.
pub enum Source {
    /// A collector of mainline's API.
    Callback(Callback),
    /// A collector that writes in pieces.
    Collector(Collector),
    /// Devices that are read by a plan.
    Reading(Reading),
}

impl Source {
    /// The dump that it makes. Sleeps.
    fn dump(self, module: &Module, wanted: &Wanted) -> Record {
        match self {
            Self::Callback(callback) => in_one_buffer(module, wanted, callback),
            Self::Collector(collector) => {
                let limit = collector.deadline().unwrap_or(DEADLINE);
                let limit = module.parameters().deadline.map_or(limit, |most| most.min(limit));
                let size = collector.size();
                let job = |writer| Job::collector(collector, writer);
                in_pieces(module, wanted, size, limit, job)
            }
            Self::Reading(reading) => {
                let limit = reading.deadline();
                in_pieces(module, wanted, 0, limit, |writer| Job::reading(reading, writer))
            }
        }
    }
}

/// Makes a dump of `source`, unless something about it is refused: `wanted` says why
/// there is no name, `source` why there is no dump of that name. Sleeps.
///
/// # Errors
/// The errno that goes back to the driver; the reason is in the log and in the
/// manifest.
pub fn collect(
    wanted: Result<Wanted, Reason>,
    source: Result<Source, Reason>,
) -> Result<(), Errno> {
    let module = loaded()?;
    let record = match source {
        Ok(source) => match admit(&module, &wanted) {
            Ok(wanted) => source.dump(&module, wanted),
            Err(refused) => refused,
        },
        Err(reason) => refuse(&module, &wanted, reason),
    };
    tell(&module, &record);
    result(&record)
}

/// The module that takes dumps.
///
/// # Errors
/// [`EINVAL`] when it is not loaded yet, which is in the log.
pub fn loaded() -> Result<Arc<Module>, Errno> {
    Module::get().ok_or_else(|| {
        log!(Warning, "a device dump: refused, the module is not loaded yet");
        EINVAL
    })
}

/// The name under which a dump may be collected.
///
/// # Errors
/// The record of its refusal.
pub fn admit<'a>(
    module: &Module,
    wanted: &'a Result<Wanted, Reason>,
) -> Result<&'a Wanted, Record> {
    match wanted {
        Ok(wanted) if !module.is_switched_off() => Ok(wanted),
        _ => Err(refuse(module, wanted, Reason::SwitchedOff)),
    }
}

/// The record of a dump that is refused for `reason`, unless there is one that comes
/// before it: that it has no name, or that no dump is taken.
fn refuse(module: &Module, wanted: &Result<Wanted, Reason>, reason: Reason) -> Record {
    let reason = if module.is_switched_off() { Reason::SwitchedOff } else { reason };
    match wanted {
        Ok(Wanted { name, renamed }) => module.store().refuse(Some(*name), *renamed, reason),
        Err(reason) => module.store().refuse(None, Renamed::default(), *reason),
    }
}

/// Shows `record`, of a collection that has ended, in the files and in the log.
/// Sleeps.
pub fn tell(module: &Module, record: &Record) {
    module.update_sizes();
    match record.status {
        Status::Complete => log!(Info, *record),
        _ => log!(Warning, *record),
    }
}

/// What whoever collected `record` is told.
///
/// # Errors
/// The errno for its [`Reason`].
pub fn result(record: &Record) -> Result<(), Errno> {
    match record.reason {
        // All that there was is kept; the manifest says the rest.
        None | Some(Reason::Shorter | Reason::Longer) => Ok(()),
        Some(reason) => Err(reason.into()),
    }
}

/// Starts the collection of `declared` bytes, or of any number where that is 0.
/// Sleeps.
pub fn start(module: &Module, wanted: &Wanted, declared: u64) -> Collection<KernelMemory> {
    let collection = Collection::start(module.store(), &wanted.name, wanted.renamed, declared);
    // Who looks now sees that it is running.
    module.update_sizes();
    collection
}

/// Whether a note can have `size` bytes.
///
/// # Errors
/// The [`Reason`] why not.
pub fn check_size(size: u64) -> Result<(), Reason> {
    match size {
        0 => Err(Reason::NoSize),
        size if size > LENGTH_MAX => Err(Reason::TooLong),
        _ => Ok(()),
    }
}

/// A dump of what `callback` leaves in one buffer, which is there only meanwhile. Sleeps.
fn in_one_buffer(module: &Module, wanted: &Wanted, callback: Callback) -> Record {
    let size = callback.size();
    let collection = start(module, wanted, size.into());
    let job = PageBuffer::new(size).and_then(|buffer| Job::callback(callback, buffer));
    let mut job = match job {
        Ok(job) => job,
        Err(NoMemory) => return collection.end(None, Ending::Other(Reason::NoMemory)),
    };
    let limit = module.parameters().callback_deadline;
    let ending = Job::carry_out(&job, limit);
    match ending {
        // What a callback that failed left in the buffer is not meant to be read.
        Ending::Returned(errno) if errno != 0 => collection.end(None, ending),
        Ending::Other(_) => collection.end(None, ending),
        Ending::Returned(_) | Ending::Crashed | Ending::Late => {
            let writer = collection.writer(None);
            let written = writer.map(|writer| copied(writer, &mut job));
            match written {
                Ok(written) => collection.end(Some(written), ending),
                Err(NoMemory) => collection.end(None, Ending::Other(Reason::NoMemory)),
            }
        }
    }
}

/// `writer` with what is in the buffer of `job`, or in as much of it as there is
/// place for.
fn copied(mut writer: DumpWriter<KernelMemory>, job: &mut Arc<Job>) -> DumpWriter<KernelMemory> {
    // The writer itself remembers what did not fit.
    let _ = match Job::own_buffer(job) {
        Some(buffer) => buffer.take_parts().try_for_each(|part| writer.write(&part)),
        None => job.buffer().map_or(Ok(()), |buffer| {
            let mut at = 0;
            writer.write_with(buffer.size() as u64, |to| {
                buffer.read(at, to);
                at += to.len();
                true
            })
        }),
    };
    writer
}

/// A dump of `size` bytes, or of any number where that is 0, that a job writes in pieces
/// within `limit` milliseconds. Sleeps.
fn in_pieces(
    module: &Module,
    wanted: &Wanted,
    size: u64,
    limit: u32,
    job: impl FnOnce(DumpWriter<KernelMemory>) -> Result<Arc<Job>, NoMemory>,
) -> Record {
    let collection = start(module, wanted, size);
    let writer = collection.writer(Some(limit.into()));
    match writer.and_then(job) {
        Ok(job) => {
            let ending = Job::carry_out(&job, Some(limit.saturating_add(GRACE)));
            collection.end(job.take_writer(), ending)
        }
        Err(NoMemory) => collection.end(None, Ending::Other(Reason::NoMemory)),
    }
}
