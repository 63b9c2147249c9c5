// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! ELF core headers: `Elf32_Ehdr`/`Elf64_Ehdr` and `Elf32_Phdr`/`Elf64_Phdr` of
//! `include/uapi/linux/elf.h`, in both byte orders.

use crate::Error;
use crate::bytes::{self, Endian};

/// Class of the file: how wide addresses and offsets are (`EI_CLASS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 32-bit addresses and offsets (`ELFCLASS32`).
    Elf32,
    /// 64-bit addresses and offsets (`ELFCLASS64`).
    Elf64,
}

/// Class and byte order: how the file's headers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// Width of addresses and offsets.
    pub class: Class,
    /// Byte order.
    pub endian: Endian,
}

/// `e_type` of a core file (`ET_CORE`).
pub const ET_CORE: u16 = 4;
/// `e_machine` of x86-64 (`EM_X86_64`).
pub const EM_X86_64: u16 = 62;
/// `e_machine` of arm64 (`EM_AARCH64`).
pub const EM_AARCH64: u16 = 183;
/// `p_type` of no segment (`PT_NULL`).
pub const PT_NULL: u32 = 0;
/// `p_type` of a segment with memory (`PT_LOAD`).
pub const PT_LOAD: u32 = 1;
/// `p_type` of a segment with notes (`PT_NOTE`).
pub const PT_NOTE: u32 = 4;
/// `e_phnum` of a file whose number of program headers stands in `sh_info` of
/// its first section header instead (`PN_XNUM`).
pub const PN_XNUM: u16 = 0xffff;
/// Size of the longest file header, in bytes: enough to tell any ELF file.
pub const FILE_HEADER_MAX: usize = 64;

const MAGIC: [u8; 4] = *b"\x7fELF";
const EV_CURRENT: u8 = 1;

/// Where the fields of the headers stand in them, in bytes, by the names that
/// `include/uapi/linux/elf.h` gives them, and how large the headers are.
///
/// The 32-bit program header has `p_flags` near its end, the 64-bit one near its start;
/// all else differs only in width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// Width of addresses, offsets and sizes, in bytes.
    pub address: usize,
    /// Size of the file header (`Elf32_Ehdr`, `Elf64_Ehdr`), in bytes.
    pub file_header: usize,
    /// The entry point.
    pub e_entry: usize,
    /// Where the program headers start.
    pub e_phoff: usize,
    /// Where the section headers start.
    pub e_shoff: usize,
    /// Processor-specific flags.
    pub e_flags: usize,
    /// Size of the file header.
    pub e_ehsize: usize,
    /// Size of a program header.
    pub e_phentsize: usize,
    /// Number of program headers.
    pub e_phnum: usize,
    /// Size of a section header.
    pub e_shentsize: usize,
    /// Number of section headers.
    pub e_shnum: usize,
    /// Which section has the names of sections.
    pub e_shstrndx: usize,
    /// Size of a program header (`Elf32_Phdr`, `Elf64_Phdr`), in bytes.
    pub program_header: usize,
    /// Permissions of the segment.
    pub p_flags: usize,
    /// Where the segment starts in the file.
    pub p_offset: usize,
    /// Its virtual address.
    pub p_vaddr: usize,
    /// Its physical address.
    pub p_paddr: usize,
    /// Its length in the file.
    pub p_filesz: usize,
    /// Its length in memory.
    pub p_memsz: usize,
    /// Its alignment.
    pub p_align: usize,
    /// Size of a section header (`Elf32_Shdr`, `Elf64_Shdr`), in bytes.
    pub section_header: usize,
    /// Where the section starts in the file.
    pub sh_offset: usize,
    /// What depends on the type of the section.
    pub sh_info: usize,
}

const FIELDS32: Fields = Fields {
    address: 4,
    file_header: 52,
    e_entry: 24,
    e_phoff: 28,
    e_shoff: 32,
    e_flags: 36,
    e_ehsize: 40,
    e_phentsize: 42,
    e_phnum: 44,
    e_shentsize: 46,
    e_shnum: 48,
    e_shstrndx: 50,
    program_header: 32,
    p_flags: 24,
    p_offset: 4,
    p_vaddr: 8,
    p_paddr: 12,
    p_filesz: 16,
    p_memsz: 20,
    p_align: 28,
    section_header: 40,
    sh_offset: 16,
    sh_info: 28,
};

const FIELDS64: Fields = Fields {
    address: 8,
    file_header: 64,
    e_entry: 24,
    e_phoff: 32,
    e_shoff: 40,
    e_flags: 48,
    e_ehsize: 52,
    e_phentsize: 54,
    e_phnum: 56,
    e_shentsize: 58,
    e_shnum: 60,
    e_shstrndx: 62,
    program_header: 56,
    p_flags: 4,
    p_offset: 8,
    p_vaddr: 16,
    p_paddr: 24,
    p_filesz: 32,
    p_memsz: 40,
    p_align: 48,
    section_header: 64,
    sh_offset: 24,
    sh_info: 44,
};

impl Encoding {
    /// Where the fields stand, and how large the headers are.
    #[must_use]
    pub const fn fields(self) -> &'static Fields {
        match self.class {
            Class::Elf32 => &FIELDS32,
            Class::Elf64 => &FIELDS64,
        }
    }

    /// Size of the file header, in bytes.
    #[must_use]
    pub const fn file_header_size(self) -> usize {
        self.fields().file_header
    }

    /// Size of one program header, in bytes.
    #[must_use]
    pub const fn program_header_size(self) -> usize {
        self.fields().program_header
    }

    /// Size of one section header, in bytes (`Elf32_Shdr`, `Elf64_Shdr`).
    #[must_use]
    pub const fn section_header_size(self) -> usize {
        self.fields().section_header
    }

    /// The largest address, offset or size that the class can hold.
    #[must_use]
    pub const fn address_max(self) -> u64 {
        match self.class {
            Class::Elf32 => u32::MAX as u64,
            Class::Elf64 => u64::MAX,
        }
    }

    /// The address, offset or size at byte `at` of `from`; `None` when that ends too
    /// early.
    #[must_use]
    pub fn address(self, from: &[u8], at: usize) -> Option<u64> {
        match self.class {
            Class::Elf32 => self.endian.u32(from, at).map(u64::from),
            Class::Elf64 => self.endian.u64(from, at),
        }
    }

    /// Writes an address, offset or size at byte `at` of `to`.
    ///
    /// `None` when `to` is too short or the value does not fit the class.
    pub fn put_address(self, to: &mut [u8], at: usize, value: u64) -> Option<()> {
        match self.class {
            Class::Elf32 => self.endian.put_u32(to, at, u32::try_from(value).ok()?),
            Class::Elf64 => self.endian.put_u64(to, at, value),
        }
    }

    /// `sh_info` of the section header in `bytes`: with [`PN_XNUM`], the first
    /// section header's is the number of program headers.
    #[must_use]
    pub fn section_info(self, bytes: &[u8]) -> Option<u32> {
        self.endian.u32(bytes, self.fields().sh_info)
    }
}

/// The file header (`Elf32_Ehdr`, `Elf64_Ehdr`), as far as a core file uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    /// How this file writes its numbers.
    pub encoding: Encoding,
    /// Kind of file; [`ET_CORE`] for a vmcore (`e_type`).
    pub file_type: u16,
    /// Instruction set of the dead kernel (`e_machine`).
    pub machine: u16,
    /// Processor-specific flags (`e_flags`).
    pub flags: u32,
    /// Entry point; 0 in a core file (`e_entry`).
    pub entry: u64,
    /// Where the program headers start, in bytes (`e_phoff`).
    pub program_headers_offset: u64,
    /// How many program headers there are, or [`PN_XNUM`] (`e_phnum`).
    pub program_headers: u16,
    /// Where the section headers start, in bytes; 0 without any (`e_shoff`).
    pub section_headers_offset: u64,
}

impl FileHeader {
    /// Reads the header that stands at the start of `bytes`.
    ///
    /// # Errors
    /// [`Error`] with the field that is not that of an ELF file, or that the
    /// bytes end too early.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let available = bytes.len() as u64;
        let ident: [u8; 16] = bytes::array(bytes, 0).ok_or(Error::new(
            available,
            "ELF identification",
            "16 bytes",
            available,
        ))?;
        let [m0, m1, m2, m3, class, data, version, ..] = ident;
        if [m0, m1, m2, m3] != MAGIC {
            let found = u64::from(u32::from_be_bytes([m0, m1, m2, m3]));
            return Err(Error::new(0, "ELF magic", "0x7f454c46", found));
        }
        let class = match class {
            1 => Class::Elf32,
            2 => Class::Elf64,
            other => return Err(Error::new(4, "EI_CLASS", "1 or 2", other.into())),
        };
        let endian = match data {
            1 => Endian::Little,
            2 => Endian::Big,
            other => return Err(Error::new(5, "EI_DATA", "1 or 2", other.into())),
        };
        if version != EV_CURRENT {
            return Err(Error::new(6, "EI_VERSION", "1", version.into()));
        }
        let encoding = Encoding { class, endian };
        let fields = encoding.fields();
        let size = match class {
            Class::Elf32 => "52 bytes",
            Class::Elf64 => "64 bytes",
        };
        let short = Error::new(available, "ELF file header", size, available);
        let header = bytes.get(..fields.file_header).ok_or(short)?;
        let half = |at| endian.u16(header, at).ok_or(short);
        let address = |at| encoding.address(header, at).ok_or(short);

        let parsed = Self {
            encoding,
            file_type: half(16)?,
            machine: half(18)?,
            flags: endian.u32(header, fields.e_flags).ok_or(short)?,
            entry: address(fields.e_entry)?,
            program_headers_offset: address(fields.e_phoff)?,
            program_headers: half(fields.e_phnum)?,
            section_headers_offset: address(fields.e_shoff)?,
        };
        let entry_size = half(fields.e_phentsize)?;
        if parsed.program_headers != 0 && usize::from(entry_size) != fields.program_header {
            let expected = match class {
                Class::Elf32 => "32",
                Class::Elf64 => "56",
            };
            let at = fields.e_phentsize as u64;
            return Err(Error::new(at, "e_phentsize", expected, entry_size.into()));
        }
        Ok(parsed)
    }

    /// Where the program headers end, in bytes; `None` when that does not fit 64
    /// bits.
    #[must_use]
    pub fn program_headers_end(&self) -> Option<u64> {
        let size = self.encoding.program_header_size() as u64 * u64::from(self.program_headers);
        self.program_headers_offset.checked_add(size)
    }

    /// Each program header with its own offset, as far as `file`, the bytes from
    /// the start of the file on, has them. [`PN_XNUM`] is taken as a number.
    pub fn segments<'a>(
        &self,
        file: &'a [u8],
    ) -> impl Iterator<Item = (u64, ProgramHeader)> + use<'a> {
        let encoding = self.encoding;
        let start = self.program_headers_offset;
        let entry = encoding.program_header_size();
        let table = usize::try_from(start).ok().and_then(|start| file.get(start..));
        let mut rest = table.unwrap_or_default();
        (0..u64::from(self.program_headers)).map_while(move |index| {
            let (bytes, behind) = rest.split_at_checked(entry)?;
            rest = behind;
            let at = start.saturating_add(index * entry as u64);
            Some((at, ProgramHeader::parse(encoding, bytes)?))
        })
    }

    /// Writes the header to the start of `to`, all of
    /// [`Encoding::file_header_size`] bytes.
    ///
    /// `None` when `to` is too short or a value does not fit the class.
    pub fn write(&self, to: &mut [u8]) -> Option<()> {
        let Encoding { class, endian } = self.encoding;
        let fields = self.encoding.fields();
        let to = to.get_mut(..fields.file_header)?;
        to.fill(0);
        let [m0, m1, m2, m3] = MAGIC;
        let class = match class {
            Class::Elf32 => 1,
            Class::Elf64 => 2,
        };
        let data = match endian {
            Endian::Little => 1,
            Endian::Big => 2,
        };
        bytes::copy(to, &[m0, m1, m2, m3, class, data, EV_CURRENT]);
        endian.put_u16(to, 16, self.file_type)?;
        endian.put_u16(to, 18, self.machine)?;
        endian.put_u32(to, 20, EV_CURRENT.into())?;
        endian.put_u32(to, fields.e_flags, self.flags)?;
        self.encoding.put_address(to, fields.e_entry, self.entry)?;
        self.encoding.put_address(to, fields.e_phoff, self.program_headers_offset)?;
        self.encoding.put_address(to, fields.e_shoff, self.section_headers_offset)?;
        endian.put_u16(to, fields.e_ehsize, u16::try_from(fields.file_header).ok()?)?;
        endian.put_u16(to, fields.e_phentsize, u16::try_from(fields.program_header).ok()?)?;
        endian.put_u16(to, fields.e_phnum, self.program_headers)?;
        if self.section_headers_offset != 0 {
            let size = u16::try_from(self.encoding.section_header_size()).ok()?;
            endian.put_u16(to, fields.e_shentsize, size)?;
        }
        Some(())
    }
}

/// A program header (`Elf32_Phdr`, `Elf64_Phdr`): one segment of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProgramHeader {
    /// Kind of segment, [`PT_LOAD`] or [`PT_NOTE`] in a vmcore (`p_type`).
    pub segment_type: u32,
    /// Permissions (`p_flags`).
    pub flags: u32,
    /// Where the segment starts in the file, in bytes (`p_offset`).
    pub offset: u64,
    /// Virtual address in the dead kernel (`p_vaddr`).
    pub virtual_address: u64,
    /// Physical address of the memory (`p_paddr`).
    pub physical_address: u64,
    /// Length in the file, in bytes (`p_filesz`).
    pub file_size: u64,
    /// Length in memory, in bytes (`p_memsz`).
    pub memory_size: u64,
    /// Alignment, in bytes (`p_align`).
    pub align: u64,
}

impl ProgramHeader {
    /// Reads the program header at the start of `bytes`; `None` when they end
    /// too early.
    #[must_use]
    pub fn parse(encoding: Encoding, bytes: &[u8]) -> Option<Self> {
        let fields = encoding.fields();
        let address = |at| encoding.address(bytes, at);
        Some(Self {
            segment_type: encoding.endian.u32(bytes, 0)?,
            flags: encoding.endian.u32(bytes, fields.p_flags)?,
            offset: address(fields.p_offset)?,
            virtual_address: address(fields.p_vaddr)?,
            physical_address: address(fields.p_paddr)?,
            file_size: address(fields.p_filesz)?,
            memory_size: address(fields.p_memsz)?,
            align: address(fields.p_align)?,
        })
    }

    /// Writes the program header to the start of `to`.
    ///
    /// `None` when `to` is too short or a value does not fit the class.
    pub fn write(&self, encoding: Encoding, to: &mut [u8]) -> Option<()> {
        let fields = encoding.fields();
        encoding.endian.put_u32(to, 0, self.segment_type)?;
        encoding.endian.put_u32(to, fields.p_flags, self.flags)?;
        encoding.put_address(to, fields.p_offset, self.offset)?;
        encoding.put_address(to, fields.p_vaddr, self.virtual_address)?;
        encoding.put_address(to, fields.p_paddr, self.physical_address)?;
        encoding.put_address(to, fields.p_filesz, self.file_size)?;
        encoding.put_address(to, fields.p_memsz, self.memory_size)?;
        encoding.put_address(to, fields.p_align, self.align)
    }
}
