// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Kdump-compressed dumps, as makedumpfile's `diskdump_mod.h` describes them.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;

use crate::encode::Encoder;
use crate::note::DeviceDumpSpec;
use crate::{Class, Content, DumpStyle, Endian, Image, NoteSpec};

/// How wide numbers are, and how they are aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// As i386 has it: `long` of 4 bytes, and 8-byte numbers aligned to 4.
    Bits32,
    /// As 32-bit Arm has it: `long` of 4 bytes, and 8-byte numbers aligned to 8.
    Bits32Aligned,
    /// `long` of 8 bytes.
    Bits64,
}

/// How pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// zlib.
    Zlib,
    /// LZO1X.
    Lzo,
    /// Snappy.
    Snappy,
    /// Zstandard; blocks that are not compressed, or of one byte repeated.
    Zstd,
}

impl Compression {
    /// Its bit in `status` and in a page's `flags`.
    fn flag(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Zlib => 1,
            Self::Lzo => 2,
            Self::Snappy => 4,
            Self::Zstd => 0x20,
        }
    }

    fn compress(self, page: &[u8]) -> Vec<u8> {
        match self {
            Self::None => page.to_vec(),
            Self::Zlib => {
                let level = flate2::Compression::fast();
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(page).expect("into memory");
                encoder.finish().expect("into memory")
            }
            Self::Lzo => lzokay::compress::compress(page).expect("into memory"),
            Self::Snappy => snap::raw::Encoder::new().compress_vec(page).expect("a short page"),
            Self::Zstd => zstd_frame(page),
        }
    }
}

/// A frame of RFC 8878 with its content's size, and one block: of one repeated byte
/// where that is all there is, otherwise raw.
fn zstd_frame(page: &[u8]) -> Vec<u8> {
    let size = u32::try_from(page.len()).expect("a page");
    let mut frame = Vec::new();
    frame.extend(0xfd2f_b528_u32.to_le_bytes());
    // A content size of four bytes, in a single segment.
    frame.push(0b1010_0000);
    frame.extend(size.to_le_bytes());
    let repeated = page.iter().all(|byte| *byte == page[0]);
    let (kind, data) = if repeated { (1, &page[..1]) } else { (0, page) };
    let header = size << 3 | kind << 1 | 1;
    frame.extend(&header.to_le_bytes()[..3]);
    frame.extend(data);
    frame
}

/// A kdump-compressed dump to be made.
#[derive(Debug, Clone)]
pub struct Kdump {
    width: Width,
    endian: Endian,
    version: u32,
    block: u64,
    compression: Compression,
    machine: String,
    release: String,
    style: DumpStyle,
    dumps: Vec<DeviceDumpSpec>,
    notes: Vec<NoteSpec>,
    vmcoreinfo: String,
    pages: BTreeMap<u64, Vec<u8>>,
    excluded: Vec<u64>,
    incomplete: bool,
}

/// Where the parts of the file start, in bytes.
struct Places {
    notes: u64,
    notes_size: u64,
    vmcoreinfo: u64,
    bitmaps: u64,
    /// Of each of the two.
    bitmap_size: u64,
    descs: u64,
}

impl Kdump {
    /// A dump with nothing in it, in this version of the headers, 1 to 6.
    #[must_use]
    pub fn new(width: Width, endian: Endian, version: u32) -> Self {
        let machine = match width {
            Width::Bits32 => "i686",
            Width::Bits32Aligned => "armv7l",
            Width::Bits64 => "x86_64",
        };
        Self {
            width,
            endian,
            version,
            block: 4096,
            compression: Compression::None,
            machine: machine.to_owned(),
            release: "6.12.0".to_owned(),
            style: DumpStyle::Exact,
            dumps: Vec::new(),
            notes: Vec::new(),
            vmcoreinfo: String::new(),
            pages: BTreeMap::new(),
            excluded: Vec::new(),
            incomplete: false,
        }
    }

    /// Size of pages and blocks, in bytes; 4096 if not called.
    #[must_use]
    pub fn block_size(mut self, size: u32) -> Self {
        self.block = size.into();
        self
    }

    /// Pages are compressed so, where that makes them smaller.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The instruction set (`utsname.machine`).
    #[must_use]
    pub fn machine(mut self, machine: &str) -> Self {
        self.machine = machine.to_owned();
        self
    }

    /// All device dumps are written so.
    #[must_use]
    pub fn style(mut self, style: DumpStyle) -> Self {
        self.style = style;
        self
    }

    /// One more device dump; of `name`, 44 bytes are written at most.
    #[must_use]
    pub fn dump(mut self, name: impl AsRef<[u8]>, payload: impl Into<Content>) -> Self {
        self.dumps.push(DeviceDumpSpec { name: name.as_ref().to_vec(), payload: payload.into() });
        self
    }

    /// One more note after the device dumps.
    #[must_use]
    pub fn note(mut self, note: NoteSpec) -> Self {
        self.notes.push(note);
        self
    }

    /// The dead kernel's description of itself, outside of the notes
    /// (`offset_vmcoreinfo`).
    #[must_use]
    pub fn vmcoreinfo(mut self, text: &str) -> Self {
        self.vmcoreinfo = text.to_owned();
        self
    }

    /// The page with this number is in the dump.
    ///
    /// # Panics
    /// When it is not as long as a page.
    #[must_use]
    pub fn page(mut self, number: u64, bytes: &[u8]) -> Self {
        assert_eq!(bytes.len() as u64, self.block, "one page");
        self.pages.insert(number, bytes.to_vec());
        self
    }

    /// The page with this number was there, and is not in the dump.
    #[must_use]
    pub fn excluded(mut self, number: u64) -> Self {
        self.excluded.push(number);
        self
    }

    /// The dump was not written to its end, and says so.
    #[must_use]
    pub fn incomplete(mut self) -> Self {
        self.incomplete = true;
        self
    }

    /// Where the payload of device dump number `index` starts, in bytes.
    ///
    /// # Panics
    /// When there is no such device dump.
    #[must_use]
    pub fn payload_offset(&self, index: usize) -> u64 {
        let of = |dump: &DeviceDumpSpec| length(&dump.pieces(self.endian, self.style));
        self.places().notes + self.dumps[..index].iter().map(of).sum::<u64>() + 64
    }

    /// Where the notes start and end, in bytes.
    #[must_use]
    pub fn notes_range(&self) -> Range<u64> {
        let places = self.places();
        places.notes..places.notes + places.notes_size
    }

    /// The file.
    #[must_use]
    pub fn image(&self) -> Image {
        self.part(None)
    }

    /// The files of a split set of so many, of which each has the pages of one range.
    #[must_use]
    pub fn split(&self, parts: u64) -> Vec<Image> {
        let each = self.pages_end().div_ceil(parts);
        (0..parts)
            .map(|part| self.part(Some(part * each..((part + 1) * each).min(self.pages_end()))))
            .collect()
    }

    /// The pages that there were have numbers below this.
    fn pages_end(&self) -> u64 {
        let last = self.pages.keys().chain(&self.excluded).max();
        last.map_or(1, |last| last + 1)
    }

    fn places(&self) -> Places {
        // The sub header has 104 bytes at most; what it points to follows.
        let notes = self.block + 128;
        let notes_size = length(&self.note_pieces());
        let vmcoreinfo = notes + notes_size;
        let end = vmcoreinfo + self.vmcoreinfo.len() as u64;
        let bitmaps = end.next_multiple_of(self.block);
        let bitmap_size = self.pages_end().div_ceil(8).next_multiple_of(self.block);
        let descs = bitmaps + 2 * bitmap_size;
        Places { notes, notes_size, vmcoreinfo, bitmaps, bitmap_size, descs }
    }

    fn note_pieces(&self) -> Vec<Content> {
        if self.version < 4 {
            return Vec::new();
        }
        let dumps = self.dumps.iter().flat_map(|dump| dump.pieces(self.endian, self.style));
        dumps.chain(self.notes.iter().flat_map(|note| note.pieces(self.endian))).collect()
    }

    /// The file that has the pages in `range`, or all.
    fn part(&self, range: Option<Range<u64>>) -> Image {
        let places = self.places();
        let mut image = Image::default();
        let mut push = |content: Content| image.push(content);
        let mut header = self.header(&places);
        header.zeros_to(self.block as usize);
        push(header.bytes.into());
        let mut sub = self.sub_header(&places, range.as_ref());
        sub.zeros_to(128);
        push(sub.bytes.into());
        self.note_pieces().into_iter().for_each(&mut push);
        push(self.vmcoreinfo.as_bytes().to_vec().into());
        let end = places.vmcoreinfo + self.vmcoreinfo.len() as u64;
        push(Content::Zeros(places.bitmaps - end));
        let there = self.pages.keys().chain(&self.excluded).copied().collect::<Vec<_>>();
        let dumped = self.pages.keys().copied().collect::<Vec<_>>();
        for numbers in [there, dumped] {
            push(bitmap(&numbers, places.bitmap_size));
        }

        let range = range.unwrap_or(0..self.pages_end());
        let pages: Vec<(u32, Vec<u8>)> =
            self.pages.range(range).map(|(_, page)| self.data(page)).collect();
        let mut at = places.descs + 24 * pages.len() as u64;
        let mut descs = self.encoder();
        for (flags, data) in &pages {
            descs.wide(at).word(data.len() as u32).word(*flags).wide(0);
            at += data.len() as u64;
        }
        push(descs.bytes.into());
        pages.into_iter().for_each(|(_, data)| push(data.into()));
        image
    }

    /// The flags and the data of a page.
    fn data(&self, page: &[u8]) -> (u32, Vec<u8>) {
        let compressed = self.compression.compress(page);
        if compressed.len() < page.len() {
            (self.compression.flag(), compressed)
        } else {
            (0, page.to_vec())
        }
    }

    fn encoder(&self) -> Encoder {
        let class = if self.width == Width::Bits64 { Class::Elf64 } else { Class::Elf32 };
        Encoder::new(class, self.endian)
    }

    /// `struct disk_dump_header`.
    fn header(&self, places: &Places) -> Encoder {
        let mut to = self.encoder();
        to.raw(b"KDUMP   ").word(self.version);
        for (index, text) in ["Linux", "host", &self.release, "#1 SMP", &self.machine, "(none)"]
            .into_iter()
            .enumerate()
        {
            to.raw(text.as_bytes()).zeros_to(12 + 65 * (index + 1));
        }
        // `struct timeval`, aligned as a long is.
        to.zeros_to(if self.width == Width::Bits64 { 408 } else { 404 });
        to.address(1_700_000_000).address(0);
        let incomplete = if self.incomplete { 8 } else { 0 };
        to.word(self.compression.flag() | incomplete).word(self.block as u32);
        let sub_header = places.bitmaps / self.block - 1;
        to.word(sub_header as u32).word((2 * places.bitmap_size / self.block) as u32);
        to.word(self.pages_end() as u32).word(0).word(0).word(self.pages.len() as u32);
        to.word(0).word(1);
        to
    }

    /// `struct kdump_sub_header`, as far as the version has it.
    fn sub_header(&self, places: &Places, range: Option<&Range<u64>>) -> Encoder {
        let mut to = self.encoder();
        let (start, end) = range.map_or((0, 0), |range| (range.start, range.end));
        let split = u32::from(range.is_some());
        to.address(0).word(31);
        if self.version >= 2 {
            to.word(split).address(start).address(end);
        }
        let mut pair = |since: u32, offset: u64, size: u64| {
            if self.version >= since {
                let offset = if size > 0 { offset } else { 0 };
                self.align(&mut to);
                to.wide(offset).address(size);
            }
        };
        pair(3, places.vmcoreinfo, self.vmcoreinfo.len() as u64);
        pair(4, places.notes, places.notes_size);
        pair(5, 0, 0);
        if self.version >= 6 {
            self.align(&mut to);
            to.wide(start).wide(end).wide(self.pages_end());
        }
        to
    }

    /// Aligns what comes next, a number of 8 bytes.
    fn align(&self, to: &mut Encoder) {
        let align = if self.width == Width::Bits32 { 4 } else { 8 };
        to.zeros_to(to.bytes.len().next_multiple_of(align));
    }
}

/// A bit for each of `numbers`, the lowest one of each byte first.
fn bitmap(numbers: &[u64], size: u64) -> Content {
    let mut bytes = vec![0; size as usize];
    for number in numbers {
        bytes[(number / 8) as usize] |= 1 << (number % 8);
    }
    bytes.into()
}

fn length(pieces: &[Content]) -> u64 {
    pieces.iter().map(Content::length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
    }

    fn wide(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
    }

    /// The numbers are those that a compiler gives for the structures.
    #[test]
    fn fields_stand_where_compilers_put_them() {
        for (width, block_size, split, note, end) in [
            (Width::Bits32, 416, 8, 32, 72),
            (Width::Bits32Aligned, 416, 8, 40, 88),
            (Width::Bits64, 428, 12, 48, 96),
        ] {
            let made = Kdump::new(width, Endian::Little, 6)
                .dump("nic0", vec![1; 5])
                .vmcoreinfo("A=B\n")
                .page(9, &[7; 4096]);
            let notes = made.notes_range();
            let file = made.split(1)[0].to_vec();
            assert_eq!(word(&file, block_size), 4096, "{width:?}");
            assert_eq!(word(&file, block_size + 8), 2, "{width:?}: two bitmaps of a block");
            let sub = &file[4096..];
            assert_eq!(word(sub, split), 1, "{width:?}");
            assert_eq!(wide(sub, note), notes.start, "{width:?}");
            assert_eq!(u64::from(word(sub, note + 8)), notes.end - notes.start, "{width:?}");
            assert_eq!(wide(sub, end), 10, "{width:?}: max_mapnr_64");
        }
    }

    #[test]
    fn a_zstd_frame_is_one_that_zstd_takes() {
        assert_eq!(
            zstd_frame(&[7; 4096]),
            [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0x10, 0, 0, 0x03, 0x80, 0, 7]
        );
    }
}
