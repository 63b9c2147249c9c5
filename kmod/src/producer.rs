// SPDX-License-Identifier: GPL-2.0-only
//! The dump that a process writes to `/dev/vmcoredd`.
//!
//! Nobody waits for it, so it has no deadline: whoever starts a process bounds it.

use devdump::{Collection, DumpWriter, Ending};
use kmem::NoMemory;
use vmcore::manifest::Reason;

use crate::collect::{Wanted, admit, loaded, result, start, tell};
use crate::kernel::error::{EBUSY, EINVAL, ETIMEDOUT, Errno};
use crate::kernel::iov_iter::IovIter;
use crate::kernel::log::log;
use crate::kernel::memory::{Arc, KernelMemory};
use crate::kernel::mutex::{KernelLock, Lock, Mutex};
use crate::module::Module;

/// What one opening of the device for writing is for: one dump.
pub struct Producer {
    stage: Mutex<Stage>,
}

/// How far it is.
struct Stage {
    /// It has a name, which it keeps.
    named: bool,
    /// It takes what is written: it is named, and not committed.
    started: Option<Started>,
}

struct Started {
    module: Arc<Module>,
    collection: Collection<KernelMemory>,
    writer: DumpWriter<KernelMemory>,
}

impl Producer {
    /// One that has no name yet.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn new() -> Result<Arc<Self>, NoMemory> {
        let stage = Stage { named: false, started: None };
        Arc::new(Self { stage: Mutex::new(KernelLock::new(Lock::Producer)?, stage) })
    }

    /// Starts the dump `wanted`, of `size` bytes or, where that is 0, of any number.
    /// Sleeps.
    ///
    /// # Errors
    /// [`EBUSY`] when it was started before, or why it is refused.
    pub fn name(&self, wanted: Result<Wanted, Reason>, size: u64) -> Result<(), Errno> {
        let mut stage = self.stage.lock();
        if stage.named {
            log!(Warning, "/dev/vmcoredd: refused, a second name for what has one");
            return Err(EBUSY);
        }
        let module = loaded()?;
        let wanted = match admit(&module, &wanted) {
            Ok(wanted) => wanted,
            Err(refused) => {
                tell(&module, &refused);
                return result(&refused);
            }
        };
        stage.named = true;
        let collection = start(&module, wanted, size);
        match collection.writer(None) {
            Ok(writer) => {
                stage.started = Some(Started { module, collection, writer });
                Ok(())
            }
            Err(NoMemory) => {
                tell(&module, &collection.end(None, Ending::Other(Reason::NoMemory)));
                Err(NoMemory.into())
            }
        }
    }

    /// Takes all of `from`; gives how many bytes it took. May fault and sleep.
    ///
    /// # Errors
    /// The errno for the [`Reason`] why it takes nothing more.
    pub fn write(&self, from: &mut IovIter) -> Result<usize, Errno> {
        let mut stage = self.stage.lock();
        let Some(Started { writer, .. }) = &mut stage.started else {
            log!(Warning, "/dev/vmcoredd: refused, bytes for what is not named, or committed");
            return Err(EINVAL);
        };
        let before = writer.length();
        let written = writer.write_with(from.left() as u64, |to| from.take(to));
        match (writer.length().saturating_sub(before), written) {
            (0, Err(reason)) => Err(reason.into()),
            (taken, _) => Ok(taken as usize),
        }
    }

    /// Makes what was written a dump: `status` is 0, or why it is not all, a negative
    /// errno or an exit status. Sleeps.
    ///
    /// # Errors
    /// [`EINVAL`] when there is none, or for another status; or why not all that was
    /// written is kept.
    pub fn commit(&self, status: i32) -> Result<(), Errno> {
        let ending = match u8::try_from(status) {
            Ok(0) => Ending::Returned(0),
            Ok(status) => Ending::Other(Reason::Exit(status)),
            Err(_) if Errno(status) == ETIMEDOUT => Ending::Late,
            Err(_) if (-ERRNO_MAX..0).contains(&status) => Ending::Returned(status),
            Err(_) => {
                log!(Warning, "/dev/vmcoredd: refused, a commit with an impossible status");
                return Err(EINVAL);
            }
        };
        let Some(started) = self.stage.lock().started.take() else {
            log!(Warning, "/dev/vmcoredd: refused, a commit of what is not named, or committed");
            return Err(EINVAL);
        };
        let Started { module, collection, writer } = started;
        let record = collection.end(Some(writer), ending);
        tell(&module, &record);
        match record.reason {
            // What the producer said itself.
            Some(Reason::Exit(_) | Reason::Errno(_) | Reason::Deadline) => Ok(()),
            _ => result(&record),
        }
    }
}

/// The largest errno, `MAX_ERRNO` of `include/linux/err.h`.
const ERRNO_MAX: i32 = 4095;

impl Drop for Producer {
    fn drop(&mut self) {
        let started = self.stage.lock().started.take();
        if let Some(Started { module, collection, writer }) = started {
            drop(writer);
            tell(&module, &collection.end(None, Ending::Other(Reason::NotCommitted)));
        }
    }
}
