// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! An allocator for tests: the global one, with a given number of allocations before it
//! fails, which counts what is not freed yet. Each thread has its own numbers, so that
//! tests do not see each other's.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};

use kmem::{Allocator, NoMemory, RawLock};

/// Memory whose allocations fail once `left` of them were made; a handle to its numbers.
#[derive(Clone)]
pub struct Limited {
    gauges: Arc<Gauges>,
}

struct Gauges {
    /// How many allocations succeed before some fail.
    left: AtomicU64,
    /// How many then fail before all succeed.
    failures: AtomicU64,
    /// How many bytes were allocated and are not freed yet.
    held: AtomicU64,
}

thread_local! {
    /// The numbers for what this thread allocates.
    static CURRENT: RefCell<Limited> = RefCell::new(Limited::fresh());
}

impl Limited {
    fn fresh() -> Self {
        let gauges = Gauges {
            left: AtomicU64::new(u64::MAX),
            failures: AtomicU64::new(0),
            held: AtomicU64::new(0),
        };
        Self { gauges: Arc::new(gauges) }
    }

    /// New numbers, without a limit, for what this thread allocates from now on.
    pub fn start() -> Self {
        let fresh = Self::fresh();
        CURRENT.set(fresh.clone());
        fresh
    }

    /// So many more allocations succeed, and none after them.
    pub fn refill(&self, allocations: u64) {
        self.gauges.left.store(allocations, SeqCst);
        self.gauges.failures.store(u64::MAX, SeqCst);
    }

    /// So many more allocations succeed, one fails, all others succeed.
    pub fn fail_once(&self, allocations: u64) {
        self.gauges.left.store(allocations, SeqCst);
        self.gauges.failures.store(1, SeqCst);
    }

    /// How many more allocations succeed before some fail.
    pub fn left(&self) -> u64 {
        self.gauges.left.load(SeqCst)
    }

    /// How many bytes are allocated.
    pub fn held(&self) -> u64 {
        self.gauges.held.load(SeqCst)
    }

    /// Whether one more allocation fails.
    fn fails(&self) -> bool {
        let one_less = |count: u64| count.checked_sub(1);
        let Gauges { left, failures, .. } = &*self.gauges;
        left.fetch_update(SeqCst, SeqCst, one_less).is_err()
            && failures.fetch_update(SeqCst, SeqCst, one_less).is_ok()
    }
}

/// What is in front of each allocation: whose it is, so that any thread may free it.
type Head = *const Gauges;

/// The kernel aligns to no more.
const ALIGN: usize = 8;

fn layout(size: NonZeroUsize) -> Layout {
    let size = size.get().checked_add(size_of::<Head>()).unwrap();
    Layout::from_size_align(size, ALIGN).unwrap()
}

// SAFETY: it is the global allocator's zero-filled memory, after a head for which it has
// room, and which keeps it aligned.
unsafe impl Allocator for Limited {
    const ALIGN: usize = ALIGN;

    fn allocate(size: NonZeroUsize) -> Result<NonNull<u8>, NoMemory> {
        let Self { gauges } = CURRENT.with_borrow(Self::clone);
        if (Self { gauges: gauges.clone() }).fails() || size.get() > isize::MAX as usize / 2 {
            return Err(NoMemory);
        }
        gauges.held.fetch_add(size.get() as u64, SeqCst);
        // SAFETY: the layout has a size.
        let head = NonNull::new(unsafe { alloc_zeroed(layout(size)) }).ok_or(NoMemory)?;
        // SAFETY: there is room for a head, and then for `size` bytes.
        unsafe {
            head.cast::<Head>().write(Arc::into_raw(gauges));
            Ok(head.add(size_of::<Head>()))
        }
    }

    unsafe fn free(memory: NonNull<u8>, size: NonZeroUsize) {
        // SAFETY: the caller promises that `allocate` gave it, after a head that owns
        // the numbers, and that nobody uses it again.
        unsafe {
            let head = memory.sub(size_of::<Head>());
            let gauges = Arc::from_raw(head.cast::<Head>().read());
            gauges.held.fetch_sub(size.get() as u64, SeqCst);
            dealloc(head.as_ptr(), layout(size));
        }
    }
}

/// A lock of `std`, with memory as a mutex of the kernel has it.
pub struct Lock {
    mutex: Mutex<()>,
    _memory: kmem::Vec<u64, Limited>,
}

impl Lock {
    pub fn new() -> Result<Self, NoMemory> {
        Ok(Self { mutex: Mutex::new(()), _memory: kmem::Vec::with_capacity(4)? })
    }
}

// SAFETY: `std` lets one thread at a time have the guard.
unsafe impl RawLock for Lock {
    type Guard<'a> = MutexGuard<'a, ()>;

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.mutex.lock().expect("nobody panicked with it")
    }
}
