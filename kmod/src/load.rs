// SPDX-License-Identifier: GPL-2.0-only
//! Whether the kernel's own `/proc/vmcore` is replaced.
//!
//! Everything is read, built and compared first, and any doubt leaves the
//! kernel's file alone: it is the vmcore that would have been saved without us.

use core::ffi::CStr;

use devdump::{Clock as _, CoreFile};
use kmem::NoMemory;
use vmcore::bytes::Endian;
use vmcore::elf::{Class, EM_AARCH64, EM_X86_64, Encoding, FILE_HEADER_MAX, FileHeader};
use vmcore::layout::Load;
use vmcore::original::Original;
use vmcore::{Error, PAGE_SIZE, page_align_down};

use crate::kernel::command_line::CommandLine;
use crate::kernel::environment::{self, OwnDumps};
use crate::kernel::error::Errno;
use crate::kernel::file::File;
use crate::kernel::log::{Hex, Line, Show, log};
use crate::kernel::mapping::Mapping;
use crate::kernel::memory::{Arc, Block, KernelMemory, Vec};
use crate::served::Served;
use crate::vmcoreinfo;

const VMCORE: &CStr = c"/proc/vmcore";
/// What a file says of this machine that the kernel's own file does not say.
const MACHINE: u16 = if cfg!(target_arch = "aarch64") { EM_AARCH64 } else { EM_X86_64 };
/// The most bytes of notes that are taken over: a PRSTATUS is below 512 bytes,
/// so this is enough for 32,768 CPUs.
const NOTES_MAX: u64 = 16 << 20;
/// The most bytes that the dead kernel's headers have: 65,535 program headers
/// of 56 bytes, and the file header.
const ELFCOREHDR_MAX: u64 = 4 << 20;
/// How many pages are compared in all, evenly over the segments, and of each at
/// most and at least: the kernel looks a page up in time that grows with the
/// number of segments.
const SAMPLES: u64 = 4096;
const SAMPLES_MOST: u64 = 32;
const SAMPLES_LEAST: u64 = 2;
/// The most segments that are taken over; machines with many nodes have dozens.
const LOADS_MAX: usize = (SAMPLES / SAMPLES_LEAST) as usize;
/// A segment that was moved is compared whole up to this many pages: the lowest
/// 640 KiB are what kexec moves.
const COMPARED_WHOLE: u64 = 256;
/// How often something is tried that may be different the next time: a page
/// that a device changes between two readings, a name that is being looked up.
const TRIES: usize = 3;
const PAUSE_MILLISECONDS: u32 = 10;

/// Why the kernel's file is left alone.
pub enum Doubt {
    /// This is no crash kernel, or one that cannot be served.
    Environment(&'static str),
    /// The kernel's file cannot be opened or read.
    Unreadable(Errno),
    /// Its header is not as the kernel writes it.
    Header(Error),
    /// Its size is not what its header says.
    Size {
        /// What the header says, in bytes.
        expected: u64,
        /// What the file has, in bytes.
        found: u64,
    },
    /// A page of old memory is not what the kernel's file has there.
    Sample {
        /// Offset in the kernel's file.
        offset: u64,
    },
    /// A page of old memory cannot be mapped.
    Unmapped(Errno),
    /// No memory is left.
    NoMemory,
}

impl From<NoMemory> for Doubt {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl From<Error> for Doubt {
    fn from(error: Error) -> Self {
        Self::Header(error)
    }
}

impl Show for Doubt {
    fn show(&self, line: &mut Line) {
        match self {
            Self::Environment(reason) => reason.show(line),
            Self::Unreadable(errno) => {
                "it cannot be read, ".show(line);
                errno.show(line);
            }
            Self::Header(error) => error.show(line),
            Self::Size { expected, found } => {
                "its header says ".show(line);
                expected.show(line);
                " bytes, it has ".show(line);
                found.show(line);
            }
            Self::Sample { offset } => {
                "offset ".show(line);
                Hex(*offset).show(line);
                ": old memory reads differently".show(line);
            }
            Self::Unmapped(errno) => {
                "old memory cannot be mapped, ".show(line);
                errno.show(line);
            }
            Self::NoMemory => "out of memory".show(line),
        }
    }
}

/// What can be served.
pub struct Plan {
    /// The file in the place of the kernel's own, when there was no doubt.
    pub vmcore: Option<Arc<Served>>,
    /// The file without memory.
    pub vmcoredd: Arc<Served>,
    /// The most bytes of notes that fit into the header of the first one; 0
    /// without it.
    pub room: u64,
    /// How many bytes of notes that file has by itself.
    pub notes_size: u64,
    /// How many pages of old memory were compared, and how long that took, in
    /// milliseconds.
    pub compared: (u64, u64),
}

/// Reads and checks the kernel's file, and says in the log why it is left
/// alone if it is: by what dumps are `switched_off`, if they are, or what is in doubt.
/// Sleeps.
///
/// # Errors
/// [`NoMemory`] even for the file without memory.
pub fn plan(
    command_line: &CommandLine,
    own_dumps: OwnDumps,
    switched_off: Option<&'static str>,
) -> Result<Plan, NoMemory> {
    let found = match switched_off {
        Some(by) => Err(Doubt::Environment(by)),
        None => take_over(command_line, own_dumps),
    };
    match found {
        Ok(plan) => Ok(plan),
        Err(doubt) => {
            log!(Info, "/proc/vmcore is left alone: ", doubt);
            let encoding = Encoding { class: Class::Elf64, endian: Endian::Little };
            let notes = match switched_off {
                Some(_) => Block::new(0)?,
                None => vmcoreinfo::note(VMCORE)?,
            };
            let notes = Arc::new(notes)?;
            let file = CoreFile::notes_only(encoding, MACHINE, notes);
            Ok(Plan {
                vmcore: None,
                vmcoredd: Served::new(file)?,
                room: 0,
                notes_size: 0,
                compared: (0, 0),
            })
        }
    }
}

fn take_over(command_line: &CommandLine, own_dumps: OwnDumps) -> Result<Plan, Doubt> {
    environment::check(own_dumps).map_err(Doubt::Environment)?;
    let file = File::open(VMCORE).map_err(Doubt::Unreadable)?;
    let header = read_header(&file)?;
    let original = Original::parse(&header)?;
    let found = file.size().map_err(Doubt::Unreadable)?;
    if found != original.size() {
        return Err(Doubt::Size { expected: original.size(), found });
    }

    let loads = find_loads(&original, command_line)?;
    let counts = sample_counts(&original, &loads)?;
    let room = original.room();
    let notes_size = original.notes_size();
    let encoding = original.encoding();
    let machine = original.machine();
    let memory_start = original.memory_start();
    let notes = Arc::new(read_notes(&file, &original)?)?;
    let vmcoredd = CoreFile::notes_only(encoding, machine, notes.clone());
    let vmcore = Served::new(CoreFile::vmcore(header, notes, loads)?)?;
    let start = KernelMemory::milliseconds();
    let pages = compare(&file, memory_start, &vmcore, &counts)?;
    let compared = (pages, KernelMemory::milliseconds().saturating_sub(start));
    check_unused(&file)?;
    let vmcoredd = Served::new(vmcoredd)?;
    Ok(Plan { vmcore: Some(vmcore), vmcoredd, room, notes_size, compared })
}

fn read_block(file: &File, offset: u64, size: u64) -> Result<Block, Doubt> {
    let size = usize::try_from(size).map_err(|_| Doubt::NoMemory)?;
    let mut block = Block::new(size)?;
    file.read_exact(offset, &mut block).map_err(Doubt::Unreadable)?;
    Ok(block)
}

/// The header pages; their number is bounded by the 16 bits of `e_phnum`.
fn read_header(file: &File) -> Result<Block, Doubt> {
    let start = read_block(file, 0, FILE_HEADER_MAX as u64)?;
    read_block(file, 0, Original::header_size(&start)?)
}

fn read_notes(file: &File, original: &Original<'_>) -> Result<Block, Doubt> {
    let size = original.notes_size();
    if size > NOTES_MAX {
        return Err(Error::new(0, "p_filesz of the PT_NOTE", "at most 16 MiB", size).into());
    }
    read_block(file, original.notes_offset(), size)
}

/// Where the kernel reads the memory of each segment. Its own file has lost
/// that, but the header that it was made of is still where it was.
fn find_loads(original: &Original<'_>, command_line: &CommandLine) -> Result<Vec<Load>, Doubt> {
    let address = command_line.elfcorehdr().or_else(environment::elfcorehdr);
    let address = address.ok_or(Doubt::Environment("elfcorehdr= is not on the command line"))?;
    let header = read_elfcorehdr(address)?;
    let mut loads = Vec::new();
    original.loads_of(&header)?.try_for_each(|load| loads.push(load))?;
    if loads.len() > LOADS_MAX {
        let found = loads.len() as u64;
        return Err(Error::new(0, "PT_LOADs", "at most 2,048", found).into());
    }
    Ok(loads)
}

/// The file header and program headers at the physical address `start`; their
/// number is bounded by the 16 bits of `e_phnum`.
fn read_elfcorehdr(start: u64) -> Result<Block, Doubt> {
    let file = FileHeader::parse(&read_physical(start, FILE_HEADER_MAX as u64)?)?;
    let end = file.program_headers_end().filter(|end| *end <= ELFCOREHDR_MAX);
    let found = file.program_headers_offset;
    read_physical(start, end.ok_or(Error::new(0, "e_phoff", "program headers next", found))?)
}

fn read_physical(start: u64, size: u64) -> Result<Block, Doubt> {
    let mut block = Block::new(usize::try_from(size).map_err(|_| Doubt::NoMemory)?)?;
    let mut at = start;
    let mut rest = &mut *block;
    while !rest.is_empty() {
        let page = Mapping::page(page_align_down(at)).map_err(Doubt::Unmapped)?;
        let bytes = page.bytes().after((at % PAGE_SIZE) as usize);
        let copied = bytes.map_or(0, |bytes| bytes.copy_to(rest));
        at = at.saturating_add(copied as u64);
        rest = rest.get_mut(copied..).unwrap_or_default();
    }
    Ok(block)
}

/// Removing the kernel's entry ends the reading of whoever has it open.
fn check_unused(file: &File) -> Result<(), Doubt> {
    for _ in 0..TRIES {
        if !file.is_shared() {
            return Ok(());
        }
        // It may only be somebody who looks the name up.
        environment::sleep(PAUSE_MILLISECONDS);
    }
    Err(Doubt::Environment("somebody is reading it"))
}

/// How many pages of each of `loads` to compare.
fn sample_counts(original: &Original<'_>, loads: &[Load]) -> Result<Vec<u64>, NoMemory> {
    let each = SAMPLES.checked_div(loads.len() as u64).unwrap_or_default();
    let each = each.clamp(SAMPLES_LEAST, SAMPLES_MOST);
    let mut counts = Vec::new();
    for (own, load) in original.loads().zip(loads) {
        let pages = load.size / PAGE_SIZE;
        let whole = own.physical != load.physical && pages <= COMPARED_WHOLE;
        counts.push(if whole { pages } else { each })?;
    }
    Ok(counts)
}

/// Compares `counts` samples of every segment with what the kernel's file has there;
/// gives how many pages that were.
fn compare(file: &File, memory_start: u64, served: &Served, counts: &[u64]) -> Result<u64, Doubt> {
    let mut pages = 0;
    let mut theirs = Block::new(PAGE_SIZE as usize)?;
    let mut ours = Block::new(PAGE_SIZE as usize)?;
    for (load, count) in served.loads().iter().zip(counts) {
        for page in samples(load, *count) {
            let offset = memory_start.saturating_add(load.start).saturating_add(page);
            let physical = load.physical.saturating_add(page);
            if !agree(file, offset, &mut theirs, served, physical, &mut ours)? {
                return Err(Doubt::Sample { offset });
            }
            pages += 1;
        }
    }
    Ok(pages)
}

/// Whether the page at `offset` of the kernel's file is ours at `physical`.
fn agree(
    file: &File,
    offset: u64,
    theirs: &mut Block,
    served: &Served,
    physical: u64,
    ours: &mut Block,
) -> Result<bool, Doubt> {
    for _ in 0..TRIES {
        file.read_exact(offset, theirs).map_err(Doubt::Unreadable)?;
        served.old_memory().read_to(physical, ours).map_err(Doubt::Unmapped)?;
        if **ours == **theirs {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where `count` samples of `load` lie, in bytes from its start: evenly spread,
/// with the first and the last page.
fn samples(load: &Load, count: u64) -> impl Iterator<Item = u64> + use<> {
    let last = (load.size / PAGE_SIZE).saturating_sub(1);
    let steps = count.saturating_sub(1).min(last);
    (0..=steps).map(move |step| {
        let page = match steps.checked_sub(step) {
            Some(0) => last,
            _ => last.checked_div(steps).unwrap_or_default().saturating_mul(step),
        };
        page.saturating_mul(PAGE_SIZE)
    })
}
