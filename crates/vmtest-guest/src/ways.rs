// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The ways to read a range that is all inside of a file.

use std::io::{Read, Seek, SeekFrom};

use crate::elf::Core;
use crate::error::{Error, Result};
use crate::mapping::copy_mapped;
use crate::random::XorShift;

#[derive(Clone, Copy)]
pub enum Way {
    Pread,
    Mmap,
    /// Changes the position of the open file.
    Read,
}

impl Way {
    /// One of the ways that leave the position alone.
    pub fn without_position(random: &mut XorShift) -> Self {
        [Self::Pread, Self::Mmap][random.below(2) as usize]
    }

    pub fn any(random: &mut XorShift) -> Self {
        [Self::Pread, Self::Mmap, Self::Read][random.below(3) as usize]
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Pread => "pread",
            Self::Mmap => "mmap",
            Self::Read => "lseek and read",
        }
    }

    /// Fills `buffer`, in two parts whose border is random where that is possible.
    pub fn fill(
        self,
        core: &Core,
        offset: u64,
        buffer: &mut [u8],
        random: &mut XorShift,
    ) -> Result<()> {
        let first = random.below(buffer.len() as u64 + 1) as usize;
        let (first, second) = buffer.split_at_mut(first);
        let middle = offset + first.len() as u64;
        let path = &core.path;
        match self {
            Self::Pread => {
                core.read_exact(offset, first)?;
                core.read_exact(middle, second)
            }
            Self::Mmap => copy_mapped(&core.file, offset, buffer, random.below(2) == 0)
                .map_err(Error::file("mmap", path, offset)),
            Self::Read => {
                let mut file = &core.file;
                file.seek(SeekFrom::Start(offset)).map_err(Error::file("seek", path, offset))?;
                file.read_exact(first).map_err(Error::file("read", path, offset))?;
                file.read_exact(second).map_err(Error::file("read", path, middle))
            }
        }
    }
}
