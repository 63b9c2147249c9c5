// SPDX-License-Identifier: GPL-2.0-only
//! What C calls: `shim.h` says what each function gets and gives.
//!
//! Each turns scalars and pointers into types at once, and does nothing else.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use core::slice;

use vmcore::PAGE_SIZE;
use vmcore::device_dump::{NAME_SIZE, Name};

use crate::collect::{Refusal, Writer, collect, in_one_buffer, in_pieces};
use crate::kernel::error::{EFAULT, EINVAL, EIO, Errno, check, to_c};
use crate::kernel::iter::Iter;
use crate::kernel::mapping::UserMapping;
use crate::kernel::memory::Shared;
use crate::kernel::proc::Which;
use crate::kernel::shim;
use crate::module::Module;
use crate::served::Open;

/// The callback of a collector that writes in pieces.
pub type Collect = unsafe extern "C" fn(*mut c_void, *mut shim::vmcoredd_writer) -> c_int;

/// Module load.
#[unsafe(no_mangle)]
pub extern "C" fn rust_load() -> c_int {
    to_c(Module::load())
}

/// Module unload.
#[unsafe(no_mangle)]
pub extern "C" fn rust_unload() {
    Module::unload();
}

/// Opens a file.
///
/// # Safety
/// `error` takes an int.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_open(file: u32, error: *mut c_int) -> *mut c_void {
    let open = || -> Result<Shared<Open>, Errno> {
        let which = Which::from_number(file).ok_or(EINVAL)?;
        Ok(Shared::new(Module::get().ok_or(EIO)?.open(which)?)?)
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
    drop(unsafe { Shared::<Open>::from_raw(snapshot) });
}

/// Size of the file.
///
/// # Safety
/// `snapshot` is of [`rust_open`] and not released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_size(snapshot: *const c_void) -> i64 {
    // SAFETY: the caller promises it.
    let open: &Open = unsafe { Shared::borrow(snapshot) };
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
    let open: &Open = unsafe { Shared::borrow(snapshot) };
    // SAFETY: the caller promises it.
    let (Ok(offset), Some(mut to)) = (u64::try_from(offset), unsafe { Iter::new(to) }) else {
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
    let open: &Open = unsafe { Shared::borrow(snapshot) };
    // SAFETY: the caller promises it.
    match unsafe { UserMapping::new(vma) } {
        Some(mut mapping) => to_c(open.map(offset, size, &mut mapping)),
        None => EINVAL.0,
    }
}

/// Fills a page of a user mapping.
///
/// # Safety
/// `snapshot` is of [`rust_open`] and not released; `to` is a page that nobody
/// else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_fill_page(
    snapshot: *const c_void,
    offset: u64,
    to: *mut c_void,
) -> c_int {
    // SAFETY: the caller promises it.
    let open: &Open = unsafe { Shared::borrow(snapshot) };
    // SAFETY: any bytes are bytes, the page need not have been written before.
    unsafe { to.write_bytes(0, PAGE_SIZE as usize) };
    // SAFETY: the caller promises it.
    let page = unsafe { &mut *to.cast::<[u8; PAGE_SIZE as usize]>() };
    to_c(open.fill_page(offset, page))
}

/// The body of `vmcore_add_device_dump()`.
///
/// # Safety
/// `data` is null, or a valid `struct vmcoredd_data` with `name`, its 44 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_add(
    data: *mut shim::vmcoredd_data,
    name: *const u8,
    size: u32,
    has_callback: bool,
) -> c_int {
    let check_arguments = || -> Result<Name, Refusal> {
        if data.is_null() || name.is_null() {
            return Err(Refusal::Bad("there is no struct vmcoredd_data"));
        }
        // SAFETY: the caller promises 44 bytes.
        let name = Name::new(unsafe { slice::from_raw_parts(name, NAME_SIZE) })?;
        Ok(name)
    };
    to_c(collect(check_arguments(), |module, name| {
        if size == 0 {
            return Err(Refusal::Bad("its size is 0"));
        }
        if !has_callback {
            return Err(Refusal::Bad("it has no callback"));
        }
        in_one_buffer(module, name, size, |buffer| {
            // SAFETY: `data` has a callback, which was told the buffer's size.
            check(unsafe { shim::shim_call_collector(data, buffer.as_mut_ptr().cast()) })
        })
    }))
}

/// The body of `vmcoredd_collect()`.
///
/// # Safety
/// `name` is null or `length` bytes; `collect_pieces` may be called once with
/// `context`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_collect(
    name: *const u8,
    length: usize,
    collect_pieces: Option<Collect>,
    context: *mut c_void,
) -> c_int {
    let check_arguments = || -> Result<Name, Refusal> {
        if name.is_null() {
            return Err(Refusal::Bad("it has no name"));
        }
        // SAFETY: the caller promises `length` bytes.
        let name = Name::new(unsafe { slice::from_raw_parts(name, length.min(NAME_SIZE)) })?;
        Ok(name)
    };
    to_c(collect(check_arguments(), |module, name| {
        let callback = collect_pieces.ok_or(Refusal::Bad("it has no callback"))?;
        in_pieces(module, name, |writer| {
            let writer: *mut Writer = writer;
            // SAFETY: the caller promises it; the writer lives until it returns.
            check(unsafe { callback(context, writer.cast()) })
        })
    }))
}

/// The body of `vmcoredd_write()`.
///
/// # Safety
/// `writer` is the one that the running collector was given, and is used by
/// one thread at a time; `data` is `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_write(
    writer: *mut shim::vmcoredd_writer,
    data: *const c_void,
    length: usize,
) -> c_int {
    if writer.is_null() || (data.is_null() && length > 0) {
        return EINVAL.0;
    }
    if length == 0 {
        return 0;
    }
    // SAFETY: the caller promises it.
    let writer = unsafe { &mut *writer.cast::<Writer>() };
    // SAFETY: the caller promises it.
    to_c(writer.write(unsafe { slice::from_raw_parts(data.cast(), length) }))
}
