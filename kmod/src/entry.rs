// SPDX-License-Identifier: GPL-2.0-only
//! What C calls: `shim.h` says what each function gets and gives.
//!
//! Each turns scalars and pointers into types at once, and does nothing else.

use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use core::slice;

use devdump::Lent;
use vmcore::device_dump::NAME_SIZE;
use vmcore::manifest::Reason;

use crate::collect::{Source, Wanted, check_size, collect};
use crate::devices;
use crate::job::{self, Callback, CollectFn, Collector, Held, ReleaseFn};
use crate::kernel::error::{EFAULT, EINVAL, EIO, Errno, to_c};
use crate::kernel::iov_iter::IovIter;
use crate::kernel::mapping::UserMapping;
use crate::kernel::memory::{Arc, KernelMemory};
use crate::kernel::proc::Which;
use crate::kernel::request::Request;
use crate::kernel::shim;
use crate::kernel::thread::Owner;
use crate::module::Module;
use crate::producer::Producer;
use crate::served::Open;

/// Has the compiler compare each definition with what `shim.h` declares: both branches
/// have one type. A declaration that is not listed here is dead code, which the compiler
/// reports.
macro_rules! check_entries {
    ($($name:ident)*) => {
        $(const _: () = {
            if true { shim::$name } else { $name };
        };)*
    };
}

check_entries! {
    rust_load
    rust_unload
    rust_open
    rust_release
    rust_size
    rust_read
    rust_mmap
    rust_add
    rust_wanted
    rust_register
    rust_write
    rust_time_left
    rust_producer_create
    rust_producer_release
    rust_producer_name
    rust_producer_write
    rust_producer_commit
    rust_devices
}

/// Module load.
#[unsafe(no_mangle)]
pub extern "C" fn rust_load() -> c_int {
    to_c(Module::load())
}

/// Module unload.
///
/// # Safety
/// Nobody uses the module, nor can again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_unload() {
    // SAFETY: the caller promises it.
    unsafe { Module::unload() };
}

/// Opens a file.
///
/// # Safety
/// `error` takes an int.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_open(file: u32, error: *mut c_int) -> *mut c_void {
    let open = || -> Result<Arc<Open>, Errno> {
        let which = Which::from_number(file).ok_or(EINVAL)?;
        Module::get().ok_or(EIO)?.open(which)
    };
    match open() {
        Ok(open) => open.into_raw(),
        Err(Errno(errno)) => {
            // SAFETY: the caller promises it.
            unsafe { error.write(errno) };
            null_mut()
        }
    }
}

/// Frees a snapshot.
///
/// # Safety
/// `snapshot` is of [`rust_open`] and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_release(snapshot: *mut c_void) {
    // SAFETY: the caller promises it.
    drop(unsafe { Arc::<Open>::from_raw(snapshot) });
}

/// Size of the file.
///
/// # Safety
/// `snapshot` is of [`rust_open`] and not released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_size(snapshot: *const c_void) -> i64 {
    // SAFETY: the caller promises it.
    let open: &Open = unsafe { Arc::borrow(snapshot) };
    // A layout is at most `i64::MAX` bytes.
    open.size() as i64
}

/// Reads from a file.
///
/// # Safety
/// `snapshot` is of [`rust_open`] and not released; `to` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_read(
    snapshot: *const c_void,
    offset: i64,
    to: *mut shim::iov_iter,
) -> isize {
    // SAFETY: the caller promises it.
    let open: &Open = unsafe { Arc::borrow(snapshot) };
    // SAFETY: the caller promises it.
    let (Ok(offset), Some(mut to)) = (u64::try_from(offset), unsafe { IovIter::new(to) }) else {
        return EINVAL.0 as isize;
    };
    let wanted = open.size().saturating_sub(offset) > 0 && devdump::Sink::space(&to) > 0;
    match open.read(offset, &mut to) {
        Ok(0) if wanted => EFAULT.0 as isize,
        Ok(read) => read as isize,
        Err(Errno(errno)) => errno as isize,
    }
}

/// Maps old memory to user space.
///
/// # Safety
/// `snapshot` is of [`rust_open`] and not released; `vma` is valid and its
/// `mmap_lock` held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_mmap(
    snapshot: *const c_void,
    offset: u64,
    size: u64,
    vma: *mut shim::vm_area_struct,
) -> c_int {
    // SAFETY: the caller promises it.
    let open: &Open = unsafe { Arc::borrow(snapshot) };
    // SAFETY: the caller promises it.
    match unsafe { UserMapping::new(vma) } {
        Some(mut mapping) => to_c(open.map(offset, size, &mut mapping)),
        None => EINVAL.0,
    }
}

/// The body of `vmcore_add_device_dump()`.
///
/// # Safety
/// `data` is null, or a valid `struct vmcoredd_data` with `name`, its 44 bytes.
/// `has_callback` says that it has one, which may be called once and writes at most
/// `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_add(
    data: *mut shim::vmcoredd_data,
    name: *const c_char,
    size: u32,
    has_callback: bool,
) -> c_int {
    let wanted = if data.is_null() || name.is_null() {
        Err(Reason::NoData)
    } else {
        // SAFETY: the caller promises 44 bytes.
        Wanted::new(unsafe { slice::from_raw_parts(name.cast(), NAME_SIZE) })
    };
    let callback = match has_callback {
        // SAFETY: the caller promises it, and waits. Where a deadline ends that, a callback
        // that was not called is dropped first. For one that runs, nobody can promise that
        // `data` stays: docs/reliability.md says why that is accepted.
        true => Ok(Source::Callback(unsafe { Callback::new(data, size) })),
        false => Err(Reason::NoCallback),
    };
    to_c(collect(wanted, check_size(size.into()).and(callback)))
}

/// The body of `vmcoredd_wanted()`.
#[unsafe(no_mangle)]
pub extern "C" fn rust_wanted() -> bool {
    Module::get().is_some_and(|module| module.wants_dumps())
}

/// The body of `vmcoredd_register()`.
///
/// # Safety
/// `owner` is null or a loaded module; `name` is null or `length` bytes;
/// `collect_pieces` may be called once with `collector`, and then `release`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_register(
    owner: *mut shim::module,
    name: *const c_char,
    length: usize,
    size: u64,
    deadline: u32,
    collect_pieces: Option<CollectFn>,
    release: Option<ReleaseFn>,
    collector: *mut shim::vmcoredd_collector,
) -> c_int {
    let wanted = if collector.is_null() {
        Err(Reason::NoData)
    } else if name.is_null() {
        Err(Reason::NoName)
    } else {
        // SAFETY: the caller promises `length` bytes.
        Wanted::new(unsafe { slice::from_raw_parts(name.cast(), length.min(NAME_SIZE)) })
    };
    // SAFETY: the caller promises it.
    let held = unsafe { Held::new(release, collector) };
    let collector = match collect_pieces {
        None => Err(Reason::NoCallback),
        Some(_) if owner.is_null() => Err(Reason::NoOwner),
        Some(collect) => {
            // SAFETY: the caller promises that it is loaded.
            let owner = unsafe { Owner::new(owner) };
            // SAFETY: the caller promises it.
            let collector = unsafe { Collector::new(owner, collect, held, size, deadline) };
            Ok(Source::Collector(collector))
        }
    };
    to_c(collect(wanted, collector))
}

/// The body of `vmcoredd_write()`.
///
/// # Safety
/// `writer` is null or the one that the running collector was given, and is used
/// by one thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_write(
    writer: *mut shim::vmcoredd_writer,
    data: *const c_void,
    length: usize,
) -> c_int {
    if writer.is_null() || (data.is_null() && length > 0) {
        return EINVAL.0;
    }
    // SAFETY: the caller promises it.
    let writer = unsafe { &*writer.cast_const().cast::<Lent<KernelMemory>>() };
    job::write(writer, data, length)
}

/// The body of `vmcoredd_time_left()`.
///
/// # Safety
/// `writer` is null or the one that the running collector was given.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_time_left(writer: *mut shim::vmcoredd_writer) -> u32 {
    // SAFETY: the caller promises it.
    let writer = unsafe { writer.cast_const().cast::<Lent<KernelMemory>>().as_ref() };
    let left = writer.map_or(Some(0), Lent::time_left).unwrap_or(u64::MAX);
    u32::try_from(left).unwrap_or(u32::MAX)
}

/// A process opens `/dev/vmcoredd` for writing.
#[unsafe(no_mangle)]
pub extern "C" fn rust_producer_create() -> *mut c_void {
    Producer::new().map_or(null_mut(), Arc::into_raw)
}

/// Frees a producer.
///
/// # Safety
/// `producer` is of [`rust_producer_create`] and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_producer_release(producer: *mut c_void) {
    // SAFETY: the caller promises it.
    drop(unsafe { Arc::<Producer>::from_raw(producer) });
}

/// Names the dump of a process.
///
/// # Safety
/// `producer` is of [`rust_producer_create`] and not released; `name` is 44 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_producer_name(
    producer: *const c_void,
    name: *const c_char,
    size: u64,
) -> c_int {
    // SAFETY: the caller promises it.
    let producer: &Producer = unsafe { Arc::borrow(producer) };
    // SAFETY: the caller promises 44 bytes.
    let wanted = Wanted::new(unsafe { slice::from_raw_parts(name.cast(), NAME_SIZE) });
    to_c(producer.name(wanted, size))
}

/// Takes what a process writes.
///
/// # Safety
/// `producer` is of [`rust_producer_create`] and not released; `from` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_producer_write(
    producer: *const c_void,
    from: *mut shim::iov_iter,
) -> isize {
    // SAFETY: the caller promises it.
    let producer: &Producer = unsafe { Arc::borrow(producer) };
    // SAFETY: the caller promises it.
    let written = match unsafe { IovIter::new(from) } {
        Some(mut from) => producer.write(&mut from),
        None => Err(EINVAL),
    };
    written.map_or_else(|Errno(errno)| errno as isize, |written| written as isize)
}

/// Commits the dump of a process.
///
/// # Safety
/// `producer` is of [`rust_producer_create`] and not released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_producer_commit(producer: *const c_void, status: i32) -> c_int {
    // SAFETY: the caller promises it.
    let producer: &Producer = unsafe { Arc::borrow(producer) };
    to_c(producer.commit(status))
}

/// `VMCOREDD_IOC_DEVICES`.
///
/// # Safety
/// `request` is valid, in the context of the process that called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_devices(request: *const shim::shim_request) -> c_int {
    // SAFETY: the caller promises it.
    to_c(unsafe { Request::new(request) }.and_then(devices::read))
}
