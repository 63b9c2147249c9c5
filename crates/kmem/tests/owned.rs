// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What owns memory: each value is dropped once, and all memory is freed, whatever
//! fails in between.

#[allow(dead_code, reason = "the store's tests use more of it")]
mod host;

use std::mem::forget;
use std::ptr::null_mut;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;

use host::{Limited, Lock};
use kmem::{Block, Mutex, NoMemory, TakeOnce, VolatileSlice};
use proptest::prelude::*;

type Vec<T> = kmem::Vec<T, Limited>;
type Arc<T> = kmem::Arc<T, Limited>;
type Slot<T> = kmem::Slot<T, Limited>;
type Global<T> = kmem::Global<T, Limited>;

/// A value that counts how often it is dropped.
struct Dropped<'a>(&'a AtomicUsize);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push(u32),
    Pop,
    Shrink,
    Clear,
    /// So many more allocations succeed.
    Refill(Option<u8>),
}

fn steps() -> impl Strategy<Value = std::vec::Vec<Step>> {
    let step = prop_oneof![
        8 => any::<u32>().prop_map(Step::Push),
        3 => Just(Step::Pop),
        1 => Just(Step::Shrink),
        1 => Just(Step::Clear),
        1 => any::<Option<u8>>().prop_map(|count| Step::Refill(count.map(|count| count % 4))),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn a_vec_has_what_was_pushed(steps in steps(), capacity in 0_usize..10) {
        let memory = Limited::start();
        let value = Rc::new(());
        let mut vec = Vec::with_capacity(capacity).unwrap();
        let mut expected = std::vec::Vec::new();
        for step in steps {
            match step {
                Step::Push(number) => {
                    if vec.push((number, value.clone())).is_ok() {
                        expected.push(number);
                    }
                }
                Step::Pop => prop_assert_eq!(vec.pop().map(|own| own.0), expected.pop()),
                Step::Shrink => vec.shrink_to_fit(),
                Step::Clear => {
                    vec = Vec::new();
                    expected.clear();
                }
                Step::Refill(count) => memory.refill(count.map_or(u64::MAX, u64::from)),
            }
            prop_assert!(vec.iter().map(|own| &own.0).eq(&expected));
            prop_assert_eq!(Rc::strong_count(&value), 1 + expected.len());
        }
        drop(vec);
        prop_assert_eq!((Rc::strong_count(&value), memory.held()), (1, 0));
    }

    #[test]
    fn parts_of_a_block_are_its_bytes(cuts in prop::collection::vec(0_usize..300, 0..8)) {
        const SIZE: usize = 1000;
        let memory = Limited::start();
        let mut rest = Block::<Limited>::new(SIZE).unwrap();
        prop_assert_eq!(&*rest, &[0; SIZE]);
        let mut parts = std::vec::Vec::new();
        let mut left = SIZE;
        for cut in cuts {
            let part = rest.split_to(cut);
            prop_assert_eq!(part.len(), cut.min(left));
            left -= part.len();
            prop_assert_eq!(rest.len(), left);
            parts.push(part);
        }
        parts.push(rest);
        for (index, part) in parts.iter_mut().enumerate() {
            part.fill(index as u8 + 1);
        }
        for (index, part) in parts.iter().enumerate() {
            prop_assert!(part.iter().all(|byte| *byte == index as u8 + 1));
        }
        let held = memory.held();
        let last = parts.pop();
        drop(parts);
        prop_assert_eq!(memory.held(), held);
        drop(last);
        prop_assert_eq!(memory.held(), 0);
    }

    #[test]
    fn a_copy_of_volatile_bytes_is_those_bytes(
        start in 0_usize..20, first in 0_usize..70, after in 0_usize..70, space in 0_usize..70,
    ) {
        let bytes: std::vec::Vec<u8> = (0..64).collect();
        let expected = &bytes[start..];
        let slice = VolatileSlice::from(expected).first(first);
        let expected = &expected[..first.min(expected.len())];
        prop_assert_eq!(slice.len(), expected.len());
        prop_assert_eq!(slice.is_empty(), expected.is_empty());
        let slice = slice.after(after);
        prop_assert_eq!(slice.is_some(), after <= expected.len());
        if let Some(slice) = slice {
            let mut to = vec![0xaa; space];
            let count = slice.copy_to(&mut to);
            let expected = &expected[after..];
            prop_assert_eq!(count, space.min(expected.len()));
            prop_assert_eq!(&to[..count], &expected[..count]);
            prop_assert!(to[count..].iter().all(|byte| *byte == 0xaa));
        }
    }
}

#[test]
fn values_without_a_size_take_no_memory() {
    let memory = Limited::start();
    memory.refill(0);
    let mut vec = Vec::new();
    (0..100).for_each(|_| vec.push(()).unwrap());
    assert_eq!((vec.len(), vec.pop()), (100, Some(())));
    assert_eq!(memory.held(), 0);
}

#[test]
fn what_is_too_large_is_not_allocated() {
    Limited::start();
    assert_eq!(Vec::<u64>::with_capacity(usize::MAX / 4).err(), Some(NoMemory));
    assert_eq!(Block::<Limited>::new(1 << 32).err(), Some(NoMemory));
    assert_eq!(Block::<Limited>::new(0).map(|block| block.len()).ok(), Some(0));
}

#[test]
fn a_value_for_which_there_is_no_memory_is_dropped() {
    let memory = Limited::start();
    let count = AtomicUsize::new(0);
    memory.refill(0);
    assert!(Arc::new(Dropped(&count)).is_err());
    assert_eq!(count.load(SeqCst), 1);
    assert!(Vec::new().push(Dropped(&count)).is_err());
    assert_eq!(count.load(SeqCst), 2);
}

#[test]
fn the_last_owner_drops_the_value() {
    let memory = Limited::start();
    let count = AtomicUsize::new(0);
    let mut first = Arc::new(Dropped(&count)).unwrap();
    assert!(first.get_mut().is_some());
    let second = first.clone();
    assert!(first.get_mut().is_none());
    let raw = second.into_raw();
    // SAFETY: it is of `into_raw`, and not used again.
    let second = unsafe { Arc::<Dropped<'_>>::from_raw(raw) };
    drop(first);
    assert_eq!(count.load(SeqCst), 0);
    drop(second);
    assert_eq!((count.load(SeqCst), memory.held()), (1, 0));
}

#[test]
fn any_thread_may_be_the_last_owner() {
    let memory = Limited::start();
    let count = AtomicUsize::new(0);
    for _ in 0..100 {
        let owner = Arc::new(Dropped(&count)).unwrap();
        let owners = [owner.clone(), owner.clone(), owner];
        thread::scope(|scope| {
            for owner in owners {
                scope.spawn(move || drop(owner.clone()));
            }
        });
    }
    assert_eq!((count.load(SeqCst), memory.held()), (100, 0));
}

#[test]
fn a_panicking_drop_frees_the_memory() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("as it should");
        }
    }
    let memory = Limited::start();
    let owner = Arc::new((Panics, 1_u64)).unwrap();
    let mut vec = Vec::new();
    vec.push((Panics, 1_u64)).unwrap();
    for panics in [Box::new(|| drop(owner)) as Box<dyn FnOnce()>, Box::new(|| drop(vec))] {
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    }
    assert_eq!(memory.held(), 0);
}

#[test]
fn one_thread_at_a_time_has_the_value() {
    let mutex = Mutex::new(Lock::new().unwrap(), 0_u64);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..500).for_each(|_| *mutex.lock() += 1));
        }
    });
    assert_eq!(*mutex.lock(), 1500);
}

#[test]
fn one_thread_takes_the_value() {
    let count = AtomicUsize::new(0);
    for _ in 0..100 {
        let value = TakeOnce::new(Dropped(&count));
        let takers = thread::scope(|scope| {
            [(); 3].map(|()| scope.spawn(|| value.take().is_some())).map(|taker| taker.join())
        });
        assert_eq!(takers.into_iter().filter(|taken| matches!(taken, Ok(true))).count(), 1);
    }
    assert_eq!(count.load(SeqCst), 100);
    drop(TakeOnce::new(Dropped(&count)));
    assert_eq!(count.load(SeqCst), 101);
}

#[test]
fn a_slot_has_one_owner() {
    let memory = Limited::start();
    let slot = Slot::empty();
    assert!(slot.take().is_none());
    slot.put(Arc::new(1).unwrap());
    slot.put_if_empty(Arc::new(2).unwrap());
    // SAFETY: nobody else has the slot.
    assert_eq!(unsafe { slot.get() }.as_deref(), Some(&1));
    slot.put(Arc::new(3).unwrap());
    assert_eq!(slot.take().as_deref(), Some(&3));
    slot.put_if_empty(Arc::new(4).unwrap());
    drop(slot);
    assert_eq!(memory.held(), 0);
}

#[test]
fn threads_leave_each_other_owners() {
    let slot = Slot::empty();
    let taken = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for number in 0..300_u64 {
                    slot.put_if_empty(Arc::new(number).unwrap());
                    taken.fetch_add(slot.take().map_or(0, |owner| *owner + 1), SeqCst);
                }
            });
        }
    });
    assert!(taken.load(SeqCst) > 0);
}

#[test]
fn a_global_keeps_its_first_value() {
    let memory = Limited::start();
    let global = Global::empty();
    assert!(global.get().is_none());
    global.set(Arc::new(1).unwrap());
    global.set(Arc::new(2).unwrap());
    assert_eq!(global.get().as_deref(), Some(&1));
    // SAFETY: nobody else has it.
    assert_eq!(unsafe { global.take() }.as_deref(), Some(&1));
    assert!(global.get().is_none());
    assert_eq!(memory.held(), 0);
}

/// Faults that `scripts/sanitize` puts in, to see that they are found.
mod fault {
    use super::*;

    #[test]
    #[ignore = "it is wrong"]
    fn doubled_release() {
        let raw = Arc::new(1_u64).unwrap().into_raw();
        // SAFETY: none: the second owner is not there.
        unsafe { (0..2).for_each(|_| drop(Arc::<u64>::from_raw(raw))) };
    }

    #[test]
    #[ignore = "it is wrong"]
    fn use_after_free() {
        let block = Block::<Limited>::new(100).unwrap();
        let bytes = std::ptr::slice_from_raw_parts(block.as_ptr(), block.len());
        drop(block);
        // SAFETY: none: the bytes are gone. Only `std` reads them.
        let copy = unsafe { &*bytes }.to_vec();
        assert_eq!(copy.len(), 100);
    }

    #[test]
    #[ignore = "it is wrong"]
    fn leak() {
        let mut vec = Vec::new();
        vec.push(1_u64).unwrap();
        forget(vec);
        // What the stack has of it is overwritten.
        std::hint::black_box([null_mut::<u8>(); 100]);
    }
}
