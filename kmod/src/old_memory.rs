// SPDX-License-Identifier: GPL-2.0-only
//! The dead kernel's memory, through large windows that are kept.
//!
//! Mapping is what costs: the kernel's own `/proc/vmcore` maps and unmaps every
//! page that it reads. A window of [`WINDOW_SIZE`] is mapped with large pages,
//! takes next to no memory itself, and serves thousands of reads.

use devdump::CoreFile;
use kmem::{NoMemory, VolatileSlice};
use vmcore::layout::Load;
use vmcore::{PAGE_SIZE, page_align_down};

use crate::kernel::error::{EIO, ENOMEM, Errno};
use crate::kernel::iov_iter::IovIter;
use crate::kernel::mapping::{Mapping, UserMapping};
use crate::kernel::memory::{Arc, KernelMemory, Slot};
use crate::kernel::mutex::{KernelLock, Lock, Mutex};

/// Size and alignment of a window, in bytes: the parts of a segment that one
/// window maps.
const WINDOW_SIZE: u64 = 32 << 20;
/// How many windows are kept. The ends of a segment may need small pages, 64 KiB
/// of page tables for a window: 32 windows cost at most 2 MiB.
const WINDOWS: usize = 32;

/// A mapped part of a segment.
struct Window {
    physical: u64,
    mapping: Mapping,
}

impl Window {
    /// The bytes from `physical` on; `None` when it lies outside.
    fn from(&self, physical: u64) -> Option<VolatileSlice<'_>> {
        let within = physical.checked_sub(self.physical)?;
        let bytes = self.mapping.bytes().after(usize::try_from(within).ok()?);
        bytes.filter(|bytes| !bytes.is_empty())
    }
}

/// The windows that are kept, replaced in turn.
struct Windows {
    kept: [Option<Arc<Window>>; WINDOWS],
    next: usize,
}

/// The dead kernel's memory.
pub struct OldMemory {
    /// The file whose segments it is.
    file: Arc<CoreFile<KernelMemory>>,
    windows: Mutex<Windows>,
    /// The window that was read last: most reads need no other, and no lock.
    last: Slot<Window>,
}

impl OldMemory {
    /// The memory of `file`'s segments.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn new(file: Arc<CoreFile<KernelMemory>>) -> Result<Self, NoMemory> {
        let windows = Windows { kept: [const { None }; WINDOWS], next: 0 };
        let windows = Mutex::new(KernelLock::new(Lock::Windows)?, windows);
        Ok(Self { file, windows, last: Slot::empty() })
    }

    /// The window that shows `physical`. Whoever has it may use it for as long
    /// as wanted; no lock is held.
    fn window(&self, physical: u64) -> Result<Arc<Window>, Errno> {
        let mut windows = self.windows.lock();
        let shows = |window: &&Arc<Window>| window.from(physical).is_some();
        if let Some(window) = windows.kept.iter().flatten().find(shows) {
            return Ok(window.clone());
        }
        let load = self.load(physical).ok_or(EIO)?;
        let aligned = physical - physical % WINDOW_SIZE;
        let start = aligned.max(load.physical);
        let end = aligned.saturating_add(WINDOW_SIZE).min(load.physical.saturating_add(load.size));
        let size = usize::try_from(end.saturating_sub(start)).map_err(|_| ENOMEM)?;
        let Ok(mapping) = Mapping::window(start, size) else {
            let physical = page_align_down(physical);
            return Ok(Arc::new(Window { physical, mapping: Mapping::page(physical)? })?);
        };
        let window = Arc::new(Window { physical: start, mapping })?;
        let next = windows.next % WINDOWS;
        if let Some(place) = windows.kept.get_mut(next) {
            *place = Some(window.clone());
        }
        windows.next = next + 1;
        Ok(window)
    }

    fn load(&self, physical: u64) -> Option<&Load> {
        let holds = |load: &&Load| {
            physical.checked_sub(load.physical).is_some_and(|within| within < load.size)
        };
        self.file.loads().iter().find(holds)
    }

    /// Maps `size` bytes from `physical` on to user space, `offset` bytes after
    /// the start of `mapping`; all in whole pages.
    ///
    /// # Errors
    /// What mapping them returned.
    pub fn map_user(
        &self,
        mapping: &mut UserMapping,
        offset: u64,
        physical: u64,
        size: u64,
    ) -> Result<(), Errno> {
        let mut done = 0;
        while done < size {
            let at = physical.saturating_add(done);
            // x86 takes the caching of a part of a user mapping from what the
            // kernel has mapped there, uncached where it has nothing, and
            // refuses a mixture. The window makes it write-back throughout.
            let window = self.window(at)?;
            let shown = window.from(at).map_or(0, |bytes| bytes.len() as u64);
            let part = page_align_down(shown.min(size - done));
            if part < PAGE_SIZE {
                return Err(EIO);
            }
            mapping.map(offset.saturating_add(done), at, part)?;
            done += part;
        }
        Ok(())
    }

    /// Lets `take` have up to `length` bytes from `physical` on, part by part, until it
    /// takes less than a part; gives how many it took.
    ///
    /// # Errors
    /// When nothing of it could be mapped.
    fn read_with(
        &self,
        physical: u64,
        length: usize,
        mut take: impl FnMut(VolatileSlice<'_>) -> usize,
    ) -> Result<usize, Errno> {
        let mut done = 0;
        while done < length {
            let at = physical.saturating_add(done as u64);
            let last = self.last.take().filter(|window| window.from(at).is_some());
            let window = match last.map_or_else(|| self.window(at), Ok) {
                Ok(window) => window,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            };
            let bytes = window.from(at).map(|bytes| bytes.first(length - done));
            let wanted = bytes.map_or(0, VolatileSlice::len);
            let taken = bytes.map_or(0, &mut take);
            self.last.put(window);
            done += taken;
            if taken < wanted || wanted == 0 {
                break;
            }
        }
        Ok(done)
    }

    /// Fills `to` from `physical` on, as far as it can be mapped.
    ///
    /// # Errors
    /// When nothing of it could be mapped.
    pub fn read_to(&self, physical: u64, to: &mut [u8]) -> Result<(), Errno> {
        let mut at = 0;
        self.read_with(physical, to.len(), |bytes| {
            let copied = bytes.copy_to(to.get_mut(at..).unwrap_or_default());
            at += copied;
            copied
        })?;
        Ok(())
    }
}

impl devdump::OldMemory<IovIter> for OldMemory {
    type Error = Errno;

    fn read(&self, physical: u64, length: usize, to: &mut IovIter) -> Result<usize, Errno> {
        self.read_with(physical, length, |bytes| to.volatile(bytes))
    }
}
