// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The dead kernel's memory in a dump.

use vmcore::bytes;

use crate::dump::Dump;
use crate::error::{Error, Fault};
use crate::format::Layout;

/// Size of the pages that an ELF vmcore is counted in, in bytes.
const ELF_PAGE: u64 = 4096;

/// The memory of a dump, or of a split set of dumps. See [`Dump::memory`].
#[derive(Debug, Clone, Copy)]
pub struct Memory<'a> {
    parts: &'a [Dump],
    first: &'a Dump,
}

impl<'a> Memory<'a> {
    /// The first of the files, which has what the dead kernel says of itself.
    pub(crate) fn first(self) -> &'a Dump {
        self.first
    }

    fn dumps(self) -> impl Iterator<Item = &'a Dump> {
        std::iter::once(self.first).chain(self.parts)
    }

    /// Size of the pages in which memory is there or not, in bytes: the dead kernel's
    /// in a kdump-compressed dump, otherwise 4,096.
    #[must_use]
    pub fn page_size(self) -> u64 {
        match &self.first.layout {
            Layout::Compressed(compressed) => compressed.header.block_size,
            Layout::Elf(_) => ELF_PAGE,
        }
    }

    /// How many bytes of memory are in the dump.
    ///
    /// # Errors
    /// [`Error`] when what says so cannot be read.
    pub fn size(self) -> Result<u64, Error> {
        self.dumps().try_fold(0_u64, |sum, dump| {
            let size = match &dump.layout {
                Layout::Elf(elf) => {
                    let sizes = elf.loads(&dump.source)?.iter().map(|load| load.file_size);
                    sizes.fold(0, u64::saturating_add)
                }
                Layout::Compressed(compressed) => {
                    compressed.pages(&dump.source)?.saturating_mul(compressed.header.block_size)
                }
            };
            Ok(sum.saturating_add(size))
        })
    }

    /// Where the memory ended, in bytes: no byte at or after this physical address.
    ///
    /// # Errors
    /// [`Error`] when what says so cannot be read.
    pub fn end(self) -> Result<u64, Error> {
        self.dumps().try_fold(0_u64, |end, dump| {
            let other = match &dump.layout {
                Layout::Elf(elf) => {
                    let loads = elf.loads(&dump.source)?.iter();
                    let ends = loads.map(|load| load.physical.saturating_add(load.memory_size));
                    ends.max().unwrap_or_default()
                }
                Layout::Compressed(compressed) => {
                    let header = &compressed.header;
                    header.pages_end.saturating_mul(header.block_size)
                }
            };
            Ok(end.max(other))
        })
    }

    /// Fills `to` with the memory at the physical address `physical`.
    ///
    /// # Errors
    /// [`Fault::NoMemory`] with the first address that the dump does not have; other
    /// [`Error`]s when it cannot be read, or does not decompress.
    pub fn read(self, physical: u64, to: &mut [u8]) -> Result<(), Error> {
        let mut done = 0;
        while let Some(rest) = to.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = physical.saturating_add(done as u64);
            let mut read = 0;
            for dump in self.dumps() {
                read = dump.read_memory(at, rest)?;
                if read > 0 {
                    break;
                }
            }
            if read == 0 {
                return Err(self.first.source.error(Fault::NoMemory { physical: at }));
            }
            done += read;
        }
        Ok(())
    }
}

impl Dump {
    /// Its memory, by physical addresses; of a split set, that of all files.
    #[must_use]
    pub fn memory(&self) -> Memory<'_> {
        Memory { parts: &self.others, first: self }
    }

    /// Reads as much of the memory at `physical` as stands in a row; 0 when the first
    /// byte is not there.
    fn read_memory(&self, physical: u64, to: &mut [u8]) -> Result<usize, Error> {
        match &self.layout {
            Layout::Elf(elf) => {
                let Some(range) = elf.find(&self.source, physical, to.len() as u64)? else {
                    return Ok(0);
                };
                let length = (range.end - range.start) as usize;
                let to = to.get_mut(..length).unwrap_or_default();
                self.source.read_whole(range.start, to, "memory")?;
                Ok(to.len())
            }
            Layout::Compressed(compressed) => {
                let size = compressed.header.block_size;
                let within = (physical % size) as usize;
                let mut page = vec![0; size as usize];
                if !compressed.read(&self.source, physical / size, &mut page)? {
                    return Ok(0);
                }
                let from = page.get(within..).unwrap_or_default();
                Ok(bytes::copy(to, from))
            }
        }
    }
}
