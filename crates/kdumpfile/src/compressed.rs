// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Kdump-compressed dumps: what makedumpfile writes unless told otherwise.
//!
//! Blocks of [`Header::block_size`] bytes: `struct disk_dump_header`, then from the
//! second block on `struct kdump_sub_header`, two bitmaps with a bit for each page (the
//! first of the pages that there were, the second of those that are in the dump), and
//! a `page_desc` for each of the latter, in the order of their numbers, which says where
//! its data stand. All are written as the machine has them that wrote the dump; the
//! structures are those of makedumpfile's `diskdump_mod.h`.

use std::cell::OnceCell;

use vmcore::bytes::Endian;

use crate::codec::Codec;
use crate::error::{Error, Fault};
use crate::machine;
use crate::note_area::{NoteArea, NoteSegment};
use crate::source::Source;

/// What a kdump-compressed dump starts with.
pub(crate) const SIGNATURE: [u8; 8] = *b"KDUMP   ";
/// How many bytes of the file header are read.
const FILE_HEADER: usize = 464;
/// How many bytes of the sub header are read: those of version 6.
const SUB_HEADER: usize = 104;
/// Where `utsname` belongs in the file header, in bytes.
const UTSNAME: usize = 12;
/// Where it may stand.
const UTSNAME_PLACES: [usize; 3] = [UTSNAME, UTSNAME - 4, UTSNAME + 4];
/// Size of each of its six fields, in bytes: `sysname`, `nodename`, `release`, `version`,
/// `machine` and `domainname`.
const UTSNAME_FIELD: usize = 65;
/// Size of a `page_desc`, in bytes.
const PAGE_DESC: u64 = 24;
/// A description of a page that was not written.
const UNWRITTEN: [u8; PAGE_DESC as usize] = [0; PAGE_DESC as usize];
/// Page sizes that there are, in bytes.
const BLOCK_SIZES: [u64; 2] = [1 << 12, 1 << 20];
/// The most pages of a dump: 256 TiB of the smallest.
const PAGES_MAX: u64 = 1 << 36;
/// The most bytes of a dump of a machine of 32 bits. That has at most 1 TiB of memory: 40 bits
/// of address, on ARM with LPAE.
const BITS32_MAX: u64 = 1 << 41;
/// How many descriptions of pages are looked at, the last ones, to tell where the data end.
const LAST_PAGES: u64 = 1 << 10;
/// How much of a bitmap is looked at to tell whether there are pages, in bytes.
const BITMAP_START: u64 = 1 << 16;
/// So many bytes of a bitmap are counted at a time.
const STEP: u64 = 4096;

/// Widths of `long` and of `off_t`'s alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `long` has 4 bytes, and 8 byte numbers are aligned to 4: i386.
    Bits32,
    /// `long` has 4 bytes, and 8 byte numbers are aligned to 8.
    Bits32Aligned,
    /// `long` has 8 bytes.
    Bits64,
}

/// What the headers say.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub endian: Endian,
    /// What the file header and the machine tell of the layout.
    first_layout: Layout,
    /// What the sub header says, too.
    layout: Layout,
    /// The sub header.
    sub: [u8; SUB_HEADER],
    pub version: u32,
    /// Size of a page and of a block, in bytes.
    pub block_size: u64,
    /// The dead kernel's release and its machine's instruction set, as far as `utsname`
    /// makes sense.
    release: Option<Vec<u8>>,
    machine: Option<Vec<u8>>,
    /// When the dump was written, in seconds since 1970; 0 where it does not say.
    pub written: u64,
    /// How pages are compressed.
    pub codec: Option<Codec>,
    /// The dump was not written to its end.
    pub incomplete: bool,
    /// What was left out (`dump_level`).
    pub dump_level: u32,
    /// The numbers of the pages that there were end before this.
    pub pages_end: u64,
    /// The pages of which this file of a split set has the data.
    pub split: Option<(u64, u64)>,
    /// Where VMCOREINFO and the notes end, in bytes; `None` where one of them starts in the
    /// headers or ends nowhere.
    pub places_end: Option<u64>,
    /// Where VMCOREINFO stands, and how long it is, in bytes.
    pub vmcoreinfo: Option<(u64, u64)>,
    /// Where the fields of the sub header stand that say where notes are: of the offset
    /// and of the size, and how many bytes the latter has.
    pub note_fields: Option<(u64, u64, usize)>,
    /// Where notes start, which the sub header does not say: there are zeros.
    notes_by_place: Option<u64>,
    /// Where the number of blocks of the bitmaps stands, in bytes.
    bitmap_blocks_at: u64,
    /// Where the first bitmap starts, in bytes.
    bitmaps: u64,
    /// Size of both, in bytes.
    bitmaps_size: u64,
}

/// Where the numbers of `kdump_sub_header` stand.
struct SubHeader {
    split: usize,
    start_pfn: usize,
    end_pfn: usize,
    vmcoreinfo: usize,
    note: usize,
    start_pfn_64: usize,
}

/// What the file header says of the blocks of a dump, in bytes.
struct Blocks {
    /// Size of one.
    size: u64,
    /// Where the first bitmap starts.
    bitmaps: u64,
    /// Where the last one ends.
    bitmaps_end: u64,
}

impl Layout {
    fn long(self) -> usize {
        match self {
            Self::Bits32 | Self::Bits32Aligned => 4,
            Self::Bits64 => 8,
        }
    }

    /// This one, or the other one with numbers of its width where only that makes sense
    /// of the sub header in `sub`: how numbers are aligned is not in the dump.
    fn or_other(self, sub: &Numbers<'_>, version: u32, blocks: &Blocks) -> Self {
        let other = match self {
            Self::Bits32 => Self::Bits32Aligned,
            Self::Bits32Aligned => Self::Bits32,
            Self::Bits64 => return self,
        };
        let makes_sense = |layout: Self| layout.makes_sense(sub, version, blocks);
        if !makes_sense(self) && makes_sense(other) { other } else { self }
    }

    /// Whether VMCOREINFO and notes are where programs write them, in this layout of 32 bits.
    ///
    /// That is between the sub header and the bitmaps; notes that were attached come after
    /// all that makedumpfile writes, thus after the bitmaps. How long the file is does not
    /// count: it may be cut.
    fn makes_sense(self, sub: &Numbers<'_>, version: u32, blocks: &Blocks) -> bool {
        let [info, notes] = self.places(sub, version);
        let end = |(offset, size): (u64, u64)| offset.saturating_add(size);
        let before = |place: (u64, u64)| place.0 > blocks.size && end(place) <= blocks.bitmaps;
        let attached = notes.0 >= blocks.bitmaps_end && end(notes) <= BITS32_MAX;
        (info == (0, 0) || before(info)) && (notes == (0, 0) || before(notes) || attached)
    }

    /// Where VMCOREINFO and notes start, and their sizes, in bytes; 0 and 0 where there are
    /// none.
    fn places(self, sub: &Numbers<'_>, version: u32) -> [(u64, u64); 2] {
        let at = self.sub_header();
        [(3, at.vmcoreinfo), (4, at.note)].map(|(since, at)| {
            if version < since { (0, 0) } else { (sub.wide(at), sub.long(at + 8)) }
        })
    }

    /// Where both end, 0 where there are none; `None` where one of them starts in the headers
    /// or ends nowhere.
    fn places_end(self, sub: &Numbers<'_>, version: u32, block_size: u64) -> Option<u64> {
        self.places(sub, version).into_iter().try_fold(0, |last, (offset, size)| {
            if (offset, size) == (0, 0) {
                return Some(last);
            }
            let end = offset.checked_add(size).filter(|_| offset > block_size)?;
            Some(end.max(last))
        })
    }

    /// Size of the sub header of this `version`, 4 or later, in bytes.
    fn sub_header_size(self, version: u32) -> u64 {
        let SubHeader { vmcoreinfo, note, start_pfn_64, .. } = self.sub_header();
        // Version 5 has the erased data's offset and size, version 6 three numbers of pages.
        (match version {
            ..5 => 2 * note - vmcoreinfo,
            5 => start_pfn_64,
            _ => start_pfn_64 + 24,
        }) as u64
    }

    fn sub_header(self) -> SubHeader {
        let long = self.long();
        // `phys_base`, `dump_level` and `split` come first.
        let start_pfn = long + 8;
        let end_pfn = start_pfn + long;
        let after = end_pfn + long;
        let (vmcoreinfo, each) = match self {
            Self::Bits32 => (after, 12),
            Self::Bits32Aligned => (after.next_multiple_of(8), 16),
            Self::Bits64 => (after, 16),
        };
        SubHeader {
            split: long + 4,
            start_pfn,
            end_pfn,
            vmcoreinfo,
            note: vmcoreinfo + each,
            // After the erased data's offset and size.
            start_pfn_64: vmcoreinfo + 3 * each,
        }
    }
}

/// Numbers at their places.
struct Numbers<'a> {
    endian: Endian,
    long: usize,
    bytes: &'a [u8],
}

impl Numbers<'_> {
    fn int(&self, at: usize) -> u32 {
        self.endian.u32(self.bytes, at).unwrap_or_default()
    }

    fn long(&self, at: usize) -> u64 {
        if self.long == 4 { self.int(at).into() } else { self.wide(at) }
    }

    fn wide(&self, at: usize) -> u64 {
        self.endian.u64(self.bytes, at).unwrap_or_default()
    }
}

/// What is common to all layouts.
struct Start<'a> {
    numbers: Numbers<'a>,
    /// Where `timestamp` stands.
    timestamp: usize,
    layout: Layout,
}

impl Start<'_> {
    /// Where the numbers after the time stand.
    fn behind_time(&self) -> usize {
        self.timestamp + 2 * self.numbers.long
    }

    fn block_size(&self) -> u64 {
        self.numbers.int(self.behind_time() + 4).into()
    }

    fn sub_header_blocks(&self) -> u32 {
        self.numbers.int(self.behind_time() + 8)
    }

    fn bitmap_blocks(&self) -> u32 {
        self.numbers.int(self.behind_time() + 12)
    }

    /// Whether its numbers make sense. The notes stand with the sub header, so that this
    /// can have many blocks; they need not be in the file, which may be cut.
    ///
    /// What would be the block size in the narrow layout is a part of the time in the wide
    /// one, and what would be the sub header's number of blocks the upper half of
    /// microseconds, which is 0; or the other way round.
    fn is_likely(&self) -> bool {
        let [least, most] = BLOCK_SIZES;
        let size = self.block_size();
        size.is_power_of_two()
            && (least..=most).contains(&size)
            && (1..=i32::MAX as u32).contains(&self.sub_header_blocks())
    }
}

impl Header {
    /// Reads the headers of the dump in `source`.
    fn read(source: &Source) -> Result<Self, Error> {
        let mut buffer = [0; FILE_HEADER];
        let length = source.read(0, &mut buffer)?.len();
        if length < buffer.len() {
            let at = length as u64;
            return Err(source.wrong(at, "disk_dump_header", "464 bytes", at));
        }
        let start = find_layout(source, &buffer)?;
        let Start { numbers, timestamp, .. } = &start;
        let version = numbers.int(8);
        if !(1..=6).contains(&version) {
            return Err(source.wrong(8, "header_version", "1 to 6", version.into()));
        }
        let block_size = start.block_size();
        let status = numbers.int(start.behind_time());
        let (release, machine) = utsname(&buffer);

        let mut sub_bytes = [0; SUB_HEADER];
        source.read_whole(block_size, &mut sub_bytes, "kdump_sub_header")?;
        let sub = Numbers { endian: numbers.endian, long: numbers.long, bytes: &sub_bytes };
        let bitmaps = (1 + u64::from(start.sub_header_blocks())) * block_size;
        let bitmaps_size = u64::from(start.bitmap_blocks()) * block_size;
        let blocks = Blocks { size: block_size, bitmaps, bitmaps_end: bitmaps + bitmaps_size };
        let layout = start.layout.or_other(&sub, version, &blocks);
        let at = layout.sub_header();
        let since = |since: u32| version >= since;
        let range = |offset: usize| (sub.wide(offset), sub.long(offset + 8));
        let not_nothing = |(offset, size): (u64, u64)| (size > 0).then_some((offset, size));
        let split = (since(2) && sub.int(at.split) != 0).then(|| {
            if since(6) {
                (sub.wide(at.start_pfn_64), sub.wide(at.start_pfn_64 + 8))
            } else {
                (sub.long(at.start_pfn), sub.long(at.end_pfn))
            }
        });
        let wide_end = sub.wide(at.start_pfn_64 + 16);
        let max_mapnr = u64::from(numbers.int(start.behind_time() + 16));
        let pages_end = if since(6) && wide_end > 0 { wide_end } else { max_mapnr };
        if pages_end > PAGES_MAX {
            let max_mapnr_at = (start.behind_time() + 16) as u64;
            return Err(source.wrong(max_mapnr_at, "max_mapnr", "at most 2^36 pages", pages_end));
        }
        Ok(Self {
            endian: numbers.endian,
            first_layout: start.layout,
            layout,
            sub: sub_bytes,
            version,
            block_size,
            release: release.map(<[u8]>::to_vec),
            machine: machine.map(<[u8]>::to_vec),
            written: numbers.long(*timestamp),
            codec: Codec::of_flags(status),
            incomplete: status & 0x8 != 0,
            dump_level: sub.int(numbers.long),
            pages_end,
            split,
            places_end: layout.places_end(&sub, version, block_size),
            vmcoreinfo: since(3).then(|| range(at.vmcoreinfo)).and_then(not_nothing),
            note_fields: since(4).then(|| {
                let note = block_size + at.note as u64;
                (note, note + 8, numbers.long)
            }),
            notes_by_place: (since(4) && sub.bytes.iter().all(|byte| *byte == 0))
                .then(|| block_size + layout.sub_header_size(version)),
            bitmap_blocks_at: (start.behind_time() + 12) as u64,
            bitmaps,
            bitmaps_size,
        })
    }

    /// Where the notes stand, and how long they are, in bytes.
    fn notes(&self, source: &Source) -> Result<Option<(u64, u64)>, Error> {
        let Some((offset_at, size_at, size_width)) = self.note_fields else {
            return Ok(None);
        };
        let mut bytes = [0; 16];
        let fields = bytes.get_mut(..8 + size_width).unwrap_or_default();
        source.read_whole(offset_at, fields, "offset_note and size_note")?;
        let numbers = Numbers { endian: self.endian, long: size_width, bytes: &bytes };
        let (offset, size) = (numbers.wide(0), numbers.long((size_at - offset_at) as usize));
        Ok((size > 0).then_some((offset, size)))
    }

    /// Whether the sub header is read as it is now once it says that notes are at `offset`
    /// and have `size` bytes.
    pub fn keeps_layout(&self, offset: u64, size: u64) -> bool {
        let (at, long) = (self.layout.sub_header().note, self.layout.long());
        let mut bytes = self.sub;
        let put = self.endian.put_u64(&mut bytes, at, offset).and_then(|()| match long {
            4 => self.endian.put_u32(&mut bytes, at + 8, u32::try_from(size).ok()?),
            _ => self.endian.put_u64(&mut bytes, at + 8, size),
        });
        if put.is_none() {
            return false;
        }
        let sub = Numbers { endian: self.endian, long, bytes: &bytes };
        let bitmaps_end = self.bitmaps + self.bitmaps_size;
        let blocks = Blocks { size: self.block_size, bitmaps: self.bitmaps, bitmaps_end };
        self.first_layout.or_other(&sub, self.version, &blocks) == self.layout
    }

    /// Width of addresses, in bits.
    pub fn bits(&self) -> u32 {
        self.layout.long() as u32 * 8
    }

    /// The dead kernel's release (`uname -r`).
    pub fn release(&self) -> Option<&[u8]> {
        self.release.as_deref()
    }

    /// The machine's instruction set (`uname -m`).
    pub fn machine(&self) -> Option<&[u8]> {
        self.machine.as_deref()
    }

    /// Where the second bitmap starts, and its size, in bytes. Where there is one
    /// alone, it is that.
    fn bitmap(&self) -> (u64, u64) {
        let half = self.bitmaps_size / 2;
        let one = self.pages_end.div_ceil(8).next_multiple_of(self.block_size);
        if self.bitmaps_size <= one {
            (self.bitmaps, self.bitmaps_size)
        } else {
            (self.bitmaps + half, half)
        }
    }

    /// Where the `page_desc`s start, in bytes.
    pub fn page_descs(&self) -> u64 {
        self.bitmaps + self.bitmaps_size
    }
}

/// `release` and `machine` of the `utsname` in the file header, where they make sense.
///
/// Old versions of makedumpfile write it four bytes from where it belongs. There, or where
/// one of the two makes no sense, what is read may be the end of a longer text.
fn utsname(header: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    let field = |at: usize, number: usize| {
        let start = at + number * UTSNAME_FIELD;
        let text = header.get(start..start + UTSNAME_FIELD).unwrap_or_default();
        vmcore::note::until_zero(text)
    };
    let makes_sense = |(release, machine): &(&[u8], &[u8])| {
        machine::is_release(release) && machine::is_known(machine)
    };
    let mut places = UTSNAME_PLACES.iter().map(|at| (field(*at, 2), field(*at, 4)));
    if let Some((release, machine)) = places.find(makes_sense) {
        return (Some(release), Some(machine));
    }
    // QEMU writes the machine alone.
    match (field(UTSNAME, 2), field(UTSNAME, 4)) {
        (b"", machine) if machine::is_known(machine) => (None, Some(machine)),
        (release, b"") if machine::is_release(release) => (Some(release), None),
        _ => (None, None),
    }
}

/// How the numbers of the header in `bytes` are written: the way that makes sense.
fn find_layout<'a>(source: &Source, bytes: &'a [u8]) -> Result<Start<'a>, Error> {
    let (_, machine) = utsname(bytes);
    let machine = machine.unwrap_or_default();
    let is_x86 = machine.starts_with(b"i") && machine.ends_with(b"86") || machine == b"x86_64";
    let bits32 = if is_x86 { Layout::Bits32 } else { Layout::Bits32Aligned };
    let start = |endian, layout: Layout| Start {
        numbers: Numbers { endian, long: layout.long(), bytes },
        timestamp: if layout == Layout::Bits64 { 408 } else { 404 },
        layout,
    };
    // A version is a small number.
    let little = Endian::Little.u32(bytes, 8).unwrap_or_default();
    let endian = if little.leading_zeros() > little.trailing_zeros() || little == 0 {
        Endian::Little
    } else {
        Endian::Big
    };
    let (wide, narrow) = (start(endian, Layout::Bits64), start(endian, bits32));
    match (wide.is_likely(), narrow.is_likely()) {
        (true, false) => Ok(wide),
        (false, true) => Ok(narrow),
        (true, true) => {
            let is_wide = machine.ends_with(b"64") || machine.starts_with(b"s390x");
            Ok(if is_wide || machine.starts_with(b"ppc64") { wide } else { narrow })
        }
        (false, false) => {
            let at = wide.behind_time() as u64 + 4;
            let expected = "a power of 2 from 4,096 to 1,048,576, and a sub header after it";
            Err(source.wrong(at, "block_size", expected, wide.block_size()))
        }
    }
}

/// A kdump-compressed dump.
#[derive(Debug)]
pub(crate) struct Compressed {
    pub header: Header,
    ranks: OnceCell<Ranks>,
}

/// Where the data of a page stand (`struct page_desc`).
struct PageDesc {
    offset: u64,
    size: u32,
    flags: u32,
}

impl PageDesc {
    fn parse(endian: Endian, bytes: &[u8]) -> Self {
        let numbers = Numbers { endian, long: 8, bytes };
        Self { offset: numbers.wide(0), size: numbers.int(8), flags: numbers.int(12) }
    }
}

/// How many pages are in the dump before each [`STEP`] of the bitmap.
#[derive(Debug)]
struct Ranks {
    before: Vec<u64>,
    total: u64,
}

impl Compressed {
    pub fn open(source: &Source) -> Result<(Self, NoteArea), Error> {
        let header = Header::read(source)?;
        let mut problems = Vec::new();
        if header.incomplete {
            let expected = "a dump that was written to its end";
            problems.push(vmcore::Error::new(0, "status", expected, 0x8));
        }
        let mut says_incomplete = header.incomplete;
        let notes = header.notes(source)?;
        let header_offset = header.note_fields.map_or(0, |(offset, ..)| offset);
        let (mut segments, mut found) = (Vec::new(), None);
        if let Some((offset, size)) = notes {
            match offset.checked_add(size).filter(|end| i64::try_from(*end).is_ok()) {
                Some(_) => segments.push(NoteSegment { header_offset, offset, size }),
                None => {
                    found = Some(vmcore::Error::new(
                        header_offset,
                        "size_note",
                        "an end below 2^63",
                        size,
                    ))
                }
            }
        }
        problems.extend(found);
        let endian = header.endian;
        if let Some(start) = header.notes_by_place
            && let Some(segment) = NoteSegment::by_place(source, endian, header_offset, start)?
        {
            // makedumpfile writes notes first, and then the sub header.
            let expected = "one that was written; notes are looked for after it";
            let field = "kdump_sub_header with offset_note";
            problems.push(vmcore::Error::missing(header.block_size, field, expected));
            segments.push(segment);
            says_incomplete = true;
        }
        let notes = NoteArea::new(endian, segments, problems, says_incomplete);
        Ok((Self { header, ranks: OnceCell::new() }, notes))
    }

    /// What is not in the file, which has a length: bitmaps, descriptions of pages, or data.
    ///
    /// How many pages there are is not counted, for the bitmap may be long. But the data
    /// start where the descriptions end; where those do not look like it, nothing is said.
    pub fn incompleteness(&self, source: &Source) -> Result<Option<vmcore::Error>, Error> {
        let header = &self.header;
        let descs = header.page_descs();
        // Where nothing follows, makedumpfile does not write the rest of the last block.
        let (bitmap, size) = header.bitmap();
        if !source.reaches(bitmap + size.min(header.pages_end.div_ceil(8)))? {
            let expected = "bitmaps and memory inside the file, which is incomplete";
            let blocks = header.bitmaps_size / header.block_size;
            let at = header.bitmap_blocks_at;
            return Ok(Some(vmcore::Error::new(at, "bitmap_blocks", expected, blocks)));
        }
        let missing = |found| {
            let expected = "one for each page inside the file, which is incomplete";
            Some(vmcore::Error::new(descs, "page_desc", expected, found))
        };
        let mut first = [0; PAGE_DESC as usize];
        let there = source.read(descs, &mut first)?.len();
        if there < first.len() {
            return Ok(if self.has_pages(source)? { missing(there as u64) } else { None });
        }
        let Some(data) = self.data_start(&PageDesc::parse(header.endian, &first)) else {
            return Ok(None);
        };
        if !source.reaches(data)? {
            return Ok(missing(source.available(descs, data - descs)? / PAGE_DESC));
        }
        let count = ((data - descs) / PAGE_DESC).min(LAST_PAGES);
        let start = data - count * PAGE_DESC;
        let mut last = vec![0; (count * PAGE_DESC) as usize];
        source.read_whole(start, &mut last, "page_desc")?;
        if last.ends_with(&UNWRITTEN) {
            return self.unwritten(source, (data - descs) / PAGE_DESC);
        }
        let ends = (start..).step_by(PAGE_DESC as usize).zip(last.chunks(PAGE_DESC as usize));
        let ends = ends.filter_map(|(at, bytes)| {
            let desc = PageDesc::parse(header.endian, bytes);
            let size = u64::from(desc.size);
            let is_likely = desc.offset >= data
                && (1..=header.block_size).contains(&size)
                && Codec::of_flags(desc.flags).is_some();
            Some((desc.offset.checked_add(size).filter(|_| is_likely)?, at, desc.offset))
        });
        let Some((end, at, offset)) = ends.max() else {
            return Ok(None);
        };
        if source.reaches(end)? {
            return Ok(None);
        }
        let expected = "data inside the file, which is incomplete";
        Ok(Some(vmcore::Error::new(at, "offset of a page_desc", expected, offset)))
    }

    /// Of the last of the `most` descriptions of pages there are zeros: whether that of the
    /// last page is there. makedumpfile leaves a hole when it is killed; of a running kernel
    /// it may make room for more pages than it then finds.
    fn unwritten(&self, source: &Source, most: u64) -> Result<Option<vmcore::Error>, Error> {
        let Some(index) = self.pages(source)?.min(most).checked_sub(1) else {
            return Ok(None);
        };
        let at = self.header.page_descs() + index * PAGE_DESC;
        let mut last = UNWRITTEN;
        source.read_whole(at, &mut last, "page_desc")?;
        let expected = "one that was written; the file is incomplete";
        Ok((last == UNWRITTEN).then(|| vmcore::Error::missing(at, "page_desc", expected)))
    }

    /// Where the data start, and the descriptions of pages end, in bytes; `first` is the
    /// first of these. A page of zeros, to which all those of zeros point, may come first.
    fn data_start(&self, first: &PageDesc) -> Option<u64> {
        let descs = self.header.page_descs();
        let most = self.header.pages_end.saturating_mul(PAGE_DESC);
        [0, self.header.block_size].into_iter().find_map(|zeros| {
            let start = first.offset.checked_sub(zeros)?;
            let size = start.checked_sub(descs)?;
            let is_likely = size > 0 && size.is_multiple_of(PAGE_DESC) && size <= most;
            is_likely.then_some(start)
        })
    }

    /// Whether there are pages, as far as the start of the bitmap says.
    fn has_pages(&self, source: &Source) -> Result<bool, Error> {
        let (start, size) = self.header.bitmap();
        let first = self.header.split.map_or(0, |(start, _)| start) / 8;
        let size = size.min(self.header.pages_end.div_ceil(8));
        let Some(left) = size.checked_sub(first) else {
            return Ok(false);
        };
        let at = source.next_data(start + first, start + first + left);
        let mut bits = vec![0; (start + first + left - at).min(BITMAP_START) as usize];
        source.read_whole(at, &mut bits, "bitmap")?;
        Ok(self.count((at - start) * 8, &bits) > 0)
    }

    /// How many pages are in the dump.
    pub fn pages(&self, source: &Source) -> Result<u64, Error> {
        Ok(self.ranks(source)?.total)
    }

    fn ranks(&self, source: &Source) -> Result<&Ranks, Error> {
        if let Some(ranks) = self.ranks.get() {
            return Ok(ranks);
        }
        let mut ranks = Ranks { before: Vec::new(), total: 0 };
        let (start, size) = self.header.bitmap();
        let size = size.min(self.header.pages_end.div_ceil(8));
        let mut buffer = [0; STEP as usize];
        let mut at = 0;
        while at < size {
            // In a hole there are no bits.
            let next = (source.next_data(start + at, start + size) - start) / STEP * STEP;
            while at < next {
                ranks.before.push(ranks.total);
                at += STEP;
            }
            if at >= size {
                break;
            }
            ranks.before.push(ranks.total);
            let part = buffer.get_mut(..(size - at).min(STEP) as usize).unwrap_or_default();
            source.read_whole(start + at, part, "bitmap")?;
            ranks.total += self.count(at * 8, part);
            at += STEP;
        }
        Ok(self.ranks.get_or_init(|| ranks))
    }

    /// How many pages are in the dump among those whose bits are in `bytes`, from page
    /// `first` on.
    fn count(&self, first: u64, bytes: &[u8]) -> u64 {
        let (start, end) = self.header.split.unwrap_or((0, u64::MAX));
        let (start, end) = (start, end.min(self.header.pages_end));
        let mut count = 0;
        for (page, byte) in (first..).step_by(8).zip(bytes) {
            let mut byte = *byte;
            if page < start || page + 8 > end {
                for bit in 0..8 {
                    if page + bit < start || page + bit >= end {
                        byte &= !(1 << bit);
                    }
                }
            }
            count += u64::from(byte.count_ones());
        }
        count
    }

    /// Whether this file of a split set is to have the page.
    pub fn covers(&self, page: u64) -> bool {
        let (start, end) = self.header.split.unwrap_or((0, u64::MAX));
        (start..end).contains(&page)
    }

    /// Reads page number `page`; false when it is not in the dump. `to` has as many bytes
    /// as a page.
    pub fn read(&self, source: &Source, page: u64, to: &mut [u8]) -> Result<bool, Error> {
        let (bitmap, size) = self.header.bitmap();
        if page >= self.header.pages_end || page / 8 >= size || !self.covers(page) {
            return Ok(false);
        }
        let step = page / (STEP * 8);
        let Some(before) = self.ranks(source)?.before.get(step as usize).copied() else {
            return Ok(false);
        };
        let mut buffer = [0; STEP as usize];
        let bits = (page / 8 % STEP) as usize;
        let part = buffer.get_mut(..=bits).unwrap_or_default();
        source.read_whole(bitmap + step * STEP, part, "bitmap")?;
        let Some((last, rest)) = part.split_last_mut() else {
            return Ok(false);
        };
        if *last & (1 << (page % 8)) == 0 {
            return Ok(false);
        }
        let below = *last & ((1 << (page % 8)) - 1);
        let first = step * STEP * 8;
        let in_step = self.count(first, rest) + self.count(page / 8 * 8, &[below]);
        self.read_data(source, before + in_step, to)?;
        Ok(true)
    }

    /// Reads the data of the page whose description is number `index`.
    fn read_data(&self, source: &Source, index: u64, to: &mut [u8]) -> Result<(), Error> {
        let at = self.header.page_descs() + index * PAGE_DESC;
        let mut bytes = [0; PAGE_DESC as usize];
        source.read_whole(at, &mut bytes, "page_desc")?;
        let PageDesc { offset, size, flags } = PageDesc::parse(self.header.endian, &bytes);
        if u64::from(size) > self.header.block_size {
            return Err(source.wrong(at + 8, "size of a page_desc", "a page at most", size.into()));
        }
        let Some(codec) = Codec::of_flags(flags) else {
            let expected = "one way of compression";
            return Err(source.wrong(at + 12, "flags of a page_desc", expected, flags.into()));
        };
        let mut data = vec![0; size as usize];
        source.read_whole(offset, &mut data, "data of a page")?;
        codec.decompress(&data, to).map_err(|found| {
            let expected = format!("{} bytes", to.len());
            source.error(Fault::Page { offset, codec: codec.name(), expected, found })
        })
    }
}
