// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The dead kernel's own addresses in its memory.

use vmcore::bytes::{self, Endian};

use crate::dump::Dump;
use crate::error::{Error, Fault};
use crate::format::Layout;
use crate::memory::Memory;

/// The smallest page of all machines whose addresses are translated, in bytes.
const PAGE: u64 = 4096;
/// Where x86-64 maps the kernel's image, before KASLR moves it (`__START_KERNEL_map`).
const X86_IMAGE: u64 = 0xffff_ffff_8000_0000;
/// Bits of an x86-64 page table entry (Intel SDM, volume 3, 4.5): it is present, it maps a
/// large page, and the address.
const X86_PRESENT: u64 = 1;
const X86_LARGE: u64 = 1 << 7;
const X86_ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Addresses of kernels have this bit.
const KERNEL_HALF: u64 = 1 << 63;

/// The memory of a dump by the dead kernel's virtual addresses. See
/// [`Memory::virtual_addresses`].
///
/// An ELF vmcore has virtual addresses in its program headers. What these do not cover,
/// and all of a kdump-compressed dump, is translated by the dead kernel's page tables; that
/// is possible for x86-64 only.
#[derive(Debug)]
pub struct Virtual<'a> {
    memory: Memory<'a>,
    /// Ranges that an ELF file names: virtual address, length, physical address; in
    /// ascending order.
    ranges: Vec<(u64, u64, u64)>,
    tables: Option<X86Tables>,
}

/// The page tables of an x86-64 kernel.
#[derive(Debug, Clone, Copy)]
struct X86Tables {
    /// Physical address of the uppermost one.
    root: u64,
    /// How many levels there are: 4 or 5.
    levels: u32,
    /// Bits of an entry that are its address.
    mask: u64,
}

impl Dump {
    fn x86_tables(&self) -> Result<Option<X86Tables>, Error> {
        let Some(info) = self.vmcoreinfo()? else { return Ok(None) };
        let Some(symbol) = info.hexadecimal("SYMBOL(init_top_pgt)") else { return Ok(None) };
        let phys_base = info.signed("NUMBER(phys_base)").unwrap_or_default();
        let levels = match info.number("NUMBER(pgtable_l5_enabled)") {
            Some(1) => 5,
            _ => 4,
        };
        // Where memory is encrypted, an entry has a bit for it.
        let encrypted = info.signed("NUMBER(sme_mask)").unwrap_or_default() as u64;
        let root = symbol.wrapping_sub(X86_IMAGE).wrapping_add_signed(phys_base);
        Ok(Some(X86Tables { root: root & !(PAGE - 1), levels, mask: X86_ADDRESS & !encrypted }))
    }
}

impl<'a> Memory<'a> {
    /// The memory by the dead kernel's virtual addresses.
    ///
    /// # Errors
    /// [`Error`] when the program headers or VMCOREINFO cannot be read.
    pub fn virtual_addresses(self) -> Result<Virtual<'a>, Error> {
        let mut ranges = Vec::new();
        if let Layout::Elf(elf) = &self.first().layout {
            for load in elf.loads(&self.first().source)? {
                if load.virtual_address & KERNEL_HALF != 0 {
                    ranges.push((load.virtual_address, load.file_size, load.physical));
                }
            }
            ranges.sort_unstable();
        }
        Ok(Virtual { memory: self, ranges, tables: self.first().x86_tables()? })
    }
}

impl Virtual<'_> {
    /// The physical address of the byte at `address`, and how many bytes follow it in a row
    /// there, itself included.
    ///
    /// # Errors
    /// [`Fault::NoMapping`] when the dead kernel had nothing there, or the dump does not
    /// say what; [`Fault::NoMemory`] when its page tables are not in the dump; others when
    /// the dump cannot be read.
    pub fn translate(&self, address: u64) -> Result<(u64, u64), Error> {
        let before = self.ranges.partition_point(|(start, ..)| *start <= address);
        // Ranges may overlap, as that of the kernel's image and that of all memory may not.
        for (start, length, physical) in
            self.ranges.get(..before).unwrap_or_default().iter().rev().take(16)
        {
            let within = address - start;
            if within < *length {
                return Ok((physical.wrapping_add(within), length - within));
            }
        }
        match self.tables {
            Some(tables) => self.walk(tables, address),
            None => Err(self.no_mapping(address, "no page tables of x86-64 to look it up in")),
        }
    }

    fn no_mapping(&self, address: u64, why: &'static str) -> Error {
        self.memory.first().source.error(Fault::NoMapping { address, why })
    }

    fn walk(&self, tables: X86Tables, address: u64) -> Result<(u64, u64), Error> {
        let mut table = tables.root;
        for level in (1..=tables.levels).rev() {
            let shift = 12 + 9 * (level - 1);
            let index = address >> shift & 0x1ff;
            let mut entry = [0; 8];
            self.memory.read(table.wrapping_add(index * 8), &mut entry)?;
            let entry = u64::from_le_bytes(entry);
            if entry & X86_PRESENT == 0 {
                return Err(self.no_mapping(address, "the dead kernel had no page there"));
            }
            let target = entry & tables.mask;
            // Pages of 1 GiB and of 2 MiB are the large ones.
            let is_large = entry & X86_LARGE != 0 && matches!(level, 2 | 3);
            if level == 1 || is_large {
                let size = 1_u64 << shift;
                let within = address & (size - 1);
                return Ok(((target & !(size - 1)) | within, size - within));
            }
            table = target;
        }
        Err(self.no_mapping(address, "the page tables do not end"))
    }

    /// Fills `to` with the memory at the virtual address `address`.
    ///
    /// # Errors
    /// As [`translate`](Self::translate) and [`Memory::read`].
    pub fn read(&self, address: u64, to: &mut [u8]) -> Result<(), Error> {
        let mut done = 0;
        while let Some(rest) = to.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let (physical, length) = self.translate(address.wrapping_add(done as u64))?;
            let length = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
            self.memory.read(physical, rest.get_mut(..length).unwrap_or_default())?;
            done += length;
        }
        Ok(())
    }
}

/// Reads numbers and bytes that are near to each other, and holds the page that they are
/// on: a compressed page is not decompressed for each of them.
#[derive(Debug)]
pub(crate) struct Near<'a> {
    from: &'a Virtual<'a>,
    endian: Endian,
    /// The number of the page that is held; what is wrong with it is not asked again.
    number: Option<u64>,
    page: Result<Vec<u8>, Fault>,
}

impl<'a> Near<'a> {
    pub fn new(from: &'a Virtual<'a>, endian: Endian) -> Self {
        Self { from, endian, number: None, page: Ok(Vec::new()) }
    }

    /// Fills `to` with the memory at the virtual address `address`.
    pub fn read(&mut self, address: u64, to: &mut [u8]) -> Result<(), Error> {
        let mut done = 0;
        while let Some(rest) = to.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = address.wrapping_add(done as u64);
            let (number, within) = (at / PAGE, (at % PAGE) as usize);
            if self.number != Some(number) {
                let mut page = vec![0; PAGE as usize];
                let read = self.from.read(number * PAGE, &mut page);
                self.page = read.map(|()| page).map_err(|error| error.fault);
                self.number = Some(number);
            }
            match &self.page {
                Ok(page) => done += bytes::copy(rest, page.get(within..).unwrap_or_default()),
                Err(fault) => return Err(self.from.memory.first().source.error(fault.clone())),
            }
        }
        Ok(())
    }

    /// The number of 8 bytes at `address`.
    pub fn wide(&mut self, address: u64) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Ok(self.endian.u64(&bytes, 0).unwrap_or_default())
    }

    /// The number of 4 bytes at `address`.
    pub fn word(&mut self, address: u64) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes)?;
        Ok(self.endian.u32(&bytes, 0).unwrap_or_default())
    }

    /// The number of 2 bytes at `address`.
    pub fn half(&mut self, address: u64) -> Result<u16, Error> {
        let mut bytes = [0; 2];
        self.read(address, &mut bytes)?;
        Ok(self.endian.u16(&bytes, 0).unwrap_or_default())
    }
}
