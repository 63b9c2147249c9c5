// SPDX-License-Identifier: GPL-2.0-only
//! What a collector's own thread does.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicI32, Ordering};

use devdump::{DumpWriter, Ending, Lent, NoMemory, Shared as _};
use vmcore::manifest::Reason;

use crate::kernel::buffer::PageBuffer;
use crate::kernel::error::{EFAULT, ENOMEM, Errno, to_c};
use crate::kernel::memory::{KernelMemory, Shared};
use crate::kernel::shim;
use crate::kernel::thread::{self, End, Owner, Work};

/// The callback of a collector that writes in pieces.
pub type Collect =
    unsafe extern "C" fn(*mut shim::vmcoredd_collector, *mut shim::vmcoredd_writer) -> c_int;
/// What is called when such a collector has ended.
pub type Release = unsafe extern "C" fn(*mut shim::vmcoredd_collector);

/// A collector of mainline's API.
///
/// # Invariants
/// `data` has a callback, which may be called once, by any thread.
pub struct Callback {
    data: *mut shim::vmcoredd_data,
}

impl Callback {
    /// The collector in `data`.
    ///
    /// # Safety
    /// `data` is valid and has a callback, which may be called once by any thread.
    pub unsafe fn new(data: *mut shim::vmcoredd_data) -> Self {
        // INVARIANT: as the caller promises.
        Self { data }
    }

    /// The module that it is in: the API does not say which.
    #[must_use]
    pub fn owner(&self) -> Owner {
        // SAFETY: by the invariant, there is a callback.
        let owner = unsafe { shim::shim_collector_owner(self.data) };
        // SAFETY: whoever called us waits, with its code and what it refers to loaded.
        unsafe { Owner::new(owner) }
    }
}

/// A collector that writes in pieces.
///
/// # Invariants
/// `collect` may be called once, and then `release` once, with `collector`, by any
/// thread.
#[derive(Clone, Copy)]
pub struct Pieces {
    collect: Collect,
    release: Option<Release>,
    collector: *mut shim::vmcoredd_collector,
    deadline: u32,
}

impl Pieces {
    /// The collector `collect`, which wants `deadline` milliseconds, or, where that is
    /// 0, does not say.
    ///
    /// # Safety
    /// `collect` may be called once, and then `release` once, with `collector`, by any
    /// thread.
    pub unsafe fn new(
        collect: Collect,
        release: Option<Release>,
        collector: *mut shim::vmcoredd_collector,
        deadline: u32,
    ) -> Self {
        // INVARIANT: as the caller promises.
        Self { collect, release, collector, deadline }
    }

    /// How long it wants to take, in milliseconds; `None` when it does not say.
    #[must_use]
    pub fn deadline(&self) -> Option<u32> {
        (self.deadline > 0).then_some(self.deadline)
    }

    /// Says that the collector is not needed any more: it has ended, or is not called.
    pub fn release(&self) {
        if let Some(release) = self.release {
            // SAFETY: by the invariant.
            unsafe { release(self.collector) };
        }
    }
}

enum Task {
    /// With what the callback fills, until it is taken back.
    Callback(Callback, Option<PageBuffer>),
    Pieces(Pieces, Lent<KernelMemory>),
}

/// What a collector's own thread does, and what came of it.
pub struct Job {
    task: Task,
    returned: AtomicI32,
}

// SAFETY: by the invariants of `Callback` and `Pieces`, any thread may call them.
unsafe impl Send for Job {}
// SAFETY: only the job's thread calls them; all else may be shared.
unsafe impl Sync for Job {}

impl Job {
    fn new(task: Task) -> Result<Shared<Self>, NoMemory> {
        Shared::new(Self { task, returned: AtomicI32::new(0) })
    }

    /// Lets `callback` fill `buffer`.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn callback(callback: Callback, buffer: PageBuffer) -> Result<Shared<Self>, NoMemory> {
        Self::new(Task::Callback(callback, Some(buffer)))
    }

    /// Lets `pieces` write to `writer`.
    ///
    /// # Errors
    /// [`NoMemory`]; `pieces` is released.
    pub fn pieces(
        pieces: Pieces,
        writer: DumpWriter<KernelMemory>,
    ) -> Result<Shared<Self>, NoMemory> {
        let lent = Lent::new(&KernelMemory, writer);
        let job = lent.and_then(|lent| Self::new(Task::Pieces(pieces, lent)));
        if job.is_err() {
            pieces.release();
        }
        job
    }

    /// Runs `this` in a thread of its own, with `owner` loaded meanwhile, and waits
    /// for its end, `limit` milliseconds at most. Sleeps.
    pub fn carry_out(this: &Shared<Self>, owner: Owner, limit: Option<u32>) -> Ending {
        match thread::run(this, owner, limit) {
            Ok(End::Ended) => Ending::Returned(this.returned.load(Ordering::Acquire)),
            Ok(End::Crashed) => Ending::Crashed,
            Ok(End::Abandoned) => Ending::Late,
            Err(errno) => {
                if let Task::Pieces(pieces, _) = &this.task {
                    pieces.release();
                }
                Ending::Other(match errno {
                    ENOMEM => Reason::NoMemory,
                    Errno(errno) => Reason::NotStarted(errno),
                })
            }
        }
    }

    /// The buffer of a callback, when its thread has this job no longer.
    pub fn take_buffer(this: &mut Shared<Self>) -> Option<PageBuffer> {
        match &mut this.unique()?.task {
            Task::Callback(_, buffer) => buffer.take(),
            Task::Pieces(..) => None,
        }
    }

    /// The buffer of a callback that may still be filling it.
    #[must_use]
    pub fn buffer(&self) -> Option<&PageBuffer> {
        match &self.task {
            Task::Callback(_, buffer) => buffer.as_ref(),
            Task::Pieces(..) => None,
        }
    }

    /// What was written in pieces; nothing more is taken.
    #[must_use]
    pub fn take_writer(&self) -> Option<DumpWriter<KernelMemory>> {
        match &self.task {
            Task::Callback(..) => None,
            Task::Pieces(_, lent) => lent.take(),
        }
    }
}

impl Work for Job {
    fn run(&self) {
        let returned = match &self.task {
            Task::Callback(callback, Some(buffer)) => {
                // SAFETY: by the invariant; the callback knows how large the
                // buffer is, and nobody else has it but to copy bytes from it.
                unsafe { shim::shim_call_collector(callback.data, buffer.start()) }
            }
            Task::Callback(_, None) => EFAULT.0,
            Task::Pieces(pieces, lent) => {
                let writer = core::ptr::from_ref(lent).cast_mut().cast();
                // SAFETY: by the invariant; the writer lives as long as the job.
                let returned = unsafe { (pieces.collect)(pieces.collector, writer) };
                pieces.release();
                returned
            }
        };
        self.returned.store(returned, Ordering::Release);
    }
}

/// Puts `length` bytes from `data` on into the dump of `writer`. Sleeps.
#[must_use]
pub fn write(writer: &Lent<KernelMemory>, data: *const c_void, length: usize) -> c_int {
    let mut at = data.cast::<u8>();
    let written = writer.write_with(length as u64, |to| {
        // SAFETY: `to` is as long as it says; the source may be anything.
        let copied = unsafe { shim::shim_copy(to.as_mut_ptr().cast(), at.cast(), to.len()) };
        at = at.wrapping_add(to.len());
        // SAFETY: writing happens in process context, where it may sleep.
        unsafe { shim::shim_resched() };
        copied
    });
    to_c(written.map_err(Errno::from))
}
