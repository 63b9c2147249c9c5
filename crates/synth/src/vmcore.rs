// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The file as a whole.

use crate::encode::Encoder;
use crate::note::DeviceDumpSpec;
use crate::{Class, Content, DumpStyle, Endian, Image, NoteSpec, PAGE};

const ET_CORE: u16 = 4;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const PN_XNUM: u16 = 0xffff;

/// A range of the dead kernel's memory.
#[derive(Debug, Clone)]
pub struct Load {
    /// Where it starts (`p_paddr`); need not be on a page.
    pub physical: u64,
    /// Where the dead kernel saw it (`p_vaddr`).
    pub virtual_address: u64,
    /// What stands there.
    pub content: Content,
}

impl Load {
    /// `content` at the physical address `physical`.
    #[must_use]
    pub fn new(physical: u64, content: impl Into<Content>) -> Self {
        Self { physical, virtual_address: 0, content: content.into() }
    }

    /// Bytes of its first page that come before it.
    fn before(&self) -> u64 {
        self.physical % PAGE
    }

    /// Its size in the file, widened to whole pages.
    fn pages(&self) -> u64 {
        (self.before() + self.content.length()).next_multiple_of(PAGE)
    }

    /// Its pages. What is on them beside it is memory too, and not zero.
    fn pieces(&self) -> Vec<Content> {
        let before = self.before();
        let after = self.pages() - before - self.content.length();
        let edge = |length| Content::Pattern { seed: self.physical, length };
        vec![edge(before), self.content.clone(), edge(after)]
    }
}

/// One segment with notes: where it starts after the header, and its size.
struct NoteSegment {
    start: u64,
    size: u64,
}

/// A vmcore to be made.
#[derive(Debug, Clone)]
pub struct Vmcore {
    class: Class,
    endian: Endian,
    machine: u16,
    style: DumpStyle,
    dumps: Vec<DeviceDumpSpec>,
    notes: Vec<NoteSpec>,
    loads: Vec<Load>,
    fill: u64,
    separate_notes: bool,
    extended_numbering: bool,
}

impl Vmcore {
    /// A vmcore of x86-64 with nothing in it.
    #[must_use]
    pub fn new(class: Class, endian: Endian) -> Self {
        Self {
            class,
            endian,
            machine: 62,
            style: DumpStyle::Exact,
            dumps: Vec::new(),
            notes: Vec::new(),
            loads: Vec::new(),
            fill: 0,
            separate_notes: false,
            extended_numbering: false,
        }
    }

    /// Of this instruction set (`e_machine`).
    #[must_use]
    pub fn machine(mut self, machine: u16) -> Self {
        self.machine = machine;
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

    /// One more range of memory.
    #[must_use]
    pub fn load(mut self, load: Load) -> Self {
        self.loads.push(load);
        self
    }

    /// So many zeros after the last note, counted in `p_filesz`.
    #[must_use]
    pub fn zero_fill(mut self, length: u64) -> Self {
        self.fill = length;
        self
    }

    /// A `PT_NOTE` for every note, as before the kernel merges them.
    #[must_use]
    pub fn separate_notes(mut self) -> Self {
        self.separate_notes = true;
        self
    }

    /// The number of program headers stands in a section header (`PN_XNUM`).
    #[must_use]
    pub fn extended_numbering(mut self) -> Self {
        self.extended_numbering = true;
        self
    }

    /// Size of the header pages, in bytes.
    #[must_use]
    pub fn header_size(&self) -> u64 {
        let (file, program, section) = self.header_sizes();
        let sections = u64::from(self.extended_numbering) * section;
        (file + program * self.program_headers() + sections).next_multiple_of(PAGE)
    }

    /// Size of the notes of all device dumps, in bytes.
    #[must_use]
    pub fn dumps_size(&self) -> u64 {
        let of = |dump: &DeviceDumpSpec| length(&dump.pieces(self.endian, self.style));
        self.dumps.iter().map(of).sum()
    }

    /// Size of all other notes with the zero fill, in bytes.
    #[must_use]
    pub fn notes_size(&self) -> u64 {
        let of = |note: &NoteSpec| length(&note.pieces(self.endian));
        self.notes.iter().map(of).sum::<u64>() + self.fill
    }

    /// Where memory starts, in bytes.
    #[must_use]
    pub fn memory_start(&self) -> u64 {
        (self.header_size() + self.dumps_size() + self.notes_size()).next_multiple_of(PAGE)
    }

    /// Where the payload of dump `index` starts, in bytes.
    #[must_use]
    pub fn payload_offset(&self, index: usize) -> u64 {
        let of = |dump: &DeviceDumpSpec| length(&dump.pieces(self.endian, self.style));
        let before: u64 = self.dumps[..index].iter().map(of).sum();
        self.header_size() + before + 64
    }

    /// The file.
    #[must_use]
    pub fn image(&self) -> Image {
        let mut image = Image::default();
        image.push(self.header().into());
        for piece in self.note_pieces().into_iter().flatten() {
            image.push(piece);
        }
        image.push(Content::Zeros(self.fill));
        image.push(Content::Zeros(self.memory_start() - image.length()));
        for piece in self.loads.iter().flat_map(Load::pieces) {
            image.push(piece);
        }
        image
    }

    /// Every note's parts: device dumps first.
    fn note_pieces(&self) -> Vec<Vec<Content>> {
        let dump = |dump: &DeviceDumpSpec| dump.pieces(self.endian, self.style);
        let note = |note: &NoteSpec| note.pieces(self.endian);
        let dumps = self.dumps.iter().map(dump);
        dumps.chain(self.notes.iter().map(note)).collect()
    }

    fn note_segments(&self) -> Vec<NoteSegment> {
        let mut sizes: Vec<u64> = self.note_pieces().iter().map(|note| length(note)).collect();
        if !self.separate_notes {
            sizes = vec![sizes.iter().sum()];
        }
        if let Some(last) = sizes.last_mut() {
            *last += self.fill;
        }
        let mut end = 0;
        let segment = |size: u64| {
            let start = end;
            end += size;
            NoteSegment { start, size }
        };
        sizes.into_iter().map(segment).collect()
    }

    fn program_headers(&self) -> u64 {
        let notes = if self.separate_notes { self.dumps.len() + self.notes.len() } else { 1 };
        (notes + self.loads.len()) as u64
    }

    /// Sizes of a file header, a program header and a section header.
    fn header_sizes(&self) -> (u64, u64, u64) {
        match self.class {
            Class::Elf32 => (52, 32, 40),
            Class::Elf64 => (64, 56, 64),
        }
    }

    /// The header pages.
    fn header(&self) -> Vec<u8> {
        let mut to = Encoder::new(self.class, self.endian);
        self.file_header(&mut to);
        let notes_start = self.header_size();
        for NoteSegment { start, size } in self.note_segments() {
            program_header(&mut to, PT_NOTE, 0, [notes_start + start, 0, 0, size, size, 4]);
        }
        let mut start = self.memory_start();
        for load in &self.loads {
            let size = load.content.length();
            let offset = start + load.before();
            let fields = [offset, load.virtual_address, load.physical, size, size, 0];
            program_header(&mut to, PT_LOAD, 7, fields);
            start += load.pages();
        }
        if self.extended_numbering {
            self.section_header(&mut to);
        }
        to.zeros_to(self.header_size() as usize);
        to.bytes
    }

    fn file_header(&self, to: &mut Encoder) {
        let (file, program, section) = self.header_sizes();
        let class = match self.class {
            Class::Elf32 => 1,
            Class::Elf64 => 2,
        };
        let data = match self.endian {
            Endian::Little => 1,
            Endian::Big => 2,
        };
        let table_end = file + program * self.program_headers();
        let (count, sections_offset, section_size, sections) = if self.extended_numbering {
            (PN_XNUM, table_end, section as u16, 1)
        } else {
            let count = u16::try_from(self.program_headers()).expect("few segments");
            (count, 0, 0, 0)
        };
        to.raw(b"\x7fELF").raw(&[class, data, 1]).zeros_to(16);
        to.half(ET_CORE).half(self.machine).word(1);
        to.address(0).address(file).address(sections_offset);
        to.word(0).half(file as u16).half(program as u16);
        to.half(count).half(section_size).half(sections).half(0);
    }

    /// The first section header, which counts the program headers.
    fn section_header(&self, to: &mut Encoder) {
        let count = u32::try_from(self.program_headers()).expect("few segments");
        to.word(0).word(0);
        to.address(0).address(0).address(0).address(1);
        to.word(0).word(count);
        to.address(0).address(0);
    }
}

/// `fields` in the order of the 64-bit header: `p_offset`, `p_vaddr`, `p_paddr`,
/// `p_filesz`, `p_memsz`, `p_align`.
fn program_header(to: &mut Encoder, segment_type: u32, flags: u32, fields: [u64; 6]) {
    let [offset, virtual_address, physical, file_size, memory_size, align] = fields;
    to.word(segment_type);
    if to.class == Class::Elf64 {
        to.word(flags);
    }
    to.address(offset).address(virtual_address).address(physical);
    to.address(file_size).address(memory_size);
    if to.class == Class::Elf32 {
        to.word(flags);
    }
    to.address(align);
}

fn length(pieces: &[Content]) -> u64 {
    pieces.iter().map(Content::length).sum()
}
