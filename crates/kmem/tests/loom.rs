// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Owners and takers on several threads, in every order that matters:
//!
//!     RUSTFLAGS="--cfg loom" cargo test --release -p kmem --test loom --target-dir target/loom
#![cfg(loom)]

use std::alloc::Layout;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use kmem::{Allocator, NoMemory, TakeOnce};
use loom::alloc::{alloc_zeroed, dealloc};
use loom::cell::UnsafeCell;
use loom::thread;

struct Watched;

// SAFETY: it is the global allocator's zero-filled memory; loom watches that it is freed.
unsafe impl Allocator for Watched {
    const ALIGN: usize = 8;

    fn allocate(size: NonZeroUsize) -> Result<NonNull<u8>, NoMemory> {
        // SAFETY: the layout has a size.
        NonNull::new(unsafe { alloc_zeroed(layout(size)) }).ok_or(NoMemory)
    }

    unsafe fn free(memory: NonNull<u8>, size: NonZeroUsize) {
        // SAFETY: the caller promises that it is of `allocate`, with the same layout.
        unsafe { dealloc(memory.as_ptr(), layout(size)) }
    }
}

fn layout(size: NonZeroUsize) -> Layout {
    Layout::from_size_align(size.get(), Watched::ALIGN).unwrap()
}

type Arc<T> = kmem::Arc<T, Watched>;

/// Loom reports a read that is not before the write in `drop`, and the reverse.
struct Seen(UnsafeCell<u32>);

// SAFETY: owners only read it, and the last one writes.
unsafe impl Send for Seen {}
// SAFETY: as above.
unsafe impl Sync for Seen {}

impl Seen {
    fn read(&self) -> u32 {
        // SAFETY: nobody writes while there is an owner.
        self.0.with(|value| unsafe { *value })
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        // SAFETY: this was the last owner.
        self.0.with_mut(|value| unsafe { *value = 0 });
    }
}

#[test]
fn a_value_is_dropped_after_all_that_its_owners_did() {
    loom::model(|| {
        let owner = Arc::new(Seen(UnsafeCell::new(7))).unwrap();
        let others = [owner.clone(), owner.clone()];
        let others = others.map(|other| thread::spawn(move || other.clone().read()));
        assert_eq!(owner.read(), 7);
        drop(owner);
        others.map(|other| assert_eq!(other.join().unwrap(), 7));
    });
}

#[test]
fn the_only_owner_sees_what_the_others_did() {
    loom::model(|| {
        let mut owner = Arc::new(Seen(UnsafeCell::new(7))).unwrap();
        let other = owner.clone();
        let other = thread::spawn(move || other.read());
        if let Some(seen) = owner.get_mut() {
            // SAFETY: it is the only owner.
            seen.0.with_mut(|value| unsafe { *value = 8 });
        }
        assert_eq!(other.join().unwrap(), 7);
    });
}

#[test]
fn one_thread_takes_the_value() {
    loom::model(|| {
        let value = Arc::new(TakeOnce::new(Seen(UnsafeCell::new(7)))).unwrap();
        let other = value.clone();
        let other = thread::spawn(move || other.take().map(|seen| seen.read()));
        let taken = value.take().map(|seen| seen.read());
        let both = [taken, other.join().unwrap()];
        assert!(both == [Some(7), None] || both == [None, Some(7)], "{both:?}");
    });
}
