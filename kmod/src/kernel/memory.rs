// SPDX-License-Identifier: GPL-2.0-only
//! Memory that fails to be allocated rather than invoke the OOM killer.

use core::num::NonZeroUsize;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use kmem::{Allocator, NoMemory};

use super::environment;
use super::mutex::{KernelLock, Lock};
use super::shim;

/// A value with several owners.
pub type Arc<T> = kmem::Arc<T, KernelMemory>;
/// A growable array.
pub type Vec<T> = kmem::Vec<T, KernelMemory>;
/// A byte buffer.
pub type Block = kmem::Block<KernelMemory>;
/// A place for an owner.
pub type Slot<T> = kmem::Slot<T, KernelMemory>;
/// A static for an owner.
pub type Global<T> = kmem::Global<T, KernelMemory>;

/// How much memory dumps must leave available, in bytes.
static LEFT_OVER: AtomicU64 = AtomicU64::new(0);

/// The kernel's memory, as the store of dumps uses it. May sleep.
#[derive(Debug, Clone, Copy)]
pub struct KernelMemory;

impl KernelMemory {
    /// Dumps must leave `bytes` available from now on.
    pub fn leave(bytes: u64) {
        LEFT_OVER.store(bytes, Ordering::Relaxed);
    }
}

// SAFETY: `shim_alloc` gives zero-filled memory of the size that it is asked for, or
// null. `kvmalloc` aligns it to 8 bytes at least, and any thread may free it.
unsafe impl Allocator for KernelMemory {
    const ALIGN: usize = 8;

    fn allocate(size: NonZeroUsize) -> Result<NonNull<u8>, NoMemory> {
        // SAFETY: any size may be asked for.
        let memory = unsafe { shim::shim_alloc(size.get()) };
        NonNull::new(memory.cast()).ok_or(NoMemory)
    }

    unsafe fn free(memory: NonNull<u8>, _size: NonZeroUsize) {
        // SAFETY: the caller promises that it is of `shim_alloc`, and not used again.
        unsafe { shim::shim_free(memory.as_ptr().cast_const().cast()) }
    }
}

impl devdump::Host for KernelMemory {
    type Lock = KernelLock;

    fn lock(which: devdump::Lock) -> Result<KernelLock, NoMemory> {
        KernelLock::new(match which {
            devdump::Lock::Writer => Lock::Writer,
            devdump::Lock::Store => Lock::Store,
            devdump::Lock::Cache => Lock::Cache,
        })
    }

    fn affords(bytes: u64) -> bool {
        let needed = LEFT_OVER.load(Ordering::Relaxed).saturating_add(bytes);
        let available = environment::memory_available();
        // The processors are asked only where it is close.
        available >= needed || available.saturating_add(environment::memory_cached()) >= needed
    }
}
