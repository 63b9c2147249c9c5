// SPDX-License-Identifier: GPL-2.0-only
//! Where a read goes, and what a write brings: user memory, most of the time.

use core::ptr::NonNull;

use devdump::Sink;

use super::shim;

/// How much is copied before others may run, in bytes.
const PIECE: usize = 1 << 20;

/// The destination of a `read()`, or the source of a `write()`. Copying may fault and
/// sleep, so no lock may be held that a page fault needs.
///
/// # Invariants
/// `iter` is valid, and used by nobody else while this value lives.
pub struct Iter {
    iter: NonNull<shim::iov_iter>,
}

impl Iter {
    /// The iterator `iter`; `None` when that is null.
    ///
    /// # Safety
    /// `iter` is null, or valid and used by nobody else while the value lives.
    #[must_use]
    pub unsafe fn new(iter: *mut shim::iov_iter) -> Option<Self> {
        // INVARIANT: as the caller promises.
        Some(Self { iter: NonNull::new(iter)? })
    }

    /// How many bytes are left of it.
    #[must_use]
    pub fn left(&self) -> usize {
        // SAFETY: by the invariant.
        unsafe { shim::shim_iter_left(self.iter.as_ptr()) }
    }

    /// Fills `to` with what comes next of a source; false when that is not there, or the
    /// thread is being killed.
    pub fn take(&mut self, to: &mut [u8]) -> bool {
        // SAFETY: by the invariant; `to` is as long as it says.
        unsafe { shim::shim_iter_take(self.iter.as_ptr(), to.as_mut_ptr().cast(), to.len()) }
    }

    /// Lets `copy` take `total` bytes in pieces; each call has the offset and
    /// length of a piece.
    fn in_pieces(total: usize, mut copy: impl FnMut(usize, usize) -> usize) -> usize {
        let mut done = 0;
        while done < total {
            let piece = PIECE.min(total - done);
            let taken = copy(done, piece);
            done += taken;
            if taken < piece {
                break;
            }
            // SAFETY: reads happen in process context, without a lock held.
            unsafe { shim::shim_resched() };
        }
        done
    }
}

impl Sink for Iter {
    fn space(&self) -> usize {
        self.left()
    }

    fn bytes(&mut self, bytes: &[u8]) -> usize {
        Self::in_pieces(bytes.len(), |offset, length| {
            let from = bytes.as_ptr().wrapping_add(offset).cast();
            // SAFETY: by the invariant; `length` bytes from `from` on lie
            // within `bytes`.
            unsafe { shim::shim_iter_copy(self.iter.as_ptr(), from, length) }
        })
    }

    fn zeros(&mut self, count: usize) -> usize {
        Self::in_pieces(count, |_, length| {
            // SAFETY: by the invariant.
            unsafe { shim::shim_iter_zero(self.iter.as_ptr(), length) }
        })
    }
}
