// SPDX-License-Identifier: GPL-2.0-only
//! Memory that fails to be allocated rather than invoke the OOM killer.

use core::ffi::c_void;
use core::mem::size_of;
use core::ops::{Deref, DerefMut};
use core::ptr::{NonNull, drop_in_place, slice_from_raw_parts_mut};
use core::slice;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};

use devdump::NoMemory;

use super::environment;
use super::mutex::{Lock, Mutex};
use super::shim;

/// What the kernel's allocators align every allocation to, at least.
const ALIGN: usize = 8;

/// Zero-filled memory for `count` values of `T`.
fn allocate<T>(count: usize) -> Result<NonNull<T>, NoMemory> {
    const { assert!(align_of::<T>() <= ALIGN) }
    let size = size_of::<T>().checked_mul(count).ok_or(NoMemory)?;
    // SAFETY: any size may be asked for.
    let memory = unsafe { shim::shim_alloc(size) };
    NonNull::new(memory.cast()).ok_or(NoMemory)
}

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

impl devdump::Memory for KernelMemory {
    type Block = Block;
    type List<T> = List<T>;
    type Shared<T> = Shared<T>;
    type Mutex<T> = Mutex<T>;

    fn block(&self, size: usize) -> Result<Block, NoMemory> {
        Block::new(size)
    }

    fn list<T>(&self) -> List<T> {
        List { start: NonNull::dangling(), length: 0, capacity: 0 }
    }

    fn list_of<T>(&self, capacity: usize) -> Result<List<T>, NoMemory> {
        if capacity == 0 {
            return Ok(self.list());
        }
        Ok(List { start: allocate(capacity)?, length: 0, capacity })
    }

    fn share<T>(&self, value: T) -> Result<Shared<T>, NoMemory> {
        Shared::new(value)
    }

    fn mutex<T>(&self, lock: devdump::Lock, value: T) -> Result<Mutex<T>, NoMemory> {
        let lock = match lock {
            devdump::Lock::Writer => Lock::Writer,
            devdump::Lock::Store => Lock::Store,
            devdump::Lock::Cache => Lock::Cache,
        };
        Mutex::new(lock, value)
    }

    fn affords(&self, bytes: u64) -> bool {
        let needed = LEFT_OVER.load(Ordering::Relaxed).saturating_add(bytes);
        let available = environment::memory_available();
        // The processors are asked only where it is close.
        available >= needed || available.saturating_add(environment::memory_cached()) >= needed
    }
}

/// Zero-filled memory, freed with this value.
///
/// # Invariants
/// `start` is memory of `shim_alloc` that this value owns.
struct Allocation {
    start: NonNull<u8>,
}

// SAFETY: any thread may free it.
unsafe impl Send for Allocation {}
// SAFETY: nothing can be done with a shared one.
unsafe impl Sync for Allocation {}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: by the invariant; nobody uses it any more.
        unsafe { shim::shim_free(self.start.as_ptr().cast_const().cast()) }
    }
}

/// A byte buffer of fixed size, below 4 GiB.
///
/// # Invariants
/// The `length` bytes from `offset` on are within `allocation`, initialised, and
/// of no other `Block`.
pub struct Block {
    allocation: Shared<Allocation>,
    offset: u32,
    length: u32,
}

impl Block {
    fn new(size: usize) -> Result<Self, NoMemory> {
        let length = u32::try_from(size).map_err(|_| NoMemory)?;
        let allocation = Allocation { start: allocate(size)? };
        // INVARIANT: just allocated, zero-filled.
        Ok(Self { allocation: Shared::new(allocation)?, offset: 0, length })
    }

    fn start(&self) -> *mut u8 {
        self.allocation.start.as_ptr().wrapping_add(self.offset as usize)
    }
}

impl devdump::Block for Block {
    fn split_to(&mut self, at: usize) -> Self {
        let length = u32::try_from(at).unwrap_or(u32::MAX).min(self.length);
        // INVARIANT: the first bytes become the other block's, the rest stays.
        let first = Self { allocation: self.allocation.clone(), offset: self.offset, length };
        self.offset += length;
        self.length -= length;
        first
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: by the invariant.
        unsafe { slice::from_raw_parts(self.start(), self.length as usize) }
    }
}

impl DerefMut for Block {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: by the invariant; `&mut self` makes it the only access.
        unsafe { slice::from_raw_parts_mut(self.start(), self.length as usize) }
    }
}

/// A growable array.
///
/// # Invariants
/// `start` is memory of `shim_alloc` for `capacity` values, or dangling when
/// `capacity` is 0; the first `length` of them are initialised; all is owned by
/// this value.
pub struct List<T> {
    start: NonNull<T>,
    length: usize,
    capacity: usize,
}

// SAFETY: a `List` owns its values.
unsafe impl<T: Send> Send for List<T> {}
// SAFETY: a shared `List` only lends its values for reading.
unsafe impl<T: Sync> Sync for List<T> {}

impl<T> List<T> {
    fn grow(&mut self) -> Result<(), NoMemory> {
        self.move_to(self.capacity.checked_mul(2).ok_or(NoMemory)?.max(4))
    }

    /// Moves the values to memory for `capacity` of them, which is not 0 and not
    /// below their number.
    fn move_to(&mut self, capacity: usize) -> Result<(), NoMemory> {
        let start = allocate::<T>(capacity)?;
        // SAFETY: `length` values are initialised at the old place, and the new
        // one has room for more; they are different allocations. The values
        // move: the old place is freed without dropping them.
        unsafe { start.copy_from_nonoverlapping(self.start, self.length) };
        self.free();
        // INVARIANT: the new memory is owned by this value alone.
        self.start = start;
        self.capacity = capacity;
        Ok(())
    }

    /// Frees the memory, not the values; `start` is dangling behind that.
    fn free(&mut self) {
        if self.capacity > 0 {
            // SAFETY: by the invariant.
            unsafe { shim::shim_free(self.start.as_ptr().cast_const().cast()) }
        }
    }
}

impl<T> devdump::List<T> for List<T> {
    fn push(&mut self, value: T) -> Result<(), NoMemory> {
        if self.length == self.capacity {
            self.grow()?;
        }
        // SAFETY: `length` is below `capacity`, so the place is within the
        // allocation and not yet initialised.
        unsafe { self.start.add(self.length).write(value) };
        self.length += 1;
        Ok(())
    }

    fn pop(&mut self) -> Option<T> {
        let last = self.length.checked_sub(1)?;
        self.length = last;
        // SAFETY: the value is initialised, and no longer counted as such.
        Some(unsafe { self.start.add(last).read() })
    }

    fn shrink(&mut self) {
        if self.length == 0 {
            self.free();
            self.start = NonNull::dangling();
            self.capacity = 0;
        } else if self.length < self.capacity {
            // It stays as it is where there is no memory to move it to.
            let _ = self.move_to(self.length);
        }
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: by the invariant.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl<T> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: by the invariant; `&mut self` makes it the only access.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl<T> Drop for List<T> {
    fn drop(&mut self) {
        // SAFETY: the values are initialised and never used again.
        unsafe { drop_in_place(slice_from_raw_parts_mut(self.start.as_ptr(), self.length)) };
        self.free();
    }
}

struct Inner<T> {
    owners: AtomicUsize,
    value: T,
}

/// A value with several owners, freed with the last of them.
///
/// # Invariants
/// `inner` is memory of `shim_alloc`, initialised, and lives while `owners` is
/// not 0; `owners` counts the `Shared` values that point to it. Each of them
/// takes memory, so the count cannot wrap.
pub struct Shared<T> {
    inner: NonNull<Inner<T>>,
}

// SAFETY: a `Shared` lends its value to all owners, and the last one, on any
// thread, drops it.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// `value` with its first owner.
    ///
    /// # Errors
    /// [`NoMemory`]; `value` is dropped.
    pub fn new(value: T) -> Result<Self, NoMemory> {
        let inner = allocate::<Inner<T>>(1)?;
        // SAFETY: just allocated for one `Inner<T>`.
        unsafe { inner.write(Inner { owners: AtomicUsize::new(1), value }) };
        // INVARIANT: initialised, with this as its one owner.
        Ok(Self { inner })
    }
}

impl<T> devdump::Shared<T> for Shared<T> {
    fn unique(&mut self) -> Option<&mut T> {
        // SAFETY: by the invariant.
        if unsafe { self.inner.as_ref() }.owners.load(Ordering::Acquire) != 1 {
            return None;
        }
        // SAFETY: this is the only owner, and `&mut self` its only use.
        Some(unsafe { &mut self.inner.as_mut().value })
    }
}

/// C may use a value from any thread.
impl<T: Send + Sync> Shared<T> {
    /// Hands this owner to C as a pointer that is not null.
    #[must_use]
    pub fn into_raw(self) -> *mut c_void {
        let raw = self.inner.as_ptr().cast();
        core::mem::forget(self);
        raw
    }

    /// The owner that [`Shared::into_raw`] handed to C.
    ///
    /// # Safety
    /// `raw` came from [`Shared::into_raw`] of this very type, is not null, and
    /// is not used again.
    pub unsafe fn from_raw(raw: *mut c_void) -> Self {
        // SAFETY: not null, as the caller promises.
        let inner = unsafe { NonNull::new_unchecked(raw.cast()) };
        // INVARIANT: it is counted since it was made.
        Self { inner }
    }

    /// The value of an owner that C holds.
    ///
    /// # Safety
    /// `raw` came from [`Shared::into_raw`] of this very type, and C does not
    /// give it back during `'a`.
    pub unsafe fn borrow<'a>(raw: *const c_void) -> &'a T {
        // SAFETY: by the caller's promise it points to a live `Inner<T>`.
        unsafe { &(*raw.cast::<Inner<T>>()).value }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: by the invariant it lives while this owner does.
        unsafe { &self.inner.as_ref().value }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        // SAFETY: by the invariant.
        unsafe { self.inner.as_ref() }.owners.fetch_add(1, Ordering::Relaxed);
        Self { inner: self.inner }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: by the invariant.
        if unsafe { self.inner.as_ref() }.owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // What other owners did with the value is before its end.
        fence(Ordering::Acquire);
        // SAFETY: this was the last owner.
        unsafe {
            drop_in_place(self.inner.as_ptr());
            shim::shim_free(self.inner.as_ptr().cast_const().cast());
        }
    }
}
