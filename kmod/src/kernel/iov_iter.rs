// SPDX-License-Identifier: GPL-2.0-only
//! Where a read goes, and what a write brings: user memory, most of the time.

use core::ptr::NonNull;

use devdump::Sink;
use kmem::VolatileSlice;

use super::shim;

/// How much is copied before others may run, in bytes.
const PIECE: usize = 1 << 20;

/// The destination of a `read()`, or the source of a `write()`. Copying may fault and
/// sleep, so no lock may be held that a page fault needs.
///
/// # Invariants
/// `iter` is valid, and used by nobody else while this value lives; `left` bytes are left
/// of it.
pub struct IovIter {
    iter: NonNull<shim::iov_iter>,
    left: usize,
    /// How much was copied since others last might run, in bytes.
    unshared: usize,
}

impl IovIter {
    /// The iterator `iter`; `None` when that is null.
    ///
    /// # Safety
    /// `iter` is null, or valid and used by nobody else while the value lives.
    #[must_use]
    pub unsafe fn new(iter: *mut shim::iov_iter) -> Option<Self> {
        let iter = NonNull::new(iter)?;
        // SAFETY: as the caller promises.
        let left = unsafe { shim::shim_iter_left(iter.as_ptr()) };
        // INVARIANT: as the caller promises; nobody else changes it.
        Some(Self { iter, left, unshared: 0 })
    }

    /// How many bytes are left of it.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }

    /// Fills `to` with what comes next of a source; false when that is not there, or the
    /// thread is being killed.
    pub fn take(&mut self, to: &mut [u8]) -> bool {
        // SAFETY: by the invariant; `to` is as long as it says.
        let taken =
            unsafe { shim::shim_iter_take(self.iter.as_ptr(), to.as_mut_ptr().cast(), to.len()) };
        // SAFETY: by the invariant.
        self.left = unsafe { shim::shim_iter_left(self.iter.as_ptr()) };
        taken
    }

    /// As [`Sink::bytes`], of bytes that others may write to meanwhile.
    pub fn volatile(&mut self, bytes: VolatileSlice<'_>) -> usize {
        self.in_pieces(bytes.len(), |iter, offset, length| {
            let from = bytes.as_ptr().wrapping_byte_add(offset);
            // SAFETY: `iter` is that of the invariant; `length` bytes from `from` on are
            // within `bytes`, which can be read.
            unsafe { shim::shim_iter_copy(iter, from, length) }
        })
    }

    /// Lets `copy` take `total` bytes in pieces; each call has the offset and
    /// length of a piece.
    fn in_pieces(
        &mut self,
        total: usize,
        mut copy: impl FnMut(*mut shim::iov_iter, usize, usize) -> usize,
    ) -> usize {
        let mut done = 0;
        while done < total {
            let piece = PIECE.saturating_sub(self.unshared).min(total - done);
            let taken = copy(self.iter.as_ptr(), done, piece);
            done += taken;
            self.unshared += taken;
            if taken < piece {
                break;
            }
            if self.unshared >= PIECE {
                self.unshared = 0;
                // SAFETY: reads happen in process context, without a lock held.
                unsafe { shim::shim_resched() };
            }
        }
        // INVARIANT: what was copied is not left.
        self.left = self.left.saturating_sub(done);
        done
    }
}

impl Sink for IovIter {
    fn space(&self) -> usize {
        self.left
    }

    fn bytes(&mut self, bytes: &[u8]) -> usize {
        self.volatile(bytes.into())
    }

    fn zeros(&mut self, count: usize) -> usize {
        self.in_pieces(count, |iter, _, length| {
            // SAFETY: `iter` is that of the invariant.
            unsafe { shim::shim_iter_zero(iter, length) }
        })
    }
}
