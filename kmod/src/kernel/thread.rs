// SPDX-License-Identifier: GPL-2.0-only
//! A thread of one collector's own.

use core::ffi::c_void;
use core::ptr::NonNull;

use super::error::Errno;
use super::memory::Arc;
use super::shim;

/// How a thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It came to its end.
    Ended,
    /// It died: the kernel oopsed in it.
    Crashed,
    /// It has not ended, and is left to itself.
    Abandoned,
}

/// A module that must stay loaded, where there is one.
///
/// # Invariants
/// It is null, or a module that is loaded while this value or a copy of it is used.
#[derive(Debug, Clone, Copy)]
pub struct Owner(*mut shim::module);

// SAFETY: a pointer to a loaded module may be used on any thread.
unsafe impl Send for Owner {}
// SAFETY: as above.
unsafe impl Sync for Owner {}

impl Owner {
    /// No module: the work's code is in this one, whose threads keep it loaded.
    #[must_use]
    pub const fn none() -> Self {
        // INVARIANT: null.
        Self(core::ptr::null_mut())
    }

    /// The module `owner`, or none when that is null.
    ///
    /// # Safety
    /// `owner` is null, or a module that is loaded while the value or a copy of it is
    /// used.
    #[must_use]
    pub unsafe fn new(owner: *mut shim::module) -> Self {
        // INVARIANT: as the caller promises.
        Self(owner)
    }
}

/// What a thread of its own does.
pub trait Work: Send + Sync + 'static {
    /// The module that its code is in, which stays loaded until it has ended.
    fn owner(&self) -> Owner;

    /// Does it, in that thread. Sleeps.
    fn run(&self);
}

/// Runs `work` in a thread of its own, and keeps its owner loaded meanwhile; waits for
/// its end, `limit` milliseconds at most. Sleeps.
///
/// When this returns, the thread has `work` no longer, unless it is
/// [`End::Abandoned`].
///
/// # Errors
/// An errno when the thread could not be started.
pub fn run<W: Work>(work: &Arc<W>, limit: Option<u32>) -> Result<End, Errno> {
    let raw = work.clone().into_raw();
    // SAFETY: `raw` is an owner of a `W`, which is what the functions for `W` take.
    let end = unsafe { run_raw(run_work::<W>, drop_work::<W>, raw, work.owner(), limit) };
    if end != Ok(End::Abandoned) {
        // SAFETY: the thread was not started, has ended or died, so that `raw` is ours.
        unsafe { drop_work::<W>(raw) };
    }
    end
}

/// What C calls with a work.
type WorkFn = unsafe extern "C" fn(work: *mut c_void);

/// Runs a work.
///
/// # Safety
/// `work` is of [`Arc::into_raw`] for a `W`, and is not given back meanwhile.
unsafe extern "C" fn run_work<W: Work>(work: *mut c_void) {
    // SAFETY: the caller promises it.
    let work: &W = unsafe { Arc::borrow(work) };
    work.run();
}

/// Gives a work back.
///
/// # Safety
/// `work` is of [`Arc::into_raw`] for a `W`, and is not used again.
unsafe extern "C" fn drop_work<W: Work>(work: *mut c_void) {
    // SAFETY: the caller promises it.
    drop(unsafe { Arc::<W>::from_raw(work) });
}

/// As [`run`], which there is only one of for all kinds of work.
///
/// # Safety
/// `run` and `drop` may be called with `work` from another thread: `run` before this
/// returns or, when it returns [`End::Abandoned`], at any time, and then `drop`.
unsafe fn run_raw(
    run: WorkFn,
    drop: WorkFn,
    work: *mut c_void,
    owner: Owner,
    limit: Option<u32>,
) -> Result<End, Errno> {
    let mut error = 0;
    // SAFETY: the caller promises that of the functions; the owner is loaded, by the
    // invariant of `Owner`; `error` takes an int.
    let thread =
        unsafe { shim::shim_thread_start(owner.0, Some(run), Some(drop), work, &raw mut error) };
    let thread = NonNull::new(thread).ok_or(Errno(error))?.as_ptr();
    // SAFETY: it was just started, and is not freed yet; 0 is any time.
    let found = unsafe { shim::shim_thread_wait(thread, limit.unwrap_or(0)) };
    let end = match found {
        shim::SHIM_THREAD_ENDED => End::Ended,
        shim::SHIM_THREAD_CRASHED => End::Crashed,
        // SAFETY: it was not freed, and is not used again if it is abandoned.
        shim::SHIM_THREAD_LATE if unsafe { shim::shim_thread_abandon(thread) } => {
            return Ok(End::Abandoned);
        }
        // It ended just now.
        _ => End::Ended,
    };
    // SAFETY: it has ended or died, and is not used again.
    unsafe { shim::shim_thread_free(thread, end == End::Crashed) };
    Ok(end)
}
