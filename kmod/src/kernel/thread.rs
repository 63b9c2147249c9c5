// SPDX-License-Identifier: GPL-2.0-only
//! A thread of one collector's own.

use core::ffi::c_void;
use core::ptr::NonNull;

use super::error::Errno;
use super::memory::Shared;
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
#[derive(Debug, Clone, Copy)]
pub struct Owner(*mut shim::module);

impl Owner {
    /// The module `owner`, or none when that is null.
    ///
    /// # Safety
    /// `owner` is null or a module that is loaded.
    #[must_use]
    pub unsafe fn new(owner: *mut shim::module) -> Self {
        Self(owner)
    }
}

/// Runs `job` in a thread of its own, and keeps `owner` loaded meanwhile; waits for
/// its end, `limit` milliseconds at most. Sleeps.
///
/// When this returns, the thread has `job` no longer, unless it is
/// [`End::Abandoned`].
///
/// # Errors
/// An errno when the thread could not be started.
pub fn run<T: Send + Sync>(
    job: &Shared<T>,
    owner: Owner,
    limit: Option<u32>,
) -> Result<End, Errno> {
    let raw = job.clone().into_raw();
    let mut error = 0;
    // SAFETY: `rust_run` knows what a job is; the owner is loaded.
    let thread = unsafe { shim::shim_thread_start(owner.0, raw, &raw mut error) };
    let Some(thread) = NonNull::new(thread) else {
        take_back::<T>(raw);
        return Err(Errno(error));
    };
    // SAFETY: it was just started; 0 is any time.
    let found = unsafe { shim::shim_thread_wait(thread.as_ptr(), limit.unwrap_or(0)) };
    let end = match found {
        shim::SHIM_THREAD_CRASHED => End::Crashed,
        // SAFETY: it was not freed.
        shim::SHIM_THREAD_LATE if unsafe { shim::shim_thread_abandon(thread.as_ptr()) } => {
            return Ok(End::Abandoned);
        }
        _ => End::Ended,
    };
    // SAFETY: it has ended or died, and is not used again.
    unsafe { shim::shim_thread_free(thread.as_ptr(), end == End::Crashed) };
    take_back::<T>(raw);
    Ok(end)
}

/// Takes back the job that a thread had.
fn take_back<T: Send + Sync>(raw: *mut c_void) {
    // SAFETY: it was made of such a job; the thread that had it is no more.
    drop(unsafe { Shared::<T>::from_raw(raw) });
}
