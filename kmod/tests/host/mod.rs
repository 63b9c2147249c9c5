// SPDX-License-Identifier: GPL-2.0-only
//! What a collector's job needs of `shim.h`, on the host: the global allocator, threads and
//! locks of `std`. A thread that crashes stops for good, as the kernel's does.

pub mod hardware;

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::ptr::{copy_nonoverlapping, null_mut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use vmcoredd_kmod::kernel::shim;

thread_local! {
    /// Whether the next thread cannot be started.
    static REFUSES: Cell<bool> = const { Cell::new(false) };
    /// How many allocations succeed before all fail.
    static LEFT: Cell<u32> = const { Cell::new(u32::MAX) };
    /// The thread of a collector that this one is.
    static THREAD: RefCell<Option<Arc<Thread>>> = const { RefCell::new(None) };
}

/// No thread can be started by this one any more.
pub fn refuse_threads() {
    REFUSES.set(true);
}

/// So many more allocations of this thread succeed.
pub fn refill(allocations: u32) {
    LEFT.set(allocations);
}

/// Ends this collector's thread as an oops does: nothing on its stack is dropped.
pub fn crash() -> ! {
    let thread = THREAD.take().expect("a collector's thread");
    thread.set(|state| state.crashed = true);
    drop(thread);
    loop {
        thread::park();
    }
}

#[derive(Default)]
struct State {
    ended: bool,
    crashed: bool,
    abandoned: bool,
}

#[derive(Default)]
struct Thread {
    state: Mutex<State>,
    changed: Condvar,
}

impl Thread {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }
}

/// What C does with a work.
type WorkFn = unsafe extern "C" fn(*mut c_void);
struct Work(*mut c_void);
// SAFETY: `shim.h` says that another thread calls with it.
unsafe impl Send for Work {}

impl Work {
    fn call(&self, function: Option<WorkFn>) {
        // SAFETY: `shim.h` says when each function may be called.
        unsafe { function.unwrap()(self.0) }
    }
}

#[unsafe(no_mangle)]
extern "C" fn shim_thread_start(
    _owner: *mut shim::module,
    run: Option<WorkFn>,
    drop: Option<WorkFn>,
    work: *mut c_void,
    error: *mut c_int,
) -> *mut shim::shim_thread {
    if REFUSES.get() {
        // SAFETY: it takes an int.
        unsafe { *error = -shim::SHIM_EBUSY.cast_signed() };
        return null_mut();
    }
    let thread = Arc::new(Thread::default());
    let (own, work) = (thread.clone(), Work(work));
    thread::spawn(move || {
        THREAD.set(Some(own.clone()));
        work.call(run);
        THREAD.set(None);
        let mut state = own.state();
        if state.abandoned {
            std::mem::drop(state);
            work.call(drop);
        } else {
            state.ended = true;
            own.changed.notify_all();
        }
    });
    Arc::into_raw(thread).cast_mut().cast()
}

#[unsafe(no_mangle)]
extern "C" fn shim_thread_wait(thread: *mut shim::shim_thread, milliseconds: u32) -> u32 {
    // SAFETY: it was started and is not freed.
    let thread = unsafe { &*thread.cast::<Thread>() };
    let limit = if milliseconds == 0 { 10_000 } else { milliseconds };
    let is_running = |state: &mut State| !state.ended && !state.crashed;
    let limit = Duration::from_millis(limit.into());
    let waited = thread.changed.wait_timeout_while(thread.state(), limit, is_running);
    match *waited.unwrap().0 {
        State { ended: true, .. } => shim::SHIM_THREAD_ENDED,
        State { crashed: true, .. } => shim::SHIM_THREAD_CRASHED,
        _ => shim::SHIM_THREAD_LATE,
    }
}

#[unsafe(no_mangle)]
extern "C" fn shim_thread_free(thread: *mut shim::shim_thread, _crashed: bool) {
    // SAFETY: it was started and is not used again.
    drop(unsafe { Arc::from_raw(thread.cast::<Thread>()) });
}

#[unsafe(no_mangle)]
extern "C" fn shim_thread_abandon(thread: *mut shim::shim_thread) -> bool {
    // SAFETY: it was started and, unless this is false, not used again.
    let own = unsafe { Arc::from_raw(thread.cast::<Thread>()) };
    let mut state = own.state();
    state.abandoned = !state.ended;
    let abandoned = state.abandoned;
    drop(state);
    if !abandoned {
        let _ = Arc::into_raw(own);
    }
    abandoned
}

/// The size of an allocation is in front of it, as `kfree` needs no size either.
const HEAD: usize = 16;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(HEAD + size, HEAD).unwrap()
}

#[unsafe(no_mangle)]
extern "C" fn shim_alloc(size: usize) -> *mut c_void {
    let left = LEFT.get().checked_sub(1);
    let Some(left) = left else {
        return null_mut();
    };
    LEFT.set(if left == u32::MAX - 1 { u32::MAX } else { left });
    // SAFETY: the layout has a size, and room for the head.
    unsafe {
        let head = alloc_zeroed(layout(size));
        head.cast::<usize>().write(size);
        head.add(HEAD).cast()
    }
}

#[unsafe(no_mangle)]
extern "C" fn shim_free(memory: *const c_void) {
    // SAFETY: it is of `shim_alloc`, after its head, and not used again.
    unsafe {
        let head = memory.cast_mut().cast::<u8>().sub(HEAD);
        dealloc(head, layout(head.cast::<usize>().read()));
    }
}

type Lock = (Mutex<()>, RefCell<Option<MutexGuard<'static, ()>>>);

#[unsafe(no_mangle)]
extern "C" fn shim_mutex_create(_lock: u32) -> *mut shim::mutex {
    Box::into_raw(Box::<Lock>::default()).cast()
}

#[unsafe(no_mangle)]
extern "C" fn shim_mutex_destroy(mutex: *mut shim::mutex) {
    // SAFETY: it was created, and nobody uses it again.
    drop(unsafe { Box::from_raw(mutex.cast::<Lock>()) });
}

#[unsafe(no_mangle)]
extern "C" fn shim_mutex_lock(mutex: *mut shim::mutex) {
    // SAFETY: it was created, and lives longer than its guard. Who has the guard has the
    // cell.
    unsafe { (*mutex.cast::<Lock>()).1.replace(Some((*mutex.cast::<Lock>()).0.lock().unwrap())) };
}

#[unsafe(no_mangle)]
extern "C" fn shim_mutex_unlock(mutex: *mut shim::mutex) {
    // SAFETY: it was created, and this thread holds it.
    let guard = unsafe { &*mutex.cast::<Lock>() }.1.take();
    drop(guard);
}

#[unsafe(no_mangle)]
extern "C" fn shim_copy(to: *mut c_void, from: *const c_void, length: usize) -> bool {
    // SAFETY: both have so many bytes.
    unsafe { copy_nonoverlapping(from.cast::<u8>(), to.cast(), length) };
    true
}

#[unsafe(no_mangle)]
extern "C" fn shim_resched() {}

#[unsafe(no_mangle)]
extern "C" fn shim_milliseconds() -> u64 {
    0
}

#[unsafe(no_mangle)]
extern "C" fn shim_memory_available() -> u64 {
    u64::MAX
}

#[unsafe(no_mangle)]
extern "C" fn shim_memory_cached() -> u64 {
    0
}

#[unsafe(no_mangle)]
extern "C" fn shim_compress_bound(length: usize) -> usize {
    length
}

/// Nothing can be compressed.
#[unsafe(no_mangle)]
extern "C" fn shim_compress(
    _workspace: *mut c_void,
    _from: *const c_void,
    _length: usize,
    _to: *mut c_void,
) -> usize {
    0
}

/// No test looks at it.
#[unsafe(no_mangle)]
extern "C" fn shim_crc32c(_crc: u32, _data: *const c_void, _length: usize) -> u32 {
    0
}

/// No test has a collector of mainline's API, or a buffer for it.
#[unsafe(no_mangle)]
extern "C" fn shim_call_collector(_data: *mut shim::vmcoredd_data, _buffer: *mut c_void) -> c_int {
    std::process::abort()
}

#[unsafe(no_mangle)]
extern "C" fn shim_pages_unmap(_map: *mut c_void) {
    std::process::abort()
}

#[unsafe(no_mangle)]
extern "C" fn shim_pages_free(_pages: *mut shim::page, _order: u32) {
    std::process::abort()
}
