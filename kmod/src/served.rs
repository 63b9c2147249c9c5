// SPDX-License-Identifier: GPL-2.0-only
//! A file as readers see it: `/proc/vmcore` or `/proc/vmcoredd`.

use devdump::State;
use kmem::NoMemory;
use vmcore::layout::{Load, Place};

use crate::kernel::error::{EIO, Errno};
use crate::kernel::iov_iter::IovIter;
use crate::kernel::mapping::UserMapping;
use crate::kernel::memory::{Arc, KernelMemory};
use crate::old_memory::OldMemory;

type CoreFile = devdump::CoreFile<KernelMemory>;
type Snapshot = devdump::Snapshot<KernelMemory>;

/// A file, but for the device dumps in it.
pub struct Served {
    file: Arc<CoreFile>,
    old_memory: OldMemory,
}

impl Served {
    /// Serves `file`.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn new(file: CoreFile) -> Result<Arc<Self>, NoMemory> {
        let file = Arc::new(file)?;
        let old_memory = OldMemory::new(file.clone())?;
        Arc::new(Self { file, old_memory })
    }

    /// Opens the file at the moment of `state`.
    ///
    /// # Errors
    /// An errno for lack of memory.
    pub fn open(this: &Arc<Self>, state: State<KernelMemory>) -> Result<Arc<Open>, Errno> {
        let snapshot = Snapshot::new(this.file.clone(), state)?;
        Ok(Arc::new(Open { snapshot, served: this.clone() })?)
    }

    /// Size of the file at the moment of `state`, in bytes.
    #[must_use]
    pub fn size(&self, state: &State<KernelMemory>) -> Option<u64> {
        self.file.size(state)
    }

    /// The dead kernel's memory.
    #[must_use]
    pub fn old_memory(&self) -> &OldMemory {
        &self.old_memory
    }

    /// The ranges of old memory in the file.
    #[must_use]
    pub fn loads(&self) -> &[Load] {
        self.file.loads()
    }
}

/// An open file: one state of it, for as long as it is open or mapped.
pub struct Open {
    snapshot: Snapshot,
    served: Arc<Served>,
}

impl Open {
    /// Size of the file, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.snapshot.size()
    }

    /// Copies from `offset` on to `to`; gives how many bytes.
    ///
    /// # Errors
    /// An errno when old memory cannot be mapped.
    pub fn read(&self, offset: u64, to: &mut IovIter) -> Result<usize, Errno> {
        self.snapshot.read(offset, to, &self.served.old_memory)
    }

    /// Maps the old memory among `size` bytes at `offset` to `mapping`; pages
    /// of anything else come with [`Open::read`].
    ///
    /// # Errors
    /// An errno when it cannot be mapped.
    pub fn map(&self, offset: u64, size: u64, mapping: &mut UserMapping) -> Result<(), Errno> {
        let mut done = 0;
        while done < size {
            let span = self.snapshot.at(offset.saturating_add(done)).ok_or(EIO)?;
            let part = span.length.min(size - done);
            match span.place {
                // The kernel reserves the caching of a whole mapping by itself.
                Place::Memory { physical } if part == size => mapping.map(0, physical, part)?,
                Place::Memory { physical } => {
                    self.served.old_memory.map_user(mapping, done, physical, part)?;
                }
                _ => {}
            }
            done += part;
        }
        Ok(())
    }
}
