// SPDX-License-Identifier: GPL-2.0-only
//! What a collector's own thread does.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicI32, Ordering};

use devdump::{DumpWriter, Ending, Lent};
use kmem::{NoMemory, TakeOnce};
use plan::dump;
use vmcore::manifest::Reason;

use crate::kernel::buffer::PageBuffer;
use crate::kernel::error::{EFAULT, ENOMEM, Errno, to_c};
use crate::kernel::memory::{Arc, KernelMemory};
use crate::kernel::shim;
use crate::kernel::thread::{self, End, Owner, Work};
use crate::reading::{Reading, in_manifest};

/// A collector of mainline's API.
///
/// # Invariants
/// `data` has a callback, which may be called by any thread while this value lives, and
/// writes at most `size` bytes to the buffer that it is given.
pub struct Callback {
    data: *mut shim::vmcoredd_data,
    size: u32,
}

// SAFETY: by the invariant, any thread may call it.
unsafe impl Send for Callback {}

impl Callback {
    /// The collector in `data`.
    ///
    /// # Safety
    /// `data` is valid and has a callback, which any thread may call once while the
    /// value lives, and which writes at most `size` bytes to its buffer. Its module is
    /// loaded until it has ended.
    pub unsafe fn new(data: *mut shim::vmcoredd_data, size: u32) -> Self {
        // INVARIANT: as the caller promises.
        Self { data, size }
    }

    /// How large its buffer must be, in bytes.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The module that it is in: the API does not say which.
    fn owner(&self) -> Owner {
        // SAFETY: by the invariant, there is a callback.
        let owner = unsafe { shim::shim_collector_owner(self.data) };
        // SAFETY: null, or the callback's module, which `new` was promised is loaded.
        unsafe { Owner::new(owner) }
    }

    /// Calls it; gives what it returned, 0 or a negative errno. Sleeps.
    fn call(self, buffer: &PageBuffer) -> c_int {
        if buffer.size() < self.size as usize {
            return EFAULT.0;
        }
        // SAFETY: by the invariant, with a buffer as large as the callback takes it to
        // be; meanwhile others only copy bytes from it.
        unsafe { shim::shim_call_collector(self.data, buffer.start()) }
    }
}

/// The callback of a collector that writes in pieces.
pub type CollectFn =
    unsafe extern "C" fn(*mut shim::vmcoredd_collector, *mut shim::vmcoredd_writer) -> c_int;
/// What is called when such a collector is not needed any more.
pub type ReleaseFn = unsafe extern "C" fn(*mut shim::vmcoredd_collector);

/// A driver's data, which it has back when this value is dropped.
///
/// # Invariants
/// `release`, where there is one, may be called with `collector` by any thread when this
/// value is dropped.
pub struct Held {
    release: Option<ReleaseFn>,
    collector: *mut shim::vmcoredd_collector,
}

impl Held {
    /// Holds `collector`.
    ///
    /// # Safety
    /// `release`, where there is one, may be called once with `collector` by any thread,
    /// when the value is dropped.
    #[must_use]
    pub unsafe fn new(
        release: Option<ReleaseFn>,
        collector: *mut shim::vmcoredd_collector,
    ) -> Self {
        // INVARIANT: as the caller promises.
        Self { release, collector }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: by the invariant; a value is dropped once.
            unsafe { release(self.collector) };
        }
    }
}

/// A collector that writes in pieces; it is released when this value is dropped.
///
/// # Invariants
/// `collect` may be called by any thread with what is `held`, while this value lives, and
/// uses the writer that it is given until it returns. `owner` has its code.
pub struct Collector {
    owner: Owner,
    collect: CollectFn,
    held: Held,
    size: u64,
    deadline: u32,
}

// SAFETY: by the invariants of it and of `Held`, any thread may call and release it.
unsafe impl Send for Collector {}

impl Collector {
    /// The collector `collect`, which will write `size` bytes and wants `deadline`
    /// milliseconds, or, where that is 0, does not say.
    ///
    /// # Safety
    /// Any thread may call `collect` once with what is `held`, while the value lives;
    /// it uses its writer until it returns, and `owner` has its code and that of the
    /// release function.
    #[must_use]
    pub unsafe fn new(
        owner: Owner,
        collect: CollectFn,
        held: Held,
        size: u64,
        deadline: u32,
    ) -> Self {
        // INVARIANT: as the caller promises.
        Self { owner, collect, held, size, deadline }
    }

    /// How many bytes it will write; 0 when it does not know.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How long it wants to take, in milliseconds; `None` when it does not say.
    #[must_use]
    pub fn deadline(&self) -> Option<u32> {
        (self.deadline > 0).then_some(self.deadline)
    }

    /// Calls it; gives what it returned, 0 or a negative errno, and releases it. Sleeps.
    fn call(self, writer: &Lent<KernelMemory>) -> c_int {
        let writer = core::ptr::from_ref(writer).cast_mut().cast();
        // SAFETY: by the invariant; `writer` is valid until this returns, and entries
        // from C only share it.
        unsafe { (self.collect)(self.held.collector, writer) }
    }
}

/// Who is called, until it is, and where it puts the dump. If it crashes, it is lost on
/// the stack of its thread.
enum Task {
    Callback(TakeOnce<Callback>, PageBuffer),
    Collector(TakeOnce<Collector>, Lent<KernelMemory>),
    Reading(TakeOnce<Reading>, Lent<KernelMemory>),
}

/// What a collector's own thread does, and what came of it.
pub struct Job {
    owner: Owner,
    task: Task,
    returned: AtomicI32,
}

impl Job {
    fn new(owner: Owner, task: Task) -> Result<Arc<Self>, NoMemory> {
        Arc::new(Self { owner, task, returned: AtomicI32::new(0) })
    }

    /// Lets `callback` fill `buffer`.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn callback(callback: Callback, buffer: PageBuffer) -> Result<Arc<Self>, NoMemory> {
        Self::new(callback.owner(), Task::Callback(TakeOnce::new(callback), buffer))
    }

    /// Lets `collector` write to `writer`.
    ///
    /// # Errors
    /// [`NoMemory`]; `collector` is released.
    pub fn collector(
        collector: Collector,
        writer: DumpWriter<KernelMemory>,
    ) -> Result<Arc<Self>, NoMemory> {
        let lent = Lent::new(writer)?;
        Self::new(collector.owner, Task::Collector(TakeOnce::new(collector), lent))
    }

    /// Lets `reading` write to `writer`.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn reading(
        reading: Reading,
        writer: DumpWriter<KernelMemory>,
    ) -> Result<Arc<Self>, NoMemory> {
        let lent = Lent::new(writer)?;
        Self::new(Owner::none(), Task::Reading(TakeOnce::new(reading), lent))
    }

    /// Runs `this` in a thread of its own, with the module that it is in loaded
    /// meanwhile, and waits for its end, `limit` milliseconds at most. Sleeps.
    pub fn carry_out(this: &Arc<Self>, limit: Option<u32>) -> Ending {
        let end = thread::run(this, limit);
        // What was not called by now never is: whose data it uses is about to go on.
        match &this.task {
            Task::Callback(callback, _) => drop(callback.take()),
            Task::Collector(collector, _) => drop(collector.take()),
            Task::Reading(reading, _) => drop(reading.take()),
        }
        match end {
            Ok(End::Ended) => this.returned(),
            Ok(End::Crashed) => Ending::Crashed,
            Ok(End::Abandoned) => Ending::Late,
            Err(ENOMEM) => Ending::Other(Reason::NoMemory),
            Err(Errno(errno)) => Ending::Other(Reason::NotStarted(errno)),
        }
    }

    /// What a thread says that has ended.
    fn returned(&self) -> Ending {
        let returned = self.returned.load(Ordering::Acquire);
        let reason = || dump::Reason::from_number(u8::try_from(returned).ok()?);
        match &self.task {
            // Where it was taken away before it was read, nobody asks any more.
            Task::Reading(..) => match in_manifest(reason().unwrap_or(dump::Reason::Plan)) {
                Some(reason) => Ending::Other(reason),
                None => Ending::Returned(0),
            },
            _ => Ending::Returned(returned),
        }
    }

    /// The buffer of a callback, when its thread has this job no longer.
    pub fn own_buffer(this: &mut Arc<Self>) -> Option<&mut PageBuffer> {
        match &mut this.get_mut()?.task {
            Task::Callback(_, buffer) => Some(buffer),
            Task::Collector(..) | Task::Reading(..) => None,
        }
    }

    /// The buffer of a callback that may still be filling it.
    #[must_use]
    pub fn buffer(&self) -> Option<&PageBuffer> {
        match &self.task {
            Task::Callback(_, buffer) => Some(buffer),
            Task::Collector(..) | Task::Reading(..) => None,
        }
    }

    /// What was written in pieces; nothing more is taken.
    #[must_use]
    pub fn take_writer(&self) -> Option<DumpWriter<KernelMemory>> {
        match &self.task {
            Task::Callback(..) => None,
            Task::Collector(_, lent) | Task::Reading(_, lent) => lent.take(),
        }
    }
}

impl Work for Job {
    fn owner(&self) -> Owner {
        self.owner
    }

    fn run(&self) {
        let returned = match &self.task {
            Task::Callback(callback, buffer) => callback.take().map(|own| own.call(buffer)),
            Task::Collector(collector, lent) => collector.take().map(|own| own.call(lent)),
            Task::Reading(reading, lent) => {
                reading.take().map(|own| own.read(lent).number().into())
            }
        };
        // Where it was taken before, nobody asks any more.
        self.returned.store(returned.unwrap_or(EFAULT.0), Ordering::Release);
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
