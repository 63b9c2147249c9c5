// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A crash kernel that follows no panic: it is booted with an ELF core header and
//! old memory that were made up here, which takes a third of the time, can have
//! two CPUs, and can be wrong in ways in which no kernel is.

use std::fs;
use std::path::Path;

use vmtest::{Boot, Kernel};

use crate::{Result, file_error};

/// Memory in which this kernel has nothing but the header, in the last part of
/// the machine's 1 GiB.
pub const HEADER: u64 = 0x3f00_0000;
/// Memory of the same kind that takes the place of the dead kernel's, [`OLD_SIZE`] bytes.
pub const OLD: u64 = 0x3000_0000;
/// Its size, in bytes.
pub const OLD_SIZE: u64 = 8 << 20;

/// Old memory is a loaded file, and zeros after it.
const OLD_FILE_SIZE: u64 = 4 << 20;

/// Size of a page, in bytes.
pub const PAGE: u64 = 4096;

/// A `PT_LOAD` as the dead kernel would describe it.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Where the crash kernel finds it (`p_offset`).
    pub offset: u64,
    /// Where the header sends everybody else (`p_paddr`).
    pub physical: u64,
    /// Its size in the file, in bytes.
    pub file_size: u64,
    /// Its size in memory, in bytes.
    pub memory_size: u64,
}

impl Load {
    /// One that is found where it was.
    #[must_use]
    pub fn new(physical: u64, size: u64) -> Self {
        Self { offset: physical, physical, file_size: size, memory_size: size }
    }
}

/// What a dead kernel with two CPUs and `loads` leaves at [`HEADER`].
#[must_use]
pub fn core_header(loads: &[Load]) -> Vec<u8> {
    let notes = dead_kernels_notes();
    let count = (notes.len() + loads.len()) as u16;

    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    let halves = |halves: &[u16]| halves.iter().flat_map(|half| half.to_le_bytes()).collect();
    let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let add = |bytes: &mut Vec<u8>, more: Vec<u8>| bytes.extend(more);
    add(&mut bytes, halves(&[4, 62, 1, 0]));
    add(&mut bytes, words(&[0, 64, 0]));
    add(&mut bytes, halves(&[0, 0, 64, 56, count, 0, 0, 0]));
    for at in (1..=notes.len()).map(|page| HEADER + page as u64 * PAGE) {
        add(&mut bytes, words(&[4, at, 0, 0, PAGE, PAGE, 4]));
    }
    for load in loads {
        let Load { offset, physical, file_size, memory_size } = *load;
        let flags_and_type = 7 << 32 | 1;
        let address = 0xffff_8880_0000_0000 + physical;
        let fields = [flags_and_type, offset, address, physical, file_size, memory_size, 0];
        add(&mut bytes, words(&fields));
    }
    for note in notes {
        bytes.resize(bytes.len().next_multiple_of(PAGE as usize), 0);
        bytes.extend(note);
    }
    bytes.resize(bytes.len().next_multiple_of(PAGE as usize), 0);
    bytes
}

/// The state of each CPU, and the dead kernel's description of itself.
#[must_use]
pub fn dead_kernels_notes() -> [Vec<u8>; 3] {
    let state = |cpu| note("CORE", 1, &[cpu; 336]);
    [state(1), state(2), note("VMCOREINFO", 0, b"OSRELEASE=made-up\n")]
}

fn note(owner: &str, note_type: u32, desc: &[u8]) -> Vec<u8> {
    let mut note = Vec::new();
    for number in [owner.len() as u32 + 1, desc.len() as u32, note_type] {
        note.extend(number.to_le_bytes());
    }
    note.extend(owner.bytes());
    note.push(0);
    note.resize(note.len().next_multiple_of(4), 0);
    note.extend(desc);
    note.resize(note.len().next_multiple_of(4), 0);
    note
}

/// The content at [`OLD`]: no two pages are the same.
#[must_use]
pub fn old_memory() -> Vec<u8> {
    let word = |index: u64| (index ^ index >> 9).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..OLD_FILE_SIZE / 8).flat_map(|index| word(index).to_le_bytes()).collect()
}

/// A machine of 1 GiB with two CPUs whose kernel finds `header` at [`HEADER`], and
/// [`old_memory`] at [`OLD`] unless it has that memory itself. `directory` is for
/// the files of both.
///
/// # Errors
/// [`Error::File`](crate::Error::File).
pub fn boot_with_header(
    kernel: &Kernel,
    name: &str,
    directory: &Path,
    header: &[u8],
) -> Result<Boot> {
    fs::create_dir_all(directory).map_err(file_error(directory))?;
    let mut vm = Boot::new(kernel, name).memory_mib(1024).smp(2);
    let old_memory = old_memory();
    for (file, address, bytes) in [("header", HEADER, header), ("old-memory", OLD, &old_memory)] {
        let path = directory.join(file);
        fs::write(&path, bytes).map_err(file_error(&path))?;
        let path = path.display();
        vm = vm.qemu_arg("-device");
        vm = vm.qemu_arg(format!("loader,file={path},addr={address:#x},force-raw=on"));
    }
    Ok(vm.append(&format!("elfcorehdr={HEADER:#x} memmap=16M${HEADER:#x}")))
}
