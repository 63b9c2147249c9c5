// SPDX-License-Identifier: GPL-2.0-only
//! The one buffer that mainline's API wants, page by page.

use core::ffi::c_void;
use core::ops::Deref;
use core::ptr::NonNull;
use core::slice;

use devdump::Host as _;
use kmem::{NoMemory, VolatileSlice};
use vmcore::PAGE_SIZE;

use super::memory::{KernelMemory, Vec};
use super::shim;

/// How many pages are allocated at once, as a power of two. So many do not pass
/// through the lists of free pages that each CPU has, which no statistics count and
/// which can be an eighth of a small memory.
const ORDER: u32 = 5;

/// Pages one after the other.
#[derive(Clone, Copy)]
struct Run {
    first: NonNull<shim::page>,
    order: u32,
}

impl Run {
    /// Its size, in bytes.
    fn size(self) -> usize {
        (PAGE_SIZE as usize) << self.order
    }
}

/// A zero-filled buffer, in one piece as long as it is mapped.
///
/// # Invariants
/// `runs` are of `shim_pages_alloc` and owned by this value; `map`, unless it is
/// null, is a mapping of all of them. It has `size` bytes; it is null where that is 0.
pub struct PageBuffer {
    runs: Vec<Run>,
    map: *mut c_void,
    size: usize,
}

// SAFETY: any thread may use and free the pages.
unsafe impl Send for PageBuffer {}
// SAFETY: a shared buffer lends a pointer, which is used within unsafe code
// alone, and copies of bytes.
unsafe impl Sync for PageBuffer {}

impl PageBuffer {
    /// A mapped buffer of `size` bytes. Sleeps.
    ///
    /// # Errors
    /// [`NoMemory`], also where too little would be left to others.
    pub fn new(size: u32) -> Result<Self, NoMemory> {
        let size = size as usize;
        if !KernelMemory::affords(size as u64) {
            return Err(NoMemory);
        }
        let runs = Vec::new();
        let mut buffer = Self { runs, map: core::ptr::null_mut(), size };
        let count = size.div_ceil(PAGE_SIZE as usize);
        let mut pages = Vec::with_capacity(count)?;
        while pages.len() < count {
            let run = allocate(count - pages.len())?;
            buffer.runs.push(run).inspect_err(|NoMemory| free(run))?;
            for index in 0..1_u32 << run.order {
                // SAFETY: the run has so many pages.
                pages.push(unsafe { shim::shim_pages_at(run.first.as_ptr(), index) })?;
            }
        }
        let count = u32::try_from(count).map_err(|_| NoMemory)?;
        // SAFETY: `pages` are all of them.
        buffer.map = unsafe { shim::shim_pages_map(pages.as_mut_ptr(), count) };
        if buffer.map.is_null() { Err(NoMemory) } else { Ok(buffer) }
    }

    /// Where the buffer is, in one piece; null where it is empty.
    #[must_use]
    pub fn start(&self) -> *mut c_void {
        self.map
    }

    /// Its size, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Fills `to` with what stands at `offset`, and zeros after the end. Others
    /// may write to the buffer meanwhile: then the bytes are old or new ones.
    pub fn read(&self, offset: usize, to: &mut [u8]) {
        let mut within = offset;
        let mut rest = to;
        for run in self.runs.iter() {
            if rest.is_empty() {
                return;
            }
            match within.checked_sub(run.size()) {
                Some(behind) => within = behind,
                None => {
                    rest = copy(*run, within, rest).0;
                    within = 0;
                }
            }
        }
        rest.fill(0);
    }

    /// Takes what is in the buffer, part by part from its start; it is empty then.
    #[must_use]
    pub fn take_parts(&mut self) -> Parts {
        self.unmap();
        let mut runs = core::mem::replace(&mut self.runs, Vec::new());
        // The first run is taken first, from the end of the list.
        let mut rest = &mut *runs;
        while let [first, between @ .., last] = rest {
            core::mem::swap(first, last);
            rest = between;
        }
        // INVARIANT: this value owned them, and has them no longer.
        Parts { runs, left: core::mem::take(&mut self.size) }
    }

    fn unmap(&mut self) {
        let map = core::mem::replace(&mut self.map, core::ptr::null_mut());
        if !map.is_null() {
            // SAFETY: by the invariant; `&mut self`, so nobody uses it any more.
            unsafe { shim::shim_pages_unmap(map) };
        }
    }
}

impl Drop for PageBuffer {
    fn drop(&mut self) {
        self.unmap();
        while let Some(run) = self.runs.pop() {
            free(run);
        }
    }
}

/// The parts of a buffer.
///
/// # Invariants
/// `runs` are of `shim_pages_alloc` and owned by this value, in reverse.
pub struct Parts {
    runs: Vec<Run>,
    /// How much of them was of the buffer, in bytes.
    left: usize,
}

impl Iterator for Parts {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        let run = self.runs.pop()?;
        let length = run.size().min(self.left);
        self.left -= length;
        // INVARIANT: this value owned it, and has it no longer.
        Some(Part { run, length })
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        while let Some(run) = self.runs.pop() {
            free(run);
        }
    }
}

/// Bytes of a buffer, freed with this value.
///
/// # Invariants
/// `run` is owned by this value, and has at least `length` bytes, initialised.
pub struct Part {
    run: Run,
    length: usize,
}

impl Deref for Part {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: by the invariant.
        let start = unsafe { shim::shim_pages_address(self.run.first.as_ptr()) };
        // SAFETY: by the invariant; the pages are in the kernel's own map of memory.
        unsafe { slice::from_raw_parts(start.cast(), self.length) }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        free(self.run);
    }
}

/// As many pages as there can be, `wanted` at most.
fn allocate(wanted: usize) -> Result<Run, NoMemory> {
    let order = wanted.checked_ilog2().unwrap_or(0).min(ORDER);
    for order in [order, 0] {
        // SAFETY: may be called in process context.
        if let Some(first) = NonNull::new(unsafe { shim::shim_pages_alloc(order) }) {
            return Ok(Run { first, order });
        }
    }
    Err(NoMemory)
}

/// Frees a run that nobody has any more.
fn free(run: Run) {
    // SAFETY: it was allocated so; its owner gave it up.
    unsafe { shim::shim_pages_free(run.first.as_ptr(), run.order) };
}

/// Fills the start of `to` with what `run` has from `within` on; gives the rest of
/// it, and where in the run it stopped.
fn copy(run: Run, within: usize, to: &mut [u8]) -> (&mut [u8], usize) {
    // SAFETY: the pages are allocated.
    let start = unsafe { shim::shim_pages_address(run.first.as_ptr()) };
    // SAFETY: so many bytes are in them, in the kernel's own map of memory; who has the
    // run lets nobody borrow them while this function runs.
    let bytes = unsafe { VolatileSlice::new(start.cast(), run.size()) };
    let copied = bytes.after(within).map_or(0, |bytes| bytes.copy_to(to));
    (to.get_mut(copied..).unwrap_or_default(), within + copied)
}
