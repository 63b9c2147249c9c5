// SPDX-License-Identifier: GPL-2.0-only
//! Taking a driver's dump: the outcome of every collection is in the manifest and
//! in the log.

use devdump::{Collection, DumpWriter, Ending, NoMemory};
use vmcore::device_dump::{LENGTH_MAX, Name, NameError};
use vmcore::manifest::{Reason, Record, Renamed, Status};
use vmcore::note::until_zero;

use crate::job::{Callback, Job, Pieces};
use crate::kernel::buffer::PageBuffer;
use crate::kernel::error::{EINVAL, Errno};
use crate::kernel::log::log;
use crate::kernel::memory::{KernelMemory, Shared};
use crate::kernel::thread::Owner;
use crate::module::Module;

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

/// Lets `collect` make a dump, unless something about it is refused: `wanted` says
/// why there is no name, `allowed` why there is no dump of that name. Sleeps.
///
/// # Errors
/// The errno that goes back to the driver; the reason is in the log and in the
/// manifest.
pub fn collect(
    wanted: Result<Wanted, Reason>,
    allowed: Result<(), Reason>,
    collect: impl FnOnce(&Shared<Module>, Wanted) -> Record,
) -> Result<(), Errno> {
    let module = loaded()?;
    let record = match admit(&module, wanted, allowed) {
        Ok(wanted) => collect(&module, wanted),
        Err(refused) => refused,
    };
    tell(&module, &record);
    result(&record)
}

/// The module that takes dumps.
///
/// # Errors
/// [`EINVAL`] when it is not loaded yet, which is in the log.
pub fn loaded() -> Result<Shared<Module>, Errno> {
    Module::get().ok_or_else(|| {
        log!(Warning, "a device dump: refused, the module is not loaded yet");
        EINVAL
    })
}

/// The name under which a dump may be collected.
///
/// # Errors
/// The record of its refusal.
pub fn admit(
    module: &Module,
    wanted: Result<Wanted, Reason>,
    allowed: Result<(), Reason>,
) -> Result<Wanted, Record> {
    let allowed = match module.is_switched_off() {
        true => Err(Reason::SwitchedOff),
        false => allowed,
    };
    match (wanted, allowed) {
        (Ok(wanted), Ok(())) => Ok(wanted),
        (Ok(Wanted { name, renamed }), Err(reason)) => {
            Err(module.store().refuse(Some(name), renamed, reason))
        }
        (Err(reason), _) => Err(module.store().refuse(None, Renamed::default(), reason)),
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
        // All that there was is kept; the manifest tells the rest.
        None | Some(Reason::Shorter | Reason::Longer) => Ok(()),
        Some(reason) => Err(reason.into()),
    }
}

/// Starts the collection of `declared` bytes, or of any number where that is 0.
/// Sleeps.
pub fn start(module: &Module, wanted: Wanted, declared: u64) -> Collection<KernelMemory> {
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

/// A dump of the `size` bytes that `callback` leaves in one buffer, which is there
/// only meanwhile. Sleeps.
pub fn in_one_buffer(module: &Module, wanted: Wanted, size: u32, callback: Callback) -> Record {
    let collection = start(module, wanted, size.into());
    let owner = callback.owner();
    let job = PageBuffer::new(size).and_then(|buffer| Job::callback(callback, buffer));
    let mut job = match job {
        Ok(job) => job,
        Err(NoMemory) => return collection.end(None, Ending::Other(Reason::NoMemory)),
    };
    let limit = module.parameters().callback_deadline;
    let ending = Job::carry_out(&job, owner, limit);
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
fn copied(mut writer: DumpWriter<KernelMemory>, job: &mut Shared<Job>) -> DumpWriter<KernelMemory> {
    // The writer itself remembers what did not fit.
    let _ = match Job::take_buffer(job) {
        Some(buffer) => buffer.into_parts().try_for_each(|part| writer.write(&part)),
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

/// A dump that `pieces`, a collector in the module `owner`, writes in pieces, `size`
/// bytes or, where that is 0, any number. Sleeps.
pub fn in_pieces(
    module: &Module,
    wanted: Wanted,
    owner: Owner,
    size: u64,
    pieces: Pieces,
) -> Record {
    let collection = start(module, wanted, size);
    let limit = pieces.deadline().unwrap_or(DEADLINE);
    let limit = module.parameters().deadline.map_or(limit, |most| most.min(limit));
    let writer = match collection.writer(Some(limit.into())) {
        Ok(writer) => writer,
        Err(NoMemory) => {
            pieces.release();
            return collection.end(None, Ending::Other(Reason::NoMemory));
        }
    };
    match Job::pieces(pieces, writer) {
        Ok(job) => {
            let ending = Job::carry_out(&job, owner, Some(limit.saturating_add(GRACE)));
            collection.end(job.take_writer(), ending)
        }
        Err(NoMemory) => collection.end(None, Ending::Other(Reason::NoMemory)),
    }
}
